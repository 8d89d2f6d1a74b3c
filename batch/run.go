package batch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"hongyan"
)

const (
	// lookEvery is how often the batches are looked at when nobody wakes: what other
	// processes changed is known at once as a rule.
	lookEvery = time.Second
	// leadFor is for how long the node that feeds a batch is the only one. It is asked
	// again every leadEvery, so that after a crash another feeds within seconds. Two that
	// feed do no harm: a step that another made already does nothing.
	leadFor   = 5 * time.Second
	leadEvery = time.Second
)

// Run looks after the batches until ctx ends: it feeds those that run, keeps paused and
// cancelled ones still, and ends them. Every process does this; of a batch one feeds.
func (d *Desk) Run(ctx context.Context) error {
	var tending sync.WaitGroup
	defer tending.Wait()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	tended := make(map[int64]*tender)
	for trouble := ""; ; {
		live, err := d.store.LiveBatches(ctx)
		if text := errText(err); text != trouble && ctx.Err() == nil {
			if trouble = text; err != nil { // once, not every second while a disk is full
				d.log.Warn("look for batches", "err", err)
			}
		}
		for seq, t := range tended {
			if t.ended() {
				delete(tended, seq)
			}
		}
		for i := range live {
			t := tended[live[i].Seq]
			if t == nil {
				t = &tender{desk: d, id: live[i].ID, wake: make(chan struct{}, 1), done: make(chan struct{})}
				tended[live[i].Seq] = t
				tending.Go(func() { t.run(ctx) })
			}
			t.poke()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.wake:
		case <-tick.C:
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// tender looks after one batch in this process.
type tender struct {
	desk *Desk
	id   string
	wake chan struct{} // capacity 1: read the batch again
	done chan struct{} // closed when it has ended

	// Of its goroutine.
	stilled bool      // the engine keeps the batch's messages here
	leads   bool      // as of ledAt
	ledAt   time.Time // when the lead was asked for
	freed   time.Time // when what a pause held was last let go
	feeder  feeder
	version int64  // of the batch as it was last read
	trouble string // what was logged last
}

func (t *tender) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *tender) ended() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}

// run tends until the batch has ended or ctx does.
func (t *tender) run(ctx context.Context) {
	defer close(t.done)
	for {
		b, err := t.desk.store.Batch(ctx, t.id)
		if err == nil && !b.EndedAt.IsZero() || hongyan.IsKind(err, hongyan.NotFound) {
			if t.stilled {
				t.desk.engine.Unstill(b.Seq)
			}
			return
		}
		pause := lookEvery
		if err == nil {
			if t.version != b.Version { // its rows may have been rewritten
				t.version, t.feeder.chunk = b.Version, nil
			}
			pause, err = t.turn(ctx, &b)
		}
		if ctx.Err() != nil {
			return
		}
		t.complain(err)
		if !t.sleep(ctx, pause, nil) {
			return
		}
	}
}

// complain logs what is wrong, once.
func (t *tender) complain(err error) {
	if text := errText(err); text != t.trouble {
		if t.trouble = text; err != nil {
			t.desk.log.Warn("look after a batch", "batch", t.id, "err", err)
		}
	}
}

// sleep waits until somebody pokes, more is closed, or d is over; false when ctx ends.
func (t *tender) sleep(ctx context.Context, d time.Duration, more <-chan struct{}) bool {
	timer := time.NewTimer(max(d, time.Millisecond))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.wake:
	case <-more:
	case <-timer.C:
	}
	return true
}

// lead reports whether this process does what only one must.
func (t *tender) lead(ctx context.Context, b *hongyan.Batch) (bool, error) {
	epoch := t.desk.engine.Epoch()
	now := time.Now()
	if epoch == 0 {
		t.leads = false
		return false, nil
	}
	if !t.leads || now.Sub(t.ledAt) >= leadEvery || now.Before(t.ledAt) {
		leads, err := t.desk.store.Lead(ctx, fmt.Sprintf("batch:%d", b.Seq), epoch, leadFor)
		if err != nil {
			t.leads = false
			return false, err
		}
		t.leads, t.ledAt = leads, now
	}
	return t.leads, nil
}

// turn does what the batch's state asks for, and says how long to wait then.
func (t *tender) turn(ctx context.Context, b *hongyan.Batch) (time.Duration, error) {
	if b.State == hongyan.BatchPaused || b.State == hongyan.BatchCancelled {
		return t.keepStill(ctx, b)
	}
	if t.stilled {
		t.desk.engine.Unstill(b.Seq)
		t.stilled, t.freed = false, time.Time{}
	}
	leads, err := t.lead(ctx, b)
	if err != nil || !leads {
		return lookEvery, err
	}
	if b.State == hongyan.BatchScheduled {
		return t.begin(ctx, b)
	}
	return t.feed(ctx, b)
}

// keepStill holds or ends what waits of a batch that is paused or cancelled: results of
// calls that were under way may have put it there.
func (t *tender) keepStill(ctx context.Context, b *hongyan.Batch) (time.Duration, error) {
	if !t.stilled {
		t.desk.engine.Still(b.Seq, pausedHold())
		t.stilled = true
	}
	leads, err := t.lead(ctx, b)
	if err != nil || !leads {
		return lookEvery, err
	}
	if back, err := t.desk.templateBack(ctx, b); back || err != nil {
		return lookEvery, err // the engine may have to hear of it first
	}
	if err := t.desk.settle(ctx, b); err != nil || b.State == hongyan.BatchPaused {
		return lookEvery, err
	}
	return lookEvery, t.desk.endIfDone(ctx, b)
}

// endIfDone marks a batch as ended when nothing of it waits any more.
func (d *Desk) endIfDone(ctx context.Context, b *hongyan.Batch) error {
	waiting, err := d.store.BatchWaiting(ctx, b.Seq)
	if err != nil || waiting > 0 {
		return err
	}
	ended, err := d.change(ctx, b.ID, func(b *hongyan.Batch) (bool, error) {
		switch {
		case !b.EndedAt.IsZero():
			return false, nil
		case b.State == hongyan.BatchRunning && b.Next > b.Rows:
			b.State = hongyan.BatchFinished
		case b.State != hongyan.BatchCancelled:
			return false, nil // somebody paused it
		}
		b.EndedAt = hongyan.Millis(d.store.Now())
		return true, nil
	})
	if err == nil && !ended.EndedAt.IsZero() {
		d.log.Info("batch ended", "batch", ended.ID, "state", ended.State, "rows", ended.Rows, "messages", ended.Fed)
		d.tell(ctx, ended.AppID, "batch.finished", News{ID: ended.ID, Name: ended.Name, State: ended.State.String(),
			Rows: ended.Rows, Messages: ended.Fed, Bad: ended.Bad() + ended.Late})
	}
	return err
}

// News is what is told of a batch that has ended.
type News struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	State    string `json:"state"` // finished or cancelled
	Rows     int64  `json:"rows"`
	Messages int64  `json:"messages"`
	Bad      int64  `json:"bad"`
}

// begin runs a scheduled batch whose time has come.
func (t *tender) begin(ctx context.Context, b *hongyan.Batch) (time.Duration, error) {
	if wait := b.SendAt.Sub(t.desk.store.Now()); wait > 0 {
		return min(wait, lookEvery), nil
	}
	_, err := t.desk.change(ctx, b.ID, func(b *hongyan.Batch) (bool, error) {
		if b.State != hongyan.BatchScheduled {
			return false, nil
		}
		b.State = hongyan.BatchRunning
		return true, nil
	})
	return 0, err
}
