package sqlite

import (
	"context"

	"hongyan"
)

// countKey names one counter of messages.
type countKey struct {
	appID string
	kind  hongyan.MessageKind
	state hongyan.State
}

// moved notes that n messages went from one state to another.
func (t *tx) moved(appID string, kind hongyan.MessageKind, from, to hongyan.State, n int64) {
	t.count(countKey{appID, kind, from}, -n)
	t.count(countKey{appID, kind, to}, n)
}

// count notes that n messages more are in a state.
func (t *tx) count(k countKey, n int64) {
	if t.counts == nil {
		t.counts = make(map[countKey]int64)
	}
	t.counts[k] += n
	if t.noting {
		t.noted = append(t.noted, noted{k, n})
	}
}

// noted is a change of a counter.
type noted struct {
	countKey
	n int64
}

// unnote takes back what the present operation noted.
func (t *tx) unnote() {
	for _, c := range t.noted {
		t.counts[c.countKey] -= c.n
	}
	t.noted = t.noted[:0]
}

// addCounts adds to the table.
func (t *tx) addCounts(counts map[countKey]int64) error {
	for k, n := range counts {
		_, err := t.exec(`INSERT INTO counts (appid, kind, state, n) VALUES (?, ?, ?, ?)
			ON CONFLICT (appid, kind, state) DO UPDATE SET n = n + excluded.n`,
			k.appID, string(k.kind), int64(k.state), n)
		if err != nil {
			return err
		}
	}
	return nil
}

// loadCounts returns the counters that are not zero. c must be in a transaction.
func loadCounts(ctx context.Context, c *conn) (map[countKey]int64, error) {
	counts := make(map[countKey]int64)
	err := c.query(ctx, func(r *row) error {
		k := countKey{r.text(), hongyan.MessageKind(r.text()), hongyan.State(r.int())}
		counts[k] = r.int64()
		return nil
	}, "SELECT appid, kind, state, n FROM counts WHERE n <> 0")
	if err != nil {
		return nil, err
	}
	p, err := loadPending(ctx, c)
	return added(counts, p.counts), err
}

// Awaited returns how many accepted messages wait for their event, by account.
func (s *Store) Awaited(ctx context.Context) (map[string]int64, error) {
	all := make(map[string]int64)
	err := s.snapshot(ctx, func(c *conn) error {
		counts, err := loadCounts(ctx, c)
		for k, n := range counts {
			if k.state == hongyan.Accepted && k.kind.HasReceipt() {
				all[k.appID] += n
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Counts returns how many messages are in each state, by account.
func (s *Store) Counts(ctx context.Context) (map[string]map[hongyan.State]int64, error) {
	all := make(map[string]map[hongyan.State]int64)
	err := s.snapshot(ctx, func(c *conn) error {
		holds, err := loadHolds(ctx, c)
		if err != nil {
			return err
		}
		counts, err := loadCounts(ctx, c)
		if err != nil {
			return err
		}
		for k, n := range counts {
			if all[k.appID] == nil {
				all[k.appID] = make(map[hongyan.State]int64)
			}
			all[k.appID][holds.shown(k)] += n
		}
		return countPartlyHeld(ctx, c, holds, counts, all)
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// countPartlyHeld moves what a partial hold covers from queued to held. It
// reads the queue's index, and only while such a hold lasts.
func countPartlyHeld(ctx context.Context, c *conn, holds holdIndex, counts map[countKey]int64, all map[string]map[hongyan.State]int64) error {
	for k, n := range counts {
		h := holds.partial(k.appID, k.kind)
		if k.state != hongyan.Queued || n == 0 || h == nil || holds.covering(k.appID, k.kind) != nil {
			continue
		}
		err := c.query(ctx, func(r *row) error {
			held := r.int64()
			all[k.appID][hongyan.Queued] -= held
			all[k.appID][hongyan.Held] += held
			return nil
		}, `SELECT count(*) FROM messages INDEXED BY messages_queue
			WHERE stream = (SELECT stream FROM streams WHERE appid = ? AND kind = ?)
			AND priority IN (1, 2) AND due_at > 0 AND due_at < ? AND state < 2 AND state = 0`,
			k.appID, string(k.kind), millis(h.Before))
		if err != nil {
			return err
		}
	}
	return nil
}
