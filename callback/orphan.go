package callback

import (
	"context"
	"maps"
	"time"

	"hongyan"
	"hongyan/store"
)

// A message can own an orphan when it was tried in this span around the orphan's
// CreateTime: WeChat drops repetitions for ten minutes after the first attempt
// and delivers within seconds; a minute each way is for the clocks.
const (
	ownedBefore = 11 * time.Minute
	ownedAfter  = time.Minute
)

const (
	// orphansAtOnce bounds one question to the store.
	orphansAtOnce = 500
	// judgeSlowest bounds how long an orphan waits for its next look.
	judgeSlowest = time.Hour
)

// runOrphans looks at the receipts nobody owns until ctx ends. It is beside the
// processing of events: however many there are to look at, receipts that name
// their message do not wait.
func (c *Callback) runOrphans(ctx context.Context) {
	tick := time.NewTicker(orphanEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := c.joinIfLeading(ctx); err != nil && ctx.Err() == nil {
			c.log.ErrorContext(ctx, "receipts without an owner cannot be judged", "err", err)
		}
	}
}

// joinIfLeading leaves the judging to one of the processes that share a database. It
// would do no harm if two did.
func (c *Callback) joinIfLeading(ctx context.Context) error {
	if leads, err := c.leads(ctx, 3*orphanEvery); err != nil || !leads {
		return err
	}
	return c.joinOrphans(ctx)
}

// joinOrphans looks at the receipts somebody may own and joins those whose message
// is beyond doubt (design §4). Receipts of messages that another program sends for
// the same account are orphans for ever, and may be many; the store leaves them
// out. An orphan is looked at again after half its age: what was ambiguous becomes
// clear when the other messages get their own receipts.
func (c *Callback) joinOrphans(ctx context.Context) error {
	now := c.store.Now()
	waiting := make(map[int64]time.Time)
	for after, more := int64(0), true; more; {
		orphans, err := c.store.Joinable(ctx, c.orphanAfter, after, orphansAtOnce)
		if err != nil {
			return err
		}
		for _, o := range orphans {
			after = o.ID
			if err := c.look(ctx, o, now, waiting); err != nil {
				return err
			}
		}
		more = len(orphans) == orphansAtOnce
	}
	clear(c.judgements)
	maps.Copy(c.judgements, waiting)
	return nil
}

// look judges one orphan if its time has come, and notes when the next one is.
func (c *Callback) look(ctx context.Context, o store.Orphan, now time.Time, waiting map[int64]time.Time) error {
	next, known := c.judgements[o.ID]
	if !known || !now.Before(next) {
		joined, err := c.judge(ctx, o)
		if err != nil || joined {
			return err
		}
		next = now.Add(min(max(now.Sub(o.StoredAt)/2, orphanEvery), judgeSlowest))
	}
	waiting[o.ID] = next
	return nil
}

// judge joins one orphan if exactly one message can be its owner.
func (c *Callback) judge(ctx context.Context, o store.Orphan) (bool, error) {
	r := o.Receipt
	candidates, err := c.store.Candidates(ctx, r.AppID, r.ToUser, r.At.Add(-ownedBefore), r.At.Add(ownedAfter))
	if err != nil {
		return false, err
	}
	owner := onlyOwner(candidates, r.MsgID)
	if owner == nil {
		return false, nil
	}
	joined, err := c.store.JoinOrphan(ctx, o.ID, owner.ID)
	if joined {
		c.log.InfoContext(ctx, "receipt joined by user and time", "appid", r.AppID, "message", owner.ID, "status", r.Status)
	}
	return joined, err
}

// onlyOwner returns the one candidate that can own a receipt with that msgid, nil
// when there is none or any doubt which. Every candidate awaits a receipt, so a
// second one means that nothing is guessed.
func onlyOwner(candidates []hongyan.Message, msgID int64) *hongyan.Message {
	if len(candidates) != 1 || !canOwn(&candidates[0], msgID) {
		return nil
	}
	return &candidates[0]
}

// canOwn reports whether m may have been sent under a msgid we do not know: an
// attempt of it had no answer, or WeChat said that it was sent before (40241). A
// receipt without msgid can also belong to a message whose msgid we know. A
// message that is being sent for the first time gets its answer soon: wait.
func canOwn(m *hongyan.Message, msgID int64) bool {
	switch {
	case !m.Kind.HasReceipt() || m.Receipt != nil:
		return false
	case m.State == hongyan.Accepted:
		return m.MsgID == 0 || msgID == 0
	}
	return m.State == hongyan.Uncertain || !m.DoubtSince.IsZero()
}
