package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"hongyan"
	"hongyan/client"
	"hongyan/store"
)

func TestHealthAndReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		nobody := g.client("")
		if err := nobody.Health(t.Context()); err != nil {
			t.Errorf("health: %v", err)
		}
		got, err := nobody.Ready(t.Context())
		if err != nil || got.Ready || got.Store != "ok" || !strings.HasPrefix(got.Reason, "engine: ") {
			t.Errorf("before the engine runs: %+v, %v", got, err)
		}
		if status := g.do("GET", "/readyz", "").status; status != 503 {
			t.Errorf("status %d, want 503", status)
		}
		g.run()
		synctest.Wait()
		got, err = nobody.Ready(t.Context())
		if want := (client.Readiness{Ready: true, Store: "ok", Engine: "ok"}); err != nil || got != want {
			t.Errorf("while the engine runs: %+v, %v", got, err)
		}
	})
}

func TestReadinessAsksTheStoreAtMostOncePerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r readiness
		asked := 0
		full := &hongyan.Error{Kind: hongyan.Full, Message: "the disk is full"}
		ask := func(context.Context) error { asked++; return full }
		for range 100 {
			if err := r.check(ask); !errors.Is(err, full) {
				t.Fatalf("check: %v, want %v", err, full)
			}
		}
		if asked != 1 {
			t.Errorf("asked %d times, want once", asked)
		}
	})
}

func TestMetricsNeedAKeyOffLoopback(t *testing.T) {
	g := newGateway(t)
	g.do("GET", "/v1/messages", "")
	tests := []struct {
		name, remote, key, forwarded string
		want                         int
	}{
		{"loopback", "127.0.0.1:5", "", "", 200},
		{"loopback of version 6", "[::1]:5", "", "", 200},
		{"a proxy on this machine", "127.0.0.1:5", "", "203.0.113.9", 401},
		{"elsewhere", "192.0.2.1:5", "", "", 401},
		{"elsewhere with a key", "192.0.2.1:5", testAdminKey, "", 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/metrics", nil)
			r.RemoteAddr = tt.remote
			if tt.key != "" {
				r.Header.Set("Authorization", "Bearer "+tt.key)
			}
			if tt.forwarded != "" {
				r.Header.Set("X-Forwarded-For", tt.forwarded)
			}
			w := httptest.NewRecorder()
			g.api.Handler().ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Errorf("status %d, want %d", w.Code, tt.want)
			}
			const line = `hongyan_http_request_seconds_count{route="GET /v1/messages",status="200"} 1`
			if w.Code == 200 && !strings.Contains(w.Body.String(), line) {
				t.Errorf("the page lacks %s", line)
			}
		})
	}
}

func TestMetricsIncludeTheEnginesOwn(t *testing.T) {
	engine := prometheus.NewRegistry()
	engine.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "hongyan_test_gauge"}))
	w := httptest.NewRecorder()
	newMetrics(nil, engine).page.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, name := range []string{"hongyan_test_gauge", "go_goroutines", "process_start_time_seconds"} {
		if !strings.Contains(w.Body.String(), name) {
			t.Errorf("the page lacks %s", name)
		}
	}
}

func TestPathsAndMethodsThatDoNotExist(t *testing.T) {
	g := newGateway(t)
	for _, path := range []string{"/v1", "/v2", "/v1/batch", "/cgi-bin/token", "/v1/messages/"} {
		got := g.do("GET", path, "")
		checkProblem(t, got, got.problem(t), 404, "unknown_path")
	}
	got := g.do("DELETE", "/v1/messages", "")
	checkProblem(t, got, got.problem(t), 405, "method_not_allowed")
	if allow := strings.Join(got.header.Values("Allow"), ","); allow != "GET,POST" {
		t.Errorf("Allow %q, want GET,POST", allow)
	}
	if p := got.problem(t); !strings.HasSuffix(p.Detail, "Possible: GET, POST.") {
		t.Errorf("detail %q, want the methods as words", p.Detail)
	}
}

func TestTheRootLeadsToTheDocuments(t *testing.T) {
	got := newGateway(t).do("GET", "/", "")
	if got.status != http.StatusFound || got.header.Get("Location") != "/docs" {
		t.Errorf("status %d to %q, want 302 to /docs", got.status, got.header.Get("Location"))
	}
}

// TestRequestsAreLoggedInOneShape compares the keys of a request's line with
// those of a push's, which package server tests.
func TestRequestsAreLoggedInOneShape(t *testing.T) {
	var log bytes.Buffer
	g := newGateway(t)
	g.api.log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	g.do("GET", "/v1/messages/msg_1?token=s3cret", "")
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatalf("%s: %v", log.String(), err)
	}
	for _, key := range []string{"request_id", "method", "path", "route", "status", "ms", "remote"} {
		if line[key] == nil || line[key] == "" {
			t.Errorf("the line lacks %s: %s", key, log.String())
		}
	}
	if strings.Contains(log.String(), "s3cret") {
		t.Errorf("the query is logged: %s", log.String())
	}
}

func TestRequestIDs(t *testing.T) {
	g := newGateway(t)
	for given, kept := range map[string]bool{"order-1001.a_b": true, "": false, "with space": false, strings.Repeat("x", 65): false, "日志": false} {
		got := g.do("GET", "/healthz", "", requestIDHeader, given).header.Get(requestIDHeader)
		if (got == given) != kept || got == "" {
			t.Errorf("id %q became %q, kept %v", given, got, kept)
		}
	}
}

// TestPanicsAndFaultsShowARequestIDOnly plants errors whose text must not leave.
func TestPanicsAndFaultsShowARequestIDOnly(t *testing.T) {
	g := newGateway(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("password=hunter2") })
	mux.HandleFunc("GET /fault", func(w http.ResponseWriter, r *http.Request) {
		g.api.writeError(w, r, errors.New("password=hunter2"))
	})
	for _, path := range []string{"/panic", "/fault"} {
		w := httptest.NewRecorder()
		g.api.around(mux).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		got := answer{w.Code, w.Header(), w.Body.String()}
		checkProblem(t, got, got.problem(t), 500, "internal")
		if strings.Contains(got.body, "hunter2") {
			t.Errorf("%s shows %s", path, got.body)
		}
	}
}

// failing is a store whose accepts fail.
type failing struct {
	store.Store
	err error
}

func (f failing) Message(context.Context, string) (hongyan.Message, error) {
	return hongyan.Message{}, f.err
}

func TestPassingConditionsSayWhenToRetry(t *testing.T) {
	g := newGateway(t)
	for _, tt := range []struct {
		err        *hongyan.Error
		status     int
		code, wait string
	}{
		{&hongyan.Error{Kind: hongyan.Full, Code: "disk_full", Message: "the disk is full"}, 507, "disk_full", "30"},
		{&hongyan.Error{Kind: hongyan.Unavailable, Code: "database_busy", Message: "locked"}, 503, "database_busy", "5"},
	} {
		g.api.cfg.Store = failing{g.store, tt.err}
		got := g.do("GET", "/v1/messages/msg_1", "")
		checkProblem(t, got, got.problem(t), tt.status, tt.code)
		if wait := got.header.Get("Retry-After"); wait != tt.wait {
			t.Errorf("Retry-After %q, want %q", wait, tt.wait)
		}
	}
}
