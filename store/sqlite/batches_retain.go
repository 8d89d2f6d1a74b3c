package sqlite

import (
	"context"
	"time"
)

// chunkBatch is how many chunks go per transaction: their blobs are large.
const chunkBatch = 20

// removeBatches removes what was staged for batches long ended, and then the batches.
func (r *retaining) removeBatches() error {
	if err := r.removeChunks("ended_at > 0 AND ended_at <= ?", r.keep.Payload); err != nil {
		return err
	}
	old := "max(ended_at, CASE state WHEN 0 THEN updated_at ELSE 0 END) BETWEEN 1 AND ?"
	if err := r.removeChunks(old, r.keep.Messages); err != nil || r.keep.Messages <= 0 {
		return err
	}
	n := 0
	err := r.gently(1, func(t *tx) (err error) {
		n, err = t.exec("DELETE FROM batches WHERE "+old, r.now-r.keep.Messages.Milliseconds())
		return err
	})
	r.done.Batches += n
	return err
}

// removeChunks removes the staged rows of the batches that where chooses.
func (r *retaining) removeChunks(where string, keep time.Duration) error {
	if keep <= 0 {
		return nil
	}
	for _, table := range []string{"batch_chunks", "batch_spans"} {
		for {
			left, err := r.holdsAny(table, where, keep)
			if err != nil || !left {
				if err != nil {
					return err
				}
				break
			}
			n := 0
			err = r.gently(chunkBatch, func(t *tx) (err error) {
				n, err = t.exec("DELETE FROM "+table+" WHERE (batch, first) IN (SELECT batch, first FROM "+table+
					" WHERE batch IN (SELECT seq FROM batches WHERE "+where+") LIMIT ? + 0)", r.now-keep.Milliseconds(), chunkBatch)
				return err
			})
			if err != nil {
				return err
			}
			if table == "batch_chunks" {
				r.done.Chunks += n
			}
		}
	}
	return nil
}

func (r *retaining) holdsAny(table, where string, keep time.Duration) (any bool, err error) {
	err = r.read(r.ctx, func(c *conn) error {
		any, err = c.queryOne(context.WithoutCancel(r.ctx), func(*row) error { return nil },
			"SELECT 1 FROM "+table+" WHERE batch IN (SELECT seq FROM batches WHERE "+where+") LIMIT 1", r.now-keep.Milliseconds())
		return err
	})
	return any, err
}
