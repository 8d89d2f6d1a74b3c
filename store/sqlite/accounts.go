package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"hongyan"
	"hongyan/store"
)

const accountColumns = `appid, kind, name, alias, base_url, secret, callback_token, callback_previous_token,
	callback_aes_key, callback_previous_aes, token_url, egress_proxy, downstreams, paths, callback_mode, token_source, rate_per_second, max_in_flight, quotas,
	uncertain_policy, expire_after, quiet_hours, cut_values, created_at, updated_at, mini, care`

// sealedColumns are the account's secrets, in the order accountSecrets gives them.
var sealedColumns = [...]string{"secret", "callback_token", "callback_previous_token", "callback_aes_key", "callback_previous_aes", "token_url", "egress_proxy"}

func accountSecrets(a *hongyan.Account) [len(sealedColumns)]*hongyan.Secret {
	return [...]*hongyan.Secret{&a.Secret, &a.Callback.Token, &a.Callback.PreviousToken, &a.Callback.AESKey, &a.Callback.PreviousAESKey,
		&a.TokenURL, &a.EgressProxy}
}

// accountAAD names the place of an account's secret, to which it is sealed.
func accountAAD(column, appID string) string { return "accounts." + column + ":" + appID }

// accountArgs are the values of accountColumns.
func accountArgs(keys *store.Keyring, a *hongyan.Account) []any {
	args := []any{a.AppID, string(a.Kind), a.Name, a.Alias, a.BaseURL}
	for i, secret := range accountSecrets(a) {
		args = append(args, keys.Seal(secret.Reveal(), accountAAD(sealedColumns[i], a.AppID)))
	}
	quiet := a.QuietHours.String()
	if a.QuietHours == (hongyan.QuietHours{}) {
		quiet = "" // stays the default, should the default change
	}
	quotas := "[]"
	if len(a.Quotas) > 0 {
		quotas = mustJSON(a.Quotas)
	}
	downstreams := keys.Seal(encodeDownstreams(a.Downstreams), accountAAD("downstreams", a.AppID))
	return append(args, downstreams, mustJSON(a.Paths), a.Callback.Mode, string(a.TokenSource), a.RatePerSecond, a.MaxInFlight, quotas,
		string(a.UncertainPolicy), a.ExpireAfter.Milliseconds(), quiet, a.CutValues, millis(a.CreatedAt), millis(a.UpdatedAt), mustJSON(a.Mini), mustJSON(a.Care))
}

// scanAccount reads one row of accountColumns and opens its secrets.
func scanAccount(keys *store.Keyring, r *row) (a hongyan.Account, err error) {
	a.AppID, a.Kind, a.Name, a.Alias, a.BaseURL = r.text(), hongyan.AccountKind(r.text()), r.text(), r.text(), r.text()
	for i, secret := range accountSecrets(&a) {
		plain, err := keys.Open(r.bytes(), accountAAD(sealedColumns[i], a.AppID))
		if err != nil {
			return a, fmt.Errorf("account %s: %w", a.AppID, err)
		}
		*secret = hongyan.Secret(plain)
	}
	if a.Downstreams, err = openDownstreams(keys, r.bytes(), a.AppID); err != nil {
		return a, fmt.Errorf("account %s: %w", a.AppID, err)
	}
	paths := r.text()
	a.Callback.Mode, a.TokenSource = r.text(), hongyan.TokenSource(r.text())
	a.RatePerSecond, a.MaxInFlight = r.float(), r.int()
	quotas := r.text()
	a.UncertainPolicy, a.ExpireAfter = hongyan.UncertainPolicy(r.text()), time.Duration(r.int64())*time.Millisecond
	quiet := r.text()
	a.CutValues, a.CreatedAt, a.UpdatedAt = r.bool(), r.time(), r.time()
	if err = json.Unmarshal([]byte(r.text()), &a.Mini); err != nil {
		return a, fmt.Errorf("account %s: read its settings of mini programs: %w", a.AppID, err)
	}
	if err = json.Unmarshal([]byte(r.text()), &a.Care); err != nil {
		return a, fmt.Errorf("account %s: read how it spares people: %w", a.AppID, err)
	}
	if err = json.Unmarshal([]byte(paths), &a.Paths); err != nil {
		return a, fmt.Errorf("account %s: read its paths: %w", a.AppID, err)
	}
	if quotas != "[]" {
		if err = json.Unmarshal([]byte(quotas), &a.Quotas); err != nil {
			return a, fmt.Errorf("account %s: read its quotas: %w", a.AppID, err)
		}
	}
	if quiet != "" {
		a.QuietHours, err = hongyan.ParseQuietHours(quiet)
	}
	return a, err
}

// CreateAccount adds an account; see store.Accounts. Zero times are now.
func (s *Store) CreateAccount(ctx context.Context, a hongyan.Account) error {
	return s.write(ctx, func(t *tx) error {
		if err := t.checkNames(&a); err != nil {
			return err
		}
		found, err := t.queryOne(func(*row) error { return nil }, "SELECT 1 FROM accounts WHERE appid = ?", a.AppID)
		if err != nil {
			return err
		}
		if found {
			return hongyan.Errorf(hongyan.Conflict, "account_exists", "the account %s exists already", a.AppID)
		}
		stamped := a
		stampAccount(&stamped, t.now)
		if _, err = t.exec("INSERT INTO accounts ("+accountColumns+") VALUES (?"+repeat(", ?", 26)+")", accountArgs(s.keys, &stamped)...); err != nil {
			return err
		}
		t.accounts = maps.Clone(t.accounts) // the transaction may be undone
		t.accounts[a.AppID] = true
		return nil
	})
}

