package server

import (
	"testing"

	"hongyan"
	"hongyan/client"
	"hongyan/sandbox"
	"hongyan/store/postgres/postgrestest"
)

// TestMarkedDatabaseSendsNothingByItself: a gateway on a PostgreSQL database that was
// marked sends what is new, and what waited only after a person let it go.
func TestMarkedDatabaseSendsNothingByItself(t *testing.T) {
	const waiting = 20
	box, wechatURL := startSandbox(t)
	config := testConfig(t)
	config.Database = postgrestest.URL(t)
	config.Accounts = []AccountConfig{{AppID: sandbox.SeedServiceAppID, Secret: sandbox.SeedServiceSecret, Alias: "shop", BaseURL: wechatURL,
		Callback: CallbackConfig{Token: sandbox.SeedCallbackToken}}}
	g := startGateway(t, config)
	if _, _, err := MarkRestored(t.Context(), config, environmentOfAll); !hongyan.IsKind(err, hongyan.Conflict) {
		t.Errorf("while it is served: got %v, want a conflict", err)
	}
	if _, err := g.client.SyncTemplates(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	if _, err := g.client.PauseAccount(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	sendAll(t, []*gateway{g}, waiting)
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	r, keyChecked, err := MarkRestored(t.Context(), config, environmentOfAll)
	if err != nil || r.Messages != waiting || r.Held != waiting || r.Uncertain != 0 || !keyChecked {
		t.Fatalf("marked: got %+v, key checked %v, %v", r, keyChecked, err)
	}

	g = startGateway(t, config)
	if err := box.SetServerURL(sandbox.SeedServiceAppID, g.url+"/callback/"+sandbox.SeedServiceAppID, "", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := g.client.ResumeAccount(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	sent, err := g.client.Send(t.Context(), orderTo(sandbox.OpenID("", 1)))
	if err != nil {
		t.Fatal(err)
	}
	g.until(t, sent.ID, func(m client.Message) bool { return m.State == "delivered" })
	if s := box.Stats(); s.Delivered != 1 {
		t.Errorf("%d messages were shown, want the new one", s.Delivered)
	}
	if released, err := g.client.ReleaseRestored(t.Context(), "shop"); err != nil || released.Released != waiting {
		t.Fatalf("released: got %+v, %v", released, err)
	}
	awaitDelivered(t, g, waiting+1)
}
