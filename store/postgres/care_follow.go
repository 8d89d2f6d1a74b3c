package postgres

import (
	"context"

	"hongyan/store"
)

const (
	// followLiftSQL ends what WeChat's word keeps, unless that began in a later second. The users are
	// locked (lockUsers).
	followLiftSQL = `UPDATE suppressions AS s SET lifted_at = f.at, lifted_by = f.told_by
		FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) AS f (appid, openid, at, told_by)
		WHERE s.appid = f.appid AND s.openid = f.openid AND s.put_by = '' AND s.lifted_at = 0
			AND s.since < f.at + 1000 AND (s.until = 0 OR s.until > (SELECT hongyan_now()))
		RETURNING s.appid, s.openid, s.lifted_at, s.lifted_by`
	// followSQL remembers follows: with a user's entry, or else in a row without a
	// reason, which keeps nobody.
	followSQL = `INSERT INTO suppressions AS s (appid, openid, reason, errcode, note, put_by, since, until, lifted_at, lifted_by, followed_at)
		SELECT appid, openid, '', 0, '', '', at, at, at, told_by, at
		FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) WITH ORDINALITY AS f (appid, openid, at, told_by, place) ORDER BY place
		ON CONFLICT (appid, openid) DO UPDATE SET followed_at = greatest(s.followed_at, excluded.followed_at)`
)

// Followed takes note of follows; see store.Care.
func (s *Store) Followed(ctx context.Context, all []store.Follow) (lifted []store.Follow, err error) {
	if len(all) == 0 {
		return nil, nil
	}
	last := store.LastFollows(all)
	var appIDs, users []string
	for i := range last {
		appIDs, users = append(appIDs, last[i].AppID), append(users, last[i].AppID+" "+last[i].OpenID)
	}
	err = s.write(ctx, func(t *tx) error {
		lifted = nil
		var b batch
		b.exec(nil, "SELECT pg_advisory_xact_lock_shared($1, 0)", lockAccounts)
		b.lockAll(lockUsers, users) // who puts one of them on the list meanwhile finds the follow, or is lifted
		if err := t.run(&b); err != nil {
			return err
		}
		accounts, err := t.accounts(appIDs)
		if err != nil {
			return err
		}
		args := followArgs(last, accounts)
		err = t.query(func(r *row) error {
			lifted = append(lifted, store.Follow{AppID: r.text(), OpenID: r.text(), At: r.time(), By: r.text()})
			return nil
		}, followLiftSQL, args...)
		if err == nil {
			_, err = t.exec(followSQL, args...)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return lifted, nil
}

// followArgs are the follows of accounts that are there, each column an array.
func followArgs(all []store.Follow, accounts map[string]bool) []any {
	var appIDs, openIDs, by []string
	var ats []int64
	for _, f := range all {
		if accounts[f.AppID] {
			appIDs, openIDs, ats, by = append(appIDs, f.AppID), append(openIDs, f.OpenID), append(ats, millis(f.At)), append(by, f.By)
		}
	}
	return []any{appIDs, openIDs, ats, by}
}
