package postgres

import (
	"context"
	"slices"

	"hongyan"
	"hongyan/store"
)

const eventColumns = `events.id, events.appid, events.dedupe_key, events.type, events.openid, events.create_time,
	events.msgid, events.received_at, events.processed_at, events.duplicates, events.body`

func collectEvents(all *[]hongyan.Event) func(*row) error {
	return func(r *row) error {
		*all = append(*all, scanEvent(r))
		return nil
	}
}

func scanEvent(r *row) hongyan.Event {
	return hongyan.Event{
		ID: r.int64(), AppID: r.text(), DedupeKey: r.text(), Type: r.text(), OpenID: r.text(),
		CreateTime: r.time(), MsgID: r.int64(), ReceivedAt: r.time(), ProcessedAt: r.time(),
		Duplicates: r.int(), Body: r.bytes(),
	}
}

// arrival is one call of InsertEvent on its way through a flush.
type arrival struct {
	e     hongyan.Event
	id    int64
	isNew bool
}

// InsertEvent stores a push of WeChat; see store.Events. A zero ReceivedAt is now.
func (s *Store) InsertEvent(ctx context.Context, e hongyan.Event) (id int64, isNew bool, err error) {
	a := &arrival{e: e}
	err = s.events.submit(ctx, s, a, 1)
	return a.id, a.isNew && err == nil, err
}

// eventsSQL stores events, of those with one key the first. Where one exists its
// duplicates grow instead; xmax tells which it was: a new row has none.
const eventsSQL = `INSERT INTO events (appid, dedupe_key, type, openid, create_time, msgid, received_at, processed_at, duplicates, body)
	SELECT appid, dedupe_key, type, openid, create_time, msgid, CASE received_at WHEN 0 THEN (SELECT hongyan_now()) ELSE received_at END, 0, again, body
	FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bytea[], $9::integer[])
		WITH ORDINALITY AS came (appid, dedupe_key, type, openid, create_time, msgid, received_at, body, again, place)
	ORDER BY appid, dedupe_key
	ON CONFLICT (appid, dedupe_key) DO UPDATE SET duplicates = events.duplicates + 1 + excluded.duplicates
	RETURNING id, appid, dedupe_key, xmax = 0`

type eventKey struct{ appID, dedupe string }

// flushEvents stores the events of several calls together. ON CONFLICT takes a key
// once per statement, so those that come twice are counted before.
func (s *Store) flushEvents(ctx context.Context, ops []*op[*arrival]) error {
	first := make(map[eventKey]*arrival, len(ops))
	again := make(map[eventKey]int32)
	var order []eventKey
	for _, o := range ops {
		k := eventKey{clean(o.in.e.AppID), clean(o.in.e.DedupeKey)}
		if first[k] == nil {
			first[k] = o.in
			order = append(order, k)
		} else {
			again[k]++
		}
	}
	insert := func(b *batch) {
		b.query(func(r *row) error {
			id, k := r.int64(), eventKey{r.text(), r.text()}
			first[k].id, first[k].isNew = id, r.bool()
			return nil
		}, eventsSQL, eventArgs(order, first, again)...)
	}
	err := s.transact(ctx, insert, func(t *tx) error {
		for k, a := range first {
			if a.isNew {
				t.notices.add(store.NoticeEvents, k.appID)
			}
		}
		return nil
	})
	for _, o := range ops {
		o.in.id = first[eventKey{clean(o.in.e.AppID), clean(o.in.e.DedupeKey)}].id
	}
	return err
}

func eventArgs(order []eventKey, first map[eventKey]*arrival, again map[eventKey]int32) []any {
	n := len(order)
	appIDs, keys, types, openIDs := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	created, msgIDs, received := make([]int64, n), make([]int64, n), make([]int64, n)
	bodies := make([][]byte, n)
	agains := make([]int32, n)
	for i, k := range order {
		e := &first[k].e
		appIDs[i], keys[i], types[i], openIDs[i], agains[i] = e.AppID, e.DedupeKey, e.Type, e.OpenID, again[k]
		created[i], msgIDs[i], received[i], bodies[i] = millis(e.CreateTime), e.MsgID, millis(e.ReceivedAt), notNil(e.Body)
	}
	return []any{appIDs, keys, types, openIDs, created, msgIDs, received, bodies, agains}
}

// notNil makes of no bytes the empty ones, which are not NULL.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// PendingEvents lists events not processed yet, oldest first.
func (s *Store) PendingEvents(ctx context.Context, limit int) (all []hongyan.Event, err error) {
	err = s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, collectEvents(&all), "SELECT "+eventColumns+" FROM events WHERE processed_at = 0 ORDER BY id LIMIT $1", limit)
	})
	return all, err
}

