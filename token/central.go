// Package token is the access_token central server (中控服务器) of spec §3.3:
// one token per account for everybody, fetched by one flight at a time, renewed
// ahead of its expiry, and replaced when WeChat is found to refuse it.
//
// Start with Central: AccessToken is the hot path, a read of memory, and Grant
// the same for callers, whose asking again may mean that the token is dead.
// Everything that asks WeChat goes through one flight per account, whose steps are
// in refresh.go; what an answer means is in failure.go, when a token is renewed in
// schedule.go, and Run does the renewing. Nodes agree through the store: a flight
// reads it, leases the asking for the account (lease.go), reads it again and saves
// by comparing generations. Tokens that another central server keeps are fetched
// from it (external.go) or brought by it (push.go).
//
// It leaves to others: speaking HTTP to callers (package compat), and clearing the
// hold on a stopped account when a person resumes it (package dispatch).
package token

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"hongyan"
	"hongyan/store"
)

// Config is what a Central is built from. Only Store is needed.
type Config struct {
	Store store.Store
	// HTTPClient calls WeChat; nil = wechat's default.
	HTTPClient *http.Client
	// ClientFor gives the client of one account, perhaps one that goes through its
	// proxy; nil, and a nil answer, = HTTPClient. Concurrent calls happen.
	ClientFor func(*hongyan.Account) *http.Client
	// NodeName is recorded with each token this process fetches; "" = "local".
	NodeName string
	Logger   *slog.Logger // nil = discard
	// Fetched is told of an account whose token was just fetched: what waited for
	// one can go on. nil = nobody.
	Fetched func(appID string)
	// DiedEarly is told, once for each, of a token that WeChat refused though it had
	// that much life left and no node of ours had replaced it; nil = nobody.
	DiedEarly func(appID string, by time.Duration)
	// Rand gives the jitter of renewals, in [0,1); nil = math/rand/v2. Concurrent calls happen.
	Rand func() float64
}

// Central keeps one access_token per account. Build it with New; all methods
// are safe for concurrent use. The zero value is not usable.
type Central struct {
	store      store.Store
	httpClient *http.Client
	clientFor  func(*hongyan.Account) *http.Client
	node       string
	holder     string // of leases: two processes may have one name
	log        *slog.Logger
	fetched    func(appID string)
	diedEarly  func(appID string, by time.Duration)
	rand       func() float64

	accounts sync.Map      // AppID → *account
	issued   *book         // whose the tokens in memory are
	asked    *register     // who asked for tokens since it was last written down
	wake     chan struct{} // tells Run that a renewal time may have changed; holds one
}

// New returns a Central. It starts nothing and reads nothing: tokens are loaded
// when first asked for, or by Run.
func New(cfg Config) *Central {
	c := &Central{
		store: cfg.Store, httpClient: cfg.HTTPClient, clientFor: cfg.ClientFor, node: cmp.Or(cfg.NodeName, "local"),
		log: cfg.Logger, fetched: cfg.Fetched, diedEarly: cfg.DiedEarly, rand: cfg.Rand,
		issued: newBook(), asked: newRegister(), wake: make(chan struct{}, 1),
	}
	c.holder = c.node + "/" + crand.Text()
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.fetched == nil {
		c.fetched = func(string) {}
	}
	if c.diedEarly == nil {
		c.diedEarly = func(string, time.Duration) {}
	}
	if c.rand == nil {
		c.rand = rand.Float64
	}
	return c
}

// AccessToken returns the account's current token, from memory as a rule. Past
// its renewal time the old token is still returned, up to its expiry, while a
// refresh runs beside it (S75). Only when there is no usable token does it wait
// for the one flight all callers share; ctx ends the wait, not the flight.
//
// appID may be an alias; that costs a read of the store. Errors are
// *hongyan.TokenError; an unknown account has a hongyan.NotFound inside.
func (c *Central) AccessToken(ctx context.Context, appID string) (string, error) {
	if v, ok := c.accounts.Load(appID); ok {
		if h := c.ready(v.(*account)); h != nil {
			return h.token.AccessToken.Reveal(), nil
		}
	}
	a, err := c.lookup(ctx, appID)
	if err != nil {
		return "", c.lookupError(appID, err)
	}
	h, err := c.await(ctx, a)
	if err != nil {
		return "", err
	}
	return h.token.AccessToken.Reveal(), nil
}

// ready returns the token in memory if it can be used, else nil, and starts its renewal when due.
func (c *Central) ready(a *account) *held {
	now := c.store.Now()
	h := a.hot.Load()
	if !h.usable(now) {
		return nil
	}
	if !now.Before(h.renewAt) {
		c.begin(a)
	}
	return h
}

