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

// ledger keeps what was truly called, by period, beside a meter.
type ledger struct {
	meter *meter
	now   time.Time
	open  []lease // leased, not recorded yet
	calls map[usageKey]int64
}

// lease is a call set aside: of a template, unless its rule forbade it.
type lease struct{ template string }

type usageKey struct {
	scope, period string
	from          time.Time
}

// TestTheMeterNeverPassesALimit draws claims, calls, returns, nights and changes
// of the rules. A call counts in the period in which it is recorded, as in the
// store. Nothing may be set aside beyond a rule that holds at that moment, and
// what was set aside must come back whatever the rules have become.
func TestTheMeterNeverPassesALimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &ledger{meter: newMeter(dayAndMonth, nil), now: at, calls: map[usageKey]int64{}}
		t.Repeat(map[string]func(*rapid.T){
			"claim":  l.claim,
			"record": l.record,
			"return": l.giveBack,
			"change": l.change,
			"wait": func(t *rapid.T) {
				l.now = l.now.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "hours")) * time.Hour)
			},
			"": l.check,
		})
	})
}

// claim sets as much aside as the meter has room for, at most five.
func (l *ledger) claim(t *rapid.T) {
	room, rule := l.meter.room(l.now)
	if room == 0 && rule == nil {
		t.Fatal("no room, and no rule that forbids")
	}
	n := min(room, rapid.IntRange(1, 5).Draw(t, "n"))
	l.meter.reserve(n)
	for range n {
		one := lease{rapid.SampledFrom([]string{"A", "B"}).Draw(t, "template")}
		if l.meter.reserveTemplate(one.template, l.now) != nil {
			one.template = ""
		}
		l.open = append(l.open, one)
		if one.template != "" {
			l.within(t, scopeTemplate, templateScope(one.template), l.leased(one.template))
		}
	}
	if n > 0 {
		l.within(t, scopeAccount, scopeAccount, int64(len(l.open)))
	}
}

// within fails if the calls of a scope and those set aside pass a rule.
func (l *ledger) within(t *rapid.T, ruled, scope string, setAside int64) {
	for _, r := range l.meter.rules {
		calls := l.calls[usageKey{scope, r.Period, hongyan.PeriodStart(r.Period, l.now)}]
		if r.Scope == ruled && calls+setAside > r.Limit {
			t.Fatalf("%s: %d calls this %s and %d set aside, limit %d", scope, calls, r.Period, setAside, r.Limit)
		}
	}
}

// leased counts the open leases of a template.
func (l *ledger) leased(template string) (n int64) {
	for _, one := range l.open {
		if one.template == template {
			n++
		}
	}
	return n
}

func (l *ledger) record(t *rapid.T) {
	if len(l.open) == 0 {
		return
	}
	one := l.pop()
	if one.template == "" {
		return // held by its template's rule: no call
	}
	day := calendarAt(l.now)
	l.meter.count(one.template, 1, &day)
	for _, d := range day.deltas("wx1", one.template, 1) {
		l.calls[usageKey{d.Scope, d.Period, d.PeriodFrom}] += d.N
	}
}

func (l *ledger) giveBack(*rapid.T) {
	if len(l.open) > 0 {
		l.pop()
	}
}

// change draws other rules, as an account's settings may change at any time.
func (l *ledger) change(t *rapid.T) {
	var rules []hongyan.QuotaRule
	for _, scope := range []string{scopeAccount, scopeTemplate} {
		for _, period := range periods {
			if limit := rapid.Int64Range(0, 30).Draw(t, scope+" a "+period); limit > 0 {
				rules = append(rules, hongyan.QuotaRule{Scope: scope, Period: period, Limit: limit})
			}
		}
	}
	l.meter.rules = rules
}

// pop ends a lease, as Engine.recorded does.
func (l *ledger) pop() lease {
	one := l.open[0]
	l.open = l.open[1:]
	l.meter.reserve(-1)
	if one.template != "" {
		l.meter.returnTemplate(one.template)
	}
	return one
}

func (l *ledger) check(t *rapid.T) {
	for _, c := range l.meter.account {
		if c.reserved != int64(len(l.open)) {
			t.Fatalf("account: %d reserved, %d leased", c.reserved, len(l.open))
		}
	}
	for id, tally := range l.meter.templates {
		for _, c := range tally {
			if c.reserved != l.leased(id) {
				t.Fatalf("template %s: %d reserved, %d leased", id, c.reserved, l.leased(id))
			}
		}
	}
	for _, st := range l.meter.status(l.now) {
		if st.Remaining < 0 || st.Used < 0 || st.Used+st.Remaining != st.Limit && st.Remaining != 0 {
			t.Fatalf("status does not add up: %+v", st)
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
	if got, _ := m.room(at); got != 1 {
		t.Errorf("room: got %d, want the 1 that the month still has", got)
	}
	if m.reserveTemplate("A", at) == nil {
		t.Error("template A may go, want its day used up")
	}
	if rule := m.reserveTemplate("B", at); rule != nil {
		t.Errorf("template B is forbidden by %+v, want it to go", rule)
	}
	m.reserve(1)
	room, rule := m.room(at)
	if diff := cmp.Diff(&hongyan.QuotaRule{Scope: "account", Period: "month", Limit: 25}, rule); room != 0 || diff != "" {
		t.Errorf("room %d by rule (-want +got):\n%s", room, diff)
	}
	midnight := hongyan.NextBeijingMidnight(at)
	if m.reserveTemplate("A", midnight) != nil {
		t.Error("template A is forbidden after midnight")
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
	if room, rule := m.room(at); room != 0 || rule == nil {
		t.Errorf("room %d, rule %v; want none and the rule", room, rule)
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
