package dispatch

import (
	"sync/atomic"
	"time"

	"hongyan"
	"hongyan/wechat"
)

// streamKey names a stream: the messages of one kind of one account. A stream
// has its own concurrency, gate and backlog, so that no account waits for
// another.
type streamKey struct {
	appID string
	kind  hongyan.MessageKind
}

// stream is what the engine knows of one stream. Guarded by Engine.mu.
type stream struct {
	key     streamKey
	account *account

	ready    []hongyan.Message // leased, their calls not begun; urgent ones first
	dealt    int               // of a claim that is being planned
	inflight int               // calls under way
	reserved int               // slots set aside for an insert or a claim under way

	limit   float64 // concurrent calls at present: up by one a round, halved on trouble
	halved  time.Time
	healthy bool // the last outcome was an answer: leasing ahead is safe

	feeder chan struct{} // closed when there is room for the rows of a batch again; nil = nobody waits

	backlog bool      // the store may hold due messages of it
	nextDue time.Time // when the next waiting message is due; zero = none known

	// gate closes the stream for a while without a person: WeChat does not answer,
	// no token can be had, or a minute's quota is used up.
	gateUntil  time.Time
	gateReason string
	failures   int  // attempts without an answer since the last answer
	probing    bool // half open: one harmless call is under way
	needProbe  bool // the gate closed for lack of answers: probe before sending
}

const (
	// aheadFactor times the limit, at most aheadMax messages are leased ahead of
	// their calls while WeChat answers. It hides the latency of a claim; in an
	// outage nothing is leased ahead, so that a crash then leaves in doubt only
	// what was truly tried.
	aheadFactor = 4
	aheadMax    = 512
	// halveEvery keeps one burst of errors from collapsing the limit to one.
	halveEvery = time.Second
	// gateAfter is how many attempts in a row may stay without an answer before
	// the stream's gate closes; of a kind that cannot ask again, each of them is a
	// message whose end nobody will know, so that there the first closes it.
	gateAfter = 3
)

// gateWaits are the gate's closing times as failures go on.
var gateWaits = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second}

// gateWait returns for how long a gate closes after so many failures in a row.
// An answer of a call begun before the gate closed, or a resume, may have set
// the count back while a probe was under way.
func gateWait(failures int) time.Duration {
	return gateWaits[min(max(0, failures-gateAfter), len(gateWaits)-1)]
}

// leased counts the messages this stream keeps a slot for, results aside.
func (s *stream) leased() int { return len(s.ready) + s.inflight + s.reserved }

// ahead returns how many messages may be leased beyond the calls under way. A
// lease takes its share of the rate: with one, what were leased ahead of slow
// calls would all leave at once when they are over. Of a kind that cannot ask
// again nothing is leased ahead, since a crash makes every lease uncertain.
func (s *stream) ahead() int {
	if !s.healthy || s.account.settings().RatePerSecond > 0 || !families[s.key.kind].repeats {
		return 0
	}
	return min(int(s.limit)*aheadFactor, aheadMax)
}

// room returns how many more messages may be leased.
func (s *stream) room() int { return max(0, int(s.limit)+s.ahead()-s.leased()) }

// open reports whether anything of the stream may leave now.
func (s *stream) open(now time.Time) bool {
	return s.account.heldBy(s.key.kind, now) == nil && !now.Before(s.gateUntil) && !s.probing && !s.needProbe
}

// succeeded takes note of an answer: the gate opens and the limit grows by one
// for each round of calls.
func (s *stream) succeeded() {
	s.failures, s.healthy = 0, true
	if ceiling := float64(s.account.ceiling()); s.limit < ceiling {
		s.limit = min(ceiling, s.limit+1/max(1, s.limit)+0.1)
	}
}

// troubled halves the limit, at most once a second.
func (s *stream) troubled(now time.Time) {
	if now.Sub(s.halved) < halveEvery {
		return
	}
	s.halved = now
	s.limit = max(1, s.limit/2)
}

// unanswered takes note of a call without an answer and reports whether the
// gate has just closed.
func (s *stream) unanswered(now time.Time) bool {
	s.failures++
	s.healthy = false
	s.troubled(now)
	if s.failures < s.patience() || now.Before(s.gateUntil) {
		return false
	}
	s.closeGate(now.Add(gateWait(s.failures)), hongyan.HoldUnreachable)
	s.needProbe, s.limit = true, 1
	return true
}

// patience is how many unanswered calls in a row close the gate.
func (s *stream) patience() int {
	if families[s.key.kind].repeats {
		return gateAfter
	}
	return 1
}

func (s *stream) closeGate(until time.Time, reason string) {
	if until.After(s.gateUntil) {
		s.gateUntil, s.gateReason = until, reason
	}
}

// scheduled takes note that a message of the stream waits until due.
func (s *stream) scheduled(due, now time.Time) {
	if !due.After(now) {
		s.backlog = true
		return
	}
	if s.nextDue.IsZero() || due.Before(s.nextDue) {
		s.nextDue = due
	}
}

