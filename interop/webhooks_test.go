package interop

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"hongyan"
	"hongyan/deliver"
	"hongyan/sandbox"
)

// heard is what a receiver says of a request.
type heard struct {
	Verified *struct {
		ID, Type, Timestamp string
		Data                map[string]any
	}
	ID      string
	Refused string
}

// secretOf is a secret of Standard Webhooks' form, made of one letter.
func secretOf(letter string) string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(letter, 32)))
}

// receiver starts one that knows a secret, and returns its URL.
func receiver(t *testing.T, secret string) (*script, string) {
	t.Helper()
	s := start(t, "standardwebhooks", settings{"SECRET": secret})
	var said struct{ Listening string }
	s.read(t, &said)
	return s, said.Listening + "/hooks/hongyan"
}

// verified is the next request the receiver verified.
func (s *script) verified(t *testing.T) heard {
	t.Helper()
	var h heard
	s.read(t, &h)
	if h.Verified == nil {
		t.Fatalf("%s.js refused a request: %s", s.name, h.Refused)
	}
	if h.ID == "" || h.ID != h.Verified.ID {
		t.Errorf("webhook-id %q of the event %q", h.ID, h.Verified.ID)
	}
	return h
}

// TestAReceiverOfStandardWebhooksVerifiesOurs: from the message to both its events,
// through a rotation of the secret, and not when a byte was changed.
func TestAReceiverOfStandardWebhooksVerifiesOurs(t *testing.T) {
	g := theGateway(t, patiently, sandbox.Options{})
	old, oldURL := receiver(t, secretOf("a"))
	g.call(t, http.MethodPost, "/v1/webhooks", map[string]any{"name": "npm", "url": oldURL, "secret": secretOf("a"), "events": []string{"message.*"}})
	g.call(t, http.MethodPost, "/v1/accounts/"+g.service.appID+"/templates/sync", map[string]any{})
	answer := g.call(t, http.MethodPost, "/v1/messages", map[string]any{
		"appid": g.service.appID, "touser": sandbox.OpenID("", 1), "template_id": sandbox.SeedTemplateOrder, "metadata": map[string]any{"note": "<b>&\u2028 巧克力"},
		"data": map[string]any{"character_string1": "A1001", "thing2": "巧克力", "amount3": "￥39.80", "time4": "2026-11-20 10:15"},
	})
	var message struct{ ID string }
	mustNil(t, json.Unmarshal(answer, &message))
	first := old.verified(t)
	if v := first.Verified; v.Type != "message.accepted" || v.Data["message_id"] != message.ID || v.Data["metadata"].(map[string]any)["note"] != "<b>&\u2028 巧克力" {
		t.Errorf("heard %+v, want that %s was accepted", v, message.ID)
	}
	fresh, freshURL := receiver(t, secretOf("b"))
	g.call(t, http.MethodPost, "/v1/webhooks/npm/rotate", map[string]any{"secret": secretOf("b")})
	g.call(t, http.MethodPost, "/v1/webhooks/npm/test", map[string]any{})
	if v := old.verified(t).Verified; v.Type != "webhook.test" {
		t.Errorf("after the rotation the old secret verified %+v", v)
	}
	g.call(t, http.MethodPatch, "/v1/webhooks/npm", map[string]any{"url": freshURL})
	g.call(t, http.MethodPost, "/v1/webhooks/npm/redeliver", map[string]any{"type": []string{"message.accepted"}})
	again := fresh.verified(t)
	if again.ID != first.ID || again.Verified.Timestamp != first.Verified.Timestamp {
		t.Errorf("redelivered as %s, was %s", again.ID, first.ID)
	}
	g.call(t, http.MethodPost, "/v1/webhooks/npm/rotate", map[string]any{"secret": secretOf("c"), "keep_seconds": 0})
	g.call(t, http.MethodPost, "/v1/webhooks/npm/test", map[string]any{})
	var h heard
	fresh.read(t, &h)
	if h.Verified != nil || h.Refused == "" {
		t.Errorf("a receiver with a secret that no longer signs verified %+v", h.Verified)
	}
}

// TestAReceiverRefusesWhatWasChanged: what the test above relies on.
func TestAReceiverRefusesWhatWasChanged(t *testing.T) {
	s, at := receiver(t, secretOf("a"))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at, strings.NewReader(`{"type":"forged"}`))
	mustNil(t, err)
	req.Header.Set("webhook-id", "evt_1")
	req.Header.Set("webhook-timestamp", time.Now().UTC().Format("20060102"))
	req.Header.Set("webhook-signature", "v1,AAAA")
	resp, err := http.DefaultClient.Do(req)
	mustNil(t, err)
	mustNil(t, resp.Body.Close())
	var h heard
	if s.read(t, &h); resp.StatusCode != http.StatusBadRequest || h.Refused == "" {
		t.Errorf("HTTP %d, %+v, want it refused", resp.StatusCode, h)
	}
}

