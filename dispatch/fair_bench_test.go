package dispatch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hongyan"
	"hongyan/store"
	"hongyan/store/sqlite"
	"hongyan/store/sqlite/sqlitetest"
)

// pickedUp is WeChat that notes when the message of each user comes, and which account's.
type pickedUp struct {
	mu    sync.Mutex
	waits []time.Duration      // of the quiet accounts' messages
	begun map[string]time.Time // by openid
	busy  []time.Time
}

func (p *pickedUp) RoundTrip(r *http.Request) (*http.Response, error) {
	now := time.Now()
	var body struct{ ToUser string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, err
	}
	p.mu.Lock()
	if begun, ok := p.begun[body.ToUser]; ok {
		p.waits = append(p.waits, now.Sub(begun))
	} else {
		p.busy = append(p.busy, now)
	}
	p.mu.Unlock()
	time.Sleep(5 * time.Millisecond)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(taken)), ContentLength: int64(len(taken)), Request: r}, nil
}

// BenchmarkQuietAccounts measures how long nine quiet accounts' messages wait
// for their call beside an account with a backlog of a million (with -short 50,000),
// at 100 a second and without a rate. One op is a message of a quiet account.
func BenchmarkQuietAccounts(b *testing.B) {
	for _, perSecond := range []float64{100, 0} {
		b.Run(fmt.Sprintf("busy=%v", perSecond), func(b *testing.B) {
			backlog := 1_000_000
			if testing.Short() {
				backlog = 50_000
			}
			benchQuiet(b, perSecond, backlog)
		})
	}
}

func benchQuiet(b *testing.B, perSecond float64, backlog int) {
	keyring, err := store.NewKeyring(bytes.Repeat([]byte{7}, 32))
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	must(err)
	s, err := sqlite.Open(b.Context(), sqlite.Options{Path: sqlitetest.File(b, b.TempDir(), sqlite.Migrate), Keyring: keyring})
	must(err)
	defer s.Close()
	wide := []hongyan.QuotaRule{{Scope: "account", Period: "day", Limit: 10_000_000}}
	must(s.CreateAccount(b.Context(), hongyan.Account{AppID: serviceID, Kind: hongyan.ServiceAccount, RatePerSecond: perSecond, Quotas: wide}))
	for i := range 9 {
		appID := fmt.Sprintf("wx%016d", i)
		must(s.CreateAccount(b.Context(), hongyan.Account{AppID: appID, Kind: hongyan.ServiceAccount}))
		must(s.PutTemplates(b.Context(), templatesOf(appID)))
	}
	fillStore(b, s, backlog)
	wechat := &pickedUp{begun: make(map[string]time.Time)}
	e := New(Config{Store: s, Tokens: &oneToken{}, HTTPClient: &http.Client{Transport: wechat}})
	ctx, halt := context.WithCancel(b.Context())
	var ended sync.WaitGroup
	ended.Go(func() { _ = e.Run(ctx) })
	time.Sleep(2 * time.Second) // the busy account is in its stride
	b.ResetTimer()
	for i := range b.N {
		r := order()
		r.AppID, r.ToUser = fmt.Sprintf("wx%016d", i%9), fmt.Sprintf("oquiet%022d", i)
		wechat.mu.Lock()
		wechat.begun[r.ToUser] = time.Now()
		wechat.mu.Unlock()
		_, err := e.Submit(b.Context(), []Request{r})
		must(err)
		time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond)
	}
	time.Sleep(time.Second)
	b.StopTimer()
	halt()
	ended.Wait()
	if len(wechat.waits) != b.N {
		b.Fatalf("%d of %d messages of the quiet accounts came", len(wechat.waits), b.N)
	}
	slices.Sort(wechat.waits)
	b.ReportMetric(float64(wechat.waits[len(wechat.waits)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(wechat.waits[len(wechat.waits)*99/100].Microseconds())/1000, "p99-ms")
	span := wechat.busy[len(wechat.busy)-1].Sub(wechat.busy[0])
	b.ReportMetric(float64(len(wechat.busy)-1)/span.Seconds(), "busy/s")
}

// fillStore stores n messages of the busy account.
func fillStore(t testing.TB, s store.Store, n int) {
	t.Helper()
	now := s.Now()
	for i := 0; i < n; {
		var batch []store.NewMessage
		for ; len(batch) < 1000 && i < n; i++ {
			m := hongyan.Message{ID: hongyan.NewMessageID(), AppID: serviceID, Kind: hongyan.KindTemplate, ToUser: fmt.Sprintf("o%027d", i), TemplateID: "template-1",
				Payload: fmt.Appendf(nil, `{"touser":"o%027d"}`, i), Priority: hongyan.Normal, CreatedAt: now, DueAt: now, ExpiresAt: now.Add(time.Hour)}
			m.ClientMsgID = m.ID
			batch = append(batch, store.NewMessage{Message: m})
		}
		if _, err := s.InsertMessages(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
}
