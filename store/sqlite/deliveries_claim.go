package sqlite

import (
	"cmp"
	"context"
	"slices"
	"time"

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
	if c.Max <= 0 {
		return nil, nil
	}
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
