package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hongyan/client"
)

// watch shows how a batch goes on, until it has ended. When the gateway is away it
// waits for it.
type watch struct {
	gateway *client.Client
	bar     *progressBar
}

const (
	// watchEvery is how often a batch is looked at.
	watchEvery = 500 * time.Millisecond
	// receiptsWithin is how long the events of a batch's last messages are waited for, as
	// long as some still come in receiptsPause.
	receiptsWithin = 10 * time.Minute
	receiptsPause  = 4 * time.Second
)

func (v *watch) run(ctx context.Context, b client.Batch) (client.Batch, error) {
	lost := time.Time{}
	for b.EndedAt == nil {
		v.bar.show(batchProgress(&b))
		if sleep(ctx, watchEvery) != nil {
			return b, v.left(&b)
		}
		fresh, err := v.gateway.Batch(ctx, b.ID)
		switch {
		case err == nil:
			b, lost = fresh, time.Time{}
		case ctx.Err() != nil:
			return b, v.left(&b)
		case !passing(err):
			v.bar.clear()
			return b, batchFlags.apiError(v.gateway, err)
		case lost.IsZero():
			lost = time.Now()
			v.bar.say("no answer from the gateway (%s): waiting for it; the batch does not depend on this command", shortly(err))
		case time.Since(lost) > lostFor:
			v.bar.clear()
			return b, batchFlags.apiError(v.gateway, err)
		}
	}
	b = v.receipts(ctx, b)
	v.bar.finish(batchProgress(&b))
	return b, nil
}

// receipts waits for the events of messages that WeChat has accepted, as long as they
// come.
func (v *watch) receipts(ctx context.Context, b client.Batch) client.Batch {
	least, since, began := b.Counts["accepted"], time.Now(), time.Now()
	for hasReceipts(b.Kind) && least > 0 && time.Since(since) < receiptsPause && time.Since(began) < receiptsWithin {
		v.bar.show(progress{what: "receipts", done: b.Good - b.Counts["accepted"], of: b.Good, tail: countWords(b.Counts)})
		if sleep(ctx, watchEvery) != nil {
			return b
		}
		fresh, err := v.gateway.Batch(ctx, b.ID)
		if err != nil {
			return b
		}
		if b = fresh; b.Counts["accepted"] < least {
			least, since = b.Counts["accepted"], time.Now()
		}
	}
	return b
}

// hasReceipts reports whether WeChat tells what became of messages of a kind.
func hasReceipts(kind string) bool { return kind == "template" || kind == "subscribe" }

// left is said when somebody stops watching.
func (v *watch) left(b *client.Batch) error {
	v.bar.clear()
	return &commandError{what: "stopped watching; " + b.ID + " goes on by itself", cure: "look again with hongyan batch status " + b.ID + " --watch"}
}

// batchProgress is how far a batch is, for a bar.
func batchProgress(b *client.Batch) progress {
	waiting := sumOf(b.Counts, "queued", "held", "sending")
	p := progress{what: b.State, done: b.Fed + b.Refused - waiting, of: b.Good, tail: countWords(b.Counts)}
	switch {
	case b.State == "running" && b.Hold != nil:
		p.tail = strings.Join(holdLines(b.Hold), "; ")
	case b.State == "running" && b.Speed > 0:
		p.what = "sending"
		p.tail = fmt.Sprintf("%s/s  ", thousands(int64(b.Speed))) + p.tail
		if b.ForecastAt != nil {
			p.tail = fmt.Sprintf("%s left  ", max(0, time.Until(b.ForecastAt.Time)).Round(time.Second)) + p.tail
		}
	case b.State == "running":
		p.what = "sending"
	case b.State == "scheduled" && b.SendAt != nil:
		p.tail = "begins at " + timeCell(b.SendAt).text
	}
	return p
}

// watchBatch watches, and then prints the end.
func (f *gatewayFlags) watchBatch(ctx context.Context, w *surroundings, gateway *client.Client, b client.Batch) error {
	b, err := (&watch{gateway: gateway, bar: &progressBar{out: f.teller(w)}}).run(ctx, b)
	if err != nil {
		return err
	}
	return f.ended(w, b, false)
}

// ended prints a batch that has ended. Exit code 0 is for one that was not cancelled.
func (f *gatewayFlags) ended(w *surroundings, b client.Batch, fetched bool) error {
	if f.JSON {
		if err := w.json(b); err != nil {
			return err
		}
	} else {
		out := w.out()
		out.batch(&b)
		if next := nextForBatch(&b); !fetched || b.Counts["failed"]+b.Counts["expired"] > 0 {
			out.next("%s", next)
		}
	}
	if b.State != "finished" {
		return errSilent
	}
	return nil
}
