// Package callback receives what WeChat pushes: it verifies, decrypts, records,
// answers `success`, and only then works out what the push means. WeChat waits
// five seconds, delivers three times and then forgets, so nothing slower than
// one commit happens before the answer (spec §5.3).
//
// One of an account's downstreams may be synchronous: what it says within that time
// is the answer, and it is asked after the commit (reply.go).
//
// Start with ServeHTTP, then record.go for what counts as the same push twice.
// Run, in process.go, turns recorded events into receipts and begins their
// deliveries; orphan.go joins the receipts that came without a msgid anybody knows.
//
// It leaves to others: what a receipt does to a message (package store, whose
// FinishEvents and JoinOrphan apply it), and calling downstreams (package deliver).
package callback

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"hongyan"
	"hongyan/internal/seldom"
	"hongyan/store"
)

// DefaultOrphanAfter is how long a receipt without an owner waits before it is
// compared with messages in doubt. The answer to a send that the event overtook
// has been recorded by then: calls end within 15 s.
const DefaultOrphanAfter = 30 * time.Second

// tellEvery is the least time between two lines of the log about the same account
// and the same trouble; what comes between is logged at debug level.
const tellEvery = 10 * time.Minute

// Config is what a Callback is built from. Only Store is needed.
type Config struct {
	Store  store.Store
	Logger *slog.Logger // nil = discard
	// OrphanAfter is the least age of a receipt to be joined by user and time; 0 = DefaultOrphanAfter.
	OrphanAfter time.Duration
	// Observe is told of every request: the account ("" when unknown), the type of
	// the push ("" when it was not read; else lower case) and one of the results
	// verified, stored, duplicate, unreadable, store_failed, unknown_account,
	// not_configured, too_large, read_failed, bad_signature, bad_mode, bad_body,
	// bad_crypto, wrong_appid. It must be quick. nil = nobody.
	Observe func(appID, eventType, result string)
	// Reply asks the account's synchronous downstream what it answers to an event that
	// is stored already, inside the time ctx has left. It must return when ctx ends. An
	// error means that its delivery comes later. nil = nobody is asked.
	Reply func(ctx context.Context, a *hongyan.Account, d *hongyan.Downstream, e *hongyan.Event) (Reply, error)
	// Stored is called after deliveries have begun. It must not wait. nil = nobody.
	Stored func()
	// Seen is told of events before they are finished, in their order, with the receipts
	// found in each; after a crash, or an error of anybody's, again. nil = nobody.
	Seen func(ctx context.Context, events []hongyan.Event, receipts [][]hongyan.Receipt) error
	// Rules says what an event sets off. nil = nothing.
	Rules func(ctx context.Context, e *hongyan.Event) ([]store.NewFiring, error)
	// Fired is called after firings have begun. It must not wait. nil = nobody.
	Fired func()
	// Consented is told what events said of users' consents, once that is stored. It
	// must be quick. nil = nobody.
	Consented func(ctx context.Context, changes []hongyan.ConsentChange)
	// Leads reports whether this process judges receipts without an owner for the next
	// d, of all that share the database. nil = it does.
	Leads func(ctx context.Context, d time.Duration) (bool, error)
}

// Reply is what a synchronous downstream answered.
type Reply struct {
	Body   []byte // the passive reply, plain; nil = nothing to say
	Status int    // HTTP
	Took   time.Duration
}

// Callback serves /callback/{appid} and processes what came in. Build it with
// New; its methods are safe for concurrent use.
type Callback struct {
	store       store.Store
	log         *slog.Logger
	orphanAfter time.Duration
	observe     func(appID, eventType, result string)
	reply       func(ctx context.Context, a *hongyan.Account, d *hongyan.Downstream, e *hongyan.Event) (Reply, error)
	stored      func()
	seen        func(ctx context.Context, events []hongyan.Event, receipts [][]hongyan.Receipt) error
	rules       func(ctx context.Context, e *hongyan.Event) ([]store.NewFiring, error)
	fired       func()
	onConsents  func(ctx context.Context, changes []hongyan.ConsentChange)
	leads       func(ctx context.Context, d time.Duration) (bool, error)
	wake        chan struct{} // tells Run that an event was stored; holds one

	mu        sync.RWMutex
	receivers map[string]*receiver // by the name in the URL: AppID or alias
	changes   int                  // calls of AccountChanged
	asking    map[string]int       // calls of reply under way, by AppID

	repeated seldom.Teller // of what may happen to every push

	judgements map[int64]time.Time // runOrphans' alone: when an orphan is looked at again
}

