package postgres

import (
	"context"

	"hongyan"
	"hongyan/store"
)

// issued remembers the hash of a token that has just become current, and that
// those before it are replaced. WeChat may answer with the token it gave before:
// then that one is current again.
func (t *tx) issued(k *hongyan.Token) error {
	hash := store.HashKey(k.AccessToken.Reveal())
	_, err := t.exec("UPDATE issued_tokens SET replaced_at = $1 WHERE appid = $2 AND replaced_at = 0 AND hash <> $3", t.now, k.AppID, hash)
	if err != nil || k.AccessToken == "" {
		return err
	}
	at := millis(k.FetchedAt)
	if at == 0 {
		at = t.now
	}
	return t.execAll(1, `INSERT INTO issued_tokens (hash, appid, generation, issued_at, replaced_at) VALUES ($1, $2, $3, $4, 0)
		ON CONFLICT (hash) DO UPDATE SET appid = excluded.appid, generation = excluded.generation, replaced_at = 0`,
		hash, k.AppID, k.Generation, at)
}

// IssuedToken finds a token by its hash; see store.Tokens.
func (s *Store) IssuedToken(ctx context.Context, hash []byte) (k hongyan.IssuedToken, err error) {
	err = s.read(ctx, func(c conn) error {
		found, err := c.queryOne(ctx, func(r *row) error {
			k = hongyan.IssuedToken{AppID: r.text(), Generation: r.int64(), IssuedAt: r.time(), ReplacedAt: r.time()}
			return nil
		}, "SELECT appid, generation, issued_at, replaced_at FROM issued_tokens WHERE hash = $1", hash)
		if err == nil && !found {
			err = hongyan.Errorf(hongyan.NotFound, "", "no such access_token was given out")
		}
		return err
	})
	return k, err
}
