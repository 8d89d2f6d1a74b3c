package dispatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hongyan"
	"hongyan/store"
	"hongyan/store/postgres"
	"hongyan/store/postgres/postgrestest"
)

// killable is the store as one node sees it: once killed, nothing it asks for is done.
type killable struct {
	store.Store
	dead atomic.Bool
}

var errDead = errors.New("killed")

func (k *killable) do(f func() error) error {
	if k.dead.Load() {
		return errDead
	}
	return f()
}

func (k *killable) Claim(ctx context.Context, epoch int64, wants []store.Want) (ms []hongyan.Message, err error) {
	err = k.do(func() (err error) { ms, err = k.Store.Claim(ctx, epoch, wants); return err })
	return ms, err
}

func (k *killable) FinishAttempts(ctx context.Context, rs []store.Result) (done []store.Settled, err error) {
	err = k.do(func() (err error) { done, err = k.Store.FinishAttempts(ctx, rs); return err })
	return done, err
}

func (k *killable) Return(ctx context.Context, fences []store.Fence) error {
	return k.do(func() error { return k.Store.Return(ctx, fences) })
}

func (k *killable) Renew(ctx context.Context, epoch int64, lease time.Duration) error {
	return k.do(func() error { return k.Store.Renew(ctx, epoch, lease) })
}

func (k *killable) Leave(ctx context.Context, epoch int64) error {
	return k.do(func() error { return k.Store.Leave(ctx, epoch) })
}

func (k *killable) ReserveUsage(ctx context.Context, epoch int64, u store.UsageDelta, limit int64) (n int64, err error) {
	err = k.do(func() (err error) { n, err = k.Store.ReserveUsage(ctx, epoch, u, limit); return err })
	return n, err
}

func (k *killable) TakeRate(ctx context.Context, appID string, perSecond float64, burst, want int) (n int, next time.Time, err error) {
	err = k.do(func() (err error) { n, next, err = k.Store.TakeRate(ctx, appID, perSecond, burst, want); return err })
	return n, next, err
}

// timedCalls is WeChat that takes everything and remembers when.
type timedCalls struct {
	answering
	mu sync.Mutex
	at []time.Time
}

func (c *timedCalls) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == sendPath {
		c.mu.Lock()
		c.at = append(c.at, time.Now())
		c.mu.Unlock()
	}
	return c.answering.RoundTrip(r)
}

func (c *timedCalls) times() []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.at)
}

// cluster is engines that share a PostgreSQL database, in real time.
type cluster struct {
	*testing.T
	url    string
	wechat *timedCalls
	halts  []context.CancelFunc
	ended  sync.WaitGroup
}

type clusterNode struct {
	*Engine
	store *killable
	halt  context.CancelFunc
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	url := postgrestest.URL(t)
	if _, _, err := postgres.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	c := &cluster{T: t, url: url, wechat: &timedCalls{answering: answering{
		answer: map[string]string{sendPath: taken, probePath: `{"ip_list":[]}`}, delay: 5 * time.Millisecond, calls: map[string]int{}}}}
	t.Cleanup(func() {
		for _, halt := range c.halts {
			halt()
		}
		c.ended.Wait()
	})
	return c
}

// join starts a node. Watch reaches its engine as in package server.
func (c *cluster) join(name string) *clusterNode {
	c.Helper()
	keyring, err := store.NewKeyring(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		c.Fatal(err)
	}
	s, err := postgres.Open(c.Context(), postgres.Options{URL: c.url, Keyring: keyring})
	if err != nil {
		c.Fatal(err)
	}
	n := &clusterNode{store: &killable{Store: s}}
	n.Engine = New(Config{Store: n.store, Tokens: &oneToken{}, HTTPClient: &http.Client{Transport: c.wechat}, NodeName: name, Lease: 2 * time.Second, StopGrace: time.Second})
	ctx, halt := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { _ = s.Watch(ctx, n.Noticed) })
	c.ended.Go(func() {
		if err := n.Run(ctx); err != nil && !errors.Is(err, errDead) {
			c.Errorf("%s: %v", name, err)
		}
		watching.Wait()
		_ = s.Close()
	})
	n.halt = halt
	c.halts = append(c.halts, halt)
	return n
}

