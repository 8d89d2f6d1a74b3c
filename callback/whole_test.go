package callback_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"hongyan"
	"hongyan/callback"
	"hongyan/deliver"
	"hongyan/internal/guard"
	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
	"hongyan/store"
	"hongyan/store/sqlite"
	"hongyan/store/sqlite/sqlitetest"
	"hongyan/wechat"
)

const appID = sandbox.SeedServiceAppID

// gateway is the callback half of a gateway: a store, what receives and what hands
// on, on a loopback port.
type gateway struct {
	store  *sqlite.Store
	pushes *callback.Callback
	url    string // of /callback/{appid}
}

// newGateway has one account, with these downstreams; loopback is listed.
func newGateway(t testing.TB, cb hongyan.Callback, downstreams ...hongyan.Downstream) *gateway {
	t.Helper()
	keys, err := store.NewKeyring(make([]byte, store.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{}
	if g.store, err = sqlite.Open(context.Background(), sqlite.Options{Path: sqlitetest.File(t, t.TempDir(), sqlite.Migrate), Keyring: keys}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.store.Close(); err != nil {
			t.Error(err)
		}
	})
	a := hongyan.Account{AppID: appID, Kind: hongyan.ServiceAccount, Secret: sandbox.SeedServiceSecret, Callback: cb, Downstreams: downstreams}
	if err := g.store.CreateAccount(context.Background(), a); err != nil {
		t.Fatal(err)
	}
	g.run(t)
	return g
}

// run starts both parts, tied to each other as package server does.
func (g *gateway) run(t testing.TB) {
	allow, err := guard.ParsePrefixes([]string{"127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	transport := deliver.NewTransport(guard.New(allow).Control)
	sender := deliver.New(deliver.Config{Store: g.store, HTTPClient: &http.Client{Transport: transport}})
	g.pushes = callback.New(callback.Config{
		Store: g.store, Stored: sender.Wake,
		Reply: func(ctx context.Context, a *hongyan.Account, d *hongyan.Downstream, e *hongyan.Event) (callback.Reply, error) {
			r, err := sender.Reply(ctx, a, d, e)
			return callback.Reply(r), err
		},
	})
	mux := http.NewServeMux()
	mux.Handle("/callback/{appid}", g.pushes)
	server := httptest.NewServer(mux)
	g.url = server.URL + "/callback/" + appID
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	for _, run := range []func(context.Context) error{g.pushes.Run, sender.Run} {
		parts.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		server.Close()
		cancel()
		parts.Wait()
		transport.CloseIdleConnections()
	})
}

// handler is a business's callback server: it opens pushes with its own settings,
// tells what it got, and answers with reply.
func handler(t testing.TB, mode wechat.CallbackMode, token, key string, got chan<- wechat.Event, reply func(wechat.Push) string) *httptest.Server {
	r, err := wechat.NewReceiver(wechat.ReceiverConfig{AppID: appID, Mode: mode, Tokens: []string{token}, AESKeys: []string{key}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		push, err := r.Open(req.URL.Query(), req.Header.Get("Content-Type"), body)
		if err != nil {
			t.Errorf("a downstream cannot read its push: %v", err)
			return
		}
		got <- push.Event
		_, _ = io.WriteString(w, reply(push))
	}))
	t.Cleanup(server.Close)
	return server
}

// TestTheSandboxsPushReachesEveryHandlerAndTheReplyComesBack: a user follows; WeChat
// pushes; two handlers with settings of their own get it, and what one of them
// answers is what WeChat reads.
func TestTheSandboxsPushReachesEveryHandlerAndTheReplyComesBack(t *testing.T) {
	const ownToken, ownKey = "HandlerToken", "OwnSpecKey123456789ABCDEFGHIJKLMNOPQRSTUVab"
	welcome := "<xml><ToUserName><![CDATA[o]]></ToUserName><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[欢迎]]></Content></xml>"
	for _, mode := range []string{"plain", "compatible", "safe"} {
		for _, format := range []string{"xml", "json"} {
			t.Run(mode+" "+format, func(t *testing.T) {
				replying, quiet := make(chan wechat.Event, 10), make(chan wechat.Event, 10)
				// The handler's own code seals its reply, as co-wechat's would.
				own, err := wechat.NewReceiver(wechat.ReceiverConfig{AppID: appID, Mode: wechat.ModeSafe, Tokens: []string{ownToken}, AESKeys: []string{ownKey}})
				if err != nil {
					t.Fatal(err)
				}
				first := handler(t, wechat.ModeSafe, ownToken, ownKey, replying, func(p wechat.Push) string {
					sealed, err := own.SealReply(p, []byte(welcome), time.Now())
					if err != nil {
						t.Error(err)
					}
					return string(sealed)
				})
				second := handler(t, wechat.ModePlain, ownToken, "", quiet, func(wechat.Push) string { return "" })
				g := newGateway(t, hongyan.Callback{Token: sandbox.SeedCallbackToken, AESKey: sandbox.SeedAESKey, Mode: mode},
					hongyan.Downstream{Name: "first", URL: first.URL, Sync: true, Mode: "safe", Token: ownToken, AESKey: ownKey},
					hongyan.Downstream{Name: "second", URL: second.URL + "/wx?a=b", Mode: "plain", Token: ownToken, Ordered: true})
				box := sandboxtest.New(t)
				const openID = "oWhole0000000000000000000001"
				if err := box.Sandbox.Unfollow(openID, appID); err != nil {
					t.Fatal(err)
				}
				if err := box.Sandbox.SetServerURL(appID, g.url, mode, format); err != nil {
					t.Fatal(err)
				}
				if err := box.Sandbox.Follow(openID, appID); err != nil {
					t.Fatal(err)
				}
				for who, events := range map[string]chan wechat.Event{"the first": replying, "the second": quiet} {
					if e := receive(t, who, events); !e.Is(wechat.EventSubscribe) || e.FromUserName != openID {
						t.Errorf("%s got %+v, want the follow of %s", who, e, openID)
					}
				}
				if got := replyOf(t, box, mode, openID); got != welcome {
					t.Errorf("WeChat read %q, want %q", got, welcome)
				}
			})
		}
	}
}

// receive waits for an event, as long as a stuck test may.
func receive(t *testing.T, who string, events <-chan wechat.Event) wechat.Event {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(20 * time.Second):
		t.Fatalf("%s got nothing", who)
		return wechat.Event{}
	}
}

