package rule

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"hongyan"
)

// values are what the placeholders of a message stand for.
type values struct {
	openID string
	at     time.Time
	fields map[string]string
}

// placeholder finds {{…}}; inside there are no braces.
var placeholder = regexp.MustCompile(`\{\{([^{}]*)\}\}`)

// fill puts the values in their places.
func (v *values) fill(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(hole string) string { return v.of(strings.TrimSpace(hole[2 : len(hole)-2])) })
}

// fillURL is fill inside an address: a value must not begin another parameter. A space
// becomes %20, which means one in a path and in a query alike; + does in a query alone.
func (v *values) fillURL(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(hole string) string {
		escaped := url.QueryEscape(v.of(strings.TrimSpace(hole[2 : len(hole)-2])))
		return strings.ReplaceAll(escaped, "+", "%20")
	})
}

const (
	wordOpenID  = "openid"
	wordTime    = "time"
	timePrefix  = wordTime + ":"
	eventPrefix = "event."
)

// of returns what one name stands for. Check has seen to it that it is one.
func (v *values) of(name string) string {
	if name == wordOpenID {
		return v.openID
	}
	if field, ok := strings.CutPrefix(name, eventPrefix); ok {
		return v.fields[field]
	}
	format := defaultTime
	if own, ok := strings.CutPrefix(name, timePrefix); ok {
		format = own
	}
	layout, _ := timeLayout(format)
	return v.at.In(hongyan.Beijing).Format(layout)
}

// defaultTime is a form that WeChat's fields of type time take (spec §8).
const defaultTime = "YYYY-MM-DD HH:mm"

// timeParts are the parts of a format and Go's names for them; the longer come first.
var timeParts = [...][2]string{
	{"YYYY", "2006"}, {"MM", "01"}, {"DD", "02"}, {"HH", "15"}, {"mm", "04"}, {"ss", "05"}, {"M", "1"}, {"D", "2"},
}

// timeLayout turns YYYY年M月D日 HH:mm into what package time reads, and otherwise
// returns the rule the format breaks.
func timeLayout(format string) (layout, rule string) {
	if strings.TrimSpace(format) == "" {
		return "", "is empty"
	}
	var b strings.Builder
scan:
	for rest := format; rest != ""; {
		for _, part := range timeParts {
			if after, ok := strings.CutPrefix(rest, part[0]); ok {
				b.WriteString(part[1])
				rest = after
				continue scan
			}
		}
		c := rest[0]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' {
			return "", fmt.Sprintf("has %q at %q; its parts are YYYY, MM, DD, HH, mm, ss, M and D", string(c), clip(rest))
		}
		b.WriteByte(c)
		rest = rest[1:]
	}
	return b.String(), ""
}

// fieldName is how fields of a push are called.
var fieldName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*$`)

// textFault returns the rule that the placeholders of a text break, "" for none.
func textFault(text string) string {
	rest := text
	for _, hole := range placeholder.FindAllString(text, -1) {
		if rule := nameFault(strings.TrimSpace(hole[2 : len(hole)-2])); rule != "" {
			return hole + " " + rule
		}
		rest = strings.Replace(rest, hole, "", 1)
	}
	if strings.Contains(rest, "{{") || strings.Contains(rest, "}}") {
		return fmt.Sprintf("%q has {{ or }} without the other", clip(text))
	}
	return ""
}

func nameFault(name string) string {
	if name == wordOpenID || name == wordTime {
		return ""
	}
	if format, ok := strings.CutPrefix(name, timePrefix); ok {
		if _, rule := timeLayout(format); rule != "" {
			return "is not a time: the format " + rule
		}
		return ""
	}
	if field, ok := strings.CutPrefix(name, eventPrefix); ok && fieldName.MatchString(field) {
		return ""
	}
	return "stands for nothing; write {{openid}}, {{time}}, {{time:YYYY-MM-DD HH:mm}} or a field of the event such as {{event.EventKey}}"
}
