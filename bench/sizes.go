package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"hongyan/client"
)

const (
	// backlogFactor times the messages of the other scenarios make the backlog.
	backlogFactor = 4
	// lists is how many pages are read of a large backlog.
	lists = 20
	// quietAccounts are posted to beside one that has busyRate a second.
	quietAccounts = 9
	busyRate      = 100
	// settled is when the burst of the busy account is over.
	settled = 2 * time.Second
)

// measureAccept posts singles that wait: nothing is sent meanwhile.
func measureAccept(ctx context.Context, cfg Config) (m Measurement, err error) {
	return cfg.withGateway(ctx, "accept", gatewaySetup{inFlight: cfg.InFlight, accounts: 4}, func(b *bench) (Measurement, error) {
		if err := b.pause(ctx, b.appIDs); err != nil {
			return m, err
		}
		posting, err := start(ctx, cfg, roleLoad)
		if err != nil {
			return m, err
		}
		before, err := b.gateway.do(order{Do: "usage"})
		if err != nil {
			return m, err
		}
		posted, err := posting.do(order{Do: "post", URL: b.url, Key: b.key, N: cfg.Messages, InFlight: cfg.Callers, AppIDs: b.appIDs})
		if err = errors.Join(err, posting.stop()); err != nil {
			return m, err
		}
		after, err := b.gateway.do(order{Do: "usage"})
		return Measurement{"accept", fmt.Sprintf("%d callers post singles; nothing is sent", cfg.Callers), []Figure{
			atLeast("accepted", float64(cfg.Messages)/posted.Seconds, "/s", 20_000),
			figure("p50", posted.P50, "ms"), atMost("p99", posted.P99, "ms", 10),
			figure("CPU per 1,000", (after.CPU-before.CPU)/float64(cfg.Messages)*1000, "s"),
		}}, err
	})
}

// measureBacklog accepts a large backlog, lists it, and starts again on it.
func measureBacklog(ctx context.Context, cfg Config) (m Measurement, err error) {
	n := backlogFactor * cfg.Messages
	var figures []Figure
	_, err = cfg.withGateway(ctx, "backlog", gatewaySetup{inFlight: cfg.InFlight, accounts: 4}, func(b *bench) (Measurement, error) {
		started := time.Now()
		if err := b.backlog(ctx, n, b.appIDs); err != nil {
			return m, err
		}
		took := time.Since(started).Seconds()
		newest, held, err := b.readLists(ctx)
		if err != nil {
			return m, err
		}
		used, err := b.gateway.do(order{Do: "usage"})
		if err != nil {
			return m, err
		}
		figures = []Figure{
			figure("messages", float64(n), ""), atLeast("accepted", float64(n)/took, "/s", 25_000), atMost("peak memory", used.RSS, "MB", 200),
			figure("newest 50", newest, "ms"), figure("50 held", held, "ms"),
		}
		if cfg.Database == "" {
			info, err := os.Stat(filepath.Join(b.dir, "hongyan.db"))
			if err != nil {
				return m, err
			}
			figures = append(figures, figure("file", float64(info.Size())/float64(n), "B a message"))
		}
		if err := b.gateway.stop(); err != nil {
			return m, err
		}
		ready, memory, err := b.startAgain(ctx, cfg)
		figures = append(figures, ready, memory)
		return m, err
	})
	return Measurement{"backlog", "messages are accepted and wait; lists; a start on that database", figures}, err
}

// readLists returns the medians, in milliseconds, of reading the newest messages
// and the newest held ones.
func (b *bench) readLists(ctx context.Context) (newest, held float64, err error) {
	var times [2][]time.Duration
	for i := range 2 * lists {
		f := client.MessageFilter{Limit: 50}
		if i%2 == 1 {
			f.States = []string{"held"}
		}
		started := time.Now()
		if _, err := b.api.Messages(ctx, f); err != nil {
			return 0, 0, err
		}
		times[i%2] = append(times[i%2], time.Since(started))
	}
	return quantiles(times[0]).P50, quantiles(times[1]).P50, nil
}

