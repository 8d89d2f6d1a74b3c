package prove

import (
	"context"
	"fmt"
	"time"

	"hongyan"
	"hongyan/internal/fault"
	"hongyan/sandbox"
)

// sendPath is where messages of kind template leave.
const sendPath = "/cgi-bin/message/template/send"

// The moments of a late answer: the first call is answered to nobody, its event
// comes while the second call hangs, and is joined to the message before that is
// answered. The second call begins five seconds after the first.
const (
	lateMessages = 12 // three of each account: more lost answers in a row would close its gate
	lateEvent    = 6 * time.Second
	lateAnswer   = 8 * time.Second
)

// runFence is test 6. On PostgreSQL a node is frozen for longer than its lease
// and thawed again: others have taken over, and its late results must not count.
// On SQLite there is one process, and the fence guards against a result that
// comes after the message has ended by its receipt.
func runFence(ctx context.Context, t *trial) error {
	if t.cfg.postgres() {
		return runFrozenNode(ctx, t)
	}
	r, err := t.rig(ctx, rigOptions{env: []string{orphanAfter}})
	if err != nil {
		return err
	}
	for i := range lateMessages {
		for _, m := range []mischief{
			{"path": sendPath, "openid": userOf(i), "drop_answer": true, "late_event_ms": lateEvent.Milliseconds(), "times": 1},
			{"path": sendPath, "openid": userOf(i), "hang_ms": lateAnswer.Milliseconds(), "times": 1},
		} {
			if err := r.wx.fault(ctx, m); err != nil {
				return err
			}
		}
	}
	l, w := &load{r: r, messages: lateMessages, compose: r.ordersOfAll}, &watch{r: r}
	endWatch := w.begin(ctx)
	defer endWatch()
	l.run(ctx)
	t.say("%d answers are lost; the events come while the second calls hang", lateMessages)
	if err := pause(ctx, lateEvent+lateAnswer+time.Second); err != nil {
		return err
	}
	if err := t.judgeWatched(ctx, r, []*load{l}, w, endWatch); err != nil {
		return err
	}
	late := 0
	for i := range t.books.rows {
		if m := &t.books.rows[i]; m.Receipt != nil && m.Receipt.JoinedBy == "user_and_time" {
			late++
		}
	}
	t.figure("ended_before_their_answer", float64(late))
	t.want(late == lateMessages, "%d of %d messages ended by their receipt before the second answer came: the test has not tested", late, lateMessages)
	return nil
}

const (
	frozenLease = 5 * time.Second
	frozenFor   = 3 * frozenLease
	frozenLoad  = 2_000
)

// runFrozenNode freezes a node under load for longer than its lease.
func runFrozenNode(ctx context.Context, t *trial) error {
	if t.cfg.Lease == 0 || t.cfg.Lease > frozenLease {
		t.cfg.Lease = frozenLease
	}
	r, err := t.rig(ctx, rigOptions{latency: killLatency, env: []string{orphanAfter}})
	if err != nil {
		return err
	}
	l, w := &load{r: r, messages: frozenLoad, over: frozenFor, compose: r.orders(plain)}, &watch{r: r}
	l.begin(ctx)
	endWatch := w.begin(ctx)
	defer endWatch()
	frozen := r.nodes[len(r.nodes)-1]
	if err := pause(ctx, time.Second); err != nil {
		return err
	}
	if err := frozen.child().freeze(); err != nil {
		return err
	}
	if err := pause(ctx, frozenFor); err != nil {
		return err
	}
	if err := frozen.child().thaw(); err != nil {
		return err
	}
	if err := pause(ctx, time.Second); err != nil { // it writes what it still has in hand
		return err
	}
	frozen.kill() // as whoever watches /readyz would: it says that its lease is lost
	if err := frozen.start(ctx); err != nil {
		return err
	}
	l.wait()
	return t.judgeWatched(ctx, r, []*load{l}, w, endWatch)
}

// keyLife is how long an Idempotency-Key is known.
const keyLife = 24 * time.Hour

// clockLoad is the messages of each life of test 7.
const clockLoad = 300

// runClock is test 7: gateways whose clocks are wrong, a clock that jumps from one
// life to the next, and Beijing midnight.
func runClock(ctx context.Context, t *trial) error {
	for _, off := range []time.Duration{time.Hour, -time.Hour, 24 * time.Hour, -24 * time.Hour} {
		if err := t.wrongClock(ctx, off); err != nil {
			return fmt.Errorf("clock %v off: %w", off, err)
		}
	}
	return t.midnight(ctx)
}

