package sandbox

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"hongyan/wechat"
)

// Kinds of accounts.
const (
	kindService      = "service"
	kindSubscription = "subscription"
	kindMiniProgram  = "mini_program"
	kindTest         = "test"
)

// Values of the switches that are words.
const (
	suffixRID  = "rid"
	suffixHint = "hint"
	suffixBoth = "both"
	suffixNone = "none"

	duplicateOK    = "ok-same-msgid"
	duplicate45065 = "45065"
	duplicate44007 = "44007"

	formatXML  = "xml"
	formatJSON = "json"
)

// account is one official account or mini program. Its settings are values, not
// pointers: every default is filled in when it is created.
type account struct {
	appID, secret, kind, name, originalID string
	verified                              bool

	serverURL     string
	callbackToken string
	encodedKey    string
	aesKey        wechat.AESKey
	mode          wechat.CallbackMode
	format        string

	dailyQuota, minuteQuota, monthlyQuota, tokenDailyLimit, templateLimit int
	whitelist                                                             []netip.Prefix
	linked, pages                                                         []string
	era                                                                   wechat.Era
	tokenTTL                                                              time.Duration
	tokenLength                                                           int

	suffix                                                 string
	long40001                                              bool
	miniRetired, smallMsgID, eventMsgIDZero                bool
	duplicateAnswer                                        string
	deliveryDelay, prepayDelay, pushTimeout, markFailBlock time.Duration
	prepayMessages, pushDeliveries, markFailAfter          int

	subjects
	subscribeRules
	retiredRules
	oneTimeRules
	standingState
	sendRules
	wireRules
	eraRules
	clears, apiClears monthCount // of clear_quota and its kin

	templates []*template // private ones, by the time they were added
	byID      map[string]*template
	plain     tokenSpace
	stable    tokenSpace
	usage     map[string]*usage      // by path
	monthly   map[string]*monthCount // by template id, where template_monthly_quota limits them
	pushes    pushQueue
}

func (a *account) isMini() bool { return a.kind == kindMiniProgram }

// maySendTemplates: template messages belong to verified service accounts, and
// test accounts have them to try out (spec §4.1, §4.6).
func (a *account) maySendTemplates() bool {
	return a.kind == kindTest || a.kind == kindService && a.verified
}

// createAccount adds a new account with the defaults of its kind and then
// applies spec.
func (p *platform) createAccount(spec AccountSpec) (*account, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	if spec.AppID == "" {
		return nil, &ControlError{Field: "appid", Rule: "is required"}
	}
	if p.accounts[spec.AppID] != nil {
		return nil, &ControlError{Field: "appid", Rule: "must be new", Value: spec.AppID}
	}
	a := p.blankAccount(spec)
	if err := p.apply(a, spec); err != nil {
		return nil, err
	}
	p.accounts[a.appID] = a
	p.order = append(p.order, a)
	return a, nil
}

func (p *platform) blankAccount(spec AccountSpec) *account {
	a := &account{
		appID: spec.AppID, kind: spec.Kind, verified: true,
		callbackToken: SeedCallbackToken, format: formatXML,
		tokenDailyLimit: 2000,                                           // spec §3.1
		tokenTTL:        2 * time.Hour, tokenLength: defaultTokenLength, // spec §3.1
		duplicateAnswer: duplicateOK,
		deliveryDelay:   p.opts.DeliveryDelay,
		prepayDelay:     5 * time.Second, prepayMessages: 1, // spec §10, row 15
		pushTimeout: 5 * time.Second, pushDeliveries: 3, // spec §5.3
		markFailAfter: 3, markFailBlock: time.Minute, // the block: spec §5.3; what triggers it is a guess
		subscribeRules: newSubscribeRules(), retiredRules: newRetiredRules(),
		oneTimeRules: newOneTimeRules(spec.AppID), standingState: newStanding(),
		sendRules: newSendRules(), wireRules: newWireRules(),
		byID: map[string]*template{}, usage: map[string]*usage{}, monthly: map[string]*monthCount{},
	}
	if a.kind == "" {
		a.kind = kindService
	}
	if a.kind == kindTest {
		a.tokenDailyLimit = 200 // spec §3.1
	}
	a.enter(wechat.EraF)
	a.miniRetired = false      // until an era is named: gateways are tested with form_ids, too
	a.secret = p.dice.formID() // 32 hexadecimal digits, as secrets are
	a.originalID = "gh_" + p.dice.formID()[:12]
	return a
}

// apply changes a as spec, already checked, says. Nothing is changed on an error.
func (p *platform) apply(a *account, spec AccountSpec) error {
	if spec.Kind != "" && spec.Kind != a.kind {
		return &ControlError{Field: "kind", Rule: "cannot be changed", Value: spec.Kind}
	}
	if spec.AppID != "" && spec.AppID != a.appID {
		return &ControlError{Field: "appid", Rule: "must be the one in the path", Value: spec.AppID}
	}
	if err := a.mayChange(spec.Subjects, p.clock.now()); err != nil {
		return err
	}
	if err := a.applyCallback(spec); err != nil {
		return err
	}
	setText(&a.secret, spec.Secret)
	setText(&a.name, spec.Name)
	setText(&a.originalID, spec.OriginalID)
	set(&a.verified, spec.Verified)
	a.applyLimits(spec)
	a.applySwitches(spec.Switches)
	a.subscribeRules.apply(spec.SubscribeRules)
	a.retiredRules.apply(spec.RetiredRules)
	a.oneTimeRules.apply(spec.OneTimeRules)
	a.standingState.apply(spec.Standing)
	a.sendRules.apply(spec.SendRules)
	a.wireRules.apply(spec.WireRules)
	a.eraRules.apply(spec.EraRules)
	a.applySubjects(spec.Subjects, p.clock.now())
	p.feed.mark(changedAccounts)
	return nil
}

