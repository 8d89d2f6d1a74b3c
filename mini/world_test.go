package mini_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hongyan"
	"hongyan/callback"
	"hongyan/dispatch"
	"hongyan/mini"
	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
	"hongyan/store"
	"hongyan/store/sqlite"
	"hongyan/store/sqlite/sqlitetest"
	"hongyan/token"
	"hongyan/wechat"
)

const (
	miniID = sandbox.SeedMiniAppID
	pickup = sandbox.SeedTemplateSubscribePickup
)

// world is a mini program's gateway beside a sandbox, in one bubble: what WeChat
// pushes reaches the ledger, and messages leave through the engine.
type world struct {
	t      *testing.T
	box    *sandboxtest.Server
	store  *sqlite.Store
	keeper *mini.Keeper
	engine *dispatch.Engine

	mu   sync.Mutex
	told []mini.Low
}

// inBubble runs a story. In the sandbox nobody has accepted what he was not asked.
func inBubble(t *testing.T, story func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) { story(t, newWorld(t)) })
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, box: sandboxtest.NewInMemory(t)}
	keyring, err := store.NewKeyring(bytes.Repeat([]byte{7}, 32))
	w.must(err)
	dir, err := os.MkdirTemp("", "hongyan-mini-") // t.TempDir's clean-up runs outside the bubble
	w.must(err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	w.store, err = sqlite.Open(t.Context(), sqlite.Options{Path: sqlitetest.File(t, dir, sqlite.Migrate), Keyring: keyring})
	w.must(err)
	t.Cleanup(func() { w.must(w.store.Close()) })
	w.must(w.store.CreateAccount(t.Context(), hongyan.Account{
		AppID: miniID, Secret: sandbox.SeedMiniSecret, Kind: hongyan.MiniProgram, BaseURL: w.box.URL,
		Callback: hongyan.Callback{Token: sandbox.SeedCallbackToken, Mode: "plain"},
	}))
	w.must(w.box.Sandbox.UpdateAccount(miniID, sandbox.AccountSpec{SubscribeRules: sandbox.SubscribeRules{ConsentAssumed: new(false)}}))
	w.must(w.box.Sandbox.SetServerURL(miniID, "http://gateway.test/callback/"+miniID, "plain", "xml"))
	w.run()
	return w
}

// run starts the parts, tied to each other as package server does.
func (w *world) run() {
	ctx, stop := context.WithCancel(context.Background())
	transport := w.box.Network().Transport()
	client := &http.Client{Transport: transport, Timeout: 15 * time.Second}
	tokens := token.New(token.Config{Store: w.store, HTTPClient: client})
	w.keeper = mini.New(mini.Config{
		Store: w.store, Tokens: tokens, HTTPClient: client,
		Waiting: func(appID string) { w.engine.Noticed(store.Notice{Kind: store.NoticeMessages, AppID: appID}) },
		Tell: func(_ context.Context, _, typ string, data any) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if low, ok := data.(mini.Low); ok && typ == "consent.low" {
				w.told = append(w.told, low)
			}
		},
	})
	w.engine = dispatch.New(dispatch.Config{Store: w.store, Tokens: tokens, HTTPClient: client, StopGrace: 20 * time.Second, Lease: time.Hour, Consents: w.keeper})
	pushes := callback.New(callback.Config{Store: w.store, Consented: w.keeper.Changed})
	mux := http.NewServeMux()
	mux.Handle("/callback/{appid}", pushes)
	w.box.RegisterHost("gateway.test", mux)
	var parts sync.WaitGroup
	for _, run := range []func(context.Context) error{tokens.Run, w.engine.Run, pushes.Run} {
		parts.Go(func() {
			if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				w.t.Errorf("run: %v", err)
			}
		})
	}
	w.t.Cleanup(func() {
		stop()
		parts.Wait()
		transport.CloseIdleConnections()
	})
	w.sleep(100 * time.Millisecond)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// account is the mini program as stored.
func (w *world) account() *hongyan.Account {
	w.t.Helper()
	a, err := w.store.Account(w.t.Context(), miniID)
	w.must(err)
	return &a
}

