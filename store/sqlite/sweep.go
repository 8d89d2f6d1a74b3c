package sqlite

import (
	"context"
	"time"
)

const (
	// sweepBatch is how many rows go per transaction: a few milliseconds of the writer.
	sweepBatch = 500
	// orphanKeep is how long a receipt waits for the answer it belongs to. An
	// account that also sends by other means has many that never find an owner.
	orphanKeep = 7 * 24 * time.Hour
)

// Sweep removes what nobody can ask for any more: idempotency keys past their
// life, and receipts nobody owned for a week. (Dead nodes go when another joins.)
func (s *Store) Sweep(ctx context.Context) (int, error) {
	total := 0
	for {
		n := 0
		err := s.submit(ctx, &op{weight: 2 * sweepBatch, run: func(t *tx) (err error) {
			n, err = t.sweep()
			return err
		}})
		total += n
		if err != nil || n == 0 {
			return total, err
		}
	}
}

func (t *tx) sweep() (int, error) {
	keys, err := t.exec(`DELETE FROM idempotency WHERE (caller_id, key) IN (SELECT caller_id, key
		FROM idempotency INDEXED BY idempotency_expiry WHERE expires_at <= ? LIMIT ? + 0)`, t.now, sweepBatch)
	if err != nil {
		return 0, err
	}
	orphans, err := t.exec(`DELETE FROM orphans WHERE id IN (SELECT id
		FROM orphans INDEXED BY orphans_stored WHERE stored_at <= ? LIMIT ? + 0)`, t.now-orphanKeep.Milliseconds(), sweepBatch)
	t.orphans -= int64(orphans)
	return keys + orphans, err
}
