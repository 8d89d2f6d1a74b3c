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
func (e *Engine) runClaims(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	lastPoll, lastIdle, trouble := e.cfg.Store.Now(), e.cfg.Store.Now(), ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case <-timer.C:
		}
		now := e.cfg.Store.Now()
		if now.Sub(lastPoll) >= pollEvery || e.takePollSoon() {
			lastPoll = now
			if err := e.poll(ctx); err != nil && ctx.Err() == nil {
				e.log.Warn("poll", "err", err)
			}
		}
		if now.Sub(lastIdle) >= quotaIdle {
			lastIdle = now
			if err := e.returnIdle(ctx); err != nil && ctx.Err() == nil {
				e.log.Warn("poll", "err", err)
			}
		}
		if err := e.claimRound(ctx, e.epoch.Load()); err != nil && ctx.Err() == nil {
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

// takePollSoon reports whether a notice asks for a poll, once.
func (e *Engine) takePollSoon() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	soon := e.pollSoon
	e.pollSoon = false
	return soon
}

// poll asks the store what waits and which holds there are: other nodes may
// have put them there.
func (e *Engine) poll(ctx context.Context) error {
	e.saveHolds(ctx)
	if err := e.readAllHolds(ctx); err != nil {
		return fmt.Errorf("poll holds: %w", err)
	}
	e.tellThresholds(ctx)
	if err := e.releaseAgain(ctx); err != nil {
		return fmt.Errorf("poll templates: %w", err)
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
		if s.backlog && s.open(now) && !e.wantsMore(s) {
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

// wantsMore reports whether a claim for an open stream could lease anything now,
// rate and quota aside.
func (e *Engine) wantsMore(s *stream) bool { return s.worthClaiming() && e.share(s) > 0 }

// worthClaiming reports whether enough of the stream's room is free.
func (s *stream) worthClaiming() bool {
	room := s.room()
	return room > 0 && (float64(room) >= lowWater*float64(s.ahead()) || s.leased() == 0)
}

// claimRound claims for every stream that has something due and may send it. Without
// an epoch (the node joins anew) it does nothing.
func (e *Engine) claimRound(ctx context.Context, epoch int64) error {
	for epoch != 0 {
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
	return nil
}

// reserve sets n slots and calls of a stream aside; negative gives back. Tokens
// of the rate are taken apart: a message that goes back untried has lost its own.
func (e *Engine) reserve(s *stream, n int) {
	e.slots += n
	s.reserved += n
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
		s.enqueue(*m)
	}
	for _, a := range asked {
		if missing := a.n - got[a.s]; missing > 0 {
			e.reserve(a.s, -missing)
			a.s.account.rate.take(-missing)
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

// takeReadyLocked removes the untried messages of an account (nil = all) whose
// streams may not send now, or of every stream when the engine stops.
func (e *Engine) takeReadyLocked(a *account) []job {
	now := e.cfg.Store.Now()
	var untried []job
	for _, s := range e.order {
		if a != nil && s.account != a || !e.stopping && s.open(now) {
			continue
		}
		untried = s.takeReady(untried)
	}
	return untried
}

// takeAllReady is takeReadyLocked for every stream, whatever holds it.
func (e *Engine) takeAllReady() (untried []job) {
	for _, s := range e.order {
		untried = s.takeReady(untried)
	}
	return untried
}

// takeReady adds the ready messages to untried.
func (s *stream) takeReady(untried []job) []job {
	for i := range s.ready {
		untried = append(untried, job{s: s, m: s.ready[i]})
	}
	s.reserved += len(s.ready) // until they are back in the store
	s.ready = nil
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
