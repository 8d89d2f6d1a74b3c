package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"hongyan"
	"hongyan/internal/fault"
)

const (
	// resultLinger is how long results wait for company. It saves commits when
	// answers trickle in; nobody but the sender's bookkeeping waits for them.
	resultLinger = 2 * time.Millisecond
	// resultCompany is enough company: no use waiting for more.
	resultCompany = 128
	// groupWeight bounds a transaction, in rows, and so how long those who come
	// next must wait (about 40 ms).
	groupWeight = 4096
)

// op is one operation waiting for the writer.
type op struct {
	run    func(*tx) error // nil when insert or finish is set
	insert *insertion      // inserts of a group are merged
	finish *finishing      // results of a group are merged
	feeds  bool            // run stores messages
	weight int             // rows it will write, about
	taken  atomic.Bool     // by the writer, or by a caller who gave up
	err    error           // valid once done is closed
	done   chan struct{}
}

// queue is where operations wait. The mutex guards a slice, never a database call.
type queue struct {
	mu     sync.Mutex
	ops    []*op
	closed bool
	signal chan struct{} // capacity 1: something changed
}

func newQueue() *queue { return &queue{signal: make(chan struct{}, 1)} }

func (q *queue) wake() {
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

// add queues o unless the queue is closed.
func (q *queue) add(o *op) bool {
	q.mu.Lock()
	closed := q.closed
	if !closed {
		q.ops = append(q.ops, o)
	}
	q.mu.Unlock()
	if !closed {
		q.wake()
	}
	return !closed
}

// close refuses further operations and reports whether it was the first to.
func (q *queue) close() bool {
	q.mu.Lock()
	first := !q.closed
	q.closed = true
	q.mu.Unlock()
	q.wake()
	return first
}

// take moves waiting operations to group until it weighs groupWeight.
func (q *queue) take(group []*op) (_ []*op, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	weight := weigh(group)
	n := 0
	for n < len(q.ops) && weight < groupWeight {
		o := q.ops[n]
		n++
		if o.taken.CompareAndSwap(false, true) {
			group = append(group, o)
			weight += o.weight
		}
	}
	rest := copy(q.ops, q.ops[n:])
	clear(q.ops[rest:])
	q.ops = q.ops[:rest]
	return group, q.closed
}

func weigh(group []*op) int {
	n := 0
	for _, o := range group {
		n += o.weight
	}
	return n
}

// submit queues o and waits for its end. Until the writer takes it, ctx can
// withdraw it; after that it completes.
func (s *Store) submit(ctx context.Context, o *op) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o.done = make(chan struct{})
	if !s.queue.add(o) {
		return errClosed
	}
	select {
	case <-o.done:
		return explain(o.err)
	case <-ctx.Done():
	}
	if o.taken.CompareAndSwap(false, true) {
		return ctx.Err()
	}
	<-o.done
	return explain(o.err)
}

// write runs a small operation in the writer's next transaction.
func (s *Store) write(ctx context.Context, run func(*tx) error) error {
	return s.submit(ctx, &op{run: run, weight: 1})
}

// writer owns the connection that writes and what is remembered beside it.
type writer struct {
	c      *conn
	queue  *queue
	memory memory
	log    *slog.Logger
	slow   time.Duration
	told   chan<- struct{} // see Store.told
	roomAt time.Time       // when it last looked for room on a full disk
}

// memory is what the writer knows without asking the database. Only the
// writer changes it, and only when a transaction commits.
type memory struct {
	nextSeq int64 // of the next message
	orphans int64 // receipts without an owner
	epoch   int64 // the node that may hold leases; 0 = none has joined
	streams streamTable
	pending pending // counters the tables do not have yet
	// accounts are the AppIDs there are. One that is reachable from a memory is
	// never changed, but replaced.
	accounts map[string]bool
	news     newsMemory
}

// loop runs groups until the queue is closed and empty.
func (w *writer) loop() {
	for {
		group, closed := w.queue.take(nil)
		if len(group) == 0 {
			if closed {
				return
			}
			<-w.queue.signal
			continue
		}
		if !closed {
			group = w.linger(group)
		}
		w.run(group)
	}
}

// linger waits for company while the group holds nothing but a few results.
func (w *writer) linger(group []*op) []*op {
	if !onlyResults(group) || weigh(group) >= resultCompany {
		return group
	}
	timer := time.NewTimer(resultLinger)
	defer timer.Stop()
	for onlyResults(group) && weigh(group) < resultCompany {
		select {
		case <-timer.C:
			return group
		case <-w.queue.signal:
		}
		var closed bool
		if group, closed = w.queue.take(group); closed {
			return group
		}
	}
	return group
}

func onlyResults(group []*op) bool {
	for _, o := range group {
		if o.finish == nil {
			return false
		}
	}
	return true
}

