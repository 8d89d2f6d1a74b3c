package sandbox_test

import (
	"strconv"
	"strings"
	"testing"

	"hongyan/sandbox/sandboxtest"
)

// exchange is one call and what must come back: the whole body, a rid cut to " rid",
// or only the errcode.
type exchange struct{ name, path, body, want string }

// exchangeAll makes the calls in order, each with the token that fetch gives.
func exchangeAll(t *testing.T, s *sandboxtest.Server, token func() string, all []exchange) {
	t.Helper()
	for _, x := range all {
		got := do(t, s, with(x.path, token()), x.body)
		body := strings.TrimSpace(ridPattern.ReplaceAllString(got.body, ` rid"`))
		if _, err := strconv.Atoi(x.want); err == nil {
			body = strconv.Itoa(codeOf(t, got))
		}
		if body != x.want {
			t.Errorf("%s: %s %s\n got %s\nwant %s", x.name, x.path, x.body, got.body, x.want)
		}
	}
}

// serviceToken and miniTokens are for exchangeAll: always a good token.
func serviceToken(t *testing.T, s *sandboxtest.Server) func() string {
	return func() string { t.Helper(); return stableToken(t, s, false).AccessToken }
}

func miniTokens(t *testing.T, s *sandboxtest.Server) func() string {
	return func() string { t.Helper(); return miniToken(t, s) }
}

func TestABodyMustBeAnObject(t *testing.T) {
	s := sandboxtest.New(t)
	for _, body := range []string{"null", " null\n", "[]", `"x"`, "1", "true"} {
		for _, path := range []string{pathSend, pathAdd, pathQuotaGet} {
			wantCode(t, do(t, s, with(path, serviceToken(t, s)()), body), 47001)
		}
		wantCode(t, do(t, s, pathStable, body), 47001)
		wantCode(t, do(t, s, pathClearV2, body), 47001)
	}
	wantCode(t, do(t, s, with(pathSend, serviceToken(t, s)()), "\r\n\t "+orderBody(user, "")), 0)
}
