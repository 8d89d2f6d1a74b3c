package dispatch

import (
	"math"
	"time"

	"hongyan"
	"hongyan/store"
)

// QuotaStatus is one rule of an account and how much of its period is left.
type QuotaStatus struct {
	Scope     string // "account", or "template:" + template_id
	Period    string // "day" or "month", in Beijing time
	Limit     int64
	Used      int64 // calls counted, and those under way
	Remaining int64
	ResetsAt  time.Time
}

const (
	scopeAccount  = "account"
	scopeTemplate = "template"
)

// meter counts one account's calls against its rules. What is reserved is
// leased but not recorded yet: together with what is used it never passes the
// limit. Recorded use is durable, added in the transaction of the result.
// A meter is guarded by the engine's mutex.
type meter struct {
	rules    []hongyan.QuotaRule
	counters map[meterKey]*counter
}

type meterKey struct{ scope, period string }

type counter struct {
	from           time.Time
	used, reserved int64
}

func newMeter(rules []hongyan.QuotaRule, usage []hongyan.QuotaUsage) *meter {
	m := &meter{rules: rules, counters: make(map[meterKey]*counter)}
	for _, u := range usage {
		m.counters[meterKey{u.Scope, u.Period}] = &counter{from: u.PeriodFrom, used: u.Used}
	}
	return m
}

// at returns the counter of a scope for the period now lies in.
func (m *meter) at(scope, period string, now time.Time) *counter {
	k := meterKey{scope, period}
	c := m.counters[k]
	if c == nil {
		c = &counter{from: hongyan.PeriodStart(period, now)}
		m.counters[k] = c
	}
	if from := hongyan.PeriodStart(period, now); from.After(c.from) {
		c.from, c.used = from, 0
	}
	return c
}

// room returns how many calls the account's rules still allow, and the rule
// that allows the fewest when there is no room.
func (m *meter) room(now time.Time) (int, *hongyan.QuotaRule) {
	room, tightest := int64(math.MaxInt32), (*hongyan.QuotaRule)(nil)
	for i, r := range m.rules {
		if r.Scope != scopeAccount {
			continue
		}
		c := m.at(scopeAccount, r.Period, now)
		if left := r.Limit - c.used - c.reserved; left < room {
			room, tightest = left, &m.rules[i]
		}
	}
	if room > 0 {
		return int(room), nil
	}
	return 0, tightest
}

// reserve sets n calls of the account aside (n < 0 gives them back).
func (m *meter) reserve(n int, now time.Time) {
	for _, r := range m.rules {
		if r.Scope == scopeAccount {
			m.at(scopeAccount, r.Period, now).reserved += int64(n)
		}
	}
}

// reserveTemplate sets one call of a template aside. It returns the rule that
// forbids it, nil when it may go.
func (m *meter) reserveTemplate(templateID string, now time.Time) *hongyan.QuotaRule {
	for i, r := range m.rules {
		if r.Scope != scopeTemplate {
			continue
		}
		if c := m.at(templateScope(templateID), r.Period, now); c.used+c.reserved >= r.Limit {
			return &m.rules[i]
		}
	}
	m.addTemplate(templateID, 1, now)
	return nil
}

func (m *meter) addTemplate(templateID string, n int64, now time.Time) {
	for _, r := range m.rules {
		if r.Scope == scopeTemplate {
			m.at(templateScope(templateID), r.Period, now).reserved += n
		}
	}
}

func templateScope(templateID string) string { return scopeTemplate + ":" + templateID }

// deltas returns what the store has to add for n calls of a message. The
// account's day is always counted, rule or not: people ask for it.
func (m *meter) deltas(appID, templateID string, n int64, now time.Time) []store.UsageDelta {
	if n == 0 {
		return nil
	}
	deltas := make([]store.UsageDelta, 0, 2)
	add := func(scope, period string) {
		deltas = append(deltas, store.UsageDelta{AppID: appID, Scope: scope, Period: period, PeriodFrom: hongyan.PeriodStart(period, now), N: n})
	}
	dayCounted := false
	for _, r := range m.rules {
		if r.Scope == scopeTemplate {
			add(templateScope(templateID), r.Period)
			continue
		}
		add(scopeAccount, r.Period)
		dayCounted = dayCounted || r.Period == "day"
	}
	if !dayCounted {
		add(scopeAccount, "day")
	}
	return deltas
}

// count takes note of deltas that the store has recorded.
func (m *meter) count(deltas []store.UsageDelta) {
	for _, d := range deltas {
		if c := m.at(d.Scope, d.Period, d.PeriodFrom); c.from.Equal(d.PeriodFrom) {
			c.used += d.N
		}
	}
}

// status lists the rules with what is left of them.
func (m *meter) status(now time.Time) []QuotaStatus {
	var list []QuotaStatus
	for _, r := range m.rules {
		if r.Scope == scopeAccount {
			list = append(list, m.statusOf(scopeAccount, r, now))
			continue
		}
		for k := range m.counters {
			if k.period == r.Period && k.scope != scopeAccount {
				list = append(list, m.statusOf(k.scope, r, now))
			}
		}
	}
	return list
}

func (m *meter) statusOf(scope string, r hongyan.QuotaRule, now time.Time) QuotaStatus {
	c := m.at(scope, r.Period, now)
	used := c.used + c.reserved
	return QuotaStatus{
		Scope: scope, Period: r.Period, Limit: r.Limit, Used: used,
		Remaining: max(0, r.Limit-used), ResetsAt: hongyan.PeriodEnd(r.Period, now),
	}
}

// bucket is a token bucket: rate per second, at most one second's worth saved
// up (never less than one). A rate of zero never says no.
type bucket struct {
	rate   float64
	tokens float64
	last   time.Time
}

func newBucket(rate float64, now time.Time) bucket {
	return bucket{rate: rate, tokens: max(1, rate), last: now}
}

// available returns how many tokens there are at now.
func (b *bucket) available(now time.Time) int {
	if b.rate <= 0 {
		return math.MaxInt32
	}
	passed := max(0, now.Sub(b.last)) // a clock set back gives nothing, and takes nothing
	b.tokens = min(max(1, b.rate), b.tokens+b.rate*passed.Seconds())
	b.last = now
	return int(b.tokens)
}

// take spends n tokens that available has offered (n < 0 gives them back).
func (b *bucket) take(n int) {
	if b.rate > 0 {
		b.tokens -= float64(n)
	}
}

// next returns when a batch worth claiming will be there: one token, or a
// twentieth of a second's worth.
func (b *bucket) next(now time.Time) time.Time {
	want := max(1, b.rate/20)
	if b.rate <= 0 || b.tokens >= want {
		return now
	}
	return now.Add(time.Duration((want-b.tokens)/b.rate*float64(time.Second)) + time.Millisecond)
}
