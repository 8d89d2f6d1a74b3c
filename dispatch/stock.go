package dispatch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"hongyan"
	"hongyan/store"
)

const (
	// A node reserves a hundredth of a limit at a time, but one call at least and
	// quotaBlockMost at most: what idle nodes hold keeps little from the others.
	quotaBlockPart = 100
	quotaBlockMost = 5000
	// quotaAskAgain is the wait before the store is asked again for calls that others
	// hold, or that are under way.
	quotaAskAgain = time.Second
	// quotaIdle is how long at least a node keeps reserved what it does not use.
	quotaIdle = time.Minute
)

// lacks reports whether the store should be asked before n messages of the account,
// and one of a template unless that is "", are leased.
func (a *account) lacks(n int64, templateID string, now time.Time) bool {
	if templateID == "" && a.rate.lacks(now) {
		return true
	}
	for i := range a.meter.rules {
		r := &a.meter.rules[i]
		if c := a.meter.counterOf(r, templateID, now); c != nil && c.lacks(n, now) {
			return true
		}
	}
	return false
}

// counterOf returns the counter a rule speaks of: of the account, or of a template
// when one is named; nil when the rule is about the other.
func (m *meter) counterOf(r *hongyan.QuotaRule, templateID string, now time.Time) *counter {
	if (r.Scope == scopeTemplate) != (templateID != "") {
		return nil
	}
	return m.tallyOf(r.Scope, templateID).at(r.Period, now)
}

// stockUp gets from the store what n messages of an account need, or one call of
// a template, and waits for it; whoever asks meanwhile waits for the same answer.
// What cannot be had shows in the room and the rate there is.
func (e *Engine) stockUp(ctx context.Context, a *account, n int64, templateID string) {
	for range 3 { // the answer one waited for may have been to another question
		e.mu.Lock()
		if e.epoch.Load() == 0 || !a.lacks(n, templateID, e.cfg.Store.Now()) {
			e.mu.Unlock()
			return
		}
		flight := a.flight
		if flight == nil {
			a.flight = make(chan struct{})
		}
		e.mu.Unlock()
		if flight == nil {
			e.fetch(ctx, a, n, templateID)
			return
		}
		select {
		case <-flight:
		case <-ctx.Done():
			return
		}
	}
}

// stockUpLater is stockUp for the claimer, which waits for no account: the answer
// pokes it. The caller holds e.mu.
func (e *Engine) stockUpLater(a *account, n int, now time.Time) {
	if a.flight == nil && a.lacks(int64(n), "", now) {
		a.flight = make(chan struct{})
		e.workers.Go(func() { e.fetch(e.sendCtx, a, int64(n), "") })
	}
}

// fetch asks the store. The caller has set a.flight.
func (e *Engine) fetch(ctx context.Context, a *account, n int64, templateID string) {
	var err error
	if templateID == "" && a.settings().RatePerSecond > 0 {
		err = e.takeRate(ctx, a, int(n))
	}
	for range 2 * len(periods) { // a limit's reserve may be a second question
		q, open := e.nextQuestion(a, n, templateID)
		if !open || err != nil {
			break
		}
		err = e.ask(ctx, a, q)
	}
	if err != nil && ctx.Err() == nil && !hongyan.IsKind(err, hongyan.Conflict) {
		e.log.Warn("ask for rate and quota", "appid", a.AppID, "err", err)
	}
	e.mu.Lock()
	e.landed(a)
	e.mu.Unlock()
	e.poke()
}

// landed ends what fetch and returnIdle do for an account. The caller holds e.mu.
func (e *Engine) landed(a *account) {
	close(a.flight)
	a.flight = nil
}

// question is what a counter lacks.
type question struct {
	rule     hongyan.QuotaRule
	counter  *counter
	usage    store.UsageDelta // N = the calls to hold reserved
	limit    int64
	n        int64 // that should be free then
	epoch    int64 // who asks
	finished int64 // the counter's when it was asked
}

// nextQuestion returns the first thing that is still to be asked.
func (e *Engine) nextQuestion(a *account, n int64, templateID string) (question, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.cfg.Store.Now()
	for i := range a.meter.rules {
		r := &a.meter.rules[i]
		if c := a.meter.counterOf(r, templateID, now); c != nil && c.lacks(n, now) {
			return e.question(c, a.AppID, r, templateID, n), true
		}
	}
	return question{}, false
}

// question asks for room for n calls, and some more.
func (e *Engine) question(c *counter, appID string, r *hongyan.QuotaRule, templateID string, n int64) question {
	q := question{rule: *r, counter: c, limit: r.Limit, n: n, epoch: e.epoch.Load(), finished: c.finished,
		usage: store.UsageDelta{AppID: appID, Scope: r.Scope, Period: r.Period, PeriodFrom: c.from}}
	if templateID != "" {
		q.usage.Scope = templateScope(templateID)
	}
	if !c.urgentOnly {
		q.limit -= r.UrgentReserve
	}
	q.usage.N = c.reserved + max(n, min(max(1, r.Limit/quotaBlockPart), quotaBlockMost))
	return q
}

