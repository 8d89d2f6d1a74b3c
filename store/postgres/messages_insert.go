package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"hongyan"
	"hongyan/internal/fault"
	"hongyan/store"
)

// insertion is one call of InsertMessages on its way through a flush.
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
	if err := s.inserts.submit(ctx, s, ins, len(ms)); err != nil {
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
			err := s.read(ctx, func(c conn) (err error) {
				holds, err = s.loadHolds(ctx, c)
				return err
			})
			if err != nil {
				return
			}
		}
		holds.show(&out[i].Message)
	}
}

// flushInserts stores the messages of several calls together.
func (s *Store) flushInserts(ctx context.Context, ops []*op[*insertion]) error {
	q := asking(ops)
	streams, err := s.numbersOf(ctx, q.streams)
	if err != nil {
		return err
	}
	for {
		b := insertBatch{asked: q, streamNumbers: streams}
		err := s.transact(ctx, b.look, func(t *tx) error {
			err := b.store(t, ops)
			if err == nil {
				passAll(fault.AcceptBefore, len(ops))
			}
			return err
		})
		if err == nil {
			passAll(fault.AcceptAfter, len(ops))
		}
		if !errors.Is(err, errKeyTaken) {
			return err
		}
		// Another node stored one of the keys at the same moment. Its message is there now.
	}
}

// errKeyTaken says that an idempotency key came into being after it was looked for.
var errKeyTaken = errors.New("an idempotency key was stored meanwhile")

// asked is what has to be known before messages are stored.
type asked struct {
	total         int
	streams       map[streamKey]bool
	appIDs        []string
	epochs        []int64
	callers, keys []string // those with an idempotency key
	// Those with a caller's client_msg_id.
	clientApps, clientUsers, clientIDs []string
}

func asking(ops []*op[*insertion]) *asked {
	q := &asked{streams: make(map[streamKey]bool)}
	apps, epochs := make(map[string]bool), make(map[int64]bool)
	for _, o := range ops {
		for i := range o.in.in {
			n := &o.in.in[i]
			m := &n.Message
			q.total++
			q.streams[streamKey{clean(m.AppID), hongyan.MessageKind(clean(string(m.Kind)))}] = true
			if !apps[m.AppID] {
				apps[m.AppID] = true
				q.appIDs = append(q.appIDs, m.AppID)
			}
			if m.Epoch != 0 && !epochs[m.Epoch] {
				epochs[m.Epoch] = true
				q.epochs = append(q.epochs, m.Epoch)
			}
			if n.IdempotencyKey != "" {
				key, formerly := store.StoredKeys(clean(n.IdempotencyKey))
				q.callers, q.keys = append(q.callers, m.CallerID, m.CallerID), append(q.keys, key, formerly)
			}
			if m.CallerMsgID {
				q.clientApps, q.clientUsers, q.clientIDs = append(q.clientApps, m.AppID), append(q.clientUsers, m.ToUser), append(q.clientIDs, m.ClientMsgID)
			}
		}
	}
	return q
}

// insertBatch decides what becomes of the messages of a flush and collects the new rows.
type insertBatch struct {
	*asked
	streamNumbers *streamTable

	accounts map[string]bool
	alive    map[int64]bool
	seqs     []int64 // free numbers
	known    map[idempotencyKey]knownKey
	earlier  map[clientKey]hongyan.Message

	rows    []newRow
	fresh   []freshKey // keys to store
	keys    map[idempotencyKey]pendingKey
	clients map[clientKey]*hongyan.Message
}

// newRow is a message to write and the number of its stream.
type newRow struct {
	*hongyan.Message
	stream int64
}

type idempotencyKey struct{ caller, key string }

type clientKey struct{ appID, toUser, clientMsgID string }

// knownKey is an idempotency key of an earlier flush and its message.
type knownKey struct {
	hash []byte
	m    hongyan.Message
}

// pendingKey is an idempotency key of this flush.
type pendingKey struct {
	hash [32]byte
	m    *hongyan.Message
}

type freshKey struct {
	idempotencyKey
	hash []byte
	seq  int64
}

