package callback_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hongyan"
	"hongyan/wechat"
)

// BenchmarkHandOn is the day's worst ten seconds: 10,000 pushes at 1,000 a second
// from 500 users, every twentieth pushed twice, with two downstreams that take 300 ms
// for each, one of them in order per user. It states how long WeChat waited for its
// answer, and fails when a push is lost, has two rows or is out of order. Run it with
//
//	go test ./callback -run '^$' -bench HandOn -benchtime 1x
func BenchmarkHandOn(b *testing.B) {
	const (
		pushes, perSecond, users = 10_000, 1_000, 500
		slow                     = 300 * time.Millisecond
	)
	for b.Loop() {
		ordered, free := newSlow(b, slow), newSlow(b, slow)
		g := newGateway(b, hongyan.Callback{Token: "SpecToken2026"},
			hongyan.Downstream{Name: "ordered", URL: ordered.url, Ordered: true}, hongyan.Downstream{Name: "free", URL: free.url})
		took := pushAll(b, g, pushes, perSecond, users)
		begun := time.Now()
		drain(b, g, pushes)
		report(b, took, time.Since(begun))
		stored := storedOrder(b, g, pushes)
		ordered.check(b, "ordered", stored, true)
		free.check(b, "free", stored, false)
	}
}

// slowServer takes its time for each push and remembers whose came when.
type slowServer struct {
	url string

	mu   sync.Mutex
	seen map[string][]int64 // MsgIds by openid
}

func newSlow(b *testing.B, d time.Duration) *slowServer {
	s := &slowServer{seen: map[string][]int64{}}
	events := make(chan wechat.Event, 64)
	go func() {
		for e := range events {
			s.mu.Lock()
			s.seen[e.FromUserName] = append(s.seen[e.FromUserName], e.MessageID)
			s.mu.Unlock()
		}
	}()
	s.url = handler(b, wechat.ModePlain, "SpecToken2026", "", events, func(wechat.Push) string { time.Sleep(d); return "success" }).URL
	return s
}

// check wants every push once, and in the order they are stored if so asked.
func (s *slowServer) check(b *testing.B, name string, stored map[string][]int64, ordered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for openID, want := range stored {
		got := s.seen[openID]
		if !ordered {
			got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
		}
		if !slices.Equal(got, want) {
			b.Errorf("%s got the pushes of %s as %v, want %v", name, openID, got, want)
		}
	}
}

// pushAll pushes at a steady pace, whether or not answers come, and returns how long each took.
func pushAll(b *testing.B, g *gateway, pushes, perSecond, users int) []time.Duration {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	defer client.CloseIdleConnections()
	timestamp, nonce := "1790000000", "7"
	query := url.Values{"timestamp": {timestamp}, "nonce": {nonce}, "signature": {wechat.Signature("SpecToken2026", timestamp, nonce)}}.Encode()
	var mu sync.Mutex
	var took []time.Duration
	var wrong atomic.Int64
	push := func(body string) {
		begun := time.Now()
		resp, err := client.Post(g.url+"?"+query, "text/xml", strings.NewReader(body))
		if err != nil {
			wrong.Add(1)
			return
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			wrong.Add(1)
		}
		mu.Lock()
		defer mu.Unlock()
		took = append(took, time.Since(begun))
	}
	var under sync.WaitGroup
	begun := time.Now()
	for n := range pushes {
		time.Sleep(time.Until(begun.Add(time.Duration(n) * time.Second / time.Duration(perSecond))))
		body := text(fmt.Sprintf("oUser%023d", n%users), n)
		under.Go(func() { push(body) })
		if n%20 == 0 {
			under.Go(func() { push(body) })
		}
	}
	under.Wait()
	if n := wrong.Load(); n > 0 {
		b.Errorf("%d pushes were not answered 200", n)
	}
	b.ReportMetric(float64(pushes)/time.Since(begun).Seconds(), "pushes/s")
	return took
}

// drain waits until both downstreams have taken everything, or nothing moves any more.
func drain(b *testing.B, g *gateway, pushes int) {
	for moved, before := time.Now(), int64(0); ; time.Sleep(100 * time.Millisecond) {
		counts, err := g.store.DeliveryCounts(b.Context(), appID)
		if err != nil {
			b.Fatal(err)
		}
		done := int64(0)
		for _, n := range counts {
			done += n.Done
		}
		if done > before {
			moved, before = time.Now(), done
		}
		if done >= 2*int64(pushes) {
			return
		}
		if time.Since(moved) > time.Minute {
			b.Fatalf("%d of %d deliveries have ended, and nothing moves: %+v", done, 2*pushes, counts)
		}
	}
}

func report(b *testing.B, took []time.Duration, drained time.Duration) {
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
	b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
	b.ReportMetric(ms(took[len(took)-1]), "max-ms")
	b.ReportMetric(drained.Seconds(), "drain-s")
	b.ReportMetric(0, "ns/op")
}

// storedOrder returns the MsgIds of each user's pushes as they were stored, and wants
// one row for each push.
func storedOrder(b *testing.B, g *gateway, pushes int) map[string][]int64 {
	order, rows, duplicates := map[string][]int64{}, 0, 0
	for before := int64(0); ; {
		events, err := g.store.Events(b.Context(), appID, before, 1000) // newest first
		if err != nil {
			b.Fatal(err)
		}
		if len(events) == 0 {
			break
		}
		for _, e := range events {
			parsed, err := wechat.ParseEvent(e.Body)
			if err != nil {
				b.Fatal(err)
			}
			order[e.OpenID] = append([]int64{parsed.MessageID}, order[e.OpenID]...)
			rows, duplicates, before = rows+1, duplicates+e.Duplicates, e.ID
		}
	}
	if rows != pushes || duplicates != pushes/20 {
		b.Errorf("%d rows with %d duplicates, want %d with %d", rows, duplicates, pushes, pushes/20)
	}
	return order
}
