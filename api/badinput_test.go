package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hongyan/client"
	"hongyan/sandbox"
	"hongyan/store"
)

// orderJSON is a good message as text, with replacements old, new, old, new …
func orderJSON(t *testing.T, replace ...string) string {
	t.Helper()
	raw, err := json.Marshal(order(sandbox.OpenID("", 1)))
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for i := 0; i+1 < len(replace); i += 2 {
		if !strings.Contains(text, replace[i]) {
			t.Fatalf("%s does not contain %s", text, replace[i])
		}
		text = strings.Replace(text, replace[i], replace[i+1], 1)
	}
	return text
}

func TestBadInputIsRefusedAndStoresNothing(t *testing.T) {
	g := newGateway(t)
	g.seed()
	head := fmt.Sprintf(`{"appid":%q,`, sandbox.SeedServiceAppID)
	type badInput struct {
		name    string
		body    string
		header  []string
		status  int
		code    string
		pointer string // of the first error; "-" = none
		detail  string // a part of it
	}
	tests := []badInput{
		{name: "an unknown field", body: orderJSON(t, `"touser"`, `"to_user"`), status: 400, code: "unknown_field", pointer: "/to_user", detail: `did you mean "touser"?`},
		{name: "an unknown field that is like none", body: orderJSON(t, `{"appid"`, `{"zzzzzzzzzz":1,"appid"`), status: 400, code: "unknown_field", pointer: "/zzzzzzzzzz"},
		{name: "an unknown field inside a value", body: orderJSON(t, `"color":"#173177"`, `"colour":"#173177"`), status: 400, code: "unknown_field", pointer: "/data/amount3/colour"},
		{name: "an unknown field inside miniprogram", body: orderJSON(t, head, head+`"miniprogram":{"appid":"wx0","path":"x"},`), status: 400, code: "unknown_field", pointer: "/miniprogram/path", detail: "pagepath"},
		{name: "a field of another kind", body: orderJSON(t, head, head+`"miniprogram_state":"trial",`), status: 422, code: "field_of_another_kind", pointer: "/miniprogram_state"},
		{name: "a number for a scene", body: orderJSON(t, head, head+`"kind":"one_time","scene":1000,`), status: 400, code: "wrong_type", pointer: "/scene", detail: "expected a string, got the number 1000"},
		{name: "a title too long", body: orderJSON(t, head, head+`"kind":"one_time","scene":"1","title":"`+strings.Repeat("题", 16)+`",`), status: 422, code: "invalid_field", pointer: "/title", detail: "at most 15 characters, has 16"},
		{name: "a repeated field", body: orderJSON(t, head, head+head[1:]), status: 400, code: "duplicate_field", pointer: "/appid"},
		{name: "a repeated key of data", body: orderJSON(t, `"data":{`, `"data":{"thing2":"x",`), status: 400, code: "duplicate_field", pointer: "/data/thing2"},
		{name: "a repeated field of metadata", body: orderJSON(t, head, head+`"metadata":{"a":1,"a":2},`), status: 400, code: "duplicate_field", pointer: "/metadata/a"},
		{name: "a number for a string", body: orderJSON(t, `"`+sandbox.OpenID("", 1)+`"`, `12`), status: 400, code: "wrong_type", pointer: "/touser", detail: "expected a string, got the number 12"},
		{name: "an object for a string", body: orderJSON(t, `"`+sandbox.OpenID("", 1)+`"`, `{}`), status: 400, code: "wrong_type", pointer: "/touser", detail: "got an object"},
		{name: "a number for a value", body: orderJSON(t, `"A1001"`, `1001`), status: 400, code: "wrong_type", pointer: "/data/character_string1", detail: "got the number 1001; put it in quotes"},
		{name: "null for a value", body: orderJSON(t, `"A1001"`, `null`), status: 400, code: "wrong_type", pointer: "/data/character_string1", detail: "got null"},
		{name: "a number inside a value", body: orderJSON(t, `"￥39.80"`, `39.8`), status: 400, code: "wrong_type", pointer: "/data/amount3/value", detail: "expected a string, got the number 39.8; put it in quotes"},
		{name: "an array for data", body: `{"data":["x"]}`, status: 400, code: "wrong_type", pointer: "/data", detail: "expected an object, got an array"},
		{name: "an array for the body", body: `[]`, status: 400, code: "wrong_type", pointer: ""},
		{name: "a string for metadata", body: orderJSON(t, head, head+`"metadata":"x",`), status: 400, code: "wrong_type", pointer: "/metadata"},
		{name: "a number for a time", body: orderJSON(t, head, head+`"send_at":1763600000,`), status: 400, code: "wrong_type", pointer: "/send_at", detail: "got the number 1763600000"},
		{name: "data sent as a JSON string", body: `{"data":"{\"thing1\":\"x\"}"}`, status: 400, code: "data_is_string", pointer: "/data", detail: "do not encode it twice"},
		{name: "a key with .DATA", body: orderJSON(t, `"thing2"`, `"thing2.DATA"`), status: 422, code: "dot_data_key", pointer: "/data/thing2.DATA", detail: `the key is "thing2"`},
		{name: "a key with .DATA in braces", body: orderJSON(t, `"thing2"`, `"{{thing2.DATA}}"`), status: 422, code: "dot_data_key", pointer: "/data/{{thing2.DATA}}", detail: `the key is "thing2"`},
		{name: "a key with .DATA and a slash", body: orderJSON(t, `"thing2"`, `"thi/ng2.DATA"`), status: 422, code: "dot_data_key", pointer: "/data/thi~1ng2.DATA"},
		{name: "no body", body: "", status: 400, code: "bad_json", pointer: ""},
		{name: "a body that is not JSON", body: "appid=wx1", status: 400, code: "bad_json"},
		{name: "a body that is broken off", body: orderJSON(t)[:40], status: 400, code: "bad_json", detail: "ends too early"},
		{name: "two bodies", body: orderJSON(t) + orderJSON(t), status: 400, code: "bad_json", detail: "more text follows it, at byte "},
		{name: "a comma where a value belongs", body: `{"appid":,}`, status: 400, code: "bad_json", detail: "not JSON, at byte 9"},
		{name: "text that is not UTF-8", body: orderJSON(t, `巧克力`, "\xff\xfe"), status: 400, code: "bad_json", detail: "UTF-8"},
		{name: "a time without an offset", body: orderJSON(t, head, head+`"send_at":"2026-11-20 10:00:00",`), status: 422, code: "bad_time", pointer: "/send_at", detail: `"2026-11-20 10:00:00" is not a time`},
		{name: "a past expires_at", body: orderJSON(t, head, head+`"expires_at":"2020-01-01T00:00:00Z",`), status: 422, code: "expires_at_past", pointer: "/expires_at"},
		{name: "an unknown template", body: orderJSON(t, sandbox.SeedTemplateOrder, strings.Repeat("x", 43)), status: 422, code: "unknown_template", pointer: "/template_id"},
		{name: "a missing key", body: orderJSON(t, `"thing2":"巧克力",`, ``), status: 422, code: "invalid_data", pointer: "/data/thing2", detail: "(rule missing)"},
		{name: "an empty value", body: orderJSON(t, `"巧克力"`, `""`), status: 422, code: "invalid_data", pointer: "/data/thing2", detail: "(rule empty)"},
		{name: "a value over its rule", body: orderJSON(t, `巧克力`, strings.Repeat("长", 21)), status: 422, code: "invalid_data", pointer: "/data/thing2"},
		{name: "a malformed openid", body: orderJSON(t, sandbox.OpenID("", 1), "13800138000"), status: 422, code: "malformed_openid", pointer: "/touser"},
		{name: "no openid", body: orderJSON(t, sandbox.OpenID("", 1), ""), status: 422, code: "missing_field", pointer: "/touser"},
		{name: "an unknown account", body: orderJSON(t, sandbox.SeedServiceAppID, "wx0000000000000000"), status: 422, code: "unknown_account", pointer: "/appid"},
		{name: "an unknown kind", body: orderJSON(t, head, head+`"kind":"mass",`), status: 422, code: "unknown_kind", pointer: "/kind", detail: "template, mini_template, subscribe, notice, one_time"},
		{name: "a mini program's kind", body: orderJSON(t, head, head+`"kind":"subscribe",`), status: 422, code: "wrong_kind", pointer: "/kind"},
		{name: "the kind of another account", body: orderJSON(t, head, head+`"kind":"mini_template",`), status: 422, code: "wrong_kind", pointer: "/kind"},
		{name: "an unknown priority", body: orderJSON(t, head, head+`"priority":"high",`), status: 422, code: "unknown_priority", pointer: "/priority"},
		{name: "a body of 10 MB", body: orderJSON(t, `巧克力`, strings.Repeat("x", 10<<20)), status: 413, code: "body_too_large", pointer: "-"},
		{name: "an empty Idempotency-Key", body: orderJSON(t), header: []string{"Idempotency-Key", " "}, status: 422, code: "bad_idempotency_key", pointer: "/header/Idempotency-Key"},
		{name: "an Idempotency-Key with a space", body: orderJSON(t), header: []string{"Idempotency-Key", "a b"}, status: 422, code: "bad_idempotency_key", pointer: "/header/Idempotency-Key"},
		{name: "two Idempotency-Keys", body: orderJSON(t), header: []string{"Idempotency-Key", "a", "Idempotency-Key", "b"}, status: 422, code: "bad_idempotency_key", pointer: "/header/Idempotency-Key"},
		{name: "an Idempotency-Key of 256 characters", body: orderJSON(t), header: []string{"Idempotency-Key", strings.Repeat("k", 256)}, status: 422, code: "bad_idempotency_key", pointer: "/header/Idempotency-Key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := g.do("POST", "/v1/messages", tt.body, tt.header...)
			if got.status != tt.status {
				t.Fatalf("status %d, want %d; body %s", got.status, tt.status, got.body)
			}
			p := got.problem(t)
			checkProblem(t, got, p, tt.status, tt.code)
			switch {
			case tt.pointer == "-" && len(p.Errors) != 0:
				t.Errorf("errors %v, want none", p.Errors)
			case tt.pointer == "-":
			case len(p.Errors) == 0:
				t.Errorf("no errors, want one at %q; body %s", tt.pointer, got.body)
			case tt.pointer != "" && p.Errors[0].Pointer != tt.pointer:
				t.Errorf("pointer %q, want %q", p.Errors[0].Pointer, tt.pointer)
			case !strings.Contains(p.Errors[0].Detail, tt.detail):
				t.Errorf("detail %q, want %q in it", p.Errors[0].Detail, tt.detail)
			}
		})
	}
	page, err := g.store.Messages(t.Context(), store.Filter{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Items) != 0 {
		t.Errorf("%d messages stored, want none", len(page.Items))
	}
}

