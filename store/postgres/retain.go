package postgres

import (
	"context"
	"math"
	"time"

	"hongyan"
	"hongyan/store"
)

// Nothing here has an index of its own, as in store/sqlite: old rows are found by
// walking from the oldest, and those that still waited when a walk came by by looking at
// all old rows again. Two things differ. Several nodes may do this at once: how far each
// walk and round has come is one row of table meta, locked while a part of the work is
// done, so that they take turns and share it. And numbers come from sequences, which
// give none twice, so that the newest rows may go as well.

const (
	// retainBatch is how many rows change per transaction, and are walked over.
	retainBatch = 200
	// lookBatch is how many rows are looked at again per transaction.
	lookBatch = 2000
	// lookRows is how many rows one call looks at again for nothing.
	lookRows = 20_000
)

// How far the walks and rounds have come, by name in table meta.
const (
	payloadWalk  = "retained_payload"
	messageWalk  = "retained_messages"
	messageRound = "looked_at_messages"
	eventRound   = "looked_at_events"
)

// retaining is one call of Retain.
type retaining struct {
	*Store
	ctx  context.Context
	keep store.Retention
	part store.Retained // of the transaction under way
	done store.Retained
}

// Retain removes what has been kept long enough; see store.Store.
func (s *Store) Retain(ctx context.Context, keep store.Retention) (store.Retained, error) {
	r := &retaining{Store: s, ctx: ctx, keep: keep.Bounded()}
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

// placeSQL reads a place and keeps others from working there.
const placeSQL = `INSERT INTO meta (name, value) VALUES ($1, '0')
	ON CONFLICT (name) DO UPDATE SET value = meta.value RETURNING convert_from(value, 'UTF8')::bigint`

// number reads the greatest of what setNumber wrote under the names; 0 when there is nothing.
func (r *retaining) number(names ...string) (n int64, err error) {
	err = r.read(r.ctx, func(c conn) error {
		return c.query(r.ctx, func(row *row) error {
			n = row.int64()
			return nil
		}, "SELECT max(convert_from(value, 'UTF8')::bigint) FROM meta WHERE name = ANY($1)", names)
	})
	return n, err
}

// goOn does one part of the work at a place in a transaction, and leaves the database to
// others for as long as that took. do begins behind after and returns where the next part begins.
func (r *retaining) goOn(place string, do func(t *tx, after int64) (int64, error)) error {
	started := time.Now()
	var after int64
	lock := func(b *batch) {
		b.query(func(row *row) error {
			after = row.int64()
			return nil
		}, placeSQL, place)
	}
	err := r.transact(r.ctx, lock, func(t *tx) error {
		r.part = store.Retained{}
		next, err := do(t, after)
		if err != nil || next == after {
			return err
		}
		return t.setNumber(place, next)
	})
	if err != nil || r.part == (store.Retained{}) {
		return err
	}
	r.done.Payloads += r.part.Payloads
	r.done.Messages += r.part.Messages
	r.done.Events += r.part.Events
	select {
	case <-time.After(time.Since(started)):
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

// walk goes on from where the walk of that name ended to the first row that was
// accepted less than keep ago. One from a clock that was ahead does not stop it.
func (r *retaining) walk(name string, keep time.Duration) error {
	if keep <= 0 {
		return nil
	}
	for {
		n := 0
		err := r.goOn(name, func(t *tx, after int64) (int64, error) {
			rows, err := t.oldest(after, math.MaxInt64, retainBatch)
			n = 0
			for n < len(rows) && (rows[n].createdAt <= t.now-keep.Milliseconds() || rows[n].createdAt > t.now) {
				n++
			}
			if n == 0 {
				return after, err
			}
			return rows[n-1].seq, r.change(t, rows[:n])
		})
		if err != nil || n < retainBatch {
			return err
		}
	}
}

// round looks at old rows from where the last round stopped, and then from the first
// on, until all were looked at or enough were in vain. look acts on some rows behind after up
// to until, and returns the last of them and how many they were: 0, 0 at the end.
func (r *retaining) round(name string, look func(t *tx, after, until int64) (last int64, n int, err error)) error {
	begin, err := r.number(name)
	until, turned := int64(math.MaxInt64), false
	for vain := 0; err == nil && vain < lookRows; {
		before, n := r.done, 0
		err = r.goOn(name, func(t *tx, after int64) (last int64, err error) {
			last, n, err = look(t, after, until)
			return last, err
		})
		switch {
		case err != nil:
		case n == 0 && (turned || begin == 0):
			return nil
		case n == 0:
			until, turned = begin, true
		case r.done == before:
			vain += n
		}
	}
	return err
}

// lookAgain looks at the rows that the walks have passed.
func (r *retaining) lookAgain() error {
	if r.keep.Payload <= 0 && r.keep.Messages <= 0 {
		return nil
	}
	end, err := r.number(payloadWalk, messageWalk)
	if err != nil {
		return err
	}
	return r.round(messageRound, func(t *tx, after, until int64) (int64, int, error) {
		rows, err := t.oldest(after, min(until, end), lookBatch)
		if err != nil || len(rows) == 0 {
			return 0, 0, err
		}
		due := 0
		for i := range rows {
			if strip, remove := r.due(&rows[i], t.now); strip || remove {
				due++
			}
			if due == retainBatch {
				rows = rows[:i+1]
				break
			}
		}
		return rows[len(rows)-1].seq, len(rows), r.change(t, rows)
	})
}

// kept is what is looked at of an old row.
type kept struct {
	seq, createdAt, updatedAt int64
	state                     hongyan.State
	payload                   bool
}

// keptSQL asks for the length alone, which does not read a payload that is stored apart.
const keptSQL = `SELECT seq, created_at, updated_at, state, octet_length(payload) > 0 OR metadata IS NOT NULL
	FROM messages WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3`

// oldest reads up to limit rows behind after up to until, in the order of their age.
func (t *tx) oldest(after, until int64, limit int) (rows []kept, err error) {
	err = t.query(func(row *row) error {
		rows = append(rows, kept{row.int64(), row.int64(), row.int64(), hongyan.State(row.int()), row.bool()})
		return nil
	}, keptSQL, after, until, limit)
	return rows, err
}

// due tells what has to be done with a row.
func (r *retaining) due(k *kept, now int64) (strip, remove bool) {
	if k.state < hongyan.Uncertain { // queued, held or sending
		return false, false
	}
	old := func(keep time.Duration) bool { return keep > 0 && k.updatedAt <= now-keep.Milliseconds() }
	remove = old(r.keep.Messages)
	return k.payload && !remove && old(r.keep.Payload), remove
}

// change does what is due with rows.
func (r *retaining) change(t *tx, rows []kept) (err error) {
	var strip, remove []int64
	for i := range rows {
		switch s, gone := r.due(&rows[i], t.now); {
		case gone:
			remove = append(remove, rows[i].seq)
		case s:
			strip = append(strip, rows[i].seq)
		}
	}
	if len(strip) > 0 {
		if r.part.Payloads, err = t.exec(dropPayloadSQL, strip, t.now-r.keep.Payload.Milliseconds()); err != nil {
			return err
		}
	}
	if len(remove) > 0 {
		r.part.Messages, err = t.removeMessages(remove, t.now-r.keep.Messages.Milliseconds())
	}
	return err
}

// Rows that somebody is changing are passed over; those that changed since they were
// looked at are spared. A later round finds them.
const (
	endedSQL = `ARRAY(SELECT seq FROM messages WHERE seq = ANY($1) AND state > 2 AND updated_at <= $2
		ORDER BY seq FOR UPDATE SKIP LOCKED)`
	dropPayloadSQL   = "UPDATE messages SET payload = '', metadata = NULL WHERE seq = ANY(" + endedSQL + ")"
	removeMessageSQL = "DELETE FROM messages WHERE seq = ANY(" + endedSQL + ") RETURNING seq, appid, kind, state"
)

// removeMessages removes rows with their attempts.
func (t *tx) removeMessages(seqs []int64, before int64) (int, error) {
	var gone []int64
	err := t.query(func(r *row) error {
		gone = append(gone, r.int64())
		t.count(countKey{r.text(), hongyan.MessageKind(r.text()), hongyan.State(r.int())}, -1)
		return nil
	}, removeMessageSQL, seqs, before)
	if err != nil || len(gone) == 0 {
		return 0, err
	}
	_, err = t.exec("DELETE FROM attempts WHERE seq = ANY($1)", gone)
	return len(gone), err
}

// removableSQL: its scalar query is asked of one event at a time. PostgreSQL might
// answer a NOT EXISTS by reading all deliveries first.
const removableSQL = "processed_at > 0 AND (SELECT 1 FROM deliveries WHERE event_id = events.id LIMIT 1) IS NULL"

const keptEventSQL = "SELECT id, received_at, " + removableSQL + " FROM events WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3"

// keptEvent is what is looked at of an event.
type keptEvent struct {
	id, receivedAt int64
	removable      bool
}

// removeOldEvents removes them. Those that stay, as a paused downstream's do, are
// looked at in turn.
func (r *retaining) removeOldEvents() error {
	if r.keep.Events <= 0 {
		return nil
	}
	return r.round(eventRound, func(t *tx, after, until int64) (last int64, n int, err error) {
		rows, err := t.oldEvents(after, until, t.now-r.keep.Events.Milliseconds())
		var ids []int64
		for i := 0; i < len(rows) && len(ids) < retainBatch; i++ {
			if last, n = rows[i].id, i+1; rows[i].removable {
				ids = append(ids, last)
			}
		}
		if err == nil && len(ids) > 0 {
			r.part.Events, err = t.removeEvents(ids)
		}
		return last, n, err
	})
}

// oldEvents reads events behind after up to until, and up to the first that came later than before.
func (t *tx) oldEvents(after, until, before int64) (rows []keptEvent, err error) {
	err = t.query(func(row *row) error {
		rows = append(rows, keptEvent{row.int64(), row.int64(), row.bool()})
		return nil
	}, keptEventSQL, after, until, lookBatch)
	for i := range rows {
		if rows[i].receivedAt > before {
			return rows[:i], err
		}
	}
	return rows, err
}

// removeEvents removes events that still have no delivery. They are locked first, by a
// statement of its own: one that a replay begins while they are looked at would not be seen.
func (t *tx) removeEvents(ids []int64) (int, error) {
	var locked []int64
	err := t.query(func(r *row) error {
		locked = append(locked, r.int64())
		return nil
	}, "SELECT id FROM events WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED", ids)
	if err != nil || len(locked) == 0 {
		return 0, err
	}
	return t.exec("DELETE FROM events WHERE id = ANY($1) AND "+removableSQL, locked)
}
