package sandbox_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

const control = "/sandbox/v1/"

// wantControl compares status and body of a control call.
func wantControl(t *testing.T, got reply, status int, body string) {
	t.Helper()
	if diff := cmp.Diff(body, strings.TrimSuffix(got.body, "\n")); diff != "" || got.status != status {
		t.Errorf("status %d, want %d; body (-want +got):\n%s", got.status, status, diff)
	}
}

func TestBadInputNamesFieldRuleAndValue(t *testing.T) {
	s := sandboxtest.New(t)
	for _, tt := range []struct{ name, path, body, want string }{
		{"unknown field", "faults", `{"path":"/x","errcode":1,"tmies":1}`, `{"error":"sandbox: tmies: is unknown here","field":"tmies","rule":"is unknown here"}`},
		{"repeated field", "faults", `{"path":"/x","path":"/y"}`, `{"error":"sandbox: path: must not be given twice","field":"path","rule":"must not be given twice"}`},
		{"wrong type", "faults", `{"path":1}`, `{"error":"sandbox: path: must be a string, got 1","field":"path","rule":"must be a string","value":"1"}`},
		{"a fraction", "faults", `{"path":"/x","nth":1.5}`, `{"error":"sandbox: nth: must be a whole number in range, got 1.5","field":"nth","rule":"must be a whole number in range","value":"1.5"}`},
		{"a secret of the wrong type", "accounts", `{"secret":["x"]}`, `{"error":"sandbox: secret: must be a string","field":"secret","rule":"must be a string"}`},
		{"not JSON", "faults", `{"path":`, `{"error":"sandbox: body: must be one JSON object (byte 8)","field":"body","rule":"must be one JSON object (byte 8)"}`},
		{"no path", "faults", `{"errcode":-1}`, `{"error":"sandbox: path: must be a path such as /cgi-bin/message/template/send, or \"*\", got ","field":"path","rule":"must be a path such as /cgi-bin/message/template/send, or \"*\"","value":""}`},
		{"two effects", "faults", `{"path":"/x","errcode":-1,"hang_ms":5}`, `{"error":"sandbox: hang_ms: at most one of errcode, http_status or html, drop_answer, hang_ms, reset, got errcode, hang_ms","field":"hang_ms","rule":"at most one of errcode, http_status or html, drop_answer, hang_ms, reset","value":"errcode, hang_ms"}`},
		{"a written zero", "faults", `{"path":"/x","errcode":-1,"times":0}`, `{"error":"sandbox: times: must not be 0, got 0","field":"times","rule":"must not be 0","value":0}`},
		{"a star in the middle", "faults", `{"path":"/a*b","errcode":-1}`, `{"error":"sandbox: path: takes a \"*\" at its end only, got /a*b","field":"path","rule":"takes a \"*\" at its end only","value":"/a*b"}`},
		{"an openid that is none", "faults", `{"path":"*","openid":"zz","errcode":-1}`, `{"error":"sandbox: openid: must be an openid: 28 characters, an o first, got zz","field":"openid","rule":"must be an openid: 28 characters, an o first","value":"zz"}`},
		{"an errcode nobody has", "faults", `{"path":"*","errcode":99999999999}`, `{"error":"sandbox: errcode: must be from -9999999 to 9999999, got 99999999999","field":"errcode","rule":"must be from -9999999 to 9999999","value":99999999999}`},
		{"an account nobody has", "faults", `{"path":"*","appid":"wxzz","errcode":-1}`, `{"error":"sandbox: appid: must be an account of this sandbox, got wxzz","field":"appid","rule":"must be an account of this sandbox","value":"wxzz"}`},
		{"a form of a service account", "users/oUser00000000000000000000001/forms", `{"appid":"wxa1a1a1a1a1a1a1a1"}`, `{"error":"sandbox: appid: must be a mini program: only they have forms and payments to send with, got wxa1a1a1a1a1a1a1a1","field":"appid","rule":"must be a mini program: only they have forms and payments to send with","value":"wxa1a1a1a1a1a1a1a1"}`},
		{"a reset with a field", "reset", `{"foo":1}`, `{"error":"sandbox: foo: is unknown here","field":"foo","rule":"is unknown here"}`},
		{"negative", "faults", `{"path":"/x","errcode":-1,"times":-1}`, `{"error":"sandbox: times: must be at least 0, got -1","field":"times","rule":"must be at least 0","value":-1}`},
		{"rate above one", "faults", `{"path":"/x","errcode":-1,"rate":1.5}`, `{"error":"sandbox: rate: must be from 0 to 1, got 1.5","field":"rate","rule":"must be from 0 to 1","value":1.5}`},
		{"odd reset", "faults", `{"path":"/x","reset":"during"}`, `{"error":"sandbox: reset: must be one of before, after, got during","field":"reset","rule":"must be one of before, after","value":"during"}`},
		{"odd status", "faults", `{"path":"/x","http_status":99}`, `{"error":"sandbox: http_status: must be from 200 to 599, got 99","field":"http_status","rule":"must be from 200 to 599","value":99}`},
		{"kept by the sandbox", "faults", `{"path":"/x","errcode":-1,"hits":3}`, `{"error":"sandbox: hits: is kept by the sandbox and cannot be set","field":"hits","rule":"is kept by the sandbox and cannot be set"}`},
		{"time backwards", "clock", `{"advance":"-1h"}`, `{"error":"sandbox: advance: must be a duration that is not negative, such as \"90s\" or \"2h\", got -1h","field":"advance","rule":"must be a duration that is not negative, such as \"90s\" or \"2h\"","value":"-1h"}`},
		{"a century ahead", "clock", `{"advance":"876001h"}`, `{"error":"sandbox: advance: must not take the clock more than 100 years ahead, got 876001h0m0s","field":"advance","rule":"must not take the clock more than 100 years ahead","value":"876001h0m0s"}`},
		{"a secret is not repeated", "accounts", `{"appid":"wxc3c3c3c3c3c3c3c3","secret":"hunter2"}`, `{"error":"sandbox: secret: must be 32 lower-case hexadecimal digits, got (7 characters)","field":"secret","rule":"must be 32 lower-case hexadecimal digits","value":"(7 characters)"}`},
		{"no appid", "accounts", `{}`, `{"error":"sandbox: appid: is required","field":"appid","rule":"is required"}`},
		{"appid taken", "accounts", `{"appid":"` + sandbox.SeedMiniAppID + `"}`, `{"error":"sandbox: appid: must be new, got wxb2b2b2b2b2b2b2b2","field":"appid","rule":"must be new","value":"wxb2b2b2b2b2b2b2b2"}`},
		{"kind is fixed", "accounts/" + sandbox.SeedMiniAppID, `{"kind":"service"}`, `{"error":"sandbox: kind: cannot be changed, got service","field":"kind","rule":"cannot be changed","value":"service"}`},
		{"odd mode", "accounts/" + sandbox.SeedMiniAppID, `{"callback_mode":"secret"}`, `{"error":"sandbox: callback_mode: must be one of plain, compatible, safe, got secret","field":"callback_mode","rule":"must be one of plain, compatible, safe","value":"secret"}`},
		{"odd server_url", "accounts/" + sandbox.SeedMiniAppID, `{"server_url":"ftp://x"}`, `{"error":"sandbox: server_url: must be an http or https URL, or empty, got ftp://x","field":"server_url","rule":"must be an http or https URL, or empty","value":"ftp://x"}`},
		{"odd era", "accounts/" + sandbox.SeedMiniAppID, `{"era":"Z"}`, `{"error":"sandbox: era: must be a letter from A to F, got Z","field":"era","rule":"must be a letter from A to F","value":"Z"}`},
		{"odd whitelist", "accounts/" + sandbox.SeedMiniAppID, `{"ip_whitelist":["10.0.0.0/8","home"]}`, `{"error":"sandbox: ip_whitelist: must hold addresses or prefixes such as 10.0.0.0/8, got home","field":"ip_whitelist","rule":"must hold addresses or prefixes such as 10.0.0.0/8","value":"home"}`},
		{"following a mini program", "users/" + user, `{"follows":false,"appid":"` + sandbox.SeedMiniAppID + `"}`, `{"error":"sandbox: appid: must be an official account to be followed, got wxb2b2b2b2b2b2b2b2","field":"appid","rule":"must be an official account to be followed","value":"wxb2b2b2b2b2b2b2b2"}`},
		{"odd openid", "users/oX", `{"follows":true}`, `{"error":"sandbox: openid: must be 28 characters, o first, then letters, digits, - and _, got oX","field":"openid","rule":"must be 28 characters, o first, then letters, digits, - and _","value":"oX"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantControl(t, do(t, s, control+tt.path, tt.body), http.StatusBadRequest, tt.want)
		})
	}
	if got := len(s.Sandbox.Faults()); got != 0 {
		t.Errorf("%d rules in force after refusals, want 0", got)
	}
}

func TestWhatIsNotThereAnswers404(t *testing.T) {
	s := sandboxtest.New(t)
	wantControl(t, do(t, s, "/sandbox/v2/stats", ""), 404,
		`{"error":"sandbox: path: must be one of the control API, got GET /sandbox/v2/stats","field":"path","rule":"must be one of the control API","value":"GET /sandbox/v2/stats"}`)
	wantControl(t, do(t, s, control+"accounts/wx0000000000000000", ""), 404,
		`{"error":"sandbox: appid: must be an account of this sandbox, got wx0000000000000000","field":"appid","rule":"must be an account of this sandbox","value":"wx0000000000000000"}`)
	for _, call := range []struct{ path, body string }{
		{"accounts/wx0000000000000000", "{}"}, {"accounts/wx0000000000000000/revoke_token", "{}"},
		{"users/" + user + "/forms", `{"appid":"wx0000000000000000"}`},
	} {
		if got := do(t, s, control+call.path, call.body); got.status != 404 {
			t.Errorf("POST %s: status %d, want 404", call.path, got.status)
		}
	}
}

func TestTheControlAPIIsForLoopbackOnly(t *testing.T) {
	for _, tt := range []struct {
		remote string
		allow  bool
		want   int
	}{
		{"127.0.0.1:5000", false, 200}, {"[::1]:5000", false, 200}, {"[::ffff:127.0.0.1]:5000", false, 200},
		{"192.0.2.1:5000", false, 403}, {"192.0.2.1:5000", true, 200},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:7900"+control+"stats", nil)
		r.RemoteAddr = tt.remote
		w := httptest.NewRecorder()
		sandbox.New(sandbox.Options{AllowRemote: tt.allow}).Handler().ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("%s, AllowRemote %t: status %d, want %d", tt.remote, tt.allow, w.Code, tt.want)
		}
	}
}

func TestAnAccountMadeOverTheControlAPIWorks(t *testing.T) {
	s := sandboxtest.New(t)
	const appid, secret = "wxc3c3c3c3c3c3c3c3", "c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3"
	got := do(t, s, control+"accounts", fmt.Sprintf(`{"appid":%q,"secret":%q,"daily_quota":5,"era":"D","server_url":"http://127.0.0.1:1/x"}`, appid, secret))
	var view sandbox.AccountView
	mustDecode(t, got, &view)
	if view.Kind != "service" || *view.DailyQuota != 5 || view.Era != "D" || *view.ServerURL != "http://127.0.0.1:1/x" || view.Secret != "" {
		t.Errorf("account = %s", got.body)
	}
	wantCode(t, do(t, s, tokenTarget(appid, secret), ""), 0)
	changed := do(t, s, control+"accounts/"+appid, `{"name":"新店","duplicate_answer":"45065","push_deliveries":4}`)
	mustDecode(t, changed, &view)
	if view.Name != "新店" || view.DuplicateAnswer != "45065" || *view.PushDeliveries != 4 || *view.DailyQuota != 5 {
		t.Errorf("changed account = %s", changed.body)
	}
	var all struct{ Items []sandbox.AccountView }
	mustDecode(t, do(t, s, control+"accounts", ""), &all)
	if len(all.Items) != 3 {
		t.Errorf("%d accounts, want 3", len(all.Items))
	}
}

func TestASecretMadeUpIsShownOnce(t *testing.T) {
	s := sandboxtest.New(t)
	const appid = "wxc3c3c3c3c3c3c3c3"
	var made, later sandbox.AccountView
	mustDecode(t, do(t, s, control+"accounts", fmt.Sprintf(`{"appid":%q}`, appid)), &made)
	wantCode(t, do(t, s, tokenTarget(appid, made.Secret), ""), 0)
	mustDecode(t, do(t, s, control+"accounts/"+appid, ""), &later)
	if later.Secret != "" {
		t.Errorf("secret shown again: %q", later.Secret)
	}
}

func TestUsersOverTheControlAPI(t *testing.T) {
	s := sandboxtest.New(t)
	wantControl(t, do(t, s, control+"users/"+sandbox.OpenID("BLOCK", 1), ""), 200,
		`{"openid":"oBLOCK0000000000000000000001","follows":true,"blocked":true,"blacklisted":false,"frozen":false,`+
			`"platform":"ios","supports_miniprogram":true,"fate":"BLOCK","unread":0,"last":null,"accounts":[]}`)
	wantControl(t, do(t, s, control+"users/"+user, `{"frozen":true,"platform":"android","supports_miniprogram":false}`), 200,
		`{"openid":"`+user+`","follows":true,"blocked":false,"blacklisted":false,"frozen":true,`+
			`"platform":"android","supports_miniprogram":false,"unread":0,"last":null,"accounts":[]}`)
	wantCode(t, do(t, s, with(pathSend, plainToken(t, s).AccessToken), orderBody(user, "")), 50002)
	nofol := sandbox.OpenID("NOFOL", 1)
	do(t, s, control+"users/"+nofol, `{"follows":true}`)
	wantCode(t, do(t, s, with(pathSend, plainToken(t, s).AccessToken), orderBody(nofol, "")), 0)
}

func TestFormsAndPaymentsOverTheControlAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		var form, payment sandbox.FormGrant
		got, err := try(s, http.MethodPost, control+"users/"+user+"/forms", nil)
		mustNil(t, err)
		mustDecode(t, got, &form)
		wantControl(t, got, 200, `{"form_id":"`+form.FormID+`","active_at":"2000-01-01T00:00:00.000Z","expires_at":"2000-01-08T00:00:00.000Z"}`)
		got = do(t, s, control+"users/"+user+"/payments", `{"activation_delay_ms":1500}`)
		mustDecode(t, got, &payment)
		wantControl(t, got, 200, `{"prepay_id":"`+payment.PrepayID+`","active_at":"2000-01-01T00:00:01.500Z","expires_at":"2000-01-08T00:00:00.000Z"}`)
		token := miniToken(t, s)
		wantCode(t, do(t, s, with(pathMiniSend, token), miniBody(user, form.FormID, "")), 0)
		wantCode(t, do(t, s, with(pathMiniSend, token), miniBody(user, payment.PrepayID, "")), 41028)
		time.Sleep(1500 * time.Millisecond)
		wantCode(t, do(t, s, with(pathMiniSend, token), miniBody(user, payment.PrepayID, "")), 0)
	})
}

func TestTheLedgerHasExactlyItsFields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t, sandbox.Options{DeliveryDelay: -1})
		newGateway(s)
		mustNil(t, s.Sandbox.SetServerURL(sandbox.SeedServiceAppID, callbackURL, "", ""))
		token := plainToken(t, s).AccessToken
		do(t, s, with(pathSend, token), orderBody(user, clientID("k")))
		synctest.Wait()
		id := lastRow(t, s).MsgID
		token1 := `{"seq":1,"time":"2000-01-01T00:00:00.000Z","appid":"wxa1a1a1a1a1a1a1a1","path":"/cgi-bin/token","touser":"","template_id":"",` +
			`"client_msg_id":"","form_id":"","errcode":0,"answered":true,"msgid":"","duplicate_of":"","fate":"none","pushes":[]}`
		send := `{"seq":2,"time":"2000-01-01T00:00:00.000Z","appid":"wxa1a1a1a1a1a1a1a1","path":"/cgi-bin/message/template/send","touser":"` + user +
			`","template_id":"` + sandbox.SeedTemplateOrder + `","client_msg_id":"k","form_id":"","errcode":0,"answered":true,"msgid":"` + id +
			`","duplicate_of":"","fate":"shown","pushes":[{"at":"2000-01-01T00:00:00.000Z","http_status":200,"ms":0}]}`
		wantControl(t, do(t, s, control+"ledger", ""), 200, `{"items":[`+token1+`,`+send+`],"next_after":2}`)
		wantControl(t, do(t, s, control+"ledger?limit=1", ""), 200, `{"items":[`+token1+`],"next_after":1}`)
		wantControl(t, do(t, s, control+"ledger?touser="+user+"&appid="+sandbox.SeedServiceAppID, ""), 200, `{"items":[`+send+`],"next_after":2}`)
		wantControl(t, do(t, s, control+"ledger?after=2", ""), 200, `{"items":[],"next_after":2}`)
		for _, bad := range []string{"limit=0", "limit=10001", "after=x", "who=me", "after=1&after=2"} {
			if got := do(t, s, control+"ledger?"+bad, ""); got.status != 400 {
				t.Errorf("ledger?%s: status %d, want 400", bad, got.status)
			}
		}
	})
}

// deaf is a connection that takes no bytes.
type deaf struct{ *httptest.ResponseRecorder }

func (deaf) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestAnAnswerThatCouldNotBeWrittenIsNotAnswered(t *testing.T) {
	box := sandbox.New(sandbox.Options{})
	r := httptest.NewRequest(http.MethodGet, tokenTarget(sandbox.SeedServiceAppID, sandbox.SeedServiceSecret), nil)
	box.Handler().ServeHTTP(deaf{httptest.NewRecorder()}, r)
	if row := box.Ledger(sandbox.LedgerFilter{})[0]; row.Answered || row.ErrCode != 0 {
		t.Errorf("answered %t, errcode %d, want false, 0", row.Answered, row.ErrCode)
	}
}

func TestTheLedgerForgetsTheOldest(t *testing.T) {
	s := sandboxtest.New(t, sandbox.Options{LedgerLimit: 3, DeliveryDelay: -1})
	token := plainToken(t, s).AccessToken
	for n := range 5 {
		do(t, s, with(pathSend, token), orderBody(sandbox.OpenID("", n), ""))
	}
	var got []int64
	for _, row := range s.Sandbox.Ledger(sandbox.LedgerFilter{}) {
		got = append(got, row.Seq)
	}
	if diff := cmp.Diff([]int64{4, 5, 6}, got); diff != "" {
		t.Errorf("seqs (-want +got):\n%s", diff)
	}
	if old, kept := len(s.Sandbox.Inbox(sandbox.OpenID("", 1))), len(s.Sandbox.Inbox(sandbox.OpenID("", 2))); old != 0 || kept != 1 {
		t.Errorf("inbox of the second user has %d, of the third %d, want 0 and 1", old, kept)
	}
}

func TestStats(t *testing.T) {
	s := sandboxtest.New(t, sandbox.Options{DeliveryDelay: -1})
	token := plainToken(t, s).AccessToken
	do(t, s, with(pathSend, token), orderBody(user, ""))
	do(t, s, with(pathSend, token), orderBody(sandbox.OpenID("BLOCK", 1), ""))
	do(t, s, with(pathSend, "92_x"), orderBody(user, ""))
	stableToken(t, s, false)
	wantControl(t, do(t, s, control+"stats", ""), 200, `{"calls":{"/cgi-bin/message/template/send":{"0":2,"40001":1},"/cgi-bin/stable_token":{"0":1},"/cgi-bin/token":{"0":1}},`+
		`"token_fetches":{"wxa1a1a1a1a1a1a1a1":{"plain":1,"stable":1},"wxb2b2b2b2b2b2b2b2":{"plain":0,"stable":0}},`+
		`"delivered":1,"undelivered":1,"pushes":0,"pushes_failed":0,"events_lost":0}`)
}

func TestFaultsOverTheControlAPI(t *testing.T) {
	s := sandboxtest.New(t)
	const rule = `"path":"/cgi-bin/message/template/send","errcode":45009,"times":2,"rate":0.5`
	wantControl(t, do(t, s, control+"faults", "{"+rule+"}"), 200, `{"id":"fault_1",`+rule+`,"matched":0,"hits":0}`)
	wantControl(t, do(t, s, control+"faults", ""), 200, `{"items":[{"id":"fault_1",`+rule+`,"matched":0,"hits":0}]}`)
	for _, want := range []int{200, 404} {
		got, err := try(s, http.MethodDelete, control+"faults/fault_1", nil)
		mustNil(t, err)
		if got.status != want {
			t.Errorf("DELETE: status %d, want %d", got.status, want)
		}
	}
	do(t, s, control+"faults", `{"path":"*","delay_ms":1}`)
	_, err := try(s, http.MethodDelete, control+"faults", nil)
	mustNil(t, err)
	wantControl(t, do(t, s, control+"faults", ""), 200, `{"items":[]}`)
}

func TestTheClockOverTheControlAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		wantControl(t, do(t, s, control+"clock", ""), 200, `{"now":"2000-01-01T00:00:00.000Z","offset_ms":0}`)
		do(t, s, with(pathSend, plainToken(t, s).AccessToken), orderBody(user, ""))
		wantControl(t, do(t, s, control+"clock", `{"advance":"2h"}`), 200, `{"now":"2000-01-01T02:00:00.000Z","offset_ms":7200000}`)
		wantControl(t, do(t, s, control+"inbox/"+user, ""), 200, `{"items":[{"msgid":"`+lastRow(t, s).MsgID+`","appid":"wxa1a1a1a1a1a1a1a1","template_id":"`+
			sandbox.SeedTemplateOrder+`","title":"订单支付通知","lines":[{"label":"订单编号","value":"A1001"},{"label":"商品名称","value":"巧克力"},`+
			`{"label":"支付金额","value":"￥39.80"},{"label":"支付时间","value":"2026-11-20 10:15"}],"jump":{"kind":"none"},"at":"2000-01-01T00:00:01.000Z","read":false}]}`)
	})
}