// startAgain starts a gateway on the data of one that was stopped, and replaces it.
func (b *bench) startAgain(ctx context.Context, cfg Config) (ready, memory Figure, err error) {
	started := time.Now()
	if b.gateway, err = start(ctx, cfg, roleGateway); err != nil {
		return ready, memory, err
	}
	if _, err = b.gateway.do(order{Do: "serve", Data: b.dir, Database: cfg.Database, Key: b.key, InFlight: cfg.InFlight}); err != nil {
		return ready, memory, err
	}
	took := time.Since(started)
	used, err := b.gateway.do(order{Do: "usage"})
	return atMost("start to ready", took.Seconds()*1000, "ms", 1000), figure("memory after it", used.RSSNow, "MB"), err
}

// measureIdleAccounts watches a gateway with many accounts and nothing due.
func measureIdleAccounts(ctx context.Context, cfg Config) (m Measurement, err error) {
	return cfg.withGateway(ctx, "accounts", gatewaySetup{inFlight: cfg.InFlight, accounts: cfg.Accounts}, func(b *bench) (Measurement, error) {
		if _, err := b.gateway.do(order{Do: "batch", N: cfg.Accounts, AppIDs: b.appIDs, Spread: true, Later: true}); err != nil {
			return m, err
		}
		// As after any start: what making the accounts left in memory is not asked for.
		if err := b.gateway.stop(); err != nil {
			return m, err
		}
		if _, _, err := b.startAgain(ctx, cfg); err != nil {
			return m, err
		}
		before, err := b.gateway.do(order{Do: "usage"})
		if err != nil {
			return m, err
		}
		select {
		case <-time.After(cfg.Watch):
		case <-ctx.Done():
			return m, ctx.Err()
		}
		after, err := b.gateway.do(order{Do: "usage"})
		return Measurement{"accounts", fmt.Sprintf("%d accounts with a message each for tomorrow, watched for %v", cfg.Accounts, cfg.Watch), []Figure{
			atMost("CPU", 100*(after.CPU-before.CPU)/cfg.Watch.Seconds(), "% of a core", 1), atMost("memory", after.RSSNow, "MB", 80),
		}}, err
	})
}

// measureQuiet posts to quiet accounts beside one whose backlog lasts for hours.
func measureQuiet(ctx context.Context, cfg Config) (m Measurement, err error) {
	set := gatewaySetup{inFlight: cfg.InFlight, accounts: 1 + quietAccounts}
	return cfg.withGateway(ctx, "quiet", set, func(b *bench) (Measurement, error) {
		busy, quiet := b.appIDs[:1], b.appIDs[1:]
		if _, err := b.api.UpdateAccount(ctx, busy[0], client.AccountPatch{Rate: &client.Rate{PerSecond: busyRate}}); err != nil {
			return m, err
		}
		if err := b.backlog(ctx, cfg.Messages, busy); err != nil {
			return m, err
		}
		if err := b.resume(ctx, busy); err != nil {
			return m, err
		}
		time.Sleep(settled)
		posting, err := start(ctx, cfg, roleLoad)
		if err != nil {
			return m, err
		}
		before, err := b.gateway.do(order{Do: "usage"})
		if err != nil {
			return m, err
		}
		started := time.Now()
		_, err = posting.do(order{Do: "trickle", URL: b.url, Key: b.key, N: cfg.posts(), AppIDs: slices.Clone(quiet)})
		took := time.Since(started).Seconds()
		if err = errors.Join(err, posting.stop()); err != nil {
			return m, err
		}
		after, err := b.gateway.do(order{Do: "usage"})
		if err != nil {
			return m, err
		}
		seen, err := b.wechat.do(order{Do: "delays"})
		return Measurement{"quiet", fmt.Sprintf("nine quiet accounts beside one with %d waiting at %d/s; from the post to the call", cfg.Messages, busyRate), []Figure{
			figure("p50", seen.P50, "ms"), atMost("p99", seen.P99, "ms", 250),
			figure("busy account", (float64(after.N-before.N)-float64(cfg.posts()))/took, "/s"),
			atMost("rows written", float64(after.Rows-before.Rows)/float64(after.N-before.N), "a message", 2.2),
		}}, err
	})
}
