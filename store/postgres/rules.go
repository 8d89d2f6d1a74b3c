package postgres

import (
	"cmp"
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
		if _, err := t.exec("SELECT pg_advisory_xact_lock_shared($1, 0)", lockAccounts); err != nil {
			return err
		}
		accounts, err := t.accounts([]string{r.AppID})
		if err == nil && !accounts[r.AppID] {
			err = unknownAccount(r.AppID)
		}
		if err != nil {
			return err
		}
		created, updated := millis(r.CreatedAt), millis(r.UpdatedAt)
		if created == 0 {
			created = t.now
		}
		if updated == 0 {
			updated = created
		}
		t.notices.add(store.NoticeAccount, r.AppID)
		n, err := t.exec(`INSERT INTO rules (id, appid, name, trigger_on, filters, delay, once, message, paused, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
			r.ID, r.AppID, r.Name, r.On, encodeFilters(r.Filters), r.Delay.Milliseconds(), encodeOnce(r.Once), mustJSON(r.Message), r.Paused, created, updated)
		if err == nil && n == 0 {
			err = hongyan.Errorf(hongyan.Conflict, "rule_exists", "account %s has a rule %q already", r.AppID, r.Name)
		}
		return err
	})
}

// updateRuleSQL forgets why the rule was refused when it says something else now.
const updateRuleSQL = `UPDATE rules SET
	last_refused_at = CASE WHEN (trigger_on, filters, delay, once, message) = ($1, $2, $3, $4, $5) THEN last_refused_at ELSE 0 END,
	last_refusal = CASE WHEN (trigger_on, filters, delay, once, message) = ($1, $2, $3, $4, $5) THEN last_refusal ELSE '' END,
	trigger_on = $1, filters = $2, delay = $3, once = $4, message = $5, paused = $6, updated_at = $7 WHERE id = $8`

// UpdateRule replaces what a person sets; see store.Rules. UpdatedAt is now.
func (s *Store) UpdateRule(ctx context.Context, r hongyan.Rule) error {
	return s.write(ctx, func(t *tx) error {
		t.notices.add(store.NoticeAccount, r.AppID)
		n, err := t.exec(updateRuleSQL, r.On, encodeFilters(r.Filters), r.Delay.Milliseconds(), encodeOnce(r.Once), mustJSON(r.Message), r.Paused, t.now, r.ID)
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
		t.notices.add(store.NoticeAccount, appID)
		err := t.query(func(r *row) error {
			id = r.text()
			return nil
		}, "DELETE FROM rules WHERE appid = $1 AND name = $2 RETURNING id", appID, name)
		if err == nil && id == "" {
			err = unknownRule(appID, name)
		}
		for _, table := range []string{"firings", "rule_users"} {
			if err == nil {
				_, err = t.exec("DELETE FROM "+table+" WHERE rule_id = $1", id)
			}
		}
		return err
	})
}

// Rule finds a rule by name; see store.Rules.
func (s *Store) Rule(ctx context.Context, appID, name string) (hongyan.Rule, error) {
	all, err := s.listRules(ctx, "WHERE appid = $1 AND name = $2", appID, name)
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
	return s.listRules(ctx, `WHERE appid = $1 ORDER BY name COLLATE "C"`, appID)
}

func (s *Store) listRules(ctx context.Context, tail string, args ...any) (all []hongyan.Rule, err error) {
	err = s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, collectRules(&all), "SELECT "+ruleColumns+" FROM rules "+tail, args...)
	})
	return all, err
}

// setOff is a firing to begin, and its event.
type setOff struct {
	e *hongyan.Event
	store.NewFiring
}

// fire begins firings with their events, those whose rules are there and may; see
// store.NewFiring. What was received before a backup was put in place may have fired
// already. They go in one order, so that no two transactions wait for one another.
func (t *tx) fire(all []setOff) error {
	if len(all) == 0 {
		return nil
	}
	var restored int64
	err := t.query(func(r *row) error {
		restored = r.int64()
		return nil
	}, "SELECT convert_from(value, 'UTF8')::bigint FROM meta WHERE name = $1", restoredAt)
	slices.SortStableFunc(all, func(x, y setOff) int {
		return cmp.Or(cmp.Compare(x.RuleID, y.RuleID), cmp.Compare(x.OpenID, y.OpenID), cmp.Compare(x.e.ID, y.e.ID))
	})
	for i := 0; i < len(all) && err == nil; i++ {
		if millis(all[i].e.ReceivedAt) >= restored {
			err = t.fireOne(&all[i])
		}
	}
	return err
}

// takeUserSQL makes a user's place in a rule this firing's, unless another has it: of
// two transactions at once the second waits for the first, and sees it then.
const takeUserSQL = `INSERT INTO rule_users (rule_id, openid, appid, until, firing) VALUES ($1, $2, $3, $4, $5)
	ON CONFLICT (rule_id, openid) DO UPDATE SET until = excluded.until, firing = excluded.firing
	WHERE rule_users.until > 0 AND rule_users.until <= $6`

func (t *tx) fireOne(n *setOff) error {
	var id int64
	err := t.query(func(r *row) error {
		id = r.int64()
		return nil
	}, "SELECT nextval('firings_id_seq') FROM rules WHERE id = $1 AND appid = $2 AND NOT paused FOR KEY SHARE OF rules", n.RuleID, n.e.AppID)
	if err != nil || id == 0 {
		return err
	}
	twice, err := t.queryOne(func(*row) error { return nil }, "SELECT 1 FROM firings WHERE rule_id = $1 AND event_id = $2", n.RuleID, n.e.ID)
	if err != nil || twice {
		return err
	}
	if n.Once != 0 {
		until := int64(0)
		if n.Once > 0 {
			until = t.now + n.Once.Milliseconds()
		}
		taken, err := t.exec(takeUserSQL, n.RuleID, n.OpenID, n.e.AppID, until, id, t.now)
		if err != nil || taken == 0 {
			return err
		}
	}
	return t.execAll(1, `INSERT INTO firings (id, rule_id, appid, event_id, openid, state, message, at, send_at, expires_at, due_at, created_at)
		VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8, $9, $10, $10)`,
		id, n.RuleID, n.e.AppID, n.e.ID, n.OpenID, n.Message, millis(n.At), millis(n.SendAt), millis(n.ExpiresAt), t.now)
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

const claimFiringsSQL = `UPDATE firings SET attempts = attempts + 1, due_at = (SELECT hongyan_now()) + $1::bigint
	WHERE id = ANY(ARRAY(SELECT id FROM firings WHERE state = 0 AND due_at <= (SELECT hongyan_now()) ORDER BY due_at, id LIMIT $2 FOR UPDATE SKIP LOCKED))
	RETURNING ` + firingColumns

// ClaimFirings takes due firings; see store.Rules. It writes nothing when there is none.
func (s *Store) ClaimFirings(ctx context.Context, limit int, lease time.Duration) (all []hongyan.Firing, err error) {
	due := false
	err = s.read(ctx, func(c conn) (err error) {
		due, err = c.queryOne(ctx, func(*row) error { return nil }, "SELECT 1 FROM firings WHERE state = 0 AND due_at <= hongyan_now() LIMIT 1")
		return err
	})
	if err != nil || !due {
		return nil, err
	}
	err = s.write(ctx, func(t *tx) error {
		all = nil
		return t.query(collectFirings(&all), claimFiringsSQL, lease.Milliseconds(), limit)
	})
	return all, err
}

const finishFiringSQL = `UPDATE firings SET state = $1, due_at = $2, message_id = $3, code = $4, refusal = $5, ended_at = $6,
	message = CASE $1::smallint WHEN 0 THEN message END WHERE id = $7 AND attempts = $8 AND state = 0 RETURNING rule_id, openid`

// FinishFirings writes what came of claimed firings; see store.Rules.
func (s *Store) FinishFirings(ctx context.Context, rs []store.FiringResult) error {
	if len(rs) == 0 {
		return nil
	}
	return s.write(ctx, func(t *tx) error {
		for i := range rs {
			if err := t.finishFiring(&rs[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *tx) finishFiring(r *store.FiringResult) error {
	ended, due := t.now, int64(0)
	if r.State == hongyan.FiringPending {
		ended, due = 0, millis(r.DueAt)
	}
	var ruleID, openID string
	err := t.query(func(row *row) error {
		ruleID, openID = row.text(), row.text()
		return nil
	}, finishFiringSQL, int16(r.State), due, r.MessageID, r.Code, r.Refusal, ended, r.ID, r.Attempts)
	if err != nil || ruleID == "" {
		return err
	}
	switch r.State {
	case hongyan.FiringSent:
		_, err = t.exec("UPDATE rules SET fired = fired + 1, last_fired_at = $1, last_message_id = $2 WHERE id = $3", t.now, r.MessageID, ruleID)
	case hongyan.FiringRefused:
		if _, err = t.exec("DELETE FROM rule_users WHERE rule_id = $1 AND openid = $2 AND firing = $3", ruleID, openID, r.ID); err == nil {
			_, err = t.exec("UPDATE rules SET refused = refused + 1, last_refused_at = $1, last_refusal = $2 WHERE id = $3", t.now, r.Refusal, ruleID)
		}
	}
	return err
}

// RuleUser tells for whom a rule has fired; see store.Rules.
func (s *Store) RuleUser(ctx context.Context, ruleID, openID string) (until time.Time, fired bool, err error) {
	err = s.read(ctx, func(c conn) (err error) {
		fired, err = c.queryOne(ctx, func(r *row) error {
			until = r.time()
			return nil
		}, "SELECT until FROM rule_users WHERE rule_id = $1 AND openid = $2 AND (until = 0 OR until > $3)", ruleID, openID, millis(s.Now()))
		return err
	})
	return until, fired, err
}

// Firings lists a rule's firings; see store.Rules.
func (s *Store) Firings(ctx context.Context, ruleID string, before int64, limit int) (all []hongyan.Firing, err error) {
	err = s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, collectFirings(&all), "SELECT "+firingColumns+" FROM firings WHERE rule_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
			ruleID, beforeOrNewest(before), limit)
	})
	return all, err
}
