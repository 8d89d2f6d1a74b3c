package dispatch

import (
	"context"
	"sync"
	"time"

	"hongyan"
	"hongyan/store"
)

const (
	// recordMax bounds one batch of results.
	recordMax = 512
	// recordRetry is the pause after the store refused a batch, e.g. on a full disk.
	recordRetry = time.Second
)

// settled is an outcome on its way to the store, or a message that goes back
// untried (o.untried) and that the store would not take at once. Its slot is kept
// until it is recorded: what a crash leaves in doubt is never more than the slots.
type settled struct {
	s *stream
	m hongyan.Message
	o outcome
}

// doneQueue is an unbounded queue; slots bound it.
type doneQueue struct {
	mu     sync.Mutex
	items  []settled
	closed bool
	signal chan struct{}
}

func newDoneQueue() *doneQueue { return &doneQueue{signal: make(chan struct{}, 1)} }

func (q *doneQueue) put(x settled) {
	q.mu.Lock()
	q.items = append(q.items, x)
	q.mu.Unlock()
	q.poke()
}

func (q *doneQueue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.poke()
}

func (q *doneQueue) poke() {
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

// take waits for items and returns up to recordMax; false when closed and empty.
func (q *doneQueue) take(ctx context.Context) ([]settled, bool) {
	for {
		q.mu.Lock()
		n := min(len(q.items), recordMax)
		batch := q.items[:n:n]
		q.items = q.items[n:]
		closed := q.closed
		q.mu.Unlock()
		if n > 0 {
			return batch, true
		}
		if closed {
			return nil, false
		}
		select {
		case <-q.signal:
		case <-ctx.Done():
			return nil, false
		}
	}
}

// runRecorder writes outcomes until the queue is closed and empty. While the
// store refuses, nothing new is sent: a send whose outcome cannot be recorded
// must not begin.
func (e *Engine) runRecorder(ctx context.Context) {
	for {
		batch, ok := e.done.take(ctx)
		if !ok {
			return
		}
		untried, tried := apart(batch)
		if !e.insist(ctx, "return untried messages", len(untried), func() error { return e.returnAll(ctx, untried) }) ||
			!e.insist(ctx, "record outcomes", len(tried), func() error { return e.recordBatch(ctx, tried) }) {
			return
		}
		e.setBroken(false)
	}
}

// apart tells what goes back untried from what was tried.
func apart(batch []settled) (untried []job, tried []settled) {
	for i := range batch {
		if !batch[i].o.untried {
			continue
		}
		for j := range batch {
			if b := &batch[j]; b.o.untried {
				untried = append(untried, job{s: b.s, m: b.m})
			} else {
				tried = append(tried, *b)
			}
		}
		return untried, tried
	}
	return nil, batch // nearly always
}

// insist does one thing about n messages until the store takes it, and reports
// false when ctx ended before.
func (e *Engine) insist(ctx context.Context, what string, n int, do func() error) bool {
	for n > 0 {
		err := do()
		if err == nil {
			break
		}
		e.log.Error(what, "count", n, "err", err)
		e.setBroken(true)
		select {
		case <-time.After(recordRetry):
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (e *Engine) recordBatch(ctx context.Context, batch []settled) error {
	now := e.cfg.Store.Now()
	results := make([]store.Result, len(batch))
	day := calendarAt(now)
	for i := range batch {
		b := &batch[i]
		results[i] = resultOf(&b.m, b.o.verdict, b.o.attempts, day.deltas(b.m.AppID, b.m.TemplateID, b.o.counted))
		results[i].Form = b.o.form.result(&b.m, &b.o.verdict)
	}
	e.setRecording(true)
	done, err := e.cfg.Store.FinishAttempts(ctx, results)
	if err != nil {
		e.setRecording(false)
		return err
	}
	e.recorded(batch, done, now, &day)
	return nil
}

func (e *Engine) setRecording(under bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.recording = under
}

// recorded frees slots, counts usage and notes when messages come back.
func (e *Engine) recorded(batch []settled, done []store.Settled, now time.Time, day *calendar) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.recording = false
	for i := range batch {
		b := &batch[i]
		e.waiters.wake(b.m.ID)
		meter := b.s.account.meter
		e.slots--
		b.s.tellFeeder()
		meter.reserve(-1)
		if b.o.reserved {
			meter.returnTemplate(b.m.TemplateID)
		}
		if !done[i].Applied {
			// Or it was recorded before, by a commit that nobody answered: then the call
			// has been taken from what this node holds reserved.
			e.log.Warn("outcome fenced off: another node owns the message, or it is recorded", "message", b.m.ID)
			meter.spend(b.m.TemplateID, b.o.counted, day)
			continue
		}
		meter.count(b.m.TemplateID, b.o.counted, day)
		e.recordedN.Add(1)
		if v := &b.o.verdict; done[i].State.Waiting() && !v.due.IsZero() {
			b.s.scheduled(v.due, now)
		}
		if done[i].State == hongyan.Held && b.o.verdict.reason == hongyan.HoldTemplate {
			e.back[backKey{b.m.AppID, b.m.TemplateID}] = now.Add(backAgain)
		}
		if b.o.form != nil && done[i].State != hongyan.Accepted { // a form_id given back lets others go, or one came for this
			b.s.backlog = true
		}
		e.metrics.settled(b.m.AppID, b.m.Kind, done[i].State)
	}
	e.poke()
}

func (e *Engine) setBroken(broken bool) {
	e.mu.Lock()
	changed := e.broken != broken
	e.broken = broken
	if changed {
		e.startAll() // what was ready when it broke
	}
	e.mu.Unlock()
	if changed && !broken {
		e.log.Info("outcomes can be recorded again")
		e.poke()
	}
}
