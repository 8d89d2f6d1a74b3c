package wechat

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Names of the events that concern template and subscribe messages. Compare with Event.Is.
const (
	EventTemplateSendJobFinish = "TEMPLATESENDJOBFINISH"
	EventSubscribe             = "subscribe"
	EventUnsubscribe           = "unsubscribe"
	EventSubscribeMsgPopup     = "subscribe_msg_popup_event"
	EventSubscribeMsgChange    = "subscribe_msg_change_event"
	EventSubscribeMsgSent      = "subscribe_msg_sent_event"
)

// Event is a push taken apart (spec §5.1, §5.5, §7.4). Fields a push does not have are zero.
// User messages are events too here: their MsgType is not "event" and they carry a MessageID.
type Event struct {
	ToUserName   string // original id of the account, gh_…
	FromUserName string // openid of the user
	CreateTime   int64  // Unix seconds
	MsgType      string // "event" for events
	Event        string
	EventKey     string
	Ticket       string
	Status       string // of TEMPLATESENDJOBFINISH, see Delivery
	MsgID        int64  // element MsgID: the msgid that send returned; 0 when absent
	MessageID    int64  // element MsgId, spelt differently on purpose: the id of a user's own message
	Items        []SubscribeItem
}

// SubscribeItem is one template in a subscribe event.
type SubscribeItem struct {
	TemplateID      string
	SubscribeStatus string // "accept" or "reject"
	PopupScene      string // "0" mini program page, "1" H5, "2" article
	MsgID           int64  // sent event: the msgid that send returned
	ErrorCode       int    // sent event: 0 is delivered
	ErrorStatus     string // sent event: "success"
}

// Is reports whether the event has this name, in any case.
func (e Event) Is(name string) bool { return e.Event != "" && strings.EqualFold(e.Event, name) }

// Delivery reads Status; meant for TEMPLATESENDJOBFINISH events.
func (e Event) Delivery() DeliveryStatus { return ParseStatus(e.Status) }

// ParseEvent reads a plain push, XML or JSON by its first byte. XML with a document type or an
// entity of its own is refused, as is anything after the document. Numbers may be written as
// numbers or strings, but never with a fraction or exponent: an msgid has 19 digits and would
// lose some in a float. Errors quote no values.
func ParseEvent(body []byte) (Event, error) {
	push, err := parsePush(body)
	if err != nil {
		return Event{}, fmt.Errorf("wechat: parse event: %w", err)
	}
	event, err := push.event()
	if err != nil {
		return Event{}, fmt.Errorf("wechat: parse event: %w", err)
	}
	return event, nil
}

// wirePush is every element of a push that this package reads, envelope and event alike. Numbers
// stay texts until it is known which event it is: one address receives every event of an account,
// and others use these names for other things.
type wirePush struct {
	XMLName      xml.Name `xml:"xml"`
	ToUserName   wireText `xml:"ToUserName"`
	Encrypt      wireText `xml:"Encrypt"`
	FromUserName wireText `xml:"FromUserName"`
	CreateTime   wireText `xml:"CreateTime"`
	MsgType      wireText `xml:"MsgType"`
	Event        wireText `xml:"Event"`
	EventKey     wireText `xml:"EventKey"`
	Ticket       wireText `xml:"Ticket"`
	Status       wireText `xml:"Status"`
	MsgID        wireText `xml:"MsgID"`
	MessageID    wireText `xml:"MsgId"`

	// The lists of the subscribe events, in their wrappers as XML has them and without one as
	// JSON has it. Either may come in the other's form. Other events use the names for other
	// things, so the lists are read for these events only; see items.
	Popup  wireList   `xml:"SubscribeMsgPopupEvent"`
	Change wireList   `xml:"SubscribeMsgChangeEvent"`
	Sent   wireList   `xml:"SubscribeMsgSentEvent"`
	Bare   wireList   `xml:"-"` // the JSON member List
	List   []wireItem `xml:"List"`

	json bool
}

var byteOrderMark = []byte("\ufeff")

func parsePush(body []byte) (*wirePush, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, byteOrderMark))
	switch {
	case len(body) == 0:
		return nil, errors.New("empty body")
	case body[0] == '{':
		return parseJSONPush(body)
	case body[0] == '<':
		return parseXMLPush(body)
	}
	return nil, errors.New("neither XML nor JSON")
}

func parseJSONPush(body []byte) (*wirePush, error) {
	// By exact name: encoding/json would take "msgid" of another event for MsgID.
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, fmt.Errorf("JSON: %w", err)
	}
	push := wirePush{json: true}
	for name, member := range push.members() {
		raw, given := members[name]
		if !given {
			continue
		}
		if err := member.UnmarshalJSON(raw); err != nil {
			return nil, fmt.Errorf("JSON %s: %w", name, err)
		}
	}
	return &push, nil
}

