package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"hongyan/client"
)

// templateID is the one template of the upstream.
const templateID = "BenchTemplate00000000000000000000000000000A"

// setup is a scenario with a bare loop beside it.
type setup struct {
	name     string
	inFlight int
	latency  time.Duration
	tls      bool
	peer     bool // other programs of the same purpose may be measured too
	measure  func(context.Context, *bench) (Gateway, error)
}

// accounts are those the load is spread over, as in a real house.
const accounts = 4

// bench is the processes of one scenario.
type bench struct {
	cfg      Config
	dir      string // the gateway's data
	gateway  *child
	wechat   *child
	upstream string // its URL
	api      *client.Client
	url, key string
	appIDs   []string
}

func (sc setup) run(ctx context.Context, cfg Config) (s Scenario, err error) {
	dir, err := os.MkdirTemp(cfg.Folder, "hongyan-bench-")
	if err != nil {
		return s, err
	}
	defer os.RemoveAll(dir)
	serve := order{Do: "serve", Latency: sc.latency}
	if sc.tls {
		if serve.Cert, err = makeCert(dir); err != nil {
			return s, err
		}
		cfg.trust = serve.Cert
	}
	say(cfg, "%s: starting upstream and bare loop", sc.name)
	up, err := start(ctx, cfg, roleUpstream)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, up.stop()) }()
	at, err := up.do(serve)
	if err != nil {
		return s, err
	}
	s.Name = sc.name
	if cfg.Profile != "" {
		cfg.Profile = filepath.Join(cfg.Profile, sc.name+".pprof")
	}
	if s.BareLoop, err = runBare(ctx, cfg, at.URL, sc.inFlight); err != nil {
		return s, err
	}
	if sc.peer && slices.Contains(cfg.Peers, roleInline) {
		peer, err := runInline(ctx, cfg, at.URL, sc.inFlight)
		if err != nil {
			return s, err
		}
		s.Peers = map[string]Side{roleInline: peer}
	}
	say(cfg, "%s: bare loop %.0f/s; starting gateway", sc.name, s.BareLoop.Rate)
	b, err := startGateway(ctx, cfg, dir, at.URL, gatewaySetup{inFlight: sc.inFlight, accounts: accounts})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, b.gateway.stop()) }()
	if s.Gateway, err = sc.measure(ctx, b); err != nil {
		return s, err
	}
	s.Ratio = rounded(s.Gateway.Rate/s.BareLoop.Rate, ratioDecimals)
	say(cfg, "%s: gateway %.0f/s, ratio %.2f", sc.name, s.Gateway.Rate, s.Ratio)
	return s, nil
}

// withGateway measures something with an upstream and a gateway of its own.
func (cfg Config) withGateway(ctx context.Context, name string, set gatewaySetup, measure func(*bench) (Measurement, error)) (m Measurement, err error) {
	say(cfg, "%s: starting upstream and gateway", name)
	up, err := start(ctx, cfg, roleUpstream)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, up.stop()) }()
	at, err := up.do(order{Do: "serve"})
	if err != nil {
		return m, err
	}
	dir, err := os.MkdirTemp(cfg.Folder, "hongyan-bench-")
	if err != nil {
		return m, err
	}
	defer os.RemoveAll(dir)
	b, err := startGateway(ctx, cfg, dir, at.URL, set)
	if err != nil {
		return m, err
	}
	b.wechat = up
	defer func() { err = errors.Join(err, b.gateway.stop()) }()
	return measure(b)
}

func say(cfg Config, format string, args ...any) {
	if cfg.Progress != nil {
		fmt.Fprintf(cfg.Progress, format+"\n", args...)
	}
}

func runBare(ctx context.Context, cfg Config, url string, inFlight int) (Side, error) {
	c, err := start(ctx, cfg, roleBare)
	if err != nil {
		return Side{}, err
	}
	a, err := c.do(order{Do: "post", URL: url, N: cfg.Messages, InFlight: inFlight})
	return side(a, cfg.Messages), errors.Join(err, c.stop())
}

func side(a answer, n int) Side {
	if a.Seconds == 0 {
		return Side{}
	}
	return Side{Rate: rounded(float64(n)/a.Seconds, rateDecimals), CPUPer1000: rounded(a.CPU/float64(n)*1000, cpuDecimals)}
}

// gatewaySetup is what a gateway is started with.
type gatewaySetup struct {
	inFlight int
	accounts int
	change   func(*client.AccountRequest) // of each account; nil = none
}

func startGateway(ctx context.Context, cfg Config, dir, upstream string, set gatewaySetup) (*bench, error) {
	g, err := start(ctx, cfg, roleGateway)
	if err != nil {
		return nil, err
	}
	b := &bench{cfg: cfg, dir: dir, gateway: g, upstream: upstream, key: "hyk_bench0000000000000000000000000000000000000"}
	at, err := g.do(order{Do: "serve", Data: dir, Database: cfg.Database, Key: b.key, InFlight: set.inFlight})
	if err != nil {
		return nil, errors.Join(err, g.stop())
	}
	b.url, b.api = at.URL, client.New(at.URL, b.key)
	b.api.Retries.Tries = 1
	if err := b.addAccounts(ctx, set); err != nil {
		return nil, errors.Join(err, g.stop())
	}
	return b, nil
}

