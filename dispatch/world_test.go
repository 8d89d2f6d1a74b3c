package dispatch_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hongyan"
	"hongyan/callback"
	"hongyan/dispatch"
	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
	"hongyan/store"
	"hongyan/store/sqlite"
	"hongyan/store/sqlite/sqlitetest"
	"hongyan/template"
	"hongyan/token"
	"hongyan/wechat"
)

// world is a whole gateway beside a sandbox, in one bubble: a real store in a
// file, real net/http over an in-memory network, and a clock of its own.
type world struct {
	t     *testing.T
	box   *sandboxtest.Server
	store *sqlite.Store
	logs  *lockedBuffer

	clientFor func(*hongyan.Account) *http.Client // of the next life
	nextStore store.Store                         // of the next life; nil = store
	consents  dispatch.Consents                   // of the next life

	gateway atomic.Pointer[process]
}

// process is one life of the gateway.
type process struct {
	engine *dispatch.Engine
	tokens *token.Central
	cut    *cutStore
	stop   context.CancelFunc
	ended  sync.WaitGroup
	pushes http.Handler
	shelf  *template.Shelf
}

// cutStore is the store as one process sees it: once cut, nothing it writes
// arrives, as after kill -9.
type cutStore struct {
	store.Store
	cut atomic.Bool
}

var errKilled = errors.New("killed")

func (c *cutStore) FinishAttempts(ctx context.Context, rs []store.Result) ([]store.Settled, error) {
	if c.cut.Load() {
		return nil, errKilled
	}
	return c.Store.FinishAttempts(ctx, rs)
}

func (c *cutStore) Return(ctx context.Context, fences []store.Fence) error {
	if c.cut.Load() {
		return errKilled
	}
	return c.Store.Return(ctx, fences)
}

func (c *cutStore) PutHold(ctx context.Context, h hongyan.Hold) error {
	if c.cut.Load() {
		return errKilled
	}
	return c.Store.PutHold(ctx, h)
}

func (c *cutStore) Leave(ctx context.Context, epoch int64) error {
	if c.cut.Load() {
		return errKilled
	}
	return c.Store.Leave(ctx, epoch)
}

// lockedBuffer collects logs, which are searched for secrets.
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

