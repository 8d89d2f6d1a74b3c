package phone_test

import (
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/html"

	"hongyan/sandbox"
)

func TestOtherPathsAreTheSandboxs(t *testing.T) {
	d := newDesk(t)
	if _, body := d.ask(http.MethodGet, "/cgi-bin/token", nil); !strings.Contains(body, "errcode") {
		t.Errorf("/cgi-bin/token answers %q, want WeChat's", body)
	}
	if _, body := d.ask(http.MethodGet, "/sandbox/v1/stats", nil); !strings.Contains(body, `"calls"`) {
		t.Errorf("/sandbox/v1/stats answers %q, want the control API's", body)
	}
	if resp, _ := d.ask(http.MethodGet, "/phone/nothing", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("/phone/nothing: status %d", resp.StatusCode)
	}
}

func TestStaticFilesAreServedAndNamedByThePage(t *testing.T) {
	d := newDesk(t)
	doc := d.get("/")
	var files []string
	for _, e := range slices.Concat(all(doc, "script"), all(doc, "link")) {
		files = append(files, attr(e, "src")+attr(e, "href"))
	}
	if len(files) != 6 {
		t.Errorf("files = %q, want three scripts, two style sheets and an icon", files)
	}
	for _, file := range files {
		if resp, body := d.ask(http.MethodGet, file, nil); resp.StatusCode != http.StatusOK || body == "" {
			t.Errorf("%s: status %d, %d bytes", file, resp.StatusCode, len(body))
		}
	}
	if resp, _ := d.ask(http.MethodGet, "/phone/static/", nil); resp.StatusCode == http.StatusOK {
		t.Error("the folder itself is listed")
	}
}

// TestEmbeddedScriptsAreTheOnesNamed keeps the page about dependencies true.
func TestEmbeddedScriptsAreTheOnesNamed(t *testing.T) {
	page, err := os.ReadFile("../../docs/decisions/0010-dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`htmx.org` ([0-9.]+),").FindSubmatch(page)
	if named == nil {
		t.Fatal("the page does not name htmx.org and its version")
	}
	d := newDesk(t)
	_, script := d.ask(http.MethodGet, "/phone/static/htmx.min.js", nil)
	if want := `version:"` + string(named[1]) + `"`; !strings.Contains(script, want) {
		t.Errorf("htmx.min.js lacks %s", want)
	}
}

func TestIDsAreOnThePageOnce(t *testing.T) {
	d := newDesk(t)
	d.send(historical(nil))
	d.send(historical(nil))
	d.sendMini(d.appointment(nil))
	for _, target := range []string{"/", "/?chat=" + service, "/?chat=notices&panel=faults", "/?panel=accounts", "/?panel=clock"} {
		seen := map[string]bool{}
		for e := range d.get(target).Descendants() {
			id := attr(e, "id")
			if id != "" && seen[id] {
				t.Errorf("%s: id %s twice", target, id)
			}
			seen[id] = true
		}
	}
}

func TestThePageSpeaksTheReadersLanguage(t *testing.T) {
	d := newDesk(t)
	language := func(accept, cookie, want string) {
		t.Helper()
		d.header = http.Header{"Accept-Language": {accept}}
		if cookie != "" {
			d.header.Set("Cookie", cookie)
		}
		if got := attr(one(t, d.get("/"), "html"), "lang"); got != want {
			t.Errorf("Accept-Language %q, cookie %q: lang = %q, want %q", accept, cookie, got, want)
		}
	}
	language("zh-CN,zh;q=0.9,en;q=0.8", "", "zh-CN")
	language("en-GB,en;q=0.9", "", "en")
	language("fr,en;q=0.5", "", "en")
	language("", "", "zh-CN")
	language("zh-CN", "hongyan_lang=en", "en")
	language("en", "hongyan_lang=zh-CN", "zh-CN")
	language("en", "hongyan_lang=xx", "en")
	wantTexts(t, d.get("/phone/screen"), ".bar-title", "Chats")
}

