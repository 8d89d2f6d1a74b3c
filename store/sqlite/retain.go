package sqlite

import (
	"context"
	"time"

	"hongyan"
	"hongyan/store"
)

// Nothing here has an index of its own: one would be written with every message
// on its way, for the sake of a removal weeks later. Rows are numbered in the order
// of acceptance, so the old ones are found by walking from the oldest. How far each
// walk has come is kept in table meta. What was still waiting when a walk came by is
// found by looking at all old rows again, a few thousand with each call.

const (
	// retainBatch is how many rows are looked at, and change, per transaction.
	retainBatch = 200
	// againRows is how many old rows one call looks at again for nothing: about
	// 20 ms, so that ten million are looked at within a day.
	againRows = 20_000

	// The names of how far the walks have come, in table meta.
	payloadWalk = "retained_payload"
	messageWalk = "retained_messages"
)

// again is where the next call goes on looking at what was looked at before.
type again struct {
	messages int64
	events   int64
}

// retaining is one call of Retain.
type retaining struct {
	*Store
	again
	ctx  context.Context
	keep store.Retention
	now  int64
	done store.Retained
}

// Retain removes what has been kept long enough; see store.Store.
func (s *Store) Retain(ctx context.Context, keep store.Retention) (store.Retained, error) {
	r := &retaining{Store: s, ctx: ctx, keep: keep.Bounded(), now: millis(s.Now())}
	select {
	case r.again = <-s.again: // one call at a time
	case <-ctx.Done():
		return r.done, ctx.Err()
	}
	defer func() { s.again <- r.again }()
	for _, step := range []func() error{
		func() error { return r.walk(messageWalk, r.keep.Messages) },
		func() error { return r.walk(payloadWalk, r.keep.Payload) },
		r.lookAgain,
		r.removeOldEvents,
		r.removeBatches,
	} {
		if err := step(); err != nil {
			return r.done, err
		}
	}
	return r.done, nil
}

// kept is what is looked at of an old row.
type kept struct {
	seq, createdAt, updatedAt int64
	state                     hongyan.State
	payload                   bool
}

// oldest reads up to a batch of rows behind after, in the order of their age.
func (r *retaining) oldest(after int64) (rows []kept, err error) {
	err = r.read(r.ctx, func(c *conn) error {
		return c.query(r.ctx, func(row *row) error {
			rows = append(rows, kept{row.int64(), row.int64(), row.int64(), hongyan.State(row.int()), row.bool()})
			return nil
		}, keptSQL, after, retainBatch)
	})
	return rows, err
}

// keptSQL asks for the length alone, which does not read the payload.
const keptSQL = `SELECT seq, created_at, updated_at, state, length(payload) > 0 OR metadata IS NOT NULL
	FROM messages NOT INDEXED WHERE seq > ? ORDER BY seq LIMIT ? + 0`

// walk goes on from where the walk of that name ended to the first row that was
// accepted less than keep ago. One from a clock that was ahead does not stop it.
func (r *retaining) walk(name string, keep time.Duration) error {
	if keep <= 0 {
		return nil
	}
	after, err := r.number(name)
	for err == nil {
		var rows []kept
		if rows, err = r.oldest(after); err != nil {
			break
		}
		n := 0
		for n < len(rows) && (rows[n].createdAt <= r.now-keep.Milliseconds() || rows[n].createdAt > r.now) {
			n++
		}
		if n == 0 {
			return nil
		}
		after = rows[n-1].seq
		err = r.change(rows[:n], name)
	}
	return err
}

func (r *retaining) number(name string) (n int64, err error) {
	err = r.read(r.ctx, func(c *conn) (err error) {
		n, err = loadNumber(r.ctx, c, name)
		return err
	})
	return n, err
}

// lookAgain goes round the rows that the walks have passed, until all were looked
// at or enough were in vain.
func (r *retaining) lookAgain() error {
	if r.keep.Payload <= 0 && r.keep.Messages <= 0 {
		return nil
	}
	byPayload, err := r.number(payloadWalk)
	if err != nil {
		return err
	}
	end, err := r.number(messageWalk)
	if err != nil {
		return err
	}
	end = max(end, byPayload)
	begin, turned := r.messages, false
	for vain := 0; vain < againRows; {
		rows, err := r.oldest(r.messages)
		if err != nil {
			return err
		}
		for len(rows) > 0 && (rows[len(rows)-1].seq > end || turned && rows[len(rows)-1].seq > begin) {
			rows = rows[:len(rows)-1]
		}
		if len(rows) == 0 {
			if turned || begin == 0 {
				r.messages = 0
				return nil
			}
			turned, r.messages = true, 0
			continue
		}
		before := r.done
		if err := r.change(rows, ""); err != nil {
			return err
		}
		if r.done == before {
			vain += len(rows)
		}
		r.messages = rows[len(rows)-1].seq
	}
	return nil
}

// due tells what has to be done with a row.
func (r *retaining) due(k *kept) (strip, remove bool) {
	if k.state < hongyan.Uncertain { // queued, held or sending
		return false, false
	}
	old := func(keep time.Duration) bool { return keep > 0 && k.updatedAt <= r.now-keep.Milliseconds() }
	remove = old(r.keep.Messages)
	return k.payload && !remove && old(r.keep.Payload), remove
}

