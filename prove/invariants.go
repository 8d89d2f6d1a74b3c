package prove

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
)

// Violation is one message, or one account, for which an invariant does not hold.
type Violation struct {
	Invariant string   `json:"invariant"` // I1 … I7
	Message   string   `json:"message,omitempty"`
	OpenID    string   `json:"openid,omitempty"`
	Detail    string   `json:"detail"`
	History   []string `json:"history,omitempty"` // what each party knows of that message, in order of time
}

// invariant is one of design §7: what must hold, and where it does not.
type invariant struct {
	name, says string
	broken     func(*ledgers) []Violation
}

// invariants lists them.
func invariants() []invariant {
	return []invariant{
		{"I1", "every 202 has exactly one row", i1},
		{"I2", "every row ends final, held, uncertain, or accepted awaiting its event", i2},
		{"I3", "a user gets at most one message per row inside 10 minutes", i3},
		{"I4", "no account exceeds rate or quota", i4},
		{"I5", "the rank of a state never falls", i5},
		{"I6", "counters equal a recount", i6},
		{"I7", "every event that was answered with success reaches its message and the business's server, the same each time", i7},
	}
}

// check holds all of them against the ledgers.
func (l *ledgers) check() []Violation {
	var all []Violation
	for _, inv := range invariants() {
		for _, v := range inv.broken(l) {
			v.Invariant = inv.name
			all = append(all, v)
		}
	}
	return all
}

func aboutRow(m *client.Message, format string, args ...any) Violation {
	return Violation{Message: m.ID, OpenID: m.ToUser, Detail: fmt.Sprintf(format, args...)}
}

func i1(l *ledgers) (found []Violation) {
	for _, p := range l.promises {
		if p.id == "" {
			continue
		}
		switch m := l.byID[p.id]; {
		case m == nil:
			found = append(found, Violation{Message: p.id, OpenID: p.openID, Detail: fmt.Sprintf("lost: message %d was answered with success and has no row", p.number)})
		case m.ToUser != p.openID:
			found = append(found, aboutRow(m, "message %d for %s was promised this row, which is for %s", p.number, p.openID, m.ToUser))
		}
		if rows := l.byOpenID[p.openID]; len(rows) > 1 {
			found = append(found, aboutRow(rows[1], "message %d has %d rows, and one Idempotency-Key", p.number, len(rows)))
		}
	}
	return found
}

// unforeseen are ends that no message of a load can come to: all are valid, and
// nobody cancels them.
var unforeseen = []string{"failed", "cancelled", "expired"}

func i2(l *ledgers) (found []Violation) {
	for i := range l.rows {
		m := &l.rows[i]
		calls := l.callsTo[m.ToUser]
		first := firstTaken(calls)
		switch {
		case m.State == "queued" || m.State == "sending":
			found = append(found, aboutRow(m, "still %s when all is quiet", m.State))
		case m.State == "held" && m.Hold == nil:
			found = append(found, aboutRow(m, "held, and nothing says why"))
		case slices.Contains(unforeseen, m.State):
			found = append(found, aboutRow(m, "ended %s (%s, errcode %s), and nothing is wrong with it", m.State, m.Reason, errcodeWord(m.Errcode)))
		case m.State == "accepted" && m.Receipt != nil:
			found = append(found, aboutRow(m, "accepted, though its receipt is here"))
		case slices.Contains([]string{"accepted", "delivered", "undelivered"}, m.State) && first == nil:
			found = append(found, aboutRow(m, "%s, and the platform never took it", m.State))
		case m.State == "delivered" && first.Fate != "shown", m.State == "undelivered" && first.Fate != m.Reason:
			found = append(found, aboutRow(m, "%s (%s), and the platform says %s", m.State, m.Reason, first.Fate))
		}
	}
	return found
}

func errcodeWord(code *int) string {
	if code == nil {
		return "none"
	}
	return fmt.Sprint(*code)
}

func firstTaken(calls []*sandbox.LedgerEntry) *sandbox.LedgerEntry {
	for _, e := range calls {
		if taken(e) {
			return e
		}
	}
	return nil
}

// window is how long a second message to a user would be a duplicate.
const window = 10 * time.Minute

func i3(l *ledgers) (found []Violation) {
	for _, openID := range slices.Sorted(maps.Keys(l.callsTo)) {
		var last *sandbox.LedgerEntry
		for _, e := range l.callsTo[openID] {
			if !taken(e) {
				continue
			}
			if last != nil && e.Time.Time.Sub(last.Time.Time) < window {
				v := Violation{OpenID: openID, Detail: fmt.Sprintf("duplicated: the platform took it as %s and again as %s", last.MsgID, e.MsgID)}
				if rows := l.byOpenID[openID]; len(rows) > 0 {
					v.Message = rows[0].ID
				}
				found = append(found, v)
			}
			last = e
		}
	}
	return found
}

