package sandbox_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

func TestSendAnswersMsgIDAsANumber(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	var last int64
	for range 3 {
		got := do(t, s, with(pathSend, token), orderBody(user, "")+"\n")
		msgID := lastRow(t, s).MsgID
		wantBody(t, got, `{"errcode":0,"errmsg":"ok","msgid":`+msgID+`}`)
		n, err := strconv.ParseInt(msgID, 10, 64)
		mustNil(t, err)
		if len(msgID) != 19 || n <= last || n < 1_800_000_000_000_000_000 || n > 3_700_000_000_000_000_000 {
			t.Errorf("msgid %s after %d: want 19 digits, larger, from 1.8e18 to 3.7e18", msgID, last)
		}
		last = n
	}
}

// sendCase is one send and the errmsg it must get.
type sendCase struct{ name, body, want string }

// body builds a send; "" leaves the member out.
func body(members ...string) string { return "{" + strings.Join(members, ",") + "}" }

func member(name, value string) string { return fmt.Sprintf("%q:%q", name, value) }

var (
	toUser  = member("touser", user)
	toOrder = member("template_id", sandbox.SeedTemplateOrder)
	badData = `"data":{}`
)

// Most cases also hold errors of later steps, so that the order is tested and not
// only each check.
func TestSendChecksInTheOrderOfThePlatform(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	longURL := member("url", "https://e.example/"+strings.Repeat("x", 1024))
	unlinked := `"miniprogram":{"appid":"wxcccccccccccccccc","pagepath":"a b"}`
	badPage := `"miniprogram":{"appid":"` + sandbox.SeedMiniAppID + `","pagepath":"a b"}`
	blacklisted := sandbox.OpenID("", 99)
	mustNil(t, s.Sandbox.SetUser(blacklisted, sandbox.UserChange{UserState: sandbox.UserState{Blacklisted: new(true)}}))
	for _, tt := range []sendCase{
		{"not JSON", `touser=o`, `47001 data format error`},
		{"an array", `[]`, `47001 data format error`},
		{"more after the object", body(toUser) + "{}", `47001 data format error`},
		{"not UTF-8", "{\"touser\":\"\xff\"}", `40033 invalid charset. please check your request, if include \uxxxx will create fail!`},
		{"no touser", body(unlinked, badData), `40003 invalid openid`},
		{"touser misspelt", body(member("toUser", user), toOrder, badData), `40003 invalid openid`},
		{"touser a number", body(`"touser":1`, toOrder), `40003 invalid openid`},
		{"touser too short", body(member("touser", "oShort")), `40003 invalid openid`},
		{"touser of a bad fate", body(member("touser", sandbox.OpenID("BADID", 1))), `40003 invalid openid`},
		{"no template_id", body(toUser, unlinked, badData), `40036 invalid template_id size`},
		{"template_id of another length", body(toUser, member("template_id", "TM00015"), unlinked), `40036 invalid template_id size`},
		{"unknown template_id", body(toUser, member("template_id", strings.Repeat("x", 43)), unlinked), `40037 invalid template_id`},
		{"template of the mini program", body(toUser, member("template_id", sandbox.SeedTemplateMini), unlinked), `40037 invalid template_id`},
		{"mini program not linked", body(member("touser", sandbox.OpenID("NOFOL", 1)), toOrder, unlinked, longURL), `40013 invalid appid`},
		{"bad pagepath", body(member("touser", sandbox.OpenID("NOFOL", 1)), toOrder, badPage, longURL), `40165 invalid weapp pagepath`},
		{"url too long", body(member("touser", sandbox.OpenID("NOFOL", 1)), toOrder, longURL, badData), `40039 invalid url size`},
		{"not a follower", body(member("touser", sandbox.OpenID("NOFOL", 1)), toOrder, badData), `43004 require subscribe`},
		{"blacklisted", body(member("touser", blacklisted), toOrder, badData), `43019 require remove blacklist`},
		{"frozen", body(member("touser", sandbox.OpenID("FROZE", 1)), toOrder, badData), `50002 user limited`},
		{"data missing", body(toUser, toOrder), `47003 argument invalid! data.character_string1.value is empty`},
		{"data missing for a historical template", body(toUser, member("template_id", sandbox.SeedTemplateHistorical)), `47003 argument invalid! data.first.value is empty`},
		{"data a string", body(toUser, toOrder, member("data", `{"character_string1":{"value":"A"}}`)), `47003 argument invalid! data.character_string1.value is empty`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, text, _ := strings.Cut(tt.want, " ")
			quoted := strings.ReplaceAll(text, `\`, `\\`)
			wantBody(t, do(t, s, with(pathSend, token), tt.body), `{"errcode":`+code+`,"errmsg":"`+quoted+` rid"}`)
			if row := lastRow(t, s); strconv.Itoa(row.ErrCode) != code || row.MsgID != "" || row.Fate != "none" {
				t.Errorf("ledger: errcode %d msgid %q fate %q, want %s, none", row.ErrCode, row.MsgID, row.Fate, code)
			}
		})
	}
}

func TestSendChecksTheTokenBeforeTheBodyAndTheMethodBeforeTheToken(t *testing.T) {
	s := sandboxtest.New(t)
	wantCode(t, do(t, s, pathSend, ""), 43002)
	wantCode(t, do(t, s, pathSend, "no json"), 41001)
	wantCode(t, do(t, s, with(pathSend, "92_x"), "no json"), 40001)
	wantCode(t, do(t, s, with(pathSend, miniToken(t, s)), "no json"), 48001)

	got, err := try(s, http.MethodPost, with(pathSend, plainToken(t, s).AccessToken), http.NoBody)
	mustNil(t, err)
	wantBody(t, got, `{"errcode":44002,"errmsg":"empty post data rid"}`)
}

func TestAChunkedBodyIsRefusedByTheFrontEnd(t *testing.T) {
	s := sandboxtest.New(t)
	chunked := io.MultiReader(strings.NewReader(orderBody(user, ""))) // of no known length
	got, err := try(s, http.MethodPost, with(pathSend, plainToken(t, s).AccessToken), chunked)
	mustNil(t, err)
	if got.status != http.StatusPreconditionFailed || got.header.Get("Content-Type") != "text/html" {
		t.Errorf("status %d, type %q, want 412, text/html", got.status, got.header.Get("Content-Type"))
	}
	if row := lastRow(t, s); row.ErrCode != 412 {
		t.Errorf("errcode in the ledger = %d, want 412", row.ErrCode)
	}
	tooLong := io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20+1)))
	got, err = try(s, http.MethodPost, pathSend, tooLong)
	mustNil(t, err)
	if got.status != http.StatusPreconditionFailed {
		t.Errorf("chunked and too long: status %d, want 412", got.status)
	}
}

func TestValuesOfTypedTemplates(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	good := `"thing1":{"value":"人民路店"},"character_string2":{"value":"B27"},"time3":{"value":"2026-11-20 18:05"}`
	for _, tt := range []struct{ name, data, want string }{
		{"all good", good, ""},
		{"extra keys are ignored", good + `,"first":{"value":"x"},"remark":{}`, ""},
		{"a number counts as its text", strings.Replace(good, `"B27"`, `27`, 1), ""},
		{"the first bad one in the template's order is named", `"time3":{"value":"soon"},"thing1":{"value":"x"},"character_string2":{"value":"中文"}`,
			"data.character_string2.value invalid"},
		{"too long", strings.Replace(good, "人民路店", strings.Repeat("店", 21), 1), "data.thing1.value invalid"},
		{"missing", `"character_string2":{"value":"B27"},"time3":{"value":"18:05"}`, "data.thing1.value is empty"},
		{"empty", strings.Replace(good, "人民路店", "", 1), "data.thing1.value is empty"},
		{"no value in the object", strings.Replace(good, `{"value":"人民路店"}`, `{}`, 1), "data.thing1.value is empty"},
		{"a bare string", strings.Replace(good, `{"value":"人民路店"}`, `"人民路店"`, 1), "data.thing1.value is empty"},
		{"keys with .DATA", strings.Replace(good, `"thing1"`, `"thing1.DATA"`, 1), "data.thing1.value is empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := do(t, s, with(pathSend, token), body(toUser, member("template_id", sandbox.SeedTemplateQueue), `"data":{`+tt.data+`}`))
			if tt.want == "" {
				wantCode(t, got, 0)
				return
			}
			wantBody(t, got, `{"errcode":47003,"errmsg":"argument invalid! `+tt.want+` rid"}`)
		})
	}
}

func TestHarmlessEmptyFields(t *testing.T) {
	s := sandboxtest.New(t)
	target := with(pathSend, plainToken(t, s).AccessToken) + "&neededText="
	for _, extra := range []string{
		`"miniprogram":{"appid":"","pagepath":""},"url":"",`, `"miniprogram":null,"topcolor":"",`, `"color":"","client_msg_id":"",`,
		`"miniprogram":{"appid":"` + sandbox.SeedMiniAppID + `","path":"index?foo=bar"},`,
	} {
		wantCode(t, do(t, s, target, orderBody(user, extra)), 0)
	}
}

func TestClientMsgIDMakesOneMessageForTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		token := plainToken(t, s).AccessToken
		send := func() reply { return do(t, s, with(pathSend, token), orderBody(user, clientID("order-1"))) }
		first := send()
		firstID := lastRow(t, s).MsgID
		time.Sleep(10*time.Minute - time.Second)
		wantBody(t, send(), first.body)
		if row := lastRow(t, s); row.DuplicateOf != firstID || row.Fate != "none" {
			t.Errorf("duplicate: duplicate_of %q, fate %q, want %q, none", row.DuplicateOf, row.Fate, firstID)
		}
		other := do(t, s, with(pathSend, token), orderBody(sandbox.OpenID("", 2), clientID("order-1")))
		if other.body == first.body {
			t.Error("the same client_msg_id of another user was taken for a duplicate")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := len(s.Sandbox.Inbox(user)); got != 1 {
			t.Errorf("%d messages in the inbox, want 1", got)
		}
		if again := send(); again.body == first.body {
			t.Error("after ten minutes the first msgid was answered again, want a new message")
		}
	})
}

func TestDuplicateAnswersAreASwitch(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	do(t, s, with(pathSend, token), orderBody(user, clientID("a")))
	first := lastRow(t, s).MsgID
	for answer, want := range map[string]string{
		"45065": `{"errcode":45065,"errmsg":"clientmsgid exist rid"}`,
		"44007": `{"errcode":44007,"errmsg":"repeated msg id rid"}`,
	} {
		mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{Switches: sandbox.Switches{DuplicateAnswer: answer}}))
		wantBody(t, do(t, s, with(pathSend, token), orderBody(user, clientID("a"))), want)
		if got := lastRow(t, s).DuplicateOf; got != first {
			t.Errorf("duplicate_of = %q, want %q", got, first)
		}
	}
}

func TestTheDailyQuotaEndsAtBeijingMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins 08:00 in Beijing
		s := sandboxtest.NewInMemory(t)
		mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{DailyQuota: new(2)}))
		send := func() reply {
			return do(t, s, with(pathSend, stableToken(t, s, false).AccessToken), orderBody(user, ""))
		}
		for _, want := range []int{0, 0, 45009} {
			wantCode(t, send(), want)
		}
		time.Sleep(16*time.Hour - time.Second)
		wantBody(t, send(), `{"errcode":45009,"errmsg":"reach max api daily quota limit rid"}`)
		time.Sleep(time.Second)
		wantCode(t, send(), 0)
	})
}

func TestEraALimitsEachTemplateByTheMonth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins at 08:00 on 1 January 2000, Beijing time
		s := sandboxtest.NewInMemory(t)
		account := func(spec sandbox.AccountSpec) {
			mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, spec))
		}
		view := func() sandbox.AccountView { return s.Sandbox.Accounts()[0] }
		account(sandbox.AccountSpec{Era: "wiki"})
		if got := view(); *got.TemplateMonthlyQuota != 10_000 || *got.TemplateLimit != 10 {
			t.Errorf("era A: monthly %d, templates %d, want 10000, 10", *got.TemplateMonthlyQuota, *got.TemplateLimit)
		}
		account(sandbox.AccountSpec{TemplateMonthlyQuota: new(1)})
		send := func(template string) reply {
			return do(t, s, with(pathSend, stableToken(t, s, false).AccessToken), body(toUser, member("template_id", template), `"data":{}`))
		}
		wantCode(t, send(sandbox.SeedTemplateHistorical), 0)
		wantCode(t, send(sandbox.SeedTemplateHistorical), 45009)
		wantCode(t, send(sandbox.SeedTemplateOrder), 0) // another template has a count of its own
		wantCode(t, send(strings.Repeat("x", 43)), 40037)
		time.Sleep(31*24*time.Hour - 8*time.Hour - time.Second)
		wantCode(t, send(sandbox.SeedTemplateHistorical), 45009)
		time.Sleep(time.Second)
		wantCode(t, send(sandbox.SeedTemplateHistorical), 0)
		account(sandbox.AccountSpec{Era: "F"})
		wantCode(t, send(sandbox.SeedTemplateHistorical), 0)
		if got := view(); *got.TemplateMonthlyQuota != 0 || *got.TemplateLimit != 25 {
			t.Errorf("era F: monthly %d, templates %d, want 0, 25", *got.TemplateMonthlyQuota, *got.TemplateLimit)
		}
	})
}

func TestTheMinuteQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{MinuteQuota: new(1)}))
		token := plainToken(t, s).AccessToken
		wantCode(t, do(t, s, with(pathSend, token), orderBody(user, "")), 0)
		wantBody(t, do(t, s, with(pathSend, token), orderBody(user, "")),
			`{"errcode":45011,"errmsg":"api minute-quota reach limit, must slower, retry next minute rid"}`)
		time.Sleep(time.Minute)
		wantCode(t, do(t, s, with(pathSend, token), orderBody(user, "")), 0)
	})
}

func TestUnverifiedAccountsMayNotSend(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{Verified: new(false)}))
	got := do(t, s, with(pathSend, token), orderBody(user, ""))
	wantCode(t, got, 48001)
}

func TestUnknownPathsAndPlainHTTP(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	wantBody(t, do(t, s, with("/cgi-bin/no/such", token), ""), `{"errcode":40066,"errmsg":"invalid url rid"}`)
	s.Sandbox.Configure(sandbox.Settings{RequireHTTPS: new(true)})
	wantBody(t, do(t, s, with(pathSend, token), orderBody(user, "")), `{"errcode":43003,"errmsg":"require https rid"}`)
}

func TestTheInboxShowsWhatTheUserSaw(t *testing.T) {
	s := sandboxtest.New(t, sandbox.Options{DeliveryDelay: -1})
	token := plainToken(t, s).AccessToken
	historical := body(toUser, member("template_id", sandbox.SeedTemplateHistorical), member("url", "https://e.example/o/1"),
		`"data":{"first":{"value":"您好"},"keyword1":{"value":"A1001","color":"#173177"},"keyword2":{"value":"39.80元"},"keyword3":{"value":"今天"},"remark":{"value":"谢谢"}}`)
	do(t, s, with(pathSend, token), historical)
	mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{Era: "C"}))
	got := s.Sandbox.Inbox(user)
	want := []sandbox.InboxEntry{{
		MsgID: lastRow(t, s).MsgID, AppID: sandbox.SeedServiceAppID, TemplateID: sandbox.SeedTemplateHistorical,
		Title: "订单支付成功通知", Jump: sandbox.InboxJump{Kind: "url", URL: "https://e.example/o/1"},
		Lines: []sandbox.InboxLine{{Value: "您好"}, {Label: "订单编号", Value: "A1001", Color: "#173177"},
			{Label: "支付金额", Value: "39.80元"}, {Label: "支付时间", Value: "今天"}, {Value: "谢谢"}},
	}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(sandbox.InboxEntry{}, "At")); diff != "" {
		t.Errorf("inbox in era C (-want +got):\n%s", diff)
	}
	mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{Era: "F"}))
	if got := len(s.Sandbox.Inbox(user)[0].Lines); got != 3 {
		t.Errorf("%d lines in era F, want 3: first and remark are not shown", got)
	}
}
