package sandbox

import (
	"time"

	"hongyan/wechat"
)

// formLife is how long a form_id or prepay_id serves (spec §6.1).
const formLife = 7 * 24 * time.Hour

// form is the right to send a mini program template message: a submitted form or
// a payment.
type form struct {
	account *account
	openid  string
	active  time.Time // before it a payment is not yet known to the message service (spec §6.3)
	expires time.Time
	left    int // messages
}

// check is 0, 41028 or 41029 for a message to openid.
func (f *form) check(a *account, openid string, now time.Time) wechat.Code {
	switch {
	case f == nil, f.account != a, f.openid != openid, now.Before(f.active), !now.Before(f.expires):
		return wechat.CodeInvalidFormID
	case f.left == 0:
		return wechat.CodeFormIDUsed
	}
	return wechat.CodeOK
}

// FormGrant is what a submitted form or a payment gives.
type FormGrant struct {
	FormID    string `json:"form_id,omitzero"`
	PrepayID  string `json:"prepay_id,omitzero"`
	ActiveAt  Time   `json:"active_at"`
	ExpiresAt Time   `json:"expires_at"`
}

// submitForm is a user submitting a form: one message (spec §6.1).
func (p *platform) submitForm(a *account, openid string) FormGrant {
	now := p.clock.now()
	f := &form{account: a, openid: openid, active: now, expires: now.Add(formLife), left: 1}
	id := p.dice.formID()
	p.give(id, f)
	return FormGrant{FormID: id, ActiveAt: stamp(f.active), ExpiresAt: stamp(f.expires)}
}

// pay is a user paying; delay < 0 means the account's setting.
func (p *platform) pay(a *account, openid string, delay time.Duration) FormGrant {
	if delay < 0 {
		delay = a.prepayDelay + p.jitter(a.prepayJitter)
	}
	now := p.clock.now()
	f := &form{account: a, openid: openid, active: now.Add(delay), expires: now.Add(formLife), left: a.prepayMessages}
	id := p.dice.prepayID(now)
	p.give(id, f)
	return FormGrant{PrepayID: id, ActiveAt: stamp(f.active), ExpiresAt: stamp(f.expires)}
}

// GiveForm lets the user submit a form of mini program appid ("" = the first
// one) and returns the form_id; "" when the openid or the account is unknown.
func (s *Sandbox) GiveForm(appid, openid string) string {
	grant, err := s.grant(appid, openid, (*platform).submitForm)
	if err != nil {
		return ""
	}
	return grant.FormID
}

// GivePayment lets the user pay in the first mini program and returns the
// prepay_id, which works after delay; a negative delay means the account's
// setting, 5 s unless changed. "" is returned for an openid that is none.
func (s *Sandbox) GivePayment(openid string, delay time.Duration) string {
	return s.GivePaymentTo("", openid, delay)
}

// GivePaymentTo is GivePayment in the mini program appid.
func (s *Sandbox) GivePaymentTo(appid, openid string, delay time.Duration) string {
	grant, err := s.grant(appid, openid, func(p *platform, a *account, openid string) FormGrant {
		return p.pay(a, openid, delay)
	})
	if err != nil {
		return ""
	}
	return grant.PrepayID
}

func (s *Sandbox) grant(appid, openid string, give func(*platform, *account, string) FormGrant) (FormGrant, error) {
	if err := checkOpenID(openid); err != nil {
		return FormGrant{}, err
	}
	defer s.unlock()
	p := s.lock()
	a, err := p.accountOr(appid, kindMiniProgram)
	if err != nil {
		return FormGrant{}, err
	}
	if !a.isMini() {
		return FormGrant{}, &ControlError{Field: "appid", Rule: "must be a mini program: only they have forms and payments to send with", Value: appid}
	}
	p.known.see(openid)
	p.feed.mark(changedUsers)
	return give(p, a, openid), nil
}
