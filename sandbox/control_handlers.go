package sandbox

import (
	"net/http"
	"slices"
	"time"
)

// AccountView is an account as the control API shows it: all settings, no key, and
// no secret but one just made up.
type AccountView struct {
	AccountSpec
	Templates []string `json:"templates"` // ids
}

func (a *account) view() AccountView {
	ids := []string{}
	for _, t := range a.templates {
		ids = append(ids, t.id)
	}
	whitelist := []string{}
	for _, prefix := range a.whitelist {
		whitelist = append(whitelist, prefix.String())
	}
	return AccountView{Templates: ids, AccountSpec: AccountSpec{
		AppID: a.appID, Kind: a.kind, Name: a.name, OriginalID: a.originalID, Verified: new(a.verified),
		ServerURL: new(a.serverURL), CallbackMode: a.mode.String(), CallbackFormat: a.format,
		DailyQuota: new(a.dailyQuota), MinuteQuota: new(a.minuteQuota), TemplateMonthlyQuota: new(a.monthlyQuota), TokenDailyLimit: new(a.tokenDailyLimit),
		TemplateLimit: new(a.templateLimit), IPWhitelist: &whitelist,
		Linked: new(slices.Clone(a.linked)), Pages: new(slices.Clone(a.pages)),
		Era: a.era.String(), TokenTTL: new(int(a.tokenTTL / time.Second)), TokenLength: new(a.tokenLength), Switches: a.switches(), Subjects: a.subjectsView(), SubscribeRules: a.subscribeRules.view(), RetiredRules: a.retiredRules.view(), OneTimeRules: a.oneTimeRules.view(), Standing: a.standingState.view(), SendRules: a.sendRules.view(), WireRules: a.wireRules.view(), EraRules: a.eraRules.view(),
	}}
}

func (a *account) switches() Switches {
	return Switches{
		ErrMsgSuffix: a.suffix, Long40001: new(a.long40001), MiniTemplateRetired: new(a.miniRetired),
		SmallMsgID: new(a.smallMsgID), EventMsgIDZero: new(a.eventMsgIDZero), DuplicateAnswer: a.duplicateAnswer,
		DeliveryDelayMS: millis(a.deliveryDelay), PrepayActivationDelayMS: millis(a.prepayDelay),
		PrepayMessages: new(a.prepayMessages), PushTimeoutMS: millis(a.pushTimeout),
		PushDeliveries: new(a.pushDeliveries), MarkFailAfter: new(a.markFailAfter), MarkFailBlockMS: millis(a.markFailBlock),
	}
}

func millis(d time.Duration) *int { return new(int(d.Milliseconds())) }

// Accounts returns all accounts in the order they were created.
func (s *Sandbox) Accounts() []AccountView {
	defer s.unlock()
	out := []AccountView{}
	for _, a := range s.lock().order {
		out = append(out, a.view())
	}
	return out
}

func (s *Sandbox) controlAccounts(*http.Request) (any, error) {
	return list[AccountView]{s.Accounts()}, nil
}

func (s *Sandbox) accountView(appid string) (any, error) {
	defer s.unlock()
	if a := s.lock().accounts[appid]; a != nil {
		return a.view(), nil
	}
	return nil, unknownAccount(appid)
}

func (s *Sandbox) controlAccount(r *http.Request) (any, error) {
	return s.accountView(r.PathValue("appid"))
}

func (s *Sandbox) controlAddAccount(r *http.Request) (any, error) {
	var spec AccountSpec
	if err := readControl(r, &spec); err != nil {
		return nil, err
	}
	if err := s.AddAccount(spec); err != nil {
		return nil, err
	}
	return s.newAccountView(spec)
}

// newAccountView shows a secret that was made up, or nobody would ever know it.
func (s *Sandbox) newAccountView(spec AccountSpec) (any, error) {
	defer s.unlock()
	a := s.lock().accounts[spec.AppID]
	if a == nil {
		return nil, unknownAccount(spec.AppID) // somebody has reset the sandbox meanwhile
	}
	view := a.view()
	if spec.Secret == "" {
		view.Secret = a.secret
	}
	return view, nil
}

func (s *Sandbox) controlSetAccount(r *http.Request) (any, error) {
	var spec AccountSpec
	if err := readControl(r, &spec); err != nil {
		return nil, err
	}
	if err := s.UpdateAccount(r.PathValue("appid"), spec); err != nil {
		return nil, err
	}
	return s.accountView(r.PathValue("appid"))
}

// done answers calls that return nothing.
type done struct {
	OK bool `json:"ok"`
}

func (s *Sandbox) controlRevoke(r *http.Request) (any, error) {
	var req struct {
		StableReturnsDead bool `json:"stable_returns_dead"`
	}
	if err := readControl(r, &req); err != nil {
		return nil, err
	}
	return done{true}, s.RevokeToken(r.PathValue("appid"), req.StableReturnsDead)
}

func (s *Sandbox) controlForm(r *http.Request) (any, error) {
	var req struct {
		AppID string `json:"appid"`
	}
	if err := readControl(r, &req); err != nil {
		return nil, err
	}
	return s.grant(req.AppID, r.PathValue("openid"), (*platform).submitForm)
}

