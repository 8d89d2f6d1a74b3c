package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hongyan"
	"hongyan/dispatch"
	"hongyan/server"
	"hongyan/wechat"
)

// batchSize and batchFeeders are how batches are accepted: that many messages a
// call from that many goroutines inside the gateway process, until an interface
// for batches exists.
const (
	batchSize    = 100
	batchFeeders = 4
)

// gateway is a real server; batches are fed to its engine from inside.
type gateway struct {
	stderr io.Writer
	server *server.Server
	stop   context.CancelFunc
	ended  chan error
}

func (g *gateway) do(ctx context.Context, o order) (answer, error) {
	switch o.Do {
	case "serve":
		return g.serve(ctx, o)
	case "profile":
		return answer{}, g.profile(o.Profile)
	case "batch":
		return answer{}, g.batch(ctx, o)
	case "await":
		defer pprof.StopCPUProfile()
		for g.server.Engine().Recorded() < int64(o.N) {
			time.Sleep(time.Millisecond)
		}
	}
	a := usage()
	a.N = g.server.Engine().Recorded()
	if s, ok := g.server.Store().(interface{ RowsWritten() int64 }); ok {
		a.Rows = s.RowsWritten()
	}
	return a, nil
}

func (g *gateway) serve(ctx context.Context, o order) (answer, error) {
	server.TuneMemory(nil)
	cfg := server.Default()
	cfg.Listen, cfg.Data = "127.0.0.1:0", o.Data
	cfg.Database = cmp.Or(o.Database, "sqlite:"+filepath.Join(o.Data, "hongyan.db"))
	cfg.Log.Level = "error" // holds are warnings, and the measurements make some on purpose
	cfg.Slots = max(cfg.Slots, 4*o.InFlight)
	env := map[string]string{"HONGYAN_ADMIN_KEY": o.Key, "HONGYAN_MASTER_KEY": strings.Repeat("be", 32)}
	srv, err := server.New(ctx, cfg, server.Options{
		Getenv: func(k string) string { return env[k] }, Stdout: io.Discard, Logger: server.NewLogger(cfg.Log, g.stderr),
	})
	if err != nil {
		return answer{}, err
	}
	run, stop := context.WithCancel(ctx)
	g.server, g.stop, g.ended = srv, stop, make(chan error, 1)
	go func() { g.ended <- srv.Run(run) }()
	for !srv.Engine().Joined() {
		time.Sleep(time.Millisecond)
	}
	return answer{URL: srv.URL()}, nil
}

// profile begins to write a CPU profile, until the messages awaited next are recorded.
func (*gateway) profile(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return pprof.StartCPUProfile(f) // the file is closed with the process
}

func (g *gateway) close() error {
	if g.stop == nil {
		return nil
	}
	g.stop()
	return <-g.ended
}

// batch submits o.N messages in batches.
func (g *gateway) batch(ctx context.Context, o order) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, batchFeeders)
	for f := range batchFeeders {
		wg.Go(func() { errs[f] = g.feed(ctx, o, &next) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (g *gateway) feed(ctx context.Context, o order, next *atomic.Int64) error {
	for {
		first := int(next.Add(batchSize)) - batchSize
		if first >= o.N {
			return nil
		}
		rs := make([]dispatch.Request, 0, batchSize)
		for i := first; i < min(first+batchSize, o.N); i++ {
			rs = append(rs, o.request(i))
		}
		done, err := g.server.Engine().Submit(ctx, rs)
		if err != nil {
			return err
		}
		for _, d := range done {
			if d.Err != nil {
				return fmt.Errorf("batch at %d: %w", first, d.Err)
			}
		}
	}
}

// request is the i-th message of an order.
func (o *order) request(i int) dispatch.Request {
	account := i / batchSize
	if o.Spread {
		account = i
	}
	r := request(o.AppIDs[account%len(o.AppIDs)], i)
	if o.Later {
		r.SendAt = time.Now().Add(24 * time.Hour)
	}
	return r
}

func request(appID string, i int) dispatch.Request {
	return dispatch.Request{
		Priority: hongyan.Normal, AppID: appID, ToUser: openID(i), TemplateID: templateID, URL: "https://shop.example.com/orders/1001?from=wechat",
		Data: wechat.Data{
			"character_string1": {Value: "A1001-2026-11-20"}, "thing2": {Value: "黑巧克力礼盒"},
			"amount3": {Value: "￥39.80"}, "time4": {Value: "2026-11-20 10:15"},
		},
	}
}