// members are the JSON names and where each goes.
func (p *wirePush) members() map[string]json.Unmarshaler {
	return map[string]json.Unmarshaler{
		"ToUserName": &p.ToUserName, "Encrypt": &p.Encrypt, "FromUserName": &p.FromUserName, "CreateTime": &p.CreateTime,
		"MsgType": &p.MsgType, "Event": &p.Event, "EventKey": &p.EventKey, "Ticket": &p.Ticket, "Status": &p.Status,
		"MsgID": &p.MsgID, "MsgId": &p.MessageID,
		"SubscribeMsgPopupEvent": &p.Popup, "SubscribeMsgChangeEvent": &p.Change, "SubscribeMsgSentEvent": &p.Sent, "List": &p.Bare,
	}
}

func parseXMLPush(body []byte) (*wirePush, error) {
	var push wirePush
	plain := xml.NewDecoder(bytes.NewReader(body))
	if err := xml.NewTokenDecoder(strictTokens{plain}).Decode(&push); err != nil {
		return nil, fmt.Errorf("XML: %w", err)
	}
	if err := onlySpaceLeft(plain); err != nil {
		return nil, fmt.Errorf("XML: %w", err)
	}
	return &push, nil
}

// strictTokens refuses document types, and with them entities of the sender's making. Go's
// decoder would skip the first and reject only the use of the second.
type strictTokens struct{ *xml.Decoder }

var errDocType = errors.New("document types are not allowed")

func (t strictTokens) Token() (xml.Token, error) {
	token, err := t.Decoder.Token()
	if _, ok := token.(xml.Directive); ok {
		return nil, errDocType
	}
	return token, err
}

// onlySpaceLeft refuses a second document after the first.
func onlySpaceLeft(d *xml.Decoder) error {
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.Comment:
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return errors.New("text after the document")
			}
		default:
			return errors.New("more than one document")
		}
	}
}

// event builds the exported form.
func (p *wirePush) event() (Event, error) {
	e := Event{
		ToUserName:   string(p.ToUserName),
		FromUserName: string(p.FromUserName),
		MsgType:      string(p.MsgType),
		Event:        string(p.Event),
		EventKey:     string(p.EventKey),
		Ticket:       string(p.Ticket),
		Status:       string(p.Status),
	}
	err := p.numbers(&e)
	if err != nil {
		return Event{}, err
	}
	e.Items, err = p.items(e)
	return e, err
}

// numbers fills the numbers of e. Only a receipt needs them: in other events what cannot be read
// is 0.
func (p *wirePush) numbers(e *Event) error {
	for _, field := range []struct {
		text wireText
		to   *int64
	}{{p.CreateTime, &e.CreateTime}, {p.MsgID, &e.MsgID}, {p.MessageID, &e.MessageID}} {
		var n wireInt
		if err := n.UnmarshalText([]byte(field.text)); err != nil && e.Is(EventTemplateSendJobFinish) {
			return err
		}
		*field.to = int64(n)
	}
	return nil
}

// wireText is a text without surrounding white space. In JSON a number counts as its digits;
// other kinds count as nothing, because other events may use the same name for other things.
type wireText string

// UnmarshalText is for XML.
func (t *wireText) UnmarshalText(text []byte) error {
	*t = wireText(bytes.TrimSpace(text))
	return nil
}

// UnmarshalJSON is for JSON.
func (t *wireText) UnmarshalJSON(raw []byte) error {
	*t = ""
	switch c := raw[0]; {
	case c == '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		*t = wireText(strings.TrimSpace(s))
	case c == '-' || '0' <= c && c <= '9':
		*t = wireText(raw)
	}
	return nil
}

// wireInt is an integer written as a number or as a string of one; nothing at all is 0.
type wireInt int64

var errNotInteger = errors.New("a number is not a whole one of 64 bits")

// UnmarshalText is for XML.
func (n *wireInt) UnmarshalText(text []byte) error {
	*n = 0
	digits := strings.TrimSpace(string(text))
	if digits == "" {
		return nil
	}
	v, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return errNotInteger // strconv's own error would quote the text
	}
	*n = wireInt(v)
	return nil
}

// UnmarshalJSON is for JSON.
func (n *wireInt) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		*n = 0
		return nil
	}
	if raw[0] == '"' {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		raw = []byte(s)
	}
	return n.UnmarshalText(raw)
}
