package sandbox_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
	"hongyan/wechat"
)

// eraOnTheWire is what an era changes, seen from outside.
type eraOnTheWire struct {
	TemplateLimit, DailyQuota, MonthlyQuota, SubscribeLimit int

	BadOpenID string // errmsg of 40003, random parts cut
	DeadToken string // of 40001
	UsedUp    string // of 45009
	BadValue  string // of 47003 by template/send; "" when the value passes
	BadNotice string // of 47003 by subscribe/send

	MsgIDDigits               int
	Unlinked                  int  // errcode for a mini program that is not linked
	Deduped                   bool // a repeated client_msg_id
	AddHistorical, AddTyped   int  // errcodes of api_add_template
	MiniSend, UniformSend     int
	First, Color              string // of a historical template on the phone
	TapWithoutURL, TapProgram string // on iOS
}

const (
	ridSuffix  = " rid"
	hintSuffix = " hint"
	credential = "invalid credential, access_token is invalid or not latest"
	longer     = ", could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r"
)

var erasOnTheWire = map[string]eraOnTheWire{
	"A": {
		TemplateLimit: 10, DailyQuota: 10_000, MonthlyQuota: 10_000, SubscribeLimit: 25,
		BadOpenID: "invalid openid", DeadToken: credential, UsedUp: "api freq out of limit",
		BadNotice: "argument invalid! data.character_string1.value is emtpy", MsgIDDigits: 9,
		AddTyped: 40037, First: "您好", Color: "#173177", TapWithoutURL: "blank_page", TapProgram: "blank_page",
	},
	"B": {
		TemplateLimit: 25, DailyQuota: 100_000, SubscribeLimit: 25,
		BadOpenID: "invalid openid" + hintSuffix, DeadToken: credential + hintSuffix, UsedUp: "api freq out of limit" + hintSuffix,
		BadNotice: "argument invalid!" + hintSuffix + " data.character_string1.value is emtpy", MsgIDDigits: 9,
		AddTyped: 40037, First: "您好", Color: "#173177", TapWithoutURL: "none", TapProgram: "none",
	},
	"C": {
		TemplateLimit: 25, DailyQuota: 100_000, SubscribeLimit: 25,
		BadOpenID: "invalid openid" + hintSuffix, DeadToken: credential + hintSuffix, UsedUp: "api freq out of limit" + hintSuffix,
		BadNotice: "argument invalid!" + hintSuffix + " data.character_string1.value is emtpy", MsgIDDigits: 9,
		Unlinked: 40013, AddTyped: 40037, First: "您好", Color: "#173177", TapWithoutURL: "none", TapProgram: "miniprogram",
	},
	"D": {
		TemplateLimit: 25, DailyQuota: 100_000, SubscribeLimit: 25,
		BadOpenID: "invalid openid" + hintSuffix, DeadToken: credential + hintSuffix, UsedUp: "reach max api daily quota limit" + hintSuffix,
		BadNotice: "argument invalid!" + hintSuffix + " data.character_string1.value is emtpy", MsgIDDigits: 19,
		Unlinked: 40013, Deduped: true, AddTyped: 40037, First: "您好", Color: "#173177", TapWithoutURL: "none", TapProgram: "miniprogram",
	},
	"E": {
		TemplateLimit: 25, DailyQuota: 100_000, SubscribeLimit: 50,
		BadOpenID: "invalid openid" + ridSuffix, DeadToken: credential + longer + ridSuffix, UsedUp: "reach max api daily quota limit" + ridSuffix,
		BadValue:  "argument invalid! data.character_string1.value is empty" + ridSuffix,
		BadNotice: "argument invalid! data.character_string1.value is empty" + ridSuffix, MsgIDDigits: 19,
		Unlinked: 40013, Deduped: true, AddHistorical: 40247, MiniSend: 45103, TapWithoutURL: "none", TapProgram: "miniprogram",
	},
	"F": {
		TemplateLimit: 25, DailyQuota: 100_000, SubscribeLimit: 50,
		BadOpenID: "invalid openid" + ridSuffix, DeadToken: credential + longer + ridSuffix, UsedUp: "reach max api daily quota limit" + ridSuffix,
		BadValue:  "argument invalid! data.character_string1.value is empty" + ridSuffix,
		BadNotice: "argument invalid! data.character_string1.value is empty" + ridSuffix, MsgIDDigits: 19,
		Unlinked: 40013, Deduped: true, AddHistorical: 40247, MiniSend: 45103, UniformSend: 45109, TapWithoutURL: "none", TapProgram: "miniprogram",
	},
}

