package sheet

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxDigits is how many digits Excel keeps of a number: 15. Of a longer one it has
// made the others zero.
const maxDigits = 15

// number makes text of a number as its format shows it: dates as ISO 8601 writes
// them, ids with their leading zeros, and never with an exponent.
func (w *workbook) number(raw string, style int) (string, trouble) {
	raw = strings.TrimSpace(raw)
	value, err := strconv.ParseFloat(raw, 64)
	if err != nil || math.IsInf(value, 0) || math.IsNaN(value) {
		return raw, trouble{RuleNumber, say("the cell is said to be a number, but is %q", "单元格标为数字，内容却是 %q", raw)}
	}
	var format numberFormat
	if style >= 0 && style < len(w.formats) {
		format = w.formats[style]
	}
	if format.date || format.time {
		return w.moment(value, format)
	}
	text := format.show(value)
	if math.Abs(value) >= 1e15 {
		return text, trouble{RuleNumber, say("the number has more than %d digits, of which a spreadsheet keeps no more: enter it as text",
			"数字超过 %d 位，电子表格保留不了更多：请以文本输入", maxDigits)}
	}
	return text, trouble{}
}

// plainNumber writes a number as a person types it.
func plainNumber(v float64) string {
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', maxDigits, 64), 64)
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// Serial numbers of days.
const (
	leapBug = 61        // 1900-03-01. The days before are off by one, and 60 is 1900-02-29, which never was
	lastDay = 2_958_466 // the first day after 9999
	daySecs = 24 * 60 * 60
)

// moment makes text of a date, a time of day, or both, as the format shows.
func (w *workbook) moment(serial float64, format numberFormat) (string, trouble) {
	days, of := math.Floor(serial), serial-math.Floor(serial)
	seconds := int(math.Round(of * daySecs))
	if !format.date {
		text := clock(seconds % daySecs)
		if serial < 0 || days >= 1 && format.elapsed {
			return plainNumber(serial), trouble{RuleDate, say("the cell is a length of time of a day or more, not a time of day: enter it as text",
				"单元格是一天或更久的时长，不是一天中的时刻：请以文本输入")}
		}
		return text, trouble{}
	}
	base := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	first := float64(leapBug)
	if w.from1904 {
		base, first = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC), 0
	}
	if serial < first || serial >= lastDay {
		return plainNumber(serial), trouble{RuleDate, say("the cell is shown as a date, but its number %s is none that is certain: enter the date anew, or as text",
			"单元格显示为日期，但其数值 %s 不能确定是哪一天：请重新输入日期，或以文本输入", plainNumber(serial))}
	}
	day := base.AddDate(0, 0, int(days)).Add(time.Duration(seconds) * time.Second)
	text := day.Format(time.DateOnly)
	if format.time {
		text += " " + clock(day.Hour()*3600+day.Minute()*60+day.Second())
	}
	return text, trouble{}
}

// clock writes a time of day, with seconds only when there are any.
func clock(seconds int) string {
	text := fmt.Sprintf("%02d:%02d", seconds/3600, seconds/60%60)
	if seconds%60 != 0 {
		text += fmt.Sprintf(":%02d", seconds%60)
	}
	return text
}

// isoDate shortens 2026-11-20T10:15:00, which a cell of kind d has, to what moment writes.
func isoDate(s string) string {
	for _, layout := range []string{"2006-01-02T15:04:05.999Z07:00", "2006-01-02T15:04:05.999", "2006-01-02T15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.Format(time.DateOnly) + " " + clock(t.Hour()*3600+t.Minute()*60+t.Second())
		}
	}
	return s
}
