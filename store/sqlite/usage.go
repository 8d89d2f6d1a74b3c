package sqlite

import (
	"context"
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

// flushUsage writes the noted calls.
func (t *tx) flushUsage() error {
	for k, n := range t.usage {
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
	err := s.read(ctx, func(c *conn) error {
		for _, period := range []string{"day", "month"} {
			from := hongyan.PeriodStart(period, now)
			if err := usageSince(ctx, c, appID, period, from, &all); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

func usageSince(ctx context.Context, c *conn, appID, period string, from time.Time, all *[]hongyan.QuotaUsage) error {
	return c.query(ctx, func(r *row) error {
		*all = append(*all, hongyan.QuotaUsage{AppID: appID, Scope: r.text(), Period: period, PeriodFrom: from, Used: r.int64()})
		return nil
	}, "SELECT scope, used FROM usage WHERE appid = ? AND period = ? AND period_from = ? ORDER BY scope", appID, period, millis(from))
}
