// Package mini keeps what mini programs (小程序) must have before they may send:
// form_ids and prepay_ids for template messages, consents for subscribe messages.
// It checks what a business stores of them, says how many sends are left, and
// proposes the subscribe template that takes an old template's place.
//
// Start with Keeper: AddForms, then consents.go (what is left), then convert.go.
// Which form_id a message takes, and when, is package dispatch's; the ledger's
// arithmetic is hongyan.Consent's.
package mini

import (
	"context"
	"log/slog"
	"net/http"
	"sync"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"
)

// Tokens is what a Keeper needs of the access_token central server.
type Tokens interface {
	AccessToken(ctx context.Context, appID string) (string, error)
	Invalidate(ctx context.Context, appID, failed string) error
}

// Config is what a Keeper is built from.
type Config struct {
	Store      store.Store
	Tokens     Tokens
	HTTPClient *http.Client // nil = wechat's default
	// ClientFor gives the client of one account, e.g. one that goes through its
	// proxy; nil, and an answer of nil, mean HTTPClient. It must not block.
	ClientFor func(*hongyan.Account) *http.Client
	// Waiting is told of an account whose messages were queued because a form_id
	// came. It must not wait; nil = nobody.
	Waiting func(appID string)
	// Tell is told that few sends are left (type consent.low, data a Low); nil = nobody.
	Tell   func(ctx context.Context, appID, typ string, data any)
	Logger *slog.Logger // nil = discard
}

// Keeper keeps form_ids and consents. It is safe for concurrent use.
type Keeper struct {
	cfg Config
	log *slog.Logger

	mu      sync.Mutex
	shelves map[string]*shelf // subscribe templates, by AppID
}

// New returns a Keeper; it starts nothing.
func New(cfg Config) *Keeper {
	if cfg.Waiting == nil {
		cfg.Waiting = func(string) {}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Keeper{cfg: cfg, log: cfg.Logger, shelves: make(map[string]*shelf)}
}

// client speaks to WeChat as account a.
func (k *Keeper) client(a *hongyan.Account) *wechat.Client {
	client := k.cfg.HTTPClient
	if k.cfg.ClientFor != nil {
		if own := k.cfg.ClientFor(a); own != nil {
			client = own
		}
	}
	return &wechat.Client{BaseURL: a.BaseURL, HTTPClient: client, Tokens: accountTokens{k.cfg.Tokens, a.AppID}}
}

// accountTokens is the token source of one account.
type accountTokens struct {
	all   Tokens
	appID string
}

func (t accountTokens) AccessToken(ctx context.Context) (string, error) {
	return t.all.AccessToken(ctx, t.appID)
}

func (t accountTokens) Invalidate(ctx context.Context, failed string) error {
	return t.all.Invalidate(ctx, t.appID, failed)
}
