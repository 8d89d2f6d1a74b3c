package postgres

import (
	"cmp"
	"context"
	"slices"
	"time"

	"hongyan"
)

// LeaseRefresh reserves asking WeChat for a token; see store.Tokens. The holder of
// a lease may extend it.
func (s *Store) LeaseRefresh(ctx context.Context, appID, holder string, d time.Duration) (bool, error) {
	var leased bool
	err := s.write(ctx, func(t *tx) error {
		n, err := t.exec(`INSERT INTO refreshes (appid, holder, lease_until) VALUES ($1, $2, $3)
			ON CONFLICT (appid) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until
				WHERE refreshes.holder = excluded.holder OR refreshes.lease_until <= $4`, appID, holder, t.now+d.Milliseconds(), t.now)
		leased = n == 1
		return err
	})
	return leased, err
}

// ReleaseRefresh ends a lease; see store.Tokens.
func (s *Store) ReleaseRefresh(ctx context.Context, appID, holder string) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM refreshes WHERE appid = $1 AND holder = $2", appID, holder)
		return err
	})
}

// NoteTokenCallers adds to the record of who asked; see store.Tokens. What is said
// of an account that is gone is passed over.
func (s *Store) NoteTokenCallers(ctx context.Context, asked []hongyan.TokenCaller) error {
	if len(asked) == 0 {
		return nil
	}
	all := slices.Clone(asked) // in one order, so that nobody waits in a circle
	slices.SortFunc(all, func(a, b hongyan.TokenCaller) int {
		return cmp.Or(cmp.Compare(a.AppID, b.AppID), cmp.Compare(a.CallerID, b.CallerID), cmp.Compare(a.Endpoint, b.Endpoint))
	})
	first := func(b *batch) { b.exec(nil, "SELECT pg_advisory_xact_lock_shared($1, 0)", lockAccounts) }
	return s.transact(ctx, first, func(t *tx) error {
		var b batch
		for i := range all {
			b.noteTokenCaller(&all[i])
		}
		return t.run(&b)
	})
}

func (b *batch) noteTokenCaller(a *hongyan.TokenCaller) {
	b.exec(nil, `INSERT INTO token_callers (appid, caller_id, endpoint, first_at, last_at, requests, forced, remote)
		SELECT $1::text, $2::text, $3::text, $4::bigint, $5::bigint, $6::bigint, $7::bigint, $8::text WHERE EXISTS (SELECT 1 FROM accounts WHERE accounts.appid = $1)
		ON CONFLICT (appid, caller_id, endpoint) DO UPDATE SET requests = token_callers.requests + excluded.requests,
			forced = token_callers.forced + excluded.forced, first_at = least(token_callers.first_at, excluded.first_at), last_at = greatest(token_callers.last_at, excluded.last_at),
			remote = CASE WHEN excluded.last_at >= token_callers.last_at THEN excluded.remote ELSE token_callers.remote END`,
		a.AppID, a.CallerID, a.Endpoint, millis(a.FirstAt), millis(a.LastAt), a.Requests, a.Forced, a.Remote)
}

// TokenCallers lists who asked for an account's token, latest first.
func (s *Store) TokenCallers(ctx context.Context, appID string) ([]hongyan.TokenCaller, error) {
	var all []hongyan.TokenCaller
	err := s.read(ctx, func(c conn) error {
		return c.query(ctx, func(r *row) error {
			all = append(all, hongyan.TokenCaller{AppID: appID, CallerID: r.text(), Endpoint: r.text(),
				FirstAt: r.time(), LastAt: r.time(), Requests: r.int64(), Forced: r.int64(), Remote: r.text()})
			return nil
		}, `SELECT caller_id, endpoint, first_at, last_at, requests, forced, remote
			FROM token_callers WHERE appid = $1 ORDER BY last_at DESC, caller_id COLLATE "C", endpoint`, appID)
	})
	return all, err
}
