package api

import (
	"testing"

	"hongyan"
	"hongyan/client"
	"hongyan/sandbox"
)

func TestPushesOfEveryAccountTheKeyCovers(t *testing.T) {
	g := newGateway(t)
	g.seed()
	for n, appID := range []string{sandbox.SeedServiceAppID, sandbox.SeedMiniAppID, sandbox.SeedServiceAppID, "wx0f1e2d3c4b5a6978"} {
		e := hongyan.Event{AppID: appID, DedupeKey: string(rune('a' + n)), Type: "subscribe", OpenID: string(rune('a' + n)), ReceivedAt: g.store.Now()}
		if _, _, err := g.store.InsertEvent(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	both := g.client(g.key("sender", sandbox.SeedServiceAppID, sandbox.SeedMiniAppID).Key)
	one := g.client(g.key("sender", sandbox.SeedMiniAppID).Key)
	for name, tt := range map[string]struct {
		client *client.Client
		filter client.PushFilter
		want   string
	}{
		"all":                        {g.admin, client.PushFilter{}, "dcba"},
		"all, page by page":          {g.admin, client.PushFilter{Limit: 1}, "dcba"},
		"two accounts":               {both, client.PushFilter{}, "cba"},
		"two accounts, page by page": {both, client.PushFilter{Limit: 1}, "cba"},
		"one account of the key":     {one, client.PushFilter{}, "b"},
		"one account asked for":      {g.admin, client.PushFilter{AppID: "shop"}, "ca"},
	} {
		got := ""
		for more := true; more; {
			page, err := tt.client.Pushes(t.Context(), tt.filter)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, e := range page.Items {
				got += e.OpenID
			}
			if more = page.NextCursor != nil; more {
				tt.filter.Cursor = *page.NextCursor
			}
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}
