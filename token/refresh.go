package token

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"hongyan"
)

// refresh is the body of a flight: it leaves a fresh token in memory, or a
// reason why there is none.
func (c *Central) refresh(ctx context.Context, a *account) *hongyan.TokenError {
	now := c.store.Now()
	if a.settled(now) {
		return nil
	}
	if refusal := a.refusal(now); refusal != nil {
		return refusal.(*hongyan.TokenError)
	}
	for {
		resets := a.resetsSoFar()
		err := c.attempt(ctx, a)
		if err == nil {
			return nil
		}
		if a.resetsSoFar() != resets && ctx.Err() == nil {
			continue // the account was changed meanwhile: that failure was the old secret's
		}
		return c.fail(ctx, a, err)
	}
}

// attempt takes the store's token if that is fresh (another node may have renewed
// it, this process may have just started), and fetches one otherwise, when no other
// node is doing so.
func (c *Central) attempt(ctx context.Context, a *account) error {
	acct, err := c.store.Account(ctx, a.appID)
	if err != nil {
		return err
	}
	acct.TokenSource = cmp.Or(acct.TokenSource, hongyan.TokenStable)
	for leased := isPushed(&acct); ; { // nobody is asked for a pushed token
		stored, done, err := c.look(ctx, a, &acct)
		if done || err != nil {
			return err
		}
		if leased {
			return c.ask(ctx, a, acct, stored)
		}
		if leased, err = c.lease(ctx, a); err != nil {
			return err
		}
		if leased {
			defer c.release(ctx, a)
		}
	}
}

// look reads the store and reports whether that is all there is to do. A stopped
// account fetches only on trial, and then always, because only WeChat's answer
// tells whether the change helped.
func (c *Central) look(ctx context.Context, a *account, acct *hongyan.Account) (stored hongyan.Token, done bool, err error) {
	if stored, err = c.store.Token(ctx, a.appID); err != nil {
		return hongyan.Token{}, false, err
	}
	hold, err := c.standingHold(ctx, a)
	if err != nil {
		return hongyan.Token{}, false, err
	}
	fresh := c.takeStored(a, stored, acct.TokenSource, hold == nil)
	switch {
	case hold == nil && fresh:
		a.endTrial()
		return stored, true, nil
	case hold != nil && !a.onTrial():
		return stored, false, stopped(*hold)
	}
	return stored, false, nil
}

// ask gets a token that is fresher than the stored one from where the account's come from.
func (c *Central) ask(ctx context.Context, a *account, acct hongyan.Account, stored hongyan.Token) error {
	if isPushed(&acct) {
		return c.takePushed(ctx, a, stored)
	}
	if err := c.bookDeath(a, stored); err != nil {
		return err
	}
	fetched, err := c.fetch(ctx, a, acct, stored)
	if err != nil {
		return err
	}
	return c.keep(ctx, a, fetched)
}

// takeStored puts the stored token in memory unless memory has a later one, and
// reports whether it is fresh enough to leave it at that. good says that a fresh
// token ends earlier failures.
func (c *Central) takeStored(a *account, stored hongyan.Token, source hongyan.TokenSource, good bool) bool {
	h := a.hot.Load()
	if stored.Generation == 0 || h != nil && h.token.Generation > stored.Generation {
		return false
	}
	now, renew := c.store.Now(), renewAt(stored, c.rand())
	fresh := stored.Source == source && now.Before(stored.ExpiresAt) && now.Before(renew) &&
		!a.mustGo(stored.AccessToken.Reveal())
	if fresh || h == nil || h.token.Generation < stored.Generation {
		a.show(stored, renew, fresh && good)
	}
	return fresh
}

// raceLife is how long a token is trusted after two nodes fetched plain tokens at
// once, because the lease of one ran out over its asking: nobody can know which of them WeChat made last, but both work for five
// minutes. Within them one node fetches again.
const raceLife = 4 * time.Minute

