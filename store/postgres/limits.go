package postgres

import (
	"cmp"
	"context"
	"math"
	"time"

	"hongyan"
	"hongyan/store"
)

// takeSQL fills an account's bucket and takes from it, whole tokens only. The tiny
// addition keeps one that is there but for the last bit of a floating point number.
const takeSQL = `INSERT INTO rates (appid, tokens, at, took) VALUES ($1, 0, $2, 0)
	ON CONFLICT (appid) DO UPDATE SET (tokens, at, took) = (
		SELECT filled - took, greatest(rates.at, $2), took FROM (
			SELECT filled, least($5::integer, floor(filled + 1e-6)::integer) AS took FROM (
				SELECT least($4::double precision, rates.tokens + $3::double precision * greatest(0, $2 - rates.at) / 1000) AS filled) AS now
		) AS taking)
	RETURNING tokens, took`

// TakeRate takes sends from an account's bucket; see store.Cluster. A bucket is
// written for each block that a node takes, not for each message.
func (s *Store) TakeRate(ctx context.Context, appID string, perSecond float64, burst, want int) (got int, next time.Time, err error) {
	if perSecond <= 0 || want <= 0 {
		return max(0, want), s.Now(), nil
	}
	tokens := 0.0
	err = s.write(ctx, func(t *tx) error {
		return t.query(func(r *row) error {
			tokens, got = r.float(), r.int()
			return nil
		}, takeSQL, appID, t.now, perSecond, float64(burst), want)
	})
	if err != nil {
		return 0, time.Time{}, err
	}
	if got == want {
		return got, s.Now(), nil
	}
	wait := time.Duration(math.Ceil((1 - tokens) / perSecond * 1000))
	return got, s.Now().Add(max(1, wait) * time.Millisecond), nil
}

// reservedSQL reads what is used of a counter and what nodes hold of it, in one
// statement: a call that is recorded meanwhile is in one of the two, never in both or none.
const reservedSQL = `WITH held AS (
		SELECT epoch, greatest(0, sum(n)::bigint) AS n FROM reserved
		WHERE appid = $1 AND period = $2 AND period_from = $3 AND scope = $4 GROUP BY epoch
	)
	SELECT coalesce((SELECT sum(used)::bigint FROM usage WHERE appid = $1 AND period = $2 AND period_from = $3 AND scope = $4), 0),
		coalesce((SELECT sum(n)::bigint FROM held WHERE epoch <> $5), 0),
		coalesce((SELECT n FROM held WHERE epoch = $5), 0),
		coalesce((SELECT sum(n)::bigint FROM reserved WHERE appid = $1 AND period = $2 AND period_from = $3 AND scope = $4 AND epoch = $5), 0)`

// ReserveUsage sets how many calls of a counter a node holds; see store.Cluster.
func (s *Store) ReserveUsage(ctx context.Context, epoch int64, u store.UsageDelta, limit int64) (held int64, err error) {
	err = s.write(ctx, func(t *tx) error {
		if err := t.checkAlive(epoch); err != nil {
			return err
		}
		if err := t.lock(lockReserved, u.AppID+u.Scope+u.Period); err != nil {
			return err
		}
		var used, others, own, sum int64
		_, err := t.queryOne(func(r *row) error {
			used, others, own, sum = r.int64(), r.int64(), r.int64(), r.int64()
			return nil
		}, reservedSQL, u.AppID, u.Period, millis(u.PeriodFrom), u.Scope, epoch)
		if err != nil {
			return err
		}
		room := max(0, limit-used-others)
		held = max(min(own, u.N), min(u.N, room))
		_, err = t.exec(`INSERT INTO reserved (epoch, appid, scope, period, period_from, shard, n) VALUES ($1, $2, $3, $4, $5, -1, $6)
			ON CONFLICT (appid, period, period_from, scope, epoch, shard) DO UPDATE SET n = reserved.n + excluded.n`,
			epoch, u.AppID, u.Scope, u.Period, millis(u.PeriodFrom), held-sum)
		return err
	})
	if err != nil {
		return 0, err
	}
	return held, nil
}

