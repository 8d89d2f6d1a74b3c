package postgres

import (
	"context"

	"hongyan"
	"hongyan/store"
)

// Replay answers a known idempotency key; see store.Messages.
func (s *Store) Replay(ctx context.Context, callerID, key string, bodyHash [32]byte) (out store.Inserted, found bool, err error) {
	stored, formerly := store.StoredKeys(clean(key))
	err = s.snapshot(ctx, func(c conn) error {
		var hash []byte
		var seq int64
		found, err := c.queryOne(ctx, func(r *row) error {
			hash, seq = r.bytes(), r.int64()
			return nil
		}, "SELECT body_hash, seq FROM idempotency WHERE caller_id = $1 AND key IN ($2, $3) AND expires_at > (SELECT hongyan_now())", callerID, stored, formerly)
		if err != nil || !found {
			return err
		}
		holds, err := s.loadHolds(ctx, c)
		if err != nil {
			return err
		}
		var first []hongyan.Message
		if err := c.query(ctx, collect(&first), "SELECT "+messageColumns+" FROM messages WHERE seq = $1", seq); err != nil || len(first) == 0 {
			return err
		}
		holds.show(&first[0])
		answerReplay(&out, string(hash) == string(bodyHash[:]), first[0])
		return nil
	})
	return out, err == nil && out.Message.ID != "", err
}
