package dispatch

import (
	"context"
	"slices"
	"time"

	"hongyan"
)

// waiters are those who wait for what becomes of a message, by its id. Each has a
// channel with room for one word: something about the message was recorded.
// Guarded by Engine.mu.
type waiters map[string][]chan struct{}

// wake tells who waits for a message, if anybody does.
func (w waiters) wake(id string) {
	if len(w) == 0 { // nearly always
		return
	}
	for _, c := range w[id] {
		select {
		case c <- struct{}{}:
		default: // told, and not looked yet
		}
	}
}

// await begins to wait for a message; the caller calls forget in the end.
func (e *Engine) await(id string) chan struct{} {
	c := make(chan struct{}, 1)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiters[id] = append(e.waiters[id], c)
	return c
}

// forget ends the wait that await began.
func (e *Engine) forget(id string, c chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	rest := slices.DeleteFunc(e.waiters[id], func(other chan struct{}) bool { return other == c })
	if len(rest) == 0 {
		delete(e.waiters, id)
		return
	}
	e.waiters[id] = rest
}

// letWaitersGo wakes everybody: nothing more is recorded here.
func (e *Engine) letWaitersGo() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended = true
	for id := range e.waiters {
		e.waiters.wake(id)
	}
}

// SubmitAndWait is Submit for one request. It returns when WeChat's answer is
// recorded, with the message as it is then (accepted, failed, uncertain, any state
// of a rank above zero), or as it is when wait or ctx is over. It does not wait for
// what cannot end in time: a hold, a due time after it, an engine that has
// stopped. For a duplicate it waits for the earlier message in the same way.
//
// Once the message is stored there is no error: Submitted.Message is what was
// last known of it.
func (e *Engine) SubmitAndWait(ctx context.Context, r Request, wait time.Duration) (Submitted, error) {
	deadline := e.cfg.Store.Now().Add(wait)
	timer := time.NewTimer(max(0, wait))
	defer timer.Stop()
	var id string
	var recorded chan struct{}
	follow := func(message string) {
		if recorded != nil {
			e.forget(id, recorded)
		}
		if id, recorded = message, nil; id != "" {
			recorded = e.await(id)
		}
	}
	defer follow("")
	all, err := e.submit(ctx, []Request{r}, follow)
	if err != nil {
		return Submitted{}, err
	}
	s := all[0]
	if s.Err != nil || wait <= 0 {
		return s, nil
	}
	if s.Message.ID != id { // an earlier one answers
		follow(s.Message.ID)
		e.look(ctx, &s.Message) // it may have moved before that
	}
	for e.worthAwaiting(&s.Message, deadline) {
		select {
		case <-recorded:
			e.look(ctx, &s.Message)
			continue
		case <-timer.C:
		case <-ctx.Done():
		}
		e.look(ctx, &s.Message)
		break
	}
	return s, nil
}

// look reads a message again. What cannot be read stays as it was known.
func (e *Engine) look(ctx context.Context, m *hongyan.Message) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reloadTimeout)
	defer cancel()
	now, err := e.cfg.Store.Message(ctx, m.ID)
	if err != nil {
		e.log.Warn("read a message that somebody waits for", "message", m.ID, "err", err)
		return
	}
	*m = now
}

// worthAwaiting reports whether an outcome of m may be recorded here by then.
func (e *Engine) worthAwaiting(m *hongyan.Message, deadline time.Time) bool {
	if m.State.Rank() > 0 {
		return false
	}
	e.mu.Lock()
	ended, stopping := e.ended, e.stopping
	e.mu.Unlock()
	switch {
	case ended, stopping && m.State.Waiting():
		return false
	case m.Hold != nil && m.State == hongyan.Held:
		return !m.Hold.Until.IsZero() && !m.Hold.Until.After(deadline)
	}
	return !m.State.Waiting() || !m.DueAt.After(deadline)
}
