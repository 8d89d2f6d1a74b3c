package postgres

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
	cappedFromSQL = " FROM messages WHERE stream IN (SELECT stream FROM streams WHERE appid = $1) AND state = 1 AND " + rareSQL + " AND reason = $2"
	cappedSQL     = "SELECT seq, touser, coalesce((SELECT quiet_hours FROM batches WHERE batches.seq = batch), '')" + cappedFromSQL + " ORDER BY priority, seq"
	// takenSQL counts for each of its users what is set aside of a day, and what is on its
	// way and will ask for its place in it.
	takenSQL = "WITH users AS MATERIALIZED (SELECT DISTINCT touser" + cappedFromSQL + `)
		SELECT touser, (SELECT count(*) FROM user_days WHERE appid = $1 AND openid = touser AND day = $3) + (SELECT count(*) FROM messages AS m
			WHERE m.touser = users.touser AND m.appid = $1 AND m.state IN (0, 2) AND m.priority <> $4 AND m.due_at >= $5 AND m.due_at < $6
			AND NOT EXISTS (SELECT 1 FROM user_days WHERE appid = m.appid AND openid = m.touser AND day = $3 AND seq = m.seq))
		FROM users`
)

const releaseCappedSQL = `WITH held AS (SELECT seq AS held_seq FROM messages WHERE seq = ANY($1) AND state = 1 AND reason = $2 ORDER BY seq FOR UPDATE)
	UPDATE messages SET state = 0, reason = '', hold = NULL, due_at = $3, updated_at = (SELECT hongyan_now())
	WHERE seq = ANY(ARRAY(SELECT held_seq FROM held)) RETURNING kind, seq`

// ReleaseCapped lets messages go that the cap per user held; see store.Care. Those of
// like quiet hours are due at one time, so that those of one lane go in the order of
// their acceptance.
func (s *Store) ReleaseCapped(ctx context.Context, c store.CapRelease) (total int, err error) {
	groups, err := s.capped(ctx, c, s.Now())
	news := store.NewsOfSwitch(hongyan.Queued, nil)
	for _, g := range groups {
		for some := range slices.Chunk(g.Seqs, sweepBatch) {
			n := 0
			if err == nil {
				err = s.write(ctx, func(t *tx) error {
					n = 0
					t.notices.add(store.NoticeMessages, c.AppID)
					return t.query(func(r *row) error {
						n++
						t.moved(c.AppID, hongyan.MessageKind(r.text()), hongyan.Held, hongyan.Queued, 1)
						t.tell(news.Type, c.AppID, r.int64(), func() any { return news.Change })
						return nil
					}, releaseCappedSQL, some, hongyan.HoldUserCap, millis(g.Due))
				})
			}
			total += n
		}
	}
	return total, err
}

// capped picks what there is room for.
func (s *Store) capped(ctx context.Context, c store.CapRelease, now time.Time) (groups []store.CapGroup, err error) {
	err = s.snapshot(ctx, func(conn conn) error {
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
			}, takenSQL, c.AppID, hongyan.HoldUserCap, millis(day), int64(hongyan.Urgent), from, millis(hongyan.PeriodEnd("day", day)))
			return taken, err
		})
		return err
	})
	return groups, err
}
