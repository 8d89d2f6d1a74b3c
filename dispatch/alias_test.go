package dispatch

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"
)

// aliased makes a word stand for a template of the service account, as the API does.
func (d *desk) aliased(alias, templateID string) {
	d.Helper()
	_, err := d.shelf().PutAlias(d.Context(), serviceID, alias, templateID)
	d.must(err)
}

func TestAnAliasIsTakenForATemplateID(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		r := order()
		r.TemplateID = "order_paid"
		d.wantError(submitOne(d.T, d.Engine, r).Err, hongyan.Invalid, "unknown_template")
		d.aliased("order_paid", typed)
		m := d.submit(r)
		if m.TemplateID != typed || !strings.Contains(string(m.Payload), typed) || strings.Contains(string(m.Payload), "order_paid") {
			t.Errorf("message of %s, body %s; want the template's id in both", m.TemplateID, m.Payload)
		}
		d.sleep(time.Second)
		d.want(m.ID, hongyan.Accepted, "")
		if again, err := d.Engine.Retry(d.Context(), m.ID, ""); err == nil {
			t.Errorf("an accepted message was retried: %+v", again)
		}
		d.aliased("order_paid", free)
		r.Data = Data{"first": {Value: "x"}, "keyword1": {Value: "x"}, "remark": {Value: "x"}}
		if m := d.submit(r); m.TemplateID != free {
			t.Errorf("after the alias was put anew: message of %s", m.TemplateID)
		}
		d.must(d.shelf().DeleteAlias(d.Context(), serviceID, "order_paid"))
		d.wantError(submitOne(d.T, d.Engine, r).Err, hongyan.Invalid, "unknown_template")
	})
}

// TestAnAliasOfAnotherNodeCountsAtOnce: a Notice makes the engine forget what it knew.
func TestAnAliasOfAnotherNodeCountsAtOnce(t *testing.T) {
	s := openStore(t, t.TempDir())
	e := New(Config{Store: s})
	r := order()
	r.TemplateID = "order_paid"
	if err := submitOne(t, e, r).Err; err == nil {
		t.Fatal("an alias that nobody made was taken")
	}
	if err := s.PutTemplateAlias(t.Context(), hongyan.TemplateAlias{AppID: serviceID, Alias: "order_paid", TemplateID: typed}); err != nil {
		t.Fatal(err)
	}
	e.AccountChanged(serviceID)
	if got := submitOne(t, e, r); got.Err != nil || got.Message.TemplateID != typed {
		t.Errorf("after the notice: %v, message of %s", got.Err, got.Message.TemplateID)
	}
}

// countingTemplates counts how often templates and aliases are read.
type countingTemplates struct {
	store.Store
	templates, aliases int
}

func (c *countingTemplates) Template(ctx context.Context, appID, templateID string) (hongyan.Template, error) {
	c.templates++
	return c.Store.Template(ctx, appID, templateID)
}

func (c *countingTemplates) TemplateAliases(ctx context.Context, appID string) ([]hongyan.TemplateAlias, error) {
	c.aliases++
	return c.Store.TemplateAliases(ctx, appID)
}

// TestAPlainMessageCostsNoQueryForAliases: a template_id is known by its length, and
// what an alias stands for is read once.
func TestAPlainMessageCostsNoQueryForAliases(t *testing.T) {
	s := &countingTemplates{Store: openStore(t, t.TempDir())}
	e := New(Config{Store: s})
	for range 3 {
		if err := submitOne(t, e, order()).Err; err != nil {
			t.Fatal(err)
		}
	}
	if s.aliases != 0 || s.templates != 1 {
		t.Errorf("three messages by template_id: %d readings of aliases, %d of the template; want 0 and 1", s.aliases, s.templates)
	}
	if err := s.PutTemplateAlias(t.Context(), hongyan.TemplateAlias{AppID: serviceID, Alias: "order_paid", TemplateID: typed}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r := order()
		r.TemplateID = "order_paid"
		if err := submitOne(t, e, r).Err; err != nil {
			t.Fatal(err)
		}
	}
	if s.aliases != 1 || s.templates != 1 {
		t.Errorf("and three by alias: %d readings of aliases, %d of the template; want 1 and 1", s.aliases, s.templates)
	}
}

