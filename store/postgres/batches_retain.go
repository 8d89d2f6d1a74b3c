package postgres

import "time"

// chunkBatch is how many chunks go per transaction: their blobs are large.
const chunkBatch = 50

// removeBatches removes what was staged for batches long ended, and then the batches.
func (r *retaining) removeBatches() error {
	if err := r.removeChunks("ended_at > 0 AND ended_at <= $1", r.keep.Payload); err != nil {
		return err
	}
	old := "greatest(ended_at, CASE state WHEN 0 THEN updated_at ELSE 0 END) BETWEEN 1 AND $1"
	if err := r.removeChunks(old, r.keep.Messages); err != nil || r.keep.Messages <= 0 {
		return err
	}
	n := 0
	err := r.write(r.ctx, func(t *tx) (err error) {
		n, err = t.exec("DELETE FROM batches WHERE "+old, t.now-r.keep.Messages.Milliseconds())
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
			n := 0
			err := r.write(r.ctx, func(t *tx) (err error) {
				n, err = t.exec("DELETE FROM "+table+" WHERE (batch, first) IN (SELECT batch, first FROM "+table+
					" WHERE batch IN (SELECT seq FROM batches WHERE "+where+") LIMIT $2 FOR UPDATE SKIP LOCKED)", t.now-keep.Milliseconds(), chunkBatch)
				return err
			})
			if err != nil {
				return err
			}
			if table == "batch_chunks" {
				r.done.Chunks += n
			}
			if n < chunkBatch {
				break
			}
		}
	}
	return nil
}
