package wechat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
)

// Call is one request to the platform with an explicit token and a ready body.
type Call struct {
	Endpoint    Endpoint
	AccessToken string // "" sends none; the platform then answers 41001
	Query       string // further parameters, encoded and joined: "ids=2,616&start=0"
	Body        []byte // JSON, see MarshalBody; nil makes the call a GET
	ContentType string // of Body; "" is JSON in UTF-8
}

// Format writes the endpoint and the body's length, whatever the verb: the token is a secret.
func (c Call) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "%s with %s, %d bytes", c.Endpoint, hidden, len(c.Body))
}

// Do makes one attempt: no token refresh, no retry. The error is nil only when
// the platform answered success (errcode 0 or absent); otherwise it is *Error,
// *StatusError or *TransportError. With *Error the Answer is filled as well, with
// the other two only its HTTPStatus. Do is safe for concurrent use.
func (c *Client) Do(ctx context.Context, call Call) (Answer, error) {
	return c.do(ctx, attempt{
		op:          call.Endpoint,
		query:       call.query(),
		body:        call.Body,
		contentType: call.ContentType,
		secrets:     []string{call.AccessToken},
	})
}

// query is the whole query string, the access token first.
func (c Call) query() string {
	if c.AccessToken == "" {
		return c.Query
	}
	token := "access_token=" + url.QueryEscape(c.AccessToken)
	if c.Query == "" {
		return token
	}
	return token + "&" + c.Query
}

// attempt is a request as it goes over the wire, with the values that must not
// show up in its errors.
type attempt struct {
	op          Endpoint
	query       string
	body        []byte
	contentType string
	secrets     []string
}

func (c *Client) do(ctx context.Context, a attempt) (Answer, error) {
	if err := ctx.Err(); err != nil {
		return Answer{}, &TransportError{Op: a.op, Err: err}
	}
	client := c.httpClient()
	w := watch{startsOver: a.body != nil && isBare(client)}
	req, err := c.newRequest(w.trace(ctx), a)
	if err != nil {
		return Answer{}, &TransportError{Op: a.op, Err: redact(err, a.secrets)}
	}
	resp, err := client.Do(req)
	if err != nil {
		return Answer{}, &TransportError{Op: a.op, Sent: w.mayHaveSent(client), Err: redact(err, a.secrets)}
	}
	defer resp.Body.Close()
	return readAnswer(a, resp)
}

// jsonContentType names the charset because without it some of the platform's
// modules lose the body and answer 44002 (spec §2.4).
var jsonContentType = []string{"application/json; charset=UTF-8"}

var errEndpoint = errors.New("endpoint must be a path that begins with a slash")

// newRequest builds the request from a bytes.Reader, which gives it a
// Content-Length; the platform refuses chunked bodies with HTTP 412 (spec §2.4).
func (c *Client) newRequest(ctx context.Context, a attempt) (*http.Request, error) {
	// Without the slash the endpoint would continue the host name and send the
	// token to somebody else.
	if !strings.HasPrefix(string(a.op), "/") {
		return nil, errEndpoint
	}
	target := c.base() + string(a.op)
	if a.query != "" {
		target += "?" + a.query
	}
	if a.body == nil {
		return http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(a.body))
	if err != nil {
		return nil, err
	}
	req.Header["Content-Type"] = jsonContentType
	if a.contentType != "" {
		req.Header.Set("Content-Type", a.contentType)
	}
	return req, nil
}

func (c *Client) base() string {
	if c.BaseURL == "" {
		return DefaultBaseURL
	}
	return strings.TrimSuffix(c.BaseURL, "/")
}

// watch notes whether a request may have left this machine. The zero value is
// ready for one request.
type watch struct {
	hooks  httptrace.ClientTrace
	asked  atomic.Bool // the transport looked for a connection
	reused atomic.Bool // the connection in use has served before
	sent   atomic.Bool
	// startsOver says that a second search for a connection means that nothing was
	// written to the first.
	startsOver bool
}

// isBare reports whether requests go straight to net/http's own transport. One
// that wraps it may repeat a request by itself, for reasons of its own.
func isBare(client *http.Client) bool {
	_, bare := client.Transport.(*http.Transport)
	return bare || client.Transport == nil
}

// trace returns ctx with the hooks installed. From GotConn on, bytes may have
// been written: the later hooks run when headers are buffered or flushed, which
// is too late to be sure that nothing left.
func (w *watch) trace(ctx context.Context) context.Context {
	w.hooks.GetConn = func(string) { w.startOver() }
	w.hooks.GotConn = func(info httptrace.GotConnInfo) {
		w.reused.Store(info.Reused)
		w.sent.Store(true)
	}
	return httptrace.WithClientTrace(ctx, &w.hooks)
}

// startOver runs when the transport looks for a connection, perhaps for the
// second time: for a POST it does so only if nothing at all was written to a
// reused connection that turned out to be closed (net/http's
// shouldRetryRequest), so the request is unsent again. GETs are repeated in more
// cases and stay sent, and so does everything behind a transport of somebody else's.
func (w *watch) startOver() {
	w.asked.Store(true)
	if w.startsOver && w.reused.Load() {
		w.sent.Store(false)
	}
}

// mayHaveSent reports whether request bytes may have left. A RoundTripper that
// is not net/http's and never called a hook tells us nothing; then they may.
func (w *watch) mayHaveSent(client *http.Client) bool {
	if w.asked.Load() || isBare(client) {
		return w.sent.Load()
	}
	return true
}
