package sandbox_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

const (
	pathToken    = "/cgi-bin/token"
	pathStable   = "/cgi-bin/stable_token"
	pathSend     = "/cgi-bin/message/template/send"
	pathMiniSend = "/cgi-bin/message/wxopen/template/send"
	pathList     = "/cgi-bin/template/get_all_private_template"
	pathAdd      = "/cgi-bin/template/api_add_template"
	pathDelete   = "/cgi-bin/template/del_private_template"
	pathDomainIP = "/cgi-bin/get_api_domain_ip"
)

var user = sandbox.OpenID("", 1)

// reply is an HTTP answer with its body read.
type reply struct {
	status int
	header http.Header
	body   string
}

// do makes one call; body "" is GET, anything else POST.
func do(t *testing.T, s *sandboxtest.Server, target, body string) reply {
	t.Helper()
	method, reader := http.MethodGet, io.Reader(nil)
	if body != "" {
		method, reader = http.MethodPost, strings.NewReader(body)
	}
	got, err := try(s, method, target, reader)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return got
}

func try(s *sandboxtest.Server, method, target string, body io.Reader) (reply, error) {
	req, err := http.NewRequest(method, s.URL+target, body)
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.Client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(b)}, err
}

var ridPattern = regexp.MustCompile(` rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}"`)

// wantBody compares the wire bytes; a rid must be well formed and is cut first.
func wantBody(t *testing.T, got reply, want string) {
	t.Helper()
	if diff := cmp.Diff(want, ridPattern.ReplaceAllString(got.body, ` rid"`)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if got.status != http.StatusOK {
		t.Errorf("status = %d, want 200", got.status)
	}
}

// wantCode compares the errcode only.
func wantCode(t *testing.T, got reply, want int) {
	t.Helper()
	if code := codeOf(t, got); code != want {
		t.Errorf("errcode = %d, want %d (body %s)", code, want, got.body)
	}
}

func codeOf(t *testing.T, got reply) int {
	t.Helper()
	var v struct {
		ErrCode int `json:"errcode"`
	}
	mustDecode(t, got, &v)
	return v.ErrCode
}

func mustDecode(t *testing.T, got reply, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(got.body), v); err != nil {
		t.Fatalf("decode %q: %v", got.body, err)
	}
}

type tokenBody struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
}

func tokenTarget(appid, secret string) string {
	return fmt.Sprintf("%s?grant_type=client_credential&appid=%s&secret=%s", pathToken, appid, secret)
}

// plainToken fetches a token of the service account.
func plainToken(t *testing.T, s *sandboxtest.Server) tokenBody {
	t.Helper()
	var v tokenBody
	mustDecode(t, do(t, s, tokenTarget(sandbox.SeedServiceAppID, sandbox.SeedServiceSecret), ""), &v)
	return v
}

// stableToken fetches one from the stable endpoint.
func stableToken(t *testing.T, s *sandboxtest.Server, force bool) tokenBody {
	t.Helper()
	var v tokenBody
	mustDecode(t, do(t, s, pathStable, stableBody(force)), &v)
	return v
}

func stableBody(force bool) string {
	return fmt.Sprintf(`{"grant_type":"client_credential","appid":%q,"secret":%q,"force_refresh":%t}`,
		sandbox.SeedServiceAppID, sandbox.SeedServiceSecret, force)
}

func miniToken(t *testing.T, s *sandboxtest.Server) string {
	t.Helper()
	var v tokenBody
	mustDecode(t, do(t, s, tokenTarget(sandbox.SeedMiniAppID, sandbox.SeedMiniSecret), ""), &v)
	return v.AccessToken
}

// with appends the token.
func with(path, token string) string { return path + "?access_token=" + token }

// orderBody is a valid send of SeedTemplateOrder; extra goes before data.
func orderBody(openid, extra string) string {
	return fmt.Sprintf(`{"touser":%q,"template_id":%q,%s"data":{"character_string1":{"value":"A1001"},`+
		`"thing2":{"value":"巧克力"},"amount3":{"value":"￥39.80"},"time4":{"value":"2026-11-20 10:15"}}}`,
		openid, sandbox.SeedTemplateOrder, extra)
}

func clientID(id string) string { return fmt.Sprintf(`"client_msg_id":%q,`, id) }

func mustNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// advance moves the sandbox's clock.
func advance(t *testing.T, s *sandboxtest.Server, d time.Duration) {
	t.Helper()
	mustNil(t, s.Sandbox.Advance(d))
}

// lastRow is the newest ledger entry.
func lastRow(t *testing.T, s *sandboxtest.Server) sandbox.LedgerEntry {
	t.Helper()
	rows := s.Sandbox.Ledger(sandbox.LedgerFilter{})
	if len(rows) == 0 {
		t.Fatal("the ledger is empty")
	}
	return rows[len(rows)-1]
}
