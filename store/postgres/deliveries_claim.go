package postgres

import (
	"cmp"
	"context"
	"slices"

	"hongyan/store"
)

// targetsSQL hops through the index from one target to the next and looks up the
// earliest row of each lane, so it costs in targets.
const targetsSQL = `WITH RECURSIVE pending (target) AS (
		(SELECT target FROM deliveries WHERE state = 0 ORDER BY target LIMIT 1)
		UNION ALL
		SELECT (SELECT target FROM deliveries WHERE state = 0 AND target > pending.target ORDER BY target LIMIT 1)
		FROM pending WHERE pending.target IS NOT NULL
	)
	SELECT target,
		(SELECT due_at FROM deliveries WHERE state = 0 AND target = pending.target AND NOT blocked ORDER BY due_at LIMIT 1),
		(SELECT due_at FROM deliveries WHERE state = 0 AND target = pending.target AND blocked ORDER BY due_at LIMIT 1)
	FROM pending WHERE target IS NOT NULL`

// DueTargets lists the targets with pending deliveries; see store.Deliveries.
func (s *Store) DueTargets(ctx context.Context) (all []store.TargetDue, err error) {
	err = s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, func(r *row) error {
			d := store.TargetDue{Target: r.text(), OrderedDueAt: r.time()}
			d.DueAt = d.OrderedDueAt
			if blocked := r.time(); !blocked.IsZero() && (d.DueAt.IsZero() || blocked.Before(d.DueAt)) {
				d.DueAt = blocked
			}
			all = append(all, d)
			return nil
		}, targetsSQL)
	})
	return all, err
}

// claimDeliveriesSQL begins attempts of a target, of what is not blocked and with $4 of
// what is. An attempt that was under way is lost: its lease is over. Rows that another
// node is claiming are passed over.
const claimDeliveriesSQL = `WITH free AS (
		SELECT id AS due_id, due_at AS was_due FROM deliveries
		WHERE target = $1 AND NOT blocked AND due_at <= (SELECT hongyan_now()) AND state = 0
		ORDER BY due_at, id LIMIT $2 FOR UPDATE SKIP LOCKED
	), behind AS (
		SELECT id AS due_id, due_at AS was_due FROM deliveries
		WHERE $4 AND target = $1 AND blocked AND due_at <= (SELECT hongyan_now()) AND state = 0
		ORDER BY due_at, id LIMIT $2 FOR UPDATE SKIP LOCKED
	), due AS (
		SELECT * FROM free UNION ALL SELECT * FROM behind ORDER BY was_due, due_id LIMIT $2
	), claimed AS (
		UPDATE deliveries SET attempts = attempts + 1, last_at = CASE claimed_at WHEN 0 THEN last_at ELSE claimed_at END,
			claimed_at = (SELECT hongyan_now()), due_at = (SELECT hongyan_now()) + $3::bigint
		FROM due WHERE id BETWEEN due_id AND due_id RETURNING deliveries.*, was_due
	)
	SELECT was_due, ` + deliveryColumns + ", " + eventColumns + ` FROM claimed AS deliveries
		CROSS JOIN LATERAL (SELECT * FROM events WHERE id = deliveries.event_id OFFSET 0) AS events`

// claimedAt is a claimed delivery and when it was due.
type claimedAt struct {
	store.ClaimedDelivery
	due int64
}

// ClaimDeliveries takes due deliveries of a target; see store.Deliveries. In order
// only those are taken that are not blocked.
func (s *Store) ClaimDeliveries(ctx context.Context, c store.DeliveryClaim) ([]store.ClaimedDelivery, error) {
	if c.Max <= 0 {
		return nil, nil
	}
	var all []claimedAt
	claim := func(b *batch) {
		all = nil
		b.query(func(r *row) error {
			due := r.int64()
			all = append(all, claimedAt{store.ClaimedDelivery{Delivery: scanDelivery(r), Event: scanEvent(r)}, due})
			return nil
		}, claimDeliveriesSQL, c.Target, c.Max, c.Lease.Milliseconds(), !c.Ordered)
	}
	err := s.transact(ctx, claim, func(*tx) error { return nil })
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b claimedAt) int { return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.ID, b.ID)) })
	claimed := make([]store.ClaimedDelivery, len(all))
	for i := range all {
		claimed[i] = all[i].ClaimedDelivery
	}
	return claimed, nil
}
