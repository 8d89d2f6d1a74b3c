package dispatch

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hongyan"
	"hongyan/store"
)

var dayAndMonth = []hongyan.QuotaRule{
	{Scope: "account", Period: "day", Limit: 10}, {Scope: "account", Period: "month", Limit: 25},
	{Scope: "template", Period: "day", Limit: 4},
}

// bank is the store as meters know it: what is used and what nodes hold, by counter.
type bank struct {
	used map[usageKey]int64
	held map[usageKey]map[int64]int64
}

type usageKey struct {
	scope, period string
	from          time.Time
}

func keyOf(u store.UsageDelta) usageKey { return usageKey{u.Scope, u.Period, u.PeriodFrom} }

// reserve is store.Cluster.ReserveUsage.
func (b *bank) reserve(node int64, u store.UsageDelta, limit int64) int64 {
	k := keyOf(u)
	if b.held[k] == nil {
		b.held[k] = map[int64]int64{}
	}
	room := limit - b.used[k]
	for other, n := range b.held[k] {
		if other != node {
			room -= n
		}
	}
	got := max(min(b.held[k][node], u.N), min(u.N, max(0, room)))
	b.held[k][node] = got
	return got
}

// record is store.Messages.FinishAttempts.
func (b *bank) record(node int64, deltas []store.UsageDelta) {
	for _, d := range deltas {
		k := keyOf(d)
		b.used[k] += d.N
		if b.held[k] != nil {
			b.held[k][node] = max(0, b.held[k][node]-d.N)
		}
	}
}

// ledger is three nodes with one bank, and what each has leased.
type ledger struct {
	bank
	now   time.Time
	rules []hongyan.QuotaRule
	nodes []*ledgerNode
	next  int64
}

type ledgerNode struct {
	e        *Engine
	a        *account
	open     []lease    // leased, not recorded yet
	recorded []lease    // in the bank, not told yet
	asked    *question  // not in the bank yet
	answer   *ledgerAns // in the bank, not told yet
}

type ledgerAns struct {
	q    *question
	held int64
}

// lease is a call set aside: of a template, unless its rule forbade it.
type lease struct{ template string }

func (l *ledger) join() {
	l.next++
	n := &ledgerNode{e: New(Config{Store: &clocked{now: l.now}}), a: &account{AppID: "wx1", meter: newMeter(l.rules, nil)}}
	n.e.epoch.Store(l.next)
	l.nodes = append(l.nodes, n)
}

// TestNodesNeverPassALimitTogether draws askings, claims, calls, returns and nights
// on three nodes, with nodes that die and join. Whatever the order in which the store
// and the nodes learn of each other, what is used, what nodes have leased, and what a
// dead node may have called stays within every rule.
func TestNodesNeverPassALimitTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &ledger{bank: bank{map[usageKey]int64{}, map[usageKey]map[int64]int64{}}, now: at, rules: rapid.SampledFrom([][]hongyan.QuotaRule{dayAndMonth, dayAndMonth[:1], dayAndMonth[2:]}).Draw(t, "rules")}
		for range 3 {
			l.join()
		}
		t.Repeat(map[string]func(*rapid.T){
			"ask": l.ask, "store answers": l.storeAnswers, "take answer": l.takeAnswer,
			"claim": l.claim, "record": l.record, "told": l.told, "return": l.giveBack, "die": l.die,
			"night": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "now") == 0 && l.quiet() { // calls of the day before count where they are recorded
					l.now = l.now.Add(24 * time.Hour)
				}
			},
			"": l.check,
		})
	})
}

func (l *ledger) quiet() bool {
	for _, n := range l.nodes {
		if len(n.open)+len(n.recorded) > 0 {
			return false
		}
	}
	return true
}

func (l *ledger) node(t *rapid.T) *ledgerNode { return rapid.SampledFrom(l.nodes).Draw(t, "node") }

