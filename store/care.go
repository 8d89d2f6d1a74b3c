package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"hongyan"
)

// Care keeps whom an account should not write to, how much each user got in a day,
// and takes people out of what is stored.
type Care interface {
	// PutSuppressions puts users on lists and returns how many it changed. Of one that is
	// there already the longer Until stays, and what a person put there is not
	// changed by what WeChat says. One that was lifted at Since or later stays lifted, and
	// nothing that WeChat said of a user before they followed begins one: what is told late
	// is no news. Accounts that are gone are passed over.
	PutSuppressions(ctx context.Context, all []hongyan.Suppression) (int, error)
	// LiftSuppressions ends what keeps users and returns how many entries that were.
	LiftSuppressions(ctx context.Context, l Lift) (int, error)
	// Followed takes note that users followed, and returns those of whom that ended an
	// entry that no person made. It is remembered for FollowKeep, whether there was an entry
	// or not, so that every process knows what was said before it (PutSuppressions).
	Followed(ctx context.Context, all []Follow) ([]Follow, error)
	// Suppressions lists newest first.
	Suppressions(ctx context.Context, f SuppressionFilter) ([]hongyan.Suppression, error)
	// SuppressedAfter lists active entries of all accounts by ID, those above after. A
	// renewed entry keeps its ID; one that was lifted and begins anew gets another.
	SuppressedAfter(ctx context.Context, after int64, limit int) ([]hongyan.Suppression, error)

	// ReleaseUser makes the messages to a user that are held for a reason queued again,
	// due now, or when they were scheduled for, and returns how many.
	ReleaseUser(ctx context.Context, appID, openID, reason string) (int, error)

	// CountUser sets one of a user's most messages of the Beijing day that begins at day
	// aside for the message with that Seq, and reports whether there is one: there is for
	// a message that has one already. Of calls that run at once no more than most succeed.
	CountUser(ctx context.Context, u UserDay, seq int64, most int) (bool, error)
	// UserCount returns how many are set aside.
	UserCount(ctx context.Context, u UserDay) (int, error)

	// ReleaseCapped makes messages of an account queued again that are held for
	// hongyan.HoldUserCap, due now or when quiet hours end (CapRelease.Due): for each user
	// as many as the cap leaves of the day they are due, beside those set aside and those
	// queued already, in the order in which they would have gone. It returns how many.
	ReleaseCapped(ctx context.Context, c CapRelease) (int, error)

	// BeginErasure stores an erasure, or returns the one of that person that has not
	// ended, due now. NotFound when there is no account.
	BeginErasure(ctx context.Context, e hongyan.Erasure) (hongyan.Erasure, error)
	// DueErasures lists what is to be gone on with, oldest first, at most limit.
	DueErasures(ctx context.Context, limit int) ([]hongyan.Erasure, error)
	// Erasure finds by account and id; NotFound otherwise.
	Erasure(ctx context.Context, appID, id string) (hongyan.Erasure, error)
	// EraseUser makes one pass over everything stored about e's person, in small
	// transactions with pauses between them: messages that wait without doubt are
	// cancelled; those that left lose their values, metadata, client_msg_id and openid, in
	// whose place the pseudonym stands; pushes lose body and openid, and are handed on
	// to nobody; entries of lists go. Counts, states, times, attempts and the audit
	// log stay. It may be repeated; it returns what this pass changed.
	EraseUser(ctx context.Context, e hongyan.Erasure) (hongyan.Erased, error)
	// SaveErasure writes State, DueAt, FinishedAt, LookAgain and the counts of an erasure; its
	// OpenID is forgotten when it is done.
	SaveErasure(ctx context.Context, e hongyan.Erasure) error
}

// UserDay is a user of an account on a Beijing day.
type UserDay struct {
	AppID  string
	OpenID string
	Day    time.Time // its beginning, hongyan.PeriodStart
}

// Follow is a user who followed an account.
type Follow struct {
	AppID  string
	OpenID string
	At     time.Time // in whole seconds, as WeChat's event tells it
	By     string    // the type of the event
}

// FollowKeep is how long a follow is remembered: longer than an answer or event that
// WeChat gave before it can take to be written down.
const FollowKeep = 24 * time.Hour

