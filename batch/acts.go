package batch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"hongyan"
	"hongyan/store"
)

// moveStep is how many messages one transaction of pausing, resuming or cancelling
// changes: few enough that sending goes on beside it.
const moveStep = 500

// Get reads a batch.
func (d *Desk) Get(ctx context.Context, id string) (hongyan.Batch, error) {
	return d.store.Batch(ctx, id)
}

// List lists batches newest first.
func (d *Desk) List(ctx context.Context, f store.BatchFilter) ([]hongyan.Batch, error) {
	return d.store.Batches(ctx, f)
}

// changeTries is how often a change is tried against others at the same moment.
const changeTries = 10

// change applies an act to a batch as it is now, whatever others change meanwhile. act
// returns false when there is nothing to do.
func (d *Desk) change(ctx context.Context, id string, act func(b *hongyan.Batch) (bool, error)) (hongyan.Batch, error) {
	for n := 0; ; n++ {
		b, err := d.store.Batch(ctx, id)
		if err != nil {
			return b, err
		}
		todo, err := act(&b)
		if err != nil || !todo {
			return b, err
		}
		changed, err := d.store.UpdateBatch(ctx, b)
		if !hongyan.IsKind(err, hongyan.Conflict) || n == changeTries {
			return changed, err
		}
	}
}

// wrongState refuses an act.
func wrongState(b *hongyan.Batch, act, needs string) error {
	e := hongyan.Errorf(hongyan.Conflict, "batch_state", "batch %s is %s and cannot be %s", b.ID, b.State, act)
	e.Hint = needs
	return e
}

// Change replaces what an operator may set at any time before the end.
type Change struct {
	Name          *string
	RatePerSecond *float64
	QuietHours    *string
}

// Change changes a batch.
func (d *Desk) Change(ctx context.Context, id string, in Change) (hongyan.Batch, error) {
	b, err := d.change(ctx, id, func(b *hongyan.Batch) (bool, error) {
		if in.Name != nil {
			b.Name = *in.Name
		}
		if in.RatePerSecond != nil {
			b.RatePerSecond = *in.RatePerSecond
		}
		if in.QuietHours != nil {
			b.QuietHours = *in.QuietHours
		}
		var f faults
		f.settings(b)
		return true, f.err()
	})
	if err == nil {
		d.Wake()
	}
	return b, err
}

// pastGrace is how far behind a time of starting may be: clocks differ, and a request
// takes a moment.
const pastGrace = time.Minute

// Start lets an open batch go, at a time or (zero) at its own send_at. Conflict with bad
// rows (batch_has_bad_rows) unless skipBad leaves them out, and without any good one.
func (d *Desk) Start(ctx context.Context, id string, at time.Time, skipBad bool) (hongyan.Batch, error) {
	b, err := d.change(ctx, id, func(b *hongyan.Batch) (bool, error) {
		switch {
		case b.State != hongyan.BatchOpen:
			return false, wrongState(b, "started", "Only an open batch can be; a paused one is resumed.")
		case b.Bad() > 0 && !skipBad:
			return false, badRows(b)
		case b.Good == 0:
			return false, hongyan.Errorf(hongyan.Conflict, "batch_empty", "batch %s has no recipient to send to: %d rows, %d of them bad", b.ID, b.Rows, b.Bad())
		}
		now := hongyan.Millis(d.store.Now())
		if at = hongyan.Millis(at); !at.IsZero() {
			b.SendAt = at
		}
		if !at.IsZero() && now.Sub(at) > pastGrace {
			return false, hongyan.InvalidField("at_past", "/at", "at %s is in the past (now %s)", at.Format(time.RFC3339), now.Format(time.RFC3339)).
				InChinese("at %s 已经过去（现在是 %s）", at.Format(time.RFC3339), now.Format(time.RFC3339))
		}
		if b.SendAt.Sub(now) > maxAhead {
			return false, hongyan.InvalidField("send_at_too_late", "/at", "at %s is more than 90 days ahead", b.SendAt.Format(time.RFC3339)).
				InChinese("at %s 在 90 天以后", b.SendAt.Format(time.RFC3339))
		}
		b.State, b.SkipBad, b.StartedAt = hongyan.BatchRunning, skipBad, now
		if b.SendAt.After(now) {
			b.State = hongyan.BatchScheduled
		}
		return true, nil
	})
	if err == nil {
		d.Wake()
	}
	return b, err
}

func badRows(b *hongyan.Batch) error {
	return &hongyan.Error{Kind: hongyan.Conflict, Code: "batch_has_bad_rows",
		Message: fmt.Sprintf("batch %s has %d bad rows among %d: nothing is sent", b.ID, b.Bad(), b.Rows),
		Hint:    "Read its problems and make the batch anew from a corrected file, or start it with skip_bad to leave those rows out."}
}

// pausedHold is why the messages of a paused batch wait.
func pausedHold() hongyan.Hold {
	return hongyan.Hold{Reason: hongyan.HoldBatchPaused, Release: "resuming the batch", Detail: "the batch is paused"}
}

// Pause stops a batch at once: calls under way end, and nothing else of it leaves, but
// for messages in doubt, which must settle in time. One that is paused for another reason
// is the operator's from then on: it does not go on by itself any more.
func (d *Desk) Pause(ctx context.Context, id string) (hongyan.Batch, error) {
	return d.pause(ctx, id, hongyan.HoldBatchPaused, "")
}

