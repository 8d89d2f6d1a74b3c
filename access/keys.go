package access

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"sync"
	"sync/atomic"
	"time"

	"hongyan"
	"hongyan/store"
)

// Caller returns who has the secret, an API key or a gateway secret. It reads
// the store only for one it has not seen in the last 30 s, and notes that it was
// used. NotFound says that no valid key of that kind is like this; any other
// error says nothing about the secret, and must not count against anybody.
func (d *Desk) Caller(ctx context.Context, secret string, kind hongyan.KeyKind) (*Caller, error) {
	return d.keys.caller(ctx, secret, kind)
}

// Forget drops what is remembered of a key, so that a revocation works at once
// on this node; others are told (ForgetAll), and notice within 30 s if they are not.
func (d *Desk) Forget(keyID string) { d.keys.forget(keyID) }

// ForgetAll drops what is remembered of all keys: another node may have revoked some.
func (d *Desk) ForgetAll() { d.keys.forgetAll() }

// keyTTL is how long a key is believed without asking the store.
const keyTTL = 30 * time.Second

// maxCachedKeys keeps the cache small; beyond it everything is forgotten.
const maxCachedKeys = 10_000

// keyCache answers who a key belongs to. Safe for concurrent use.
type keyCache struct {
	store     store.Keys
	adminHash [32]byte
	admin     *Caller

	mu      sync.RWMutex
	keys    map[[32]byte]*cachedKey
	revoked int64            // grows with every forget
	unsaved map[string]int64 // last uses of keys that are no longer in keys, Unix milliseconds
}

type cachedKey struct {
	caller Caller
	until  time.Time
	usedAt *atomic.Int64 // Unix milliseconds not written to the store yet; 0 = none
}

func newKeyCache(s store.Keys, adminHash [32]byte) *keyCache {
	return &keyCache{
		store: s, adminHash: adminHash, admin: &Caller{ID: AdminID, Name: AdminID, Kind: hongyan.KeyAPI, Role: Admin},
		keys: map[[32]byte]*cachedKey{}, unsaved: map[string]int64{},
	}
}

func (k *keyCache) caller(ctx context.Context, secret string, kind hongyan.KeyKind) (*Caller, error) {
	hash := sha256.Sum256([]byte(secret))
	if k.adminHash != [32]byte{} && subtle.ConstantTimeCompare(hash[:], k.adminHash[:]) == 1 {
		if kind != hongyan.KeyAPI {
			return nil, misplaced(kind)
		}
		return k.admin, nil
	}
	now := time.Now()
	k.mu.RLock()
	known := k.keys[hash]
	k.mu.RUnlock()
	if known == nil && startsAs(secret, kind) {
		return nil, misplaced(kind)
	}
	if known == nil || now.After(known.until) {
		fresh, err := k.load(ctx, hash)
		if err != nil {
			return nil, err
		}
		known = fresh
	}
	if known.caller.Kind != kind {
		return nil, misplaced(kind)
	}
	known.usedAt.Store(now.UnixMilli())
	return &known.caller, nil
}

// load reads the key from the store and remembers it, unless some key was
// revoked meanwhile: it could be this one, read a moment before.
func (k *keyCache) load(ctx context.Context, hash [32]byte) (*cachedKey, error) {
	k.mu.RLock()
	revoked := k.revoked
	k.mu.RUnlock()
	key, err := k.store.KeyByHash(ctx, hash[:])
	if err != nil {
		return nil, err
	}
	role, _ := ParseRole(key.Role) // a role of a newer version may do nothing here
	fresh := &cachedKey{
		caller: Caller{ID: key.ID, Name: key.Name, Kind: key.Kind, Role: role, AppIDs: key.AppIDs, Personal: key.Personal},
		until:  time.Now().Add(keyTTL),
		usedAt: new(atomic.Int64),
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.revoked != revoked {
		return fresh, nil
	}
	if earlier := k.keys[hash]; earlier != nil {
		fresh.usedAt = earlier.usedAt
	}
	if len(k.keys) >= maxCachedKeys {
		for hash := range k.keys {
			k.drop(hash)
		}
	}
	k.keys[hash] = fresh
	return fresh, nil
}

// drop removes one key and keeps when it was used. k.mu is held.
func (k *keyCache) drop(hash [32]byte) {
	known := k.keys[hash]
	if at := known.usedAt.Swap(0); at != 0 {
		k.unsaved[known.caller.ID] = at
	}
	delete(k.keys, hash)
}

func (k *keyCache) forgetAll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.revoked++
	for hash := range k.keys {
		k.drop(hash)
	}
}

func (k *keyCache) forget(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.revoked++
	for hash, known := range k.keys {
		if known.caller.ID == id {
			k.drop(hash)
		}
	}
}

// used returns when keys were last used, for those used since the last call.
func (k *keyCache) used() map[string]time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	used := map[string]time.Time{}
	for id, at := range k.unsaved {
		used[id] = time.UnixMilli(at).UTC()
	}
	clear(k.unsaved)
	for _, known := range k.keys {
		if at := known.usedAt.Swap(0); at != 0 {
			used[known.caller.ID] = time.UnixMilli(at).UTC()
		}
	}
	return used
}

// putBack returns times that could not be written.
func (k *keyCache) putBack(used map[string]time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, at := range used {
		k.unsaved[id] = max(k.unsaved[id], at.UnixMilli())
	}
}
