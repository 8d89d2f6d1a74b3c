package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"hongyan/client"
)

// appIDs are the accounts the load is spread over, as in a real house.
var appIDs = []string{"wxbe00000000000001", "wxbe00000000000002", "wxbe00000000000003", "wxbe00000000000004"}

// templateID is the one template of the upstream.
const templateID = "BenchTemplate00000000000000000000000000000A"

// setup is a scenario to run.
type setup struct {
	name     string
	inFlight int
	latency  time.Duration
	measure  func(context.Context, *bench) (Gateway, error)
}

// bench is the processes of one scenario.
type bench struct {
	cfg      Config
	gateway  *child
	upstream string
	api      *client.Client
	url, key string
}

func (sc setup) run(ctx context.Context, cfg Config) (s Scenario, err error) {
	say(cfg, "%s: starting upstream and bare loop", sc.name)
	up, err := start(ctx, cfg, roleUpstream)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, up.stop()) }()
	at, err := up.do(order{Do: "serve", Latency: sc.latency})
	if err != nil {
		return s, err
	}
	bare, err := runBare(ctx, cfg, at.URL, sc.inFlight)
	if err != nil {
		return s, err
	}
	say(cfg, "%s: bare loop %.0f/s; starting gateway", sc.name, bare.Rate)
	dir, err := os.MkdirTemp(cfg.Folder, "hongyan-bench-")
	if err != nil {
		return s, err
	}
	defer os.RemoveAll(dir)
	b, err := startGateway(ctx, cfg, dir, at.URL, sc.inFlight)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, b.gateway.stop()) }()
	got, err := sc.measure(ctx, b)
	if err != nil {
		return s, err
	}
	say(cfg, "%s: gateway %.0f/s, ratio %.2f", sc.name, got.Rate, got.Rate/bare.Rate)
	return Scenario{Name: sc.name, BareLoop: bare, Gateway: got, Ratio: rounded(got.Rate/bare.Rate, ratioDecimals)}, nil
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

func startGateway(ctx context.Context, cfg Config, dir, upstream string, inFlight int) (*bench, error) {
	g, err := start(ctx, cfg, roleGateway)
	if err != nil {
		return nil, err
	}
	b := &bench{cfg: cfg, gateway: g, upstream: upstream, key: "hyk_bench0000000000000000000000000000000000000"}
	at, err := g.do(order{Do: "serve", Data: dir, Key: b.key, InFlight: inFlight})
	if err != nil {
		return nil, errors.Join(err, g.stop())
	}
	b.url, b.api = at.URL, client.New(at.URL, b.key)
	if err := b.addAccounts(ctx, inFlight); err != nil {
		return nil, errors.Join(err, g.stop())
	}
	return b, nil
}

// addAccounts makes the accounts, sharing the calls in flight among them, with
// no limit that could be reached.
func (b *bench) addAccounts(ctx context.Context, inFlight int) error {
	for i, appID := range appIDs {
		_, err := b.api.CreateAccount(ctx, client.AccountRequest{
			AppID: appID, Secret: "be000000000000000000000000000000", Kind: "service", Name: fmt.Sprintf("bench %d", i+1), BaseURL: b.upstream,
			MaxInFlight: inFlight / len(appIDs),
			Quotas:      []client.Quota{{Scope: "account", Period: "day", Limit: 1_000_000_000}},
		})
		if err != nil {
			return fmt.Errorf("add account %s: %w", appID, err)
		}
		if _, err := b.api.SyncTemplates(ctx, appID); err != nil {
			return fmt.Errorf("sync templates of %s: %w", appID, err)
		}
	}
	return nil
}

// timed runs act and waits until n more outcomes are recorded.
func (b *bench) timed(ctx context.Context, n int, act func() (answer, error)) (Gateway, error) {
	before, err := b.gateway.do(order{Do: "usage"})
	if err != nil {
		return Gateway{}, err
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
	if acted.P99 > 0 { // only posts are timed
		got.AcceptP50MS, got.AcceptP99MS = new(rounded(acted.P50, msDecimals)), new(rounded(acted.P99, msDecimals))
	}
	return got, nil
}

// measureDrain empties a backlog that was accepted while the accounts were paused.
func measureDrain(ctx context.Context, b *bench) (Gateway, error) {
	for _, appID := range appIDs {
		if _, err := b.api.PauseAccount(ctx, appID); err != nil {
			return Gateway{}, err
		}
	}
	if _, err := b.gateway.do(order{Do: "batch", N: b.cfg.Messages, AppIDs: appIDs}); err != nil {
		return Gateway{}, err
	}
	return b.timed(ctx, b.cfg.Messages, func() (answer, error) {
		for _, appID := range appIDs {
			if _, err := b.api.ResumeAccount(ctx, appID); err != nil {
				return answer{}, err
			}
		}
		return answer{}, nil
	})
}

// measureBatch accepts and sends in batches of 100.
func measureBatch(ctx context.Context, b *bench) (Gateway, error) {
	return b.timed(ctx, b.cfg.Messages, func() (answer, error) {
		return b.gateway.do(order{Do: "batch", N: b.cfg.Messages, AppIDs: appIDs})
	})
}

// measureSingle accepts one message a request from many connections, and sends.
func measureSingle(ctx context.Context, b *bench) (Gateway, error) {
	load, err := start(ctx, b.cfg, roleLoad)
	if err != nil {
		return Gateway{}, err
	}
	got, err := b.timed(ctx, b.cfg.Messages, func() (answer, error) {
		return load.do(order{Do: "post", URL: b.url, Key: b.key, N: b.cfg.Messages, InFlight: b.cfg.Callers, AppIDs: appIDs})
	})
	return got, errors.Join(err, load.stop())
}

// idlePosts is how many messages an idle gateway is given, one at a time.
const idlePosts = 200

// measureIdle posts now and then to a gateway with nothing else to do.
func measureIdle(ctx context.Context, cfg Config) (idle Idle, err error) {
	say(cfg, "idle: %d posts, one at a time", idlePosts)
	up, err := start(ctx, cfg, roleUpstream)
	if err != nil {
		return idle, err
	}
	defer func() { err = errors.Join(err, up.stop()) }()
	at, err := up.do(order{Do: "serve"})
	if err != nil {
		return idle, err
	}
	dir, err := os.MkdirTemp(cfg.Folder, "hongyan-bench-")
	if err != nil {
		return idle, err
	}
	defer os.RemoveAll(dir)
	b, err := startGateway(ctx, cfg, dir, at.URL, cfg.InFlight)
	if err != nil {
		return idle, err
	}
	defer func() { err = errors.Join(err, b.gateway.stop()) }()
	load, err := start(ctx, cfg, roleLoad)
	if err != nil {
		return idle, err
	}
	_, err = b.timed(ctx, idlePosts, func() (answer, error) {
		return load.do(order{Do: "trickle", URL: b.url, Key: b.key, N: idlePosts, AppIDs: appIDs})
	})
	if err = errors.Join(err, load.stop()); err != nil {
		return idle, err
	}
	seen, err := up.do(order{Do: "delays"})
	if err == nil && seen.N != idlePosts {
		err = fmt.Errorf("%d of %d calls carried the time they were posted", seen.N, idlePosts)
	}
	return Idle{P50MS: rounded(seen.P50, msDecimals), P99MS: rounded(seen.P99, msDecimals)}, err
}

func thisMachine() Machine {
	return Machine{CPUs: runtime.NumCPU(), Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH}
}