func TestEveryMissingFieldIsNamed(t *testing.T) {
	g := newGateway(t)
	for body, want := range map[string]string{
		`{}`: "/appid /touser /template_id /data",
		`{"touser":"` + sandbox.OpenID("", 1) + `","data":{}}`: "/appid /template_id /data",
	} {
		p := g.do("POST", "/v1/messages", body).problem(t)
		var got []string
		for _, e := range p.Errors {
			got = append(got, e.Pointer)
		}
		if p.Code != "missing_field" || strings.Join(got, " ") != want {
			t.Errorf("%s: %s at %v, want missing_field at %s", body, p.Code, got, want)
		}
	}
}

func TestHintsAreSentences(t *testing.T) {
	g := newGateway(t)
	g.seed()
	p := g.do("POST", "/v1/messages", orderJSON(t, sandbox.SeedTemplateOrder, strings.Repeat("x", 43))).problem(t)
	if !strings.Contains(p.Detail, ". List the account's templates") {
		t.Errorf("detail %q, want a capital after the full stop", p.Detail)
	}
}

// TestTheRefusedGetToReadWhy writes the whole of a large body before it looks
// for the answer, as many HTTP clients do.
func TestTheRefusedGetToReadWhy(t *testing.T) {
	g := newGateway(t)
	server := httptest.NewServer(g.api.Handler())
	defer server.Close()
	for path, want := range map[string]int{"/v1/messages": 401, "/v1/accounts": 401, "/nothing": 404} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		const size = 10 << 20
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\n\r\n", path, size)
		if _, err := io.CopyN(conn, zeros{}, size); err != nil {
			t.Errorf("%s: cut off while writing: %v", path, err)
			continue
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != want {
			t.Errorf("%s: %v, %v, want status %d", path, res, err, want)
		}
	}
}