// ask puts a question to the store and takes note of the answer.
func (e *Engine) ask(ctx context.Context, a *account, q question) error {
	held, err := e.cfg.Store.ReserveUsage(ctx, q.epoch, q.usage, q.limit)
	var usage []hongyan.QuotaUsage
	if err == nil && held < q.usage.N {
		usage, err = e.cfg.Store.Usage(ctx, a.AppID)
	}
	now := e.cfg.Store.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	c := q.counter
	if err != nil {
		c.askAt = now.Add(claimPause)
		return err
	}
	if !e.recording { // else what is read may be counted a second time when it is recorded here
		a.meter.refresh(usage)
	}
	if !e.takeAnswer(a, &q, held) {
		return nil
	}
	if c.free() < q.n {
		c.askAt = now.Add(quotaAskAgain)
	}
	// By what the store says: a hold until midnight for a call too few would waste it.
	if c.free() == 0 && usedOf(usage, &q.usage) >= q.limit {
		e.quotaReached(a, c, &q, now)
	}
	return nil
}

// usedOf returns how much of u's counter the store says is used.
func usedOf(usage []hongyan.QuotaUsage, u *store.UsageDelta) int64 {
	for i := range usage {
		if x := &usage[i]; x.Scope == u.Scope && x.Period == u.Period && x.PeriodFrom.Equal(u.PeriodFrom) {
			return x.Used
		}
	}
	return 0
}

// takeAnswer makes held what the counter of a question holds, and reports false
// when the question is out of date. The caller holds e.mu.
func (e *Engine) takeAnswer(a *account, q *question, held int64) bool {
	c := q.counter
	if !c.from.Equal(q.usage.PeriodFrom) || q.epoch != e.epoch.Load() || !slices.Contains(a.meter.rules, q.rule) {
		return false
	}
	// Calls recorded since may have been taken from what was held before, or from this.
	c.held = max(0, held-(c.finished-q.finished))
	return true
}

// quotaReached holds the account because one of our own rules is used up: all of
// it, or all but its urgent messages as long as a reserve is left. The caller holds e.mu.
func (e *Engine) quotaReached(a *account, c *counter, q *question, now time.Time) {
	if q.rule.Scope != scopeAccount {
		return // its messages are held one by one
	}
	h := hongyan.Hold{
		AppID: a.AppID, Reason: hongyan.HoldQuota, Since: now, Until: hongyan.PeriodEnd(q.rule.Period, now),
		Release: "the next Beijing " + q.rule.Period,
		Detail:  fmt.Sprintf("the account's own limit of %d calls a %s is used up", q.rule.Limit, q.rule.Period),
	}
	if !c.urgentOnly && q.rule.UrgentReserve > 0 {
		c.urgentOnly, c.askAt = true, time.Time{}
		h.Before = h.Until
		h.Detail += fmt.Sprintf(" but for the %d kept for urgent messages", q.rule.UrgentReserve)
	}
	if a.holdWhere(func(old *hongyan.Hold) bool {
		return old.Kind == "" && old.Reason == h.Reason && old.Until.Equal(h.Until) && old.Before.Equal(h.Before)
	}) != nil {
		return
	}
	a.holdAtOnce(h)
	e.workers.Go(func() {
		e.mu.Lock()
		cleared := a.onItsWay(h) < 0
		e.mu.Unlock()
		if cleared { // already: the limit was raised, or somebody resumed the account
			return
		}
		if err := e.addHold(e.sendCtx, a, h); err != nil {
			e.log.Error("hold on quota", "appid", h.AppID, "err", err)
		}
	})
}

// returnIdle gives the store back what this node holds reserved and has not used
// since it was called before: others may need it.
func (e *Engine) returnIdle(ctx context.Context) error {
	e.mu.Lock()
	idle := make(map[*account][]question)
	now := e.cfg.Store.Now()
	for name, a := range e.accounts {
		if name != a.AppID || a.flight != nil || e.epoch.Load() == 0 {
			continue
		}
		if qs := e.idleQuestions(a, now); len(qs) > 0 {
			idle[a] = qs
			a.flight = make(chan struct{})
		}
	}
	e.mu.Unlock()
	var failed error
	for a, qs := range idle {
		for _, q := range qs {
			held, err := e.cfg.Store.ReserveUsage(ctx, q.epoch, q.usage, q.limit)
			e.mu.Lock()
			if err == nil {
				e.takeAnswer(a, &q, held)
			}
			e.mu.Unlock()
			if failed == nil {
				failed = err
			}
		}
		e.mu.Lock()
		e.landed(a)
		e.mu.Unlock()
	}
	return failed
}

// idleQuestions ask for no more than the calls under way. Nothing is leased from
// what they name before the store knows. The caller holds e.mu.
func (e *Engine) idleQuestions(a *account, now time.Time) (all []question) {
	a.meter.eachRuled(now, func(r *hongyan.QuotaRule, templateID string, c *counter) {
		if c.free() > 0 && !c.busy {
			q := e.question(c, a.AppID, r, templateID, 0)
			q.usage.N, q.limit, c.held = c.reserved, r.Limit, c.reserved
			all = append(all, q)
		}
		c.busy = false
	})
	return all
}

// eachRuled calls do with every counter that a rule limits.
func (m *meter) eachRuled(now time.Time, do func(r *hongyan.QuotaRule, templateID string, c *counter)) {
	for i := range m.rules {
		r := &m.rules[i]
		if r.Scope == scopeAccount {
			do(r, "", m.account.at(r.Period, now))
			continue
		}
		for templateID, t := range m.templates {
			do(r, templateID, t.at(r.Period, now))
		}
	}
}
