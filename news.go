package hongyan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The types of news: what can happen that somebody outside may want to hear of.
const (
	NewsAccepted         = "message.accepted"    // WeChat took it
	NewsRetrying         = "message.retrying"    // a try failed; another follows
	NewsHeld             = "message.held"        // it waits for a reason of its own
	NewsReleased         = "message.released"    // that reason is gone
	NewsUncertain        = "message.uncertain"   // it may have been sent, nobody can know
	NewsFailed           = "message.failed"      // refused, or given up
	NewsCancelled        = "message.cancelled"   // withdrawn
	NewsExpired          = "message.expired"     // too late to send
	NewsDelivered        = "message.delivered"   // the event says so
	NewsUndelivered      = "message.undelivered" // the event says why not
	NewsReceiptUnmatched = "receipt.unmatched"   // an event about a msgid that no message has (yet)
	NewsAccountStopped   = "account.stopped"     // nothing is sent until a person acts
	NewsAccountAlarm     = "account.alarm"       // something is not sent for a while
	NewsAccountResumed   = "account.resumed"     // one of the two is over
	NewsQuota            = "quota.threshold"     // 50, 80 or 100 % of a limit are used
	NewsTemplateBanned   = "template.banned"     // by WeChat
	NewsTemplateRemoved  = "template.removed"    // from the account
	NewsTokenDiedEarly   = "token.died_early"    // somebody outside fetched a token
	NewsBatchFinished    = "batch.finished"
	NewsConsentLow       = "consent.low"
	NewsRuleFired        = "rule.fired"
	NewsWebhookDisabled  = "webhook.disabled" // an endpoint said 410
	NewsWebhookTest      = "webhook.test"     // somebody tries an endpoint
)

// newsTypes are all types, and whether a robot that tells people is meant to say it.
var newsTypes = []struct {
	word  string
	alarm bool
}{
	{NewsAccepted, false}, {NewsRetrying, false}, {NewsHeld, false}, {NewsReleased, false}, {NewsUncertain, false}, {NewsFailed, false},
	{NewsCancelled, false}, {NewsExpired, false}, {NewsDelivered, false}, {NewsUndelivered, false}, {NewsReceiptUnmatched, false},
	{NewsAccountStopped, true}, {NewsAccountAlarm, false}, {NewsAccountResumed, false}, {NewsQuota, true},
	{NewsTemplateBanned, true}, {NewsTemplateRemoved, true}, {NewsTokenDiedEarly, true}, {NewsBatchFinished, true},
	{NewsConsentLow, false}, {NewsRuleFired, false}, {NewsWebhookDisabled, true}, {NewsWebhookTest, false},
}

// NewsTypes returns every type.
func NewsTypes() []string { return newsWords(func(bool) bool { return true }) }

// AlarmTypes returns the types that a robot tells people unless it is told otherwise.
func AlarmTypes() []string { return newsWords(func(alarm bool) bool { return alarm }) }

func newsWords(want func(alarm bool) bool) (words []string) {
	for _, t := range newsTypes {
		if want(t.alarm) {
			words = append(words, t.word)
		}
	}
	return words
}

// News is one thing that happened. Times are UTC in milliseconds.
type News struct {
	ID    int64 // the place in the log, growing; 0 = not stored
	At    time.Time
	Type  string // NewsAccepted …
	AppID string // "" = of no account
	// MessageSeq and MessageID say which message it is about, if any. Who writes
	// news may give either; who reads it finds both, unless the message is gone.
	MessageSeq int64
	MessageID  string
	// Data is a JSON object. Of a message's news it is a MessageChange.
	Data []byte
	// Once, if not empty, keeps news with the same words from being written again
	// for 40 days. It is not read back.
	Once string
	// Message is what does not change of the message; nil when it is about none, or
	// that is gone.
	Message *NewsMessage
}

// NewsMessage is what does not change of a message that news are about.
type NewsMessage struct {
	Kind        MessageKind
	ToUser      string
	TemplateID  string
	ClientMsgID string
	Metadata    []byte
	CreatedAt   time.Time
}

