// Package store is the contract of Hongyan's memory: what is remembered, and
// which changes happen together. Two databases implement it (packages sqlite
// and postgres) and pass the suite in package storetest.
//
// Each method is one transaction and one domain act; no transaction type
// crosses the contract and no rule about messages lives in SQL. The one
// exception is the claim: what is due and within limits is chosen there, with
// the numbers passed in, because a limit checked afterwards becomes a busy
// loop. Start with Store, then Messages, the heart.
//
// Every method is safe for concurrent use, returns after the change is
// durable, and reports failures as *hongyan.Error where the caller can act on
// them: NotFound, Conflict (duplicate name, wrong state), Full (disk full).
package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"hongyan"
)

// Store is everything the gateway remembers.
type Store interface {
	Accounts
	Templates
	Tokens
	Keys
	Audit
	Messages
	Nodes
	Events
	Deliveries
	News
	Batches
	Cluster
	Rules
	Care
	Forms
	Consents

	// Now is the clock every rule uses. It never goes to the disk or the network.
	Now() time.Time
	// Ready reports why the store cannot take records at the moment (disk full,
	// read-only, newer schema), nil when it can. It tries a real write.
	Ready(ctx context.Context) error
	// Sweep removes what nobody can ask for any more, in small batches: idempotency
	// keys past their 24 hours, batches that were cancelled without a row VoidKeep ago, dead node rows, deliveries that ended 7 days ago,
	// tokens replaced 30 days ago, form_ids that expired FormKeep ago, news older than NewsKept
	// with their deliveries, firings and suppressions that ended 30 days ago, users' days before
	// yesterday, and audit entries older than a year. It returns how many rows went.
	Sweep(ctx context.Context) (int, error)
	// Retain removes what has been kept long enough, in small transactions with pauses
	// between them, so that others hardly notice. What ended soon after it was accepted
	// goes in the first call after its time; what waited long may go some calls later.
	Retain(ctx context.Context, r Retention) (Retained, error)
	// Close waits for writes under way and closes the database.
	Close() error
}

// Accounts keeps accounts with their secrets (encrypted) and the holds on them.
type Accounts interface {
	// CreateAccount adds a; Conflict when its AppID or Alias exists.
	CreateAccount(ctx context.Context, a hongyan.Account) error
	// UpdateAccount replaces the account with a's AppID, keeping CreatedAt.
	UpdateAccount(ctx context.Context, a hongyan.Account) error
	// Account finds by AppID or Alias.
	Account(ctx context.Context, appID string) (hongyan.Account, error)
	// Accounts lists all, by AppID.
	Accounts(ctx context.Context) ([]hongyan.Account, error)
	// DeleteAccount removes the account with its templates, tokens, holds, deliveries, form_ids and consents.
	// Conflict while any message of it is not final.
	DeleteAccount(ctx context.Context, appID string) error

	// PutHold records h. There is one hold per (AppID, Kind, Reason): of two,
	// hongyan.Hold.Renewed says what stands.
	PutHold(ctx context.Context, h hongyan.Hold) error
	// ClearHold removes the holds of an account with that kind and reason.
	// Kind "*" and reason "*" mean any. It returns how many there were.
	ClearHold(ctx context.Context, appID string, kind hongyan.MessageKind, reason string) (int, error)
	// LapseHold removes h, whose time has come, unless it was renewed meanwhile and
	// lasts longer now. It reports whether it did.
	LapseHold(ctx context.Context, h hongyan.Hold) (bool, error)
	// Holds lists all holds.
	Holds(ctx context.Context) ([]hongyan.Hold, error)
}

