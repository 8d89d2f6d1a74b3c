package callback

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/wechat"
)

func TestVerificationEchoes(t *testing.T) {
	// The official vector: https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/Access_Overview.html
	f := newFixture(t, func(a *hongyan.Account) { a.Callback.Token = "AAAAA" })
	query := "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656&echostr="
	for _, name := range []string{appID, "shop"} {
		w := httptest.NewRecorder()
		f.mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/callback/"+name+"?"+query+"4375120948345356249", nil))
		if w.Code != 200 || w.Body.String() != "4375120948345356249" || w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: %d %q %q, want the echostr as text/plain", name, w.Code, w.Body, w.Header().Get("Content-Type"))
		}
	}
	// Nothing in it is a page for a browser.
	w := httptest.NewRecorder()
	f.mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/callback/"+appID+"?"+query+"%3Cscript%3E", nil))
	if w.Body.String() != "<script>" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("echostr with markup: %q, nosniff %q", w.Body, w.Header().Get("X-Content-Type-Options"))
	}
}

func TestRefusals(t *testing.T) {
	good := receipt(1, "success", time.Unix(1790000000, 0)).xml()
	wrongToken := signed("another")
	unsignedGET := "/callback/" + appID + "?signature=00&timestamp=1&nonce=2&echostr=secret-echo"
	noEcho := signed(token)
	safe := func(a *hongyan.Account) { a.Callback.Mode, a.Callback.AESKey = "safe", aesKey }
	foreignQuery, foreignBody := sealed(t, token, aesKey, "wx1111111111111111", good)
	otherKeyQuery, otherKeyBody := sealed(t, token, strings.Repeat("A", 43), appID, good)
	sealedQuery, sealedBody := sealed(t, token, aesKey, appID, good)
	badMsgSignature, _ := sealed(t, token, aesKey, appID, good)
	badMsgSignature.Set("msg_signature", strings.Repeat("0", 40))
	bomb := `<?xml version="1.0"?><!DOCTYPE xml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><xml><FromUserName>&b;</FromUserName></xml>`

	cases := []struct {
		name    string
		account func(*hongyan.Account)
		method  string
		url     string
		query   url.Values
		body    string
		status  int
		word    string
	}{
		{name: "GET with a wrong signature", method: "GET", url: unsignedGET, status: 403, word: "bad_signature"},
		{name: "GET without echostr", method: "GET", query: noEcho, status: 400, word: "bad_body"},
		{name: "GET without a query", method: "GET", status: 403, word: "bad_signature"},
		{name: "unknown account", url: "/callback/wx0000000000000000", status: 404, word: "unknown_account"},
		{name: "account without a callback token", account: func(a *hongyan.Account) { a.Callback.Token = "" }, query: signed(""), status: 404, word: "callback_not_configured"},
		{name: "PUT", method: "PUT", query: signed(token), status: 405, word: "method_not_allowed"},
		{name: "POST with a wrong signature", query: wrongToken, body: good, status: 403, word: "bad_signature"},
		{name: "POST without a signature", body: good, status: 403, word: "bad_signature"},
		{name: "an encrypted push in plain mode", query: sealedQuery, body: sealedBody, status: 403, word: "bad_mode"},
		{name: "a plain push in safe mode", account: safe, query: signed(token), body: good, status: 403, word: "bad_mode"},
		{name: "a stripped query in compatible mode", account: func(a *hongyan.Account) { a.Callback.Mode, a.Callback.AESKey = "compatible", aesKey }, query: signed(token), body: sealedBody, status: 403, word: "bad_mode"},
		{name: "a wrong msg_signature", account: safe, query: badMsgSignature, body: sealedBody, status: 403, word: "bad_signature"},
		{name: "another account's appid inside", account: safe, query: foreignQuery, body: foreignBody, status: 403, word: "wrong_appid"},
		{name: "another key", account: safe, query: otherKeyQuery, body: otherKeyBody, status: 403, word: "bad_crypto"},
		{name: "an envelope that is no XML", account: safe, query: sealedQuery, body: "hello", status: 400, word: "bad_body"},
		{name: "an entity bomb", query: signed(token), body: bomb, status: 400, word: "bad_body"},
		{name: "an empty body", query: signed(token), status: 400, word: "bad_body"},
		{name: "a body of 1 MiB and a byte", query: signed(token), body: strings.Repeat("x", wechat.MaxPushBytes+1), status: 413, word: "too_large"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			if tc.account != nil {
				f.changeAccount(tc.account)
			}
			if tc.method == "" {
				tc.method = http.MethodPost
			}
			if tc.url == "" {
				tc.url = "/callback/" + appID + "?" + tc.query.Encode()
			}
			status, body := f.serve(httptest.NewRequest(tc.method, tc.url, strings.NewReader(tc.body)))
			if want := `{"error":"` + tc.word + "\"}\n"; status != tc.status || body != want {
				t.Errorf("answered %d %q, want %d %q", status, body, tc.status, want)
			}
			if stored := f.events(); len(stored) != 0 {
				t.Errorf("stored %d events, want none", len(stored))
			}
			for _, secret := range []string{token, aesKey, "secret-echo"} {
				if strings.Contains(f.logged(), secret) {
					t.Errorf("the log tells a secret: %s", f.logged())
				}
			}
		})
	}
}

