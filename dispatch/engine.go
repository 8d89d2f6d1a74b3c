package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"hongyan"
)

// Defaults of Config.
const (
	defaultSlots     = 1024
	defaultLease     = 60 * time.Second
	defaultStopGrace = 10 * time.Second
	renewsPerLease   = 6
)

// Engine moves messages. Its methods are safe for concurrent use; Submit and
// the acts of operators work before Run has begun and after it has ended, only
// nothing leaves then.
type Engine struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	library *library // templates, parsed

	epoch     atomic.Int64 // 0 = not joined
	leased    atomic.Int64 // until when the lease of epoch lasts, in time since born
	born      time.Time
	recordedN atomic.Int64
	wake      chan struct{}
	done      *doneQueue
	jobs      chan job      // to idle workers; unbuffered
	quit      chan struct{} // closed when idle workers must end
	workers   sync.WaitGroup
	sendCtx   context.Context // ends when calls under way must stop

	mu         sync.Mutex
	accounts   map[string]*account
	changes    int               // of accounts and holds: see changesSoFar
	unreadable map[string]string // why the account of waiting messages cannot be read, by AppID
	streams    map[streamKey]*stream
	order      []*stream // for turns
	turn       int
	legacies   map[legacy]bool
	pollSoon   bool                   // messages wait of which no stream is known
	slots      int                    // leased, or settled and not recorded yet
	stopping   bool                   // no new leases
	ended      bool                   // Run has ended: nothing is recorded any more
	recording  bool                   // results are in the store, or on their way, and not counted here yet
	broken     bool                   // results cannot be recorded: nothing new is sent
	stilled    map[int64]hongyan.Hold // why nothing of a batch leaves, by its number
	refused    map[shelfKey]int       // refusals of templates that are not in the store yet
	back       map[backKey]time.Time  // when to let go again what waits for a template
	waiters    waiters
}

// New returns an engine; it starts nothing.
func New(cfg Config) *Engine {
	if cfg.Slots <= 0 {
		cfg.Slots = defaultSlots
	}
	if cfg.Lease <= 0 {
		cfg.Lease = defaultLease
	}
	if cfg.StopGrace <= 0 {
		cfg.StopGrace = defaultStopGrace
	}
	if cfg.NodeName == "" {
		cfg.NodeName = "local"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Engine{
		cfg: cfg, log: cfg.Logger, metrics: newMetrics(cfg.Registerer),
		library:    newLibrary(cfg.Store),
		born:       time.Now(),
		wake:       make(chan struct{}, 1),
		done:       newDoneQueue(),
		jobs:       make(chan job),
		quit:       make(chan struct{}),
		accounts:   make(map[string]*account),
		unreadable: make(map[string]string),
		streams:    make(map[streamKey]*stream),
		waiters:    make(waiters),
		legacies:   make(map[legacy]bool),
		stilled:    make(map[int64]hongyan.Hold),
		refused:    make(map[shelfKey]int),
		back:       make(map[backKey]time.Time),
		sendCtx:    context.Background(),
	}
}

// Joined reports whether Run has joined the nodes, settled what a dead process
// left, and has its lease: the engine sends. Between a lost lease and joining anew
// it is false.
func (e *Engine) Joined() bool { return e.epoch.Load() != 0 }

// Recorded returns how many outcomes this engine has recorded since it was made.
func (e *Engine) Recorded() int64 { return e.recordedN.Load() }

// Run joins, takes over what a dead process left, and sends until ctx ends.
// Then it leases nothing more, returns what was not tried, gives calls under
// way StopGrace, records their outcomes and leaves. It may be called once.
func (e *Engine) Run(ctx context.Context) error {
	defer e.letWaitersGo()
	sendCtx, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSending()
	e.sendCtx = sendCtx

	epoch, err := e.join(ctx)
	if err != nil {
		return err
	}
	recorder := make(chan struct{})
	recordCtx, stopRecording := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRecording()
	go func() { defer close(recorder); e.runRecorder(recordCtx) }()

	if err := e.takeOver(ctx, epoch); err != nil {
		e.done.close()
		<-recorder
		return err
	}
	if err := e.loadStreams(ctx); err != nil {
		e.done.close()
		<-recorder
		return err
	}
	e.epoch.Store(epoch)
	e.log.Info("engine joined", "node", e.cfg.NodeName, "epoch", epoch, "slots", e.cfg.Slots)

	var helpers sync.WaitGroup
	helpers.Go(func() { e.runRenewals(ctx) })
	helpers.Go(func() { e.runSweeps(ctx) })
	helpers.Go(func() { e.runTakeOvers(ctx) })
	e.runClaims(ctx)
	helpers.Wait()
	epoch = e.epoch.Load()
	e.stop(stopSending)
	e.done.close()
	select {
	case <-recorder:
	case <-time.After(e.cfg.StopGrace):
		stopRecording() // the store does not take results; the next start finds them in doubt
		<-recorder
	}
	if epoch == 0 { // lost, and not joined anew
		return nil
	}
	if err := e.cfg.Store.Leave(recordCtx, epoch); err != nil {
		return fmt.Errorf("leave as node %s: %w", e.cfg.NodeName, err)
	}
	e.log.Info("engine stopped", "epoch", epoch)
	return nil
}

// stop gives back what was not tried and waits for what was.
func (e *Engine) stop(stopSending context.CancelFunc) {
	e.epoch.Store(0)
	e.mu.Lock()
	e.stopping = true
	untried := e.takeReadyLocked(nil)
	e.mu.Unlock()
	close(e.quit)
	e.giveBack(untried)

	grace := time.AfterFunc(e.cfg.StopGrace, stopSending)
	defer grace.Stop()
	e.workers.Wait()
}

// httpClient returns the client an account's calls are made with; nil lets wechat choose.
func (e *Engine) httpClient(a *hongyan.Account) *http.Client {
	if e.cfg.ClientFor != nil {
		if own := e.cfg.ClientFor(a); own != nil {
			return own
		}
	}
	return e.cfg.HTTPClient
}

// poke wakes the claimer.
func (e *Engine) poke() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}
