package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"hongyan"
	"hongyan/store"
)

// seqGap is how many numbers a restored database leaves out: those that the lost
// time may have used, with which callers were answered.
const seqGap = 10_000_000

// Restored says what a restored database holds.
type Restored struct {
	Saved
	Held      int64 // messages that waited: held for a person now
	Uncertain int64 // messages that were being sent or in doubt
}

// Restore puts the backup file in place as the database at path, which must not
// exist, with the schema of this program. Nobody knows what was sent after the
// backup was taken, so nothing in it is sent again by itself: what waited is held with
// reason restored until a person releases it, and what was being sent or in doubt
// is uncertain. keys, if not nil, must be those it was sealed with.
func Restore(ctx context.Context, file, path string, keys *store.Keyring) (r Restored, err error) {
	if file, err = existing(file); err != nil {
		return r, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return r, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return r, err
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if _, err := os.Lstat(name); err == nil {
			return r, &hongyan.Error{Kind: hongyan.Conflict, Code: "exists", Message: fmt.Sprintf("there is a database already: %s", name),
				Hint: "restore into an empty folder (--data DIR), or move the old database away first"}
		}
	}
	lock, err := lockFile(path)
	if err != nil {
		return r, err
	}
	defer lock.Close()
	switch current, latest, err := SchemaVersion(ctx, file); {
	case err != nil:
		return r, err
	case current == 0:
		return r, notOurs(file)
	case current > latest:
		return r, newerSchema(file, current, latest)
	}
	part, err := beginFile(path)
	if err != nil {
		return r, err
	}
	defer func() {
		for _, end := range []string{"", "-wal", "-shm"} {
			os.Remove(part + end)
		}
	}()
	if err := copyInto(ctx, file, part); err != nil {
		return r, fmt.Errorf("read %s: %w", file, explain(err))
	}
	if err := migrate(ctx, part); err != nil {
		return r, err
	}
	if r, err = settleRestored(ctx, part, keys); err != nil {
		return r, fmt.Errorf("restore %s: %w", file, explain(err))
	}
	return r, putInPlace(part, path)
}

// settleRestored makes sure that nothing in a copy is sent by itself.
func settleRestored(ctx context.Context, path string, keys *store.Keyring) (r Restored, err error) {
	c, err := openConn(writerDSN(path))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, c.close()) }() // folds the WAL into the file
	if keys != nil {
		if err := checkKey(ctx, c, keys); err != nil {
			return r, err
		}
	}
	if err := c.command("BEGIN IMMEDIATE"); err != nil {
		return r, err
	}
	t := &tx{conn: c, now: time.Now().UnixMilli()}
	if err := t.settleRestored(ctx, &r); err != nil {
		return r, err // closing undoes it
	}
	if err := c.command("COMMIT"); err != nil {
		return r, err
	}
	if err := c.query(ctx, func(*row) error { return nil }, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return r, err
	}
	r.Saved, err = weighFile(ctx, path)
	return r, err
}

// What waited, was being sent, or is in doubt, each by its index.
const (
	restoredSending = "state = 2"
	restoredDoubt   = "doubt_since > 0 AND receipt IS NULL AND state < 2"
	restoredQueued  = "state < 2 AND due_at > 0 AND state = 0"
	restoredHeld    = "" + rareSQL + " AND state = 1"
)

// unknownSQL: its doubt begins, if it had none, when it was leased.
const unknownSQL = `state = 3, reason = ?, hold = NULL, epoch = 0, updated_at = ?,
	doubt_since = CASE doubt_since WHEN 0 THEN updated_at ELSE doubt_since END`

// waitSQL keeps the time of what is scheduled for later below zero, as HoldTemplate
// does. What was due may have been sent, so that a release may show it twice.
const waitSQL = `state = 1, reason = ?, hold = ?, updated_at = ?,
	may_duplicate = CASE WHEN due_at > ? OR due_at < 0 THEN may_duplicate ELSE 1 END,
	due_at = CASE WHEN due_at > ? THEN -due_at WHEN due_at < 0 THEN due_at ELSE 0 END`

func (t *tx) settleRestored(ctx context.Context, r *Restored) error {
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
		{restoredHeld, hongyan.Held, waitSQL, []any{hongyan.HoldRestored, hold, t.now, t.now, t.now}, &r.Held},
		{restoredQueued, hongyan.Held, waitSQL, []any{hongyan.HoldRestored, hold, t.now, t.now, t.now}, &r.Held},
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
	var err error
	if t.pending, err = loadPending(ctx, t.conn); err != nil {
		return err
	}
	return errors.Join(t.flushCounters(), t.refuseFirings(), t.pauseBatches(), t.forgetProcesses(ctx))
}

// pauseBatches keeps batches that were under way from going on by themselves: their
// next rows may have been sent since.
func (t *tx) pauseBatches() error {
	_, err := t.exec("UPDATE batches SET state = ?, reason = ?, detail = ?, version = version + 1, updated_at = ? WHERE ended_at = 0 AND state IN (?, ?)",
		int64(hongyan.BatchPaused), hongyan.HoldRestored, "it was under way when the backup was taken, and some of its rows may have been sent since",
		t.now, int64(hongyan.BatchScheduled), int64(hongyan.BatchRunning))
	return err
}

// refuseFirings ends the firings that were pending, and keeps pushes that were not
// processed from setting anything off: it may all have been sent since.
func (t *tx) refuseFirings() error {
	_, err := t.exec("UPDATE firings SET state = 2, code = ?, refusal = ?, message = NULL, ended_at = ? WHERE state = 0",
		hongyan.HoldRestored, "it was pending when the backup was taken, and may have been sent since", t.now)
	return errors.Join(err, t.setNumber(restoredAt, t.now))
}

// forgetProcesses drops what was true of the processes of then.
func (t *tx) forgetProcesses(ctx context.Context) error {
	for _, table := range []string{"nodes", "refreshes"} {
		if _, err := t.exec("DELETE FROM " + table); err != nil {
			return err
		}
	}
	memory, err := loadMemory(ctx, t.conn)
	if err != nil {
		return err
	}
	return t.setNumber(seqFloor, memory.nextSeq+seqGap)
}
