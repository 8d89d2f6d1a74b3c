package phone_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"hongyan/sandbox"
	"hongyan/sandbox/phone"
)

func TestWhoIsLetIn(t *testing.T) {
	tests := []struct {
		name        string
		method      string
		path        string
		host        string // "" = localhost
		remote      string // "" = loopback
		header      http.Header
		allowRemote bool
		want        int
	}{
		{name: "a browser on this machine", want: 200},
		{name: "by address", host: "127.0.0.1:7900", want: 200},
		{name: "by address of version six", host: "[::1]:7900", want: 200},
		{name: "another machine", remote: "192.0.2.7:4000", want: 403},
		{name: "another machine that is allowed", remote: "192.0.2.7:4000", host: "sandbox:7900", allowRemote: true, want: 200},
		{name: "a name that somebody points here", host: "evil.example.com", want: 403},
		{name: "a name that only looks like an address", host: "127.0.0.1.example.com", want: 403},
		{name: "another machine's address", host: "192.0.2.7", want: 403},
		{name: "a link from elsewhere to the page", header: http.Header{"Sec-Fetch-Site": {"cross-site"}}, want: 200},
		{name: "a picture elsewhere that is a part of ours", path: "/phone/screen", header: http.Header{"Sec-Fetch-Site": {"cross-site"}}, want: 403},
		{name: "a form of the page", method: "POST", header: http.Header{"Sec-Fetch-Site": {"same-origin"}}, want: 303},
		{name: "a form of another origin", method: "POST", header: http.Header{"Sec-Fetch-Site": {"cross-site"}}, want: 403},
		{name: "a form of another port of this machine", method: "POST", header: http.Header{"Sec-Fetch-Site": {"same-site"}}, want: 403},
		{name: "a form of another origin in an old browser", method: "POST", header: http.Header{"Origin": {"http://evil.example.com"}}, want: 403},
		{name: "a form of the page in an old browser", method: "POST", header: http.Header{"Origin": {"http://localhost"}}, want: 303},
		{name: "a program without a browser", method: "POST", want: 303},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			box := sandbox.New(sandbox.Options{AllowRemote: tt.allowRemote})
			method, path, form := "GET", "/", ""
			if tt.method != "" {
				method, path, form = tt.method, "/phone/user", "user="+user+"&frozen=true"
			}
			if tt.path != "" {
				path = tt.path
			}
			r := httptest.NewRequest(method, path, strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for name, value := range tt.header {
				r.Header[name] = value
			}
			r.Host, r.RemoteAddr = "localhost", "127.0.0.1:4000"
			if tt.host != "" {
				r.Host = tt.host
			}
			if tt.remote != "" {
				r.RemoteAddr = tt.remote
			}
			w := httptest.NewRecorder()
			phone.Handler(box).ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Errorf("status %d, want %d: %.200s", w.Code, tt.want, w.Body)
			}
			if done := *box.User(user).Frozen; done != (tt.want == 303) {
				t.Errorf("the action was done: %t", done)
			}
		})
	}
}

func TestThePagesPolicyLetsNothingInFromOutside(t *testing.T) {
	d := newDesk(t)
	d.era("A")
	d.send(historical(nil))
	for _, target := range []string{"/?chat=" + service, "/?panel=faults", "/?panel=clock", "/?panel=accounts", "/?prompt=" + sandbox.SeedMiniAppID} {
		resp, body := d.ask(http.MethodGet, target, nil)
		policy := resp.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
			t.Errorf("%s: policy = %q", target, policy)
		}
		if got := resp.Header.Get("X-Hongyan-Sandbox"); got != "not WeChat" {
			t.Errorf("%s: banner header = %q", target, got)
		}
		// What the policy would block must not be relied upon.
		for e := range parse(t, body).Descendants() {
			if e.Type != html.ElementNode {
				continue
			}
			for _, a := range e.Attr {
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "hx-on") {
					t.Errorf("%s: <%s> has the attribute %s", target, e.Data, a.Key)
				}
			}
			if e.Data == "style" || e.Data == "script" && attr(e, "src") == "" {
				t.Errorf("%s: <%s> stands in the page itself", target, e.Data)
			}
		}
	}
}

// hostile is what people put where they can.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>'`

func TestWhatPeopleSendIsShownAndNotRun(t *testing.T) {
	d := newDesk(t)
	d.must(d.Sandbox.SetUser(user, sandbox.UserChange{UserState: sandbox.UserState{Name: "</a><script>1"}}))
	d.must(d.Sandbox.UpdateAccount(service, sandbox.AccountSpec{Name: hostile}))
	d.era("D")
	d.send(historical(fields{"url": "javascript:alert(1)//" + hostile, "topcolor": hostile, "data": fields{
		"first": datum(hostile, hostile), "keyword1": datum(hostile, "#000000"), "remark": datum(hostile),
	}}))
	_, _ = d.ask(http.MethodGet, "/cgi-bin/"+url.PathEscape(hostile)+"?x="+url.QueryEscape(hostile), nil)
	d.press("/phone/faults", "path", "/"+hostile, "effect", "errcode", "value", "-1")
	opened := all(d.chat(service), "button[data-tap]")
	for _, target := range []string{
		"/?chat=" + service, "/?user=" + url.QueryEscape(hostile) + "&chat=" + url.QueryEscape(hostile), "/?panel=faults", "/?panel=accounts",
		"/?chat=" + service + "&open=" + attr(opened[0], "value"),
	} {
		doc := d.get(target)
		if n := len(all(doc, "script")); n != 3 {
			t.Errorf("%s: %d scripts, want the page's three", target, n)
		}
		if n := len(all(doc, "img")); n != 0 {
			t.Errorf("%s: %d pictures, want none", target, n)
		}
		for _, a := range all(doc, "a") {
			if href := attr(a, "href"); strings.HasPrefix(strings.ToLower(href), "javascript:") {
				t.Errorf("%s: a link to %s", target, href)
			}
		}
	}
	wantTexts(t, d.chat(service), "[data-part=first]", hostile)
	wantTexts(t, d.chat(service), "[data-label=订单编号] dd", hostile)
}
