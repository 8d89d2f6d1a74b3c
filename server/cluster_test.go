package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
	"hongyan/store/postgres/postgrestest"
)

// startNodes runs n servers at once on one empty PostgreSQL database.
func startNodes(t *testing.T, n int, wechatURL string, change func(*Config)) []*gateway {
	t.Helper()
	database := postgrestest.URL(t)
	nodes := make([]*gateway, n)
	configs := make([]Config, n)
	for i := range configs {
		configs[i] = testConfig(t)
		configs[i].Database = database
		configs[i].Accounts = []AccountConfig{{AppID: sandbox.SeedServiceAppID, Secret: sandbox.SeedServiceSecret, Alias: "shop", BaseURL: wechatURL,
			Callback: CallbackConfig{Token: sandbox.SeedCallbackToken}}}
		if change != nil {
			change(&configs[i])
		}
	}
	for i := range nodes {
		nodes[i] = startGateway(t, configs[i])
	}
	return nodes
}

// TestThreeServersSendEachMessageOnce: accepted by any of them, sent by any of them, one
// message per row, one receipt per message.
func TestThreeServersSendEachMessageOnce(t *testing.T) {
	const total = 1000
	box, wechatURL := startSandbox(t)
	nodes := startNodes(t, 3, wechatURL, nil)
	if err := box.SetServerURL(sandbox.SeedServiceAppID, nodes[1].url+"/callback/"+sandbox.SeedServiceAppID, "", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := nodes[0].client.SyncTemplates(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	// What is queued while the account is paused is claimed by all three afterwards.
	if _, err := nodes[2].client.PauseAccount(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	sendAll(t, nodes, total/2)
	if _, err := nodes[1].client.ResumeAccount(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	sendAll(t, nodes, total/2)
	awaitDelivered(t, nodes[0], total)
	sent := map[string]int{}
	for _, entry := range box.Ledger(sandbox.LedgerFilter{Path: "/cgi-bin/message/template/send", Limit: 10_000}) {
		sent[entry.ClientMsgID]++
	}
	if len(sent) != total {
		t.Errorf("%d messages reached WeChat, want %d", len(sent), total)
	}
	for id, n := range sent {
		if n != 1 {
			t.Errorf("message %s was sent %d times", id, n)
		}
	}
	if s := box.Stats(); s.Delivered != total {
		t.Errorf("%d messages were shown, want %d", s.Delivered, total)
	}
	if fetches := box.Stats().TokenFetches[sandbox.SeedServiceAppID]; fetches["stable"]+fetches["plain"] != 1 {
		t.Errorf("tokens fetched: %v, want one", fetches)
	}
}

// sendAll sends n messages through all nodes in turn.
func sendAll(t *testing.T, nodes []*gateway, n int) {
	t.Helper()
	const callers = 12
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := c; i < n; i += callers {
				if _, err := nodes[i%len(nodes)].client.Send(t.Context(), orderTo(sandbox.OpenID("", 1+i))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// awaitDelivered waits until n messages are delivered and none is anything else.
func awaitDelivered(t *testing.T, g *gateway, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		states := map[string]int{}
		for m, err := range g.client.AllMessages(ctx, client.MessageFilter{AppID: "shop", Limit: 1000}) {
			if err != nil {
				t.Fatalf("%v; by then %v", err, states)
			}
			states[m.State]++
		}
		if states["delivered"] == n && len(states) == 1 {
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("got %v, want %d delivered; the first node's log:\n%s", states, n, g.log)
		}
	}
}

// TestTwoHundredColdClientsOnThreeServersMakeOneTokenCall: the clients speak WeChat's
// own API, and none has a token yet.
func TestTwoHundredColdClientsOnThreeServersMakeOneTokenCall(t *testing.T) {
	const clients = 200
	box, wechatURL := startSandbox(t)
	nodes := startNodes(t, 3, wechatURL, nil)
	var mu sync.Mutex
	tokens := map[string]int{}
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			token, err := wechatToken(t.Context(), nodes[i%3].url)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			tokens[token]++
		})
	}
	wg.Wait()
	fetches := box.Stats().TokenFetches[sandbox.SeedServiceAppID]
	if len(tokens) != 1 || fetches["stable"]+fetches["plain"] != 1 {
		t.Errorf("%d tokens, fetched %v; want one, fetched once", len(tokens), fetches)
	}
}

// wechatToken asks a gateway for a token as an SDK asks WeChat.
func wechatToken(ctx context.Context, url string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/cgi-bin/token?grant_type=client_credential&appid="+
		sandbox.SeedServiceAppID+"&secret="+sandbox.SeedServiceSecret, nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	var got struct {
		Token string `json:"access_token"`
	}
	body, err := io.ReadAll(answer.Body)
	if err == nil && (json.Unmarshal(body, &got) != nil || got.Token == "") {
		err = fmt.Errorf("answered %s", body)
	}
	return got.Token, err
}

// TestOtherServersHearOfChanges: at once, for what they remember.
func TestOtherServersHearOfChanges(t *testing.T) {
	_, wechatURL := startSandbox(t)
	nodes := startNodes(t, 2, wechatURL, nil)
	first, second := nodes[0].client, nodes[1].client
	key, err := first.CreateKey(t.Context(), client.KeyRequest{Name: "sender", Role: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := client.New(nodes[1].url, key.Key)
	if _, err := elsewhere.Accounts(t.Context()); err != nil { // and now it is remembered there
		t.Fatal(err)
	}
	if err := first.RevokeKey(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	soon(t, "a revoked key is refused", func() bool {
		_, err := elsewhere.Accounts(t.Context())
		return err != nil
	})
	if _, err := second.SyncTemplates(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	if _, err := first.PauseAccount(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	soon(t, "a pause holds", func() bool {
		sent, err := second.Send(t.Context(), orderTo(sandbox.OpenID("", 1)))
		if err != nil {
			t.Fatal(err)
		}
		m := nodes[1].until(t, sent.ID, func(m client.Message) bool { return m.State != "queued" && m.State != "sending" })
		return m.State == "held"
	})
}

// soon waits for what happens in a moment, far sooner than by any poll.
func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(4 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within seconds: %s", what)
		}
	}
}

// TestPostgresNeedsTheMasterKey: one that a node makes for itself opens nothing elsewhere.
func TestPostgresNeedsTheMasterKey(t *testing.T) {
	config := testConfig(t)
	config.Database = "postgres://hongyan:s3cr3t@127.0.0.1:1/hongyan"
	s, err := New(t.Context(), config, Options{Getenv: environment, Stdout: io.Discard, Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		s.Close()
		t.Fatal("it started")
	}
	e, ok := errors.AsType[*ConfigError](err)
	if !ok || e.Problems[0].Key != "HONGYAN_MASTER_KEY" || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("got %v, want a refusal about HONGYAN_MASTER_KEY without the password", err)
	}
}

// TestDatabaseNames: what is shown of a database, which may have a password.
func TestDatabaseNames(t *testing.T) {
	for database, want := range map[string]string{
		"":                    "data/hongyan.db",
		"sqlite:/srv/h.db":    "/srv/h.db",
		"postgres://u:p@h/db": "postgres://h/db",
		"postgresql://u:p@h:5433/db?sslmode=require&password=p": "postgres://h:5433/db",
	} {
		c := Config{Data: "data", Database: database}
		if got := c.DatabaseName(); got != want {
			t.Errorf("%s: got %s, want %s", database, got, want)
		}
	}
}

// TestChangedAccounts: what is new, gone, or not as it was.
func TestChangedAccounts(t *testing.T) {
	old, now := time.Unix(1, 0), time.Unix(2, 0)
	if got := changedAccounts(nil, map[string]time.Time{"a": old}); got != nil {
		t.Errorf("at first: got %v, want none", got)
	}
	before := map[string]time.Time{"same": old, "changed": old, "gone": old}
	got := map[string]bool{}
	for _, appID := range changedAccounts(before, map[string]time.Time{"same": old, "changed": now, "new": now}) {
		got[appID] = true
	}
	if len(got) != 3 || !got["changed"] || !got["gone"] || !got["new"] {
		t.Errorf("got %v, want changed, gone and new", got)
	}
}
