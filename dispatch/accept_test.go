package dispatch

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/store"
	"hongyan/store/sqlite"
	"hongyan/store/sqlite/sqlitetest"
	"hongyan/wechat"
)

const (
	serviceID = "wxaaaaaaaaaaaaaaaa"
	cuttingID = "wxbbbbbbbbbbbbbbbb" // a service account that prefers cut values
	miniID    = "wxcccccccccccccccc"
	subID     = "wxdddddddddddddddd"
	user      = "oUser00000000000000000000001"
	typed     = "typed-0123456789abcdef0123456789abcdef01234"
	free      = "free--0123456789abcdef0123456789abcdef01234"
	banned    = "ban---0123456789abcdef0123456789abcdef01234"
	added     = "added-0123456789abcdef0123456789abcdef01234" // at WeChat, not yet in the store
)

// openStore opens a real store in dir with the accounts and templates above.
func openStore(t *testing.T, dir string) *sqlite.Store {
	t.Helper()
	keyring, err := store.NewKeyring(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: sqlitetest.File(t, dir, sqlite.Migrate), Keyring: keyring})
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	for _, a := range []hongyan.Account{
		{AppID: serviceID, Kind: hongyan.ServiceAccount, Alias: "shop", Secret: "s"},
		{AppID: cuttingID, Kind: hongyan.ServiceAccount, Secret: "s", CutValues: true},
		{AppID: miniID, Kind: hongyan.MiniProgram, Secret: "s"},
		{AppID: subID, Kind: hongyan.SubscriptionAccount, Secret: "s"},
	} {
		if err := s.CreateAccount(t.Context(), a); err != nil {
			t.Fatalf("add account %s: %v", a.AppID, err)
		}
		if err := s.PutTemplates(t.Context(), templatesOf(a.AppID)); err != nil {
			t.Fatalf("add templates of %s: %v", a.AppID, err)
		}
	}
	return s
}

func templatesOf(appID string) []hongyan.Template {
	return []hongyan.Template{
		{AppID: appID, TemplateID: typed, Title: "订单", Kind: hongyan.KindTemplate, Status: "active",
			Content: "订单编号：{{character_string1.DATA}}\n商品名称：{{thing2.DATA}}\n支付金额：{{amount3.DATA}}"},
		{AppID: appID, TemplateID: free, Title: "通知", Kind: hongyan.KindTemplate, Status: "active",
			Content: "{{first.DATA}}\n内容：{{keyword1.DATA}}\n{{remark.DATA}}"},
		{AppID: appID, TemplateID: banned, Title: "封禁", Kind: hongyan.KindTemplate, Status: "banned", Content: "{{thing1.DATA}}"},
	}
}

// order returns a request that is right in every way.
func order() Request {
	return Request{AppID: serviceID, ToUser: user, TemplateID: typed, Priority: hongyan.Normal,
		Data: Data{"character_string1": {Value: "A1001"}, "thing2": {Value: "巧克力"}, "amount3": {Value: "￥39.80"}}}
}

// miniOrder is its like for a mini program.
func miniOrder() Request {
	return Request{AppID: miniID, ToUser: user, TemplateID: "no list of these can be had", FormID: "4f1e",
		Data: Data{"keyword1": {Value: "巧克力"}}}
}

// submitOne stores one message and returns what Submit says of it.
func submitOne(t *testing.T, e *Engine, r Request) Submitted {
	t.Helper()
	done, err := e.Submit(t.Context(), []Request{r})
	if err != nil {
		t.Fatalf("submit: %v", err)
	}
	return done[0]
}

