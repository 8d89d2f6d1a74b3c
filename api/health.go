package api

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"hongyan"
	"hongyan/client"
)

func (a *API) healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, client.Health{Status: "ok"})
}

// readyFor is how long an answer of the store is believed: the check writes to
// the disk, and anybody may ask.
const readyFor = time.Second

// readyTimeout bounds one check.
const readyTimeout = 5 * time.Second

// readiness remembers the store's last answer. Safe for concurrent use.
type readiness struct {
	last   atomic.Pointer[storeAnswer]
	flight singleflight.Group
}

type storeAnswer struct {
	at  time.Time
	err error
}

// check asks the store unless it was asked a moment ago.
func (r *readiness) check(ask func(context.Context) error) error {
	if last := r.last.Load(); last != nil && time.Since(last.at) < readyFor {
		return last.err
	}
	_, err, _ := r.flight.Do("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
		defer cancel()
		err := ask(ctx)
		r.last.Store(&storeAnswer{at: time.Now(), err: err})
		return nil, err
	})
	return err
}

// readyz answers 200 when messages can be taken and sent, else 503 and why.
func (a *API) readyz(w http.ResponseWriter, _ *http.Request) {
	state := client.Readiness{Ready: true, Store: "ok", Engine: "ok"}
	if !a.cfg.Engine.Joined() {
		state.Engine = "not joined: it still takes over what an earlier process left, or another process took over from it"
		state.Ready, state.Reason = false, "engine: "+state.Engine
	}
	if err := a.ready.check(a.cfg.Store.Ready); err != nil {
		state.Store = asShown(err).Message
		state.Ready, state.Reason = false, "store: "+state.Store
	}
	status := http.StatusOK
	if !state.Ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, state)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header()["Content-Type"] = jsonContent
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = encode(w, v)
}

// metricsPage is open on loopback; elsewhere it takes a key.
func (a *API) metricsPage(w http.ResponseWriter, r *http.Request) {
	if !fromLoopback(r) {
		c, err := a.authenticate(r, reader)
		if err == nil && !c.Everything() {
			err = &hongyan.Error{Kind: hongyan.Forbidden, Code: limitedKey.Code, Message: limitedKey.Message}
		}
		if err != nil {
			a.writeError(w, r, err)
			return
		}
	}
	a.metrics.page.ServeHTTP(w, r)
}

// fromLoopback reports whether r was sent on this machine. A request that a
// proxy on this machine handed on was not.
func fromLoopback(r *http.Request) bool {
	if r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
		return false
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}
