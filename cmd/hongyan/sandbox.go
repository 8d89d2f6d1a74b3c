package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"hongyan/sandbox"
	"hongyan/sandbox/phone"
	"hongyan/server"
)

type sandboxCommand struct {
	Listen        string        `default:"127.0.0.1:7900" placeholder:"HOST:PORT" help:"Address; port 0 takes a free one. Default ${default}."`
	AllowRemote   bool          `help:"Allow an address other machines reach. The control API has no login: whoever reaches it controls it."`
	DeliveryDelay time.Duration `default:"1s" help:"Time between accepting a message and delivering it. Default ${default}."`
	Data          string        `placeholder:"DIR" help:"Folder that keeps the state over a restart, written once a second when something changed. Default: everything in memory."`
	Seed          string        `placeholder:"FILE" help:"YAML file with accounts, templates, users, faults and the clock to begin with; docs/sandbox.seed.example.yaml shows all of it. Default: the built-in ones."`
	RandSeed      int64         `placeholder:"N" help:"Seed of every id and random choice: the same seed and calls give the same answers. Default: a new one at every start, so that no msgid comes back."`
	LedgerLimit   int           `default:"1000000" help:"Calls that are remembered; the oldest go first. Default ${default}."`
}

func (sandboxCommand) Help() string {
	return "WeChat's own paths, the control API under /sandbox/v1/ and a phone in the browser at / on one port. " +
		"The first line on standard output is: listening on http://HOST:PORT, the second: rand seed N. It comes with a service account, a mini program and " +
		"templates; docs/sandbox.md lists them and the openids with a chosen fate. It is not WeChat and says so on every answer."
}

func (c *sandboxCommand) Run(ctx context.Context, w *surroundings) error {
	if err := c.check(); err != nil {
		return err
	}
	world, err := c.world()
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return &commandError{what: err.Error(), cure: "choose another address with --listen; port 0 takes a free one"}
	}
	delay := c.DeliveryDelay
	if delay == 0 {
		delay = -1 // the library's word for "at once"
	}
	opts := sandbox.Options{
		Seed: c.seed(), LedgerLimit: c.LedgerLimit, DeliveryDelay: delay, AllowRemote: c.AllowRemote, World: world,
		Logger: slog.New(slog.NewTextHandler(w.stderr, nil)),
	}
	box, err := c.open(opts)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	// One write: whoever reads the first line only may close the pipe after it.
	fmt.Fprintf(w.stdout, "listening on http://%s\nrand seed %d\n", l.Addr(), box.RandSeed())
	err = serveSandbox(ctx, box, l)
	return errors.Join(err, box.Close())
}

// open takes up the state in --data, or begins in memory.
func (c *sandboxCommand) open(opts sandbox.Options) (*sandbox.Sandbox, error) {
	if c.Data == "" {
		return sandbox.New(opts), nil
	}
	box, err := sandbox.Open(opts, c.Data)
	if e, ok := errors.AsType[*sandbox.StateError](err); ok {
		return nil, &commandError{what: e.File + " " + e.Problem, cure: e.Cure}
	}
	return box, err
}

// world reads the seed file; nil without one.
func (c *sandboxCommand) world() (*sandbox.World, error) {
	if c.Seed == "" {
		return nil, nil
	}
	const cure = "docs/sandbox.seed.example.yaml shows every key"
	content, err := os.ReadFile(c.Seed)
	if err != nil {
		return nil, wrongUse(cure, "--seed: %v", err)
	}
	world, err := sandbox.ReadWorld(content)
	if err != nil {
		return nil, wrongUse(cure, "%s: %v", c.Seed, err)
	}
	return world, nil
}

// maxRandSeed keeps drawn seeds at twelve digits, which people can retype.
const maxRandSeed = 999_999_999_999

// seed is the one asked for, or a new one: a gateway's database outlives the
// sandbox, and msgids of an earlier life must not come back.
func (c *sandboxCommand) seed() int64 {
	if c.RandSeed != 0 {
		return c.RandSeed
	}
	return 1 + rand.Int64N(maxRandSeed)
}

func (c *sandboxCommand) check() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return wrongUse("write something like 127.0.0.1:7900", "--listen %q is not host:port", c.Listen)
	}
	ip := net.ParseIP(host)
	if local := host == "localhost" || ip != nil && ip.IsLoopback(); !local && !c.AllowRemote {
		return wrongUse("listen on 127.0.0.1, or add --allow-remote if everybody who reaches it may control it",
			"--listen %s is not loopback", c.Listen)
	}
	if c.DeliveryDelay < 0 || c.LedgerLimit < 1 {
		return wrongUse("see hongyan sandbox --help", "--delivery-delay must not be negative and --ledger-limit at least 1")
	}
	return nil
}

// sandboxGrace is how long calls under way may take once the sandbox stops.
const sandboxGrace = 2 * time.Second

// serveSandbox serves, delivers and pushes until ctx ends.
func serveSandbox(ctx context.Context, box *sandbox.Sandbox, l net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	srv := &http.Server{
		Handler: phone.Handler(box), ReadHeaderTimeout: 5 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx }, // or a page that listens to events would hold up the stop
	}
	group.Go(func() error { return server.ServeUntil(ctx, srv, l, sandboxGrace) })
	group.Go(func() error {
		if err := box.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	})
	return group.Wait()
}
