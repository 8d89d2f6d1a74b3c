package token

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"hongyan"
)

const (
	// renewalsAtOnce bounds how many accounts Run renews beside each other. Those
	// that hang for fetchTimeout must not make the others late.
	renewalsAtOnce = 64
	// loadRetry is the pause after the store could not be read at the start.
	loadRetry = 5 * time.Second
	// minPause keeps Run from spinning whatever the times say.
	minPause = 50 * time.Millisecond
	// idlePause is how long Run sleeps when no account has a token.
	idlePause = time.Hour
)

// Run renews the tokens of all accounts that ever had one, ahead of their expiry,
// until ctx ends; it returns nil once the flights under way have ended. Idle, it
// is two timers. Two nodes that both run it do no harm: each looks into the store
// before it asks WeChat. Every half a minute it also writes down who asked for
// tokens, and once more at its end.
func (c *Central) Run(ctx context.Context) error {
	var writing sync.WaitGroup
	writing.Go(func() { c.writeAsked(ctx) })
	c.loadAll(ctx)
	for ctx.Err() == nil {
		timer := time.NewTimer(c.runOnce(ctx))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-c.wake: // flights end in bunches: look once for all of them
			pause(ctx, minPause)
		}
		timer.Stop()
	}
	c.awaitFlights()
	writing.Wait()
	return nil
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// runOnce renews what is due and returns how long to sleep.
func (c *Central) runOnce(ctx context.Context) time.Duration {
	var group errgroup.Group
	group.SetLimit(renewalsAtOnce)
	now := c.store.Now()
	c.each(func(a *account) {
		if at, ok := a.nextAt(); ok && !now.Before(at) && ctx.Err() == nil {
			group.Go(func() error {
				_ = c.begin(a).wait(ctx, a.appID, c.store) // the flight reports for itself
				return nil
			})
		}
	})
	_ = group.Wait()
	return c.untilNext()
}

// untilNext returns how long nothing is due.
func (c *Central) untilNext() time.Duration {
	now := c.store.Now()
	pause := idlePause
	c.each(func(a *account) {
		if at, ok := a.nextAt(); ok {
			pause = min(pause, at.Sub(now))
		}
	})
	return max(pause, minPause)
}

// loadAll reads the tokens of all accounts, so that those nobody asks for are renewed too.
func (c *Central) loadAll(ctx context.Context) {
	for {
		err := c.loadStored(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		c.log.ErrorContext(ctx, "the stored access_tokens cannot be read", "err", err)
		pause(ctx, loadRetry)
	}
}

func (c *Central) loadStored(ctx context.Context) error {
	accounts, err := c.store.Accounts(ctx)
	if err != nil {
		return err
	}
	holds, err := c.store.Holds(ctx)
	if err != nil {
		return err
	}
	for _, acct := range accounts {
		stored, err := c.store.Token(ctx, acct.AppID)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil { // the others must be renewed; this one is fetched when somebody asks
			c.log.ErrorContext(ctx, "a stored access_token cannot be read", "appid", acct.AppID, "err", err)
			continue
		}
		if stored.Generation > 0 {
			a := c.account(acct.AppID)
			a.load(stored, renewAt(stored, c.rand()))
			if i := slices.IndexFunc(holds, func(h hongyan.Hold) bool { return ours(h, a.appID) }); i >= 0 {
				a.remember(stopped(holds[i]), c.store.Now())
			}
		}
	}
	return nil
}

// load puts a stored token in memory unless a flight was first.
func (a *account) load(stored hongyan.Token, renewAt time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used = true
	if a.hot.Load() == nil && a.flight == nil {
		a.put(stored, renewAt)
	}
}

// awaitFlights returns when no flight is under way, so that the store can be closed.
func (c *Central) awaitFlights() {
	c.each(func(a *account) {
		a.mu.Lock()
		under := []*flight{a.test, a.flight}
		a.mu.Unlock()
		for _, f := range under {
			if f != nil {
				<-f.done
			}
		}
	})
}

func (c *Central) each(do func(*account)) {
	c.accounts.Range(func(_, v any) bool {
		do(v.(*account))
		return true
	})
}