// spentKey names what a node holds of a counter.
type spentKey struct {
	usageKey
	epoch int64
}

// spend notes recorded calls of a node, which it had reserved.
func (t *tx) spend(epoch int64, deltas []store.UsageDelta) {
	for _, d := range deltas {
		if t.spent == nil {
			t.spent = make(map[spentKey]int64)
		}
		t.spent[spentKey{usageKey{d.AppID, d.Scope, d.Period, millis(d.PeriodFrom)}, epoch}] += d.N
	}
}

// spentSQL takes from what is held of counters that nodes have reserved calls of;
// most have no rule. Each transaction writes rows of its own shard, as with usage.
const spentSQL = `INSERT INTO reserved (epoch, appid, scope, period, period_from, shard, n)
	SELECT epoch, appid, scope, period, period_from, $7::smallint, -n
	FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[]) AS calls (appid, scope, period, period_from, n, epoch)
	WHERE EXISTS (SELECT 1 FROM reserved AS r WHERE r.appid = calls.appid AND r.period = calls.period AND r.period_from = calls.period_from
		AND r.scope = calls.scope AND r.epoch = calls.epoch AND r.shard = -1)
	ON CONFLICT (appid, period, period_from, scope, epoch, shard) DO UPDATE SET n = reserved.n + excluded.n`

// flushSpent writes the noted calls.
func (t *tx) flushSpent(q *batch) {
	keys := changed(t.spent, func(a, b spentKey) int {
		return cmp.Or(compareUsage(a.usageKey, b.usageKey), cmp.Compare(a.epoch, b.epoch))
	})
	if len(keys) == 0 {
		return
	}
	n := len(keys)
	appIDs, scopes, periods := make([]string, n), make([]string, n), make([]string, n)
	froms, spent, epochs := make([]int64, n), make([]int64, n), make([]int64, n)
	for i, k := range keys {
		appIDs[i], scopes[i], periods[i], froms[i], spent[i], epochs[i] = k.appID, k.scope, k.period, k.from, t.spent[k], k.epoch
	}
	q.exec(nil, spentSQL, appIDs, scopes, periods, froms, spent, epochs, t.shard)
}

// inherit gives what a dead node held of the accounts of messages taken over from it
// to the node that took them: the calls may have been made.
func (t *tx) inherit(dead, heir int64, taken []hongyan.Message) error {
	if len(taken) == 0 {
		return nil
	}
	var appIDs []string
	seen := make(map[string]bool)
	for i := range taken {
		if id := taken[i].AppID; !seen[id] {
			seen[id] = true
			appIDs = append(appIDs, id)
		}
	}
	_, err := t.exec(`WITH left_over AS (
			DELETE FROM reserved WHERE epoch = $1 AND appid = ANY($3::text[]) RETURNING appid, scope, period, period_from, n
		)
		INSERT INTO reserved (epoch, appid, scope, period, period_from, shard, n)
		SELECT $2, appid, scope, period, period_from, -1, greatest(0, sum(n)::bigint) FROM left_over GROUP BY appid, scope, period, period_from
		ON CONFLICT (appid, period, period_from, scope, epoch, shard) DO UPDATE SET n = reserved.n + excluded.n`, dead, heir, appIDs)
	return err
}

// forgetReserved drops what is held by nodes that are gone and have left no message.
// It hops from one epoch to the next: it costs in nodes.
func (t *tx) forgetReserved() error {
	_, err := t.exec(`WITH RECURSIVE holds (epoch) AS (
			(SELECT epoch FROM reserved ORDER BY epoch LIMIT 1)
			UNION ALL
			SELECT (SELECT epoch FROM reserved WHERE epoch > holds.epoch ORDER BY epoch LIMIT 1) FROM holds WHERE holds.epoch IS NOT NULL
		)
		DELETE FROM reserved WHERE epoch IN (SELECT epoch FROM holds WHERE epoch IS NOT NULL
			AND NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.epoch = holds.epoch AND NOT dead)
			AND NOT EXISTS (SELECT 1 FROM messages WHERE state = 2 AND messages.epoch = holds.epoch))`)
	return err
}
