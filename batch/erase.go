package batch

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"hongyan"
	"hongyan/store"
)

const (
	// eraseTries is how often a chunk is tried that is being fed at the same moment.
	eraseTries = 20
	erasePause = 50 * time.Millisecond
	// erasePage is how many batches are looked through at once.
	erasePage = 100
)

// EraseUser takes a person out of all rows that are staged for an account, and returns
// how many those were. A row that was still to be sent is not sent. Messages are not its
// business, and rows without an openid that say something of the person are not found.
func (d *Desk) EraseUser(ctx context.Context, appID, openID string) (rows int, err error) {
	for before := int64(0); ; {
		page, err := d.store.Batches(ctx, store.BatchFilter{AppIDs: []string{appID}, Before: before, Limit: erasePage})
		if err != nil || len(page) == 0 {
			return rows, err
		}
		for i := range page {
			n, err := d.eraseFrom(ctx, &page[i], openID)
			if rows += n; err != nil {
				return rows, fmt.Errorf("erase a person from batch %s: %w", page[i].ID, err)
			}
		}
		before = page[len(page)-1].Seq
	}
}

// eraseFrom is EraseUser for one batch.
func (d *Desk) eraseFrom(ctx context.Context, b *hongyan.Batch, openID string) (rows int, err error) {
	wanted := hashOf(openID)
	for after := int64(0); ; {
		page, err := d.store.ChunkHashes(ctx, b.Seq, after, hashPage)
		if err != nil || len(page) == 0 {
			return rows, err
		}
		for _, c := range page {
			after = c.First
			if !contains(c.Hashes, wanted) {
				continue
			}
			n, err := d.eraseChunk(ctx, b.ID, c.First, openID)
			if rows += n; err != nil {
				return rows, err
			}
		}
	}
}

func contains(hashes []byte, wanted uint64) bool {
	for ; len(hashes) >= hashSize; hashes = hashes[hashSize:] {
		if binary.LittleEndian.Uint64(hashes)&^isBad == wanted {
			return true
		}
	}
	return false
}

// eraseChunk rewrites a chunk without the person.
func (d *Desk) eraseChunk(ctx context.Context, id string, first int64, openID string) (rows int, err error) {
	for n := 0; n < eraseTries; n++ {
		b, err := d.store.Batch(ctx, id)
		if err != nil {
			return 0, err
		}
		stored, err := d.store.Chunk(ctx, b.Seq, first)
		if err != nil {
			return 0, err
		}
		rows, lost, err := eraseRows(&b, &stored, openID)
		if err != nil || rows == 0 {
			return 0, err
		}
		next := int64(0)
		if lost > 0 {
			next = b.Next
		}
		err = d.store.RewriteChunk(ctx, stored, next, lost)
		if !hongyan.IsKind(err, hongyan.Conflict) {
			d.Wake()
			return rows, err
		}
		select {
		case <-time.After(erasePause): // it was fed meanwhile
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return 0, hongyan.Errorf(hongyan.Unavailable, "batch_moved", "the batch is being sent: try again in a moment, or pause it")
}

// eraseRows empties the rows of a chunk that are the person's; lost are those that were
// still to be sent.
func eraseRows(b *hongyan.Batch, stored *store.Chunk, openID string) (rows, lost int, err error) {
	sp, err := specOf(b)
	if err != nil {
		return 0, 0, err
	}
	c, err := decodeChunk(stored.Data)
	if err != nil {
		return 0, 0, err
	}
	p, err := sp.programFor(c)
	if err != nil {
		return 0, 0, err
	}
	for i := range c.rows {
		r := &c.rows[i]
		if f, _ := p.fields(r); f.ToUser != openID {
			continue
		}
		good := len(r.Problems) == 0
		if unsent := stored.First+int64(i) >= b.Next; good && unsent {
			lost++
			stored.Bad++
			r.Problems = []Problem{{Rule: "erased", Detail: "the person was erased", DetailZH: "该用户的数据已被删除"}}
		} else if !good {
			r.Problems = []Problem{{Rule: "erased", Detail: "the person was erased", DetailZH: "该用户的数据已被删除"}}
		}
		r.Cells = make([]string, len(r.Cells))
		if r.JSON != nil {
			r.JSON = []byte("{}")
		}
		rows++
		binary.LittleEndian.PutUint64(stored.Hashes[hashSize*i:], 0)
	}
	if rows > 0 {
		stored.Data, err = c.encode()
	}
	return rows, lost, err
}