// replyOf returns what the sandbox was answered to the push of a follow, opened with
// its own key.
func replyOf(t *testing.T, box *sandboxtest.Server, mode, openID string) string {
	t.Helper()
	parsed, err := wechat.ParseCallbackMode(mode)
	if err != nil {
		t.Fatal(err)
	}
	platform, err := wechat.NewPusher(wechat.PusherConfig{AppID: appID, Mode: parsed, Token: sandbox.SeedCallbackToken, AESKey: sandbox.SeedAESKey})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		exchanges, _ := box.Sandbox.Traffic(sandbox.TrafficFilter{AppID: appID, OpenID: openID})
		for _, e := range exchanges {
			if e.Direction != sandbox.DirectionPush || e.Event != wechat.EventSubscribe {
				continue
			}
			if sealed := strings.Contains(e.AnswerBody, "MsgSignature"); e.Status != 200 || sealed == (mode == "plain") {
				t.Errorf("answered %d %s", e.Status, e.AnswerBody)
			}
			plain, err := platform.OpenReply([]byte(e.AnswerBody))
			if err != nil {
				t.Error(err)
			}
			return string(plain)
		}
	}
	t.Fatal("the sandbox has no answer")
	return ""
}

func text(openID string, n int) string {
	return fmt.Sprintf("<xml><ToUserName><![CDATA[gh_0a1b2c3d4e5f]]></ToUserName><FromUserName><![CDATA[%s]]></FromUserName>"+
		"<CreateTime>%d</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[%d]]></Content><MsgId>%d</MsgId></xml>", openID, 1790000000+n, n, n+1)
}