func TestChoicesAreRememberedAndLeadBackHereOnly(t *testing.T) {
	d := newDesk(t)
	resp, _ := d.ask(http.MethodPost, "/phone/preferences", url.Values{"lang": {"en"}, "theme": {"dark"}, "back": {"https://evil.example.com/x?chat=notices"}})
	if got := resp.Header.Get("Location"); got != "/?chat=notices" || resp.StatusCode != http.StatusSeeOther {
		t.Errorf("leads to %q with %d, want the page", got, resp.StatusCode)
	}
	cookies := map[string]string{}
	for _, c := range resp.Cookies() {
		cookies[c.Name] = c.Value
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("cookie %s: HttpOnly %t, SameSite %v", c.Name, c.HttpOnly, c.SameSite)
		}
	}
	if cookies["hongyan_lang"] != "en" || cookies["hongyan_theme"] != "dark" {
		t.Errorf("cookies = %v", cookies)
	}
	d.header.Set("Cookie", "hongyan_theme=dark")
	if got := attr(one(t, d.get("/"), "html"), "data-theme"); got != "dark" {
		t.Errorf("theme = %q", got)
	}
	resp, _ = d.ask(http.MethodPost, "/phone/preferences", url.Values{"lang": {"xx"}})
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("an unknown language: status %d", resp.StatusCode)
	}
}

func TestWhatAnAddressGetsWrongIsIgnored(t *testing.T) {
	d := newDesk(t)
	for _, target := range []string{"/?user=nobody", "/?chat=wx0000000000000000", "/?open=1", "/?prompt=wx0000000000000000", "/?panel=x&only=y&tab=z"} {
		doc := d.get(target)
		if got := kind(t, doc); got != "chats" {
			t.Errorf("%s shows %q, want the chat list", target, got)
		}
		if got := attr(one(t, doc, "#panel-body"), "data-panel"); got != "traffic" {
			t.Errorf("%s: panel = %q", target, got)
		}
	}
}

func TestPeopleShowHowTheyStand(t *testing.T) {
	d := newDesk(t)
	badges := func(openid string, want ...string) {
		t.Helper()
		wantTexts(t, d.get("/phone/people?user="+openid), "#person-"+openid+" .badge", want...)
	}
	badges(user, "关注中")
	badges(sandbox.OpenID("NOFOL", 1), "未关注")
	badges(sandbox.OpenID("BLOCK", 1), "关注中", "拒收")
	badges(sandbox.OpenID("SYSFL", 3), "关注中", "SYSFL")
	d.press("/phone/user", "blacklisted", "true")
	d.press("/phone/user", "frozen", "true")
	badges(user, "关注中", "已拉黑", "已冻结")
	d.press("/phone/user", "appid", service, "follows", "false")
	badges(user, "未关注", "已拉黑", "已冻结")
	d.must(d.Sandbox.SetUser(user, sandbox.UserChange{UserState: sandbox.UserState{Name: "小明"}}))
	wantTexts(t, d.get("/phone/people"), "#person-"+user+" .person-name", "小明")
}

func TestSwitchesShowAndSetTheState(t *testing.T) {
	d := newDesk(t)
	for name, set := range map[string]struct {
		field, on string
		is        func(sandbox.UserState) bool
	}{
		"refuse":     {"blocked", "true", func(u sandbox.UserState) bool { return *u.Blocked }},
		"blacklist":  {"blacklisted", "true", func(u sandbox.UserState) bool { return *u.Blacklisted }},
		"freeze":     {"frozen", "true", func(u sandbox.UserState) bool { return *u.Frozen }},
		"old-client": {"supports_miniprogram", "false", func(u sandbox.UserState) bool { return !*u.SupportsMiniprogram }},
	} {
		off := one(t, d.get("/phone/actions"), "#switch-"+name)
		if attr(off, "aria-checked") != "false" || attr(off, "name") != set.field || attr(off, "value") != set.on {
			t.Errorf("%s, off: %s", name, source(off))
		}
		answer := d.press("/phone/user", attr(off, "name"), attr(off, "value"))
		if !set.is(d.Sandbox.User(user)) {
			t.Errorf("%s: a press changed nothing", name)
		}
		on := one(t, answer, "#switch-"+name)
		if attr(on, "aria-checked") != "true" || attr(on, "value") == set.on {
			t.Errorf("%s, on: %s", name, source(on))
		}
		d.press("/phone/user", attr(on, "name"), attr(on, "value"))
		if set.is(d.Sandbox.User(user)) {
			t.Errorf("%s: a second press changed nothing", name)
		}
	}
}

