package sandbox_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

func miniBody(openid, formID, extra string) string {
	return fmt.Sprintf(`{"touser":%q,"template_id":%q,"form_id":%q,%s"data":{"keyword1":{"value":"理发"},"keyword2":{"value":"10:15"},`+
		`"keyword3":{"value":"人民路店"},"keyword4":{"value":""}}}`, openid, sandbox.SeedTemplateMini, formID, extra)
}

func TestAFormIDSendsOnceAndOnlyToItsUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		g := newGateway(s)
		mustNil(t, s.Sandbox.SetServerURL(sandbox.SeedMiniAppID, callbackURL, "", ""))
		token := miniToken(t, s)
		form := s.Sandbox.GiveForm("", user)
		if len(form) != 32 {
			t.Errorf("form_id %q, want 32 characters", form)
		}
		invalid, used := `{"errcode":41028,"errmsg":"invalid form id rid"}`, `{"errcode":41029,"errmsg":"form id used count reach limit rid"}`
		send := func(openid, id string) reply { return do(t, s, with(pathMiniSend, token), miniBody(openid, id, "")) }
		wantBody(t, send(sandbox.OpenID("", 2), form), invalid)
		wantBody(t, send(user, "the formId is a mock one"), invalid)
		wantBody(t, send(user, form), `{"errcode":0,"errmsg":"ok"}`)
		wantBody(t, send(user, form), used)
		time.Sleep(2 * time.Second)
		if got := len(s.Sandbox.Inbox(user)); got != 1 || len(g.got()) != 0 {
			t.Errorf("%d messages and %d events, want 1 and 0", got, len(g.got()))
		}
		late := s.Sandbox.GiveForm("", user)
		advance(t, s, 7*24*time.Hour)
		token = miniToken(t, s)
		wantBody(t, send(user, late), invalid)
	})
}

func TestAPrepayIDWorksAfterItsDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		token := miniToken(t, s)
		prepay := s.Sandbox.GivePayment(user, -1)
		if len(prepay) != 36 || prepay[:2] != "wx" {
			t.Errorf("prepay_id %q, want 36 characters from wx", prepay)
		}
		send := func() reply { return do(t, s, with(pathMiniSend, token), miniBody(user, prepay, "")) }
		time.Sleep(5*time.Second - time.Millisecond)
		wantCode(t, send(), 41028)
		time.Sleep(time.Millisecond)
		wantCode(t, send(), 0)
		wantCode(t, send(), 41029)
	})
}

func TestMessagesPerPaymentAreASetting(t *testing.T) {
	s := sandboxtest.New(t)
	mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedMiniAppID, sandbox.AccountSpec{Switches: sandbox.Switches{PrepayMessages: new(3)}}))
	prepay := s.Sandbox.GivePayment(user, 0)
	token := miniToken(t, s)
	for _, want := range []int{0, 0, 0, 41029} {
		wantCode(t, do(t, s, with(pathMiniSend, token), miniBody(user, prepay, "")), want)
	}
}

func TestMiniSendRefusals(t *testing.T) {
	s := sandboxtest.New(t)
	mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedMiniAppID, sandbox.AccountSpec{Pages: &[]string{"pages/order"}}))
	token, form := miniToken(t, s), s.Sandbox.GiveForm(sandbox.SeedMiniAppID, user)
	for _, tt := range []struct{ name, body, want string }{
		{"openid", miniBody("o", form, ""), `{"errcode":40003,"errmsg":"invalid openid rid"}`},
		{"template of the other family", body(toUser, toOrder), `{"errcode":40037,"errmsg":"invalid template_id rid"}`},
		{"page not released", miniBody(user, form, `"page":"pages/cart?x=1",`), `{"errcode":41030,"errmsg":"invalid page rid"}`},
		{"emphasis on first", miniBody(user, form, `"emphasis_keyword":"first.DATA",`),
			`{"errcode":40138,"errmsg":"emphasis word can not be first neither remark rid"}`},
		{"after all these the form is still good", miniBody(user, form, `"page":"pages/order?x=1","emphasis_keyword":"keyword1.DATA",`), `{"errcode":0,"errmsg":"ok"}`},
	} {
		t.Run(tt.name, func(t *testing.T) { wantBody(t, do(t, s, with(pathMiniSend, token), tt.body), tt.want) })
	}
	wantCode(t, do(t, s, with(pathMiniSend, plainToken(t, s).AccessToken), miniBody(user, form, "")), 48001)
	mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedMiniAppID, sandbox.AccountSpec{Switches: sandbox.Switches{MiniTemplateRetired: new(true)}}))
	wantBody(t, do(t, s, with(pathMiniSend, token), miniBody(user, form, "")),
		`{"errcode":45103,"errmsg":"This API has been unsupported rid"}`)
}

