package deliver

import (
	"context"
	"errors"
	"sync"
	"time"

	"hongyan/store"
)

// Run delivers until ctx ends, then returns nil. Nothing new is sent after that: what
// was claimed and not tried goes back, calls under way have stopGrace. What a crash
// leaves comes back when its lease is over. Two that run at once share the work.
func (s *Sender) Run(ctx context.Context) error {
	calls, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	var lanes sync.WaitGroup
	for ctx.Err() == nil {
		timer := time.NewTimer(s.startDue(calls, ctx, &lanes))
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
	grace := time.AfterFunc(stopGrace, func() { cut(errStopped) })
	defer grace.Stop()
	lanes.Wait()
	return nil
}

// startDue starts a lane for each target with something due and returns when to look again.
func (s *Sender) startDue(calls, stopping context.Context, lanes *sync.WaitGroup) time.Duration {
	due, err := s.store.DueTargets(stopping)
	if err != nil && stopping.Err() == nil {
		s.log.ErrorContext(stopping, "what is to be delivered cannot be read", "err", err)
	}
	wait := pollEvery
	for _, t := range due {
		wait = min(wait, s.startIfDue(calls, stopping, t, lanes))
	}
	return wait
}

// startIfDue looks at one target and returns when to look at it again.
func (s *Sender) startIfDue(calls, stopping context.Context, t store.TargetDue, lanes *sync.WaitGroup) time.Duration {
	now := s.store.Now()
	_, rested := s.room(t.Target, 0)
	o, err := s.outlet(stopping, t.Target)
	switch {
	case rested.After(now) && (err != nil || t.DueAt.Before(rested)):
		return rested.Sub(now)
	case errors.Is(err, errGone):
		s.start(t.Target, lanes, func(*lane[store.DeliveryResult]) { s.dropGone(stopping, t.Target) })
		return pollEvery
	case err != nil:
		if stopping.Err() == nil {
			s.log.ErrorContext(stopping, "the downstream of deliveries cannot be read", "target", t.Target, "err", err)
		}
		return pollEvery
	case o.Paused, o.Ordered && t.OrderedDueAt.IsZero():
		return pollEvery
	}
	at := t.DueAt
	if o.Ordered {
		at = t.OrderedDueAt
	}
	if wait := at.Sub(now); wait > 0 {
		return wait
	}
	s.start(t.Target, lanes, func(l *lane[store.DeliveryResult]) { s.runLane(calls, stopping, l) })
	return pollEvery
}

// start runs f for a target unless something runs for it already; that is nudged.
func (s *Sender) start(target string, lanes *sync.WaitGroup, f func(*lane[store.DeliveryResult])) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lanes[target]; l != nil {
		l.nudge()
		return
	}
	l := newLane[store.DeliveryResult](target, width)
	s.lanes[target] = l
	lanes.Go(func() {
		f(l)
		s.mu.Lock()
		delete(s.lanes, target)
		s.mu.Unlock()
		s.Wake() // something may have become due since f last looked
	})
}

// dropGone removes the deliveries of a target whose downstream is gone. What is
// known of the account may be older than the downstream: it is read once more.
func (s *Sender) dropGone(ctx context.Context, target string) {
	appID := accountOf(target)
	s.mu.Lock()
	delete(s.accounts, appID)
	s.mu.Unlock()
	if _, err := s.outlet(ctx, target); !errors.Is(err, errGone) {
		return
	}
	err := s.Drop(ctx, target)
	s.mu.Lock()
	delete(s.health, target)
	s.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "the deliveries of a downstream that is gone cannot be removed", "target", target, "err", err)
		s.rest(target, pollEvery)
		return
	}
	s.log.InfoContext(ctx, "the deliveries of a downstream that is gone were removed", "target", target)
}
