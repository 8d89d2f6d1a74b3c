package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A MessageRequest asks for one message: WeChat's own body, and a few fields of
// ours. Zero fields are left out. NewMessage makes one that has what every
// message needs.
type MessageRequest struct {
	AppID            string           `json:"appid" doc:"The account, by appid or alias." example:"wx0f1e2d3c4b5a6978"`
	ToUser           string           `json:"touser" doc:"The openid of the recipient."`
	TemplateID       string           `json:"template_id" doc:"A template the account holds, by template_id or alias (docs/templates.md). Those of kinds mini_template, subscribe, notice and one_time may be unknown here: WeChat judges them."`
	URL              string           `json:"url,omitempty" doc:"Where a tap leads. kinds template and one_time."`
	MiniProgram      *MiniProgram     `json:"miniprogram,omitempty" doc:"The mini program page a tap opens; wins over url, and over a notice's page. kinds template, notice and one_time."`
	TopColor         string           `json:"topcolor,omitempty" doc:"Accepted for old callers; WeChat ignores it today. kind template only."`
	Page             string           `json:"page,omitempty" doc:"Where a tap leads: a page of the mini program (kinds mini_template and subscribe), a URL (kind notice)."`
	FormID           string           `json:"form_id,omitempty" doc:"A form_id or prepay_id. kind mini_template only. Left out: one of the user's stored ones (POST …/form_ids) is taken when it is sent, and it waits while there is none."`
	EmphasisKeyword  string           `json:"emphasis_keyword,omitempty" doc:"The keyword shown enlarged. kind mini_template only." example:"keyword1.DATA"`
	Color            string           `json:"color,omitempty" doc:"Accepted for old callers; WeChat ignores it today."`
	MiniProgramState string           `json:"miniprogram_state,omitempty" enum:"developer,trial,formal" doc:"The version of the mini program a tap opens. kind subscribe only. Default: formal."`
	Lang             string           `json:"lang,omitempty" enum:"zh_CN,en_US,zh_HK,zh_TW" doc:"The language of the mini program a tap opens. kind subscribe only. Default: zh_CN."`
	Scene            string           `json:"scene,omitempty" doc:"The number, 0 to 10000, under which the user confirmed. kind one_time only, and needed there." example:"1000"`
	Title            string           `json:"title,omitempty" doc:"At most 15 characters. kind one_time only, and needed there."`
	Data             map[string]Field `json:"data" doc:"A value for every key of the template, e.g. {\"thing1\":\"巧克力\"}. An object, not JSON in a string; keys without .DATA. kind one_time: content alone, at most 200 characters."`
	Kind             string           `json:"kind,omitempty" enum:"template,mini_template,subscribe,notice,one_time" doc:"template and notice are for service accounts, mini_template and subscribe for mini programs, one_time for official accounts. Of subscribe, notice and one_time one call without an answer is the last: they have no client_msg_id at WeChat, so they end as uncertain (with the policy give_up as failed) and are never sent again by themselves, whatever the policy. Default: template, for mini programs mini_template."`
	ClientMsgID      string           `json:"client_msg_id,omitempty" doc:"A second message with it to the same user within 10 minutes answers the first. kind template: passed to WeChat, which drops it too. Default: our id."`
	SendAt           time.Time        `json:"send_at,omitzero" doc:"Not before this. Default: now."`
	ExpiresAt        time.Time        `json:"expires_at,omitzero" doc:"No attempt begins after this: a message not sent by then expires, or ends as uncertain when an attempt had no answer. Default: the account's setting, 24 h after send_at."`
	Priority         string           `json:"priority,omitempty" enum:"urgent,normal,bulk" doc:"The lane inside the account. Default normal."`
	Metadata         json.RawMessage  `json:"metadata,omitempty" doc:"A JSON object of yours, given back with the message."`
	// IdempotencyKey (1 to 255 visible ASCII characters) makes a repeated call answer
	// the first message for 24 hours. If empty, Send makes one for the call, unless
	// it is not to repeat it. It travels as a header.
	IdempotencyKey string `json:"-"`
}

