package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"hongyan/access"
	"hongyan/batch"
	"hongyan/client"
	"hongyan/deliver"
	"hongyan/dispatch"
	"hongyan/mini"
	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
	"hongyan/store"
	"hongyan/store/sqlite"
	"hongyan/store/sqlite/sqlitetest"
	"hongyan/template"
	"hongyan/token"
)

var update = flag.Bool("update", false, "rewrite golden files")

const testAdminKey = "hyk_test-admin-key-0000000000000000000000000000"

// testSecret has the form of an AppSecret and is nobody's.
const testSecret = "5ec2e75ec2e75ec2e75ec2e75ec2e75e"

// wechatURL is the sandbox on the in-memory network, under a name that may go
// without https.
const wechatURL = "http://127.0.0.1"

// gateway is the API on real parts: SQLite, token server, engine and a sandbox
// for WeChat, on an in-memory network.
type gateway struct {
	t       *testing.T
	store   store.Store
	engine  *dispatch.Engine
	api     *API
	sandbox *sandboxtest.Server
	admin   *client.Client
	desk    *access.Desk
	herald  *deliver.Herald
	log     lockedBuffer // what desk and API log
	changed []string     // appids given to Config.Changed
	remote  string       // where do sends from; "" = httptest's address
}

// lockedBuffer is a log that many write. Its zero value is empty.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// newGateway builds a gateway whose engine does not run: what is accepted stays queued.
func newGateway(t *testing.T) *gateway {
	t.Helper()
	keyring, err := store.NewKeyring(bytes.Repeat([]byte{7}, store.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: sqlitetest.File(t, t.TempDir(), sqlite.Migrate), Keyring: keyring})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	g := &gateway{t: t, store: db, sandbox: sandboxtest.NewInMemory(t)}
	g.sandbox.RegisterHost("127.0.0.1", g.sandbox.Sandbox.Handler())
	tokens := token.New(token.Config{Store: db, HTTPClient: g.sandbox.Client})
	changed := func(appID string) {
		g.changed = append(g.changed, appID)
		g.engine.AccountChanged(appID)
		tokens.AccountChanged(appID)
	}
	shelf := template.New(template.Config{
		Store: db, Tokens: tokens, HTTPClient: g.sandbox.Client, Changed: changed,
		Released: func(ctx context.Context, appID, id string) error {
			_, err := g.engine.ReleaseTemplate(ctx, appID, id)
			return err
		},
	})
	keeper := mini.New(mini.Config{
		Store: db, Tokens: tokens, HTTPClient: g.sandbox.Client,
		Waiting: func(appID string) { g.engine.Noticed(store.Notice{Kind: store.NoticeMessages, AppID: appID}) },
	})
	g.engine = dispatch.New(dispatch.Config{
		Store: db, Tokens: tokens, HTTPClient: g.sandbox.Client, Consents: keeper,
		SyncTemplates: func(ctx context.Context, appID string) error { _, err := shelf.Sync(ctx, appID); return err },
	})
	logger := slog.New(slog.NewTextHandler(&g.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	batches := batch.New(batch.Config{Store: db, Engine: batchEngine{g.engine}, Logger: logger})
	desk := access.New(access.Config{Store: db, AdminKeyHash: sha256.Sum256([]byte(testAdminKey)), Logger: logger})
	g.herald = deliver.NewHerald(deliver.HeraldConfig{Store: db, HTTPClient: g.sandbox.Client, Logger: logger})
	g.api = New(Config{
		Store: db, Engine: g.engine, Tokens: tokens, Access: desk, Herald: g.herald,
		Templates: shelf, Mini: keeper, Changed: changed, Logger: logger, Batches: batches, Doctor: g.doctor(db, tokens),
	})
	g.desk = desk
	g.admin = g.client(testAdminKey)
	return g
}

// run starts the engine until the test ends.
func (g *gateway) run() {
	g.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.engine.Run(ctx) }()
	g.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			g.t.Errorf("engine: %v", err)
		}
	})
}

// runHerald takes events out until the test ends.
func (g *gateway) runHerald() {
	g.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() { _ = g.herald.Run(ctx) })
	ended.Go(func() { _ = g.store.Watch(ctx, func(store.Notice) { g.herald.Wake() }) })
	g.t.Cleanup(func() {
		cancel()
		ended.Wait()
	})
}

