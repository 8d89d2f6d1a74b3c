package sandbox_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

// A year at most: longer times overflowed, and a token lived for minus one second.
func TestTimesHaveAnUpperBound(t *testing.T) {
	const year = 365 * 24 * 60 * 60
	s := sandboxtest.New(t)
	for _, tt := range []struct {
		path, format string // of a body with one number
		most         int
	}{
		{"accounts/" + sandbox.SeedServiceAppID, `{"token_ttl":%d}`, year},
		{"accounts/" + sandbox.SeedServiceAppID, `{"token_grace":%d}`, year},
		{"accounts/" + sandbox.SeedServiceAppID, `{"delivery_delay_ms":%d}`, 1000 * year},
		{"accounts/" + sandbox.SeedServiceAppID, `{"delivery_jitter_ms":%d}`, 1000 * year},
		{"accounts/" + sandbox.SeedServiceAppID, `{"prepay_activation_delay_ms":%d}`, 1000 * year},
		{"accounts/" + sandbox.SeedServiceAppID, `{"prepay_activation_jitter_ms":%d}`, 1000 * year},
		{"accounts/" + sandbox.SeedServiceAppID, `{"push_timeout_ms":%d}`, 1000 * year},
		{"accounts/" + sandbox.SeedServiceAppID, `{"mark_fail_block_ms":%d}`, 1000 * year},
		{"accounts/" + sandbox.SeedServiceAppID, `{"user_window_ms":%d}`, 1000 * year},
		{"accounts/" + sandbox.SeedServiceAppID, `{"review_ms":%d}`, 1000 * year},
		{"accounts/" + sandbox.SeedMiniAppID, `{"latency_ms":%d}`, 1000 * year}, // it makes no call
		{"users/" + user + "/payments", `{"activation_delay_ms":%d}`, 1000 * year},
		{"faults", `{"path":"/x","delay_ms":%d}`, 1000 * year},
		{"faults", `{"path":"/x","hang_ms":%d}`, 1000 * year},
		{"faults", `{"path":"/x","drip_ms":%d}`, 1000 * year},
		{"faults", `{"path":"/x","late_event_ms":%d}`, 1000 * year},
		{"presets", `{"name":"token-war","every_ms":%d}`, 1000 * year},
		{"presets", `{"name":"quota-day","remaining":%d}`, math.MaxInt32},
	} {
		field := tt.format[strings.LastIndex(tt.format, ",")+1:]
		field = strings.Trim(field[:strings.Index(field, ":")], `{"`)
		if got := do(t, s, control+tt.path, fmt.Sprintf(tt.format, tt.most)); got.status != 200 {
			t.Errorf("%s of %d: %d %s", field, tt.most, got.status, got.body)
		}
		for _, n := range []int{tt.most + 1, math.MaxInt64} {
			wantRefusal(t, do(t, s, control+tt.path, fmt.Sprintf(tt.format, n)), field)
		}
	}
	if got := plainToken(t, s); got.ExpiresIn != year {
		t.Errorf("expires_in = %d, want %d", got.ExpiresIn, year)
	}
}

func TestAnAccountsNameIsShort(t *testing.T) {
	s := sandboxtest.New(t)
	path := control + "accounts/" + sandbox.SeedServiceAppID
	wantRefusal(t, do(t, s, path, `{"name":"`+strings.Repeat("鸿", 65)+`"}`), "name")
	if got := do(t, s, path, `{"name":"`+strings.Repeat("鸿", 64)+`"}`); got.status != 200 {
		t.Errorf("a name of 64 characters: %s", got.body)
	}
}

func TestEmptyQueryParametersAreAbsent(t *testing.T) {
	s := sandboxtest.New(t)
	do(t, s, with(pathSend, plainToken(t, s).AccessToken), orderBody(user, ""))
	for path, query := range map[string]string{
		"ledger": "appid=&touser=&path=&client_msg_id=&after=&limit=", "traffic": "appid=&openid=&after=&limit=", "users": "q=&limit=",
	} {
		plain := do(t, s, control+path, "")
		if got := do(t, s, control+path+"?"+query, ""); got.status != 200 || got.body != plain.body {
			t.Errorf("%s?%s: %d %s, want %s", path, query, got.status, got.body, plain.body)
		}
	}
	wantRefusal(t, do(t, s, control+"ledger?afterwards=", ""), "afterwards")
}
