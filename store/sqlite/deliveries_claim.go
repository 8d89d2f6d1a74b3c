package sqlite

import (
	"cmp"
	"context"
	"slices"
	"time"

	"hongyan"
	"hongyan/store"
)

// targetsSQL hops through the index from one target to the next and looks up the
// earliest row of each lane, so it costs in targets.
const targetsSQL = `WITH RECURSIVE pending (target) AS (
		SELECT min(target) FROM deliveries INDEXED BY deliveries_due WHERE state = 0
		UNION ALL
		SELECT (SELECT min(target) FROM deliveries INDEXED BY deliveries_due WHERE state = 0 AND target > pending.target)
		FROM pending WHERE pending.target IS NOT NULL
	)
	SELECT target,
		(SELECT min(due_at) FROM deliveries INDEXED BY deliveries_due WHERE state = 0 AND target = pending.target AND blocked = 0),
		(SELECT min(due_at) FROM deliveries INDEXED BY deliveries_due WHERE state = 0 AND target = pending.target AND blocked = 1)
	FROM pending WHERE target IS NOT NULL`

// DueTargets lists the targets with pending deliveries; see store.Deliveries.
func (s *Store) DueTargets(ctx context.Context) ([]store.TargetDue, error) {
	var all []store.TargetDue
	err := s.read(ctx, func(c *conn) error {
		return c.query(ctx, func(r *row) error {
			d := store.TargetDue{Target: r.text(), OrderedDueAt: r.time()}
			d.DueAt = d.OrderedDueAt
			if blocked := r.time(); !blocked.IsZero() && blocked.Before(d.DueAt) {
				d.DueAt = blocked
			}
			all = append(all, d)
			return nil
		}, targetsSQL)
	})
	return all, err
}

// claimDeliveriesSQL finds one lane of a target: what is blocked, or what is not.
const claimDeliveriesSQL = "SELECT " + deliveryColumns + ", " + eventColumns + ` FROM deliveries INDEXED BY deliveries_due
	CROSS JOIN events ON events.id = deliveries.event_id
	WHERE deliveries.target = ? AND deliveries.blocked = ? AND deliveries.due_at <= ? AND deliveries.state = 0
	ORDER BY deliveries.due_at, deliveries.id LIMIT ? + 0`

// leaseDeliveriesSQL begins an attempt. One that was under way is lost: its lease is over.
const leaseDeliveriesSQL = `UPDATE deliveries SET attempts = attempts + 1,
	last_at = CASE claimed_at WHEN 0 THEN last_at ELSE claimed_at END, claimed_at = ?, due_at = ?
	WHERE id IN `

// ClaimDeliveries takes due deliveries of a target; see store.Deliveries. In order
// only those are taken that are not blocked.
func (s *Store) ClaimDeliveries(ctx context.Context, c store.DeliveryClaim) ([]store.ClaimedDelivery, error) {
	var all []store.ClaimedDelivery
	err := s.submit(ctx, &op{weight: c.Max, run: func(t *tx) (err error) {
		all, err = t.claimDeliveries(c)
		return err
	}})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func (t *tx) claimDeliveries(c store.DeliveryClaim) (all []store.ClaimedDelivery, err error) {
	lanes := []bool{false, true}
	if c.Ordered {
		lanes = lanes[:1]
	}
	for _, blocked := range lanes {
		err := t.query(func(r *row) error {
			all = append(all, store.ClaimedDelivery{Delivery: scanDelivery(r), Event: scanEvent(r)})
			return nil
		}, claimDeliveriesSQL, c.Target, blocked, t.now, c.Max)
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(all, func(a, b store.ClaimedDelivery) int {
		return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID))
	})
	all = all[:min(len(all), c.Max)]
	return all, t.leaseDeliveries(all, c.Lease)
}

// leaseDeliveries begins attempts, in the database and in all.
func (t *tx) leaseDeliveries(all []store.ClaimedDelivery, lease time.Duration) error {
	until := t.now + lease.Milliseconds()
	rows := make([]int64, len(all))
	for i := range all {
		rows[i] = all[i].ID
		all[i].Attempts++
		all[i].LastAt, all[i].DueAt = fromMillis(t.now), fromMillis(until)
	}
	return t.execSeqs(leaseDeliveriesSQL, rows, t.now, until)
}