// Values are the values of a template's keys, e.g. Values{"thing2": "巧克力"}.
type Values map[string]string

// NewMessage returns a request that sends a template (by its id, or by the alias the
// account has for it) with the values to the user with that openid. The account
// is named by appid or alias. Further fields may be set before it is sent.
func NewMessage(appID, openID, template string, values Values) MessageRequest {
	data := make(map[string]Field, len(values))
	for key, value := range values {
		data[key] = Field{Value: value}
	}
	return MessageRequest{AppID: appID, ToUser: openID, TemplateID: template, Data: data}
}

// MiniProgram is a jump into a mini program linked with the account.
type MiniProgram struct {
	AppID    string `json:"appid"`
	PagePath string `json:"pagepath,omitempty"`
}

// Field is the value of one template key. Without a colour it is a bare string on the wire.
type Field struct {
	Value string
	Color string // "#RRGGBB"; WeChat ignores it today
}

type fieldObject struct {
	Value string `json:"value"`
	Color string `json:"color,omitempty"`
}

// MarshalJSON writes a bare string, or an object when there is a colour.
func (f Field) MarshalJSON() ([]byte, error) {
	if f.Color == "" {
		return encode(f.Value) // json.Marshal would escape <, > and &
	}
	return encode(fieldObject(f))
}

// UnmarshalJSON reads both forms.
func (f *Field) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		f.Color = ""
		return json.Unmarshal(b, &f.Value)
	}
	return json.Unmarshal(b, (*fieldObject)(f))
}

// Message is a message as the gateway knows it now.
type Message struct {
	ID          string  `json:"id" example:"msg_0199f2f1c0de7abc8def0123456789ab"`
	AppID       string  `json:"appid"`
	Kind        string  `json:"kind" enum:"template,mini_template,subscribe,notice,one_time"`
	ToUser      string  `json:"touser"`
	TemplateID  string  `json:"template_id"`
	State       string  `json:"state" enum:"queued,held,sending,uncertain,accepted,failed,cancelled,expired,delivered,undelivered"`
	Reason      string  `json:"reason" enum:",errcode,http_status,no_answer,in_review,duplicate,retrying,next_form_id,prepay_not_ready,paused,quota,account_stopped,token,unreachable,template,openid_pacing,quiet_hours,restored,no_form_id,batch_paused,suppressed,user_cap,user_block,system_failed,freq_limit,other" doc:"Why it is in that state; empty where none is needed."`
	Final       bool    `json:"final" doc:"true: nothing more will happen to it."`
	ClientMsgID string  `json:"client_msg_id" doc:"The caller's, or our id. kind template: what WeChat was given."`
	MsgID       *string `json:"msgid" doc:"WeChat's id, as a string; null while there is none. Those of kinds mini_template, notice and one_time get none."`
	// AnsweredMsgID is the msgid that a caller of the WeChat-compatible surface was given.
	AnsweredMsgID *string `json:"answered_msgid" doc:"The number we answered a WeChat-compatible call with because msgid was not known in time; the event handed on carries it too. null as a rule."`
	Errcode       *int    `json:"errcode" doc:"WeChat's last answer; null while there is none."`
	Errmsg        string  `json:"errmsg"`
	RID           string  `json:"rid" doc:"WeChat's request id."`
	// ErrcodeInfo explains Errcode.
	ErrcodeInfo *ErrcodeInfo `json:"errcode_info" doc:"What errcode means and what to do; null while there is none, and for 0."`

	DueAt      *Time `json:"due_at" doc:"Not before this; null while a message that was due waits to be released."`
	ExpiresAt  *Time `json:"expires_at"`
	CreatedAt  Time  `json:"created_at"`
	UpdatedAt  Time  `json:"updated_at"`
	AcceptedAt *Time `json:"accepted_at" doc:"When WeChat took it."`

	Attempts []Attempt `json:"attempts" nullable:"false" doc:"The finished calls to WeChat: all of them when one message is read, the last one in lists."`
	Receipt  *Receipt  `json:"receipt" doc:"What WeChat's event said; null while it has not come."`
	Hold     *Hold     `json:"hold" doc:"Why it waits; null unless state is held."`

	Priority       string          `json:"priority" enum:"urgent,normal,bulk"`
	Metadata       json.RawMessage `json:"metadata" doc:"The caller's object, or null."`
	RetryOf        *string         `json:"retry_of" doc:"The message this one was made from by retry."`
	Warning        string          `json:"warning,omitempty" doc:"In the answer to a send alone: what to know of a message that was stored, such as that its user has no consent left (mini.consent_check)."`
	Batch          *string         `json:"batch" doc:"The batch it is a row of; null for a message of its own."`
	BatchRow       *int64          `json:"batch_row" doc:"The row of the batch, 1 for the first."`
	InReview       bool            `json:"in_review" doc:"WeChat reviews it (40252) and delivers it itself if it passes."`
	MayDuplicate   bool            `json:"may_duplicate" doc:"It was sent again after WeChat's window for duplicates had closed, by the account's policy."`
	ReceiptOverdue bool            `json:"receipt_overdue" doc:"Accepted more than 24 h ago and still no event."`
	Payload        json.RawMessage `json:"payload,omitempty" doc:"WeChat's own body. Only when one message is read."`
	// Webhooks are the events of the message and what became of them.
	Webhooks []MessageWebhook `json:"webhooks,omitempty" doc:"Which endpoints heard of it, oldest first. Only when one message is read."`
}

