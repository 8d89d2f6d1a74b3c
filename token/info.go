package token

import (
	"context"
	"slices"
	"time"

	"hongyan"
)

// Info is what people and metrics want to know of an account's token.
type Info struct {
	AppID       string
	AccessToken hongyan.Secret // "" = none fetched yet
	Source      hongyan.TokenSource
	FetchedAt   time.Time
	ExpiresAt   time.Time
	RenewAt     time.Time     // when Run will renew it; zero when it is not in memory
	Remaining   time.Duration // until ExpiresAt; 0 when that has passed or WeChat refused the token
	FetchedBy   string        // the node
	Generation  int64         // 0 = none fetched yet
	Fetches     int64         // calls to WeChat that led to stored tokens, by all nodes

	// EarlyDeaths counts tokens of this process's time that WeChat refused more
	// than a minute before their expiry though nobody here had replaced them:
	// another program refreshes this account (S80). LastEarlyBy is how much life
	// the last of them had left.
	EarlyDeaths int64
	LastEarlyBy time.Duration

	Stopped *hongyan.TokenError // why no token will be fetched until a person acts; nil = it will
	Failing *hongyan.TokenError // why the latest refresh failed; nil = it did not. Stopped is in it too
}

// Info returns the state of the account's token without asking WeChat. Once the
// token is in memory it is a memory read. An unknown account is hongyan.NotFound.
func (c *Central) Info(ctx context.Context, appID string) (Info, error) {
	a, err := c.lookup(ctx, appID)
	if err != nil {
		return Info{}, err
	}
	info := a.info()
	h := a.hot.Load()
	if h == nil {
		if h, err = c.storedInfo(ctx, a, &info); err != nil {
			return Info{}, err
		}
	}
	info.Source, info.AccessToken = h.token.Source, h.token.AccessToken
	info.FetchedAt, info.ExpiresAt, info.RenewAt = h.token.FetchedAt, h.token.ExpiresAt, h.renewAt
	info.FetchedBy, info.Generation, info.Fetches = h.token.FetchedBy, h.token.Generation, h.token.Fetches
	if now := c.store.Now(); h.usable(now) {
		info.Remaining = h.token.ExpiresAt.Sub(now)
	}
	return info, nil
}

// storedInfo reads from the store what memory does not have.
func (c *Central) storedInfo(ctx context.Context, a *account, info *Info) (*held, error) {
	acct, err := c.store.Account(ctx, a.appID)
	if err != nil {
		return nil, err
	}
	stored, err := c.store.Token(ctx, a.appID)
	if err != nil {
		return nil, err
	}
	if stored.Generation == 0 {
		stored.Source = acct.TokenSource
	}
	holds, err := c.store.Holds(ctx)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(holds, func(h hongyan.Hold) bool { return ours(h, a.appID) }); i >= 0 && info.Stopped == nil {
		info.Stopped = stopped(holds[i])
		info.Failing = info.Stopped
	}
	return &held{token: stored}, nil
}

// info returns what only memory knows.
func (a *account) info() Info {
	a.mu.Lock()
	defer a.mu.Unlock()
	info := Info{AppID: a.appID, EarlyDeaths: a.early, LastEarlyBy: a.lastEarly, Failing: a.failure}
	if a.failure != nil && a.failure.Stopped {
		info.Stopped = a.failure
	}
	return info
}