// wakeAt returns when the stream next wants the claimer's attention; zero = only when poked.
func (s *stream) wakeAt(now time.Time) time.Time {
	if s.probing {
		return time.Time{} // its end pokes
	}
	if s.needProbe {
		if !s.backlog && s.nextDue.IsZero() {
			return time.Time{} // nothing to send: no probe either (startProbes)
		}
		if h := s.account.stoppedBy(s.key.kind, now); h != nil { // nor while nothing may leave
			if h.Until.IsZero() {
				return now.Add(farAway)
			}
			return h.Until
		}
		return latest(s.gateUntil, now)
	}
	if !s.backlog {
		return s.nextDue
	}
	if until := s.account.heldUntil(s.key.kind, now); !until.IsZero() {
		return until
	}
	if now.Before(s.gateUntil) {
		return s.gateUntil
	}
	if s.account.flight != nil {
		return time.Time{} // its end pokes
	}
	if s.account.roomFor(s.key.kind, now) == 0 {
		return s.account.meter.nextAsk(now)
	}
	return s.account.rate.next(now)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// account is what the engine keeps of an account between messages. Guarded by
// Engine.mu, but for the fields that never change.
type account struct {
	AppID   string                   // never changes
	stored  atomic.Pointer[settings] // replaced as a whole; readable without the mutex
	streams []*stream
	hungry  []*stream // of a claim that is being planned
	place   int       // of the first of them in Engine.order
	meter   *meter
	rate    rate
	flight  chan struct{}  // closed when what the store is being asked for has come; nil = nothing is
	holds   []hongyan.Hold // as the store has them, and those on their way to it
	unsaved []unsaved
	pacing  pacing
}

// settings are an account as stored and the client made for it. They never change.
type settings struct {
	hongyan.Account
	client *wechat.Client
}

// settings returns the account as it was last read from the store.
func (a *account) settings() *settings { return a.stored.Load() }

func (a *account) ceiling() int {
	if n := a.settings().MaxInFlight; n > 0 {
		return n
	}
	return hongyan.DefaultMaxInFlight
}

// needsPerson reports whether h keeps even what a person releases: resuming the
// account is the act that is wanted.
func needsPerson(h *hongyan.Hold) bool {
	return h.Reason == hongyan.HoldPaused || h.Reason == hongyan.HoldAccount
}

// stoppedBy returns the pause or stop that covers kind k at now, nil when there is none.
func (a *account) stoppedBy(k hongyan.MessageKind, now time.Time) *hongyan.Hold {
	return a.holdWhere(func(h *hongyan.Hold) bool { return needsPerson(h) && h.Covers(k, hongyan.Normal, now, now) })
}

// keeps returns the hold that keeps a leased message from leaving at now, nil
// when there is none.
func (a *account) keeps(j *job, now time.Time) *hongyan.Hold {
	if j.released {
		return a.stoppedBy(j.s.key.kind, now)
	}
	return a.heldBy(j.s.key.kind, now)
}

// heldBy returns a hold that covers every message of kind k at now, nil when there is none.
func (a *account) heldBy(k hongyan.MessageKind, now time.Time) *hongyan.Hold {
	return a.holdWhere(func(h *hongyan.Hold) bool { return h.Before.IsZero() && h.Covers(k, hongyan.Normal, now, now) })
}

// outage reports whether a hold says that WeChat does not answer calls of kind k.
func (a *account) outage(k hongyan.MessageKind, now time.Time) bool {
	return a.holdWhere(func(h *hongyan.Hold) bool {
		return h.Reason == hongyan.HoldUnreachable && h.Covers(k, hongyan.Normal, now, now)
	}) != nil
}

// covering returns a hold that covers a message, nil when there is none.
func (a *account) covering(m *hongyan.Message, now time.Time) *hongyan.Hold {
	return a.holdWhere(func(h *hongyan.Hold) bool { return h.Covers(m.Kind, m.Priority, m.DueAt, now) })
}

func (a *account) holdWhere(is func(*hongyan.Hold) bool) *hongyan.Hold {
	for i := range a.holds {
		if is(&a.holds[i]) {
			return &a.holds[i]
		}
	}
	return nil
}

// ownQuotaHold reports whether a rule of ours holds the whole account; WeChat's
// limits hold one kind of message, and name an errcode.
func (a *account) ownQuotaHold() bool {
	return a.holdWhere(func(h *hongyan.Hold) bool {
		return h.Reason == hongyan.HoldQuota && h.Kind == "" && h.Errcode == 0
	}) != nil
}

// heldUntil returns when the holds on kind k end: zero when there is none, or
// when only a person ends one (then heldForever is true of it).
func (a *account) heldUntil(k hongyan.MessageKind, now time.Time) time.Time {
	var until time.Time
	for i := range a.holds {
		h := &a.holds[i]
		if !h.Before.IsZero() || !h.Covers(k, hongyan.Normal, now, now) {
			continue
		}
		if h.Until.IsZero() {
			return now.Add(farAway)
		}
		until = latest(until, h.Until)
	}
	return until
}

// farAway stands for "when somebody says so" in timers.
const farAway = 24 * time.Hour

// quietBefore returns the Before of a quiet-hours hold on kind k at now; zero = none.
func (a *account) quietBefore(k hongyan.MessageKind, now time.Time) time.Time {
	var before time.Time
	for i := range a.holds {
		h := &a.holds[i]
		if !h.Before.IsZero() && (h.Kind == "" || h.Kind == k) && now.Before(h.Until) {
			before = latest(before, h.Before)
		}
	}
	return before
}
