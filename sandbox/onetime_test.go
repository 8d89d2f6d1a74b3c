package sandbox_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

const pathOneTime = "/cgi-bin/message/template/subscribe"

// oneTimeTemplate is the id that the console would show.
func oneTimeTemplate(s *sandboxtest.Server) string { return s.Sandbox.Accounts()[0].OneTimeTemplate }

func oneTimeQuery(s *sandboxtest.Server, change func(url.Values)) url.Values {
	q := url.Values{
		"action": {"get_confirm"}, "appid": {sandbox.SeedServiceAppID}, "scene": {"1000"}, "template_id": {oneTimeTemplate(s)},
		"redirect_url": {"http://127.0.0.1:9/back?x=1"}, "reserved": {"s&1"}, "openid": {user},
	}
	change(q)
	return q
}

// answerPage submits the page's form and returns where it leads.
func answerPage(t *testing.T, s *sandboxtest.Server, form url.Values) (status int, location string) {
	t.Helper()
	client := *s.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.PostForm(s.URL+"/mp/subscribemsg", form)
	mustNil(t, err)
	defer resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Location")
}

func oneTimeBody(s *sandboxtest.Server, openid, extra string) string {
	return body(member("touser", openid), member("template_id", oneTimeTemplate(s)), member("scene", "1000"), member("title", "到货提醒"),
		member("url", "https://e.example/o"), extra+`"data":{"content":{"value":"您关注的榛仁巧克力礼盒已经到货，欢迎选购，数量有限","color":"#173177"}}`)
}

func TestOneConfirmedPageIsOneMessage(t *testing.T) {
	s := sandboxtest.New(t, sandbox.Options{DeliveryDelay: -1})
	mustNil(t, s.Sandbox.Unfollow(user)) // others get it in the service notifications
	page := do(t, s, "/mp/subscribemsg?"+oneTimeQuery(s, func(url.Values) {}).Encode(), "")
	for _, want := range []string{"允许", "取消", "Allow", `value="s&amp;1"`, "鸿雁商城 Hongyan Shop"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page lacks %s:\n%s", want, page.body)
		}
	}
	back := func(action string) string {
		openid := map[string]string{"cancel": "", "confirm": "&openid=" + user}[action]
		return "http://127.0.0.1:9/back?action=" + action + openid + "&reserved=s%261&scene=1000&template_id=" + oneTimeTemplate(s) + "&x=1"
	}
	for _, action := range []string{"cancel", "confirm"} {
		exchangeAll(t, s, serviceToken(t, s), []exchange{{"before " + action, pathOneTime, oneTimeBody(s, user, ""), refused}})
		status, location := answerPage(t, s, oneTimeQuery(s, func(q url.Values) { q.Set("action", action) }))
		if status != http.StatusFound || location != back(action) {
			t.Errorf("%s: %d to %s, want 302 to %s", action, status, location, back(action))
		}
	}
	exchangeAll(t, s, serviceToken(t, s), []exchange{
		{"another scene", pathOneTime, strings.Replace(oneTimeBody(s, user, ""), `"1000"`, `"1001"`, 1), refused},
		{"confirmed", pathOneTime, oneTimeBody(s, user, ""), wireOK},
		{"used up", pathOneTime, oneTimeBody(s, user, ""), refused},
	})
	got := s.Sandbox.Inbox(user)
	want := []sandbox.InboxLine{{Value: "您关注的榛仁巧克力礼盒已经到货，欢迎选购，数量有限", Color: "#173177"}}
	if len(got) != 1 || got[0].Title != "到货提醒" || got[0].Jump.URL != "https://e.example/o" || !cmp.Equal(got[0].Lines, want) {
		t.Errorf("inbox = %+v, want 到货提醒 with its whole text", got)
	}
}

func TestTheOneTimePageIsRefused(t *testing.T) {
	s := sandboxtest.New(t)
	for name, change := range map[string]func(url.Values){
		"appid":        func(q url.Values) { q.Set("appid", sandbox.SeedMiniAppID) },
		"template_id":  func(q url.Values) { q.Set("template_id", sandbox.SeedTemplateOrder) },
		"scene":        func(q url.Values) { q.Set("scene", "10001") },
		"reserved":     func(q url.Values) { q.Set("reserved", strings.Repeat("字", 129)) },
		"openid":       func(q url.Values) { q.Set("openid", "o") },
		"redirect_url": func(q url.Values) { q.Set("redirect_url", "https://shop.example.com/back") },
		"action":       func(q url.Values) { q.Set("action", "confirm") },
	} {
		got := do(t, s, "/mp/subscribemsg?"+oneTimeQuery(s, change).Encode(), "")
		if got.status != http.StatusBadRequest || !strings.Contains(got.body, name) || strings.Contains(got.body, "<form") {
			t.Errorf("%s: %d\n%s", name, got.status, got.body)
		}
	}
	elsewhere := func(q url.Values) { q.Set("action", "confirm"); q.Set("redirect_url", "https://shop.example.com/back") }
	if status, _ := answerPage(t, s, oneTimeQuery(s, elsewhere)); status != http.StatusBadRequest {
		t.Errorf("a domain that is not the account's: %d, want 400", status)
	}
	setService(t, s, sandbox.AccountSpec{OneTimeRules: sandbox.OneTimeRules{RedirectDomains: &[]string{"shop.example.com"}}})
	if status, _ := answerPage(t, s, oneTimeQuery(s, elsewhere)); status != http.StatusFound {
		t.Errorf("a domain of the account: %d, want 302", status)
	}
}

func TestOneTimeSendsAreRefused(t *testing.T) {
	s := sandboxtest.New(t)
	mustNil(t, s.Sandbox.ConfirmOneTime("", user, 1000))
	with := func(old, new string) string { return strings.Replace(oneTimeBody(s, user, ""), old, new, 1) }
	long := strings.Repeat("字", 201)
	exchangeAll(t, s, serviceToken(t, s), []exchange{
		{"no openid", pathOneTime, `{}`, `40003`},
		{"a template of the account's other kind", pathOneTime, with(oneTimeTemplate(s), sandbox.SeedTemplateOrder), `40037`},
		{"no title", pathOneTime, with("到货提醒", ""), `{"errcode":40062,"errmsg":"invalid title size rid"}`},
		{"a long title", pathOneTime, with("到货提醒", strings.Repeat("字", 16)), `40062`},
		{"no text", pathOneTime, with(`"content"`, `"text"`), `44004`},
		{"a long text", pathOneTime, with("您关注的榛仁巧克力礼盒已经到货，欢迎选购，数量有限", long), `45002`},
		{"a program not linked", pathOneTime, oneTimeBody(s, user, `"miniprogram":{"appid":"wxcccccccccccccccc"},`), `40013`},
		{"after all these it is still allowed", pathOneTime, oneTimeBody(s, user, ""), wireOK},
	})
	exchangeAll(t, s, miniTokens(t, s), []exchange{{"a mini program", pathOneTime, oneTimeBody(s, user, ""), `48001`}})
	mine := strings.Repeat("o", 43)
	setService(t, s, sandbox.AccountSpec{OneTimeRules: sandbox.OneTimeRules{OneTimeTemplate: mine}})
	wantControl(t, do(t, s, control+"users/"+user+"/one_time", `{"scene":1000}`), 200, `{"ok":true}`)
	if got := oneTimeTemplate(s); got != mine {
		t.Errorf("template = %s, want %s", got, mine)
	}
	exchangeAll(t, s, serviceToken(t, s), []exchange{{"under the new id", pathOneTime, oneTimeBody(s, user, ""), wireOK}})
}
