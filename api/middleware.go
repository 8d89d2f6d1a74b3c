package api

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"hongyan"
	"hongyan/access"
)

const requestIDHeader = "X-Request-Id"

// requestInfo is what handlers registered with huma know of their request.
type requestInfo struct {
	id     string
	caller *access.Caller
	remote string // address without port
	change change
}

type infoKey struct{}

// infoOf returns what is known of a request; an empty one outside of requests.
func infoOf(ctx context.Context) *requestInfo {
	if info, ok := ctx.Value(infoKey{}).(*requestInfo); ok {
		return info
	}
	return &requestInfo{caller: &access.Caller{}}
}

// around does what every request gets: an id, a status to count, and an answer
// even if a handler panics.
func (a *API) around(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		id := requestID(r.Header.Get(requestIDHeader))
		w.Header()[requestIDHeader] = []string{id}
		sw := statusWriters.Get().(*statusWriter)
		*sw = statusWriter{ResponseWriter: w}
		defer func() {
			if fault := recover(); fault != nil {
				a.recovered(sw, r, fault)
			}
			took := time.Since(started)
			a.metrics.observe(r.Pattern, sw.status, took)
			LogRequest(a.log, r, id, sw.status, took)
			sw.ResponseWriter = nil
			statusWriters.Put(sw)
		}()
		mux.ServeHTTP(sw, r)
	})
}

// LogRequest logs a request that was answered, at debug level. The path is
// logged and the query not: queries may carry credentials.
func LogRequest(log *slog.Logger, r *http.Request, id string, status int, took time.Duration) {
	if !log.Enabled(r.Context(), slog.LevelDebug) { // else the arguments alone would cost
		return
	}
	log.DebugContext(r.Context(), "request", "request_id", id, "method", r.Method, "path", r.URL.Path, "route", r.Pattern,
		"status", status, "ms", float64(took.Microseconds())/1000, "remote", r.RemoteAddr)
}

// recovered answers a request whose handler panicked. net/http's own way to
// give up a connection stays what it is.
func (a *API) recovered(w *statusWriter, r *http.Request, fault any) {
	if fault == http.ErrAbortHandler {
		panic(fault)
	}
	err := fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
	if w.status != 0 {
		a.log.ErrorContext(r.Context(), "panic after the answer began", "err", err)
		return
	}
	a.writeError(w, r, err)
}

// statusWriter remembers the status that was written.
type statusWriter struct {
	http.ResponseWriter
	status int
}

var statusWriters = sync.Pool{New: func() any { return new(statusWriter) }}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
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

// maxRequestID bounds a request id of the caller's own, in bytes.
const maxRequestID = 64

// requestID keeps a caller's id if it is harmless in logs, else makes one.
func requestID(given string) string {
	if given == "" || len(given) > maxRequestID {
		return newRequestID()
	}
	for _, c := range []byte(given) {
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
		if !plain {
			return newRequestID()
		}
	}
	return given
}

// newRequestID makes an id to find a request in the log by; it is no secret.
func newRequestID() string {
	const hexDigits = "0123456789abcdef"
	id := []byte("req_0000000000000000")
	for i, n := len("req_"), rand.Uint64(); i < len(id); i, n = i+1, n>>4 {
		id[i] = hexDigits[n&15]
	}
	return string(id)
}

// everyMethod is what the API uses.
var everyMethod = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// notFound answers paths that lead nowhere, and methods a path does not know.
func (a *API) notFound(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range everyMethod {
			probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
			if _, pattern := mux.Handler(probe); pattern != "/" {
				allowed = append(allowed, method)
			}
		}
		if len(allowed) == 0 {
			a.writeError(w, r, &hongyan.Error{Kind: hongyan.NotFound, Code: "unknown_path", Message: "there is nothing at this path", Hint: "See /docs."})
			return
		}
		w.Header()["Allow"] = allowed
		a.writeError(w, r, &hongyan.Error{Kind: hongyan.Invalid, Code: "method_not_allowed",
			Message: fmt.Sprintf("%s is not possible here", clip(r.Method)), Hint: "Possible: " + strings.Join(allowed, ", ") + "."})
	}
}

// clip shortens text of the caller's that is repeated in an answer.
func clip(s string) string {
	if len(s) > maxName {
		return strings.ToValidUTF8(s[:maxName], "") + "…"
	}
	return s
}
