package sqlite

import (
	"context"
	"slices"

	"hongyan"
	"hongyan/store"
)

// cappedSQL finds what the cap of an account holds, of each user the first ones that
// the day has room for. The index has what is held; that is looked through once.
const cappedSQL = `SELECT seq FROM (SELECT seq, priority, touser, row_number() OVER (PARTITION BY touser ORDER BY priority, seq) AS place
		FROM messages INDEXED BY messages_rare
		WHERE stream IN (SELECT stream FROM streams WHERE appid = ?) AND state = 1 AND ` + rareSQL + ` AND reason = ?) AS held
	WHERE ? = 0 OR place <= ? - (SELECT count(*) FROM user_days WHERE appid = ? AND openid = touser AND day = ?)
	ORDER BY priority, seq`

// ReleaseCapped lets messages go that the cap per user held; see store.Care. They are
// all due at one time, so that those of one lane go in the order of their acceptance.
func (s *Store) ReleaseCapped(ctx context.Context, c store.CapRelease) (total int, err error) {
	var seqs []int64
	err = s.read(ctx, func(conn *conn) error {
		return conn.query(ctx, func(r *row) error {
			seqs = append(seqs, r.int64())
			return nil
		}, cappedSQL, c.AppID, hongyan.HoldUserCap, c.Most, c.Most, c.AppID, millis(c.Day))
	})
	sw := templateSwitch{
		from: hongyan.Held, to: hongyan.Queued, appID: c.AppID, where: " AND reason = ?", whereArgs: []any{hongyan.HoldUserCap},
		set: "state = 0, reason = '', hold = NULL, due_at = ?", args: []any{millis(s.Now())},
	}
	for some := range slices.Chunk(seqs, sweepBatch) {
		n := 0
		if err == nil {
			err = s.submit(ctx, &op{weight: len(some), run: func(t *tx) (err error) {
				n, err = t.switchRows(sw, some)
				return err
			}})
		}
		total += n
	}
	return total, err
}
