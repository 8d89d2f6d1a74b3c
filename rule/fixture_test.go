package rule_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hongyan"
	"hongyan/callback"
	"hongyan/dispatch"
	"hongyan/rule"
	"hongyan/store"
	"hongyan/store/sqlite"
	"hongyan/store/sqlite/sqlitetest"
	"hongyan/wechat"
)

const (
	appID  = "wx0f1e2d3c4b5a6978"
	userA  = "oUserAAAAAAAAAAAAAAAAAAAAAAA"
	tmplID = "Template-of-the-tests-000000000000000000001"
)

// world is a store with an account, and lives of a gateway on it, in a bubble. The
// engine does not run: what rules send stays queued.
type world struct {
	t     *testing.T
	store *sqlite.Store
	n     int // pushes so far
}

func newWorld(t *testing.T) *world {
	t.Helper()
	keys, err := store.NewKeyring(make([]byte, store.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "hongyan-rule-") // outlives the bubble, unlike t.TempDir's clean-up
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &world{t: t}
	if w.store, err = sqlite.Open(t.Context(), sqlite.Options{Path: sqlitetest.File(t, dir, sqlite.Migrate), Keyring: keys}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	w.must(w.store.CreateAccount(t.Context(), hongyan.Account{AppID: appID, Kind: hongyan.ServiceAccount, Secret: "s"}))
	w.must(w.store.PutTemplates(t.Context(), []hongyan.Template{{AppID: appID, TemplateID: tmplID, Kind: hongyan.KindTemplate, Status: "active",
		Title: "关注通知", Content: "内容：{{thing1.DATA}}\n时间：{{time2.DATA}}"}}))
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// errKilled is what a process gets from a store it does not reach any more.
var errKilled = errors.New("killed")

// cutStore is the store as one life sees it: once cut, nothing it writes arrives.
type cutStore struct {
	store.Store
	finish, events atomic.Bool
}

func (c *cutStore) FinishFirings(ctx context.Context, rs []store.FiringResult) error {
	if c.finish.Load() {
		return errKilled
	}
	return c.Store.FinishFirings(ctx, rs)
}

func (c *cutStore) FinishEvents(ctx context.Context, done []store.EventDone) error {
	if c.events.Load() {
		return errKilled
	}
	return c.Store.FinishEvents(ctx, done)
}

// life is one life of the gateway: it processes pushes and carries rules out.
type life struct {
	cut  *cutStore
	desk *rule.Desk
	stop func()

	told atomic.Int64 // rule.fired

	mu   sync.Mutex
	fact string // the latest rule.fired, as JSON
	log  syncBuffer
}

// said is the latest rule.fired, as JSON.
func (l *life) said() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fact
}

// syncBuffer is a log that may be read while it is written. Its zero value is empty.
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

func (w *world) start() *life {
	l := &life{cut: &cutStore{Store: w.store}}
	engine := dispatch.New(dispatch.Config{Store: l.cut})
	request := func(o *rule.Outgoing) dispatch.Request {
		return dispatch.Request{AppID: o.AppID, ToUser: o.ToUser, TemplateID: o.Message.TemplateID, URL: o.Message.URL, Data: o.Message.Data,
			Priority: hongyan.Normal, ClientMsgID: o.ClientMsgID, SendAt: o.SendAt, ExpiresAt: o.ExpiresAt}
	}
	l.desk = rule.New(rule.Config{
		Store: l.cut,
		Send: func(ctx context.Context, all []rule.Outgoing) ([]rule.Sent, error) {
			sent := make([]rule.Sent, len(all))
			for i := range all {
				done, err := engine.Submit(ctx, []dispatch.Request{request(&all[i])})
				if err != nil {
					return nil, err
				}
				sent[i] = rule.Sent{MessageID: done[0].Message.ID, Err: done[0].Err}
			}
			return sent, nil
		},
		Check: func(ctx context.Context, o *rule.Outgoing) error { return engine.Check(ctx, new(request(o))) },
		Tell: func(_ context.Context, _, _ string, data any) {
			raw, err := json.Marshal(data)
			if err != nil {
				w.t.Error(err)
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			l.fact = string(raw)
			l.told.Add(1)
		},
		Logger: slog.New(slog.NewTextHandler(&l.log, nil)),
	})
	pushes := callback.New(callback.Config{Store: l.cut, Rules: l.desk.Firings, Fired: l.desk.Wake})
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	for _, run := range []func(context.Context) error{l.desk.Run, pushes.Run} {
		parts.Go(func() {
			if err := run(ctx); err != nil {
				w.t.Error(err)
			}
		})
	}
	l.stop = sync.OnceFunc(func() { cancel(); parts.Wait() })
	w.t.Cleanup(l.stop)
	return l
}

// rule adds a rule that greets who follows.
func (w *world) rule(name string, change ...func(*hongyan.Rule)) hongyan.Rule {
	w.t.Helper()
	r := hongyan.Rule{ID: hongyan.NewRuleID(), AppID: appID, Name: name, On: "follow", Message: hongyan.RuleMessage{
		TemplateID: tmplID, Data: wechat.Data{"thing1": {Value: "欢迎"}, "time2": {Value: "{{time}}"}},
	}}
	for _, c := range change {
		c(&r)
	}
	if broken := rule.Check(&r); len(broken) > 0 {
		w.t.Fatalf("the rule breaks %+v", broken)
	}
	w.must(w.store.CreateRule(w.t.Context(), r))
	return r
}

// push stores what WeChat pushed: an event of the user with these elements.
func (w *world) push(openID, event, elements string) hongyan.Event {
	w.t.Helper()
	w.n++
	now := w.store.Now()
	e := hongyan.Event{AppID: appID, DedupeKey: fmt.Sprint("push-", w.n), Type: event, OpenID: openID, CreateTime: now.Truncate(time.Second), ReceivedAt: now,
		Body: fmt.Appendf(nil, "<xml><ToUserName>gh_0a1b2c3d4e5f</ToUserName><FromUserName>%s</FromUserName><CreateTime>%d</CreateTime><MsgType>event</MsgType><Event>%s</Event>%s</xml>", openID, now.Unix(), event, elements)}
	var err error
	e.ID, _, err = w.store.InsertEvent(w.t.Context(), e)
	w.must(err)
	return e
}

// sent are the messages to a user, oldest first.
func (w *world) sent(openID string) (all []hongyan.Message) {
	w.t.Helper()
	page, err := w.store.Messages(w.t.Context(), store.Filter{ToUser: openID, Limit: 100})
	w.must(err)
	for i := range page.Items {
		all = append([]hongyan.Message{page.Items[i]}, all...)
	}
	return all
}

func (w *world) ruleNow(name string) hongyan.Rule {
	w.t.Helper()
	r, err := w.store.Rule(w.t.Context(), appID, name)
	w.must(err)
	return r
}
