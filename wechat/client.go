package wechat

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// DefaultBaseURL is the platform's ordinary host; spec §2.1 lists others.
const DefaultBaseURL = "https://api.weixin.qq.com"

// Times and sizes of the default HTTP client (spec §2.10: an answer takes 130 to
// 310 ms as a rule, with bursts of several seconds).
const (
	connectTimeout = 5 * time.Second
	totalTimeout   = 15 * time.Second
	// idleTimeout is short because a connection that the platform has closed
	// meanwhile turns the next send into a "no answer".
	idleTimeout = 30 * time.Second
	// maxIdlePerHost keeps as many connections as a busy gateway has calls in
	// flight; net/http's 2 would open a new one for nearly every call.
	maxIdlePerHost = 512
)

// TokenSource hands out the access token of one account. Implementations must
// be safe for concurrent use and must not put the token into errors.
type TokenSource interface {
	// AccessToken returns a token believed to be good.
	AccessToken(ctx context.Context) (string, error)
	// Invalidate says that the platform refused the token failed. The source
	// replaces it unless it already holds another one.
	Invalidate(ctx context.Context, failed string) error
}

// StaticToken is a TokenSource that always returns token: for tests, tools and
// callers that manage tokens elsewhere. Invalidate does nothing.
func StaticToken(token string) TokenSource { return staticToken(token) }

type staticToken string

// Format hides the token, whatever the verb.
func (staticToken) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

func (t staticToken) AccessToken(context.Context) (string, error) { return string(t), nil }

func (staticToken) Invalidate(context.Context, string) error { return nil }

// Client calls the platform. The zero value calls DefaultBaseURL with the
// default HTTP client and can fetch tokens; the other typed methods need Tokens.
// A Client is safe for concurrent use as long as its fields are not changed.
type Client struct {
	// BaseURL is scheme and host, perhaps with a path prefix; "" is DefaultBaseURL.
	BaseURL string
	// HTTPClient makes the calls; nil is a shared client with a timeout of 15 s,
	// 5 s for connecting. Redirects are never followed, whatever it says: they
	// would carry the access token to another place. Its transport should not send
	// a request twice by itself: it cannot know what is safe to repeat.
	HTTPClient *http.Client
	// Tokens gives the access token to the typed methods. Do does not use it.
	Tokens TokenSource
}

// defaultHTTPClient is shared by all Clients without one of their own, so that
// they share connections too.
var defaultHTTPClient = NewHTTPClient(NewTransport())

// NewHTTPClient returns a client like the one a Client without HTTPClient uses,
// with a transport of the caller's: 15 s for a call, redirects refused.
func NewHTTPClient(transport *http.Transport) *http.Client {
	return &http.Client{Transport: transport, Timeout: totalTimeout, CheckRedirect: refuseRedirect}
}

// NewTransport returns a new transport with the settings of the default HTTP
// client, for callers who need another proxy or another way to dial. It speaks
// HTTP/1.1 only: with HTTP/2 many calls share a connection and one fault makes
// all of them "no answer".
func NewTransport() *http.Transport {
	var onlyHTTP1 http.Protocols
	onlyHTTP1.SetHTTP1(true)
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: connectTimeout,
		IdleConnTimeout:     idleTimeout,
		MaxIdleConns:        0, // no limit over all hosts; there is one host
		MaxIdleConnsPerHost: maxIdlePerHost,
		DisableCompression:  true, // answers are about 80 bytes
		Protocols:           &onlyHTTP1,
	}
}

func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// httpClient is the client to call with, in any case one that refuses redirects.
func (c *Client) httpClient() *http.Client {
	if c.HTTPClient == nil {
		return defaultHTTPClient
	}
	own := *c.HTTPClient
	own.CheckRedirect = refuseRedirect
	return &own
}
