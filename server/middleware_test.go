package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAPanicEndsOnlyItsOwnRequest(t *testing.T) {
	var log bytes.Buffer
	handler := base(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("broken") }), slog.New(slog.NewTextHandler(&log, nil)))
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/callback/wx?signature=s3cret", nil))
	if got, want := answer.Code, http.StatusInternalServerError; got != want {
		t.Errorf("status: got %d, want %d", got, want)
	}
	var problem struct {
		RequestID string `json:"request_id"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&problem); err != nil {
		t.Fatal(err)
	}
	id := answer.Header().Get(requestIDHeader)
	if problem.RequestID == "" || problem.RequestID != id || !strings.Contains(log.String(), id) {
		t.Errorf("request id: problem %q, header %q, log %s", problem.RequestID, id, log.String())
	}
	if strings.Contains(log.String(), "s3cret") {
		t.Error("the log holds the query")
	}
}

func TestRequestsAreLoggedAtDebugOnly(t *testing.T) {
	for _, tt := range []struct {
		level slog.Level
		want  bool
	}{{slog.LevelDebug, true}, {slog.LevelInfo, false}} {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: tt.level}))
		handler := base(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "success") }), logger)
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/callback/wx", nil))
		if got := strings.Contains(log.String(), "status=200"); got != tt.want {
			t.Errorf("at %v: logged %v, want %v: %s", tt.level, got, tt.want, log.String())
		}
	}
}

func TestPushesAreLoggedLikeRequests(t *testing.T) {
	var log bytes.Buffer
	mux := http.NewServeMux()
	mux.Handle("/callback/{appid}", base(http.NotFoundHandler(), slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/callback/wx?signature=s3cret", nil))
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatalf("%s: %v", log.String(), err)
	}
	for _, key := range []string{"request_id", "method", "path", "route", "status", "ms", "remote"} {
		if _, ok := line[key]; !ok {
			t.Errorf("the line lacks %s: %s", key, log.String())
		}
	}
	if strings.Contains(log.String(), "s3cret") {
		t.Errorf("the query is logged: %s", log.String())
	}
}

// TestARefusedPushMayFinishWriting writes a large body to its end before it
// looks for the answer.
func TestARefusedPushMayFinishWriting(t *testing.T) {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	srv := httptest.NewServer(base(refuse, slog.New(slog.DiscardHandler)))
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := strings.Repeat("x", 10<<20)
	if _, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
		t.Fatalf("cut off while writing: %v", err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("got %v, %v, want status 403", res, err)
	}
}