// Templates keeps each account's templates, and the words that stand for them.
type Templates interface {
	// PutTemplates inserts or updates by (AppID, TemplateID). The Policy of one that is
	// there stays as it is: SetTemplatePolicy alone changes it.
	PutTemplates(ctx context.Context, ts []hongyan.Template) error
	// Template finds one; NotFound (code unknown_template) otherwise.
	Template(ctx context.Context, appID, templateID string) (hongyan.Template, error)
	// Templates lists an account's, by title then id.
	Templates(ctx context.Context, appID string) ([]hongyan.Template, error)
	// DeleteTemplate removes one; NotFound when there is none.
	DeleteTemplate(ctx context.Context, appID, templateID string) error
	// SetTemplateStatus marks one as active, banned or removed; NotFound when there is none.
	SetTemplateStatus(ctx context.Context, appID, templateID, status, reason string) error
	// SetTemplatePolicy says what becomes of values that are too long; NotFound when there is none.
	SetTemplatePolicy(ctx context.Context, appID, templateID string, policy hongyan.LengthPolicy) error
	// TemplateCounts returns how many templates each account has in each status.
	TemplateCounts(ctx context.Context) (map[string]map[string]int, error)
	// HeldForTemplates returns how many messages of an account are held for the sake of
	// their template (hongyan.HoldTemplate), by template_id. It looks at most at limit of them.
	HeldForTemplates(ctx context.Context, appID string, limit int) (map[string]int, error)

	// PutTemplateAlias makes the word stand for the template, whatever it stood for.
	// Whether there is such a template is not looked at.
	PutTemplateAlias(ctx context.Context, a hongyan.TemplateAlias) error
	// DeleteTemplateAlias removes a word; NotFound (code unknown_alias) when there is none.
	DeleteTemplateAlias(ctx context.Context, appID, alias string) error
	// TemplateAliases lists an account's, by alias.
	TemplateAliases(ctx context.Context, appID string) ([]hongyan.TemplateAlias, error)
}

// Tokens keeps the one current access_token of each account (encrypted).
type Tokens interface {
	// Token returns the stored token; the zero Token when there is none.
	Token(ctx context.Context, appID string) (hongyan.Token, error)
	// SaveToken stores t if the stored generation is t.Generation-1, and reports
	// whether it did. Another node may have been first. The token's hash is
	// remembered as issued, and those issued before it become replaced now.
	SaveToken(ctx context.Context, t hongyan.Token) (bool, error)
	// IssuedToken finds a token that is or was current by its hash (HashKey);
	// NotFound when none such was stored, or its memory has gone (Sweep).
	IssuedToken(ctx context.Context, hash []byte) (hongyan.IssuedToken, error)
	// LeaseRefresh reserves asking WeChat for the account's token for holder until d
	// from now, and reports whether it did: false while another holder's lease lasts.
	LeaseRefresh(ctx context.Context, appID, holder string, d time.Duration) (bool, error)
	// ReleaseRefresh ends holder's lease at once; nothing happens if it is not holder's.
	ReleaseRefresh(ctx context.Context, appID, holder string) error
	// NoteTokenCallers adds to the record of who asked for tokens: Requests and
	// Forced are added, the latest LastAt wins with its Remote, the earliest FirstAt stays.
	// What is said of an account that is not there is passed over.
	NoteTokenCallers(ctx context.Context, asked []hongyan.TokenCaller) error
	// TokenCallers lists an account's, latest first.
	TokenCallers(ctx context.Context, appID string) ([]hongyan.TokenCaller, error)
}

// Keys keeps callers' API keys, as hashes.
type Keys interface {
	// CreateKey adds a key, with Kind KeyAPI if it names none; Conflict when its ID or Hash exists.
	CreateKey(ctx context.Context, k hongyan.Key) error
	// KeyByHash finds a key that is not revoked; NotFound otherwise.
	KeyByHash(ctx context.Context, hash []byte) (hongyan.Key, error)
	Keys(ctx context.Context) ([]hongyan.Key, error)
	// RevokeKey ends a key; NotFound when there is none, nil when it was revoked already.
	RevokeKey(ctx context.Context, id string) error
	// TouchKeys records when keys were last used.
	TouchKeys(ctx context.Context, used map[string]time.Time) error
}

// Audit keeps who changed what, and who was refused.
type Audit interface {
	// AppendAudit adds entries; a zero At is now, a zero Count 1.
	AppendAudit(ctx context.Context, entries []hongyan.AuditEntry) error
	// AuditLog lists entries newest first.
	AuditLog(ctx context.Context, f AuditFilter) ([]hongyan.AuditEntry, error)
}

// AuditFilter selects entries. Zero fields do not filter.
type AuditFilter struct {
	Actor  string
	Action string // exact, or a noun with a dot at the end: "account."
	Target string
	Since  time.Time
	Before int64 // ID < Before, the cursor; 0 = from the newest
	Limit  int   // 1..1000
}