func TestEveryBadRequestNamesItsFaultAndStoresNothing(t *testing.T) {
	s := openStore(t, t.TempDir())
	e := New(Config{Store: s})
	for _, c := range []struct {
		name          string
		change        func(*Request)
		code, pointer string
	}{
		{"no appid", func(r *Request) { r.AppID = "" }, "missing_field", "/appid"},
		{"an account nobody added", func(r *Request) { r.AppID = "wx0000000000000000" }, "unknown_account", "/appid"},
		{"a mini program's kind on a service account", func(r *Request) { r.Kind = hongyan.KindMiniTemplate; r.FormID = "f" }, "wrong_kind", "/kind"},
		{"a service account's kind on a mini program", func(r *Request) { r.AppID = miniID; r.Kind = hongyan.KindTemplate }, "wrong_kind", "/kind"},
		{"a subscription account cannot send", func(r *Request) { r.AppID = subID }, "wrong_kind", "/kind"},
		{"a kind nobody knows", func(r *Request) { r.Kind = "mass" }, "unknown_kind", "/kind"},
		{"no touser", func(r *Request) { r.ToUser = "" }, "missing_field", "/touser"},
		{"an openid too short", func(r *Request) { r.ToUser = user[:27] }, "malformed_openid", "/touser"},
		{"an openid that starts otherwise", func(r *Request) { r.ToUser = "x" + user[1:] }, "malformed_openid", "/touser"},
		{"an openid with a foreign character", func(r *Request) { r.ToUser = user[:27] + "*" }, "malformed_openid", "/touser"},
		{"no template_id", func(r *Request) { r.TemplateID = "" }, "missing_field", "/template_id"},
		{"a template_id far too long", func(r *Request) { r.TemplateID = strings.Repeat("x", 87) }, "malformed_template_id", "/template_id"},
		{"a template the account does not hold", func(r *Request) { r.TemplateID = added }, "unknown_template", "/template_id"},
		{"a banned template", func(r *Request) { r.TemplateID = banned; r.Data = Data{"thing1": {Value: "x"}} }, "template_banned", "/template_id"},
		{"no data", func(r *Request) { r.Data = nil }, "missing_field", "/data"},
		{"a key missing", func(r *Request) { delete(r.Data, "thing2") }, "invalid_data", "/data/thing2"},
		{"a key missing from a historical template", func(r *Request) {
			r.TemplateID, r.Data = free, Data{"first": {Value: "x"}, "remark": {Value: "y"}}
		}, "invalid_data", "/data/keyword1"},
		{"an empty value", func(r *Request) { r.Data["thing2"] = field(" ") }, "invalid_data", "/data/thing2"},
		{"a thing of 21 characters", func(r *Request) { r.Data["thing2"] = field(strings.Repeat("长", 21)) }, "invalid_data", "/data/thing2"},
		{"an amount that is none", func(r *Request) { r.Data["amount3"] = field("a lot") }, "invalid_data", "/data/amount3"},
		{"a wrong value on an account that cuts long ones", func(r *Request) {
			r.AppID = cuttingID
			r.Data["amount3"] = field("a lot")
		}, "invalid_data", "/data/amount3"},
		{"a key written with .DATA", func(r *Request) {
			delete(r.Data, "thing2")
			r.Data["thing2.DATA"] = field("x")
		}, "invalid_data", "/data/thing2"},
		{"a mini program's key written with .DATA", func(r *Request) {
			*r = miniOrder()
			r.Data = Data{"keyword1.DATA": {Value: "x"}}
		}, "invalid_data", "/data/keyword1.DATA"},
		{"a url on a mini program's message", func(r *Request) { *r = miniOrder(); r.URL = "https://x.test" }, "field_of_another_kind", "/url"},
		{"a page on a template message", func(r *Request) { r.Page = "index" }, "field_of_another_kind", "/page"},
		{"a form_id on a template message", func(r *Request) { r.FormID = "f" }, "field_of_another_kind", "/form_id"},
		{"a page path without its mini program", func(r *Request) { r.MiniProgram = &MiniProgram{PagePath: "index"} }, "missing_field", "/miniprogram/appid"},
		{"send_at in 91 days", func(r *Request) { r.SendAt = time.Now().Add(91 * 24 * time.Hour) }, "send_at_too_late", "/send_at"},
		{"expires_at in the past", func(r *Request) { r.ExpiresAt = time.Now().Add(-time.Second) }, "expires_at_past", "/expires_at"},
		{"expires_at before send_at", func(r *Request) {
			r.SendAt, r.ExpiresAt = time.Now().Add(2*time.Hour), time.Now().Add(time.Hour)
		}, "expires_at_before_send_at", "/expires_at"},
		{"a client_msg_id of 65 bytes", func(r *Request) { r.ClientMsgID = strings.Repeat("a", 65) }, "client_msg_id_too_long", "/client_msg_id"},
		{"a client_msg_id in Chinese", func(r *Request) { r.ClientMsgID = "订单1" }, "malformed_client_msg_id", "/client_msg_id"},
		{"a client_msg_id with a space", func(r *Request) { r.ClientMsgID = "a b" }, "malformed_client_msg_id", "/client_msg_id"},
		{"metadata over 16 KiB", func(r *Request) { r.Metadata = bytes.Repeat([]byte("x"), 16<<10+1) }, "metadata_too_long", "/metadata"},
		{"a url over 2 KiB", func(r *Request) { r.URL = "https://x.test/" + strings.Repeat("x", 2048) }, "url_too_long", "/url"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := order()
			c.change(&r)
			got := submitOne(t, e, r)
			problem, ok := errors.AsType[*hongyan.Error](got.Err)
			if !ok || problem.Kind != hongyan.Invalid {
				t.Fatalf("error: got %v, want an invalid *hongyan.Error", got.Err)
			}
			if problem.Code != c.code || !hasPointer(problem, c.pointer) {
				t.Errorf("got %s %v, want %s at %s", problem.Code, problem.Fields, c.code, c.pointer)
			}
			wantNothingStored(t, s)
		})
	}
}

