package wechat

import (
	"context"
	"strings"
	"testing"
)

func TestLookupRID(t *testing.T) {
	checkTypedCalls(t, []typedCall{{
		name: "rid",
		call: func(ctx context.Context, c *Client) (any, error) {
			return c.LookupRID(ctx, "6aac005a-01bfdbee-79769285")
		},
		answer: `{"errcode":0,"errmsg":"ok","request":{"invoke_time":1790000000,"cost_in_ms":"30",` +
			`"request_url":"access_token=99_EXAMPLEtoken-abc_DEF&x=1","request_body":"{\"touser\":\"o1\"}",` +
			`"response_body":"{\"errcode\":45009,\"errmsg\":\"reach max api daily quota limit\"}","client_ip":"203.0.113.7"}}`,
		want: RequestRecord{
			InvokeTime: 1790000000, CostMS: 30,
			RequestURL:   "access_token=[redacted]&x=1",
			RequestBody:  `{"touser":"o1"}`,
			ResponseBody: `{"errcode":45009,"errmsg":"reach max api daily quota limit"}`,
			ClientIP:     "203.0.113.7",
		},
		wire: posted("/cgi-bin/openapi/rid/get", `{"rid":"6aac005a-01bfdbee-79769285"}`),
	}})
}

func TestHideParams(t *testing.T) {
	const s = "99_EXAMPLEtoken-abc_DEF"
	for name, tt := range map[string]struct{ in, want string }{
		"query":                   {"access_token=" + s, "access_token=[redacted]"},
		"query of a token fetch":  {"grant_type=client_credential&appid=wx1&secret=" + s, "grant_type=client_credential&appid=wx1&secret=[redacted]"},
		"upper case":              {"?ACCESS_TOKEN=" + s + "&lang=zh_CN", "?ACCESS_TOKEN=[redacted]&lang=zh_CN"},
		"third-party platform":    {"component_access_token=" + s, "component_access_token=[redacted]"},
		"body of stable_token":    {`{"appid":"wx1","secret":"` + s + `","force_refresh":true}`, `{"appid":"wx1","secret":"[redacted]","force_refresh":true}`},
		"body of clear_quota/v2":  {`{"appsecret" : "` + s + `"}`, `{"appsecret" : "[redacted]"}`},
		"answer with a token":     {`{"access_token":"` + s + `","expires_in":7200}`, `{"access_token":"[redacted]","expires_in":7200}`},
		"cut body":                {`{"appid":"wx1","secret":"` + s, `{"appid":"wx1","secret":"[redacted]`},
		"escapes in the value":    {`{"secret":"\/a\u0041` + s + `"}`, `{"secret":"[redacted]"}`},
		"JSON in a string":        {`{"request_body":"{\"secret\":\"` + s + `\"}"}`, `{"request_body":"{\"secret\":\"[redacted]\"}"}`},
		"query in a JSON string":  {`{"request_url":"access_token=` + s + `"}`, `{"request_url":"access_token=[redacted]"}`},
		"empty":                   {"access_token=&secret=", "access_token=&secret="},
		"nothing secret":          {`{"template_id":"T","data":{"thing1":{"value":"token"}}}`, `{"template_id":"T","data":{"thing1":{"value":"token"}}}`},
		"twice":                   {"secret=" + s + "&secret=" + s, "secret=[redacted]&secret=[redacted]"},
		"both forms in one place": {`access_token=` + s + ` {"secret":"` + s + `"}`, `access_token=[redacted] {"secret":"[redacted]"}`},
	} {
		if got := hideParams(tt.in); got != tt.want {
			t.Errorf("%s: hideParams(%q) = %q, want %q", name, tt.in, got, tt.want)
		}
	}
}

// FuzzHideParams puts a secret where secrets stand, between anything else.
func FuzzHideParams(f *testing.F) {
	for _, around := range []string{"", "&", `"`, "{", `\`, "x=1", `\"`, "\n", "=", `":"`} {
		f.Add(around, around)
	}
	const secret = "99_EXAMPLEtoken-abc_DEF"
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.Contains(before+after, secret[:8]) {
			return
		}
		for _, form := range []string{"&access_token=" + secret + "&", `"secret":"` + secret + `"`, `\"appsecret\":\"` + secret + `\"`} {
			got := hideParams(before + form + after)
			if strings.Contains(got, secret) {
				t.Errorf("%q shows the secret as %q", before+form+after, got)
			}
			if again := hideParams(got); again != got {
				t.Errorf("hiding twice changes %q to %q", got, again)
			}
		}
	})
}
