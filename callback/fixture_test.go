package callback

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"hongyan"
	"hongyan/sandbox"
	"hongyan/store"
	"hongyan/store/sqlite"
	"hongyan/store/sqlite/sqlitetest"
	"hongyan/wechat"
)

const (
	appID  = sandbox.SeedServiceAppID
	openID = "oSpecUser00000000000000000A1"
	token  = "SpecToken2026"
	aesKey = "wxSpecKey0123456789ABCDEFGHIJKLMNOPQRSTUVab"
)

// fixture is a store with one account, its Callback, and what it observed.
type fixture struct {
	*Callback
	t     testing.TB
	store *sqlite.Store
	path  string
	mux   *http.ServeMux
	epoch int64

	mu       sync.Mutex
	log      bytes.Buffer
	observed []string // "appid type result"
}

// newFixture opens a store in a temporary folder with an account in plain mode.
func newFixture(t testing.TB, changes ...func(*hongyan.Account)) *fixture {
	t.Helper()
	f := &fixture{t: t, path: sqlitetest.File(t, t.TempDir(), sqlite.Migrate), mux: http.NewServeMux()}
	f.open()
	t.Cleanup(func() {
		if err := f.store.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	acct := hongyan.Account{AppID: appID, Alias: "shop", Kind: hongyan.ServiceAccount, Secret: sandbox.SeedServiceSecret,
		Callback: hongyan.Callback{Token: token}}
	for _, change := range changes {
		change(&acct)
	}
	if err := f.store.CreateAccount(t.Context(), acct); err != nil {
		t.Fatal(err)
	}
	f.mux.HandleFunc("/callback/{appid}", func(w http.ResponseWriter, r *http.Request) { f.ServeHTTP(w, r) })
	return f
}

// open opens the store and builds a Callback on it, as a process does at its start.
func (f *fixture) open() {
	f.t.Helper()
	keys, err := store.NewKeyring(make([]byte, store.MasterKeySize))
	if err != nil {
		f.t.Fatal(err)
	}
	if f.store, err = sqlite.Open(context.Background(), sqlite.Options{Path: f.path, Keyring: keys}); err != nil {
		f.t.Fatal(err)
	}
	f.Callback = New(Config{Store: f.store, Logger: slog.New(slog.NewTextHandler(f, nil)), Observe: f.observeRequest})
	if f.epoch, err = f.store.Join(context.Background(), "test", time.Minute); err != nil {
		f.t.Fatal(err)
	}
}

// Write takes the log.
func (f *fixture) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log.Write(p)
}

func (f *fixture) logged() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log.String()
}

func (f *fixture) observeRequest(appID, eventType, result string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.observed = append(f.observed, strings.Join([]string{appID, eventType, result}, " "))
}

// lastObserved is what was observed of the latest request.
func (f *fixture) lastObserved() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.observed) == 0 {
		return ""
	}
	return f.observed[len(f.observed)-1]
}

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

