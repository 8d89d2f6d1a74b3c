package api

import (
	"encoding/json"
	"strconv"
	"time"

	"hongyan"
	"hongyan/client"
)

// viewMessage is a message as the API shows it, with its last attempt only.
func viewMessage(m *hongyan.Message, now time.Time) *client.Message {
	v := &client.Message{
		ID: m.ID, AppID: m.AppID, Kind: string(m.Kind), ToUser: m.ToUser, TemplateID: m.TemplateID,
		State: m.State.String(), Reason: m.Reason, Final: m.Final(), ClientMsgID: m.ClientMsgID,
		MsgID: viewMsgID(m.MsgID), AnsweredMsgID: viewMsgID(m.OwnMsgID),
		DueAt: client.At(m.DueAt), ExpiresAt: client.At(m.ExpiresAt), AcceptedAt: client.At(m.AcceptedAt),
		CreatedAt: client.Time{Time: m.CreatedAt}, UpdatedAt: client.Time{Time: m.UpdatedAt},
		Receipt: viewReceipt(m.Receipt), Hold: viewHold(m.Hold),
		Priority: m.Priority.String(), Metadata: m.Metadata,
		InReview: m.InReview, MayDuplicate: m.MayDuplicate, ReceiptOverdue: m.ReceiptOverdue(now),
		Attempts: []client.Attempt{},
	}
	if m.RetryOf != "" {
		v.RetryOf = &m.RetryOf
	}
	if m.Last.N > 0 {
		last := viewAttempt(&m.Last)
		v.Attempts = append(v.Attempts, last)
		v.Errcode, v.Errmsg, v.RID, v.ErrcodeInfo = last.Errcode, last.Errmsg, last.RID, last.ErrcodeInfo
	}
	return v
}

// viewMessageWhole adds what only the page of one message shows.
func viewMessageWhole(m *hongyan.Message, attempts []hongyan.Attempt, now time.Time) *client.Message {
	v := viewMessage(m, now)
	v.Payload = json.RawMessage(m.Payload)
	if len(attempts) > 0 {
		v.Attempts = v.Attempts[:0]
	}
	for i := range attempts {
		v.Attempts = append(v.Attempts, viewAttempt(&attempts[i]))
	}
	return v
}

func viewAttempt(at *hongyan.Attempt) client.Attempt {
	v := client.Attempt{
		N: at.N, StartedAt: client.Time{Time: at.StartedAt}, EndedAt: client.At(at.EndedAt),
		Outcome: at.Outcome.String(), Errmsg: at.Errmsg, RID: at.RID, MsgID: viewMsgID(at.MsgID),
	}
	if at.Outcome == hongyan.Answered {
		v.Errcode = &at.Errcode
		v.ErrcodeInfo = explainErrcode(v.Errcode)
	}
	return v
}

// viewMsgID writes msgid as a string: it has up to 19 digits, more than a
// number of JavaScript can hold. nil for none.
func viewMsgID(id int64) *string {
	if id == 0 {
		return nil
	}
	s := strconv.FormatInt(id, 10)
	return &s
}

func viewReceipt(r *hongyan.Receipt) *client.Receipt {
	if r == nil {
		return nil
	}
	return &client.Receipt{Status: r.Status, At: client.Time{Time: r.At}, JoinedBy: r.JoinedBy, Raw: r.Raw}
}

func viewHold(h *hongyan.Hold) *client.Hold {
	if h == nil {
		return nil
	}
	v := &client.Hold{Reason: h.Reason, Since: client.Time{Time: h.Since}, Until: client.At(h.Until), Release: h.Release, Detail: h.Detail}
	if h.Errcode != 0 {
		v.Errcode = &h.Errcode
	}
	return v
}
