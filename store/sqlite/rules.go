package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"hongyan"
	"hongyan/store"
)

const ruleColumns = `id, appid, name, trigger_on, filters, delay, once, message, paused, created_at, updated_at,
	fired, refused, last_fired_at, last_message_id, last_refused_at, last_refusal`

func collectRules(all *[]hongyan.Rule) func(*row) error {
	return func(r *row) error {
		rule := hongyan.Rule{ID: r.text(), AppID: r.text(), Name: r.text(), On: r.text()}
		filters := r.text()
		rule.Delay, rule.Once = time.Duration(r.int64())*time.Millisecond, decodeOnce(r.int64())
		message := r.text()
		rule.Paused, rule.CreatedAt, rule.UpdatedAt = r.bool(), r.time(), r.time()
		rule.Fired, rule.Refused, rule.LastFiredAt, rule.LastMessageID = r.int64(), r.int64(), r.time(), r.text()
		rule.LastRefusedAt, rule.LastRefusal = r.time(), r.text()
		if filters != "[]" {
			if err := json.Unmarshal([]byte(filters), &rule.Filters); err != nil {
				return fmt.Errorf("rule %s: read its filters: %w", rule.ID, err)
			}
		}
		if err := json.Unmarshal([]byte(message), &rule.Message); err != nil {
			return fmt.Errorf("rule %s: read its message: %w", rule.ID, err)
		}
		*all = append(*all, rule)
		return nil
	}
}

// encodeOnce writes Rule.Once in milliseconds, -1 for ever.
func encodeOnce(d time.Duration) int64 {
	if d < 0 {
		return -1
	}
	return d.Milliseconds()
}

func decodeOnce(ms int64) time.Duration {
	if ms < 0 {
		return hongyan.OnceEver
	}
	return time.Duration(ms) * time.Millisecond
}

// encodeFilters writes no filters as an empty list.
func encodeFilters(all []hongyan.RuleFilter) string {
	if len(all) == 0 {
		return "[]"
	}
	return mustJSON(all)
}

