package postgres

import (
	"cmp"
	"context"
	"slices"

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
}

// countSQL adds to the rows of one shard, so that transactions of other shards need
// not wait for this one's commit.
const countSQL = `INSERT INTO counts (appid, kind, state, shard, n)
	SELECT appid, kind, state, $5::smallint, n FROM unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[]) AS moved (appid, kind, state, n)
	ON CONFLICT (appid, kind, state, shard) DO UPDATE SET n = counts.n + excluded.n`

// flushCounts writes what was counted: a few rows per transaction, however many
// messages it carried, and in one order, so that nobody waits in a circle. It comes
// last, for others may wait for these rows until the commit.
func (t *tx) flushCounts() error {
	var q batch
	if keys := changed(t.counts, compareCounts); len(keys) > 0 {
		var appIDs, kinds []string
		var states []int16
		var ns []int64
		for _, k := range keys {
			appIDs, kinds, states, ns = append(appIDs, k.appID), append(kinds, string(k.kind)), append(states, int16(k.state)), append(ns, t.counts[k])
		}
		q.exec(nil, countSQL, appIDs, kinds, states, ns, t.shard)
	}
	if keys := changed(t.usage, compareUsage); len(keys) > 0 {
		q.exec(nil, usageSQL, usageArgs(keys, t.usage, t.shard)...)
	}
	t.flushSpent(&q)
	return t.run(&q)
}

// changed returns the keys of counters that changed, in order.
func changed[K comparable](counts map[K]int64, compare func(a, b K) int) (keys []K) {
	for k, n := range counts {
		if n != 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, compare)
	return keys
}

func compareCounts(a, b countKey) int {
	return cmp.Or(cmp.Compare(a.appID, b.appID), cmp.Compare(a.kind, b.kind), cmp.Compare(a.state, b.state))
}

// loadCounts returns the counters that are not zero.
func loadCounts(ctx context.Context, c conn) (map[countKey]int64, error) {
	counts := make(map[countKey]int64)
	err := c.query(ctx, func(r *row) error {
		k := countKey{r.text(), hongyan.MessageKind(r.text()), hongyan.State(r.int())}
		counts[k] = r.int64()
		return nil
	}, "SELECT appid, kind, state, sum(n)::bigint FROM counts GROUP BY appid, kind, state HAVING sum(n) <> 0")
	return counts, err
}

// Awaited returns how many accepted messages wait for their event, by account.
func (s *Store) Awaited(ctx context.Context) (map[string]int64, error) {
	var all map[string]int64
	err := s.snapshot(ctx, func(c conn) error {
		all = make(map[string]int64)
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
	var all map[string]map[hongyan.State]int64
	err := s.snapshot(ctx, func(c conn) error {
		all = make(map[string]map[hongyan.State]int64)
		holds, err := s.loadHolds(ctx, c)
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
func countPartlyHeld(ctx context.Context, c conn, holds holdIndex, counts map[countKey]int64, all map[string]map[hongyan.State]int64) error {
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
		}, `SELECT count(*) FROM messages
			WHERE stream = (SELECT stream FROM streams WHERE appid = $1 AND kind = $2)
			AND priority IN (1, 2) AND due_at > 0 AND due_at < $3 AND state < 2 AND state = 0`,
			k.appID, string(k.kind), millis(h.Before))
		if err != nil {
			return err
		}
	}
	return nil
}
