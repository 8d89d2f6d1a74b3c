package sqlite

import (
	"context"
	"slices"

	"hongyan"
	"hongyan/store"
)

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
			began, err := t.again(e, r.Target)
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

const hurrySQL = `UPDATE deliveries SET due_at = ? WHERE event_id = ? AND target = ? AND state = 0 AND claimed_at = 0 AND due_at > ?`

// again begins the delivery of an event anew, unless it is pending: then it waits no
// longer. A new row it is, so that who is late with the old one finishes nothing.
func (t *tx) again(e *hongyan.Event, target string) (bool, error) {
	if _, err := t.exec("DELETE FROM deliveries WHERE event_id = ? AND target = ? AND state <> 0", e.ID, target); err != nil {
		return false, err
	}
	began, err := t.deliver(e, store.NewDelivery{Target: target, Key: e.OpenID})
	if err != nil || began {
		return began, err
	}
	hurried, err := t.exec(hurrySQL, t.now, e.ID, target, t.now)
	return hurried > 0, err
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
