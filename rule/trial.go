package rule

import (
	"context"
	"time"

	"hongyan"
)

// What a rule would do with a push.
const (
	WouldSend     = "send"
	WouldNotFit   = "not_fitting" // the push is another, or a filter does not fit
	WouldNotAgain = "already"     // the user has had it within the rule's period
	WouldRefuse   = "refused"     // the message would be refused
)

// Trial is what a rule would do with a push. Nothing was done.
type Trial struct {
	EventID int64
	Would   string
	Why     string // for people; "" for send
	OpenID  string
	Message *hongyan.RuleMessage // filled in; nil unless the push fits
	SendAt  time.Time
	Refusal error // of the message: a *hongyan.Error
}

// Try compares a rule with a push of the past and checks the message it would send;
// whether the rule is paused, and how old the push is, is not asked.
func (d *Desk) Try(ctx context.Context, r *hongyan.Rule, e *hongyan.Event) (Trial, error) {
	t := Trial{EventID: e.ID, OpenID: e.OpenID, Would: WouldNotFit}
	c := compile(r)
	if !c.about(e) {
		t.Why = "it is a push of type " + e.Type
		return t, nil
	}
	if e.OpenID == "" {
		t.Why = "it is about no user"
		return t, nil
	}
	p, err := readPush(e)
	if err != nil {
		t.Why = "it cannot be read"
		return t, nil
	}
	fields, why := c.fits(p)
	if fields == nil {
		t.Why = why
		return t, nil
	}
	message := c.filled(p, fields)
	t.Message, t.SendAt, t.Would = &message, p.at.Add(c.Delay), WouldSend
	t.Refusal = d.cfg.Check(ctx, &Outgoing{AppID: r.AppID, ToUser: e.OpenID, Message: message, ClientMsgID: "trial"})
	switch {
	case hongyan.IsKind(t.Refusal, hongyan.Internal):
		return t, t.Refusal
	case t.Refusal != nil:
		t.Would, t.Why = WouldRefuse, asError(t.Refusal).Message
		return t, nil
	}
	return t, d.tryAgain(ctx, &c, &t)
}

// tryAgain looks whether the user has had the rule's message.
func (d *Desk) tryAgain(ctx context.Context, c *compiled, t *Trial) error {
	if c.Once == 0 || c.ID == "" {
		return nil
	}
	until, fired, err := d.cfg.Store.RuleUser(ctx, c.ID, t.OpenID)
	if err != nil || !fired {
		return err
	}
	t.Would, t.Why = WouldNotAgain, "the rule has fired for this user, and does so once"
	if !until.IsZero() {
		t.Why = "the rule has fired for this user, and does not again before " + stamp(until)
	}
	return nil
}

// fitting are how many pushes back Latest looks.
const fitting = 1000

// Latest returns the newest push of the rule's account that fits it, or, when none
// does, the newest it is about; NotFound when there is none of these either.
func (d *Desk) Latest(ctx context.Context, r *hongyan.Rule) (hongyan.Event, error) {
	events, err := d.cfg.Store.Events(ctx, r.AppID, 0, fitting)
	if err != nil {
		return hongyan.Event{}, err
	}
	c := compile(r)
	var second *hongyan.Event
	for i := range events {
		e := &events[i]
		if !c.about(e) || e.OpenID == "" {
			continue
		}
		if p, err := readPush(e); err == nil {
			if fields, _ := c.fits(p); fields != nil {
				return *e, nil
			}
		}
		if second == nil {
			second = e
		}
	}
	if second == nil {
		return hongyan.Event{}, hongyan.Errorf(hongyan.NotFound, "no_push", "account %s has had no push of late that rule %q is about", r.AppID, r.Name)
	}
	return *second, nil
}
