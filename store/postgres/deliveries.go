package postgres

import (
	"context"
	"slices"
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

// beginning is a delivery to begin, of an event whose ID, AppID and Type are known.
type beginning struct {
	e *hongyan.Event
	store.NewDelivery
}

// beginSQL begins deliveries unless there are some. With a key they are blocked at first.
const beginSQL = `INSERT INTO deliveries (appid, target, event_id, event_type, order_key, state, blocked, due_at, created_at)
	SELECT appid, target, event_id, event_type, order_key, 0, order_key <> '', CASE due_at WHEN 0 THEN (SELECT hongyan_now()) ELSE due_at END, (SELECT hongyan_now())
	FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[])
		WITH ORDINALITY AS new (appid, target, event_id, event_type, order_key, due_at, place) ORDER BY place
	ON CONFLICT (event_id, target) DO NOTHING RETURNING appid, target, order_key`

// deliver begins deliveries and returns how many. The caller holds the locks of their targets.
func (t *tx) deliver(all []beginning) (int, error) {
	if len(all) == 0 {
		return 0, nil
	}
	n := len(all)
	appIDs, targets, types, keys := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	ids, dues := make([]int64, n), make([]int64, n)
	for i, b := range all {
		appIDs[i], targets[i], ids[i], types[i], keys[i], dues[i] = b.e.AppID, b.Target, b.e.ID, b.e.Type, b.Key, millis(b.DueAt)
	}
	begun := 0
	var touched []orderKey
	err := t.query(func(r *row) error {
		begun++
		t.notices.add(store.NoticeDeliveries, r.text())
		touched = append(touched, orderKey{r.text(), r.text()})
		return nil
	}, beginSQL, appIDs, targets, ids, types, keys, dues)
	if err != nil {
		return 0, err
	}
	return begun, t.reorder(touched)
}

// orderKey is a target and the key of a delivery that began or ended.
type orderKey struct{ target, key string }

// blockSQL and unblockSQL see to it that of the pending deliveries of one target and
// key the first is not blocked, and the others are.
const (
	firstSQL = ` FROM unnest($1::text[], $2::text[]) AS touched (target, order_key)
		CROSS JOIN LATERAL (SELECT id, event_id, blocked FROM deliveries WHERE target = touched.target AND order_key = touched.order_key
			AND state = 0 AND order_key <> '' ORDER BY event_id + 0 LIMIT 1) AS first`
	blockSQL = `UPDATE deliveries SET blocked = true WHERE id = ANY(ARRAY(SELECT other.id` + firstSQL + `
		CROSS JOIN LATERAL (SELECT id FROM deliveries WHERE target = touched.target AND order_key = touched.order_key
			AND state = 0 AND order_key <> '' AND NOT blocked AND event_id > first.event_id OFFSET 0) AS other))`
	unblockSQL = `UPDATE deliveries SET blocked = false WHERE id = ANY(ARRAY(SELECT first.id` + firstSQL + ` WHERE first.blocked))`
)

// reorder lets the first delivery of each target and key go. The caller holds the
// locks of the targets.
func (t *tx) reorder(touched []orderKey) error {
	var targets, keys []string
	seen := make(map[orderKey]bool, len(touched))
	for _, k := range touched {
		if k.key != "" && !seen[k] {
			seen[k] = true
			targets, keys = append(targets, k.target), append(keys, k.key)
		}
	}
	if len(targets) == 0 {
		return nil
	}
	var b batch
	b.exec(nil, blockSQL, targets, keys)
	b.exec(nil, unblockSQL, targets, keys)
	return t.run(&b)
}

// changeAndReorder runs a statement that ends or removes deliveries and returns their
// target and order_key, lets those behind them go, and reports how many it changed.
func (t *tx) changeAndReorder(sql string, args ...any) (int, error) {
	var gone []orderKey
	err := t.query(func(r *row) error {
		gone = append(gone, orderKey{r.text(), r.text()})
		return nil
	}, sql, args...)
	if err != nil {
		return 0, err
	}
	return len(gone), t.reorder(gone)
}

// finishSQL writes what came of claimed deliveries, if nobody claimed them since.
const finishSQL = `UPDATE deliveries SET state = done.state, due_at = done.due_at, ended_at = CASE done.state WHEN 0 THEN 0 ELSE (SELECT hongyan_now()) END,
	attempts = deliveries.attempts - CASE WHEN untried THEN 1 ELSE 0 END, claimed_at = 0,
	last_at = CASE WHEN untried THEN last_at ELSE claimed_at END, last_status = CASE WHEN untried THEN last_status ELSE done.status END,
	last_error = CASE WHEN untried THEN last_error ELSE done.error END, last_took = CASE WHEN untried THEN last_took ELSE done.took END
	FROM unnest($1::bigint[], $2::integer[], $3::smallint[], $4::bigint[], $5::integer[], $6::text[], $7::bigint[], $8::boolean[])
		AS done (id, attempts, state, due_at, status, error, took, untried)
	WHERE deliveries.id BETWEEN done.id AND done.id AND deliveries.attempts = done.attempts AND claimed_at > 0 AND deliveries.state + 0 = 0
	RETURNING target, order_key`

// FinishDeliveries writes what came of claimed deliveries; see store.Deliveries.
func (s *Store) FinishDeliveries(ctx context.Context, rs []store.DeliveryResult) error {
	if len(rs) == 0 {
		return nil
	}
	return s.attempts.submit(ctx, s, rs, len(rs))
}

// flushDeliveryResults writes the results of several calls together.
func (s *Store) flushDeliveryResults(ctx context.Context, ops []*op[[]store.DeliveryResult]) error {
	var all []store.DeliveryResult
	for _, o := range ops {
		all = append(all, o.in...)
	}
	ids := make([]int64, len(all))
	for i := range all {
		ids[i] = all[i].ID
	}
	var targets []string
	first := func(b *batch) {
		targets = nil
		b.query(func(r *row) error {
			targets = append(targets, r.text())
			return nil
		}, "SELECT target FROM deliveries WHERE id = ANY($1) AND order_key <> ''", ids)
	}
	return s.transact(ctx, first, func(t *tx) error {
		if err := t.lockTargets(targets); err != nil {
			return err
		}
		_, err := t.changeAndReorder(finishSQL, deliveryResultArgs(all, t.now)...)
		return err
	})
}

// lockTargets keeps others from changing which delivery of the targets goes first.
func (t *tx) lockTargets(targets []string) error {
	if len(targets) == 0 {
		return nil
	}
	var b batch
	b.lockAll(lockDeliveries, targets)
	return t.run(&b)
}

func deliveryResultArgs(all []store.DeliveryResult, now int64) []any {
	n := len(all)
	ids, dues, tooks := make([]int64, n), make([]int64, n), make([]int64, n)
	attempts, statuses := make([]int32, n), make([]int32, n)
	states := make([]int16, n)
	errs := make([]string, n)
	untried := make([]bool, n)
	for i := range all {
		r := &all[i]
		if r.State == hongyan.DeliveryPending {
			if dues[i] = millis(r.DueAt); dues[i] == 0 {
				dues[i] = now
			}
		}
		ids[i], attempts[i], states[i], statuses[i] = r.ID, int32(r.Attempts), int16(r.State), int32(r.Status)
		errs[i], tooks[i], untried[i] = r.Error, r.Took.Milliseconds(), r.Untried
	}
	return []any{ids, attempts, states, dues, statuses, errs, tooks, untried}
}

const answeredSQL = `INSERT INTO deliveries (appid, target, event_id, event_type, order_key, state, blocked, due_at, attempts,
		last_at, last_status, last_error, last_took, created_at, ended_at)
	SELECT appid, target, event_id, event_type, order_key, 1, false, 0, 1, CASE at WHEN 0 THEN (SELECT hongyan_now()) ELSE at END,
		status, error, took, (SELECT hongyan_now()), (SELECT hongyan_now())
	FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::integer[], $8::text[], $9::bigint[])
		AS done (appid, target, event_id, event_type, order_key, at, status, error, took)
	ORDER BY event_id, target
	ON CONFLICT (event_id, target) DO UPDATE SET state = 1, due_at = 0, attempts = deliveries.attempts + 1, claimed_at = 0, last_at = excluded.last_at,
		last_status = excluded.last_status, last_error = excluded.last_error, last_took = excluded.last_took, ended_at = excluded.ended_at
		WHERE deliveries.state = 0
	RETURNING target, order_key`

// AnswerDelivery records a delivery that succeeded at once; see store.Deliveries. A
// zero LastAt is now.
func (s *Store) AnswerDelivery(ctx context.Context, d hongyan.Delivery) error {
	return s.answers.submit(ctx, s, &d, 1)
}

// flushAnswers records the deliveries of several calls together, of one delivery the
// first: the others change nothing.
func (s *Store) flushAnswers(ctx context.Context, ops []*op[*hongyan.Delivery]) error {
	var targets, appIDs []string
	for _, o := range ops {
		targets, appIDs = append(targets, o.in.Target), append(appIDs, o.in.AppID)
	}
	first := func(b *batch) {
		b.exec(nil, "SELECT pg_advisory_xact_lock_shared($1, 0)", lockAccounts)
		b.lockAll(lockDeliveries, targets)
	}
	return s.transact(ctx, first, func(t *tx) error {
		accounts, err := t.accounts(appIDs)
		if err != nil {
			return err
		}
		var all []*hongyan.Delivery
		for _, o := range ops {
			same := func(d *hongyan.Delivery) bool { return d.EventID == o.in.EventID && d.Target == o.in.Target }
			if accounts[o.in.AppID] && !slices.ContainsFunc(all, same) {
				all = append(all, o.in)
			}
		}
		_, err = t.changeAndReorder(answeredSQL, answerArgs(all)...)
		return err
	})
}

func answerArgs(all []*hongyan.Delivery) []any {
	n := len(all)
	appIDs, targets, types, keys, errs := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	ids, ats, tooks := make([]int64, n), make([]int64, n), make([]int64, n)
	statuses := make([]int32, n)
	for i, d := range all {
		appIDs[i], targets[i], ids[i], types[i], keys[i] = d.AppID, d.Target, d.EventID, d.EventType, d.Key
		ats[i], statuses[i], errs[i], tooks[i] = millis(d.LastAt), int32(d.LastStatus), d.LastError, d.LastTook.Milliseconds()
	}
	return []any{appIDs, targets, ids, types, keys, ats, statuses, errs, tooks}
}