func TestResetGoesBackToTheSeedButReusesNoID(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	do(t, s, with(pathSend, token), orderBody(user, ""))
	before := lastRow(t, s).MsgID
	advance(t, s, time.Hour)
	s.Sandbox.AddFault(sandbox.Fault{Path: "*", ErrCode: -1})
	wantControl(t, do(t, s, control+"reset", "{}"), 200, `{"ok":true}`)
	if rows, faults := s.Sandbox.Ledger(sandbox.LedgerFilter{}), s.Sandbox.Faults(); len(rows) != 0 || len(faults) != 0 {
		t.Errorf("after the reset %d rows, %d rules, want none", len(rows), len(faults))
	}
	second := plainToken(t, s).AccessToken
	if second == token {
		t.Error("the token of before the reset came back")
	}
	wantCode(t, do(t, s, with(pathDomainIP, token), ""), 40001)
	do(t, s, with(pathSend, second), orderBody(user, ""))
	if after := lastRow(t, s).MsgID; after <= before {
		t.Errorf("msgid %s after %s, want a larger one", after, before)
	}
}

func TestSettingsOverTheControlAPI(t *testing.T) {
	s := sandboxtest.New(t)
	wantControl(t, do(t, s, control+"settings", ""), 200, `{"malformed_token_40014":true,"require_https":false,"chunked_412":true,"json_form_415":true,"business_status":200}`)
	wantControl(t, do(t, s, control+"settings", `{"malformed_token_40014":false}`), 200, `{"malformed_token_40014":false,"require_https":false,"chunked_412":true,"json_form_415":true,"business_status":200}`)
}

