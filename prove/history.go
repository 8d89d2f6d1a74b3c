package prove

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// history is what each party knows of the message of a violation, in order of
// time: callers, store, platform.
func (r *rig) history(ctx context.Context, l *ledgers, v *Violation) []string {
	var told []moment
	if p := l.promiseOf(v.OpenID); p != nil {
		told = append(told, p.moments()...)
	}
	for _, e := range l.callsTo[v.OpenID] {
		told = append(told, moment{e.Time.Time, "platform", fmt.Sprintf("call %d to %s, client_msg_id %q: errcode %d, msgid %s, duplicate of %q, answer written: %v, fate %s",
			e.Seq, e.Path, e.ClientMsgID, e.ErrCode, e.MsgID, e.DuplicateOf, e.Answered, e.Fate)})
		for _, p := range e.Pushes {
			told = append(told, moment{p.At.Time, "platform", fmt.Sprintf("pushed the event of %s: HTTP %d after %d ms", e.MsgID, p.HTTPStatus, p.MS)})
		}
	}
	for _, m := range l.byOpenID[v.OpenID] {
		told = append(told, r.rowMoments(ctx, m.ID)...)
	}
	slices.SortStableFunc(told, func(a, b moment) int { return a.at.Compare(b.at) })
	lines := make([]string, len(told))
	for i, m := range told {
		lines[i] = m.String()
	}
	return lines
}

// moment is one line of a history.
type moment struct {
	at   time.Time
	who  string
	what string
}

func (m moment) String() string {
	return fmt.Sprintf("%s  %-8s  %s", m.at.UTC().Format("15:04:05.000"), m.who, m.what)
}

func (p *promise) moments() []moment {
	all := []moment{{p.sentAt, "caller", fmt.Sprintf("posts message %d for %s with Idempotency-Key %s", p.number, p.openID, p.request.IdempotencyKey)}}
	if p.id == "" {
		return append(all, moment{time.Now(), "caller", fmt.Sprintf("has no answer after %d posts: %s", p.tries, p.trouble)})
	}
	return append(all, moment{p.toldAt, "caller", fmt.Sprintf("is promised %s at post %d", p.id, p.tries)})
}

// rowMoments is a message's timeline as the gateway shows it.
func (r *rig) rowMoments(ctx context.Context, id string) []moment {
	m, err := r.api().Message(ctx, id)
	if err != nil {
		return []moment{{time.Now(), "store", fmt.Sprintf("%s cannot be read: %v", id, err)}}
	}
	all := []moment{{m.CreatedAt.Time, "store", id + " created, kind " + m.Kind + ", priority " + m.Priority}}
	for _, a := range m.Attempts {
		what := fmt.Sprintf("attempt %d: %s", a.N, a.Outcome)
		if a.Errcode != nil {
			what += fmt.Sprintf(", errcode %d %s", *a.Errcode, a.Errmsg)
		} else if a.Errmsg != "" {
			what += ", " + a.Errmsg
		}
		all = append(all, moment{a.StartedAt.Time, "store", what})
	}
	if m.Receipt != nil {
		all = append(all, moment{m.Receipt.At.Time, "store", fmt.Sprintf("receipt %s, joined by %s (time of the event)", m.Receipt.Status, m.Receipt.JoinedBy)})
	}
	end := strings.TrimSpace(fmt.Sprintf("is %s %s", m.State, m.Reason))
	return append(all, moment{m.UpdatedAt.Time, "store", end})
}
