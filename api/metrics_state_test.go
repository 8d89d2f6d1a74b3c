package api

import (
	"context"
	"errors"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hongyan"
	"hongyan/sandbox"
	"hongyan/store"
)

// scrape returns the lines of /metrics about what is stuck.
func (g *gateway) scrape() map[string]string {
	g.t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.RemoteAddr = "127.0.0.1:5"
	g.api.Handler().ServeHTTP(w, r)
	lines := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(hongyan_\S+) (\S+)$`).FindAllStringSubmatch(w.Body.String(), -1) {
		lines[m[1]] = m[2]
	}
	return lines
}

func TestMetricsSayWhetherAnythingIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		g.seed()
		g.run()
		synctest.Wait()
		for n := range 2 { // accepted: the sandbox knows no server_url to push to
			if _, err := g.admin.Send(t.Context(), order(sandbox.OpenID("", n))); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if _, err := g.admin.PauseAccount(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		if _, err := g.admin.Send(t.Context(), order(sandbox.OpenID("", 3))); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			g.createBatch()
		}
		if _, err := g.admin.CancelBatch(t.Context(), g.createBatch().ID); err != nil {
			t.Fatal(err)
		}
		at := g.store.Now()
		event := hongyan.Event{AppID: sandbox.SeedServiceAppID, DedupeKey: "k", Type: "subscribe", ReceivedAt: at}
		if _, _, err := g.store.InsertEvent(t.Context(), event); err != nil {
			t.Fatal(err)
		}
		time.Sleep(90 * time.Second)
		synctest.Wait()

		token, err := g.admin.Token(t.Context(), "shop")
		if err != nil || token.RemainingSeconds == 0 {
			t.Fatalf("token %+v, %v", token, err)
		}
		got := g.scrape()
		const shop = `appid="` + sandbox.SeedServiceAppID + `"`
		for line, want := range map[string]string{
			`hongyan_messages_by_state{` + shop + `,state="accepted"}`:                      "2",
			`hongyan_messages_by_state{` + shop + `,state="held"}`:                          "1",
			`hongyan_messages_by_state{` + shop + `,state="uncertain"}`:                     "0",
			`hongyan_messages_by_state{appid="` + sandbox.SeedMiniAppID + `",state="held"}`: "0",
			`hongyan_hold_age_seconds{` + shop + `,kind="all",reason="paused"}`:             "90",
			`hongyan_oldest_due_seconds{` + shop + `,kind="template"}`:                      "90",
			`hongyan_receipts_awaited{` + shop + `}`:                                        "2",
			`hongyan_events_pending`:                                                        "1",
			`hongyan_templates{` + shop + `,status="active"}`:                               "3",
			`hongyan_templates{` + shop + `,status="banned"}`:                               "0",
			`hongyan_batches{` + shop + `,state="open"}`:                                    "2",
			`hongyan_batches{` + shop + `,state="cancelled"}`:                               "1",
			`hongyan_batches{` + shop + `,state="running"}`:                                 "0",
			`hongyan_batches{appid="` + sandbox.SeedMiniAppID + `",state="open"}`:           "0",
			`hongyan_receipts_orphaned`:                                                     "0",
		} {
			if got[line] != want {
				t.Errorf("%s: got %q, want %q", line, got[line], want)
			}
		}
		if left := got[`hongyan_token_left_seconds{`+shop+`}`]; left == "" || left == "0" {
			t.Errorf("token left: got %q of %d s", left, token.RemainingSeconds)
		}
		if left, known := got[`hongyan_token_left_seconds{appid="`+sandbox.SeedMiniAppID+`"}`]; known {
			t.Errorf("an account that never had a token has %s s left", left)
		}
	})
}

// TestMetricsStayBounded has more accounts than series are allowed for.
func TestMetricsStayBounded(t *testing.T) {
	r := reading{}
	for n := range maxScraped + 2 {
		r.accounts = append(r.accounts, hongyan.Account{AppID: strings.Repeat("a", n+1)})
	}
	if got := r.label(r.accounts[maxScraped-1].AppID); got != r.accounts[maxScraped-1].AppID {
		t.Errorf("the last account within bounds is told as %.9s…", got)
	}
	for _, appID := range []string{r.accounts[maxScraped].AppID, "unknown"} {
		if got := r.label(appID); got != otherAccounts {
			t.Errorf("an account beyond the bounds is told as %.9s…", got)
		}
	}
}

// halfBroken is a store whose counters cannot be read.
type halfBroken struct{ store.Store }

func (halfBroken) Counts(context.Context) (map[string]map[hongyan.State]int64, error) {
	return nil, errors.New("broken")
}

func TestMetricsShowWhatCanBeRead(t *testing.T) {
	g := newGateway(t)
	g.seed()
	g.api.cfg.Store = halfBroken{g.store}
	if _, err := g.admin.PauseAccount(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	got := g.scrape()
	if _, known := got[`hongyan_hold_age_seconds{appid="`+sandbox.SeedServiceAppID+`",kind="all",reason="paused"}`]; !known {
		t.Errorf("the holds are missing: %v", got)
	}
	for line := range got {
		if strings.HasPrefix(line, "hongyan_messages_by_state{") {
			t.Errorf("counted without counters: %s", line)
		}
	}
}
