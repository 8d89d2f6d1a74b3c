package mini

import (
	"context"
	"fmt"
	"time"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"
)

// Standing is what is known of one user's consent to one template, and what that
// means now.
type Standing struct {
	hongyan.Consent
	Type      wechat.SubscribeTemplateType // 0 = not known
	Left      int64                        // sends; with Unlimited it means nothing
	Certainty string                       // exact, at_least, unknown or unlimited: how far Left can be trusted
	// Open is how many messages are on their way and will use sends up: waiting, being
	// sent, or taken by WeChat less than a day ago and not reported on; -1 = not counted.
	Open int
}

// Unlimited reports whether sends are not counted: a long-term template was accepted.
func (s *Standing) Unlimited() bool { return s.Certainty == hongyan.ConsentUnlimited }

// UsedUp reports whether it is known that a further message would be refused, those
// on their way included. Nothing is known to be used up of a template whose type
// could not be learnt, once it was accepted again: that may have been for good.
func (s *Standing) UsedUp() bool {
	refused := s.Exact && s.ByEvents == 0 && s.ByReports == 0
	counted := s.Certainty == hongyan.ConsentExact && s.Type == wechat.SubscribeOneTime
	return (refused || counted) && s.Left-int64(max(0, s.Open)) <= 0
}

// standing says what a record means.
func (k *Keeper) standing(ctx context.Context, a *hongyan.Account, c hongyan.Consent) Standing {
	s := Standing{Consent: c, Left: c.Left(), Certainty: c.Certainty(), Type: k.typeOf(ctx, a, c.TemplateID), Open: -1}
	if s.Type == wechat.SubscribeLongTerm && c.AcceptedAt.After(c.RefusedAt) {
		s.Certainty = hongyan.ConsentUnlimited
	}
	return s
}

// maxOpen bounds how many open messages of a user are looked at.
const maxOpen = 1000

// openStates are those of messages that may still use up a send.
var openStates = []hongyan.State{hongyan.Queued, hongyan.Held, hongyan.Sending, hongyan.Accepted}

// open counts a user's messages on their way, by template.
func (k *Keeper) open(ctx context.Context, appID, openID, templateID string) (map[string]int, error) {
	now := k.cfg.Store.Now()
	page, err := k.cfg.Store.Messages(ctx, store.Filter{AppIDs: []string{appID}, ToUser: openID, TemplateID: templateID, States: openStates, Limit: maxOpen})
	if err != nil {
		return nil, fmt.Errorf("count open messages to a user of %s: %w", appID, err)
	}
	n := make(map[string]int)
	for i := range page.Items {
		m := &page.Items[i]
		if m.Kind != hongyan.KindSubscribe && m.Kind != hongyan.KindNotice {
			continue
		}
		if m.State != hongyan.Accepted || m.Receipt == nil && now.Sub(m.AcceptedAt) < hongyan.ReceiptOverdueAfter {
			n[m.TemplateID]++
		}
	}
	return n, nil
}

// Consents lists what is known, newest first. With an openid in the filter the
// messages on their way are counted too.
func (k *Keeper) Consents(ctx context.Context, a *hongyan.Account, f store.ConsentFilter) ([]Standing, error) {
	f.AppID = a.AppID
	known, err := k.cfg.Store.Consents(ctx, f)
	if err != nil {
		return nil, err
	}
	all := make([]Standing, len(known))
	for i := range known {
		all[i] = k.standing(ctx, a, known[i])
	}
	if f.OpenID == "" || len(all) == 0 {
		return all, nil
	}
	open, err := k.open(ctx, a.AppID, f.OpenID, f.TemplateID)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Open = open[all[i].TemplateID]
	}
	return all, nil
}

// May says whether a message may be sent, by the account's setting consent_check: an
// error refuses it, a warning is for its caller. What is not known is not held
// against it: WeChat judges.
func (k *Keeper) May(ctx context.Context, a *hongyan.Account, m *hongyan.Message) (warning string, err error) {
	check := a.Mini.Check()
	if check == hongyan.ConsentCheckOff {
		return "", nil
	}
	c, known, err := k.cfg.Store.Consent(ctx, a.AppID, m.ToUser, m.TemplateID)
	if err != nil || !known {
		return "", err
	}
	s := k.standing(ctx, a, c)
	open, err := k.open(ctx, a.AppID, m.ToUser, m.TemplateID)
	if err != nil {
		return "", err
	}
	if s.Open = open[m.TemplateID]; !s.UsedUp() {
		return "", nil
	}
	detail := fmt.Sprintf("the user has no send of template %s left (known since %s, %d messages on their way)", clip(m.TemplateID), c.Since.Format(time.RFC3339), s.Open)
	if check == hongyan.ConsentCheckWarn {
		return detail, nil
	}
	no := hongyan.InvalidField("no_consent", "/touser", "%s: WeChat would answer 43101", detail)
	no.Hint = "let the mini program ask the user again; or set the account's mini.consent_check to warn or off"
	return "", no
}

// Refused takes note that WeChat answered 43101 to an attempt that began at at.
func (k *Keeper) Refused(ctx context.Context, m *hongyan.Message, at time.Time) error {
	changes := []hongyan.ConsentChange{{AppID: m.AppID, OpenID: m.ToUser, TemplateID: m.TemplateID, Act: hongyan.ConsentRefused, At: at}}
	if err := k.cfg.Store.ApplyConsents(ctx, changes); err != nil {
		return err
	}
	k.Changed(ctx, changes)
	return nil
}

// Low is what consent.low tells.
type Low struct {
	OpenID     string `json:"openid"`
	TemplateID string `json:"template_id"`
	Left       int64  `json:"left"`
	Certainty  string `json:"certainty"`
}

// Changed tells of pairs of which few sends are left after changes that are stored,
// where the account wants to be told (consent_low), once until the user accepts
// again. Its failures are logged: the ledger itself is right.
func (k *Keeper) Changed(ctx context.Context, changes []hongyan.ConsentChange) {
	if k.cfg.Tell == nil {
		return
	}
	for i := range changes {
		switch ch := &changes[i]; ch.Act {
		case hongyan.ConsentSent, hongyan.ConsentRefused, hongyan.ConsentRevoked:
			if err := k.tellLow(ctx, ch); err != nil && ctx.Err() == nil {
				k.log.WarnContext(ctx, "tell of few consents", "appid", ch.AppID, "err", err)
			}
		}
	}
}

func (k *Keeper) tellLow(ctx context.Context, ch *hongyan.ConsentChange) error {
	a, err := k.cfg.Store.Account(ctx, ch.AppID)
	if hongyan.IsKind(err, hongyan.NotFound) || err == nil && a.Mini.ConsentLow == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	c, known, err := k.cfg.Store.Consent(ctx, a.AppID, ch.OpenID, ch.TemplateID)
	if err != nil || !known || c.LowTold || c.Left() >= int64(a.Mini.ConsentLow) {
		return err
	}
	s := k.standing(ctx, &a, c)
	if s.Unlimited() {
		return nil
	}
	if marked, err := k.cfg.Store.MarkConsentLow(ctx, c.ID); err != nil || !marked {
		return err
	}
	k.cfg.Tell(ctx, a.AppID, "consent.low", Low{OpenID: c.OpenID, TemplateID: c.TemplateID, Left: s.Left, Certainty: s.Certainty})
	return nil
}
