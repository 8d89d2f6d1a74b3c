package hongyan

import (
	"cmp"
	"fmt"
	"math"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"hongyan/internal/near"
	"hongyan/wechat"
)

// Limits of account settings.
const (
	maxSecretLen   = 128 // AppSecret; WeChat's have 32 today, which it nowhere promises
	maxNameRunes   = 64
	maxRate        = 100_000             // per second: above it there is no limit worth checking
	maxQuota       = 1_000_000_000_000   // calls; keeps sums far from overflow
	maxInFlight    = 1000                // connections to WeChat of one account
	maxUserCap     = 10_000              // messages a user gets in a day: above it there is no cap worth counting
	minExpireAfter = time.Minute         // shorter would expire messages in the queue
	maxExpireAfter = 30 * 24 * time.Hour // older news is no news
	minTokenLen    = 3                   // spec §5.2: WeChat takes 3 to 32 letters and digits
	maxTokenLen    = 32
	aesKeyLen      = 43 // EncodingAESKey
)

var (
	appIDForm = regexp.MustCompile(`^wx[0-9a-f]{16}$`)
	aliasForm = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)
	wordForm  = regexp.MustCompile(`^[A-Za-z0-9]+$`)
)

// Check returns every rule the account's settings break, by pointer as in
// POST /v1/accounts; none means they can be used. The API and the configuration
// file are held to the same rules by it. Secrets are not repeated, and an empty
// AppSecret breaks none: it may be kept elsewhere.
func (a *Account) Check() []FieldError {
	var c accountCheck
	c.identity(a)
	c.callback(&a.Callback)
	c.limits(a)
	c.quotas(a.Quotas)
	c.tokenSource(a)
	c.egressProxy(a.EgressProxy.Reveal())
	c.paths("/paths/allow", a.Paths.Allow)
	c.paths("/paths/deny", a.Paths.Deny)
	c.downstreams(a)
	c.mini(a.Mini)
	oneOf(&c, "/kind", a.Kind, ServiceAccount, MiniProgram, SubscriptionAccount, TestAccount)
	oneOf(&c, "/care/suppression", a.Care.Suppression, "", SuppressionOff)
	if n := a.Care.UserCap; n < 0 || n > maxUserCap {
		c.add("/care/user_cap", "%d is not between 0 (any number) and %d", n, maxUserCap)
	}
	oneOf(&c, "/uncertain_policy", a.UncertainPolicy, "", UncertainHold, UncertainResend, UncertainGiveUp)
	slices.SortStableFunc(c, func(a, b FieldError) int { return cmp.Compare(a.Pointer, b.Pointer) })
	return c
}

// ParseExpireAfter reads a setting of expire_after_seconds; 0 stands for the default.
func ParseExpireAfter(seconds int64) (time.Duration, error) {
	lowest, highest := int64(minExpireAfter/time.Second), int64(maxExpireAfter/time.Second)
	if seconds != 0 && (seconds < lowest || seconds > highest) {
		return 0, InvalidField("invalid_account", "/expire_after_seconds", "%d is not between %d and %d, nor 0 for the default", seconds, lowest, highest)
	}
	return time.Duration(seconds) * time.Second, nil
}

// accountCheck collects broken rules.
type accountCheck []FieldError

func (c *accountCheck) add(pointer, format string, args ...any) {
	*c = append(*c, FieldError{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
}

// OneOf returns the rule that value breaks when it is none of the words, "" when
// it is one of them. An empty word allows the empty value and is not named.
func OneOf(value string, words ...string) string {
	if slices.Contains(words, value) {
		return ""
	}
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "" })
	rule := fmt.Sprintf("%q is not one of %s", clip(value), strings.Join(words, ", "))
	if meant := near.Word(value, words); meant != "" {
		rule += fmt.Sprintf("; did you mean %q?", meant)
	}
	return rule
}

func oneOf[T ~string](c *accountCheck, pointer string, value T, words ...T) {
	plain := make([]string, len(words))
	for i, w := range words {
		plain[i] = string(w)
	}
	if rule := OneOf(string(value), plain...); rule != "" {
		c.add(pointer, "%s", rule)
	}
}

