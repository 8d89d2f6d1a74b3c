package batch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hongyan"
	"hongyan/batch"
	"hongyan/callback"
	"hongyan/dispatch"
	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
	"hongyan/server"
	"hongyan/store"
	"hongyan/store/sqlite"
	"hongyan/store/sqlite/sqlitetest"
	"hongyan/template"
	"hongyan/token"
	"hongyan/wechat"
)

const sendPath = "/cgi-bin/message/template/send"

// world is a gateway with batches beside a sandbox, in one bubble.
type world struct {
	t     *testing.T
	box   *sandboxtest.Server
	store *sqlite.Store
	life  atomic.Pointer[life]
	told  []batch.News
	mu    sync.Mutex
}

// life is one process of the gateway.
type life struct {
	engine *dispatch.Engine
	desk   *batch.Desk
	cut    *cutStore
	pushes http.Handler
	stop   context.CancelFunc
	ended  sync.WaitGroup
}

// cutStore is the store as one process sees it: once cut, nothing it does arrives, as
// after kill -9. With lost set, the next feed is carried out and not answered.
type cutStore struct {
	store.Store
	cut  atomic.Bool
	lost atomic.Bool
}

var errKilled = errors.New("killed")

func (c *cutStore) do(f func() error) error {
	if c.cut.Load() {
		return errKilled
	}
	return f()
}

func (c *cutStore) Feed(ctx context.Context, f store.Feed) (ins []store.Inserted, err error) {
	err = c.do(func() error { ins, err = c.Store.Feed(ctx, f); return err })
	if err == nil && c.lost.CompareAndSwap(true, false) {
		c.cut.Store(true) // killed after the commit
		return nil, errKilled
	}
	return ins, err
}

func (c *cutStore) FinishAttempts(ctx context.Context, rs []store.Result) (done []store.Settled, err error) {
	err = c.do(func() error { done, err = c.Store.FinishAttempts(ctx, rs); return err })
	return done, err
}

func (c *cutStore) Return(ctx context.Context, fences []store.Fence) error {
	return c.do(func() error { return c.Store.Return(ctx, fences) })
}

func (c *cutStore) UpdateBatch(ctx context.Context, b hongyan.Batch) (changed hongyan.Batch, err error) {
	err = c.do(func() error { changed, err = c.Store.UpdateBatch(ctx, b); return err })
	return changed, err
}

func (c *cutStore) Leave(ctx context.Context, epoch int64) error {
	return c.do(func() error { return c.Store.Leave(ctx, epoch) })
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, box: sandboxtest.NewInMemory(t)}
	keyring, err := store.NewKeyring(bytes.Repeat([]byte{7}, store.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "hongyan-batch-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if w.store, err = sqlite.Open(t.Context(), sqlite.Options{Path: sqlitetest.File(t, dir, sqlite.Migrate), Keyring: keyring}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	w.box.RegisterHost("gateway.test", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if l := w.life.Load(); l != nil {
			l.pushes.ServeHTTP(rw, r)
		}
	}))
	err = w.store.CreateAccount(t.Context(), hongyan.Account{AppID: sandbox.SeedServiceAppID, Secret: sandbox.SeedServiceSecret, Kind: hongyan.ServiceAccount,
		Alias: "shop", BaseURL: w.box.URL, Callback: hongyan.Callback{Token: sandbox.SeedCallbackToken, Mode: "plain"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.box.Sandbox.SetServerURL(sandbox.SeedServiceAppID, "http://gateway.test/callback/"+sandbox.SeedServiceAppID, "plain", "xml"); err != nil {
		t.Fatal(err)
	}
	w.start()
	t.Cleanup(func() {
		if w.life.Load() != nil {
			w.stop()
		}
	})
	return w
}

// start begins a process.
func (w *world) start() {
	w.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	l := &life{cut: &cutStore{Store: w.store}, stop: stop}
	transport := w.box.Network().Transport()
	client := &http.Client{Transport: transport, Timeout: 15 * time.Second}
	log := slog.New(slog.DiscardHandler)
	tokens := token.New(token.Config{Store: l.cut, HTTPClient: client})
	shelf := template.New(template.Config{Store: l.cut, Tokens: tokens, HTTPClient: client, Changed: func(appID string) { l.engine.AccountChanged(appID) }})
	l.engine = dispatch.New(dispatch.Config{Store: l.cut, Tokens: tokens, HTTPClient: client, Slots: 1024, StopGrace: 20 * time.Second, Lease: time.Hour, Logger: log,
		SyncTemplates: func(ctx context.Context, appID string) error { _, err := shelf.Sync(ctx, appID); return err }})
	l.desk = batch.New(batch.Config{Store: l.cut, Engine: server.BatchEngine(l.engine), Logger: log, Tell: func(_ context.Context, _, typ string, data any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if news, ok := data.(batch.News); ok && typ == "batch.finished" {
			w.told = append(w.told, news)
		}
	}})
	pushes := callback.New(callback.Config{Store: w.store, Logger: log})
	mux := http.NewServeMux()
	mux.Handle("/callback/{appid}", pushes)
	l.pushes = mux
	for _, run := range []func(context.Context) error{tokens.Run, l.engine.Run, l.desk.Run, pushes.Run} {
		l.ended.Go(func() {
			if err := run(ctx); err != nil && !errors.Is(err, errKilled) && !errors.Is(err, context.Canceled) {
				w.t.Errorf("run: %v", err)
			}
		})
	}
	l.ended.Go(func() { <-ctx.Done(); transport.CloseIdleConnections() })
	w.life.Store(l)
	w.sleep(100 * time.Millisecond)
}

func (w *world) stop() {
	l := w.life.Swap(nil)
	l.stop()
	l.ended.Wait()
}

// kill ends the process as kill -9 does.
func (w *world) kill() {
	w.life.Load().cut.cut.Store(true)
	w.stop()
}

func (w *world) desk() *batch.Desk { return w.life.Load().desk }

func (w *world) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// inBubble runs a story with a world of its own.
func inBubble(t *testing.T, story func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) { story(t, newWorld(t)) })
}

