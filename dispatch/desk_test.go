package dispatch

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hongyan"
	"hongyan/store"
	"hongyan/store/sqlite"
)

// answering is WeChat as these tests need it: a RoundTripper that answers each
// path with the same body, after a while if told so.
type answering struct {
	mu     sync.Mutex
	answer map[string]string // by path; "" = the connection is lost
	delay  time.Duration
	calls  map[string]int
	bodies []string // of the sends
}

const (
	sendPath  = "/cgi-bin/message/template/send"
	miniPath  = "/cgi-bin/message/wxopen/template/send"
	probePath = "/cgi-bin/get_api_domain_ip"
	taken     = `{"errcode":0,"errmsg":"ok","msgid":4123456789012345678}`
)

var errLost = errors.New("connection reset")

func (w *answering) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	answer, delay := w.answer[r.URL.Path], w.delay
	w.calls[r.URL.Path]++
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.mu.Unlock()
			return nil, err
		}
		w.bodies = append(w.bodies, string(body))
	}
	w.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if answer == "" {
		return nil, errLost
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(answer)), ContentLength: int64(len(answer)), Request: r}, nil
}

// say changes what a path answers from now on.
func (w *answering) say(path, answer string, delay time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer[path], w.delay = answer, delay
}

func (w *answering) count(path string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[path]
}

// oneToken is a token server that has one token, or none for a reason.
type oneToken struct {
	mu  sync.Mutex
	err error
	d   time.Duration
}

func (o *oneToken) AccessToken(context.Context, string) (string, error) {
	o.mu.Lock()
	err, d := o.err, o.d
	o.mu.Unlock()
	time.Sleep(d)
	return "TOKEN", err
}

// wait makes the token come after d from now on.
func (o *oneToken) wait(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.d = d
}

func (o *oneToken) Invalidate(context.Context, string, string) error { return nil }

func (o *oneToken) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = err
}

// desk is an engine with a real store before answering, inside a bubble.
type desk struct {
	*testing.T
	*Engine
	store  *sqlite.Store
	wechat *answering
	tokens *oneToken

	seen  store.Store // the store as the engine sees it
	sync  func(ctx context.Context, appID string) error
	room  int // Config.Slots; 0 = 16
	halt  context.CancelFunc
	ended sync.WaitGroup
}

// atDesk runs a story in a bubble, with the engine running unless idle, and
// checks in the end that every slot and every reserved call came back.
func atDesk(t *testing.T, wrap func(store.Store) store.Store, story func(d *desk)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{T: t, store: openStore(t, dir), tokens: &oneToken{},
			wechat: &answering{answer: map[string]string{sendPath: taken, probePath: `{"ip_list":[]}`}, calls: map[string]int{}}}
		d.seen = d.store
		if wrap != nil {
			d.seen = wrap(d.store)
		}
		d.start()
		story(d)
		d.stop()
	})
}

// start begins a life of the engine.
func (d *desk) start() {
	d.Engine = New(Config{Store: d.seen, Tokens: d.tokens, HTTPClient: &http.Client{Transport: d.wechat, Timeout: 15 * time.Second}, Slots: cmp.Or(d.room, 16), SyncTemplates: d.sync})
	var ctx context.Context
	ctx, d.halt = context.WithCancel(d.Context())
	d.ended.Go(func() {
		if err := d.Engine.Run(ctx); err != nil {
			d.Errorf("run: %v", err)
		}
	})
	synctest.Wait()
}

// stop ends it.
func (d *desk) stop() {
	d.Helper()
	d.halt()
	d.ended.Wait()
	d.wantNothingSetAside()
}

// tampered is a store that goes wrong where told to: each function that is set
// is asked before the call of its name, and its error is the call's. The func()s
// are run once, between a reading and what is made of it.
type tampered struct {
	store.Store
	mu       sync.Mutex
	insert   func() error
	giveBack func() error
	account  func(appID string) error
	putHold  func() error
	renew    func() error
	usage    func()
	template func()
	holds    func()
}

// once runs what is set between a reading and what is made of it.
func (w *tampered) once(which func(*tampered) *func()) {
	w.mu.Lock()
	do := *which(w)
	*which(w) = nil
	w.mu.Unlock()
	if do != nil {
		do()
	}
}

func (w *tampered) Usage(ctx context.Context, appID string) ([]hongyan.QuotaUsage, error) {
	all, err := w.Store.Usage(ctx, appID)
	w.once(func(w *tampered) *func() { return &w.usage })
	return all, err
}