// MessageChange is what news keep of a message: how it was after the change.
type MessageChange struct {
	State        string         `json:"state"`
	Reason       string         `json:"reason,omitempty"`
	Final        bool           `json:"final"`
	Errcode      *int           `json:"errcode,omitempty"`
	Errmsg       string         `json:"errmsg,omitempty"`
	RID          string         `json:"rid,omitempty"`
	MsgID        string         `json:"msgid,omitempty"`
	Attempts     int            `json:"attempts,omitempty"`
	DueAt        string         `json:"due_at,omitempty"` // of the next try
	InReview     bool           `json:"in_review,omitempty"`
	MayDuplicate bool           `json:"may_duplicate,omitempty"`
	Receipt      *ReceiptChange `json:"receipt,omitempty"`
	Hold         *HoldChange    `json:"hold,omitempty"`
}

// ReceiptChange is a receipt in news.
type ReceiptChange struct {
	Status   string `json:"status"`
	Raw      string `json:"raw,omitempty"`
	At       string `json:"at,omitempty"`
	JoinedBy string `json:"joined_by,omitempty"`
	MsgID    string `json:"msgid,omitempty"`
	ToUser   string `json:"touser,omitempty"`
}

// HoldChange is a hold in news.
type HoldChange struct {
	Reason  string `json:"reason"`
	Kind    string `json:"kind,omitempty"`
	Since   string `json:"since,omitempty"`
	Until   string `json:"until,omitempty"`
	Release string `json:"release,omitempty"`
	Errcode int    `json:"errcode,omitempty"`
	Detail  string `json:"detail,omitempty"`
}

// NewHoldChange returns h as news tell of it.
func NewHoldChange(h *Hold) *HoldChange {
	if h == nil {
		return nil
	}
	return &HoldChange{Reason: h.Reason, Kind: string(h.Kind), Since: newsTime(h.Since), Until: newsTime(h.Until),
		Release: h.Release, Errcode: h.Errcode, Detail: h.Detail}
}

// NewReceiptChange returns r as news tell of it; whose tells whom it is about.
func NewReceiptChange(r *Receipt, whose bool) *ReceiptChange {
	c := &ReceiptChange{Status: r.Status, Raw: r.Raw, At: newsTime(r.At), JoinedBy: r.JoinedBy}
	if whose {
		c.MsgID, c.ToUser = NewsMsgID(r.MsgID), r.ToUser
	}
	return c
}

// NewsMsgID writes a msgid; "" for none.
func NewsMsgID(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}

// NewsOfHold returns the news that begin and end a hold on an account, "" for a hold
// that needs nobody's attention: one that only keeps the quiet hours.
func NewsOfHold(h *Hold) (begins, ends string) {
	switch {
	case !h.Before.IsZero():
		return "", ""
	case h.Reason == HoldAccount:
		return NewsAccountStopped, NewsAccountResumed
	}
	return NewsAccountAlarm, NewsAccountResumed
}

// MessageNews returns the type of news that a message became s, "" for a state that is
// no news. tried says whether a call was made; one that only waits again was not.
func MessageNews(s State, tried bool) string {
	switch s {
	case Queued:
		if tried {
			return NewsRetrying
		}
		return ""
	case Sending:
		return ""
	}
	return "message." + s.String()
}

// TemplateNews returns the type of news that a template has that status now, "" for one
// that is no news.
func TemplateNews(status string) string {
	switch status {
	case "banned":
		return NewsTemplateBanned
	case "removed":
		return NewsTemplateRemoved
	}
	return ""
}

// TemplateChange is what news keep of a template.
type TemplateChange struct {
	TemplateID string `json:"template_id"`
	Title      string `json:"title,omitempty"`
	Status     string `json:"status"`
	Reason     string `json:"reason,omitempty"`
}

// EventID is the id of news outside: the same in every delivery and in the stream.
// The time is in it, so that a restored database does not use an id again for
// something else.
func (n *News) EventID() string { return NewsEventID(n.ID, n.At) }

const eventIDPrefix = "evt_"

// NewsEventID is EventID of the news with that ID and At.
func NewsEventID(id int64, at time.Time) string {
	return fmt.Sprintf("%s%011x%013x", eventIDPrefix, at.UnixMilli(), id)
}

// ParseEventID reads what EventID wrote.
func ParseEventID(text string) (id int64, at time.Time, ok bool) {
	digits, ok := strings.CutPrefix(text, eventIDPrefix)
	if !ok || len(digits) != 24 {
		return 0, time.Time{}, false
	}
	ms, err1 := strconv.ParseInt(digits[:11], 16, 64)
	id, err2 := strconv.ParseInt(digits[11:], 16, 64)
	return id, time.UnixMilli(ms).UTC(), err1 == nil && err2 == nil
}

