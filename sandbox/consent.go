package sandbox

import (
	"cmp"
	"slices"
)

// Types of subscribe templates on the wire (spec §7.2).
const (
	typeOneTime  = 2 // one acceptance, one message
	typeLongTerm = 3 // one acceptance, messages until it is taken back
)

// consentKey is whose consent for what.
type consentKey struct {
	account          *account
	openid, template string
}

// consent is what is left of a user's acceptances of one subscribe template.
type consent struct {
	left   int  // messages of a one-time template
	always bool // of a long-term template
}

// ConsentAnswer is what a user says to one template of a subscribe prompt.
type ConsentAnswer struct {
	TemplateID string
	Accept     bool
}

// ConsentState is what is left of a user's acceptances of one template.
type ConsentState struct {
	AppID      string `json:"appid"`
	TemplateID string `json:"template_id"`
	Title      string `json:"title"`
	LongTerm   bool   `json:"long_term"`
	Left       int    `json:"left"` // messages; -1 = until it is taken back
}

// maxPopupScene: 0 is a page of a mini program, 1 a web page, 2 an article (spec §7.4).
const maxPopupScene = 2

// Consent lets the user answer a subscribe prompt of account appid ("" = the first
// mini program) and pushes subscribe_msg_popup_event. Each acceptance of a one-time
// template allows one message more, one of a long-term template as many as there are
// until RevokeConsent; a refusal takes nothing away. scene is where the prompt was: 0
// a mini program's page, 1 a web page, 2 an article. An error is a [*ControlError].
func (s *Sandbox) Consent(appid, openid string, answers []ConsentAnswer, scene int) error {
	if err := firstError(checkOpenID(openid), atLeast("scene", &scene, 0), atMost("scene", &scene, maxPopupScene)); err != nil {
		return err
	}
	defer s.unlock()
	p := s.lock()
	a, err := p.accountOr(appid, kindMiniProgram)
	if err != nil {
		return err
	}
	if len(answers) == 0 {
		return &ControlError{Field: "templates", Rule: "must not be empty"}
	}
	for _, answer := range answers {
		if err := a.checkSubscribeTemplate(answer.TemplateID); err != nil {
			return err
		}
	}
	for _, answer := range answers {
		p.answered(consentKey{a, openid, answer.TemplateID}, answer.Accept)
	}
	p.feed.mark(changedUsers)
	p.emit(a, nil, popupEvent(a, openid, answers, scene, p.clock.now()))
	return nil
}

func (a *account) checkSubscribeTemplate(id string) error {
	if a.find(id, familySubscribe) == nil {
		return &ControlError{Field: "template_id", Rule: "must be a subscribe template of the account", Value: id}
	}
	return nil
}

// answered writes down one answer of a prompt.
func (p *platform) answered(key consentKey, accept bool) {
	c := p.consent(key)
	switch {
	case !accept:
	case key.account.byID[key.template].longTerm:
		c.always = true
	default:
		c.left++
	}
}

// consent returns the record of it, for changing.
func (p *platform) consent(key consentKey) *consent {
	c := p.consents[key]
	if c == nil {
		c = &consent{}
		p.consents[key] = c
	}
	return c
}

// RevokeConsent lets the user switch subscribe messages off in the account's settings:
// what was accepted is gone, and subscribe_msg_change_event is pushed. No template
// named means all that he was ever asked about, or is taken to have accepted. An error
// is a [*ControlError].
func (s *Sandbox) RevokeConsent(appid, openid string, templateIDs ...string) error {
	if err := checkOpenID(openid); err != nil {
		return err
	}
	defer s.unlock()
	p := s.lock()
	a, err := p.accountOr(appid, kindMiniProgram)
	if err != nil {
		return err
	}
	for _, id := range templateIDs {
		if err := a.checkSubscribeTemplate(id); err != nil {
			return err
		}
	}
	if len(templateIDs) == 0 {
		templateIDs = p.revocable(a, openid)
	}
	if len(templateIDs) == 0 {
		return nil // nothing changes, so nothing is told
	}
	for _, id := range templateIDs {
		*p.consent(consentKey{a, openid, id}) = consent{}
	}
	p.feed.mark(changedUsers)
	p.emit(a, nil, changeEvent(a, openid, templateIDs, p.clock.now()))
	return nil
}

// revocable are the templates that a user can switch off, in the order of the account.
func (p *platform) revocable(a *account, openid string) (ids []string) {
	for _, t := range a.templates {
		if t.family == familySubscribe && (a.consentAssumed || p.consents[consentKey{a, openid, t.id}] != nil) {
			ids = append(ids, t.id)
		}
	}
	return ids
}

// Consents returns what the user's acceptances still allow account appid, "" = all
// accounts: one state for each template that the user was asked about, by account and id.
func (s *Sandbox) Consents(appid, openid string) ([]ConsentState, error) {
	if err := checkOpenID(openid); err != nil {
		return nil, err
	}
	defer s.unlock()
	p := s.lock()
	if appid != "" && p.accounts[appid] == nil {
		return nil, unknownAccount(appid)
	}
	return p.consentsOf(p.accounts[appid], openid), nil
}

// consentsOf lists them; a nil account means all.
func (p *platform) consentsOf(a *account, openid string) []ConsentState {
	out := []ConsentState{}
	for key, c := range p.consents {
		t := key.account.find(key.template, familySubscribe)
		if key.openid != openid || a != nil && key.account != a || t == nil {
			continue
		}
		state := ConsentState{AppID: key.account.appID, TemplateID: t.id, Title: t.title, LongTerm: t.longTerm, Left: c.left}
		if c.always {
			state.Left = -1
		}
		out = append(out, state)
	}
	slices.SortFunc(out, func(x, y ConsentState) int {
		return cmp.Or(cmp.Compare(x.AppID, y.AppID), cmp.Compare(x.TemplateID, y.TemplateID))
	})
	return out
}

// mayReceive reports whether the user has accepted a message of this template;
// spendConsent then takes it from what is left.
func (p *platform) mayReceive(key consentKey) bool {
	if fateOf(key.openid) == fateNoSub {
		return false
	}
	c := p.consents[key]
	if c == nil {
		return key.account.consentAssumed
	}
	return c.always || c.left > 0
}

func (p *platform) spendConsent(key consentKey) {
	if c := p.consents[key]; c != nil && !c.always {
		c.left--
	}
}
