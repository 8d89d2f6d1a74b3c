package hongyan

import "time"

// KeyKind says where a key is used.
type KeyKind string

// The kinds of key.
const (
	KeyAPI     KeyKind = "api"     // hyk_…: a Bearer token of our HTTP API
	KeyGateway KeyKind = "gateway" // hys_…: takes the place of the AppSecret on the WeChat-compatible surface
)

// Key is a caller's credential. Only its hash is stored.
type Key struct {
	ID         string // key_…
	Kind       KeyKind
	Name       string
	Hash       []byte   // SHA-256 of the key
	Hint       string   // its first characters, to recognise it by
	Role       string   // "admin", "sender", "reader"; a gateway secret has "sender": the token it gets is the account's, which knows no roles
	AppIDs     []string // accounts it may act on; empty = all
	Personal   bool     // a reader that sees openids and the values of messages; those with another role do anyway
	CreatedAt  time.Time
	RevokedAt  time.Time
	LastUsedAt time.Time
}

// NewKeyID returns a new id for a key.
func NewKeyID() string { return newID("key_") }

// CallerAppSecret stands for the id of callers who came with the account's own
// AppSecret instead of a key.
const CallerAppSecret = "app_secret"

// TokenCaller is how one caller asked for one account's access_token on the
// WeChat-compatible surface.
type TokenCaller struct {
	AppID    string
	CallerID string // a key's id, or CallerAppSecret
	Endpoint string // "token" or "stable_token"
	FirstAt  time.Time
	LastAt   time.Time
	Requests int64
	Forced   int64  // of those, how many had force_refresh
	Remote   string // address of the latest, without port
}

// IssuedToken is a token that was current once, known by its hash.
type IssuedToken struct {
	AppID      string
	Generation int64
	IssuedAt   time.Time
	ReplacedAt time.Time // zero while it is the current one
}

// AuditEntry is one change somebody made, or one login that was refused.
// Entries are never changed and hold no secrets.
type AuditEntry struct {
	ID      int64
	At      time.Time
	Actor   string // a key's id, "admin", "config" for the configuration file, "" for a stranger
	Remote  string // address without port; "" for the configuration file
	Action  string // noun.verb: account.create, key.revoke, login.refused …
	Target  string // an appid, a key's id …; "" when there is none
	Outcome string // "ok", "refused" or "failed"
	Detail  string // what changed or why it was refused, for people
	Count   int    // equal refusals this entry stands for; 1 as a rule
}
