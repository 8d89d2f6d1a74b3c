package server

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
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
