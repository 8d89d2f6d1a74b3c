package compat

import (
	"context"
	"sync"
	"time"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"
)

// accountTTL is how long an account is believed without asking the store: on other
// nodes a change takes this long, here it works at once.
const accountTTL = 15 * time.Second

// accountCache keeps accounts by AppID. Those who read them must not change them.
// It is safe for concurrent use.
type accountCache struct {
	store store.Store

	mu      sync.RWMutex
	known   map[string]cachedAccount
	changes int // calls of forget
	only    *hongyan.Account
	onlyAt  time.Time
}

type cachedAccount struct {
	account *hongyan.Account
	until   time.Time
}

func newAccountCache(s store.Store) *accountCache {
	return &accountCache{store: s, known: map[string]cachedAccount{}}
}

// find returns the account with that AppID; NotFound otherwise. An alias is a word
// of ours, which WeChat does not know: it finds nothing here.
func (c *accountCache) find(ctx context.Context, appID string) (*hongyan.Account, error) {
	now := c.store.Now()
	c.mu.RLock()
	known, changes := c.known[appID], c.changes
	c.mu.RUnlock()
	if known.account != nil && now.Before(known.until) {
		return known.account, nil
	}
	a, err := c.store.Account(ctx, appID)
	if err != nil {
		return nil, err
	}
	if a.AppID != appID {
		return nil, hongyan.Errorf(hongyan.NotFound, "unknown_account", "no account has the appid %q", appID)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == changes { // else it may be older than the change
		c.known[appID] = cachedAccount{&a, now.Add(accountTTL)}
	}
	return &a, nil
}

// common returns the account that stands for all where a call names none: they
// must reach WeChat at the same address and by the same way. nil = they do not.
func (c *accountCache) common(ctx context.Context) (*hongyan.Account, error) {
	now := c.store.Now()
	c.mu.RLock()
	only, fresh, changes := c.only, now.Before(c.onlyAt.Add(accountTTL)), c.changes
	c.mu.RUnlock()
	if fresh {
		return only, nil
	}
	all, err := c.store.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	only = nil
	for i := range all {
		a := &all[i]
		if only != nil && (a.BaseURL != only.BaseURL || a.EgressProxy != only.EgressProxy) {
			only = nil
			break
		}
		only = a
	}
	if only != nil && len(all) > 1 {
		only.Paths = hongyan.PathRules{} // those of one account do not bind the users of another
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == changes {
		c.only, c.onlyAt = only, now
	}
	return only, nil
}

func (c *accountCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	clear(c.known)
	c.only, c.onlyAt = nil, time.Time{}
}

// account finds the account a caller named by its appid.
func (g *Gate) account(x *exchange, appID string) (*hongyan.Account, error) {
	if appID == "" {
		return nil, refuse(wechat.CodeAppIDMissing)
	}
	a, err := g.accounts.find(x.ctx(), appID)
	if hongyan.IsKind(err, hongyan.NotFound) {
		return nil, refuse(wechat.CodeInvalidAppID)
	}
	if err != nil {
		return nil, err
	}
	x.appID = a.AppID
	return a, nil
}
