package sandbox_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

// standingOf makes the spec that sets only the standing.
func standingOf(st sandbox.Standing) sandbox.AccountSpec { return sandbox.AccountSpec{Standing: st} }

// Each row is one switch: the code with it on, then with it off again.
func TestEachStandingShowsOnTheWire(t *testing.T) {
	fetch := tokenTarget(sandbox.SeedServiceAppID, sandbox.SeedServiceSecret)
	v2 := body(member("appid", sandbox.SeedServiceAppID), member("appsecret", sandbox.SeedServiceSecret))
	for _, tt := range []struct {
		name            string
		on, off         sandbox.Standing
		path, body      string
		whenOn, whenOff int
	}{
		{"frozen secret, plain token", sandbox.Standing{SecretFrozen: new(true)}, sandbox.Standing{SecretFrozen: new(false)}, fetch, "", 40243, 0},
		{"frozen secret, stable token", sandbox.Standing{SecretFrozen: new(true)}, sandbox.Standing{SecretFrozen: new(false)}, pathStable, stableBody(false), 40243, 0},
		{"frozen secret, clear_quota/v2", sandbox.Standing{SecretFrozen: new(true)}, sandbox.Standing{SecretFrozen: new(false)}, pathClearV2, v2, 40243, 0},
		{"a frozen secret leaves tokens alone", sandbox.Standing{SecretFrozen: new(true)}, sandbox.Standing{SecretFrozen: new(false)}, pathSend, orderBody(user, ""), 0, 0},
		{"punished", sandbox.Standing{TokenForbidden: "50004"}, sandbox.Standing{TokenForbidden: "none"}, fetch, "", 50004, 0},
		{"account frozen", sandbox.Standing{TokenForbidden: "50007"}, sandbox.Standing{TokenForbidden: "none"}, fetch, "", 50007, 0},
		{"one API banned", sandbox.Standing{ForbiddenAPIs: &[]string{pathSend}}, sandbox.Standing{ForbiddenAPIs: &[]string{}}, pathSend, orderBody(user, ""), 48004, 0},
		{"a family banned", sandbox.Standing{ForbiddenAPIs: &[]string{"/cgi-bin/message/*"}}, sandbox.Standing{ForbiddenAPIs: &[]string{"/wxaapi/*"}}, pathSend, "{", 48004, 47001},
		{"another API banned", sandbox.Standing{ForbiddenAPIs: &[]string{pathSend}}, sandbox.Standing{ForbiddenAPIs: &[]string{}}, pathList, "", 0, 0},
		{"template banned", sandbox.Standing{BannedTemplates: &[]string{sandbox.SeedTemplateOrder}}, sandbox.Standing{BannedTemplates: &[]string{"43217"}}, pathSend, orderBody(user, ""), 43116, 0},
		{"library template disabled", sandbox.Standing{BannedTemplates: &[]string{"43217"}}, sandbox.Standing{BannedTemplates: &[]string{}}, pathAdd, `{"template_id_short":"43217","keyword_name_list":["订单编号"]}`, 48011, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := sandboxtest.New(t)
			token := plainToken(t, s).AccessToken
			target := tt.path
			if !strings.Contains(target, "?") {
				target = with(target, token)
			}
			setService(t, s, standingOf(tt.on))
			wantCode(t, do(t, s, target, tt.body), tt.whenOn)
			setService(t, s, standingOf(tt.off))
			wantCode(t, do(t, s, target, tt.body), tt.whenOff)
		})
	}
	s := sandboxtest.New(t)
	const form = "tid=401&kidList[0]=1&kidList[1]=2"
	setMini(t, s, standingOf(sandbox.Standing{BannedTemplates: &[]string{"401"}}))
	wantCode(t, newtmpl(t, s, miniToken(t, s), "", form), 200013)
}

func TestAResetSecretReplacesTheOldOne(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	var made struct{ Secret string }
	mustDecode(t, do(t, s, control+"accounts/"+sandbox.SeedServiceAppID+"/reset_secret", "{}"), &made)
	wantBody(t, do(t, s, tokenTarget(sandbox.SeedServiceAppID, sandbox.SeedServiceSecret), ""), `{"errcode":40125,"errmsg":"invalid appsecret rid"}`)
	wantCode(t, do(t, s, with(pathSend, token), orderBody(user, "")), 0) // tokens live on
	wantCode(t, do(t, s, tokenTarget(sandbox.SeedServiceAppID, made.Secret), ""), 0)
	if view := do(t, s, control+"accounts", "").body; strings.Contains(view, made.Secret) {
		t.Error("the secret is shown again")
	}
}

func TestANewAddressNeedsAnAdministrator(t *testing.T) {
	box := sandbox.New(sandbox.Options{})
	mustNil(t, box.UpdateAccount(sandbox.SeedServiceAppID, standingOf(sandbox.Standing{ConfirmNewIPs: new(true)})))
	handler := box.Handler()
	fetch := func(ip string) int {
		r := httptest.NewRequest(http.MethodGet, tokenTarget(sandbox.SeedServiceAppID, sandbox.SeedServiceSecret), nil)
		r.RemoteAddr = ip + ":1234"
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return codeOf(t, reply{body: w.Body.String()})
	}
	decide := func(accept bool) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, "http://localhost"+control+"accounts/"+sandbox.SeedServiceAppID+"/ip_requests",
			strings.NewReader(`{"ip":"203.0.113.7","accept":`+map[bool]string{true: "true", false: "false"}[accept]+`}`))
		r.RemoteAddr = "127.0.0.1:1"
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"ip":"203.0.113.7"`) {
			t.Errorf("decide: %d %s", w.Code, w.Body)
		}
	}
	want := func(step string, code int) {
		t.Helper()
		if got := fetch("203.0.113.7"); got != code {
			t.Errorf("%s: errcode %d, want %d", step, got, code)
		}
	}
	want("first call", 89503)
	want("while it waits", 89501)
	decide(false)
	want("refused once", 89507)
	mustNil(t, box.Advance(time.Hour))
	want("an hour later it asks again", 89503)
	decide(false)
	mustNil(t, box.Advance(time.Hour))
	want("refused twice", 89506)
	mustNil(t, box.Advance(23*time.Hour))
	want("a day later it asks again", 89503)
	decide(true)
	want("accepted", 0)
	if got := fetch("203.0.113.8"); got != 89503 {
		t.Errorf("another address: %d, want 89503", got)
	}
	mustNil(t, box.UpdateAccount(sandbox.SeedServiceAppID, standingOf(sandbox.Standing{ConfirmNewIPs: new(false)})))
	if got := fetch("203.0.113.8"); got != 0 {
		t.Errorf("with the switch off: %d, want 0", got)
	}
}