// ask begins a question of the account's counters or of a template's.
func (l *ledger) ask(t *rapid.T) {
	n, template := l.node(t), rapid.SampledFrom([]string{"", "A", "B"}).Draw(t, "template")
	if n.asked != nil || n.answer != nil {
		return // one at a time, as account.flight has it
	}
	r := &n.a.meter.rules[rapid.IntRange(0, len(l.rules)-1).Draw(t, "rule")]
	c, more := n.a.meter.counterOf(r, template, l.now), int64(rapid.IntRange(1, 8).Draw(t, "n"))
	switch {
	case c == nil:
	case rapid.IntRange(0, 3).Draw(t, "give back") == 0: // as idleQuestions
		q := n.e.question(c, "wx1", r, template, 0)
		q.usage.N, c.held = c.reserved, c.reserved
		n.asked = &q
	case c.free() < more: // as nextQuestion: who has enough asks for nothing
		q := n.e.question(c, "wx1", r, template, more)
		n.asked = &q
	}
}

func (l *ledger) storeAnswers(t *rapid.T) {
	if n := l.node(t); n.asked != nil {
		n.answer = &ledgerAns{n.asked, l.reserve(n.asked.epoch, n.asked.usage, n.asked.limit)}
		n.asked = nil
	}
}

func (l *ledger) takeAnswer(t *rapid.T) {
	if n := l.node(t); n.answer != nil {
		n.e.takeAnswer(n.a, n.answer.q, n.answer.held)
		n.answer = nil
	}
}

// claim sets as much aside as the meter has room for, at most five.
func (l *ledger) claim(t *rapid.T) {
	n := l.node(t)
	all, _ := n.a.meter.room(l.now)
	for range min(all, rapid.IntRange(1, 5).Draw(t, "n")) {
		n.a.meter.reserve(1)
		one := lease{rapid.SampledFrom([]string{"A", "B"}).Draw(t, "template")}
		if !n.a.meter.reserveTemplate(one.template, l.now) {
			one.template = ""
		}
		n.open = append(n.open, one)
	}
}

// record writes a call into the bank; told tells its node, later.
func (l *ledger) record(t *rapid.T) {
	n := l.node(t)
	if len(n.open) == 0 {
		return
	}
	one := n.open[0]
	n.open, n.recorded = n.open[1:], append(n.recorded, one)
	if day := calendarAt(l.now); one.template != "" { // else held by its template's rule: no call
		l.bank.record(n.e.epoch.Load(), day.deltas("wx1", one.template, 1))
	}
}

func (l *ledger) told(t *rapid.T) {
	n := l.node(t)
	if len(n.recorded) == 0 {
		return
	}
	one := n.recorded[0]
	n.recorded = n.recorded[1:]
	n.end(one)
	if day := calendarAt(l.now); one.template != "" {
		n.a.meter.count(one.template, 1, &day)
	}
}

// end frees what a lease set aside.
func (n *ledgerNode) end(one lease) {
	n.a.meter.reserve(-1)
	if one.template != "" {
		n.a.meter.returnTemplate(one.template)
	}
}

func (l *ledger) giveBack(t *rapid.T) {
	if n := l.node(t); len(n.open) > 0 {
		one := n.open[0]
		n.open = n.open[1:]
		n.end(one)
	}
}

// die ends a node. Whoever takes over has what it held, settles what it leased as
// calls, and asks for its own number again.
func (l *ledger) die(t *rapid.T) {
	if len(l.nodes) < 2 || rapid.IntRange(0, 3).Draw(t, "it does") != 0 {
		return
	}
	dead := l.nodes[0]
	l.nodes = l.nodes[1:]
	heir, id := l.nodes[0], dead.e.epoch.Load()
	for _, held := range l.held {
		held[heir.e.epoch.Load()] += held[id]
		delete(held, id)
	}
	day := calendarAt(l.now)
	for _, one := range dead.open {
		if one.template != "" {
			l.bank.record(heir.e.epoch.Load(), day.deltas("wx1", one.template, 1))
			heir.a.meter.count(one.template, 1, &day)
		}
	}
	l.join()
}

