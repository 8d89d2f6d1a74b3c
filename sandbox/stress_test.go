package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

// Eight callers send through lost answers and repeat until they are answered; in
// the end ledger, inbox and pushes agree that everybody got exactly one message.
func TestLedgerInboxAndPushesAgreeUnderLoad(t *testing.T) {
	const callers, each = 8, 40
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		g := newGateway(s)
		mustNil(t, s.Sandbox.SetServerURL(sandbox.SeedServiceAppID, callbackURL, "", ""))
		token := plainToken(t, s).AccessToken
		for _, f := range []sandbox.Fault{{DropAnswer: true}, {Reset: "after"}, {Reset: "before"}, {ErrCode: -1}, {HTTPStatus: 503}} {
			f.Path, f.Rate = pathSend, new(0.1)
			s.Sandbox.AddFault(f)
		}
		var wg sync.WaitGroup
		for caller := range callers {
			wg.Go(func() {
				for n := range each {
					untilAnswered(t, s, with(pathSend, token), caller*each+n)
				}
			})
		}
		wg.Wait()
		time.Sleep(2 * time.Second)
		synctest.Wait()

		if got, want := len(g.got()), callers*each; got != want {
			t.Errorf("%d pushes, want %d", got, want)
		}
		accepted := 0
		for _, row := range s.Sandbox.Ledger(sandbox.LedgerFilter{Path: pathSend}) {
			if row.Fate == "shown" {
				accepted++
			}
		}
		if want := callers * each; accepted != want {
			t.Errorf("%d messages shown by the ledger, want %d", accepted, want)
		}
		for n := range callers * each {
			if got := len(s.Sandbox.Inbox(sandbox.OpenID("", n))); got != 1 {
				t.Errorf("user %d has %d messages, want 1", n, got)
			}
		}
	})
}

func untilAnswered(t *testing.T, s *sandboxtest.Server, target string, n int) {
	for range 100 {
		got, err := try(s, http.MethodPost, target, strings.NewReader(orderBody(sandbox.OpenID("", n), clientID(fmt.Sprint(n)))))
		if err == nil && strings.HasPrefix(got.body, `{"errcode":0,`) {
			return
		}
	}
	t.Errorf("send %d was never answered", n)
}

func FuzzSendBody(f *testing.F) {
	f.Add(orderBody(user, clientID("k")))
	f.Add(miniBody(user, "f", `"page":"x",`))
	f.Add(`{"touser":{},"data":"{}","miniprogram":[1]}`)
	f.Add("{\"touser\":\"\xff\"}")
	f.Add(`[1e999]`)
	box := sandbox.New(sandbox.Options{DeliveryDelay: -1, LedgerLimit: 100})
	handler := box.Handler()
	call := func(target, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, target, strings.NewReader(body)))
		return w
	}
	token := func(appid, secret string) string {
		var v tokenBody
		_ = json.Unmarshal(call(tokenTarget(appid, secret), "").Body.Bytes(), &v)
		return v.AccessToken
	}
	service := with(pathSend, token(sandbox.SeedServiceAppID, sandbox.SeedServiceSecret))
	mini := with(pathMiniSend, token(sandbox.SeedMiniAppID, sandbox.SeedMiniSecret))
	f.Fuzz(func(t *testing.T, body string) {
		for _, target := range []string{service, mini} {
			var v struct {
				ErrCode *int `json:"errcode"`
			}
			if w := call(target, body); json.Unmarshal(w.Body.Bytes(), &v) != nil || v.ErrCode == nil {
				t.Errorf("%q was answered %d %q, want an errcode", body, w.Code, w.Body)
			}
		}
		box.Inbox(user)
	})
}
