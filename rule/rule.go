// Package rule sends a message when WeChat pushes an event (S57): a rule says on
// which, to whom how often, and what. Nothing is sent here: the firing of a rule is a
// row that comes into being in the transaction that finishes its event, and Run makes
// a message of each row, once.
//
// Start with Desk.Firings, which package callback asks about every event, then run.go.
// match.go says which events fit, text.go how texts are filled in, check.go what a rule
// may say. What becomes of the message is package dispatch's.
package rule

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"hongyan"
	"hongyan/store"
)

// Outgoing is a message that a rule wants sent.
type Outgoing struct {
	AppID       string
	ToUser      string
	Message     hongyan.RuleMessage
	ClientMsgID string // the same for every try at one firing
	SendAt      time.Time
	ExpiresAt   time.Time
}

// Sent says what became of an Outgoing: a message, or an error that names why not.
type Sent struct {
	MessageID string
	Err       error
}

// Config is what a Desk is built from.
type Config struct {
	Store store.Store
	// Send stores messages, one answer for each in order; an error is about all of them.
	Send func(ctx context.Context, all []Outgoing) ([]Sent, error)
	// Check reports why a message would be refused, and stores nothing.
	Check func(ctx context.Context, o *Outgoing) error
	// Tell passes on what rules did as events out; nil = nobody wants to know.
	Tell   func(ctx context.Context, appID, typ string, data any)
	Logger *slog.Logger // nil = discard
}

// Desk knows the accounts' rules. It is safe for concurrent use.
type Desk struct {
	cfg  Config
	log  *slog.Logger
	wake chan struct{} // tells Run that a firing was stored; holds one

	mu      sync.RWMutex
	known   map[string]*ruleBook // by AppID
	changes int                  // calls of AccountChanged
}

// ruleBook is what an account wants sent.
type ruleBook struct {
	rules []compiled
	life  time.Duration // of a message, after it was to leave
}

// New returns a Desk; it starts nothing.
func New(cfg Config) *Desk {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Tell == nil {
		cfg.Tell = func(context.Context, string, string, any) {}
	}
	return &Desk{cfg: cfg, log: cfg.Logger, wake: make(chan struct{}, 1), known: map[string]*ruleBook{}}
}

// AccountChanged makes the desk read an account's rules again before their next use.
func (d *Desk) AccountChanged(appID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changes++
	delete(d.known, appID)
}

// book returns what an account wants sent; an empty one when it is gone.
func (d *Desk) book(ctx context.Context, appID string) (*ruleBook, error) {
	d.mu.RLock()
	b, changes := d.known[appID], d.changes
	d.mu.RUnlock()
	if b != nil {
		return b, nil
	}
	b = &ruleBook{}
	account, err := d.cfg.Store.Account(ctx, appID)
	switch {
	case hongyan.IsKind(err, hongyan.NotFound):
	case err != nil:
		return nil, err
	default:
		if b.life = account.ExpireAfter; b.life == 0 {
			b.life = hongyan.DefaultExpireAfter
		}
		rules, err := d.cfg.Store.Rules(ctx, appID)
		if err != nil {
			return nil, err
		}
		for i := range rules {
			b.rules = append(b.rules, compile(&rules[i]))
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.changes == changes { // else what was read may be old already
		d.known[appID] = b
	}
	return b, nil
}

// Firings returns what an event sets off. The same event gives the same answer as
// long as the rules stay as they are.
func (d *Desk) Firings(ctx context.Context, e *hongyan.Event) ([]store.NewFiring, error) {
	b, err := d.book(ctx, e.AppID)
	if err != nil || len(b.rules) == 0 || e.OpenID == "" {
		return nil, err
	}
	var all []store.NewFiring
	var seen *push
	for i := range b.rules {
		r := &b.rules[i]
		if r.Paused || !r.about(e) {
			continue
		}
		if seen == nil {
			if seen, err = readPush(e); err != nil {
				d.log.WarnContext(ctx, "a push cannot be read: no rule is asked about it", "appid", e.AppID, "event", e.ID, "err", err)
				return nil, nil
			}
		}
		if fields, _ := r.fits(seen); fields != nil {
			all = append(all, r.firing(seen, fields, b.life))
		}
	}
	return all, nil
}
