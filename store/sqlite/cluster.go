package sqlite

import (
	"context"
	"math"
	"sync"
	"time"

	"hongyan/store"
)

// One process has a SQLite file, so that what a cluster agrees on is known here:
// nobody else changes anything, leads, or sends.

// Watch tells of news until the end of ctx; see store.Cluster.
func (s *Store) Watch(ctx context.Context, each func(store.Notice)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.told:
			each(store.Notice{Kind: store.NoticeNews})
		}
	}
}

// Lead always says true; see store.Cluster.
func (s *Store) Lead(context.Context, string, int64, time.Duration) (bool, error) { return true, nil }

// rates are the accounts' buckets. They live in memory: one that a restart forgot
// begins empty, so that restarts give nobody more than the rate.
type rates struct {
	mu      sync.Mutex
	buckets map[string]*rateBucket
}

type rateBucket struct {
	tokens float64
	at     time.Time // with its monotonic reading: a clock that is set gives nothing
}

// TakeRate takes sends from an account's bucket; see store.Cluster.
func (s *Store) TakeRate(_ context.Context, appID string, perSecond float64, burst, want int) (int, time.Time, error) {
	now := time.Now()
	if perSecond <= 0 {
		return want, now, nil
	}
	s.rates.mu.Lock()
	defer s.rates.mu.Unlock()
	b := s.rates.buckets[appID]
	if b == nil {
		b = &rateBucket{at: now}
		s.rates.buckets[appID] = b
	}
	b.tokens = min(float64(burst), b.tokens+perSecond*max(0, now.Sub(b.at).Seconds()))
	b.at = now
	got := max(0, min(want, int(b.tokens+rateRounding)))
	b.tokens -= float64(got)
	if got == want {
		return got, now, nil
	}
	wait := time.Duration(math.Ceil((1 - b.tokens) / perSecond * float64(time.Second)))
	return got, s.Now().Add(max(time.Millisecond, wait)), nil
}

// rateRounding keeps a token that is there but for the last bit of a float64.
const rateRounding = 1e-6

// ReserveUsage says how many calls a counter still allows; see store.Cluster.
// There is no other node to keep them from, so nothing is written.
func (s *Store) ReserveUsage(ctx context.Context, epoch int64, u store.UsageDelta, limit int64) (int64, error) {
	var used int64
	alive := false
	err := s.snapshot(ctx, func(c *conn) error {
		p, err := loadPending(ctx, c)
		if err != nil {
			return err
		}
		_, err = c.queryOne(ctx, func(r *row) error {
			used, alive = r.int64()+p.usage[usageKey{u.AppID, u.Scope, u.Period, millis(u.PeriodFrom)}], r.bool()
			return nil
		}, `SELECT coalesce((SELECT used FROM usage WHERE appid = ? AND period = ? AND period_from = ? AND scope = ?), 0),
			EXISTS (SELECT 1 FROM nodes WHERE epoch = ?)`,
			u.AppID, u.Period, millis(u.PeriodFrom), u.Scope, epoch)
		return err
	})
	if err == nil && !alive {
		err = fenced(epoch)
	}
	return max(0, min(u.N, limit-used)), err
}