// change does what is due with rows and notes that the walk of that name ("" =
// none) has passed them.
func (r *retaining) change(rows []kept, walk string) error {
	var strip, remove []int64
	for i := range rows {
		switch s, gone := r.due(&rows[i]); {
		case gone:
			remove = append(remove, rows[i].seq)
		case s:
			strip = append(strip, rows[i].seq)
		}
	}
	if len(strip) == 0 && len(remove) == 0 && walk == "" {
		return nil
	}
	var done store.Retained
	err := r.gently(len(strip)+len(remove), func(t *tx) (err error) {
		done = store.Retained{}
		if done.Payloads, err = t.dropPayloads(strip, r.now-r.keep.Payload.Milliseconds()); err != nil {
			return err
		}
		if done.Messages, err = t.removeMessages(remove, r.now-r.keep.Messages.Milliseconds()); err != nil || walk == "" {
			return err
		}
		return t.setNumber(walk, rows[len(rows)-1].seq)
	})
	r.done.Payloads += done.Payloads
	r.done.Messages += done.Messages
	return err
}

// gently runs a transaction and then leaves the writer to others for as long as it took.
func (r *retaining) gently(weight int, run func(*tx) error) error {
	started := time.Now()
	if err := r.submit(r.ctx, &op{weight: weight + 1, run: run}); err != nil {
		return err
	}
	select {
	case <-time.After(time.Since(started)):
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

// dropPayloads takes body and metadata from rows that have not changed since.
func (t *tx) dropPayloads(seqs []int64, before int64) (total int, err error) {
	for _, seq := range seqs {
		n, err := t.exec(dropPayloadSQL, seq, before)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

const (
	dropPayloadSQL   = "UPDATE messages SET payload = x'', metadata = NULL WHERE seq = ? AND state > 2 AND updated_at <= ?"
	removeMessageSQL = "DELETE FROM messages WHERE seq = ? AND state > 2 AND updated_at <= ? RETURNING appid, kind, state"
)

// removeMessages removes rows that have not changed since, with their attempts.
func (t *tx) removeMessages(seqs []int64, before int64) (total int, err error) {
	for _, seq := range seqs {
		gone := false
		err := t.change(func(r *row) error {
			gone = true
			t.count(countKey{r.text(), hongyan.MessageKind(r.text()), hongyan.State(r.int())}, -1)
			return nil
		}, removeMessageSQL, seq, before)
		if err != nil || !gone {
			if err != nil {
				return total, err
			}
			continue
		}
		total++
		if _, err := t.exec("DELETE FROM attempts WHERE seq = ?", seq); err != nil {
			return total, err
		}
		if seq+1 == t.nextSeq {
			if err := t.setNumber(seqFloor, t.nextSeq); err != nil {
				return total, err
			}
		}
	}
	return total, nil
}

// keptEvent is what is looked at of an event.
type keptEvent struct {
	id, receivedAt int64
	removable      bool
}

// removable events are processed, have no delivery, and are not the newest, whose
// number must not be used again.
const (
	removableSQL   = `processed_at > 0 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event_id = events.id) AND id < (SELECT max(id) FROM events)`
	keptEventSQL   = "SELECT id, received_at, " + removableSQL + " FROM events WHERE id > ? ORDER BY id LIMIT ? + 0"
	removeEventSQL = "DELETE FROM events WHERE id = ? AND " + removableSQL
)

// removeOldEvents removes them. Those that stay, as a paused downstream's do, are
// looked at in turn.
func (r *retaining) removeOldEvents() error {
	if r.keep.Events <= 0 {
		return nil
	}
	begin, turned := r.events, false
	for vain := 0; vain < againRows; {
		rows, err := r.oldEvents(r.events)
		if err != nil {
			return err
		}
		for turned && len(rows) > 0 && rows[len(rows)-1].id > begin {
			rows = rows[:len(rows)-1]
		}
		if len(rows) == 0 {
			if turned || begin == 0 {
				r.events = 0
				return nil
			}
			turned, r.events = true, 0
			continue
		}
		n, err := r.removeEvents(rows)
		if err != nil {
			return err
		}
		if r.done.Events += n; n == 0 {
			vain += len(rows)
		}
		r.events = rows[len(rows)-1].id
	}
	return nil
}

func (r *retaining) oldEvents(after int64) (rows []keptEvent, err error) {
	err = r.read(r.ctx, func(c *conn) error {
		return c.query(r.ctx, func(row *row) error {
			rows = append(rows, keptEvent{row.int64(), row.int64(), row.bool()})
			return nil
		}, keptEventSQL, after, retainBatch)
	})
	for i := range rows {
		if rows[i].receivedAt > r.now-r.keep.Events.Milliseconds() {
			return rows[:i], err
		}
	}
	return rows, err
}

func (r *retaining) removeEvents(rows []keptEvent) (int, error) {
	var ids []int64
	for _, k := range rows {
		if k.removable {
			ids = append(ids, k.id)
		}
	}
	if len(ids) == 0 {
		return 0, nil
	}
	total := 0
	err := r.gently(len(ids), func(t *tx) error {
		total = 0
		for _, id := range ids {
			n, err := t.exec(removeEventSQL, id)
			total += n
			if err != nil {
				return err
			}
		}
		return nil
	})
	return total, err
}
