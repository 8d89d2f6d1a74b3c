package store

import "hongyan"

// ChangeOfResult is what news keep of an applied result. One that waits for
// another try says when.
func ChangeOfResult(r *Result, kind hongyan.MessageKind) hongyan.MessageChange {
	c := hongyan.MessageChange{
		State: r.State.String(), Reason: r.Reason, Final: r.State.Final(kind), MsgID: hongyan.NewsMsgID(r.MsgID),
		InReview: r.InReview, MayDuplicate: r.MayDuplicate, Hold: hongyan.NewHoldChange(r.Hold),
	}
	c.Attempts = r.Fence.Attempts - 1 + len(r.Attempts)
	if n := len(r.Attempts); n > 0 {
		setAnswer(&c, &r.Attempts[n-1])
	}
	if r.State.Waiting() {
		c.DueAt = hongyan.NewsTime(r.DueAt)
	}
	return c
}

// ChangeOfMessage is what news keep of a message as it is now.
func ChangeOfMessage(m *hongyan.Message) hongyan.MessageChange {
	c := hongyan.MessageChange{
		State: m.State.String(), Reason: m.Reason, Final: m.Final(), MsgID: hongyan.NewsMsgID(m.MsgID),
		Attempts: m.Attempts, InReview: m.InReview, MayDuplicate: m.MayDuplicate, Hold: hongyan.NewHoldChange(m.Hold),
	}
	setAnswer(&c, &m.Last)
	if m.Receipt != nil {
		c.Receipt = hongyan.NewReceiptChange(m.Receipt, false)
	}
	if m.State.Waiting() {
		c.DueAt = hongyan.NewsTime(m.DueAt)
	}
	return c
}

// setAnswer tells what the latest call was answered.
func setAnswer(c *hongyan.MessageChange, a *hongyan.Attempt) {
	if a.N == 0 {
		return
	}
	c.Errmsg, c.RID = a.Errmsg, a.RID
	if a.Outcome == hongyan.Answered {
		c.Errcode = &a.Errcode
	}
}

// Switched is what is told of messages that are held, released or cancelled together.
type Switched struct {
	Type   string
	Change hongyan.MessageChange
}

// NewsOfSwitch is what is told of messages that all became to, held under h (nil if not).
func NewsOfSwitch(to hongyan.State, h *hongyan.Hold) Switched {
	s := Switched{Type: hongyan.MessageNews(to, false), Change: hongyan.MessageChange{State: to.String(), Final: to.Rank() >= 3, Hold: hongyan.NewHoldChange(h)}}
	if h != nil {
		s.Change.Reason = h.Reason
	}
	if to == hongyan.Queued {
		s.Type = hongyan.NewsReleased
	}
	return s
}