// Messages keeps messages, their attempts and their receipts. The table is the
// queue: state, due time, lease and fence are in the row.
type Messages interface {
	// InsertMessages stores messages and their idempotency keys in one
	// transaction and returns one Inserted for each, in order. Concurrent calls
	// share a commit. It never fails for one message because of another. Whether
	// the account exists is looked at in that transaction: one deleted a moment ago
	// gets no message that nobody would ever send.
	InsertMessages(ctx context.Context, ms []NewMessage) ([]Inserted, error)

	// Replay answers a caller's Idempotency-Key without storing anything:
	// InsertedReplay or InsertedMismatch with the first message as it is now;
	// false when the key is not known or past its life.
	Replay(ctx context.Context, callerID, key string, bodyHash [32]byte) (Inserted, bool, error)

	// Message finds by ID; NotFound otherwise.
	//
	// Holds are a view: wherever messages are read (Message, Messages, Counts, and
	// the states in Filter), a queued message whose account is under a hold that
	// covers its kind shows as Held with that Hold and its reason. The row itself
	// stays queued, so that pausing a million messages writes one row. Which hold
	// covers which message is hongyan.Hold.Covers; of several the longest wins (an
	// Until of zero is longest).
	Message(ctx context.Context, id string) (hongyan.Message, error)
	// Messages lists newest first. Payloads are included.
	Messages(ctx context.Context, f Filter) (Page, error)
	// Attempts lists the finished attempts of a message, oldest first.
	Attempts(ctx context.Context, id string) ([]hongyan.Attempt, error)

	// Claim leases due messages to a node: each becomes sending, its Attempts
	// grow by one, FirstAt is set if it was zero. Within a stream urgent comes
	// before normal before bulk, then the earlier DueAt. Held rows with a due
	// time in the past are claimed like queued ones.
	Claim(ctx context.Context, epoch int64, wants []Want) ([]hongyan.Message, error)
	// ClaimOne leases the one message with that id whatever its due time, which
	// becomes now, if it is queued or held; Conflict otherwise.
	ClaimOne(ctx context.Context, epoch int64, id string) (hongyan.Message, error)
	// FinishAttempts writes what became of leased messages, each only if its
	// fence (Epoch, Attempts as claimed) still holds, and joins receipts that came
	// first. The row's Attempts becomes Fence.Attempts - 1 + len(Result.Attempts):
	// a claim settled without a call leaves no trace. Concurrent calls share a commit. Usage is added in the same transaction.
	FinishAttempts(ctx context.Context, rs []Result) ([]Settled, error)
	// Return gives untried leased messages back: queued again, Attempts one less,
	// FirstAt cleared if the attempt was the first; a form it took is free unless it is in doubt. After an error none was given
	// back: a fence may hold again once its message is, so a call that was carried
	// out must not be repeated.
	Return(ctx context.Context, fences []Fence) error
	// Streams lists every (account, kind) with waiting messages that have a due
	// time, and the earliest of those times. It costs in streams, not messages.
	Streams(ctx context.Context) ([]Stream, error)

	// Cancel ends a waiting message as cancelled; Conflict (with the state) otherwise.
	// A message in doubt cannot be cancelled.
	Cancel(ctx context.Context, id string) (hongyan.Message, error)
	// Expire ends up to limit waiting messages without doubt whose ExpiresAt has
	// passed and returns how many.
	Expire(ctx context.Context, limit int) (int, error)
	// HoldTemplate turns the queued messages of h.AppID's template that are not in
	// doubt into held ones under h, up to limit, and returns how many. They are due
	// at h.Until (zero = when released), or later if they were: a message scheduled
	// for tomorrow is not sent today because its hold ended. h.Since zero = now.
	HoldTemplate(ctx context.Context, templateID string, h hongyan.Hold, limit int) (int, error)
	// ReleaseTemplate makes up to limit held messages of a template ("" = any) queued again, due at
	// due (zero = now), or later if they were held without an end and scheduled for later.
	ReleaseTemplate(ctx context.Context, appID, templateID, reason string, due time.Time, limit int) (int, error)

	// AnswerMsgID sets OwnMsgID of a message that has no MsgID yet and has not ended,
	// and returns the message as it is then; NotFound when there is none.
	AnswerMsgID(ctx context.Context, id string) (hongyan.Message, error)
	// HandedOnMsgID returns the number under which the caller knows the message that a
	// receipt is about: its OwnMsgID, 0 when the receipt's own msgID is right. open says
	// that this cannot be told yet: no message has that msgID, and one to that user, not
	// older than 24 h, was answered with an own number, has been tried and still waits
	// for WeChat's. A receipt with msgID 0 may be about any of them, and when several
	// of one user got such receipts nobody can tell: then it is 0.
	HandedOnMsgID(ctx context.Context, appID string, msgID int64, toUser string) (own int64, open bool, err error)

	// AddUsage counts calls that are not messages' own.
	AddUsage(ctx context.Context, deltas []UsageDelta) error
	// Usage returns the counted calls of an account for the periods that contain now.
	Usage(ctx context.Context, appID string) ([]hongyan.QuotaUsage, error)
	// Counts returns how many messages are in each state, by account. It reads an
	// index, not the messages; still, call it for people, not in a loop.
	Counts(ctx context.Context) (map[string]map[hongyan.State]int64, error)
	// Awaited returns how many accepted messages of kinds that get an event wait for it,
	// by account. It reads what Counts reads.
	Awaited(ctx context.Context) (map[string]int64, error)
}

