package postgres

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"hongyan"
)

// messageColumns are all columns of messages in the order scanMessage reads them.
const messageColumns = `seq, id, appid, kind, touser, template_id, coalesce(client_msg_id, id), caller_msg_id, priority, retry_of, caller_id,
	state, reason, created_at, due_at, expires_at, updated_at, epoch, attempts, first_at,
	last_n, last_started_at, last_ended_at, last_outcome, last_errcode, last_errmsg, last_rid, last_msgid,
	tries, doubt_since, msgid, own_msgid, accepted_at, in_review, may_duplicate, batch, batch_row, hold, receipt, metadata, payload`

// scanMessage reads one row of messageColumns.
func scanMessage(r *row) (m hongyan.Message, err error) {
	m.Seq, m.ID, m.AppID, m.Kind = r.int64(), r.text(), r.text(), hongyan.MessageKind(r.text())
	m.ToUser, m.TemplateID, m.ClientMsgID, m.CallerMsgID = r.text(), r.text(), r.text(), r.bool()
	m.Priority, m.RetryOf, m.CallerID = hongyan.Priority(r.int()), r.text(), r.text()
	m.State, m.Reason = hongyan.State(r.int()), r.text()
	m.CreatedAt, m.DueAt, m.ExpiresAt, m.UpdatedAt = r.time(), fromMillis(abs(r.int64())), r.time(), r.time()
	m.Epoch, m.Attempts, m.FirstAt = r.int64(), r.int(), r.time()
	m.Last = scanAttempt(r)
	m.Tries, m.DoubtSince, m.MsgID, m.OwnMsgID, m.AcceptedAt = r.int(), r.time(), r.int64(), r.int64(), r.time()
	m.InReview, m.MayDuplicate, m.Batch, m.BatchRow = r.bool(), r.bool(), r.int64(), r.int64()
	hold, receipt := r.text(), r.text()
	m.Metadata, m.Payload = r.bytes(), r.bytes()
	if m.Hold, err = decodeHold(hold); err == nil {
		m.Receipt, err = decodeReceipt(receipt)
	}
	if err != nil {
		err = fmt.Errorf("message %s: %w", m.ID, err)
	}
	return m, err
}

// abs reads a due time: that of a message held without an end is kept below zero.
func abs(ms int64) int64 { return max(ms, -ms) }

// attemptColumns are the columns scanAttempt reads, as table attempts names them.
const attemptColumns = "n, started_at, ended_at, outcome, errcode, errmsg, rid, msgid"

func scanAttempt(r *row) hongyan.Attempt {
	return hongyan.Attempt{
		N: r.int(), StartedAt: r.time(), EndedAt: r.time(), Outcome: hongyan.AttemptOutcome(r.int()),
		Errcode: r.int(), Errmsg: r.text(), RID: r.text(), MsgID: r.int64(),
	}
}

// collect returns a callback that appends every row to all.
func collect(all *[]hongyan.Message) func(*row) error {
	return func(r *row) error {
		m, err := scanMessage(r)
		*all = append(*all, m)
		return err
	}
}

// sortBySeq orders messages by age: what an UPDATE returns has no order.
func sortBySeq(ms []hongyan.Message) {
	slices.SortFunc(ms, func(a, b hongyan.Message) int { return cmp.Compare(a.Seq, b.Seq) })
}

// storedHold is a Hold in a message's row. Times are Unix milliseconds.
type storedHold struct {
	AppID   string              `json:"appid,omitempty"`
	Kind    hongyan.MessageKind `json:"kind,omitempty"`
	Reason  string              `json:"reason"`
	Since   int64               `json:"since,omitempty"`
	Until   int64               `json:"until,omitempty"`
	Release string              `json:"release,omitempty"`
	Errcode int                 `json:"errcode,omitempty"`
	Detail  string              `json:"detail,omitempty"`
}

// encodeHold returns the JSON of h, or nil (NULL) for no hold.
func encodeHold(h *hongyan.Hold) *string {
	if h == nil {
		return nil
	}
	return new(clean(mustJSON(storedHold{h.AppID, h.Kind, h.Reason, millis(h.Since), millis(h.Until), h.Release, h.Errcode, h.Detail})))
}

func decodeHold(text string) (*hongyan.Hold, error) {
	if text == "" {
		return nil, nil
	}
	var h storedHold
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		return nil, fmt.Errorf("read its hold: %w", err)
	}
	return &hongyan.Hold{AppID: h.AppID, Kind: h.Kind, Reason: h.Reason, Since: fromMillis(h.Since),
		Until: fromMillis(h.Until), Release: h.Release, Errcode: h.Errcode, Detail: h.Detail}, nil
}

// storedReceipt is a Receipt in a message's row. At is Unix milliseconds.
type storedReceipt struct {
	AppID    string `json:"appid"`
	MsgID    int64  `json:"msgid"`
	ToUser   string `json:"touser"`
	Status   string `json:"status"`
	Raw      string `json:"raw"`
	At       int64  `json:"at"`
	JoinedBy string `json:"joined_by"`
}

func encodeReceipt(r hongyan.Receipt) string {
	return mustJSON(storedReceipt{r.AppID, r.MsgID, r.ToUser, r.Status, r.Raw, millis(r.At), r.JoinedBy})
}

func decodeReceipt(text string) (*hongyan.Receipt, error) {
	if text == "" {
		return nil, nil
	}
	var r storedReceipt
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return nil, fmt.Errorf("read its receipt: %w", err)
	}
	return &hongyan.Receipt{AppID: r.AppID, MsgID: r.MsgID, ToUser: r.ToUser, Status: r.Status,
		Raw: r.Raw, At: fromMillis(r.At), JoinedBy: r.JoinedBy}, nil
}

// mustJSON encodes plain structs and slices of ours, which cannot fail.
func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	return string(b)
}

// normalise cuts the times of a message to what the row keeps.
func normalise(m *hongyan.Message) {
	for _, t := range []*time.Time{&m.CreatedAt, &m.DueAt, &m.ExpiresAt, &m.UpdatedAt, &m.FirstAt} {
		*t = hongyan.Millis(*t)
	}
	if m.Hold != nil {
		h := *m.Hold
		h.Since, h.Until = hongyan.Millis(h.Since), hongyan.Millis(h.Until)
		m.Hold = &h
	}
	if len(m.Metadata) == 0 {
		m.Metadata = nil
	}
	if len(m.Payload) == 0 {
		m.Payload = nil
	}
}

func unknownMessage(id string) error {
	return hongyan.Errorf(hongyan.NotFound, "unknown_message", "there is no message %q", id)
}
