package hongyan

import "time"

// AccountKind says what an account may send.
type AccountKind string

// The kinds of account.
const (
	ServiceAccount      AccountKind = "service"
	MiniProgram         AccountKind = "mini_program"
	SubscriptionAccount AccountKind = "subscription"
	TestAccount         AccountKind = "test"
)

// MessageKind returns the kind of message an account of kind k sends when the caller names none.
func (k AccountKind) MessageKind() MessageKind {
	if k == MiniProgram {
		return KindMiniTemplate
	}
	return KindTemplate
}

// TokenSource says where an account's access_token comes from.
type TokenSource string

// The token sources.
const (
	TokenStable   TokenSource = "stable"   // POST /cgi-bin/stable_token; the default
	TokenPlain    TokenSource = "plain"    // GET /cgi-bin/token
	TokenExternal TokenSource = "external" // from a central server (中控服务器) the team runs already: fetched from TokenURL, or pushed to us
)

// UncertainPolicy says what becomes of a message whose outcome cannot be known.
type UncertainPolicy string

// The policies.
const (
	UncertainHold   UncertainPolicy = "hold"    // state uncertain; the default
	UncertainResend UncertainPolicy = "resend"  // send again, marked may_duplicate
	UncertainGiveUp UncertainPolicy = "give_up" // state failed, reason no_answer
)

// Account is one official account (公众号) or mini program (小程序).
type Account struct {
	AppID           string
	Kind            AccountKind
	Name            string
	Alias           string // a short word usable in place of AppID; "" = none
	BaseURL         string // "" = https://api.weixin.qq.com
	Secret          Secret // AppSecret
	Callback        Callback
	TokenSource     TokenSource
	TokenURL        Secret // TokenExternal: where the token is fetched, in the form GET /cgi-bin/token answers; "" = it is pushed to us. A secret, because its query may hold one
	EgressProxy     Secret // http, https or socks5 URL of the proxy that calls to WeChat go through; "" = none. A secret, because it may hold a password
	Paths           PathRules
	Downstreams     []Downstream // in the order the operator gave
	RatePerSecond   float64      // 0 = no limit of ours
	MaxInFlight     int          // concurrent calls; 0 = the default of 50
	Quotas          []QuotaRule
	UncertainPolicy UncertainPolicy
	ExpireAfter     time.Duration // default life of a message after send_at; 0 = 24 h
	QuietHours      QuietHours
	CutValues       bool // true: over-long values are cut; false: they are refused
	Care            Care
	Mini            MiniRules
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// DefaultExpireAfter is how long after send_at a message may still leave.
const DefaultExpireAfter = 24 * time.Hour

// DefaultMaxInFlight is the ceiling of concurrent calls per account (spec §2.12).
const DefaultMaxInFlight = 50

// Callback is how WeChat pushes to us for an account.
type Callback struct {
	Token          Secret
	PreviousToken  Secret // still accepted during a rotation; "" = none
	AESKey         Secret // 43 characters; "" in plain mode
	PreviousAESKey Secret
	Mode           string // plain, compatible, safe; "" = plain
}

// QuotaRule limits how many calls a scope makes per period (S10, S40, S55, S56).
type QuotaRule struct {
	Scope  string `json:"scope"`  // "account" or "template"
	Period string `json:"period"` // "day" or "month", in Beijing time
	Limit  int64  `json:"limit"`  // calls
	// UrgentReserve is how many of Limit only urgent messages may use; 0 = none. Of
	// scope "account" alone.
	UrgentReserve int64 `json:"urgent_reserve,omitempty"`
}

// The limits of accounts that name none: 100,000 calls a day (S40, S55), and for
// mini programs the 10,000,000 a day that subscribe messages have without payment
// ability (spec §7). Lower ones of WeChat's, as of form_ids, it tells by itself.
var (
	DefaultQuota     = []QuotaRule{{Scope: "account", Period: "day", Limit: 100_000}}
	DefaultMiniQuota = []QuotaRule{{Scope: "account", Period: "day", Limit: 10_000_000}}
)

// EffectiveQuotas returns the account's rules, or the default of its kind.
func (a *Account) EffectiveQuotas() []QuotaRule {
	switch {
	case len(a.Quotas) > 0:
		return a.Quotas
	case a.Kind == MiniProgram:
		return DefaultMiniQuota
	}
	return DefaultQuota
}

// QuotaUsage is how much of one rule's period is used.
type QuotaUsage struct {
	AppID      string
	Scope      string // "account", or "template:" + template_id
	Period     string // "day" or "month"
	PeriodFrom time.Time
	Used       int64
}

// Token is an account's access_token as the central server keeps it.
type Token struct {
	AppID       string
	Source      TokenSource
	AccessToken Secret
	Generation  int64 // grows by one with each fetch; 0 = none stored
	FetchedAt   time.Time
	ExpiresAt   time.Time
	FetchedBy   string // the node that fetched it
	Previous    Secret // the token it replaced; "" = none
	Fetches     int64  // fetches so far
}

// Event is one push of WeChat, stored raw before it is answered.
type Event struct {
	ID          int64
	AppID       string
	DedupeKey   string // two pushes with one key are one event
	Type        string // Event for events, MsgType otherwise, lower case
	OpenID      string
	CreateTime  time.Time
	MsgID       int64
	Body        []byte // the decrypted XML or JSON
	ReceivedAt  time.Time
	ProcessedAt time.Time
	Duplicates  int // further deliveries of the same push
}