// errAlone says that one operation failed after it wrote something. Its
// group is undone and run again one by one, so that it fails alone.
type errAlone struct{ error }

func (e errAlone) Unwrap() error { return e.error }

// run executes the group and answers its operations.
func (w *writer) run(group []*op) {
	started := time.Now()
	err := w.transact(group)
	if _, alone := errors.AsType[errAlone](err); alone && len(group) > 1 {
		for i := range group {
			w.run(group[i : i+1])
		}
		return
	}
	w.makeRoom(err)
	if took := time.Since(started); took > w.slow {
		w.log.Warn("slow commit", "took", took, "operations", len(group), "rows", weigh(group))
	}
	for _, o := range group {
		if err != nil {
			o.err = err
		}
		close(o.done)
	}
}

// roomEvery is how often a full disk makes the writer look for room.
const roomEvery = time.Second

// makeRoom folds the WAL into the database after the disk was full: the pages are there
// already, and the WAL begins anew. SQLite does it by itself only after a commit.
func (w *writer) makeRoom(err error) {
	if !hongyan.IsKind(explain(err), hongyan.Full) || time.Since(w.roomAt) < roomEvery {
		return
	}
	w.roomAt = time.Now()
	ignore := func(*row) error { return nil }
	if err := w.c.query(context.Background(), ignore, "PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
		w.log.Debug("the WAL cannot be folded into the database on the full disk", "err", err)
	}
}

// transact runs the group in one transaction. An operation's own refusal is
// left in op.err; a returned error concerns all of them and nothing was written.
func (w *writer) transact(group []*op) (err error) {
	if err := w.c.command("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	t := &tx{conn: w.c, memory: w.memory, now: fault.Now().UnixMilli()}
	if err := t.runAll(group); err != nil {
		// After some errors SQLite has rolled back by itself; then this fails, rightly.
		_ = w.c.command("ROLLBACK")
		return err
	}
	pass(group, fault.AcceptBefore, fault.ResultBefore)
	if err := w.c.command("COMMIT"); err != nil {
		_ = w.c.command("ROLLBACK")
		return fmt.Errorf("commit %d operations: %w", len(group), err)
	}
	pass(group, fault.AcceptAfter, fault.ResultAfter)
	w.memory = t.memory
	if t.told {
		select {
		case w.told <- struct{}{}:
		default:
		}
	}
	return nil
}

// pass passes the fault points of what a group does.
func pass(group []*op, accept, result fault.Point) {
	if !fault.Armed() {
		return
	}
	for _, o := range group {
		if o.insert != nil || o.feeds {
			fault.At(accept)
		}
		if o.finish != nil {
			fault.At(result)
		}
	}
}

// tx is a transaction under way.
type tx struct {
	*conn
	memory // as it will be after the commit
	now    int64
	writes int // statements that changed something
	counts map[countKey]int64
	noted  []noted // what the present operation added to counts, while noting
	noting bool    // inserts and results are done; they fail all together
	usage  map[usageKey]int64
	told   bool // news were written, or who wants them changed
}

// exec counts the changes, so that runAll knows whether an operation that
// failed left something behind.
func (t *tx) exec(query string, args ...any) (int, error) {
	n, err := t.conn.exec(query, args...)
	if n > 0 {
		t.writes++
	}
	return n, err
}

// insert counts like exec.
func (t *tx) insert(query string, args ...any) (id int64, inserted bool, err error) {
	id, inserted, err = t.conn.insert(query, args...)
	if inserted {
		t.writes++
	}
	return id, inserted, err
}

// change is query for a statement that changes rows and returns them.
func (t *tx) change(each func(*row) error, query string, args ...any) error {
	return t.query(func(r *row) error {
		t.writes++
		t.rows.Add(1)
		return each(r)
	}, query, args...)
}

// query and queryOne read inside the transaction; it completes, so no context.
func (t *tx) query(each func(*row) error, query string, args ...any) error {
	return t.conn.query(context.Background(), each, query, args...)
}

func (t *tx) queryOne(each func(*row) error, query string, args ...any) (found bool, err error) {
	return t.conn.queryOne(context.Background(), each, query, args...)
}

// runAll runs every operation: inserts merged, results merged, then the others
// in their order. All of them are concurrent, so any order is right.
func (t *tx) runAll(group []*op) error {
	if err := t.insertAll(group); err != nil {
		return err
	}
	if err := t.finishAll(group); err != nil {
		return err
	}
	t.noting = true
	for _, o := range group {
		if o.run == nil {
			continue
		}
		writes, memory := t.writes, t.memory
		t.noted = t.noted[:0]
		if o.err = o.run(t); o.err == nil {
			continue
		}
		if isTrouble(o.err) {
			return o.err
		}
		if t.writes != writes {
			return errAlone{o.err}
		}
		t.memory = memory // it changed nothing: nor may what it noted
		t.unnote()
	}
	return t.flushCounters()
}