// NewMessage is a message to insert. With Message.Epoch set it is inserted
// already leased (state sending, Attempts 1, FirstAt now); else as Message.State says.
type NewMessage struct {
	Message hongyan.Message
	// IdempotencyKey is the caller's; "" = none. It lives IdempotencyTTL.
	IdempotencyKey string
	// BodyHash tells whether a repeated key comes with the same request.
	BodyHash [32]byte
}

// IdempotencyTTL is how long a caller's Idempotency-Key answers the first message.
const IdempotencyTTL = 24 * time.Hour

// StoredKeys are what an Idempotency-Key may be stored as: now as a hash, for callers like
// to name the person in it, and that outlives an erasure; formerly as it is. No caller's
// has a space.
func StoredKeys(key string) (now, formerly string) {
	sum := sha256.Sum256([]byte(key))
	return "sha256 " + hex.EncodeToString(sum[:]), key
}

// ClientMsgIDWindow is how long WeChat, and so we, treat a repeated
// client_msg_id to one user as the same message (spec §4.2.6).
const ClientMsgIDWindow = 10 * time.Minute

// InsertOutcome says what became of a NewMessage.
type InsertOutcome uint8

// The outcomes.
const (
	InsertedNew       InsertOutcome = iota // a new row
	InsertedReplay                         // the idempotency key's first message, same body
	InsertedDuplicate                      // the first message with this (AppID, ToUser, caller's ClientMsgID) within the window
	InsertedMismatch                       // the idempotency key exists with another body: nothing stored
	InsertedNoAccount                      // there is no account with that AppID: nothing stored
)

// Inserted is the answer for one NewMessage. Message is the stored row, for
// InsertedReplay and InsertedDuplicate the earlier one as it is now.
type Inserted struct {
	Outcome InsertOutcome
	Message hongyan.Message
}

// Want asks for at most Max due messages of one stream.
type Want struct {
	AppID string
	Kind  hongyan.MessageKind
	Max   int
	// NotBefore, when set, leaves messages that are not urgent and were due before
	// it where they are (hongyan.Hold.Before).
	NotBefore time.Time
}

// Stream is an (account, kind) with waiting messages.
type Stream struct {
	AppID string
	Kind  hongyan.MessageKind
	DueAt time.Time // the earliest
}

// Fence names a leased message as its holder knows it.
type Fence struct {
	Seq      int64
	Epoch    int64
	Attempts int // as claimed
}

// Result is what became of one leased message.
type Result struct {
	Fence
	AppID    string
	Attempts []hongyan.Attempt // the finished ones, usually one; the last becomes Message.Last
	// The message's new state and what goes with it.
	State        hongyan.State
	Reason       string
	DueAt        time.Time // zero on Held = until released
	Hold         *hongyan.Hold
	MsgID        int64
	AcceptedAt   time.Time
	Tries        int
	DoubtSince   time.Time
	InReview     bool
	MayDuplicate bool
	Form         *FormResult // what became of the form the message took (Forms.TakeForm); nil = it took none
	// Usage is counted in the same transaction: period starts are the caller's.
	Usage []UsageDelta
}

// UsageDelta adds N calls to a counter.
type UsageDelta struct {
	AppID      string
	Scope      string
	Period     string
	PeriodFrom time.Time
	N          int64
}

// Settled tells whether a Result was applied, and the state the row is in now
// (a receipt may have come first).
type Settled struct {
	Applied bool // false: the fence did not hold
	State   hongyan.State
}

