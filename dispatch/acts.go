package dispatch

import (
	"context"
	"fmt"
	"time"

	"hongyan"
)

// Cancel withdraws a waiting message. Conflict in any other state, and for a
// message in doubt: it may have been shown already.
func (e *Engine) Cancel(ctx context.Context, id string) (hongyan.Message, error) {
	m, err := e.cfg.Store.Cancel(ctx, id)
	if err == nil {
		e.mu.Lock()
		e.waiters.wake(id)
		e.mu.Unlock()
	}
	return m, err
}

// Release sends a waiting message now, whatever its due time and hold; only an
// account paused by an operator or stopped by WeChat keeps it, and a limit of the
// account's own that is used up (Conflict). A message in review cannot be
// released at all.
func (e *Engine) Release(ctx context.Context, id string) (hongyan.Message, error) {
	m, err := e.cfg.Store.Message(ctx, id)
	if err != nil {
		return m, err
	}
	if !m.State.Waiting() {
		return m, stateConflict(&m, "release")
	}
	if h := m.Hold; h != nil && needsPerson(h) { // another node may have put it there just now
		return m, accountHeld(&m, h)
	}
	a, err := e.loadAccount(ctx, m.AppID)
	if err != nil {
		return m, err
	}
	e.stockUp(ctx, a, 1, "")
	e.stockUp(ctx, a, 1, m.TemplateID)
	epoch := e.epoch.Load()
	s, err := e.takeSlot(a, &m)
	if err != nil {
		return m, err
	}
	leased, err := e.cfg.Store.ClaimOne(ctx, epoch, id)
	e.mu.Lock()
	if err != nil {
		e.reserve(s, -1)
		e.mu.Unlock()
		return m, err
	}
	j := job{s: s, m: leased, released: true}
	if e.stopping {
		e.mu.Unlock()
		e.giveBack([]job{j})
		return m, hongyan.Errorf(hongyan.Unavailable, "stopping", "this process is stopping: try again in a moment")
	}
	s.reserved--
	s.inflight++ // at once, not behind what is ready: a person waits
	e.assign(j)
	e.mu.Unlock()
	return leased, nil
}

// takeSlot sets one slot aside for a message, beyond rate and hold, but not beyond
// a quota rule: that is a promise. A message with a hold of its own does not show
// that its account is held too.
func (e *Engine) takeSlot(a *account, m *hongyan.Message) (*stream, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.cfg.Store.Now()
	if h := a.stoppedBy(m.Kind, now); h != nil {
		return nil, accountHeld(m, h)
	}
	if rule := a.meter.usedUp(m.TemplateID, now); rule != nil {
		return nil, limitUsedUp(m, rule, now)
	}
	if _, urgent := a.meter.room(now); urgent == 0 || !a.meter.templateRoom(m.TemplateID, now) {
		return nil, hongyan.Errorf(hongyan.Unavailable, "no_slot", "calls under way may use up a limit of the account's own: try again in a moment")
	}
	if e.epoch.Load() == 0 || e.stopping || e.broken || e.slots >= e.cfg.Slots {
		return nil, hongyan.Errorf(hongyan.Unavailable, "no_slot", "every send slot is taken: try again in a moment")
	}
	s := e.streamOf(a, m.Kind)
	e.reserve(s, 1)
	return s, nil
}

func accountHeld(m *hongyan.Message, h *hongyan.Hold) error {
	return hongyan.Errorf(hongyan.Conflict, "account_held", "message %s is held with its account (%s) and cannot be released", m.ID, h.Reason)
}

func limitUsedUp(m *hongyan.Message, rule *hongyan.QuotaRule, now time.Time) error {
	return hongyan.Errorf(hongyan.Conflict, "limit_used_up", "message %s waits because the account's own limit of %d a %s (%s) is used up: raise it, or wait until %s",
		m.ID, rule.Limit, rule.Period, rule.Scope, hongyan.PeriodEnd(rule.Period, now).Format(time.RFC3339))
}

// Retry makes a new message of one that failed, expired or is uncertain; the
// old one stays as it ended. The new one carries its own client_msg_id.
func (e *Engine) Retry(ctx context.Context, id, callerID string) (hongyan.Message, error) {
	old, err := e.cfg.Store.Message(ctx, id)
	if err != nil {
		return old, err
	}
	switch old.State {
	case hongyan.Failed, hongyan.Expired, hongyan.Uncertain:
	default:
		return old, stateConflict(&old, "retry")
	}
	if len(old.Payload) == 0 {
		return old, payloadGone(&old)
	}
	r, err := requestOf(&old)
	if err != nil {
		return old, hongyan.Errorf(hongyan.Internal, "", "read the body of message %s: %w", id, err)
	}
	r.CallerID, r.RetryOf = callerID, id
	done, err := e.Submit(ctx, []Request{r})
	if err != nil {
		return old, err
	}
	return done[0].Message, done[0].Err
}

