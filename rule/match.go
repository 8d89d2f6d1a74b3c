package rule

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"time"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"
)

// The triggers with a name of their own.
const (
	onFollow = "follow" // subscribe, with or without a QR code
	onScan   = "scan"   // a QR code with a scene was scanned, by a follower or by somebody who follows with it
	onAccept = "accept" // the user agreed to subscribe messages of a template
	onClick  = "click"  // a key of the menu
)

// scenePrefix stands before the scene in the EventKey of a follower who came by a QR code.
const scenePrefix = "qrscene_"

// compiled is a rule ready to be compared with events.
type compiled struct {
	hongyan.Rule
	patterns []*regexp.Regexp // by filter; nil where its Op is another
}

// compile prepares a rule. A pattern that is none never fits; Check refuses it.
func compile(r *hongyan.Rule) compiled {
	c := compiled{Rule: *r, patterns: make([]*regexp.Regexp, len(r.Filters))}
	for i, f := range r.Filters {
		if f.Op == opMatches {
			c.patterns[i], _ = regexp.Compile(f.Value)
		}
	}
	return c
}

// about reports whether the rule is about events of that type at all.
func (c *compiled) about(e *hongyan.Event) bool {
	switch c.On {
	case onFollow:
		return e.Type == "subscribe"
	case onScan:
		return e.Type == "scan" || e.Type == "subscribe"
	case onAccept:
		return e.Type == "subscribe_msg_popup_event"
	}
	return e.Type == c.On
}

// push is an event taken apart.
type push struct {
	*hongyan.Event
	at     time.Time
	fields map[string]string
	agreed []wechat.SubscribeItem // of a popup: what the user accepted
}

func readPush(e *hongyan.Event) (*push, error) {
	fields, err := wechat.EventFields(e.Body)
	if err != nil {
		return nil, err
	}
	parsed, err := wechat.ParseEvent(e.Body)
	if err != nil {
		return nil, err
	}
	p := &push{Event: e, at: e.CreateTime, fields: fields}
	if p.at.IsZero() {
		p.at = e.ReceivedAt
	}
	switch {
	case e.Type == "scan":
		fields["Scene"] = parsed.EventKey
	case e.Type == "subscribe" && strings.HasPrefix(parsed.EventKey, scenePrefix):
		fields["Scene"] = strings.TrimPrefix(parsed.EventKey, scenePrefix)
	}
	for _, item := range parsed.Items {
		if item.SubscribeStatus == "accept" {
			p.agreed = append(p.agreed, item)
		}
	}
	return p, nil
}

// fits returns the fields with which an event fits the rule; nil and why not when it
// does not. An event about several templates fits with the first that does.
func (c *compiled) fits(p *push) (map[string]string, string) {
	switch c.On {
	case onScan:
		if p.fields["Scene"] == "" {
			return nil, "no QR code with a scene was scanned"
		}
	case onAccept:
		return c.fitsAgreed(p)
	}
	if f := c.misses(p.fields); f != nil {
		return nil, missWords(f, p.fields)
	}
	return p.fields, ""
}

func (c *compiled) fitsAgreed(p *push) (map[string]string, string) {
	why := "the user accepted nothing"
	for _, item := range p.agreed {
		fields := maps.Clone(p.fields)
		fields["TemplateId"], fields["PopupScene"], fields["SubscribeStatusString"] = item.TemplateID, item.PopupScene, item.SubscribeStatus
		f := c.misses(fields)
		if f == nil {
			return fields, ""
		}
		why = missWords(f, fields)
	}
	return nil, why
}

// The operators of a filter.
const (
	opEqual   = "equal"
	opPrefix  = "prefix"
	opMatches = "matches"
)

// misses returns the first filter that does not fit; nil = all do. A field that the
// event does not have is empty.
func (c *compiled) misses(fields map[string]string) *hongyan.RuleFilter {
	for i := range c.Filters {
		f := &c.Filters[i]
		value, ok := fields[f.Field], false
		switch f.Op {
		case opEqual:
			ok = value == f.Value
		case opPrefix:
			ok = strings.HasPrefix(value, f.Value)
		case opMatches:
			ok = c.patterns[i] != nil && c.patterns[i].MatchString(value)
		}
		if !ok {
			return f
		}
	}
	return nil
}

func missWords(f *hongyan.RuleFilter, fields map[string]string) string {
	value, there := fields[f.Field]
	if !there {
		return fmt.Sprintf("the event has no field %s, and the rule wants %s %q", f.Field, f.Op, clip(f.Value))
	}
	return fmt.Sprintf("%s is %q, and the rule wants %s %q", f.Field, clip(value), f.Op, clip(f.Value))
}

// filled is the rule's message for an event.
func (c *compiled) filled(p *push, fields map[string]string) hongyan.RuleMessage {
	v := values{openID: p.OpenID, at: p.at, fields: fields}
	m := c.Message
	m.URL, m.Page = v.fillURL(m.URL), v.fillURL(m.Page)
	if m.MiniProgram != nil {
		m.MiniProgram = &wechat.MiniProgram{AppID: m.MiniProgram.AppID, PagePath: v.fillURL(m.MiniProgram.PagePath)}
	}
	m.Data = make(wechat.Data, len(c.Message.Data))
	for key, field := range c.Message.Data {
		field.Value = v.fill(field.Value)
		m.Data[key] = field
	}
	return m
}

// firing is what an event that fits begins. Its message expires by the time of the
// push, not by when that was processed: a greeting of last week is none.
func (c *compiled) firing(p *push, fields map[string]string, life time.Duration) store.NewFiring {
	message, _ := json.Marshal(c.filled(p, fields)) // of texts only: it cannot fail
	if c.Message.ExpiresAfter > 0 {
		life = time.Duration(c.Message.ExpiresAfter) * time.Second
	}
	began := p.at
	if began.After(p.ReceivedAt) { // WeChat's clock is ahead of ours: nobody is to wait for that
		began = p.ReceivedAt
	}
	sendAt := began.Add(c.Delay)
	return store.NewFiring{RuleID: c.ID, OpenID: p.OpenID, Once: c.Once, Message: message, At: p.at, SendAt: sendAt, ExpiresAt: sendAt.Add(life)}
}

// clip keeps a value readable in a sentence.
func clip(s string) string {
	const keep = 60 // characters
	if r := []rune(s); len(r) > keep {
		return string(r[:keep]) + "…"
	}
	return s
}
