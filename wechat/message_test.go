package wechat

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMarshalBodyWritesRawText(t *testing.T) {
	m := &TemplateMessage{
		ToUser: "oSpecUser00000000000000000A1", TemplateID: "Zk3vQe0a1b2c3d4e5f6g7h8i9j0kLmNoPqRsTuVwXy1",
		URL: "https://shop.example.com/o?a=1&b=<2>", MiniProgram: &MiniProgram{AppID: "wx0f1e2d3c4b5a6978", PagePath: "index?foo=bar"},
		ClientMsgID: "order-1001-paid",
		Data:        Data{"amount2": {Value: "￥39.80"}, "first": {Value: "您好", Color: "#173177"}},
	}
	want := `{"touser":"oSpecUser00000000000000000A1","template_id":"Zk3vQe0a1b2c3d4e5f6g7h8i9j0kLmNoPqRsTuVwXy1",` +
		`"url":"https://shop.example.com/o?a=1&b=<2>","miniprogram":{"appid":"wx0f1e2d3c4b5a6978","pagepath":"index?foo=bar"},` +
		`"client_msg_id":"order-1001-paid","data":{"amount2":{"value":"￥39.80"},"first":{"value":"您好","color":"#173177"}}}`
	got, err := MarshalBody(m)
	if err != nil || string(got) != want {
		t.Errorf("MarshalBody = %s, %v\nwant %s", got, err, want)
	}
	texts := map[string]string{
		"line\u2028break\u2029s":     "\"line\u2028break\u2029s\"",
		"not UTF-8 \xff":             "\"not UTF-8 \ufffd\"",
		`a backslash \u2028`:         `"a backslash \\u2028"`,
		`two \\u2028, quote "`:       `"two \\\\u2028, quote \""`,
		"control \x01 stays escaped": `"control \u0001 stays escaped"`,
		`ends in \`:                  `"ends in \\"`,
	}
	for text, want := range texts {
		if got, err := MarshalBody(text); err != nil || string(got) != want {
			t.Errorf("MarshalBody(%q) = %s, %v; want %s", text, got, err, want)
		}
	}
	if _, err := MarshalBody(func() {}); err == nil {
		t.Error("MarshalBody of a function gives no error")
	}
}

// TestReadFoundingBodies reads the bodies of the founding documents: free keys
// (S30), keynote keys (S17), keyword keys with a mini program (S61) and the mini
// program's own message (S84).
func TestReadFoundingBodies(t *testing.T) {
	var guide TemplateMessage
	mustUnmarshal(t, `{"touser":"OPENID","template_id":"T","url":"http://weixin.qq.com/download","topcolor":"#FF0000",
		"data":{"User":{"value":"黄先生","color":"#173177"},"Left":{"value":"6504.09","color":"#173177"}}}`, &guide)
	want := TemplateMessage{ToUser: "OPENID", TemplateID: "T", URL: "http://weixin.qq.com/download", TopColor: "#FF0000",
		Data: Data{"User": {"黄先生", "#173177"}, "Left": {"6504.09", "#173177"}}}
	if diff := cmp.Diff(want, guide); diff != "" {
		t.Errorf("guide (-want +got):\n%s", diff)
	}
	var mini MiniTemplateMessage
	mustUnmarshal(t, `{"touser":"OPENID","template_id":"T","page":"index","form_id":"F",
		"data":{"keyword1":{"value":"339208499","color":"#173177"}},"emphasis_keyword":"keyword1.DATA"}`, &mini)
	wantMini := MiniTemplateMessage{ToUser: "OPENID", TemplateID: "T", Page: "index", FormID: "F",
		Data: Data{"keyword1": {"339208499", "#173177"}}, EmphasisKeyword: "keyword1.DATA"}
	if diff := cmp.Diff(wantMini, mini); diff != "" {
		t.Errorf("mini program (-want +got):\n%s", diff)
	}
}

func mustUnmarshal(t *testing.T, body string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), v); err != nil {
		t.Fatal(err)
	}
}

func TestFieldReadsLooseValues(t *testing.T) {
	tests := []struct {
		name, in string
		want     Field
		bad      bool
	}{
		{name: "object", in: `{"value":"a","color":"#000000"}`, want: Field{"a", "#000000"}},
		{name: "bare string", in: `"a\u4e2d"`, want: Field{Value: "a中"}},
		{name: "bare number keeps its digits", in: `1234567890123456789.10`, want: Field{Value: "1234567890123456789.10"}},
		{name: "negative number", in: `-3`, want: Field{Value: "-3"}},
		{name: "number in the object", in: `{"value":39.80}`, want: Field{Value: "39.80"}},
		{name: "no value", in: `{}`},
		{name: "null value", in: `{"value":null}`},
		{name: "unknown member", in: `{"value":"a","topcolor":"#FF0000"}`, want: Field{Value: "a"}},
		{name: "boolean", in: `true`, bad: true},
		{name: "array", in: `["a"]`, bad: true},
		{name: "object as value", in: `{"value":{"value":"a"}}`, bad: true},
		{name: "number as colour", in: `{"value":"a","color":1}`, bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got Field
			err := json.Unmarshal([]byte(tt.in), &got)
			if got != tt.want || (err != nil) != tt.bad {
				t.Errorf("Field from %s = %+v, %v; want %+v, bad %v", tt.in, got, err, tt.want, tt.bad)
			}
		})
	}
}

func TestMiniProgramReadsDatedPath(t *testing.T) {
	tests := []struct {
		name, in string
		want     MiniProgram
	}{
		{"pagepath", `{"appid":"wx1","pagepath":"index?foo=bar"}`, MiniProgram{"wx1", "index?foo=bar"}},
		{"path of dated documents", `{"appid":"wx1","path":"index"}`, MiniProgram{"wx1", "index"}},
		{"pagepath wins", `{"appid":"wx1","path":"old","pagepath":"new"}`, MiniProgram{"wx1", "new"}},
		{"appid alone", `{"appid":"wx1"}`, MiniProgram{AppID: "wx1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got MiniProgram
			mustUnmarshal(t, tt.in, &got)
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
