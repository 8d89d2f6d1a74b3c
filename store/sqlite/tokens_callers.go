package sqlite

import (
	"context"
	"time"

	"hongyan"
)

// LeaseRefresh reserves asking WeChat for a token; see store.Tokens. The holder of
// a lease may extend it.
func (s *Store) LeaseRefresh(ctx context.Context, appID, holder string, d time.Duration) (bool, error) {
	var leased bool
	err := s.write(ctx, func(t *tx) error {
		n, err := t.exec(`INSERT INTO refreshes (appid, holder, lease_until) VALUES (?, ?, ?)
			ON CONFLICT (appid) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until
				WHERE holder = excluded.holder OR lease_until <= ?`, appID, holder, t.now+d.Milliseconds(), t.now)
		leased = n == 1
		return err
	})
	return leased, err
}

// ReleaseRefresh ends a lease; see store.Tokens.
func (s *Store) ReleaseRefresh(ctx context.Context, appID, holder string) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM refreshes WHERE appid = ? AND holder = ?", appID, holder)
		return err
	})
}

// NoteTokenCallers adds to the record of who asked; see store.Tokens. What is said
// of an account that is gone is passed over.
func (s *Store) NoteTokenCallers(ctx context.Context, asked []hongyan.TokenCaller) error {
	if len(asked) == 0 {
		return nil
	}
	return s.submit(ctx, &op{weight: len(asked), run: func(t *tx) error {
		for i := range asked {
			if !t.accounts[asked[i].AppID] {
				continue
			}
			if err := t.noteTokenCaller(&asked[i]); err != nil {
				return err
			}
		}
		return nil
	}})
}

func (t *tx) noteTokenCaller(a *hongyan.TokenCaller) error {
	return t.execAll(1, `INSERT INTO token_callers (appid, caller_id, endpoint, first_at, last_at, requests, forced, remote)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (appid, caller_id, endpoint) DO UPDATE SET requests = requests + excluded.requests,
			forced = forced + excluded.forced, first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at),
			remote = CASE WHEN excluded.last_at >= last_at THEN excluded.remote ELSE remote END`,
		a.AppID, a.CallerID, a.Endpoint, millis(a.FirstAt), millis(a.LastAt), a.Requests, a.Forced, a.Remote)
}

// TokenCallers lists who asked for an account's token, latest first.
func (s *Store) TokenCallers(ctx context.Context, appID string) ([]hongyan.TokenCaller, error) {
	var all []hongyan.TokenCaller
	err := s.read(ctx, func(c *conn) error {
		return c.query(ctx, func(r *row) error {
			all = append(all, hongyan.TokenCaller{AppID: appID, CallerID: r.text(), Endpoint: r.text(),
				FirstAt: r.time(), LastAt: r.time(), Requests: r.int64(), Forced: r.int64(), Remote: r.text()})
			return nil
		}, `SELECT caller_id, endpoint, first_at, last_at, requests, forced, remote
			FROM token_callers WHERE appid = ? ORDER BY last_at DESC, caller_id, endpoint`, appID)
	})
	return all, err
}
