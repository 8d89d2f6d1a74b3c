package api

import (
	"cmp"
	"fmt"
	"math"
	"net"
	"net/url"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"hongyan"
	"hongyan/client"
	"hongyan/wechat"
)

// faults collects every broken rule of a request, so that all are told at once.
type faults []hongyan.FieldError

func (f *faults) add(pointer, format string, args ...any) {
	*f = append(*f, badField("", pointer, format, args...).Fields...)
}

// err is nil without faults.
func (f faults) err(code string) error {
	if len(f) == 0 {
		return nil
	}
	message := f[0].Pointer + ": " + f[0].Detail
	return &hongyan.Error{Kind: hongyan.Invalid, Code: code, Message: message, Fields: f}
}

// Limits of account settings.
const (
	maxNameRunes    = 64
	maxRate         = 100_000             // per second: above it there is no limit worth checking
	maxQuota        = 1_000_000_000_000   // calls; keeps sums far from overflow
	maxInFlight     = 1000                // connections to WeChat of one account
	minExpireAfter  = time.Minute         // shorter would expire messages in the queue
	maxExpireAfter  = 30 * 24 * time.Hour // older news is no news
	minTokenLen     = 3                   // spec: WeChat takes 3 to 32 letters and digits
	maxTokenLen     = 32
	aesKeyLen       = 43 // EncodingAESKey
	maxSecretLength = 128
)

var (
	appIDForm = regexp.MustCompile(`^wx[0-9a-f]{16}$`)
	aliasForm = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)
	tokenForm = regexp.MustCompile(`^[A-Za-z0-9]+$`)
)

// newAccount translates a request. What cannot be translated is a fault.
func newAccount(in *client.AccountRequest) (*hongyan.Account, faults) {
	a := &hongyan.Account{
		AppID: in.AppID, Kind: hongyan.AccountKind(cmp.Or(in.Kind, string(hongyan.ServiceAccount))),
		Name: in.Name, Alias: in.Alias, BaseURL: in.BaseURL, Secret: hongyan.Secret(in.Secret),
		UncertainPolicy: hongyan.UncertainPolicy(cmp.Or(in.UncertainPolicy, string(hongyan.UncertainHold))),
		TokenSource:     hongyan.TokenSource(cmp.Or(in.TokenSource, string(hongyan.TokenStable))),
		MaxInFlight:     in.MaxInFlight, CutValues: in.CutValues,
	}
	var f faults
	setCallback(&a.Callback, in.Callback)
	if in.Rate != nil {
		a.RatePerSecond = in.Rate.PerSecond
	}
	setQuotas(a, in.Quotas)
	setQuietHours(a, in.QuietHours, &f)
	setExpireAfter(a, in.ExpireAfterSeconds, &f)
	return a, f
}

