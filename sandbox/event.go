package sandbox

import (
	"strconv"
	"time"

	"hongyan/wechat"
)

// Names of events on the wire (spec §5.1).
const (
	eventJobFinish   = "TEMPLATESENDJOBFINISH"
	eventSubscribe   = "subscribe"
	eventUnsubscribe = "unsubscribe"
)

// element is one element of an event, or member in JSON.
type element struct {
	name, value string
	number      bool // no CDATA in XML, no quotes in JSON
}

// event is what the platform tells the account's server, in the order of the wire.
type event struct {
	openid   string
	elements []element
}

func newEvent(a *account, openid, name string, at time.Time, more ...element) event {
	elements := []element{
		{name: "ToUserName", value: a.originalID},
		{name: "FromUserName", value: openid},
		{name: "CreateTime", value: strconv.FormatInt(at.Unix(), 10), number: true},
		{name: "MsgType", value: "event"},
		{name: "Event", value: name},
	}
	return event{openid: openid, elements: append(elements, more...)}
}

// name is the value of the element Event.
func (ev *event) name() string {
	for _, e := range ev.elements {
		if e.name == "Event" {
			return e.value
		}
	}
	return ""
}

// finished is TEMPLATESENDJOBFINISH. The field is MsgID, not MsgId (spec §5.1).
func (m *message) finished(status delivery, at time.Time) event {
	if m.tmpl.family == familySubscribe {
		return m.subscribeSent(status, at)
	}
	return newEvent(m.account, m.openid, eventJobFinish, at,
		element{name: "MsgID", value: m.eventMsgID(), number: true},
		element{name: "Status", value: m.statusOf(status)})
}

// eventMsgID is the msgid as events tell it: 0 where the account or a fault rule
// wants it so (spec §10, row 10).
func (m *message) eventMsgID() string {
	if m.bent.EventMsgIDZero || m.account.eventMsgIDZero && m.body.ClientMsgID != "" {
		return "0"
	}
	return strconv.FormatInt(m.msgID, 10)
}

// followEvent is subscribe or unsubscribe; EventKey is empty because nobody
// scanned a code.
func followEvent(a *account, openid, name string, at time.Time) event {
	return newEvent(a, openid, name, at, element{name: "EventKey"})
}

// appendXML appends the elements without the <xml> around them. No value can
// hold "]]>": openids, names and numbers are checked before they get here.
func appendXML(b []byte, elements []element) []byte {
	for _, e := range elements {
		b = append(append(append(b, '<'), e.name...), '>')
		if e.number {
			b = append(b, e.value...)
		} else {
			b = append(append(append(b, "<![CDATA["...), e.value...), "]]>"...)
		}
		b = append(append(append(b, "</"...), e.name...), ">\n"...)
	}
	return b
}

func appendJSON(b []byte, elements []element) []byte {
	b = append(b, '{')
	for i, e := range elements {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendJSONText(b, e.name), ':')
		if e.number {
			b = append(b, e.value...)
		} else {
			b = appendJSONText(b, e.value)
		}
	}
	return append(b, '}')
}

func (a *account) encode(elements []element) []byte {
	if a.format == formatJSON {
		return appendJSON(nil, elements)
	}
	return append(appendXML([]byte("<xml>\n"), elements), "</xml>"...)
}

// sealed is an event as it goes over the wire; encrypt is "" and plain nil in
// plain mode.
type sealed struct {
	body        []byte
	plain       []byte // what encrypt holds
	encrypt     string
	contentType string
}

// seal encodes the event in the account's mode: plain has the elements, safe only
// ToUserName and Encrypt, compatible the elements and Encrypt (spec §5.4).
func (p *platform) seal(a *account, ev event) sealed {
	out := sealed{contentType: "text/xml"}
	if a.format == formatJSON {
		out.contentType = "application/json"
	}
	plain := a.encode(ev.elements)
	if a.mode == wechat.ModePlain {
		out.body = plain
		return out
	}
	out.plain = plain
	out.encrypt = wechat.EncryptWith(p.dice.block(), a.aesKey, a.appID, plain)
	elements := ev.elements
	if a.mode == wechat.ModeSafe {
		elements = elements[:1:1] // ToUserName
	}
	out.body = a.encode(append(elements[:len(elements):len(elements)], element{name: "Encrypt", value: out.encrypt}))
	return out
}
