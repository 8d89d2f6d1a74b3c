package postgres

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"hongyan"
	"hongyan/store"
)

// ended inserts n messages that have ended and are three days old, a thousand at a time,
// and as many processed events.
func ended(t testing.TB, s *Store, n int) {
	t.Helper()
	for first := 0; first < n; first += 1000 {
		var ms []store.NewMessage
		for i := first; i < min(n, first+1000); i++ {
			id := fmt.Sprintf("msg_%032d", i)
			ms = append(ms, store.NewMessage{Message: hongyan.Message{ID: id, AppID: testAppID, Kind: hongyan.KindTemplate, ToUser: fmt.Sprintf("oUser%023d", i),
				TemplateID: "tmpl-1", ClientMsgID: id, State: hongyan.Delivered, Payload: []byte(strings.Repeat("x", 300))}})
		}
		_, err := s.InsertMessages(t.Context(), ms)
		mustDo(t, err)
	}
	mustDo(t, s.write(t.Context(), func(t *tx) error {
		old := t.now - (3 * day).Milliseconds()
		if _, err := t.exec("UPDATE messages SET created_at = $1, updated_at = $1 WHERE seq > 0", old); err != nil {
			return err
		}
		_, err := t.exec(`INSERT INTO events (appid, dedupe_key, type, openid, create_time, msgid, received_at, processed_at, duplicates, body)
			SELECT $1, i::text, 'VIEW', '', $2, 0, $2, $2, 0, '' FROM generate_series(1, $3::integer) AS i`, testAppID, old, n)
		return err
	}))
}

// TestNodesRetainTogether: two nodes that retain at once share the work, and what each
// did adds up to what there was.
func TestNodesRetainTogether(t *testing.T) {
	url := newTestURL(t)
	one, two := withAccount(t, openTestStore(t, url)), openTestStore(t, url)
	const n = 2050 // some batches, and not a whole number of them
	ended(t, one, n)
	for _, c := range []struct {
		keep store.Retention
		want store.Retained
	}{
		{store.Retention{Payload: day}, store.Retained{Payloads: n}},
		{store.Retention{Messages: time.Hour, Events: time.Hour}, store.Retained{Messages: n, Events: n}},
		{store.Retention{Payload: time.Hour, Messages: time.Hour, Events: time.Hour}, store.Retained{}},
	} {
		var done [2]store.Retained
		var errs [2]error
		var both sync.WaitGroup
		for i, s := range []*Store{one, two} {
			both.Go(func() { done[i], errs[i] = s.Retain(t.Context(), c.keep) })
		}
		both.Wait()
		mustDo(t, errs[:]...)
		got := store.Retained{Payloads: done[0].Payloads + done[1].Payloads, Messages: done[0].Messages + done[1].Messages, Events: done[0].Events + done[1].Events}
		if got != c.want {
			t.Errorf("%+v: the nodes did %+v, together %+v, want %+v", c.keep, done, got, c.want)
		}
	}
	counts, err := two.Counts(t.Context())
	if mustDo(t, err); counts[testAppID][hongyan.Delivered] != 0 {
		t.Errorf("counts: got %v, want none", counts)
	}
}

// BenchmarkRetain removes the payloads of b.N messages, and then them and as many events.
func BenchmarkRetain(b *testing.B) {
	s := withAccount(b, newTestStore(b))
	ended(b, s, b.N)
	for _, c := range []struct {
		name string
		keep store.Retention
	}{{"payloads", store.Retention{Payload: day}}, {"messages", store.Retention{Messages: day}}, {"events", store.Retention{Events: day}}} {
		started := time.Now()
		done, err := s.Retain(b.Context(), c.keep)
		mustDo(b, err)
		if done.Payloads+done.Messages+done.Events != b.N {
			b.Fatalf("%s: got %+v, want %d", c.name, done, b.N)
		}
		b.ReportMetric(float64(b.N)/time.Since(started).Seconds(), c.name+"/s")
	}
}