func TestAFormIsOneMessage(t *testing.T) {
	d := newDesk(t)
	answer := d.press("/phone/forms", "appid", sandbox.SeedMiniAppID)
	id := attr(one(t, answer, ".grant[data-state=ready]"), "data-grant")
	if !strings.Contains(text(one(t, answer, ".toast")), id) {
		t.Errorf("nobody is told the form_id %s", id)
	}
	d.sendMini(d.appointment(fields{"form_id": id}))
	one(t, d.get("/phone/actions"), ".grant[data-grant="+id+"][data-state=used]")
}

func TestAPaymentWaitsUntilItsDelayIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		answer := d.press("/phone/payments", "appid", sandbox.SeedMiniAppID)
		grant := one(t, answer, ".grant[data-state=waiting]")
		id := attr(grant, "data-grant")
		if attr(grant, "data-total") != "5000" {
			t.Errorf("data-total = %q, want the account's delay of 5 s", attr(grant, "data-total"))
		}
		wantTexts(t, answer, ".grant [data-countdown]", "5")
		if code := d.call(sandbox.SeedMiniAppID, sandbox.SeedMiniSecret, pathMini, d.appointment(fields{"form_id": id})); code != 41028 {
			t.Errorf("errcode %d before it is active, want 41028", code)
		}
		time.Sleep(5 * time.Second)
		one(t, d.get("/phone/actions"), ".grant[data-grant="+id+"][data-state=ready]")
		d.sendMini(d.appointment(fields{"form_id": id}))
		d.press("/phone/forms", "appid", sandbox.SeedMiniAppID)
		d.must(d.Sandbox.Advance(7 * 24 * time.Hour))
		if n := len(all(d.get("/phone/actions"), ".grant[data-state=expired]")); n == 0 {
			t.Error("after seven days nothing is expired")
		}
	})
}

func TestASubscribePromptIsAnswered(t *testing.T) {
	const pickup, refund = sandbox.SeedTemplateSubscribePickup, sandbox.SeedTemplateSubscribeRefund
	d := newDesk(t)
	prompt := d.get("/phone/screen?prompt=" + sandbox.SeedMiniAppID)
	wantTexts(t, prompt, ".sheet-list label span", "取餐提醒", "退款通知")
	left := func() map[string]int {
		states, err := d.Sandbox.Consents("", user)
		d.must(err)
		out := map[string]int{}
		for _, s := range states {
			out[s.TemplateID] = s.Left
		}
		return out
	}
	answer := d.press("/phone/consents", "appid", sandbox.SeedMiniAppID, "asked", pickup, "asked", refund, "accept", pickup, "answer", "accept")
	if got := left(); got[pickup] != 1 || got[refund] != 0 {
		t.Errorf("left = %v, want one pickup", got)
	}
	if got := kind(t, answer); got != "chats" {
		t.Errorf("the prompt is followed by %q", got)
	}
	d.press("/phone/consents", "appid", sandbox.SeedMiniAppID, "asked", pickup, "accept", pickup, "answer", "reject")
	if got := left(); got[pickup] != 1 {
		t.Errorf("left = %v after a refusal, want what was there", got)
	}
	wantTexts(t, d.get("/phone/actions"), "[data-consent] .grant-kind", "取餐提醒")
	d.press("/phone/consents/revoke", "appid", sandbox.SeedMiniAppID, "template_id", pickup)
	wantTexts(t, d.get("/phone/actions"), "[data-consent]")
}

func TestNoticesAreRefusedBehindTheDots(t *testing.T) {
	d := newDesk(t)
	d.sendMini(d.appointment(nil))
	wantTexts(t, d.chat("notices"), ".card-menu-item", "拒收通知")
	d.press("/phone/notices", "appid", sandbox.SeedMiniAppID, "blocked", "true")
	wantTexts(t, d.chat("notices"), ".card-menu-item", "恢复接收通知")
	d.sendMini(d.appointment(nil))
	if n := len(all(d.chat("notices"), "article")); n != 1 {
		t.Errorf("%d cards, want the one from before", n)
	}
	if *d.Sandbox.User(user, service).Blocked {
		t.Error("the service account is refused, too")
	}
}

