package batch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hongyan"
	"hongyan/store"
)

const (
	// feedPause is how soon the engine is asked for room again where only time makes some.
	feedPause = 50 * time.Millisecond
	// endPause is how often a batch whose rows are all fed is looked at.
	endPause = 250 * time.Millisecond
	// freeEvery is how often what a pause left held is looked for while a batch runs.
	freeEvery = 5 * time.Second
	// speedOver is the time over which the speed is taken.
	speedOver = 5 * time.Second
)

// feeder is what the process that feeds a batch remembers of it. All of it can be made
// anew: how far the batch is, the store knows.
type feeder struct {
	spec    *spec
	chunk   *chunk // the rows at hand
	stored  store.Chunk
	program *program
	rate    pace
	speed   speed
}

// feed makes rows into messages as long as there is room for them, and the batch is this
// process's. It returns when the batch has to be read again.
func (t *tender) feed(ctx context.Context, b *hongyan.Batch) (time.Duration, error) {
	d := t.desk
	for ctx.Err() == nil {
		now := d.store.Now()
		if now.Sub(t.freed) >= freeEvery || now.Before(t.freed) {
			if t.freed = now; b.Fed > 0 {
				if err := d.release(ctx, b); err != nil {
					return lookEvery, err
				}
			}
		}
		if b.Next > b.Rows {
			return endPause, d.endIfDone(ctx, b)
		}
		if until, err := d.quietUntil(ctx, b, now); err != nil || until.After(now) {
			return min(max(until.Sub(now), feedPause), lookEvery), err
		}
		n, more, err := t.room(ctx, b, now)
		if err != nil {
			return lookEvery, err
		}
		if n == 0 {
			if !t.sleep(ctx, feedPause, more) {
				return 0, nil
			}
			if leads, err := t.stillMine(ctx, b); err != nil || !leads {
				return 0, err
			}
			continue
		}
		if err := t.step(ctx, b, n); err != nil {
			return t.afterTrouble(ctx, b, err)
		}
		if leads, err := t.lead(ctx, b); err != nil || !leads {
			return 0, err
		}
		select {
		case <-t.wake: // it was changed, or a second has passed
			return 0, nil
		default:
		}
	}
	return 0, nil
}

// stillMine reads the batch again, which somebody may have paused or changed, and
// reports whether to go on.
func (t *tender) stillMine(ctx context.Context, b *hongyan.Batch) (bool, error) {
	fresh, err := t.desk.store.Batch(ctx, b.ID)
	if err != nil || fresh.State != hongyan.BatchRunning {
		return false, err
	}
	if fresh.Version != b.Version {
		return false, nil // read it from the start
	}
	*b = fresh
	return t.lead(ctx, b)
}

// quietUntil returns the end of the quiet hours that now lies in, else now or earlier.
func (d *Desk) quietUntil(ctx context.Context, b *hongyan.Batch, now time.Time) (time.Time, error) {
	if b.QuietHours == "" || b.Priority == hongyan.Urgent {
		return now, nil
	}
	account := hongyan.QuietHours{}
	if b.QuietHours == "account" {
		a, err := d.store.Account(ctx, b.AppID)
		if err != nil {
			return now, err
		}
		account = a.QuietHours
	}
	return b.Quiet(account).Next(now), nil
}

// room returns how many rows may become messages now.
func (t *tender) room(ctx context.Context, b *hongyan.Batch, now time.Time) (int, <-chan struct{}, error) {
	paced := t.feeder.rate.available(b.RatePerSecond, now)
	if paced == 0 {
		return 0, nil, nil
	}
	n, more, err := t.desk.engine.Room(ctx, b.AppID, b.Kind)
	return min(n, paced), more, err
}

// errAboutAll says that a row was refused for what every row would be refused for.
type errAboutAll struct{ cause *hongyan.Error }

func (e errAboutAll) Error() string { return e.cause.Error() }
func (e errAboutAll) Unwrap() error { return e.cause }

