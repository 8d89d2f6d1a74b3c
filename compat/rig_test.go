package compat

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hongyan"
	"hongyan/access"
	"hongyan/dispatch"
	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
	"hongyan/store"
	"hongyan/store/sqlite"
	"hongyan/store/sqlite/sqlitetest"
	"hongyan/template"
	"hongyan/token"
)

const (
	serviceID = sandbox.SeedServiceAppID
	miniID    = sandbox.SeedMiniAppID
	gateURL   = "http://gateway.test"
)

// rig is a whole gateway in one bubble: callers reach it at gateURL, and it reaches
// the sandbox by way of host wechat.test, where a test may put something in between.
type rig struct {
	t      *testing.T
	box    *sandboxtest.Server
	store  *sqlite.Store
	tokens *token.Central
	engine *dispatch.Engine
	desk   *access.Desk
	gate   *Gate
	client *http.Client
	logs   *lockedBuffer
	stop   func() // ends the parts

	mu       sync.Mutex
	between  http.HandlerFunc // answers in WeChat's place; nil = the sandbox does
	changed  []string
	observed []string
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// inBubble runs a story with a rig of its own; bend changes the gate's settings.
// Afterwards no secret may be found in the log.
func inBubble(t *testing.T, bend func(*Config), story func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bend)
		story(r)
		for _, secret := range []string{sandbox.SeedServiceSecret, sandbox.SeedMiniSecret, "access_token="} {
			if strings.Contains(r.logs.String(), secret) {
				t.Errorf("the log contains %q:\n%s", secret, r.logs)
			}
		}
	})
}

func newRig(t *testing.T, bend func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, box: sandboxtest.NewInMemory(t, sandbox.Options{DeliveryDelay: time.Minute}), logs: &lockedBuffer{}}
	r.store = newTestStore(t)
	r.box.RegisterHost("wechat.test", http.HandlerFunc(r.wechat))
	log := slog.New(slog.NewTextHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	calls := r.box.Network().Transport()
	calls.DisableCompression = true
	weChat := &http.Client{Transport: calls, Timeout: 15 * time.Second}
	r.tokens = token.New(token.Config{Store: r.store, HTTPClient: weChat, Logger: log, Rand: func() float64 { return 0.5 }})
	shelf := template.New(template.Config{Store: r.store, Tokens: r.tokens, HTTPClient: weChat})
	r.engine = dispatch.New(dispatch.Config{
		Store: r.store, Tokens: r.tokens, HTTPClient: weChat, StopGrace: 20 * time.Second, Lease: time.Hour, Logger: log,
		SyncTemplates: func(ctx context.Context, appID string) error { _, err := shelf.Sync(ctx, appID); return err },
	})
	r.desk = access.New(access.Config{Store: r.store, Logger: log})
	cfg := Config{
		Store: r.store, Engine: r.engine, Tokens: r.tokens, Access: r.desk, HTTPClient: weChat, Logger: log,
		Changed: r.accountChanged, Observe: r.observe,
	}
	if bend != nil {
		bend(&cfg)
	}
	r.gate = New(cfg)
	r.box.RegisterHost("gateway.test", r.gate)
	r.addAccounts()
	r.run(calls)
	transport := r.box.Network().Transport()
	transport.DisableCompression = true
	r.client = &http.Client{Transport: transport}
	t.Cleanup(transport.CloseIdleConnections)
	return r
}

func newTestStore(t testing.TB) *sqlite.Store {
	t.Helper()
	keys, err := store.NewKeyring(bytes.Repeat([]byte{7}, store.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "hongyan-compat-") // t.TempDir would be removed outside the bubble
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: sqlitetest.File(t, dir, sqlite.Migrate), Keyring: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return s
}

func (r *rig) addAccounts() {
	r.t.Helper()
	for _, a := range []hongyan.Account{
		{AppID: serviceID, Alias: "shop", Secret: sandbox.SeedServiceSecret, Kind: hongyan.ServiceAccount},
		{AppID: miniID, Secret: sandbox.SeedMiniSecret, Kind: hongyan.MiniProgram},
	} {
		a.BaseURL = "http://wechat.test"
		r.must(r.store.CreateAccount(r.t.Context(), a))
	}
}

// run runs the parts until the test's clean-up.
func (r *rig) run(calls *http.Transport) {
	ctx, stop := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	for _, run := range []func(context.Context) error{r.tokens.Run, r.engine.Run, r.desk.Run} {
		parts.Go(func() {
			if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				r.t.Errorf("run: %v", err)
			}
		})
	}
	r.stop = sync.OnceFunc(func() { stop(); parts.Wait(); calls.CloseIdleConnections() })
	r.t.Cleanup(r.stop)
	synctest.Wait()
}