// process does what Run does once, without the orphans.
func (f *fixture) process() {
	f.t.Helper()
	if _, err := f.processOnce(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

// events lists what is stored, newest first.
func (f *fixture) events() []hongyan.Event {
	f.t.Helper()
	all, err := f.store.Events(f.t.Context(), appID, 0, 1000)
	if err != nil {
		f.t.Fatal(err)
	}
	return all
}

func (f *fixture) message(id string) hongyan.Message {
	f.t.Helper()
	m, err := f.store.Message(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	return m
}

// insert stores a message that is being sent.
func (f *fixture) insert() hongyan.Message {
	f.t.Helper()
	id := hongyan.NewMessageID()
	now := hongyan.Millis(f.store.Now())
	inserted, err := f.store.InsertMessages(f.t.Context(), []store.NewMessage{{Message: hongyan.Message{
		ID: id, AppID: appID, Kind: hongyan.KindTemplate, ToUser: openID, TemplateID: "t", ClientMsgID: id, Payload: []byte("{}"),
		State: hongyan.Sending, Epoch: f.epoch, CreatedAt: now, DueAt: now, ExpiresAt: now.Add(24 * time.Hour),
	}}})
	if err != nil {
		f.t.Fatal(err)
	}
	return inserted[0].Message
}

// finish writes what became of the message's first attempt.
func (f *fixture) finish(m hongyan.Message, r store.Result) {
	f.t.Helper()
	now := hongyan.Millis(f.store.Now())
	attempt := hongyan.Attempt{N: 1, StartedAt: now, EndedAt: now, Outcome: hongyan.Answered, MsgID: r.MsgID}
	if r.MsgID == 0 {
		attempt.Outcome = hongyan.NoAnswer
	}
	r.Fence, r.AppID = store.Fence{Seq: m.Seq, Epoch: m.Epoch, Attempts: m.Attempts}, m.AppID
	r.Attempts, r.AcceptedAt = []hongyan.Attempt{attempt}, now
	settled, err := f.store.FinishAttempts(f.t.Context(), []store.Result{r})
	if err != nil || !settled[0].Applied {
		f.t.Fatalf("FinishAttempts: applied %v, %v", settled, err)
	}
}

// accepted stores a message that WeChat took under msgID.
func (f *fixture) accepted(msgID int64) string {
	m := f.insert()
	f.finish(m, store.Result{State: hongyan.Accepted, MsgID: msgID})
	return m.ID
}

// uncertain stores a message whose answer never came.
func (f *fixture) uncertain() string {
	m := f.insert()
	f.finish(m, store.Result{State: hongyan.Uncertain, Reason: "no_answer", DoubtSince: f.store.Now()})
	return m.ID
}

// retrying stores a message that is queued again after an attempt without answer.
func (f *fixture) retrying() string {
	m := f.insert()
	f.finish(m, store.Result{State: hongyan.Queued, DueAt: f.store.Now().Add(time.Minute), DoubtSince: f.store.Now()})
	return m.ID
}

// event is a push as WeChat writes it.
type event struct {
	openid, name, status, key string
	at                        int64 // Unix seconds
	msgID                     int64
}

func receipt(msgID int64, status string, at time.Time) event {
	return event{openid: openID, name: "TEMPLATESENDJOBFINISH", status: status, at: at.Unix(), msgID: msgID}
}

func (e event) xml() string {
	var b strings.Builder
	fmt.Fprintf(&b, "<xml>\n<ToUserName><![CDATA[gh_0a1b2c3d4e5f]]></ToUserName>\n<FromUserName><![CDATA[%s]]></FromUserName>\n", e.openid)
	fmt.Fprintf(&b, "<CreateTime>%d</CreateTime>\n<MsgType><![CDATA[event]]></MsgType>\n<Event><![CDATA[%s]]></Event>\n", e.at, e.name)
	if e.key != "" {
		fmt.Fprintf(&b, "<EventKey><![CDATA[%s]]></EventKey>\n", e.key)
	}
	if e.status != "" {
		fmt.Fprintf(&b, "<MsgID>%d</MsgID>\n<Status><![CDATA[%s]]></Status>\n", e.msgID, e.status)
	}
	b.WriteString("</xml>")
	return b.String()
}

func (e event) json() string {
	return fmt.Sprintf(`{"ToUserName":"gh_0a1b2c3d4e5f","FromUserName":%q,"CreateTime":%d,"MsgType":"event","Event":%q,"MsgID":%d,"Status":%q}`,
		e.openid, e.at, e.name, e.msgID, e.status)
}

// signed is the query of a push that is not encrypted.
func signed(token string) url.Values {
	return url.Values{"timestamp": {"1790000000"}, "nonce": {"1372623149"}, "openid": {openID},
		"signature": {wechat.Signature(token, "1790000000", "1372623149")}}
}

// sealed is query and body of an encrypted push.
func sealed(t testing.TB, token, encodingAESKey, appID, plain string) (url.Values, string) {
	t.Helper()
	key, err := wechat.ParseAESKey(encodingAESKey)
	if err != nil {
		t.Fatal(err)
	}
	encrypt, err := wechat.Encrypt(key, appID, []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	q := signed(token)
	q.Set("encrypt_type", "aes")
	q.Set("msg_signature", wechat.MsgSignature(token, q.Get("timestamp"), q.Get("nonce"), encrypt))
	return q, "<xml><ToUserName><![CDATA[gh_0a1b2c3d4e5f]]></ToUserName><Encrypt><![CDATA[" + encrypt + "]]></Encrypt></xml>"
}

// post pushes body with query q and returns status and answer.
func (f *fixture) post(q url.Values, body string) (int, string) {
	return f.serve(httptest.NewRequest(http.MethodPost, "/callback/"+appID+"?"+q.Encode(), strings.NewReader(body)))
}

func (f *fixture) serve(r *http.Request) (int, string) {
	w := httptest.NewRecorder()
	f.mux.ServeHTTP(w, r)
	body, _ := io.ReadAll(w.Body)
	return w.Code, string(body)
}

// mustPush pushes an event in plain mode and wants success.
func (f *fixture) mustPush(e event) {
	f.t.Helper()
	if status, body := f.post(signed(token), e.xml()); status != http.StatusOK || body != "success" {
		f.t.Fatalf("push answered %d %q, want 200 success", status, body)
	}
}
