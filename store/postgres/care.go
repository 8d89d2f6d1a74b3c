package postgres

import (
	"context"
	"time"

	"hongyan"
	"hongyan/store"
)

const suppressionColumns = "id, appid, openid, reason, errcode, note, put_by, since, until, lifted_at, lifted_by, followed_at"

func collectSuppressions(all *[]hongyan.Suppression) func(*row) error {
	return func(r *row) error {
		*all = append(*all, hongyan.Suppression{
			ID: r.int64(), AppID: r.text(), OpenID: r.text(), Reason: r.text(), Errcode: r.int(), Note: r.text(), By: r.text(),
			Since: r.time(), Until: r.time(), LiftedAt: r.time(), LiftedBy: r.text(), FollowedAt: r.time(),
		})
		return nil
	}
}

// PutSuppressions puts users on lists; see store.Care. A zero Since is now.
func (s *Store) PutSuppressions(ctx context.Context, all []hongyan.Suppression) (n int, err error) {
	if len(all) == 0 {
		return 0, nil
	}
	var appIDs, users []string
	for i := range all {
		appIDs, users = append(appIDs, all[i].AppID), append(users, all[i].AppID+" "+all[i].OpenID)
	}
	err = s.write(ctx, func(t *tx) error {
		n = 0
		var b batch
		b.exec(nil, "SELECT pg_advisory_xact_lock_shared($1, 0)", lockAccounts)
		b.lockAll(lockUsers, users)
		if err := t.run(&b); err != nil {
			return err
		}
		accounts, err := t.accounts(appIDs)
		for i := 0; i < len(all) && err == nil; i++ {
			if !accounts[all[i].AppID] {
				continue
			}
			var changed bool
			if changed, err = t.suppress(all[i]); changed {
				n++
			}
		}
		return err
	})
	return n, err
}

func (t *tx) suppress(put hongyan.Suppression) (bool, error) {
	put.ID, put.Since, put.Until = 0, hongyan.Millis(put.Since), hongyan.Millis(put.Until)
	put.LiftedAt, put.LiftedBy, put.FollowedAt = time.Time{}, "", time.Time{}
	if put.Since.IsZero() {
		put.Since = fromMillis(t.now)
	}
	var standing []hongyan.Suppression
	err := t.query(collectSuppressions(&standing), "SELECT "+suppressionColumns+" FROM suppressions WHERE appid = $1 AND openid = $2", put.AppID, put.OpenID)
	if err != nil {
		return false, err
	}
	if len(standing) > 0 {
		next, anew, changed := standing[0].Renewed(put, fromMillis(t.now))
		if !changed {
			return false, nil
		}
		if put = next; !anew {
			_, err := t.exec("UPDATE suppressions SET reason = $1, errcode = $2, note = $3, put_by = $4, since = $5, until = $6 WHERE id = $7",
				put.Reason, put.Errcode, put.Note, put.By, millis(put.Since), millis(put.Until), put.ID)
			return err == nil, err
		}
		if _, err := t.exec("DELETE FROM suppressions WHERE id = $1", standing[0].ID); err != nil {
			return false, err
		}
	}
	_, err = t.exec(`INSERT INTO suppressions (appid, openid, reason, errcode, note, put_by, since, until, lifted_at, lifted_by, followed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, '', $9)`, put.AppID, put.OpenID, put.Reason, put.Errcode, put.Note, put.By, millis(put.Since), millis(put.Until), millis(put.FollowedAt))
	return err == nil, err
}

const liftSQL = `WITH lifted AS (SELECT id AS lifted_id FROM suppressions WHERE appid = $3 AND openid = ANY($4) AND lifted_at = 0
		AND (until = 0 OR until > (SELECT hongyan_now())) AND ($5::text[] IS NULL OR reason = ANY($5)) ORDER BY id FOR UPDATE)
	UPDATE suppressions SET lifted_at = $1, lifted_by = $2 WHERE id = ANY(ARRAY(SELECT lifted_id FROM lifted))`

// LiftSuppressions ends entries; see store.Care.
func (s *Store) LiftSuppressions(ctx context.Context, l store.Lift) (n int, err error) {
	if len(l.OpenIDs) == 0 {
		return 0, nil
	}
	err = s.write(ctx, func(t *tx) (err error) {
		at := millis(l.At)
		if at == 0 {
			at = t.now
		}
		n, err = t.exec(liftSQL, at, l.By, l.AppID, l.OpenIDs, l.Reasons)
		return err
	})
	return n, err
}

