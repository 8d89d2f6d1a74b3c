package care

import (
	"context"
	"maps"

	"hongyan"
	"hongyan/store"
)

// Room sets one of a user's messages of the Beijing day aside for m, and returns the
// hold of a message for which none is left. Urgent ones, and accounts without a cap,
// are not counted.
func (d *Desk) Room(ctx context.Context, a *hongyan.Account, m *hongyan.Message) (*hongyan.Hold, error) {
	if a.Care.UserCap == 0 || m.Priority == hongyan.Urgent {
		return nil, nil
	}
	now := d.cfg.Store.Now()
	u := store.UserDay{AppID: m.AppID, OpenID: m.ToUser, Day: hongyan.PeriodStart("day", now)}
	ok, err := d.cfg.Store.CountUser(ctx, u, m.Seq, a.Care.UserCap)
	if err == nil && !ok {
		ok, err = d.roomByNow(ctx, a, u, m.Seq)
	}
	if err != nil || ok {
		return nil, err
	}
	return &hongyan.Hold{
		Reason: hongyan.HoldUserCap, Until: a.QuietHours.Next(hongyan.PeriodEnd("day", now)),
		Detail:  "the user has had the messages that the account allows for a day",
		Release: "the next Beijing day; release sends it now",
	}, nil
}

// roomByNow asks once more when the account's cap is not what it was thought to be: it may
// have been raised a moment ago, through another process.
func (d *Desk) roomByNow(ctx context.Context, a *hongyan.Account, u store.UserDay, seq int64) (bool, error) {
	now, err := d.cfg.Store.Account(ctx, u.AppID)
	if err != nil || !now.Care.Raises(a.Care) {
		return false, err
	}
	if now.Care.UserCap == 0 {
		return true, nil
	}
	return d.cfg.Store.CountUser(ctx, u, seq, now.Care.UserCap)
}

// capLooks is how often Run looks again, every pollEvery, at what a cap held that was
// raised: a message that was being judged by the old one then is held a moment later.
const capLooks = 2

// CapRaised lets messages go that the account's cap per user held, as far as the
// one it has now allows. Call it when Care.Raises, once the account is stored.
func (d *Desk) CapRaised(ctx context.Context, a *hongyan.Account) error {
	d.mu.Lock()
	d.raised[a.AppID] = capLooks
	d.mu.Unlock()
	return d.uncap(ctx, a)
}

func (d *Desk) uncap(ctx context.Context, a *hongyan.Account) error {
	n, err := d.cfg.ReleaseCapped(ctx, store.CapRelease{AppID: a.AppID, Most: a.Care.UserCap, Quiet: a.QuietHours})
	if n > 0 {
		d.log.InfoContext(ctx, "messages go that a cap per user held", "appid", a.AppID, "user_cap", a.Care.UserCap, "messages", n)
	}
	return err
}

// uncapAgain looks again at what raised caps held.
func (d *Desk) uncapAgain(ctx context.Context) error {
	d.mu.Lock()
	all := maps.Clone(d.raised)
	d.mu.Unlock()
	for appID := range all {
		a, err := d.cfg.Store.Account(ctx, appID)
		if err == nil {
			err = d.uncap(ctx, &a)
		}
		if err != nil && !hongyan.IsKind(err, hongyan.NotFound) {
			return err
		}
		d.mu.Lock()
		if d.raised[appID]--; d.raised[appID] <= 0 {
			delete(d.raised, appID)
		}
		d.mu.Unlock()
	}
	return nil
}
