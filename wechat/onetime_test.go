package wechat

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOneTimeMessage(t *testing.T) {
	send := func(m *OneTimeMessage) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) { return nil, c.SendOneTimeMessage(ctx, m) }
	}
	checkTypedCalls(t, []typedCall{
		{
			name: "whole",
			call: send(&OneTimeMessage{
				ToUser: "oSpecUser00000000000000000A1", TemplateID: "Zk3", URL: "https://shop.example.com/o?a=1&b=2",
				MiniProgram: &MiniProgram{"wx0f1e2d3c4b5a6978", "index?foo=bar"}, Scene: 1000, Title: "到货提醒",
				Data: OneTimeData{Field{"您订阅的商品已到货", "#173177"}},
			}),
			answer: answerOK,
			wire: posted("/cgi-bin/message/template/subscribe", `{"touser":"oSpecUser00000000000000000A1","template_id":"Zk3",`+
				`"url":"https://shop.example.com/o?a=1&b=2","miniprogram":{"appid":"wx0f1e2d3c4b5a6978","pagepath":"index?foo=bar"},`+
				`"scene":"1000","title":"到货提醒","data":{"content":{"value":"您订阅的商品已到货","color":"#173177"}}}`),
		},
		{
			name:   "the least, scene 0",
			call:   send(&OneTimeMessage{ToUser: "o1", TemplateID: "T"}),
			answer: answerOK,
			wire: posted("/cgi-bin/message/template/subscribe",
				`{"touser":"o1","template_id":"T","scene":"0","title":"","data":{"content":{"value":""}}}`),
		},
	})
}