func TestTheEmphasisAndThePageReachThePhone(t *testing.T) {
	s := sandboxtest.New(t, sandbox.Options{DeliveryDelay: -1})
	form := s.Sandbox.GiveForm("", user)
	do(t, s, with(pathMiniSend, miniToken(t, s)), miniBody(user, form, `"page":"index?foo=bar","emphasis_keyword":"keyword2.DATA",`))
	got := s.Sandbox.Inbox(user)
	if len(got) != 1 || got[0].Jump != (sandbox.InboxJump{Kind: "miniprogram", AppID: sandbox.SeedMiniAppID, PagePath: "index?foo=bar"}) {
		t.Fatalf("inbox = %+v, want one message that opens index?foo=bar", got)
	}
	for _, line := range got[0].Lines {
		if want := line.Label == "预约时间"; line.Emphasis != want {
			t.Errorf("emphasis of %s = %t, want %t", line.Label, line.Emphasis, want)
		}
	}
}

func TestAFormIDIsOfOneMiniProgramAndOneUser(t *testing.T) {
	s := sandboxtest.New(t)
	const other = "wxd4d4d4d4d4d4d4d4"
	mustNil(t, s.Sandbox.AddAccount(sandbox.AccountSpec{AppID: other, Kind: "mini_program"}))
	token := miniToken(t, s)
	send := func(openid, form string) reply {
		return do(t, s, with(pathMiniSend, token), miniBody(openid, form, ""))
	}
	wantCode(t, send(user, s.Sandbox.GiveForm(other, user)), 41028)
	form := s.Sandbox.GiveForm("", user)
	wantCode(t, send(user, form), 0)
	wantCode(t, send(sandbox.OpenID("", 2), form), 41028) // to a stranger it is unknown, not used
	wantCode(t, send(user, form), 41029)
}

func TestAPrepayIDEndsAfterSevenDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		first, second := s.Sandbox.GivePayment(user, 0), s.Sandbox.GivePayment(user, 0)
		send := func(id string) reply { return do(t, s, with(pathMiniSend, miniToken(t, s)), miniBody(user, id, "")) }
		advance(t, s, 7*24*time.Hour-time.Second)
		wantCode(t, send(first), 0)
		advance(t, s, time.Second)
		wantCode(t, send(second), 41028)
	})
}

func TestThePrepayJitter(t *testing.T) {
	s := sandboxtest.New(t)
	setMini(t, s, sandbox.AccountSpec{WireRules: sandbox.WireRules{PrepayJitterMS: new(15_000)},
		Switches: sandbox.Switches{PrepayActivationDelayMS: new(0)}})
	active := func() (n int) {
		token := miniToken(t, s)
		for i := range 20 {
			openid := sandbox.OpenID("", i)
			if codeOf(t, do(t, s, with(pathMiniSend, token), miniBody(openid, s.Sandbox.GivePayment(openid, -1), ""))) == 0 {
				n++
			}
		}
		return n
	}
	if got := active(); got > 10 {
		t.Errorf("%d of 20 payments work at once, want few: up to 15 s are drawn", got)
	}
	setMini(t, s, sandbox.AccountSpec{WireRules: sandbox.WireRules{PrepayJitterMS: new(0)}})
	if got := active(); got != 20 {
		t.Errorf("%d of 20 payments work at once without jitter, want all", got)
	}
}

func TestAFrozenUserGetsNoMiniProgramMessage(t *testing.T) {
	s := sandboxtest.New(t)
	openid := sandbox.OpenID("FROZE", 1)
	form := s.Sandbox.GiveForm("", openid)
	token := miniToken(t, s)
	wantBody(t, do(t, s, with(pathMiniSend, token), miniBody(openid, form, "")), `{"errcode":50002,"errmsg":"user limited rid"}`)
	mustNil(t, s.Sandbox.Unfreeze(openid))
	wantCode(t, do(t, s, with(pathMiniSend, token), miniBody(openid, form, "")), 0)
}
