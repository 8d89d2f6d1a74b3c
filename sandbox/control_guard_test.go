package sandbox_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hongyan/sandbox"
)

// A page of another site in the developer's browser may send requests to loopback, and
// under a name of its own that leads there it may read the answers.
func TestTheControlAPIDoesNotObeyOtherSites(t *testing.T) {
	const own = "http://127.0.0.1:7900"
	for _, tt := range []struct {
		name, method, url string
		header            http.Header
		allow             bool
		want              int
	}{
		{"a command line", "POST", own, nil, false, 200},
		{"by name", "POST", "http://localhost:7900", nil, false, 200},
		{"by IPv6", "POST", "http://[::1]:7900", nil, false, 200},
		{"under localhost", "POST", "http://Sandbox.LOCALHOST.:7900", nil, false, 200},
		{"the network of tests", "POST", "http://sandbox.test", nil, false, 200},
		{"its own page", "POST", own, http.Header{"Origin": {own}, "Sec-Fetch-Site": {"same-origin"}}, false, 200},
		{"its own page in an old browser", "POST", own, http.Header{"Origin": {own}}, false, 200},
		{"another page", "POST", own, http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}, false, 403},
		{"another page in an old browser", "POST", own, http.Header{"Origin": {"https://evil.example"}}, false, 403},
		{"another port of this machine", "POST", own, http.Header{"Origin": {"http://127.0.0.1:8080"}, "Sec-Fetch-Site": {"same-site"}}, false, 403},
		{"a sandboxed frame", "POST", own, http.Header{"Origin": {"null"}}, false, 403},
		{"another page deletes", "DELETE", own, http.Header{"Origin": {"https://evil.example"}}, false, 403},
		{"a name that leads here", "POST", "http://evil.example:7900", nil, false, 403},
		{"a name that leads here, reading", "GET", "http://evil.example:7900", http.Header{"Sec-Fetch-Site": {"same-origin"}}, false, 403},
		{"a name that begins like ours", "GET", "http://localhost.evil.example", nil, false, 403},
		{"an address of the network", "GET", "http://192.0.2.1:7900", nil, false, 403},
		{"allowed", "POST", "http://evil.example:7900", http.Header{"Origin": {"https://evil.example"}}, true, 200},
	} {
		path := map[string]string{"GET": "stats", "POST": "reset", "DELETE": "faults"}[tt.method]
		r := httptest.NewRequest(tt.method, tt.url+control+path, strings.NewReader("{}"))
		r.RemoteAddr, r.Header = "127.0.0.1:5000", tt.header
		if tt.header == nil {
			r.Header = http.Header{}
		}
		got := served(sandbox.New(sandbox.Options{AllowRemote: tt.allow}).Handler(), r)
		if got.status != tt.want {
			t.Errorf("%s: %d %s, want %d", tt.name, got.status, got.body, tt.want)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "http://evil.example"+control+"stats", nil)
	r.RemoteAddr = "127.0.0.1:5000"
	wantControl(t, served(sandbox.New(sandbox.Options{}).Handler(), r), 403,
		`{"error":"sandbox: host: must be localhost, a name under it or under .test, or a loopback address: the control API has no login (--allow-remote lifts this), got evil.example",`+
			`"field":"host","rule":"must be localhost, a name under it or under .test, or a loopback address: the control API has no login (--allow-remote lifts this)","value":"evil.example"}`)
}