func (s *Sandbox) controlPayment(r *http.Request) (any, error) {
	var req struct {
		AppID             string `json:"appid"`
		ActivationDelayMS *int   `json:"activation_delay_ms"`
	}
	if err := readControl(r, &req); err != nil {
		return nil, err
	}
	if err := millisFrom("activation_delay_ms", req.ActivationDelayMS, 0); err != nil {
		return nil, err
	}
	delay := time.Duration(-1)
	setMillis(&delay, req.ActivationDelayMS)
	return s.grant(req.AppID, r.PathValue("openid"), func(p *platform, a *account, openid string) FormGrant {
		return p.pay(a, openid, delay)
	})
}

func (s *Sandbox) controlInbox(r *http.Request) (any, error) {
	openid := r.PathValue("openid")
	return list[InboxEntry]{s.Inbox(openid)}, checkOpenID(openid)
}

func (s *Sandbox) controlStats(*http.Request) (any, error) { return s.Stats(), nil }

func (s *Sandbox) controlReset(r *http.Request) (any, error) {
	if err := readControl(r, &struct{}{}); err != nil {
		return nil, err
	}
	s.Reset()
	return done{true}, nil
}

func (s *Sandbox) controlSettings(*http.Request) (any, error) { return s.Configure(Settings{}), nil }

func (s *Sandbox) controlConfigure(r *http.Request) (any, error) {
	var change Settings
	if err := readControl(r, &change); err != nil {
		return nil, err
	}
	if err := change.check(); err != nil {
		return nil, err
	}
	return s.Configure(change), nil
}

func (s *Sandbox) controlFaults(*http.Request) (any, error) { return list[Fault]{s.Faults()}, nil }

func (s *Sandbox) controlAddFault(r *http.Request) (any, error) {
	var f Fault
	if err := readControl(r, &f); err != nil {
		return nil, err
	}
	if err := f.notGiven(); err != nil {
		return nil, err
	}
	return s.tryFault(f)
}

// notGiven refuses what the sandbox keeps.
func (f *Fault) notGiven() error {
	return firstError(
		notYours("id", f.ID != ""), notYours("preset", f.Preset != ""),
		notYours("hits", f.Hits != 0), notYours("matched", f.Matched != 0),
	)
}

func notYours(field string, given bool) error {
	if given {
		return &ControlError{Field: field, Rule: "is kept by the sandbox and cannot be set"}
	}
	return nil
}

func (s *Sandbox) controlClearFaults(*http.Request) (any, error) {
	s.ClearFaults()
	return done{true}, nil
}

func (s *Sandbox) controlRemoveFault(r *http.Request) (any, error) {
	if id := r.PathValue("id"); !s.RemoveFault(id) {
		return nil, &ControlError{Status: http.StatusNotFound, Field: "id", Rule: "must be a rule in force", Value: id}
	}
	return done{true}, nil
}

// clockView is the sandbox's time and how far it is ahead of the real one.
type clockView struct {
	Now      Time  `json:"now"`
	OffsetMS int64 `json:"offset_ms"`
}

func (s *Sandbox) controlClock(*http.Request) (any, error) {
	defer s.unlock()
	p := s.lock()
	return clockView{stamp(p.clock.now()), p.clock.offset.Milliseconds()}, nil
}

func (s *Sandbox) controlAdvance(r *http.Request) (any, error) {
	var req struct {
		Advance string `json:"advance"`
	}
	if err := readControl(r, &req); err != nil {
		return nil, err
	}
	d, err := time.ParseDuration(req.Advance)
	if err != nil || d < 0 {
		return nil, &ControlError{Field: "advance", Rule: `must be a duration that is not negative, such as "90s" or "2h"`, Value: req.Advance}
	}
	if err := s.Advance(d); err != nil {
		return nil, err
	}
	return s.controlClock(r)
}

// ledgerPage is one page of the ledger; next_after goes into the next request's after.
type ledgerPage struct {
	Items     []LedgerEntry `json:"items"`
	NextAfter int64         `json:"next_after"`
}

const (
	defaultLedgerPage = 1000
	maxLedgerPage     = 10_000
)

func (s *Sandbox) controlLedger(r *http.Request) (any, error) {
	f, err := ledgerFilter(r)
	if err != nil {
		return nil, err
	}
	defer s.unlock()
	items, next := s.lock().ledger.list(f)
	return ledgerPage{items, next}, nil
}

func ledgerFilter(r *http.Request) (LedgerFilter, error) {
	f := LedgerFilter{Limit: defaultLedgerPage}
	return f, eachParameter(r.URL.Query(), f.set)
}

func (f *LedgerFilter) set(name, value string) (err error) {
	switch name {
	case "appid":
		f.AppID = value
	case "touser":
		f.ToUser = value
	case "path":
		f.Path = value
	case "client_msg_id":
		f.ClientMsgID = value
	case "after":
		err = parseSeq(&f.After, name, value)
	case "limit":
		err = parseLimit(&f.Limit, name, value, maxLedgerPage)
	default:
		return &ControlError{Field: name, Rule: "is unknown here"}
	}
	return err
}
