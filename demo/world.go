package demo

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
	"time"

	"hongyan/client"
	"hongyan/sandbox"
	"hongyan/sandbox/phone"
	"hongyan/server"
)

// Options sets up a World.
type Options struct {
	GatewayPort int          // the first port to try; 0 takes any free one
	SandboxPort int          // the same for the sandbox
	Logger      *slog.Logger // of both; nil = discard
}

// World is a gateway and a local WeChat running together on loopback, with
// their accounts, in a temporary folder.
type World struct {
	Dir        string // holds the gateway's data; removed by Close
	GatewayURL string
	SandboxURL string

	api  *client.Client
	box  *control
	stop context.CancelFunc
	done chan error // one for each of parts
	n    int        // parts started
}

const (
	// deliveryDelay is short, but long enough to see "accepted" before "delivered".
	deliveryDelay = 700 * time.Millisecond
	// readyWithin bounds the start.
	readyWithin = 15 * time.Second
	// stopGrace is how long calls under way may take when the play is over.
	stopGrace = 3 * time.Second
)

// Start builds the world and waits until it can send. The caller must Close it.
func Start(ctx context.Context, o Options) (*World, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	dir, err := os.MkdirTemp("", "hongyan-demo-")
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	w := &World{Dir: dir, stop: stop, done: make(chan error, 3)}
	err = errors.Join(w.startSandbox(running, o), w.startGateway(running, o))
	if err == nil {
		err = w.furnish(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// Close stops both and removes the folder.
func (w *World) Close() error {
	w.stop()
	var failures error
	for range w.n {
		if err := <-w.done; err != nil && !errors.Is(err, context.Canceled) {
			failures = errors.Join(failures, err)
		}
	}
	w.n = 0
	return errors.Join(failures, os.RemoveAll(w.Dir))
}

func (w *World) run(f func() error) {
	w.n++
	go func() { w.done <- f() }()
}

func (w *World) startSandbox(ctx context.Context, o Options) error {
	l, err := listenFrom(ctx, o.SandboxPort)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	w.SandboxURL = "http://" + l.Addr().String()
	w.box = newControl(w.SandboxURL)
	box := sandbox.New(sandbox.Options{DeliveryDelay: deliveryDelay, Logger: o.Logger.With("part", "sandbox")})
	w.run(func() error { return box.Run(ctx) })
	srv := &http.Server{Handler: phone.Handler(box), ReadHeaderTimeout: readyWithin}
	w.run(func() error { return server.ServeUntil(ctx, srv, l, stopGrace) })
	return nil
}

// startGateway runs the gateway in its own folder and with an environment of
// its own: nothing of the operator's may leak into a demonstration.
func (w *World) startGateway(ctx context.Context, o Options) error {
	l, err := listenFrom(ctx, o.GatewayPort)
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	config := server.Default()
	config.Data, config.StopGrace = w.Dir, stopGrace
	s, err := server.New(ctx, config, server.Options{
		Getenv: func(string) string { return "" }, Stdout: io.Discard, Logger: o.Logger, Version: "demo", Listener: l,
	})
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	w.GatewayURL = s.URL()
	w.run(func() error { return s.Run(ctx) })
	key, err := os.ReadFile(filepath.Join(w.Dir, "admin.key"))
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	w.api = client.New(w.GatewayURL, strings.TrimSpace(string(key)))
	return nil
}

// portsToTry is how many ports after the first are tried before giving up.
const portsToTry = 100

// listenFrom listens on loopback at port or, where that is taken, at the next free one.
func listenFrom(ctx context.Context, port int) (net.Listener, error) {
	var config net.ListenConfig
	if port == 0 {
		return config.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	var err error
	for p := port; p < port+portsToTry; p++ {
		var l net.Listener
		if l, err = config.Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", p)); err == nil {
			return l, nil
		}
	}
	return nil, err
}
