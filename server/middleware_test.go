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
	"testing/synctest"
	"time"

	"hongyan/sandbox/sandboxtest"
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

// TestABodyThatNeverComesIsNotWaitedFor opens requests whose bodies do not end.
// Each must be answered, and hung up on, within seconds: nobody may hold a
// connection by saying nothing.
func TestABodyThatNeverComesIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := sandboxtest.NewNetwork()
		l, err := network.Listen("gateway")
		if err != nil {
			t.Fatal(err)
		}
		refuse := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Second))
			_, _ = io.ReadAll(r.Body)
			w.WriteHeader(http.StatusBadRequest)
		})
		srv := &http.Server{Handler: base(refuse, slog.New(slog.DiscardHandler)), ReadTimeout: readTimeout, WriteTimeout: writeTimeout}
		go srv.Serve(l)
		defer srv.Close()
		conn, err := network.DialContext(t.Context(), "tcp", "gateway:80")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		began := time.Now()
		if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: gateway\r\nContent-Length: 1000\r\n\r\n<xml>"); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(began.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
			t.Errorf("got %q, %v, want an answer and the end of the connection", answer, err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("hung up after %v, want within 10 s", took)
		}
	})
}
