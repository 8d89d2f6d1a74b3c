package sqlite

import (
	"fmt"

	"hongyan"
	"hongyan/store"
)

// replay answers a message whose idempotency key is known, and reports whether
// it was.
func (b *insertBatch) replay(n *store.NewMessage, out *store.Inserted) (bool, error) {
	caller := n.Message.CallerID
	if p, ok := b.keys[idempotencyKey{caller, n.IdempotencyKey}]; ok {
		return true, answerReplay(out, p.hash == n.BodyHash, *p.m)
	}
	var hash []byte
	var seq int64
	key, formerly := store.StoredKeys(n.IdempotencyKey)
	found, err := b.t.queryOne(func(r *row) error {
		hash, seq = r.bytes(), r.int64()
		return nil
	}, "SELECT body_hash, seq FROM idempotency WHERE caller_id = ? AND key IN (?, ?) AND expires_at > ?", caller, key, formerly, b.t.now)
	if err != nil || !found {
		return false, err
	}
	m, err := b.t.messageBySeq(seq)
	if err != nil {
		return false, err
	}
	return true, answerReplay(out, string(hash) == string(n.BodyHash[:]), m)
}

func answerReplay(out *store.Inserted, same bool, m hongyan.Message) error {
	out.Outcome, out.Message = store.InsertedMismatch, m
	if same {
		out.Outcome = store.InsertedReplay
	}
	return nil
}

// duplicate answers a message whose caller chose a client_msg_id that this
// user had within the window, and reports whether it is one.
func (b *insertBatch) duplicate(n *store.NewMessage, out *store.Inserted) (bool, error) {
	m := &n.Message
	if earlier := b.clients[clientKey{m.AppID, m.ToUser, m.ClientMsgID}]; earlier != nil {
		out.Outcome, out.Message = store.InsertedDuplicate, *earlier
		return true, nil
	}
	found, err := b.t.queryOne(func(r *row) (err error) {
		out.Outcome = store.InsertedDuplicate
		out.Message, err = scanMessage(r)
		return err
	}, duplicateSQL, m.ClientMsgID, m.AppID, m.ToUser, b.t.now-store.ClientMsgIDWindow.Milliseconds())
	return found, err
}

const duplicateSQL = "SELECT " + messageColumns + ` FROM messages
	WHERE client_msg_id = ? AND caller_msg_id = 1 AND appid = ? AND touser = ? AND created_at > ?
	ORDER BY seq LIMIT 1`

// remember stores the idempotency key of n with the message that answers it.
func (b *insertBatch) remember(n *store.NewMessage, m *hongyan.Message) error {
	if n.IdempotencyKey == "" {
		return nil
	}
	if b.keys == nil {
		b.keys = make(map[idempotencyKey]pendingKey)
	}
	caller := n.Message.CallerID
	b.keys[idempotencyKey{caller, n.IdempotencyKey}] = pendingKey{n.BodyHash, m}
	key, _ := store.StoredKeys(n.IdempotencyKey)
	// REPLACE: a key past its life may still have its row.
	_, err := b.t.exec("INSERT OR REPLACE INTO idempotency (caller_id, key, body_hash, seq, expires_at) VALUES (?, ?, ?, ?, ?)",
		caller, key, n.BodyHash[:], m.Seq, b.t.now+store.IdempotencyTTL.Milliseconds())
	return err
}

// messageBySeq reads a row that must exist.
func (t *tx) messageBySeq(seq int64) (m hongyan.Message, err error) {
	found, err := t.queryOne(func(r *row) (err error) {
		m, err = scanMessage(r)
		return err
	}, "SELECT "+messageColumns+" FROM messages WHERE seq = ?", seq)
	if err == nil && !found {
		err = fmt.Errorf("message number %d is missing", seq)
	}
	return m, err
}
