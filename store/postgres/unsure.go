package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"hongyan"
	"hongyan/store"
)

// unsureQueue is the leases whose commit was never answered. If they are there, their
// node holds messages that it does not know of, and nobody else may send them while it
// lives. So they are looked for when the database answers again, and given back.
type unsureQueue struct {
	mu      sync.Mutex
	all     []unsure
	looking bool
}

// unsure is a transaction whose end is not known, and what it leased.
type unsure struct {
	xid    string
	began  int64 // the database's time
	fences []store.Fence
}

// leased notes messages that the transaction leases.
func (t *tx) leased(ms []hongyan.Message) {
	for i := range ms {
		t.leasedOne(&ms[i])
	}
}

func (t *tx) leasedOne(m *hongyan.Message) {
	t.fences = append(t.fences, store.Fence{Seq: m.Seq, Epoch: m.Epoch, Attempts: m.Attempts})
}

// doubt notes the leases of a transaction whose commit failed, if its end is not known.
func (s *Store) doubt(t *tx, err error) {
	if !isUnknown(err) || len(t.fences) == 0 {
		return
	}
	q := &s.unsure
	q.mu.Lock()
	defer q.mu.Unlock()
	q.all = append(q.all, unsure{t.xid, t.now, t.fences})
	if !q.looking && s.work.enter() {
		q.looking = true
		go s.resolve()
	}
}

// resolve asks for the ends of the unsure transactions, until all are known or the
// store is closed.
func (s *Store) resolve() {
	defer s.work.leave()
	for !s.work.isClosed() {
		q := &s.unsure
		q.mu.Lock()
		if len(q.all) == 0 {
			q.looking = false
			q.mu.Unlock()
			return
		}
		u := q.all[0]
		q.mu.Unlock()
		if s.settleUnsure(u) {
			q.mu.Lock()
			q.all = q.all[1:]
			q.mu.Unlock()
			continue
		}
		time.Sleep(watchRetry)
	}
}

// settleUnsure gives back what a transaction leased, if it is known to be committed,
// and reports whether there is nothing left to do.
func (s *Store) settleUnsure(u unsure) bool {
	ctx, cancel := context.WithTimeout(context.Background(), s.patience)
	defer cancel()
	end, err := s.endOf(ctx, u.xid, u.began, "")
	if err != nil || end == unended {
		return false
	}
	if end == abortedEnd {
		return true
	}
	// Where that is not sure, the fences tell: they hold only if it was committed.
	err = s.write(ctx, func(t *tx) error { return t.giveBack(u.fences) })
	s.log.Warn("gave back messages whose lease was committed without an answer, if it was", "messages", len(u.fences), "err", err)
	return err == nil || errors.Is(err, errClosed)
}
