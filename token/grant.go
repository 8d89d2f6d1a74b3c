package token

import (
	"context"
	"time"

	"hongyan"
	"hongyan/wechat"
)

// Ask is one caller's request for an account's token.
type Ask struct {
	AppID    string // not an alias
	CallerID string // a key's id, or hongyan.CallerAppSecret
	Endpoint string // as in hongyan.TokenCaller
	Remote   string // the caller's address without port
	Force    bool   // force_refresh
}

// Grant is a token for a caller.
type Grant struct {
	AccessToken hongyan.Secret
	ExpiresIn   time.Duration // its true remaining life, whole seconds, > 0
}

const (
	// scarceLife is what a client may refuse as too little (design §9.5).
	scarceLife = 60 * time.Second
	// testGap is the least time between two tests of an account's token, and between
	// its fetch and a test.
	testGap = 5 * time.Second
	// lateTestGap is the same near a token's renewal: a widely used client subtracts
	// 1,500 s from its life and then asks on every call, which says nothing.
	lateTestGap = time.Minute
	// testTimeout is how long a test may take: callers wait for it, and without an
	// answer they get the token as it is.
	testTimeout = 5 * time.Second
)

// Grant returns the account's current token, the same to all, as AccessToken does;
// one that lives for a minute or less only if no other can be had.
//
// A caller who asks again for the token it already has, long before its renewal, or
// with Force, may have found that WeChat refuses it. Then the token is tested
// first, once for all who ask at the time, and replaced only if WeChat says that it
// is dead. Errors are *hongyan.TokenError; an unknown account has a
// hongyan.NotFound inside. Who asked is recorded by Run.
func (c *Central) Grant(ctx context.Context, ask Ask) (Grant, error) {
	a, err := c.lookup(ctx, ask.AppID)
	if err != nil {
		return Grant{}, c.lookupError(ask.AppID, err)
	}
	ask.AppID = a.appID
	h, err := c.grantable(ctx, a, ask)
	if !hongyan.IsKind(err, hongyan.NotFound) { // an account that has gone has no record
		c.asked.note(ask, hongyan.Millis(c.store.Now()))
	}
	if err != nil {
		return Grant{}, err
	}
	left := h.token.ExpiresAt.Sub(c.store.Now()).Truncate(time.Second)
	if left <= 0 {
		return Grant{}, &hongyan.TokenError{AppID: a.appID, RetryAt: h.token.ExpiresAt, Reason: "the access_token expires within this second and no other could be had"}
	}
	a.gave(ask.CallerID, h.token.AccessToken)
	return Grant{AccessToken: h.token.AccessToken, ExpiresIn: left}, nil
}

// grantable returns a usable token, tested if the ask makes it doubtful.
func (c *Central) grantable(ctx context.Context, a *account, ask Ask) (*held, error) {
	now := c.store.Now()
	if h := a.hot.Load(); h.usable(now) {
		if f := c.beginTest(a, h, a.patience(h, ask, now)); f != nil {
			if err := f.wait(ctx, a.appID, c.store); err != nil {
				return nil, err
			}
		}
	}
	h, err := c.await(ctx, a)
	if err != nil || h.token.ExpiresAt.Sub(c.store.Now()) > scarceLife || a.refusal(c.store.Now()) != nil {
		return h, err
	}
	_ = c.begin(a).wait(ctx, a.appID, c.store) // what it brings is in memory, else the old one must do
	return c.await(ctx, a)
}

// patience returns how long ago the token must have been tested to be tested again
// because of this ask; 0 = the ask gives no reason to doubt it.
func (a *account) patience(h *held, ask Ask, now time.Time) time.Duration {
	switch {
	case ask.Force:
		return testGap
	case !a.wasGiven(ask.CallerID, h.token.AccessToken) || !now.Before(h.renewAt):
		return 0
	case h.token.ExpiresAt.Sub(now) <= min(plainMargin, h.token.ExpiresAt.Sub(h.token.FetchedAt)/marginShare):
		return lateTestGap
	}
	return testGap
}