// addAccounts makes the accounts, sharing the calls in flight among them, with no
// limit that could be reached. Their appids are new ones each time: a database
// that is kept may hold those of another scenario.
func (b *bench) addAccounts(ctx context.Context, set gatewaySetup) error {
	first := time.Now().UnixNano() & (1<<48 - 1)
	for i := range set.accounts {
		a := client.AccountRequest{
			AppID: fmt.Sprintf("wxbe%02x%012x", i>>8&0xff, (first+int64(i))&(1<<48-1)), Secret: "be000000000000000000000000000000", Kind: "service", Name: fmt.Sprintf("bench %d", i+1), BaseURL: b.upstream,
			MaxInFlight: max(1, set.inFlight/set.accounts),
			Quotas:      []client.Quota{{Scope: "account", Period: "day", Limit: 1_000_000_000}},
		}
		if set.change != nil {
			set.change(&a)
		}
		if _, err := b.api.CreateAccount(ctx, a); err != nil {
			return fmt.Errorf("add account %s: %w", a.AppID, err)
		}
		if _, err := b.api.SyncTemplates(ctx, a.AppID); err != nil {
			return fmt.Errorf("sync templates of %s: %w", a.AppID, err)
		}
		b.appIDs = append(b.appIDs, a.AppID)
	}
	return nil
}

func (b *bench) pause(ctx context.Context, appIDs []string) error {
	for _, appID := range appIDs {
		if _, err := b.api.PauseAccount(ctx, appID); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) resume(ctx context.Context, appIDs []string) error {
	for _, appID := range appIDs {
		if _, err := b.api.ResumeAccount(ctx, appID); err != nil {
			return err
		}
	}
	return nil
}

// backlog accepts n messages of accounts that are paused for it.
func (b *bench) backlog(ctx context.Context, n int, appIDs []string) error {
	if err := b.pause(ctx, appIDs); err != nil {
		return err
	}
	_, err := b.gateway.do(order{Do: "batch", N: n, AppIDs: appIDs})
	return err
}

// timed runs act and waits until n more outcomes are recorded.
func (b *bench) timed(ctx context.Context, n int, act func() (answer, error)) (Gateway, error) {
	before, err := b.gateway.do(order{Do: "usage"})
	if err != nil {
		return Gateway{}, err
	}
	if file := b.cfg.Profile; file != "" {
		if _, err := b.gateway.do(order{Do: "profile", Profile: file}); err != nil {
			return Gateway{}, err
		}
	}
	started := time.Now()
	acted, err := act()
	if err != nil {
		return Gateway{}, err
	}
	after, err := b.gateway.do(order{Do: "await", N: int(before.N) + n})
	if err != nil {
		return Gateway{}, err
	}
	seconds := time.Since(started).Seconds()
	got := Gateway{
		Rate: rounded(float64(n)/seconds, rateDecimals), CPUPer1000: rounded((after.CPU-before.CPU)/float64(n)*1000, cpuDecimals),
		RSSMB: rounded(after.RSS, mbDecimals),
	}
	if after.Rows > 0 {
		got.RowWrites = new(rounded(float64(after.Rows-before.Rows)/float64(n), figureDecimals))
	}
	if acted.P99 > 0 { // only posts are timed
		got.AcceptP50MS, got.AcceptP99MS = new(rounded(acted.P50, msDecimals)), new(rounded(acted.P99, msDecimals))
	}
	return got, nil
}

// measureDrain empties a backlog that was accepted while the accounts were paused.
func measureDrain(ctx context.Context, b *bench) (Gateway, error) {
	if err := b.backlog(ctx, b.cfg.Messages, b.appIDs); err != nil {
		return Gateway{}, err
	}
	return b.timed(ctx, b.cfg.Messages, func() (answer, error) { return answer{}, b.resume(ctx, b.appIDs) })
}

// measureBatch accepts and sends in batches of 100.
func measureBatch(ctx context.Context, b *bench) (Gateway, error) {
	return b.timed(ctx, b.cfg.Messages, func() (answer, error) {
		return b.gateway.do(order{Do: "batch", N: b.cfg.Messages, AppIDs: b.appIDs})
	})
}

// measureSingle accepts one message a request from many connections, and sends.
func measureSingle(ctx context.Context, b *bench) (Gateway, error) {
	load, err := start(ctx, b.cfg, roleLoad)
	if err != nil {
		return Gateway{}, err
	}
	got, err := b.timed(ctx, b.cfg.Messages, func() (answer, error) {
		return load.do(order{Do: "post", URL: b.url, Key: b.key, N: b.cfg.Messages, InFlight: b.cfg.Callers, AppIDs: b.appIDs})
	})
	return got, errors.Join(err, load.stop())
}

// measureIdle posts now and then to a gateway with nothing else to do.
func measureIdle(ctx context.Context, cfg Config) (idle Idle, err error) {
	idlePosts := cfg.posts()
	_, err = cfg.withGateway(ctx, "idle", gatewaySetup{inFlight: cfg.InFlight, accounts: accounts}, func(b *bench) (m Measurement, err error) {
		load, err := start(ctx, cfg, roleLoad)
		if err != nil {
			return m, err
		}
		_, err = b.timed(ctx, idlePosts, func() (answer, error) {
			return load.do(order{Do: "trickle", URL: b.url, Key: b.key, N: idlePosts, AppIDs: b.appIDs})
		})
		if err = errors.Join(err, load.stop()); err != nil {
			return m, err
		}
		seen, err := b.wechat.do(order{Do: "delays"})
		if err == nil && seen.N != int64(idlePosts) {
			err = fmt.Errorf("%d of %d calls carried the time they were posted", seen.N, idlePosts)
		}
		idle = Idle{P50MS: rounded(seen.P50, msDecimals), P99MS: rounded(seen.P99, msDecimals)}
		return m, err
	})
	return idle, err
}

func thisMachine() Machine {
	return Machine{CPUs: runtime.NumCPU(), Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH}
}
