package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"hongyan"
	"hongyan/store"
)

const (
	// opTimeout bounds one transaction, the wait for a connection included, and as
	// long again may be spent on asking what became of its commit. It is longer than
	// a restart of PostgreSQL as a rule takes.
	opTimeout = 20 * time.Second
	// maxRepeats is how often a transaction is repeated that PostgreSQL undid
	// because of another one (deadlock, serialization).
	maxRepeats = 5
)

// Advisory locks of transactions. Two keys each: ours, and what is locked.
const (
	lockAccounts   int32 = 0x486f6e67 + iota // shared: whoever relies on an account being there; exclusive: who deletes one
	lockNames                                // who gives an account a name
	lockHolds                                // by account
	lockClientIDs                            // by account: who gives messages a client_msg_id of a caller's
	lockReceipts                             // shared: who writes msgids; exclusive: who stores a receipt without an owner
	lockDeliveries                           // by target: who changes which delivery goes first
	lockReserved                             // by counter: who reserves calls
	lockMigrations
	lockUsers    // by account and user: who counts a user's messages of the day, or changes an entry about the user
	lockFormIDs  // by user: who stores, takes and gives back form_ids
	lockConsents // by user: who changes consents
)

// tx is a transaction under way.
type tx struct {
	conn
	s     *Store
	ctx   context.Context
	now   int64  // the database's clock, Unix milliseconds
	xid   string // the transaction's number, by which its end can be asked for
	shard int    // of the counters it adds to
	begun bool

	counts  map[countKey]int64
	usage   map[usageKey]int64
	spent   map[spentKey]int64 // of what nodes hold reserved
	notices notices
	fences  []store.Fence // what it leases

	wantsVersion int64 // see wants
	listening    int64 // until then everything is wanted
	hooks        []hongyan.Webhook
	told         []toldNews
	stored       string // the id of a message it stores, "" = none: there or not, it tells how the transaction ended
}

// write runs f in a transaction of its own. f may run more than once; what it did
// before is undone then. When the connection was lost in the commit, the database is
// asked what became of it.
func (s *Store) write(ctx context.Context, f func(*tx) error) error {
	return s.transact(ctx, nil, f)
}

// transact is write for what is done all the time. The statements that first adds share
// the round trip of BEGIN; they must not need the tx's now. Its statements are planned
// once for each connection, which is a good part of what a small flush costs: so they are
// written in such a way that there is only one plan (see queueSettings).
func (s *Store) transact(ctx context.Context, first func(*batch), f func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !s.work.enter() {
		return errClosed
	}
	defer s.work.leave()
	limited, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	for n := 0; ; n++ {
		err := s.once(limited, first, f)
		if n >= maxRepeats || !isTransient(err) && !errors.Is(err, errStale) {
			return s.explain(ctx, err)
		}
		select {
		case <-time.After(time.Duration(rand.Int64N(int64(10*time.Millisecond) << n))):
		case <-limited.Done():
			return s.explain(ctx, err)
		}
	}
}

// errStale says that a connection was lost and nothing was done on it.
var errStale = errors.New("the connection was lost")

// once runs f in one transaction.
func (s *Store) once(ctx context.Context, first func(*batch), f func(*tx) error) error {
	p, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	t := &tx{conn: conn{p.Conn()}, s: s, ctx: ctx, shard: <-s.shards}
	released := false
	release := func() {
		if !released {
			released = true
			p.Release()
			s.shards <- t.shard
		}
	}
	defer release()
	if err := t.begin(first); err != nil {
		if t.IsClosed() && ctx.Err() == nil && !t.begun {
			return fmt.Errorf("%w: %w", errStale, err)
		}
		t.rollback()
		return err
	}
	if err := t.carryOut(f); err != nil {
		t.rollback()
		return err
	}
	if err := t.commit(p, release); err != nil {
		s.doubt(t, err)
		return err
	}
	s.notify(t.notices)
	return nil
}

// carryOut runs f, and writes what goes with what it did.
func (t *tx) carryOut(f func(*tx) error) error {
	if err := t.learnWants(); err != nil {
		return err
	}
	if err := f(t); err != nil {
		return err
	}
	if err := t.flushNews(); err != nil {
		return err
	}
	return t.flushCounts()
}

// begin starts the transaction and learns its time and number.
func (t *tx) begin(first func(*batch)) error {
	var b batch
	var sent, received time.Time
	b.exec(nil, "BEGIN")
	if first != nil {
		b.exec(nil, "SET LOCAL plan_cache_mode = force_generic_plan")
	}
	b.query(func(r *row) error {
		received = time.Now()
		t.now, t.xid, t.begun = r.int64(), r.text(), true
		t.wantsVersion, t.listening = r.int64(), r.int64()
		return nil
	}, `SELECT hongyan_now(), pg_current_xact_id()::text,
		(SELECT version FROM news_wants WHERE one), (SELECT listen_until FROM news_wants WHERE one)`)
	if first != nil {
		first(&b)
	}
	sent = time.Now()
	err := t.run(&b)
	if t.begun {
		t.s.clock.told(t.now, sent, received)
	}
	return err
}

