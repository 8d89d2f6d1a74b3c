package batch

import (
	"context"
	"fmt"
	"slices"

	"hongyan"
	"hongyan/store"
)

// Retry chooses rows of a batch that are to be sent again.
type Retry struct {
	States   []hongyan.State // empty = failed, expired
	Errcodes []int           // of the last answer; empty = any
	Name     string          // of the new batch; "" = the old one's
	Again    bool            // even if a batch sends rows of it again already
	CallerID string
}

// retryStates are the states of messages that may be sent again: none that arrived, or
// may still.
var retryStates = []hongyan.State{hongyan.Failed, hongyan.Expired, hongyan.Uncertain, hongyan.Cancelled}

// Retry makes a new, open batch of rows whose messages ended in some way, with the same
// texts and each row's own data. With the state cancelled it takes the rows too that a
// cancelled batch never came to. Whoever is in a second batch of the same rows would be
// sent the same twice, so one that is not cancelled is in the way of another
// (retried_already) unless Again is set.
func (d *Desk) Retry(ctx context.Context, id string, in Retry) (hongyan.Batch, error) {
	old, err := d.store.Batch(ctx, id)
	if err != nil {
		return old, err
	}
	if len(in.States) == 0 {
		in.States = []hongyan.State{hongyan.Failed, hongyan.Expired}
	}
	for _, s := range in.States {
		if !slices.Contains(retryStates, s) {
			return old, hongyan.InvalidField("invalid_field", "/states", "messages that are %s cannot be sent again; failed, expired, uncertain and cancelled ones can", s).
				InChinese("状态为 %s 的消息不能重发；failed、expired、uncertain 和 cancelled 的可以", s)
		}
	}
	if old.State != hongyan.BatchFinished && old.State != hongyan.BatchCancelled {
		return old, wrongState(&old, "retried", "It has not ended: what is still to come would be left out. Wait for its end, or cancel it.")
	}
	b := hongyan.Batch{ID: hongyan.NewBatchID(), AppID: old.AppID, Name: old.Name, Kind: old.Kind, TemplateID: old.TemplateID, Spec: old.Spec,
		Priority: old.Priority, CallerID: in.CallerID, RetryOf: old.ID, Metadata: old.Metadata,
		RatePerSecond: old.RatePerSecond, QuietHours: old.QuietHours, ExpiresAfter: old.ExpiresAfter}
	if in.Name != "" {
		b.Name = in.Name
	}
	var f faults
	if f.settings(&b); f.err() != nil {
		return old, f.err()
	}
	if b, err = d.createRetry(ctx, b, in.Again); err != nil {
		return b, err
	}
	made, err := d.copyRows(ctx, &old, &b, in)
	if err == nil && made.Rows == 0 {
		err = hongyan.Errorf(hongyan.Conflict, "nothing_to_retry", "no message of batch %s is in such a state, or its rows have been removed since", id)
	}
	if err != nil {
		// What is half there must not be taken for the whole.
		_, cancelErr := d.Cancel(context.WithoutCancel(ctx), b.ID)
		return b, firstOf(err, cancelErr)
	}
	return made, nil
}

// createRetry makes the batch unless another sends the same rows again. Of two nodes that
// try at once both may be refused, and never both let through.
func (d *Desk) createRetry(ctx context.Context, b hongyan.Batch, again bool) (hongyan.Batch, error) {
	if again {
		return d.store.CreateBatch(ctx, b, store.Once{})
	}
	d.retrying.Lock()
	defer d.retrying.Unlock()
	if err := d.retried(ctx, &b); err != nil {
		return b, err
	}
	b, err := d.store.CreateBatch(ctx, b, store.Once{})
	if err != nil {
		return b, err
	}
	if err = d.retried(ctx, &b); err != nil { // by another node, meanwhile
		_, cancelErr := d.Cancel(context.WithoutCancel(ctx), b.ID)
		return b, firstOf(err, cancelErr)
	}
	return b, nil
}

// retried reports an error when a batch other than b, and not cancelled, sends the same
// batch's rows again.
func (d *Desk) retried(ctx context.Context, b *hongyan.Batch) error {
	states := slices.DeleteFunc(hongyan.BatchStates(), func(s hongyan.BatchState) bool { return s == hongyan.BatchCancelled })
	others, err := d.store.Batches(ctx, store.BatchFilter{RetryOf: b.RetryOf, States: states, Limit: 2})
	if err != nil {
		return err
	}
	for i := range others {
		if other := &others[i]; other.ID != b.ID {
			e := hongyan.Errorf(hongyan.Conflict, "retried_already", "batch %s is sent again by batch %s already, which is %s", b.RetryOf, other.ID, other.State)
			e.Hint = "Use that batch, or cancel it. again makes one more all the same; whoever is in both may get the message twice."
			return e
		}
	}
	return nil
}

func firstOf(err, other error) error {
	if other != nil {
		return fmt.Errorf("%w (and the new batch could not be cancelled: %w)", err, other)
	}
	return err
}

// copyRows stages the chosen rows of old in b.
func (d *Desk) copyRows(ctx context.Context, old, b *hongyan.Batch, in Retry) (hongyan.Batch, error) {
	sp, err := specOf(old)
	if err != nil {
		return *b, err
	}
	made := *b
	for row := int64(1); row <= old.Rows; {
		stored, err := d.store.Chunk(ctx, old.Seq, row)
		if hongyan.IsKind(err, hongyan.NotFound) {
			break
		}
		if err != nil {
			return made, err
		}
		messages, err := d.store.ChunkMessages(ctx, stored)
		if err != nil {
			return made, err
		}
		c, err := decodeChunk(stored.Data)
		if err != nil {
			return made, err
		}
		rows, hashes, err := chooseRows(&sp, &stored, c, messages, in, old.State == hongyan.BatchCancelled)
		if err != nil {
			return made, err
		}
		if len(rows) > 0 {
			c.rows = rows
			if made, err = d.stage(ctx, b, c, made.Rows+1, hashes); err != nil {
				return made, err
			}
		}
		row = stored.Last() + 1
	}
	return made, nil
}

// chooseRows returns the rows of a chunk that are to be sent again.
func chooseRows(sp *spec, stored *store.Chunk, c *chunk, messages []hongyan.Message, in Retry, cancelled bool) (rows []Row, hashes []uint64, err error) {
	p, err := sp.programFor(c)
	if err != nil {
		return nil, nil, err
	}
	err = chunkResults(sp, stored, messages, func(r Result) error {
		old := c.rows[r.Row-stored.First]
		switch m := r.Message; {
		case m == nil && (len(old.Problems) > 0 || !cancelled || len(in.Errcodes) > 0 || !slices.Contains(in.States, hongyan.Cancelled)):
			return nil
		case m != nil && !slices.Contains(in.States, m.State):
			return nil
		case m != nil && len(in.Errcodes) > 0 && (m.Last.Outcome != hongyan.Answered || !slices.Contains(in.Errcodes, m.Last.Errcode)):
			return nil
		case m != nil:
			old.RetryOf = m.ID
		}
		f, _ := p.fields(&old)
		rows, hashes = append(rows, old), append(hashes, hashOf(f.ToUser))
		return nil
	})
	return rows, hashes, err
}

// stage stores rows that were judged before.
func (d *Desk) stage(ctx context.Context, b *hongyan.Batch, c *chunk, first int64, hashes []uint64) (hongyan.Batch, error) {
	blob, err := c.encode()
	if err != nil {
		return *b, err
	}
	return d.store.StageRows(ctx, store.Chunk{Batch: b.Seq, First: first, N: len(c.rows), Hashes: hashBytes(hashes), Data: blob})
}
