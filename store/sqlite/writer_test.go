package sqlite

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/store"
)

// hog keeps the writer busy until release is called.
func hog(t *testing.T, s *Store) (release func()) {
	t.Helper()
	started, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.write(context.Background(), func(*tx) error {
			close(started)
			<-free
			return nil
		})
	}()
	<-started
	return func() {
		t.Helper()
		close(free)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestContextWithdrawsWaitingOperation: what waits can be withdrawn, and then never happens.
func TestContextWithdrawsWaitingOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withAccount(t, newTestStore(t))
		release := hog(t, s)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		ms := benchMessages(1, 0)
		if _, err := s.InsertMessages(ctx, ms); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("insert: got %v, want the deadline", err)
		}
		release()
		if _, err := s.Message(t.Context(), ms[0].Message.ID); !hongyan.IsKind(err, hongyan.NotFound) {
			t.Errorf("message: got %v, want not found", err)
		}
	})
}

// TestTakenOperationCompletes: inside a transaction an operation completes,
// whatever becomes of its context.
func TestTakenOperationCompletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestStore(t)
		ctx, cancel := context.WithCancel(context.Background())
		started, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			done <- s.write(ctx, func(tx *tx) error {
				close(started)
				<-free
				return tx.setMeta("test", []byte("x"))
			})
		}()
		<-started
		cancel()
		synctest.Wait()
		close(free)
		if err := <-done; err != nil {
			t.Errorf("got %v, want success", err)
		}
	})
}

// TestGroupFailsOneByOne: of operations in one transaction, the one that fails
// after it wrote something fails alone.
func TestGroupFailsOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestStore(t)
		release := hog(t, s)
		errBad := errors.New("bad")
		errs := make([]error, 5)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				errs[i] = s.write(context.Background(), func(tx *tx) error {
					err := tx.setMeta(string(rune('a'+i)), []byte("x"))
					if i == 2 {
						err = errBad
					}
					return err
				})
			})
		}
		synctest.Wait()
		release()
		wg.Wait()
		for i, err := range errs {
			if want := i == 2; errors.Is(err, errBad) != want || (err != nil) != want {
				t.Errorf("operation %d: got %v", i, err)
			}
		}
		n := 0
		err := s.read(t.Context(), func(c *conn) error {
			_, err := c.queryOne(t.Context(), func(r *row) error { n = r.int(); return nil }, "SELECT count(*) FROM meta WHERE length(name) = 1")
			return err
		})
		if err != nil || n != 4 {
			t.Errorf("rows: got %d, %v, want 4", n, err)
		}
	})
}

// TestFullDisk: nothing of a transaction that does not fit is kept, the error
// says so, and the store recovers by itself.
func TestFullDisk(t *testing.T) {
	s := withAccount(t, newTestStore(t))
	ctx := t.Context()
	limit := func(pages string) {
		t.Helper()
		// PRAGMA inside the writer's transaction is allowed for this one.
		err := s.write(ctx, func(tx *tx) error {
			return tx.query(func(*row) error { return nil }, "PRAGMA max_page_count = "+pages)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	limit("160")
	stored := 0
	var err error
	for err == nil && stored < 10_000 {
		if _, err = s.InsertMessages(ctx, benchMessages(20, 0)); err == nil {
			stored += 20
		}
	}
	if !hongyan.IsKind(err, hongyan.Full) || stored == 0 {
		t.Fatalf("after %d messages: got %v, want a full disk", stored, err)
	}
	if _, err := s.InsertMessages(ctx, benchMessages(200, 0)); !hongyan.IsKind(err, hongyan.Full) {
		t.Errorf("again: got %v, want a full disk", err)
	}
	limit("1000000")
	if err := s.Ready(ctx); err != nil {
		t.Errorf("ready after space was freed: %v", err)
	}
	if _, err := s.InsertMessages(ctx, benchMessages(20, 0)); err != nil {
		t.Errorf("insert after space was freed: %v", err)
	}
	counts, err := s.Counts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := counts["wx0123456789abcdef"][hongyan.Queued]; got != int64(stored+20) {
		t.Errorf("counted: got %d, want %d", got, stored+20)
	}
	var rows int64
	err = s.read(ctx, func(c *conn) error {
		_, err := c.queryOne(ctx, func(r *row) error { rows = r.int64(); return nil }, "SELECT count(*) FROM messages")
		return err
	})
	if err != nil || rows != int64(stored+20) {
		t.Errorf("rows: got %d, %v, want %d", rows, err, stored+20)
	}
}

// TestResultsLinger: results wait a moment for company, other writes do not.
func TestResultsLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withAccount(t, newTestStore(t))
		ctx := t.Context()
		epoch, err := s.Join(ctx, "node", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		out, err := s.InsertMessages(ctx, benchMessages(3, epoch))
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("insert waited %v, want no wait", got)
		}
		finish := func(i int) {
			if _, err := s.FinishAttempts(ctx, benchResults([]hongyan.Message{out[i].Message})); err != nil {
				t.Error(err)
			}
		}
		finish(0)
		if got := time.Since(start); got != resultLinger {
			t.Errorf("a lone result waited %v, want %v", got, resultLinger)
		}
		start = time.Now()
		var wg sync.WaitGroup
		wg.Go(func() { finish(1) })
		synctest.Wait()
		if err := s.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if got := time.Since(start); got != 0 {
			t.Errorf("a result in company waited %v, want no wait", got)
		}
	})
}