// check adds up what is used and leased.
func (l *ledger) check(t *rapid.T) {
	account, templates := int64(0), map[string]int64{}
	for _, n := range l.nodes {
		account += int64(len(n.open))
		for _, one := range n.open {
			templates[one.template]++
		}
	}
	delete(templates, "")
	for _, r := range l.rules {
		leased := map[string]int64{scopeAccount: account}
		if r.Scope == scopeTemplate {
			leased = map[string]int64{templateScope("A"): templates["A"], templateScope("B"): templates["B"]}
		}
		for scope, n := range leased {
			if used := l.used[usageKey{scope, r.Period, hongyan.PeriodStart(r.Period, l.now)}]; used+n > r.Limit {
				t.Fatalf("%s: %d calls this %s and %d leased, limit %d", scope, used, r.Period, n, r.Limit)
			}
		}
	}
}

// grant makes a meter hold n calls of its account, or of a template, in every rule's period.
func (m *meter) grant(templateID string, n int64, now time.Time) {
	for i := range m.rules {
		if c := m.counterOf(&m.rules[i], templateID, now); c != nil {
			c.held = c.reserved + min(n, m.rules[i].Limit-c.used)
		}
	}
}

func TestTheMeterStartsWhereTheStoreLeftOff(t *testing.T) {
	day := hongyan.PeriodStart("day", at)
	m := newMeter(dayAndMonth, []hongyan.QuotaUsage{
		{Scope: "account", Period: "day", PeriodFrom: day, Used: 8},
		{Scope: "account", Period: "month", PeriodFrom: hongyan.PeriodStart("month", at), Used: 24},
		{Scope: "template:A", Period: "day", PeriodFrom: day, Used: 4},
	})
	if got, _ := m.room(at); got != 0 {
		t.Errorf("room before the store was asked: got %d, want none", got)
	}
	m.grant("", 100, at)
	m.grant("A", 100, at)
	m.grant("B", 100, at)
	if got, _ := m.room(at); got != 1 {
		t.Errorf("room: got %d, want the 1 that the month still has", got)
	}
	if m.reserveTemplate("A", at) {
		t.Error("template A may go, want its day used up")
	}
	if !m.reserveTemplate("B", at) {
		t.Error("template B may not go")
	}
	if diff := cmp.Diff(&dayAndMonth[2], m.usedUp("A", at)); diff != "" {
		t.Errorf("what is used up (-want +got):\n%s", diff)
	}
	m.reserve(1)
	if room, urgent := m.room(at); room != 0 || urgent != 0 || m.usedUp("B", at) != nil {
		t.Errorf("room %d, %d urgent, used up by %v; want none while a call is under way, and no rule reached", room, urgent, m.usedUp("B", at))
	}
	midnight := hongyan.NextBeijingMidnight(at)
	if m.reserveTemplate("A", midnight) {
		t.Error("template A may go after midnight before the store was asked")
	}
	m.grant("A", 1, midnight)
	if !m.reserveTemplate("A", midnight) {
		t.Error("template A may not go after midnight")
	}
}

func TestTheForecastFollowsThePace(t *testing.T) {
	noon := hongyan.PeriodStart("day", at).Add(12 * time.Hour)
	m := newMeter([]hongyan.QuotaRule{{Scope: "account", Period: "day", Limit: 1000}}, nil)
	for _, step := range []struct {
		name     string
		at, want time.Duration // after noon; want 0 = not today
		used     int64
	}{
		{"nothing used", 0, 0, 0},
		{"by the day so far, for ten minutes", 5 * time.Minute, 0, 480}, // 40 an hour: 520 last for 13 hours
		{"by what came since noon", time.Hour, time.Hour + 400*6*time.Second, 600},
		{"by what came in the last hour", 2 * time.Hour, 2*time.Hour + 200*18*time.Second, 800},
		{"used up", 3 * time.Hour, 3 * time.Hour, 1000},
	} {
		now := noon.Add(step.at)
		c := m.account.at("day", now)
		c.used = step.used
		c.look(now)
		want := time.Time{}
		if step.want != 0 {
			want = noon.Add(step.want)
		}
		if got := m.status(now)[0].ExhaustedAt; !got.Equal(want) {
			t.Errorf("%s: got %v, want %v", step.name, got, want)
		}
	}
}