// The vector of spec §5.4, computed with openssl: the last bits of its key are not zero.
func TestSpecVectorInSafeMode(t *testing.T) {
	f := newFixture(t, func(a *hongyan.Account) {
		a.AppID, a.Callback.Mode, a.Callback.AESKey = "wx0f1e2d3c4b5a6978", "safe", aesKey
	})
	const encrypt = "KQnF+GvTU0m4V3cQOmR0SHGunpqBcClFdFHHmVpUw0bp1S6katRDXC5Jzg6c2dOyjl1DPzMQgXEjzKlWR8QO6/Ppo/7AGr+KPYuXaDkddmPSswG6S7ylCU2PnqHnrWrLPN0Bjvdomfb2EN56xKxEXe/IlrGHamb9ie9cxJDNw3GxHH1LHVWM1Q6USZMuSffbL5Kx3m54+GtGV0hLPxT7qBjC8DP/UGxBWOmphNq26mdv86dWIU4doVuY6gToSwOdqwIsxAcnyGE+E9J0OxqYZ0PhR3qdKvLi1Uc5STDsPmCyxa1Wv+z9xQZWBbvNSrnFr/K5etSGWiMi/HHfu2oT8lZVaGmoYkRpgUZOrrS0rdS8BoBhVoBVpW5C+AkptoCLwg5KJaTz7A1xQWL6lp4WwKdDWN/tTbRS1yH0EaNDtBUNbqPLg8NIPZGi2skbrT2ovLRRuJnd9oEJSbMuYTTCgdDLLSVMRilTOwQbMsE8+xUbEMfskC19+UlaQqiCmLVN"
	body := "<xml><ToUserName><![CDATA[gh_0a1b2c3d4e5f]]></ToUserName><Encrypt><![CDATA[" + encrypt + "]]></Encrypt></xml>"
	q := "signature=549ca5ee0b33974bf3a3d787eada566e9a574ddd&timestamp=1790000000&nonce=1372623149&openid=" + openID +
		"&encrypt_type=aes&msg_signature=4a21cc9d51de47e08ad38b74c41b93393c030359"
	r := httptest.NewRequest(http.MethodPost, "/callback/wx0f1e2d3c4b5a6978?"+q, strings.NewReader(body))
	if status, answer := f.serve(r); status != 200 || answer != "success" {
		t.Fatalf("answered %d %q", status, answer)
	}
	stored, err := f.store.Events(t.Context(), "wx0f1e2d3c4b5a6978", 0, 10)
	if err != nil || len(stored) != 1 {
		t.Fatalf("%d events, %v, want 1", len(stored), err)
	}
	got := stored[0]
	if !strings.HasPrefix(string(got.Body), "<xml><ToUserName>") || !strings.Contains(string(got.Body), "failed:user block") {
		t.Errorf("stored body %q, want the decrypted XML", got.Body)
	}
	got.ID, got.ReceivedAt, got.Body = 0, time.Time{}, nil
	want := hongyan.Event{
		AppID: "wx0f1e2d3c4b5a6978", DedupeKey: "e:" + openID + ":1790000000:templatesendjobfinish:4123456789012345678:",
		Type: "templatesendjobfinish", OpenID: openID, CreateTime: time.Unix(1790000000, 0).UTC(), MsgID: 4123456789012345678,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}

func TestDuplicatesAreOneRow(t *testing.T) {
	at := time.Unix(1790000000, 0)
	first := receipt(4123456789012345678, "success", at)
	follow := event{openid: openID, name: "subscribe", key: "qrscene_1", at: at.Unix()}
	message := func(id, text string) string {
		return "<xml><FromUserName>" + openID + "</FromUserName><CreateTime>1790000000</CreateTime><MsgType>text</MsgType><Content>" +
			text + "</Content><MsgId>" + id + "</MsgId></xml>"
	}
	noID := "<xml><FromUserName>" + openID + "</FromUserName><CreateTime>1790000000</CreateTime><MsgType>text</MsgType><Content>%</Content></xml>"
	with := func(change func(*event)) string { e := first; change(&e); return e.xml() }
	cases := []struct {
		name string
		a, b string
		same bool
	}{
		{"the same bytes", first.xml(), first.xml(), true},
		{"JSON after XML", first.xml(), first.json(), true},
		{"the event's name in other letters", first.xml(), with(func(e *event) { e.name = "TemplateSendJobFinish" }), true},
		{"another msgid in the same second", first.xml(), with(func(e *event) { e.msgID++ }), false},
		{"another second", first.xml(), with(func(e *event) { e.at++ }), false},
		{"another user", first.xml(), with(func(e *event) { e.openid = "oOther" }), false},
		{"another event", first.xml(), follow.xml(), false},
		{"another event key", follow.xml(), strings.ReplaceAll(follow.xml(), "qrscene_1", "qrscene_2"), false},
		{"a very long event key", strings.ReplaceAll(follow.xml(), "qrscene_1", strings.Repeat("k", 5000)), strings.ReplaceAll(follow.xml(), "qrscene_1", strings.Repeat("k", 5000)), true},
		{"a user's message with one MsgId", message("7", "a"), message("7", "a"), true},
		{"two messages in one second", message("7", "a"), message("8", "a"), false},
		{"messages without MsgId, other text", noID, strings.ReplaceAll(noID, "%", "b"), false},
		{"messages without MsgId, same text", noID, noID, true},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			for _, body := range []string{tc.a, tc.b, tc.b} {
				if status, answer := f.post(signed(token), body); status != 200 || answer != "success" {
					t.Fatalf("answered %d %q, want 200 success for duplicates too", status, answer)
				}
			}
			stored := f.events()
			if want := map[bool]int{true: 1, false: 2}[tc.same]; len(stored) != want {
				t.Fatalf("%d events, want %d", len(stored), want)
			}
			if got, want := stored[0].Duplicates, map[bool]int{true: 2, false: 1}[tc.same]; got != want {
				t.Errorf("duplicates = %d, want %d", got, want)
			}
			if !strings.HasSuffix(f.lastObserved(), " duplicate") {
				t.Errorf("observed %q, want a duplicate", f.lastObserved())
			}
		})
	}
}