// TestCloseEndsOperationsUnderWay: Close waits for what was queued before it.
func TestCloseEndsOperationsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withAccount(t, newTestStore(t))
		release := hog(t, s)
		inserted := make(chan error, 1)
		go func() {
			_, err := s.InsertMessages(context.Background(), benchMessages(1, 0))
			inserted <- err
		}()
		synctest.Wait()
		closed := make(chan error, 1)
		go func() { closed <- s.Close() }()
		synctest.Wait()
		if err := s.Ready(t.Context()); !hongyan.IsKind(err, hongyan.Unavailable) {
			t.Errorf("after Close: got %v, want unavailable", err)
		}
		release()
		if err := errors.Join(<-inserted, <-closed); err != nil {
			t.Error(err)
		}
	})
}

// TestArgumentsAreCounted: the driver would take too many without a word.
func TestArgumentsAreCounted(t *testing.T) {
	s := newTestStore(t)
	for _, args := range [][]any{{}, {1, 2}} {
		err := s.read(t.Context(), func(c *conn) error {
			return c.query(t.Context(), func(*row) error { return nil }, "SELECT ?", args...)
		})
		if err == nil {
			t.Errorf("%d arguments for one placeholder were taken", len(args))
		}
	}
}

// TestPlainAndFullInsertsAgree: the short way of writing a row makes the same row.
func TestPlainAndFullInsertsAgree(t *testing.T) {
	s := withAccount(t, newTestStore(t))
	ctx := t.Context()
	epoch, err := s.Join(ctx, "node", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []int64{0, epoch} {
		ms := benchMessages(2*plainChunk+1, e)
		for i := range ms {
			ms[i].Message.Priority = hongyan.Priority(i % 2)
		}
		plain, err := s.InsertMessages(ctx, ms)
		if err != nil {
			t.Fatal(err)
		}
		checkStored(t, s, plain)
		for i := range ms {
			ms[i].Message.ID = hongyan.NewMessageID() // no longer its client_msg_id: not plain
		}
		full, err := s.InsertMessages(ctx, ms)
		if err != nil {
			t.Fatal(err)
		}
		checkStored(t, s, full)
	}
}

func checkStored(t *testing.T, s *Store, out []store.Inserted) {
	t.Helper()
	for _, o := range out {
		got, err := s.Message(t.Context(), o.Message.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.Epoch != o.Message.Epoch || got.State != o.Message.State || got.ClientMsgID != o.Message.ClientMsgID ||
			!got.CreatedAt.Equal(o.Message.CreatedAt) || string(got.Payload) != string(o.Message.Payload) || got.Priority != o.Message.Priority {
			t.Errorf("got %+v, want %+v", got, o.Message)
		}
	}
}

// TestShortAndFullResultsAgree: the short way of settling what nearly every call
// comes to makes the same row as the long one.
func TestShortAndFullResultsAgree(t *testing.T) {
	s := withAccount(t, newTestStore(t))
	ctx := t.Context()
	epoch, err := s.Join(ctx, "node", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.InsertMessages(ctx, benchMessages(2, epoch))
	if err != nil {
		t.Fatal(err)
	}
	rs := benchResults([]hongyan.Message{out[0].Message, out[1].Message})
	rs[1].Attempts[0].RID = "rid" // the one thing that is unusual
	if !usual(&rs[0]) || usual(&rs[1]) {
		t.Fatalf("usual: got %v and %v, want true and false", usual(&rs[0]), usual(&rs[1]))
	}
	if _, err := s.FinishAttempts(ctx, rs); err != nil {
		t.Fatal(err)
	}
	var rows [2]hongyan.Message
	for i := range rows {
		if rows[i], err = s.Message(ctx, out[i].Message.ID); err != nil {
			t.Fatal(err)
		}
	}
	want := rows[1]
	want.Seq, want.ID, want.ClientMsgID, want.ToUser = rows[0].Seq, rows[0].ID, rows[0].ClientMsgID, rows[0].ToUser
	want.MsgID, want.Last.MsgID, want.Last.RID = rs[0].MsgID, rs[0].MsgID, ""
	if diff := cmp.Diff(want, rows[0]); diff != "" {
		t.Errorf("rows, but for the rid (-full +short):\n%s", diff)
	}
}

// TestAnInsertIsAnsweredThoughItsHoldsCannotBeRead: the rows are stored by then.
func TestAnInsertIsAnsweredThoughItsHoldsCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withAccount(t, newTestStore(t))
		ms := benchMessages(1, 0)
		ms[0].IdempotencyKey = "k"
		if _, err := s.InsertMessages(t.Context(), ms); err != nil {
			t.Fatal(err)
		}
		for range readers { // every reading connection is busy
			c := <-s.pool
			defer func() { s.pool <- c }()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		out, err := s.InsertMessages(ctx, append(ms, benchMessages(1, 0)...))
		if err != nil || out[0].Outcome != store.InsertedReplay || out[1].Outcome != store.InsertedNew {
			t.Errorf("got %d answers, %v; want the replay and the new row", len(out), err)
		}
	})
}

// TestAnOperationThatFailsCountsNothing: the commit it shares would write the
// counters of what it meant to do.
func TestAnOperationThatFailsCountsNothing(t *testing.T) {
	s := withAccount(t, newTestStore(t))
	ctx := t.Context()
	epoch, err := s.Join(ctx, "node", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	ms := benchMessages(1, 0)
	ms[0].Message.ExpiresAt = time.Now().Add(-time.Second)
	out, err := s.InsertMessages(ctx, ms)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.write(ctx, func(t *tx) error {
		_, err := t.exec("CREATE TRIGGER no_change BEFORE UPDATE ON messages BEGIN SELECT RAISE(ABORT, 'refused'); END")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	m := out[0].Message
	for name, change := range map[string]func() error{
		"cancel": func() error { _, err := s.Cancel(ctx, m.ID); return err },
		"claim":  func() error { _, err := s.ClaimOne(ctx, epoch, m.ID); return err },
		"expire": func() error { _, err := s.Expire(ctx, 10); return err },
		"receipt": func() error {
			return s.write(ctx, func(t *tx) error { _, err := t.receive(&m, hongyan.Receipt{Status: "success"}); return err })
		},
	} {
		if change() == nil {
			t.Fatalf("%s: the trigger was asleep", name)
		}
		counts, err := s.Counts(ctx)
		if err != nil || counts[m.AppID][hongyan.Queued] != 1 || m.State != hongyan.Queued {
			t.Errorf("%s: counts %v, message %s, %v; want one queued", name, counts, m.State, err)
		}
	}
}
