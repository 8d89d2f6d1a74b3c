package sqlite

import (
	"context"
	"slices"
	"strings"

	"hongyan"
	"hongyan/store"
)

// Feed makes rows of a batch into messages; see store.Batches.
func (s *Store) Feed(ctx context.Context, f store.Feed) ([]store.Inserted, error) {
	var out []store.Inserted
	err := s.submit(ctx, &op{weight: len(f.Messages) + 2, feeds: true, run: func(t *tx) (err error) {
		out, err = t.feed(f)
		return err
	}})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (t *tx) feed(f store.Feed) ([]store.Inserted, error) {
	n, err := t.exec(`UPDATE batches SET next_row = ?, fed = fed + ?, late = late + ?, speed = ?, fed_at = ?
		WHERE seq = ? AND next_row = ? AND state = ?`,
		f.To, len(f.Messages), f.Late, f.Speed, t.now, f.Batch, f.From, int64(hongyan.BatchRunning))
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, batchMoved(f)
	}
	out := make([]store.Inserted, len(f.Messages))
	b := insertBatch{t: t}
	for i := range f.Messages {
		if err := b.add(&f.Messages[i], &out[i]); err != nil {
			return nil, err
		}
	}
	if err := b.flush(); err != nil {
		return nil, err
	}
	if err := t.noteSpan(f, b.rows); err != nil || f.Rewritten == nil {
		return out, err
	}
	return out, t.execAll(1, "UPDATE batch_chunks SET bad = ?, data = coalesce(?, x'') WHERE batch = ? AND first = ?",
		f.Rewritten.Bad, f.Rewritten.Data, f.Batch, f.First)
}

func batchMoved(f store.Feed) error {
	return hongyan.Errorf(hongyan.Conflict, "batch_moved", "row %d of the batch is not the next one, or the batch is not running", f.From)
}

// noteSpan notes between which messages those of the chunk are.
func (t *tx) noteSpan(f store.Feed, rows []newRow) error {
	if len(rows) == 0 {
		return nil
	}
	_, err := t.exec(`INSERT INTO batch_spans (batch, first, first_seq, last_seq) VALUES (?, ?, ?, ?)
		ON CONFLICT (batch, first) DO UPDATE SET last_seq = excluded.last_seq`,
		f.Batch, f.First, rows[0].Seq, rows[len(rows)-1].Seq)
	return err
}

// batchSQL is the condition of the index messages_batch, and of one batch.
const batchSQL = "messages INDEXED BY messages_batch WHERE batch = ? AND batch <> 0"

// BatchCounts counts the messages of a batch by state; see store.Batches.
func (s *Store) BatchCounts(ctx context.Context, batch int64) (map[hongyan.State]int64, error) {
	counts := make(map[hongyan.State]int64)
	err := s.snapshot(ctx, func(c *conn) error {
		err := c.query(ctx, func(r *row) error {
			counts[hongyan.State(r.int())] = r.int64()
			return nil
		}, "SELECT state, count(*) FROM "+batchSQL+" GROUP BY state", batch)
		if err != nil || counts[hongyan.Queued] == 0 {
			return err
		}
		return c.query(ctx, func(r *row) error {
			held := r.int64()
			counts[hongyan.Queued] -= held
			counts[hongyan.Held] += held
			return nil
		}, "SELECT count(*) FROM "+batchSQL+" AND state = 0 AND "+shownSQL, batch, stateMask([]hongyan.State{hongyan.Held}), millis(s.Now()))
	})
	return counts, err
}

// BatchWaiting counts those that have not left; see store.Batches.
func (s *Store) BatchWaiting(ctx context.Context, batch int64) (n int64, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.query(ctx, func(r *row) error { n = r.int64(); return nil }, "SELECT count(*) FROM "+batchSQL+" AND state < 3", batch)
	})
	return n, err
}

// resultColumns are messageColumns without the long ones.
var resultColumns = strings.TrimSuffix(messageColumns, "metadata, payload") + "NULL, NULL"

