package dispatch

import (
	"context"
	"fmt"
	"time"

	"hongyan"
	"hongyan/store"
)

const (
	// pollEvery is the backstop: due times, holds and other nodes' messages are
	// normally known at once.
	pollEvery = 5 * time.Second
	// claimMax bounds one claim of one stream, so that turns stay short.
	claimMax = 512
	// claimPause keeps a broken store from being asked without end.
	claimPause = 500 * time.Millisecond
	// lowWater is how much of the room ahead must be free before it is worth a claim.
	lowWater = 0.5
)

// runClaims leases what is due until ctx ends.
func (e *Engine) runClaims(ctx context.Context, epoch int64) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	lastPoll, trouble := e.cfg.Store.Now(), ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case <-timer.C:
		}
		now := e.cfg.Store.Now()
		if now.Sub(lastPoll) >= pollEvery {
			lastPoll = now
			if err := e.poll(ctx); err != nil && ctx.Err() == nil {
				e.log.Warn("poll", "err", err)
			}
		}
		if err := e.claimRound(ctx, epoch); err != nil && ctx.Err() == nil {
			if text := err.Error(); text != trouble { // once, not twice a second while a disk is full
				trouble = text
				e.log.Warn("claim", "err", err)
			}
			timer.Reset(claimPause)
			continue
		}
		trouble = ""
		timer.Reset(e.nextWake(lastPoll))
	}
}

// poll asks the store what waits and which holds there are: other nodes may
// have put them there.
func (e *Engine) poll(ctx context.Context) error {
	e.saveHolds(ctx)
	if err := e.readAllHolds(ctx); err != nil {
		return fmt.Errorf("poll holds: %w", err)
	}
	return e.loadStreams(ctx)
}