func TestRevokeOverTheControlAPI(t *testing.T) {
	s := sandboxtest.New(t)
	token := stableToken(t, s, false).AccessToken
	wantControl(t, do(t, s, control+"accounts/"+sandbox.SeedServiceAppID+"/revoke_token", `{"stable_returns_dead":true}`), 200, `{"ok":true}`)
	wantCode(t, do(t, s, with(pathDomainIP, token), ""), 40001)
	if got := stableToken(t, s, false).AccessToken; got != token {
		t.Error("normal mode returned a new token, want the dead one")
	}
}

func TestThePageSaysWhatThisIs(t *testing.T) {
	s := sandboxtest.New(t)
	got := do(t, s, "/", "")
	for _, want := range []string{"这不是微信", "This is not WeChat", sandbox.SeedServiceAppID} {
		if !strings.Contains(got.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if got := do(t, s, "/", "x"); got.status != http.StatusMethodNotAllowed {
		t.Errorf("POST /: status %d, want 405", got.status)
	}
}

func TestSeedValuesAreWellFormed(t *testing.T) {
	for _, fate := range []string{"", "BLOCK", "NOSUB"} {
		for _, n := range []int{0, 7, 999_999_999_999_999} {
			if id := sandbox.OpenID(fate, n); len(id) != 28 || !strings.HasPrefix(id, "o"+fate) {
				t.Errorf("OpenID(%q, %d) = %q, want 28 characters", fate, n, id)
			}
		}
	}
	if got := len(sandbox.SeedAESKey); got != 43 {
		t.Errorf("SeedAESKey has %d characters, want 43", got)
	}
}
