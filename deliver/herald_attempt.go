package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"hongyan"
	"hongyan/store"
)

const (
	// hookUserAgent names this program to endpoints.
	hookUserAgent = "Hongyan-Webhooks/1"
	// maxHookAnswer is how much of an answer is read and kept, in bytes.
	maxHookAnswer = 1024
	// answerTail is how long the body of an answer may take once its status is known: the
	// status says all, the body is for people.
	answerTail = time.Second
	// maxRetryAfter bounds what an endpoint may ask for with Retry-After.
	maxRetryAfter = 24 * time.Hour
)

// hookAnswer is what one call to an endpoint came to.
type hookAnswer struct {
	status     int    // HTTP; 0 = there was no answer
	text       string // the beginning of the body
	err        error  // nil = taken
	outage     bool   // the endpoint did not answer, or is overloaded
	gone       bool   // it said that it is no more
	retryAfter time.Duration
	took       time.Duration
}

// word is the outcome for Observe.
func (a *hookAnswer) word() string {
	switch {
	case a.err == nil:
		return "delivered"
	case a.status != 0:
		return "refused"
	}
	return "unreachable"
}

// post makes one call. Its time is bounded whatever the endpoint does: hang, drip, or
// answer without end.
func (h *Herald) post(ctx context.Context, req *http.Request) hookAnswer {
	start := time.Now()
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	deadline := time.AfterFunc(answerWithin, func() { cut(fmt.Errorf("no answer within %s", answerWithin)) })
	defer deadline.Stop()
	resp, err := do(h.client, req.WithContext(ctx))
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return hookAnswer{err: err, outage: true, took: time.Since(start)}
	}
	defer func() { _ = resp.Body.Close() }() // what is left unread closes the connection
	tail := time.AfterFunc(answerTail, func() { cut(errTail) })
	defer tail.Stop()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxHookAnswer))
	a := hookAnswer{status: resp.StatusCode, text: printable(body), took: time.Since(start)}
	switch {
	case resp.StatusCode/100 == 2:
	case resp.StatusCode/100 == 3:
		a.err = fmt.Errorf("answered %d: redirects are not followed", resp.StatusCode)
	default:
		a.err = fmt.Errorf("answered %d", resp.StatusCode)
		a.gone = resp.StatusCode == http.StatusGone
		a.retryAfter = parseRetryAfter(resp.Header.Get("Retry-After"), start)
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		a.outage = true
	}
	return a
}

var errTail = errors.New("the body of the answer took too long")

// printable makes a text of what an endpoint answered, for people.
func printable(body []byte) string {
	if i := bytes.IndexByte(body, 0); i >= 0 {
		body = body[:i]
	}
	for len(body) > 0 && !utf8.Valid(body) && !utf8.FullRune(body[max(0, len(body)-utf8.UTFMax):]) {
		body = body[:len(body)-1]
	}
	return strings.ToValidUTF8(string(body), "\uFFFD")
}

// parseRetryAfter reads seconds or a date (RFC 9110 §10.2.3), bounded; 0 for none.
func parseRetryAfter(value string, now time.Time) time.Duration {
	if value == "" {
		return 0
	}
	var d time.Duration
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		d = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}

// attempt delivers one claimed delivery and says what is to be recorded. stopping ends
// when nothing new may be sent, ctx when calls under way must end.
func (h *Herald) attempt(ctx, stopping context.Context, w *hongyan.Webhook, c *store.ClaimedNews) store.NewsResult {
	r := store.NewsResult{ID: c.ID, Attempts: c.Attempts, State: hongyan.DeliveryPending, DueAt: h.store.Now(), Untried: true}
	if stopping.Err() != nil {
		return r
	}
	a := h.call(ctx, w, &c.News)
	h.judge(ctx, w, c, a, &r)
	return r
}

