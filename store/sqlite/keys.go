package sqlite

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"hongyan"
)

const keyColumns = "id, kind, name, hash, hint, role, appids, personal, created_at, revoked_at, last_used_at"

func collectKeys(all *[]hongyan.Key) func(*row) error {
	return func(r *row) error {
		k := hongyan.Key{ID: r.text(), Kind: hongyan.KeyKind(r.text()), Name: r.text(), Hash: r.bytes(), Hint: r.text(), Role: r.text()}
		appIDs := r.text()
		k.Personal = r.bool()
		k.CreatedAt, k.RevokedAt, k.LastUsedAt = r.time(), r.time(), r.time()
		if appIDs != "[]" {
			if err := json.Unmarshal([]byte(appIDs), &k.AppIDs); err != nil {
				return fmt.Errorf("key %s: read its accounts: %w", k.ID, err)
			}
		}
		*all = append(*all, k)
		return nil
	}
}

// CreateKey adds a key; Conflict when its id or hash exists. A zero CreatedAt is
// now, an empty Kind KeyAPI.
func (s *Store) CreateKey(ctx context.Context, k hongyan.Key) error {
	return s.write(ctx, func(t *tx) error {
		created := millis(k.CreatedAt)
		if created == 0 {
			created = t.now
		}
		kind := cmp.Or(k.Kind, hongyan.KeyAPI)
		appIDs := "[]"
		if len(k.AppIDs) > 0 {
			appIDs = mustJSON(k.AppIDs)
		}
		n, err := t.exec("INSERT INTO keys ("+keyColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			k.ID, string(kind), k.Name, k.Hash, k.Hint, k.Role, appIDs, k.Personal, created, millis(k.RevokedAt), millis(k.LastUsedAt))
		if err == nil && n == 0 {
			err = hongyan.Errorf(hongyan.Conflict, "key_exists", "the key %s exists already", k.ID)
		}
		return err
	})
}

// KeyByHash finds a key that is not revoked; see store.Keys.
func (s *Store) KeyByHash(ctx context.Context, hash []byte) (hongyan.Key, error) {
	all, err := s.listKeys(ctx, "WHERE hash = ? AND revoked_at = 0", hash)
	if err == nil && len(all) == 0 {
		err = hongyan.Errorf(hongyan.NotFound, "unknown_key", "there is no such key, or it was revoked")
	}
	if err != nil {
		return hongyan.Key{}, err
	}
	return all[0], nil
}

// Keys lists all keys, oldest first, revoked ones too.
func (s *Store) Keys(ctx context.Context) ([]hongyan.Key, error) {
	return s.listKeys(ctx, "ORDER BY created_at, id")
}

func (s *Store) listKeys(ctx context.Context, tail string, args ...any) (all []hongyan.Key, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.query(ctx, collectKeys(&all), "SELECT "+keyColumns+" FROM keys "+tail, args...)
	})
	return all, err
}

// RevokeKey ends a key; see store.Keys.
func (s *Store) RevokeKey(ctx context.Context, id string) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE keys SET revoked_at = CASE revoked_at WHEN 0 THEN ? ELSE revoked_at END WHERE id = ?", t.now, id)
		if err == nil && n == 0 {
			err = hongyan.Errorf(hongyan.NotFound, "unknown_key", "there is no key %q", id)
		}
		return err
	})
}

// TouchKeys records when keys were last used; unknown keys are passed over,
// and a time never goes back.
func (s *Store) TouchKeys(ctx context.Context, used map[string]time.Time) error {
	if len(used) == 0 {
		return nil
	}
	return s.write(ctx, func(t *tx) error {
		for id, at := range used {
			_, err := t.exec("UPDATE keys SET last_used_at = max(last_used_at, ?) WHERE id = ?", millis(at), id)
			if err != nil {
				return err
			}
		}
		return nil
	})
}
