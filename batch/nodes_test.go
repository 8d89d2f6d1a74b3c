package batch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hongyan"
	"hongyan/batch"
	"hongyan/dispatch"
	"hongyan/sandbox"
	"hongyan/server"
	"hongyan/store"
	"hongyan/store/postgres"
	"hongyan/store/postgres/postgrestest"
	"hongyan/wechat"
)

// sharedWeChat answers every node after a moment, and remembers who was sent what.
type sharedWeChat struct {
	constant
	mu   sync.Mutex
	sent map[string]map[string]bool // client_msg_ids, by user
}

func (c *sharedWeChat) RoundTrip(r *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var m wechat.TemplateMessage
	if json.Unmarshal(raw, &m) == nil && m.ToUser != "" {
		c.mu.Lock()
		if c.sent[m.ToUser] == nil {
			c.sent[m.ToUser] = make(map[string]bool)
		}
		c.sent[m.ToUser][m.ClientMsgID] = true
		c.mu.Unlock()
	}
	time.Sleep(20 * time.Millisecond)
	r.Body = http.NoBody
	return c.constant.RoundTrip(r)
}

func (c *sharedWeChat) users() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sent)
}

// mortal is the store as one node sees it: once dead, nothing it asks for is done.
type mortal struct {
	store.Store
	dead atomic.Bool
}

func (m *mortal) do(f func() error) error {
	if m.dead.Load() {
		return errKilled
	}
	return f()
}

func (m *mortal) Feed(ctx context.Context, f store.Feed) (ins []store.Inserted, err error) {
	err = m.do(func() error { ins, err = m.Store.Feed(ctx, f); return err })
	return ins, err
}

func (m *mortal) FinishAttempts(ctx context.Context, rs []store.Result) (done []store.Settled, err error) {
	err = m.do(func() error { done, err = m.Store.FinishAttempts(ctx, rs); return err })
	return done, err
}

func (m *mortal) Return(ctx context.Context, fences []store.Fence) error {
	return m.do(func() error { return m.Store.Return(ctx, fences) })
}

func (m *mortal) Renew(ctx context.Context, epoch int64, lease time.Duration) error {
	return m.do(func() error { return m.Store.Renew(ctx, epoch, lease) })
}

func (m *mortal) Leave(ctx context.Context, epoch int64) error {
	return m.do(func() error { return m.Store.Leave(ctx, epoch) })
}

func (m *mortal) Lead(ctx context.Context, role string, epoch int64, d time.Duration) (leads bool, err error) {
	err = m.do(func() error { leads, err = m.Store.Lead(ctx, role, epoch, d); return err })
	return leads, err
}

// node is one process on a PostgreSQL database.
type node struct {
	store *mortal
	desk  *batch.Desk
	stop  context.CancelFunc
	ended sync.WaitGroup
}

func join(t *testing.T, url, name string, platform *sharedWeChat) *node {
	t.Helper()
	keyring, err := store.NewKeyring(bytes.Repeat([]byte{7}, store.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	s, err := postgres.Open(t.Context(), postgres.Options{URL: url, Keyring: keyring})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{store: &mortal{Store: s}}
	engine := dispatch.New(dispatch.Config{Store: n.store, Tokens: platform, HTTPClient: &http.Client{Transport: platform}, NodeName: name, Lease: 2 * time.Second, StopGrace: time.Second})
	n.desk = batch.New(batch.Config{Store: n.store, Engine: server.BatchEngine(engine)})
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	n.ended.Go(func() {
		_ = s.Watch(ctx, func(x store.Notice) {
			if engine.Noticed(x); x.Kind == store.NoticeBatches {
				n.desk.Wake()
			}
		})
	})
	n.ended.Go(func() {
		if err := engine.Run(ctx); err != nil && !errors.Is(err, errKilled) {
			t.Errorf("%s: %v", name, err)
		}
	})
	n.ended.Go(func() { _ = n.desk.Run(ctx) })
	t.Cleanup(func() { stop(); n.ended.Wait(); _ = s.Close() })
	return n
}

// TestAnotherNodeTakesABatchOver: the node that feeds is killed in the middle, and the
// other goes on with the next row. A pause on one node stops the other.
func TestAnotherNodeTakesABatchOver(t *testing.T) {
	const rows = 4000
	url := postgrestest.URL(t)
	if _, _, err := postgres.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	platform := &sharedWeChat{sent: make(map[string]map[string]bool)}
	first := join(t, url, "a", platform)
	err := first.store.CreateAccount(t.Context(), hongyan.Account{AppID: sandbox.SeedServiceAppID, Alias: "shop", Kind: hongyan.ServiceAccount, Secret: "x"})
	if err == nil {
		err = first.store.PutTemplates(t.Context(), []hongyan.Template{{AppID: sandbox.SeedServiceAppID, TemplateID: sandbox.SeedTemplateOrder, Status: "active",
			Content: "订单号：{{character_string1.DATA}}\n商品：{{thing2.DATA}}\n金额：{{amount3.DATA}}\n时间：{{time4.DATA}}"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	made, err := first.desk.Create(t.Context(), draft())
	if err != nil {
		t.Fatal(err)
	}
	source, err := batch.OpenTable(strings.NewReader(table(1, rows)), "csv", "")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := first.desk.Upload(t.Context(), made.ID, batch.Upload{Source: source}); err != nil || r.Good != rows {
		t.Fatalf("upload: got %+v, %v", r, err)
	}
	if _, err := first.desk.Start(t.Context(), made.ID, time.Time{}, false); err != nil {
		t.Fatal(err)
	}
	until(t, "some are sent", func() bool { return platform.users() > 500 })
	second := join(t, url, "b", platform)
	if _, err := second.desk.Pause(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // the promise: other nodes stand still within a second
	paused := platform.users()
	time.Sleep(500 * time.Millisecond)
	if n := platform.users(); n != paused || n == rows {
		t.Errorf("%d users were sent messages a second after the pause, %d later", paused, n)
	}
	if _, err := second.desk.Resume(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	until(t, "it goes on", func() bool { return platform.users() > paused+500 })
	first.store.dead.Store(true)
	first.stop()
	fed := func() hongyan.Batch {
		b, err := second.desk.Get(t.Context(), made.ID)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if b := fed(); b.Fed == rows {
		t.Fatalf("all rows were fed before the kill: this test shows nothing")
	}
	until(t, "the other node sends the rest", func() bool { return !fed().EndedAt.IsZero() })
	for i := 1; i <= rows; i++ {
		if n := len(platform.sent[sandbox.OpenID("", i)]); n != 1 {
			t.Fatalf("user %d was sent %d messages, want 1", i, n)
		}
	}
	if b := fed(); b.Fed != rows || b.Next != rows+1 {
		t.Errorf("fed %d, next %d", b.Fed, b.Next)
	}
}

// until waits for something that must come.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