// nextWake returns how long the claimer may sleep.
func (e *Engine) nextWake(lastPoll time.Time) time.Duration {
	now := e.cfg.Store.Now()
	next := lastPoll.Add(pollEvery)
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.order {
		if s.backlog && s.open(now) && !e.claimable(s, now) {
			continue // a finished call pokes
		}
		if at := s.wakeAt(now); !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	if e.slots >= e.cfg.Slots || e.broken || e.stopping {
		next = lastPoll.Add(pollEvery) // a recorded result pokes
	}
	return max(next.Sub(now), time.Millisecond)
}

// claimable reports whether a claim for an open stream could lease anything now,
// rate aside.
func (e *Engine) claimable(s *stream, now time.Time) bool {
	room, _ := s.account.meter.room(now)
	return room > 0 && s.worthClaiming() && e.share(s) > 0
}

// worthClaiming reports whether enough of the stream's room is free.
func (s *stream) worthClaiming() bool {
	room := s.room()
	return room > 0 && (float64(room) >= lowWater*float64(s.ahead()) || s.leased() == 0)
}

// claimRound claims for every stream that has something due and may send it.
func (e *Engine) claimRound(ctx context.Context, epoch int64) error {
	for {
		now := e.cfg.Store.Now()
		if err := e.lapseHolds(ctx, now); err != nil {
			return err
		}
		e.startProbes(now)
		wants, asked := e.planClaims(now)
		if len(wants) == 0 {
			return nil
		}
		claimed, err := e.cfg.Store.Claim(ctx, epoch, wants)
		more, due := e.handOut(claimed, asked, err)
		if err != nil {
			return fmt.Errorf("claim for epoch %d: %w", epoch, err)
		}
		if due {
			if err := e.loadStreams(ctx); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
	}
}

// ask is what was set aside for one Want.
type ask struct {
	s *stream
	n int
}

// planClaims sets slots, rate and quota aside and says what to claim. Streams
// take turns at being first.
func (e *Engine) planClaims(now time.Time) ([]store.Want, []ask) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping || e.broken {
		return nil, nil
	}
	var wants []store.Want
	var asked []ask
	for i := range e.order {
		s := e.order[(e.turn+i)%len(e.order)]
		if !s.nextDue.IsZero() && !now.Before(s.nextDue) {
			s.backlog, s.nextDue = true, time.Time{}
		}
		if !s.backlog || !s.worthClaiming() || !s.open(now) {
			continue
		}
		n := e.allowance(s, now)
		if n == 0 {
			continue
		}
		e.reserve(s, n)
		wants = append(wants, store.Want{AppID: s.key.appID, Kind: s.key.kind, Max: n, NotBefore: s.account.quietBefore(s.key.kind, now)})
		asked = append(asked, ask{s, n})
	}
	e.turn++
	return wants, asked
}

// allowance returns how many messages of s may be claimed now.
func (e *Engine) allowance(s *stream, now time.Time) int {
	n := min(s.room(), claimMax, s.account.bucket.available(now), e.share(s))
	if n <= 0 {
		return 0
	}
	room, rule := s.account.meter.room(now)
	if room == 0 {
		e.quotaReached(s, rule, now)
		return 0
	}
	return min(n, room)
}

// share returns how many more slots s may take: none beyond what would still be
// free for others, so that streams whose calls hang never hold them all.
func (e *Engine) share(s *stream) int {
	free := e.cfg.Slots - e.slots
	return max(0, (free-s.leased()+1)/2)
}

// reserve sets n slots, rate and quota of a stream aside; negative gives back.
func (e *Engine) reserve(s *stream, n int) {
	e.slots += n
	s.reserved += n
	s.account.bucket.take(n)
	s.account.meter.reserve(n)
}

// handOut passes claimed messages to their streams and gives back what was set
// aside in vain. more tells that a stream may have further due messages at
// once, due that a stream's next due time has to be looked up.
func (e *Engine) handOut(claimed []hongyan.Message, asked []ask, err error) (more, due bool) {
	e.mu.Lock()
	now := e.cfg.Store.Now()
	got := make(map[*stream]int, len(asked))
	of := make(map[streamKey]*stream, len(asked))
	for _, a := range asked {
		of[a.s.key] = a.s
	}
	var untried []job
	for i := range claimed {
		m := &claimed[i]
		s := of[streamKey{m.AppID, m.Kind}]
		got[s]++
		if !s.open(now) { // paused or closed while the claim was under way
			untried = append(untried, job{s: s, m: *m})
			continue
		}
		s.reserved--
		s.ready = append(s.ready, *m)
	}
	for _, a := range asked {
		if missing := a.n - got[a.s]; missing > 0 {
			e.reserve(a.s, -missing)
			if err == nil {
				a.s.backlog, due = false, true
			}
		} else {
			more = true
		}
		e.startWorkers(a.s, now)
	}
	e.mu.Unlock()
	e.giveBack(untried)
	return more, due
}

// quotaReached holds the account because one of our own rules is used up. The
// caller holds e.mu.
func (e *Engine) quotaReached(s *stream, rule *hongyan.QuotaRule, now time.Time) {
	if rule == nil {
		return
	}
	c := s.account.meter.account.at(rule.Period, now)
	if c.used < rule.Limit {
		return // calls under way may still give room back
	}
	until := hongyan.PeriodEnd(rule.Period, now)
	h := hongyan.Hold{
		AppID: s.key.appID, Reason: hongyan.HoldQuota, Since: now, Until: until,
		Release: "the next Beijing " + rule.Period, Detail: fmt.Sprintf("the account's own limit of %d calls a %s is used up", rule.Limit, rule.Period),
	}
	s.account.holdAtOnce(h)
	a := s.account
	e.workers.Go(func() {
		if err := e.addHold(e.sendCtx, a, h); err != nil {
			e.log.Error("hold on quota", "appid", h.AppID, "err", err)
		}
	})
}

// takeReadyLocked removes the untried messages of an account (nil = all) whose
// streams may not send now, or of every stream when the engine stops.
func (e *Engine) takeReadyLocked(a *account) []job {
	now := e.cfg.Store.Now()
	var untried []job
	for _, s := range e.order {
		if a != nil && s.account != a || !e.stopping && s.open(now) {
			continue
		}
		for i := range s.ready {
			untried = append(untried, job{s: s, m: s.ready[i]})
		}
		s.reserved += len(s.ready) // until they are back in the store
		s.ready = nil
	}
	return untried
}

// giveBack returns untried messages to the store and frees their slots. What the
// store does not take now, the recorder returns when it does: this node goes on
// living, so nobody would ever take them over.
func (e *Engine) giveBack(untried []job) {
	if len(untried) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.sendCtx), reloadTimeout)
	defer cancel()
	err := e.returnAll(ctx, untried)
	if err == nil {
		return
	}
	e.log.Error("return untried messages", "count", len(untried), "err", err)
	e.setBroken(true)
	for _, j := range untried {
		e.done.put(settled{s: j.s, m: j.m, o: outcome{untried: true}})
	}
}