// LastFollows returns of each user the latest follow, by account and openid.
func LastFollows(all []Follow) []Follow {
	last := slices.Clone(all)
	slices.SortFunc(last, func(a, b Follow) int {
		return cmp.Or(cmp.Compare(a.AppID, b.AppID), cmp.Compare(a.OpenID, b.OpenID), b.At.Compare(a.At))
	})
	return slices.CompactFunc(last, func(a, b Follow) bool { return a.AppID == b.AppID && a.OpenID == b.OpenID })
}

// CapRelease says how far a cap per user lets the messages go that it held.
type CapRelease struct {
	AppID string
	Most  int                // messages that a user gets in a Beijing day; 0 = any number
	Quiet hongyan.QuietHours // the account's
}

// Due returns when what is released at now may leave that was a row of a batch with such
// quiet hours, as hongyan.Batch has them ("" = of none, or none): outside those and the
// account's, which what a release lets go keeps too (design §5.4).
func (c CapRelease) Due(now time.Time, batchQuiet string) time.Time {
	of := (&hongyan.Batch{QuietHours: batchQuiet}).Quiet(c.Quiet)
	for range 3 { // the end of the one may lie in the other, and between them they may leave no time
		now = of.Next(c.Quiet.Next(now))
	}
	return now
}

// Capped is a message that is held for hongyan.HoldUserCap.
type Capped struct {
	Seq    int64
	OpenID string
	Quiet  string // of its batch
}

// CapGroup are messages that are released together.
type CapGroup struct {
	Due  time.Time
	Seqs []int64
}

// Choose picks those there is room for of all that are held, which come in the order in
// which they would have gone. taken returns how much of a Beijing day users have had, or
// will have by what is queued.
func (c CapRelease) Choose(now time.Time, held []Capped, taken func(day time.Time) (map[string]int, error)) (groups []CapGroup, err error) {
	dues := make(map[string]int) // by quiet hours: the group
	days := make(map[time.Time]map[string]int)
	for _, m := range held {
		i, ok := dues[m.Quiet]
		if !ok {
			due := c.Due(now, m.Quiet)
			if i = slices.IndexFunc(groups, func(g CapGroup) bool { return g.Due.Equal(due) }); i < 0 {
				i, groups = len(groups), append(groups, CapGroup{Due: due})
			}
			dues[m.Quiet] = i
		}
		if c.Most > 0 {
			day := hongyan.PeriodStart("day", groups[i].Due)
			if days[day] == nil {
				if days[day], err = taken(day); err != nil {
					return nil, err
				}
			}
			if days[day][m.OpenID] >= c.Most {
				continue
			}
			days[day][m.OpenID]++
		}
		groups[i].Seqs = append(groups[i].Seqs, m.Seq)
	}
	return groups, nil
}

// Lift ends entries of users on an account's list.
type Lift struct {
	AppID   string
	OpenIDs []string
	Reasons []string  // nil = any
	By      string    // what lifted them: the type of an event, "success", a key
	At      time.Time // when that happened: what WeChat said before is no news; zero = now
}

// SuppressionFilter selects entries. Zero fields do not filter.
type SuppressionFilter struct {
	AppID   string
	OpenIDs []string
	Reason  string
	Ended   bool  // also those that were lifted or are over
	Before  int64 // ID < Before; 0 = from the newest
	Limit   int   // 1..1000
}

// SuppressionKeep is how long an entry that ended is remembered.
const SuppressionKeep = 30 * 24 * time.Hour

// PersonTables are the tables whose rows are about one person, by appid and openid,
// and go when the person is erased.
var PersonTables = []string{"suppressions", "user_days", "rule_users", "form_ids", "consents"}

// AwaitsEvent reports whether WeChat may still push what became of m, which has left.
func AwaitsEvent(m *hongyan.Message, now time.Time) bool {
	open := m.State == hongyan.Accepted || m.State == hongyan.Uncertain || m.State == hongyan.Failed && !m.DoubtSince.IsZero()
	return open && m.Receipt == nil && m.Kind.HasReceipt() && now.Sub(m.UpdatedAt) < hongyan.ReceiptOverdueAfter
}
