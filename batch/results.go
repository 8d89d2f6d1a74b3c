package batch

import (
	"context"

	"hongyan"
	"hongyan/store"
)

// Result is what became of one row.
type Result struct {
	Row      int64
	ToUser   string
	Message  *hongyan.Message // nil = the row is no message
	Problems []Problem        // why it is none; empty = its turn has not come, or never will
}

// Results tells what became of every row, in order, and ends at the first error of
// each. It reads chunk by chunk, so that memory does not grow with the batch; rows whose
// chunk was removed after its time (store.Retention) are left out.
func (d *Desk) Results(ctx context.Context, b *hongyan.Batch, each func(Result) error) error {
	sp, err := specOf(b)
	if err != nil {
		return err
	}
	for row := int64(1); row <= b.Rows; {
		stored, err := d.store.Chunk(ctx, b.Seq, row)
		if hongyan.IsKind(err, hongyan.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		messages, err := d.store.ChunkMessages(ctx, stored)
		if err != nil {
			return err
		}
		if err := chunkResults(&sp, &stored, messages, each); err != nil {
			return err
		}
		row = stored.Last() + 1
	}
	return nil
}

// chunkResults joins the rows of a chunk with the messages they became.
func chunkResults(sp *spec, stored *store.Chunk, messages []hongyan.Message, each func(Result) error) error {
	c, err := decodeChunk(stored.Data)
	if err != nil {
		return err
	}
	p, err := sp.programFor(c)
	if err != nil {
		return err
	}
	for i := range c.rows {
		r := Result{Row: stored.First + int64(i), Problems: c.rows[i].Problems}
		for len(messages) > 0 && messages[0].BatchRow < r.Row {
			messages = messages[1:]
		}
		if len(messages) > 0 && messages[0].BatchRow == r.Row {
			r.Message, r.ToUser = &messages[0], messages[0].ToUser
		} else {
			f, _ := p.fields(&c.rows[i])
			r.ToUser = f.ToUser
		}
		if err := each(r); err != nil {
			return err
		}
	}
	return nil
}

// Problems tells the problems of bad rows behind row after, in order, until each
// returns false.
func (d *Desk) Problems(ctx context.Context, b *hongyan.Batch, after int64, each func(RowProblem) bool) error {
	for {
		page, err := d.store.BadChunks(ctx, b.Seq, after, 1)
		if err != nil || len(page) == 0 {
			return err
		}
		c, err := decodeChunk(page[0].Data)
		if err != nil {
			return err
		}
		for i := range c.rows {
			row := page[0].First + int64(i)
			if row <= after {
				continue
			}
			for _, p := range c.rows[i].Problems {
				if !each(RowProblem{row, p}) {
					return nil
				}
			}
		}
		after = page[0].Last()
	}
}
