package sqlite

import (
	"context"
	"time"

	"hongyan"
	"hongyan/store"
)

// Cancel ends a waiting message; see store.Messages.
func (s *Store) Cancel(ctx context.Context, id string) (m hongyan.Message, err error) {
	err = s.write(ctx, func(t *tx) (err error) {
		if m, err = t.messageByID(id); err != nil {
			return err
		}
		return t.cancel(&m)
	})
	return m, err
}

func (t *tx) cancel(m *hongyan.Message) error {
	if !m.State.Waiting() {
		return wrongState("cancelled", m)
	}
	if !m.DoubtSince.IsZero() {
		return hongyan.Errorf(hongyan.Conflict, "in_doubt", "message %s may have been sent already and cannot be cancelled", m.ID)
	}
	if err := t.execAll(1, "UPDATE messages SET state = 6, reason = '', hold = NULL, updated_at = ? WHERE seq = ?", t.now, m.Seq); err != nil {
		return err
	}
	t.moved(m.AppID, m.Kind, m.State, hongyan.Cancelled, 1)
	m.State, m.Reason, m.Hold, m.UpdatedAt = hongyan.Cancelled, "", nil, fromMillis(t.now)
	return t.tellMessage(m, hongyan.NewsCancelled)
}

// tally is what the counters need of a changed row.
type tally struct {
	seq int64
	countKey
	reason string
}

func scanTally(r *row) tally {
	return tally{r.int64(), countKey{r.text(), hongyan.MessageKind(r.text()), hongyan.State(r.int())}, r.text()}
}

const expireSQL = `SELECT seq, appid, kind, state, reason FROM messages INDEXED BY messages_expiry
	WHERE expires_at > 0 AND expires_at <= ? AND state < 2 AND doubt_since = 0 ORDER BY expires_at LIMIT ? + 0`

// Expire ends waiting messages whose time is over; see store.Messages. The
// reason a message waited for stays with it.
func (s *Store) Expire(ctx context.Context, limit int) (int, error) {
	n := 0
	err := s.submit(ctx, &op{weight: limit, run: func(t *tx) error {
		var seqs []int64
		var late []tally
		err := t.query(func(r *row) error {
			row := scanTally(r)
			seqs, late = append(seqs, row.seq), append(late, row)
			t.moved(row.appID, row.kind, row.state, hongyan.Expired, 1)
			return nil
		}, expireSQL, t.now, limit)
		n = len(seqs)
		if err != nil {
			return err
		}
		if err := t.tellExpired(late); err != nil {
			return err
		}
		return t.execSeqs("UPDATE messages SET state = 7, hold = NULL, updated_at = ? WHERE seq IN ", seqs, t.now)
	}})
	return n, err
}

// HoldTemplate holds the queued messages of a template; see store.Messages. One
// in doubt goes on, to settle inside its window; one scheduled for later keeps
// its time. Without an end to wait for that is kept below zero, where no claim looks.
func (s *Store) HoldTemplate(ctx context.Context, templateID string, h hongyan.Hold, limit int) (int, error) {
	if h.Since.IsZero() {
		h.Since = s.Now()
	}
	h.Since, h.Until = hongyan.Millis(h.Since), hongyan.Millis(h.Until)
	set := "state = 1, reason = ?, hold = ?, due_at = CASE WHEN ? > 0 THEN max(due_at, ?) WHEN due_at > ? THEN -due_at ELSE 0 END"
	return s.switchTemplate(ctx, templateSwitch{
		from: hongyan.Queued, to: hongyan.Held, appID: h.AppID, templateID: templateID, limit: limit,
		where: " AND doubt_since = 0", // one in doubt must settle inside its window
		hold:  &h, set: set, args: []any{h.Reason, encodeHold(&h), millis(h.Until), millis(h.Until), millis(s.Now())},
	})
}

// ReleaseTemplate makes held messages of a template queued again; see
// store.Messages. A zero due is now.
func (s *Store) ReleaseTemplate(ctx context.Context, appID, templateID, reason string, due time.Time, limit int) (int, error) {
	if due.IsZero() {
		due = s.Now()
	}
	return s.switchTemplate(ctx, templateSwitch{
		from: hongyan.Held, to: hongyan.Queued, appID: appID, templateID: templateID, limit: limit,
		where: " AND reason = ?", whereArgs: []any{reason},
		set: "state = 0, reason = '', hold = NULL, due_at = max(?, -due_at)", args: []any{millis(due)},
	})
}

// templateSwitch moves messages of a template from one state to another.
type templateSwitch struct {
	from, to          hongyan.State
	appID, templateID string
	where             string // further condition
	whereArgs         []any
	hold              *hongyan.Hold // what they are held under; nil = released
	set               string
	args              []any
	limit             int
}

// switchTemplate looks for the rows on a reading connection, as that may mean
// looking through a whole backlog, and lets the writer change those that are
// still in the same state.
func (s *Store) switchTemplate(ctx context.Context, sw templateSwitch) (int, error) {
	for {
		seqs, err := s.templateRows(ctx, sw)
		if err != nil || len(seqs) == 0 {
			return 0, err
		}
		n := 0
		err = s.submit(ctx, &op{weight: len(seqs), run: func(t *tx) (err error) {
			n, err = t.switchRows(sw, seqs)
			return err
		}})
		if err != nil || n > 0 {
			return n, err
		}
	}
}

func (s *Store) templateRows(ctx context.Context, sw templateSwitch) (seqs []int64, err error) {
	args := append([]any{sw.appID, sw.templateID}, sw.whereArgs...)
	query := queuedOfTemplateSQL
	if sw.from == hongyan.Held {
		query = heldOfTemplateSQL
	}
	err = s.read(ctx, func(c *conn) error {
		return c.query(ctx, func(r *row) error {
			seqs = append(seqs, r.int64())
			return nil
		}, query+sw.where+" LIMIT ? + 0", append(args, sw.limit)...)
	})
	return seqs, err
}

const (
	queuedOfTemplateSQL = `SELECT seq FROM messages INDEXED BY messages_queue
		WHERE stream IN (SELECT stream FROM streams WHERE appid = ?) AND due_at > 0 AND state < 2 AND state = 0 AND template_id = ?`
	heldOfTemplateSQL = `SELECT seq FROM messages INDEXED BY messages_rare
		WHERE stream IN (SELECT stream FROM streams WHERE appid = ?) AND state = 1 AND ` + rareSQL + ` AND ? IN (template_id, '')`
)

func (t *tx) switchRows(sw templateSwitch, seqs []int64) (int, error) {
	n := 0
	var moved []tally
	query := "UPDATE messages SET " + sw.set + ", updated_at = ? WHERE seq = ? AND state = ?" + sw.where + " RETURNING kind"
	for _, seq := range seqs {
		args := append(append([]any(nil), sw.args...), t.now, seq, int64(sw.from))
		err := t.query(func(r *row) error {
			n++
			t.writes++
			moved = append(moved, tally{seq: seq, countKey: countKey{appID: sw.appID}})
			t.moved(sw.appID, hongyan.MessageKind(r.text()), sw.from, sw.to, 1)
			return nil
		}, query, append(args, sw.whereArgs...)...)
		if err != nil {
			return n, err
		}
	}
	return n, t.tellSwitched(store.NewsOfSwitch(sw.to, sw.hold), moved)
}
