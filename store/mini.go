package store

import (
	"context"
	"time"

	"hongyan"
)

// Forms keeps the form_ids and prepay_ids with which mini programs' template
// messages are sent. A message takes one before it is sent, durably, and holds it
// until its result says what became of it (Result.Form): so no crash makes one be
// used for two messages, or loses one that was not used.
type Forms interface {
	// PutForms stores forms, an outcome for each in order. Messages that wait for a
	// form of their user (hongyan.HoldNoFormID) are queued again in the same
	// transaction; released is how many.
	PutForms(ctx context.Context, fs []hongyan.FormID) (done []FormStored, released int, err error)
	// TakeForm gives a leased message a form of its user: the one it holds already,
	// else, of those with sends left, the one that expires first. ok is false when
	// there is none. Conflict when the fence does not hold: nothing is taken then.
	TakeForm(ctx context.Context, f Fence, appID string) (form hongyan.FormID, ok bool, err error)
	// FormOf returns the form a message holds; ok is false when it holds none.
	FormOf(ctx context.Context, messageID string) (form hongyan.FormID, ok bool, err error)
	// Forms lists an account's, or with openID one user's, newest first, those with an
	// ID below before (0 = from the newest). Messages are filled in.
	Forms(ctx context.Context, appID, openID string, before int64, limit int) ([]hongyan.FormID, error)
	// CountForms counts an account's usable forms, or one user's.
	CountForms(ctx context.Context, appID, openID string) (hongyan.FormCounts, error)
}

// FormKeep is how long a form is shown after it expired.
const FormKeep = 7 * 24 * time.Hour

// FormStored says what became of a form that was to be stored.
type FormStored uint8

// The outcomes.
const (
	FormNew       FormStored = iota // stored
	FormKnown                       // stored before, for the same user: it stays as it is
	FormOfAnother                   // stored before, for another user: nothing is stored
	FormNoAccount                   // there is no such account: nothing is stored
)

// FormOutcome says what a result means for the form that its message took.
type FormOutcome uint8

// The outcomes.
const (
	FormKept     FormOutcome = iota // it was used, or may have been: it stays the message's
	FormReturned                    // it was not used: another message may take it, and those that wait for one are queued
	FormRefused                     // WeChat does not take it any more: nobody may take it
	FormMissing                     // there was none: if one has come meanwhile, the message is queued instead of held
)

// FormResult is what a result means for a form.
type FormResult struct {
	Outcome FormOutcome
	ToUser  string
	Errcode int // of FormRefused
}

// Consents keeps what is known of users' consents to subscribe messages.
type Consents interface {
	// ApplyConsents writes changes in their order (hongyan.Consent.Apply).
	ApplyConsents(ctx context.Context, changes []hongyan.ConsentChange) error
	// Consent returns what is known of one pair; ok is false when nothing is.
	Consent(ctx context.Context, appID, openID, templateID string) (c hongyan.Consent, ok bool, err error)
	// Consents lists newest first.
	Consents(ctx context.Context, f ConsentFilter) ([]hongyan.Consent, error)
	// MarkConsentLow notes that it was told that few are left; it reports whether that
	// was not noted before.
	MarkConsentLow(ctx context.Context, id int64) (bool, error)
}

// ConsentFilter selects consents of an account. Zero fields do not filter.
type ConsentFilter struct {
	AppID      string
	OpenID     string
	TemplateID string
	Before     int64 // ID < Before; 0 = from the newest
	Limit      int   // 1..1000
}
