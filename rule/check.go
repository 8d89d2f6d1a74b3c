package rule

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"hongyan"
)

// Limits of a rule.
const (
	MaxRules    = 100 // of an account: each is compared with every push
	maxFilters  = 20
	maxPattern  = 1000 // bytes of a filter's value
	maxDelay    = 30 * 24 * time.Hour
	minOnce     = time.Minute
	maxOnce     = 366 * 24 * time.Hour
	minLife     = time.Minute
	maxLife     = 30 * 24 * time.Hour
	maxMetadata = 16 << 10 // bytes
)

// triggers are the words with a meaning of their own; of other types of event that
// can be named, the word is the type.
var triggers = []string{onFollow, onScan, onAccept, onClick}

// Triggers returns the words for Rule.On that are not simply a type of event.
func Triggers() []string { return slices.Clone(triggers) }

// meant are types of event that have another word, or no rule, and why.
var meant = map[string]string{
	"subscribe":                 "is written follow",
	"subscribe_msg_popup_event": "is written accept",
	"unsubscribe":               "can set off nothing: who has left gets no message",
	"templatesendjobfinish":     "can set off nothing: its message would bring the next such event",
	"subscribe_msg_sent_event":  "can set off nothing: its message would bring the next such event",
	"masssendjobfinish":         "can set off nothing: it is about no user",
	"publishjobfinish":          "can set off nothing: it is about no user",
}

// kinds are the messages a rule can send: the others need what only the user's own
// act of that moment gives.
var kinds = []hongyan.MessageKind{"", hongyan.KindTemplate, hongyan.KindSubscribe, hongyan.KindNotice}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// Check returns every rule that r breaks, by pointer as in POST …/rules; none means it
// can be used. Whether the template takes its data is known when it fires; a trial
// tells before (Desk.Try).
func Check(r *hongyan.Rule) []hongyan.FieldError {
	var c checks
	if !nameForm.MatchString(r.Name) {
		c.add("/name", "%q is not a small letter followed by up to 31 of a-z, 0-9, _ and -", clip(r.Name))
	}
	c.trigger(r.On)
	c.filters(r.Filters)
	if r.Delay < 0 || r.Delay > maxDelay {
		c.add("/delay_seconds", "%d is not between 0 and %d, 30 days", int64(r.Delay/time.Second), int64(maxDelay/time.Second))
	}
	if r.Once != 0 && r.Once != hongyan.OnceEver && (r.Once < minOnce || r.Once > maxOnce) {
		c.add("/once_per", "%s is not between a minute and a year", r.Once)
	}
	c.message(&r.Message)
	return c
}

type checks []hongyan.FieldError

func (c *checks) add(pointer, format string, args ...any) {
	*c = append(*c, hongyan.FieldError{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
}

func (c *checks) trigger(on string) {
	if slices.Contains(triggers, on) {
		return
	}
	if why := meant[on]; why != "" {
		c.add("/on", "%q %s", on, why)
		return
	}
	if on == "" {
		c.add("/on", "on is missing: %s, or another type of event in lower case", strings.Join(triggers, ", "))
		return
	}
	if rule := hongyan.EventTypeFault(on); rule != "" {
		c.add("/on", "%s; rules know %s besides", rule, strings.Join(triggers, ", "))
	}
}

func (c *checks) filters(all []hongyan.RuleFilter) {
	if len(all) > maxFilters {
		c.add("/filters", "has %d filters; at most %d", len(all), maxFilters)
		return
	}
	for i, f := range all {
		at := "/filters/" + strconv.Itoa(i)
		if !fieldName.MatchString(f.Field) {
			c.add(at+"/field", "%q is not the name of a field such as EventKey or Scene", clip(f.Field))
		}
		if rule := hongyan.OneOf(f.Op, opEqual, opPrefix, opMatches); rule != "" {
			c.add(at+"/op", "%s", rule)
		}
		if n := len(f.Value); n > maxPattern {
			c.add(at+"/value", "has %d bytes; at most %d", n, maxPattern)
		} else if f.Op == opMatches {
			if _, err := regexp.Compile(f.Value); err != nil {
				c.add(at+"/value", "%q is not a regular expression: %v", clip(f.Value), err)
			}
		}
	}
}

func (c *checks) message(m *hongyan.RuleMessage) {
	if !slices.Contains(kinds, m.Kind) {
		c.add("/message/kind", "%q is not one of template, subscribe, notice: rules send those", clip(string(m.Kind)))
	}
	if m.TemplateID == "" {
		c.add("/message/template_id", "template_id is missing")
	}
	if len(m.Data) == 0 {
		c.add("/message/data", "data is missing: a value for every key of the template")
	}
	for _, key := range slices.Sorted(maps.Keys(m.Data)) {
		c.text("/message/data/"+key, m.Data[key].Value)
	}
	c.text("/message/url", m.URL)
	c.text("/message/page", m.Page)
	if m.MiniProgram != nil {
		c.text("/message/miniprogram/pagepath", m.MiniProgram.PagePath)
	}
	if _, err := hongyan.ParsePriority(m.Priority); err != nil {
		c.add("/message/priority", "%q is not one of urgent, normal, bulk", clip(m.Priority))
	}
	if s := m.ExpiresAfter; s != 0 && (s < int64(minLife/time.Second) || s > int64(maxLife/time.Second)) {
		c.add("/message/expires_after_seconds", "%d is not between %d and %d, nor 0 for the account's setting", s, int64(minLife/time.Second), int64(maxLife/time.Second))
	}
	if n := len(m.Metadata); n > maxMetadata {
		c.add("/message/metadata", "has %d bytes; at most %d", n, maxMetadata)
	}
}

func (c *checks) text(pointer, text string) {
	if rule := textFault(text); rule != "" {
		c.add(pointer, "%s", rule)
	}
}

// ParseOnce reads how often a rule fires for one user: "" for every push, "ever", or a
// time such as 24h or 30d.
func ParseOnce(text string) (time.Duration, error) {
	switch text {
	case "":
		return 0, nil
	case "ever":
		return hongyan.OnceEver, nil
	}
	d, ok := parseSpan(text)
	if !ok {
		return 0, hongyan.InvalidField("invalid_rule", "/once_per", "%q is neither ever nor a time such as 24h or 30d", clip(text))
	}
	return d, nil
}

// parseSpan reads whole minutes, hours or days: 30m, 24h, 30d.
func parseSpan(text string) (time.Duration, bool) {
	units := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}
	if len(text) < 2 || len(text) > 8 {
		return 0, false
	}
	unit := units[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	return time.Duration(n) * unit, err == nil && n > 0 && unit > 0
}

// OnceWords is the reverse of ParseOnce.
func OnceWords(d time.Duration) string {
	const dayLong = 24 * time.Hour
	switch {
	case d == 0:
		return ""
	case d < 0:
		return "ever"
	case d%dayLong == 0:
		return fmt.Sprintf("%dd", d/dayLong)
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}
