package wechat

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeAnswer(t *testing.T) {
	tests := []struct {
		name string
		op   Endpoint
		body string
		want wireAnswer
		lost bool
	}{
		{name: "accepted", body: `{"errcode":0,"errmsg":"ok","msgid":4123456789012345678}`, want: wireAnswer{0, "ok", 4123456789012345678}},
		{name: "nine digits", body: `{"errcode":0,"errmsg":"ok","msgid":200228332}`, want: wireAnswer{0, "ok", 200228332}},
		{name: "msgid in quotes", body: `{"errcode":0,"errmsg":"ok","msgid":"4123456789012345679"}`, want: wireAnswer{0, "ok", 4123456789012345679}},
		{name: "msgid is no integer, yet accepted", body: `{"errcode":0,"errmsg":"ok","msgid":4.1e18}`, want: wireAnswer{0, "ok", 0}},
		{name: "msgid beyond 64 bits is none", body: `{"errcode":0,"errmsg":"ok","msgid":9223372036854775808}`, want: wireAnswer{0, "ok", 0}},
		{name: "no msgid", body: `{"errcode":0,"errmsg":"ok"}`, want: wireAnswer{0, "ok", 0}},
		{name: "errmsg first", body: `{"errmsg":"invalid openid","errcode":40003}`, want: wireAnswer{40003, "invalid openid", 0}},
		{name: "code in quotes", body: `{"errcode":"40003","errmsg":"x"}`, want: wireAnswer{40003, "x", 0}},
		{name: "no errmsg", body: `{"errcode":-1}`, want: wireAnswer{-1, "", 0}},
		{name: "errmsg of another kind", body: `{"errcode":-1,"errmsg":["x"]}`, want: wireAnswer{-1, `["x"]`, 0}},
		{name: "more members", body: `{"success":false,"errmsg":"x","errcode":200014,"data":[1]}`, want: wireAnswer{200014, "x", 0}},
		{name: "white space around", body: "\n {\"errcode\":0} \r\n", want: wireAnswer{}},
		{name: "escaped slashes", body: `{"errcode":40125,"errmsg":"view http:\/\/t.cn\/x"}`, want: wireAnswer{40125, "view http://t.cn/x", 0}},
		{name: "a token without errcode", op: EndpointToken, body: `{"access_token":"t","expires_in":7200}`, want: wireAnswer{}},
		{name: "msgid without errcode", body: `{"msgid":5}`, want: wireAnswer{0, "", 5}},
		{name: "empty object for a send", body: `{}`, lost: true},
		{name: "somebody else's JSON for a send", body: `{"error":"bad gateway"}`, lost: true},
		{name: "empty", body: ``, lost: true},
		{name: "null", body: `null`, lost: true},
		{name: "array", body: `[{"errcode":0}]`, lost: true},
		{name: "string", body: `"ok"`, lost: true},
		{name: "HTML", body: `<html>ok</html>`, lost: true},
		{name: "truncated", body: `{"errcode":0,"errmsg":"o`, lost: true},
		{name: "trailing comma", body: `{"errcode":0,"errmsg":"ok",}`, lost: true},
		{name: "two documents", body: `{"errcode":0}{"errcode":0}`, lost: true},
		{name: "null code", body: `{"errcode":null}`, lost: true},
		{name: "fractional code", body: `{"errcode":0.5}`, lost: true},
		{name: "boolean code", body: `{"errcode":false}`, lost: true},
		{name: "empty code", body: `{"errcode":""}`, lost: true},
		{name: "code too large", body: `{"errcode":99999999999999999999}`, lost: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			op := tt.op
			if op == "" {
				op = EndpointTemplateSend
			}
			got, err := decodeAnswer(op, []byte(tt.body))
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(wireAnswer{})); diff != "" || (err != nil) != tt.lost {
				t.Errorf("decodeAnswer(%q): error %v, want lost %v (-want +got):\n%s", tt.body, err, tt.lost, diff)
			}
		})
	}
}

// FuzzDecodeAnswer holds the decoder to its promise: success only for a JSON
// object that says so, whatever arrives.
func FuzzDecodeAnswer(f *testing.F) {
	for _, seed := range []string{`{"errcode":0,"errmsg":"ok","msgid":1}`, `{"errcode":40001}`, `{}`, `null`, `[]`, `<html>`,
		`{"errcode":"0"}`, `{"errcode":null,"msgid":"7"}`, "\xef\xbb\xbf{\"errcode\":0}", `{"errcode":0`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		wire, err := decodeAnswer(EndpointTemplateSend, body)
		if err != nil || wire.code != CodeOK {
			return
		}
		var object map[string]json.RawMessage
		if json.Unmarshal(body, &object) != nil || object == nil {
			t.Fatalf("%q counts as success and is no JSON object", body)
		}
		for member, raw := range object {
			zero := strings.Trim(string(raw), `"`)
			if strings.EqualFold(member, "errcode") && (zero == "0" || zero == "-0" || zero == "+0" || strings.Trim(zero, "0") == "") {
				return
			}
		}
		if wire.msgID == 0 {
			t.Errorf("%q counts as success without errcode 0 or a msgid", body)
		}
	})
}

// FuzzTypedAnswers gives every method any answer: it ends in a result or in one of
// the package's errors, and never in a text that shows the token or the AppSecret.
func FuzzTypedAnswers(f *testing.F) {
	for _, seed := range []string{
		`{"msginfo":[{"id":"1"}],"errcode":0}`, `{"msginfo":{"id":1,"send_timestamp":2}}`, `{"msginfo":7}`, `{"msginfo":null}`,
		`{"errcode":0,"quota":{"daily_limit":"1"},"rate_limit":null,"request":{"request_url":"access_token=x"}}`,
		`{"errmsg":"ok","errcode":0,"data":[{"tid":1,"type":"2","kid":"3","id":4,"keywordEnumValueList":[{}]},null],"count":"5"}`,
		`{"list":[{"id":"AT1"}],"total_count":1,"keyword_list":[{"keyword_id":1}],"template_id":"T","priTmplId":"P"}`,
		`{"dns":[{}],"ping":[null],"primary_industry":{},"ip_list":[]}`, `{"success":false,"errmsg":"x","errcode":200014}`, `{`, `[]`, ``,
	} {
		f.Add([]byte(seed))
	}
	const secret = "99_EXAMPLE/secret+value"
	calls := everyCall(secret)
	f.Fuzz(func(t *testing.T, body []byte) {
		answer := roundTripper(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
		})
		c := &Client{HTTPClient: &http.Client{Transport: answer}, Tokens: StaticToken(secret)}
		for name, call := range calls {
			err := call(t.Context(), c)
			if err == nil {
				continue
			}
			switch OutcomeOf(err) {
			case OutcomeAnswered, OutcomeNoAnswer:
			default:
				t.Errorf("%s: %v is %v, but there was an answer", name, err, OutcomeOf(err))
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s shows the secret: %v", name, err)
			}
		}
	})
}
