package postgres

import (
	"cmp"
	"context"
	"slices"

	"hongyan"
	"hongyan/store"
)

// Claim leases due messages to a node; see store.Messages. Account holds do not
// matter here: the caller asks for no streams it knows to be held. Rows that another
// node is taking are passed over, not waited for.
func (s *Store) Claim(ctx context.Context, epoch int64, wants []store.Want) (all []hongyan.Message, err error) {
	var alive bool
	var was []hongyan.State
	ask := func(b *batch) {
		all, was, alive = nil, nil, false
		b.query(func(*row) error { alive = true; return nil }, "SELECT 1 FROM nodes WHERE epoch = $1 AND "+aliveSQL, epoch)
		streams := s.streams.Load()
		for _, w := range wants {
			if stream, ok := streams.numbers[streamKey{w.AppID, w.Kind}]; ok && w.Max > 0 {
				b.query(collectClaimed(&all, &was), claimSQL, epoch, stream, millis(w.NotBefore), w.Max)
			}
		}
	}
	if err := s.knowStreams(ctx, wants); err != nil {
		return nil, err
	}
	err = s.transact(ctx, ask, func(t *tx) error {
		if !alive {
			return fenced(epoch)
		}
		for i := range all {
			t.moved(all[i].AppID, all[i].Kind, was[i], hongyan.Sending, 1)
		}
		t.leased(all)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return inOrder(all, wants), nil
}

// knowStreams learns the streams that another node has begun, if one is wanted.
func (s *Store) knowStreams(ctx context.Context, wants []store.Want) error {
	streams := s.streams.Load()
	for _, w := range wants {
		if _, ok := streams.numbers[streamKey{w.AppID, w.Kind}]; !ok && w.Max > 0 {
			return s.loadStreams(ctx)
		}
	}
	return nil
}

// claimSQL leases from one stream, lane by lane. A held row's reason was its hold's.
const claimSQL = `WITH alive AS (SELECT 1 FROM nodes WHERE epoch = $1 AND ` + aliveSQL + `),
	urgent AS (SELECT seq AS due_seq, state AS was FROM messages
		WHERE stream = $2 AND priority = 0 AND due_at > 0 AND due_at <= (SELECT hongyan_now()) AND state < 2 AND EXISTS (SELECT 1 FROM alive)
		ORDER BY due_at, seq LIMIT $4 FOR UPDATE SKIP LOCKED),
	normal AS (SELECT seq AS due_seq, state AS was FROM messages
		WHERE stream = $2 AND priority = 1 AND due_at > 0 AND due_at >= $3 AND due_at <= (SELECT hongyan_now()) AND state < 2 AND EXISTS (SELECT 1 FROM alive)
		ORDER BY due_at, seq LIMIT $4 - (SELECT count(*) FROM urgent) FOR UPDATE SKIP LOCKED),
	bulk AS (SELECT seq AS due_seq, state AS was FROM messages
		WHERE stream = $2 AND priority = 2 AND due_at > 0 AND due_at >= $3 AND due_at <= (SELECT hongyan_now()) AND state < 2 AND EXISTS (SELECT 1 FROM alive)
		ORDER BY due_at, seq LIMIT $4 - (SELECT count(*) FROM urgent) - (SELECT count(*) FROM normal) FOR UPDATE SKIP LOCKED),
	due AS (SELECT * FROM urgent UNION ALL SELECT * FROM normal UNION ALL SELECT * FROM bulk)
	UPDATE messages SET ` + leaseSQL + ` FROM due WHERE seq BETWEEN due_seq AND due_seq RETURNING was, ` + messageColumns

// leaseSQL makes waiting rows sending. One claimed by hand may have no due time, or
// a later one: it is due now.
const leaseSQL = `epoch = $1, updated_at = (SELECT hongyan_now()), attempts = attempts + 1,
	first_at = CASE first_at WHEN 0 THEN (SELECT hongyan_now()) ELSE first_at END,
	due_at = CASE WHEN due_at BETWEEN 1 AND (SELECT hongyan_now()) THEN due_at ELSE (SELECT hongyan_now()) END,
	reason = CASE state WHEN 1 THEN '' ELSE reason END, hold = NULL, state = 2`

// collectClaimed collects messages and the states they were in before.
func collectClaimed(all *[]hongyan.Message, was *[]hongyan.State) func(*row) error {
	return func(r *row) error {
		*was = append(*was, hongyan.State(r.int()))
		return collect(all)(r)
	}
}

// inOrder sorts claimed messages by want, lane and due time: what an UPDATE returns
// has no order.
func inOrder(all []hongyan.Message, wants []store.Want) []hongyan.Message {
	place := make(map[streamKey]int, len(wants))
	for i := len(wants) - 1; i >= 0; i-- {
		place[streamKey{wants[i].AppID, wants[i].Kind}] = i
	}
	slices.SortFunc(all, func(a, b hongyan.Message) int {
		return cmp.Or(cmp.Compare(place[streamKey{a.AppID, a.Kind}], place[streamKey{b.AppID, b.Kind}]),
			cmp.Compare(a.Priority, b.Priority), a.DueAt.Compare(b.DueAt), cmp.Compare(a.Seq, b.Seq))
	})
	return all
}

// ClaimOne leases one waiting message whatever its due time; see store.Messages.
func (s *Store) ClaimOne(ctx context.Context, epoch int64, id string) (hongyan.Message, error) {
	var one []hongyan.Message
	err := s.write(ctx, func(t *tx) error {
		one = nil
		if err := t.checkAlive(epoch); err != nil {
			return err
		}
		m, err := t.messageByID(id)
		if err != nil {
			return err
		}
		if !m.State.Waiting() {
			return wrongState("claimed", &m)
		}
		t.moved(m.AppID, m.Kind, m.State, hongyan.Sending, 1)
		err = t.query(collect(&one), "UPDATE messages SET "+leaseSQL+" WHERE seq = $2 RETURNING "+messageColumns, epoch, m.Seq)
		t.leased(one)
		return err
	})
	if err != nil {
		return hongyan.Message{}, err
	}
	return one[0], nil
}

// messageByID reads a row and locks it, without account holds; NotFound when there is none.
func (t *tx) messageByID(id string) (m hongyan.Message, err error) {
	found, err := t.queryOne(func(r *row) (err error) {
		m, err = scanMessage(r)
		return err
	}, messageSQL+" FOR UPDATE", id)
	if err == nil && !found {
		err = unknownMessage(id)
	}
	return m, err
}

const messageSQL = "SELECT " + messageColumns + " FROM messages WHERE id = $1"

func wrongState(verb string, m *hongyan.Message) error {
	return hongyan.Errorf(hongyan.Conflict, "wrong_state", "message %s is %s and cannot be %s", m.ID, m.State, verb)
}

// returnSQL makes leased rows queued again. One inserted leased may have no due
// time; now it needs one.
const returnSQL = `UPDATE messages SET state = 0, epoch = 0, updated_at = (SELECT hongyan_now()), attempts = messages.attempts - 1,
	first_at = CASE messages.attempts WHEN 1 THEN 0 ELSE first_at END,
	due_at = CASE due_at WHEN 0 THEN (SELECT hongyan_now()) ELSE due_at END
	FROM unnest($1::bigint[], $2::bigint[], $3::integer[]) AS back (seq, epoch, attempts)
	WHERE messages.seq BETWEEN back.seq AND back.seq AND messages.epoch = back.epoch AND messages.attempts = back.attempts AND state + 0 = 2
		AND back.epoch IN (SELECT epoch FROM nodes WHERE NOT dead)
	RETURNING appid, kind, doubt_since, messages.seq, touser`

// Return gives untried leased messages back; see store.Messages. Fences that
// do not hold are passed over.
func (s *Store) Return(ctx context.Context, fences []store.Fence) error {
	if len(fences) == 0 {
		return nil
	}
	return s.write(ctx, func(t *tx) error { return t.giveBack(fences) })
}

// giveBack returns messages, and the form_ids they took: one in doubt keeps its own.
func (t *tx) giveBack(fences []store.Fence) error {
	seqs, epochs, attempts := fenceArrays(fences)
	var forms []returned
	err := t.query(func(r *row) error {
		appID, kind := r.text(), hongyan.MessageKind(r.text())
		doubt, seq := r.int64(), r.int64()
		if kind == hongyan.KindMiniTemplate && doubt == 0 {
			forms = append(forms, returned{seq, formKey(appID, r.text())})
		}
		t.moved(appID, kind, hongyan.Sending, hongyan.Queued, 1)
		t.notices.add(store.NoticeMessages, appID)
		return nil
	}, returnSQL, seqs, epochs, attempts)
	if err != nil {
		return err
	}
	return t.returnForms(forms)
}

func fenceArrays(fences []store.Fence) (seqs, epochs []int64, attempts []int32) {
	for _, f := range fences {
		seqs, epochs, attempts = append(seqs, f.Seq), append(epochs, f.Epoch), append(attempts, int32(f.Attempts))
	}
	return seqs, epochs, attempts
}
