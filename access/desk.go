// Package access knows who asks: it turns API keys and gateway secrets into
// callers, turns away addresses that guess, and writes the audit log.
//
// Start with Desk, the one place where every edge asks. caller.go says what a
// caller may do, secret.go what a key looks like, keys.go how keys are
// remembered, guesses.go how guessing is slowed down, and audit.go how entries
// are gathered. What a request means, and how a refusal is worded on the wire,
// is left to the edges: packages api and compat.
package access

import (
	"context"
	"log/slog"
	"time"

	"hongyan/store"
)

// Config is what a Desk is built from.
type Config struct {
	Store store.Store
	// AdminKeyHash is the SHA-256 of the administrator's key. All zero = there is none.
	AdminKeyHash [32]byte
	Logger       *slog.Logger // nil = discard
}

// Desk answers who somebody is and keeps account of what they do. It is safe
// for concurrent use.
type Desk struct {
	store    store.Store
	log      *slog.Logger
	keys     *keyCache
	guesses  *guesses
	gathered *gatherer
}

// New builds a Desk. It starts nothing; see Run.
func New(cfg Config) *Desk {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Desk{
		store: cfg.Store, log: cfg.Logger,
		keys: newKeyCache(cfg.Store, cfg.AdminKeyHash), guesses: newGuesses(), gathered: newGatherer(),
	}
}

const (
	// touchEvery is how often the times keys were last used are written: often
	// enough for people, one small write for all keys.
	touchEvery = 30 * time.Second
	// gatherEvery is how soon something gathered is written, so that whoever
	// looks sees a refusal almost at once.
	gatherEvery = 2 * time.Second
)

// Run writes in batches when keys were last used and what was gathered for the
// audit log, and once more when ctx ends. It returns nil after that.
func (d *Desk) Run(ctx context.Context) error {
	touch, gather := time.NewTicker(touchEvery), time.NewTicker(gatherEvery)
	defer touch.Stop()
	defer gather.Stop()
	for {
		select {
		case <-touch.C:
			d.touchKeys(ctx)
		case <-gather.C:
			d.guesses.forgetOld(time.Now())
			d.writeGathered(ctx, false)
		case <-ctx.Done():
			d.touchKeys(ctx)
			d.writeGathered(ctx, true)
			return nil
		}
	}
}

func (d *Desk) touchKeys(ctx context.Context) {
	used := d.keys.used()
	if len(used) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if err := d.store.TouchKeys(ctx, used); err != nil {
		d.keys.putBack(used)
		d.log.WarnContext(ctx, "write when keys were last used", "keys", len(used), "err", err)
	}
}
