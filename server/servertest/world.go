// Package servertest is a gateway with a local WeChat behind it, on real ports, for
// tests and examples of programs that speak to a gateway. Start with New in a test,
// with Start where there is none.
package servertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hongyan/client"
	"hongyan/sandbox"
	"hongyan/server"
)

// Alias is that of the sandbox's service account at the gateway.
const Alias = "shop"

// World is a running gateway and the sandbox it calls. The gateway has the sandbox's
// two accounts and the service account's templates, and gets its pushes.
type World struct {
	URL     string           // the gateway, no slash at the end
	Key     string           // the administrator's API key
	Sandbox *sandbox.Sandbox // WeChat
	WeChat  string           // the sandbox's URL, no slash at the end

	cancel context.CancelFunc
	ended  chan error
	runs   int // of goroutines that report to ended
}

// New starts a world that ends with the test.
func New(t testing.TB) *World {
	t.Helper()
	w, err := Start(t.TempDir())
	if err != nil {
		t.Fatalf("servertest: %v", err)
	}
	t.Cleanup(func() {
		if err := w.Stop(); err != nil {
			t.Errorf("servertest: stop: %v", err)
		}
	})
	return w
}

// Start starts a world that keeps its files in dir. Stop it in the end.
func Start(dir string) (*World, error) {
	ctx, cancel := context.WithCancel(context.Background())
	w := &World{cancel: cancel, ended: make(chan error, 3)}
	err := w.startSandbox(ctx)
	if err == nil {
		err = w.startGateway(ctx, dir)
	}
	if err == nil {
		err = w.addAccounts(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, w.Stop())
	}
	return w, nil
}

// Stop ends both and waits until they have.
func (w *World) Stop() error {
	w.cancel()
	var all []error
	for ; w.runs > 0; w.runs-- {
		all = append(all, <-w.ended)
	}
	return errors.Join(all...)
}

func (w *World) run(part func() error) {
	w.runs++
	go func() { w.ended <- part() }()
}

func (w *World) startSandbox(ctx context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.Sandbox = sandbox.New(sandbox.Options{DeliveryDelay: -1})
	w.WeChat = "http://" + l.Addr().String()
	web := &http.Server{Handler: w.Sandbox.Handler()}
	w.run(func() error { return w.Sandbox.Run(ctx) })
	w.run(func() error {
		stop := context.AfterFunc(ctx, func() { _ = web.Close() })
		defer stop()
		if err := web.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return nil
}

func (w *World) startGateway(ctx context.Context, dir string) error {
	config := server.Default()
	config.Listen, config.Data = "127.0.0.1:0", dir
	config.AllowPrivate = []string{"127.0.0.0/8"}
	s, err := server.New(ctx, config, server.Options{
		Getenv: func(string) string { return "" }, Stdout: io.Discard, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	w.URL = s.URL()
	w.run(func() error { return s.Run(ctx) })
	key, err := os.ReadFile(filepath.Join(dir, "admin.key"))
	w.Key = strings.TrimSpace(string(key))
	return err
}

// addAccounts tells the gateway of the sandbox's accounts, and the sandbox where to push.
func (w *World) addAccounts(ctx context.Context) error {
	c, token := client.New(w.URL, w.Key), sandbox.SeedCallbackToken
	for _, a := range []client.AccountRequest{
		{AppID: sandbox.SeedServiceAppID, Secret: sandbox.SeedServiceSecret, Alias: Alias},
		{AppID: sandbox.SeedMiniAppID, Secret: sandbox.SeedMiniSecret, Kind: "mini_program"},
	} {
		a.BaseURL, a.Callback = w.WeChat, &client.CallbackInput{Token: &token}
		if _, err := c.CreateAccount(ctx, a); err != nil {
			return err
		}
		pushTo := w.URL + "/callback/" + a.AppID
		if err := w.Sandbox.UpdateAccount(a.AppID, sandbox.AccountSpec{ServerURL: &pushTo}); err != nil {
			return err
		}
	}
	_, err := c.SyncTemplates(ctx, Alias)
	return err
}
