package sandbox

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"hongyan/wechat"
)

// AccountSpec describes an account, or a change to one: a nil or empty field
// leaves what is there, or the default when the account is new. The JSON names
// are those of the control API; docs/sandbox.md has them in one table.
type AccountSpec struct {
	AppID      string `json:"appid,omitzero"`       // "wx" and 16 hexadecimal digits
	Secret     string `json:"secret,omitzero"`      // 32 hexadecimal digits; made when empty
	Kind       string `json:"kind,omitzero"`        // service (default), subscription, mini_program, test; fixed once created
	Name       string `json:"name,omitzero"`        // shown to people
	OriginalID string `json:"original_id,omitzero"` // "gh_" and 12 hexadecimal digits; made when empty
	Verified   *bool  `json:"verified,omitzero"`    // default true; false answers 48001 to sends

	ServerURL      *string `json:"server_url,omitzero"` // where events are pushed; "" = nowhere
	CallbackToken  string  `json:"callback_token,omitzero"`
	AESKey         string  `json:"aes_key,omitzero"`         // EncodingAESKey, 43 characters
	CallbackMode   string  `json:"callback_mode,omitzero"`   // plain (default), compatible, safe
	CallbackFormat string  `json:"callback_format,omitzero"` // xml (default), json

	DailyQuota  *int `json:"daily_quota,omitzero"`  // sends per Beijing day; negative = no limit; default 100,000 (mini programs 1,000,000)
	MinuteQuota *int `json:"minute_quota,omitzero"` // sends per minute; 0 = no limit, the default
	// TemplateMonthlyQuota is the sends of one template per Beijing month; 0 = no limit; default 0, era A 10,000.
	TemplateMonthlyQuota *int      `json:"template_monthly_quota,omitzero"`
	TokenDailyLimit      *int      `json:"token_daily_limit,omitzero"` // plain token fetches per day; default 2000, test accounts 200
	TemplateLimit        *int      `json:"template_limit,omitzero"`    // private templates; default 25, era A and test accounts 10
	IPWhitelist          *[]string `json:"ip_whitelist,omitzero"`      // who may fetch tokens; empty = everybody
	Linked               *[]string `json:"linked,omitzero"`            // appids of linked mini programs
	Pages                *[]string `json:"pages,omitzero"`             // a mini program's released pages; empty = any page exists

	// Era is A to F; default F. Naming one, also the same again, sets all that its
	// profile sets; other fields of the same spec go before it.
	Era      string `json:"era,omitzero"`
	TokenTTL *int   `json:"token_ttl,omitzero"` // seconds a token lives; default 7200
	// TokenLength is the characters of a new token, 64 to 4096; default 139. The
	// platform asks everybody to be ready for 512 (S71).
	TokenLength *int `json:"token_length,omitzero"`
	Switches
	Subjects
	SubscribeRules
	RetiredRules
	OneTimeRules
	Standing
	SendRules
	WireRules
	EraRules
}

// Switches are an account's behaviours that can be turned (spec §10); nil leaves
// what is there.
type Switches struct {
	ErrMsgSuffix            string `json:"errmsg_suffix,omitzero"`              // rid (default), hint, both, none
	Long40001               *bool  `json:"long_40001,omitzero"`                 // 40001 names getStableAccessToken; default true
	MiniTemplateRetired     *bool  `json:"mini_template_retired,omitzero"`      // wxopen/template/send gets 45103; default false
	SmallMsgID              *bool  `json:"small_msgid,omitzero"`                // nine-digit msgids as in 2014; default false
	EventMsgIDZero          *bool  `json:"event_msgid_zero,omitzero"`           // MsgID 0 in events of sends with client_msg_id; default false
	DuplicateAnswer         string `json:"duplicate_answer,omitzero"`           // ok-same-msgid (default), 45065, 44007
	DeliveryDelayMS         *int   `json:"delivery_delay_ms,omitzero"`          // default: the sandbox's
	PrepayActivationDelayMS *int   `json:"prepay_activation_delay_ms,omitzero"` // default 5000
	PrepayMessages          *int   `json:"prepay_messages,omitzero"`            // messages per payment; default 1
	PushTimeoutMS           *int   `json:"push_timeout_ms,omitzero"`            // default 5000
	PushDeliveries          *int   `json:"push_deliveries,omitzero"`            // deliveries of one event in all; default 3
	MarkFailAfter           *int   `json:"mark_fail_after,omitzero"`            // events given up in a row before pushes are blocked; 0 = never; default 3
	MarkFailBlockMS         *int   `json:"mark_fail_block_ms,omitzero"`         // default 60000
}

