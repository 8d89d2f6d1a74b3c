package hongyan

import (
	"crypto/rand"
	"encoding/hex"
	"time"
)

// Care says how an account spares the people it sends to.
type Care struct {
	// Suppression is "" (auto: while the account's callbacks arrive) or "off".
	Suppression string `json:"suppression,omitempty"`
	// SuppressCompat lets the list keep messages of the WeChat-compatible surface, too.
	SuppressCompat bool `json:"suppress_compat,omitempty"`
	// UserCap is how many messages a user gets in a Beijing day, urgent ones aside; 0 = any number.
	UserCap int `json:"user_cap,omitempty"`
}

// Raises reports whether a user gets more messages in a day than before, so that some
// that wait for the next may go now.
func (c Care) Raises(before Care) bool {
	return before.UserCap > 0 && (c.UserCap == 0 || c.UserCap > before.UserCap)
}

// SuppressionOff as Care.Suppression lets everything leave.
const SuppressionOff = "off"

// Why users are on an account's suppression list.
const (
	SuppressUserBlock    = "user_block"     // an event said failed:user block (S21)
	SuppressNotFollowing = "not_following"  // 43004, or an unsubscribe event
	SuppressBlacklisted  = "blacklisted"    // 43019
	SuppressUserFrozen   = "user_frozen"    // 50002
	SuppressBadOpenID    = "invalid_openid" // 40003
	SuppressManual       = "manual"         // a person put them there
)

// SuppressionReasons returns every reason.
func SuppressionReasons() []string {
	return []string{SuppressUserBlock, SuppressNotFollowing, SuppressBlacklisted, SuppressUserFrozen, SuppressBadOpenID, SuppressManual}
}

// Suppression is a user on an account's list: messages to them are held.
type Suppression struct {
	ID       int64
	AppID    string
	OpenID   string
	Reason   string
	Errcode  int    // the answer that caused it; 0 = none did
	Note     string // for people
	By       string // the key that put it there; "" = it came from WeChat's answers and events
	Since    time.Time
	Until    time.Time // zero = until it is lifted
	LiftedAt time.Time // zero = it was not
	LiftedBy string    // the type of the event, "success", or a key
	// FollowedAt is when the user was last known to follow, in whole seconds as WeChat's
	// events tell it; zero = not within store.FollowKeep.
	FollowedAt time.Time
}

// Active reports whether s keeps messages at now.
func (s *Suppression) Active(now time.Time) bool {
	return s.LiftedAt.IsZero() && (s.Until.IsZero() || now.Before(s.Until))
}

// Covers reports whether s is about messages of kind k. Who does not follow, or
// refuses template messages, may have agreed to the others (spec §4.5, §7.3).
func (s *Suppression) Covers(k MessageKind) bool {
	switch s.Reason {
	case SuppressUserBlock, SuppressNotFollowing, SuppressBlacklisted:
		return k == KindTemplate
	}
	return true
}

// Renewed returns what stands after by was put beside s, an entry of the same user:
// changed says whether that is anything new, anew that s had ended and by begins
// another entry. Of two that last the longer end stands; a person's word replaces
// WeChat's, and is not replaced by it. What WeChat said before s was lifted, or before the
// user followed, is no news.
func (s Suppression) Renewed(by Suppression, now time.Time) (next Suppression, anew, changed bool) {
	byPerson := by.By != ""
	by.FollowedAt = s.FollowedAt
	switch {
	case !byPerson && (by.Since.Before(s.LiftedAt) || s.followedAfter(&by)), s.Active(now) && s.By != "" && !byPerson:
		return s, false, false
	case !s.Active(now):
		return by, true, true
	}
	next = by
	next.ID = s.ID
	if s.Since.Before(by.Since) {
		next.Since = s.Since
	}
	if !byPerson && (s.Until.IsZero() || !by.Until.IsZero() && s.Until.After(by.Until)) {
		next.Until = s.Until
	}
	return next, false, next != s
}

// followedAfter reports whether the user followed after what by says of them. Events tell
// whole seconds, and pushes and answers may overtake one another: who left and came
// back within one second follows.
func (s *Suppression) followedAfter(by *Suppression) bool {
	since := by.Since.Truncate(time.Second)
	return since.Before(s.FollowedAt) || by.Reason == SuppressNotFollowing && since.Equal(s.FollowedAt)
}

// ErasureState is where an erasure is.
type ErasureState uint8

// The states of an erasure.
const (
	ErasureRunning ErasureState = iota // rows are being changed
	ErasureWaiting                     // it looks once more when what was under way has come back
	ErasureDone                        // nothing of the person is left
)

// String returns the state's word on the wire.
func (s ErasureState) String() string {
	return [...]string{"running", "waiting", "done"}[min(int(s), 2)]
}

// Erasure takes a person out of what an account has stored about them.
type Erasure struct {
	ID          string // era_…
	AppID       string
	OpenID      string // "" once it is done
	Pseudonym   string // stands in its place
	By          string // the key that asked for it
	State       ErasureState
	RequestedAt time.Time
	DueAt       time.Time // when the next pass begins
	FinishedAt  time.Time
	LookAgain   bool // pushes about messages that left may still come: another pass is due
	Erased
}

// Erased counts what an erasure changed.
type Erased struct {
	Messages int64 // lost their values, metadata and openid
	Events   int64 // pushes that lost their body and openid
	Others   int64 // rows of lists, deliveries, receipts without an owner, firings, staged rows of batches
	Left     int64 // messages still being sent, or in doubt; of the latest pass
	Awaiting int64 // messages whose event may still come; of the latest pass
}

// NewErasure returns an erasure of a person.
func NewErasure(appID, openID, by string) Erasure {
	return Erasure{ID: newID("era_"), AppID: appID, OpenID: openID, Pseudonym: newPseudonym(), By: by}
}

// newPseudonym is random: no secret can turn it back into the openid. No openid
// looks like it (spec §1), so that nothing is ever sent to one.
func newPseudonym() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	return "erased-" + hex.EncodeToString(b[:])
}

// Reasons a message waits for the sake of its user.
const (
	HoldSuppressed = "suppressed" // the user is on the account's suppression list
	HoldUserCap    = "user_cap"   // the user has had the day's messages
)

// CallerCompat stands for the id of callers of the WeChat-compatible surface, whose
// token is the account's, the same for everybody.
const CallerCompat = "compat"