// afterTrouble decides what an error of a step means.
func (t *tender) afterTrouble(ctx context.Context, b *hongyan.Batch, err error) (time.Duration, error) {
	if all, ok := errors.AsType[errAboutAll](err); ok {
		t.desk.log.Warn("batch paused: none of its messages can be sent", "batch", b.ID, "err", err)
		_, err := t.desk.pause(ctx, b.ID, all.cause.Code, all.cause.Message)
		return 0, err
	}
	if hongyan.IsKind(err, hongyan.Conflict) {
		return feedPause, nil // paused, or another node is ahead: read it again
	}
	return lookEvery, fmt.Errorf("feed batch %s from row %d: %w", b.ID, b.Next, err)
}

// load has the chunk of the batch's next row at hand.
func (t *tender) load(ctx context.Context, b *hongyan.Batch) error {
	f := &t.feeder
	if f.chunk != nil && f.stored.First <= b.Next && b.Next <= f.stored.Last() {
		return nil
	}
	stored, err := t.desk.store.Chunk(ctx, b.Seq, b.Next)
	if err != nil {
		return err
	}
	c, err := decodeChunk(stored.Data)
	if err != nil || len(c.rows) != stored.N {
		return errors.Join(fmt.Errorf("rows %d to %d of batch %s cannot be read", stored.First, stored.Last(), b.ID), err)
	}
	if f.spec == nil {
		s, err := specOf(b)
		if err != nil {
			return err
		}
		f.spec = &s
	}
	if f.program, err = f.spec.programFor(c); err != nil {
		return err
	}
	f.chunk, f.stored = c, stored
	return nil
}

// step makes up to n of the next rows into messages, and moves the batch on behind them,
// in one transaction. Bad rows are passed over.
func (t *tender) step(ctx context.Context, b *hongyan.Batch, n int) error {
	if err := t.load(ctx, b); err != nil {
		return err
	}
	f := &t.feeder
	now := t.desk.store.Now()
	messages := make([]Message, 0, min(n, chunkRows))
	next := b.Next
	for ; next <= f.stored.Last() && len(messages) < n; next++ {
		r := &f.chunk.rows[next-f.stored.First]
		if len(r.Problems) > 0 {
			continue
		}
		fields, problems := f.program.fields(r)
		if len(problems) > 0 { // what was stored was good: it is damaged
			return fmt.Errorf("row %d cannot be read: %s", next, problems[0].Detail)
		}
		messages = append(messages, messageOf(b, fields, next, r.RetryOf, now))
	}
	step := store.Feed{Batch: b.Seq, From: b.Next, To: next, First: f.stored.First}
	err := t.desk.engine.Feed(ctx, messages, func(ctx context.Context, rows []store.NewMessage, refused []error) ([]store.Inserted, error) {
		if err := t.noteLate(messages, refused, &step); err != nil {
			return nil, err
		}
		step.Messages = rows
		step.Speed = f.speed.after(len(rows), now)
		return t.desk.store.Feed(ctx, step)
	})
	if err != nil {
		f.chunk = nil // it may tell of late rows that are not stored
		return err
	}
	f.rate.take(len(messages))
	b.Next, b.Fed, b.Late, b.Speed = next, b.Fed+int64(len(step.Messages)), b.Late+int64(step.Late), step.Speed
	t.desk.metrics.fed(b.AppID, len(step.Messages), step.Late)
	return nil
}

// noteLate writes what is wrong with rows that were good when they were staged: the
// template may have changed since.
func (t *tender) noteLate(messages []Message, refused []error, step *store.Feed) error {
	f := &t.feeder
	for i, err := range refused {
		e, ok := errors.AsType[*hongyan.Error](err)
		if !ok {
			continue
		}
		if aboutAll(e) {
			return errAboutAll{e}
		}
		r := &f.chunk.rows[messages[i].Row-f.stored.First]
		r.Problems = f.program.problems(e, &messages[i].Fields)
		step.Late++
	}
	if step.Late == 0 {
		return nil
	}
	f.stored.Bad += step.Late
	var err error
	if f.stored.Data, err = f.chunk.encode(); err != nil {
		return err
	}
	step.Rewritten = &f.stored
	return nil
}
