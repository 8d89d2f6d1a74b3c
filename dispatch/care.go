package dispatch

import (
	"context"
	"time"

	"hongyan"
	"hongyan/store"
)

// Care is what the engine asks about the people it sends to (design §5.7). Both
// questions are asked of every message, so that an account that does not use them must cost nothing.
type Care interface {
	// Suppressed returns the hold of a message whose recipient is to be left alone, nil
	// when there is none.
	Suppressed(ctx context.Context, a *hongyan.Account, m *hongyan.Message) (*hongyan.Hold, error)
	// Room sets one of the recipient's messages of the day aside for m, and returns the
	// hold of a message for which there is none. It is asked again for the same message.
	Room(ctx context.Context, a *hongyan.Account, m *hongyan.Message) (*hongyan.Hold, error)
	// Answered is told what WeChat said to a message, and when the call that it answers
	// began. It must not wait.
	Answered(m *hongyan.Message, errcode int, began time.Time)
}

// careAgain is how long a message waits when it cannot be told whether it may leave.
const careAgain = 5 * time.Second

// spareAtOnce holds a message about to be stored that is due and not to leave: whoever
// posts it is told so at once. What cannot be told now is asked again before it is sent.
func (e *Engine) spareAtOnce(ctx context.Context, a *hongyan.Account, m *hongyan.Message, now time.Time) {
	if e.cfg.Care == nil || m.DueAt.After(now) {
		return
	}
	h, err := e.cfg.Care.Suppressed(ctx, a, m)
	if err != nil || h == nil {
		return
	}
	h.Since = now
	m.State, m.Reason, m.Hold, m.DueAt = hongyan.Held, h.Reason, h, h.Until
}

// spare says what becomes of a leased message that is not to leave. One in doubt goes
// on, to settle inside its window, and what a person released leaves.
func (e *Engine) spare(ctx context.Context, j *job) (verdict, bool) {
	m, conf := &j.m, &j.s.account.settings().Account
	if e.cfg.Care == nil || j.released || !m.DoubtSince.IsZero() {
		return verdict{}, false
	}
	h, err := e.cfg.Care.Suppressed(ctx, conf, m)
	if err == nil && h == nil {
		h, err = e.cfg.Care.Room(ctx, conf, m)
	}
	now := e.cfg.Store.Now()
	switch {
	case err != nil:
		e.log.Warn("whether a message may leave cannot be told", "message", m.ID, "err", err)
		return later(conf, verdictFor(m), now, now.Add(careAgain), reasonRetrying), true
	case h != nil:
		return holdRow(conf, verdictFor(m), now, *h), true
	}
	return verdict{}, false
}

// ReleaseUser lets a user's messages go that are held for a reason, and returns how many.
func (e *Engine) ReleaseUser(ctx context.Context, appID, openID, reason string) (int, error) {
	n, err := e.cfg.Store.ReleaseUser(ctx, appID, openID, reason)
	if err != nil || n == 0 {
		return n, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pollSoon = true // of one kind or another: the store knows
	e.poke()
	return n, nil
}

// ReleaseCapped lets messages go that an account's cap per user held, and returns how
// many. This and every other process must know the account's settings by then, or ask
// for them before it holds a message for its cap: see Care.
func (e *Engine) ReleaseCapped(ctx context.Context, c store.CapRelease) (int, error) {
	n, err := e.cfg.Store.ReleaseCapped(ctx, c)
	if n > 0 {
		e.waiting(c.AppID)
	}
	return n, err
}
