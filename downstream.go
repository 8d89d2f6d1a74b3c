package hongyan

import (
	"slices"
	"time"
)

// PathRules say which paths of WeChat callers reach through us. A pattern is a
// path, or a prefix followed by "*". Deny wins; an empty Allow allows all.
// Tokens and the sends that go through the engine are not subject to them.
type PathRules struct {
	Allow []string `json:"allow,omitempty"`
	Deny  []string `json:"deny,omitempty"`
}

// Downstream is a server of the business that gets an account's pushes as if it
// stood at the account's callback URL itself: in WeChat's own format, signed with
// its own token.
type Downstream struct {
	Name    string   // a short word, unique inside the account
	URL     string   // where pushes are posted
	Sync    bool     // its answer is the passive reply; at most one of an account's
	Ordered bool     // pushes about one user arrive in their order, one at a time
	Paused  bool     // keeps its pushes until it is resumed
	Events  []string // types as in Event.Type, e.g. templatesendjobfinish, text; empty = all
	Mode    string   // plain, compatible, safe; "" = the account's
	Token   Secret   // "" = the account's
	AESKey  Secret   // "" = the account's
}

// Wants reports whether the downstream gets events of that type.
func (d *Downstream) Wants(eventType string) bool {
	return len(d.Events) == 0 || slices.Contains(d.Events, eventType)
}

// Target names the downstream of an account in deliveries.
func (d *Downstream) Target(appID string) string { return DownstreamTarget(appID, d.Name) }

// DownstreamTarget names an account's downstream in deliveries.
func DownstreamTarget(appID, name string) string { return appID + "/" + name }

// DeliveryState is where a delivery is.
type DeliveryState uint8

// The states of a delivery.
const (
	DeliveryPending DeliveryState = iota // to be tried, again or for the first time
	DeliveryDone                         // the target took it
	DeliveryGaveUp                       // tried for as long as it makes sense
)

// String returns the state's word on the wire.
func (s DeliveryState) String() string {
	return [...]string{"pending", "delivered", "gave_up"}[min(int(s), 2)]
}

// Delivery is one event on its way to one target. There is one for each pair.
type Delivery struct {
	ID         int64
	AppID      string
	Target     string // DownstreamTarget
	EventID    int64
	EventType  string
	Key        string // what order is kept by: the openid; "" = none
	State      DeliveryState
	DueAt      time.Time // not tried before this; while it is being tried, when it counts as lost
	Attempts   int       // begun
	LastAt     time.Time // start of the latest attempt
	LastStatus int       // HTTP status of the latest; 0 = there was none
	LastError  string    // why the latest failed, for people; never a secret
	LastTook   time.Duration
	CreatedAt  time.Time
	EndedAt    time.Time
}