func stateConflict(m *hongyan.Message, act string) error {
	return hongyan.Errorf(hongyan.Conflict, "wrong_state", "cannot %s message %s: it is %s", act, m.ID, m.State)
}

func payloadGone(m *hongyan.Message) error {
	return &hongyan.Error{Kind: hongyan.Conflict, Code: "payload_gone",
		Message: fmt.Sprintf("message %s ended on %s and its values have been removed since: it cannot be retried", m.ID, m.UpdatedAt.Format(time.DateOnly)),
		Hint:    "post it anew; retention.payload says how long values are kept"}
}

// requestOf turns a stored message back into the request it came from, without
// its client_msg_id, times and idempotency key.
func requestOf(m *hongyan.Message) (Request, error) {
	r := Request{AppID: m.AppID, Kind: m.Kind, ToUser: m.ToUser, TemplateID: m.TemplateID, Priority: m.Priority, Metadata: m.Metadata}
	return r, families[m.Kind].read(m.Payload, &r)
}

// Pause stops an account at once: calls under way finish, nothing else leaves.
func (e *Engine) Pause(ctx context.Context, appID string) error {
	a, err := e.loadAccount(ctx, appID)
	if err != nil {
		return err
	}
	return e.addHold(ctx, a, hongyan.Hold{Reason: hongyan.HoldPaused, Release: "resume the account"})
}

// Resume lifts every hold on an account, the ones WeChat caused included: the
// operator says that their cause is cured.
func (e *Engine) Resume(ctx context.Context, appID string) error {
	a, err := e.loadAccount(ctx, appID)
	if err != nil {
		return err
	}
	if err := e.clearHold(ctx, a, "*", "*"); err != nil {
		return err
	}
	e.mu.Lock()
	for _, s := range e.order {
		if s.account == a {
			s.gateUntil, s.needProbe, s.failures, s.backlog = e.cfg.Store.Now(), false, 0, true
		}
	}
	e.mu.Unlock()
	e.poke()
	return nil
}

// ReleaseTemplate lets the messages of a template go that is active again: one call at
// first, more as WeChat takes them, in case it does not.
func (e *Engine) ReleaseTemplate(ctx context.Context, appID, templateID string) (int, error) {
	a, err := e.loadAccount(ctx, appID)
	if err != nil {
		return 0, err
	}
	e.mu.Lock()
	for _, s := range a.streams {
		s.limit, s.healthy = 1, false
	}
	e.back[backKey{a.AppID, templateID}] = e.cfg.Store.Now().Add(backAgain)
	e.mu.Unlock()
	total, err := e.releaseTemplate(ctx, a.AppID, templateID, hongyan.HoldTemplate)
	e.AccountChanged(a.AppID)
	return total, err
}

// ReleaseRestored lets the messages of an account go that a restore holds, each at
// its own time if that is still to come. It returns how many.
func (e *Engine) ReleaseRestored(ctx context.Context, appID string) (int, error) {
	a, err := e.loadAccount(ctx, appID)
	if err != nil {
		return 0, err
	}
	total, err := e.releaseTemplate(ctx, a.AppID, "", hongyan.HoldRestored)
	e.AccountChanged(a.AppID)
	return total, err
}

// releaseTemplate queues what a template's messages ("" = any) were held for, due now.
func (e *Engine) releaseTemplate(ctx context.Context, appID, templateID, reason string) (total int, err error) {
	for n := sweepBatch; n == sweepBatch; total += n {
		n, err = e.cfg.Store.ReleaseTemplate(ctx, appID, templateID, reason, e.cfg.Store.Now(), sweepBatch)
		if err != nil {
			return total, fmt.Errorf("release messages of template %s: %w", templateID, err)
		}
	}
	return total, nil
}

// Quota lists an account's quota rules and what is left of them.
func (e *Engine) Quota(ctx context.Context, appID string) ([]QuotaStatus, error) {
	a, err := e.loadAccount(ctx, appID)
	if err != nil {
		return nil, err
	}
	usage, err := e.cfg.Store.Usage(ctx, a.AppID) // of every node
	if err != nil {
		return nil, fmt.Errorf("load usage of %s: %w", a.AppID, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.cfg.Store.Now()
	a.meter.refresh(usage)
	a.meter.eachRuled(now, func(_ *hongyan.QuotaRule, _ string, c *counter) { c.look(now) })
	return a.meter.status(now), nil
}
