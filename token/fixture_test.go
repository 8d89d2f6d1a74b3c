package token

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hongyan"
	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
	"hongyan/store"
	"hongyan/store/sqlite"
	"hongyan/store/sqlite/sqlitetest"
	"hongyan/wechat"
)

const (
	appID  = sandbox.SeedServiceAppID
	secret = sandbox.SeedServiceSecret
)

// fixture is a store with one account and the platform it belongs to, inside a bubble.
type fixture struct {
	*Central
	t     *testing.T
	box   *sandboxtest.Server
	store *sqlite.Store
	log   *syncBuffer

	mu   sync.Mutex
	seen []string // every token handed out: none may be in the log
}

// inBubble runs a test with a fixture whose account takes its tokens from source.
// Afterwards no secret and no token may be found in the log.
func inBubble(t *testing.T, source hongyan.TokenSource, test func(t *testing.T, f *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{t: t, box: sandboxtest.NewInMemory(t), store: newTestStore(t), log: &syncBuffer{}}
		f.mustCreateAccount(hongyan.Account{AppID: appID, Alias: "shop", Secret: secret, Kind: hongyan.ServiceAccount,
			BaseURL: f.box.URL, TokenSource: source})
		f.Central = f.newCentral("node-1")
		test(t, f)
		f.checkNoSecrets()
	})
}

func newTestStore(t *testing.T) *sqlite.Store {
	t.Helper()
	keys, err := store.NewKeyring(make([]byte, store.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: sqlitetest.File(t, t.TempDir(), sqlite.Migrate), Keyring: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// newCentral is another process, or the same one after a restart.
func (f *fixture) newCentral(node string) *Central {
	return New(Config{Store: f.store, HTTPClient: f.box.Client, NodeName: node,
		Logger: slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Rand:   func() float64 { return 0.5 }})
}

func (f *fixture) mustCreateAccount(a hongyan.Account) {
	f.t.Helper()
	if err := f.store.CreateAccount(f.t.Context(), a); err != nil {
		f.t.Fatal(err)
	}
}

// changeAccount updates the stored account as the API does.
func (f *fixture) changeAccount(change func(*hongyan.Account)) {
	f.t.Helper()
	a, err := f.store.Account(f.t.Context(), appID)
	if err == nil {
		change(&a)
		err = f.store.UpdateAccount(f.t.Context(), a)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	f.AccountChanged(appID)
}

func (f *fixture) mustToken() string {
	f.t.Helper()
	token, err := f.AccessToken(f.t.Context(), appID)
	if err != nil {
		f.t.Fatalf("AccessToken: %v", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, token)
	return token
}

func (f *fixture) mustInfo() Info {
	f.t.Helper()
	info, err := f.Info(f.t.Context(), appID)
	if err != nil {
		f.t.Fatalf("Info: %v", err)
	}
	return info
}

// mustFail asks for a token and returns why there is none.
func (f *fixture) mustFail() *hongyan.TokenError {
	f.t.Helper()
	token, err := f.AccessToken(f.t.Context(), appID)
	if err == nil {
		f.t.Fatalf("AccessToken = a token of %d characters, want an error", len(token))
	}
	return asTokenError(f.t, err)
}

func asTokenError(t *testing.T, err error) *hongyan.TokenError {
	t.Helper()
	failure, ok := errors.AsType[*hongyan.TokenError](err)
	if !ok {
		t.Fatalf("error %v (%T), want a *hongyan.TokenError", err, err)
	}
	return failure
}

// errcode is what the platform says to a call with that token.
func (f *fixture) errcode(token string) wechat.Code {
	f.t.Helper()
	client := wechat.Client{BaseURL: f.box.URL, HTTPClient: f.box.Client}
	answer, err := client.Do(f.t.Context(), wechat.Call{Endpoint: wechat.EndpointAPIDomainIP, AccessToken: token})
	if err != nil && wechat.OutcomeOf(err) != wechat.OutcomeAnswered {
		f.t.Fatalf("get_api_domain_ip: %v", err)
	}
	return answer.Code
}

// calls is how many requests the platform got for a path, whatever it answered.
func (f *fixture) calls(path wechat.Endpoint) (n int64) {
	for _, count := range f.box.Sandbox.Stats().Calls[string(path)] {
		n += count
	}
	return n
}

func (f *fixture) tokenCalls() int64 {
	return f.calls(wechat.EndpointToken) + f.calls(wechat.EndpointStableToken)
}

// wantCalls compares the number of token calls since the start.
func (f *fixture) wantCalls(want int64) {
	f.t.Helper()
	if got := f.tokenCalls(); got != want {
		f.t.Fatalf("token calls = %d, want %d", got, want)
	}
}

// run runs the Central until stop is called.
func (f *fixture) run(c *Central) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			f.t.Errorf("Run: %v", err)
		}
	})
}

func (f *fixture) checkNoSecrets() {
	f.t.Helper()
	text := f.log.String()
	for _, s := range append([]string{secret}, f.seen...) {
		if s != "" && strings.Contains(text, s) {
			f.t.Errorf("the log contains a secret of %d characters:\n%s", len(s), text)
			return
		}
	}
}

// herd runs do n times at once and waits.
func herd(n int, do func()) {
	var all sync.WaitGroup
	for range n {
		all.Go(do)
	}
	all.Wait()
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func near(t *testing.T, what string, got, want time.Time) {
	t.Helper()
	if d := got.Sub(want).Abs(); d > time.Second {
		t.Errorf("%s = %s, want %s", what, got.UTC(), want.UTC())
	}
}
