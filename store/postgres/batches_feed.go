package postgres

import (
	"context"
	"errors"
	"slices"
	"strings"

	"hongyan"
	"hongyan/internal/fault"
	"hongyan/store"
)

// Feed makes rows of a batch into messages; see store.Batches.
func (s *Store) Feed(ctx context.Context, f store.Feed) ([]store.Inserted, error) {
	ins := &insertion{in: f.Messages}
	ops := []*op[*insertion]{{in: ins, weight: len(f.Messages)}}
	q := asking(ops)
	streams, err := s.numbersOf(ctx, q.streams)
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	for {
		b := insertBatch{asked: q, streamNumbers: streams}
		moved := 0
		look := func(first *batch) {
			first.exec(&moved, feedSQL, f.To, len(f.Messages), f.Late, f.Speed, f.Batch, f.From)
			b.look(first)
		}
		err := s.transact(ctx, look, func(t *tx) error {
			if moved == 0 {
				return batchMoved(f)
			}
			err := b.store(t, ops)
			if err == nil {
				err = t.noteSpan(f, b.rows)
			}
			if err == nil {
				passAll(fault.AcceptBefore, 1)
			}
			return err
		})
		if err == nil {
			passAll(fault.AcceptAfter, 1)
			return ins.out, nil
		}
		if !errors.Is(err, errKeyTaken) {
			return nil, err
		}
	}
}

// feedSQL moves a running batch on. It comes first, so that whoever pauses the batch
// waits for the end of this step or makes it do nothing.
const feedSQL = `UPDATE batches SET next_row = $1, fed = fed + $2, late = late + $3, speed = $4, fed_at = (SELECT hongyan_now())
	WHERE seq = $5 AND next_row = $6 AND state = 2`

func batchMoved(f store.Feed) error {
	return hongyan.Errorf(hongyan.Conflict, "batch_moved", "row %d of the batch is not the next one, or the batch is not running", f.From)
}

// noteSpan notes between which messages those of the chunk are, and what the chunk says
// of rows refused late.
func (t *tx) noteSpan(f store.Feed, rows []newRow) error {
	var q batch
	if len(rows) > 0 {
		low, high := rows[0].Seq, rows[0].Seq
		for _, r := range rows {
			low, high = min(low, r.Seq), max(high, r.Seq)
		}
		q.exec(nil, `INSERT INTO batch_spans (batch, first, first_seq, last_seq) VALUES ($1, $2, $3, $4)
			ON CONFLICT (batch, first) DO UPDATE SET first_seq = least(batch_spans.first_seq, excluded.first_seq),
				last_seq = greatest(batch_spans.last_seq, excluded.last_seq)`, f.Batch, f.First, low, high)
	}
	if f.Rewritten != nil {
		q.execAll(1, "UPDATE batch_chunks SET bad = $1, data = coalesce($2, ''::bytea) WHERE batch = $3 AND first = $4",
			int32(f.Rewritten.Bad), f.Rewritten.Data, f.Batch, f.First)
	}
	return t.run(&q)
}

// BatchCounts counts the messages of a batch by state; see store.Batches.
func (s *Store) BatchCounts(ctx context.Context, number int64) (counts map[hongyan.State]int64, err error) {
	err = s.snapshot(ctx, func(c conn) error {
		counts = make(map[hongyan.State]int64)
		err := c.query(ctx, func(r *row) error {
			counts[hongyan.State(r.int())] = r.int64()
			return nil
		}, "SELECT state, count(*) FROM messages WHERE batch = $1 AND batch <> 0 GROUP BY state", number)
		if err != nil || counts[hongyan.Queued] == 0 {
			return err
		}
		holds, err := s.loadHolds(ctx, c)
		if err != nil {
			return err
		}
		q := listQuery{}
		q.and("batch = " + q.arg(number) + " AND batch <> 0 AND state = 0")
		q.and(q.shown(holds, []hongyan.State{hongyan.Held}))
		return c.query(ctx, func(r *row) error {
			held := r.int64()
			counts[hongyan.Queued] -= held
			counts[hongyan.Held] += held
			return nil
		}, "SELECT count(*) FROM messages WHERE "+q.where+"true", q.args...)
	})
	return counts, err
}

// BatchWaiting counts those that have not left; see store.Batches.
func (s *Store) BatchWaiting(ctx context.Context, number int64) (n int64, err error) {
	err = s.read(ctx, func(c conn) error {
		return c.query(ctx, func(r *row) error { n = r.int64(); return nil }, "SELECT count(*) FROM messages WHERE batch = $1 AND batch <> 0 AND state < 3", number)
	})
	return n, err
}

// resultColumns are messageColumns without the long ones.
var resultColumns = strings.TrimSuffix(messageColumns, "metadata, payload") + "NULL::bytea, NULL::bytea"