// wrongClock runs one life with the clock off, kills it in the middle of its
// load, and another with the clock right: for messages in doubt the clock has
// jumped back or forward.
func (t *trial) wrongClock(ctx context.Context, off time.Duration) error {
	t.say("a clock that is %v off, then right again", off)
	word := fault.Clock(off, time.Time{})
	r, err := t.rig(ctx, rigOptions{latency: killLatency, env: []string{orphanAfter}, start: func(n *node) { n.faults = []string{word} }})
	if err != nil {
		return err
	}
	r.noDay = true
	before := &load{r: r, messages: clockLoad, over: 2 * time.Second, compose: r.orders(plain)}
	before.begin(ctx)
	if err := pause(ctx, time.Second); err != nil {
		return err
	}
	n := r.nodes[0]
	n.kill()
	if err := n.start(ctx); err != nil { // the same wrong time
		return err
	}
	before.wait()
	if err := t.quiet(ctx, r); err != nil {
		return err
	}
	during := &load{r: r, messages: clockLoad, first: clockLoad, over: 2 * time.Second, compose: r.orders(plain)}
	during.begin(ctx)
	if off <= -keyLife {
		during.wait() // for the clock a day goes by now, and callers' keys end with it
	} else if err := pause(ctx, time.Second); err != nil {
		return err
	}
	n.kill()
	n.faults = nil
	if err := n.start(ctx); err != nil { // the right time: a jump
		return err
	}
	during.wait()
	return t.judgeJump(ctx, r, []*load{before, during}, off)
}

// quiet waits until nothing moves any more.
func (t *trial) quiet(ctx context.Context, r *rig) error {
	return await(ctx, settleWithin, time.Second, func() (bool, error) {
		n, err := r.waiting(ctx)
		return n == 0, err
	}, func() string { return "messages still wait" })
}

// judgeJump judges after a jump of the clock. What was in doubt before a jump
// back waits for a time that lies ahead; before a jump forward it has left the ten
// minutes behind and is uncertain, and its event, an hour off, is joined to
// nothing. Anything else is wrong.
func (t *trial) judgeJump(ctx context.Context, r *rig, loads []*load, off time.Duration) error {
	var promises []*promise
	for _, l := range loads {
		promises = append(promises, l.promises...)
	}
	if off < 0 { // from a clock that was behind to the right one: forward
		if err := t.quiet(ctx, r); err != nil {
			return err
		}
	}
	if err := pause(ctx, 3*time.Second); err != nil { // events and their joining
		return err
	}
	books, err := r.read(ctx, promises)
	if err != nil {
		return err
	}
	books.restarts = r.restarts
	doubtful := map[string]bool{}
	for _, v := range books.check() {
		m := books.byID[v.Message]
		ahead := off > 0 && m != nil && m.State == "queued" && m.DueAt != nil && time.Until(m.DueAt.Time) > off/2
		left := off < 0 && m != nil && m.State == "uncertain"
		if (v.Invariant == "I2" || v.Invariant == "I7") && (ahead || left) {
			doubtful[v.Message] = true
			continue
		}
		t.result.Violations = append(t.result.Violations, v)
	}
	t.result.Figures["in_doubt_at_a_jump"] += float64(len(doubtful))
	t.result.Figures["promised"] += float64(len(promises))
	return nil
}

const (
	midnightAhead = 8 * time.Second
	midnightQuota = 50 // a day; see furnish
	midnightLoad  = 3 * midnightQuota
)

// midnight lets Beijing midnight come while an account waits for it: one more
// day's quota goes out, once, and not a call more.
func (t *trial) midnight(ctx context.Context) error {
	now := time.Now()
	off := hongyan.PeriodEnd("day", now).Sub(now) - midnightAhead
	t.say("Beijing midnight in %v", midnightAhead)
	cfg := t.cfg
	t.cfg.Messages = 1 // the quota account's limit is its least
	defer func() { t.cfg = cfg }()
	r, err := t.rig(ctx, rigOptions{env: []string{orphanAfter}, start: func(n *node) { n.faults = []string{fault.Clock(off, time.Time{})} }})
	if err != nil {
		return err
	}
	l := &load{r: r, messages: midnightLoad, compose: r.orders(quota)}
	l.run(ctx)
	midnight := now.Add(midnightAhead)
	if err := pause(ctx, time.Until(midnight)+5*time.Second); err != nil {
		return err
	}
	calls, err := r.callsOf(ctx, quota)
	if err != nil {
		return err
	}
	before, after := 0, len(calls)
	for _, e := range calls {
		if e.Time.Time.Before(midnight) {
			before++
		}
	}
	t.want(before == midnightQuota, "before midnight %d calls were made, want the day's %d", before, midnightQuota)
	t.want(after == 2*midnightQuota, "after midnight it is %d calls, want %d", after, 2*midnightQuota)
	t.figure("calls_before_midnight", float64(before))
	t.figure("calls_after_midnight", float64(after))
	return nil
}

// sentBy counts the sends of an account that the platform has received.
func (r *rig) sentBy(ctx context.Context, appID string) (int, error) {
	calls, err := r.callsOf(ctx, appID)
	return len(calls), err
}

func (r *rig) callsOf(ctx context.Context, appID string) ([]sandbox.LedgerEntry, error) {
	all, err := r.wx.ledgerOf(ctx, "appid="+appID)
	var calls []sandbox.LedgerEntry
	for _, e := range all {
		if sends(e.Path) {
			calls = append(calls, e)
		}
	}
	return calls, err
}
