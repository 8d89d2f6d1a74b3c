package sandbox

import (
	"time"

	"hongyan/wechat"
)

// usage counts the calls of one account to one API.
type usage struct {
	day, minute         int64
	thisDay, thisMinute int
}

func (a *account) usageOf(path string, now time.Time) *usage {
	u := a.usage[path]
	if u == nil {
		u = &usage{}
		a.usage[path] = u
	}
	if d := day(now); d != u.day {
		u.day, u.thisDay = d, 0
	}
	if m := now.Unix() / 60; m != u.minute {
		u.minute, u.thisMinute = m, 0
	}
	return u
}

// use counts one call against a daily limit (negative = none) and reports whether
// it was within. Refused calls are not counted.
func (a *account) use(path string, now time.Time, daily int) bool {
	return a.charge(path, now, 0, daily) == wechat.CodeOK
}

// charge is use with a limit per minute too (0 = none): 45011, 45009 or 0.
func (a *account) charge(path string, now time.Time, perMinute, daily int) wechat.Code {
	u := a.usageOf(path, now)
	switch {
	case perMinute > 0 && u.thisMinute >= perMinute:
		return wechat.CodeMinuteQuota
	case daily >= 0 && u.thisDay >= daily:
		return wechat.CodeDailyQuota
	}
	u.thisMinute++
	u.thisDay++
	return wechat.CodeOK
}

// monthCount counts something by the Beijing month.
type monthCount struct{ month, n int }

func monthOf(t time.Time) int {
	t = t.In(beijing)
	return t.Year()*12 + int(t.Month())
}

// used is what the month of now has had.
func (m *monthCount) used(now time.Time) int {
	if month := monthOf(now); month != m.month {
		*m = monthCount{month: month}
	}
	return m.n
}

func (m *monthCount) add(now time.Time) {
	m.used(now)
	m.n++
}

// spend counts one more, unless the month has had limit of them.
func (m *monthCount) spend(now time.Time, limit int) bool {
	if m.used(now) >= limit {
		return false
	}
	m.n++
	return true
}

// monthlyOf returns the count of one template's sends, which era A limited (S10).
// That of an id the account does not hold leads nowhere: such calls get 40037 soon
// after.
func (a *account) monthlyOf(id string) *monthCount {
	if a.byID[id] == nil {
		return &monthCount{}
	}
	m := a.monthly[id]
	if m == nil {
		m = &monthCount{}
		a.monthly[id] = m
	}
	return m
}