// gave notes that the caller has that token now.
func (a *account) gave(callerID string, token hongyan.Secret) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.given != token {
		a.given, a.givenTo = token, map[string]bool{}
	}
	a.givenTo[callerID] = true
}

func (a *account) wasGiven(callerID string, token hongyan.Secret) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.given == token && a.givenTo[callerID]
}

// beginTest returns the test of the token that is under way, or starts one unless
// the last was less than gap ago; nil = none is needed. A fetch counts as a test.
func (c *Central) beginTest(a *account, h *held, gap time.Duration) *flight {
	if gap == 0 {
		return nil
	}
	now := c.store.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.tested) >= gap && now.Sub(h.token.FetchedAt) >= gap {
		c.startTest(a, h, now)
	}
	return a.test
}

// startTest starts a test unless one is under way. a.mu is held.
func (c *Central) startTest(a *account, h *held, now time.Time) {
	if a.test == nil {
		a.tested = now
		a.test = &flight{done: make(chan struct{})}
		go c.test(a, a.test, h)
	}
}

// Suspect says that WeChat refused a call for its token, where the call itself may be
// at fault: paths that want a user's or a platform's token answer 40001, too. Other
// than by Invalidate the token is tested first, once for all who say so at the time,
// and replaced only if it is dead: one mistaken caller must not use up the account's
// refreshes. replaced reports whether the account has another token than failed now.
func (c *Central) Suspect(ctx context.Context, appID, failed string) (replaced bool, err error) {
	a, err := c.lookup(ctx, appID)
	if err != nil {
		return false, c.lookupError(appID, err)
	}
	h, err := c.await(ctx, a)
	if err == nil && h.token.AccessToken.Reveal() == failed {
		a.mu.Lock()
		c.startTest(a, h, c.store.Now())
		test := a.test
		a.mu.Unlock()
		if err := test.wait(ctx, a.appID, c.store); err != nil {
			return false, err
		}
		h, err = c.await(ctx, a)
	}
	if err != nil {
		return false, err
	}
	return h.token.AccessToken.Reveal() != failed, nil
}

// test finds out whether the token is dead, and replaces it then. Whatever else
// happens, the token stays as it is.
func (c *Central) test(a *account, f *flight, h *held) {
	ctx, cancel := context.WithTimeout(context.Background(), flightTimeout)
	defer cancel()
	if c.reserveTest(ctx, a, h) {
		if c.isDead(ctx, a, h) && a.condemn(h.token.AccessToken, c.store.Now()) {
			<-c.begin(a).done // under the same lease
		}
		c.release(ctx, a)
	}
	a.mu.Lock()
	a.test = nil
	a.mu.Unlock()
	close(f.done)
}

// reserveTest waits until no other node asks WeChat about the account, if that does
// not take long. It reports whether the token has to be tested then: not if it is no longer the current one,
// nor if another node has just finished without replacing it.
func (c *Central) reserveTest(ctx context.Context, a *account, h *held) bool {
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	for waited := false; ; waited = true {
		leased, err := c.lease(ctx, a)
		if err != nil {
			return false
		}
		known := c.catchUp(ctx, a) || a.hot.Load() == nil || a.hot.Load().token.AccessToken != h.token.AccessToken
		switch {
		case leased && !known && !waited:
			return true
		case leased:
			c.release(ctx, a)
			return false
		case known:
			return false
		}
	}
}

// isDead asks WeChat. Only its word counts, not a call that failed.
func (c *Central) isDead(ctx context.Context, a *account, h *held) bool {
	acct, err := c.store.Account(ctx, a.appID)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	client := wechat.Client{BaseURL: acct.BaseURL, HTTPClient: c.client(&acct)}
	_, err = client.Do(ctx, wechat.Call{Endpoint: wechat.EndpointAPIDomainIP, AccessToken: h.token.AccessToken.Reveal()})
	dead := wechat.ClassOfError(err) == wechat.ClassToken
	c.log.DebugContext(ctx, "access_token tested, because a caller asked for it again", "appid", a.appID, "dead", dead, "err", err)
	return dead
}