// ChunkMessages lists the messages of a chunk; see store.Batches.
func (s *Store) ChunkMessages(ctx context.Context, k store.Chunk) (all []hongyan.Message, err error) {
	if k.LastSeq == 0 {
		return nil, nil
	}
	err = s.snapshot(ctx, func(c conn) error {
		all = nil
		holds, err := s.loadHolds(ctx, c)
		if err != nil {
			return err
		}
		err = c.query(ctx, collect(&all), "SELECT "+resultColumns+` FROM messages
			WHERE seq BETWEEN $1 AND $2 AND batch + 0 = $3 AND batch_row BETWEEN $4 AND $5 ORDER BY seq`, k.FirstSeq, k.LastSeq, k.Batch, k.First, k.Last())
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
func (s *Store) HoldBatch(ctx context.Context, number int64, h hongyan.Hold, limit int) (int, error) {
	if h.Since.IsZero() {
		h.Since = s.Now()
	}
	return s.switchBatch(ctx, hongyan.Queued, hongyan.Held, &h, `WITH found AS (SELECT seq AS found_seq FROM messages
			WHERE batch = $1 AND batch <> 0 AND state = 0 AND doubt_since = 0 LIMIT $2 FOR UPDATE)
		UPDATE messages SET state = 1, reason = $3, hold = $4, updated_at = (SELECT hongyan_now()),
			due_at = CASE WHEN due_at > (SELECT hongyan_now()) THEN -due_at ELSE 0 END
		WHERE seq = ANY(ARRAY(SELECT found_seq FROM found)) RETURNING appid, kind, seq`, number, limit, h.Reason, encodeHold(&h))
}

// ReleaseBatch lets them go; see store.Batches.
func (s *Store) ReleaseBatch(ctx context.Context, number int64, reason string, limit int) (int, error) {
	return s.switchBatch(ctx, hongyan.Held, hongyan.Queued, nil, `WITH found AS (SELECT seq AS found_seq FROM messages
			WHERE batch = $1 AND batch <> 0 AND state = 1 AND reason = $3 LIMIT $2 FOR UPDATE)
		UPDATE messages SET state = 0, reason = '', hold = NULL, updated_at = (SELECT hongyan_now()), due_at = greatest((SELECT hongyan_now()), -due_at)
		WHERE seq = ANY(ARRAY(SELECT found_seq FROM found)) RETURNING appid, kind, seq`, number, limit, reason)
}

// CancelBatch ends those that wait; see store.Batches.
func (s *Store) CancelBatch(ctx context.Context, number int64, limit int) (int, error) {
	total := 0
	for _, from := range []hongyan.State{hongyan.Queued, hongyan.Held} {
		n, err := s.switchBatch(ctx, from, hongyan.Cancelled, nil, `WITH found AS (SELECT seq AS found_seq FROM messages
				WHERE batch = $1 AND batch <> 0 AND state = $3 AND doubt_since = 0 LIMIT $2 FOR UPDATE)
			UPDATE messages SET state = 6, reason = '', hold = NULL, updated_at = (SELECT hongyan_now())
			WHERE seq = ANY(ARRAY(SELECT found_seq FROM found)) RETURNING appid, kind, seq`, number, limit-total, int16(from))
		if total += n; err != nil || total >= limit {
			return total, err
		}
	}
	return total, nil
}

// switchBatch moves messages of a batch from one state to another, held under h (nil if not).
func (s *Store) switchBatch(ctx context.Context, from, to hongyan.State, h *hongyan.Hold, sql string, args ...any) (n int, err error) {
	news := store.NewsOfSwitch(to, h)
	err = s.write(ctx, func(t *tx) error {
		n = 0
		return t.query(func(r *row) error {
			n++
			appID := r.text()
			t.moved(appID, hongyan.MessageKind(r.text()), from, to, 1)
			t.tell(news.Type, appID, r.int64(), func() any { return news.Change })
			t.notices.add(store.NoticeMessages, appID)
			return nil
		}, sql, args...)
	})
	return n, err
}

// listBatch lists the messages of a batch, from each state's newest.
func listBatch(ctx context.Context, c conn, holds holdIndex, f store.Filter) ([]hongyan.Message, error) {
	var newest []int64
	for _, state := range hongyan.States() {
		waits := state == hongyan.Queued && slices.Contains(f.States, hongyan.Held) // or looks as if it were held
		if len(f.States) > 0 && !slices.Contains(f.States, state) && !waits {
			continue
		}
		q := listQuery{from: "messages"}
		q.and("batch = " + q.arg(f.Batch) + " AND batch <> 0 AND state = " + q.arg(int16(state)))
		if len(f.AppIDs) > 0 {
			q.and("appid = ANY(" + q.arg(f.AppIDs) + ")")
		}
		if len(f.States) > 0 && state == hongyan.Queued {
			q.and(q.shown(holds, f.States))
		}
		var err error
		if newest, err = q.merge(ctx, c, f, newest); err != nil {
			return nil, err
		}
	}
	return readBySeq(ctx, c, newest)
}
