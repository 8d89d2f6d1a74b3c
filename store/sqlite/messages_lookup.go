package sqlite

import (
	"context"

	"hongyan"
	"hongyan/store"
)

// Replay answers a known idempotency key; see store.Messages.
func (s *Store) Replay(ctx context.Context, callerID, key string, bodyHash [32]byte) (out store.Inserted, found bool, err error) {
	stored, formerly := store.StoredKeys(key)
	err = s.snapshot(ctx, func(c *conn) error {
		var hash []byte
		var seq int64
		err := c.query(ctx, func(r *row) error {
			hash, seq, found = r.bytes(), r.int64(), true
			return nil
		}, "SELECT body_hash, seq FROM idempotency WHERE caller_id = ? AND key IN (?, ?) AND expires_at > ?", callerID, stored, formerly, millis(s.Now()))
		if err != nil || !found {
			return err
		}
		holds, err := loadHolds(ctx, c)
		if err != nil {
			return err
		}
		var first []hongyan.Message
		if err := c.query(ctx, collect(&first), "SELECT "+messageColumns+" FROM messages WHERE seq = ?", seq); err != nil {
			return err
		}
		if found = len(first) == 1; !found {
			return nil
		}
		holds.show(&first[0])
		return answerReplay(&out, string(hash) == string(bodyHash[:]), first[0])
	})
	return out, found, err
}