func TestDaysAndMonthsAreCountedWithoutARule(t *testing.T) {
	c := calendarAt(at)
	day, month := hongyan.PeriodStart("day", at), hongyan.PeriodStart("month", at)
	want := []store.UsageDelta{
		{AppID: "wx1", Scope: "account", Period: "day", PeriodFrom: day, N: 1},
		{AppID: "wx1", Scope: "template:A", Period: "day", PeriodFrom: day, N: 1},
		{AppID: "wx1", Scope: "account", Period: "month", PeriodFrom: month, N: 1},
		{AppID: "wx1", Scope: "template:A", Period: "month", PeriodFrom: month, N: 1},
	}
	if diff := cmp.Diff(want, c.deltas("wx1", "A", 1)); diff != "" {
		t.Errorf("deltas (-want +got):\n%s", diff)
	}
	if got := c.deltas("wx1", "A", 0); got != nil {
		t.Errorf("deltas of no call: got %v, want none", got)
	}
}

func TestALimitLoweredBelowItsUseLeavesNoRoom(t *testing.T) {
	m := newMeter(dayAndMonth, []hongyan.QuotaUsage{{Scope: "account", Period: "day", PeriodFrom: hongyan.PeriodStart("day", at), Used: 9}})
	m.rules = []hongyan.QuotaRule{{Scope: "account", Period: "day", Limit: 3}}
	m.grant("", 10, at)
	if room, _ := m.room(at); room != 0 || m.usedUp("A", at) == nil {
		t.Errorf("room %d, used up by %v; want none and the rule", room, m.usedUp("A", at))
	}
	if got := m.status(at)[0].Remaining; got != 0 {
		t.Errorf("remaining: got %d, want 0", got)
	}
}

// TestTheBucketNeverHandsOutMoreThanItsRate: in any span no more leaves than
// the rate allows and one burst.
func TestTheBucketNeverHandsOutMoreThanItsRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom([]float64{0.5, 1, 7, 100, 3333}).Draw(t, "rate")
		burst := max(1, rate)
		now, total := at, 0
		b := newBucket(rate, now)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "wait, ms")) * time.Millisecond)
			n := b.available(now)
			if rapid.Bool().Draw(t, "not all") {
				n /= 2
			}
			b.take(n)
			total += n
			if most := rate*now.Sub(at).Seconds() + burst; float64(total) > most+1e-6 {
				t.Fatalf("%d in %v at %v a second, want at most %v", total, now.Sub(at), rate, most)
			}
		}
	})
}

func TestTheBucketTellsWhenToComeBack(t *testing.T) {
	for _, rate := range []float64{0.5, 1, 7, 100, 3333} {
		b := newBucket(rate, at)
		b.take(b.available(at))
		if got := b.available(at); got != 0 {
			t.Errorf("rate %v: %d left of an empty bucket", rate, got)
		}
		next := b.next(at)
		if wait := next.Sub(at); wait <= 0 || wait > time.Duration(1.1/min(rate, 20)*float64(time.Second)) {
			t.Errorf("rate %v: come back in %v", rate, wait)
		}
		if b.available(next) == 0 {
			t.Errorf("rate %v: nothing there at the time it named", rate)
		}
	}
}

func TestABucketWithoutARateNeverSaysNo(t *testing.T) {
	b := newBucket(0, at)
	for range 3 {
		n := b.available(at)
		if n < 1_000_000 {
			t.Fatalf("available: got %d", n)
		}
		b.take(n)
	}
	if got := b.next(at); !got.Equal(at) {
		t.Errorf("next: got %v, want now", got)
	}
}

func TestAClockSetBackDoesNotEmptyTheBucket(t *testing.T) {
	b := newBucket(10, at)
	b.take(8)
	if got := b.available(at.Add(-time.Hour)); got != 2 {
		t.Errorf("available an hour ago: got %d, want the 2 that were left", got)
	}
	if got := b.available(at.Add(-time.Hour + time.Second)); got != 10 {
		t.Errorf("available a second later: got %d, want 10", got)
	}
}