func TestTheKindFollowsTheTemplate(t *testing.T) {
	s := openStore(t, t.TempDir())
	if err := s.PutTemplates(t.Context(), []hongyan.Template{
		{AppID: miniID, TemplateID: pickup, Kind: hongyan.KindSubscribe, Status: "active", Content: "{{thing1.DATA}}"},
		{AppID: serviceID, TemplateID: pickup, Kind: hongyan.KindNotice, Status: "active", Content: "{{thing1.DATA}}"},
	}); err != nil {
		t.Fatal(err)
	}
	e := New(Config{Store: s})
	for appID, want := range map[string]hongyan.MessageKind{miniID: hongyan.KindSubscribe, serviceID: hongyan.KindNotice} {
		r := Request{AppID: appID, ToUser: user, TemplateID: pickup, Data: Data{"thing1": {Value: "x"}}}
		if got := submitOne(t, e, r); got.Err != nil || got.Message.Kind != want {
			t.Errorf("%s: %v, kind %s, want %s", appID, got.Err, got.Message.Kind, want)
		}
		r.Kind = hongyan.KindMiniTemplate
		if appID == serviceID {
			r.Kind = hongyan.KindTemplate
		}
		r.FormID = map[string]string{miniID: "f"}[appID]
		if err := submitOne(t, e, r).Err; !hongyan.IsKind(err, hongyan.Invalid) || !strings.Contains(err.Error(), "is one of kind") {
			t.Errorf("%s as %s: %v", appID, r.Kind, err)
		}
	}
}

func TestATemplatesPolicyGoesBeforeTheAccounts(t *testing.T) {
	s := openStore(t, t.TempDir())
	e := New(Config{Store: s})
	long := strings.Repeat("长", 25)
	for _, c := range []struct {
		policy hongyan.LengthPolicy
		appID  string
		want   string // of thing2, "" = refused
	}{
		{"", serviceID, ""}, {"", cuttingID, strings.Repeat("长", 19) + "…"}, {wechat.LengthRefuse, cuttingID, ""},
		{wechat.LengthCut, serviceID, strings.Repeat("长", 19) + "…"}, {wechat.LengthSplit, serviceID, strings.Repeat("长", 19) + "…"},
	} {
		if err := s.SetTemplatePolicy(t.Context(), c.appID, typed, c.policy); err != nil {
			t.Fatal(err)
		}
		e.AccountChanged(c.appID)
		r := order()
		r.AppID, r.Data = c.appID, Data{"character_string1": {Value: "A1"}, "thing2": {Value: long}, "amount3": {Value: "1"}}
		got := submitOne(t, e, r)
		if refused := got.Err != nil; refused != (c.want == "") || !strings.Contains(string(got.Message.Payload), c.want) {
			t.Errorf("policy %q on %s: %v, body %s, want %q", c.policy, c.appID, got.Err, got.Message.Payload, c.want)
		}
	}
}

