package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hongyan"
	"hongyan/sandbox/sandboxtest"
	"hongyan/store"
	"hongyan/store/sqlite"
	"hongyan/store/sqlite/sqlitetest"
	"hongyan/wechat"
)

const (
	appID    = "wxa1a1a1a1a1a1a1a1"
	openID   = "oSpecUser00000000000000000A1"
	otherID  = "oSpecUser00000000000000000B2"
	token    = "SpecToken2026"
	aesKey   = "wxSpecKey0123456789ABCDEFGHIJKLMNOPQRSTUVab"
	ownToken = "DownstreamToken"
	ownKey   = "OwnSpecKey123456789ABCDEFGHIJKLMNOPQRSTUVab"
)

// world is a Sender on a real store in a file, and servers on an in-memory network,
// in one bubble with a clock of its own.
type world struct {
	*Sender
	t       *testing.T
	store   *sqlite.Store
	network *sandboxtest.Network
	client  *http.Client
	epoch   int64
	pushed  int

	mu       sync.Mutex
	log      bytes.Buffer
	observed []string // "target outcome"
	stop     func()
}

// bubble runs f in a world whose account has these downstreams.
func bubble(t *testing.T, downstreams []hongyan.Downstream, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, network: sandboxtest.NewNetwork()}
		transport := w.network.Transport()
		w.client = &http.Client{Transport: transport}
		keys, err := store.NewKeyring(make([]byte, store.MasterKeySize))
		if err != nil {
			t.Fatal(err)
		}
		if w.store, err = sqlite.Open(t.Context(), sqlite.Options{Path: sqlitetest.File(t, t.TempDir(), sqlite.Migrate), Keyring: keys}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			w.end()
			transport.CloseIdleConnections()
			if err := w.store.Close(); err != nil {
				t.Error(err)
			}
		})
		if w.epoch, err = w.store.Join(t.Context(), "test", 24*365*time.Hour); err != nil {
			t.Fatal(err)
		}
		a := hongyan.Account{AppID: appID, Kind: hongyan.ServiceAccount, Secret: "s", Downstreams: downstreams,
			Callback: hongyan.Callback{Token: token, AESKey: aesKey, Mode: "safe"}}
		if err := w.store.CreateAccount(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		w.Sender = w.newSender(w.store)
		f(t, w)
	})
}

func (w *world) newSender(s store.Store) *Sender {
	return New(Config{Store: s, HTTPClient: w.client, Logger: slog.New(slog.NewTextHandler(w, nil)), Observe: func(target, outcome string, _ time.Duration) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.observed = append(w.observed, target+" "+outcome)
	}})
}

// Write takes the log.
func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func (w *world) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

// count is how often an outcome was observed of a downstream.
func (w *world) count(name, outcome string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.observed {
		if o == appID+"/"+name+" "+outcome {
			n++
		}
	}
	return n
}

// start runs the Sender until end.
func (w *world) start() {
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
}

func (w *world) end() {
	if w.stop != nil {
		w.stop()
	}
}

// after lets time pass, and what happens in it.
func (w *world) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// serve puts a server on the network.
func (w *world) serve(host string, h http.Handler) {
	w.t.Helper()
	l, err := w.network.Listen(host)
	if err != nil {
		w.t.Fatal(err)
	}
	var calls sync.WaitGroup
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		defer calls.Done()
		body, _ := io.ReadAll(r.Body) // only then does a handler hear of a caller who left
		r.Body = io.NopCloser(bytes.NewReader(body))
		h.ServeHTTP(rw, r)
	})
	server := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	w.t.Cleanup(func() {
		w.end()
		_ = server.Close()
		<-done
		calls.Wait()
	})
}

// inbox is a callback server that checks what it gets as WeChat's receivers do.
type inbox struct {
	w        *world
	receiver *wechat.Receiver
	// answer decides; nil = success. It is called with how many came before.
	answer func(n int, push wechat.Push, rw http.ResponseWriter)

	mu      sync.Mutex
	got     []string // bodies
	at      []time.Time
	queries []string
}