func field(value string) wechat.Field { return wechat.Field{Value: value} }

func hasPointer(e *hongyan.Error, pointer string) bool {
	for _, f := range e.Fields {
		if f.Pointer == pointer && f.Detail != "" {
			return true
		}
	}
	return false
}

func wantNothingStored(t *testing.T, s store.Store) {
	t.Helper()
	page, err := s.Messages(t.Context(), store.Filter{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Items) != 0 {
		t.Errorf("stored: %+v", page.Items)
	}
}

func TestSeveralFaultsAreToldTogether(t *testing.T) {
	e := New(Config{Store: openStore(t, t.TempDir())})
	r := order()
	r.ToUser, r.Page, r.ClientMsgID = "", "index", "a b"
	problem, _ := errors.AsType[*hongyan.Error](submitOne(t, e, r).Err)
	var got []string
	for _, f := range problem.Fields {
		got = append(got, f.Pointer)
	}
	if diff := cmp.Diff([]string{"/touser", "/client_msg_id", "/page"}, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestOneBadRequestDoesNotSpoilTheOthers(t *testing.T) {
	s := openStore(t, t.TempDir())
	bad := order()
	bad.ToUser = ""
	done, err := New(Config{Store: s}).Submit(t.Context(), []Request{order(), bad, miniOrder()})
	if err != nil {
		t.Fatal(err)
	}
	if done[0].Err != nil || done[1].Err == nil || done[2].Err != nil {
		t.Fatalf("errors: %v, %v, %v; want only the second", done[0].Err, done[1].Err, done[2].Err)
	}
	for _, d := range []Submitted{done[0], done[2]} {
		if m, err := s.Message(t.Context(), d.Message.ID); err != nil || m.State != hongyan.Queued {
			t.Errorf("message %s: state %v, error %v", d.Message.ID, m.State, err)
		}
	}
}

func TestTheBodyIsWeChatsOwnByteForByte(t *testing.T) {
	full := order()
	full.URL, full.TopColor, full.ClientMsgID = "https://x.test/?a=1&b=<2>", "#FF0000", "order-1001"
	full.MiniProgram = &MiniProgram{AppID: miniID, PagePath: "index?foo=bar&x=1"}
	full.Data["thing2"] = field("糖 & <b>")
	bare := order()
	bare.MiniProgram = &MiniProgram{}
	mini := miniOrder()
	mini.Page, mini.EmphasisKeyword, mini.Color, mini.ClientMsgID = "index?a=1&b=2", "keyword1.DATA", "#00FF00", "ours-alone"
	blank := miniOrder()
	blank.Data = nil
	for _, c := range []struct {
		name    string
		request Request
		want    string // ID stands for the message's id
	}{
		{"everything, with nothing escaped", full, `{"touser":"` + user + `","template_id":"` + typed + `","url":"https://x.test/?a=1&b=<2>",` +
			`"topcolor":"#FF0000","miniprogram":{"appid":"` + miniID + `","pagepath":"index?foo=bar&x=1"},"client_msg_id":"order-1001",` +
			`"data":{"amount3":{"value":"￥39.80"},"character_string1":{"value":"A1001"},"thing2":{"value":"糖 & <b>"}}}`},
		{"an empty miniprogram is left out, our id is the client_msg_id", bare, `{"touser":"` + user + `","template_id":"` + typed + `","client_msg_id":"ID",` +
			`"data":{"amount3":{"value":"￥39.80"},"character_string1":{"value":"A1001"},"thing2":{"value":"巧克力"}}}`},
		{"a mini program's has no client_msg_id", mini, `{"touser":"` + user + `","template_id":"no list of these can be had","page":"index?a=1&b=2","form_id":"4f1e",` +
			`"data":{"keyword1":{"value":"巧克力"}},"color":"#00FF00","emphasis_keyword":"keyword1.DATA"}`},
		{"no data is an empty object", blank, `{"touser":"` + user + `","template_id":"no list of these can be had","form_id":"4f1e","data":{}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openStore(t, t.TempDir())
			got := submitOne(t, New(Config{Store: s}), c.request)
			if got.Err != nil {
				t.Fatal(got.Err)
			}
			m, err := s.Message(t.Context(), got.Message.ID)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Replace(c.want, `"ID"`, `"`+m.ID+`"`, 1)
			if diff := cmp.Diff(want, string(m.Payload)); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnAccountMayCutLongValues(t *testing.T) {
	s := openStore(t, t.TempDir())
	r := order()
	r.AppID = cuttingID
	long := strings.Repeat("长", 25)
	r.Data["thing2"] = field(long)
	callers := r.Data
	got := submitOne(t, New(Config{Store: s}), r)
	if got.Err != nil {
		t.Fatal(got.Err)
	}
	if want := `"thing2":{"value":"` + strings.Repeat("长", 19) + `…"}`; !strings.Contains(string(got.Message.Payload), want) {
		t.Errorf("body %s, want it to hold %s", got.Message.Payload, want)
	}
	if callers["thing2"].Value != long {
		t.Errorf("the caller's own data was changed to %q", callers["thing2"].Value)
	}
}

func TestWhatIsNotAskedForTakesItsDefault(t *testing.T) {
	s := openStore(t, t.TempDir())
	r := order()
	r.AppID = "shop" // by its alias
	before := s.Now()
	m := submitOne(t, New(Config{Store: s}), r).Message
	if m.AppID != serviceID || m.Kind != hongyan.KindTemplate || m.State != hongyan.Queued || m.ClientMsgID != m.ID || m.CallerMsgID {
		t.Errorf("got %+v", m)
	}
	if m.DueAt.Before(before) || !m.ExpiresAt.Equal(m.DueAt.Add(hongyan.DefaultExpireAfter)) {
		t.Errorf("due %v, expires %v; want now and a day later", m.DueAt, m.ExpiresAt)
	}
	r.SendAt = before.Add(-time.Hour)
	if m = submitOne(t, New(Config{Store: s}), r).Message; m.DueAt.Before(before) {
		t.Errorf("a send_at of an hour ago is due %v, want now", m.DueAt)
	}
	r.SendAt = before.Add(48 * time.Hour)
	if m = submitOne(t, New(Config{Store: s}), r).Message; !m.DueAt.Equal(r.SendAt) || !m.ExpiresAt.Equal(r.SendAt.Add(24*time.Hour)) {
		t.Errorf("due %v, expires %v; want send_at %v and a day later", m.DueAt, m.ExpiresAt, r.SendAt)
	}
}

func TestARepeatedRequestIsAnsweredWithTheFirstMessage(t *testing.T) {
	e := New(Config{Store: openStore(t, t.TempDir())})
	r := order()
	r.IdempotencyKey, r.BodyHash = "k1", [32]byte{1}
	first := submitOne(t, e, r)
	again := submitOne(t, e, r)
	if again.Outcome != store.InsertedReplay || again.Message.ID != first.Message.ID || again.Err != nil {
		t.Errorf("the same key and body: got %+v, want a replay of %s", again, first.Message.ID)
	}
	r.BodyHash = [32]byte{2}
	if problem, _ := errors.AsType[*hongyan.Error](submitOne(t, e, r).Err); problem == nil || problem.Code != "idempotency_key_reused" {
		t.Errorf("the same key, another body: got %v", problem)
	}
	r = order()
	r.ClientMsgID = "order-1"
	first = submitOne(t, e, r)
	if again = submitOne(t, e, r); again.Outcome != store.InsertedDuplicate || again.Message.ID != first.Message.ID {
		t.Errorf("the same client_msg_id: got %+v, want the first message %s", again, first.Message.ID)
	}
}

// clocked is a store whose clock is set by hand.
type clocked struct {
	store.Store
	now time.Time
}

func (c *clocked) Now() time.Time { return c.now }

// A caller who asks again after a time-out learns what became of the first
// message, even when the same request would be refused by now.
func TestARepeatedKeyIsAnsweredThoughTheTemplateIsGone(t *testing.T) {
	s := openStore(t, t.TempDir())
	e := New(Config{Store: s})
	r := order()
	r.IdempotencyKey, r.BodyHash = "order-1", [32]byte{1}
	first := submitOne(t, e, r)
	if first.Err != nil {
		t.Fatal(first.Err)
	}
	if err := s.DeleteTemplate(t.Context(), first.Message.AppID, r.TemplateID); err != nil {
		t.Fatal(err)
	}
	e.AccountChanged(first.Message.AppID)
	again := submitOne(t, e, r)
	if again.Err != nil || again.Outcome != store.InsertedReplay || again.Message.ID != first.Message.ID {
		t.Errorf("the same key again: got %v, outcome %d, message %s; want a replay of %s", again.Err, again.Outcome, again.Message.ID, first.Message.ID)
	}
	r.BodyHash = [32]byte{2}
	if other := submitOne(t, e, r); other.Outcome != store.InsertedMismatch || other.Err == nil {
		t.Errorf("the key with another body: got outcome %d, %v; want a mismatch", other.Outcome, other.Err)
	}
	r.IdempotencyKey = "order-2"
	if fresh := submitOne(t, e, r); fresh.Err == nil {
		t.Error("a new key with an unknown template was accepted")
	}
}

func TestAnUnknownTemplateIsAskedForAtMostEveryHalfMinute(t *testing.T) {
	s := &clocked{openStore(t, t.TempDir()), hongyan.Millis(time.Now())}
	asked := 0
	var fails error
	e := New(Config{Store: s, SyncTemplates: func(ctx context.Context, appID string) error {
		if asked++; asked < 3 || fails != nil {
			return fails
		}
		return s.PutTemplates(ctx, []hongyan.Template{{AppID: appID, TemplateID: added, Kind: hongyan.KindTemplate, Status: "active", Content: "{{first.DATA}}"}})
	}})
	r := order()
	r.TemplateID, r.Data = added, Data{"first": {Value: "x"}}
	step := func(name string, wait time.Duration, wantAsked int, wantCode string) {
		t.Helper()
		s.now = s.now.Add(wait)
		code := ""
		if problem, ok := errors.AsType[*hongyan.Error](submitOne(t, e, r).Err); ok {
			code = problem.Code
		}
		if asked != wantAsked || code != wantCode {
			t.Errorf("%s: asked %d times, code %q; want %d, %q", name, asked, code, wantAsked, wantCode)
		}
	}
	step("the first time", 0, 1, "unknown_template")
	step("at once again", 0, 1, "unknown_template")
	step("29 s later", 29*time.Second, 1, "unknown_template")
	fails = errors.New("WeChat does not answer")
	step("30 s later, and asking fails", time.Second, 2, "templates_unread")
	step("at once again", 0, 2, "templates_unread")
	fails = nil
	step("after another 2 s it is there", retryEvery, 3, "")
	step("and known", 0, 3, "")
}

// TestManyNameAnUnknownTemplateAtOnce: they all wait for WeChat's list, which is
// asked for once. It is what the first minute of a new gateway looks like.
func TestManyNameAnUnknownTemplateAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, asked := openStore(t, t.TempDir()), 0
		e := New(Config{Store: s, SyncTemplates: func(ctx context.Context, appID string) error {
			asked++
			time.Sleep(time.Second)
			return s.PutTemplates(ctx, []hongyan.Template{{AppID: appID, TemplateID: added, Kind: hongyan.KindTemplate, Status: "active", Content: "{{first.DATA}}"}})
		}})
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				r := order()
				r.TemplateID, r.Data = added, Data{"first": {Value: "x"}}
				if err := submitOne(t, e, r).Err; err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if asked != 1 {
			t.Errorf("WeChat was asked %d times, want once", asked)
		}
	})
}

// TestATemplateReadWhileItWasLookedUpIsFound: a caller who found nothing looks again when
// somebody else's reading of WeChat's list began and ended meanwhile.
func TestATemplateReadWhileItWasLookedUpIsFound(t *testing.T) {
	s, asked := &tampered{Store: openStore(t, t.TempDir())}, 0
	e := New(Config{Store: s, SyncTemplates: func(ctx context.Context, appID string) error {
		asked++
		return s.PutTemplates(ctx, []hongyan.Template{{AppID: appID, TemplateID: added, Kind: hongyan.KindTemplate, Status: "active", Content: "{{first.DATA}}"}})
	}})
	r := order()
	r.TemplateID, r.Data = added, Data{"first": {Value: "x"}}
	s.template = func() {
		if err := submitOne(t, e, r).Err; err != nil {
			t.Error(err)
		}
	}
	if err := submitOne(t, e, r).Err; err != nil || asked != 1 {
		t.Errorf("got %v after %d readings, want the message taken after one", err, asked)
	}
}

func TestACallerWhoGoesAwayLeavesNothingHalfDone(t *testing.T) {
	s := openStore(t, t.TempDir())
	e := New(Config{Store: s})
	submitOne(t, e, order()) // the account is loaded
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	done, err := e.Submit(ctx, []Request{order()})
	if err != nil || done[0].Err != nil {
		t.Fatalf("submit: %v, %+v; want it stored: its checks were done", err, done)
	}
	if _, err := s.Message(t.Context(), done[0].Message.ID); err != nil {
		t.Error(err)
	}
}
