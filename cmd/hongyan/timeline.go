package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"hongyan/client"
)

// moment is one thing that happened to a message, or will.
type moment struct {
	at     time.Time // zero = no time of its own: it comes last
	mark   string
	colour colour
	what   string
	lines  []string // what is known of it; the first stands beside what
}

// timeline is a message's life in order of time. What is still to come ends it.
func timeline(m client.Message) []moment {
	all := []moment{{m.CreatedAt.Time, "•", plain, "stored", storedLines(m)}}
	for _, a := range m.Attempts {
		all = append(all, attemptMoment(a))
	}
	if m.AcceptedAt != nil {
		all = append(all, moment{m.AcceptedAt.Time, "•", plain, "accepted", []string{msgIDWords(m)}})
	}
	if m.Hold != nil {
		all = append(all, heldMoment(m))
	}
	if m.Receipt != nil {
		all = append(all, receiptMoment(m))
	}
	if m.State == "cancelled" || m.State == "expired" || m.State == "failed" && m.Reason == "no_answer" || m.State == "uncertain" {
		state := stateCell(m.State)
		all = append(all, moment{m.UpdatedAt.Time, "✗", state.colour, m.State, []string{strings.TrimSpace(m.Reason)}})
	}
	slices.SortStableFunc(all, func(a, b moment) int { return a.at.Compare(b.at) })
	if last := comingMoment(m); last != nil {
		all = append(all, *last)
	}
	return all
}

func storedLines(m client.Message) []string {
	lines := []string{fmt.Sprintf("%s, priority %s", m.Kind, m.Priority)}
	if m.RetryOf != nil {
		lines = append(lines, "made by a retry of "+*m.RetryOf)
	}
	return lines
}

// attemptMoment is one call to WeChat: what came of it, how long it took, what that
// means, and the rid by which WeChat finds it.
func attemptMoment(a client.Attempt) moment {
	at := moment{a.StartedAt.Time, "✓", green, fmt.Sprintf("attempt %d", a.N), nil}
	words := strings.ReplaceAll(a.Outcome, "_", " ")
	if a.Errcode != nil {
		words = fmt.Sprintf("errcode %d", *a.Errcode)
	}
	if a.Errcode == nil || *a.Errcode != 0 {
		at.mark, at.colour = "✗", red
	}
	if a.Errmsg != "" && (a.Errcode == nil || *a.Errcode != 0) {
		words += " " + a.Errmsg
	}
	if a.EndedAt != nil {
		words += ", in " + took(a.EndedAt.Time.Sub(a.StartedAt.Time))
	}
	at.lines = append(at.lines, words)
	if a.ErrcodeInfo != nil {
		at.lines = append(at.lines, a.ErrcodeInfo.Meaning, a.ErrcodeInfo.MeaningZH)
	}
	if a.RID != "" {
		at.lines = append(at.lines, "rid "+a.RID)
	}
	return at
}

// heldMoment is the hold a message waits for. One of its account's may be older than
// the message itself.
func heldMoment(m client.Message) moment {
	held := moment{m.Hold.Since.Time, "!", amber, "held", holdLines(m.Hold)}
	if held.at.Before(m.CreatedAt.Time) {
		held.at = m.CreatedAt.Time
		held.lines = append(held.lines, "since "+timeCell(&m.Hold.Since).text)
	}
	return held
}

// receiptMoment is the event that told the outcome.
func receiptMoment(m client.Message) moment {
	r := moment{m.Receipt.At.Time, "✓", green, "receipt", []string{m.Receipt.Status + ", joined by " + m.Receipt.JoinedBy}}
	if m.Receipt.Status != "success" {
		r.mark, r.colour = "✗", red
		if m.Receipt.Raw != "" {
			r.lines = append(r.lines, "WeChat's word: "+m.Receipt.Raw)
		}
	}
	// WeChat's CreateTime has whole seconds: an event must not stand before what it is about.
	if m.AcceptedAt != nil && r.at.Before(m.AcceptedAt.Time) && m.AcceptedAt.Time.Sub(r.at) < time.Second {
		r.at = m.AcceptedAt.Time
	}
	return r
}

// comingMoment is what a message that has not ended waits for; nil when that was said already.
func comingMoment(m client.Message) *moment {
	switch {
	case m.Final || m.Receipt != nil || m.Hold != nil:
		return nil
	case m.InReview:
		return &moment{mark: "…", colour: amber, what: "review", lines: []string{"WeChat reviews it and delivers it itself if it passes"}}
	case m.State == "accepted" && m.ReceiptOverdue:
		return &moment{mark: "!", colour: amber, what: "overdue", lines: []string{"no event for more than 24 h: hongyan doctor looks whether pushes arrive"}}
	case m.State == "accepted":
		return &moment{mark: "…", colour: amber, what: "receipt", lines: []string{"WeChat's event has not come yet"}}
	case m.DueAt != nil && m.AcceptedAt == nil:
		return &moment{at: m.DueAt.Time, mark: "…", colour: amber, what: "due", lines: []string{strings.TrimSuffix("not before this, "+m.Reason, ", ")}}
	}
	return nil
}

// Widths of a timeline's first columns, in cells.
const (
	agoWidth  = 11
	whatWidth = 11
)

// timeline prints moments with their distance from the first, lines cut for the terminal's width.
func (p *printer) timeline(moments []moment) {
	begin := moments[0].at
	indent := agoWidth + 2 + 2 + whatWidth
	for _, m := range moments {
		ago := ""
		if !m.at.IsZero() {
			ago = "+" + took(m.at.Sub(begin))
		}
		lines := m.lines
		if len(lines) == 0 {
			lines = []string{""}
		}
		head := strings.Repeat(" ", max(0, agoWidth-runewidth.StringWidth(ago))) + p.paint(grey, ago) +
			"  " + p.paint(m.colour, m.mark) + " " + p.paint(m.colour, fmt.Sprintf("%-*s", whatWidth, m.what))
		p.line("%s", strings.TrimRight(head+wrapped(lines[0], indent, p.columns), " "))
		for _, line := range lines[1:] {
			p.line("%s%s", strings.Repeat(" ", indent), wrapped(line, indent, p.columns))
		}
	}
}

// took writes a span of time for people: the two greatest units at most.
func took(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d m %02d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %02d m", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d d %02d h", int(d.Hours())/24, int(d.Hours())%24)
	}
}

// holdLines says why a message waits, and what lets it go.
func holdLines(h *client.Hold) []string {
	lines := []string{h.Reason}
	if h.Detail != "" {
		lines[0] += ": " + h.Detail
	}
	end := h.Release
	if h.Until != nil {
		end = strings.TrimPrefix(end+" ("+timeCell(h.Until).text+")", " ")
	}
	if end != "" {
		lines = append(lines, "what ends it: "+end)
	}
	return lines
}
