package client

// States of a Message. queued, held and sending are on the way; uncertain may be
// settled by a late event or by a person; accepted ends kinds of which WeChat tells
// no more; the others are ends.
const (
	StateQueued      = "queued"      // waits for its time, a slot, or the next try
	StateHeld        = "held"        // waits for a reason: see Message.Hold
	StateSending     = "sending"     // a call to WeChat may be under way
	StateUncertain   = "uncertain"   // WeChat may or may not have taken it
	StateAccepted    = "accepted"    // WeChat took it; its event has not come
	StateFailed      = "failed"      // WeChat refused it
	StateCancelled   = "cancelled"   // withdrawn before it was sent
	StateExpired     = "expired"     // too late to send
	StateDelivered   = "delivered"   // the event says that it reached the user
	StateUndelivered = "undelivered" // the event says that it did not
)

// Kinds of message.
const (
	KindTemplate     = "template"      // service accounts
	KindMiniTemplate = "mini_template" // mini programs; WeChat retired it
	KindSubscribe    = "subscribe"     // mini programs
	KindNotice       = "notice"        // service accounts, subscribed to
	KindOneTime      = "one_time"      // official accounts, once after the user's consent
)

// Priorities of a message inside its account.
const (
	PriorityUrgent = "urgent"
	PriorityNormal = "normal"
	PriorityBulk   = "bulk"
)

// Roles of an API key.
const (
	RoleReader = "reader" // reads
	RoleSender = "sender" // also sends, and acts on messages
	RoleAdmin  = "admin"  // does everything
)