func TestTheClockShowsWhatFired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.send(historical(nil)) // with a token of two hours
		d.press("/phone/payments", "appid", sandbox.SeedMiniAppID)
		answer := d.press("/phone/clock", "advance", "3h")
		wantTexts(t, answer, "[data-fired]", "1 个 access_token 到期", "1 个 prepay_id 生效")
		wantTexts(t, answer, "#fired h3", "前进 3h，发生了：")
		wantTexts(t, answer, "#top-clock time", "2000-01-01 11:00:00")
		wantTexts(t, answer, ".ahead", "+3h")
		answer = d.press("/phone/clock", "advance", "24h")
		wantTexts(t, answer, "[data-fired]", "过了 1 次北京零点，每日配额重新计数")
		wantTexts(t, answer, ".ahead", "+1d3h")
		wantTexts(t, d.press("/phone/clock", "advance", "90ms"), "#fired .none", "没有事情到期。")
	})
}

func TestFaultsAreAddedAndRemoved(t *testing.T) {
	d := newDesk(t)
	answer := d.press("/phone/faults", "path", pathSend, "effect", "errcode", "value", "-1", "times", "1", "openid", user)
	rule := one(t, answer, "[data-fault]")
	if got := text(one(t, rule, ".rule-what")); got != pathSend+" errcode -1 openid oUser00…0001 · times 1" {
		t.Errorf("rule = %q", got)
	}
	if code := d.call(service, sandbox.SeedServiceSecret, pathSend, historical(nil)); code != -1 {
		t.Errorf("errcode %d, want the rule's", code)
	}
	wantTexts(t, d.get("/phone/faults"), ".rule-hits", "命中 1 / 1")
	wantTexts(t, d.press("/phone/faults/remove", "id", attr(rule, "data-fault")), "[data-fault]")
	if n := len(d.Sandbox.Faults()); n != 0 {
		t.Errorf("%d rules are left", n)
	}
}

func TestEveryEffectOfTheFormIsARule(t *testing.T) {
	d := newDesk(t)
	options := all(d.get("/phone/panel?panel=faults"), "#fault-effect option")
	if len(options) < 10 {
		t.Fatalf("%d effects", len(options))
	}
	for _, o := range options {
		value := "500"
		answer := d.press("/phone/faults", "path", "*", "effect", attr(o, "value"), "value", value, "rate", "0.5")
		if bad := texts(answer, ".toast-bad"); len(bad) > 0 {
			t.Errorf("%s: %q", attr(o, "value"), bad)
		}
	}
	if n := len(d.Sandbox.Faults()); n != len(options) {
		t.Errorf("%d rules of %d effects", n, len(options))
	}
	for _, row := range texts(d.get("/phone/faults"), ".rule-what b") {
		if row == "" {
			t.Error("a rule does not say what it does")
		}
	}
}

func TestPresetsAreStartedAndEnded(t *testing.T) {
	d := newDesk(t)
	for _, b := range all(d.get("/phone/panel?panel=faults"), "button[data-preset]") {
		name := attr(b, "data-preset")
		on := one(t, d.press("/phone/presets", "preset", name, "on", "true"), "#preset-"+name)
		if attr(on, "aria-checked") != "true" || len(d.Sandbox.Presets()) != 1 {
			t.Errorf("%s: not in force: %s", name, source(on))
		}
		off := one(t, d.press("/phone/presets", "preset", name, "on", "false"), "#preset-"+name)
		if attr(off, "aria-checked") != "false" || len(d.Sandbox.Presets()) != 0 {
			t.Errorf("%s: not over: %s", name, source(off))
		}
	}
}

func TestAnotherEraIsChosen(t *testing.T) {
	d := newDesk(t)
	d.press("/phone/accounts", "appid", service, "era", "A")
	doc := d.get("/phone/panel?panel=accounts")
	option := one(t, doc, "#era-"+service+" option[selected]")
	if got := attr(option, "value"); got != "A" {
		t.Errorf("era = %q", got)
	}
}

