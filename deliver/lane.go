package deliver

import (
	"context"
	"errors"
	"time"

	"hongyan/store"
)

const (
	// linger lets outcomes gather, so that a storm of them costs a few commits.
	linger = 20 * time.Millisecond
	// finishTries and finishPause bound how long outcomes wait for a store that does
	// not take them; after that the lease brings the deliveries back.
	finishTries = 5
	finishPause = time.Second
	// outrun is the rest of a target that had something due and nothing to claim:
	// another process was faster.
	outrun = 100 * time.Millisecond
)

// lane empties one target. Its calls are side by side, so that a slow one holds up
// nobody but those behind it in order.
type lane[R any] struct {
	target string
	wake   chan struct{} // something more is due; holds one
	// flights brings what came of the attempts under way.
	flights chan R
}

func newLane[R any](target string, width int) *lane[R] {
	return &lane[R]{target: target, wake: make(chan struct{}, 1), flights: make(chan R, width)}
}

func (l *lane[R]) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// runLane claims and delivers until nothing is due, the target is to rest, or
// stopping ends; and until every attempt has been recorded. ctx ends when calls
// under way must.
func (s *Sender) runLane(ctx, stopping context.Context, l *lane[store.DeliveryResult]) {
	flying, any := 0, false
	for {
		n, err := s.takeOff(ctx, stopping, l, flying)
		if err != nil && stopping.Err() == nil {
			s.log.ErrorContext(ctx, "deliveries cannot be claimed", "target", l.target, "err", err)
			s.rest(l.target, pollEvery)
		}
		flying, any = flying+n, any || n > 0
		if flying == 0 {
			break
		}
		landed := l.land(flying)
		s.record(ctx, l, landed)
		flying -= len(landed)
	}
	if !any {
		s.rest(l.target, outrun)
	}
}

// takeOff claims what there is room for and starts it, and returns how many.
func (s *Sender) takeOff(ctx, stopping context.Context, l *lane[store.DeliveryResult], flying int) (int, error) {
	if stopping.Err() != nil {
		return 0, nil
	}
	o, err := s.outlet(stopping, l.target)
	if errors.Is(err, errGone) || err == nil && o.Paused {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	room, _ := s.room(l.target, flying)
	if room == 0 {
		return 0, nil
	}
	claimed, err := s.store.ClaimDeliveries(stopping, store.DeliveryClaim{Target: l.target, Ordered: o.Ordered, Max: room, Lease: lease})
	for i := range claimed {
		go func() { l.flights <- s.attempt(ctx, stopping, o, &claimed[i]) }()
	}
	return len(claimed), err
}

// land waits for an attempt to end, and a little for others that do; or for something
// more to be due, nil then.
func (l *lane[R]) land(flying int) []R {
	var landed []R
	select {
	case r := <-l.flights:
		landed = append(landed, r)
	case <-l.wake:
		return nil
	}
	timer := time.NewTimer(linger)
	defer timer.Stop()
	for len(landed) < flying {
		select {
		case r := <-l.flights:
			landed = append(landed, r)
		case <-timer.C:
			return landed
		}
	}
	return landed
}

// record writes what came of attempts, whether or not a stop is under way. What
// cannot be written is delivered again.
func (s *Sender) record(ctx context.Context, l *lane[store.DeliveryResult], landed []store.DeliveryResult) {
	if len(landed) == 0 {
		return
	}
	ctx = context.WithoutCancel(ctx)
	for try := 1; ; try++ {
		err := s.store.FinishDeliveries(ctx, landed)
		if err == nil {
			return
		}
		s.log.ErrorContext(ctx, "what came of deliveries cannot be recorded", "target", l.target, "deliveries", len(landed), "err", err)
		if try == finishTries {
			return
		}
		time.Sleep(finishPause)
	}
}
