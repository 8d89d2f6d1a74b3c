package sqlite

import (
	"context"
	"maps"
	"slices"
	"time"

	"hongyan"
	"hongyan/store"
)

// usageKey names one counter of calls.
type usageKey struct {
	appID, scope, period string
	from                 int64
}

// use notes calls to be counted with this transaction.
func (t *tx) use(deltas []store.UsageDelta) {
	for _, d := range deltas {
		if t.usage == nil {
			t.usage = make(map[usageKey]int64)
		}
		t.usage[usageKey{d.AppID, d.Scope, d.Period, millis(d.PeriodFrom)}] += d.N
	}
}

// AddUsage counts calls that are not messages' own; see store.Messages.
func (s *Store) AddUsage(ctx context.Context, deltas []store.UsageDelta) error {
	if len(deltas) == 0 {
		return nil
	}
	return s.submit(ctx, &op{weight: len(deltas), run: func(t *tx) error {
		t.use(deltas)
		return nil
	}})
}

// addUsage adds to the table.
func (t *tx) addUsage(usage map[usageKey]int64) error {
	for k, n := range usage {
		_, err := t.exec(`INSERT INTO usage (appid, scope, period, period_from, used) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (appid, period, period_from, scope) DO UPDATE SET used = used + excluded.used`,
			k.appID, k.scope, k.period, k.from, n)
		if err != nil {
			return err
		}
	}
	return nil
}

// Usage returns the counted calls of an account for the day and the month, in
// Beijing time, that contain now.
func (s *Store) Usage(ctx context.Context, appID string) ([]hongyan.QuotaUsage, error) {
	var all []hongyan.QuotaUsage
	now := s.Now()
	err := s.snapshot(ctx, func(c *conn) error {
		p, err := loadPending(ctx, c)
		for _, period := range []string{"day", "month"} {
			if err == nil {
				err = usageSince(ctx, c, p, appID, period, hongyan.PeriodStart(period, now), &all)
			}
		}
		return err
	})
	return all, err
}

// usageSince adds to all what is used of one period, by scope.
func usageSince(ctx context.Context, c *conn, p pending, appID, period string, from time.Time, all *[]hongyan.QuotaUsage) error {
	used := make(map[string]int64)
	err := c.query(ctx, func(r *row) error {
		used[r.text()] = r.int64()
		return nil
	}, "SELECT scope, used FROM usage WHERE appid = ? AND period = ? AND period_from = ?", appID, period, millis(from))
	if err != nil {
		return err
	}
	for k, n := range p.usage {
		if k.appID == appID && k.period == period && k.from == millis(from) {
			used[k.scope] += n
		}
	}
	for _, scope := range slices.Sorted(maps.Keys(used)) {
		*all = append(*all, hongyan.QuotaUsage{AppID: appID, Scope: scope, Period: period, PeriodFrom: from, Used: used[scope]})
	}
	return nil
}