func TestSceneReads(t *testing.T) {
	for in, want := range map[string]Scene{`"1000"`: 1000, `1000`: 1000, `0`: 0, `"10000"`: 10000} {
		var got Scene
		if err := json.Unmarshal([]byte(in), &got); err != nil || got != want {
			t.Errorf("scene %s = %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{`"x"`, `1.5`, `-1`, `10001`, `{}`, `""`, `true`} {
		var got Scene
		err := json.Unmarshal([]byte(in), &got)
		if err == nil || !strings.Contains(err.Error(), "scene: a whole number from 0 to 10000, got "+quoted(in)) {
			t.Errorf("scene %s = %d, %v; want an error that names field, rule and value", in, got, err)
		}
	}
}

func TestOneTimePageURL(t *testing.T) {
	page := OneTimePage{
		AppID: "wx0f1e2d3c4b5a6978", Scene: 1000, TemplateID: "1uDxHNXwYQfBmXOfPJcjAS3FynHArD8aWMEFNRGSbCc",
		RedirectURL: "http://support.example.com/a b?x=1&y=+#top", Reserved: "test",
	}
	const want = "https://mp.weixin.qq.com/mp/subscribemsg?action=get_confirm&appid=wx0f1e2d3c4b5a6978&scene=1000" +
		"&template_id=1uDxHNXwYQfBmXOfPJcjAS3FynHArD8aWMEFNRGSbCc" +
		"&redirect_url=http%3A%2F%2Fsupport.example.com%2Fa%20b%3Fx%3D1%26y%3D%2B%23top&reserved=test#wechat_redirect"
	if got, err := page.URL(); err != nil || got != want {
		t.Errorf("URL = %s, %v\nwant  %s", got, err, want)
	}
	u, err := url.Parse(want)
	if err != nil || u.Query().Get("redirect_url") != page.RedirectURL {
		t.Errorf("redirect_url reads as %q, %v; want %q", u.Query().Get("redirect_url"), err, page.RedirectURL)
	}
	page.BaseURL, page.Reserved, page.RedirectURL = "http://127.0.0.1:7000/", "", "https://a.example/"
	const local = "http://127.0.0.1:7000/mp/subscribemsg?action=get_confirm&appid=wx0f1e2d3c4b5a6978&scene=1000" +
		"&template_id=1uDxHNXwYQfBmXOfPJcjAS3FynHArD8aWMEFNRGSbCc&redirect_url=https%3A%2F%2Fa.example%2F#wechat_redirect"
	if got, err := page.URL(); err != nil || got != local {
		t.Errorf("URL = %s, %v\nwant  %s", got, err, local)
	}
}

func TestOneTimePageRefuses(t *testing.T) {
	good := OneTimePage{AppID: "wx1", TemplateID: "T", RedirectURL: "https://a.example/", Reserved: strings.Repeat("r", 128), Scene: 10000}
	if _, err := good.URL(); err != nil {
		t.Errorf("the longest reserved and the largest scene: %v", err)
	}
	tests := []struct {
		name  string
		spoil func(*OneTimePage)
		want  string
	}{
		{"no appid", func(p *OneTimePage) { p.AppID = "" }, `appid: must be given, got ""`},
		{"no template", func(p *OneTimePage) { p.TemplateID = "" }, `template_id: must be given, got ""`},
		{"scene too large", func(p *OneTimePage) { p.Scene = 10001 }, `scene: a number from 0 to 10000, got "10001"`},
		{"scene below 0", func(p *OneTimePage) { p.Scene = -1 }, `scene: a number from 0 to 10000, got "-1"`},
		{"reserved too long", func(p *OneTimePage) { p.Reserved += "x" }, `reserved: at most 128 bytes, has 129, got "` + strings.Repeat("r", 60) + `…"`},
		{"redirect without host", func(p *OneTimePage) { p.RedirectURL = "/back" }, `redirect_url: an absolute http or https URL, got "/back"`},
		{"redirect to a script", func(p *OneTimePage) { p.RedirectURL = "javascript:x" }, `redirect_url: an absolute http or https URL, got "javascript:x"`},
		{"redirect that is no URL", func(p *OneTimePage) { p.RedirectURL = "https://[" }, `redirect_url: an absolute http or https URL, got "https://["`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			page := good
			tt.spoil(&page)
			got, err := page.URL()
			if err == nil || got != "" || !strings.Contains(err.Error(), "wechat: /mp/subscribemsg: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("URL = %q, %v; want an error with %s", got, err, tt.want)
			}
		})
	}
}

func TestParseOneTimeRedirect(t *testing.T) {
	tests := []struct {
		name, query string
		want        OneTimeConsent
		refused     []string // all of these in the error
	}{
		{name: "confirmed", query: "openid=o1&template_id=T&action=confirm&scene=1000&reserved=test",
			want: OneTimeConsent{true, "o1", "T", 1000, "test"}},
		{name: "cancelled has no openid", query: "template_id=T&action=cancel&scene=0", want: OneTimeConsent{TemplateID: "T"}},
		{name: "parameters of the caller's own", query: "x=1&x=2&openid=o1&template_id=T&action=confirm&scene=1&reserved=a%26b",
			want: OneTimeConsent{true, "o1", "T", 1, "a&b"}},
		{name: "nothing", query: "", refused: []string{`action: one of confirm, cancel, got ""`, `template_id: must be given`, `scene: a number`}},
		{name: "confirmed by nobody", query: "template_id=T&action=confirm&scene=1", refused: []string{`openid: must be given, got ""`}},
		{name: "another action", query: "openid=o1&template_id=T&action=get_confirm&scene=1", refused: []string{`action: one of confirm, cancel, got "get_confirm"`}},
		{name: "scene of words", query: "openid=o1&template_id=T&action=confirm&scene=x", refused: []string{`scene: a number from 0 to 10000, got "x"`}},
		{name: "scene too large", query: "openid=o1&template_id=T&action=confirm&scene=10001", refused: []string{`scene: a number from 0 to 10000, got "10001"`}},
		{name: "an openid added by somebody", query: "openid=o2&openid=o1&template_id=T&action=confirm&scene=1",
			refused: []string{`openid: must not be given more than once, got "o2,o1"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			query, err := url.ParseQuery(tt.query)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ParseOneTimeRedirect(query)
			if (err != nil) != (tt.refused != nil) {
				t.Errorf("error %v, want one: %v", err, tt.refused != nil)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("consent (-want +got):\n%s", diff)
			}
			for _, part := range tt.refused {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("error %v lacks %s", err, part)
				}
			}
		})
	}
}

// FuzzOneTimePage holds the page's address to two promises: whatever goes in comes
// out of its query, and the query's names are the platform's alone.
func FuzzOneTimePage(f *testing.F) {
	f.Add("wx1", 1000, "T", "https://a.example/?a=1&b=2#c", "test")
	f.Add("&action=x", 0, "#", "http://x/%zz", "&reserved=2")
	f.Fuzz(func(t *testing.T, appID string, scene int, template, redirect, reserved string) {
		page := OneTimePage{AppID: appID, Scene: Scene(scene), TemplateID: template, RedirectURL: redirect, Reserved: reserved}
		address, err := page.URL()
		if err != nil {
			return
		}
		u, err := url.Parse(address)
		if err != nil || u.Host != "mp.weixin.qq.com" || u.Fragment != "wechat_redirect" {
			t.Fatalf("%+v gives %s, %v", page, address, err)
		}
		query := u.Query()
		again := OneTimePage{AppID: query.Get("appid"), Scene: page.Scene, TemplateID: query.Get("template_id"),
			RedirectURL: query.Get("redirect_url"), Reserved: query.Get("reserved")}
		for name, values := range query {
			if len(values) != 1 {
				t.Errorf("%s has %s %d times", address, name, len(values))
			}
		}
		if diff := cmp.Diff(page, again); diff != "" || query.Get("action") != "get_confirm" {
			t.Errorf("%s reads differently (-want +got):\n%s", address, diff)
		}
	})
}
