// Package compat is the WeChat-compatible surface: services of the business point
// their SDK's base URL here and nothing else changes for them (design §3.3).
//
// Start with Gate and its ServeHTTP. Three things happen behind it. login.go gives
// the account's one access_token to whoever has a secret. send.go takes the five
// kinds of message into the engine, which stores each before it is sent, and answers
// what WeChat said. pass.go hands every other path on to WeChat with the token
// exchanged for the live one. refusal.go words what goes wrong as WeChat does; what
// may go wrong with a message is package dispatch's knowledge, and tokens are package
// token's.
package compat

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"hongyan"
	"hongyan/access"
	"hongyan/dispatch"
	"hongyan/store"
	"hongyan/token"
	"hongyan/wechat"
)

// Defaults of Config.
const (
	DefaultWait    = 3 * time.Second
	DefaultMaxBody = 100 << 20 // bytes
)

// Config is what a Gate is built from. Store, Engine, Tokens and Access are needed.
type Config struct {
	Store  store.Store
	Engine *dispatch.Engine
	Tokens *token.Central
	Access *access.Desk
	// ClientFor chooses the client that calls WeChat for an account; nil = HTTPClient for all.
	ClientFor func(*hongyan.Account) *http.Client
	// HTTPClient calls WeChat when no account says how; nil = one of our own. Its
	// Timeout does not count: media take longer than messages.
	HTTPClient *http.Client
	// Wait is how long the answer of a send waits for WeChat's; 0 = DefaultWait.
	Wait time.Duration
	// RefuseAppSecret: callers need a gateway secret; the account's own AppSecret does not do.
	RefuseAppSecret bool
	// MaxBody bounds a request that is passed through, in bytes; 0 = DefaultMaxBody.
	MaxBody int64
	// Changed is told the appid when clear_quota has lifted an account's holds; nil = nobody.
	Changed func(appID string)
	// TemplatesChanged is told the appid before the answer of a call goes back that
	// added or deleted a template: the next one sends it. nil = nobody.
	TemplatesChanged func(ctx context.Context, appID string)
	// Observe is told of every answer: its account ("" = none known), what was asked
	// (a path of ours, or the prefix of one passed through), the errcode and the time
	// it took. nil = nobody.
	Observe func(appID, path string, errcode int, took time.Duration)
	Logger  *slog.Logger // nil = discard
}

// Gate answers as WeChat's API does. It is safe for concurrent use.
type Gate struct {
	cfg      Config
	log      *slog.Logger
	accounts *accountCache
}

// New builds a Gate. It starts nothing.
func New(cfg Config) *Gate {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Wait <= 0 {
		cfg.Wait = DefaultWait
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = wechat.NewHTTPClient(wechat.NewTransport())
	}
	if cfg.ClientFor == nil {
		cfg.ClientFor = func(*hongyan.Account) *http.Client { return cfg.HTTPClient }
	}
	if cfg.Changed == nil {
		cfg.Changed = func(string) {}
	}
	if cfg.TemplatesChanged == nil {
		cfg.TemplatesChanged = func(context.Context, string) {}
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string, string, int, time.Duration) {}
	}
	return &Gate{cfg: cfg, log: cfg.Logger, accounts: newAccountCache(cfg.Store)}
}

// AccountChanged makes the gate read an account again before its next use.
func (g *Gate) AccountChanged(string) { g.accounts.forget() }

// Prefixes are the paths of WeChat's API. Whoever serves a Gate mounts it on them.
// /cgi-bin/, /wxa/, /wxaapi/ and /sns/ have nearly everything; the others belong to
// single products.
var Prefixes = []string{
	"/cgi-bin/", "/wxa/", "/wxaapi/", "/sns/", "/datacube/", "/customservice/",
	"/bizwifi/", "/card/", "/channels/", "/cityservice/", "/cv/", "/device/", "/hardware/", "/marketing/",
	"/merchant/", "/nontax/", "/product/", "/publisher/", "/redpacketcover/", "/retail/", "/scan/", "/semantic/",
	"/shakearound/", "/shop/", "/tcb/", "/union/",
}

// The two paths that give tokens.
const (
	pathToken  = "/cgi-bin/token"
	pathStable = "/cgi-bin/stable_token"
)

// exchange is one request and what is known of it.
type exchange struct {
	w     http.ResponseWriter
	r     *http.Request
	path  string // decoded, as it was asked for
	route string // what is done: path in lower case without a slash at its end
	label string // what Observe calls it
	appID string
	code  int  // the errcode answered
	begun bool // the answer has begun
	empty bool // the caller's body was read to its end
}

func (x *exchange) ctx() context.Context { return x.r.Context() }

// ServeHTTP answers one call. Whatever becomes of it, the answer is WeChat's, or
// HTTP 200 with an errcode.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	x := &exchange{w: w, r: r, label: "unknown"}
	defer func() { g.cfg.Observe(x.appID, x.label, x.code, time.Since(started)) }()
	defer func() {
		if fault := recover(); fault != nil {
			g.recovered(x, fault)
		}
	}()
	if err := g.serve(x); err != nil {
		g.refuse(x, err)
	}
}

func (g *Gate) serve(x *exchange) error {
	if !x.find(x.r.URL) {
		return refuse(wechat.CodeInvalidURL)
	}
	switch x.route {
	case pathToken:
		return g.serveToken(x)
	case pathStable:
		return g.serveStableToken(x)
	}
	if s := sends[x.route]; s != nil {
		return g.serveSend(x, s)
	}
	return g.pass(x)
}

// find tells what is asked for; false for what is no path of WeChat's. Theirs
// consist of plain words, so that everything else (dots, escaped slashes, a second
// round of escapes) can only be meant to lead somewhere by a detour.
func (x *exchange) find(u *url.URL) bool {
	x.path = u.Path
	for part := range strings.SplitSeq(strings.TrimSuffix(x.path, "/"), "/") {
		if part == "." || part == ".." {
			return false
		}
	}
	if strings.Contains(x.path, "//") || strings.ContainsFunc(x.path, odd) || strings.Contains(strings.ToLower(u.RawPath), "%2f") {
		return false
	}
	x.route = strings.ToLower(strings.TrimSuffix(x.path, "/"))
	for _, prefix := range Prefixes {
		if strings.HasPrefix(x.route, prefix) {
			x.label = prefix
			return true
		}
	}
	return false
}

func odd(r rune) bool {
	plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	return !plain && !strings.ContainsRune("/_-.~", r)
}

// recovered answers a request whose handler panicked. net/http's own way to give
// up a connection stays what it is.
func (g *Gate) recovered(x *exchange, fault any) {
	if fault == http.ErrAbortHandler {
		panic(fault)
	}
	err := fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
	if x.begun {
		g.log.ErrorContext(x.ctx(), "panic after the answer began", "path", x.path, "err", err)
		panic(http.ErrAbortHandler)
	}
	g.refuse(x, err)
}