func TestBadFormsAreAnsweredWithFieldAndRule(t *testing.T) {
	tests := []struct {
		name, target string
		form         []string
		status       int
		want         string // part of the sentence
	}{
		{"a switch that is neither on nor off", "/phone/user", []string{"blocked", "maybe"}, 400, "blocked：must be true or false，收到 maybe"},
		{"a platform there is not", "/phone/user", []string{"platform", "symbian"}, 400, "platform"},
		{"an unknown account", "/phone/user", []string{"appid", "wx0000000000000000", "follows", "true"}, 404, "appid"},
		{"following a mini program", "/phone/user", []string{"appid", sandbox.SeedMiniAppID, "follows", "true"}, 400, "appid"},
		{"a form of no mini program", "/phone/forms", []string{"appid", "wx0000000000000000"}, 404, "appid"},
		{"a payment to no mini program", "/phone/payments", []string{"appid", "wx0000000000000000"}, 404, "appid"},
		{"a tap on nothing", "/phone/taps", []string{"open", "1"}, 404, "msgid"},
		{"a prompt without templates", "/phone/consents", []string{"appid", sandbox.SeedMiniAppID, "answer", "accept"}, 400, "templates"},
		{"a template nobody has", "/phone/consents/revoke", []string{"appid", sandbox.SeedMiniAppID, "template_id", "x"}, 400, "template_id"},
		{"notices neither on nor off", "/phone/notices", []string{"appid", sandbox.SeedMiniAppID}, 400, "blocked"},
		{"a one-time message of no account", "/phone/one_time", []string{"appid", "wx0000000000000000"}, 404, "appid"},
		{"no time", "/phone/clock", []string{"advance", "soon"}, 400, "advance"},
		{"a time that runs back", "/phone/clock", []string{"advance", "-1h"}, 400, "must not be negative"},
		{"a fault without a path", "/phone/faults", []string{"path", "cgi-bin", "effect", "errcode", "value", "-1"}, 400, "path"},
		{"a fault without an effect", "/phone/faults", []string{"path", "*", "effect", "magic"}, 400, "effect"},
		{"a fault with words for a number", "/phone/faults", []string{"path", "*", "effect", "errcode", "value", "many"}, 400, "value：must be a whole number，收到 many"},
		{"a fault at an impossible rate", "/phone/faults", []string{"path", "*", "effect", "errcode", "value", "1", "rate", "2"}, 400, "rate"},
		{"a fault that is not there", "/phone/faults/remove", []string{"id", "fault_9"}, 404, "id"},
		{"a preset that is none", "/phone/presets", []string{"preset", "sunny-day", "on", "true"}, 400, "name"},
		{"a preset that is not in force", "/phone/presets", []string{"preset", "quota-day", "on", "false"}, 404, "preset"},
		{"an era there is not", "/phone/accounts", []string{"appid", service, "era", "G"}, 400, "era"},
	}
	d := newDesk(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := d.ask(http.MethodPost, tt.target, values(tt.form...))
			if resp.StatusCode != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("without scripts: %d %s, want %d with %q", resp.StatusCode, body, tt.status, tt.want)
			}
			if got := texts(d.press(tt.target, tt.form...), ".toast-bad"); len(got) != 1 || !strings.Contains(got[0], tt.want) {
				t.Errorf("toasts = %q, want one with %q", got, tt.want)
			}
		})
	}
}

func TestThePageWorksWithoutScripts(t *testing.T) {
	d := newDesk(t)
	doc := d.get("/")
	form := ancestor(one(t, doc, "#follow-"+service), "form")
	pairs := url.Values{}
	for _, input := range all(form, "input") {
		pairs.Set(attr(input, "name"), attr(input, "value"))
	}
	button := one(t, doc, "#follow-"+service)
	pairs.Set(attr(button, "name"), attr(button, "value"))
	resp, _ := d.ask(http.MethodPost, attr(form, "action"), pairs)
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/?user="+user {
		t.Errorf("status %d, to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	if *d.Sandbox.User(user, service).Follows {
		t.Error("still following")
	}
}

func ancestor(n *html.Node, tag string) *html.Node {
	for n != nil && n.Data != tag {
		n = n.Parent
	}
	return n
}