// Filter selects messages for a list. Zero fields do not filter.
type Filter struct {
	AppIDs     []string // nil = any
	ToUser     string
	TemplateID string
	Batch      int64 // Batch.Seq; 0 = any
	States     []hongyan.State
	Since      time.Time // CreatedAt >= Since
	Until      time.Time // CreatedAt < Until
	Query      string    // exact id, client_msg_id, msgid (WeChat's or ours) or openid
	Before     int64     // Seq < Before, the cursor; 0 = from the newest
	Limit      int       // 1..1000
}

// Page is one page of a list. Next is the Before of the following page, 0 at the end.
type Page struct {
	Items []hongyan.Message
	Next  int64
}

// Nodes keeps which processes are alive. The lease of a message belongs to the
// node that holds it (design D4).
type Nodes interface {
	// Join adds a node and returns its epoch, larger than any before. A store
	// that allows only one process (SQLite) fences all earlier epochs at once.
	Join(ctx context.Context, name string, lease time.Duration) (epoch int64, err error)
	// Renew extends a node's lease. Conflict when it had lapsed and was taken over.
	Renew(ctx context.Context, epoch int64, lease time.Duration) error
	// Leave ends a node's lease at once.
	Leave(ctx context.Context, epoch int64) error
	// TakeOver moves up to limit leased messages of dead nodes to epoch, still
	// sending, and returns them: each may have been tried. Their Attempts, FirstAt
	// and UpdatedAt (when they were leased) stay; the caller settles them with the fence (epoch, Attempts).
	TakeOver(ctx context.Context, epoch int64, limit int) ([]hongyan.Message, error)
}

// Events keeps what WeChat pushed, and the receipts found in it.
type Events interface {
	// InsertEvent stores e unless an event with its DedupeKey exists for the
	// account (then its Duplicates grow), and returns the ID of the stored one and
	// whether it was new. Concurrent calls share a commit.
	InsertEvent(ctx context.Context, e hongyan.Event) (id int64, isNew bool, err error)
	// PendingEvents lists up to limit events not processed yet, oldest first.
	PendingEvents(ctx context.Context, limit int) ([]hongyan.Event, error)
	// FinishEvents marks events processed, adds their deliveries, begins their firings
	// (NewFiring) and applies the receipts and consents found in them, in one transaction: a delivery that exists stays as it is,
	// and an account that is gone gets none; a receipt is stored by (AppID, MsgID), the first wins;
	// the message that owns the msgid becomes delivered or undelivered if its
	// rank is lower. Receipts without an owner stay orphans. Of two messages with one
	// msgid the first owns it: WeChat showed one, and answered a client_msg_id that
	// was repeated after our ten minutes, and inside its own, with the same msgid.
	FinishEvents(ctx context.Context, done []EventDone) error
	// Events lists an account's, or with appID "" everybody's, newest first, those
	// with an id before before (0 = from the newest).
	Events(ctx context.Context, appID string, before int64, limit int) ([]hongyan.Event, error)

	// Orphans lists up to limit receipts without an owner stored at least age ago, oldest first,
	// and not older than 24 h.
	Orphans(ctx context.Context, age time.Duration, limit int) ([]Orphan, error)
	// Joinable lists, by ID, up to limit receipts without an owner that a message
	// may own: those to a user of whom a message in doubt has no receipt, and those
	// without msgid. They are stored at least age ago, not older than 24 h, and
	// their ID is above after. What other programs sent for the account is not among
	// them, so it costs in doubts, not in receipts.
	Joinable(ctx context.Context, age time.Duration, after int64, limit int) ([]Orphan, error)
	// Candidates lists the messages to a user created or attempted between from and to that await a
	// receipt or may (accepted without receipt, in doubt, uncertain, sending, failed in doubt), oldest first, at most 10.
	Candidates(ctx context.Context, appID, toUser string, from, to time.Time) ([]hongyan.Message, error)
	// JoinOrphan gives an orphan to a message (joined_by user_and_time) if the
	// orphan is still one and the message still has no receipt; reports whether it did.
	// The message may be queued for a retry: it ends too.
	JoinOrphan(ctx context.Context, orphan int64, messageID string) (bool, error)
}

// EventDone is a processed event, the receipts in it, whom it is to be handed on to,
// and which rules it set off.
type EventDone struct {
	EventID    int64
	Receipts   []hongyan.Receipt
	Deliveries []NewDelivery
	Firings    []NewFiring
	Consents   []hongyan.ConsentChange // ConsentSent changes what is known, and begins nothing
}

