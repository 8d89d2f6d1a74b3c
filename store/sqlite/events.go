package sqlite

import (
	"context"

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

// InsertEvent stores a push of WeChat; see store.Events. A zero ReceivedAt is now.
func (s *Store) InsertEvent(ctx context.Context, e hongyan.Event) (id int64, isNew bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		received := millis(e.ReceivedAt)
		if received == 0 {
			received = t.now
		}
		id, isNew, err = t.insert(`INSERT INTO events (appid, dedupe_key, type, openid, create_time, msgid, received_at, processed_at, duplicates, body)
			VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, coalesce(?, x'')) ON CONFLICT (appid, dedupe_key) DO NOTHING`,
			e.AppID, e.DedupeKey, e.Type, e.OpenID, millis(e.CreateTime), e.MsgID, received, e.Body)
		if err != nil || isNew {
			return err
		}
		return t.change(func(r *row) error {
			id = r.int64()
			return nil
		}, "UPDATE events SET duplicates = duplicates + 1 WHERE appid = ? AND dedupe_key = ? RETURNING id", e.AppID, e.DedupeKey)
	})
	return id, isNew, err
}

// PendingEvents lists events not processed yet, oldest first.
func (s *Store) PendingEvents(ctx context.Context, limit int) ([]hongyan.Event, error) {
	var all []hongyan.Event
	err := s.read(ctx, func(c *conn) error {
		return c.query(ctx, collectEvents(&all), "SELECT "+eventColumns+
			" FROM events INDEXED BY events_pending WHERE processed_at = 0 AND id > 0 ORDER BY id LIMIT ? + 0", limit)
	})
	return all, err
}

// FinishEvents marks events processed, applies their receipts and begins their
// deliveries and firings; see store.Events. An event that was processed already changes
// nothing again, and one of an account that is gone is handed on to nobody.
func (s *Store) FinishEvents(ctx context.Context, done []store.EventDone) error {
	weight := len(done)
	for _, d := range done {
		weight += len(d.Receipts) + len(d.Deliveries) + len(d.Consents) + len(d.Firings)
	}
	return s.submit(ctx, &op{weight: weight, run: func(t *tx) error {
		for _, d := range done {
			if err := t.finishEvent(d); err != nil {
				return err
			}
		}
		return nil
	}})
}

func (t *tx) finishEvent(d store.EventDone) error {
	e := hongyan.Event{ID: d.EventID}
	finished := false
	err := t.change(func(r *row) error {
		e.AppID, e.Type, e.ReceivedAt, finished = r.text(), r.text(), r.time(), true
		return nil
	}, "UPDATE events SET processed_at = ? WHERE id = ? AND processed_at = 0 RETURNING appid, type, received_at", t.now, d.EventID)
	if err != nil || !finished {
		return err
	}
	for _, r := range d.Receipts {
		r.At = hongyan.Millis(r.At)
		if err := t.arrive(r); err != nil {
			return err
		}
	}
	if err := t.applyConsents(d.Consents); err != nil || !t.accounts[e.AppID] {
		return err
	}
	for _, n := range d.Deliveries {
		if _, err := t.deliver(&e, n); err != nil {
			return err
		}
	}
	for _, n := range d.Firings {
		if err := t.fire(&e, n); err != nil {
			return err
		}
	}
	return nil
}

// Events lists events newest first; an empty appID means every account.
func (s *Store) Events(ctx context.Context, appID string, before int64, limit int) ([]hongyan.Event, error) {
	where, args := " FROM events WHERE ", []any{}
	if appID != "" {
		where, args = " FROM events INDEXED BY events_appid WHERE appid = ? AND ", append(args, appID)
	}
	var all []hongyan.Event
	err := s.read(ctx, func(c *conn) error {
		return c.query(ctx, collectEvents(&all), "SELECT "+eventColumns+where+"id < ? ORDER BY id DESC LIMIT ? + 0",
			append(args, beforeOrNewest(before), limit)...)
	})
	return all, err
}