// wechat is host wechat.test.
func (r *rig) wechat(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	between := r.between
	r.mu.Unlock()
	if between != nil {
		between(w, req)
		return
	}
	r.box.Sandbox.Handler().ServeHTTP(w, req)
}

// put answers in WeChat's place from now on.
func (r *rig) put(between http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.between = between
}

func (r *rig) accountChanged(appID string) {
	r.mu.Lock()
	r.changed = append(r.changed, appID)
	r.mu.Unlock()
	r.engine.AccountChanged(appID)
}

func (r *rig) observe(appID, path string, errcode int, _ time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.observed = append(r.observed, strings.TrimSpace(appID+" "+path)+" "+strconv.Itoa(errcode))
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// changeAccount updates a stored account as the API does.
func (r *rig) changeAccount(appID string, change func(*hongyan.Account)) {
	r.t.Helper()
	a, err := r.store.Account(r.t.Context(), appID)
	r.must(err)
	change(&a)
	r.must(r.store.UpdateAccount(r.t.Context(), a))
	r.gate.AccountChanged(appID)
	r.tokens.AccountChanged(appID)
	r.engine.AccountChanged(appID)
}

// gatewaySecret creates a gateway secret for these accounts, none = all.
func (r *rig) gatewaySecret(id, name string, appIDs ...string) string {
	r.t.Helper()
	secret := access.NewSecret(hongyan.KeyGateway)
	hash := sha256.Sum256([]byte(secret))
	r.must(r.store.CreateKey(r.t.Context(), hongyan.Key{
		ID: id, Kind: hongyan.KeyGateway, Name: name, Hash: hash[:], Hint: secret[:8], Role: "sender", AppIDs: appIDs, CreatedAt: r.store.Now(),
	}))
	return secret
}

// answered is one answer of the gateway's.
type answered struct {
	status int
	header http.Header
	body   string
}

// do sends a request to the gateway. head is "Name: value".
func (r *rig) do(method, target string, body io.Reader, head ...string) answered {
	r.t.Helper()
	a, err := r.try(method, target, body, head...)
	r.must(err)
	return a
}

func (r *rig) try(method, target string, body io.Reader, head ...string) (answered, error) {
	req, err := http.NewRequestWithContext(r.t.Context(), method, gateURL+target, body)
	if err != nil {
		return answered{}, err
	}
	for _, line := range head {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return answered{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answered{resp.StatusCode, resp.Header, string(text)}, err
}

func (r *rig) get(target string) answered { r.t.Helper(); return r.do(http.MethodGet, target, nil) }

func (r *rig) post(target, body string) answered {
	r.t.Helper()
	return r.do(http.MethodPost, target, strings.NewReader(body))
}

var anyRID = regexp.MustCompile(`rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}`)

// want compares an answer; a rid in WeChat's form is "rid: *" in it.
func (r *rig) want(got answered, body string) {
	r.t.Helper()
	if text := anyRID.ReplaceAllString(got.body, "rid: *"); text != body || got.status != http.StatusOK {
		r.t.Errorf("answer: HTTP %d %s\nwant:   HTTP 200 %s", got.status, text, body)
	}
}

// token gets an account's token with its AppSecret.
func (r *rig) token(appID, secret string) string {
	r.t.Helper()
	a := r.get("/cgi-bin/token?grant_type=client_credential&appid=" + appID + "&secret=" + url.QueryEscape(secret))
	var granted struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := json.Unmarshal([]byte(a.body), &granted); err != nil || granted.AccessToken == "" || granted.ExpiresIn <= 1500 {
		r.t.Fatalf("token: HTTP %d %s", a.status, a.body)
	}
	return granted.AccessToken
}

func (r *rig) serviceToken() string {
	r.t.Helper()
	return r.token(serviceID, sandbox.SeedServiceSecret)
}

// calls is how often the sandbox was called at a path.
func (r *rig) calls(path string) (n int64) {
	for _, count := range r.box.Sandbox.Stats().Calls[path] {
		n += count
	}
	return n
}

func (r *rig) tokenCalls() int64 { return r.calls(pathToken) + r.calls(pathStable) }

func (r *rig) stored() []hongyan.Message {
	r.t.Helper()
	page, err := r.store.Messages(r.t.Context(), store.Filter{Limit: 1000})
	r.must(err)
	return page.Items
}