// attemptTogether tells a robot several news in one message. Those there is no room for
// go back untried, and are due for the next.
func (h *Herald) attemptTogether(ctx, stopping context.Context, w *hongyan.Webhook, all []store.ClaimedNews, flights chan<- store.NewsResult) {
	var a hookAnswer
	told := 0
	if stopping.Err() == nil {
		news := newsOf(all)
		_, told = robotText(w.Language, news)
		a = h.callRobot(ctx, w, news[:told])
	}
	for i := range all {
		r := store.NewsResult{ID: all[i].ID, Attempts: all[i].Attempts, State: hongyan.DeliveryPending, DueAt: h.store.Now(), Untried: true}
		if i < told {
			h.judge(ctx, w, &all[i], a, &r)
		}
		flights <- r
	}
}

func newsOf(all []store.ClaimedNews) []hongyan.News {
	news := make([]hongyan.News, len(all))
	for i := range all {
		news[i] = all[i].News
	}
	return news
}

// call makes the call for one news.
func (h *Herald) call(ctx context.Context, w *hongyan.Webhook, n *hongyan.News) hookAnswer {
	if w.Kind.Robot() {
		return h.callRobot(ctx, w, []hongyan.News{*n})
	}
	req, err := standardRequest(w, n, h.store.Now())
	if err != nil {
		return hookAnswer{err: err}
	}
	return h.post(ctx, req)
}

// judge turns the outcome of a call into what is recorded of its delivery.
func (h *Herald) judge(ctx context.Context, w *hongyan.Webhook, c *store.ClaimedNews, a hookAnswer, r *store.NewsResult) {
	now := h.store.Now()
	r.Untried, r.Status, r.Took, r.Answer, r.DueAt = false, a.status, a.took, a.text, now
	if a.err != nil && ctx.Err() != nil {
		r.Error = errStopped.Error()
		return
	}
	trouble := h.note(w, a.err)
	word := a.word()
	switch {
	case a.err == nil:
		r.State = hongyan.DeliveryDone
	case a.gone:
		r.State, r.Error, word = hongyan.DeliveryGaveUp, a.err.Error(), "gave_up"
		h.disable(ctx, w)
	default:
		r.Error = shorten(a.err.Error())
		r.DueAt = now.Add(max(pauseAfter(c.Attempts, a.outage && trouble), a.retryAfter))
		if a.outage && a.retryAfter > 0 {
			h.rest(w.ID, a.retryAfter) // it is the endpoint that asks for a rest
		}
		if c.Attempts >= leastTries && r.DueAt.After(c.CreatedAt.Add(keepTrying)) {
			r.State, word = hongyan.DeliveryGaveUp, "gave_up"
			h.tell(ctx, w, "an event was given up", "event", c.News.EventID(), "attempts", c.Attempts, "err", a.err)
		}
	}
	h.observe(w.ID, word, a.took)
}

// disable ends the use of an endpoint that said that it is no more, and tells of it.
func (h *Herald) disable(ctx context.Context, w *hongyan.Webhook) {
	ctx = context.WithoutCancel(ctx)
	now := h.store.Now()
	disabled, err := h.store.UpdateWebhook(ctx, w.ID, func(w *hongyan.Webhook) error {
		if w.Disabled == "" {
			w.Disabled, w.DisabledAt = hongyan.DisabledGone, now
		}
		return nil
	})
	if err == nil { // several calls may have met the same answer
		err = h.store.PutNews(ctx, []hongyan.News{{Type: hongyan.NewsWebhookDisabled, Once: fmt.Sprintf("%s disabled %d", w.ID, disabled.DisabledAt.UnixMilli()),
			Data: jsonOf(map[string]any{"webhook_id": w.ID, "name": w.Name, "url": w.ShownURL(), "reason": disabled.Disabled, "reason_zh": disabled.DisabledZH()})}})
	}
	h.WebhooksChanged()
	if err != nil && !hongyan.IsKind(err, hongyan.NotFound) {
		h.log.ErrorContext(ctx, "a webhook that is gone cannot be disabled", "webhook", w.ID, "err", err)
		return
	}
	h.tell(ctx, w, "a webhook was disabled: "+hongyan.DisabledGone)
}
