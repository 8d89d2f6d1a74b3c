package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/client"
	"hongyan/sandbox"
	"hongyan/store"
)

// redeliverer hands on with the store alone, as package deliver does before it
// sends anything, and notes what it was asked.
type redeliverer struct {
	store   store.Store
	asked   []string
	dropped []string
	fails   error
}

func (r *redeliverer) Replay(ctx context.Context, a *hongyan.Account, d *hongyan.Downstream, from, until time.Time, types []string) (int, error) {
	r.asked = append(r.asked, fmt.Sprintf("%s from %s until %s %v", d.Target(a.AppID), from.Format(time.RFC3339), until.Format(time.RFC3339), types))
	n, _, err := r.store.ReplayDeliveries(ctx, store.Replay{AppID: a.AppID, Target: d.Target(a.AppID), Types: types, From: from, Until: until, Limit: 1000})
	return n, errors.Join(err, r.fails)
}

func (r *redeliverer) Drop(ctx context.Context, target string) error {
	r.dropped = append(r.dropped, target)
	_, err := r.store.DropDeliveries(ctx, target, 1000)
	return errors.Join(err, r.fails)
}

// newHandedOn is a gateway whose service account has the downstreams crm and erp.
func newHandedOn(t *testing.T) (*gateway, *redeliverer) {
	t.Helper()
	g := newGateway(t)
	r := &redeliverer{store: g.store}
	g.api.cfg.Deliveries = r
	g.seed()
	_, err := g.admin.UpdateAccount(t.Context(), "shop", client.AccountPatch{
		Callback: &client.CallbackInput{Token: new("callbacktoken1"), AESKey: new(testAESKey), Mode: new("safe")},
		Downstreams: &[]client.DownstreamInput{
			{Name: "crm", URL: "http://10.0.0.8:8080/wechat", Sync: true, Events: []string{"text", "subscribe"}, Token: new("crmtoken"), Mode: "plain"},
			{Name: "erp", URL: "https://erp.example.com/wechat", Ordered: true},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return g, r
}

// event stores one of the service account.
func (g *gateway) event(eventType string, at time.Time) int64 {
	g.t.Helper()
	e := hongyan.Event{AppID: sandbox.SeedServiceAppID, DedupeKey: eventType + at.String(), Type: eventType, OpenID: "o1", ReceivedAt: at, Body: []byte("<xml/>")}
	id, _, err := g.store.InsertEvent(g.t.Context(), e)
	if err != nil {
		g.t.Fatal(err)
	}
	return id
}

// push stores an event of the service account, handed on to both.
func (g *gateway) push(eventType string, at time.Time) int64 {
	g.t.Helper()
	id := g.event(eventType, at)
	done := store.EventDone{EventID: id}
	for _, name := range []string{"crm", "erp"} {
		done.Deliveries = append(done.Deliveries, store.NewDelivery{Target: hongyan.DownstreamTarget(sandbox.SeedServiceAppID, name), Key: "o1"})
	}
	if err := g.store.FinishEvents(g.t.Context(), []store.EventDone{done}); err != nil {
		g.t.Fatal(err)
	}
	return id
}

func TestDownstreamsAreShownWithoutTheirSecrets(t *testing.T) {
	g, _ := newHandedOn(t)
	at := hongyan.Millis(g.store.Now())
	g.push("text", at)
	g.push("subscribe", at)
	failed, err := g.store.ClaimDeliveries(t.Context(), store.DeliveryClaim{Target: hongyan.DownstreamTarget(sandbox.SeedServiceAppID, "erp"), Max: 1, Lease: time.Minute})
	if err != nil || len(failed) != 1 {
		t.Fatalf("claimed %v, %v", failed, err)
	}
	if err := g.store.FinishDeliveries(t.Context(), []store.DeliveryResult{{ID: failed[0].ID, Attempts: 1, Status: 503, Error: "answered 503"}}); err != nil {
		t.Fatal(err)
	}
	list, err := g.admin.Downstreams(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	want := []client.DownstreamStatus{
		{Name: "crm", URL: "http://10.0.0.8:8080/wechat", Sync: true, Events: []string{"text", "subscribe"}, Mode: "plain", TokenSet: true, Pending: 2},
		{Name: "erp", URL: "https://erp.example.com/wechat", Ordered: true, Events: []string{}, Mode: "safe", Pending: 2, LastError: "answered 503"},
	}
	for i := range list.Items {
		if list.Items[i].OldestPendingAt.Or().Before(at) {
			t.Errorf("%s: oldest_pending_at %v, want not before %v", list.Items[i].Name, list.Items[i].OldestPendingAt, at)
		}
		list.Items[i].OldestPendingAt = nil
	}
	if diff := cmp.Diff(want, list.Items); diff != "" {
		t.Errorf("downstreams (-want +got):\n%s", diff)
	}
}

func TestAPatchOfDownstreamsReplacesTheListAndKeepsSecretsByName(t *testing.T) {
	g, r := newHandedOn(t)
	if _, err := g.admin.PauseDownstream(t.Context(), "shop", "erp"); err != nil {
		t.Fatal(err)
	}
	g.push("text", g.store.Now())
	steps := []struct {
		name, list string
		want       []string // name, token, paused
		dropped    []string
	}{
		{"left out: as it was", `[{"name":"erp","url":"http://10.0.0.9"},{"name":"crm","url":"http://10.0.0.8"}]`, []string{"erp  true", "crm crmtoken false"}, nil},
		{"set and resumed", `[{"name":"crm","url":"http://10.0.0.8","token":"crmtoken2"},{"name":"erp","url":"http://10.0.0.9","token":"erptoken","paused":false}]`, []string{"crm crmtoken2 false", "erp erptoken false"}, nil},
		{"empty: cleared", `[{"name":"crm","url":"http://10.0.0.8","token":""},{"name":"erp","url":"http://10.0.0.9"}]`, []string{"crm  false", "erp erptoken false"}, nil},
		{"another name is another downstream", `[{"name":"erp2","url":"http://10.0.0.9"}]`, []string{"erp2  false"}, []string{"crm", "erp"}},
		{"none", `[]`, nil, []string{"erp2"}},
	}
	for _, step := range steps {
		r.dropped = nil
		if got := g.do("PATCH", "/v1/accounts/shop", `{"downstreams":`+step.list+`}`); got.status != 200 {
			t.Fatalf("%s: %d %s", step.name, got.status, got.body)
		}
		a, err := g.store.Account(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		var got, dropped []string
		for _, d := range a.Downstreams {
			got = append(got, fmt.Sprintf("%s %s %v", d.Name, d.Token.Reveal(), d.Paused))
		}
		for _, target := range r.dropped {
			dropped = append(dropped, strings.TrimPrefix(target, a.AppID+"/"))
		}
		if !slices.Equal(got, step.want) || !slices.Equal(dropped, step.dropped) {
			t.Errorf("%s: got %q, dropped %q, want %q and %q", step.name, got, dropped, step.want, step.dropped)
		}
	}
	left, err := g.store.ListDeliveries(t.Context(), store.DeliveryFilter{AppID: sandbox.SeedServiceAppID, Limit: 10})
	if err != nil || len(left) != 0 {
		t.Errorf("deliveries %v, %v, want none left", left, err)
	}
}

func TestARemovedDownstreamIsGoneEvenIfDroppingFails(t *testing.T) {
	g, r := newHandedOn(t)
	r.fails = errors.New("disk on fire")
	a, err := g.admin.UpdateAccount(t.Context(), "shop", client.AccountPatch{Downstreams: &[]client.DownstreamInput{}})
	if err != nil || len(a.Downstreams) != 0 {
		t.Errorf("%v, %v, want the account without downstreams", a.Downstreams, err)
	}
}

func TestPauseAndResumeADownstream(t *testing.T) {
	g, _ := newHandedOn(t)
	g.changed = nil
	paused, err := g.admin.PauseDownstream(t.Context(), "shop", "crm")
	if err != nil || !paused.Paused || paused.Name != "crm" {
		t.Fatalf("%+v, %v, want crm paused", paused, err)
	}
	a, err := g.admin.Account(t.Context(), "shop")
	if err != nil || !a.Downstreams[0].Paused || a.Downstreams[1].Paused || !a.Downstreams[0].TokenSet {
		t.Errorf("%+v, %v, want crm alone paused and its token kept", a.Downstreams, err)
	}
	resumed, err := g.admin.ResumeDownstream(t.Context(), "shop", "crm")
	if err != nil || resumed.Paused {
		t.Errorf("%+v, %v, want crm resumed", resumed, err)
	}
	if want := slices.Repeat([]string{sandbox.SeedServiceAppID}, 2); !slices.Equal(g.changed, want) {
		t.Errorf("changed %v, want %v", g.changed, want)
	}
	_, err = g.admin.PauseDownstream(t.Context(), "shop", "nobody")
	wantProblem(t, err, 404, "unknown_downstream")
	_, err = g.client(g.key("reader").Key).PauseDownstream(t.Context(), "shop", "crm")
	wantProblem(t, err, 403, "role_too_low")
	_, err = g.client(g.key("admin", sandbox.SeedMiniAppID).Key).PauseDownstream(t.Context(), "shop", "crm")
	wantProblem(t, err, 403, "account_not_covered")
}

// TestChangesOfOneAccountTakeTurns: each reads what the one before stored.
func TestChangesOfOneAccountTakeTurns(t *testing.T) {
	g, _ := newHandedOn(t)
	failures := make(chan error)
	for _, name := range []string{"crm", "erp"} {
		go func() {
			_, err := g.admin.PauseDownstream(context.Background(), "shop", name)
			failures <- err
		}()
	}
	for range 2 {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}
	a, err := g.admin.Account(t.Context(), "shop")
	if err != nil || !a.Downstreams[0].Paused || !a.Downstreams[1].Paused {
		t.Errorf("%+v, %v, want both paused", a.Downstreams, err)
	}
}

func TestReplayHandsOnAgain(t *testing.T) {
	g, r := newHandedOn(t)
	now := hongyan.Millis(g.store.Now())
	g.event("text", now.Add(-time.Hour))
	g.event("view", now.Add(-time.Minute))
	from := client.Time{Time: now.Add(-2 * time.Hour)}
	for _, step := range []struct {
		downstream string
		replay     client.Replay
		want       int
		asked      string // types
	}{
		{"erp", client.Replay{From: from}, 2, "[]"},
		{"erp", client.Replay{From: from, Until: client.At(now.Add(-30 * time.Minute))}, 1, "[]"},
		{"erp", client.Replay{From: from, Events: []string{"view"}}, 1, "[view]"},
		{"crm", client.Replay{From: from}, 1, "[text subscribe]"},
	} {
		got, err := g.admin.ReplayDownstream(t.Context(), "shop", step.downstream, step.replay)
		if err != nil || got.Count != step.want {
			t.Errorf("%s %+v: %+v, %v, want %d", step.downstream, step.replay, got, err, step.want)
		}
		if err := r.Drop(t.Context(), hongyan.DownstreamTarget(sandbox.SeedServiceAppID, step.downstream)); err != nil {
			t.Fatal(err)
		}
		if last := r.asked[len(r.asked)-1]; !strings.HasSuffix(last, step.asked) {
			t.Errorf("asked %s, want the types %s", last, step.asked)
		}
	}
}

func TestBadReplays(t *testing.T) {
	g, r := newHandedOn(t)
	old := g.store.Now().Add(-31 * 24 * time.Hour).UTC().Format(time.RFC3339)
	soon := g.store.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for _, tt := range []struct {
		body          string
		status        int
		code, pointer string
	}{
		{`{}`, 422, "invalid_replay", "/from"},
		{`{"from":"` + old + `"}`, 422, "invalid_replay", "/from"},
		{`{"from":"` + soon + `"}`, 422, "invalid_replay", "/from"},
		{`{"from":"yesterday"}`, 422, "bad_time", "/from"},
		{`{"from":1763600000}`, 400, "wrong_type", "/from"},
		{`{"from":"` + g.store.Now().UTC().Add(-time.Hour).Format(time.RFC3339) + `","until":"` + old + `"}`, 422, "invalid_replay", "/until"},
		{`{"from":"` + g.store.Now().UTC().Add(-time.Hour).Format(time.RFC3339) + `","events":["TEXT"]}`, 422, "invalid_replay", "/events/0"},
		{`{"since":"` + old + `"}`, 400, "unknown_field", "/since"},
	} {
		got := g.do("POST", "/v1/accounts/shop/downstreams/erp/replay", tt.body)
		p := got.problem(t)
		checkProblem(t, got, p, tt.status, tt.code)
		if len(p.Errors) != 1 || p.Errors[0].Pointer != tt.pointer {
			t.Errorf("%s: errors %v, want one at %s", tt.body, p.Errors, tt.pointer)
		}
	}
	if len(r.asked) > 0 {
		t.Errorf("replayed: %v", r.asked)
	}
	g.api.cfg.Deliveries = nil
	_, err := g.admin.ReplayDownstream(t.Context(), "shop", "erp", client.Replay{From: client.Time{Time: g.store.Now().Add(-time.Hour)}})
	wantProblem(t, err, 503, "unavailable")
}

func TestDeliveriesAreListed(t *testing.T) {
	g, _ := newHandedOn(t)
	at := g.store.Now()
	first := g.push("text", at.Add(-time.Minute))
	g.push("subscribe", at)
	claimed, err := g.store.ClaimDeliveries(t.Context(), store.DeliveryClaim{Target: hongyan.DownstreamTarget(sandbox.SeedServiceAppID, "crm"), Max: 1, Lease: time.Minute})
	if err != nil || len(claimed) != 1 {
		t.Fatalf("claimed %v, %v", claimed, err)
	}
	done := store.DeliveryResult{ID: claimed[0].ID, Attempts: claimed[0].Attempts, State: hongyan.DeliveryGaveUp, Status: 500, Error: "answered 500", Took: 12 * time.Millisecond}
	if err := g.store.FinishDeliveries(t.Context(), []store.DeliveryResult{done}); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"":                               "subscribe/erp subscribe/crm text/erp text/crm",
		"downstream=crm":                 "subscribe/crm text/crm",
		"state=gave_up":                  "text/crm",
		"state=pending,delivered":        "subscribe/erp subscribe/crm text/erp",
		"event=" + id64(first):           "text/erp text/crm",
		"downstream=erp&state=delivered": "",
	} {
		if got := g.deliveries(query); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
	page, err := g.admin.Deliveries(t.Context(), "shop", client.DeliveryFilter{States: []string{"gave_up"}})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%v, %v", page.Items, err)
	}
	if d := page.Items[0]; d.LastStatus == nil || *d.LastStatus != 500 || d.LastError != "answered 500" || d.LastTookMS != 12 || d.Attempts != 1 || d.DueAt != nil || d.EndedAt == nil || d.OpenID != "o1" {
		t.Errorf("got %+v", d)
	}
}

// deliveries lists type/downstream of what a query finds, read two by two.
func (g *gateway) deliveries(query string) string {
	g.t.Helper()
	var found []string
	f := client.DeliveryFilter{Limit: 2}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		switch name {
		case "downstream":
			f.Downstream = value
		case "event":
			f.Event = value
		case "state":
			f.States = strings.Split(value, ",")
		}
	}
	for more := true; more; {
		page, err := g.admin.Deliveries(g.t.Context(), "shop", f)
		if err != nil {
			g.t.Fatal(err)
		}
		for _, d := range page.Items {
			found = append(found, d.EventType+"/"+d.Downstream)
		}
		if more = page.NextCursor != nil; more {
			f.Cursor = *page.NextCursor
		}
	}
	return strings.Join(found, " ")
}

func TestBadDeliveryFilters(t *testing.T) {
	g, _ := newHandedOn(t)
	for query, want := range map[string][2]string{
		"downstream=nobody": {"unknown_downstream", "/query/downstream"},
		"event=evt_1":       {"bad_parameter", "/query/event"},
		"event=0":           {"bad_parameter", "/query/event"},
		"state=failed":      {"unknown_state", "/query/state"},
		"cursor=x":          {"bad_cursor", "/query/cursor"},
		"limit=0":           {"bad_parameter", "/query/limit"},
		"target=x":          {"bad_parameter", "/query/target"},
	} {
		got := g.do("GET", "/v1/accounts/shop/deliveries?"+query, "")
		p := got.problem(t)
		if got.status != 422 || p.Code != want[0] || len(p.Errors) != 1 || p.Errors[0].Pointer != want[1] {
			t.Errorf("%s: status %d, problem %+v, want %v", query, got.status, p, want)
		}
	}
}