// look adds the questions to the transaction's first round trip. The locks come first:
// what is seen after them stays so until the end.
func (b *insertBatch) look(q *batch) {
	b.accounts, b.alive, b.seqs = make(map[string]bool), make(map[int64]bool), nil
	b.known, b.earlier = make(map[idempotencyKey]knownKey), make(map[clientKey]hongyan.Message)
	b.rows, b.fresh, b.keys, b.clients = nil, nil, make(map[idempotencyKey]pendingKey), make(map[clientKey]*hongyan.Message)

	q.exec(nil, "SELECT pg_advisory_xact_lock_shared($1, 0)", lockAccounts)
	if len(b.clientIDs) > 0 {
		q.lockAll(lockClientIDs, b.clientApps)
	}
	q.query(func(r *row) error { b.accounts[r.text()] = true; return nil }, "SELECT appid FROM accounts WHERE appid = ANY($1)", b.appIDs)
	if len(b.epochs) > 0 {
		q.query(func(r *row) error { b.alive[r.int64()] = true; return nil }, "SELECT epoch FROM nodes WHERE epoch = ANY($1) AND "+aliveSQL, b.epochs)
	}
	q.query(func(r *row) error { b.seqs = append(b.seqs, r.int64()); return nil },
		"SELECT nextval('messages_seq_seq') FROM generate_series(1, $1::integer)", b.total)
	if len(b.asked.keys) > 0 {
		q.query(b.collectKnown, knownKeysSQL, b.callers, b.asked.keys)
	}
	if len(b.clientIDs) > 0 {
		q.query(b.collectEarlier, earlierSQL, b.clientIDs, b.clientApps, b.clientUsers, store.ClientMsgIDWindow.Milliseconds())
	}
}

const knownKeysSQL = `SELECT wanted_caller, wanted_key, body_hash, ` + messageColumns + `
	FROM unnest($1::text[], $2::text[]) AS wanted (wanted_caller, wanted_key)
	CROSS JOIN LATERAL (SELECT body_hash, seq AS known_seq FROM idempotency
		WHERE caller_id = wanted_caller AND key = wanted_key AND expires_at > (SELECT hongyan_now()) OFFSET 0) AS known
	CROSS JOIN LATERAL (SELECT * FROM messages WHERE messages.seq = known_seq OFFSET 0) AS messages`

func (b *insertBatch) collectKnown(r *row) error {
	k := idempotencyKey{r.text(), r.text()}
	hash := r.bytes()
	m, err := scanMessage(r)
	b.known[k] = knownKey{hash, m}
	return err
}

// earlierSQL finds the messages with a caller's client_msg_id inside the window, the
// first of each last.
const earlierSQL = `SELECT ` + messageColumns + ` FROM messages
	WHERE client_msg_id = ANY($1) AND caller_msg_id AND appid = ANY($2) AND touser = ANY($3) AND created_at > (SELECT hongyan_now()) - $4::bigint
	ORDER BY seq + 0 DESC`

func (b *insertBatch) collectEarlier(r *row) error {
	m, err := scanMessage(r)
	b.earlier[clientKey{m.AppID, m.ToUser, m.ClientMsgID}] = m
	return err
}

// store decides about every message and writes the new ones.
func (b *insertBatch) store(t *tx, ops []*op[*insertion]) error {
	for _, o := range ops {
		o.in.out = make([]store.Inserted, len(o.in.in))
		for i := range o.in.in {
			b.add(t, &o.in.in[i], &o.in.out[i])
		}
	}
	return b.flush(t)
}

// add decides what becomes of one message.
func (b *insertBatch) add(t *tx, n *store.NewMessage, out *store.Inserted) {
	if n.IdempotencyKey != "" && b.replay(n, out) {
		return
	}
	if n.Message.CallerMsgID && b.duplicate(n, out) {
		b.remember(n, &out.Message)
		return
	}
	if !b.accounts[n.Message.AppID] {
		out.Outcome = store.InsertedNoAccount
		return
	}
	out.Outcome = store.InsertedNew
	out.Message = n.Message
	m := &out.Message
	b.prepare(t, m)
	if m.State == hongyan.Held {
		t.tellMessage(m, hongyan.NewsHeld)
	}
	t.stored = m.ID
	b.rows = append(b.rows, newRow{m, b.streamNumbers.numbers[streamKey{clean(m.AppID), hongyan.MessageKind(clean(string(m.Kind)))}]})
	if m.CallerMsgID {
		b.clients[clientKey{m.AppID, m.ToUser, m.ClientMsgID}] = m
	}
	b.remember(n, m)
}

// prepare gives a new message its row number and what goes with its state.
func (b *insertBatch) prepare(t *tx, m *hongyan.Message) {
	now := fromMillis(t.now)
	normalise(m)
	m.Seq = b.seqs[0]
	b.seqs = b.seqs[1:]
	m.UpdatedAt = now
	if m.CreatedAt.IsZero() {
		m.CreatedAt = now
	}
	m.Attempts, m.FirstAt = 0, time.Time{}
	switch {
	case m.Epoch != 0 && b.alive[m.Epoch]:
		m.State, m.Attempts, m.FirstAt, m.Reason, m.Hold = hongyan.Sending, 1, now, "", nil
		t.leasedOne(m)
	case m.Epoch != 0:
		m.Epoch, m.State = 0, hongyan.Queued
	}
	if m.State != hongyan.Held && m.DueAt.IsZero() {
		m.DueAt = now
	}
	if m.State == hongyan.Queued {
		t.notices.add(store.NoticeMessages, m.AppID)
	}
	t.count(countKey{m.AppID, m.Kind, m.State}, 1)
}