// newWorld opens the store, adds the seed's accounts and starts the gateway.
func newWorld(t *testing.T, opts ...sandbox.Options) *world {
	t.Helper()
	w := &world{t: t, box: sandboxtest.NewInMemory(t, opts...), logs: &lockedBuffer{}}
	keyring, err := store.NewKeyring(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir: its clean-up would run outside the bubble's files' lifetime.
	dir, err := os.MkdirTemp("", "hongyan-dispatch-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w.store, err = sqlite.Open(t.Context(), sqlite.Options{Path: sqlitetest.File(t, dir, sqlite.Migrate), Keyring: keyring})
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	w.box.RegisterHost("gateway.test", http.HandlerFunc(w.push))
	w.addAccount(hongyan.Account{AppID: sandbox.SeedServiceAppID, Secret: sandbox.SeedServiceSecret, Kind: hongyan.ServiceAccount})
	w.addAccount(hongyan.Account{AppID: sandbox.SeedMiniAppID, Secret: sandbox.SeedMiniSecret, Kind: hongyan.MiniProgram})
	w.start()
	t.Cleanup(func() {
		if w.gateway.Load() != nil {
			w.stop()
		}
	})
	return w
}

// addAccount adds a to the store and, if the sandbox does not know it, there.
func (w *world) addAccount(a hongyan.Account) {
	w.t.Helper()
	a.BaseURL = w.box.URL
	a.Callback = hongyan.Callback{Token: sandbox.SeedCallbackToken, Mode: "plain"}
	if a.Secret == "" {
		a.Secret = "0123456789abcdef0123456789abcdef"
		if err := w.box.Sandbox.AddAccount(sandbox.AccountSpec{AppID: a.AppID, Secret: a.Secret.Reveal(), Kind: "service"}); err != nil {
			w.t.Fatalf("add %s to the sandbox: %v", a.AppID, err)
		}
	}
	if err := w.store.CreateAccount(w.t.Context(), a); err != nil {
		w.t.Fatalf("add account %s: %v", a.AppID, err)
	}
	if err := w.box.Sandbox.SetServerURL(a.AppID, "http://gateway.test/callback/"+a.AppID, "plain", "xml"); err != nil {
		w.t.Fatalf("set server url of %s: %v", a.AppID, err)
	}
}

// start begins a life of the gateway.
func (w *world) start() {
	w.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	cut := &cutStore{Store: w.store}
	if w.nextStore != nil {
		cut.Store = w.nextStore
	}
	log := slog.New(slog.NewTextHandler(w.logs, nil))
	transport := w.box.Network().Transport()
	client := &http.Client{Transport: transport, Timeout: 15 * time.Second}
	tokens := token.New(token.Config{Store: cut, HTTPClient: client, Logger: log})
	p := &process{tokens: tokens, cut: cut, stop: stop}
	shelf := template.New(template.Config{Store: cut, Tokens: tokens, HTTPClient: client, ClientFor: w.clientFor})
	p.engine = dispatch.New(dispatch.Config{
		Store: cut, Tokens: tokens, HTTPClient: client, ClientFor: w.clientFor, Slots: 64, StopGrace: 20 * time.Second, Lease: time.Hour, Logger: log, Consents: w.consents,
		SyncTemplates: func(ctx context.Context, appID string) error { _, err := shelf.Sync(ctx, appID); return err },
	})
	p.shelf = shelf
	pushes := callback.New(callback.Config{Store: w.store, Logger: log})
	mux := http.NewServeMux()
	mux.Handle("/callback/{appid}", pushes)
	p.pushes = mux
	for _, run := range []func(context.Context) error{tokens.Run, p.engine.Run, pushes.Run} {
		p.ended.Go(func() {
			if err := run(ctx); err != nil && !errors.Is(err, errKilled) && !errors.Is(err, context.Canceled) {
				w.t.Errorf("run: %v", err)
			}
		})
	}
	p.ended.Go(func() { <-ctx.Done(); transport.CloseIdleConnections() })
	w.gateway.Store(p)
	synctest.Wait()
	if !p.engine.Joined() { // what a dead process left is settled first, and results linger for company
		w.sleep(100 * time.Millisecond)
	}
	if !p.engine.Joined() {
		w.t.Fatal("the engine has not joined")
	}
}

// stop ends a life of the gateway as SIGTERM does.
func (w *world) stop() {
	p := w.gateway.Swap(nil)
	p.stop()
	p.ended.Wait()
}

// kill ends it as kill -9 does: from now on nothing of it is written.
func (w *world) kill() {
	w.gateway.Load().cut.cut.Store(true)
	w.stop()
}

// push is the gateway's callback address; while no gateway lives it is down.
func (w *world) push(rw http.ResponseWriter, r *http.Request) {
	if p := w.gateway.Load(); p != nil {
		p.pushes.ServeHTTP(rw, r)
		return
	}
	http.Error(rw, "down", http.StatusBadGateway)
}

func (w *world) engine() *dispatch.Engine { return w.gateway.Load().engine }

// order returns a request for the seed's typed template.
func order(openID string) dispatch.Request {
	return dispatch.Request{
		AppID: sandbox.SeedServiceAppID, ToUser: openID, TemplateID: sandbox.SeedTemplateOrder, Priority: hongyan.Normal,
		Data: wechat.Data{
			"character_string1": {Value: "A1001"}, "thing2": {Value: "巧克力"},
			"amount3": {Value: "￥39.80"}, "time4": {Value: "2026-11-20 10:15"},
		},
	}
}

// submit stores one message and returns it.
func (w *world) submit(r dispatch.Request) hongyan.Message {
	w.t.Helper()
	done, err := w.engine().Submit(w.t.Context(), []dispatch.Request{r})
	if err != nil {
		w.t.Fatalf("submit: %v", err)
	}
	if done[0].Err != nil {
		w.t.Fatalf("submit to %s: %v", r.ToUser, done[0].Err)
	}
	return done[0].Message
}

// message reads a message back.
func (w *world) message(id string) hongyan.Message {
	w.t.Helper()
	m, err := w.store.Message(w.t.Context(), id)
	if err != nil {
		w.t.Fatalf("message %s: %v", id, err)
	}
	return m
}

// want fails the test unless the message is in that state for that reason.
func (w *world) want(m hongyan.Message, state hongyan.State, reason string) hongyan.Message {
	w.t.Helper()
	got := w.message(m.ID)
	if got.State != state || got.Reason != reason {
		w.t.Errorf("message to %s: got %s (%s), want %s (%s); last attempt %+v", got.ToUser, got.State, got.Reason, state, reason, got.Last)
	}
	return got
}

// sleep lets time pass in the bubble.
func (w *world) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// inBubble runs a story with a world of its own.
func inBubble(t *testing.T, story func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) { story(t, newWorld(t)) })
}
