package hongyan

import (
	"encoding/json"
	"time"

	"hongyan/wechat"
)

// Rule sends a message to the user whom a push of WeChat's is about (S57): the card
// that greets a follower, the receipt after a scan.
type Rule struct {
	ID        string // rul_…
	AppID     string
	Name      string        // a short word, unique inside the account
	On        string        // what sets it off: one of RuleTriggers, or another type of event
	Filters   []RuleFilter  // all of them must fit
	Delay     time.Duration // how long after the push the message leaves; 0 = at once
	Once      time.Duration // at most once per user in that time; 0 = for every push, OnceEver = once
	Message   RuleMessage
	Paused    bool
	CreatedAt time.Time
	UpdatedAt time.Time

	// What it did so far; the store keeps these.
	Fired         int64 // messages made
	Refused       int64 // firings that ended without one
	LastFiredAt   time.Time
	LastMessageID string
	LastRefusedAt time.Time
	LastRefusal   string // why, for people
}

// NewRuleID returns a new id for a rule.
func NewRuleID() string { return newID("rul_") }

// OnceEver as Rule.Once lets a rule fire once for a user, for as long as it is there.
const OnceEver time.Duration = -1

// RuleFilter is a condition on a field of the push.
type RuleFilter struct {
	Field string `json:"field"` // a name as in wechat.EventFields, or Scene
	Op    string `json:"op"`    // equal, prefix or matches (a regular expression)
	Value string `json:"value"`
}

// RuleMessage is what a rule sends. Its texts may hold {{openid}}, {{time}},
// {{time:YYYY-MM-DD}} and {{event.EventKey}}.
type RuleMessage struct {
	Kind             MessageKind         `json:"kind,omitempty"` // "" = as the account's kind says
	TemplateID       string              `json:"template_id"`    // or an alias
	URL              string              `json:"url,omitempty"`
	MiniProgram      *wechat.MiniProgram `json:"miniprogram,omitempty"`
	Page             string              `json:"page,omitempty"`
	MiniProgramState string              `json:"miniprogram_state,omitempty"`
	Lang             string              `json:"lang,omitempty"`
	Data             wechat.Data         `json:"data"`
	Priority         string              `json:"priority,omitempty"`
	ExpiresAfter     int64               `json:"expires_after_seconds,omitempty"` // after it was to leave; 0 = the account's setting
	Metadata         json.RawMessage     `json:"metadata,omitempty"`
}

// FiringState is where a firing is.
type FiringState uint8

// The states of a firing.
const (
	FiringPending FiringState = iota // its message is to be made
	FiringSent                       // its message is made
	FiringRefused                    // it will have none
)

// String returns the state's word on the wire.
func (s FiringState) String() string {
	return [...]string{"pending", "sent", "refused"}[min(int(s), 2)]
}

// Firing is a push that set a rule off. There is one for each pair.
type Firing struct {
	ID        int64
	RuleID    string
	AppID     string
	EventID   int64
	OpenID    string
	State     FiringState
	Message   []byte    // JSON of the RuleMessage, filled in; nil once it has ended
	At        time.Time // of the push
	SendAt    time.Time
	ExpiresAt time.Time
	Attempts  int       // at making its message
	DueAt     time.Time // not tried before this; while it is tried, when that counts as lost
	MessageID string
	Code      string // why it was refused
	Refusal   string // the same, for people
	CreatedAt time.Time
	EndedAt   time.Time
}
