// Package deliver hands what WeChat pushed on to the servers of the business, each
// of which sees what it would see at the account's callback URL: WeChat's own
// format, signed with that server's token, in that server's mode. Every push
// arrives at least once at every downstream that wants it.
//
// Beside that a Herald tells endpoints of the business, and people in chats, what
// happens here: webhooks.
//
// Start with Run, which finds targets with something due, and lane.go, which
// empties one of them; attempt.go makes one call and judges it, health.go keeps a
// dead server from being stormed. Reply is the one call that WeChat waits for. The
// Herald begins in herald.go.
//
// It leaves to others: which pushes go to whom (package callback begins the
// deliveries), and where they are remembered (package store).
package deliver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"hongyan"
	"hongyan/internal/guard"
	"hongyan/internal/seldom"
	"hongyan/store"
	"hongyan/wechat"
)

const (
	// width is how many calls to one target are under way at once. WeChat's own
	// pushes were not limited; a server that stood behind it bears this.
	width = 32
	// connectWithin and answerWithin bound one call. WeChat gives a server 5 s (spec
	// §5.3); twice that spares a slow one the same push again.
	connectWithin = 3 * time.Second
	answerWithin  = 10 * time.Second
	// lease is how long a claimed delivery is nobody else's: a call and its recording fit in.
	lease = 30 * time.Second
	// stopGrace is how long a stop lets calls under way go on.
	stopGrace = 5 * time.Second
	// pollEvery is the backstop for what another process stored, or a crash left.
	pollEvery = 5 * time.Second
	// tellEvery is the least time between two lines of the log about the same trouble
	// of one target; what comes between is logged at debug level.
	tellEvery = 10 * time.Minute
)

// Config is what a Sender is built from. Only Store is needed.
type Config struct {
	Store store.Store
	// HTTPClient makes the calls; its redirect policy is not used, because none is
	// followed. nil = one over NewTransport that reaches public addresses only.
	HTTPClient *http.Client
	Logger     *slog.Logger // nil = discard
	// Observe is told of every attempt: the target, how long it took and one of the
	// outcomes delivered, replied (to a call WeChat waits for), bad_reply (the same, but
	// what it answered cannot be passed on), refused (an answer other than 2xx),
	// unreachable (no whole answer), gave_up, put_off (the msgid is not known yet). It
	// must be quick. nil = nobody.
	Observe func(target, outcome string, took time.Duration)
}

// Sender delivers. Build it with New; its methods are safe for concurrent use.
type Sender struct {
	store   store.Store
	client  *http.Client
	log     *slog.Logger
	observe func(target, outcome string, took time.Duration)
	wake    chan struct{} // holds one

	mu       sync.Mutex
	accounts map[string]*outlets                    // by AppID
	changes  int                                    // calls of AccountChanged
	lanes    map[string]*lane[store.DeliveryResult] // being emptied, by target
	health   map[string]*health                     // by target

	repeated seldom.Teller // of what may happen to every push
}

// New returns a Sender. It starts nothing.
func New(cfg Config) *Sender {
	s := &Sender{
		store: cfg.Store, log: cfg.Logger, observe: cfg.Observe, wake: make(chan struct{}, 1),
		accounts: map[string]*outlets{}, lanes: map[string]*lane[store.DeliveryResult]{}, health: map[string]*health{},
		repeated: seldom.Teller{Every: tellEvery},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.observe == nil {
		s.observe = func(string, string, time.Duration) {}
	}
	client := http.Client{Transport: NewTransport(guard.New(nil).Control)}
	if cfg.HTTPClient != nil {
		client = *cfg.HTTPClient
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.client = &client
	return s
}

// NewTransport returns a transport for calls to servers that an operator named:
// each address is shown to control before it is dialled, no proxy comes between,
// and neither headers nor compression can make an answer large.
func NewTransport(control func(network, address string, c syscall.RawConn) error) *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: connectWithin, Control: control}).DialContext,
		TLSHandshakeTimeout:    connectWithin,
		MaxIdleConnsPerHost:    width,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: wechat.MaxReplyBytes,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
	}
}

// Wake says that there may be something to deliver. It never waits.
func (s *Sender) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// AccountChanged forgets an account's downstreams: call it after the account was
// created, changed or deleted. What was kept for one that is gone is removed.
func (s *Sender) AccountChanged(appID string) {
	s.mu.Lock()
	s.changes++
	delete(s.accounts, appID)
	s.mu.Unlock()
	s.Wake()
}

// tell logs what may happen to every push: at level once in tellEvery for that target
// and text, the rest at debug level.
func (s *Sender) tell(ctx context.Context, level slog.Level, target, text string, args ...any) {
	level, untold := s.repeated.Level(level, s.store.Now(), text+" "+target)
	args = append([]any{"target", target}, args...)
	if untold > 0 {
		args = append(args, "untold", untold)
	}
	s.log.Log(ctx, level, text, args...)
}

// replayBatch and dropBatch bound one transaction; pushes go on between two.
const (
	replayBatch = 500
	dropBatch   = 500
)

// Replay delivers what came for the account from one time until another (zero =
// now) to the downstream once more, also what it took already. types, as in
// Event.Type, select; none means those that the downstream wants. It returns how
// many deliveries began, also beside an error: those stay begun.
func (s *Sender) Replay(ctx context.Context, a *hongyan.Account, d *hongyan.Downstream, from, until time.Time, types []string) (int, error) {
	if until.IsZero() {
		until = hongyan.Millis(s.store.Now())
	}
	if len(types) == 0 {
		types = d.Events
	}
	defer s.Wake()
	r := store.Replay{AppID: a.AppID, Target: d.Target(a.AppID), Types: types, From: from, Until: until, Limit: replayBatch}
	total := 0
	for {
		n, last, err := s.store.ReplayDeliveries(ctx, r)
		total += n
		if err != nil || last == 0 {
			return total, err
		}
		r.After = last
	}
}

// Drop removes every delivery of a target, whatever its state.
func (s *Sender) Drop(ctx context.Context, target string) error {
	for {
		n, err := s.store.DropDeliveries(ctx, target, dropBatch)
		if err != nil || n < dropBatch {
			return err
		}
	}
}

// errGone: the account has no such downstream (any more).
var errGone = errors.New("no such downstream")