// FinishEvents marks events processed, applies their receipts and begins their
// deliveries and firings; see store.Events. An event that was processed already changes
// nothing again, and one of an account that is gone is handed on to nobody.
func (s *Store) FinishEvents(ctx context.Context, done []store.EventDone) error {
	if len(done) == 0 {
		return nil
	}
	weight := len(done)
	for _, d := range done {
		weight += len(d.Receipts) + len(d.Deliveries) + len(d.Consents) + len(d.Firings)
	}
	return s.finishes.submit(ctx, s, done, weight)
}

// flushFinished finishes the events of several calls together.
func (s *Store) flushFinished(ctx context.Context, ops []*op[[]store.EventDone]) error {
	var all []store.EventDone
	var targets []string
	for _, o := range ops {
		all = append(all, o.in...)
		for _, d := range o.in {
			for _, n := range d.Deliveries {
				targets = append(targets, n.Target)
			}
		}
	}
	first := func(b *batch) {
		b.exec(nil, "SELECT pg_advisory_xact_lock_shared($1, 0)", lockAccounts)
		if len(targets) > 0 {
			b.lockAll(lockDeliveries, targets)
		}
	}
	return s.transact(ctx, first, func(t *tx) error { return t.finishEvents(all) })
}

func (t *tx) finishEvents(all []store.EventDone) error {
	events, err := t.markProcessed(all)
	if err != nil || len(events) == 0 {
		return err
	}
	accounts, err := t.accountsOf(events)
	if err != nil {
		return err
	}
	var receipts []hongyan.Receipt
	var begun []beginning
	var set []setOff
	var consents []hongyan.ConsentChange
	for _, d := range all {
		e := events[d.EventID]
		if e == nil {
			continue
		}
		delete(events, d.EventID) // named twice, it is finished once
		for _, r := range d.Receipts {
			r.At = hongyan.Millis(r.At)
			receipts = append(receipts, r)
		}
		consents = append(consents, d.Consents...)
		if !accounts[e.AppID] {
			continue
		}
		for _, n := range d.Deliveries {
			begun = append(begun, beginning{e, n})
		}
		for _, n := range d.Firings {
			set = append(set, setOff{e, n})
		}
	}
	if len(receipts) > 0 {
		if err := t.arrive(receipts); err != nil {
			return err
		}
	}
	if err := t.applyConsents(consents, accounts); err != nil {
		return err
	}
	if _, err = t.deliver(begun); err != nil {
		return err
	}
	return t.fire(set)
}

// markProcessed returns the events that were not processed yet: ID, AppID, Type and ReceivedAt.
func (t *tx) markProcessed(all []store.EventDone) (map[int64]*hongyan.Event, error) {
	ids := make([]int64, len(all))
	for i := range all {
		ids[i] = all[i].EventID
	}
	slices.Sort(ids)
	events := make(map[int64]*hongyan.Event, len(ids))
	err := t.query(func(r *row) error {
		e := &hongyan.Event{ID: r.int64(), AppID: r.text(), Type: r.text(), ReceivedAt: r.time()}
		events[e.ID] = e
		return nil
	}, `WITH pending AS (SELECT id AS pending_id FROM events WHERE id = ANY($1) AND processed_at = 0 ORDER BY id FOR UPDATE)
		UPDATE events SET processed_at = (SELECT hongyan_now()) WHERE id = ANY(ARRAY(SELECT pending_id FROM pending)) RETURNING id, appid, type, received_at`, ids)
	return events, err
}

// accountsOf returns which accounts of the events there are.
func (t *tx) accountsOf(events map[int64]*hongyan.Event) (map[string]bool, error) {
	var appIDs []string
	for _, e := range events {
		if !slices.Contains(appIDs, e.AppID) {
			appIDs = append(appIDs, e.AppID)
		}
	}
	return t.accounts(appIDs)
}

// accounts returns which of the accounts there are.
func (t *tx) accounts(appIDs []string) (map[string]bool, error) {
	there := make(map[string]bool)
	err := t.query(func(r *row) error {
		there[r.text()] = true
		return nil
	}, "SELECT appid FROM accounts WHERE appid = ANY($1)", appIDs)
	return there, err
}

// Events lists events newest first; an empty appID means every account.
func (s *Store) Events(ctx context.Context, appID string, before int64, limit int) (all []hongyan.Event, err error) {
	q := listQuery{from: "events"}
	if appID != "" {
		q.and("appid = " + q.arg(appID))
	}
	err = s.read(ctx, func(c conn) error {
		all = nil
		text, args := q.by("id", eventColumns, beforeOrNewest(before), limit)
		return c.query(ctx, collectEvents(&all), text, args...)
	})
	return all, err
}