// pause is Pause for a reason.
func (d *Desk) pause(ctx context.Context, id, reason, detail string) (hongyan.Batch, error) {
	b, err := d.change(ctx, id, func(b *hongyan.Batch) (bool, error) {
		if b.State == hongyan.BatchPaused && (reason != hongyan.HoldBatchPaused || b.Reason == reason) {
			return false, nil
		}
		if !b.State.Started() {
			return false, wrongState(b, "paused", "Only a scheduled or running batch can be.")
		}
		b.State, b.Reason, b.Detail = hongyan.BatchPaused, reason, detail
		return true, nil
	})
	if err != nil {
		return b, err
	}
	d.Wake()
	return b, d.still(ctx, &b)
}

// still keeps the messages of a paused or cancelled batch from leaving.
func (d *Desk) still(ctx context.Context, b *hongyan.Batch) error {
	d.engine.Still(b.Seq, pausedHold())
	return d.settle(ctx, b)
}

// settle holds or ends what of a stilled batch waits in the store.
func (d *Desk) settle(ctx context.Context, b *hongyan.Batch) error {
	for n := moveStep; n == moveStep; {
		var err error
		if b.State == hongyan.BatchCancelled {
			n, err = d.store.CancelBatch(ctx, b.Seq, moveStep)
		} else {
			n, err = d.store.HoldBatch(ctx, b.Seq, pausedHold(), moveStep)
		}
		if err != nil {
			return fmt.Errorf("keep the messages of batch %s from leaving: %w", b.ID, err)
		}
	}
	return nil
}

// Resume lets a paused batch go on.
func (d *Desk) Resume(ctx context.Context, id string) (hongyan.Batch, error) {
	return d.resume(ctx, id, func(*hongyan.Batch) bool { return true })
}

// resume is Resume for those paused batches that may.
func (d *Desk) resume(ctx context.Context, id string, may func(*hongyan.Batch) bool) (hongyan.Batch, error) {
	b, err := d.change(ctx, id, func(b *hongyan.Batch) (bool, error) {
		if b.State == hongyan.BatchRunning || b.State == hongyan.BatchScheduled {
			return false, nil
		}
		if b.State != hongyan.BatchPaused {
			return false, wrongState(b, "resumed", "Only a paused batch can be.")
		}
		if !may(b) {
			return false, nil
		}
		b.State, b.Reason, b.Detail = hongyan.BatchRunning, "", ""
		if b.SendAt.After(d.store.Now()) {
			b.State = hongyan.BatchScheduled
		}
		return true, nil
	})
	if err != nil || b.State == hongyan.BatchPaused {
		return b, err
	}
	d.engine.Unstill(b.Seq)
	err = d.release(ctx, &b)
	d.Wake()
	return b, err
}

// templateReasons are those for which a batch waits for its template, as held messages do.
var templateReasons = []string{"template_banned", "template_removed", "unknown_template"}

// waitsForTemplate reports whether a batch is paused because its template may not be used.
func waitsForTemplate(b *hongyan.Batch) bool {
	return b.State == hongyan.BatchPaused && slices.Contains(templateReasons, b.Reason)
}

// templateBack lets a batch that waits for its template go on once that may be used again,
// and reports whether there was anything to do.
func (d *Desk) templateBack(ctx context.Context, b *hongyan.Batch) (bool, error) {
	if !waitsForTemplate(b) {
		return false, nil
	}
	t, err := d.store.Template(ctx, b.AppID, b.TemplateID)
	if hongyan.IsKind(err, hongyan.NotFound) || err == nil && t.Status != "active" {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	d.log.Info("batch goes on: its template is active again", "batch", b.ID, "template", b.TemplateID)
	_, err = d.resume(ctx, b.ID, waitsForTemplate)
	return true, err
}

// release queues what a pause held.
func (d *Desk) release(ctx context.Context, b *hongyan.Batch) error {
	for n := moveStep; n == moveStep; {
		var err error
		if n, err = d.store.ReleaseBatch(ctx, b.Seq, hongyan.HoldBatchPaused, moveStep); err != nil {
			return fmt.Errorf("let the messages of batch %s go: %w", b.ID, err)
		}
	}
	return nil
}

// Cancel ends a batch at once: what waits is cancelled, and rows that are no messages
// yet never become any. Calls under way end, and so do messages in doubt.
func (d *Desk) Cancel(ctx context.Context, id string) (hongyan.Batch, error) {
	b, err := d.change(ctx, id, func(b *hongyan.Batch) (bool, error) {
		switch b.State {
		case hongyan.BatchCancelled:
			return false, nil
		case hongyan.BatchFinished:
			return false, wrongState(b, "cancelled", "It has ended.")
		}
		if b.State == hongyan.BatchOpen {
			b.EndedAt = hongyan.Millis(d.store.Now())
		}
		b.State, b.Reason, b.Detail = hongyan.BatchCancelled, "", ""
		return true, nil
	})
	if err != nil || !b.EndedAt.IsZero() {
		return b, err
	}
	d.Wake()
	return b, d.still(ctx, &b)
}
