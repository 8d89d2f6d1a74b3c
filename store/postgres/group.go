package postgres

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// resultLinger is how long results wait for company. It saves commits when
	// answers trickle in; nobody but the sender's bookkeeping waits for them.
	resultLinger = 2 * time.Millisecond
	// resultCompany is enough company: no use waiting for more.
	resultCompany = 128
	// groupWeight bounds a flush, in rows, and so how long those who come next wait.
	groupWeight = 4096
)

// op is one call waiting to be flushed.
type op[T any] struct {
	in     T
	weight int         // rows it will write, about
	taken  atomic.Bool // by a flusher, or by a caller who gave up
	err    error       // valid once done is closed
	done   chan struct{}
}

// group lets concurrent calls share a transaction: a flush takes whatever queued
// while the ones before it ran. Flushers run only while there is something to flush,
// lanes of them at most: with two, one fills while the other waits for the disk.
type group[T any] struct {
	flush  func(ctx context.Context, ops []*op[T]) error
	lanes  int
	linger time.Duration // how long a small flush waits for company

	mu      sync.Mutex // guards a slice and a number, never a database call
	ops     []*op[T]
	running int
	company chan struct{} // capacity 1: something was queued
}

func newGroup[T any](lanes int, linger time.Duration, flush func(context.Context, []*op[T]) error) *group[T] {
	return &group[T]{flush: flush, lanes: lanes, linger: linger, company: make(chan struct{}, 1)}
}

// submit queues a call and waits for its end. Until a flusher takes it, ctx can
// withdraw it; after that it completes.
func (g *group[T]) submit(ctx context.Context, s *Store, in T, weight int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !s.work.enter() {
		return errClosed
	}
	defer s.work.leave()
	o := &op[T]{in: in, weight: weight, done: make(chan struct{})}
	g.add(o)
	select {
	case <-o.done:
		return explain(o.err)
	case <-ctx.Done():
	}
	if o.taken.CompareAndSwap(false, true) {
		return ctx.Err()
	}
	<-o.done
	return explain(o.err)
}

func (g *group[T]) add(o *op[T]) {
	g.mu.Lock()
	g.ops = append(g.ops, o)
	start := g.running < g.lanes
	if start {
		g.running++
	}
	g.mu.Unlock()
	if start {
		go g.run()
		return
	}
	select {
	case g.company <- struct{}{}:
	default:
	}
}

// run flushes until nothing is queued.
func (g *group[T]) run() {
	for {
		ops := g.take(nil)
		if len(ops) == 0 {
			g.mu.Lock()
			if len(g.ops) == 0 {
				g.running--
				g.mu.Unlock()
				return
			}
			g.mu.Unlock()
			continue
		}
		g.settle(g.wait(ops))
	}
}

// take moves queued calls to ops until they weigh groupWeight.
func (g *group[T]) take(ops []*op[T]) []*op[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	weight, n := weigh(ops), 0
	for n < len(g.ops) && weight < groupWeight {
		o := g.ops[n]
		n++
		if o.taken.CompareAndSwap(false, true) {
			ops = append(ops, o)
			weight += o.weight
		}
	}
	rest := copy(g.ops, g.ops[n:])
	clear(g.ops[rest:])
	g.ops = g.ops[:rest]
	return ops
}

func weigh[T any](ops []*op[T]) int {
	n := 0
	for _, o := range ops {
		n += o.weight
	}
	return n
}

// wait lets a small flush linger for company.
func (g *group[T]) wait(ops []*op[T]) []*op[T] {
	if g.linger == 0 || weigh(ops) >= resultCompany {
		return ops
	}
	timer := time.NewTimer(g.linger)
	defer timer.Stop()
	for weigh(ops) < resultCompany {
		select {
		case <-timer.C:
			return ops
		case <-g.company:
		}
		ops = g.take(ops)
	}
	return ops
}

// settle flushes ops and answers them. What fails not because of the database but
// because of one of them is done again one by one, so that it fails alone.
func (g *group[T]) settle(ops []*op[T]) {
	err := g.flush(context.Background(), ops)
	if err != nil && len(ops) > 1 && !isTrouble(err) && !isUnknown(err) {
		for i := range ops {
			g.settle(ops[i : i+1])
		}
		return
	}
	for _, o := range ops {
		o.err = err
		close(o.done)
	}
}

func isUnknown(err error) bool {
	_, unknown := errors.AsType[errUnknown](err)
	return unknown
}
