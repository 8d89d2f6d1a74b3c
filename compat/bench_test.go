package compat

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"hongyan"
	"hongyan/access"
	"hongyan/dispatch"
	"hongyan/sandbox"
	"hongyan/token"
)

// BenchmarkSend sends through the gate, the engine and a store on disk to an
// upstream that always answers the same: from the caller's request to WeChat's msgid.
// Run it with -cpu or -parallel callers in mind: one at a time waits for two commits.
func BenchmarkSend(b *testing.B) {
	s := newTestStore(b)
	var msgID atomic.Int64
	weChat := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if strings.HasSuffix(r.URL.Path, "token") {
			_, _ = io.WriteString(w, `{"access_token":"86_bench","expires_in":7200}`)
			return
		}
		_, _ = fmt.Fprintf(w, `{"errcode":0,"errmsg":"ok","msgid":%d}`, msgID.Add(1))
	}))
	b.Cleanup(weChat.Close)
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	must(s.CreateAccount(b.Context(), hongyan.Account{AppID: serviceID, Secret: sandbox.SeedServiceSecret, Kind: hongyan.ServiceAccount,
		BaseURL: weChat.URL, MaxInFlight: 256, Quotas: []hongyan.QuotaRule{{Scope: "account", Period: "day", Limit: 1e9}}}))
	must(s.PutTemplates(b.Context(), []hongyan.Template{{AppID: serviceID, TemplateID: sandbox.SeedTemplateOrder, Kind: hongyan.KindTemplate, Status: "active",
		Content: "{{character_string1.DATA}}{{thing2.DATA}}{{amount3.DATA}}{{time4.DATA}}"}}))
	tokens := token.New(token.Config{Store: s})
	engine := dispatch.New(dispatch.Config{Store: s, Tokens: tokens})
	gate := New(Config{Store: s, Engine: engine, Tokens: tokens, Access: access.New(access.Config{Store: s})})
	ctx, stop := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() { _ = engine.Run(ctx) })
	b.Cleanup(func() { stop(); parts.Wait() })
	granted, err := tokens.Grant(b.Context(), token.Ask{AppID: serviceID, CallerID: hongyan.CallerAppSecret, Endpoint: "token"})
	must(err)
	target := sendPathOf + granted.AccessToken.Reveal()
	body := order(ordinary, "")
	b.SetParallelism(64)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			w := httptest.NewRecorder()
			gate.ServeHTTP(w, httptest.NewRequest(http.MethodPost, target, strings.NewReader(body)))
			if !strings.HasPrefix(w.Body.String(), `{"errcode":0`) {
				b.Errorf("answer %s", w.Body)
			}
		}
	})
}
