package sqlite

import (
	"context"
	"time"

	"hongyan"
	"hongyan/store"
)

// insertion is one call of InsertMessages on its way through the writer.
type insertion struct {
	in  []store.NewMessage
	out []store.Inserted
}

// InsertMessages stores messages; see store.Messages.
//
// A message asking to be leased by a node that is not alive any more is stored
// queued instead (Epoch 0): nobody holds it, so anybody may claim it.
func (s *Store) InsertMessages(ctx context.Context, ms []store.NewMessage) ([]store.Inserted, error) {
	if len(ms) == 0 {
		return nil, nil
	}
	ins := &insertion{in: ms}
	if err := s.submit(ctx, &op{insert: ins, weight: len(ms)}); err != nil {
		return nil, err
	}
	s.showHolds(ctx, ins.out)
	return ins.out, nil
}

// showHolds makes replayed messages look as Message would show them, if the
// holds can be read: what is stored is stored, and an error would deny it.
func (s *Store) showHolds(ctx context.Context, out []store.Inserted) {
	var holds holdIndex
	for i := range out {
		if out[i].Outcome == store.InsertedNew || out[i].Message.State != hongyan.Queued {
			continue
		}
		if holds.holds == nil {
			err := s.read(ctx, func(c *conn) (err error) {
				holds, err = loadHolds(ctx, c)
				return err
			})
			if err != nil {
				return
			}
		}
		holds.show(&out[i].Message)
	}
}

// insertBatch collects the new rows of a transaction.
type insertBatch struct {
	t       *tx
	rows    []newRow
	keys    map[idempotencyKey]pendingKey
	clients map[clientKey]*hongyan.Message
}

// newRow is a message to write and the number of its stream.
type newRow struct {
	*hongyan.Message
	stream int64
}

type idempotencyKey struct{ caller, key string }

type pendingKey struct {
	hash [32]byte
	m    *hongyan.Message
}

type clientKey struct{ appID, toUser, clientMsgID string }

// insertAll stores the messages of all insertions of the group together.
func (t *tx) insertAll(group []*op) error {
	b := insertBatch{t: t}
	for _, o := range group {
		if o.insert == nil {
			continue
		}
		o.insert.out = make([]store.Inserted, len(o.insert.in))
		for i := range o.insert.in {
			if err := b.add(&o.insert.in[i], &o.insert.out[i]); err != nil {
				return alone(err)
			}
		}
	}
	if len(b.rows) == 0 {
		return nil
	}
	return alone(b.flush())
}

// alone marks an error of a merged statement: nobody can tell whose it was.
func alone(err error) error {
	if err == nil || isTrouble(err) {
		return err
	}
	return errAlone{err}
}

// add decides what becomes of one message.
func (b *insertBatch) add(n *store.NewMessage, out *store.Inserted) error {
	if n.IdempotencyKey != "" {
		done, err := b.replay(n, out)
		if done || err != nil {
			return err
		}
	}
	if n.Message.CallerMsgID {
		done, err := b.duplicate(n, out)
		if err != nil {
			return err
		}
		if done {
			return b.remember(n, &out.Message)
		}
	}
	if !b.t.accounts[n.Message.AppID] {
		out.Outcome = store.InsertedNoAccount
		return nil
	}
	out.Outcome = store.InsertedNew
	out.Message = n.Message
	m := &out.Message
	b.t.prepareMessage(m)
	stream, err := b.t.streamOf(m.AppID, m.Kind)
	if err != nil {
		return err
	}
	b.rows = append(b.rows, newRow{m, stream})
	if m.State == hongyan.Held {
		if err := b.t.tellMessage(m, hongyan.NewsHeld); err != nil {
			return err
		}
	}
	if m.CallerMsgID {
		if b.clients == nil {
			b.clients = make(map[clientKey]*hongyan.Message)
		}
		b.clients[clientKey{m.AppID, m.ToUser, m.ClientMsgID}] = m
	}
	return b.remember(n, m)
}

// prepareMessage gives a new message its row number and what goes with its state.
func (t *tx) prepareMessage(m *hongyan.Message) {
	now := fromMillis(t.now)
	normalise(m)
	m.Seq = t.nextSeq
	t.nextSeq++
	m.UpdatedAt = now
	if m.CreatedAt.IsZero() {
		m.CreatedAt = now
	}
	m.Attempts, m.FirstAt = 0, time.Time{}
	switch {
	case m.Epoch != 0 && m.Epoch == t.epoch:
		m.State, m.Attempts, m.FirstAt, m.Reason, m.Hold = hongyan.Sending, 1, now, "", nil
	case m.Epoch != 0:
		m.Epoch, m.State = 0, hongyan.Queued
	}
	if m.State != hongyan.Held && m.DueAt.IsZero() {
		m.DueAt = now
	}
	t.count(countKey{m.AppID, m.Kind, m.State}, 1)
}

// flush writes the collected rows, as many plain ones per statement as there
// are of one shape in a row.
func (b *insertBatch) flush() error {
	args := make([]any, 0, plainChunk*plainColumns)
	for rows := b.rows; len(rows) > 0; {
		query, n := insertSQL, 1
		if sh, plain := shapeOf(rows[0].Message); plain {
			n = sh.run(rows)
			query = b.t.plainSQL(sh, n)
			args = appendPlain(args[:0], rows[:n])
		} else {
			args = appendInsert(args[:0], rows[0])
		}
		if err := b.t.execAll(n, query, args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// insertSQL inserts any message. OR FAIL: an error undoes the transaction
// anyway, so SQLite need not keep a journal for the statement alone. A payload
// is never NULL; the driver would make the empty one so. A client_msg_id of
// NULL is the id, an updated_at of 0 is created_at.
const insertSQL = `INSERT OR FAIL INTO messages (
	seq, id, stream, appid, kind, touser, template_id, client_msg_id, caller_msg_id, priority, retry_of, caller_id,
	state, reason, created_at, due_at, expires_at, updated_at, epoch, attempts, first_at, hold, metadata, batch, batch_row, payload)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, coalesce(?, x''))`

func appendInsert(args []any, m newRow) []any {
	return append(args, m.Seq, m.ID, m.stream, m.AppID, string(m.Kind), m.ToUser, m.TemplateID, m.ClientMsgID, m.CallerMsgID,
		int64(m.Priority), m.RetryOf, m.CallerID, int64(m.State), m.Reason, millis(m.CreatedAt), millis(m.DueAt),
		millis(m.ExpiresAt), millis(m.UpdatedAt), m.Epoch, m.Attempts, millis(m.FirstAt),
		encodeHold(m.Hold), m.Metadata, m.Batch, m.BatchRow, m.Payload)
}
