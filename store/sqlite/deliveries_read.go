package sqlite

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
		SELECT (SELECT min(target) FROM deliveries INDEXED BY deliveries_target WHERE target >= ? AND target < ?)
		UNION ALL
		SELECT (SELECT min(target) FROM deliveries INDEXED BY deliveries_target WHERE target > known.target AND target < ?)
		FROM known WHERE known.target IS NOT NULL
	)
	SELECT target FROM known WHERE target IS NOT NULL`

// listTargets returns the targets of an account, of all accounts with appID "", that
// have deliveries. It costs in targets.
func listTargets(ctx context.Context, c *conn, appID string) (all []string, err error) {
	from, until := "", "\U0010FFFF"
	if appID != "" {
		from = hongyan.DownstreamTarget(appID, "")
		until = from + until
	}
	err = c.query(ctx, func(r *row) error {
		all = append(all, r.text())
		return nil
	}, listTargetsSQL, from, until, until)
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
func (s *Store) ListDeliveries(ctx context.Context, f store.DeliveryFilter) ([]hongyan.Delivery, error) {
	f.Limit, f.Before = pageSize(f.Limit), beforeOrNewest(f.Before)
	var all []hongyan.Delivery
	err := s.snapshot(ctx, func(c *conn) error {
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
		for _, id := range newest {
			_, err := c.queryOne(ctx, func(r *row) error {
				all = append(all, scanDelivery(r))
				return nil
			}, "SELECT "+deliveryColumns+" FROM deliveries WHERE id = ?", id)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

// deliveryRoads returns the queries that together find what the filter wants: that of
// the event, or one for each target and state.
func deliveryRoads(ctx context.Context, c *conn, f store.DeliveryFilter) (roads []listQuery, err error) {
	if f.EventID != 0 {
		q := listQuery{from: "deliveries INDEXED BY sqlite_autoindex_deliveries_1"}
		q.and("event_id = ?", f.EventID)
		q.andIfSet("appid = ?", f.AppID)
		q.andIfSet("target = ?", f.Target)
		if len(f.States) > 0 {
			q.and("(? >> state) & 1", deliveryMask(f.States))
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
			q := listQuery{from: "deliveries INDEXED BY deliveries_target"}
			q.and("target = ? AND state = ?", target, int64(state))
			roads = append(roads, q)
		}
	}
	return roads, err
}

func deliveryMask(states []hongyan.DeliveryState) int64 {
	var mask int64
	for _, s := range states {
		mask |= 1 << s
	}
	return mask
}

// newer adds the newest row numbers of a road to newest, which is kept in descending
// order and no longer than a page.
func (q listQuery) newer(ctx context.Context, c *conn, f store.DeliveryFilter, newest []int64) ([]int64, error) {
	after := int64(0)
	if len(newest) == f.Limit {
		after = newest[f.Limit-1] // what is older is of no use
	}
	q.and("id > ?", after)
	err := c.query(ctx, func(r *row) error {
		newest = append(newest, r.int64())
		return nil
	}, q.sqlBy("id", "id"), append(q.args, f.Before, f.Limit)...)
	slices.SortFunc(newest, func(a, b int64) int { return cmp.Compare(b, a) })
	return newest[:min(len(newest), f.Limit)], err
}

// DeliveryCounts counts an account's deliveries by target; see store.Deliveries. It
// reads an index, not the deliveries.
func (s *Store) DeliveryCounts(ctx context.Context, appID string) (map[string]store.DeliveryCount, error) {
	counts := make(map[string]store.DeliveryCount)
	err := s.snapshot(ctx, func(c *conn) error {
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

func countTarget(ctx context.Context, c *conn, target string) (n store.DeliveryCount, err error) {
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
	}, "SELECT state, count(*) FROM deliveries INDEXED BY deliveries_target WHERE target = ? GROUP BY state", target)
	if err != nil || n.Pending == 0 {
		return n, err
	}
	_, err = c.queryOne(ctx, func(r *row) error {
		n.Oldest, n.Error = r.time(), r.text()
		return nil
	}, `SELECT created_at, last_error FROM deliveries WHERE id = (SELECT min(id)
		FROM deliveries INDEXED BY deliveries_target WHERE target = ? AND state = 0)`, target)
	return n, err
}
