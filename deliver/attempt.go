package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"
)

// pushUserAgent is what captures of real pushes show (spec §5.6).
const pushUserAgent = "Mozilla/4.0"

// maxErrorText keeps the account of a failure short in the store.
const maxErrorText = 300

// errStopped is why a call was cut off by a stop; it says nothing of the server.
var errStopped = errors.New("cut off: the gateway stopped")

// outcome is what one call came to.
type outcome struct {
	status int    // HTTP; 0 = there was no answer
	body   []byte // at most one byte more than wechat.MaxReplyBytes
	err    error  // nil = taken
	outage bool   // the server did not answer, or something in front of it did for it
	took   time.Duration
}

// word is the outcome for Observe.
func (o *outcome) word() string {
	switch {
	case o.err == nil:
		return "delivered"
	case o.answered():
		return "refused"
	}
	return "unreachable"
}

// answered tells whether the server said no. A 2xx that failed broke off.
func (o *outcome) answered() bool { return o.status != 0 && o.status/100 != 2 }

// post makes one call. 2xx is success whatever the body says, as it is for WeChat;
// every other answer is a failure, a redirect too.
func (s *Sender) post(ctx context.Context, o *outlet, e *hongyan.Event, body []byte) outcome {
	if o.err != nil {
		return outcome{err: o.err}
	}
	start := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, answerWithin, fmt.Errorf("no whole answer within %s", answerWithin))
	defer cancel()
	out := s.call(ctx, o, e, body)
	out.took = time.Since(start)
	if out.err == nil {
		return out
	}
	if cause := context.Cause(ctx); cause != nil && !out.answered() {
		out.err, out.status = cause, 0
	}
	switch out.status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		out.outage = true
	default:
		out.outage = !out.answered()
	}
	return out
}

// call sends the push and reads the answer.
func (s *Sender) call(ctx context.Context, o *outlet, e *hongyan.Event, body []byte) outcome {
	req, err := s.request(ctx, o, e, body)
	if err != nil {
		return outcome{err: err}
	}
	resp, err := do(s.client, req)
	if err != nil {
		return outcome{err: err}
	}
	defer func() { _ = resp.Body.Close() }() // what is left unread closes the connection
	out := outcome{status: resp.StatusCode}
	// An answer counts when it is whole or longer than anybody needs: a server that
	// stalls in the middle has not answered, for WeChat as for us.
	out.body, err = io.ReadAll(io.LimitReader(resp.Body, wechat.MaxReplyBytes+1))
	switch {
	case resp.StatusCode/100 == 3:
		out.err = fmt.Errorf("answered %d: redirects are not followed", resp.StatusCode)
	case resp.StatusCode/100 != 2:
		out.err = fmt.Errorf("answered %d", resp.StatusCode)
	case err != nil:
		out.err = fmt.Errorf("the answer broke off: %w", err)
	}
	return out
}

// request makes the signed request.
func (s *Sender) request(ctx context.Context, o *outlet, e *hongyan.Event, body []byte) (*http.Request, error) {
	push, err := o.pusher.Push(body, e.OpenID, s.store.Now())
	if err != nil {
		return nil, err
	}
	u := *o.url
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += push.Query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(push.Body))
	if err != nil {
		return nil, withoutURL(err)
	}
	req.Header.Set("Content-Type", push.ContentType)
	req.Header.Set("User-Agent", pushUserAgent)
	// Named and not sent: net/http may repeat the request when a kept connection
	// turns out to be closed. A downstream may get a push twice in any case.
	req.Header["X-Idempotency-Key"] = nil
	return req, nil
}

// withoutURL drops the URL from a request's error: its query carries signatures, and
// may carry a secret of the operator's.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// attempt delivers one claimed delivery, or puts it off, and says what is to be
// recorded. stopping ends when nothing new may be sent, ctx when calls under way must end.
func (s *Sender) attempt(ctx, stopping context.Context, o *outlet, d *store.ClaimedDelivery) store.DeliveryResult {
	r := store.DeliveryResult{ID: d.ID, Attempts: d.Attempts, State: hongyan.DeliveryPending, DueAt: s.store.Now(), Untried: true}
	if stopping.Err() != nil {
		return r
	}
	body, wait, err := s.bodyOf(ctx, &d.Event)
	if err != nil {
		s.tell(ctx, slog.LevelError, o.target, "a push cannot be made ready to be handed on", "event", d.EventID, "err", err)
		r.DueAt = r.DueAt.Add(askAgain)
		return r
	}
	if wait > 0 {
		s.observe(o.target, "put_off", 0)
		r.DueAt = r.DueAt.Add(wait)
		return r
	}
	r.Untried = false
	out := s.post(ctx, o, &d.Event, body)
	if out.err != nil && ctx.Err() != nil {
		r.Status, r.Took, r.Error, r.DueAt = out.status, out.took, errStopped.Error(), s.store.Now()
		return r
	}
	s.judge(ctx, o, d, out, &r)
	return r
}

// judge turns the outcome of a call into what is recorded of its delivery.
func (s *Sender) judge(ctx context.Context, o *outlet, d *store.ClaimedDelivery, out outcome, r *store.DeliveryResult) {
	now := s.store.Now()
	r.Status, r.Took, r.DueAt = out.status, out.took, now
	trouble := s.note(o.target, out.err)
	word := out.word()
	if out.err == nil {
		r.State = hongyan.DeliveryDone
	} else {
		r.Error = shorten(out.err.Error())
		r.DueAt = now.Add(pauseAfter(d.Attempts, out.outage && trouble))
		if d.Attempts >= leastTries && r.DueAt.After(d.CreatedAt.Add(keepTrying)) {
			r.State, word = hongyan.DeliveryGaveUp, "gave_up"
			s.tell(ctx, slog.LevelWarn, o.target, "a push was given up", "event", d.EventID, "attempts", d.Attempts, "err", out.err)
		}
	}
	s.observe(o.target, word, out.took)
}

func shorten(text string) string {
	if runes := []rune(text); len(runes) > maxErrorText {
		return string(runes[:maxErrorText]) + "…"
	}
	return text
}