// run sends a batch of this transaction.
func (t *tx) run(b *batch) error { return b.run(t.ctx, t.Conn) }

// rollback ends the transaction. A connection on which that fails is of no more use.
func (t *tx) rollback() {
	if t.IsClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), t.s.patience)
	defer cancel()
	if _, err := t.Exec(ctx, "ROLLBACK"); err != nil {
		_ = t.Close(ctx)
	}
}

// commit ends the transaction. It completes whatever becomes of the caller.
func (t *tx) commit(p *pgxpool.Conn, release func()) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), t.s.patience)
	defer cancel()
	_, err := t.Exec(ctx, "COMMIT")
	if err == nil || code(err) != "" && !t.IsClosed() {
		return err
	}
	release() // the pool throws the dead connection away
	committed, known := t.outcome(ctx)
	switch {
	case known && committed:
		return nil
	case known:
		return fmt.Errorf("%w: %w", errStale, err) // undone: it can be done again
	}
	return errUnknown{xid: t.xid, error: err}
}

// errUnknown says that a commit's outcome cannot be told, even by asking.
type errUnknown struct {
	error
	xid string
}

func (e errUnknown) Error() string { return "commit: outcome unknown: " + e.error.Error() }
func (e errUnknown) Unwrap() error { return e.error }

// outcome asks, until ctx ends, what became of the transaction, whose commit was not
// answered.
func (t *tx) outcome(ctx context.Context) (committed, known bool) {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		end, err := t.s.endOf(ctx, t.xid, t.now, t.stored)
		if err == nil && end != unended {
			return end == committedEnd, end != unknownEnd
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false, false
		}
	}
}

// xactEnd is what PostgreSQL says of a transaction.
type xactEnd uint8

const (
	unended xactEnd = iota // still under way
	abortedEnd
	committedEnd
	unknownEnd // too old, or its number may have been another's since
)

// endSQL asks for a transaction's state by its number; whether the server may have
// recovered from a crash since it began; and whether the message it stores is there. A
// recovery ends with a checkpoint.
const endSQL = `SELECT coalesce(pg_xact_status($1::xid8), ''),
	to_timestamp($2::bigint / 1000) <= greatest(date_trunc('second', pg_postmaster_start_time()), (SELECT checkpoint_time FROM pg_control_checkpoint())),
	EXISTS (SELECT 1 FROM messages WHERE id = $3)`

// endOf tells how a transaction ended that began at the database's time began. PostgreSQL
// remembers over restarts; but the number of one that was not written to its log when
// the server crashed is given to another afterwards. So "committed" is believed only
// where there was no crash, or by what was stored.
func (s *Store) endOf(ctx context.Context, xid string, began int64, stored string) (xactEnd, error) {
	p, err := s.pool.Acquire(ctx)
	if err != nil {
		return unended, err
	}
	defer p.Release()
	var status string
	var recovered, there bool
	if err := p.QueryRow(ctx, endSQL, xid, began, stored).Scan(&status, &recovered, &there); err != nil {
		return unended, err
	}
	switch {
	case status == "in progress":
		return unended, nil
	case stored != "" && there:
		return committedEnd, nil
	case status == "aborted", stored != "" && status == "committed":
		return abortedEnd, nil
	case status == "committed" && !recovered:
		return committedEnd, nil
	}
	return unknownEnd, nil
}

// query, queryOne and exec run single statements of the transaction.
func (t *tx) query(each func(*row) error, sql string, args ...any) error {
	return t.conn.query(t.ctx, each, sql, args...)
}

func (t *tx) queryOne(each func(*row) error, sql string, args ...any) (found bool, err error) {
	return t.conn.queryOne(t.ctx, each, sql, args...)
}

// exec reports how many rows the statement changed.
func (t *tx) exec(sql string, args ...any) (int, error) {
	tag, err := t.conn.Exec(t.ctx, sql, cleanArgs(args)...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", firstLine(sql), err)
	}
	return int(tag.RowsAffected()), nil
}

// execAll runs a statement that must change exactly want rows.
func (t *tx) execAll(want int, sql string, args ...any) error {
	n, err := t.exec(sql, args...)
	if err == nil && n != want {
		err = fmt.Errorf("%s: changed %d rows instead of %d", firstLine(sql), n, want)
	}
	return err
}

// lock takes the advisory lock of what key names until the transaction ends.
func (t *tx) lock(class int32, key string) error {
	_, err := t.exec("SELECT pg_advisory_xact_lock($1, hashtext($2))", class, key)
	return err
}

// lockAll takes the advisory locks of several keys, always in the same order, so
// that no two transactions wait for one another. They are folded to a few, since
// PostgreSQL has room for a limited number of locks.
func (b *batch) lockAll(class int32, keys []string) {
	b.exec(nil, `SELECT pg_advisory_xact_lock($1, n) FROM (SELECT DISTINCT hashtext(key) & 63 AS n
		FROM unnest($2::text[]) AS keys (key) ORDER BY n) AS locks`, class, keys)
}
