package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// A RetryPolicy says how often and how patiently a Client repeats a call that failed for a
// reason that passes. Only calls that are safe to repeat are: those that read, put
// or delete, and those that carry an idempotency key. The zero value makes four
// tries, which takes a second or two when nobody listens, and about a quarter of a
// minute when the gateway says that it is not ready.
type RetryPolicy struct {
	// Tries is how often a call is made in all. If zero, 4; 1 repeats nothing, and
	// Send makes no idempotency key of its own.
	Tries int

	// Wait is the longest pause before the second try; it doubles with every try. The pause
	// is chosen at random between half of it and the whole, so that many
	// clients do not come back at once. If zero, 250 ms.
	Wait time.Duration

	// MaxWait bounds a pause. When the gateway asks (Retry-After) for a longer one, the
	// call is not repeated: its Problem says when to come back. If zero, 10 s.
	MaxWait time.Duration
}

// The defaults of RetryPolicy.
const (
	defaultTries   = 4
	defaultWait    = 250 * time.Millisecond
	defaultMaxWait = 10 * time.Second
)

func (r RetryPolicy) tries() int { return cmp.Or(r.Tries, defaultTries) }

// pause returns how long to wait after the try with that number (1 for the first),
// and whether to try again at all.
func (r RetryPolicy) pause(try int, err error) (time.Duration, bool) {
	if try >= r.tries() || !Retryable(err) {
		return 0, false
	}
	longest := cmp.Or(r.MaxWait, defaultMaxWait)
	wait := min(cmp.Or(r.Wait, defaultWait), longest)
	for range try - 1 {
		wait = min(2*wait, longest)
	}
	wait -= mathrand.N(wait/2 + 1)
	if p, ok := errors.AsType[*Problem](err); ok && p.RetryAfter > 0 {
		return p.RetryAfter + wait, p.RetryAfter <= longest
	}
	return wait, true
}

// do performs what and decodes the answer, again if that may help. It returns the
// answer's header, and a *Problem when the gateway refused or the answer is not a
// gateway's.
func (c *Client) do(ctx context.Context, what call) (http.Header, error) {
	lost := false // an answer, and so what was done is not known
	for try := 1; ; try++ {
		header, err := c.once(ctx, what)
		if lost && what.method == http.MethodDelete && what.result == nil && notFound(err) {
			return header, nil // that was us
		}
		if err == nil || !what.repeatable() || ctx.Err() != nil {
			return header, err
		}
		lost = lost || mayBeDone(err)
		wait, again := c.Retries.pause(try, err)
		if !again {
			return header, err
		}
		if ended := sleep(ctx, wait); ended != nil {
			return header, fmt.Errorf("%w (no time to try again: %w)", err, ended)
		}
	}
}

// idempotencyHeader carries the key that makes repeating a call safe.
const idempotencyHeader = "Idempotency-Key"

// newIdempotencyKey returns a key nobody else has.
func newIdempotencyKey() string { return "client-" + rand.Text() }

// repeatable reports whether making the call twice comes to the same as making it
// once. PATCH is not: a callback token given twice ends the one before it.
func (what *call) repeatable() bool {
	if _, once := what.body.(io.Reader); once {
		return false
	}
	switch what.method {
	case http.MethodGet, http.MethodPut, http.MethodDelete:
		return true
	default:
		return what.header.Get(idempotencyHeader) != ""
	}
}

// mayBeDone reports whether a call that failed may have been done all the same: no
// answer came to us, to what is in front of the gateway, or to the gateway from WeChat.
func mayBeDone(err error) bool {
	code := CodeOf(err)
	return code == "" || code == CodeWeChatNoAnswer || strings.HasPrefix(string(code), "http_")
}

func notFound(err error) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && p.Status == http.StatusNotFound
}

// sleep waits, and returns why it could not: ctx ended, or would before the wait does.
func sleep(ctx context.Context, wait time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
		return context.DeadlineExceeded
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
