package phone

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"hongyan/sandbox"
)

const (
	// keepAliveEvery is less than the minute after which proxies drop a silent connection.
	keepAliveEvery = 20 * time.Second
	// eventGap gathers a burst of changes: a page cannot be read faster than this.
	eventGap = 80 * time.Millisecond
)

// events is the stream of server-sent events. Each names a part of the page that
// may look different now; the page then fetches that part. So a slow reader gets
// fewer events, never stale ones.
func (s *site) events(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	s.stopWith(r)
	notices := s.box.Watch(ctx)
	v := readView(r)
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(time.Time{}) // the stream outlives any limit meant for answers
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no") // a proxy before us must not gather events
	// Whoever comes back may have missed anything; whoever is new loses nothing.
	writeEvents(w, v, sandbox.Notice{All: true, Traffic: true, Users: true, Clock: true, Accounts: true, Faults: true})
	keepAlive := time.NewTicker(keepAliveEvery)
	defer keepAlive.Stop()
	for out.Flush() == nil {
		select {
		case n, open := <-notices:
			if !open {
				return
			}
			writeEvents(w, v, n)
			if out.Flush() != nil || !s.pause(ctx, eventGap) {
				return
			}
		case <-keepAlive.C:
			fmt.Fprint(w, ": still here\n\n")
		case <-s.stopping:
			return
		}
	}
}

// parts names what a notice changes on the page of v.
func parts(v view, n sandbox.Notice) []string {
	mine := n.All || slices.Contains(n.Inbox, v.User)
	var names []string
	for _, p := range []struct {
		name    string
		changed bool
	}{
		{"screen", mine || n.Users || n.Accounts || n.Clock},
		{"people", n.All || len(n.Inbox) > 0 || n.Users},
		{"actions", n.Users || n.Accounts || n.Clock || mine},
		{"traffic", n.Traffic},
		{"faults", n.Faults},
		{"clock", n.Clock},
	} {
		if p.changed {
			names = append(names, p.name)
		}
	}
	return names
}

func writeEvents(w http.ResponseWriter, v view, n sandbox.Notice) {
	for _, name := range parts(v, n) {
		fmt.Fprintf(w, "event: %s\ndata: -\n\n", name)
	}
}

// stopWith ends the streams when the server begins to stop: it waits for requests
// under way, and a stream would never end by itself.
func (s *site) stopWith(r *http.Request) {
	s.once.Do(func() {
		if srv, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok {
			srv.RegisterOnShutdown(func() { close(s.stopping) })
		}
	})
}

// pause waits and reports false when the stream is to end.
func (s *site) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	case <-s.stopping:
		return false
	}
}