func TestLintSaysWhatSubmitSaysAndMore(t *testing.T) {
	s := openStore(t, t.TempDir())
	e := New(Config{Store: s})
	lint := func(r Request) []string {
		t.Helper()
		l, err := e.Lint(t.Context(), r, wechat.EraF)
		if err != nil {
			t.Fatal(err)
		}
		var words []string
		for _, f := range l.Findings {
			words = append(words, string(f.Severity)+" "+f.Pointer+" "+f.Rule)
			if f.Detail == "" || f.DetailZH == "" {
				t.Errorf("finding %+v", f)
			}
		}
		err = e.Check(t.Context(), &r)
		if l.OK() != (err == nil) {
			t.Errorf("lint says ok %v, and Submit would say %v", l.OK(), err)
		}
		return words
	}
	r := order()
	if got := lint(r); got != nil {
		t.Errorf("a good message: %v", got)
	}
	r.Data = Data{"thing2": {Value: strings.Repeat("长", 21), Color: "#FF0000"}, "amount3": {Value: "a lot"}, "thing9/": {Value: "x"}}
	want := []string{
		"error /data/character_string1 missing", "error /data/thing2 thing:max20", "error /data/amount3 amount:format",
		"warning /data/thing9~1 unknown_key", "warning /data/thing2 card:color_ignored",
	}
	if diff := cmp.Diff(want, lint(r)); diff != "" {
		t.Errorf("a bad one (-want +got):\n%s", diff)
	}
	r = order()
	r.TemplateID, r.Data = free, Data{"first": {Value: "您好"}, "keyword1": {Value: "🎉" + strings.Repeat("长", 25)}, "remark": {}}
	want = []string{"warning /data/first card:hidden", "warning /data/keyword1 card:emoji_dropped", "warning /data/keyword1 card:max20"}
	if diff := cmp.Diff(want, lint(r)); diff != "" {
		t.Errorf("a historical template (-want +got):\n%s", diff)
	}
	r = order()
	r.TemplateID, r.Data = banned, Data{"thing1": {Value: "x"}}
	if diff := cmp.Diff([]string{"error /template_id template_banned"}, lint(r)); diff != "" {
		t.Errorf("a banned template (-want +got):\n%s", diff)
	}
	r.TemplateID, r.Data = typed, nil
	want = []string{"error /data/character_string1 missing", "error /data/thing2 missing", "error /data/amount3 missing"}
	if diff := cmp.Diff(want, lint(r)); diff != "" {
		t.Errorf("no data (-want +got):\n%s", diff)
	}
	r = subscribeOrder()
	r.Data = nil
	if diff := cmp.Diff([]string{"error /data missing_field"}, lint(r)); diff != "" {
		t.Errorf("no data for a template that is not known (-want +got):\n%s", diff)
	}
	r = subscribeOrder() // not known here
	r.Data["thing2"] = field(strings.Repeat("长", 21))
	if diff := cmp.Diff([]string{"error /data/thing2 thing:max20"}, lint(r)); diff != "" {
		t.Errorf("a template that is not known (-want +got):\n%s", diff)
	}
}

func TestLintRefusesWhatHasNoTemplate(t *testing.T) {
	e := New(Config{Store: openStore(t, t.TempDir())})
	for name, change := range map[string]func(*Request){
		"no such account": func(r *Request) { r.AppID = "wx0000000000000000" }, "no such template": func(r *Request) { r.TemplateID = added },
		"a one-time message": func(r *Request) { r.Kind = hongyan.KindOneTime }, "another account's kind": func(r *Request) { r.Kind = hongyan.KindSubscribe },
	} {
		r := order()
		change(&r)
		if l, err := e.Lint(t.Context(), r, wechat.EraF); err == nil {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

// TestWhatWeChatListsNoMoreIsHeldUntilItIsBack: a sync finds it missing before a message is refused.
func TestWhatWeChatListsNoMoreIsHeldUntilItIsBack(t *testing.T) {
	const list = "/cgi-bin/template/get_all_private_template"
	atDesk(t, nil, func(d *desk) {
		waiting := d.later()
		d.wechat.say(list, `{"template_list":[]}`, 0)
		_, err := d.shelf().Sync(d.Context(), serviceID)
		d.must(err)
		held := d.want(waiting.ID, hongyan.Held, hongyan.HoldTemplate)
		if held.Hold == nil || !strings.Contains(held.Hold.Detail, "not in WeChat's list") {
			t.Errorf("hold %+v", held.Hold)
		}
		d.sleep(2 * time.Hour)
		d.want(waiting.ID, hongyan.Held, hongyan.HoldTemplate)
		d.wechat.say(list, `{"template_list":[{"template_id":"`+typed+`","title":"订单","content":"{{thing2.DATA}}"}]}`, 0)
		_, err = d.shelf().Sync(d.Context(), serviceID)
		d.must(err)
		d.sleep(time.Second)
		d.want(waiting.ID, hongyan.Accepted, "")
	})
}