func (a *account) applyCallback(spec AccountSpec) error {
	encoded := a.encodedKey
	setText(&encoded, spec.AESKey)
	if encoded == "" {
		encoded = SeedAESKey
	}
	key, err := wechat.ParseAESKey(encoded)
	if err != nil {
		return fmt.Errorf("sandbox: account %s: %w", a.appID, err)
	}
	a.encodedKey, a.aesKey = encoded, key
	if spec.CallbackMode != "" {
		if a.mode, err = wechat.ParseCallbackMode(spec.CallbackMode); err != nil {
			return fmt.Errorf("sandbox: account %s: %w", a.appID, err)
		}
	}
	set(&a.serverURL, spec.ServerURL)
	setText(&a.callbackToken, spec.CallbackToken)
	setText(&a.format, spec.CallbackFormat)
	return nil
}

func (a *account) applyLimits(spec AccountSpec) {
	if spec.Era != "" {
		era, _ := wechat.ParseEra(spec.Era) // checked before
		a.enter(era)
	}
	set(&a.dailyQuota, spec.DailyQuota)
	set(&a.minuteQuota, spec.MinuteQuota)
	set(&a.monthlyQuota, spec.TemplateMonthlyQuota)
	set(&a.tokenLength, spec.TokenLength)
	set(&a.tokenDailyLimit, spec.TokenDailyLimit)
	set(&a.templateLimit, spec.TemplateLimit)
	if spec.TokenTTL != nil {
		a.tokenTTL = time.Duration(*spec.TokenTTL) * time.Second
	}
	if spec.IPWhitelist != nil {
		a.whitelist = prefixes(*spec.IPWhitelist)
	}
	if spec.Linked != nil {
		a.linked = slices.Clone(*spec.Linked)
	}
	if spec.Pages != nil {
		a.pages = slices.Clone(*spec.Pages)
	}
}

func (a *account) applySwitches(sw Switches) {
	setText(&a.suffix, sw.ErrMsgSuffix)
	setText(&a.duplicateAnswer, sw.DuplicateAnswer)
	set(&a.long40001, sw.Long40001)
	set(&a.miniRetired, sw.MiniTemplateRetired)
	set(&a.smallMsgID, sw.SmallMsgID)
	set(&a.eventMsgIDZero, sw.EventMsgIDZero)
	set(&a.prepayMessages, sw.PrepayMessages)
	set(&a.pushDeliveries, sw.PushDeliveries)
	set(&a.markFailAfter, sw.MarkFailAfter)
	setMillis(&a.deliveryDelay, sw.DeliveryDelayMS)
	setMillis(&a.prepayDelay, sw.PrepayActivationDelayMS)
	setMillis(&a.pushTimeout, sw.PushTimeoutMS)
	setMillis(&a.markFailBlock, sw.MarkFailBlockMS)
}

func set[T any](dst *T, src *T) {
	if src != nil {
		*dst = *src
	}
}

func setText(dst *string, src string) {
	if src != "" {
		*dst = src
	}
}

func setMillis(dst *time.Duration, ms *int) {
	if ms != nil {
		*dst = time.Duration(*ms) * time.Millisecond
	}
}

// prefixes reads a checked whitelist; an address is a prefix of its full length.
func prefixes(list []string) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(list))
	for _, s := range list {
		if addr, err := netip.ParseAddr(s); err == nil {
			addr = addr.Unmap()
			out = append(out, netip.PrefixFrom(addr, addr.BitLen()))
		} else if prefix, err := netip.ParsePrefix(s); err == nil {
			out = append(out, prefix)
		}
	}
	return out
}

// AddAccount creates an account; see [AccountSpec] for the defaults. An error
// is a [*ControlError] naming the field and the rule it breaks.
func (s *Sandbox) AddAccount(spec AccountSpec) error {
	defer s.mu.Unlock()
	_, err := s.lock().createAccount(spec)
	return err
}

// UpdateAccount changes the settings of account appid that spec names.
func (s *Sandbox) UpdateAccount(appid string, spec AccountSpec) error {
	defer s.mu.Unlock()
	p := s.lock()
	a := p.accounts[appid]
	if a == nil {
		return unknownAccount(appid)
	}
	if err := spec.check(); err != nil {
		return err
	}
	return p.apply(a, spec)
}

// SetServerURL sets where the events of account appid are pushed ("" = nowhere),
// the mode (plain, compatible, safe) and the format (xml, json); an empty mode or
// format leaves what is set. Unlike the platform it does not ask the URL to
// prove itself first.
func (s *Sandbox) SetServerURL(appid, url, mode, format string) error {
	return s.UpdateAccount(appid, AccountSpec{ServerURL: &url, CallbackMode: mode, CallbackFormat: format})
}

func unknownAccount(appid string) error {
	return &ControlError{Status: 404, Field: "appid", Rule: "must be an account of this sandbox", Value: appid}
}
