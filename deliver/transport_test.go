package deliver

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hongyan"
	"hongyan/internal/guard"
	"hongyan/store"
)

// newRealSender is a Sender without a store, for single calls over real sockets.
func newRealSender(t *testing.T, allow ...string) *Sender {
	t.Helper()
	prefixes, err := guard.ParsePrefixes(allow)
	if err != nil {
		t.Fatal(err)
	}
	transport := NewTransport(guard.New(prefixes).Control)
	t.Cleanup(transport.CloseIdleConnections)
	return New(Config{Store: clock{}, HTTPClient: &http.Client{Transport: transport}})
}

// call posts one push to a downstream at target.
func call(s *Sender, target string) outcome {
	a := &hongyan.Account{AppID: appID, Callback: hongyan.Callback{Token: token}}
	o := newOutlet(a, &hongyan.Downstream{Name: "a", URL: target})
	return s.post(context.Background(), o, &hongyan.Event{OpenID: openID}, []byte("<xml></xml>"))
}

func TestAPrivateAddressIsRefusedUnlessListed(t *testing.T) {
	var hits atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer server.Close()
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254"} {
		out := call(newRealSender(t), "http://"+host+":"+port+"/")
		if out.err == nil || !strings.Contains(out.err.Error(), "allow_private") {
			t.Errorf("%s: %v, want a refusal that names allow_private", host, out.err)
		}
	}
	if hits.Load() != 0 {
		t.Fatal("a refused address was called")
	}
	if out := call(newRealSender(t, "127.0.0.0/8"), server.URL); out.err != nil || hits.Load() != 1 {
		t.Errorf("listed: %v with %d hits, want one", out.err, hits.Load())
	}
}

// TestARedirectLeadsNowhere, not even to an address that is listed.
func TestARedirectLeadsNowhere(t *testing.T) {
	var hits atomic.Int64
	victim := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer victim.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(victim.URL, status))
		if out := call(newRealSender(t, "127.0.0.0/8"), server.URL); out.err == nil || out.status != status {
			t.Errorf("%d: %+v, want a failure", status, out)
		}
		server.Close()
	}
	if hits.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

// TestAnEndlessAnswerIsCutOff: over a real socket, the server can write little more
// than the buffers hold.
func TestAnEndlessAnswerIsCutOff(t *testing.T) {
	wrote := make(chan int64, 1)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		n, _ := io.CopyN(rw, zeros{}, 10<<30)
		wrote <- n
	}))
	defer server.Close()
	out := call(newRealSender(t, "127.0.0.0/8"), server.URL)
	if out.err != nil || len(out.body) > 64<<10+1 {
		t.Errorf("%v with %d bytes, want success and 64 KiB at most", out.err, len(out.body))
	}
	if n := <-wrote; n > 64<<20 {
		t.Errorf("the server wrote %d bytes before the connection ended", n)
	}
}

// TestEndlessHeadersAreCutOff: 10 MB of them are no answer.
func TestEndlessHeadersAreCutOff(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("X-Long", strings.Repeat("x", 10<<20))
	}))
	defer server.Close()
	if out := call(newRealSender(t, "127.0.0.0/8"), server.URL); out.err == nil || !out.outage {
		t.Errorf("%+v, want no answer", out)
	}
}

// TestAnErrorDoesNotTellTheURL: it holds signatures, and may hold the operator's secret.
func TestAnErrorDoesNotTellTheURL(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for _, target := range []string{closed.URL + "/?key=SEKRET", "http://user:SEKRET@127.0.0.1:1/", "http://bad host/?key=SEKRET", "ftp://127.0.0.1/?key=SEKRET", ":"} {
		out := call(newRealSender(t, "127.0.0.0/8"), target)
		if out.err == nil || strings.Contains(out.err.Error(), "SEKRET") || strings.Contains(out.err.Error(), "signature") {
			t.Errorf("%s: %v, want an error without the query", target, out.err)
		}
	}
}

// TestNoProxyComesBetween: the environment's would hide the address from the guard.
func TestNoProxyComesBetween(t *testing.T) {
	if NewTransport(nil).Proxy != nil {
		t.Error("calls would go through a proxy")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// clock is all that a single call needs of a store.
type clock struct{ store.Store }

func (clock) Now() time.Time { return time.Now() }