// Keys and tokens change while pushes are under way: the previous ones are good too.
func TestRotationOfTokenAndKey(t *testing.T) {
	const newToken, newKey = "NewToken2027", "newSpecKey0123456789ABCDEFGHIJKLMNOPQRSTUVx"
	f := newFixture(t, func(a *hongyan.Account) { a.Callback.Mode, a.Callback.AESKey = "safe", aesKey })
	n := int64(0)
	push := func(token, key string) int {
		n++
		q, body := sealed(t, token, key, appID, receipt(n, "success", time.Unix(1790000000, 0)).xml())
		status, _ := f.post(q, body)
		return status
	}
	steps := []struct {
		name     string
		callback hongyan.Callback
		old, new int
	}{
		{"before", hongyan.Callback{Mode: "safe", Token: token, AESKey: aesKey}, 200, 403},
		{"during", hongyan.Callback{Mode: "safe", Token: newToken, PreviousToken: token, AESKey: newKey, PreviousAESKey: aesKey}, 200, 200},
		{"after", hongyan.Callback{Mode: "safe", Token: newToken, AESKey: newKey}, 403, 200},
	}
	for _, step := range steps {
		f.changeAccount(func(a *hongyan.Account) { a.Callback = step.callback })
		if gotOld, gotNew := push(token, aesKey), push(newToken, newKey); gotOld != step.old || gotNew != step.new {
			t.Errorf("%s the change: old %d, new %d, want %d, %d", step.name, gotOld, gotNew, step.old, step.new)
		}
	}
	if got := len(f.events()); got != 4 {
		t.Errorf("%d events, want the 4 that were answered 200", got)
	}
}

