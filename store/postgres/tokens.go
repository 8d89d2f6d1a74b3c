package postgres

import (
	"context"
	"fmt"

	"hongyan"
	"hongyan/store"
)

func tokenAAD(column, appID string) string { return "tokens." + column + ":" + appID }

// Token returns the stored access_token of an account; see store.Tokens.
func (s *Store) Token(ctx context.Context, appID string) (t hongyan.Token, err error) {
	var sealed, previous []byte
	var found bool
	err = s.read(ctx, func(c conn) (err error) {
		found, err = c.queryOne(ctx, func(r *row) error {
			t = hongyan.Token{AppID: appID, Source: hongyan.TokenSource(r.text()), Generation: r.int64(),
				FetchedAt: r.time(), ExpiresAt: r.time(), FetchedBy: r.text(), Fetches: r.int64()}
			sealed, previous = r.bytes(), r.bytes()
			return nil
		}, "SELECT source, generation, fetched_at, expires_at, fetched_by, fetches, access_token, previous FROM tokens WHERE appid = $1", appID)
		return err
	})
	if err != nil || !found {
		return hongyan.Token{}, err
	}
	if err := s.openTokens(&t, sealed, previous); err != nil {
		return hongyan.Token{}, fmt.Errorf("token of %s: %w", appID, err)
	}
	return t, nil
}

func (s *Store) openTokens(t *hongyan.Token, sealed, previous []byte) error {
	current, err := s.keys.Open(sealed, tokenAAD("access_token", t.AppID))
	if err != nil {
		return err
	}
	before, err := s.keys.Open(previous, tokenAAD("previous", t.AppID))
	t.AccessToken, t.Previous = hongyan.Secret(current), hongyan.Secret(before)
	return err
}

// SaveToken stores a token if nobody was faster; see store.Tokens.
func (s *Store) SaveToken(ctx context.Context, k hongyan.Token) (bool, error) {
	var saved bool
	err := s.write(ctx, func(t *tx) error {
		// The first generation finds no row; the others find their predecessor. Of two
		// nodes that both found it, the second finds the row of the first.
		n, err := t.exec(`INSERT INTO tokens (appid, source, access_token, generation, fetched_at, expires_at, fetched_by, previous, fetches)
			SELECT $1::text, $2::text, $3::bytea, $4::bigint, $5::bigint, $6::bigint, $7::text, $8::bytea, $9::bigint
			WHERE coalesce((SELECT generation FROM tokens WHERE appid = $1), 0) = $4 - 1
			ON CONFLICT (appid) DO UPDATE SET source = excluded.source, access_token = excluded.access_token,
				generation = excluded.generation, fetched_at = excluded.fetched_at, expires_at = excluded.expires_at,
				fetched_by = excluded.fetched_by, previous = excluded.previous, fetches = excluded.fetches
				WHERE tokens.generation = excluded.generation - 1`,
			k.AppID, string(k.Source), s.keys.Seal(k.AccessToken.Reveal(), tokenAAD("access_token", k.AppID)), k.Generation,
			millis(k.FetchedAt), millis(k.ExpiresAt), k.FetchedBy, s.keys.Seal(k.Previous.Reveal(), tokenAAD("previous", k.AppID)), k.Fetches)
		if saved = n == 1; err != nil || !saved {
			return err
		}
		t.notices.add(store.NoticeAccount, k.AppID)
		return t.issued(&k)
	})
	return saved, err
}
