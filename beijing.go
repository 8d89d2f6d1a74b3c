package hongyan

import (
	"fmt"
	"time"
)

// Beijing is China Standard Time, in which WeChat counts its days and months.
// China has one zone and no daylight saving, so a fixed offset is exact and
// needs no zone files.
var Beijing = time.FixedZone("CST", 8*60*60)

// NextBeijingMidnight returns the first midnight in Beijing after t.
func NextBeijingMidnight(t time.Time) time.Time {
	b := t.In(Beijing)
	return time.Date(b.Year(), b.Month(), b.Day()+1, 0, 0, 0, 0, Beijing).UTC()
}

// PeriodStart returns the start of the Beijing day or month t lies in.
// Any period other than "month" is a day.
func PeriodStart(period string, t time.Time) time.Time {
	b := t.In(Beijing)
	day := b.Day()
	if period == "month" {
		day = 1
	}
	return time.Date(b.Year(), b.Month(), day, 0, 0, 0, 0, Beijing).UTC()
}

// PeriodEnd returns the end of the Beijing day or month t lies in.
func PeriodEnd(period string, t time.Time) time.Time {
	b := PeriodStart(period, t).In(Beijing)
	if period == "month" {
		return b.AddDate(0, 1, 0).UTC()
	}
	return b.AddDate(0, 0, 1).UTC()
}

// QuietHours (勿扰时段) is a span of the Beijing day in which what a released
// hold lets go is not sent, unless it is urgent. The zero value is the
// default, 22:00–08:00.
type QuietHours struct {
	Off  bool
	From int // minutes after midnight, 0..1439
	To   int // minutes after midnight; From == To == 0 stands for the default
}

const (
	defaultQuietFrom = 22 * 60
	defaultQuietTo   = 8 * 60
)

// ParseQuietHours reads "22:00-08:00" or "off"; "" is the default.
func ParseQuietHours(s string) (QuietHours, error) {
	switch s {
	case "":
		return QuietHours{}, nil
	case "off":
		return QuietHours{Off: true}, nil
	}
	var fh, fm, th, tm int
	n, err := fmt.Sscanf(s, "%d:%d-%d:%d", &fh, &fm, &th, &tm)
	valid := func(h, m int) bool { return h >= 0 && h < 24 && m >= 0 && m < 60 }
	if err != nil || n != 4 || !valid(fh, fm) || !valid(th, tm) || fh*60+fm == th*60+tm {
		return QuietHours{}, InvalidField("quiet_hours", "/quiet_hours", "quiet_hours %q is not like \"22:00-08:00\" (Beijing time) or \"off\"", s).
			InChinese("quiet_hours %q 不是 \"22:00-08:00\"（北京时间）这样的写法，也不是 \"off\"", s)
	}
	return QuietHours{From: fh*60 + fm, To: th*60 + tm}, nil
}

// String returns the form ParseQuietHours reads.
func (q QuietHours) String() string {
	if q.Off {
		return "off"
	}
	from, to := q.span()
	return fmt.Sprintf("%02d:%02d-%02d:%02d", from/60, from%60, to/60, to%60)
}

func (q QuietHours) span() (from, to int) {
	if q.From == 0 && q.To == 0 {
		return defaultQuietFrom, defaultQuietTo
	}
	return q.From, q.To
}

// Next returns t, or the end of the quiet hours t lies in.
func (q QuietHours) Next(t time.Time) time.Time {
	if q.Off {
		return t
	}
	from, to := q.span()
	b := t.In(Beijing)
	minute := b.Hour()*60 + b.Minute()
	day := 0
	switch {
	case from < to && (minute < from || minute >= to):
		return t
	case from > to && minute >= to && minute < from:
		return t
	case from > to && minute >= from:
		day = 1
	}
	return time.Date(b.Year(), b.Month(), b.Day()+day, to/60, to%60, 0, 0, Beijing).UTC()
}