// returnAll is giveBack once. After an error nothing has changed.
func (e *Engine) returnAll(ctx context.Context, untried []job) error {
	fences := make([]store.Fence, len(untried))
	for i := range untried {
		fences[i] = fenceOf(&untried[i].m)
	}
	if err := e.cfg.Store.Return(ctx, fences); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range untried {
		e.reserve(untried[i].s, -1)
		untried[i].s.backlog = true
		e.waiters.wake(untried[i].m.ID)
	}
	e.poke()
	return nil
}

// takeOver settles what dead processes left leased: each message may have been
// tried, so each is treated as an attempt without an answer.
func (e *Engine) takeOver(ctx context.Context, epoch int64) error {
	total := 0
	for {
		left, err := e.cfg.Store.TakeOver(ctx, epoch, sweepBatch)
		if err != nil {
			return fmt.Errorf("take over as epoch %d: %w", epoch, err)
		}
		if len(left) == 0 {
			break
		}
		results := make([]store.Result, 0, len(left))
		for i := range left {
			results = append(results, e.settleLost(ctx, &left[i]))
		}
		if _, err := e.cfg.Store.FinishAttempts(ctx, results); err != nil {
			return fmt.Errorf("settle %d messages of a dead process: %w", len(results), err)
		}
		total += len(left)
	}
	if total > 0 {
		e.log.Warn("settled messages a dead process left in doubt", "count", total)
	}
	return nil
}

// settleLost settles one of them. An account that cannot be read must not keep
// the others from being sent: its messages are settled as an account with every
// setting at its default would have them, and as uncertain when it is gone.
func (e *Engine) settleLost(ctx context.Context, m *hongyan.Message) store.Result {
	now := e.cfg.Store.Now()
	a, err := e.loadAccount(ctx, m.AppID)
	if err != nil {
		e.log.Error("account of a message that a dead process left", "appid", m.AppID, "message", m.ID, "err", err)
		a = &account{AppID: m.AppID, meter: newMeter(nil, nil)}
		a.stored.Store(&settings{Account: hongyan.Account{AppID: m.AppID}})
	}
	started := m.UpdatedAt                  // when it was leased (store.Nodes.TakeOver)
	started = latest(started, m.DoubtSince) // a resend has been tried (resendDue)
	c := call{attempt: hongyan.Attempt{
		N: m.Attempts, StartedAt: started, EndedAt: now, Outcome: hongyan.NoAnswer,
		Errmsg: "the process ended before an answer was recorded",
	}}
	e.mu.Lock()
	defer e.mu.Unlock()
	v := decide(&a.settings().Account, m, c, now)
	if hongyan.IsKind(err, hongyan.NotFound) { // nobody would ever ask again
		v = lost(&a.settings().Account, v)
	}
	day := calendarAt(now)
	a.meter.count(m.TemplateID, 1, &day)
	return resultOf(m, v, []hongyan.Attempt{c.attempt}, day.deltas(m.AppID, m.TemplateID, 1))
}
