package sandbox_test

import (
	"bufio"
	"context"
	"net/http"
	"testing"

	"hongyan/sandbox/sandboxtest"
)

// eventStream reads GET /sandbox/v1/events event by event.
type eventStream struct {
	t     *testing.T
	lines *bufio.Reader
	close func()
}

func openEvents(t *testing.T, s *sandboxtest.Server, lastID string) *eventStream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/sandbox/v1/events", nil)
	mustNil(t, err)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := s.Client.Do(req)
	mustNil(t, err)
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	return &eventStream{t, bufio.NewReader(resp.Body), func() { cancel(); _ = resp.Body.Close() }}
}

// next is everything up to the next empty line.
func (e *eventStream) next() string {
	e.t.Helper()
	event := ""
	for {
		line, err := e.lines.ReadString('\n')
		if err != nil {
			e.t.Fatalf("the stream ended after %q: %v", event, err)
		}
		if line == "\n" {
			return event
		}
		event += line
	}
}