// newsTime writes a time as the API does; "" for none.
func newsTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// NewsTime writes a time as news do: RFC 3339, UTC, milliseconds; "" for none.
func NewsTime(t time.Time) string { return newsTime(t) }

// MaxEventBody is how long the body of an event is at most, in bytes: under the 20 kB
// that Standard Webhooks recommends.
const MaxEventBody = 19_000

// eventBody is an event as everybody outside gets it.
type eventBody struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
	Data      any    `json:"data"`
}

// messageData is the data of a message's event.
type messageData struct {
	MessageID   string          `json:"message_id,omitempty"`
	AppID       string          `json:"appid"`
	Kind        MessageKind     `json:"kind,omitempty"`
	ToUser      string          `json:"touser,omitempty"`
	TemplateID  string          `json:"template_id,omitempty"`
	ClientMsgID string          `json:"client_msg_id,omitempty"`
	CreatedAt   string          `json:"created_at,omitempty"`
	Metadata    json.RawMessage `json:"metadata,omitempty"`
	MessageChange
	Cut []string `json:"cut,omitempty"`
}

// Body returns the event as JSON: id, type, timestamp and data, at most MaxEventBody
// bytes. What is left out of data or shortened to keep to that is named in its cut.
func (n *News) Body() []byte {
	e := eventBody{ID: n.EventID(), Type: n.Type, Timestamp: newsTime(n.At), Data: n.data()}
	body := plainJSON(e)
	if len(body) <= MaxEventBody {
		return body
	}
	if m, ok := e.Data.(*messageData); ok && m.Metadata != nil {
		m.Metadata, m.Cut = nil, []string{"metadata"}
		if body = plainJSON(e); len(body) <= MaxEventBody {
			return body
		}
	}
	e.Data = cutData(plainJSON(e.Data))
	return plainJSON(e)
}

// data is the event's data: that of a message is put together from what was stored
// when it changed and what never does.
func (n *News) data() any {
	var change MessageChange
	if n.MessageSeq == 0 || !strings.HasPrefix(n.Type, "message.") || json.Unmarshal(n.Data, &change) != nil {
		return n.ownData()
	}
	d := &messageData{MessageID: n.MessageID, AppID: n.AppID, MessageChange: change}
	if m := n.Message; m != nil {
		d.Kind, d.ToUser, d.TemplateID, d.ClientMsgID = m.Kind, m.ToUser, m.TemplateID, m.ClientMsgID
		d.CreatedAt = newsTime(m.CreatedAt)
		if json.Valid(m.Metadata) {
			d.Metadata = m.Metadata
		}
	}
	return d
}

// ownData is Data with the account in front.
func (n *News) ownData() any {
	fields := map[string]any{}
	if len(n.Data) > 0 && json.Unmarshal(n.Data, &fields) != nil {
		fields = map[string]any{}
	}
	if _, named := fields["appid"]; !named && n.AppID != "" {
		fields["appid"] = n.AppID
	}
	if n.MessageID != "" {
		fields["message_id"] = n.MessageID
	}
	return fields
}

// cutData shortens the values of a JSON object until it fits, the longest first.
func cutData(raw []byte) map[string]any {
	const room = MaxEventBody - 500 // for what is around it
	fields := map[string]any{}
	if json.Unmarshal(raw, &fields) != nil {
		return fields
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return len(plainJSON(fields[b])) - len(plainJSON(fields[a])) })
	var cut []string
	for _, name := range names {
		if len(plainJSON(fields)) <= room {
			break
		}
		if text, ok := fields[name].(string); ok {
			fields[name] = clipText(text)
		} else {
			delete(fields, name)
		}
		cut = append(cut, name)
		fields["cut"] = cut
	}
	return fields
}

// clipText keeps the beginning of a value that is too long.
func clipText(text string) string {
	if runes := []rune(text); len(runes) > 200 {
		return string(runes[:200]) + "…"
	}
	return text
}

// plainJSON encodes values of ours without HTML escaping; it cannot fail for them.
func plainJSON(v any) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return []byte("{}")
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}