// Arrived reports whether the message reached the user, as far as WeChat tells: its event
// said so, or it took a message of a kind about which it tells no more.
func (m *Message) Arrived() bool {
	return m.State == StateDelivered || m.State == StateAccepted && m.Final
}

// Attempt is one finished call to WeChat.
type Attempt struct {
	N         int     `json:"n" doc:"1 for the first."`
	StartedAt Time    `json:"started_at"`
	EndedAt   *Time   `json:"ended_at"`
	Outcome   string  `json:"outcome" enum:"answered,no_answer,not_sent"`
	Errcode   *int    `json:"errcode" doc:"null unless answered."`
	Errmsg    string  `json:"errmsg"`
	RID       string  `json:"rid"`
	MsgID     *string `json:"msgid"`
	// ErrcodeInfo explains Errcode.
	ErrcodeInfo *ErrcodeInfo `json:"errcode_info" doc:"What errcode means and what to do; null unless WeChat refused."`
}

// ErrcodeInfo explains one of WeChat's errcodes to people, in English and
// Chinese. Texts may change; Class is for programs.
type ErrcodeInfo struct {
	Class     string `json:"class" enum:"token,transient,quota,form,request,recipient,template,account,unknown" doc:"What the refusal is about. form, request, recipient and template: the same message again would be refused again."`
	Meaning   string `json:"meaning"`
	MeaningZH string `json:"meaning_zh"`
	Hint      string `json:"hint" doc:"Cause and cure."`
	HintZH    string `json:"hint_zh"`
}

// Receipt is what WeChat's event told about a message.
type Receipt struct {
	Status   string `json:"status" enum:"success,user_block,system_failed,freq_limit,other"`
	At       Time   `json:"at"`
	JoinedBy string `json:"joined_by" enum:"msgid,user_and_time" doc:"How the event was matched."`
	Raw      string `json:"raw" doc:"The Status text as it came."`
}

// Hold is why something waits.
type Hold struct {
	Reason  string `json:"reason" enum:"paused,quota,account_stopped,token,unreachable,template,openid_pacing,quiet_hours,restored,no_form_id,batch_paused,suppressed,user_cap"`
	Since   Time   `json:"since"`
	Until   *Time  `json:"until" doc:"When it ends by itself; null = when somebody acts."`
	Release string `json:"release" doc:"What ends it, for people."`
	Detail  string `json:"detail"`
	Errcode *int   `json:"errcode" doc:"WeChat's answer that caused it; null when none did."`
}

// Sent is the answer to Send.
type Sent struct {
	Message
	// Replayed says that the idempotency key's first message was answered.
	Replayed bool
}