// set changes the account's settings.
func (w *world) set(rules hongyan.MiniRules) {
	w.t.Helper()
	a := w.account()
	a.Mini = rules
	w.must(w.store.UpdateAccount(w.t.Context(), *a))
	w.engine.AccountChanged(miniID)
}

// answers lets a user answer a prompt.
func (w *world) answers(openID string, accept bool) {
	w.t.Helper()
	w.must(w.box.Sandbox.Consent(miniID, openID, []sandbox.ConsentAnswer{{TemplateID: pickup, Accept: accept}}, 0))
	w.sleep(2 * time.Second)
}

// order is a subscribe message.
func order(openID string) dispatch.Request {
	return dispatch.Request{AppID: miniID, Kind: hongyan.KindSubscribe, ToUser: openID, TemplateID: pickup, Priority: hongyan.Normal,
		Data: wechat.Data{"character_string1": {Value: "27"}, "thing2": {Value: "人民路店"}, "time3": {Value: "10:15"}}}
}

// submit gives a message to the engine.
func (w *world) submit(r dispatch.Request) dispatch.Submitted {
	w.t.Helper()
	done, err := w.engine.Submit(w.t.Context(), []dispatch.Request{r})
	w.must(err)
	return done[0]
}

// send submits a message and lets it arrive.
func (w *world) send(openID string) hongyan.Message {
	w.t.Helper()
	done := w.submit(order(openID))
	w.must(done.Err)
	w.sleep(5 * time.Second)
	m, err := w.store.Message(w.t.Context(), done.Message.ID)
	w.must(err)
	return m
}

// standing is what is known of a user; nil = nothing.
func (w *world) standing(openID string) *mini.Standing {
	w.t.Helper()
	all, err := w.keeper.Consents(w.t.Context(), w.account(), store.ConsentFilter{OpenID: openID, TemplateID: pickup, Limit: 10})
	w.must(err)
	if len(all) == 0 {
		return nil
	}
	return &all[0]
}

// want fails unless so many sends are known to be left, with that certainty.
func (w *world) want(openID string, left int64, certainty string) *mini.Standing {
	w.t.Helper()
	s := w.standing(openID)
	if s == nil || s.Left != left || s.Certainty != certainty {
		w.t.Errorf("standing %+v, want %d left, %s", s, left, certainty)
		return &mini.Standing{}
	}
	return s
}

// client speaks to WeChat as the mini program.
func (w *world) client() *wechat.Client {
	w.t.Helper()
	transport := w.box.Network().Transport()
	w.t.Cleanup(transport.CloseIdleConnections)
	c := &wechat.Client{BaseURL: w.box.URL, HTTPClient: &http.Client{Transport: transport}}
	got, err := c.StableToken(w.t.Context(), miniID, sandbox.SeedMiniSecret, false)
	w.must(err)
	c.Tokens = wechat.StaticToken(got.AccessToken)
	return c
}

// longTerm gives the mini program a long-term template of the library.
func (w *world) longTerm() string {
	w.t.Helper()
	client := w.client()
	categories, err := client.SubscribeCategories(w.t.Context())
	w.must(err)
	for _, category := range categories {
		for start := 0; ; start += 30 {
			page, err := client.SubscribeTitles(w.t.Context(), wechat.SubscribeTitlesRequest{CategoryIDs: []int{category.ID}, Start: start, Limit: 30})
			w.must(err)
			for _, title := range page.Titles {
				if title.Type != wechat.SubscribeLongTerm {
					continue
				}
				keywords, err := client.SubscribeKeywords(w.t.Context(), title.TID)
				w.must(err)
				id, err := client.AddSubscribeTemplate(w.t.Context(), wechat.AddSubscribeTemplateRequest{
					TID: title.TID, KIDList: []int{keywords[0].KID, keywords[1].KID}, SceneDesc: "长期"})
				w.must(err)
				return id
			}
			if len(page.Titles) < 30 {
				break
			}
		}
	}
	w.t.Fatal("the library has no long-term template")
	return ""
}