// insertSQL inserts messages of any kind. A payload is never NULL. A client_msg_id of
// NULL is the id.
const insertSQL = `INSERT INTO messages (
	seq, id, stream, appid, kind, touser, template_id, client_msg_id, caller_msg_id, priority, retry_of, caller_id,
	state, reason, created_at, due_at, expires_at, updated_at, epoch, attempts, first_at, hold, metadata, payload, batch, batch_row)
	SELECT seq, id, stream, appid, kind, touser, template_id, nullif(client_msg_id, id), caller_msg_id, priority, retry_of, caller_id,
		state, reason, created_at, due_at, expires_at, updated_at, epoch, attempts, first_at, hold, metadata, coalesce(payload, ''), batch, batch_row
	FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::boolean[],
		$10::smallint[], $11::text[], $12::text[], $13::smallint[], $14::text[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[],
		$19::bigint[], $20::integer[], $21::bigint[], $22::text[], $23::bytea[], $24::bytea[], $25::bigint[], $26::bigint[])
		AS new (seq, id, stream, appid, kind, touser, template_id, client_msg_id, caller_msg_id, priority, retry_of, caller_id,
		state, reason, created_at, due_at, expires_at, updated_at, epoch, attempts, first_at, hold, metadata, payload, batch, batch_row)`

// keysSQL stores idempotency keys, in place of those past their life. It changes
// nothing where another transaction was faster.
const keysSQL = `INSERT INTO idempotency (caller_id, key, body_hash, seq, expires_at)
	SELECT caller_id, key, body_hash, seq, (SELECT hongyan_now()) + $5::bigint
	FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[]) AS new (caller_id, key, body_hash, seq)
	ORDER BY caller_id, key
	ON CONFLICT (caller_id, key) DO UPDATE SET body_hash = excluded.body_hash, seq = excluded.seq, expires_at = excluded.expires_at
	WHERE idempotency.expires_at <= (SELECT hongyan_now())`

// flush writes the collected rows and keys.
func (b *insertBatch) flush(t *tx) error {
	var q batch
	stored := 0
	if len(b.fresh) > 0 {
		slices.SortFunc(b.fresh, func(x, y freshKey) int { return cmp.Or(cmp.Compare(x.caller, y.caller), cmp.Compare(x.key, y.key)) })
		var callers, keys []string
		var hashes [][]byte
		var seqs []int64
		for _, k := range b.fresh {
			callers, keys, hashes, seqs = append(callers, k.caller), append(keys, k.key), append(hashes, k.hash), append(seqs, k.seq)
		}
		q.exec(&stored, keysSQL, callers, keys, hashes, seqs, store.IdempotencyTTL.Milliseconds())
	}
	if len(b.rows) > 0 {
		q.execAll(len(b.rows), insertSQL, insertArgs(b.rows)...)
	}
	if err := t.run(&q); err != nil {
		return err
	}
	if stored != len(b.fresh) {
		return errKeyTaken
	}
	return nil
}

// insertArgs are the columns of new rows, each an array.
func insertArgs(rows []newRow) []any {
	n := len(rows)
	numbers, places := make([]int64, n), make([]int64, n) // of batches, and rows in them
	seq, created, due, expires, updated, epoch, first := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	id, appID, kind, toUser, templateID, clientMsgID, retryOf, caller, reason := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	stream, attempts := make([]int32, n), make([]int32, n)
	chosen := make([]bool, n)
	priority, state := make([]int16, n), make([]int16, n)
	hold := make([]*string, n)
	metadata, payload := make([][]byte, n), make([][]byte, n)
	for i, m := range rows {
		seq[i], id[i], stream[i], appID[i], kind[i] = m.Seq, m.ID, int32(m.stream), m.AppID, string(m.Kind)
		toUser[i], templateID[i], clientMsgID[i], chosen[i] = m.ToUser, m.TemplateID, m.ClientMsgID, m.CallerMsgID
		priority[i], retryOf[i], caller[i], state[i], reason[i] = int16(m.Priority), m.RetryOf, m.CallerID, int16(m.State), m.Reason
		created[i], due[i], expires[i], updated[i] = millis(m.CreatedAt), millis(m.DueAt), millis(m.ExpiresAt), millis(m.UpdatedAt)
		epoch[i], attempts[i], first[i], hold[i] = m.Epoch, int32(m.Attempts), millis(m.FirstAt), encodeHold(m.Hold)
		metadata[i], payload[i], numbers[i], places[i] = m.Metadata, m.Payload, m.Batch, m.BatchRow
	}
	return []any{seq, id, stream, appID, kind, toUser, templateID, clientMsgID, chosen, priority, retryOf, caller, state, reason,
		created, due, expires, updated, epoch, attempts, first, hold, metadata, payload, numbers, places}
}
