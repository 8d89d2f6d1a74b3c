package batch

import (
	"context"
	"sync"
	"time"

	"hongyan"
)

// Progress is how far a batch is.
type Progress struct {
	Counts map[hongyan.State]int64 // its messages, as they are shown
	// Forecast is when the last row will have left, by the speed of late; zero = unknown.
	Forecast time.Time
	Hold     *hongyan.Hold // why nothing leaves at present; nil while something does
}

// countEvery is how often the messages of one batch are counted for whoever looks: it
// takes a tenth of a second for a million.
const countEvery = time.Second

// countCache keeps the latest counts. The zero value is empty.
type countCache struct {
	mu  sync.Mutex
	all map[int64]counted
}

type counted struct {
	at     time.Time
	ended  bool
	counts map[hongyan.State]int64
}

// Progress tells how far b is.
func (d *Desk) Progress(ctx context.Context, b *hongyan.Batch) (Progress, error) {
	counts, err := d.countsOf(ctx, b)
	if err != nil {
		return Progress{}, err
	}
	p := Progress{Counts: counts}
	now := d.store.Now()
	quiet := hongyan.QuietHours{Off: true}
	if b.QuietHours != "" && b.Priority != hongyan.Urgent {
		a, err := d.store.Account(ctx, b.AppID)
		if err != nil && !hongyan.IsKind(err, hongyan.NotFound) {
			return p, err
		}
		quiet = b.Quiet(a.QuietHours)
	}
	if p.Hold, err = d.holdOn(ctx, b, quiet, now); err != nil {
		return p, err
	}
	if b.State == hongyan.BatchRunning {
		p.Forecast = forecast(b, quiet, now)
	}
	return p, nil
}

func (d *Desk) countsOf(ctx context.Context, b *hongyan.Batch) (map[hongyan.State]int64, error) {
	if b.Fed == 0 {
		return map[hongyan.State]int64{}, nil
	}
	now := time.Now()
	d.counts.mu.Lock()
	known, ok := d.counts.all[b.Seq]
	d.counts.mu.Unlock()
	if passed := now.Sub(known.at); ok && known.ended == !b.EndedAt.IsZero() && passed >= 0 && passed < countEvery {
		return known.counts, nil
	}
	counts, err := d.store.BatchCounts(ctx, b.Seq)
	if err != nil {
		return nil, err
	}
	d.counts.mu.Lock()
	defer d.counts.mu.Unlock()
	if d.counts.all == nil || len(d.counts.all) > 1000 {
		d.counts.all = make(map[int64]counted)
	}
	d.counts.all[b.Seq] = counted{at: now, ended: !b.EndedAt.IsZero(), counts: counts}
	return counts, nil
}

// holdOn says why nothing of a batch leaves at now.
func (d *Desk) holdOn(ctx context.Context, b *hongyan.Batch, quiet hongyan.QuietHours, now time.Time) (*hongyan.Hold, error) {
	switch b.State {
	case hongyan.BatchPaused:
		h := pausedHold()
		h.AppID, h.Kind, h.Since = b.AppID, b.Kind, b.UpdatedAt
		if b.Reason != hongyan.HoldBatchPaused {
			h.Reason, h.Detail = b.Reason, b.Detail
		}
		if waitsForTemplate(b) {
			h.Release = "the template being active again: settle it with WeChat, then sync or register it; or resuming the batch"
		}
		return &h, nil
	case hongyan.BatchScheduled:
		return &hongyan.Hold{AppID: b.AppID, Kind: b.Kind, Reason: "scheduled", Since: b.StartedAt, Until: b.SendAt, Release: "its time"}, nil
	case hongyan.BatchRunning:
	default:
		return nil, nil
	}
	if until := quiet.Next(now); until.After(now) {
		return &hongyan.Hold{AppID: b.AppID, Kind: b.Kind, Reason: hongyan.HoldQuietHours, Since: b.FedAt, Until: until, Release: "the end of the batch's quiet hours"}, nil
	}
	holds, err := d.store.Holds(ctx)
	if err != nil {
		return nil, err
	}
	for i := range holds {
		if h := &holds[i]; h.AppID == b.AppID && h.Before.IsZero() && h.Covers(b.Kind, b.Priority, now, now) {
			return h, nil
		}
	}
	return nil, nil
}

// forecast is when the rows that are left will be fed at the speed of late, the quiet
// hours between left out; zero = there is none yet.
func forecast(b *hongyan.Batch, quiet hongyan.QuietHours, now time.Time) time.Time {
	perSecond := b.Speed
	if b.RatePerSecond > 0 && (perSecond <= 0 || perSecond > b.RatePerSecond) {
		perSecond = b.RatePerSecond
	}
	left := b.Unfed()
	if perSecond <= 0 || left <= 0 {
		return time.Time{}
	}
	const step = 15 * time.Minute
	need := time.Duration(min(float64(left)/perSecond, 366*24*3600) * float64(time.Second))
	at := quiet.Next(now)
	for !quiet.Off && need > step {
		at, need = quiet.Next(at.Add(step)), need-step
	}
	return hongyan.Millis(at.Add(need))
}

// names keeps which number is which batch. The zero value is empty.
type names struct {
	mu  sync.Mutex
	ids map[int64]string
}

// IDs returns the ids of batches by their numbers, for those who show messages. What is
// gone is left out.
func (d *Desk) IDs(ctx context.Context, seqs []int64) (map[int64]string, error) {
	ids := make(map[int64]string)
	var unknown []int64
	d.names.mu.Lock()
	for _, seq := range seqs {
		if id := d.names.ids[seq]; id != "" {
			ids[seq] = id
		} else if seq != 0 {
			unknown = append(unknown, seq)
		}
	}
	d.names.mu.Unlock()
	if len(unknown) == 0 {
		return ids, nil
	}
	found, err := d.store.BatchIDs(ctx, unknown)
	if err != nil {
		return nil, err
	}
	d.names.mu.Lock()
	defer d.names.mu.Unlock()
	if d.names.ids == nil || len(d.names.ids) > 10_000 {
		d.names.ids = make(map[int64]string)
	}
	for seq, id := range found {
		d.names.ids[seq], ids[seq] = id, id
	}
	return ids, nil
}
