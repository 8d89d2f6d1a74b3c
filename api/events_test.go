package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hongyan"
	"hongyan/client"
	"hongyan/sandbox"
)

// streaming is a client that reaches the gateway over a connection.
func (g *gateway) streaming() *client.Client {
	g.sandbox.RegisterHost("gateway.test", g.api.Handler())
	c := client.New("http://gateway.test", testAdminKey)
	c.HTTPClient = g.sandbox.Client
	return c
}

func (g *gateway) tell(appID string, types ...string) {
	g.t.Helper()
	for _, typ := range types {
		if err := g.store.PutNews(g.t.Context(), []hongyan.News{{Type: typ, AppID: appID}}); err != nil {
			g.t.Fatal(err)
		}
	}
	time.Sleep(100 * time.Millisecond)
}

// next is the type of the next event, or of what came in its place.
func next(t *testing.T, s *client.EventStream) string {
	t.Helper()
	e, err := s.Next()
	var gap *client.EventGap
	switch {
	case errors.As(err, &gap):
		return "gap " + gap.Reason
	case errors.Is(err, io.EOF):
		return "end"
	case err != nil:
		t.Fatal(err)
	}
	return e.Type
}

func TestAStreamOfEventsGoesOnWhereItWasCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		g.seed()
		g.runHerald()
		c := g.streaming()
		g.tell(sandbox.SeedServiceAppID, hongyan.NewsQuota) // nobody listens: not kept
		ctx, cancel := context.WithCancel(t.Context())
		s, err := c.StreamEvents(ctx, client.EventFilter{})
		if err != nil {
			t.Fatal(err)
		}
		g.tell(sandbox.SeedServiceAppID, hongyan.NewsRuleFired)
		if got := next(t, s); got != "rule.fired" {
			t.Fatalf("got %s", got)
		}
		last := s.LastID()
		cancel()
		g.tell(sandbox.SeedServiceAppID, hongyan.NewsBatchFinished, hongyan.NewsConsentLow)
		again, err := c.StreamEvents(t.Context(), client.EventFilter{After: last})
		if err != nil {
			t.Fatal(err)
		}
		if got := next(t, again) + " " + next(t, again); got != "batch.finished consent.low" {
			t.Errorf("after the cut: %s", got)
		}
		time.Sleep(time.Minute) // heartbeats are passed over
		g.tell(sandbox.SeedMiniAppID, hongyan.NewsQuota)
		if got := next(t, again); got != "quota.threshold" {
			t.Errorf("after a minute: %s", got)
		}
		g.api.EndStreams()
		if got := next(t, again); got != "end" {
			t.Errorf("when the gateway stops: %s", got)
		}
	})
}

func TestAStreamSaysWhatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		g.seed()
		g.runHerald()
		c := g.streaming()
		begin := func(f client.EventFilter) *client.EventStream {
			s, err := c.StreamEvents(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return s
		}
		s := begin(client.EventFilter{})
		g.tell("", hongyan.NewsQuota)
		if got := next(t, s); got != "quota.threshold" {
			t.Fatal(got)
		}
		last := s.LastID()
		_ = s.Close()
		time.Sleep(2 * time.Hour)
		if got := next(t, begin(client.EventFilter{After: last})); got != "gap not_written" {
			t.Errorf("after two hours nobody listened: %s", got)
		}
		if got := next(t, begin(client.EventFilter{After: hongyan.NewsEventID(999, time.Now())})); got != "gap unknown" {
			t.Errorf("behind an event that never was: %s", got)
		}
		time.Sleep(8 * 24 * time.Hour)
		g.tell("", hongyan.NewsRuleFired)
		if _, err := g.store.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		list, err := g.admin.Events(t.Context(), client.EventFilter{After: hongyan.NewsEventID(0, time.Now())})
		if err != nil || list.Gap == nil || list.Gap.Reason != "removed" {
			t.Errorf("behind what was removed: %+v, %v", list.Gap, err)
		}
	})
}

func TestEventsAreListedByTypeAccountTimeAndPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		g.seed()
		g.runHerald()
		if _, err := g.admin.Events(t.Context(), client.EventFilter{}); err != nil { // somebody listens
			t.Fatal(err)
		}
		g.tell(sandbox.SeedServiceAppID, hongyan.NewsQuota, hongyan.NewsRuleFired)
		time.Sleep(time.Minute)
		g.tell(sandbox.SeedMiniAppID, hongyan.NewsBatchFinished)
		mini := g.client(g.key("reader", sandbox.SeedMiniAppID).Key)
		for name, tt := range map[string]struct {
			c    *client.Client
			f    client.EventFilter
			want string
		}{
			"newest first":       {g.admin, client.EventFilter{}, "batch.finished rule.fired quota.threshold"},
			"page by page":       {g.admin, client.EventFilter{Limit: 1}, "batch.finished rule.fired quota.threshold"},
			"by type":            {g.admin, client.EventFilter{Types: []string{"rule.*", "batch.finished"}}, "batch.finished rule.fired"},
			"by account":         {g.admin, client.EventFilter{AppID: "shop"}, "rule.fired quota.threshold"},
			"of a time":          {g.admin, client.EventFilter{Until: client.Time{Time: time.Now().Add(-time.Second)}}, "rule.fired quota.threshold"},
			"of the key's alone": {mini, client.EventFilter{}, "batch.finished"},
		} {
			var got []string
			for more := true; more; {
				page, err := tt.c.Events(t.Context(), tt.f)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				for _, e := range page.Items {
					got = append(got, e.Type)
				}
				if more = page.NextCursor != nil; more {
					tt.f.Cursor = *page.NextCursor
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("%s: got %v, want %s", name, got, tt.want)
			}
		}
		all, err := g.admin.Events(t.Context(), client.EventFilter{})
		if err != nil {
			t.Fatal(err)
		}
		rest, err := g.admin.Events(t.Context(), client.EventFilter{After: all.Items[2].ID, Limit: 1})
		if err != nil || len(rest.Items) != 1 || rest.Items[0].ID != all.Items[1].ID || rest.NextCursor == nil || rest.Gap != nil {
			t.Errorf("behind the first: %+v, %v", rest, err)
		}
	})
}

func TestBadRequestsForEventsAreRefused(t *testing.T) {
	g := newGateway(t)
	for query, pointer := range map[string]string{
		"limit=0": "/query/limit", "limit=x": "/query/limit", "type=message.deliverd": "/query/type", "since=yesterday": "/query/since", "after=5": "/query/after",
		"cursor=x": "/query/cursor", "nothing=1": "/query/nothing", "limit=1&limit=2": "/query/limit", "appid=wx9": "",
	} {
		p := g.do("GET", "/v1/events?"+query, "").problem(t)
		if pointer != "" && (len(p.Errors) != 1 || p.Errors[0].Pointer != pointer) || p.Status < 400 {
			t.Errorf("%s: %+v", query, p)
		}
	}
	if p := g.do("GET", "/v1/events?until=2026-01-01T00:00:00Z", "", "Accept", "text/event-stream").problem(t); p.Code != "bad_parameter" {
		t.Errorf("a stream with an end: %+v", p)
	}
	if got := g.do("GET", "/v1/events", "", "Authorization", ""); got.status != http.StatusUnauthorized {
		t.Errorf("without a key: %d", got.status)
	}
}