// programs make of the functions in docs/webhooks.md programs that print, for n = 0, 1 …
// as long as there is an INTEROP_SECRETn, what verify says of it, the headers and the body.
var programs = map[string]struct{ runner, file, head, tail string }{
	"js": {"node", "verify.js", "", `
for (let n = 0; process.env['INTEROP_SECRET' + n]; n++) {
  const env = (name) => process.env['INTEROP_' + name + n];
  const headers = { 'webhook-id': env('ID'), 'webhook-timestamp': env('AT'), 'webhook-signature': env('SIGNATURE') }; // undefined if absent
  console.log(verify(env('SECRET'), headers, Buffer.from(env('BODY'))));
}`},
	"python": {"python3", "verify.py", "import os\n", `
n = 0
while f"INTEROP_SECRET{n}" in os.environ:
    env = lambda name: os.environ.get(f"INTEROP_{name}{n}")
    headers = {"webhook-id": env("ID"), "webhook-timestamp": env("AT"), "webhook-signature": env("SIGNATURE")}
    headers = {name: value for name, value in headers.items() if value is not None}
    print(str(verify(env("SECRET"), headers, env("BODY").encode())).lower())
    n += 1`},
	"go": {"go", "verify.go", `package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)
`, `
func main() {
	for n := 0; os.Getenv(fmt.Sprint("INTEROP_SECRET", n)) != ""; n++ {
		env := func(name string) string { return os.Getenv(fmt.Sprint("INTEROP_", name, n)) }
		h := http.Header{}
		h.Set("webhook-id", env("ID"))
		h.Set("webhook-timestamp", env("AT"))
		h.Set("webhook-signature", env("SIGNATURE"))
		fmt.Println(verify(env("SECRET"), h, []byte(env("BODY"))))
	}
}`},
	"java": {"java", "Verify.java", `import java.nio.charset.StandardCharsets;
import java.security.*;
import java.util.*;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

class Verify {
`, `
    public static void main(String[] args) throws Exception {
        Map<String, String> e = System.getenv();
        for (int n = 0; e.containsKey("INTEROP_SECRET" + n); n++) {
            Map<String, String> h = new HashMap<>();
            for (String[] name : new String[][] {{"webhook-id", "ID"}, {"webhook-timestamp", "AT"}, {"webhook-signature", "SIGNATURE"}}) h.put(name[0], e.get("INTEROP_" + name[1] + n));
            System.out.println(verify(e.get("INTEROP_SECRET" + n), h, e.get("INTEROP_BODY" + n).getBytes(StandardCharsets.UTF_8)));
        }
    }
}`},
}

// TestTheCodeInTheDocumentationVerifies: a request of the gateway's, and not one with
// another body, another secret, or of an hour ago; nor does anything that a stranger puts
// into the headers make it fail otherwise. Node and Go are there; Python and Java
// are run where they are.
func TestTheCodeInTheDocumentationVerifies(t *testing.T) {
	page, err := os.ReadFile("../docs/webhooks.md")
	mustNil(t, err)
	const id, body = "evt_000000000000000000000001", `{"type":"webhook.test","data":{"name":"巧克力"}}`
	secrets := []hongyan.Secret{hongyan.Secret(secretOf("a")), hongyan.Secret(secretOf("b"))}
	absent := map[string]string{}
	cases := []struct {
		what, secret, body string
		age                time.Duration
		other              map[string]string // what stands in the headers instead; absent: nothing does
		want               string
	}{
		{"ours", "a", body, 0, nil, "true"}, {"with the second secret", "b", body, 0, nil, "true"}, {"with another body", "a", body + " ", 0, nil, "false"},
		{"with a foreign secret", "c", body, 0, nil, "false"}, {"of an hour ago", "a", body, time.Hour, nil, "false"},
		{"without headers", "a", body, 0, absent, "false"},
		{"with a signature beyond ASCII", "a", body, 0, map[string]string{"SIGNATURE": "v1,é签"}, "false"},
		{"with an empty signature", "a", body, 0, map[string]string{"SIGNATURE": ""}, "false"},
		{"with a foreign signature before ours", "a", body, 0, map[string]string{"SIGNATURE": "v1,é %s"}, "true"},
		{"with a superscript as time", "a", body, 0, map[string]string{"AT": "²"}, "false"},
		{"with a word as time", "a", body, 0, map[string]string{"AT": "soon"}, "false"},
		{"with an endless time", "a", body, 0, map[string]string{"AT": strings.Repeat("9", 5000)}, "false"},
		{"with an id beyond ASCII", "a", body, 0, map[string]string{"ID": "é"}, "false"},
	}
	for language, p := range programs {
		t.Run(language, func(t *testing.T) {
			if _, err := exec.LookPath(p.runner); err != nil && language != "js" && language != "go" {
				t.Skipf("%s is not installed", p.runner)
			}
			_, rest, found := strings.Cut(string(page), "```"+language+"\n")
			code, _, closed := strings.Cut(rest, "```")
			if !found || !closed {
				t.Fatalf("docs/webhooks.md has no code in %s", language)
			}
			file := filepath.Join(t.TempDir(), p.file)
			mustNil(t, os.WriteFile(file, []byte(p.head+code+p.tail), 0o600))
			args := []string{file}
			if language == "go" {
				args = []string{"run", file}
			}
			cmd := exec.CommandContext(t.Context(), p.runner, args...)
			cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
			for n, c := range cases {
				at := time.Now().Add(-c.age)
				signature, err := deliver.SignWebhook(secrets, id, at, []byte(body))
				mustNil(t, err)
				values := map[string]string{"ID": id, "AT": strconv.FormatInt(at.Unix(), 10), "SIGNATURE": signature}
				for name, other := range c.other {
					values[name] = strings.ReplaceAll(other, "%s", signature)
				}
				if c.other != nil && len(c.other) == 0 {
					clear(values)
				}
				values["SECRET"], values["BODY"] = secretOf(c.secret), c.body
				for name, value := range values {
					cmd.Env = append(cmd.Env, "INTEROP_"+name+strconv.Itoa(n)+"="+value)
				}
			}
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			got := strings.Fields(string(out))
			if len(got) != len(cases) {
				t.Fatalf("it said %q, want %d words", out, len(cases))
			}
			for n, c := range cases {
				if got[n] != c.want {
					t.Errorf("%s: %s, want %s", c.what, got[n], c.want)
				}
			}
		})
	}
}