// ChunkMessages lists the messages of a chunk; see store.Batches.
func (s *Store) ChunkMessages(ctx context.Context, k store.Chunk) (all []hongyan.Message, err error) {
	if k.LastSeq == 0 {
		return nil, nil
	}
	err = s.snapshot(ctx, func(c *conn) error {
		holds, err := loadHolds(ctx, c)
		if err != nil {
			return err
		}
		err = c.query(ctx, collect(&all), "SELECT "+resultColumns+` FROM messages NOT INDEXED
			WHERE seq BETWEEN ? AND ? AND batch = ? AND batch_row BETWEEN ? AND ? ORDER BY seq`, k.FirstSeq, k.LastSeq, k.Batch, k.First, k.Last())
		for i := range all {
			holds.show(&all[i])
		}
		return err
	})
	slices.SortStableFunc(all, func(a, b hongyan.Message) int { return int(a.BatchRow - b.BatchRow) })
	return all, err
}

// HoldBatch holds the queued messages of a batch; see store.Batches. Where they
// wait without an end their time is kept below zero, where no claim looks.
func (s *Store) HoldBatch(ctx context.Context, batch int64, h hongyan.Hold, limit int) (int, error) {
	if h.Since.IsZero() {
		h.Since = s.Now()
	}
	return s.switchBatch(ctx, batch, hongyan.Queued, hongyan.Held, &h, limit, " AND doubt_since = 0", nil,
		"state = 1, reason = ?, hold = ?, due_at = CASE WHEN due_at > ? THEN -due_at ELSE 0 END", h.Reason, encodeHold(&h), millis(s.Now()))
}

// ReleaseBatch lets them go; see store.Batches.
func (s *Store) ReleaseBatch(ctx context.Context, batch int64, reason string, limit int) (int, error) {
	return s.switchBatch(ctx, batch, hongyan.Held, hongyan.Queued, nil, limit, " AND reason = ?", []any{reason},
		"state = 0, reason = '', hold = NULL, due_at = max(?, -due_at)", millis(s.Now()))
}

// CancelBatch ends those that wait; see store.Batches.
func (s *Store) CancelBatch(ctx context.Context, batch int64, limit int) (int, error) {
	total := 0
	for _, from := range []hongyan.State{hongyan.Queued, hongyan.Held} {
		n, err := s.switchBatch(ctx, batch, from, hongyan.Cancelled, nil, limit-total, " AND doubt_since = 0", nil,
			"state = 6, reason = '', hold = NULL")
		if total += n; err != nil || total >= limit {
			return total, err
		}
	}
	return total, nil
}

// switchBatch moves messages of a batch from one state to another, held under h (nil if not).
func (s *Store) switchBatch(ctx context.Context, batch int64, from, to hongyan.State, h *hongyan.Hold, limit int, where string, whereArgs []any, set string, args ...any) (n int, err error) {
	query := "UPDATE messages SET " + set + ", updated_at = ? WHERE seq IN (SELECT seq FROM " + batchSQL + " AND state = ?" + where + " LIMIT ? + 0) RETURNING appid, kind, seq"
	err = s.submit(ctx, &op{weight: limit, run: func(t *tx) error {
		n = 0
		all := append(append([]any(nil), args...), t.now, batch, int64(from))
		var moved []tally
		err := t.change(func(r *row) error {
			n++
			appID := r.text()
			t.moved(appID, hongyan.MessageKind(r.text()), from, to, 1)
			moved = append(moved, tally{seq: r.int64(), countKey: countKey{appID: appID}})
			return nil
		}, query, append(append(all, whereArgs...), limit)...)
		if err != nil {
			return err
		}
		return t.tellSwitched(store.NewsOfSwitch(to, h), moved)
	}})
	return n, err
}

// listBatch lists the messages of a batch, from each state's newest.
func listBatch(ctx context.Context, c *conn, holds holdIndex, f store.Filter) ([]hongyan.Message, error) {
	var newest []int64
	for _, state := range hongyan.States() {
		waits := state == hongyan.Queued && slices.Contains(f.States, hongyan.Held) // or looks as if it were held
		if len(f.States) > 0 && !slices.Contains(f.States, state) && !waits {
			continue
		}
		q := listQuery{from: "messages INDEXED BY messages_batch"}
		q.and("batch = ? AND batch <> 0 AND state = ?", f.Batch, int64(state))
		if len(f.AppIDs) > 0 {
			q.and("appid IN (SELECT value FROM json_each(?))", mustJSON(f.AppIDs))
		}
		if len(f.States) > 0 && state == hongyan.Queued {
			q.and(shownSQL, stateMask(f.States), millis(holds.now))
		}
		var err error
		if newest, err = q.merge(ctx, c, f, newest); err != nil {
			return nil, err
		}
	}
	return readBySeq(ctx, c, newest)
}