// draft is a batch for the seed's typed template.
func draft(change ...func(*batch.Draft)) batch.Draft {
	d := batch.Draft{AppID: "shop", Name: "orders", TemplateID: sandbox.SeedTemplateOrder, Priority: hongyan.Bulk,
		Fields: batch.Fields{URL: "https://shop.example.com/{{order}}", Data: wechat.Data{
			"character_string1": {Value: "{{order}}"}, "thing2": {Value: "{{name}}套装"}, "amount3": {Value: "￥39.80"}, "time4": {Value: "2026-11-20 10:15"}}},
		Columns: map[string]string{"touser": "user id"}}
	for _, c := range change {
		c(&d)
	}
	return d
}

// table is rows of a CSV for draft, to users from on; change may spoil a row's cells.
func table(from, n int, change ...func(row int, cells []string)) string {
	var b strings.Builder
	b.WriteString("user id,order,name\n")
	for row := 1; row <= n; row++ {
		cells := []string{sandbox.OpenID("", from+row-1), fmt.Sprintf("A%d", row), "巧克力"}
		for _, c := range change {
			c(row, cells)
		}
		b.WriteString(strings.Join(cells, ",") + "\n")
	}
	return b.String()
}

func (w *world) create(d batch.Draft) hongyan.Batch {
	w.t.Helper()
	b, err := w.desk().Create(w.t.Context(), d)
	if err != nil {
		w.t.Fatalf("create: %v", err)
	}
	return b
}

// upload sends a CSV.
func (w *world) upload(id, csv string, change ...func(*batch.Upload)) (batch.Report, error) {
	w.t.Helper()
	return w.uploadFrom(id, strings.NewReader(csv), change...)
}

func (w *world) uploadFrom(id string, csv io.Reader, change ...func(*batch.Upload)) (batch.Report, error) {
	w.t.Helper()
	rows, err := batch.OpenTable(csv, "csv", "")
	if err != nil {
		return batch.Report{}, err
	}
	defer rows.Close()
	u := batch.Upload{Source: rows}
	for _, c := range change {
		c(&u)
	}
	return w.desk().Upload(w.t.Context(), id, u)
}

// staged is a batch with n good rows.
func (w *world) staged(n int, change ...func(*batch.Draft)) hongyan.Batch {
	w.t.Helper()
	b := w.create(draft(change...))
	r, err := w.upload(b.ID, table(1, n))
	if err != nil || r.Good != int64(n) {
		w.t.Fatalf("upload: got %+v, %v", r, err)
	}
	return b
}

func (w *world) begin(id string) {
	w.t.Helper()
	if _, err := w.desk().Start(w.t.Context(), id, time.Time{}, false); err != nil {
		w.t.Fatalf("start: %v", err)
	}
}

func (w *world) read(id string) hongyan.Batch {
	w.t.Helper()
	b, err := w.store.Batch(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// until waits until the batch has ended, in bubble time.
func (w *world) until(id string, most time.Duration) hongyan.Batch {
	w.t.Helper()
	for passed := time.Duration(0); passed < most; passed += time.Second {
		if b := w.read(id); !b.EndedAt.IsZero() {
			return b
		}
		w.sleep(time.Second)
	}
	b := w.read(id)
	w.t.Fatalf("batch has not ended after %v: %+v", most, b)
	return b
}

// calls counts the calls to WeChat that were no repetition, by user.
func (w *world) calls() map[string]int {
	calls := make(map[string]int)
	for _, e := range w.box.Sandbox.Ledger(sandbox.LedgerFilter{Path: sendPath}) {
		calls[e.ToUser]++
	}
	return calls
}

// wantEach fails unless each of n users was called exactly once.
func (w *world) wantEach(n int) {
	w.t.Helper()
	calls := w.calls()
	for i := 1; i <= n; i++ {
		if got := calls[sandbox.OpenID("", i)]; got != 1 {
			w.t.Errorf("user %d was sent %d messages, want 1", i, got)
		}
	}
	if len(calls) != n {
		w.t.Errorf("%d users were called, want %d", len(calls), n)
	}
}

func (w *world) counts(id string) map[hongyan.State]int64 {
	w.t.Helper()
	counts, err := w.store.BatchCounts(w.t.Context(), w.read(id).Seq)
	if err != nil {
		w.t.Fatal(err)
	}
	return counts
}
