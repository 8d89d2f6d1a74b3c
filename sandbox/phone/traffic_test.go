package phone_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hongyan/sandbox"
)

func TestACallIsShownWholeAndWithoutItsSecrets(t *testing.T) {
	d := newDesk(t)
	if code := d.call(service, sandbox.SeedServiceSecret, pathSend, historical(fields{"touser": sandbox.OpenID("NOFOL", 1)})); code != 43004 {
		t.Fatalf("errcode %d", code)
	}
	panel := d.get("/phone/panel")
	row := one(t, panel, ".exchange[data-errcode=43004]")
	wantTexts(t, row, ".x-result", "43004")
	pres := texts(row, ".x-pre")
	if len(pres) != 2 || !strings.Contains(pres[0], `"template_id": "`+sandbox.SeedTemplateHistorical) || !strings.Contains(pres[1], "require subscribe rid: ") {
		t.Errorf("request and answer = %q", pres)
	}
	rid := text(one(t, row, ".x-fact code"))
	if len(rid) != 26 {
		t.Errorf("rid = %q", rid)
	}
	if text(one(t, row, ".x-why")) == "" {
		t.Error("it does not say why")
	}
	curl := attr(one(t, row, "button[data-curl]"), "data-copy")
	for _, part := range []string{"BASE=" + pageHost + "\n", "SECRET=" + sandbox.SeedServiceSecret + "\n", "\nTOKEN=$(curl ", "\ncurl ", "access_token=$TOKEN"} {
		if !strings.Contains(curl, part) {
			t.Errorf("the command lacks %q:\n%s", part, curl)
		}
	}
	// The secret of the seed is known to everybody; what the call carried is not shown.
	token := one(t, panel, ".exchange[data-errcode=0]")
	if got := texts(token, ".x-pre"); strings.Contains(got[0]+got[1], sandbox.SeedServiceSecret) || !strings.Contains(got[0], "secret=***") {
		t.Errorf("the call for the token is shown as %q", got)
	}
}

func TestAnEmptyPanelSaysWhatToDoNext(t *testing.T) {
	d := newDesk(t)
	if got := text(one(t, d.get("/phone/panel?user="+user), "#try-it")); !strings.Contains(got, `"touser":"`+user) || !strings.Contains(got, "BASE="+pageHost) {
		t.Errorf("the command is %q", got)
	}
	d.send(historical(nil))
	wantTexts(t, d.get("/phone/panel"), "#try-it")
}

func TestAPushIsShownWithWhatItWasSignedOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.RegisterHost("gateway.test", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "success") }))
		d.must(d.Sandbox.SetServerURL(service, "http://gateway.test/callback", "safe", "xml"))
		d.send(historical(nil))
		synctest.Wait()
		row := one(t, d.get("/phone/panel?only=pushes"), ".exchange")
		if got := attr(row, "data-direction"); got != sandbox.DirectionPush {
			t.Errorf("direction = %q", got)
		}
		if got := texts(row, ".x-what"); !strings.HasPrefix(got[0], "TEMPLATESENDJOBFINISH") {
			t.Errorf("what = %q", got)
		}
		wantTexts(t, row, ".x-result", "200")
		wantTexts(t, row, ".x-status", "success")
		wantTexts(t, row, ".signature th", "timestamp", "nonce", "排序后拼接", "signature = SHA-1", "含密文，排序后拼接", "msg_signature = SHA-1")
		if got := source(row); strings.Contains(got, sandbox.SeedCallbackToken) || !strings.Contains(got, "***") {
			t.Error("the callback token is shown, or its place is not")
		}
	})
}

// TestANoteComesLaterThanItsRow: the row of a send is on the page before anybody
// knows whether the message arrives.
func TestANoteComesLaterThanItsRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.must(d.Sandbox.UpdateAccount(service, sandbox.AccountSpec{Switches: sandbox.Switches{DeliveryDelayMS: new(1000)}}))
		d.send(historical(fields{"touser": sandbox.OpenID("BLOCK", 1)}))
		panel := d.get("/phone/panel")
		row := all(panel, ".exchange")[0]
		wantTexts(t, row, ".note", "")
		after := attr(one(t, panel, "#traffic-state input"), "value")
		wantTexts(t, d.get("/phone/traffic?after="+after), ".note")
		time.Sleep(2 * time.Second)
		more := d.get("/phone/traffic?after=" + after)
		wantTexts(t, more, "#note-"+attr(row, "data-exchange")+"[hx-swap-oob]", "用户拒收 — 手机上没有这条消息，事件为 failed:user block。")
	})
}

func TestTheFilterChoosesRows(t *testing.T) {
	d := newDesk(t)
	d.send(historical(nil))
	d.send(historical(fields{"touser": sandbox.OpenID("", 2)}))
	_ = d.call(service, sandbox.SeedServiceSecret, pathSend, historical(fields{"touser": sandbox.OpenID("NOFOL", 1)}))
	rows := func(only string) int { return len(all(d.get("/phone/panel?user="+user+"&only="+only), ".exchange")) }
	if got := rows("all"); got != 6 { // three tokens, three sends
		t.Errorf("all: %d rows, want 6", got)
	}
	if got := rows("user"); got != 1 {
		t.Errorf("this user: %d rows, want 1", got)
	}
	if got := rows("failed"); got != 1 {
		t.Errorf("failed: %d rows, want 1", got)
	}
	if got := rows("pushes"); got != 0 {
		t.Errorf("pushes: %d rows, want 0", got)
	}
}

func TestTheFeedGoesOnWhereItWas(t *testing.T) {
	d := newDesk(t)
	d.send(historical(nil))
	after := attr(one(t, d.get("/phone/panel"), "#traffic-state input"), "value")
	more := d.get("/phone/traffic?after=" + after)
	wantTexts(t, more, ".exchange")
	d.send(historical(nil))
	more = d.get("/phone/traffic?after=" + after)
	if n := len(all(more, ".exchange")); n != 2 {
		t.Errorf("%d new rows, want token and send", n)
	}
	if next := attr(one(t, more, "#traffic-state input"), "value"); next == after {
		t.Error("the next look would begin where this one did")
	}
	if resp, _ := d.ask(http.MethodGet, "/phone/traffic?after="+after, nil); resp.Header.Get("HX-Refresh") != "" {
		t.Error("the page is loaded again for no reason")
	}
	if resp, _ := d.ask(http.MethodGet, "/phone/traffic?after=999", nil); resp.Header.Get("HX-Refresh") != "true" {
		t.Error("a page of an earlier sandbox goes on as if nothing were")
	}
	if resp, _ := d.ask(http.MethodGet, "/phone/traffic?after=-1", nil); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("after=-1: status %d", resp.StatusCode)
	}
}