// kill ends a node as kill -9 does: its calls under way have been made, and nothing is told.
func (n *clusterNode) kill() {
	n.store.dead.Store(true)
	n.halt()
}

// until waits for something that must come.
func (c *cluster) until(what string, is func() bool) {
	c.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			c.Fatalf("not within 30 s: %s", what)
		}
	}
}

// TestThreeNodesKeepOneRateAndOneQuota, while one of them is killed and another
// joins: no span of time sees more calls than the rate allows, the day's limit is
// never passed, and at least 95 % of it is used.
func TestThreeNodesKeepOneRateAndOneQuota(t *testing.T) {
	const rate, limit = 300, 1500
	c := newCluster(t)
	first := c.join("a")
	err := first.store.CreateAccount(t.Context(), hongyan.Account{AppID: serviceID, Kind: hongyan.ServiceAccount, RatePerSecond: rate,
		Quotas: []hongyan.QuotaRule{{Scope: "account", Period: "day", Limit: limit}}})
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	fillStore(t, first.store, 3*limit)
	first.Noticed(store.Notice{Kind: store.NoticeMessages, AppID: serviceID})
	second, third := c.join("b"), c.join("c")
	c.until("a third of the calls", func() bool { return len(c.wechat.times()) > limit/3 })
	second.kill()
	c.join("d")
	c.until("nearly all the limit", func() bool { return len(c.wechat.times()) >= limit*95/100 })
	took := time.Since(begun)
	time.Sleep(4 * time.Second) // twice the lease: what the dead node held has come back
	times := c.wechat.times()
	t.Logf("%d calls of %d; 95 %% after %v", len(times), limit, took)
	if len(times) > limit {
		t.Errorf("%d calls, limit %d", len(times), limit)
	}
	most := mostIn(times, time.Second)
	t.Logf("at most %d calls in one second at a rate of %d", most, rate)
	for _, span := range []time.Duration{100 * time.Millisecond, time.Second, 3 * time.Second} {
		if n, allowed := mostIn(times, span), rate*(span.Seconds()+3); float64(n) > allowed {
			t.Errorf("%d calls within %v, want at most %v", n, span, allowed)
		}
	}
	usage, err := third.store.Usage(t.Context(), serviceID)
	if err != nil || len(usage) == 0 || usage[0].Used > limit {
		t.Errorf("used: %+v, %v; limit %d", usage, err, limit)
	}
}

// mostIn returns the largest number of calls within any span of that length.
func mostIn(times []time.Time, span time.Duration) int {
	slices.SortFunc(times, time.Time.Compare)
	most, from := 0, 0
	for i := range times {
		for times[i].Sub(times[from]) >= span {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// TestAPauseReachesEveryNodeAtOnce, and so does a resume.
func TestAPauseReachesEveryNodeAtOnce(t *testing.T) {
	c := newCluster(t)
	first := c.join("a")
	err := first.store.CreateAccount(t.Context(), hongyan.Account{AppID: serviceID, Kind: hongyan.ServiceAccount, RatePerSecond: 200})
	if err != nil {
		t.Fatal(err)
	}
	second := c.join("b")
	fillStore(t, first.store, 4000)
	first.Noticed(store.Notice{Kind: store.NoticeMessages, AppID: serviceID})
	c.until("the first calls", func() bool { return len(c.wechat.times()) > 50 })
	if err := second.Pause(t.Context(), serviceID); err != nil {
		t.Fatal(err)
	}
	paused := time.Now()
	time.Sleep(time.Second)
	before := c.wechat.times()
	if late := before[len(before)-1].Sub(paused); late > 300*time.Millisecond {
		t.Errorf("a call %v after the pause", late)
	}
	if err := first.Resume(t.Context(), serviceID); err != nil {
		t.Fatal(err)
	}
	resumed := time.Now()
	c.until("calls after the resume", func() bool { return len(c.wechat.times()) > len(before)+20 })
	t.Logf("last call %v after the pause, the next %v after the resume", before[len(before)-1].Sub(paused), c.wechat.times()[len(before)].Sub(resumed))
}

func TestMain(m *testing.M) {
	if _, err := postgrestest.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(m.Run())
}