// Send posts a message. It returns once the gateway has stored it, which is its
// promise to send it; what became of it is in Message and Wait. A Problem says that
// nothing was stored. After any other error the message may have been stored: the
// same request with the same IdempotencyKey tells, and stores it once.
func (c *Client) Send(ctx context.Context, m MessageRequest) (Sent, error) {
	return c.send(ctx, m, m.IdempotencyKey)
}

// SendJSON posts a message that is JSON already, byte for byte: the gateway
// judges it. idempotencyKey is as in MessageRequest.
func (c *Client) SendJSON(ctx context.Context, message []byte, idempotencyKey string) (Sent, error) {
	return c.send(ctx, message, idempotencyKey)
}

func (c *Client) send(ctx context.Context, body any, idempotencyKey string) (Sent, error) {
	what := call{method: http.MethodPost, path: "/v1/messages", body: body, want: []int{http.StatusAccepted, http.StatusOK}}
	if idempotencyKey == "" && c.Retries.tries() > 1 {
		idempotencyKey = newIdempotencyKey()
	}
	if idempotencyKey != "" {
		what.header = http.Header{idempotencyHeader: {idempotencyKey}}
	}
	var sent Sent
	what.result = &sent.Message
	header, err := c.do(ctx, what)
	if err != nil {
		return Sent{}, err
	}
	sent.Replayed = header.Get("Idempotency-Replayed") == "true"
	return sent, nil
}

// Message reads one message with all its attempts and its payload.
func (c *Client) Message(ctx context.Context, id string) (Message, error) {
	return one[Message](ctx, c, call{method: http.MethodGet, path: "/v1/messages/" + segment(id)})
}

// A MessageFilter selects messages. Zero fields do not filter.
type MessageFilter struct {
	AppID        string
	ToUser       string
	TemplateID   string
	Batch        string // the id of a batch
	States       []string
	Since, Until time.Time // of created_at: Since included, Until not
	Query        string    // an exact id, client_msg_id, msgid (WeChat's or the one we answered) or openid
	Cursor       string
	Limit        int // 1..1000; 0 = 50
}

func (f MessageFilter) values() url.Values {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("appid", f.AppID)
	set("touser", f.ToUser)
	set("template_id", f.TemplateID)
	set("batch", f.Batch)
	set("state", strings.Join(f.States, ","))
	set("q", f.Query)
	set("cursor", f.Cursor)
	if !f.Since.IsZero() {
		set("since", f.Since.UTC().Format(time.RFC3339Nano))
	}
	if !f.Until.IsZero() {
		set("until", f.Until.UTC().Format(time.RFC3339Nano))
	}
	if f.Limit != 0 {
		set("limit", strconv.Itoa(f.Limit))
	}
	return q
}

// Messages reads one page, newest first.
func (c *Client) Messages(ctx context.Context, f MessageFilter) (List[Message], error) {
	return one[List[Message]](ctx, c, call{method: http.MethodGet, path: "/v1/messages", query: f.values()})
}

// AllMessages walks through every page, newest first. It ends after an error.
func (c *Client) AllMessages(ctx context.Context, f MessageFilter) iter.Seq2[Message, error] {
	return pages("list messages", f.Cursor, func(cursor string) (List[Message], error) {
		f.Cursor = cursor
		return c.Messages(ctx, f)
	})
}

// Cancel withdraws a waiting message. A Problem with status 409 says that it
// had left, or may have.
func (c *Client) Cancel(ctx context.Context, id string) (Message, error) {
	return c.act(ctx, id, "cancel", http.StatusOK)
}

// Retry makes a new message from one that failed, expired or is uncertain, and
// returns the new one.
func (c *Client) Retry(ctx context.Context, id string) (Message, error) {
	return c.act(ctx, id, "retry", http.StatusAccepted)
}

// Release lets a held or scheduled message go now.
func (c *Client) Release(ctx context.Context, id string) (Message, error) {
	return c.act(ctx, id, "release", http.StatusOK)
}

func (c *Client) act(ctx context.Context, id, act string, want int) (Message, error) {
	return one[Message](ctx, c, call{method: http.MethodPost, path: "/v1/messages/" + segment(id) + "/" + act, want: []int{want}})
}
