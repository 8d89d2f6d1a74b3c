package hongyan

import "time"

// ConsentAct is something that tells of a user's consent to subscribe messages.
type ConsentAct uint8

// The acts.
const (
	ConsentAccepted ConsentAct = iota + 1 // the user accepted one prompt for the template
	ConsentDeclined                       // the user refused one prompt; what was accepted before stays
	ConsentRevoked                        // the user switched the template off: nothing is left
	ConsentSent                           // a message reached the user: one less is left
	ConsentRefused                        // WeChat said 43101: nothing is left
	ConsentChoice                         // what the mini program's settings say: see ConsentChange.Always
)

// ConsentChange is one act, as an event of WeChat's, an answer of its, or a report
// of the business told it.
type ConsentChange struct {
	AppID      string
	OpenID     string
	TemplateID string
	Act        ConsentAct
	Reported   bool   // the business said so; else WeChat did
	Times      int    // of ConsentAccepted; 0 = 1
	Always     string // of ConsentChoice: accept, reject, or "" = the user is asked each time
	At         time.Time
}

// Consent is what is known of one user's consent to one template. Acceptances are
// counted apart as events and reports tell them, since both tell of the same ones.
type Consent struct {
	ID         int64 // the store's number
	AppID      string
	OpenID     string
	TemplateID string
	ByEvents   int64 // acceptances since Since, as WeChat's events told
	ByReports  int64 // the same, as the business reported
	Sent       int64 // messages that reached the user since Since, at most as many as were accepted
	// Exact: at Since nothing was left, as WeChat said; everything after that was counted.
	Exact      bool
	Since      time.Time // the counting began
	Always     string    // the user's choice in the mini program's settings: accept, reject, "" = none is known
	AcceptedAt time.Time // of the last acceptance
	DeclinedAt time.Time // of the last refused prompt
	RefusedAt  time.Time // when it was last known that nothing was left; zero = never
	SentAt     time.Time // of the last message
	LowTold    bool      // that few are left has been told since the last acceptance
	UpdatedAt  time.Time
}

// Left returns how many messages the counted acceptances still serve. Of a
// one-time template that is the truth when Exact and nothing but events count;
// otherwise there may be more.
func (c *Consent) Left() int64 { return max(0, max(c.ByEvents, c.ByReports)-c.Sent) }

// Certainty says how far Left can be trusted: exact, at_least, or unknown.
func (c *Consent) Certainty() string {
	switch {
	case c.Exact && c.ByReports <= c.ByEvents:
		return ConsentExact
	case c.Left() > 0:
		return ConsentAtLeast
	}
	return ConsentUnknown
}

// The words of certainty.
const (
	ConsentExact     = "exact"
	ConsentAtLeast   = "at_least"  // there may be more than were counted
	ConsentUnknown   = "unknown"   // nothing counted is left, which does not mean that nothing is
	ConsentUnlimited = "unlimited" // a long-term template that was accepted
)

// Apply returns the record after an act. It is the one place where the ledger's
// arithmetic is; stores read a row, apply, and write it back. The zero Consent is
// that of a pair nothing was known of.
func (c Consent) Apply(ch *ConsentChange) Consent {
	if c.Since.IsZero() {
		c.AppID, c.OpenID, c.TemplateID, c.Since = ch.AppID, ch.OpenID, ch.TemplateID, ch.At
	}
	switch ch.Act {
	case ConsentAccepted:
		c.accepted(ch)
	case ConsentDeclined:
		c.DeclinedAt = later(c.DeclinedAt, ch.At)
	case ConsentSent:
		c.Sent = min(c.Sent+1, max(c.ByEvents, c.ByReports))
		c.SentAt = later(c.SentAt, ch.At)
	case ConsentRevoked, ConsentRefused:
		c.nothingLeft(ch)
	case ConsentChoice:
		c.Always = ch.Always
	}
	return c
}

// accepted counts one. What was accepted before it was known that nothing is left
// is in that already.
func (c *Consent) accepted(ch *ConsentChange) {
	if ch.At.Before(c.RefusedAt) {
		return
	}
	n := int64(max(1, ch.Times))
	if ch.Reported {
		c.ByReports += n
	} else {
		c.ByEvents += n
	}
	c.AcceptedAt, c.LowTold = later(c.AcceptedAt, ch.At), false
}

// nothingLeft begins the count anew, from nothing. An acceptance that came after
// what is told here, and was heard of first, is the one that is left. Events know
// the second alone: of a send and an acceptance in one second the latter is taken
// to be the later, as that keeps nobody from being sent to.
func (c *Consent) nothingLeft(ch *ConsentChange) {
	at := ch.At.Truncate(time.Second)
	if at.Before(c.RefusedAt) {
		return
	}
	newer := c.AcceptedAt.After(at) || ch.Act == ConsentRefused && !c.AcceptedAt.IsZero() && c.AcceptedAt.Equal(at)
	var left int64
	if newer {
		left = min(c.Left(), 1)
	}
	c.ByEvents, c.ByReports, c.Sent = min(c.ByEvents, left), min(c.ByReports, left), 0
	c.Exact, c.Since, c.RefusedAt = true, at, at
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