// ReplayDeliveries delivers events once more; see store.Deliveries. They are looked
// at by the time they came, and those of one time by ID.
func (s *Store) ReplayDeliveries(ctx context.Context, r store.Replay) (n int, last int64, err error) {
	r.Limit = pageSize(r.Limit)
	err = s.submit(ctx, &op{weight: r.Limit, run: func(t *tx) error {
		if !t.accounts[r.AppID] {
			return unknownAccount(r.AppID)
		}
		events, err := t.replayed(r)
		if err != nil {
			return err
		}
		n, last = 0, 0
		for i := range events {
			e := &events[i]
			if len(r.Types) > 0 && !slices.Contains(r.Types, e.Type) {
				continue
			}
			began, err := t.deliver(againSQL, e, store.NewDelivery{Target: r.Target, Key: e.OpenID})
			if err != nil {
				return err
			}
			n += int(asInt(began))
		}
		if len(events) == r.Limit {
			last = events[r.Limit-1].ID
		}
		return nil
	}})
	return n, last, err
}

const replaySQL = `SELECT id, type, openid FROM events INDEXED BY events_received
	WHERE appid = ? AND received_at >= ? AND received_at < ? AND (received_at > ? OR id > ?)
	ORDER BY received_at, id LIMIT ? + 0`

// replayed returns one batch of the events that a replay asks for: ID, AppID, Type and OpenID.
func (t *tx) replayed(r store.Replay) (events []hongyan.Event, err error) {
	from, until := millis(r.From), millis(r.Until)
	if until == 0 {
		until = t.now
	}
	at := from
	if r.After != 0 {
		_, err = t.queryOne(func(row *row) error {
			at = max(from, row.int64())
			return nil
		}, "SELECT received_at FROM events WHERE id = ? AND appid = ?", r.After, r.AppID)
		if err != nil {
			return nil, err
		}
	}
	err = t.query(func(row *row) error {
		events = append(events, hongyan.Event{AppID: r.AppID, ID: row.int64(), Type: row.text(), OpenID: row.text()})
		return nil
	}, replaySQL, r.AppID, at, until, at, r.After, r.Limit)
	return events, err
}

// dropSQL removes deliveries of a target and state, the newest first: those in front
// keep what is behind them blocked until it is gone too.
const dropSQL = `DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries INDEXED BY deliveries_target
	WHERE target = ? AND state = ? ORDER BY id DESC LIMIT ? + 0)
	RETURNING target, order_key`

// DropDeliveries removes deliveries of a target; see store.Deliveries.
func (s *Store) DropDeliveries(ctx context.Context, target string, limit int) (n int, err error) {
	err = s.submit(ctx, &op{weight: limit, run: func(t *tx) (err error) {
		n, err = t.dropDeliveries(target, limit)
		return err
	}})
	return n, err
}

func (t *tx) dropDeliveries(target string, limit int) (n int, err error) {
	for state := hongyan.DeliveryPending; state <= hongyan.DeliveryGaveUp && n < limit && err == nil; state++ {
		var dropped int
		dropped, err = t.changeAndUnblock(dropSQL, target, int64(state), limit-n)
		n += dropped
	}
	return n, err
}

// dropAccountDeliveries removes the deliveries of an account that is gone, in batches.
// Should there be an account with that AppID again, it stops.
func (s *Store) dropAccountDeliveries(ctx context.Context, appID string) error {
	for {
		var n int
		err := s.submit(ctx, &op{weight: sweepBatch, run: func(t *tx) (err error) {
			n = 0
			if !t.accounts[appID] {
				n, err = t.dropAccount(appID)
			}
			return err
		}})
		if err != nil || n == 0 {
			return err
		}
	}
}

// dropAccount removes some deliveries of an account.
func (t *tx) dropAccount(appID string) (int, error) {
	targets, err := listTargets(context.Background(), t.conn, appID)
	if err != nil || len(targets) == 0 {
		return 0, err
	}
	return t.dropDeliveries(targets[0], sweepBatch)
}
