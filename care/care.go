// Package care keeps an account from writing to people who do not want it or cannot
// get it (design §5.7), limits how many messages a user gets in a day, and takes a
// person out of everything stored.
//
// Start with Desk.Suppressed and Desk.Room, which package dispatch asks before a message
// leaves, then Desk.Seen, which package callback tells of every event. list.go is what is
// known of the list without asking the store, cap.go the limit of a day; run.go writes what
// WeChat said and carries erasures out. What is
// remembered is package store's Care.
package care

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"
)

// Config is what a Desk is built from.
type Config struct {
	Store store.Store
	// Released lets a user's messages go that are held for a reason, and returns how many.
	Released func(ctx context.Context, appID, openID, reason string) (int, error)
	// ReleaseCapped lets an account's messages go that its cap per user held.
	ReleaseCapped func(ctx context.Context, c store.CapRelease) (int, error)
	// EraseStaged takes a person out of what waits elsewhere to become messages, and
	// returns how many rows those were; nil = nothing does.
	EraseStaged func(ctx context.Context, appID, openID string) (int, error)
	Logger      *slog.Logger // nil = discard
}

// Desk answers for the people. It is safe for concurrent use.
type Desk struct {
	cfg  Config
	log  *slog.Logger
	list *list

	wake chan struct{} // tells Run that there is something to write or to erase; holds one

	mu     sync.Mutex
	said   []said             // answers of WeChat to be taken down
	pushed map[string]arrival // by AppID
	raised map[string]int     // by AppID: how often Run looks again at what its cap held
}

// said is an answer of WeChat's that concerns a user.
type said struct {
	m       hongyan.Message // without its payload
	errcode int
	at      time.Time // when the call began
}

// maxSaid bounds what waits to be taken down; what is beyond is said again by the next message.
const maxSaid = 10_000

// New returns a Desk; it starts nothing.
func New(cfg Config) *Desk {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Desk{cfg: cfg, log: cfg.Logger, list: newList(), wake: make(chan struct{}, 1), pushed: map[string]arrival{}, raised: map[string]int{}}
}

// Suppressed returns the hold of a message whose recipient is on the account's list;
// nil when they are not, when the list does not concern it, and for urgent ones.
func (d *Desk) Suppressed(ctx context.Context, a *hongyan.Account, m *hongyan.Message) (*hongyan.Hold, error) {
	if !d.list.mayHave(m.AppID, m.ToUser) || !applies(a, m) {
		return nil, nil
	}
	s, err := d.entry(ctx, m.AppID, m.ToUser)
	if err != nil || s == nil || !s.Covers(m.Kind) {
		return nil, err
	}
	if s.By == "" { // a person's entry holds at any time
		if on, err := d.arriving(ctx, m.AppID); err != nil || !on {
			return nil, err
		}
	}
	return &hongyan.Hold{
		Reason: hongyan.HoldSuppressed, Until: s.Until, Errcode: s.Errcode, Detail: detailOf(s),
		Release: "the user following or accepting again, or hongyan suppression remove; release sends this one now",
	}, nil
}

// applies reports whether the list keeps such a message at all.
func applies(a *hongyan.Account, m *hongyan.Message) bool {
	switch {
	case a.Care.Suppression == hongyan.SuppressionOff, m.Priority == hongyan.Urgent:
		return false
	case m.CallerID == hongyan.CallerCompat:
		return a.Care.SuppressCompat
	}
	return true
}

// entry reads a user's active entry; nil = there is none.
func (d *Desk) entry(ctx context.Context, appID, openID string) (*hongyan.Suppression, error) {
	all, err := d.cfg.Store.Suppressions(ctx, store.SuppressionFilter{AppID: appID, OpenIDs: []string{openID}, Limit: 1})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// reasonWords say in a hold why the user is on the list.
var reasonWords = map[string]string{
	hongyan.SuppressUserBlock:    "the user refuses the account's messages",
	hongyan.SuppressNotFollowing: "the user does not follow the account",
	hongyan.SuppressBlacklisted:  "the user is on the account's blacklist",
	hongyan.SuppressUserFrozen:   "the user's own account is frozen or closed",
	hongyan.SuppressBadOpenID:    "WeChat does not know this openid for the account",
	hongyan.SuppressManual:       "somebody put the user on the list",
}

func detailOf(s *hongyan.Suppression) string {
	words := reasonWords[s.Reason]
	if s.Note != "" {
		words += ": " + s.Note
	}
	return words
}

// becauseOf are the errcodes that put a user on the list, and for how long: a state
// that may end without an event lasts shorter (spec §9, permanent-recipient). What a
// user agreed to for one template (43101) is no matter of this list.
var becauseOf = map[wechat.Code]struct {
	reason string
	keep   time.Duration
}{
	wechat.CodeRequireSubscribe:     {hongyan.SuppressNotFollowing, keepNotFollowing},
	wechat.CodeRecipientBlacklisted: {hongyan.SuppressBlacklisted, 7 * day},
	wechat.CodeUserLimited:          {hongyan.SuppressUserFrozen, 7 * day},
	wechat.CodeInvalidOpenID:        {hongyan.SuppressBadOpenID, 90 * day},
}

const (
	day              = 24 * time.Hour
	keepNotFollowing = 30 * day // a follow is told by an event
	// A user who takes messages again is told by none: one message a day finds out.
	keepUserBlock = day
)

// Answered takes down what WeChat said to a message, if it says anything about its
// user: as of when the call began, for what the user did during it may be later than what
// WeChat said. It does not wait; Run writes it.
func (d *Desk) Answered(m *hongyan.Message, errcode int, began time.Time) {
	_, bad := becauseOf[wechat.Code(errcode)]
	good := errcode == 0 && d.list.mayHave(m.AppID, m.ToUser)
	if !bad && !good {
		return
	}
	kept := *m
	kept.Payload, kept.Metadata = nil, nil
	d.mu.Lock()
	if len(d.said) < maxSaid {
		d.said = append(d.said, said{kept, errcode, began})
	}
	d.mu.Unlock()
	d.Wake()
}

// Wake says that there may be something for Run to do. It never waits.
func (d *Desk) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// AccountChanged makes the desk look again whether an account's callbacks arrive.
func (d *Desk) AccountChanged(appID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.pushed, appID)
}