func (c *accountCheck) identity(a *Account) {
	if !appIDForm.MatchString(a.AppID) {
		c.add("/appid", "%q is not wx and 16 digits of 0-9a-f", clip(a.AppID))
	}
	if s := a.Secret.Reveal(); s != "" && (len(s) > maxSecretLen || !wordForm.MatchString(s)) {
		c.add("/secret", "an AppSecret has letters and digits only, at most %d; this one has %d characters, not all of them such", maxSecretLen, utf8.RuneCountInString(s))
	}
	if n := utf8.RuneCountInString(a.Name); n > maxNameRunes {
		c.add("/name", "%q has %d characters; at most %d", clip(a.Name), n, maxNameRunes)
	}
	switch {
	case a.Alias == "":
	case !aliasForm.MatchString(a.Alias):
		c.add("/alias", "%q is not a small letter followed by up to 31 of a-z, 0-9, _ and -", clip(a.Alias))
	case appIDForm.MatchString(a.Alias):
		c.add("/alias", "%q looks like an appid, which an alias must not", a.Alias)
	}
	if rule := baseURLFault(a.BaseURL); rule != "" {
		c.add("/base_url", "%s", rule)
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
	case err != nil || u.Opaque != "" || strings.Contains(raw, "@") && u.User == nil:
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
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c *accountCheck) callback(cb *Callback) {
	c.pushSecrets("/callback", cb.Token, cb.AESKey)
	oneOf(c, "/callback/mode", cb.Mode, "", "plain", "compatible", "safe")
	if !encrypts(cb.Mode) {
		return
	}
	if cb.Token == "" {
		c.add("/callback/token", "required in mode %s", cb.Mode)
	}
	if cb.AESKey == "" {
		c.add("/callback/aes_key", "required in mode %s", cb.Mode)
	}
}

// encrypts reports whether pushes of a callback mode are encrypted.
func encrypts(mode string) bool { return mode == "compatible" || mode == "safe" }

// pushSecrets checks the form of what signs and encrypts pushes, where it is set.
func (c *accountCheck) pushSecrets(at string, token, aesKey Secret) {
	if n := len(token); n > 0 && (n < minTokenLen || n > maxTokenLen || !wordForm.MatchString(token.Reveal())) {
		c.add(at+"/token", "must be %d to %d letters and digits", minTokenLen, maxTokenLen)
	}
	if aesKey == "" {
		return
	}
	if _, err := wechat.ParseAESKey(aesKey.Reveal()); err != nil {
		c.add(at+"/aes_key", "must be an EncodingAESKey: %d letters and digits", aesKeyLen)
	}
}

func (c *accountCheck) limits(a *Account) {
	if r := a.RatePerSecond; math.IsNaN(r) || r < 0 || r > maxRate {
		c.add("/rate/per_second", "%s is not between 0 (no limit) and %d", strconv.FormatFloat(r, 'f', -1, 64), maxRate)
	}
	if n := a.MaxInFlight; n < 0 || n > maxInFlight {
		c.add("/max_in_flight", "%d is not between 1 and %d, nor 0 for the default", n, maxInFlight)
	}
	if _, err := ParseExpireAfter(int64(a.ExpireAfter / time.Second)); err != nil {
		c.add("/expire_after_seconds", "%v is not between %v and %v", a.ExpireAfter, minExpireAfter, maxExpireAfter)
	}
}

func (c *accountCheck) quotas(rules []QuotaRule) {
	seen := map[QuotaRule]bool{}
	for i, q := range rules {
		at := "/quotas/" + strconv.Itoa(i)
		oneOf(c, at+"/scope", q.Scope, "account", "template")
		oneOf(c, at+"/period", q.Period, "day", "month")
		if q.Limit < 1 || q.Limit > maxQuota {
			c.add(at+"/limit", "%d is not between 1 and %d", q.Limit, int64(maxQuota))
		}
		switch {
		case q.UrgentReserve < 0 || q.UrgentReserve > max(0, q.Limit):
			c.add(at+"/urgent_reserve", "%d is not between 0 and the limit of %d", q.UrgentReserve, q.Limit)
		case q.UrgentReserve > 0 && q.Scope != "account":
			c.add(at+"/urgent_reserve", "only a rule of the account's keeps a reserve")
		}
		q.Limit, q.UrgentReserve = 0, 0
		if seen[q] {
			c.add(at, "a second rule for the %s per %s", clip(q.Scope), clip(q.Period))
		}
		seen[q] = true
	}
}

// clip shortens a value that is repeated in an error.
func clip(s string) string {
	const keep = 64 // bytes
	if len(s) > keep {
		return strings.ToValidUTF8(s[:keep], "") + "…"
	}
	return s
}
