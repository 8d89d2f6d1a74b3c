package sandbox_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

// TestABrokenCallbackServerStallsNothing: whatever the server does with its pushes,
// calls and the control API are answered at once, messages are delivered on time, and
// the server of another account is not kept waiting.
func TestABrokenCallbackServerStallsNothing(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"slow": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // net/http notices that the caller has left only after that
			<-r.Context().Done()
		},
		"500":             func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"an endless body": endless,
		"half a body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "succ")
		},
		"a wrong body": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>错误</html>") },
		"cuts":         func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"closed":       nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := sandboxtest.NewInMemory(t)
				g := newGateway(s)
				if answer != nil {
					s.RegisterHost("broken.test", answer)
				}
				second, templateID := addSecond(t, s)
				mustNil(t, s.Sandbox.SetServerURL(sandbox.SeedServiceAppID, "http://broken.test/", "", ""))
				mustNil(t, s.Sandbox.SetServerURL(secondAppID, callbackURL, "", ""))
				token := plainToken(t, s).AccessToken
				const sends = 200 // more than there are pushers
				begin := time.Now()
				for n := range sends {
					wantCode(t, do(t, s, with(pathSend, token), orderBody(sandbox.OpenID("", n), "")), 0)
				}
				do(t, s, with(pathSend, second), secondBody(user, templateID, ""))
				do(t, s, control+"users", "")
				if took := time.Since(begin); took != 0 {
					t.Errorf("the calls took %v", took)
				}
				time.Sleep(1100 * time.Millisecond)
				do(t, s, control+"stats", "")
				for n := range sends {
					if len(s.Sandbox.Inbox(sandbox.OpenID("", n))) < 1 {
						t.Fatalf("message %d is not delivered", n)
					}
				}
				if time.Since(begin) != 1100*time.Millisecond || len(g.got()) != 1 || g.got()[0].at != time.Second {
					t.Errorf("after %v the other server has %d events, want one after a second", time.Since(begin), len(g.got()))
				}
				time.Sleep(10 * time.Minute)
				stats := s.Sandbox.Stats()
				if stats.Delivered != sends+1 {
					t.Errorf("%d delivered, want %d", stats.Delivered, sends+1)
				}
				if taken := name == "a wrong body"; taken != (stats.PushesFailed == 0) {
					t.Errorf("%d pushes failed", stats.PushesFailed)
				}
			})
		})
	}
}

// endless writes for as long as somebody reads.
func endless(w http.ResponseWriter, _ *http.Request) {
	for {
		if _, err := io.WriteString(w, strings.Repeat("x", 1<<10)); err != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}
