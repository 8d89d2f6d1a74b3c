//go:build linux

package postgres

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hongyan"
	"hongyan/store"
	"hongyan/store/postgres/postgrestest"
)

// usedCPU is processor time: ours, and that of the server's processes.
type usedCPU struct{ own, server time.Duration }

func cpu(b *testing.B) (u usedCPU) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	u.own = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	server, err := postgrestest.Start()
	mustDo(b, err)
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		content, _ := os.ReadFile(file)
		_, rest, _ := strings.Cut(string(content), ") ")
		fields := strings.Fields(rest) // from the third column on: state, ppid, …
		pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
		if len(fields) < 15 || pid != server.PID() && fields[1] != strconv.Itoa(server.PID()) {
			continue
		}
		for i, field := range fields[11:15] { // utime, stime, and those of children that ended
			if ticks, _ := strconv.ParseInt(field, 10, 64); i < 2 || pid == server.PID() {
				u.server += time.Duration(ticks) * 10 * time.Millisecond
			}
		}
	}
	return u
}

func reportPerMessage(b *testing.B, n int, before usedCPU) {
	after := cpu(b)
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "msgs/s")
	b.ReportMetric(float64((after.own-before.own).Microseconds())/float64(n), "cpu-µs/msg")
	b.ReportMetric(float64((after.server-before.server).Microseconds())/float64(n), "db-cpu-µs/msg")
}

// BenchmarkInsertSingle inserts messages one by one from many callers.
func BenchmarkInsertSingle(b *testing.B) {
	for _, callers := range []int{16, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := withAccount(b, newTestStore(b))
			ms := testMessages(b.N, 0)
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
		batches[i] = testMessages(500, 0)
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

// BenchmarkClaimFinish claims 256 messages and settles them as accepted. One op is that.
func BenchmarkClaimFinish(b *testing.B) {
	s := withAccount(b, newTestStore(b))
	epoch, err := s.Join(b.Context(), "bench", time.Minute)
	mustDo(b, err)
	for range (b.N*256 + 999) / 1000 {
		_, err := s.InsertMessages(b.Context(), testMessages(1000, 0))
		mustDo(b, err)
	}
	wants := []store.Want{{AppID: testAppID, Kind: hongyan.KindTemplate, Max: 256}}
	before := cpu(b)
	b.ResetTimer()
	for range b.N {
		ms, err := s.Claim(b.Context(), epoch, wants)
		if err != nil || len(ms) != 256 {
			b.Fatalf("claimed %d: %v", len(ms), err)
		}
		_, err = s.FinishAttempts(b.Context(), testResults(ms, s.Now()))
		mustDo(b, err)
	}
	reportPerMessage(b, 256*b.N, before)
}

// BenchmarkFinishSingle settles messages one by one, as many as are in flight at once.
func BenchmarkFinishSingle(b *testing.B) {
	s := withAccount(b, newTestStore(b))
	epoch, err := s.Join(b.Context(), "bench", time.Minute)
	mustDo(b, err)
	var rs []store.Result
	for left := b.N; left > 0; left -= 1000 {
		out, err := s.InsertMessages(b.Context(), testMessages(min(left, 1000), epoch))
		mustDo(b, err)
		ms := make([]hongyan.Message, len(out))
		for i := range out {
			ms[i] = out[i].Message
		}
		rs = append(rs, testResults(ms, s.Now())...)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	before := cpu(b)
	b.ResetTimer()
	for range 256 {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				if _, err := s.FinishAttempts(b.Context(), rs[i:i+1]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	reportPerMessage(b, b.N, before)
}
