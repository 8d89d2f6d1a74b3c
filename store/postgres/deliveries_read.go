package postgres

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"hongyan"
	"hongyan/store"
)

// listTargetsSQL hops through the index from one target to the next, between two names.
const listTargetsSQL = `WITH RECURSIVE known (target) AS (
		(SELECT target FROM deliveries WHERE target >= $1 AND target < $2 ORDER BY target LIMIT 1)
		UNION ALL
		SELECT (SELECT target FROM deliveries WHERE target > known.target AND target < $2 ORDER BY target LIMIT 1)
		FROM known WHERE known.target IS NOT NULL
	)
	SELECT target FROM known WHERE target IS NOT NULL`

// listTargets returns the targets of an account, of all accounts with appID "", that
// have deliveries. It costs in targets.
func listTargets(ctx context.Context, c conn, appID string) (all []string, err error) {
	from, until := "", "\U0010FFFF"
	if appID != "" {
		from = hongyan.DownstreamTarget(appID, "")
		until = from + until
	}
	err = c.query(ctx, func(r *row) error {
		all = append(all, r.text())
		return nil
	}, listTargetsSQL, from, until)
	return all, err
}

// accountOf returns the AppID in the name of a target.
func accountOf(target string) string {
	appID, _, _ := strings.Cut(target, "/")
	return appID
}

// ListDeliveries lists deliveries newest first; see store.Deliveries. As with
// messages, no index has them in order of age across targets and states: of each
// road the newest are taken, and the newest of all win.
func (s *Store) ListDeliveries(ctx context.Context, f store.DeliveryFilter) (all []hongyan.Delivery, err error) {
	f.Limit, f.Before = pageSize(f.Limit), beforeOrNewest(f.Before)
	err = s.snapshot(ctx, func(c conn) error {
		all = nil
		roads, err := deliveryRoads(ctx, c, f)
		if err != nil {
			return err
		}
		var newest []int64
		for _, q := range roads {
			if newest, err = q.newer(ctx, c, f, newest); err != nil {
				return err
			}
		}
		return c.query(ctx, func(r *row) error {
			all = append(all, scanDelivery(r))
			return nil
		}, "SELECT "+deliveryColumns+" FROM deliveries WHERE id = ANY($1) ORDER BY id DESC", newest)
	})
	return all, err
}

// deliveryRoads returns the queries that together find what the filter wants: that of
// the event, or one for each target and state.
func deliveryRoads(ctx context.Context, c conn, f store.DeliveryFilter) (roads []listQuery, err error) {
	if f.EventID != 0 {
		q := listQuery{from: "deliveries"}
		q.and("event_id = " + q.arg(f.EventID))
		q.andIfSet("appid", f.AppID)
		q.andIfSet("target", f.Target)
		if len(f.States) > 0 {
			q.and("state = ANY(" + q.arg(stateArray(f.States)) + ")")
		}
		return []listQuery{q}, nil
	}
	targets := []string{f.Target}
	if f.Target == "" {
		targets, err = listTargets(ctx, c, f.AppID)
	} else if f.AppID != "" && f.AppID != accountOf(f.Target) {
		return nil, nil
	}
	for _, target := range targets {
		for state := hongyan.DeliveryPending; state <= hongyan.DeliveryGaveUp; state++ {
			if len(f.States) > 0 && !slices.Contains(f.States, state) {
				continue
			}
			q := listQuery{from: "deliveries"}
			q.and("target = " + q.arg(target) + " AND state = " + q.arg(int16(state)))
			roads = append(roads, q)
		}
	}
	return roads, err
}

// stateArray makes numbers of states.
func stateArray[S ~uint8](states []S) []int16 {
	all := make([]int16, len(states))
	for i, s := range states {
		all[i] = int16(s)
	}
	return all
}

// newer adds the newest row numbers of a road to newest, which is kept in descending
// order and no longer than a page.
func (q listQuery) newer(ctx context.Context, c conn, f store.DeliveryFilter, newest []int64) ([]int64, error) {
	after := int64(0)
	if len(newest) == f.Limit {
		after = newest[f.Limit-1] // what is older is of no use
	}
	q.and("id > " + q.arg(after))
	text, args := q.by("id", "id", f.Before, f.Limit)
	err := c.query(ctx, func(r *row) error {
		newest = append(newest, r.int64())
		return nil
	}, text, args...)
	slices.SortFunc(newest, func(a, b int64) int { return cmp.Compare(b, a) })
	return newest[:min(len(newest), f.Limit)], err
}

// DeliveryCounts counts an account's deliveries by target; see store.Deliveries. It
// reads an index, not the deliveries.
func (s *Store) DeliveryCounts(ctx context.Context, appID string) (counts map[string]store.DeliveryCount, err error) {
	err = s.snapshot(ctx, func(c conn) error {
		counts = make(map[string]store.DeliveryCount)
		targets, err := listTargets(ctx, c, appID)
		if err != nil {
			return err
		}
		for _, target := range targets {
			if counts[target], err = countTarget(ctx, c, target); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return counts, nil
}

func countTarget(ctx context.Context, c conn, target string) (n store.DeliveryCount, err error) {
	err = c.query(ctx, func(r *row) error {
		state, many := hongyan.DeliveryState(r.int()), r.int64()
		switch state {
		case hongyan.DeliveryPending:
			n.Pending = many
		case hongyan.DeliveryDone:
			n.Done = many
		case hongyan.DeliveryGaveUp:
			n.GaveUp = many
		}
		return nil
	}, "SELECT state, count(*) FROM deliveries WHERE target = $1 GROUP BY state", target)
	if err != nil || n.Pending == 0 {
		return n, err
	}
	_, err = c.queryOne(ctx, func(r *row) error {
		n.Oldest, n.Error = r.time(), r.text()
		return nil
	}, "SELECT created_at, last_error FROM deliveries WHERE target = $1 AND state = 0 ORDER BY id LIMIT 1", target)
	return n, err
}
