package hongyan

import (
	"fmt"
	"strings"
	"time"
)

// MessageKind is the family of WeChat message a Message belongs to.
type MessageKind string

// The kinds that can be sent.
const (
	KindTemplate     MessageKind = "template"      // service account, message/template/send
	KindMiniTemplate MessageKind = "mini_template" // mini program, message/wxopen/template/send; retired
	KindSubscribe    MessageKind = "subscribe"     // mini program, message/subscribe/send
	KindNotice       MessageKind = "notice"        // service account, message/subscribe/bizsend
	KindOneTime      MessageKind = "one_time"      // official account, message/template/subscribe
)

// MessageKinds returns every kind, the most used first.
func MessageKinds() []MessageKind {
	return []MessageKind{KindTemplate, KindMiniTemplate, KindSubscribe, KindNotice, KindOneTime}
}

// UnknownKind is the error about a word that names no kind.
func UnknownKind(word string) *Error {
	words := make([]string, 0, 5)
	for _, k := range MessageKinds() {
		words = append(words, string(k))
	}
	return InvalidField("unknown_kind", "/kind", "kind %q is not one of %s", word, strings.Join(words, ", "))
}

// HasReceipt reports whether WeChat pushes an event that tells the outcome:
// TEMPLATESENDJOBFINISH for template, subscribe_msg_sent_event for subscribe and
// notice (spec §5.1, §7.4). None is documented for the others (§4.5, §6.2), so
// that their acceptance is all there is to know.
func (k MessageKind) HasReceipt() bool {
	return k == KindTemplate || k == KindSubscribe || k == KindNotice
}

// HasClientMsgID reports whether WeChat drops a second message with the same
// openid and client_msg_id for ten minutes (spec §4.2.6).
func (k MessageKind) HasClientMsgID() bool { return k == KindTemplate }

// Priority is the lane of a message inside its account.
type Priority uint8

// The lanes; lower goes first.
const (
	Urgent Priority = iota
	Normal
	Bulk
)

var priorityWords = [...]string{"urgent", "normal", "bulk"}

// String returns "urgent", "normal" or "bulk".
func (p Priority) String() string {
	if int(p) < len(priorityWords) {
		return priorityWords[p]
	}
	return fmt.Sprintf("priority(%d)", uint8(p))
}

// ParsePriority reads a priority's word; "" is Normal.
func ParsePriority(word string) (Priority, error) {
	if word == "" {
		return Normal, nil
	}
	for i, w := range priorityWords {
		if w == word {
			return Priority(i), nil
		}
	}
	return 0, InvalidField("unknown_priority", "/priority", "priority %q is not one of urgent, normal, bulk", word)
}

// Message is one message to one user: one row, one timeline, one end.
// Times are UTC in milliseconds; a zero time means "not set".
type Message struct {
	Seq         int64 // the store's row number, in order of acceptance; 0 = not stored
	ID          string
	AppID       string
	Kind        MessageKind
	ToUser      string
	TemplateID  string
	ClientMsgID string // what WeChat is given: the caller's, or our ID
	CallerMsgID bool   // the caller chose ClientMsgID
	Payload     []byte // WeChat's own JSON body, complete and ready to send
	Metadata    []byte // the caller's JSON object, or nil
	Priority    Priority
	RetryOf     string // the message this one was made from, or ""
	Batch       int64  // the number of the batch (Batch.Seq) whose row it was; 0 = none
	BatchRow    int64  // that row, from 1; 0 = none
	CallerID    string // the key that posted it

	State     State
	Reason    string // why: user_block, system_failed, errcode, no_answer, quota …; "" while none is needed
	CreatedAt time.Time
	DueAt     time.Time // not before this
	ExpiresAt time.Time // not after this
	UpdatedAt time.Time
	Hold      *Hold // why it waits, when State is Held or its account is held

	Epoch      int64     // the node that leased it; 0 = none
	Attempts   int       // attempts begun; with Epoch it is the fence
	FirstAt    time.Time // start of the first attempt
	Last       Attempt   // the latest attempt; Last.N == 0 = none finished
	Tries      int       // transient answers so far
	DoubtSince time.Time // start of the first unanswered attempt; zero = no doubt
	MsgID      int64     // WeChat's msgid; 0 = none
	OwnMsgID   int64     // the number a caller was answered with because WeChat's was not known in time (OwnMsgID); 0 = none
	AcceptedAt time.Time

	InReview     bool     // errcode 40252: WeChat reviews it and delivers it itself if it passes
	MayDuplicate bool     // resent after its window closed, by the account's policy
	Receipt      *Receipt // what the event said; nil = none yet
}

// ownMsgIDs is where the numbers begin that we answer with ourselves. WeChat's
// own have been seen up to about 4e18; 2e17 messages fit below 9.2e18 (design §3.3).
const ownMsgIDs = 9_000_000_000_000_000_000

