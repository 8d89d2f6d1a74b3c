package store

import (
	"context"
	"time"

	"hongyan"
)

// Rules keeps what is to be sent on which event, and what was set off.
type Rules interface {
	// CreateRule adds a rule; Conflict (rule_exists) when the account has one of that
	// name, NotFound when there is no account.
	CreateRule(ctx context.Context, r hongyan.Rule) error
	// UpdateRule replaces what a person sets in the rule with r's ID: all but
	// AppID, Name, CreatedAt and what it did so far. NotFound when there is none. When it
	// says something else than before, be it paused or not, LastRefusedAt and LastRefusal
	// are cleared: they were about what it said.
	UpdateRule(ctx context.Context, r hongyan.Rule) error
	// DeleteRule removes a rule, its firings and whom it fired for.
	DeleteRule(ctx context.Context, appID, name string) error
	// Rule finds by account and name; NotFound (unknown_rule) otherwise.
	Rule(ctx context.Context, appID, name string) (hongyan.Rule, error)
	// Rules lists an account's by name.
	Rules(ctx context.Context, appID string) ([]hongyan.Rule, error)

	// ClaimFirings takes up to limit pending firings that are due, those due longest
	// first: their Attempts grow by one, and they are due again after lease.
	ClaimFirings(ctx context.Context, limit int, lease time.Duration) ([]hongyan.Firing, error)
	// FinishFirings writes what came of claimed firings, each only if its Attempts are
	// still as claimed, and counts it with its rule. A refused one is forgotten as
	// regards Rule.Once: the user got nothing. Ended ones lose their Message.
	FinishFirings(ctx context.Context, rs []FiringResult) error
	// RuleUser reports whether a rule with a period has fired for a user, and until when it
	// does not again; zero = never again.
	RuleUser(ctx context.Context, ruleID, openID string) (until time.Time, fired bool, err error)
	// Firings lists a rule's, newest first, those with an ID below before (0 = all).
	Firings(ctx context.Context, ruleID string, before int64, limit int) ([]hongyan.Firing, error)
}

// NewFiring is a firing to begin with its event (EventDone): it is not begun when
// the rule has fired for that event, or for that user within Once, or is gone.
type NewFiring struct {
	RuleID    string
	OpenID    string
	Once      time.Duration // Rule.Once
	Message   []byte
	At        time.Time
	SendAt    time.Time
	ExpiresAt time.Time // zero = by the account's setting
}

// FiringResult is what came of one claimed firing.
type FiringResult struct {
	ID        int64
	Attempts  int // as claimed
	State     hongyan.FiringState
	DueAt     time.Time // of FiringPending: tried again then
	MessageID string
	Code      string
	Refusal   string
}

// FiringKeep is how long firings that ended are shown.
const FiringKeep = 30 * 24 * time.Hour
