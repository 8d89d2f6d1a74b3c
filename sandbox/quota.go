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

// monthUse counts the sends of one template, which era A limited (S10).
type monthUse struct {
	month time.Time // its first day
	calls int
}

// monthUseOf returns the count of a template of the account. That of an id it does
// not hold leads nowhere: such calls get 40037 soon after.
func (a *account) monthUseOf(id string, now time.Time) *monthUse {
	if a.byID[id] == nil {
		return &monthUse{}
	}
	now = now.In(beijing)
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, beijing)
	if u := a.monthly[id]; u == nil || !u.month.Equal(month) {
		a.monthly[id] = &monthUse{month: month}
	}
	return a.monthly[id]
}
