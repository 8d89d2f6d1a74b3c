package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"hongyan"
	"hongyan/store"
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
		n, err := t.exec("INSERT INTO keys ("+keyColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
			k.ID, string(kind), k.Name, notNil(k.Hash), k.Hint, k.Role, appIDs, k.Personal, created, millis(k.RevokedAt), millis(k.LastUsedAt))
		t.notices.add(store.NoticeKeys, "")
		if err == nil && n == 0 {
			err = hongyan.Errorf(hongyan.Conflict, "key_exists", "the key %s exists already", k.ID)
		}
		return err
	})
}

// KeyByHash finds a key that is not revoked; see store.Keys.
func (s *Store) KeyByHash(ctx context.Context, hash []byte) (hongyan.Key, error) {
	all, err := s.listKeys(ctx, "WHERE hash = $1 AND revoked_at = 0", hash)
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
	return s.listKeys(ctx, `ORDER BY created_at, id COLLATE "C"`)
}

func (s *Store) listKeys(ctx context.Context, tail string, args ...any) (all []hongyan.Key, err error) {
	err = s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, collectKeys(&all), "SELECT "+keyColumns+" FROM keys "+tail, args...)
	})
	return all, err
}

// RevokeKey ends a key; see store.Keys.
func (s *Store) RevokeKey(ctx context.Context, id string) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE keys SET revoked_at = CASE revoked_at WHEN 0 THEN $1 ELSE revoked_at END WHERE id = $2", t.now, id)
		t.notices.add(store.NoticeKeys, "")
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
		ids := slices.Sorted(maps.Keys(used)) // in one order, so that nobody waits in a circle
		ats := make([]int64, len(ids))
		for i, id := range ids {
			ats[i] = millis(used[id])
		}
		_, err := t.exec(`WITH touched AS (SELECT keys.id AS key_id, at FROM unnest($1::text[], $2::bigint[]) AS used (id, at)
				JOIN keys ON keys.id = used.id ORDER BY keys.id FOR UPDATE OF keys)
			UPDATE keys SET last_used_at = greatest(last_used_at, at) FROM touched WHERE id = key_id`, ids, ats)
		return err
	})
}
