package postgres

import (
	"context"
	"time"

	"hongyan/store"
)

const (
	// sweepBatch is how many rows go per transaction: a few milliseconds of the database.
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

	// reservedKeep is how long a period lasts at most, and some more.
	reservedKeep = 33 * day

	day = 24 * time.Hour
)

// sweeps are the statements that each remove a batch of what is not needed any more.
// Rows that another node is removing are passed over.
var sweeps = []struct {
	sql  string
	keep time.Duration
}{
	{`DELETE FROM idempotency WHERE (caller_id, key) IN (SELECT caller_id, key FROM idempotency
		WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)`, 0},
	// What dry runs leave: state 5 is cancelled.
	{`DELETE FROM batches WHERE seq = ANY(ARRAY(SELECT seq FROM batches
		WHERE state = 5 AND row_count = 0 AND ended_at BETWEEN 1 AND $1 LIMIT $2 FOR UPDATE SKIP LOCKED))`, store.VoidKeep},
	{`DELETE FROM orphans WHERE id = ANY(ARRAY(SELECT id FROM orphans
		WHERE stored_at <= $1 ORDER BY stored_at, id LIMIT $2 FOR UPDATE SKIP LOCKED))`, orphanKeep},
	{`DELETE FROM deliveries WHERE id = ANY(ARRAY(SELECT id FROM deliveries
		WHERE state <> 0 AND ended_at <= $1 ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED))`, endedKeep},
	{`DELETE FROM issued_tokens WHERE hash = ANY(ARRAY(SELECT hash FROM issued_tokens
		WHERE replaced_at > 0 AND replaced_at <= $1 ORDER BY replaced_at LIMIT $2 FOR UPDATE SKIP LOCKED))`, issuedKeep},
	// The oldest entries only: they are in order of time but for moments.
	{`DELETE FROM audit WHERE at <= $1 AND id = ANY(ARRAY(SELECT id FROM audit ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED))`, auditKeep},
	// Roles that nobody does any more: those of batches.
	{`DELETE FROM leaders WHERE role = ANY(ARRAY(SELECT role FROM leaders WHERE lease_until <= $1 ORDER BY role LIMIT $2 FOR UPDATE SKIP LOCKED))`, day},
	{`DELETE FROM reserved WHERE ctid = ANY(ARRAY(SELECT ctid FROM reserved WHERE period_from <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED))`, reservedKeep},
	{`DELETE FROM news_once WHERE key = ANY(ARRAY(SELECT key FROM news_once WHERE at <= $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED))`, store.OnceKept},
	{`DELETE FROM firings WHERE id = ANY(ARRAY(SELECT id FROM firings
		WHERE state <> 0 AND ended_at <= $1 ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED))`, store.FiringKeep},
	{`DELETE FROM rule_users WHERE ctid = ANY(ARRAY(SELECT ctid FROM rule_users WHERE until > 0 AND until <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED))`, 0},
	{`DELETE FROM suppressions WHERE id = ANY(ARRAY(SELECT id FROM suppressions
		WHERE reason = '' AND followed_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED))`, store.FollowKeep},
	{`DELETE FROM suppressions WHERE id = ANY(ARRAY(SELECT id FROM suppressions
		WHERE until > 0 AND until <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED))`, store.SuppressionKeep},
	{`DELETE FROM suppressions WHERE id = ANY(ARRAY(SELECT id FROM suppressions
		WHERE lifted_at > 0 AND lifted_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED))`, store.SuppressionKeep},
	// Yesterday is kept, for a message that was on its way at midnight.
	{`DELETE FROM user_days WHERE ctid = ANY(ARRAY(SELECT ctid FROM user_days WHERE day <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED))`, 2 * day},
	{`WITH gone AS (DELETE FROM form_ids WHERE id = ANY(ARRAY(SELECT id FROM form_ids
		WHERE expires_at <= $1 ORDER BY expires_at, id LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING id),
		takes AS (DELETE FROM form_takes WHERE form IN (SELECT id FROM gone)) SELECT id FROM gone`, store.FormKeep},
	// A dead node's row is needed for as long as it may hold something.
	{`DELETE FROM nodes WHERE epoch = ANY(ARRAY(SELECT epoch FROM nodes WHERE dead AND lease_until <= $1
		AND NOT EXISTS (SELECT 1 FROM messages WHERE state = 2 AND messages.epoch = nodes.epoch) ORDER BY epoch LIMIT $2 FOR UPDATE SKIP LOCKED))`, day},
}

// Sweep removes what nobody can ask for any more; see store.Store. Receipts nobody
// owned for a week go too.
func (s *Store) Sweep(ctx context.Context) (int, error) {
	total := 0
	for _, sw := range sweeps {
		n, err := s.sweep(ctx, func(t *tx) (int, error) { return t.exec(sw.sql, t.now-sw.keep.Milliseconds(), sweepBatch) })
		if total += n; err != nil {
			return total, err
		}
	}
	for _, part := range []func(*tx) (int, error){(*tx).sweepNews, (*tx).sweepStrays} {
		n, err := s.sweep(ctx, part)
		if total += n; err != nil {
			return total, err
		}
	}
	return total, nil
}

// sweep removes batch by batch, each in a transaction of its own.
func (s *Store) sweep(ctx context.Context, part func(*tx) (int, error)) (total int, err error) {
	for {
		n := 0
		err := s.write(ctx, func(t *tx) (err error) {
			n, err = part(t)
			return err
		})
		if total += n; err != nil || n == 0 {
			return total, err
		}
	}
}

// sweepStrays removes deliveries that a crash left when their account was deleted.
func (t *tx) sweepStrays() (int, error) {
	targets, err := listTargets(t.ctx, t.conn, "")
	if err != nil || len(targets) == 0 {
		return 0, err
	}
	var appIDs []string
	for _, target := range targets {
		appIDs = append(appIDs, accountOf(target))
	}
	accounts, err := t.accounts(appIDs)
	for _, target := range targets {
		if err == nil && !accounts[accountOf(target)] {
			return t.dropDeliveries(target, sweepBatch)
		}
	}
	return 0, err
}