// patchAccount changes what p sets and returns what cannot be translated.
func patchAccount(a *hongyan.Account, p *client.AccountPatch) faults {
	var f faults
	if p.Secret != nil {
		a.Secret = hongyan.Secret(*p.Secret)
	}
	set(&a.Name, p.Name)
	set(&a.Alias, p.Alias)
	set(&a.BaseURL, p.BaseURL)
	setCallback(&a.Callback, p.Callback)
	if p.Rate != nil {
		a.RatePerSecond = p.Rate.PerSecond
	}
	if p.Quotas != nil {
		setQuotas(a, *p.Quotas)
	}
	if p.UncertainPolicy != nil {
		a.UncertainPolicy = hongyan.UncertainPolicy(cmp.Or(*p.UncertainPolicy, string(hongyan.UncertainHold)))
	}
	if p.TokenSource != nil {
		a.TokenSource = hongyan.TokenSource(cmp.Or(*p.TokenSource, string(hongyan.TokenStable)))
	}
	if p.QuietHours != nil {
		setQuietHours(a, *p.QuietHours, &f)
	}
	set(&a.MaxInFlight, p.MaxInFlight)
	if p.ExpireAfterSeconds != nil {
		setExpireAfter(a, *p.ExpireAfterSeconds, &f)
	}
	set(&a.CutValues, p.CutValues)
	return f
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// setCallback takes over what in sets. A new secret keeps the old one valid
// until the next change, because WeChat's side cannot change at the same
// moment; an empty one clears both.
func setCallback(c *hongyan.Callback, in *client.CallbackInput) {
	if in == nil {
		return
	}
	rotate(&c.Token, &c.PreviousToken, in.Token)
	rotate(&c.AESKey, &c.PreviousAESKey, in.AESKey)
	set(&c.Mode, in.Mode)
}

func rotate(current, previous *hongyan.Secret, next *string) {
	switch {
	case next == nil || hongyan.Secret(*next) == *current:
	case *next == "":
		*current, *previous = "", ""
	default:
		*current, *previous = hongyan.Secret(*next), *current
	}
}

func setQuotas(a *hongyan.Account, quotas []client.Quota) {
	a.Quotas = nil
	for _, q := range quotas {
		a.Quotas = append(a.Quotas, hongyan.QuotaRule(q))
	}
}

func setQuietHours(a *hongyan.Account, text string, f *faults) {
	hours, err := hongyan.ParseQuietHours(text)
	if err != nil {
		f.add("/quiet_hours", "%q is not like 22:00-08:00 (Beijing time), nor off", clip(text))
	}
	a.QuietHours = hours
}

func setExpireAfter(a *hongyan.Account, seconds int64, f *faults) {
	lowest, highest := int64(minExpireAfter/time.Second), int64(maxExpireAfter/time.Second)
	if seconds != 0 && (seconds < lowest || seconds > highest) {
		f.add("/expire_after_seconds", "%d is not between %d and %d", seconds, lowest, highest)
		return
	}
	a.ExpireAfter = time.Duration(seconds) * time.Second
}

// checkAccount checks every rule about an account and returns all that are
// broken, after the faults found so far, as one *hongyan.Error (code
// invalid_account) with pointers as in POST /v1/accounts; nil when there is
// none. Secrets are not repeated.
func checkAccount(a *hongyan.Account, f faults) error {
	checkIdentity(a, &f)
	checkCallback(&a.Callback, &f)
	checkLimits(a, &f)
	checkQuotas(a.Quotas, &f)
	oneOf(&f, "/kind", a.Kind, hongyan.ServiceAccount, hongyan.MiniProgram, hongyan.SubscriptionAccount, hongyan.TestAccount)
	oneOf(&f, "/uncertain_policy", a.UncertainPolicy, "", hongyan.UncertainHold, hongyan.UncertainResend, hongyan.UncertainGiveUp)
	oneOf(&f, "/token_source", a.TokenSource, "", hongyan.TokenStable, hongyan.TokenPlain)
	slices.SortStableFunc(f, func(a, b hongyan.FieldError) int { return cmp.Compare(a.Pointer, b.Pointer) })
	return f.err("invalid_account")
}

func oneOf[T ~string](f *faults, pointer string, value T, words ...T) {
	if !slices.Contains(words, value) {
		words = slices.DeleteFunc(slices.Clone(words), func(w T) bool { return w == "" })
		f.add(pointer, "%q is not one of %v", clip(string(value)), words)
	}
}

func checkIdentity(a *hongyan.Account, f *faults) {
	if !appIDForm.MatchString(a.AppID) {
		f.add("/appid", "%q is not wx and 16 digits of 0-9a-f", clip(a.AppID))
	}
	switch {
	case a.Secret == "":
		f.add("/secret", "the AppSecret is required")
	case len(a.Secret) > maxSecretLength:
		f.add("/secret", "the AppSecret is longer than %d characters", maxSecretLength)
	}
	if utf8.RuneCountInString(a.Name) > maxNameRunes {
		f.add("/name", "%q has %d characters; at most %d", clip(a.Name), utf8.RuneCountInString(a.Name), maxNameRunes)
	}
	switch {
	case a.Alias == "":
	case !aliasForm.MatchString(a.Alias):
		f.add("/alias", "%q is not a small letter followed by up to 31 of a-z, 0-9, _ and -", clip(a.Alias))
	case appIDForm.MatchString(a.Alias):
		f.add("/alias", "%q looks like an appid, which an alias must not", a.Alias)
	}
	if rule := baseURLFault(a.BaseURL); rule != "" {
		f.add("/base_url", "%s", rule)
	}
}

// baseURLFault returns the rule a base URL breaks and the URL, "" for none.
// Access tokens travel in the query, so only loopback may go without https
// (S79). What may hide a password, in the user or the query, is not repeated.
func baseURLFault(raw string) string {
	if raw == "" {
		return ""
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return "not an absolute URL such as https://api.weixin.qq.com"
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return fmt.Sprintf("the URL of host %q must have no user, query or fragment", clip(u.Host))
	case u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Sprintf("%q is not an absolute URL such as https://api.weixin.qq.com", clip(raw))
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return fmt.Sprintf("%q must be https, because its host is not loopback", clip(raw))
	}
	return ""
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func checkCallback(c *hongyan.Callback, f *faults) {
	if n := len(c.Token); n > 0 && (n < minTokenLen || n > maxTokenLen || !tokenForm.MatchString(c.Token.Reveal())) {
		f.add("/callback/token", "must be %d to %d letters and digits", minTokenLen, maxTokenLen)
	}
	if c.AESKey != "" {
		if _, err := wechat.ParseAESKey(c.AESKey.Reveal()); err != nil {
			f.add("/callback/aes_key", "must be an EncodingAESKey: %d letters and digits", aesKeyLen)
		}
	}
	oneOf(f, "/callback/mode", c.Mode, "", "plain", "compatible", "safe")
	if c.Mode != "compatible" && c.Mode != "safe" {
		return
	}
	if c.Token == "" {
		f.add("/callback/token", "required in mode %s", c.Mode)
	}
	if c.AESKey == "" {
		f.add("/callback/aes_key", "required in mode %s", c.Mode)
	}
}

func checkLimits(a *hongyan.Account, f *faults) {
	if r := a.RatePerSecond; math.IsNaN(r) || r < 0 || r > maxRate {
		f.add("/rate/per_second", "%v is not between 0 (no limit) and %d", r, maxRate)
	}
	if n := a.MaxInFlight; n < 0 || n > maxInFlight {
		f.add("/max_in_flight", "%d is not between 1 and %d, nor 0 for the default", n, maxInFlight)
	}
	if d := a.ExpireAfter; d != 0 && (d < minExpireAfter || d > maxExpireAfter) {
		f.add("/expire_after_seconds", "%v is not between %v and %v", d, minExpireAfter, maxExpireAfter)
	}
}

func checkQuotas(rules []hongyan.QuotaRule, f *faults) {
	seen := map[hongyan.QuotaRule]bool{}
	for i, q := range rules {
		at := "/quotas/" + itoa(i)
		oneOf(f, at+"/scope", q.Scope, "account", "template")
		oneOf(f, at+"/period", q.Period, "day", "month")
		if q.Limit < 1 || q.Limit > maxQuota {
			f.add(at+"/limit", "%d is not between 1 and %d", q.Limit, int64(maxQuota))
		}
		q.Limit = 0
		if seen[q] {
			f.add(at, "a second rule for the %s per %s", clip(q.Scope), clip(q.Period))
		}
		seen[q] = true
	}
}
