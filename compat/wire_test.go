package compat

import (
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/wechat"
)

func TestDecodeData(t *testing.T) {
	body := `{"data":{"a":{"value":"1","color":"#fff"},"b":"2","c":3.50,"d":true,"e":null,"f":[1],"g":{"value":{}},"h":{},"a":{"value":12345678901234567890}}}`
	var b sendBody
	if err := decode([]byte(body), &b); err != nil {
		t.Fatal(err)
	}
	want := wechat.Data{"a": {Value: "12345678901234567890"}, "b": {Value: "2"}, "c": {Value: "3.50"}, "d": {Value: "true"}, "e": {}, "f": {}, "g": {}, "h": {}}
	if diff := cmp.Diff(want, wechat.Data(b.Data)); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
}

// FuzzDecode: any body is a message or a refusal with one of WeChat's three codes
// for bodies, and what is taken can be sent on.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "null", "[]", `{"touser":5,"data":"{}"}`, `{"data":{"a":"b","c":{"value":1,"color":null}},"miniprogram":{"path":"p","appid":"a"}}` + "\n",
		"\ufeff{}", "{\"touser\":\"\xff\"}", `{"touser":"\ud800"}`, `{"scene":1e3,"title":"t","miniprogram":[]}`, `{"data":{"a":{"value":{"value":[{}]}}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var b sendBody
		if err := decode(body, &b); err != nil {
			no, ok := errors.AsType[*refusal](err)
			if !ok || no.code != wechat.CodeEmptyBody && no.code != wechat.CodeDataFormatError && no.code != wechat.CodeInvalidCharset {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		for _, kind := range hongyan.MessageKinds() {
			r := b.request(serviceID, kind)
			for _, text := range []string{r.ToUser, r.TemplateID, r.URL, r.Page, r.Title, r.Scene, r.ClientMsgID} {
				if !utf8.ValidString(text) {
					t.Fatalf("%q: %q is no UTF-8", body, text)
				}
			}
			if r.MiniProgram != nil && r.MiniProgram.AppID == "" {
				t.Fatalf("%q: a jump to nowhere", body)
			}
		}
		if _, err := wechat.MarshalBody(b.Data); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
	})
}

// FuzzQuery: the token is exchanged, and nothing else is touched.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"", "access_token=a", "a=1&access_token=x&access_token=y", "access%5ftoken=1", "=&&&", "a=%zz&access_token", ";access_token=1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q := readQuery(raw)
		if got := q.String(); got != raw {
			t.Fatalf("%q came back as %q", raw, got)
		}
		set := q.set("access_token", "live&")
		if q.get("access_token") != "" && set.get("access_token") != "live&" {
			t.Fatalf("%q became %q", raw, set)
		}
		if got, want := set.without("access_token").String(), q.without("access_token").String(); got != want {
			t.Fatalf("%q: the rest became %q, want %q", raw, got, want)
		}
	})
}
