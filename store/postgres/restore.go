package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"hongyan"
	"hongyan/store"
)

// seqGap is how many numbers a restored database leaves out: those that the lost
// time may have used, with which callers and downstreams were answered.
const seqGap = 10_000_000

// Restored says what a restored database holds.
type Restored struct {
	Messages  int64
	Held      int64 // messages that waited: held for a person now
	Uncertain int64 // messages that were being sent or in doubt
}

// MarkRestored makes sure that nothing in a database that was restored, by whatever means,
// is sent by itself, in one transaction: what waited is held with reason restored until a
// person releases it, and what was being sent or in doubt is uncertain. No process may use
// the database yet: while a node's lease lasts it is refused. keys, if not nil, must be
// those it was sealed with. The schema is brought up to date first.
func MarkRestored(ctx context.Context, url string, keys *store.Keyring) (r Restored, err error) {
	current, _, err := SchemaVersion(ctx, url)
	if err != nil {
		return r, err
	}
	if current == 0 {
		return r, &hongyan.Error{Kind: hongyan.NotFound, Code: "no_database", Message: "the database is empty: nothing was restored into it",
			Hint: "restore the backup into it first, with pg_restore"}
	}
	if err := migrate(ctx, url); err != nil {
		return r, err
	}
	c, err := dial(ctx, url)
	if err != nil {
		return r, err
	}
	defer c.Close(context.WithoutCancel(ctx)) // what is not committed is undone
	if err := markRestored(ctx, c, keys, &r); err != nil {
		return Restored{}, explain(err)
	}
	return r, nil
}

func markRestored(ctx context.Context, c *pgx.Conn, keys *store.Keyring, r *Restored) error {
	t := &tx{conn: conn{c}, ctx: ctx}
	if _, err := t.exec("BEGIN"); err != nil {
		return err
	}
	// A gateway that starts now waits here, and finds everything marked.
	if _, err := t.exec("LOCK TABLE nodes, messages IN ACCESS EXCLUSIVE MODE"); err != nil {
		return err
	}
	if err := t.query(func(row *row) error { t.now = row.int64(); return nil }, "SELECT hongyan_now()"); err != nil {
		return err
	}
	if err := t.nobodyAlive(); err != nil {
		return err
	}
	if keys != nil {
		if err := t.checkKey(keys); err != nil {
			return err
		}
	}
	if err := t.settleRestored(r); err != nil {
		return err
	}
	if err := t.refuseFirings(); err != nil {
		return err
	}
	if err := t.flushCounts(); err != nil {
		return err
	}
	if err := t.pauseBatches(); err != nil {
		return err
	}
	if err := t.forgetProcesses(); err != nil {
		return err
	}
	err := t.query(func(row *row) error { r.Messages = row.int64(); return nil }, "SELECT count(*) FROM messages")
	if err != nil {
		return err
	}
	_, err = t.exec("COMMIT")
	return err
}

// nobodyAlive refuses a database that a node uses, or used when it was backed up a
// moment ago.
func (t *tx) nobodyAlive() error {
	name := ""
	found, err := t.queryOne(func(row *row) error {
		name = row.text()
		return nil
	}, "SELECT name FROM nodes WHERE lease_until > $1 AND NOT dead ORDER BY epoch LIMIT 1", t.now)
	if err != nil || !found {
		return err
	}
	return &hongyan.Error{Kind: hongyan.Conflict, Code: "in_use", Message: fmt.Sprintf("node %q uses the database, or did a moment ago", name),
		Hint: "stop every gateway on it; one that was killed, or ran when the backup was taken, counts until its lease ends, within a minute"}
}

// What waited, was being sent, or is in doubt.
const (
	restoredSending = "state = 2"
	restoredDoubt   = "doubt_since > 0 AND receipt IS NULL AND state < 2"
	restoredHeld    = "state = 1"
	restoredQueued  = "state = 0"
)

// unknownSQL: its doubt begins, if it had none, when it was leased.
const unknownSQL = `state = 3, reason = $1, hold = NULL, epoch = 0, updated_at = $2,
	doubt_since = CASE doubt_since WHEN 0 THEN updated_at ELSE doubt_since END`