// loadAppIDs reads which accounts there are.
func loadAppIDs(ctx context.Context, c *conn) (map[string]bool, error) {
	all := make(map[string]bool)
	err := c.query(ctx, func(r *row) error {
		all[r.text()] = true
		return nil
	}, "SELECT appid FROM accounts")
	return all, err
}

func stampAccount(a *hongyan.Account, now int64) {
	if a.CreatedAt.IsZero() {
		a.CreatedAt = fromMillis(now)
	}
	if a.UpdatedAt.IsZero() {
		a.UpdatedAt = fromMillis(now)
	}
}

// checkNames refuses an alias or AppID by which another account is found.
func (t *tx) checkNames(a *hongyan.Account) error {
	var other string
	found, err := t.queryOne(func(r *row) error {
		other = r.text()
		return nil
	}, `SELECT appid FROM accounts WHERE appid <> ? AND alias = ? AND alias <> ''
		UNION ALL SELECT appid FROM accounts WHERE appid <> ? AND appid = ?
		UNION ALL SELECT appid FROM accounts WHERE appid <> ? AND alias = ? AND alias <> '' LIMIT 1`,
		a.AppID, a.Alias, a.AppID, a.Alias, a.AppID, a.AppID)
	if err == nil && found {
		err = hongyan.Errorf(hongyan.Conflict, "alias_exists", "the alias %q of account %s would be mistaken for account %s", a.Alias, a.AppID, other)
	}
	return err
}

// UpdateAccount replaces an account; see store.Accounts. UpdatedAt is now.
func (s *Store) UpdateAccount(ctx context.Context, a hongyan.Account) error {
	return s.write(ctx, func(t *tx) error {
		if err := t.checkNames(&a); err != nil {
			return err
		}
		updated := a
		found, err := t.queryOne(func(r *row) error {
			updated.CreatedAt, updated.UpdatedAt = r.time(), fromMillis(t.now)
			return nil
		}, "SELECT created_at FROM accounts WHERE appid = ?", a.AppID)
		if err != nil {
			return err
		}
		if !found {
			return unknownAccount(a.AppID)
		}
		_, err = t.exec("REPLACE INTO accounts ("+accountColumns+") VALUES (?"+repeat(", ?", 26)+")", accountArgs(s.keys, &updated)...)
		return err
	})
}

func unknownAccount(name string) error {
	return hongyan.Errorf(hongyan.NotFound, "unknown_account", "there is no account %q", name)
}

// Account finds an account by AppID or alias; see store.Accounts.
func (s *Store) Account(ctx context.Context, appID string) (a hongyan.Account, err error) {
	err = s.read(ctx, func(c *conn) error {
		found, err := c.queryOne(ctx, func(r *row) (err error) {
			a, err = scanAccount(s.keys, r)
			return err
		}, "SELECT "+accountColumns+" FROM accounts WHERE appid = ? OR (alias = ? AND alias <> '') ORDER BY appid <> ? LIMIT 1", appID, appID, appID)
		if err == nil && !found {
			err = unknownAccount(appID)
		}
		return err
	})
	return a, err
}

// Accounts lists all accounts by AppID.
func (s *Store) Accounts(ctx context.Context) (all []hongyan.Account, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.query(ctx, func(r *row) error {
			a, err := scanAccount(s.keys, r)
			all = append(all, a)
			return err
		}, "SELECT "+accountColumns+" FROM accounts ORDER BY appid")
	})
	return all, err
}

// DeleteAccount removes an account; see store.Accounts. Its messages, its events
// and its usage stay. Its deliveries may be very many, so they go afterwards in
// small batches; what a crash leaves of them, Sweep removes.
func (s *Store) DeleteAccount(ctx context.Context, appID string) error {
	err := s.write(ctx, func(t *tx) error {
		if err := t.checkEnded(appID); err != nil {
			return err
		}
		n, err := t.exec("DELETE FROM accounts WHERE appid = ?", appID)
		if err != nil {
			return err
		}
		if n == 0 {
			return unknownAccount(appID)
		}
		if _, err := t.exec("DELETE FROM form_takes WHERE form IN (SELECT id FROM form_ids WHERE appid = ?)", appID); err != nil {
			return err
		}
		for _, table := range []string{"templates", "template_aliases", "tokens", "holds", "issued_tokens", "refreshes", "token_callers", "form_ids", "consents",
			"rules", "firings", "rule_users", "suppressions", "user_days"} {
			if _, err := t.exec("DELETE FROM "+table+" WHERE appid = ?", appID); err != nil {
				return err
			}
		}
		t.accounts = maps.Clone(t.accounts)
		delete(t.accounts, appID)
		return nil
	})
	if err != nil {
		return err
	}
	return s.dropAccountDeliveries(ctx, appID)
}

// checkEnded refuses while messages of the account have not ended, counting
// what the transaction under way changes.
func (t *tx) checkEnded(appID string) error {
	counts, err := loadCounts(context.Background(), t.conn)
	if err != nil {
		return err
	}
	for k, n := range t.counts {
		counts[k] += n
	}
	var open int64
	for k, n := range counts {
		if k.appID == appID && !k.state.Final(k.kind) {
			open += n
		}
	}
	if open > 0 {
		return &hongyan.Error{Kind: hongyan.Conflict, Code: "account_busy",
			Message: fmt.Sprintf("account %s has %d messages that have not ended", appID, open),
			Hint:    "cancel what waits, and let the rest come to its end"}
	}
	_, err = t.queryOne(func(r *row) error { open = r.int64(); return nil }, "SELECT count(*) FROM batches WHERE appid = ? AND ended_at = 0", appID)
	if err == nil && open > 0 {
		err = store.BatchesOpen(appID, open)
	}
	return err
}
