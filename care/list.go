package care

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// list is what is known of who is on any account's list without asking the store. It
// may say yes for somebody who is not (a lifted entry, two people with one hash), and
// then the store is asked; it says no to nearly every message, at the cost of nothing
// while nobody is on a list. A hash and no openid, so that a million entries are some
// 20 MB.
type list struct {
	seed  maphash.Seed
	whole atomic.Bool // all entries have been read
	n     atomic.Int64

	mu     sync.RWMutex
	hashes map[uint64]struct{}
	last   int64 // the highest ID that was read
}

func newList() *list { return &list{seed: maphash.MakeSeed(), hashes: map[uint64]struct{}{}} }

func (l *list) hash(appID, openID string) uint64 {
	var h maphash.Hash
	h.SetSeed(l.seed)
	_, _ = h.WriteString(appID)
	_ = h.WriteByte(' ')
	_, _ = h.WriteString(openID)
	return h.Sum64()
}

// mayHave reports whether a user may be on the account's list. Before all entries
// have been read anybody may.
func (l *list) mayHave(appID, openID string) bool {
	if !l.whole.Load() {
		return true
	}
	if l.n.Load() == 0 { // nearly always
		return false
	}
	h := l.hash(appID, openID)
	l.mu.RLock()
	defer l.mu.RUnlock()
	_, found := l.hashes[h]
	return found
}

func (l *list) add(appID, openID string) {
	h := l.hash(appID, openID)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hashes[h] = struct{}{}
	l.n.Store(int64(len(l.hashes)))
}

const (
	// listPage is how many entries one reading has.
	listPage = 10_000
	// listOverlap is read again each time: of two nodes that put entries at once the
	// one with the higher numbers may be first.
	listOverlap = 1000
)

// refresh reads the entries that came since it was called before, of every node.
func (d *Desk) refresh(ctx context.Context) error {
	l := d.list
	l.mu.RLock()
	after := max(0, l.last-listOverlap)
	l.mu.RUnlock()
	for {
		all, err := d.cfg.Store.SuppressedAfter(ctx, after, listPage)
		if err != nil {
			return err
		}
		for i := range all {
			l.add(all[i].AppID, all[i].OpenID)
			after = all[i].ID
		}
		l.mu.Lock()
		l.last = max(l.last, after)
		l.mu.Unlock()
		if len(all) < listPage {
			l.whole.Store(true)
			return nil
		}
	}
}
