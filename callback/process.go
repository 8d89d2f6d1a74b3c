package callback

import (
	"context"
	"fmt"
	"strings"
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

// Wake says that there may be events to process, of another process on the same
// database. It never waits.
func (c *Callback) Wake() { c.wakeRun() }

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

// processOnce finishes one batch, receipts, deliveries and firings in one transaction, and
// returns how many events it had.
func (c *Callback) processOnce(ctx context.Context) (int, error) {
	events, err := c.store.PendingEvents(ctx, batch)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	done := make([]store.EventDone, len(events))
	receipts := make([][]hongyan.Receipt, len(events))
	deliveries, firings := 0, 0
	var consents []hongyan.ConsentChange
	for i := range events {
		receipts[i] = c.receiptsIn(ctx, &events[i])
		done[i] = store.EventDone{EventID: events[i].ID, Receipts: receipts[i], Consents: consentsIn(&events[i])}
		consents = append(consents, done[i].Consents...)
		if done[i].Deliveries, err = c.deliveriesOf(ctx, &events[i]); err != nil {
			return 0, err
		}
		if done[i].Firings, err = c.rules(ctx, &events[i]); err != nil {
			return 0, err
		}
		deliveries, firings = deliveries+len(done[i].Deliveries), firings+len(done[i].Firings)
	}
	if err := c.seen(ctx, events, receipts); err != nil {
		return 0, err
	}
	if err := c.store.FinishEvents(ctx, done); err != nil {
		return 0, err
	}
	c.consented(ctx, consents)
	if deliveries > 0 {
		c.stored()
	}
	if firings > 0 {
		c.fired()
	}
	return len(events), nil
}

// syncRest is how long after its arrival a push is left to the call WeChat waits for
// before it is delivered: that has ended, and been recorded.
const syncRest = answerWithin + 1500*time.Millisecond

// deliveriesOf begins a delivery for each downstream that wants the event; none when
// the account is gone.
func (c *Callback) deliveriesOf(ctx context.Context, e *hongyan.Event) ([]store.NewDelivery, error) {
	rec, err := c.known(ctx, e.AppID)
	if hongyan.IsKind(err, hongyan.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []store.NewDelivery
	first := c.syncFor(rec, e)
	for i := range rec.account.Downstreams {
		d := &rec.account.Downstreams[i]
		if !d.Wants(e.Type) {
			continue
		}
		n := store.NewDelivery{Target: d.Target(e.AppID), Key: e.OpenID}
		if d == first {
			n.DueAt = e.ReceivedAt.Add(syncRest)
		}
		all = append(all, n)
	}
	return all, nil
}

// receiptsIn reads the receipts in an event, nil when it has none. Other events
// are only marked processed.
func (c *Callback) receiptsIn(ctx context.Context, stored *hongyan.Event) []hongyan.Receipt {
	e, err := wechat.ParseEvent(stored.Body)
	if err != nil {
		c.log.WarnContext(ctx, "a push cannot be read; it is kept", "appid", stored.AppID, "event", stored.ID, "err", err)
		return nil
	}
	at := createTime(e)
	if at.IsZero() {
		at = stored.ReceivedAt
	}
	if e.Is(wechat.EventTemplateSendJobFinish) {
		return []hongyan.Receipt{{
			AppID: stored.AppID, MsgID: max(e.MsgID, 0), ToUser: e.FromUserName,
			Status: e.Delivery().String(), Raw: e.Status, At: at,
		}}
	}
	if !e.Is(wechat.EventSubscribeMsgSent) {
		return nil
	}
	receipts := make([]hongyan.Receipt, len(e.Items))
	for i, item := range e.Items {
		receipts[i] = hongyan.Receipt{
			AppID: stored.AppID, MsgID: max(item.MsgID, 0), ToUser: e.FromUserName,
			Status: item.Delivery().String(), Raw: rawStatus(item), At: at,
		}
	}
	return receipts
}

// rawStatus is an item's outcome as it came: its text, and its code unless that is 0.
func rawStatus(item wechat.SubscribeItem) string {
	if item.ErrorCode == 0 {
		return item.ErrorStatus
	}
	return strings.TrimSpace(fmt.Sprintf("errcode %d %s", item.ErrorCode, item.ErrorStatus))
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
