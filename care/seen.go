package care

import (
	"context"
	"time"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"
)

// Types of event that say something about a user; see hongyan.Event.Type.
const (
	typeFollow   = "subscribe"
	typeUnfollow = "unsubscribe"
	typePopup    = "subscribe_msg_popup_event"
	typeReceipt  = "templatesendjobfinish"
)

// fleeting are the reasons that any act of the user's in the account disproves. That
// they refuse its messages it does not.
var fleeting = []string{hongyan.SuppressNotFollowing, hongyan.SuppressBlacklisted, hongyan.SuppressUserFrozen, hongyan.SuppressBadOpenID}

// byWeChat are all reasons but a person's.
var byWeChat = append([]string{hongyan.SuppressUserBlock}, fleeting...)

// Seen takes note of events in their order, with the receipts found in each. It may be
// told of the same ones again.
func (d *Desk) Seen(ctx context.Context, events []hongyan.Event, receipts [][]hongyan.Receipt) error {
	if err := d.followed(ctx, events); err != nil {
		return err
	}
	var put []hongyan.Suppression
	for i := range events {
		e := &events[i]
		d.arrived(e.AppID, e.ReceivedAt)
		put = append(put, putBy(e, receipts[i])...)
		reasons := lifts(e, receipts[i])
		if reasons == nil || !d.onList(put, e) {
			continue
		}
		if err := d.put(ctx, put); err != nil { // what came first stays first
			return err
		}
		put = nil
		l := store.Lift{AppID: e.AppID, OpenIDs: []string{e.OpenID}, Reasons: reasons, By: e.Type, At: at(e)}
		if e.Type == typeReceipt {
			l.By = "success"
		}
		if _, err := d.Lift(ctx, l); err != nil {
			return err
		}
	}
	return d.put(ctx, put)
}

// followed takes note of the follows among events, ahead of everything else they tell:
// the store knows by the times what came before a follow, and this process or another
// may say it late.
func (d *Desk) followed(ctx context.Context, events []hongyan.Event) error {
	var follows []store.Follow
	for i := range events {
		if e := &events[i]; e.Type == typeFollow && e.OpenID != "" {
			follows = append(follows, store.Follow{AppID: e.AppID, OpenID: e.OpenID, At: at(e).Truncate(time.Second), By: e.Type})
		}
	}
	lifted, err := d.cfg.Store.Followed(ctx, follows)
	for i := 0; i < len(lifted) && err == nil; i++ {
		_, err = d.cfg.Released(ctx, lifted[i].AppID, lifted[i].OpenID, hongyan.HoldSuppressed)
	}
	return err
}

// at is when an event happened: by WeChat's clock, but no later than it came by ours, by
// which answers to calls are dated that were begun after it.
func at(e *hongyan.Event) time.Time {
	if e.CreateTime.IsZero() || e.CreateTime.After(e.ReceivedAt) && !e.ReceivedAt.IsZero() {
		return e.ReceivedAt
	}
	return e.CreateTime
}

// onList reports whether the user of an event may be on the list, or is about to be.
func (d *Desk) onList(put []hongyan.Suppression, e *hongyan.Event) bool {
	for i := range put {
		if put[i].OpenID == e.OpenID && put[i].AppID == e.AppID {
			return true
		}
	}
	return d.list.mayHave(e.AppID, e.OpenID)
}

// putBy returns whom an event puts on the list: who left, and who refuses messages.
// Other programs' messages tell it as well as ours.
func putBy(e *hongyan.Event, receipts []hongyan.Receipt) (all []hongyan.Suppression) {
	if e.Type == typeUnfollow && e.OpenID != "" {
		since := at(e)
		return []hongyan.Suppression{{AppID: e.AppID, OpenID: e.OpenID, Reason: hongyan.SuppressNotFollowing, Note: "unsubscribe", Since: since, Until: since.Add(keepNotFollowing)}}
	}
	if e.Type != typeReceipt { // a subscribe message's refusal is about one template
		return nil
	}
	for i := range receipts {
		if r := &receipts[i]; r.Status == "user_block" && r.ToUser != "" {
			all = append(all, hongyan.Suppression{AppID: e.AppID, OpenID: r.ToUser, Reason: hongyan.SuppressUserBlock, Since: r.At, Until: r.At.Add(keepUserBlock)})
		}
	}
	return all
}

