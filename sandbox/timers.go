package sandbox

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// timed is something that happens at a time of its own.
type timed interface {
	fire(p *platform, at time.Time)
}

type timer struct {
	at   time.Time
	seq  uint64 // ties go in the order they were set
	what timed
}

// timers holds everything that is yet to happen, soonest first.
type timers struct {
	heap timerHeap
	seq  uint64
	// planned is when Run means to look next; zero while it is awake or not running.
	planned time.Time
	// behind is how far Advance has moved the clock beyond the timer that it fires.
	behind time.Duration
}

func (t *timers) add(at time.Time, what timed) {
	t.seq++
	heap.Push(&t.heap, timer{at, t.seq, what})
}

// next is the time of the soonest timer.
func (t *timers) next() (at time.Time, ok bool) {
	if len(t.heap) == 0 {
		return time.Time{}, false
	}
	return t.heap[0].at, true
}

type timerHeap []timer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].seq < h[j].seq
}
func (h timerHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(x any)   { *h = append(*h, x.(timer)) }
func (h *timerHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = timer{} // or its message would stay reachable
	*h = old[:len(old)-1]
	return last
}

// fireDue fires at most limit timers that are due, in order, and reports whether
// none is left.
func (p *platform) fireDue(now time.Time, limit int) bool {
	for range limit {
		at, ok := p.timers.next()
		if !ok || at.After(now) {
			return true
		}
		heap.Pop(&p.timers.heap).(timer).what.fire(p, at)
	}
	return false
}

// fireMoved is fireDue after the clock was moved by d to now.
func (p *platform) fireMoved(now time.Time, d time.Duration) {
	for {
		at, ok := p.timers.next()
		if !ok || at.After(now) {
			break
		}
		p.timers.behind = min(d, now.Sub(at))
		p.fireDue(at, 1)
	}
	p.timers.behind = 0
}

// needsRun reports whether Run must wake before the time it planned.
func (p *platform) needsRun() bool {
	if len(p.ready) > 0 {
		return true
	}
	at, ok := p.timers.next()
	return ok && at.Before(p.timers.planned)
}

const (
	// fireBatch bounds how long calls wait while deliveries hold the mutex.
	fireBatch = 256
	// runGrain is the shortest sleep of Run: under load it delivers by the
	// millisecond instead of waking for every message.
	runGrain = time.Millisecond
	// runIdle is how long Run sleeps when nothing is planned; anything new wakes it.
	runIdle = time.Hour
)

// Run delivers messages when they are due and pushes events until ctx ends; it
// returns nil after everything it started has ended. Run it once per Sandbox;
// after it returned it may be run again.
func (s *Sandbox) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	defer func() {
		workers.Wait()
		if s.opts.HTTPClient == nil { // somebody else's client is not ours to close
			s.client.CloseIdleConnections()
		}
	}()
	workers.Go(func() { s.keepState(ctx) })
	sleep := time.NewTimer(runIdle)
	defer sleep.Stop()
	for {
		sleep.Reset(s.turn(ctx, &workers))
		select {
		case <-ctx.Done():
			s.stopPlanning()
			return nil
		case <-s.wake:
		case <-sleep.C:
		}
	}
}

// turn does everything that is due, starts pushers, and returns how long Run may sleep.
func (s *Sandbox) turn(ctx context.Context, workers *sync.WaitGroup) time.Duration {
	for ctx.Err() == nil {
		p := s.lock()
		now := p.clock.now()
		finished := p.fireDue(now, fireBatch)
		s.startPushers(ctx, p, workers)
		if finished {
			wait := p.plan(now)
			s.mu.Unlock()
			return wait
		}
		s.mu.Unlock()
	}
	return runIdle
}

// plan notes when Run will look next.
func (p *platform) plan(now time.Time) time.Duration {
	wait := runIdle
	if at, ok := p.timers.next(); ok {
		wait = min(wait, max(at.Sub(now), runGrain))
	}
	p.timers.planned = now.Add(wait)
	return wait
}

func (s *Sandbox) stopPlanning() {
	s.lock().timers.planned = time.Time{}
	s.mu.Unlock()
}
