//go:build !windows

package sqlite

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hongyan"
	"hongyan/store"
)

const benchTarget = "wx0123456789abcdef/shop"

// benchPushes stores n events about users one by one from 64 callers and returns how
// each is done.
func benchPushes(b *testing.B, s *Store, n int, user func(i int) string) []store.EventDone {
	done := make([]store.EventDone, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				key := user(int(i))
				id, _, err := s.InsertEvent(b.Context(), hongyan.Event{AppID: "wx0123456789abcdef", DedupeKey: fmt.Sprint(i), Type: "text", OpenID: key, Body: benchPayload})
				if err != nil {
					b.Error(err)
					return
				}
				done[i] = store.EventDone{EventID: id, Deliveries: []store.NewDelivery{{Target: benchTarget, Key: key}}}
			}
		})
	}
	wg.Wait()
	return done
}

func benchFinishEvents(b *testing.B, s *Store, done []store.EventDone) {
	for len(done) > 0 {
		n := min(500, len(done))
		if err := s.FinishEvents(b.Context(), done[:n]); err != nil {
			b.Fatal(err)
		}
		done = done[n:]
	}
}

func benchUser(i int) string { return fmt.Sprintf("oUser%022d", i) }

// BenchmarkInsertEvent stores pushes one by one from 64 callers.
func BenchmarkInsertEvent(b *testing.B) {
	s := withAccount(b, newTestStore(b))
	before := cpu(b)
	b.ResetTimer()
	benchPushes(b, s, b.N, benchUser)
	reportPerMessage(b, b.N, before)
}

// BenchmarkDeliveries begins deliveries, claims them 64 at a time and finishes them,
// while 100,000 more are pending: all about one user, or each about another.
func BenchmarkDeliveries(b *testing.B) {
	for _, c := range []struct {
		name    string
		ordered bool
		user    func(i int) string
	}{
		{"ordered, hot user", true, func(int) string { return "oHot" }},
		{"ordered, many users", true, benchUser},
		{"unordered, hot user", false, func(int) string { return "oHot" }},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := withAccount(b, newTestStore(b))
			const behind = 100_000
			done := benchPushes(b, s, behind+b.N, func(i int) string {
				if i < b.N {
					return benchUser(b.N + i)
				}
				return c.user(i)
			})
			benchFinishEvents(b, s, done[b.N:])
			var begin, claim, finish time.Duration
			claims := 0
			b.ResetTimer()
			t0 := cpu(b)
			benchFinishEvents(b, s, done[:b.N])
			begin = cpu(b) - t0
			for left := b.N; left > 0; claims++ {
				t0 = cpu(b)
				all, err := s.ClaimDeliveries(b.Context(), store.DeliveryClaim{Target: benchTarget, Ordered: c.ordered, Max: 64, Lease: time.Hour})
				if err != nil || len(all) == 0 {
					b.Fatalf("claimed %d: %v", len(all), err)
				}
				claim += cpu(b) - t0
				t0 = cpu(b)
				rs := make([]store.DeliveryResult, len(all))
				for i, d := range all {
					rs[i] = store.DeliveryResult{ID: d.ID, Attempts: d.Attempts, State: hongyan.DeliveryDone, Status: 200}
				}
				if err := s.FinishDeliveries(b.Context(), rs); err != nil {
					b.Fatal(err)
				}
				finish += cpu(b) - t0
				left -= len(all)
			}
			n := float64(b.N)
			b.ReportMetric(float64(begin.Microseconds())/n, "begin-cpu-µs")
			b.ReportMetric(float64(claim.Microseconds())/n, "claim-cpu-µs")
			b.ReportMetric(float64(finish.Microseconds())/n, "finish-cpu-µs")
			b.ReportMetric(0, "ns/op")
		})
	}
}