func TestCompatibleModeTakesTheEncryptedPart(t *testing.T) {
	f := newFixture(t, func(a *hongyan.Account) { a.Callback.Mode, a.Callback.AESKey = "compatible", aesKey })
	inner := receipt(77, "success", time.Unix(1790000000, 0)).xml()
	q, body := sealed(t, token, aesKey, appID, inner)
	forged := strings.Replace(body, "<Encrypt>", "<MsgID>66</MsgID><Status>failed:user block</Status><Encrypt>", 1)
	if status, _ := f.post(q, forged); status != 200 {
		t.Fatalf("answered %d", status)
	}
	if got := f.events()[0]; got.MsgID != 77 || string(got.Body) != inner {
		t.Errorf("stored msgid %d, want 77 from the part that is signed", got.MsgID)
	}
}

// WeChat would push an unreadable body three times and then alarm the owner.
func TestUnreadableBodiesAreKept(t *testing.T) {
	f := newFixture(t)
	body := "<xml><Event>TEMPLATESENDJOBFINISH</Event><CreateTime>tomorrow</CreateTime></xml>"
	for range 2 {
		if status, answer := f.post(signed(token), body); status != 200 || answer != "success" {
			t.Fatalf("answered %d %q", status, answer)
		}
	}
	f.process()
	f.process()
	stored := f.events()
	if len(stored) != 1 || string(stored[0].Body) != body || stored[0].ProcessedAt.IsZero() || stored[0].Type != unreadable {
		t.Fatalf("events %+v, want one, processed, with the body as it came", stored)
	}
	if got := strings.Count(f.logged(), "cannot be read"); got != 1 {
		t.Errorf("logged %d times, want once:\n%s", got, f.logged())
	}
}

func TestAStoreThatCannotWriteAsksForAnotherPush(t *testing.T) {
	f := newFixture(t)
	f.mustPush(receipt(1, "success", time.Unix(1790000000, 0))) // the account is cached from here on
	if err := f.store.Close(); err != nil {
		t.Fatal(err)
	}
	status, answer := f.post(signed(token), receipt(2, "success", time.Unix(1790000000, 0)).xml())
	if status != http.StatusServiceUnavailable || answer != `{"error":"try_again"}`+"\n" {
		t.Errorf("answered %d %q, want 503", status, answer)
	}
	f.open()
	if got := len(f.events()); got != 1 {
		t.Errorf("%d events, want 1", got)
	}
}

// 10 MB over a real connection: refused after the headers, the rest is not read.
func TestATenMegabyteBody(t *testing.T) {
	f := newFixture(t)
	server := httptest.NewServer(f.mux)
	defer server.Close()
	for name, chunked := range map[string]bool{"with a length": false, "chunked": true} {
		t.Run(name, func(t *testing.T) {
			sent := io.LimitReader(endless{}, 10<<20)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/callback/"+appID+"?"+signed(token).Encode(), sent)
			if err != nil {
				t.Fatal(err)
			}
			if !chunked {
				req.ContentLength = 10 << 20
			}
			resp, err := server.Client().Do(req)
			if err != nil {
				// The server closed while we were still writing; it did not take the body.
				t.Logf("the connection was closed: %v", err)
			} else {
				defer resp.Body.Close()
				if resp.StatusCode != http.StatusRequestEntityTooLarge {
					t.Errorf("answered %d, want 413", resp.StatusCode)
				}
			}
			if got := f.lastObserved(); got != appID+"  too_large" {
				t.Errorf("observed %q, want too_large", got)
			}
		})
	}
	if got := len(f.events()); got != 0 {
		t.Errorf("%d events, want none", got)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, strings.Repeat("x", len(p))), nil }
