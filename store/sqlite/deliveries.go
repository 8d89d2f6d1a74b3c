package sqlite

import (
	"context"
	"time"

	"hongyan"
	"hongyan/store"
)

// deliveryColumns are the columns scanDelivery reads.
const deliveryColumns = `deliveries.id, deliveries.appid, deliveries.target, deliveries.event_id, deliveries.event_type, deliveries.order_key,
	deliveries.state, deliveries.due_at, deliveries.attempts,
	CASE deliveries.claimed_at WHEN 0 THEN deliveries.last_at ELSE deliveries.claimed_at END,
	deliveries.last_status, deliveries.last_error, deliveries.last_took, deliveries.created_at, deliveries.ended_at`

func scanDelivery(r *row) hongyan.Delivery {
	return hongyan.Delivery{
		ID: r.int64(), AppID: r.text(), Target: r.text(), EventID: r.int64(), EventType: r.text(), Key: r.text(),
		State: hongyan.DeliveryState(r.int()), DueAt: r.time(), Attempts: r.int(), LastAt: r.time(),
		LastStatus: r.int(), LastError: r.text(), LastTook: time.Duration(r.int64()) * time.Millisecond,
		CreatedAt: r.time(), EndedAt: r.time(),
	}
}

// beginSQL begins a delivery unless there is one. A pending one of the same user
// with an earlier event blocks it.
const beginSQL = `INSERT INTO deliveries (appid, target, event_id, event_type, order_key, state, blocked, due_at, created_at)
	VALUES (?, ?, ?, ?, ?, 0, EXISTS (SELECT 1 FROM deliveries INDEXED BY deliveries_order
		WHERE target = ? AND order_key = ? AND event_id < ? AND state = 0 AND order_key <> ''), ?, ?)
	ON CONFLICT (event_id, target) DO NOTHING`

// blockNextSQL blocks the pending delivery of a user that follows a new one. That is
// blocked already, unless the new one went in front of the first.
const blockNextSQL = `UPDATE deliveries SET blocked = 1 WHERE blocked = 0 AND id = (SELECT id
	FROM deliveries INDEXED BY deliveries_order WHERE target = ? AND order_key = ? AND event_id > ? AND state = 0 AND order_key <> ''
	ORDER BY event_id LIMIT 1)`

// deliver begins the delivery of an event and reports whether it did.
func (t *tx) deliver(e *hongyan.Event, n store.NewDelivery) (bool, error) {
	due := millis(n.DueAt)
	if due == 0 {
		due = t.now
	}
	began, err := t.exec(beginSQL, e.AppID, n.Target, e.ID, e.Type, n.Key, n.Target, n.Key, e.ID, due, t.now)
	if err != nil || began == 0 || n.Key == "" {
		return began > 0, err
	}
	_, err = t.exec(blockNextSQL, n.Target, n.Key, e.ID)
	return true, err
}

// unblockSQL lets the first pending delivery of a user go.
const unblockSQL = `UPDATE deliveries SET blocked = 0 WHERE blocked = 1 AND id = (SELECT id
	FROM deliveries INDEXED BY deliveries_order WHERE target = ? AND order_key = ? AND state = 0 AND order_key <> ''
	ORDER BY event_id LIMIT 1)`

// unblock is called when a delivery of that target and key is no longer pending.
func (t *tx) unblock(target, key string) error {
	if key == "" {
		return nil
	}
	_, err := t.exec(unblockSQL, target, key)
	return err
}

// orderKey is a target and the key of a delivery that ended.
type orderKey struct{ target, key string }

// changeAndUnblock runs a statement that ends or removes deliveries and returns
// their target and order_key, lets those behind them go, and reports how many it changed.
func (t *tx) changeAndUnblock(query string, args ...any) (int, error) {
	var gone []orderKey
	err := t.change(func(r *row) error {
		gone = append(gone, orderKey{r.text(), r.text()})
		return nil
	}, query, args...)
	for i := 0; i < len(gone) && err == nil; i++ {
		err = t.unblock(gone[i].target, gone[i].key)
	}
	return len(gone), err
}

const finishDeliverySQL = `UPDATE deliveries SET state = ?, due_at = ?, ended_at = ?, last_at = claimed_at, claimed_at = 0,
	last_status = ?, last_error = ?, last_took = ? WHERE id = ? AND attempts = ? AND claimed_at > 0 AND state = 0
	RETURNING target, order_key`

const untriedDeliverySQL = `UPDATE deliveries SET state = ?, due_at = ?, ended_at = ?, attempts = attempts - 1, claimed_at = 0
	WHERE id = ? AND attempts = ? AND claimed_at > 0 AND state = 0
	RETURNING target, order_key`

// FinishDeliveries writes what came of claimed deliveries; see store.Deliveries.
func (s *Store) FinishDeliveries(ctx context.Context, rs []store.DeliveryResult) error {
	if len(rs) == 0 {
		return nil
	}
	return s.submit(ctx, &op{weight: len(rs), run: func(t *tx) error {
		for i := range rs {
			if err := t.finishDelivery(&rs[i]); err != nil {
				return err
			}
		}
		return nil
	}})
}

func (t *tx) finishDelivery(r *store.DeliveryResult) error {
	due, ended := int64(0), t.now
	if r.State == hongyan.DeliveryPending {
		due, ended = millis(r.DueAt), 0
		if due == 0 {
			due = t.now
		}
	}
	var err error
	if r.Untried {
		_, err = t.changeAndUnblock(untriedDeliverySQL, int64(r.State), due, ended, r.ID, r.Attempts)
	} else {
		_, err = t.changeAndUnblock(finishDeliverySQL, int64(r.State), due, ended, r.Status, r.Error, r.Took.Milliseconds(), r.ID, r.Attempts)
	}
	return err
}

const answeredSQL = `INSERT INTO deliveries (appid, target, event_id, event_type, order_key, state, blocked, due_at, attempts,
		last_at, last_status, last_error, last_took, created_at, ended_at)
	VALUES (?, ?, ?, ?, ?, 1, 0, 0, 1, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (event_id, target) DO UPDATE SET state = 1, due_at = 0, attempts = attempts + 1, claimed_at = 0, last_at = excluded.last_at,
		last_status = excluded.last_status, last_error = excluded.last_error, last_took = excluded.last_took, ended_at = excluded.ended_at
		WHERE state = 0
	RETURNING target, order_key`

// AnswerDelivery records a delivery that succeeded at once; see store.Deliveries. A
// zero LastAt is now.
func (s *Store) AnswerDelivery(ctx context.Context, d hongyan.Delivery) error {
	return s.write(ctx, func(t *tx) error {
		if !t.accounts[d.AppID] {
			return nil // deleted meanwhile
		}
		at := millis(d.LastAt)
		if at == 0 {
			at = t.now
		}
		_, err := t.changeAndUnblock(answeredSQL, d.AppID, d.Target, d.EventID, d.EventType, d.Key,
			at, d.LastStatus, d.LastError, d.LastTook.Milliseconds(), t.now, t.now)
		return err
	})
}