// zeros is a body without end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// checkProblem checks what every problem has.
func checkProblem(t *testing.T, got answer, p client.Problem, status int, code string) {
	t.Helper()
	if p.Code != code {
		t.Errorf("code %q, want %q; body %s", p.Code, code, got.body)
	}
	if p.Status != status || p.Type != "/problems/"+code || p.Title == "" || p.Detail == "" {
		t.Errorf("incomplete problem %+v", p)
	}
	if p.RequestID == "" || p.RequestID != got.header.Get("X-Request-Id") {
		t.Errorf("request_id %q, header %q", p.RequestID, got.header.Get("X-Request-Id"))
	}
	if wantRetry := status == http.StatusServiceUnavailable || status == http.StatusInsufficientStorage; p.Retryable != wantRetry {
		t.Errorf("retryable %v, want %v", p.Retryable, wantRetry)
	}
}

// TestSeveralFaultsAreToldAtOnce keeps callers from mending one field per try.
func TestSeveralFaultsAreToldAtOnce(t *testing.T) {
	g := newGateway(t)
	got := g.do("POST", "/v1/messages", `{"data":{"a.DATA":"1","b.DATA":"2"}}`)
	if p := got.problem(t); len(p.Errors) != 2 {
		t.Errorf("errors %+v, want two", p.Errors)
	}
}