// OwnMsgID returns the msgid we answer with for the message with that Seq while
// WeChat's is not known.
func OwnMsgID(seq int64) int64 { return ownMsgIDs + seq }

// Final reports whether the message has ended.
func (m *Message) Final() bool { return m.State.Final(m.Kind) }

// ReceiptOverdueAfter is how long an accepted message waits for its event
// before it is shown as overdue (design §4). It stays accepted.
const ReceiptOverdueAfter = 24 * time.Hour

// ReceiptOverdue reports whether the event is missing for too long at now.
func (m *Message) ReceiptOverdue(now time.Time) bool {
	return m.State == Accepted && m.Kind.HasReceipt() && !m.AcceptedAt.IsZero() && now.Sub(m.AcceptedAt) > ReceiptOverdueAfter
}

// AttemptOutcome is what is known of one call.
type AttemptOutcome uint8

// The outcomes of an attempt. Zero means it has not finished.
const (
	Unfinished AttemptOutcome = iota
	Answered                  // WeChat answered, with or without an errcode
	NoAnswer                  // the request may have arrived; no answer came
	NotSent                   // nothing left this machine
)

var outcomeWords = [...]string{"", "answered", "no_answer", "not_sent"}

// String returns the outcome's word on the wire.
func (o AttemptOutcome) String() string {
	if int(o) < len(outcomeWords) {
		return outcomeWords[o]
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// Attempt is one call to WeChat for one message.
type Attempt struct {
	N         int // 1-based
	StartedAt time.Time
	EndedAt   time.Time
	Outcome   AttemptOutcome
	Errcode   int    // valid when Outcome is Answered; 0 = accepted
	Errmsg    string // WeChat's text without its rid; or our account of a missing answer
	RID       string
	MsgID     int64
}

// Receipt is what WeChat's event told about a message.
type Receipt struct {
	AppID    string
	MsgID    int64 // the event's MsgID; 0 when the platform sent none
	ToUser   string
	Status   string    // success, user_block, system_failed, freq_limit, other
	Raw      string    // the Status text as it came
	At       time.Time // the event's CreateTime
	JoinedBy string    // "msgid", "user_and_time", or "" while nobody owns it
}

// State returns the state the receipt ends its message in.
func (r *Receipt) State() State {
	if r.Status == "success" {
		return Delivered
	}
	return Undelivered
}

// Reason returns why the message was not delivered, "" for a success.
func (r *Receipt) Reason() string {
	if r.Status == "success" {
		return ""
	}
	return r.Status
}

// Reasons a message or an account waits. Stable words on the wire.
const (
	HoldPaused       = "paused"          // an operator paused the account
	HoldQuota        = "quota"           // the platform's or our own daily/monthly limit
	HoldAccount      = "account_stopped" // a secret, whitelist or permission error: needs a person
	HoldToken        = "token"           // no access_token can be had at the moment
	HoldUnreachable  = "unreachable"     // WeChat does not answer at the moment
	HoldTemplate     = "template"        // the template is banned, removed or unknown
	HoldOpenIDPacing = "openid_pacing"   // 43117: this user gets too many messages
	HoldQuietHours   = "quiet_hours"     // a lifted hold let it go at night: it waits for the morning
	HoldNoFormID     = "no_form_id"      // a mini program template message whose user has no form_id left
	HoldBatchPaused  = "batch_paused"    // its batch is paused
	HoldRestored     = "restored"        // it waited when the backup was taken and may have been sent since; so is the reason of what became uncertain then
)

// Covers reports whether h holds a queued message of that priority and due time at now.
func (h *Hold) Covers(k MessageKind, p Priority, due, now time.Time) bool {
	if h.Kind != "" && h.Kind != k || !h.Until.IsZero() && !now.Before(h.Until) {
		return false
	}
	return h.Before.IsZero() || p != Urgent && due.Before(h.Before)
}

// Renewed returns what stands after by was recorded beside h, a hold with the
// same account, kind and reason: the earlier Since, and of the rest what lasts
// longer, by when both last as long. A minute's limit must not end the day's.
func (h Hold) Renewed(by Hold) Hold {
	since := h.Since
	if by.Since.Before(since) {
		since = by.Since
	}
	if by.Until.IsZero() || !h.Until.IsZero() && !by.Until.Before(h.Until) {
		h = by
	}
	h.Since = since
	return h
}

// Hold says why something waits, since when, and what ends it.
type Hold struct {
	AppID   string
	Kind    MessageKind // "" = every kind of the account
	Reason  string
	Since   time.Time
	Until   time.Time // zero = until a person acts (Release says what); a hold whose Until has passed holds nothing
	Before  time.Time // not zero: holds only messages that are not urgent and were due before this
	Release string    // what releases it, for people
	Errcode int       // the code that caused it; 0 = none
	Detail  string
}
