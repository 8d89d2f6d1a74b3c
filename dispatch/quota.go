package dispatch

import (
	"maps"
	"math"
	"slices"
	"strings"
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

// meter counts one account's calls, and holds them against its rules. What is
// reserved is leased but not recorded yet: together with what is used it never
// passes the limit. Recorded use is durable, added in the transaction of the result.
//
// Days and months, of the account and of each template, are counted whatever
// the rules are: rules change while calls are under way, and one that comes
// later must find what was called before it. A meter is guarded by the engine's
// mutex.
type meter struct {
	rules     []hongyan.QuotaRule
	account   tally
	templates map[string]*tally // by template_id
}

// periods are the periods a rule may have, in the order a tally keeps them.
var periods = [...]string{"day", "month"}

// tally counts the calls of one scope, by period.
type tally [len(periods)]counter

type counter struct {
	from, until    time.Time
	used, reserved int64
}

func newMeter(rules []hongyan.QuotaRule, usage []hongyan.QuotaUsage) *meter {
	m := &meter{rules: rules, templates: make(map[string]*tally)}
	for _, u := range usage {
		if t := m.scope(u.Scope); t != nil {
			*t.at(u.Period, u.PeriodFrom) = counter{from: u.PeriodFrom, until: hongyan.PeriodEnd(u.Period, u.PeriodFrom), used: u.Used}
		}
	}
	return m
}

// scope returns the tally of a scope as the store names it, nil for one unheard of.
func (m *meter) scope(name string) *tally {
	if name == scopeAccount {
		return &m.account
	}
	if templateID, ok := strings.CutPrefix(name, templateScope("")); ok {
		return m.template(templateID)
	}
	return nil
}

func (m *meter) template(templateID string) *tally {
	t := m.templates[templateID]
	if t == nil {
		t = new(tally)
		m.templates[templateID] = t
	}
	return t
}

// at returns the counter for the period now lies in.
func (t *tally) at(period string, now time.Time) *counter {
	i := slices.Index(periods[:], period)
	c := &t[max(0, i)]
	if !now.Before(c.until) {
		c.from, c.until, c.used = hongyan.PeriodStart(period, now), hongyan.PeriodEnd(period, now), 0
	}
	return c
}

// reserve sets n calls aside (n < 0 gives them back).
func (t *tally) reserve(n int) {
	for i := range t {
		t[i].reserved += int64(n)
	}
}

// room returns how many calls the account's rules still allow, and the rule
// that allows the fewest when there is no room.
func (m *meter) room(now time.Time) (int, *hongyan.QuotaRule) {
	room, tightest := int64(math.MaxInt32), (*hongyan.QuotaRule)(nil)
	for i, r := range m.rules {
		if r.Scope != scopeAccount {
			continue
		}
		c := m.account.at(r.Period, now)
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
func (m *meter) reserve(n int) { m.account.reserve(n) }

// reserveTemplate sets one call of a template aside. It returns the rule that
// forbids it, nil when it may go.
func (m *meter) reserveTemplate(templateID string, now time.Time) *hongyan.QuotaRule {
	rule := m.forbids(templateID, now)
	if rule == nil {
		m.template(templateID).reserve(1)
	}
	return rule
}

// forbids returns the rule that lets no call of a template go, nil when one may.
func (m *meter) forbids(templateID string, now time.Time) *hongyan.QuotaRule {
	for i, r := range m.rules {
		if r.Scope != scopeTemplate {
			continue
		}
		if c := m.template(templateID).at(r.Period, now); c.used+c.reserved >= r.Limit {
			return &m.rules[i]
		}
	}
	return nil
}

// usedUp returns the rule, of the account or of the template, that lets no call
// of a template go; nil when one may. over says that recorded calls alone reach
// it: what is under way may yet come back.
func (m *meter) usedUp(templateID string, now time.Time) (rule *hongyan.QuotaRule, over bool) {
	t := &m.account
	room, rule := m.room(now)
	if room > 0 {
		t, rule = m.template(templateID), m.forbids(templateID, now)
	}
	return rule, rule != nil && t.at(rule.Period, now).used >= rule.Limit
}

// full lists the template_ids of which no call may go.
func (m *meter) full(now time.Time) (ids []string) {
	for templateID := range m.templates {
		if m.forbids(templateID, now) != nil {
			ids = append(ids, templateID)
		}
	}
	return ids
}

// returnTemplate gives back what reserveTemplate set aside.
func (m *meter) returnTemplate(templateID string) { m.template(templateID).reserve(-1) }

func templateScope(templateID string) string { return scopeTemplate + ":" + templateID }

// calendar is the periods some moment lies in: their starts, in the order of periods.
type calendar [len(periods)]time.Time

func calendarAt(now time.Time) (c calendar) {
	for i, period := range periods {
		c[i] = hongyan.PeriodStart(period, now)
	}
	return c
}

// deltas returns what the store has to add for n calls of a message.
func (c *calendar) deltas(appID, templateID string, n int64) []store.UsageDelta {
	if n == 0 {
		return nil
	}
	all := make([]store.UsageDelta, 0, 2*len(periods))
	ofTemplate := templateScope(templateID)
	for i, period := range periods {
		all = append(all,
			store.UsageDelta{AppID: appID, Scope: scopeAccount, Period: period, PeriodFrom: c[i], N: n},
			store.UsageDelta{AppID: appID, Scope: ofTemplate, Period: period, PeriodFrom: c[i], N: n})
	}
	return all
}

// count takes note of n calls that the store has recorded in the periods of c.
func (m *meter) count(templateID string, n int64, c *calendar) {
	if n == 0 {
		return
	}
	for _, t := range []*tally{&m.account, m.template(templateID)} {
		for i, period := range periods {
			if k := t.at(period, c[i]); k.from.Equal(c[i]) {
				k.used += n
			}
		}
	}
}

// status lists the rules with what is left of them.
func (m *meter) status(now time.Time) []QuotaStatus {
	var list []QuotaStatus
	for _, r := range m.rules {
		if r.Scope == scopeAccount {
			list = append(list, statusOf(scopeAccount, &m.account, r, now))
			continue
		}
		for _, templateID := range slices.Sorted(maps.Keys(m.templates)) {
			list = append(list, statusOf(templateScope(templateID), m.templates[templateID], r, now))
		}
	}
	return list
}

func statusOf(scope string, t *tally, r hongyan.QuotaRule, now time.Time) QuotaStatus {
	c := t.at(r.Period, now)
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