// Suppressions lists entries; see store.Care.
func (s *Store) Suppressions(ctx context.Context, f store.SuppressionFilter) (all []hongyan.Suppression, err error) {
	q := listQuery{from: "suppressions"}
	q.and("reason <> ''") // the others tell of follows alone
	q.andIfSet("appid", f.AppID)
	q.andIfSet("reason", f.Reason)
	if len(f.OpenIDs) > 0 {
		q.and("openid = ANY(" + q.arg(f.OpenIDs) + ")")
	}
	if !f.Ended {
		q.and("lifted_at = 0 AND (until = 0 OR until > " + q.arg(millis(s.Now())) + ")")
	}
	text, args := q.by("id", suppressionColumns, beforeOrNewest(f.Before), pageSize(f.Limit))
	err = s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, collectSuppressions(&all), text, args...)
	})
	return all, err
}

// SuppressedAfter lists active entries by ID; see store.Care.
func (s *Store) SuppressedAfter(ctx context.Context, after int64, limit int) (all []hongyan.Suppression, err error) {
	err = s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, collectSuppressions(&all), "SELECT "+suppressionColumns+` FROM suppressions
			WHERE id > $1 AND lifted_at = 0 AND (until = 0 OR until > hongyan_now()) ORDER BY id LIMIT $2`, after, limit)
	})
	return all, err
}

const releaseUserSQL = `WITH held AS (SELECT seq AS held_seq FROM messages WHERE touser = $1 AND appid = $2 AND state = 1 AND reason = $3 ORDER BY seq FOR UPDATE)
	UPDATE messages SET state = 0, reason = '', hold = NULL, due_at = greatest((SELECT hongyan_now()), -due_at), updated_at = (SELECT hongyan_now())
	WHERE seq = ANY(ARRAY(SELECT held_seq FROM held)) RETURNING kind, seq`

// ReleaseUser lets a user's held messages go; see store.Care.
func (s *Store) ReleaseUser(ctx context.Context, appID, openID, reason string) (n int, err error) {
	news := store.NewsOfSwitch(hongyan.Queued, nil)
	err = s.write(ctx, func(t *tx) error {
		n = 0
		err := t.query(func(r *row) error {
			n++
			t.moved(appID, hongyan.MessageKind(r.text()), hongyan.Held, hongyan.Queued, 1)
			t.tell(news.Type, appID, r.int64(), func() any { return news.Change })
			return nil
		}, releaseUserSQL, openID, appID, reason)
		if n > 0 {
			t.notices.add(store.NoticeMessages, appID)
		}
		return err
	})
	return n, err
}

// CountUser sets one of a user's messages of the day aside; see store.Care. The lock
// keeps others from counting the same user meanwhile.
func (s *Store) CountUser(ctx context.Context, u store.UserDay, seq int64, most int) (ok bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		ok = false
		if err := t.lock(lockUsers, u.AppID+" "+u.OpenID); err != nil {
			return err
		}
		n, own := 0, false
		err := t.query(func(r *row) error {
			n++
			own = own || r.int64() == seq
			return nil
		}, "SELECT seq FROM user_days WHERE appid = $1 AND openid = $2 AND day = $3", u.AppID, u.OpenID, millis(u.Day))
		if ok = own || n < most; err != nil || own || !ok {
			return err
		}
		_, err = t.exec("INSERT INTO user_days (appid, openid, day, seq) VALUES ($1, $2, $3, $4)", u.AppID, u.OpenID, millis(u.Day), seq)
		return err
	})
	return ok && err == nil, err
}

// UserCount returns how many are set aside; see store.Care.
func (s *Store) UserCount(ctx context.Context, u store.UserDay) (n int, err error) {
	err = s.read(ctx, func(c conn) error {
		return c.query(ctx, func(r *row) error {
			n = r.int()
			return nil
		}, "SELECT count(*) FROM user_days WHERE appid = $1 AND openid = $2 AND day = $3", u.AppID, u.OpenID, millis(u.Day))
	})
	return n, err
}