func TestAnEraChangesTheWireAsAWhole(t *testing.T) {
	for era, want := range erasOnTheWire {
		t.Run(era, func(t *testing.T) {
			s := sandboxtest.New(t, sandbox.Options{DeliveryDelay: -1})
			setService(t, s, sandbox.AccountSpec{Era: era})
			setMini(t, s, sandbox.AccountSpec{Era: era})
			if diff := cmp.Diff(want, watchEra(t, s)); diff != "" {
				t.Errorf("era %s (-want +got):\n%s", era, diff)
			}
		})
	}
}

var randomParts = regexp.MustCompile(`( hint): \[\w{14}\]|( rid): [0-9a-f-]{26}`)

// errmsg is the text of an answer, random parts cut; "" for a success.
func errmsg(t *testing.T, got reply) string {
	t.Helper()
	var v struct {
		ErrCode int
		ErrMsg  string
	}
	mustDecode(t, got, &v)
	if v.ErrCode == 0 {
		return ""
	}
	return randomParts.ReplaceAllString(v.ErrMsg, "$1$2")
}

// watchEra makes the calls that eras answer differently.
func watchEra(t *testing.T, s *sandboxtest.Server) eraOnTheWire {
	t.Helper()
	view := s.Sandbox.Accounts()[0]
	out := eraOnTheWire{
		TemplateLimit: *view.TemplateLimit, DailyQuota: *view.DailyQuota, MonthlyQuota: *view.TemplateMonthlyQuota,
		SubscribeLimit: *view.SubscribeTemplateLimit,
	}
	first := plainToken(t, s).AccessToken
	plainToken(t, s)
	token, mini := plainToken(t, s).AccessToken, miniToken(t, s)
	send := func(b string) reply { return do(t, s, with(pathSend, token), b) }

	out.BadOpenID = errmsg(t, send(`{}`))
	out.DeadToken = errmsg(t, do(t, s, with(pathSend, first), `{}`))
	out.BadValue = errmsg(t, send(body(toUser, toOrder, badData)))
	mustNil(t, s.Sandbox.Consent("", user, accept(sandbox.SeedTemplateSubscribePickup), 0))
	out.BadNotice = errmsg(t, do(t, s, with(pathSubscribe, mini), body(toUser, member("template_id", sandbox.SeedTemplateSubscribePickup), badData)))
	out.Unlinked = codeOf(t, send(orderBody(user, `"miniprogram":{"appid":"wxcccccccccccccccc"},`)))
	out.AddHistorical = codeOf(t, do(t, s, with(pathAdd, token), `{"template_id_short":"TM00015"}`))
	out.AddTyped = codeOf(t, do(t, s, with(pathAdd, token), `{"template_id_short":"43217","keyword_name_list":["订单编号"]}`))
	out.MiniSend = codeOf(t, do(t, s, with(pathMiniSend, mini), miniBody(user, s.Sandbox.GiveForm("", user), "")))
	out.UniformSend = codeOf(t, do(t, s, with(pathUniform, mini), uniformOfficial(sandbox.SeedServiceAppID, sandbox.SeedTemplateHistorical, user)))

	send(orderBody(user, clientID("c1")))
	out.MsgIDDigits = len(lastRow(t, s).MsgID)
	send(orderBody(user, clientID("c1")))
	out.Deduped = lastRow(t, s).DuplicateOf != ""
	out.look(t, s, send)
	setService(t, s, sandbox.AccountSpec{DailyQuota: new(0)})
	out.UsedUp = errmsg(t, send(`{}`))
	return out
}

