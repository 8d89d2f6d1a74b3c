package access

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"hongyan"
)

// Outcomes of an audit entry.
const (
	OK      = "ok"
	Refused = "refused" // by role, scope or secret
	Failed  = "failed"  // allowed, and came to nothing
)

// LoginRefused is the action of a wrong secret.
const LoginRefused = "login.refused"

// Bounds of an entry's texts, in bytes. Some of them are a stranger's.
const (
	maxTarget = 80
	maxDetail = 400
	maxRemote = 64
)

// Refusal is a login that was refused: a wrong secret.
type Refusal struct {
	Remote string // address without port, see RemoteOf
	Action string // LoginRefused, as a rule
	Target string // what was asked for, e.g. an appid; "" = nothing
	Detail string // why, for people; never a secret
}

// Refuse counts a wrong secret against its address and notes it in the audit
// log. Refusals that say nothing about the secret, such as a role that does not
// reach, are Record's.
func (d *Desk) Refuse(ctx context.Context, r Refusal) {
	d.guesses.wrong(r.Remote, time.Now())
	d.Record(ctx, hongyan.AuditEntry{Remote: r.Remote, Action: r.Action, Target: r.Target, Outcome: Refused, Detail: r.Detail})
}

// Record notes in the audit log what somebody did; a zero At is now, an empty
// Outcome OK. An entry that is OK is in the store when Record returns, whether
// the caller's ctx has ended or not. Others are gathered and written by Run
// within seconds: the first soon, equal ones of the next minute as one entry with
// their Count. A failure to write is logged, because the change is made already.
func (d *Desk) Record(ctx context.Context, e hongyan.AuditEntry) {
	e = bounded(e)
	if e.At.IsZero() {
		e.At = hongyan.Millis(d.store.Now())
	}
	if e.Outcome != OK {
		d.gathered.add(e, time.Now())
		return
	}
	// What was gathered before goes first, so that the log is in order.
	d.append(ctx, append(d.gathered.take(time.Now(), false), e))
}

// Flush writes what is gathered now, for somebody who is about to read the log.
func (d *Desk) Flush(ctx context.Context) { d.writeGathered(ctx, true) }

func (d *Desk) writeGathered(ctx context.Context, all bool) {
	entries := d.gathered.take(time.Now(), all)
	if len(entries) > 0 {
		d.append(ctx, entries)
	}
}

// writeTimeout bounds one write.
const writeTimeout = 2 * time.Second

// append writes entries, though ctx may have ended: they tell what has happened.
// What cannot be written goes to the log in its place, so that it is somewhere.
func (d *Desk) append(ctx context.Context, entries []hongyan.AuditEntry) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	err := d.store.AppendAudit(ctx, entries)
	if err == nil {
		return
	}
	for _, e := range entries {
		d.log.ErrorContext(ctx, "write the audit log", "actor", e.Actor, "remote", e.Remote, "action", e.Action,
			"target", e.Target, "outcome", e.Outcome, "detail", e.Detail, "count", e.Count, "err", err)
	}
}

func bounded(e hongyan.AuditEntry) hongyan.AuditEntry {
	e.Outcome = cmp.Or(e.Outcome, OK)
	e.Remote = clip(e.Remote, maxRemote)
	e.Target = clip(e.Target, maxTarget)
	e.Detail = clip(e.Detail, maxDetail)
	e.Count = max(e.Count, 1)
	return e
}

// clip shortens text and makes it plain: valid UTF-8, nothing that moves a
// terminal's cursor.
func clip(s string, size int) string {
	if len(s) > size {
		s = s[:size-len("…")] + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

const (
	// gatherFor is how long equal entries are gathered after one was written.
	gatherFor = time.Minute
	// maxGathered bounds memory, and how many rows a minute of attack leaves.
	maxGathered = 256
	// beyond is the detail of the entry that stands for all the others.
	beyond = "more than could be told apart"
)

// gatherer makes one entry of equal ones. Safe for concurrent use.
type gatherer struct {
	mu   sync.Mutex
	same map[sameness]*gathering
	seq  int64 // of the last gathering begun
}

// sameness is what makes entries equal.
type sameness struct{ actor, from, action, target, outcome, detail string }

type gathering struct {
	entry  hongyan.AuditEntry // Count 0 = nothing new since the last write
	seq    int64              // grows with the time of its first
	nextAt time.Time          // when it is written again
}

func newGatherer() *gatherer { return &gatherer{same: map[sameness]*gathering{}} }

func (g *gatherer) add(e hongyan.AuditEntry, now time.Time) {
	key := sameness{e.Actor, neighbourhood(e.Remote), e.Action, e.Target, e.Outcome, e.Detail}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.same[key] == nil && len(g.same) >= maxGathered {
		e.Actor, e.Remote, e.Target, e.Detail = "", "", "", beyond
		key = sameness{action: e.Action, outcome: e.Outcome, detail: beyond}
	}
	known := g.same[key]
	if known == nil {
		known = &gathering{nextAt: now}
		g.same[key] = known
	}
	if known.entry.Count > 0 {
		known.entry.Count += e.Count
		return
	}
	g.seq++
	known.entry, known.seq = e, g.seq
}

// take returns what is to be written now, oldest first, and forgets what had
// nothing new for a minute. all = whatever there is.
func (g *gatherer) take(now time.Time, all bool) []hongyan.AuditEntry {
	g.mu.Lock()
	defer g.mu.Unlock()
	var due []gathering
	for key, known := range g.same {
		ready := all || !now.Before(known.nextAt)
		switch {
		case known.entry.Count > 0 && ready:
			due = append(due, *known)
			known.entry.Count, known.nextAt = 0, now.Add(gatherFor)
		case ready && !now.Before(known.nextAt):
			delete(g.same, key)
		}
	}
	slices.SortFunc(due, func(x, y gathering) int { return cmp.Compare(x.seq, y.seq) })
	entries := make([]hongyan.AuditEntry, len(due))
	for i := range due {
		entries[i] = due[i].entry
	}
	return entries
}
