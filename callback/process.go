package callback

import (
	"context"
	"sync"
	"time"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"
)

const (
	// batch is how many events one transaction finishes.
	batch = 500
	// linger lets pushes gather, so that a storm of them costs a few commits beside
	// those of the pushes themselves.
	linger = 20 * time.Millisecond
	// pollEvery is the backstop for events another node stored, or that a crash left.
	pollEvery = 2 * time.Second
	// orphanEvery is how often orphans are looked at.
	orphanEvery = 10 * time.Second
)

// Run processes stored events until ctx ends, then returns nil. What it has not
// finished is finished by whoever runs next; two that run at once do no harm,
// because the first receipt of a message wins.
func (c *Callback) Run(ctx context.Context) error {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	var orphans sync.WaitGroup
	orphans.Go(func() { c.runOrphans(ctx) })
	defer orphans.Wait()
	c.processAll(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.wake:
			pause(ctx, linger)
			c.processAll(ctx)
		case <-poll.C:
			c.processAll(ctx)
		}
	}
}

// processAll goes on until nothing is pending or something fails; the next poll tries again.
func (c *Callback) processAll(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := c.processOnce(ctx)
		if err != nil && ctx.Err() == nil {
			c.log.ErrorContext(ctx, "events cannot be processed", "err", err)
		}
		if err != nil || n < batch {
			return
		}
	}
}

// processOnce finishes one batch and returns how many events it had.
func (c *Callback) processOnce(ctx context.Context) (int, error) {
	events, err := c.store.PendingEvents(ctx, batch)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	done := make([]store.EventDone, len(events))
	for i := range events {
		done[i] = store.EventDone{EventID: events[i].ID, Receipts: c.receiptsIn(ctx, &events[i])}
	}
	return len(events), c.store.FinishEvents(ctx, done)
}

// receiptsIn reads the receipts in an event, nil when it has none. Other events
// are only marked processed.
func (c *Callback) receiptsIn(ctx context.Context, stored *hongyan.Event) []hongyan.Receipt {
	e, err := wechat.ParseEvent(stored.Body)
	if err != nil {
		c.log.WarnContext(ctx, "a push cannot be read; it is kept", "appid", stored.AppID, "event", stored.ID, "err", err)
		return nil
	}
	if !e.Is(wechat.EventTemplateSendJobFinish) {
		return nil
	}
	at := createTime(e)
	if at.IsZero() {
		at = stored.ReceivedAt
	}
	return []hongyan.Receipt{{
		AppID: stored.AppID, MsgID: max(e.MsgID, 0), ToUser: e.FromUserName,
		Status: e.Delivery().String(), Raw: e.Status, At: at,
	}}
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
