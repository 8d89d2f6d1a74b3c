package dispatch

import (
	"context"

	"hongyan"
	"hongyan/store"
)

// Epoch names this process among the nodes; 0 = it has not joined, or lost its lease.
func (e *Engine) Epoch() int64 { return e.epoch.Load() }

// Room returns how many messages of a kind of an account could be leased and leave
// now, 0 where something of it waits already, or nothing may leave. more is closed
// when calls of it have been recorded and half of what it may lease is free; what
// passes with time alone (a hold, the rate) does not close it.
func (e *Engine) Room(ctx context.Context, appID string, k hongyan.MessageKind) (n int, more <-chan struct{}, err error) {
	a, err := e.loadAccount(ctx, appID)
	if err != nil {
		return 0, nil, err
	}
	e.stockUp(ctx, a, 1, "")
	now := e.cfg.Store.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.streamOf(a, k)
	if s.feeder == nil {
		s.feeder = make(chan struct{})
	}
	if e.epoch.Load() == 0 || e.stopping || e.broken || !e.alive() || s.backlog || !s.open(now) {
		return 0, s.feeder, nil
	}
	all, _ := a.meter.room(now)
	return max(0, min(s.room(), e.share(s), a.rate.available(now), all)), s.feeder, nil
}

// tellFeeder wakes who waits in Room. The caller holds e.mu.
func (s *stream) tellFeeder() {
	if s.feeder != nil && s.worthClaiming() {
		close(s.feeder)
		s.feeder = nil
	}
}

// Feed is Submit for messages whose storing is part of a larger act: commit stores rows,
// which are those that broke no rule, and whatever belongs to them in one transaction;
// refused has an error for each request that did, at its place, and is nil elsewhere.
// One for which a slot is free is leased and leaves after the commit. An error that is
// not about a request, or is commit's, ends all of it.
func (e *Engine) Feed(ctx context.Context, rs []Request, commit func(ctx context.Context, rows []store.NewMessage, refused []error) ([]store.Inserted, error)) error {
	rows := make([]store.NewMessage, 0, len(rs))
	accounts := make([]*account, 0, len(rs))
	refused := make([]error, len(rs))
	for i := range rs {
		p, err := e.prepare(ctx, &rs[i])
		switch {
		case err == nil:
			rows, accounts = append(rows, store.NewMessage{Message: p.message}), append(accounts, p.account)
		case hongyan.IsKind(err, hongyan.Invalid):
			refused[i] = err
		default:
			return err
		}
	}
	streams := e.leaseAll(ctx, accounts, rows)
	ctx = context.WithoutCancel(ctx) // who goes away must not leave rows leased that nobody knows of
	inserted, err := commit(ctx, rows, refused)
	e.inserted(rows, streams, inserted, err)
	return err
}

// Still keeps what this process has of a batch from leaving: what is leased and not
// begun goes back to the store, and what is begun later is held under h, but for
// messages in doubt, which must settle in time. It lasts until Unstill, in this process.
func (e *Engine) Still(batch int64, h hongyan.Hold) {
	var back []job
	e.mu.Lock()
	e.stilled[batch] = h
	for _, s := range e.order {
		kept := s.ready[:0]
		for i := range s.ready {
			if m := &s.ready[i]; m.Batch == batch && m.DoubtSince.IsZero() {
				back = append(back, job{s: s, m: *m})
				s.reserved++ // until it is back in the store
			} else {
				kept = append(kept, *m)
			}
		}
		clear(s.ready[len(kept):])
		s.ready = kept
	}
	e.mu.Unlock()
	e.giveBack(back)
}

// Unstill ends Still.
func (e *Engine) Unstill(batch int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.stilled, batch)
}
