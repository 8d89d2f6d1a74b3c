package sandbox_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

type listed struct {
	Templates []struct {
		TemplateID      string `json:"template_id"`
		Title           string `json:"title"`
		PrimaryIndustry string `json:"primary_industry"`
		DeputyIndustry  string `json:"deputy_industry"`
		Content         string `json:"content"`
		Example         string `json:"example"`
	} `json:"template_list"`
}

func list(t *testing.T, s *sandboxtest.Server, token string) listed {
	t.Helper()
	var v listed
	mustDecode(t, do(t, s, with(pathList, token), ""), &v)
	return v
}

func TestTheListHasTheAccountsTemplatesOnly(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	got := do(t, s, with(pathList, token), "")
	want := `{"template_list":[{"template_id":"` + sandbox.SeedTemplateHistorical + `","title":"订单支付成功通知",` +
		`"primary_industry":"IT科技","deputy_industry":"互联网|电子商务","content":"{{first.DATA}}\n订单编号：{{keyword1.DATA}}\n` +
		`支付金额：{{keyword2.DATA}}\n支付时间：{{keyword3.DATA}}\n{{remark.DATA}}","example":`
	if !strings.HasPrefix(got.body, want) {
		t.Errorf("list = %s, want it to begin %s", got.body, want)
	}
	var ids []string
	for _, tmpl := range list(t, s, token).Templates {
		ids = append(ids, tmpl.TemplateID)
	}
	if diff := cmp.Diff([]string{sandbox.SeedTemplateHistorical, sandbox.SeedTemplateOrder, sandbox.SeedTemplateQueue}, ids); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
	posted, err := try(s, "POST", with(pathList, token), nil)
	mustNil(t, err)
	if posted.body != got.body {
		t.Errorf("POST with an empty body = %s, want the same list", posted.body)
	}
	wantCode(t, do(t, s, with(pathList, miniToken(t, s)), ""), 48001)
}

func TestAddingUsingAndDeletingATemplate(t *testing.T) {
	s := sandboxtest.New(t, sandbox.Options{DeliveryDelay: -1})
	token := plainToken(t, s).AccessToken
	got := do(t, s, with(pathAdd, token), `{"template_id_short":"43217","keyword_name_list":["支付金额","订单编号"]}`)
	templates := list(t, s, token).Templates
	added := templates[len(templates)-1]
	wantBody(t, got, `{"errcode":0,"errmsg":"ok","template_id":"`+added.TemplateID+`"}`)
	if want := "支付金额：{{amount1.DATA}}\n订单编号：{{character_string2.DATA}}"; added.Content != want || len(added.TemplateID) != 43 {
		t.Errorf("content = %q, id %q, want %q and 43 characters", added.Content, added.TemplateID, want)
	}
	send := body(toUser, member("template_id", added.TemplateID), `"data":{"amount1":{"value":"8元"},"character_string2":{"value":"A1"}}`)
	wantCode(t, do(t, s, with(pathSend, token), send), 0)

	remove := body(member("template_id", added.TemplateID))
	wantBody(t, do(t, s, with(pathDelete, token), remove), `{"errcode":0,"errmsg":"ok"}`)
	wantBody(t, do(t, s, with(pathDelete, token), remove), `{"errcode":40037,"errmsg":"invalid template_id rid"}`)
	wantCode(t, do(t, s, with(pathSend, token), send), 40037)
	if got := len(s.Sandbox.Inbox(user)); got != 1 {
		t.Errorf("%d messages in the inbox after deleting the template, want 1", got)
	}
}

func TestAddingIsRefused(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	add := func(b string) reply { return do(t, s, with(pathAdd, token), b) }
	wantBody(t, add(`{"template_id_short":"43217"}`), `{"errcode":40246,"errmsg":"keyword name invalid rid"}`)
	wantCode(t, add(`{"template_id_short":"43217","keyword_name_list":["没有"]}`), 40246)
	wantCode(t, add(`{"template_id_short":"43217","keyword_name_list":"订单编号"}`), 40246)
	wantCode(t, add(`{"template_id_short":"43217","keyword_name_list":null}`), 40246)
	wantCode(t, add(`{"template_id_short":"43217","keyword_name_list":["订单编号","订单编号"]}`), 40246)
	wantCode(t, add(`{"template_id_short":"1","keyword_name_list":["订单编号"]}`), 40037)
	wantCode(t, add(`{"template_id_short":"TM00015"}`), 40247)
	wantCode(t, add(`nothing`), 47001)
	mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{Era: "A"}))
	for range 7 {
		wantCode(t, add(`{"template_id_short":"TM00015"}`), 0)
	}
	wantCode(t, add(`{"template_id_short":"TM00015"}`), 45026) // ten at once in era A
}

// Each list shows its own family, and each call deletes of it alone.
func TestFamiliesOfTemplatesAreKeptApart(t *testing.T) {
	s := sandboxtest.New(t)
	token, mini := plainToken(t, s).AccessToken, miniToken(t, s)
	var notice struct{ PriTmplID string }
	mustDecode(t, newtmpl(t, s, token, "", "tid=401&kidList[0]=1&kidList[1]=2"), &notice)
	for _, tt := range []struct{ name, path, token, body, has, lacks string }{
		{"template messages", pathList, token, "", sandbox.SeedTemplateOrder, notice.PriTmplID},
		{"notices", pathPrivate, token, "", notice.PriTmplID, sandbox.SeedTemplateOrder},
		{"messages by form_id", "/cgi-bin/wxopen/template/list", mini, `{"offset":0,"count":20}`, sandbox.SeedTemplateMini, sandbox.SeedTemplateSubscribePickup},
		{"subscribe messages", pathPrivate, mini, "", sandbox.SeedTemplateSubscribePickup, sandbox.SeedTemplateMini},
	} {
		got := do(t, s, with(tt.path, tt.token), tt.body)
		if !strings.Contains(got.body, tt.has) || strings.Contains(got.body, tt.lacks) {
			t.Errorf("%s: %s, want %s and not %s", tt.name, got.body, tt.has, tt.lacks)
		}
	}
	exchangeAll(t, s, func() string { return token }, []exchange{
		{"a notice is no template message", pathDelete, body(member("template_id", notice.PriTmplID)), `40037`},
		{"nor the other way round", pathNewDel, body(member("priTmplId", sandbox.SeedTemplateOrder)), `20001`},
	})
}
