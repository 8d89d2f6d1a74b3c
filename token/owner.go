package token

import (
	"context"
	"sync"
	"time"

	"hongyan"
	"hongyan/store"
)

// Standing says what a token that a caller sent is worth.
type Standing uint8

// The standings.
const (
	Unknown Standing = iota // never ours, or forgotten
	Live                    // current, or replaced at most five minutes ago
	Stale                   // ours once
)

// grace is how long a replaced token goes on being taken, here as at WeChat (spec §3.1).
const grace = 5 * time.Minute

// Owner returns whose token that is, and what it is worth: Live even when it has
// expired or WeChat refuses it, as long as it is the one callers were given last.
// Current and just replaced tokens are found in memory, the others in the store. A
// token nobody knows is Unknown with appID ""; the error is the store's.
func (c *Central) Owner(ctx context.Context, accessToken string) (appID string, s Standing, err error) {
	hash := hashOf(hongyan.Secret(accessToken))
	if e, ok := c.issued.find(hash); ok {
		return e.appID, c.standing(e.replacedAt), nil
	}
	issued, err := c.store.IssuedToken(ctx, hash[:])
	switch {
	case hongyan.IsKind(err, hongyan.NotFound):
		return "", Unknown, nil
	case err != nil:
		return "", Unknown, err
	}
	if issued.ReplacedAt.IsZero() { // fetched by another node
		c.catchUp(ctx, c.account(issued.AppID))
	}
	return issued.AppID, c.standing(issued.ReplacedAt), nil
}

func (c *Central) standing(replacedAt time.Time) Standing {
	if replacedAt.IsZero() || c.store.Now().Sub(replacedAt) <= grace {
		return Live
	}
	return Stale
}

// catchUp puts a token in memory that another node stored meanwhile and reports
// whether there was one. With nothing in memory a flight looks, which also minds
// holds and changes of the account.
func (c *Central) catchUp(ctx context.Context, a *account) bool {
	h := a.hot.Load()
	if h == nil {
		c.begin(a)
		return false
	}
	stored, err := c.store.Token(ctx, a.appID)
	if err != nil || stored.Generation <= h.token.Generation || stored.AccessToken == h.token.AccessToken || !c.store.Now().Before(stored.ExpiresAt) {
		return false
	}
	a.show(stored, renewAt(stored, c.rand()), !a.isStopped())
	c.wakeRun()
	return true
}

func (a *account) isStopped() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.failure != nil && a.failure.Stopped
}

func hashOf(token hongyan.Secret) [32]byte { return [32]byte(store.HashKey(token.Reveal())) }

// book finds the account of a token in memory by its hash. It knows two of each
// account, whatever strangers ask for. It is safe for concurrent use.
type book struct {
	mu      sync.RWMutex
	entries map[[32]byte]entry
	current map[string][2][32]byte // AppID → the hashes of the current and the previous token
}

// entry is one token: whose, and when another took its place (zero = not yet).
type entry struct {
	appID      string
	replacedAt time.Time
}

func newBook() *book {
	return &book{entries: map[[32]byte]entry{}, current: map[string][2][32]byte{}}
}

func (b *book) find(hash [32]byte) (entry, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	e, ok := b.entries[hash]
	return e, ok
}

// note makes t the current token of its account, and t.Previous the one before.
func (b *book) note(t hongyan.Token) {
	hash, before := hashOf(t.AccessToken), hashOf(t.Previous)
	b.mu.Lock()
	defer b.mu.Unlock()
	replacedAt := b.entries[before].replacedAt
	if replacedAt.IsZero() { // else t is shown anew
		replacedAt = t.FetchedAt
	}
	b.remove(t.AppID)
	b.current[t.AppID] = [2][32]byte{hash, before}
	if t.Previous != "" {
		b.entries[before] = entry{appID: t.AppID, replacedAt: replacedAt}
	}
	b.entries[hash] = entry{appID: t.AppID}
}

// forget removes what is known of an account.
func (b *book) forget(appID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remove(appID)
}

func (b *book) remove(appID string) {
	for _, hash := range b.current[appID] {
		if b.entries[hash].appID == appID {
			delete(b.entries, hash)
		}
	}
	delete(b.current, appID)
}
