package sqlite

import (
	"context"
	"time"

	"hongyan"
	"hongyan/store"
)

const (
	// sweepBatch is how many rows go per transaction: a few milliseconds of the writer.
	sweepBatch = 500
	// orphanKeep is how long a receipt waits for the answer it belongs to. An
	// account that also sends by other means has many that never find an owner.
	orphanKeep = 7 * day
	// endedKeep is how long a delivery that has ended is shown.
	endedKeep = 7 * day
	// issuedKeep is how long a replaced token is told from one that never was ours.
	issuedKeep = 30 * day
	// auditKeep is how long it is known who did what.
	auditKeep = 366 * day

	day = 24 * time.Hour
)

// Sweep removes what nobody can ask for any more; see store.Store. Receipts nobody
// owned for a week go too. (Dead nodes go when another joins.)
func (s *Store) Sweep(ctx context.Context) (int, error) {
	total := 0
	for _, part := range []func(*tx) (int, error){
		(*tx).sweepKeys, (*tx).sweepOrphans, (*tx).sweepDeliveries, (*tx).sweepStrays, (*tx).sweepIssued, (*tx).sweepAudit,
		(*tx).sweepNews, (*tx).sweepOnce, (*tx).sweepFirings, (*tx).sweepRuleUsers, (*tx).sweepFollows, (*tx).sweepSuppressions, (*tx).sweepUserDays,
		(*tx).sweepForms, (*tx).sweepVoid,
	} {
		for {
			n := 0
			err := s.submit(ctx, &op{weight: sweepBatch, run: func(t *tx) (err error) {
				n, err = part(t)
				return err
			}})
			total += n
			if err != nil {
				return total, err
			}
			if n == 0 {
				break
			}
		}
	}
	return total, nil
}

// before is the time, in Unix milliseconds, that is longer ago than keep.
func (t *tx) before(keep time.Duration) int64 { return t.now - keep.Milliseconds() }

func (t *tx) sweepKeys() (int, error) {
	return t.exec(`DELETE FROM idempotency WHERE (caller_id, key) IN (SELECT caller_id, key
		FROM idempotency INDEXED BY idempotency_expiry WHERE expires_at <= ? LIMIT ? + 0)`, t.now, sweepBatch)
}

func (t *tx) sweepOrphans() (int, error) {
	n, err := t.exec(`DELETE FROM orphans WHERE id IN (SELECT id
		FROM orphans INDEXED BY orphans_stored WHERE stored_at <= ? LIMIT ? + 0)`, t.before(orphanKeep), sweepBatch)
	t.orphans -= int64(n)
	return n, err
}

func (t *tx) sweepDeliveries() (int, error) {
	return t.exec(`DELETE FROM deliveries WHERE id IN (SELECT id
		FROM deliveries INDEXED BY deliveries_ended WHERE state <> 0 AND ended_at <= ? LIMIT ? + 0)`, t.before(endedKeep), sweepBatch)
}

// sweepStrays removes deliveries that a crash left when their account was deleted.
func (t *tx) sweepStrays() (int, error) {
	targets, err := listTargets(context.Background(), t.conn, "")
	for _, target := range targets {
		if err == nil && !t.accounts[accountOf(target)] {
			return t.dropDeliveries(target, sweepBatch)
		}
	}
	return 0, err
}

func (t *tx) sweepIssued() (int, error) {
	return t.exec(`DELETE FROM issued_tokens WHERE hash IN (SELECT hash
		FROM issued_tokens INDEXED BY issued_tokens_replaced WHERE replaced_at > 0 AND replaced_at <= ? LIMIT ? + 0)`, t.before(issuedKeep), sweepBatch)
}

// sweepAudit looks at the oldest entries only. They are in order of time but for moments.
func (t *tx) sweepAudit() (int, error) {
	return t.exec(`DELETE FROM audit WHERE at <= ? AND id IN (SELECT id FROM audit WHERE id > 0 ORDER BY id LIMIT ? + 0)`,
		t.before(auditKeep), sweepBatch)
}

// sweepVoid removes what dry runs leave. Batches are few: reading them all costs little.
func (t *tx) sweepVoid() (int, error) {
	return t.exec(`DELETE FROM batches WHERE seq IN (SELECT seq FROM batches
		WHERE state = ? AND row_count = 0 AND ended_at BETWEEN 1 AND ? LIMIT ? + 0)`, int64(hongyan.BatchCancelled), t.before(store.VoidKeep), sweepBatch)
}

func (t *tx) sweepFirings() (int, error) {
	return t.exec(`DELETE FROM firings WHERE id IN (SELECT id
		FROM firings INDEXED BY firings_ended WHERE state <> 0 AND ended_at <= ? LIMIT ? + 0)`, t.before(store.FiringKeep), sweepBatch)
}

func (t *tx) sweepRuleUsers() (int, error) {
	return t.exec(`DELETE FROM rule_users WHERE (rule_id, openid) IN (SELECT rule_id, openid
		FROM rule_users INDEXED BY rule_users_until WHERE until > 0 AND until <= ? LIMIT ? + 0)`, t.now, sweepBatch)
}

// sweepSuppressions removes entries that ended, by themselves or by somebody, long ago.
func (t *tx) sweepSuppressions() (int, error) {
	before := t.before(store.SuppressionKeep)
	return t.exec(`DELETE FROM suppressions WHERE id IN (
		SELECT id FROM (SELECT id FROM suppressions INDEXED BY suppressions_until WHERE until > 0 AND until <= ? LIMIT ? + 0)
		UNION ALL
		SELECT id FROM (SELECT id FROM suppressions INDEXED BY suppressions_lifted WHERE lifted_at > 0 AND lifted_at <= ? LIMIT ? + 0))`,
		before, sweepBatch, before, sweepBatch)
}

// sweepUserDays keeps yesterday, for a message that was on its way at midnight.
func (t *tx) sweepUserDays() (int, error) {
	return t.exec(`DELETE FROM user_days WHERE (appid, openid, day, seq) IN (SELECT appid, openid, day, seq
		FROM user_days INDEXED BY user_days_day WHERE day <= ? LIMIT ? + 0)`, t.before(2*day), sweepBatch)
}
