package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hongyan"
	"hongyan/wechat"
)

const replyXML = "<xml><ToUserName><![CDATA[o]]></ToUserName><FromUserName><![CDATA[gh_0a1b2c3d4e5f]]></FromUserName><CreateTime>1</CreateTime>" +
	"<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好]]></Content></xml>"

// sealedReply is a reply as callback servers of others seal it.
func sealedReply(t *testing.T, token, key, plain string) string {
	t.Helper()
	parsed, err := wechat.ParseAESKey(key)
	if err != nil {
		t.Fatal(err)
	}
	encrypt, err := wechat.Encrypt(parsed, appID, []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("<xml><Encrypt><![CDATA[%s]]></Encrypt><MsgSignature><![CDATA[%s]]></MsgSignature><TimeStamp>1790000101123</TimeStamp><Nonce><![CDATA[7]]></Nonce></xml>",
		encrypt, wechat.MsgSignature(token, "1790000101123", "7", encrypt))
}

// ask calls Reply with d to go.
func (w *world) ask(e hongyan.Event, d time.Duration) (Reply, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), d)
	defer cancel()
	a := w.account()
	return w.Reply(ctx, a, &a.Downstreams[0], &e)
}

func TestReplyIsThePassiveReply(t *testing.T) {
	tests := map[string]struct {
		answer func(t *testing.T) string
		want   string
		bad    bool
	}{
		"plain":           {func(*testing.T) string { return replyXML }, replyXML, false},
		"encrypted":       {func(t *testing.T) string { return sealedReply(t, ownToken, ownKey, replyXML) }, replyXML, false},
		"success":         {func(*testing.T) string { return "success" }, "", false},
		"nothing":         {func(*testing.T) string { return "" }, "", false},
		"a page":          {func(*testing.T) string { return "<html><body>it works</body></html>" }, "", true},
		"another's seal":  {func(t *testing.T) string { return sealedReply(t, token, aesKey, replyXML) }, "", true},
		"a huge document": {func(*testing.T) string { return strings.Replace(replyXML, "你好", strings.Repeat("x", 1<<20), 1) }, "", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/", Sync: true, Token: ownToken, AESKey: ownKey}}, func(t *testing.T, w *world) {
				in := w.inbox("a", wechat.ModeSafe, ownToken, ownKey)
				in.answer = func(_ int, _ wechat.Push, rw http.ResponseWriter) { _, _ = io.WriteString(rw, tt.answer(t)) }
				got, err := w.ask(w.push(openID, w.text(openID)), time.Second)
				if err != nil || string(got.Body) != tt.want || got.Status != 200 {
					t.Errorf("got %q %d, %v, want %q", got.Body, got.Status, err, tt.want)
				}
				if bad := w.count("a", "bad_reply") == 1 && strings.Contains(w.logged(), "cannot be passed on"); bad != tt.bad {
					t.Errorf("told of a bad reply: %v, want %v", bad, tt.bad)
				}
			})
		})
	}
}

// TestBadRepliesAreToldOnceInAWhile: a handler that answers "ok" does so to every push.
func TestBadRepliesAreToldOnceInAWhile(t *testing.T) {
	bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/", Sync: true}}, func(t *testing.T, w *world) {
		w.serve("a", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "ok") }))
		e := w.push(openID, w.text(openID))
		ask := func() {
			if _, err := w.ask(e, time.Second); err != nil {
				t.Fatal(err)
			}
		}
		for range 50 {
			ask()
		}
		w.after(tellEvery)
		ask()
		if log := w.logged(); strings.Count(log, "cannot be passed on") != 2 || !strings.Contains(log, "untold=49") || w.count("a", "bad_reply") != 51 {
			t.Errorf("51 bad replies in two spells are %d in the metrics, and in the log\n%s", w.count("a", "bad_reply"), log)
		}
	})
}

func TestReplyOfADownstreamThatFails(t *testing.T) {
	tests := map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"late":        {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "context deadline exceeded"},
		"broken":      {func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(502) }, "answered 502"},
		"redirecting": {func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, "http://b/", http.StatusFound) }, "answered 302: redirects are not followed"},
		"nobody":      {nil, "dial memory: connection refused"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/", Sync: true}}, func(t *testing.T, w *world) {
				if tt.answer != nil {
					w.serve("a", tt.answer)
				}
				begun := time.Now()
				_, err := w.ask(w.push(openID, w.text(openID)), 4*time.Second)
				if err == nil || err.Error() != tt.want {
					t.Errorf("got %v, want %s", err, tt.want)
				}
				if took := time.Since(begun); took > 4*time.Second {
					t.Errorf("took %s of 4 s", took)
				}
			})
		})
	}
}

// TestADownstreamInTroubleIsAskedByOneAtATime: the others do not wait for it.
func TestADownstreamInTroubleIsAskedByOneAtATime(t *testing.T) {
	bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/", Sync: true}}, func(t *testing.T, w *world) {
		var hangs atomic.Bool
		hangs.Store(true)
		w.serve("a", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if hangs.Load() {
				<-r.Context().Done()
			}
		}))
		e := w.push(openID, w.text(openID))
		for range troubleAfter {
			if _, err := w.ask(e, 2*time.Second); err == nil {
				t.Fatal("a hanging server answered")
			}
		}
		probe := make(chan error, 1)
		go func() {
			_, err := w.ask(e, 2*time.Second)
			probe <- err
		}()
		w.after(time.Second)
		begun := time.Now()
		if _, err := w.ask(e, 2*time.Second); !errors.Is(err, errProbed) || time.Since(begun) > 0 {
			t.Errorf("beside the probe: %v after %s, want to be told at once", err, time.Since(begun))
		}
		<-probe
		hangs.Store(false)
		for range 3 {
			if _, err := w.ask(e, 2*time.Second); err != nil {
				t.Errorf("after it recovered: %v", err)
			}
		}
	})
}

// TestReplyDoesNotWaitForANumber: a receipt has no passive reply that would be worth it.
func TestReplyDoesNotWaitForANumber(t *testing.T) {
	bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/", Sync: true}}, func(t *testing.T, w *world) {
		w.answeredWithOurs()
		if _, err := w.ask(w.push(openID, finishXML(msgID)), time.Second); !errors.Is(err, errMsgIDOpen) {
			t.Errorf("got %v, want to be told to deliver it later", err)
		}
	})
}
