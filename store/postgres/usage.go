package postgres

import (
	"cmp"
	"context"

	"hongyan"
	"hongyan/store"
)

// usageKey names one counter of calls.
type usageKey struct {
	appID, scope, period string
	from                 int64
}

func compareUsage(a, b usageKey) int {
	return cmp.Or(cmp.Compare(a.appID, b.appID), cmp.Compare(a.period, b.period), cmp.Compare(a.from, b.from), cmp.Compare(a.scope, b.scope))
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
	return s.write(ctx, func(t *tx) error {
		t.use(deltas)
		return nil
	})
}

const usageSQL = `INSERT INTO usage (appid, scope, period, period_from, shard, used)
	SELECT appid, scope, period, period_from, $6::smallint, used
	FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[]) AS calls (appid, scope, period, period_from, used)
	ON CONFLICT (appid, period, period_from, scope, shard) DO UPDATE SET used = usage.used + excluded.used`

func usageArgs(keys []usageKey, usage map[usageKey]int64, shard int) []any {
	n := len(keys)
	appIDs, scopes, periods, froms, used := make([]string, n), make([]string, n), make([]string, n), make([]int64, n), make([]int64, n)
	for i, k := range keys {
		appIDs[i], scopes[i], periods[i], froms[i], used[i] = k.appID, k.scope, k.period, k.from, usage[k]
	}
	return []any{appIDs, scopes, periods, froms, used, shard}
}

// Usage returns the counted calls of an account for the day and the month, in
// Beijing time, that contain now.
func (s *Store) Usage(ctx context.Context, appID string) (all []hongyan.QuotaUsage, err error) {
	now := s.Now()
	err = s.snapshot(ctx, func(c conn) error {
		all = nil
		for _, period := range []string{"day", "month"} {
			from := hongyan.PeriodStart(period, now)
			err := c.query(ctx, func(r *row) error {
				all = append(all, hongyan.QuotaUsage{AppID: appID, Scope: r.text(), Period: period, PeriodFrom: from, Used: r.int64()})
				return nil
			}, `SELECT scope, sum(used)::bigint FROM usage WHERE appid = $1 AND period = $2 AND period_from = $3
				GROUP BY scope ORDER BY scope COLLATE "C"`, appID, period, millis(from))
			if err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}
