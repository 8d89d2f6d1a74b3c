package sandbox

import (
	"strings"
	"time"
)

// Spellings of Status, as found in documents and in SDKs (spec §5.1, K13).
const (
	spellingSpaced = "spaced" // "failed: user block", "failed: system failed"
	spellingTight  = "tight"  // "failed:user block", "failed:system failed"
	spellingBare   = "bare"   // "user block", "system failed"
	spellingUpper  = "upper"  // "SUCCESS", "FAILED:USER BLOCK"
)

// EventFault bends the event of the message that a struck call sends; the call
// itself goes on as if nothing were. An event without an answer is DropAnswer.
type EventFault struct {
	NoEvent         bool   `json:"no_event,omitzero"`         // delivered, but no event comes
	DoubleEvent     bool   `json:"double_event,omitzero"`     // the same event is pushed twice
	EarlyEvent      bool   `json:"early_event,omitzero"`      // delivered at once, and the event pushed before the call is answered
	LateEventMS     int    `json:"late_event_ms,omitzero"`    // the event is pushed so long after the delivery, with its CreateTime
	ContradictEvent bool   `json:"contradict_event,omitzero"` // a second later another event says the opposite
	EventStatus     string `json:"event_status,omitzero"`     // spelling of Status: spaced, tight, bare, upper
	EventMsgIDZero  bool   `json:"event_msgid_zero,omitzero"` // MsgID 0
}

// names are the fields that are set.
func (f *EventFault) names() []string {
	return named([]effect{
		{"no_event", f.NoEvent}, {"double_event", f.DoubleEvent}, {"early_event", f.EarlyEvent}, {"late_event_ms", f.LateEventMS != 0},
		{"contradict_event", f.ContradictEvent}, {"event_status", f.EventStatus != ""}, {"event_msgid_zero", f.EventMsgIDZero},
	})
}

func (f *EventFault) words() string { return strings.Join(f.names(), ", ") }

func (f *EventFault) check() error {
	if names := f.names(); f.NoEvent && len(names) > 1 {
		return &ControlError{Field: names[1], Rule: "cannot go with no_event"}
	}
	if f.EarlyEvent && f.LateEventMS != 0 {
		return &ControlError{Field: "late_event_ms", Rule: "cannot go with early_event", Value: f.LateEventMS}
	}
	return firstError(
		millisFrom("late_event_ms", &f.LateEventMS, 0),
		oneOf("event_status", f.EventStatus, spellingSpaced, spellingTight, spellingBare, spellingUpper),
	)
}

// spell writes a status in the rule's way.
func (f *EventFault) spell(status delivery) delivery {
	head, tail, failed := strings.Cut(status.text, ":")
	tail = strings.TrimSpace(tail)
	switch {
	case f.EventStatus == spellingUpper:
		status.text = strings.ToUpper(status.text)
	case !failed:
	case f.EventStatus == spellingSpaced:
		status.text = head + ": " + tail
	case f.EventStatus == spellingTight:
		status.text = head + ":" + tail
	case f.EventStatus == spellingBare:
		status.text = tail
	}
	return status
}

// opposite is the status that contradicts.
func opposite(status delivery) delivery {
	if status.fate == shownFate {
		return systemFailed
	}
	return deliveredOK
}

// doubleDelay and contradictionDelay keep the second event behind the first.
const (
	doubleDelay        = time.Millisecond
	contradictionDelay = time.Second
)

// reportBent pushes the event of a finished job as the rule says that struck its call.
func (p *platform) reportBent(m *message, status delivery, at time.Time) {
	f := m.bent
	if f.NoEvent {
		return
	}
	late := at.Add(time.Duration(f.LateEventMS) * time.Millisecond)
	p.emitLater(m, f.spell(status), at, late, f.EarlyEvent)
	if f.DoubleEvent {
		p.emitLater(m, f.spell(status), at, late.Add(doubleDelay), false)
	}
	if f.ContradictEvent {
		p.emitLater(m, f.spell(opposite(status)), at, late.Add(contradictionDelay), false)
	}
}

// emitLater pushes the event of a job finished at a time, now or when its own time
// has come. With early, m.told is closed after its first delivery.
func (p *platform) emitLater(m *message, status delivery, at, push time.Time, early bool) {
	job := p.newPush(m.account, m.row, m.finished(status, at))
	if job == nil {
		return // nobody to tell
	}
	if early {
		m.told = make(chan struct{})
		job.told = m.told
	}
	if push.After(at) {
		p.timers.add(push, job)
		return
	}
	p.enqueue(job)
}

// awaitEarly waits until the early event of an accepted message was delivered, as
// long as one delivery may take.
func (s *Sandbox) awaitEarly(c *call, a answer) {
	if a.accepted == nil || a.accepted.told == nil {
		return
	}
	limit := time.NewTimer(a.accepted.account.pushTimeout)
	defer limit.Stop()
	select {
	case <-a.accepted.told:
	case <-c.req.Context().Done():
	case <-limit.C: // nobody runs the sandbox, or the server is slow
	}
}
