package sqlite

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"hongyan"
	"hongyan/store"
)

// ended inserts n messages that have ended, a thousand at a time.
func ended(t testing.TB, s *Store, n int, state hongyan.State) {
	t.Helper()
	for first := 0; first < n; first += 1000 {
		ms := make([]store.NewMessage, 0, 1000)
		for i := first; i < min(n, first+1000); i++ {
			id := fmt.Sprintf("msg_%032d", i)
			ms = append(ms, store.NewMessage{Message: hongyan.Message{ID: id, AppID: oldAppID, Kind: hongyan.KindTemplate, ToUser: fmt.Sprintf("oUser%023d", i),
				TemplateID: "tmpl-1", ClientMsgID: id, State: state, Payload: []byte(strings.Repeat("x", 300))}})
		}
		if _, err := s.InsertMessages(context.Background(), ms); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFinishedRowsLeaveTheHotIndexes: what claims, leases, expiry and the lists of
// rare states read does not grow with what has been sent.
func TestFinishedRowsLeaveTheHotIndexes(t *testing.T) {
	s := withAccount(t, newTestStore(t))
	epoch, err := s.Join(t.Context(), "node", time.Minute)
	mustDo(t, err)
	const n = 3000
	ended(t, s, n, hongyan.Queued)
	full := indexPages(t, s)
	for left := n; left > 0; {
		got, err := s.Claim(t.Context(), epoch, []store.Want{{AppID: oldAppID, Kind: hongyan.KindTemplate, Max: 500}})
		mustDo(t, err)
		results := make([]store.Result, len(got))
		for i, m := range got {
			now := s.Now()
			results[i] = store.Result{Fence: store.Fence{Seq: m.Seq, Epoch: epoch, Attempts: m.Attempts}, AppID: oldAppID, State: hongyan.Accepted, MsgID: m.Seq, AcceptedAt: now,
				Attempts: []hongyan.Attempt{{N: 1, StartedAt: now, EndedAt: now, Outcome: hongyan.Answered, Errmsg: "ok", MsgID: m.Seq}}}
		}
		_, err = s.FinishAttempts(t.Context(), results)
		mustDo(t, err)
		if left -= len(got); len(got) == 0 {
			t.Fatalf("%d are never claimed", left)
		}
	}
	empty := indexPages(t, s)
	hot := []string{"messages_queue", "messages_leased", "messages_expiry", "messages_rare", "messages_doubt"}
	for _, name := range hot {
		if empty[name] > 1 {
			t.Errorf("%s has %d pages after all were sent, %d while they waited; want the root alone", name, empty[name], full[name])
		}
	}
	if full["messages_queue"] < 10 {
		t.Errorf("the queue's index had %d pages while %d waited: this test measures nothing", full["messages_queue"], n)
	}
}

// indexPages counts the pages of every table and index.
func indexPages(t *testing.T, s *Store) map[string]int64 {
	t.Helper()
	pages := map[string]int64{}
	mustDo(t, s.read(t.Context(), func(c *conn) error {
		return c.query(t.Context(), func(r *row) error {
			pages[r.text()] = r.int64()
			return nil
		}, "SELECT name, count(*) FROM dbstat GROUP BY name")
	}))
	return pages
}

// BenchmarkRetain removes the payloads of b.N messages, and then the messages, and
// tells how long others' commits take meanwhile.
func BenchmarkRetain(b *testing.B) {
	s := withAccount(b, newTestStore(b))
	ended(b, s, b.N, hongyan.Delivered)
	time.Sleep(2 * time.Millisecond) // older than the millisecond that is kept
	for _, c := range []struct {
		name string
		keep store.Retention
	}{{"payloads", store.Retention{Payload: time.Millisecond}}, {"messages", store.Retention{Messages: time.Millisecond}}} {
		if c.keep.Messages > 0 { // as if it were 48 hours later
			if err := s.write(b.Context(), func(t *tx) error {
				_, err := t.exec("UPDATE messages SET created_at = created_at - 172800001, updated_at = updated_at - 172800001 WHERE seq > 0")
				return err
			}); err != nil {
				b.Fatal(err)
			}
		}
		ctx, stop := context.WithCancel(b.Context())
		worst := make(chan time.Duration)
		go func() { worst <- slowestCommit(ctx, s) }()
		started := time.Now()
		done, err := s.Retain(b.Context(), c.keep)
		took := time.Since(started)
		stop()
		if err != nil || done.Payloads+done.Messages != b.N {
			b.Fatalf("%s: got %+v, %v, want %d", c.name, done, err, b.N)
		}
		b.ReportMetric(float64(b.N)/took.Seconds(), c.name+"/s")
		b.ReportMetric(float64((<-worst).Milliseconds()), c.name+"-slowest-commit-ms")
	}
}

// slowestCommit writes all the time and returns how long the slowest write took.
func slowestCommit(ctx context.Context, s *Store) (worst time.Duration) {
	for ctx.Err() == nil {
		started := time.Now()
		if err := s.Ready(context.WithoutCancel(ctx)); err != nil {
			return -1
		}
		worst = max(worst, time.Since(started))
	}
	return worst
}