// NewDelivery is a delivery to begin, with the event's AppID and Type.
type NewDelivery struct {
	Target string
	Key    string
	DueAt  time.Time // zero = now
}

// Orphan is a stored receipt that nobody owns.
type Orphan struct {
	ID       int64
	StoredAt time.Time
	Receipt  hongyan.Receipt
}

// Deliveries keeps which event has reached which target.
type Deliveries interface {
	// DueTargets lists every target with pending deliveries and when the earliest of
	// them is due. It costs in targets, not in deliveries.
	DueTargets(ctx context.Context) ([]TargetDue, error)
	// ClaimDeliveries takes up to c.Max pending deliveries of a target that are due,
	// those due longest first: their Attempts grow by one, LastAt is now, and they are
	// due again after c.Lease should nobody finish them.
	ClaimDeliveries(ctx context.Context, c DeliveryClaim) ([]ClaimedDelivery, error)
	// FinishDeliveries writes what came of claimed deliveries, each only if its
	// Attempts are still as claimed. Concurrent calls share a commit.
	FinishDeliveries(ctx context.Context, rs []DeliveryResult) error
	// AnswerDelivery records that target took the event at once, whether its delivery
	// is there already or not; the rest of d is as in Delivery. Nothing happens to one
	// that has ended, or when the account is gone.
	AnswerDelivery(ctx context.Context, d hongyan.Delivery) error
	// ReplayDeliveries begins deliveries of events to a target, in place of those that
	// have ended, with the event's OpenID as Key, in small batches: it returns how many,
	// and the ID of the last event it looked at, 0 when there are no more. Pending ones
	// that wait for their next attempt are due now, and count; those due or under way
	// stay as they are. NotFound when there is no such account.
	ReplayDeliveries(ctx context.Context, r Replay) (n int, last int64, err error)
	// DropDeliveries removes up to limit deliveries of a target, whatever their state.
	DropDeliveries(ctx context.Context, target string, limit int) (int, error)
	// ListDeliveries lists newest first.
	ListDeliveries(ctx context.Context, f DeliveryFilter) ([]hongyan.Delivery, error)
	// DeliveryCounts counts an account's deliveries by target.
	DeliveryCounts(ctx context.Context, appID string) (map[string]DeliveryCount, error)
}

// TargetDue is a target with pending deliveries.
type TargetDue struct {
	Target string
	DueAt  time.Time // the earliest
	// OrderedDueAt is the earliest that an ordered claim can take: of those with one
	// Key only the first counts, so it may be later than DueAt.
	OrderedDueAt time.Time
}

// DeliveryClaim asks for due deliveries of a target.
type DeliveryClaim struct {
	Target string
	// Ordered: of the pending ones with one Key only that of the earliest event may be
	// taken; those without Key are free. (One that is begun late, or replayed, does not
	// wait for a later event's that is being tried already.)
	Ordered bool
	Max     int
	Lease   time.Duration
}

// ClaimedDelivery is a delivery and what is to be delivered.
type ClaimedDelivery struct {
	hongyan.Delivery
	Event hongyan.Event
}

// DeliveryResult is what came of one claimed delivery.
type DeliveryResult struct {
	ID       int64
	Attempts int // as claimed
	State    hongyan.DeliveryState
	DueAt    time.Time // of DeliveryPending
	Status   int
	Error    string
	Took     time.Duration
	// Untried: nothing was sent; Attempts go back by one and the last attempt stays what it was.
	Untried bool
}

// Replay asks for events to be delivered once more.
type Replay struct {
	AppID  string
	Target string
	Types  []string  // empty = all
	From   time.Time // ReceivedAt >= From
	Until  time.Time // ReceivedAt < Until; zero = now
	After  int64     // events behind that with this ID: last of the batch before; 0 = from the start
	Limit  int       // events looked at in one batch
}

// DeliveryFilter selects deliveries for a list. Zero fields do not filter.
type DeliveryFilter struct {
	AppID   string
	Target  string
	EventID int64
	States  []hongyan.DeliveryState
	Before  int64 // ID < Before; 0 = from the newest
	Limit   int   // 1..1000
}

// DeliveryCount is how a target does.
type DeliveryCount struct {
	Pending int64
	Done    int64
	GaveUp  int64
	Oldest  time.Time // CreatedAt of the oldest pending one; zero = none
	Error   string    // LastError of that one; "" = it was not tried yet
}
