package postgres

import (
	"context"
	"time"

	"hongyan"
)

// Join adds a node beside those there are; see store.Nodes.
func (s *Store) Join(ctx context.Context, name string, lease time.Duration) (epoch int64, err error) {
	err = s.write(ctx, func(t *tx) error {
		return t.query(func(r *row) error {
			epoch = r.int64()
			return nil
		}, "INSERT INTO nodes (name, joined_at, lease_until) VALUES ($1, $2, $3) RETURNING epoch", name, t.now, t.now+lease.Milliseconds())
	})
	return epoch, err
}

// Renew extends a node's lease; see store.Nodes. One that had lapsed is good again,
// unless somebody began to take over what the node holds.
func (s *Store) Renew(ctx context.Context, epoch int64, lease time.Duration) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE nodes SET lease_until = $2 WHERE epoch = $1 AND NOT dead", epoch, t.now+lease.Milliseconds())
		if err == nil && n == 0 {
			err = fenced(epoch)
		}
		return err
	})
}

// Leave ends a node's lease at once. What it still holds can be taken over.
func (s *Store) Leave(ctx context.Context, epoch int64) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM nodes WHERE epoch = $1", epoch)
		return err
	})
}

// aliveSQL is the condition under which a node may lease messages. A lease that lapsed does
// no harm by itself: nobody took anything over yet, and once somebody does the node is dead.
const aliveSQL = "NOT dead"

// checkAlive refuses a node that never joined, left or was taken over.
func (t *tx) checkAlive(epoch int64) error {
	alive, err := t.queryOne(func(*row) error { return nil }, "SELECT 1 FROM nodes WHERE epoch = $1 AND "+aliveSQL, epoch)
	if err == nil && !alive {
		err = fenced(epoch)
	}
	return err
}

func fenced(epoch int64) error {
	return hongyan.Errorf(hongyan.Conflict, "node_fenced", "node %d has left or was taken over", epoch)
}

// heldSQL hops from one epoch that holds messages to the next and keeps those of
// nodes that are dead or not there any more. It costs in nodes.
const heldSQL = `WITH RECURSIVE held (epoch) AS (
		(SELECT epoch FROM messages WHERE state = 2 AND epoch > 0 ORDER BY epoch LIMIT 1)
		UNION ALL
		SELECT (SELECT epoch FROM messages WHERE state = 2 AND epoch > held.epoch ORDER BY epoch LIMIT 1)
		FROM held WHERE held.epoch IS NOT NULL
	)
	SELECT epoch FROM held WHERE epoch IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.epoch = held.epoch AND NOT dead)`

// takeOverSQL moves what one dead node holds. Rows that a late result of that node is
// being written to are left to the next call.
const takeOverSQL = `WITH taken AS (
		SELECT seq AS taken_seq FROM messages WHERE state = 2 AND epoch = $1
		ORDER BY seq LIMIT $2 FOR UPDATE SKIP LOCKED
	)
	UPDATE messages SET epoch = $3 WHERE seq = ANY(ARRAY(SELECT taken_seq FROM taken)) RETURNING ` + messageColumns

// TakeOver moves leased messages of dead nodes to epoch; see store.Nodes. A node whose
// lease lapsed is dead from the moment somebody takes over.
func (s *Store) TakeOver(ctx context.Context, epoch int64, limit int) (all []hongyan.Message, err error) {
	err = s.write(ctx, func(t *tx) error {
		all = nil
		if err := t.checkAlive(epoch); err != nil {
			return err
		}
		if _, err := t.exec("UPDATE nodes SET dead = true WHERE NOT dead AND lease_until <= $1 AND epoch <> $2", t.now, epoch); err != nil {
			return err
		}
		var dead []int64
		err := t.query(func(r *row) error {
			dead = append(dead, r.int64())
			return nil
		}, heldSQL)
		for i := 0; err == nil && i < len(dead) && len(all) < limit; i++ {
			from := len(all)
			err = t.query(collect(&all), takeOverSQL, dead[i], limit-len(all), epoch)
			sortBySeq(all[from:])
			if err == nil {
				err = t.inherit(dead[i], epoch, all[from:])
			}
		}
		t.leased(all)
		if err == nil && len(all) < limit {
			err = t.forgetReserved()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
