package compat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"time"

	"hongyan/wechat"
)

// tokenWait bounds how long a call waits for the account's token.
const tokenWait = 20 * time.Second

// forward sends a call on and its answer back. A call whose token WeChat refuses has
// done nothing: if the token is dead, it is made once more, with the next.
func (g *Gate) forward(x *exchange, p *passage) error {
	t := newTransit(x)
	defer t.end()
	src, size := p.source(x)
	b, err := newBody(src, size, g.cfg.MaxBody, t)
	if err != nil {
		return err
	}
	defer b.close()
	for first := true; ; first = false {
		live, err := g.live(t.ctx, p)
		if err != nil {
			return err
		}
		resp, err := g.ask(t, p, live, b)
		if err != nil {
			b.stop()
			return g.unreachable(t, p, b, err)
		}
		t.touch()
		seen := peek(resp)
		t.touch()
		if first && p.swap && deadToken(seen.code) && b.repeatable() {
			again, err := g.suspect(t.ctx, p, live)
			if again || err != nil {
				_ = resp.Body.Close()
			}
			if err != nil {
				return err
			}
			if again {
				continue
			}
		}
		b.stop()
		x.code = int(seen.code)
		return g.relay(t, p, resp, &seen)
	}
}

// live returns the token a call is made with; "" for one without.
func (g *Gate) live(ctx context.Context, p *passage) (string, error) {
	if !p.swap {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, tokenWait)
	defer cancel()
	return g.cfg.Tokens.AccessToken(ctx, p.account.AppID)
}

// suspect reports whether there is another token than the one WeChat refused.
func (g *Gate) suspect(ctx context.Context, p *passage, failed string) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, tokenWait)
	defer cancel()
	return g.cfg.Tokens.Suspect(ctx, p.account.AppID, failed)
}

// ask makes one call.
func (g *Gate) ask(t *transit, p *passage, live string, b *body) (*http.Response, error) {
	base, client := wechat.DefaultBaseURL, g.cfg.HTTPClient
	if p.account != nil {
		client = g.cfg.ClientFor(p.account)
		if p.account.BaseURL != "" {
			base = strings.TrimSuffix(p.account.BaseURL, "/")
		}
	}
	target := base + t.x.path
	q := p.query
	if p.swap {
		q = q.set("access_token", live)
	}
	if len(q) > 0 {
		target += "?" + q.String()
	}
	t.sent.Store(false)
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { t.sent.Store(true) }}
	var send io.Reader = http.NoBody
	if b.size != 0 {
		send = b.open()
	}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.ctx, trace), t.x.r.Method, target, send)
	if err != nil {
		return nil, err
	}
	req.ContentLength = b.size
	req.Header = headersOf(t.x.r, client)
	own := *client
	own.Timeout = 0 // transit has limits of its own
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return own.Do(req)
}

// ours are the headers that concern the caller and us alone.
var ours = []string{"Authorization", "Cookie", confirmHeader, "X-Request-Id", "Forwarded", "X-Forwarded-For",
	"X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Expect"}

// hops are the headers of one connection (RFC 9110 §7.6.1).
var hops = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// headersOf returns what WeChat gets of a caller's headers.
func headersOf(r *http.Request, client *http.Client) http.Header {
	h := r.Header.Clone()
	dropHops(h)
	for _, name := range ours {
		h.Del(name)
	}
	if _, given := h["User-Agent"]; !given {
		h["User-Agent"] = []string{""} // else net/http's own
	}
	if t, ok := client.Transport.(*http.Transport); h.Get("Accept-Encoding") == "" && !(ok && t.DisableCompression) {
		h["Accept-Encoding"] = []string{"identity"} // else net/http asks for gzip and unpacks it
	}
	return h
}

func dropHops(h http.Header) {
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hops {
		h.Del(name)
	}
}

// relay gives WeChat's answer back as it came. The one exception is 40014, which
// most SDKs do not recover from: they get 40001 (design §3.3).
func (g *Gate) relay(t *transit, p *passage, resp *http.Response, seen *glance) error {
	defer resp.Body.Close()
	x := t.x
	if seen.err != nil {
		return g.cutOff(x, seen.err)
	}
	if p.swap && seen.code == wechat.CodeInvalidAccessToken {
		return &refusal{code: wechat.CodeInvalidCredential, text: textOf(wechat.CodeInvalidCredential), rid: seen.rid}
	}
	g.settle(x, p, seen)
	x.drain()
	x.begun = true
	h := x.w.Header()
	for name, values := range resp.Header {
		h[name] = values
	}
	dropHops(h)
	if seen.whole && resp.ContentLength < 0 && x.r.Method != http.MethodHead {
		h["Content-Length"] = []string{strconv.Itoa(len(seen.head))}
	}
	x.w.WriteHeader(resp.StatusCode)
	if _, err := x.w.Write(seen.head); err != nil || seen.whole {
		return nil
	}
	return g.stream(t, resp.Body)
}

// streamBuffer is how much is read and given on at once, in bytes.
const streamBuffer = 32 << 10

// stream gives on the rest of an answer as it comes, at once.
func (g *Gate) stream(t *transit, from io.Reader) error {
	flush := http.NewResponseController(t.x.w).Flush
	buf := make([]byte, streamBuffer)
	for {
		if err := flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return nil // the caller has left
		}
		n, err := from.Read(buf)
		t.touch()
		if n > 0 {
			if _, err := t.x.w.Write(buf[:n]); err != nil {
				return nil
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return g.cutOff(t.x, err)
		}
	}
}

// cutOff ends a call whose answer broke off: what was given on is not the whole,
// and the caller must see that.
func (g *Gate) cutOff(x *exchange, err error) error {
	if !x.begun {
		return systemError("WeChat's answer broke off, the call may have been carried out", plainError(err))
	}
	g.log.WarnContext(x.ctx(), "an answer of WeChat's broke off", "path", x.path, "appid", x.appID, "err", plainError(err))
	panic(http.ErrAbortHandler)
}

// unreachable answers for a call WeChat did not answer.
func (g *Gate) unreachable(t *transit, p *passage, b *body, err error) error {
	if p.guarded != nil && t.sent.Load() {
		g.count(t.x, p) // it may have been carried out
	}
	if trouble := b.trouble(); trouble != nil {
		return trouble // the caller's body was at fault
	}
	if t.x.ctx().Err() != nil {
		return errGone
	}
	detail := "WeChat could not be reached, nothing was sent"
	if t.sent.Load() {
		detail = "WeChat did not answer, the call may have been carried out"
	}
	if cause := context.Cause(t.ctx); cause != nil {
		err = cause
	}
	return systemError(detail, plainError(err))
}

// plainError frees an error of net/http from what may not be logged: the URL with
// its token, and whatever the other side wrote.
func plainError(err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op
	}
	for _, known := range []error{errSilent, context.DeadlineExceeded, context.Canceled, io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(err, known) {
			return known
		}
	}
	return fmt.Errorf("%T", err)
}
