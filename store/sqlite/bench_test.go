//go:build !windows

package sqlite

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hongyan"
	"hongyan/store"
)

func reportPerMessage(b *testing.B, n int, cpuBefore time.Duration) {
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "msgs/s")
	b.ReportMetric(float64((cpu(b)-cpuBefore).Microseconds())/float64(n), "cpu-µs/msg")
}

// BenchmarkInsertSingle inserts messages one by one from 64 callers.
func BenchmarkInsertSingle(b *testing.B) {
	for _, callers := range []int{16, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := withAccount(b, newTestStore(b))
			ms := benchMessages(b.N, 0)
			var next atomic.Int64
			var wg sync.WaitGroup
			before := cpu(b)
			b.ResetTimer()
			for range callers {
				wg.Go(func() {
					for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
						if _, err := s.InsertMessages(b.Context(), ms[i:i+1]); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			reportPerMessage(b, b.N, before)
		})
	}
}

// BenchmarkInsertBatch inserts batches of 500 from 4 callers. One op is a batch.
func BenchmarkInsertBatch(b *testing.B) {
	s := withAccount(b, newTestStore(b))
	batches := make([][]store.NewMessage, b.N)
	for i := range batches {
		batches[i] = benchMessages(500, 0)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	before := cpu(b)
	b.ResetTimer()
	for range 4 {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				if _, err := s.InsertMessages(b.Context(), batches[i]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	reportPerMessage(b, 500*b.N, before)
}

// BenchmarkClaimFinish claims 256 messages and settles them as accepted.
func BenchmarkClaimFinish(b *testing.B) {
	s := withAccount(b, newTestStore(b))
	ctx := b.Context()
	epoch, err := s.Join(ctx, "bench", time.Minute)
	if err != nil {
		b.Fatal(err)
	}
	for range (b.N*256 + 999) / 1000 {
		if _, err := s.InsertMessages(ctx, benchMessages(1000, 0)); err != nil {
			b.Fatal(err)
		}
	}
	var claiming, finishing time.Duration
	wants := []store.Want{{AppID: "wx0123456789abcdef", Kind: hongyan.KindTemplate, Max: 256}}
	b.ResetTimer()
	for range b.N {
		t0 := cpu(b)
		ms, err := s.Claim(ctx, epoch, wants)
		if err != nil || len(ms) != 256 {
			b.Fatalf("claimed %d: %v", len(ms), err)
		}
		t1 := cpu(b)
		if _, err := s.FinishAttempts(ctx, benchResults(ms)); err != nil {
			b.Fatal(err)
		}
		claiming += t1 - t0
		finishing += cpu(b) - t1
	}
	n := float64(256 * b.N)
	b.ReportMetric(float64(claiming.Microseconds())/n, "claim-cpu-µs/msg")
	b.ReportMetric(float64(finishing.Microseconds())/n, "finish-cpu-µs/msg")
}

// cpu returns the processor time of this process. On a machine shared with
// others it says more than the wall clock.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
