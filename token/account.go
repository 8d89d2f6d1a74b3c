package token

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"hongyan"
	"hongyan/store"
)

// account is what Central keeps in memory about one account.
type account struct {
	appID  string
	issued *book                // Central's, told of each token shown
	hot    atomic.Pointer[held] // nil = nothing read from the store yet

	mu     sync.Mutex // guards what follows; never held across I/O
	flight *flight    // the one refresh under way; nil = none
	test   *flight    // the one test of the current token under way; nil = none
	tested time.Time  // when the latest test began

	given   hongyan.Secret  // the token that Grant gave last
	givenTo map[string]bool // … and the ids of the callers who got it
	used    bool            // a token was seen: Run renews it
	resets  int             // calls of reset
	trial   bool            // changed since: ask WeChat once in spite of a stored hold

	unwanted hongyan.Secret // the token that must go; "" = none
	refused  bool           // … because WeChat refused it, not because an operator asked
	diedAt   time.Time      // when it was refused; zero once that is booked

	failure  *hongyan.TokenError // why the last refresh failed; nil after a success
	failures int                 // in a row
	retryAt  time.Time           // no flight asks WeChat before this
	unsaved  *hongyan.Hold       // the hold of a stop that the store could not take yet
	lostCall bool                // a fetch since the current token had no answer: it may have replaced it

	forces     int // force_refresh calls on the Beijing day of lastForce
	lastForce  time.Time
	young      int // tokens in a row that were refused within youngAge
	early      int64
	lastEarly  time.Duration
	lastLogged string // Reason of the failure logged last, so that a long outage is one line
}

// held is a token in memory. It is replaced, never changed.
type held struct {
	token   hongyan.Token
	renewAt time.Time
	dead    bool // WeChat refused it: not handed out again
}

// usable reports whether the token may be handed out. A nil held is not usable.
func (h *held) usable(now time.Time) bool {
	return h != nil && !h.dead && now.Before(h.token.ExpiresAt)
}

func newAccount(appID string, issued *book) *account { return &account{appID: appID, issued: issued} }

// flight is one refresh or one test, shared by all who wait for it.
type flight struct {
	done chan struct{} // closed at the end
	err  *hongyan.TokenError
}

// begin returns the refresh under way, or starts one.
func (c *Central) begin(a *account) *flight {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.flight == nil {
		a.flight = &flight{done: make(chan struct{})}
		go c.fly(a, a.flight)
	}
	return a.flight
}

// flightTimeout ends a flight whose store or whose WeChat hangs: another node's
// lease, two fetches and the writes.
const flightTimeout = leaseLife + 2*fetchTimeout + 5*time.Second

// fly has a context of its own: the caller who happened to start it may go away,
// the others still want the token.
func (c *Central) fly(a *account, f *flight) {
	ctx, cancel := context.WithTimeout(context.Background(), flightTimeout)
	defer cancel()
	f.err = c.refresh(ctx, a)
	a.mu.Lock()
	a.flight = nil
	a.mu.Unlock()
	close(f.done)
	c.wakeRun()
}

// wait returns the flight's result, or an error when ctx ends first.
func (f *flight) wait(ctx context.Context, appID string, s store.Store) error {
	select {
	case <-f.done:
		if f.err == nil {
			return nil // not a nil pointer inside a non-nil error
		}
		return f.err
	case <-ctx.Done():
		return &hongyan.TokenError{AppID: appID, RetryAt: s.Now(), Reason: "the caller stopped waiting for the refresh under way", Err: ctx.Err()}
	}
}

// refusal returns why WeChat must not be asked at now, nil when it may.
func (a *account) refusal(now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failure != nil && now.Before(a.retryAt) {
		return a.failure
	}
	return nil
}

// settled reports whether a flight has nothing to do: an earlier one did it.
func (a *account) settled(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.hot.Load()
	return a.failure == nil && h.usable(now) && now.Before(h.renewAt) && h.token.AccessToken != a.unwanted
}

// condemn marks failed as refused by WeChat if it is the current token, and
// reports whether it is.
func (a *account) condemn(failed hongyan.Secret, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.hot.Load()
	if failed == "" || h == nil || h.token.AccessToken != failed {
		return false
	}
	if !h.dead {
		a.unwanted, a.refused, a.diedAt = failed, true, now
		a.hot.Store(&held{token: h.token, renewAt: h.renewAt, dead: true})
	}
	return true
}

// askForAnother makes the next flight replace the current token, at once, and returns that token.
func (a *account) askForAnother() hongyan.Secret {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failure != nil && !a.failure.Stopped {
		a.retryAt = time.Time{}
	}
	h := a.hot.Load()
	if h == nil {
		return ""
	}
	if !h.dead {
		a.unwanted, a.refused = h.token.AccessToken, false
	}
	return h.token.AccessToken
}

// mustGo reports whether token is the one that must be replaced.
func (a *account) mustGo(token string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.unwanted != "" && a.unwanted.Reveal() == token
}

// reset forgets the failure, the stop and the token in memory.
func (a *account) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.resets++
	a.trial = true
	a.failure, a.failures, a.retryAt, a.unsaved, a.lastLogged = nil, 0, time.Time{}, nil, ""
	a.hot.Store(nil)
	a.issued.forget(a.appID)
}

// resetsSoFar tells a flight whether the account changed under it.
func (a *account) resetsSoFar() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.resets
}

// show puts t in memory. good says that the store and WeChat are content: what failed before is over.
func (a *account) show(t hongyan.Token, renewAt time.Time, good bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used = true
	a.put(t, renewAt)
	if !good {
		return
	}
	if t.AccessToken != a.unwanted {
		a.unwanted, a.refused, a.diedAt = "", false, time.Time{}
	}
	a.failure, a.failures, a.retryAt, a.unsaved, a.lastLogged = nil, 0, time.Time{}, nil, ""
}

// put makes t the token in memory; a.mu is held.
func (a *account) put(t hongyan.Token, renewAt time.Time) {
	a.hot.Store(&held{token: t, renewAt: renewAt, dead: a.refused && t.AccessToken == a.unwanted})
	a.issued.note(t)
}

// nextAt returns when Run has something to do for the account; false = never or not now.
func (a *account) nextAt() (time.Time, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.hot.Load()
	switch {
	case !a.used || a.flight != nil: // a flight wakes Run when it ends
		return time.Time{}, false
	case a.failure != nil && a.failure.Stopped:
		return a.retryAt.Add(stopWatch), true
	case a.failure != nil:
		return a.retryAt, true
	case h == nil || h.dead:
		return time.Time{}, true
	}
	return h.renewAt, true
}
