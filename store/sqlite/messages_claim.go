package sqlite

import (
	"context"

	"hongyan"
	"hongyan/store"
)

// Claim leases due messages to a node; see store.Messages. Account holds do
// not matter here: the caller asks for no streams it knows to be held.
func (s *Store) Claim(ctx context.Context, epoch int64, wants []store.Want) ([]hongyan.Message, error) {
	var claimed []hongyan.Message
	weight := 0
	for _, w := range wants {
		weight += w.Max
	}
	err := s.submit(ctx, &op{weight: weight, run: func(t *tx) (err error) {
		claimed, err = t.claim(epoch, wants)
		return err
	}})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// claimSQL finds one lane of a stream. Lanes are asked for one by one: with a
// range of priorities the index would be read past all that is due later.
const claimSQL = "SELECT " + freshColumns + ` FROM messages INDEXED BY messages_queue
	WHERE stream = ? AND priority = ? AND due_at <= ? AND due_at >= ? AND due_at > 0 AND state < 2
	ORDER BY due_at, seq LIMIT ? + 0`

func (t *tx) claim(epoch int64, wants []store.Want) ([]hongyan.Message, error) {
	if err := t.checkAlive(epoch); err != nil {
		return nil, err
	}
	var all []hongyan.Message
	for _, w := range wants {
		room := w.Max
		stream, ok := t.streams.numbers[streamKey{w.AppID, w.Kind}]
		if !ok {
			continue
		}
		for lane := hongyan.Urgent; lane <= hongyan.Bulk && room > 0; lane++ {
			before := len(all)
			err := t.query(collectFresh(&all), claimSQL, stream, int64(lane), t.now, earliest(w, lane), room)
			if err != nil {
				return nil, err
			}
			if err := t.completeTried(all[before:]); err != nil {
				return nil, err
			}
			// At once, or a second want for the same stream would find them again.
			if err := t.lease(epoch, all[before:]); err != nil {
				return nil, err
			}
			room -= len(all) - before
		}
	}
	return all, nil
}

// earliest is the least due time a want takes from a lane; see Want.NotBefore.
func earliest(w store.Want, lane hongyan.Priority) int64 {
	if lane == hongyan.Urgent {
		return 0
	}
	return millis(w.NotBefore)
}

// freshColumns are all there is to know of a queued message that was never
// tried. Nearly all claimed messages are such, and reading a column costs.
const freshColumns = `seq, id, appid, kind, touser, template_id, coalesce(client_msg_id, id), caller_msg_id, priority, retry_of, caller_id,
	state, reason, created_at, due_at, expires_at, attempts, own_msgid, batch, batch_row, metadata, payload`

func collectFresh(all *[]hongyan.Message) func(*row) error {
	return func(r *row) error {
		*all = append(*all, hongyan.Message{
			Seq: r.int64(), ID: r.text(), AppID: r.text(), Kind: hongyan.MessageKind(r.text()), ToUser: r.text(),
			TemplateID: r.text(), ClientMsgID: r.text(), CallerMsgID: r.bool(), Priority: hongyan.Priority(r.int()),
			RetryOf: r.text(), CallerID: r.text(), State: hongyan.State(r.int()), Reason: r.text(),
			CreatedAt: r.time(), DueAt: r.time(), ExpiresAt: r.time(), Attempts: r.int(), OwnMsgID: r.int64(), Batch: r.int64(), BatchRow: r.int64(), Metadata: r.bytes(), Payload: r.bytes(),
		})
		return nil
	}
}

// completeTried reads the messages among ms that are not fresh in whole.
func (t *tx) completeTried(ms []hongyan.Message) (err error) {
	for i := range ms {
		if ms[i].Attempts == 0 && ms[i].State == hongyan.Queued {
			continue
		}
		if ms[i], err = t.messageBySeq(ms[i].Seq); err != nil {
			return err
		}
	}
	return nil
}

// leaseSQL makes waiting rows sending. A held row's reason was its hold's. One
// claimed by hand may have no due time, or a later one: it is due now.
const leaseSQL = `UPDATE OR FAIL messages SET epoch = ?, updated_at = ?, attempts = attempts + 1,
	first_at = CASE first_at WHEN 0 THEN ? ELSE first_at END, due_at = CASE WHEN due_at BETWEEN 1 AND ? THEN due_at ELSE ? END,
	reason = CASE state WHEN 1 THEN '' ELSE reason END, hold = NULL, state = 2
	WHERE seq IN `

// lease leases waiting messages, in the database and in ms.
func (t *tx) lease(epoch int64, ms []hongyan.Message) error {
	if len(ms) == 0 {
		return nil
	}
	now := fromMillis(t.now)
	seqs := make([]int64, len(ms))
	for i := range ms {
		m := &ms[i]
		seqs[i] = m.Seq
		t.moved(m.AppID, m.Kind, m.State, hongyan.Sending, 1)
		if m.State == hongyan.Held {
			m.Reason = ""
		}
		if m.FirstAt.IsZero() {
			m.FirstAt = now
		}
		if m.DueAt.IsZero() || m.DueAt.After(now) {
			m.DueAt = now
		}
		m.State, m.Hold, m.Epoch, m.UpdatedAt = hongyan.Sending, nil, epoch, now
		m.Attempts++
	}
	return t.execSeqs(leaseSQL, seqs, epoch, t.now, t.now, t.now, t.now)
}

// ClaimOne leases one waiting message whatever its due time; see store.Messages.
func (s *Store) ClaimOne(ctx context.Context, epoch int64, id string) (hongyan.Message, error) {
	one := make([]hongyan.Message, 1)
	err := s.write(ctx, func(t *tx) (err error) {
		if err := t.checkAlive(epoch); err != nil {
			return err
		}
		if one[0], err = t.messageByID(id); err != nil {
			return err
		}
		if !one[0].State.Waiting() {
			return wrongState("claimed", &one[0])
		}
		return t.lease(epoch, one)
	})
	return one[0], err
}

// messageByID reads a row, without account holds; NotFound when there is none.
func (t *tx) messageByID(id string) (m hongyan.Message, err error) {
	found, err := t.queryOne(func(r *row) (err error) {
		m, err = scanMessage(r)
		return err
	}, messageSQL, id)
	if err == nil && !found {
		err = unknownMessage(id)
	}
	return m, err
}

const messageSQL = "SELECT " + messageColumns + " FROM messages WHERE id = ?"

func wrongState(verb string, m *hongyan.Message) error {
	return hongyan.Errorf(hongyan.Conflict, "wrong_state", "message %s is %s and cannot be %s", m.ID, m.State, verb)
}

// Return gives untried leased messages back; see store.Messages. Fences that
// do not hold are passed over.
func (s *Store) Return(ctx context.Context, fences []store.Fence) error {
	return s.submit(ctx, &op{weight: len(fences), run: func(t *tx) error {
		for _, f := range fences {
			if err := t.giveBack(f); err != nil {
				return err
			}
		}
		return nil
	}})
}

// returnSQL makes a leased row queued again. One inserted leased may have no due
// time; now it needs one.
const returnSQL = `UPDATE messages SET state = 0, epoch = 0, updated_at = ?, attempts = attempts - 1,
	first_at = CASE attempts WHEN 1 THEN 0 ELSE first_at END,
	due_at = CASE due_at WHEN 0 THEN ? ELSE due_at END
	WHERE seq = ? AND epoch = ? AND attempts = ? AND state = 2
	RETURNING appid, kind, doubt_since`

// giveBack returns one message, and the form_id it took: in doubt it keeps that.
func (t *tx) giveBack(f store.Fence) error {
	if f.Epoch == 0 || f.Epoch != t.epoch {
		return nil
	}
	form := false
	err := t.change(func(r *row) error {
		appID, kind := r.text(), hongyan.MessageKind(r.text())
		form = kind == hongyan.KindMiniTemplate && r.int64() == 0
		t.moved(appID, kind, hongyan.Sending, hongyan.Queued, 1)
		return nil
	}, returnSQL, t.now, t.now, f.Seq, f.Epoch, f.Attempts)
	if err != nil || !form {
		return err
	}
	_, err = t.returnForm(f.Seq)
	return err
}
