package server

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
	"hongyan/store/postgres/postgrestest"
)

const testAdminKey = "hyk_test_of_the_whole_server"

// output is a buffer several goroutines write to.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// gateway is a server that runs during a test.
type gateway struct {
	url    string
	client *client.Client
	stdout *output
	log    *output
	stop   func() error // waits for the end
}

func environment(name string) string {
	return map[string]string{"HONGYAN_ADMIN_KEY": testAdminKey}[name]
}

// environmentOfAll is that of several processes on one database, which share the master key.
func environmentOfAll(name string) string {
	if name == "HONGYAN_MASTER_KEY" {
		return "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	}
	return environment(name)
}

// startGateway runs a server on a free port with everything logged.
func startGateway(t *testing.T, config Config) *gateway {
	t.Helper()
	getenv := environment
	if config.OnPostgres() {
		getenv = environmentOfAll
	}
	g := &gateway{stdout: new(output), log: new(output)}
	s, err := New(t.Context(), config, Options{
		Getenv: getenv, Stdout: g.stdout,
		Logger: slog.New(slog.NewTextHandler(g.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	g.url, g.client = s.URL(), client.New(s.URL(), testAdminKey)
	g.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := g.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return g
}

func testConfig(t *testing.T) Config {
	c := Default()
	c.Listen, c.Data = "127.0.0.1:0", filepath.Join(t.TempDir(), "data")
	return c
}

// onBoth runs a story on each database.
func onBoth(t *testing.T, story func(t *testing.T, config Config)) {
	t.Run("sqlite", func(t *testing.T) { story(t, testConfig(t)) })
	t.Run("postgres", func(t *testing.T) {
		config := testConfig(t)
		config.Database = postgrestest.URL(t)
		story(t, config)
	})
}

// startSandbox runs a local WeChat whose deliveries are immediate.
func startSandbox(t *testing.T) (*sandbox.Sandbox, string) {
	t.Helper()
	box := sandbox.New(sandbox.Options{DeliveryDelay: -1})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); box.Run(ctx) }()
	srv := httptest.NewServer(box.Handler())
	t.Cleanup(func() { srv.Close(); cancel(); <-ended })
	return box, srv.URL
}

// until reads a message until ok holds.
func (g *gateway) until(t *testing.T, id string, ok func(client.Message) bool) client.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		m, err := g.client.Message(ctx, id)
		if err != nil {
			t.Fatalf("%v; the gateway's log:\n%s", err, g.log)
		}
		if ok(m) {
			return m
		}
	}
}

func orderTo(openid string) client.MessageRequest {
	return client.MessageRequest{AppID: "shop", ToUser: openid, TemplateID: sandbox.SeedTemplateOrder, Data: map[string]client.Field{
		"character_string1": {Value: "A1001"}, "thing2": {Value: "巧克力"}, "amount3": {Value: "￥39.80"}, "time4": {Value: "2026-11-20 10:15"},
	}}
}

// TestFromStartToReceiptToStop runs a gateway against a local WeChat: the
// account comes from the configuration, the message goes out, its receipt comes
// back, and nothing of it is lost by a restart.
func TestFromStartToReceiptToStop(t *testing.T) { onBoth(t, fromStartToReceiptToStop) }

func fromStartToReceiptToStop(t *testing.T, config Config) {
	box, wechatURL := startSandbox(t)
	config.Accounts = []AccountConfig{{
		AppID: sandbox.SeedServiceAppID, Secret: sandbox.SeedServiceSecret, Alias: "shop", BaseURL: wechatURL,
		Callback: CallbackConfig{Token: sandbox.SeedCallbackToken},
	}}
	g := startGateway(t, config)
	if err := box.SetServerURL(sandbox.SeedServiceAppID, g.url+"/callback/"+sandbox.SeedServiceAppID, "", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := g.client.SyncTemplates(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	sent, err := g.client.Send(t.Context(), orderTo(sandbox.OpenID("", 1)))
	if err != nil {
		t.Fatal(err)
	}
	m := g.until(t, sent.ID, func(m client.Message) bool { return m.Final })
	if got, want := m.State, "delivered"; got != want {
		t.Errorf("state: got %s, want %s", got, want)
	}
	token, err := g.client.Token(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.SplitN(g.stdout.String(), "\n", 2)[0], "listening on "+g.url; got != want {
		t.Errorf("first line: got %q, want %q", got, want)
	}
	for name, secret := range map[string]string{"AppSecret": sandbox.SeedServiceSecret, "access_token": token.AccessToken, "administrator's key": testAdminKey, "callback token": sandbox.SeedCallbackToken} {
		if strings.Contains(g.stdout.String()+g.log.String(), secret) {
			t.Errorf("the output holds the %s", name)
		}
	}

	config.Accounts[0].Secret = "" // it is stored by now and need not stay in the file
	again := startGateway(t, config)
	if m, err := again.client.Message(t.Context(), sent.ID); err != nil || m.State != "delivered" {
		t.Errorf("after a restart: got %s, %v", m.State, err)
	}
}

// TestUntriedMessagesSurviveAStop stops a gateway whose account is paused.
func TestUntriedMessagesSurviveAStop(t *testing.T) { onBoth(t, untriedMessagesSurviveAStop) }

func untriedMessagesSurviveAStop(t *testing.T, config Config) {
	_, wechatURL := startSandbox(t)
	config.Accounts = []AccountConfig{{AppID: sandbox.SeedServiceAppID, Secret: sandbox.SeedServiceSecret, Alias: "shop", BaseURL: wechatURL}}
	g := startGateway(t, config)
	if _, err := g.client.SyncTemplates(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	if _, err := g.client.PauseAccount(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	sent, err := g.client.Send(t.Context(), orderTo(sandbox.OpenID("", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	again := startGateway(t, config)
	m := again.until(t, sent.ID, func(client.Message) bool { return true })
	if m.State != "held" || len(m.Attempts) != 0 {
		t.Errorf("got %s with %d attempts, want held and untried", m.State, len(m.Attempts))
	}
	if _, err := again.client.ResumeAccount(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	again.until(t, sent.ID, func(m client.Message) bool { return m.State == "accepted" })
}

// TestCallsUnderWayAreFinishedAtAStop stops a gateway while WeChat thinks.
func TestCallsUnderWayAreFinishedAtAStop(t *testing.T) { onBoth(t, callsUnderWayAreFinishedAtAStop) }

func callsUnderWayAreFinishedAtAStop(t *testing.T, config Config) {
	box, wechatURL := startSandbox(t)
	config.Accounts = []AccountConfig{{AppID: sandbox.SeedServiceAppID, Secret: sandbox.SeedServiceSecret, Alias: "shop", BaseURL: wechatURL}}
	g := startGateway(t, config)
	box.AddFault(sandbox.Fault{Path: "/cgi-bin/message/template/send", HangMS: 1000})
	sent, err := g.client.Send(t.Context(), orderTo(sandbox.OpenID("", 1)))
	if err != nil {
		t.Fatal(err)
	}
	g.until(t, sent.ID, func(m client.Message) bool { return m.State == "sending" })
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	m := startGateway(t, config).until(t, sent.ID, func(client.Message) bool { return true })
	if m.State != "accepted" || len(m.Attempts) != 1 {
		t.Errorf("got %s after %d attempts, want accepted after the one that was under way", m.State, len(m.Attempts))
	}
}

// TestTemplatesAreReadWhenFirstNamed sends without any sync before.
func TestTemplatesAreReadWhenFirstNamed(t *testing.T) {
	_, wechatURL := startSandbox(t)
	config := testConfig(t)
	config.Accounts = []AccountConfig{{AppID: sandbox.SeedServiceAppID, Secret: sandbox.SeedServiceSecret, Alias: "shop", BaseURL: wechatURL}}
	g := startGateway(t, config)
	sent, err := g.client.Send(t.Context(), orderTo(sandbox.OpenID("", 1)))
	if err != nil {
		t.Fatal(err)
	}
	g.until(t, sent.ID, func(m client.Message) bool { return m.State == "accepted" })
}

func TestASecondServerOnTheSameDataIsRefused(t *testing.T) {
	config := testConfig(t)
	startGateway(t, config)
	s, err := New(t.Context(), config, Options{Getenv: environment, Stdout: io.Discard, Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		s.Close()
		t.Fatal("it was let in")
	}
	if !strings.Contains(err.Error(), config.DatabasePath()) {
		t.Errorf("the refusal does not name the database: %v", err)
	}
}

func TestDataFolderIsPrivate(t *testing.T) {
	config := testConfig(t)
	startGateway(t, config)
	info, err := os.Stat(config.Data)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode().Perm(), os.FileMode(0o700); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestASecretCorrectedInTheConfigurationLetsTheAccountGoOn: the stop that the
// wrong one caused is in the store, and ends with the next start.
func TestASecretCorrectedInTheConfigurationLetsTheAccountGoOn(t *testing.T) {
	box, wechatURL := startSandbox(t)
	config := testConfig(t)
	config.Accounts = []AccountConfig{{AppID: sandbox.SeedServiceAppID, Secret: sandbox.SeedServiceSecret, Alias: "shop", BaseURL: wechatURL}}
	g := startGateway(t, config)
	if _, err := g.client.SyncTemplates(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	config.Accounts[0].Secret = "ffffffffffffffffffffffffffffffff"
	if err := box.RevokeToken(sandbox.SeedServiceAppID); err != nil { // or the token of before is used up first
		t.Fatal(err)
	}
	g = startGateway(t, config)
	sent, err := g.client.Send(t.Context(), orderTo(sandbox.OpenID("", 1)))
	if err != nil {
		t.Fatal(err)
	}
	g.until(t, sent.ID, func(m client.Message) bool { return m.Hold != nil && m.Hold.Reason == "account_stopped" })
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	config.Accounts[0].Secret = sandbox.SeedServiceSecret
	g = startGateway(t, config)
	g.until(t, sent.ID, func(m client.Message) bool { return m.State == "accepted" })
}
