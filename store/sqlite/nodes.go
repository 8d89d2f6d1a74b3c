package sqlite

import (
	"context"
	"time"

	"hongyan"
)

// Join adds a node; see store.Nodes. There is only one process, so whoever
// joins succeeds whoever came before.
func (s *Store) Join(ctx context.Context, name string, lease time.Duration) (int64, error) {
	var epoch int64
	err := s.write(ctx, func(t *tx) error {
		if _, err := t.exec("DELETE FROM nodes"); err != nil {
			return err
		}
		err := t.query(func(r *row) error {
			t.writes++
			epoch = r.int64()
			return nil
		}, "INSERT INTO nodes (name, joined_at, lease_until) VALUES (?, ?, ?) RETURNING epoch",
			name, t.now, t.now+lease.Milliseconds())
		t.epoch = epoch
		return err
	})
	return epoch, err
}

// Renew extends a node's lease; see store.Nodes.
func (s *Store) Renew(ctx context.Context, epoch int64, lease time.Duration) error {
	return s.write(ctx, func(t *tx) error {
		if err := t.checkAlive(epoch); err != nil {
			return err
		}
		_, err := t.exec("UPDATE nodes SET lease_until = ? WHERE epoch = ?", t.now+lease.Milliseconds(), epoch)
		return err
	})
}

// Leave ends a node's lease at once. What it still holds can be taken over.
func (s *Store) Leave(ctx context.Context, epoch int64) error {
	return s.write(ctx, func(t *tx) error {
		if epoch == t.epoch {
			t.epoch = 0
		}
		_, err := t.exec("DELETE FROM nodes WHERE epoch = ?", epoch)
		return err
	})
}

// checkAlive refuses a node that never joined, left, or was succeeded.
func (t *tx) checkAlive(epoch int64) error {
	if epoch != 0 && epoch == t.epoch {
		return nil
	}
	return fenced(epoch)
}

func fenced(epoch int64) error {
	return hongyan.Errorf(hongyan.Conflict, "node_fenced", "node %d has left or was taken over", epoch)
}

// takeOverSQL finds what earlier nodes hold: there is no node but the latest.
const takeOverSQL = "SELECT " + messageColumns + ` FROM messages INDEXED BY messages_leased
	WHERE state = 2 AND epoch > 0 AND epoch < ? ORDER BY epoch, seq LIMIT ? + 0`

// TakeOver moves leased messages of dead nodes to epoch; see store.Nodes.
func (s *Store) TakeOver(ctx context.Context, epoch int64, limit int) ([]hongyan.Message, error) {
	var all []hongyan.Message
	err := s.submit(ctx, &op{weight: limit, run: func(t *tx) error {
		all = nil
		if err := t.checkAlive(epoch); err != nil {
			return err
		}
		if err := t.query(collect(&all), takeOverSQL, epoch, limit); err != nil {
			return err
		}
		seqs := make([]int64, len(all))
		for i := range all {
			seqs[i] = all[i].Seq
			all[i].Epoch = epoch
		}
		return t.execSeqs("UPDATE messages SET epoch = ? WHERE seq IN ", seqs, epoch)
	}})
	return all, err
}
