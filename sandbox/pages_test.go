package sandbox_test

import (
	"errors"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
	"hongyan/wechat"
)

// What pages ask for beside the control API.

func TestCardsAreTheNewestDrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t, sandbox.Options{DeliveryDelay: -1})
		token := plainToken(t, s).AccessToken
		for range 3 {
			wantCode(t, do(t, s, with(pathSend, token), orderBody(user, `"url":"https://shop.example.com",`)), 0)
			time.Sleep(time.Second)
		}
		all, newest := s.Sandbox.Cards(user, 0), s.Sandbox.Cards(user, 2)
		if diff := cmp.Diff(all[1:], newest); diff != "" || len(all) != 3 {
			t.Errorf("%d cards; the newest two (-want +got):\n%s", len(all), diff)
		}
		card := all[0]
		if card.Family != sandbox.CardTemplate || card.Era != wechat.EraF || card.Drawn.Date != "1月1日" || card.Jump.Kind != wechat.JumpURL || card.Read {
			t.Errorf("card = %+v", card)
		}
		mustNil(t, s.Sandbox.Read(user, ""))
		if !s.Sandbox.Cards(user, 1)[0].Read {
			t.Error("what was read is not")
		}
	})
}

func TestAJumpSaysWhatFired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t, sandbox.Options{DeliveryDelay: 10 * time.Minute})
		token := plainToken(t, s).AccessToken
		wantCode(t, do(t, s, with(pathSend, token), orderBody(user, "")), 0)
		wantCode(t, do(t, s, with(pathSend, token), orderBody(sandbox.OpenID("BLOCK", 1), "")), 0)
		s.Sandbox.GivePayment(user, time.Minute)
		s.Sandbox.GiveForm("", user)
		jump := func(d time.Duration, want sandbox.Fired) {
			t.Helper()
			got, err := s.Sandbox.Jump(d)
			mustNil(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("jump of %v (-want +got):\n%s", d, diff)
			}
		}
		jump(time.Second, sandbox.Fired{})
		jump(time.Hour, sandbox.Fired{Delivered: 1, Undelivered: 1, PaymentsActive: 1})
		jump(24*time.Hour, sandbox.Fired{TokensExpired: 1, Days: 1})
		jump(6*24*time.Hour, sandbox.Fired{FormsExpired: 2, Days: 6})
		if _, err := s.Sandbox.Jump(-time.Second); err == nil {
			t.Error("the clock was turned back")
		}
	})
}

func TestGrantsAreTheNewestTwenty(t *testing.T) {
	box := sandbox.New(sandbox.Options{})
	var last string
	for range 25 {
		last = box.GiveForm("", user)
	}
	prepay := box.GivePayment(user, 0)
	grants := box.Grants(user, 0)
	if len(grants) != 20 || grants[0].PrepayID != prepay || grants[1].FormID != last || grants[1].Left != 1 || grants[1].AppID != sandbox.SeedMiniAppID {
		t.Errorf("%d grants, the newest %+v and %+v", len(grants), grants[0], grants[1])
	}
	if got := box.Grants(sandbox.OpenID("", 2), 0); len(got) != 0 {
		t.Errorf("another user has %+v", got)
	}
}

func TestFatesAreThoseOfTheLedger(t *testing.T) {
	s := sandboxtest.NewInMemory(t, sandbox.Options{DeliveryDelay: -1})
	token := plainToken(t, s).AccessToken
	want := map[string]string{}
	for openid, fate := range map[string]string{user: "shown", sandbox.OpenID("BLOCK", 1): "user_block", sandbox.OpenID("SYSFL", 1): "system_failed"} {
		wantCode(t, do(t, s, with(pathSend, token), orderBody(openid, "")), 0)
		want[lastRow(t, s).MsgID] = fate
	}
	ids := []string{"1"}
	for id := range want {
		ids = append(ids, id)
	}
	if diff := cmp.Diff(want, s.Sandbox.Fates(ids...)); diff != "" {
		t.Errorf("fates (-want +got):\n%s", diff)
	}
}

func TestTryFaultReturnsWhatAddFaultPanicsWith(t *testing.T) {
	box := sandbox.New(sandbox.Options{})
	_, err := box.TryFault(sandbox.Fault{Path: "*"})
	if refusal, ok := errors.AsType[*sandbox.ControlError](err); !ok || refusal.Field == "" {
		t.Errorf("error %v, want one with a field", err)
	}
	id, err := box.TryFault(sandbox.Fault{Path: "*", ErrCode: -1})
	if err != nil || len(box.Faults()) != 1 || box.Faults()[0].ID != id {
		t.Errorf("id %q, error %v, rules %+v", id, err, box.Faults())
	}
}

func TestPromptListsWhatCanBeSubscribedTo(t *testing.T) {
	box := sandbox.New(sandbox.Options{})
	got := box.Prompt(sandbox.SeedMiniAppID)
	want := []sandbox.PromptTemplate{{TemplateID: sandbox.SeedTemplateSubscribePickup, Title: "取餐提醒"}, {TemplateID: sandbox.SeedTemplateSubscribeRefund, Title: "退款通知"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("prompt (-want +got):\n%s", diff)
	}
	if got := box.Prompt("wx0000000000000000"); len(got) != 0 {
		t.Errorf("an unknown account asks for %+v", got)
	}
}

func TestAdmitsIsTheControlAPIsRule(t *testing.T) {
	here, there := httptest.NewRequest("GET", "http://localhost/", nil), httptest.NewRequest("GET", "http://localhost/", nil)
	here.RemoteAddr, there.RemoteAddr = "[::1]:4000", "192.0.2.7:4000"
	closed, open := sandbox.New(sandbox.Options{}), sandbox.New(sandbox.Options{AllowRemote: true})
	if closed.Admits(here) != nil || closed.Admits(there) == nil || open.Admits(there) != nil {
		t.Error("loopback always, others only where that is allowed")
	}
}
