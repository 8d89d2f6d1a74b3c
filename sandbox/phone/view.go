package phone

import (
	"net/http"
	"net/url"
	"strings"

	"hongyan/sandbox"
)

// Chats that are not an account's.
const noticesChat = "notices" // 服务通知: everything mini programs send

// Tabs of the narrow page.
const (
	tabPhone  = "phone"
	tabPeople = "people"
	tabPanel  = "panel"
)

// Pages of the developer panel.
const (
	panelTraffic  = "traffic"
	panelFaults   = "faults"
	panelClock    = "clock"
	panelAccounts = "accounts"
)

// view is what an address says about the page: whose phone, what is on its
// screen, what the panel shows. All of it is in the query, so that an address can
// be kept and sent to somebody.
type view struct {
	User   string // openid, always well formed
	Chat   string // appid, noticesChat, or "" for the chat list
	Open   string // msgid of the message that was tapped; "" = none
	Prompt string // mini program whose subscribe prompt is up; "" = none
	Tab    string // tabPhone, tabPeople or tabPanel: narrow screens show one
	Panel  string // panelTraffic, panelFaults, panelClock or panelAccounts
	Only   string // filter of the traffic, one of onlyWords

	lang  language
	theme string
	base  string // scheme and host, as the reader reached us
}

// defaultUser is the first ordinary follower.
var defaultUser = sandbox.OpenID("", 1)

// readView never fails: what an address gets wrong is as if it were not there.
func readView(r *http.Request) view {
	q := r.Form
	if q == nil {
		q = r.URL.Query()
	}
	v := view{
		User: q.Get("user"), Chat: q.Get("chat"), Open: q.Get("open"), Prompt: q.Get("prompt"),
		Tab:   oneOf(q.Get("tab"), tabPhone, tabPeople, tabPanel),
		Panel: oneOf(q.Get("panel"), panelTraffic, panelFaults, panelClock, panelAccounts),
		Only:  oneOf(q.Get("only"), onlyWords...),
		lang:  languageOf(r), theme: themeOf(r), base: baseOf(r),
	}
	if !validOpenID(v.User) {
		v.User = defaultUser
	}
	return v
}

// baseOf is what commands of the reader's shell can call.
func baseOf(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// oneOf returns s if it is one of the words, else the first of them.
func oneOf(s string, words ...string) string {
	for _, w := range words {
		if s == w {
			return s
		}
	}
	return words[0]
}

// validOpenID: 28 characters, o first, then letters, digits, - and _ (spec §1).
func validOpenID(s string) bool {
	const length = 28
	return len(s) == length && s[0] == 'o' && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_')
	}) < 0
}

// query is the view as a query, defaults left out.
func (v view) query() string {
	q := url.Values{}
	for _, part := range []struct{ name, value, ordinary string }{
		{"user", v.User, ""}, {"chat", v.Chat, ""}, {"open", v.Open, ""}, {"prompt", v.Prompt, ""},
		{"tab", v.Tab, tabPhone}, {"panel", v.Panel, panelTraffic}, {"only", v.Only, onlyWords[0]},
	} {
		if part.value != part.ordinary && part.value != "" {
			q.Set(part.name, part.value)
		}
	}
	return q.Encode()
}

// Page is the address of the whole page.
func (v view) Page() string { return "/?" + v.query() }

// Screen is the address of the phone's screen alone.
func (v view) Screen() string { return "/phone/screen?" + v.query() }

// PanelBody is the address of the panel's page alone.
func (v view) PanelBody() string { return "/phone/panel?" + v.query() }

// Lang is the language tag for html.
func (v view) Lang() string { return v.lang.tag() }

// Theme is auto, light or dark.
func (v view) Theme() string { return v.theme }

// The views that links lead to.

func (v view) WithUser(openid string) view {
	return view{User: openid, Panel: v.Panel, Only: v.Only, lang: v.lang, theme: v.theme, base: v.base}
}

func (v view) WithChat(chat string) view {
	v.Chat, v.Open, v.Prompt, v.Tab = chat, "", "", tabPhone
	return v
}

func (v view) WithOpen(msgid string) view {
	v.Open, v.Prompt = msgid, ""
	return v
}

func (v view) WithPrompt(appid string) view {
	v.Prompt, v.Open, v.Tab = appid, "", tabPhone
	return v
}

func (v view) WithTab(tab string) view {
	v.Tab = tab
	return v
}

func (v view) WithPanel(panel string) view {
	v.Panel, v.Tab = panel, tabPanel
	return v
}

func (v view) WithOnly(only string) view {
	v.Only, v.Tab, v.Panel = only, tabPanel, panelTraffic
	return v
}

// Back is where the arrow at the top of the screen leads.
func (v view) Back() view {
	if v.Open != "" || v.Prompt != "" {
		return v.WithOpen("")
	}
	return v.WithChat("")
}

// Depth tells forward from back when the screen changes: 0 the list, 1 a chat, 2
// what a tap opened.
func (v view) Depth() int {
	switch {
	case v.Open != "" || v.Prompt != "":
		return 2
	case v.Chat != "":
		return 1
	}
	return 0
}
