package server

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"hongyan/api"
)

// requestIDHeader names a request in the answer, in problems and in the log.
const requestIDHeader = "X-Request-Id"

// base wraps what is served beside the API, which does the same for itself:
// each request gets an id, a panic ends only its own request, and at debug
// level every request is logged.
func base(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := newRequestID()
		r.Header.Set(requestIDHeader, id) // ours, whatever came: an id from outside could be repeated or forged
		w.Header().Set(requestIDHeader, id)
		sw := &statusWriter{ResponseWriter: w, request: r}
		start := time.Now()
		defer func() { api.LogRequest(log, r, id, sw.status, time.Since(start)) }()
		defer recovered(log, r, sw)
		next.ServeHTTP(sw, r)
	})
}

func newRequestID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return "req_" + hex.EncodeToString(b[:])
}

// recovered turns a panic into a 500 that tells nothing but the request id.
func recovered(log *slog.Logger, r *http.Request, w *statusWriter) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p) // the way to drop a connection on purpose
	}
	id := r.Header.Get(requestIDHeader)
	log.Error("panic", "request_id", id, "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if w.status != 0 {
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusInternalServerError)
	fmt.Fprintf(w, `{"title":"Internal error","status":500,"code":"internal","detail":"something broke on our side; the log has it under the request id","request_id":%q,"retryable":true}`+"\n", id)
}

// statusWriter remembers the status, and lets whoever is refused finish writing.
type statusWriter struct {
	http.ResponseWriter
	request *http.Request
	status  int // 0 = nothing written yet
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	if status >= http.StatusBadRequest {
		api.DrainBody(w.ResponseWriter, w.request)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
