package sqlite

import (
	"strings"
	"testing"

	"hongyan"
	"hongyan/store"
)

// TestIdempotencyKeysAreHashes: a caller's may name the person, and outlives an erasure.
// What a version before stored as it is, is known all the same.
func TestIdempotencyKeysAreHashes(t *testing.T) {
	s := newTestStore(t)
	mustDo(t, s.CreateAccount(t.Context(), hongyan.Account{AppID: "wx0123456789abcdef", Kind: hongyan.ServiceAccount}))
	ctx, key := t.Context(), "pay-oUser_0000000000000000000001"
	message := func(key string, batch bool) store.InsertOutcome {
		t.Helper()
		if batch {
			_, out, err := s.ReplayBatch(ctx, "key_1", store.Once{Key: key})
			mustDo(t, err)
			return out
		}
		done, err := s.InsertMessages(ctx, []store.NewMessage{{IdempotencyKey: key, Message: hongyan.Message{ID: hongyan.NewMessageID(), AppID: "wx0123456789abcdef", Kind: hongyan.KindTemplate,
			CallerID: "key_1", ToUser: "oUser", TemplateID: "t", ClientMsgID: "x", Payload: []byte("{}"), CreatedAt: s.Now()}}})
		mustDo(t, err)
		return done[0].Outcome
	}
	if message(key, false) != store.InsertedNew {
		t.Fatal("it is not new")
	}
	_, err := s.CreateBatch(ctx, hongyan.Batch{ID: hongyan.NewBatchID(), AppID: "wx0123456789abcdef", Kind: hongyan.KindTemplate, CallerID: "key_1"}, store.Once{Key: key})
	mustDo(t, err)
	for _, stored := range []string{"as it is now", "as it was"} {
		for _, batch := range []bool{false, true} {
			if got := message(key, batch); got != store.InsertedReplay {
				t.Errorf("stored %s, of a batch %t: %v, want it known", stored, batch, got)
			}
		}
		if _, found, err := s.Replay(ctx, "key_1", key, [32]byte{}); err != nil || !found {
			t.Errorf("stored %s: %t, %v, want it known", stored, found, err)
		}
		var keys []string
		mustDo(t, s.read(ctx, func(c *conn) error {
			return c.query(ctx, func(r *row) error { keys = append(keys, r.text()); return nil }, "SELECT key FROM idempotency")
		}))
		if named := strings.Contains(strings.Join(keys, " "), key); len(keys) != 2 || named != (stored == "as it was") {
			t.Errorf("stored %s: %q", stored, keys)
		}
		for _, was := range []string{key, "batch " + key} {
			now, _ := store.StoredKeys(was)
			mustDo(t, s.write(ctx, func(t *tx) error {
				_, err := t.exec("UPDATE idempotency SET key = ? WHERE key = ?", was, now)
				return err
			}))
		}
	}
}