// maxFlightsAwaited bounds await. One flight is the rule; a second is needed when
// the token that the first brought was condemned meanwhile.
const maxFlightsAwaited = 3

// await returns a usable token, joining or starting flights as needed.
func (c *Central) await(ctx context.Context, a *account) (*held, error) {
	for range maxFlightsAwaited {
		if h := c.ready(a); h != nil {
			return h, nil
		}
		if refusal := a.refusal(c.store.Now()); refusal != nil {
			return nil, refusal
		}
		err := c.begin(a).wait(ctx, a.appID, c.store)
		if h := c.ready(a); h != nil {
			return h, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, &hongyan.TokenError{AppID: a.appID, RetryAt: c.store.Now().Add(time.Second),
		Reason: "new tokens are refused or expired as soon as they arrive"}
}

// Invalidate says that WeChat refused the token failed. If failed is no longer
// the current token nothing happens; otherwise it is not handed out again and a
// refresh is made, one for everybody who says so (S76). It returns once another
// token can be had, or a *hongyan.TokenError that says when that may be.
func (c *Central) Invalidate(ctx context.Context, appID, failed string) error {
	a, err := c.lookup(ctx, appID)
	if err != nil {
		return c.lookupError(appID, err)
	}
	if a.hot.Load() == nil {
		// After a restart: learn what is current before comparing.
		if err := c.begin(a).wait(ctx, a.appID, c.store); err != nil {
			return err
		}
	}
	if !a.condemn(hongyan.Secret(failed), c.store.Now()) {
		return nil
	}
	_, err = c.await(ctx, a)
	return err
}

// Refresh is Invalidate for people and for POST …/token/refresh, and returns
// what holds afterwards. With failed "" an operator wants another token whatever
// the state of the current one: the pause after a failure is skipped, the limits
// of force_refresh are not, and the current token stays in use if none comes.
// A stopped account stays stopped: update or resume it first.
func (c *Central) Refresh(ctx context.Context, appID, failed string) (Info, error) {
	var err error
	if failed != "" {
		err = c.Invalidate(ctx, appID, failed)
	} else {
		err = c.replace(ctx, appID)
	}
	if err != nil {
		return Info{}, err
	}
	return c.Info(ctx, appID)
}

// replace fetches another token for an operator.
func (c *Central) replace(ctx context.Context, appID string) error {
	a, err := c.lookup(ctx, appID)
	if err != nil {
		return c.lookupError(appID, err)
	}
	if a.hot.Load() == nil {
		asked := hongyan.Millis(c.store.Now())
		if err := c.begin(a).wait(ctx, a.appID, c.store); err != nil {
			return err
		}
		if h := a.hot.Load(); h != nil && !h.token.FetchedAt.Before(asked) {
			return nil // there was none, and this one is new
		}
	}
	unwanted := a.askForAnother()
	for range maxFlightsAwaited {
		if err := c.begin(a).wait(ctx, a.appID, c.store); err != nil {
			return err
		}
		if h := a.hot.Load(); h != nil && h.token.AccessToken != unwanted {
			return nil
		}
	}
	return nil
}

// AccountChanged forgets what is known of an account: call it after the account
// was created, changed, resumed or deleted. A stop ends with it: the next
// refresh asks WeChat once more, even if the stored hold is still there, and
// clears that hold when it succeeds.
func (c *Central) AccountChanged(appID string) {
	// One that is unknown here may be stopped in the store by an earlier process.
	c.account(appID).reset()
	c.wakeRun()
}

// lookup returns the account with that AppID or alias. Aliases are not kept:
// they may come to mean another account.
func (c *Central) lookup(ctx context.Context, name string) (*account, error) {
	if v, ok := c.accounts.Load(name); ok {
		return v.(*account), nil
	}
	stored, err := c.store.Account(ctx, name)
	if err != nil {
		return nil, err
	}
	return c.account(stored.AppID), nil
}

// account returns what is kept about the account with that AppID.
func (c *Central) account(appID string) *account {
	v, _ := c.accounts.LoadOrStore(appID, newAccount(appID, c.issued))
	return v.(*account)
}

// client is the one that calls for the account go through; nil = wechat's default.
func (c *Central) client(acct *hongyan.Account) *http.Client {
	if c.clientFor != nil {
		if own := c.clientFor(acct); own != nil {
			return own
		}
	}
	return c.httpClient
}

func (c *Central) wakeRun() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