func (w *world) inbox(host string, mode wechat.CallbackMode, token, key string) *inbox {
	w.t.Helper()
	receiver, err := wechat.NewReceiver(wechat.ReceiverConfig{AppID: appID, Mode: mode, Tokens: []string{token}, AESKeys: []string{key}})
	if err != nil {
		w.t.Fatal(err)
	}
	in := &inbox{w: w, receiver: receiver}
	w.serve(host, in)
	return in
}

func (in *inbox) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // cut off
	}
	push, err := in.receiver.Open(r.URL.Query(), r.Header.Get("Content-Type"), body)
	if err != nil {
		in.w.t.Errorf("%s cannot read its push: %v", r.Host, err)
	}
	in.mu.Lock()
	n := len(in.got)
	in.got, in.at, in.queries = append(in.got, string(push.Plain)), append(in.at, time.Now()), append(in.queries, r.URL.RawQuery)
	in.mu.Unlock()
	if in.answer != nil {
		in.answer(n, push, rw)
	}
}

func (in *inbox) bodies() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.got)
}

// text is a user's message, the nth of the world.
func (w *world) text(openid string) string {
	w.pushed++
	return fmt.Sprintf("<xml><ToUserName><![CDATA[gh_0a1b2c3d4e5f]]></ToUserName><FromUserName><![CDATA[%s]]></FromUserName>"+
		"<CreateTime>1790000000</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[%d]]></Content><MsgId>%[2]d</MsgId></xml>", openid, w.pushed)
}

// push stores a push and begins its deliveries, as package callback does.
func (w *world) push(openid, body string) hongyan.Event {
	w.t.Helper()
	parsed, err := wechat.ParseEvent([]byte(body))
	if err != nil {
		w.t.Fatal(err)
	}
	e := hongyan.Event{AppID: appID, DedupeKey: body, Type: strings.ToLower(parsed.Event + parsed.MsgType), OpenID: openid, MsgID: parsed.MsgID,
		Body: []byte(body), ReceivedAt: hongyan.Millis(w.store.Now())}
	if parsed.Event != "" {
		e.Type = strings.ToLower(parsed.Event)
	}
	if e.ID, _, err = w.store.InsertEvent(w.t.Context(), e); err != nil {
		w.t.Fatal(err)
	}
	a := w.account()
	done := store.EventDone{EventID: e.ID}
	for i := range a.Downstreams {
		if d := &a.Downstreams[i]; d.Wants(e.Type) {
			done.Deliveries = append(done.Deliveries, store.NewDelivery{Target: d.Target(appID), Key: openid})
		}
	}
	if err := w.store.FinishEvents(w.t.Context(), []store.EventDone{done}); err != nil {
		w.t.Fatal(err)
	}
	w.Wake()
	return e
}

func (w *world) account() *hongyan.Account {
	w.t.Helper()
	a, err := w.store.Account(w.t.Context(), appID)
	if err != nil {
		w.t.Fatal(err)
	}
	return &a
}

// change changes the account's downstreams as the API does.
func (w *world) change(f func(a *hongyan.Account)) {
	w.t.Helper()
	a := w.account()
	f(a)
	if err := w.store.UpdateAccount(w.t.Context(), *a); err != nil {
		w.t.Fatal(err)
	}
	w.AccountChanged(appID)
}

// deliveries lists a downstream's, oldest first.
func (w *world) deliveries(name string) []hongyan.Delivery {
	w.t.Helper()
	all, err := w.store.ListDeliveries(w.t.Context(), store.DeliveryFilter{Target: appID + "/" + name, Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Reverse(all)
	return all
}

// one is the only delivery of a downstream.
func (w *world) one(name string) hongyan.Delivery {
	w.t.Helper()
	all := w.deliveries(name)
	if len(all) != 1 {
		w.t.Fatalf("%d deliveries to %s, want 1", len(all), name)
	}
	return all[0]
}

// cutStore is the store as one process sees it: once cut, nothing it records
// arrives, as after kill -9.
type cutStore struct {
	store.Store
	cut bool
}

var errKilled = errors.New("killed")

func (c *cutStore) FinishDeliveries(ctx context.Context, rs []store.DeliveryResult) error {
	if c.cut {
		return errKilled
	}
	return c.Store.FinishDeliveries(ctx, rs)
}

func cancelled(t *testing.T) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx, cancel
}
