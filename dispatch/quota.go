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
	// ExhaustedAt is when Limit is reached at the present pace; zero = not before ResetsAt.
	ExhaustedAt time.Time
}

const (
	scopeAccount  = "account"
	scopeTemplate = "template"
)

// meter counts one account's calls, and holds them against its rules. Calls are
// reserved in the store, which keeps what all nodes have used and hold reserved
// within the limit (store.Cluster); a node reserves a block at a time, and leases
// no more than it holds. Recorded use is durable, added in the transaction of the result.
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
	from, until time.Time
	used        int64 // recorded calls of all nodes, as far as this one knows
	reserved    int64 // leased here, not recorded yet
	held        int64 // what the store keeps for this node: the calls reserved, and those that may yet be leased
	finished    int64 // of held, recorded so far; it only grows
	urgentOnly  bool  // what is left is the rule's reserve
	told        int   // the part of a limit, in percent, of which was told last
	askAt       time.Time
	busy        bool         // leased from since returnIdle looked
	seenAt      [2]time.Time // when used was looked at: a pace is taken from the first
	seen        [2]int64
}

// free returns how many more calls may be leased.
func (c *counter) free() int64 { return max(0, c.held-c.reserved) }

// lacks reports whether the store should be asked for room for n calls.
func (c *counter) lacks(n int64, now time.Time) bool { return c.free() < n && mayAsk(c.askAt, now) }

func newMeter(rules []hongyan.QuotaRule, usage []hongyan.QuotaUsage) *meter {
	m := &meter{rules: rules, templates: make(map[string]*tally)}
	m.refresh(usage)
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
		*c = counter{from: hongyan.PeriodStart(period, now), until: hongyan.PeriodEnd(period, now), reserved: c.reserved, finished: c.finished}
	}
	return c
}

// reserve sets n calls aside (n < 0 gives them back).
func (t *tally) reserve(n int) {
	for i := range t {
		t[i].reserved += int64(n)
		t[i].busy = t[i].busy || n > 0
	}
}

// room returns how many calls of the account may be leased now, and how many of
// its urgent messages, for which a rule may keep a reserve.
func (m *meter) room(now time.Time) (all, urgent int) {
	all, urgent = math.MaxInt32, math.MaxInt32
	for i := range m.rules {
		if m.rules[i].Scope != scopeAccount {
			continue
		}
		c := m.account.at(m.rules[i].Period, now)
		urgent = int(min(int64(urgent), c.free()))
		if all = min(all, urgent); c.urgentOnly {
			all = 0
		}
	}
	return all, urgent
}

// nextAsk returns when the store may be asked again for the calls that the
// account lacks; zero when it lacks none.
func (m *meter) nextAsk(now time.Time) (at time.Time) {
	for i := range m.rules {
		if c := m.counterOf(&m.rules[i], "", now); c != nil && c.free() == 0 {
			at = latest(at, latest(c.askAt, now))
		}
	}
	return at
}

// reserve sets n calls of the account aside (n < 0 gives them back).
func (m *meter) reserve(n int) { m.account.reserve(n) }

// reserveTemplate sets one call of a template aside, and reports false when none may go.
func (m *meter) reserveTemplate(templateID string, now time.Time) bool {
	may := m.templateRoom(templateID, now)
	if may {
		m.template(templateID).reserve(1)
	}
	return may
}

// templateRoom reports whether a call of a template may go.
func (m *meter) templateRoom(templateID string, now time.Time) bool {
	for i := range m.rules {
		if c := m.counterOf(&m.rules[i], templateID, now); c != nil && c.free() == 0 {
			return false
		}
	}
	return true
}

// usedUp returns the rule, of the account or of the template, of which recorded
// calls have reached the limit; nil when there is none.
func (m *meter) usedUp(templateID string, now time.Time) *hongyan.QuotaRule {
	if rule := m.reached(scopeAccount, "", now); rule != nil {
		return rule
	}
	return m.reached(scopeTemplate, templateID, now)
}

// reached is usedUp for the rules of one scope.
func (m *meter) reached(scope, templateID string, now time.Time) *hongyan.QuotaRule {
	for i := range m.rules {
		if r := &m.rules[i]; r.Scope == scope && m.tallyOf(scope, templateID).at(r.Period, now).used >= r.Limit {
			return r
		}
	}
	return nil
}

