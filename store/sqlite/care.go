package sqlite

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
	err = s.submit(ctx, &op{weight: len(all), run: func(t *tx) error {
		n = 0
		for _, one := range all {
			changed, err := t.suppress(one)
			if err != nil {
				return err
			}
			n += int(asInt(changed))
		}
		return nil
	}})
	return n, err
}

func (t *tx) suppress(put hongyan.Suppression) (bool, error) {
	if !t.accounts[put.AppID] {
		return false, nil
	}
	put.ID, put.Since, put.Until = 0, hongyan.Millis(put.Since), hongyan.Millis(put.Until)
	put.LiftedAt, put.LiftedBy, put.FollowedAt = time.Time{}, "", time.Time{}
	if put.Since.IsZero() {
		put.Since = fromMillis(t.now)
	}
	var standing []hongyan.Suppression
	err := t.query(collectSuppressions(&standing), "SELECT "+suppressionColumns+" FROM suppressions WHERE appid = ? AND openid = ?", put.AppID, put.OpenID)
	if err != nil {
		return false, err
	}
	if len(standing) > 0 {
		next, anew, changed := standing[0].Renewed(put, fromMillis(t.now))
		if !changed {
			return false, nil
		}
		if put = next; !anew {
			_, err := t.exec("UPDATE suppressions SET reason = ?, errcode = ?, note = ?, put_by = ?, since = ?, until = ? WHERE id = ?",
				put.Reason, put.Errcode, put.Note, put.By, millis(put.Since), millis(put.Until), put.ID)
			return err == nil, err
		}
		if _, err := t.exec("DELETE FROM suppressions WHERE id = ?", standing[0].ID); err != nil {
			return false, err
		}
	}
	_, err = t.exec(`INSERT INTO suppressions (appid, openid, reason, errcode, note, put_by, since, until, lifted_at, lifted_by, followed_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, '', ?)`, put.AppID, put.OpenID, put.Reason, put.Errcode, put.Note, put.By, millis(put.Since), millis(put.Until), millis(put.FollowedAt))
	return err == nil, err
}

// liftSQL takes a JSON array of openids, and one of reasons.
const liftSQL = `UPDATE suppressions SET lifted_at = ?, lifted_by = ? WHERE appid = ? AND lifted_at = 0 AND (until = 0 OR until > ?)
	AND openid IN (SELECT value FROM json_each(?)) AND (? = '' OR reason IN (SELECT value FROM json_each(?)))`

// LiftSuppressions ends entries; see store.Care.
func (s *Store) LiftSuppressions(ctx context.Context, l store.Lift) (n int, err error) {
	if len(l.OpenIDs) == 0 {
		return 0, nil
	}
	some, reasons := "", "[]"
	if l.Reasons != nil {
		some, reasons = "some", mustJSON(l.Reasons)
	}
	err = s.submit(ctx, &op{weight: len(l.OpenIDs), run: func(t *tx) (err error) {
		at := millis(l.At)
		if at == 0 {
			at = t.now
		}
		n, err = t.exec(liftSQL, at, l.By, l.AppID, t.now, mustJSON(l.OpenIDs), some, reasons)
		return err
	}})
	return n, err
}

// Suppressions lists entries; see store.Care.
func (s *Store) Suppressions(ctx context.Context, f store.SuppressionFilter) (all []hongyan.Suppression, err error) {
	q := listQuery{from: "suppressions"}
	q.and("reason <> ''") // the others tell of follows alone
	q.andIfSet("appid = ?", f.AppID)
	q.andIfSet("reason = ?", f.Reason)
	if len(f.OpenIDs) > 0 {
		q.and("openid IN (SELECT value FROM json_each(?))", mustJSON(f.OpenIDs))
	}
	if !f.Ended {
		q.and("lifted_at = 0 AND (until = 0 OR until > ?)", millis(s.Now()))
	}
	err = s.read(ctx, func(c *conn) error {
		return c.query(ctx, collectSuppressions(&all), q.sqlBy("id", suppressionColumns), append(q.args, beforeOrNewest(f.Before), pageSize(f.Limit))...)
	})
	return all, err
}

// SuppressedAfter lists active entries by ID; see store.Care.
func (s *Store) SuppressedAfter(ctx context.Context, after int64, limit int) (all []hongyan.Suppression, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.query(ctx, collectSuppressions(&all), "SELECT "+suppressionColumns+` FROM suppressions
			WHERE id > ? AND lifted_at = 0 AND (until = 0 OR until > ?) ORDER BY id LIMIT ? + 0`, after, millis(s.Now()), limit)
	})
	return all, err
}

const releaseUserSQL = `UPDATE messages INDEXED BY messages_touser SET state = 0, reason = '', hold = NULL, due_at = max(?, -due_at), updated_at = ?
	WHERE touser = ? AND appid = ? AND state = 1 AND reason = ? RETURNING kind, seq`

// ReleaseUser lets a user's held messages go; see store.Care.
func (s *Store) ReleaseUser(ctx context.Context, appID, openID, reason string) (n int, err error) {
	err = s.write(ctx, func(t *tx) error {
		n = 0
		var moved []tally
		err := t.change(func(r *row) error {
			n++
			t.moved(appID, hongyan.MessageKind(r.text()), hongyan.Held, hongyan.Queued, 1)
			moved = append(moved, tally{seq: r.int64(), countKey: countKey{appID: appID}})
			return nil
		}, releaseUserSQL, t.now, t.now, openID, appID, reason)
		if err != nil {
			return err
		}
		return t.tellSwitched(store.NewsOfSwitch(hongyan.Queued, nil), moved)
	})
	return n, err
}

// CountUser sets one of a user's messages of the day aside; see store.Care. There is
// one writer, so that what is counted here stays so until the commit.
func (s *Store) CountUser(ctx context.Context, u store.UserDay, seq int64, most int) (ok bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		ok = false
		n, own := 0, false
		err := t.query(func(r *row) error {
			n++
			own = own || r.int64() == seq
			return nil
		}, "SELECT seq FROM user_days WHERE appid = ? AND openid = ? AND day = ?", u.AppID, u.OpenID, millis(u.Day))
		if ok = own || n < most; err != nil || own || !ok {
			return err
		}
		_, err = t.exec("INSERT INTO user_days (appid, openid, day, seq) VALUES (?, ?, ?, ?)", u.AppID, u.OpenID, millis(u.Day), seq)
		return err
	})
	return ok, err
}

// UserCount returns how many are set aside; see store.Care.
func (s *Store) UserCount(ctx context.Context, u store.UserDay) (n int, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.query(ctx, func(r *row) error {
			n = r.int()
			return nil
		}, "SELECT count(*) FROM user_days WHERE appid = ? AND openid = ? AND day = ?", u.AppID, u.OpenID, millis(u.Day))
	})
	return n, err
}
