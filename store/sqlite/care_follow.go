package sqlite

import (
	"context"

	"hongyan/store"
)

const (
	// followLiftSQL ends what WeChat's word keeps, unless that began in a later second.
	followLiftSQL = `UPDATE suppressions SET lifted_at = ?, lifted_by = ? WHERE appid = ? AND openid = ? AND put_by = ''
		AND lifted_at = 0 AND since < ? + 1000 AND (until = 0 OR until > ?)`
	// followSQL remembers a follow: with the user's entry, or else in a row without a
	// reason, which keeps nobody.
	followSQL = `INSERT INTO suppressions (appid, openid, reason, errcode, note, put_by, since, until, lifted_at, lifted_by, followed_at)
		VALUES (?, ?, '', 0, '', '', ?, ?, ?, ?, ?)
		ON CONFLICT (appid, openid) DO UPDATE SET followed_at = max(followed_at, excluded.followed_at)`
)

// Followed takes note of follows; see store.Care.
func (s *Store) Followed(ctx context.Context, all []store.Follow) (lifted []store.Follow, err error) {
	if len(all) == 0 {
		return nil, nil
	}
	last := store.LastFollows(all)
	err = s.submit(ctx, &op{weight: 2 * len(last), run: func(t *tx) error {
		lifted = nil
		for _, f := range last {
			if !t.accounts[f.AppID] {
				continue
			}
			at := millis(f.At)
			n, err := t.exec(followLiftSQL, at, f.By, f.AppID, f.OpenID, at, t.now)
			if err == nil {
				_, err = t.exec(followSQL, f.AppID, f.OpenID, at, at, at, f.By, at)
			}
			if err != nil {
				return err
			}
			if n > 0 {
				lifted = append(lifted, f)
			}
		}
		return nil
	}})
	return lifted, err
}

// sweepFollows forgets who followed; see store.FollowKeep.
func (t *tx) sweepFollows() (int, error) {
	return t.exec(`DELETE FROM suppressions WHERE id IN (SELECT id
		FROM suppressions INDEXED BY suppressions_followed WHERE reason = '' AND followed_at <= ? LIMIT ? + 0)`, t.before(store.FollowKeep), sweepBatch)
}
