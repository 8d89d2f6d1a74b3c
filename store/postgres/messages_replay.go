package postgres

import (
	"fmt"

	"hongyan"
	"hongyan/store"
)

// replay answers a message whose idempotency key is known, and reports whether it was.
func (b *insertBatch) replay(n *store.NewMessage, out *store.Inserted) bool {
	k := idempotencyKey{clean(n.Message.CallerID), clean(n.IdempotencyKey)}
	if p, ok := b.keys[k]; ok {
		answerReplay(out, p.hash == n.BodyHash, *p.m)
		return true
	}
	key, formerly := store.StoredKeys(k.key)
	known, ok := b.known[idempotencyKey{k.caller, key}]
	if !ok {
		known, ok = b.known[idempotencyKey{k.caller, formerly}]
	}
	if ok {
		answerReplay(out, string(known.hash) == string(n.BodyHash[:]), known.m)
	}
	return ok
}

func answerReplay(out *store.Inserted, same bool, m hongyan.Message) {
	out.Outcome, out.Message = store.InsertedMismatch, m
	if same {
		out.Outcome = store.InsertedReplay
	}
}

// duplicate answers a message whose caller chose a client_msg_id that this
// user had within the window, and reports whether it is one.
func (b *insertBatch) duplicate(n *store.NewMessage, out *store.Inserted) bool {
	m := &n.Message
	if first := b.clients[clientKey{m.AppID, m.ToUser, m.ClientMsgID}]; first != nil {
		out.Outcome, out.Message = store.InsertedDuplicate, *first
		return true
	}
	first, ok := b.earlier[clientKey{clean(m.AppID), clean(m.ToUser), clean(m.ClientMsgID)}]
	if ok {
		out.Outcome, out.Message = store.InsertedDuplicate, first
	}
	return ok
}

// remember stores the idempotency key of n with the message that answers it.
func (b *insertBatch) remember(n *store.NewMessage, m *hongyan.Message) {
	if n.IdempotencyKey == "" {
		return
	}
	k := idempotencyKey{clean(n.Message.CallerID), clean(n.IdempotencyKey)}
	b.keys[k] = pendingKey{n.BodyHash, m}
	key, _ := store.StoredKeys(k.key)
	b.fresh = append(b.fresh, freshKey{idempotencyKey{k.caller, key}, n.BodyHash[:], m.Seq})
}

// messageBySeq reads and locks a row that must exist.
func (t *tx) messageBySeq(seq int64) (m hongyan.Message, err error) {
	found, err := t.queryOne(func(r *row) (err error) {
		m, err = scanMessage(r)
		return err
	}, "SELECT "+messageColumns+" FROM messages WHERE seq = $1 FOR UPDATE", seq)
	if err == nil && !found {
		err = fmt.Errorf("message number %d is missing", seq)
	}
	return m, err
}
