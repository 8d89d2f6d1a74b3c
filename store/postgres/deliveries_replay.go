package postgres

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
	first := func(b *batch) {
		b.exec(nil, "SELECT pg_advisory_xact_lock_shared($1, 0)", lockAccounts)
		b.lockAll(lockDeliveries, []string{r.Target})
	}
	err = s.transact(ctx, first, func(t *tx) error {
		n, last = 0, 0
		accounts, err := t.accounts([]string{r.AppID})
		if err != nil {
			return err
		}
		if !accounts[r.AppID] {
			return unknownAccount(r.AppID)
		}
		events, err := t.replayed(r)
		if err != nil {
			return err
		}
		if len(events) == r.Limit {
			last = events[r.Limit-1].ID
		}
		n, err = t.again(events, r)
		return err
	})
	return n, last, err
}

const hurrySQL = `UPDATE deliveries SET due_at = (SELECT hongyan_now()) WHERE event_id = ANY($1) AND target = $2
	AND state = 0 AND claimed_at = 0 AND due_at > (SELECT hongyan_now())`

// again begins the deliveries of events anew, except where they are pending: those wait
// no longer. They are new rows, so that who is late with an old one finishes nothing.
func (t *tx) again(events []hongyan.Event, r store.Replay) (int, error) {
	var ids []int64
	var all []beginning
	for i := range events {
		e := &events[i]
		if len(r.Types) == 0 || slices.Contains(r.Types, e.Type) {
			ids = append(ids, e.ID)
			all = append(all, beginning{e, store.NewDelivery{Target: r.Target, Key: e.OpenID}})
		}
	}
	if _, err := t.exec("DELETE FROM deliveries WHERE event_id = ANY($1) AND target = $2 AND state <> 0", ids, r.Target); err != nil {
		return 0, err
	}
	begun, err := t.deliver(all)
	if err != nil {
		return 0, err
	}
	hurried, err := t.exec(hurrySQL, ids, r.Target)
	if hurried > 0 {
		t.notices.add(store.NoticeDeliveries, r.AppID)
	}
	return begun + hurried, err
}

const replaySQL = `SELECT id, type, openid FROM events
	WHERE appid = $1 AND received_at >= $2 AND received_at < $3 AND (received_at, id) > ($4, $5)
	ORDER BY received_at, id LIMIT $6`

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
		}, "SELECT received_at FROM events WHERE id = $1 AND appid = $2", r.After, r.AppID)
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
const dropSQL = `WITH newest AS (SELECT id AS drop_id FROM deliveries WHERE target = $1 AND state = $2 ORDER BY id DESC LIMIT $3 FOR UPDATE)
	DELETE FROM deliveries WHERE id = ANY(ARRAY(SELECT drop_id FROM newest)) RETURNING target, order_key`

// DropDeliveries removes deliveries of a target; see store.Deliveries.
func (s *Store) DropDeliveries(ctx context.Context, target string, limit int) (n int, err error) {
	err = s.write(ctx, func(t *tx) (err error) {
		n, err = t.dropDeliveries(target, limit)
		return err
	})
	return n, err
}

func (t *tx) dropDeliveries(target string, limit int) (n int, err error) {
	if err := t.lockTargets([]string{target}); err != nil {
		return 0, err
	}
	for state := hongyan.DeliveryPending; state <= hongyan.DeliveryGaveUp && n < limit && err == nil; state++ {
		var dropped int
		dropped, err = t.changeAndReorder(dropSQL, target, int16(state), limit-n)
		n += dropped
	}
	return n, err
}

// dropAccountDeliveries removes the deliveries of an account that is gone, in batches.
// Should there be an account with that AppID again, it stops.
func (s *Store) dropAccountDeliveries(ctx context.Context, appID string) error {
	for {
		var n int
		err := s.write(ctx, func(t *tx) error {
			n = 0
			accounts, err := t.accounts([]string{appID})
			if err != nil || accounts[appID] {
				return err
			}
			n, err = t.dropAccount(appID)
			return err
		})
		if err != nil || n == 0 {
			return err
		}
	}
}

// dropAccount removes some deliveries of an account.
func (t *tx) dropAccount(appID string) (int, error) {
	targets, err := listTargets(t.ctx, t.conn, appID)
	if err != nil || len(targets) == 0 {
		return 0, err
	}
	return t.dropDeliveries(targets[0], sweepBatch)
}