func i4(l *ledgers) (found []Violation) {
	for _, lim := range l.limits {
		var times []time.Time
		for i := range l.calls {
			if l.calls[i].AppID == lim.appID {
				times = append(times, l.calls[i].Time.Time)
			}
		}
		if n := int64(len(times)); lim.perDay > 0 && n > lim.perDay {
			found = append(found, Violation{Detail: fmt.Sprintf("%s made %d calls, %d a day are allowed", lim.appID, n, lim.perDay)})
		}
		if lim.perSecond > 0 {
			if why := tooFast(times, lim.perSecond, l.restarts); why != "" {
				found = append(found, Violation{Detail: lim.appID + " " + why})
			}
		}
	}
	return found
}

// tooFast looks at every span of calls: in d seconds there may be the rate times
// d, and one second's worth at once, the documented burst. A process that starts
// begins with a full second.
func tooFast(times []time.Time, perSecond float64, restarts []time.Time) string {
	for _, span := range []time.Duration{time.Second, 10 * time.Second, time.Minute} {
		first := 0
		for last := range times {
			for times[last].Sub(times[first]) > span {
				first++
			}
			fresh := 1 + countBetween(restarts, times[first].Add(-time.Second), times[last])
			most := perSecond*((times[last].Sub(times[first])+arrivalJitter).Seconds()+float64(fresh)) + 1
			if n := last - first + 1; float64(n) > most {
				return fmt.Sprintf("made %d calls within %v, %.0f are allowed", n, times[last].Sub(times[first]), most)
			}
		}
	}
	return ""
}

// arrivalJitter is how much closer together calls may arrive than they were let
// go: a busy machine holds some up.
const arrivalJitter = 100 * time.Millisecond

func countBetween(times []time.Time, from, to time.Time) (n int) {
	for _, t := range times {
		if !t.Before(from) && !t.After(to) {
			n++
		}
	}
	return n
}

func i5(l *ledgers) (found []Violation) {
	for _, fall := range l.falls {
		found = append(found, Violation{Detail: fall})
	}
	return found
}

func i6(l *ledgers) (found []Violation) {
	recount, calls := map[string]int64{}, map[string]int64{}
	for i := range l.rows {
		m := &l.rows[i]
		recount[m.AppID+" "+counted(m.State)]++
		if n := len(m.Attempts); n > 0 {
			calls[m.AppID] += int64(m.Attempts[n-1].N)
		}
	}
	for i := range l.calls { // a call refused for its token is in the timeline and costs nothing
		if e := &l.calls[i]; slices.Contains(tokenCodes, e.ErrCode) {
			calls[e.AppID]--
		}
	}
	kept := map[string]int64{}
	for key, n := range l.counts {
		var appID, state string
		fmt.Sscan(key, &appID, &state)
		kept[appID+" "+counted(state)] += n
	}
	for _, key := range union(recount, kept) {
		if recount[key] != kept[key] {
			found = append(found, Violation{Detail: fmt.Sprintf("%s: the counter says %d, a recount %d", key, kept[key], recount[key])})
		}
	}
	for _, appID := range union(calls, l.usage) {
		if l.usage != nil && calls[appID] != l.usage[appID] {
			found = append(found, Violation{Detail: fmt.Sprintf("%s: %d calls are counted against the quota, the timelines have %d", appID, l.usage[appID], calls[appID])})
		}
	}
	return found
}

// tokenCodes are WeChat's words for a token that is dead (spec §2.6).
var tokenCodes = []int{40001, 40014, 42001}

// counted is the state a message is counted under: held is a view of queued.
func counted(state string) string {
	if state == "held" {
		return "queued"
	}
	return state
}

func union(a, b map[string]int64) []string {
	keys := slices.Collect(maps.Keys(a))
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, cmp.Compare[string])
	return keys
}

func i7(l *ledgers) []Violation { return append(unreceived(l), unhanded(l)...) }

// unreceived are messages whose event we answered with success, and which do not
// show it.
func unreceived(l *ledgers) (found []Violation) {
	for i := range l.rows {
		m := &l.rows[i]
		if m.Receipt != nil || !hasEvent(m.Kind) {
			continue
		}
		for _, e := range l.callsTo[m.ToUser] {
			if told(e) {
				found = append(found, aboutRow(m, "we answered success to the event of %s, and the message is %s without a receipt", e.MsgID, m.State))
				break
			}
		}
	}
	return found
}

// unhanded are events of the account whose pushes are handed on that the
// business's server never got, or got in different words.
func unhanded(l *ledgers) (found []Violation) {
	for i := range l.calls {
		e := &l.calls[i]
		if e.AppID != shop || !told(e) || e.DuplicateOf != "" {
			continue
		}
		v := Violation{OpenID: e.ToUser}
		if rows := l.byOpenID[e.ToUser]; len(rows) > 0 {
			v.Message = rows[0].ID
		}
		events := l.seen[e.ToUser]
		if len(events) == 0 {
			v.Detail = fmt.Sprintf("we answered success to the event of %s, and it never came to the business's server", e.MsgID)
			found = append(found, v)
		} else if most := slices.Max(events); most > 1 {
			v.Detail = fmt.Sprintf("one event of %s came to the business's server in %d different forms", e.MsgID, most)
			found = append(found, v)
		}
	}
	return found
}