// CreateRule adds a rule; see store.Rules. Zero times are now.
func (s *Store) CreateRule(ctx context.Context, r hongyan.Rule) error {
	return s.write(ctx, func(t *tx) error {
		if !t.accounts[r.AppID] {
			return unknownAccount(r.AppID)
		}
		created, updated := millis(r.CreatedAt), millis(r.UpdatedAt)
		if created == 0 {
			created = t.now
		}
		if updated == 0 {
			updated = created
		}
		n, err := t.exec(`INSERT INTO rules (id, appid, name, trigger_on, filters, delay, once, message, paused, created_at, updated_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			r.ID, r.AppID, r.Name, r.On, encodeFilters(r.Filters), r.Delay.Milliseconds(), encodeOnce(r.Once), mustJSON(r.Message), r.Paused, created, updated)
		if err == nil && n == 0 {
			err = hongyan.Errorf(hongyan.Conflict, "rule_exists", "account %s has a rule %q already", r.AppID, r.Name)
		}
		return err
	})
}

// updateRuleSQL forgets why the rule was refused when it says something else now.
const updateRuleSQL = `UPDATE rules SET
	last_refused_at = CASE WHEN (trigger_on, filters, delay, once, message) = (?, ?, ?, ?, ?) THEN last_refused_at ELSE 0 END,
	last_refusal = CASE WHEN (trigger_on, filters, delay, once, message) = (?, ?, ?, ?, ?) THEN last_refusal ELSE '' END,
	trigger_on = ?, filters = ?, delay = ?, once = ?, message = ?, paused = ?, updated_at = ? WHERE id = ?`

// UpdateRule replaces what a person sets; see store.Rules. UpdatedAt is now.
func (s *Store) UpdateRule(ctx context.Context, r hongyan.Rule) error {
	return s.write(ctx, func(t *tx) error {
		says := []any{r.On, encodeFilters(r.Filters), r.Delay.Milliseconds(), encodeOnce(r.Once), mustJSON(r.Message)}
		n, err := t.exec(updateRuleSQL, slices.Concat(says, says, says, []any{r.Paused, t.now, r.ID})...)
		if err == nil && n == 0 {
			err = unknownRule(r.AppID, r.Name)
		}
		return err
	})
}

func unknownRule(appID, name string) error {
	return hongyan.Errorf(hongyan.NotFound, "unknown_rule", "account %s has no rule %q", appID, name)
}

// DeleteRule removes a rule and what hangs on it; see store.Rules.
func (s *Store) DeleteRule(ctx context.Context, appID, name string) error {
	return s.write(ctx, func(t *tx) error {
		var id string
		err := t.change(func(r *row) error {
			id = r.text()
			return nil
		}, "DELETE FROM rules WHERE appid = ? AND name = ? RETURNING id", appID, name)
		if err == nil && id == "" {
			err = unknownRule(appID, name)
		}
		for _, table := range []string{"firings", "rule_users"} {
			if err == nil {
				_, err = t.exec("DELETE FROM "+table+" WHERE rule_id = ?", id)
			}
		}
		return err
	})
}

// Rule finds a rule by name; see store.Rules.
func (s *Store) Rule(ctx context.Context, appID, name string) (hongyan.Rule, error) {
	all, err := s.listRules(ctx, "WHERE appid = ? AND name = ?", appID, name)
	if err == nil && len(all) == 0 {
		err = unknownRule(appID, name)
	}
	if err != nil {
		return hongyan.Rule{}, err
	}
	return all[0], nil
}

// Rules lists an account's rules by name.
func (s *Store) Rules(ctx context.Context, appID string) ([]hongyan.Rule, error) {
	return s.listRules(ctx, "WHERE appid = ? ORDER BY name", appID)
}

func (s *Store) listRules(ctx context.Context, tail string, args ...any) (all []hongyan.Rule, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.query(ctx, collectRules(&all), "SELECT "+ruleColumns+" FROM rules "+tail, args...)
	})
	return all, err
}

// fire begins a firing with its event, if its rule is there and may; see store.NewFiring.
// What was received before a backup was put in place may have fired already.
func (t *tx) fire(e *hongyan.Event, n store.NewFiring) error {
	restored, err := loadNumber(context.Background(), t.conn, restoredAt)
	if err != nil || millis(e.ReceivedAt) < restored {
		return err
	}
	found, err := t.queryOne(func(*row) error { return nil }, `SELECT 1 FROM rules WHERE id = ? AND appid = ? AND paused = 0
		AND NOT EXISTS (SELECT 1 FROM rule_users WHERE rule_id = ? AND openid = ? AND (until = 0 OR until > ?))`,
		n.RuleID, e.AppID, n.RuleID, n.OpenID, t.now)
	if err != nil || !found {
		return err
	}
	id, begun, err := t.insert(`INSERT INTO firings (rule_id, appid, event_id, openid, state, message, at, send_at, expires_at, due_at, created_at)
		VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?) ON CONFLICT (rule_id, event_id) DO NOTHING`,
		n.RuleID, e.AppID, e.ID, n.OpenID, n.Message, millis(n.At), millis(n.SendAt), millis(n.ExpiresAt), t.now, t.now)
	if err != nil || !begun || n.Once == 0 {
		return err
	}
	until := int64(0)
	if n.Once > 0 {
		until = t.now + n.Once.Milliseconds()
	}
	_, err = t.exec("REPLACE INTO rule_users (rule_id, openid, appid, until, firing) VALUES (?, ?, ?, ?, ?)", n.RuleID, n.OpenID, e.AppID, until, id)
	return err
}

// restoredAt is the name, in table meta, of when a backup was put in place.
const restoredAt = "restored_at"

const firingColumns = `id, rule_id, appid, event_id, openid, state, message, at, send_at, expires_at, attempts, due_at, message_id,
	code, refusal, created_at, ended_at`

func collectFirings(all *[]hongyan.Firing) func(*row) error {
	return func(r *row) error {
		*all = append(*all, hongyan.Firing{
			ID: r.int64(), RuleID: r.text(), AppID: r.text(), EventID: r.int64(), OpenID: r.text(), State: hongyan.FiringState(r.int()),
			Message: r.bytes(), At: r.time(), SendAt: r.time(), ExpiresAt: r.time(), Attempts: r.int(), DueAt: r.time(), MessageID: r.text(),
			Code: r.text(), Refusal: r.text(), CreatedAt: r.time(), EndedAt: r.time(),
		})
		return nil
	}
}

const claimFiringsSQL = `UPDATE firings SET attempts = attempts + 1, due_at = ? WHERE state = 0 AND id IN (SELECT id
	FROM firings INDEXED BY firings_due WHERE state = 0 AND due_at <= ? ORDER BY due_at, id LIMIT ? + 0) RETURNING ` + firingColumns

// ClaimFirings takes due firings; see store.Rules. It writes nothing when there is none.
func (s *Store) ClaimFirings(ctx context.Context, limit int, lease time.Duration) (all []hongyan.Firing, err error) {
	due := false
	err = s.read(ctx, func(c *conn) (err error) {
		due, err = c.queryOne(ctx, func(*row) error { return nil }, "SELECT 1 FROM firings INDEXED BY firings_due WHERE state = 0 AND due_at <= ? LIMIT 1", millis(s.Now()))
		return err
	})
	if err != nil || !due {
		return nil, err
	}
	err = s.submit(ctx, &op{weight: limit, run: func(t *tx) error {
		all = nil
		return t.change(collectFirings(&all), claimFiringsSQL, t.now+lease.Milliseconds(), t.now, limit)
	}})
	return all, err
}

const finishFiringSQL = `UPDATE firings SET state = ?, due_at = ?, message_id = ?, code = ?, refusal = ?, ended_at = ?,
	message = CASE ? WHEN 0 THEN message END WHERE id = ? AND attempts = ? AND state = 0 RETURNING rule_id, openid`

// FinishFirings writes what came of claimed firings; see store.Rules.
func (s *Store) FinishFirings(ctx context.Context, rs []store.FiringResult) error {
	if len(rs) == 0 {
		return nil
	}
	return s.submit(ctx, &op{weight: 2 * len(rs), run: func(t *tx) error {
		for i := range rs {
			if err := t.finishFiring(&rs[i]); err != nil {
				return err
			}
		}
		return nil
	}})
}

func (t *tx) finishFiring(r *store.FiringResult) error {
	ended, due := t.now, int64(0)
	if r.State == hongyan.FiringPending {
		ended, due = 0, millis(r.DueAt)
	}
	var ruleID, openID string
	err := t.change(func(row *row) error {
		ruleID, openID = row.text(), row.text()
		return nil
	}, finishFiringSQL, int64(r.State), due, r.MessageID, r.Code, r.Refusal, ended, int64(r.State), r.ID, r.Attempts)
	if err != nil || ruleID == "" {
		return err
	}
	switch r.State {
	case hongyan.FiringSent:
		_, err = t.exec("UPDATE rules SET fired = fired + 1, last_fired_at = ?, last_message_id = ? WHERE id = ?", t.now, r.MessageID, ruleID)
	case hongyan.FiringRefused:
		if _, err = t.exec("DELETE FROM rule_users WHERE rule_id = ? AND openid = ? AND firing = ?", ruleID, openID, r.ID); err == nil {
			_, err = t.exec("UPDATE rules SET refused = refused + 1, last_refused_at = ?, last_refusal = ? WHERE id = ?", t.now, r.Refusal, ruleID)
		}
	}
	return err
}

// RuleUser tells for whom a rule has fired; see store.Rules.
func (s *Store) RuleUser(ctx context.Context, ruleID, openID string) (until time.Time, fired bool, err error) {
	err = s.read(ctx, func(c *conn) (err error) {
		fired, err = c.queryOne(ctx, func(r *row) error {
			until = r.time()
			return nil
		}, "SELECT until FROM rule_users WHERE rule_id = ? AND openid = ? AND (until = 0 OR until > ?)", ruleID, openID, millis(s.Now()))
		return err
	})
	return until, fired, err
}

// Firings lists a rule's firings; see store.Rules.
func (s *Store) Firings(ctx context.Context, ruleID string, before int64, limit int) (all []hongyan.Firing, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.query(ctx, collectFirings(&all), "SELECT "+firingColumns+" FROM firings WHERE rule_id = ? AND id < ? ORDER BY id DESC LIMIT ? + 0",
			ruleID, beforeOrNewest(before), limit)
	})
	return all, err
}
