package sandbox

import (
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Options sets up a Sandbox. The zero value is a sandbox with everything at its
// default.
type Options struct {
	// Seed drives every id, token and random choice: the same seed and the same
	// calls give the same answers. 0 means 1. A long-lived sandbox that is restarted
	// beside a gateway that is not should be given a new seed each time, or msgids
	// of the first life come back in the second.
	Seed int64
	// Logger receives what goes wrong with pushes; nil discards it.
	Logger *slog.Logger
	// HTTPClient makes the pushes. nil means a client of the sandbox's own, which
	// follows no redirects and uses no proxy.
	HTTPClient *http.Client
	// LedgerLimit is how many calls, and how many shown messages, are remembered;
	// the oldest go first. 0 means 1,000,000.
	LedgerLimit int
	// DeliveryDelay is the time between accepting a message and delivering it, for
	// accounts that set none. 0 means one second, a negative value means at once.
	DeliveryDelay time.Duration
	// World is what the sandbox begins with, and Reset goes back to; nil means the
	// built-in seed. New panics with one that did not come from ReadWorld and is wrong.
	World *World
	// AllowRemote lets the control API answer callers that are not on loopback.
	AllowRemote bool
}

const (
	defaultLedgerLimit   = 1_000_000
	defaultDeliveryDelay = time.Second // spec §10, row 9: 0.2 to 3 s
)

func (o Options) withDefaults() Options {
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.LedgerLimit <= 0 {
		o.LedgerLimit = defaultLedgerLimit
	}
	switch {
	case o.DeliveryDelay == 0:
		o.DeliveryDelay = defaultDeliveryDelay
	case o.DeliveryDelay < 0:
		o.DeliveryDelay = 0
	}
	return o
}

// Sandbox is one local WeChat. All methods may be called from several
// goroutines at once. Deliveries and pushes happen only while [Sandbox.Run] runs.
type Sandbox struct {
	opts   Options
	client *http.Client
	// wake tells Run that something became due or a push is waiting. Capacity one:
	// a wake-up that is already pending covers every later one.
	wake chan struct{}

	feed *feed
	file *stateFile // nil = everything in memory

	mu      sync.Mutex // guards platform; never held while anything is sent or read
	p       *platform
	changes int64 // times that the platform may have been changed
}

// New returns a sandbox that holds the built-in seed, or Options.World. It starts no goroutine.
func New(opts Options) *Sandbox {
	opts = opts.withDefaults()
	s := &Sandbox{opts: opts, wake: make(chan struct{}, 1), feed: &feed{born: time.Now().UnixNano()}}
	if s.client = opts.HTTPClient; s.client == nil {
		s.client = newPushClient()
	}
	s.p = newPlatform(opts, newDice(opts.Seed), s.feed)
	return s
}

// platform is everything the simulated WeChat knows. It has no lock and no I/O:
// Sandbox guards it, and Reset replaces it as a whole.
type platform struct {
	opts  Options
	dice  *dice
	clock clock
	rules Settings

	accounts map[string]*account
	order    []*account // by creation: the first of a kind is the default one
	tokens   map[string]*token
	// tokensMade are the tokens in the order they are forgotten.
	tokensMade queue[*token]
	users      map[string]*user
	known      known
	forms      map[string]*form
	given      map[string][]string // by openid: the newest ids in forms, newest last
	consents   map[consentKey]*consent
	oneTimes   map[oneTimeKey]int     // messages confirmed and not yet sent
	recent     recent[sendKey, int64] // msgids by client_msg_id
	timers     timers
	faults     faults
	presets    []*preset
	ledger     ledger
	inbox      inbox
	stats      stats
	traffic    traffic
	rids       rids
	feed       *feed      // of the sandbox: watchers stay over a reset
	ready      []*account // accounts with pushes nobody has started on yet
}

// newPlatform holds what the options say that a sandbox begins with.
func newPlatform(opts Options, d *dice, f *feed) *platform {
	p := emptyPlatform(opts, d, f)
	if opts.World == nil {
		p.plantSeed()
	} else if err := opts.World.plant(p); err != nil {
		panic("sandbox: Options.World: " + err.Error()) // not one that ReadWorld returned
	}
	return p
}

func emptyPlatform(opts Options, d *dice, f *feed) *platform {
	return &platform{
		opts:     opts,
		dice:     d,
		feed:     f,
		accounts: map[string]*account{},
		tokens:   map[string]*token{},
		users:    map[string]*user{},
		known:    newKnown(),
		forms:    map[string]*form{},
		given:    map[string][]string{},
		consents: map[consentKey]*consent{},
		oneTimes: map[oneTimeKey]int{},
		recent:   newRecent[sendKey, int64](dedupeWindow),
		ledger:   ledger{limit: opts.LedgerLimit},
		inbox:    newInbox(opts.LedgerLimit),
		stats:    newStats(),
		rules:    defaultSettings(),
	}
}

// lock returns the platform with the mutex held; unlock gives it back.
func (s *Sandbox) lock() *platform {
	s.mu.Lock()
	s.changes++
	return s.p
}

// unlock releases the mutex and wakes Run if there is something for it to do
// before the time it meant to wake by itself.
func (s *Sandbox) unlock() {
	waiting := s.p.needsRun()
	s.mu.Unlock()
	if waiting {
		s.poke()
	}
}

// poke wakes Run without waiting for it.
func (s *Sandbox) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Reset goes back to the seed: accounts, users, tokens, faults, ledger and clock.
// Ids go on where they were, so that no token and no msgid of before comes back.
// Deliveries and pushes still waiting are dropped.
func (s *Sandbox) Reset() {
	old := s.lock()
	s.p = newPlatform(s.opts, old.dice, s.feed)
	s.p.traffic.last = old.traffic.last // readers of the feed go on after it
	s.mu.Unlock()
	s.feed.mark(changedAll)
	s.poke()
}