// New returns a Callback. It starts nothing.
func New(cfg Config) *Callback {
	c := &Callback{
		store: cfg.Store, log: cfg.Logger, orphanAfter: cfg.OrphanAfter, observe: cfg.Observe,
		reply: cfg.Reply, stored: cfg.Stored, leads: cfg.Leads, onConsents: cfg.Consented,
		seen: cfg.Seen, rules: cfg.Rules, fired: cfg.Fired,
		wake: make(chan struct{}, 1), receivers: map[string]*receiver{}, asking: map[string]int{}, judgements: map[int64]time.Time{},
		repeated: seldom.Teller{Every: tellEvery},
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.orphanAfter == 0 {
		c.orphanAfter = DefaultOrphanAfter
	}
	if c.observe == nil {
		c.observe = func(string, string, string) {}
	}
	if c.stored == nil {
		c.stored = func() {}
	}
	if c.seen == nil {
		c.seen = func(context.Context, []hongyan.Event, [][]hongyan.Receipt) error { return nil }
	}
	if c.rules == nil {
		c.rules = func(context.Context, *hongyan.Event) ([]store.NewFiring, error) { return nil, nil }
	}
	if c.fired == nil {
		c.fired = func() {}
	}
	if c.leads == nil {
		c.leads = func(context.Context, time.Duration) (bool, error) { return true, nil }
	}
	return c
}

// answerWithin ends a request whose body or commit is too slow for WeChat, which
// gives up after 5 s and pushes again (spec §5.3).
const answerWithin = 4500 * time.Millisecond

// ServeHTTP answers WeChat on /callback/{appid}; the pattern must set the path
// value appid, an AppID or alias.
//
// GET is the verification of the server URL: 200 with the raw echostr. POST is a
// push: 200 after it is durable, whether or not it came before, with `success` or
// with the passive reply of the account's synchronous downstream.
// Refusals are small JSON objects {"error":…}: 403 for a wrong signature, mode,
// key or appid, 404 for an unknown account, 400 for a body that cannot be
// WeChat's, 413 above 1 MiB, 405 for other methods. 503 asks WeChat to push again:
// the push could not be stored.
func (c *Callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		refuse(w, http.StatusMethodNotAllowed, "method_not_allowed")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
	defer cancel()
	rec, err := c.receiver(ctx, r.PathValue("appid"))
	if err != nil {
		c.refuseAccount(w, r, err)
		return
	}
	if r.Method == http.MethodGet {
		c.verify(w, r, rec)
		return
	}
	c.receive(w, r.WithContext(ctx), rec)
}

// refuseAccount answers when there is nobody to receive for.
func (c *Callback) refuseAccount(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case hongyan.IsKind(err, hongyan.NotFound):
		c.observe("", "", "unknown_account")
		refuse(w, http.StatusNotFound, "unknown_account")
	case hongyan.IsKind(err, hongyan.Conflict):
		c.observe("", "", "not_configured")
		c.tell(r.Context(), slog.LevelWarn, r.PathValue("appid"), "a callback for an account that is not set up for it", "err", err)
		refuse(w, http.StatusNotFound, "callback_not_configured")
	default:
		c.observe("", "", "store_failed")
		c.log.ErrorContext(r.Context(), "the account of a callback cannot be read", "err", err)
		refuse(w, http.StatusServiceUnavailable, "try_again")
	}
}

// tell logs what may happen to every push: at level once in tellEvery for that subject
// and text, the rest at debug level.
func (c *Callback) tell(ctx context.Context, level slog.Level, subject, text string, args ...any) {
	level, untold := c.repeated.Level(level, c.store.Now(), text+" "+subject)
	if untold > 0 {
		args = append(args, "untold", untold)
	}
	c.log.Log(ctx, level, text, args...)
}

// verify answers the check of the server URL (spec §5.2).
func (c *Callback) verify(w http.ResponseWriter, r *http.Request, rec *receiver) {
	echo, err := rec.VerifyURL(r.URL.Query())
	if err != nil {
		c.refusePush(w, r, rec, err)
		return
	}
	c.observe(rec.appID, "", "verified")
	answer(w, echo)
}

// answer writes text and nothing around it. echostr comes from the query, so
// browsers are told not to take it for a page.
func answer(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Length", strconv.Itoa(len(text))) // whole even when it is flushed
	_, _ = w.Write([]byte(text))
}

// refuse writes why in one word.
func refuse(w http.ResponseWriter, status int, word string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"error":"` + word + `"}` + "\n"))
}
