package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hongyan"
	"hongyan/store"
)

// role is what a caller may do; a higher one may do all a lower one may.
type role uint8

const (
	reader role = iota + 1
	sender
	admin
)

var roleWords = map[string]role{"reader": reader, "sender": sender, "admin": admin}

// caller is who asks.
type caller struct {
	id     string // the key's id; "admin" for the administrator's key
	role   role
	appIDs []string // accounts it may act on; empty = all
}

// covers reports whether the caller may act on an account.
func (c *caller) covers(appID string) bool {
	return len(c.appIDs) == 0 || slices.Contains(c.appIDs, appID)
}

// everything reports whether the caller is not limited to some accounts.
func (c *caller) everything() bool { return len(c.appIDs) == 0 }

// authenticate finds who sent r and checks that they have at least the role.
// It reads the store only for a key it has not seen lately.
func (a *API) authenticate(r *http.Request, need role) (*caller, error) {
	key, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	key = strings.TrimSpace(key)
	if !found || key == "" {
		return nil, &hongyan.Error{Kind: hongyan.Unauthorized, Code: "missing_key", Message: "no API key was given",
			Hint: "Send it as \"Authorization: Bearer hyk_…\"."}
	}
	c, err := a.keys.caller(r.Context(), sha256.Sum256([]byte(key)))
	if hongyan.IsKind(err, hongyan.NotFound) {
		return nil, &hongyan.Error{Kind: hongyan.Unauthorized, Code: "invalid_key", Message: "this API key is not known here, or was revoked"}
	}
	if err != nil {
		return nil, fmt.Errorf("look up key: %w", err)
	}
	if c.role < need {
		return nil, &hongyan.Error{Kind: hongyan.Forbidden, Code: "role_too_low", Message: "the role of this API key does not cover this act",
			Hint: "It takes the role " + need.String() + "."}
	}
	return c, nil
}

// String returns the role's word.
func (r role) String() string {
	for word, known := range roleWords {
		if known == r {
			return word
		}
	}
	return fmt.Sprintf("role(%d)", uint8(r))
}

// keyTTL is how long a key is believed without asking the store: on other
// nodes a revocation takes this long, here it works at once.
const keyTTL = 30 * time.Second

// maxCachedKeys keeps the cache small; beyond it everything is forgotten.
const maxCachedKeys = 10_000

// keyCache answers who a key belongs to. Safe for concurrent use.
type keyCache struct {
	store     store.Keys
	adminHash [32]byte
	admin     *caller

	mu   sync.RWMutex
	keys map[[32]byte]*cachedKey
}

type cachedKey struct {
	caller caller
	until  time.Time
	usedAt *atomic.Int64 // Unix milliseconds not written to the store yet; 0 = none
}

func newKeyCache(s store.Keys, adminHash [32]byte) *keyCache {
	return &keyCache{store: s, adminHash: adminHash, admin: &caller{id: "admin", role: admin}, keys: map[[32]byte]*cachedKey{}}
}

// caller returns who the key with that hash belongs to; NotFound for nobody.
func (k *keyCache) caller(ctx context.Context, hash [32]byte) (*caller, error) {
	if k.adminHash != [32]byte{} && subtle.ConstantTimeCompare(hash[:], k.adminHash[:]) == 1 {
		return k.admin, nil
	}
	now := time.Now()
	k.mu.RLock()
	known := k.keys[hash]
	k.mu.RUnlock()
	if known == nil || now.After(known.until) {
		fresh, err := k.load(ctx, hash, known)
		if err != nil {
			return nil, err
		}
		known = fresh
	}
	known.usedAt.Store(now.UnixMilli())
	return &known.caller, nil
}

// load reads the key from the store and remembers it. What an earlier entry
// knew of its use is carried over.
func (k *keyCache) load(ctx context.Context, hash [32]byte, earlier *cachedKey) (*cachedKey, error) {
	key, err := k.store.KeyByHash(ctx, hash[:])
	if err != nil {
		return nil, err
	}
	fresh := &cachedKey{
		caller: caller{id: key.ID, role: roleWords[key.Role], appIDs: key.AppIDs},
		until:  time.Now().Add(keyTTL),
		usedAt: new(atomic.Int64),
	}
	if earlier != nil {
		fresh.usedAt = earlier.usedAt
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.keys) >= maxCachedKeys {
		clear(k.keys)
	}
	k.keys[hash] = fresh
	return fresh, nil
}

// forget drops the key with that id, so that a revocation works at once.
func (k *keyCache) forget(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for hash, known := range k.keys {
		if known.caller.id == id {
			delete(k.keys, hash)
		}
	}
}

// used returns when keys were last used, for those used since the last call.
func (k *keyCache) used() map[string]time.Time {
	k.mu.RLock()
	defer k.mu.RUnlock()
	used := map[string]time.Time{}
	for _, known := range k.keys {
		if at := known.usedAt.Swap(0); at != 0 {
			used[known.caller.id] = time.UnixMilli(at).UTC()
		}
	}
	return used
}
