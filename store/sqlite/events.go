package sqlite

import (
	"context"

	"hongyan"
	"hongyan/store"
)

const eventColumns = "id, appid, dedupe_key, type, openid, create_time, msgid, received_at, processed_at, duplicates, body"

func collectEvents(all *[]hongyan.Event) func(*row) error {
	return func(r *row) error {
		*all = append(*all, hongyan.Event{
			ID: r.int64(), AppID: r.text(), DedupeKey: r.text(), Type: r.text(), OpenID: r.text(),
			CreateTime: r.time(), MsgID: r.int64(), ReceivedAt: r.time(), ProcessedAt: r.time(),
			Duplicates: r.int(), Body: r.bytes(),
		})
		return nil
	}
}

// InsertEvent stores a push of WeChat; see store.Events. A zero ReceivedAt is now.
func (s *Store) InsertEvent(ctx context.Context, e hongyan.Event) (id int64, isNew bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		received := millis(e.ReceivedAt)
		if received == 0 {
			received = t.now
		}
		n, err := t.exec(`INSERT INTO events (appid, dedupe_key, type, openid, create_time, msgid, received_at, processed_at, duplicates, body)
			VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, coalesce(?, x'')) ON CONFLICT (appid, dedupe_key) DO NOTHING`,
			e.AppID, e.DedupeKey, e.Type, e.OpenID, millis(e.CreateTime), e.MsgID, received, e.Body)
		if err != nil {
			return err
		}
		if isNew = n == 1; !isNew {
			err = t.execAll(1, "UPDATE events SET duplicates = duplicates + 1 WHERE appid = ? AND dedupe_key = ?", e.AppID, e.DedupeKey)
		}
		if err == nil {
			_, err = t.queryOne(func(r *row) error {
				id = r.int64()
				return nil
			}, "SELECT id FROM events WHERE appid = ? AND dedupe_key = ?", e.AppID, e.DedupeKey)
		}
		return err
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

// FinishEvents marks events processed and applies their receipts; see
// store.Events. An event that was processed already changes nothing again.
func (s *Store) FinishEvents(ctx context.Context, done []store.EventDone) error {
	return s.submit(ctx, &op{weight: len(done), run: func(t *tx) error {
		for _, d := range done {
			if err := t.finishEvent(d); err != nil {
				return err
			}
		}
		return nil
	}})
}

func (t *tx) finishEvent(d store.EventDone) error {
	n, err := t.exec("UPDATE events SET processed_at = ? WHERE id = ? AND processed_at = 0", t.now, d.EventID)
	if err != nil || n == 0 {
		return err
	}
	for _, r := range d.Receipts {
		r.At = hongyan.Millis(r.At)
		if err := t.arrive(r); err != nil {
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
