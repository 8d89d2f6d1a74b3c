package postgres

import (
	"context"
	"slices"

	"hongyan"
	"hongyan/store"
)

// cappedSQL finds what the cap of an account holds, of each user the first ones that
// the day has room for. The index has what is held; that is looked through once.
const cappedSQL = `SELECT seq FROM (SELECT seq, priority, touser, row_number() OVER (PARTITION BY touser ORDER BY priority, seq) AS place
		FROM messages WHERE stream IN (SELECT stream FROM streams WHERE appid = $1) AND state = 1 AND ` + rareSQL + ` AND reason = $2) AS held
	WHERE $3::bigint = 0 OR place <= $3::bigint - (SELECT count(*) FROM user_days WHERE appid = $1 AND openid = touser AND day = $4)
	ORDER BY priority, seq`

const releaseCappedSQL = `WITH held AS (SELECT seq AS held_seq FROM messages WHERE seq = ANY($1) AND state = 1 AND reason = $2 ORDER BY seq FOR UPDATE)
	UPDATE messages SET state = 0, reason = '', hold = NULL, due_at = $3, updated_at = (SELECT hongyan_now())
	WHERE seq = ANY(ARRAY(SELECT held_seq FROM held)) RETURNING kind, seq`

// ReleaseCapped lets messages go that the cap per user held; see store.Care. They are
// all due at one time, so that those of one lane go in the order of their acceptance.
func (s *Store) ReleaseCapped(ctx context.Context, c store.CapRelease) (total int, err error) {
	var seqs []int64
	err = s.read(ctx, func(conn conn) error {
		seqs = nil
		return conn.query(ctx, func(r *row) error {
			seqs = append(seqs, r.int64())
			return nil
		}, cappedSQL, c.AppID, hongyan.HoldUserCap, c.Most, millis(c.Day))
	})
	due, news := millis(s.Now()), store.NewsOfSwitch(hongyan.Queued, nil)
	for some := range slices.Chunk(seqs, sweepBatch) {
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
				}, releaseCappedSQL, some, hongyan.HoldUserCap, due)
			})
		}
		total += n
	}
	return total, err
}