func (m *meter) tallyOf(scope, templateID string) *tally {
	if scope == scopeAccount {
		return &m.account
	}
	return m.template(templateID)
}

// full lists the template_ids that have used up a rule.
func (m *meter) full(now time.Time) (ids []string) {
	for templateID := range m.templates {
		if m.reached(scopeTemplate, templateID, now) != nil {
			ids = append(ids, templateID)
		}
	}
	return ids
}

// returnTemplate gives back what reserveTemplate set aside.
func (m *meter) returnTemplate(templateID string) { m.template(templateID).reserve(-1) }

// each calls do with every counter there is.
func (m *meter) each(do func(c *counter)) {
	for i := range m.account {
		do(&m.account[i])
	}
	for _, t := range m.templates {
		for i := range t {
			do(&t[i])
		}
	}
}

// setRules makes other rules the account's. What was reserved beyond the calls
// under way was so under the old ones.
func (m *meter) setRules(rules []hongyan.QuotaRule) {
	if slices.Equal(m.rules, rules) {
		return
	}
	m.rules = rules
	m.forgetHeld()
}

// forgetHeld makes the next lease ask the store again.
func (m *meter) forgetHeld() {
	m.each(func(c *counter) { c.held, c.urgentOnly, c.askAt = 0, false, time.Time{} })
}

// refresh takes note of what the store has counted.
func (m *meter) refresh(usage []hongyan.QuotaUsage) {
	for _, u := range usage {
		if t := m.scope(u.Scope); t != nil {
			if c := t.at(u.Period, u.PeriodFrom); c.from.Equal(u.PeriodFrom) {
				c.used = max(c.used, u.Used)
			}
		}
	}
}

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
	m.counters(templateID, c, func(k *counter) { k.used += n })
	m.spend(templateID, n, c)
}

// spend takes n calls from what is held reserved.
func (m *meter) spend(templateID string, n int64, c *calendar) {
	if n == 0 {
		return
	}
	m.counters(templateID, c, func(k *counter) { k.held, k.finished, k.askAt = max(0, k.held-n), k.finished+n, time.Time{} })
}

// counters calls do with each counter that a call of the template in the periods of c
// belongs to.
func (m *meter) counters(templateID string, c *calendar, do func(*counter)) {
	for _, t := range []*tally{&m.account, m.template(templateID)} {
		for i, period := range periods {
			if k := t.at(period, c[i]); k.from.Equal(c[i]) {
				do(k)
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
	st := QuotaStatus{
		Scope: scope, Period: r.Period, Limit: r.Limit, Used: used,
		Remaining: max(0, r.Limit-used), ResetsAt: hongyan.PeriodEnd(r.Period, now),
	}
	if left := c.exhausted(st.Remaining, now); left.Before(st.ResetsAt) {
		st.ExhaustedAt = left
	}
	return st
}

const (
	// paceOver is the time over which the pace of a counter is taken, at least.
	paceOver = 10 * time.Minute
	// never is far enough for a forecast.
	never = 366 * 24 * time.Hour
)

// look remembers what is used, as the beginning of the next pace, when the one
// before is old enough.
func (c *counter) look(now time.Time) {
	if c.seenAt[1].IsZero() || now.Sub(c.seenAt[1]) >= paceOver {
		c.seenAt, c.seen = [2]time.Time{c.seenAt[1], now}, [2]int64{c.seen[1], c.used}
	}
}

// exhausted forecasts when left calls are used: by the pace since somebody asked ten
// minutes ago or earlier, or when nobody did, of the period so far.
func (c *counter) exhausted(left int64, now time.Time) time.Time {
	since, used := c.from, c.used
	if !c.seenAt[0].IsZero() {
		since, used = c.seenAt[0], c.used-c.seen[0]
	}
	if left == 0 || used <= 0 || !now.After(since) {
		if left == 0 {
			return now
		}
		return now.Add(never)
	}
	seconds := float64(left) / float64(used) * now.Sub(since).Seconds()
	return now.Add(time.Duration(min(seconds, never.Seconds())) * time.Second)
}