var (
	appIDPattern      = regexp.MustCompile(`^wx[0-9a-f]{16}$`)
	secretPattern     = regexp.MustCompile(`^[0-9a-f]{32}$`)
	originalIDPattern = regexp.MustCompile(`^gh_[0-9a-f]{12}$`)
	tokenPattern      = regexp.MustCompile(`^[0-9A-Za-z]{3,32}$`)
	aesKeyPattern     = regexp.MustCompile(`^[0-9A-Za-z]{43}$`)
)

// check returns a *ControlError for the first rule that spec breaks.
func (spec *AccountSpec) check() error {
	checks := []func() error{spec.checkIdentity, spec.checkCallback, spec.checkLimits, spec.checkSwitches, spec.Subjects.check, spec.SubscribeRules.check, spec.RetiredRules.check, spec.OneTimeRules.check, spec.Standing.check, spec.SendRules.check, spec.WireRules.check, spec.EraRules.check}
	for _, f := range checks {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func (spec *AccountSpec) checkIdentity() error {
	return firstError(
		matches("appid", spec.AppID, appIDPattern, `"wx" and 16 lower-case hexadecimal digits`),
		matchesSecret("secret", spec.Secret, secretPattern, "32 lower-case hexadecimal digits"),
		matches("original_id", spec.OriginalID, originalIDPattern, `"gh_" and 12 lower-case hexadecimal digits`),
		shortText("name", spec.Name),
		oneOf("kind", spec.Kind, kindService, kindSubscription, kindMiniProgram, kindTest),
	)
}

func (spec *AccountSpec) checkCallback() error {
	return firstError(
		checkServerURL(spec.ServerURL),
		matchesSecret("callback_token", spec.CallbackToken, tokenPattern, "3 to 32 letters or digits"),
		matchesSecret("aes_key", spec.AESKey, aesKeyPattern, "43 letters or digits"),
		oneOf("callback_mode", spec.CallbackMode, "plain", "compatible", "safe"),
		oneOf("callback_format", spec.CallbackFormat, formatXML, formatJSON),
	)
}

// checkServerURL is laxer than the platform, which wants port 80 or 443 (spec
// §5.2): gateways under development listen elsewhere.
func checkServerURL(raw *string) error {
	if raw == nil || *raw == "" {
		return nil
	}
	u, err := url.Parse(*raw)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return &ControlError{Field: "server_url", Rule: "must be an http or https URL, or empty", Value: *raw}
	}
	return nil
}

func (spec *AccountSpec) checkLimits() error {
	return firstError(
		atLeast("minute_quota", spec.MinuteQuota, 0),
		atLeast("token_daily_limit", spec.TokenDailyLimit, 0),
		atLeast("template_limit", spec.TemplateLimit, 0),
		atLeast("template_monthly_quota", spec.TemplateMonthlyQuota, 0),
		inRange("token_ttl", spec.TokenTTL, 1, maxSeconds),
		inRange("token_length", spec.TokenLength, 64, 4096),
		checkIPs(spec.IPWhitelist),
		checkAppIDs(spec.Linked),
		checkEra(spec.Era),
	)
}

func checkIPs(list *[]string) error {
	if list == nil {
		return nil
	}
	for _, ip := range *list {
		if _, err := netip.ParseAddr(ip); err == nil {
			continue
		}
		if _, err := netip.ParsePrefix(ip); err != nil {
			return &ControlError{Field: "ip_whitelist", Rule: "must hold addresses or prefixes such as 10.0.0.0/8", Value: ip}
		}
	}
	return nil
}

func checkAppIDs(list *[]string) error {
	if list == nil {
		return nil
	}
	for _, id := range *list {
		if !appIDPattern.MatchString(id) {
			return &ControlError{Field: "linked", Rule: "must hold appids", Value: id}
		}
	}
	return nil
}

func checkEra(s string) error {
	if s == "" {
		return nil
	}
	if _, err := wechat.ParseEra(s); err != nil {
		return &ControlError{Field: "era", Rule: "must be a letter from A to F", Value: s}
	}
	return nil
}

func (spec *AccountSpec) checkSwitches() error {
	return firstError(
		oneOf("errmsg_suffix", spec.ErrMsgSuffix, suffixRID, suffixHint, suffixBoth, suffixNone),
		oneOf("duplicate_answer", spec.DuplicateAnswer, duplicateOK, duplicate45065, duplicate44007),
		millisFrom("delivery_delay_ms", spec.DeliveryDelayMS, 0),
		millisFrom("prepay_activation_delay_ms", spec.PrepayActivationDelayMS, 0),
		atLeast("prepay_messages", spec.PrepayMessages, 1),
		millisFrom("push_timeout_ms", spec.PushTimeoutMS, 1),
		atLeast("push_deliveries", spec.PushDeliveries, 1),
		atLeast("mark_fail_after", spec.MarkFailAfter, 0),
		millisFrom("mark_fail_block_ms", spec.MarkFailBlockMS, 0),
	)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func matches(field, value string, pattern *regexp.Regexp, rule string) error {
	if value == "" || pattern.MatchString(value) {
		return nil
	}
	return &ControlError{Field: field, Rule: "must be " + rule, Value: value}
}

// matchesSecret is matches for values that an error must not repeat.
func matchesSecret(field, value string, pattern *regexp.Regexp, rule string) error {
	if value == "" || pattern.MatchString(value) {
		return nil
	}
	return &ControlError{Field: field, Rule: "must be " + rule, Value: fmt.Sprintf("(%d characters)", len(value))}
}

func oneOf(field, value string, allowed ...string) error {
	if value == "" || slices.Contains(allowed, value) {
		return nil
	}
	return &ControlError{Field: field, Rule: "must be one of " + strings.Join(allowed, ", "), Value: value}
}

// maxShownText bounds names, in characters.
const maxShownText = 64

func shortText(field, value string) error {
	if utf8.RuneCountInString(value) <= maxShownText && utf8.ValidString(value) {
		return nil
	}
	return &ControlError{Field: field, Rule: fmt.Sprintf("must be text of at most %d characters", maxShownText), Value: valid(value)}
}

func atLeast(field string, value *int, floor int) error {
	if value == nil || *value >= floor {
		return nil
	}
	return &ControlError{Field: field, Rule: fmt.Sprintf("must be at least %d", floor), Value: *value}
}

// maxMillis and maxSeconds are a year: nobody waits longer, and sums of such times
// cannot overflow.
const (
	maxMillis  = 1000 * maxSeconds
	maxSeconds = 365 * 24 * 60 * 60
)

func inRange(field string, value *int, floor, ceiling int) error {
	return firstError(atLeast(field, value, floor), atMost(field, value, ceiling))
}

// millisFrom bounds a time in milliseconds, which must be at least floor.
func millisFrom(field string, value *int, floor int) error {
	return inRange(field, value, floor, maxMillis)
}

func atMost(field string, value *int, ceiling int) error {
	if value == nil || *value <= ceiling {
		return nil
	}
	return &ControlError{Field: field, Rule: fmt.Sprintf("must be at most %d", ceiling), Value: *value}
}