// keep saves a fetched token and puts it in memory. Another node may have saved
// first. A stable token of theirs is as good as ours, and mostly the same.
func (c *Central) keep(ctx context.Context, a *account, fetched hongyan.Token) error {
	for range maxSaves {
		saved, err := c.store.SaveToken(ctx, fetched)
		if err != nil {
			// The token is good and the one in the store may be dead: serve it from memory.
			c.log.ErrorContext(ctx, "the new access_token could not be stored", "appid", a.appID, "err", err)
			break
		}
		if saved {
			break
		}
		theirs, err := c.store.Token(ctx, a.appID)
		if err != nil {
			return err
		}
		if theirs.Source == hongyan.TokenStable && fetched.Source == theirs.Source && !a.mustGo(theirs.AccessToken.Reveal()) {
			fetched = theirs
			break
		}
		if end := fetched.FetchedAt.Add(raceLife); theirs.Generation > 0 && end.Before(fetched.ExpiresAt) {
			fetched.ExpiresAt = end
		}
		fetched = after(fetched, theirs, 1)
	}
	c.succeeded(ctx, a, fetched)
	return nil
}

// after numbers a fetched token as the successor of stored, counting the calls it took.
func after(fetched, stored hongyan.Token, calls int64) hongyan.Token {
	fetched.Generation, fetched.Fetches = stored.Generation+1, stored.Fetches+calls
	fetched.Previous = stored.AccessToken
	if stored.AccessToken == fetched.AccessToken { // the stable endpoint repeats itself
		fetched.Previous = stored.Previous
	}
	return fetched
}

// maxSaves bounds the race with other nodes, each of which fetches once at most.
const maxSaves = 10

// succeeded puts a fetched token in memory and ends what was wrong before.
func (c *Central) succeeded(ctx context.Context, a *account, t hongyan.Token) {
	if a.endTrial() {
		c.clearHold(ctx, a.appID)
	}
	if before := a.failuresSoFar(); before > 0 {
		c.log.InfoContext(ctx, "access_token fetched again", "appid", a.appID, "failures_before", before)
	}
	a.show(t, renewAt(t, c.rand()), true)
	c.fetched(a.appID) // now that AccessToken returns it
	c.log.DebugContext(ctx, "access_token fetched", "appid", a.appID, "source", t.Source, "generation", t.Generation, "expires_at", t.ExpiresAt)
}

const (
	// youngAge: a token refused sooner than this after its fetch was probably never good.
	youngAge = time.Minute
	// youngFree is how many young tokens in a row are replaced without a pause.
	youngFree = 2
	// earlyBy is how much life a refused token must have had left to blame somebody
	// outside. Clocks and WeChat's own rounding explain less.
	earlyBy = time.Minute
)

// bookDeath notes once how a refused token ended, if the store shows that no
// node of ours replaced it, and tells of one that ended early. When one new token
// after the other is refused, it returns an error that slows the replacing down:
// each plain fetch is one of 2,000 a day.
func (c *Central) bookDeath(a *account, stored hongyan.Token) error {
	by, young := a.bookDeath(stored)
	if by > 0 {
		c.log.Warn(fmt.Sprintf("someone outside refreshed %s: its access_token died %d s early", a.appID, int(by/time.Second)),
			"appid", a.appID, "early_s", int(by/time.Second))
		c.diedEarly(a.appID, by)
	}
	if young <= youngFree {
		return nil
	}
	return &hongyan.TokenError{AppID: a.appID, RetryAt: c.store.Now().Add(backoff(young - youngFree)),
		Reason: "WeChat refuses every new access_token within a minute; is another program refreshing it, or base_url another platform's?"}
}

// bookDeath returns by how much the token died early, 0 if it did not or that is
// booked already, and how many in a row died young. An external token is replaced
// by its keeper, whenever that pleases: none of them dies early.
func (a *account) bookDeath(stored hongyan.Token) (by time.Duration, young int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	diedAt := a.diedAt
	a.diedAt = time.Time{}
	if diedAt.IsZero() || stored.AccessToken != a.unwanted {
		return 0, 0
	}
	if left := stored.ExpiresAt.Sub(diedAt); left > earlyBy && !a.lostCall && stored.Source != hongyan.TokenExternal {
		a.early++
		a.lastEarly = left
		by = left
	}
	if diedAt.Sub(stored.FetchedAt) >= youngAge {
		a.young = 0
	} else {
		a.young++
	}
	return by, a.young
}
