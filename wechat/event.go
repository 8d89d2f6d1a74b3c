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

// wirePush is every element of a push that this package reads, envelope and event alike.
type wirePush struct {
	XMLName      xml.Name `xml:"xml" json:"-"`
	ToUserName   wireText `xml:"ToUserName" json:"ToUserName"`
	Encrypt      wireText `xml:"Encrypt" json:"Encrypt"`
	FromUserName wireText `xml:"FromUserName" json:"FromUserName"`
	CreateTime   wireInt  `xml:"CreateTime" json:"CreateTime"`
	MsgType      wireText `xml:"MsgType" json:"MsgType"`
	Event        wireText `xml:"Event" json:"Event"`
	EventKey     wireText `xml:"EventKey" json:"EventKey"`
	Ticket       wireText `xml:"Ticket" json:"Ticket"`
	Status       wireText `xml:"Status" json:"Status"`
	MsgID        wireInt  `xml:"MsgID" json:"MsgID"`
	MessageID    wireInt  `xml:"MsgId" json:"MsgId"`

	Popup  []wireItem `xml:"SubscribeMsgPopupEvent>List" json:"-"`
	Change []wireItem `xml:"SubscribeMsgChangeEvent>List" json:"-"`
	Sent   []wireItem `xml:"SubscribeMsgSentEvent>List" json:"-"`
	// List is the JSON form of all three. Other events use the name for other things, so it is
	// read for these events only.
	List json.RawMessage `xml:"-" json:"List"`

	json bool
}

type wireItem struct {
	TemplateID      wireText `xml:"TemplateId" json:"TemplateId"`
	SubscribeStatus wireText `xml:"SubscribeStatusString" json:"SubscribeStatusString"`
	PopupScene      wireText `xml:"PopupScene" json:"PopupScene"`
	MsgID           wireInt  `xml:"MsgID" json:"MsgID"`
	ErrorCode       wireInt  `xml:"ErrorCode" json:"ErrorCode"`
	ErrorStatus     wireText `xml:"ErrorStatus" json:"ErrorStatus"`
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
	push := wirePush{json: true, List: members["List"]}
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

// members are the JSON names and where each goes. List is not among them.
func (p *wirePush) members() map[string]json.Unmarshaler {
	return map[string]json.Unmarshaler{
		"ToUserName": &p.ToUserName, "Encrypt": &p.Encrypt, "FromUserName": &p.FromUserName, "CreateTime": &p.CreateTime,
		"MsgType": &p.MsgType, "Event": &p.Event, "EventKey": &p.EventKey, "Ticket": &p.Ticket, "Status": &p.Status,
		"MsgID": &p.MsgID, "MsgId": &p.MessageID,
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
		CreateTime:   p.CreateTime.n,
		MsgType:      string(p.MsgType),
		Event:        string(p.Event),
		EventKey:     string(p.EventKey),
		Ticket:       string(p.Ticket),
		Status:       string(p.Status),
		MsgID:        p.MsgID.n,
		MessageID:    p.MessageID.n,
	}
	if e.Is(EventTemplateSendJobFinish) && (p.CreateTime.odd || p.MsgID.odd) {
		return Event{}, errNotInteger
	}
	items, err := p.items(e)
	if err != nil {
		return Event{}, err
	}
	for _, item := range items {
		converted, err := item.item()
		if err != nil {
			return Event{}, err
		}
		e.Items = append(e.Items, converted)
	}
	return e, nil
}

// items picks the list that belongs to the event. WeChat's page once printed the change event
// with the wrapper of the popup event, so that one is accepted there too.
func (p *wirePush) items(e Event) ([]wireItem, error) {
	var wrapped []wireItem
	switch {
	case e.Is(EventSubscribeMsgPopup):
		wrapped = p.Popup
	case e.Is(EventSubscribeMsgChange):
		wrapped = append(p.Change, p.Popup...)
	case e.Is(EventSubscribeMsgSent):
		wrapped = p.Sent
	default:
		return nil, nil
	}
	if p.json {
		return parseItems(p.List)
	}
	return wrapped, nil
}

// parseItems reads the JSON List: an object for one item, an array for several.
func parseItems(raw json.RawMessage) ([]wireItem, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if raw[0] == '[' {
		var items []wireItem
		if err := json.Unmarshal(raw, &items); err != nil {
			return nil, fmt.Errorf("JSON List: %w", err)
		}
		return items, nil
	}
	var item wireItem
	if err := json.Unmarshal(raw, &item); err != nil {
		return nil, fmt.Errorf("JSON List: %w", err)
	}
	return []wireItem{item}, nil
}

func (w wireItem) item() (SubscribeItem, error) {
	code := int(w.ErrorCode.n)
	switch {
	case w.ErrorCode.odd || w.MsgID.odd:
		return SubscribeItem{}, errNotInteger
	case int64(code) != w.ErrorCode.n:
		return SubscribeItem{}, errors.New("ErrorCode is out of range")
	}
	return SubscribeItem{
		TemplateID:      string(w.TemplateID),
		SubscribeStatus: string(w.SubscribeStatus),
		PopupScene:      string(w.PopupScene),
		MsgID:           w.MsgID.n,
		ErrorCode:       code,
		ErrorStatus:     string(w.ErrorStatus),
	}, nil
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
// Anything else is 0 and odd: one address receives every event of an account, and others use
// these names for other things. Who needs the number asks.
type wireInt struct {
	n   int64
	odd bool
}

var errNotInteger = errors.New("a number is not a whole one of 64 bits")

// UnmarshalText is for XML.
func (n *wireInt) UnmarshalText(text []byte) error {
	*n = wireInt{}
	digits := strings.TrimSpace(string(text))
	if digits == "" {
		return nil
	}
	v, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		n.odd = true
		return nil
	}
	n.n = v
	return nil
}

// UnmarshalJSON is for JSON.
func (n *wireInt) UnmarshalJSON(raw []byte) error {
	*n = wireInt{}
	if string(raw) == "null" {
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