func (w *tampered) Template(ctx context.Context, appID, templateID string) (hongyan.Template, error) {
	t, err := w.Store.Template(ctx, appID, templateID)
	w.once(func(w *tampered) *func() { return &w.template })
	return t, err
}

func (w *tampered) Holds(ctx context.Context) ([]hongyan.Hold, error) {
	all, err := w.Store.Holds(ctx)
	w.once(func(w *tampered) *func() { return &w.holds })
	return all, err
}

func (w *tampered) PutHold(ctx context.Context, h hongyan.Hold) error {
	w.mu.Lock()
	first := w.putHold
	w.mu.Unlock()
	if first != nil {
		if err := first(); err != nil {
			return err
		}
	}
	return w.Store.PutHold(ctx, h)
}

func (w *tampered) Renew(ctx context.Context, epoch int64, lease time.Duration) error {
	w.mu.Lock()
	first := w.renew
	w.mu.Unlock()
	if first != nil {
		if err := first(); err != nil {
			return err
		}
	}
	return w.Store.Renew(ctx, epoch, lease)
}

// set changes what goes wrong.
func (w *tampered) set(change func(*tampered)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}

func (w *tampered) InsertMessages(ctx context.Context, ms []store.NewMessage) ([]store.Inserted, error) {
	w.mu.Lock()
	first := w.insert
	w.mu.Unlock()
	if first != nil {
		if err := first(); err != nil {
			return nil, err
		}
	}
	return w.Store.InsertMessages(ctx, ms)
}

func (w *tampered) Return(ctx context.Context, fences []store.Fence) error {
	w.mu.Lock()
	first := w.giveBack
	w.mu.Unlock()
	if first != nil {
		if err := first(); err != nil {
			return err
		}
	}
	return w.Store.Return(ctx, fences)
}

func (w *tampered) Account(ctx context.Context, appID string) (hongyan.Account, error) {
	w.mu.Lock()
	first := w.account
	w.mu.Unlock()
	if first != nil {
		if err := first(appID); err != nil {
			return hongyan.Account{}, err
		}
	}
	return w.Store.Account(ctx, appID)
}

// over makes w a view of s, for atDesk.
func (w *tampered) over(s store.Store) store.Store {
	w.Store = s
	return w
}

func (d *desk) wantNothingSetAside() {
	d.Helper()
	d.Engine.mu.Lock()
	defer d.Engine.mu.Unlock()
	if d.slots != 0 {
		d.Errorf("slots: %d still taken", d.slots)
	}
	for _, s := range d.order {
		if s.leased() != 0 || s.probing {
			d.Errorf("stream %v: %d ready, %d in flight, %d reserved, probing %v", s.key, len(s.ready), s.inflight, s.reserved, s.probing)
		}
		meter := s.account.meter
		for _, t := range append(slices.Collect(maps.Values(meter.templates)), &meter.account) {
			for _, c := range t {
				if c.reserved != 0 {
					d.Errorf("meter of %s: %d still reserved", s.key.appID, c.reserved)
				}
			}
		}
	}
}

func (d *desk) sleep(t time.Duration) {
	time.Sleep(t)
	synctest.Wait()
}

// later stores a message due in an hour.
func (d *desk) later() hongyan.Message {
	d.Helper()
	r := order()
	r.SendAt = time.Now().Add(time.Hour)
	return d.submit(r)
}

func (d *desk) submit(r Request) hongyan.Message {
	d.Helper()
	done := submitOne(d.T, d.Engine, r)
	if done.Err != nil {
		d.Fatalf("submit: %v", done.Err)
	}
	return done.Message
}

func (d *desk) want(id string, state hongyan.State, reason string) hongyan.Message {
	d.Helper()
	m, err := d.store.Message(d.Context(), id)
	if err != nil {
		d.Fatal(err)
	}
	if m.State != state || m.Reason != reason {
		d.Errorf("got %s (%s), want %s (%s); last attempt %+v", m.State, m.Reason, state, reason, m.Last)
	}
	return m
}

func (d *desk) wantError(err error, kind hongyan.Kind, code string) {
	d.Helper()
	problem, ok := errors.AsType[*hongyan.Error](err)
	if !ok || problem.Kind != kind || code != "" && problem.Code != code {
		d.Errorf("error: got %v (%+v), want %v %s", err, problem, kind, code)
	}
}

// change changes the service account as the API does.
func (d *desk) change(how func(*hongyan.Account)) {
	d.Helper()
	a, err := d.store.Account(d.Context(), serviceID)
	d.must(err)
	how(&a)
	d.must(d.store.UpdateAccount(d.Context(), a))
	d.AccountChanged(serviceID)
}

// must fails the test on an error.
func (d *desk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}