// runBatches feeds batches until the test ends.
func (g *gateway) runBatches() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.api.cfg.Batches.Run(ctx) }()
	g.t.Cleanup(func() { cancel(); <-ended })
}

// direct answers requests without a connection; RemoteAddr is what httptest says.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	r.RemoteAddr = "192.0.2.1:1234"
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

func (g *gateway) client(key string) *client.Client {
	c := client.New("http://gateway.test", key)
	c.HTTPClient = &http.Client{Transport: direct{g.api.Handler()}}
	c.Retries.Tries = 1 // a refusal is what is looked at
	return c
}

// seed adds the sandbox's two accounts and the service account's templates.
func (g *gateway) seed() {
	g.t.Helper()
	for _, a := range []client.AccountRequest{
		{AppID: sandbox.SeedServiceAppID, Secret: sandbox.SeedServiceSecret, Alias: "shop", BaseURL: wechatURL},
		{AppID: sandbox.SeedMiniAppID, Secret: sandbox.SeedMiniSecret, Kind: "mini_program", BaseURL: wechatURL},
	} {
		g.addAccount(a)
	}
	if _, err := g.admin.SyncTemplates(g.t.Context(), "shop"); err != nil {
		g.t.Fatal(err)
	}
}

func (g *gateway) addAccount(req client.AccountRequest) {
	g.t.Helper()
	if _, err := g.admin.CreateAccount(g.t.Context(), req); err != nil {
		g.t.Fatal(err)
	}
}

// answer is a response, read.
type answer struct {
	status int
	header http.Header
	body   string
}

// problem decodes a refusal.
func (a answer) problem(t *testing.T) client.Problem {
	t.Helper()
	if got, want := a.header.Get("Content-Type"), "application/problem+json"; got != want {
		t.Errorf("Content-Type %q, want %q; body %s", got, want, a.body)
	}
	var p client.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("problem %s: %v", a.body, err)
	}
	return p
}

// do sends a raw request with the administrator's key, unless headers say otherwise.
func (g *gateway) do(method, path, body string, headers ...string) answer {
	g.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+testAdminKey)
	if g.remote != "" {
		r.RemoteAddr = net.JoinHostPort(g.remote, "4711")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	g.api.Handler().ServeHTTP(w, r)
	raw, err := io.ReadAll(w.Result().Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return answer{w.Code, w.Header(), string(raw)}
}

// key makes an API key.
func (g *gateway) key(role string, appIDs ...string) client.NewKey {
	g.t.Helper()
	k, err := g.admin.CreateKey(g.t.Context(), client.KeyRequest{Name: role, Role: role, AppIDs: appIDs})
	if err != nil {
		g.t.Fatal(err)
	}
	return k
}

// order is a message that passes every check.
func order(openID string) client.MessageRequest {
	return client.MessageRequest{
		AppID: sandbox.SeedServiceAppID, ToUser: openID, TemplateID: sandbox.SeedTemplateOrder,
		Data: map[string]client.Field{
			"character_string1": {Value: "A1001"}, "thing2": {Value: "巧克力"},
			"amount3": {Value: "￥39.80", Color: "#173177"}, "time4": {Value: "2026-11-20 10:15"},
		},
	}
}

// batchEngine is the engine as package batch sees it; server's is the same.
type batchEngine struct{ *dispatch.Engine }

func (e batchEngine) Check(ctx context.Context, m *batch.Message) error {
	r := requestOfRow(m)
	err := e.Engine.Check(ctx, &r)
	m.TemplateID = r.TemplateID
	return err
}

func (e batchEngine) Feed(ctx context.Context, ms []batch.Message, commit func(context.Context, []store.NewMessage, []error) ([]store.Inserted, error)) error {
	rs := make([]dispatch.Request, len(ms))
	for i := range ms {
		rs[i] = requestOfRow(&ms[i])
	}
	return e.Engine.Feed(ctx, rs, commit)
}

func requestOfRow(m *batch.Message) dispatch.Request {
	return dispatch.Request{AppID: m.AppID, Kind: m.Kind, ToUser: m.ToUser, TemplateID: m.TemplateID, URL: m.URL, MiniProgram: m.MiniProgram,
		Data: m.Data, ExpiresAt: m.ExpiresAt, Priority: m.Priority, Metadata: m.Metadata, CallerID: m.CallerID, RetryOf: m.RetryOf, Batch: m.Batch, BatchRow: m.Row}
}
