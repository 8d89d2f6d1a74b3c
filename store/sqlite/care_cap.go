package sqlite

import (
	"context"
	"slices"
	"time"

	"hongyan"
	"hongyan/store"
)

const (
	// cappedFromSQL finds what the cap of an account holds: the index has what is held;
	// that is looked through.
	cappedFromSQL = ` FROM messages INDEXED BY messages_rare
		WHERE stream IN (SELECT stream FROM streams WHERE appid = ?) AND state = 1 AND ` + rareSQL + ` AND reason = ?`
	cappedSQL = "SELECT seq, touser, coalesce((SELECT quiet_hours FROM batches WHERE batches.seq = batch), '')" + cappedFromSQL + " ORDER BY priority, seq"
	// takenSQL counts for each of its users what is set aside of a day, and what is on its
	// way and will ask for its place in it.
	takenSQL = "WITH users AS MATERIALIZED (SELECT DISTINCT touser" + cappedFromSQL + `)
		SELECT touser, (SELECT count(*) FROM user_days WHERE appid = ? AND openid = touser AND day = ?) + (SELECT count(*) FROM messages AS m INDEXED BY messages_touser
			WHERE m.touser = users.touser AND m.appid = ? AND m.state IN (0, 2) AND m.priority <> ? AND m.due_at >= ? AND m.due_at < ?
			AND NOT EXISTS (SELECT 1 FROM user_days WHERE appid = m.appid AND openid = m.touser AND day = ? AND seq = m.seq))
		FROM users`
)

// ReleaseCapped lets messages go that the cap per user held; see store.Care. Those of
// like quiet hours are due at one time, so that those of one lane go in the order of
// their acceptance.
func (s *Store) ReleaseCapped(ctx context.Context, c store.CapRelease) (total int, err error) {
	groups, err := s.capped(ctx, c, s.Now())
	for _, g := range groups {
		sw := templateSwitch{
			from: hongyan.Held, to: hongyan.Queued, appID: c.AppID, where: " AND reason = ?", whereArgs: []any{hongyan.HoldUserCap},
			set: "state = 0, reason = '', hold = NULL, due_at = ?", args: []any{millis(g.Due)},
		}
		for some := range slices.Chunk(g.Seqs, sweepBatch) {
			n := 0
			if err == nil {
				err = s.submit(ctx, &op{weight: len(some), run: func(t *tx) (err error) {
					n, err = t.switchRows(sw, some)
					return err
				}})
			}
			total += n
		}
	}
	return total, err
}

// capped picks what there is room for.
func (s *Store) capped(ctx context.Context, c store.CapRelease, now time.Time) (groups []store.CapGroup, err error) {
	err = s.snapshot(ctx, func(conn *conn) error {
		var held []store.Capped
		err := conn.query(ctx, func(r *row) error {
			held = append(held, store.Capped{Seq: r.int64(), OpenID: r.text(), Quiet: r.text()})
			return nil
		}, cappedSQL, c.AppID, hongyan.HoldUserCap)
		if err != nil {
			return err
		}
		groups, err = c.Choose(now, held, func(day time.Time) (map[string]int, error) {
			from, taken := millis(day), make(map[string]int)
			if !day.After(now) {
				from = 0 // what should have gone before goes today
			}
			err := conn.query(ctx, func(r *row) error {
				taken[r.text()] = r.int()
				return nil
			}, takenSQL, c.AppID, hongyan.HoldUserCap, c.AppID, millis(day), c.AppID, int64(hongyan.Urgent), from, millis(hongyan.PeriodEnd("day", day)), millis(day))
			return taken, err
		})
		return err
	})
	return groups, err
}