// look sends two messages to fresh users and looks at their phones.
func (out *eraOnTheWire) look(t *testing.T, s *sandboxtest.Server, send func(string) reply) {
	t.Helper()
	plain, jumping := sandbox.OpenID("", 71), sandbox.OpenID("", 72)
	send(body(member("touser", plain), member("template_id", sandbox.SeedTemplateHistorical),
		`"data":{"first":{"value":"您好"},"keyword1":{"value":"A1","color":"#173177"}}`))
	send(orderBody(jumping, `"miniprogram":{"appid":"`+sandbox.SeedMiniAppID+`","pagepath":"index"},`))
	card := s.Sandbox.Inbox(plain)[0]
	if card.Lines[0].Label == "" {
		out.First = card.Lines[0].Value
	}
	for _, line := range card.Lines {
		if strings.Contains(line.Label, "订单编号") {
			out.Color = line.Color
		}
	}
	out.TapWithoutURL = card.Jump.Kind
	out.TapProgram = s.Sandbox.Inbox(jumping)[0].Jump.Kind
}

// The sandbox takes values as package wechat's linter does.
func TestAnErasValueRulesAreThoseOfPackageWechat(t *testing.T) {
	typed := wechat.ParseContent("订单编号：{{character_string1.DATA}}")
	for _, era := range wechat.Eras() {
		s := sandboxtest.New(t)
		setService(t, s, sandbox.AccountSpec{Era: era.String()})
		want := "free"
		if wechat.RulesFor(era, typed) == wechat.RulesTemplate {
			want = "typed"
		}
		if got := s.Sandbox.Accounts()[0].ValueRules; got != want {
			t.Errorf("era %s: value_rules %s, want %s", era, got, want)
		}
	}
}

// Until 2023 the detail was cut after 30 bytes on template/send (spec §4.3).
func TestTheOldWordingOf47003(t *testing.T) {
	s := sandboxtest.New(t)
	setService(t, s, sandbox.AccountSpec{Era: "D", EraRules: sandbox.EraRules{ValueRules: "typed"}})
	got := errmsg(t, do(t, s, with(pathSend, plainToken(t, s).AccessToken), body(toUser, toOrder, badData)))
	if want := "argument invalid!" + hintSuffix + " data.character_string1.value i"; got != want {
		t.Errorf("errmsg = %q, want %q", got, want)
	}
}

func TestFieldsBesideTheEraGoBeforeIt(t *testing.T) {
	s := sandboxtest.New(t, sandbox.Options{DeliveryDelay: -1})
	setService(t, s, sandbox.AccountSpec{Era: "A", TemplateLimit: new(3), Switches: sandbox.Switches{ErrMsgSuffix: "rid", SmallMsgID: new(false)},
		EraRules: sandbox.EraRules{DedupeClientMsgID: new(true), Library: "both", ValueRules: "typed", ArgumentText: "today"}})
	setMini(t, s, sandbox.AccountSpec{Era: "F", Switches: sandbox.Switches{MiniTemplateRetired: new(false)},
		RetiredRules: sandbox.RetiredRules{UniformSendRetired: new(false)}})
	got := watchEra(t, s)
	want := erasOnTheWire["A"]
	want.TemplateLimit, want.MsgIDDigits, want.Deduped, want.AddTyped = 3, 19, true, 45026 // the fourth does not fit
	want.BadOpenID, want.DeadToken, want.UsedUp = want.BadOpenID+ridSuffix, want.DeadToken+ridSuffix, want.UsedUp+ridSuffix
	want.BadValue = "argument invalid! data.character_string1.value is empty" + ridSuffix
	want.BadNotice = want.BadValue
	want.AddHistorical = 45026
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("era A with other fields (-want +got):\n%s", diff)
	}
	setService(t, s, sandbox.AccountSpec{Era: "A"})
	if got := s.Sandbox.Accounts()[0]; *got.TemplateLimit != 10 || got.ErrMsgSuffix != "none" || got.Library != "historical" {
		t.Errorf("after naming the era again: %d templates, suffix %s, library %s; want the profile", *got.TemplateLimit, got.ErrMsgSuffix, got.Library)
	}
}

func TestAnAccountWithoutAnEraIsTodaysButForTheFormIDs(t *testing.T) {
	s := sandboxtest.New(t, sandbox.Options{DeliveryDelay: -1})
	got := watchEra(t, s)
	want := erasOnTheWire["F"]
	want.MiniSend = 0 // open until an era is named
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the seed (-want +got):\n%s", diff)
	}
}
