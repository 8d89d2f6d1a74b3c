package token

import (
	"context"
	"time"

	"hongyan"
)

const (
	// leaseLife is how long asking WeChat is reserved: one fetch and the write after
	// it. When a holder crashes, the others wait this long.
	leaseLife = fetchTimeout + 5*time.Second
	// leasePoll is how often a node looks whether another has finished asking.
	leasePoll = 75 * time.Millisecond
)

// lease reserves asking for the account's token for this process and reports
// whether it did; while another process has it, it returns false after leasePoll.
// A store that cannot say is no reason to leave the account without a token: then
// saving, which compares generations, is what keeps nodes apart.
func (c *Central) lease(ctx context.Context, a *account) (bool, error) {
	got, err := c.store.LeaseRefresh(ctx, a.appID, c.holder, leaseLife)
	switch {
	case got:
		return true, nil
	case err == nil:
		pause(ctx, leasePoll)
	case ctx.Err() == nil:
		c.log.WarnContext(ctx, "asking for an access_token without a lease: the store gives none", "appid", a.appID, "err", err)
		return true, nil
	}
	if ctx.Err() != nil {
		return false, &hongyan.TokenError{AppID: a.appID, RetryAt: c.store.Now().Add(backoff(1)),
			Reason: "another node is fetching the access_token and does not finish", Err: ctx.Err()}
	}
	return false, nil
}

// extend makes the lease last for another call. If that fails the call is made all
// the same: saving compares generations.
func (c *Central) extend(ctx context.Context, a *account) {
	if _, err := c.store.LeaseRefresh(ctx, a.appID, c.holder, leaseLife); err != nil {
		c.log.WarnContext(ctx, "the lease on asking for an access_token could not be extended", "appid", a.appID, "err", err)
	}
}

// releaseTimeout bounds the write that ends a lease, which would end by itself too.
const releaseTimeout = 2 * time.Second

// release ends the lease, even when the flight's own time is over.
func (c *Central) release(ctx context.Context, a *account) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if err := c.store.ReleaseRefresh(ctx, a.appID, c.holder); err != nil {
		c.log.WarnContext(ctx, "the lease on asking for an access_token could not be ended", "appid", a.appID, "err", err)
	}
}