// lifts returns the reasons that an event disproves; nil = none. What a follow does, Desk.followed
// has done.
func lifts(e *hongyan.Event, receipts []hongyan.Receipt) []string {
	switch {
	case e.OpenID == "" || e.Type == typeUnfollow || e.Type == typeFollow:
		return nil
	case e.Type == typePopup:
		if accepted(e) {
			return byWeChat
		}
	case e.Type == typeReceipt:
		if len(receipts) == 1 && receipts[0].Status == "success" {
			return byWeChat
		}
		return nil
	case len(receipts) > 0:
		return nil
	}
	return fleeting
}

// accepted reports whether the user agreed to a template in a popup.
func accepted(e *hongyan.Event) bool {
	parsed, err := wechat.ParseEvent(e.Body)
	if err != nil {
		return false
	}
	for _, item := range parsed.Items {
		if item.SubscribeStatus == "accept" {
			return true
		}
	}
	return false
}

// put puts users on lists, where the account's list is in use.
func (d *Desk) put(ctx context.Context, all []hongyan.Suppression) error {
	var kept []hongyan.Suppression
	for i := range all {
		on, err := d.inUse(ctx, all[i].AppID)
		if err != nil {
			return err
		}
		if on {
			kept = append(kept, all[i])
		}
	}
	_, err := d.Put(ctx, kept)
	return err
}

// Put puts users on lists, whoever wants it, and returns how many it changed.
func (d *Desk) Put(ctx context.Context, all []hongyan.Suppression) (int, error) {
	if len(all) == 0 {
		return 0, nil
	}
	for i := range all { // before: a message must not slip through between
		d.list.add(all[i].AppID, all[i].OpenID)
	}
	return d.cfg.Store.PutSuppressions(ctx, all)
}

// Lift ends entries, lets the messages go that they kept, and returns how many
// entries that were.
func (d *Desk) Lift(ctx context.Context, l store.Lift) (int, error) {
	n, err := d.cfg.Store.LiftSuppressions(ctx, l)
	if err != nil || n == 0 {
		return n, err
	}
	for _, openID := range l.OpenIDs {
		if _, err := d.cfg.Released(ctx, l.AppID, openID, hongyan.HoldSuppressed); err != nil {
			return n, err
		}
	}
	return n, nil
}

// arrival is what is known of an account's callbacks.
type arrival struct {
	last     time.Time // the latest push that is known of
	lookedAt time.Time // when the store was asked
	off      bool      // the account wants no list
}

const (
	// arrivingWithin is how lately a push must have come for callbacks to count as
	// arriving: without them nobody would learn that a user came back.
	arrivingWithin = 7 * day
	// lookEvery bounds how often the store is asked about an account whose pushes this
	// process has not seen.
	lookEvery = time.Minute
)

// arrived takes note of a push.
func (d *Desk) arrived(appID string, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.pushed[appID]
	if at.After(a.last) {
		a.last = at
		d.pushed[appID] = a
	}
}

// look returns what is known of an account's callbacks, asking the store now and then.
func (d *Desk) look(ctx context.Context, appID string) (arrival, error) {
	now := d.cfg.Store.Now()
	d.mu.Lock()
	a := d.pushed[appID]
	d.mu.Unlock()
	if now.Sub(a.lookedAt) < lookEvery {
		return a, nil
	}
	account, err := d.cfg.Store.Account(ctx, appID)
	switch {
	case hongyan.IsKind(err, hongyan.NotFound):
		a.off = true
	case err != nil:
		return a, err
	default:
		a.off = account.Care.Suppression == hongyan.SuppressionOff
	}
	if now.Sub(a.last) >= arrivingWithin {
		events, err := d.cfg.Store.Events(ctx, appID, 0, 1)
		if err != nil {
			return a, err
		}
		if len(events) > 0 {
			a.last = events[0].ReceivedAt
		}
	}
	a.lookedAt = now
	d.mu.Lock()
	defer d.mu.Unlock()
	if known := d.pushed[appID]; known.last.After(a.last) {
		a.last = known.last
	}
	d.pushed[appID] = a
	return a, nil
}

// arriving reports whether an account's callbacks arrive.
func (d *Desk) arriving(ctx context.Context, appID string) (bool, error) {
	a, err := d.look(ctx, appID)
	return d.cfg.Store.Now().Sub(a.last) < arrivingWithin, err
}

// inUse reports whether WeChat's answers and events put users on an account's list.
func (d *Desk) inUse(ctx context.Context, appID string) (bool, error) {
	a, err := d.look(ctx, appID)
	return !a.off && d.cfg.Store.Now().Sub(a.last) < arrivingWithin, err
}

// Arriving is arriving, for people.
func (d *Desk) Arriving(ctx context.Context, appID string) (bool, error) {
	return d.arriving(ctx, appID)
}
