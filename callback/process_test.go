package callback

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hongyan"
	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
	"hongyan/store"
	"hongyan/wechat"
)

func TestReceiptsEndMessages(t *testing.T) {
	cases := []struct {
		status string
		state  hongyan.State
		reason string
	}{
		{"success", hongyan.Delivered, ""},
		{"failed:user block", hongyan.Undelivered, "user_block"},
		{"failed: system failed", hongyan.Undelivered, "system_failed"},
		{"failed:freq limit", hongyan.Undelivered, "freq_limit"},
		{"failed: something new", hongyan.Undelivered, "other"},
	}
	for _, tc := range cases {
		t.Run(tc.status, func(t *testing.T) {
			f := newFixture(t)
			id := f.accepted(4123456789012345678)
			f.mustPush(receipt(4123456789012345678, tc.status, f.store.Now()))
			f.process()
			m := f.message(id)
			if m.State != tc.state || m.Reason != tc.reason || m.Receipt == nil || m.Receipt.JoinedBy != "msgid" || m.Receipt.Raw != tc.status {
				t.Errorf("message %s %q with receipt %+v, want %s %q joined by msgid", m.State, m.Reason, m.Receipt, tc.state, tc.reason)
			}
		})
	}
}

// The event may overtake the answer of send.
func TestAReceiptThatComesFirstWaits(t *testing.T) {
	f := newFixture(t)
	m := f.insert()
	f.mustPush(receipt(99, "success", f.store.Now()))
	f.process()
	if got := f.message(m.ID); got.State != hongyan.Sending {
		t.Fatalf("before the answer: %s, want sending", got.State)
	}
	f.finish(m, store.Result{State: hongyan.Accepted, MsgID: 99})
	if got := f.message(m.ID); got.State != hongyan.Delivered || got.Receipt == nil {
		t.Errorf("after the answer: %s, receipt %v, want delivered", got.State, got.Receipt)
	}
}

func TestContradictingAndUnknownReceiptsChangeNothing(t *testing.T) {
	f := newFixture(t)
	id := f.accepted(99)
	now := f.store.Now()
	f.mustPush(receipt(99, "success", now))
	f.mustPush(receipt(99, "failed:user block", now.Add(time.Second)))
	f.mustPush(receipt(12345, "failed:user block", now))
	f.mustPush(event{openid: openID, name: "unsubscribe", at: now.Unix()})
	f.process()
	if got := f.message(id); got.State != hongyan.Delivered {
		t.Errorf("message %s, want delivered: the first receipt wins", got.State)
	}
	for _, e := range f.events() {
		if e.ProcessedAt.IsZero() {
			t.Errorf("event %s is not processed", e.DedupeKey)
		}
	}
}

// A hundred deliveries of each of a hundred receipts, all at once, while Run works.
func TestReceiptsDoubledAHundredTimes(t *testing.T) {
	f := newFixture(t)
	stop := f.run()
	now := f.store.Now()
	ids := make([]string, 100)
	for i := range ids {
		ids[i] = f.accepted(int64(1000 + i))
	}
	var all sync.WaitGroup
	for i := range ids {
		e := receipt(int64(1000+i), "success", now)
		for range 4 {
			all.Go(func() {
				for range 25 {
					f.mustPush(e)
				}
			})
		}
	}
	all.Wait()
	stop()
	f.process()
	for i, id := range ids {
		if got := f.message(id); got.State != hongyan.Delivered {
			t.Fatalf("message %d: %s, want delivered", i, got.State)
		}
	}
	stored := f.events()
	if len(stored) != 100 {
		t.Fatalf("%d events, want 100", len(stored))
	}
	for _, e := range stored {
		if e.Duplicates != 99 {
			t.Errorf("event %d has %d duplicates, want 99", e.MsgID, e.Duplicates)
		}
	}
}

// run runs the Callback until stop is called.
func (f *fixture) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	callback := f.Callback
	go func() { ended <- callback.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			f.t.Errorf("Run: %v", err)
		}
	})
}

// The process dies after `success` and before it worked the push out.
func TestWhatWasAnsweredIsProcessedAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		id := f.accepted(99)
		f.mustPush(receipt(99, "success", f.store.Now()))
		if err := f.store.Close(); err != nil {
			t.Fatal(err)
		}
		f.open()
		if got := f.message(id); got.State != hongyan.Accepted {
			t.Fatalf("after the restart: %s, want still accepted", got.State)
		}
		defer f.run()()
		time.Sleep(time.Second)
		if got := f.message(id); got.State != hongyan.Delivered {
			t.Errorf("a second later: %s, want delivered", got.State)
		}
	})
}

func TestRunWakesForEachPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		defer f.run()()
		for msgID := range int64(20) {
			id := f.accepted(msgID + 1)
			f.mustPush(receipt(msgID+1, "success", f.store.Now()))
			time.Sleep(2 * linger)
			if got := f.message(id); got.State != hongyan.Delivered {
				t.Fatalf("push %d: %s after %v, want delivered", msgID, got.State, 2*linger)
			}
		}
	})
}

// The sandbox pushes what it delivers, in every mode and format.
func TestPushesOfTheSandbox(t *testing.T) {
	for _, mode := range []string{"plain", "compatible", "safe"} {
		for _, format := range []string{"xml", "json"} {
			t.Run(mode+" "+format, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					box := sandboxtest.NewInMemory(t)
					f := newFixture(t, func(a *hongyan.Account) {
						a.Callback = hongyan.Callback{Token: sandbox.SeedCallbackToken, Mode: mode}
						if mode != "plain" {
							a.Callback.AESKey = sandbox.SeedAESKey
						}
					})
					box.RegisterHost("gateway.test", f.mux)
					if err := box.Sandbox.SetServerURL(appID, "http://gateway.test/callback/"+appID, mode, format); err != nil {
						t.Fatal(err)
					}
					defer f.run()()
					msgID := send(t, box, "oBLOCKuser000000000000000000")
					id := f.accepted(msgID)
					time.Sleep(3 * time.Second)
					m := f.message(id)
					if m.State != hongyan.Undelivered || m.Reason != "user_block" {
						t.Errorf("message %s %q, want undelivered user_block; observed %v", m.State, m.Reason, f.observed)
					}
					pushes := box.Sandbox.Ledger(sandbox.LedgerFilter{AppID: appID, ToUser: "oBLOCKuser000000000000000000"})[0].Pushes
					if len(pushes) != 1 || pushes[0].HTTPStatus != 200 {
						t.Errorf("pushes %+v, want one, answered 200", pushes)
					}
				})
			})
		}
	}
}

// send sends a template message through the sandbox and returns its msgid.
func send(t *testing.T, box *sandboxtest.Server, openID string) int64 {
	t.Helper()
	client := wechat.Client{BaseURL: box.URL, HTTPClient: box.Client}
	got, err := client.StableToken(t.Context(), appID, sandbox.SeedServiceSecret, false)
	if err != nil {
		t.Fatal(err)
	}
	client.Tokens = wechat.StaticToken(got.AccessToken)
	result, err := client.SendTemplateMessage(t.Context(), &wechat.TemplateMessage{
		ToUser: openID, TemplateID: sandbox.SeedTemplateQueue,
		Data: wechat.Data{"thing1": {Value: "人民路店"}, "character_string2": {Value: "B27"}, "time3": {Value: "2026-11-20 18:05"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return result.MsgID
}

// A sender that drips its body is cut off when its answer would be late anyway.
func TestASlowBodyIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := sandboxtest.NewInMemory(t)
		f := newFixture(t)
		box.RegisterHost("gateway.test", f.mux)
		conn, err := box.Network().DialContext(t.Context(), "tcp", "gateway.test:80")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		began := time.Now()
		drip(t, conn)
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("the connection was held for %v", took)
		}
		if got := f.lastObserved(); got != appID+"  read_failed" {
			t.Errorf("observed %q, want read_failed", got)
		}
	})
}

// drip writes a request one byte a second until the other side has had enough.
func drip(t *testing.T, conn net.Conn) {
	t.Helper()
	head := "POST /callback/" + appID + "?" + signed(token).Encode() + " HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 1000\r\n\r\n"
	if _, err := conn.Write([]byte(head)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 4096)
		for {
			if _, err := conn.Read(buf); err != nil {
				return
			}
		}
	}()
	for range 60 {
		select {
		case <-ended:
			return
		case <-time.After(time.Second):
			_, _ = conn.Write([]byte("x"))
		}
	}
	t.Error("a minute of dripping was accepted")
}

// BenchmarkReceipts answers pushes of distinct receipts as WeChat would send them,
// 64 at a time, while Run processes them. The goal is 3,000 a second.
func BenchmarkReceipts(b *testing.B) {
	f := newFixture(b)
	defer f.run()()
	now := f.store.Now()
	q := signed(token)
	var n int64
	var took []time.Duration
	var mu sync.Mutex
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			mu.Lock()
			n++
			e := receipt(n, "success", now)
			mu.Unlock()
			began := time.Now()
			if status, _ := f.post(q, e.xml()); status != http.StatusOK {
				b.Errorf("answered %d", status)
			}
			mu.Lock()
			took = append(took, time.Since(began))
			mu.Unlock()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "receipts/s")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