// waitSQL keeps the time of what is scheduled for later below zero, as HoldTemplate
// does. What was due may have been sent, so that a release may show it twice.
const waitSQL = `state = 1, reason = $1, hold = $3, updated_at = $2,
	may_duplicate = may_duplicate OR NOT (due_at > $2 OR due_at < 0),
	due_at = CASE WHEN due_at > $2 THEN -due_at WHEN due_at < 0 THEN due_at ELSE 0 END`

func (t *tx) settleRestored(r *Restored) error {
	hold := encodeHold(&hongyan.Hold{Reason: hongyan.HoldRestored, Since: fromMillis(t.now),
		Release: "a person: hongyan account release APPID lets all of them go, message release or cancel acts on one",
		Detail:  "it waited when the backup was taken, and may have been sent since"})
	for _, step := range []struct {
		where string
		to    hongyan.State
		set   string
		args  []any
		n     *int64
	}{
		{restoredSending, hongyan.Uncertain, unknownSQL, []any{hongyan.HoldRestored, t.now}, &r.Uncertain},
		{restoredDoubt, hongyan.Uncertain, unknownSQL, []any{hongyan.HoldRestored, t.now}, &r.Uncertain},
		{restoredHeld, hongyan.Held, waitSQL, []any{hongyan.HoldRestored, t.now, hold}, &r.Held},
		{restoredQueued, hongyan.Held, waitSQL, []any{hongyan.HoldRestored, t.now, hold}, &r.Held},
	} {
		err := t.query(func(row *row) error {
			k := countKey{row.text(), hongyan.MessageKind(row.text()), hongyan.State(row.int())}
			n := row.int64()
			t.moved(k.appID, k.kind, k.state, step.to, n)
			*step.n += n
			return nil
		}, "SELECT appid, kind, state, count(*) FROM messages WHERE "+step.where+" GROUP BY appid, kind, state")
		if err != nil {
			return err
		}
		if _, err := t.exec("UPDATE messages SET "+step.set+" WHERE "+step.where, step.args...); err != nil {
			return err
		}
	}
	return nil
}

// refuseFirings ends the firings that were pending, and keeps pushes that were not
// processed from setting anything off: it may all have been sent since.
func (t *tx) refuseFirings() error {
	_, err := t.exec("UPDATE firings SET state = 2, code = $1, refusal = $2, message = NULL, ended_at = $3 WHERE state = 0",
		hongyan.HoldRestored, "it was pending when the backup was taken, and may have been sent since", t.now)
	if err != nil {
		return err
	}
	return t.setNumber(restoredAt, t.now)
}

// pauseBatches keeps batches that were under way from going on by themselves: their
// next rows may have been sent since.
func (t *tx) pauseBatches() error {
	_, err := t.exec("UPDATE batches SET state = $1, reason = $2, detail = $3, version = version + 1, updated_at = $4 WHERE ended_at = 0 AND state IN (1, 2)",
		int16(hongyan.BatchPaused), hongyan.HoldRestored, "it was under way when the backup was taken, and some of its rows may have been sent since", t.now)
	return err
}

// forgetProcesses drops what was true of the processes of then, and lets the numbers
// of rows go on behind those that the lost time may have used.
func (t *tx) forgetProcesses() error {
	for _, table := range []string{"nodes", "refreshes", "leaders", "reserved"} {
		if _, err := t.exec("DELETE FROM " + table); err != nil {
			return err
		}
	}
	for _, column := range [][2]string{{"messages", "seq"}, {"events", "id"}, {"deliveries", "id"}, {"nodes", "epoch"}, {"batches", "seq"}, {"firings", "id"}, {"suppressions", "id"}} {
		_, err := t.exec("SELECT setval(pg_get_serial_sequence($1, $2), nextval(pg_get_serial_sequence($1, $2)) + $3)", column[0], column[1], seqGap)
		if err != nil {
			return err
		}
	}
	return nil
}