func TestWrongTypeNeverRepeatsTheValue(t *testing.T) {
	g := newGateway(t)
	const secret = "c2VjcmV0LXNlY3JldA"
	for name, body := range map[string]string{
		"a secret where an array belongs": `{"quotas":"` + secret + `"}`,
		"a secret that is an object":      `{"secret":{"x":"` + secret + `"}}`,
		"a secret that is a number":       `{"secret":12345678901234567890}`,
		"a callback token of digits":      `{"callback":{"token":12345678901234567890}}`,
		"a password in a base_url":        `{"appid":"wx0000000000000000","secret":"s","base_url":"http://user:` + secret + `@10.0.0.5"}`,
		"a key in a base_url":             `{"appid":"wx0000000000000000","secret":"s","base_url":"http://10.0.0.5/?key=` + secret + `"}`,
		"a secret that is broken off":     `{"secret":"` + secret,
		"a callback that is a secret":     `{"callback":"` + secret + `"}`,
		"a proxy that is none":            `{"appid":"wx0000000000000000","secret":"s","egress_proxy":"user:` + secret + `@10.0.0.5:3128"}`,
		"a proxy that is a number":        `{"egress_proxy":12345678901234567890}`,
		"a token_url that is a number":    `{"token_url":12345678901234567890}`,
		"a token_url off loopback":        `{"appid":"wx0000000000000000","secret":"s","token_source":"external","token_url":"http://10.0.0.5/?key=` + secret + `"}`,
		"a downstream's token and key":    `{"appid":"wx0000000000000000","secret":"s","downstreams":[{"name":"crm","url":"http://u:` + secret + `@10.0.0.5/","token":"` + secret + `!","aes_key":"` + secret + `"}]}`,
		"a downstream's token of digits":  `{"downstreams":[{"token":12345678901234567890}]}`,
		"a bad AES key and a bad token":   `{"appid":"wx0000000000000000","secret":"s","callback":{"token":"` + secret + `!","aes_key":"` + secret + `","mode":"safe"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			got := g.do("POST", "/v1/accounts", body)
			if got.status != 400 && got.status != 422 {
				t.Errorf("status %d, want 400 or 422", got.status)
			}
			if strings.Contains(got.body, secret) || strings.Contains(got.body, "12345678901234567890") {
				t.Errorf("the answer repeats the value: %s", got.body)
			}
		})
	}
}

// TestTenMegabytesOverARealConnection checks that the caller sees the answer
// although it is still writing, with and without a Content-Length.
func TestTenMegabytesOverARealConnection(t *testing.T) {
	g := newGateway(t)
	server := httptest.NewServer(g.api.Handler())
	defer server.Close()
	const size = 10 << 20
	bodies := map[string]func() io.Reader{
		"of known length":   func() io.Reader { return strings.NewReader(strings.Repeat(" ", size)) },
		"of unknown length": func() io.Reader { return io.MultiReader(strings.NewReader(strings.Repeat(" ", size))) },
	}
	for name, body := range bodies {
		for _, path := range []string{"/v1/messages", "/v1/accounts"} {
			t.Run(name+" to "+path, func(t *testing.T) {
				r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+path, body())
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Authorization", "Bearer "+testAdminKey)
				res, err := server.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if res.StatusCode != 413 {
					t.Errorf("status %d, want 413", res.StatusCode)
				}
			})
		}
	}
}
