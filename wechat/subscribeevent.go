package wechat

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
)

// wireItem is one template of a subscribe event. Numbers stay texts until it is known that the
// event is one: others may have anything under these names.
type wireItem struct {
	TemplateID      wireText `xml:"TemplateId" json:"TemplateId"`
	SubscribeStatus wireText `xml:"SubscribeStatusString" json:"SubscribeStatusString"`
	PopupScene      wireText `xml:"PopupScene" json:"PopupScene"`
	MsgID           wireText `xml:"MsgID" json:"MsgID"`
	ErrorCode       wireText `xml:"ErrorCode" json:"ErrorCode"`
	ErrorStatus     wireText `xml:"ErrorStatus" json:"ErrorStatus"`
}

// wireList is a list of templates, unread where it came as JSON.
type wireList struct {
	items []wireItem
	json  json.RawMessage
}

// UnmarshalXML reads <Wrapper><List>…</List><List>…</List></Wrapper>; a wrapper may repeat.
func (l *wireList) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	var wrapper struct {
		List []wireItem `xml:"List"`
	}
	if err := d.DecodeElement(&wrapper, &start); err != nil {
		return err
	}
	l.items = append(l.items, wrapper.List...)
	return nil
}

// UnmarshalJSON keeps the value for read.
func (l *wireList) UnmarshalJSON(raw []byte) error {
	l.json = bytes.Clone(raw)
	return nil
}

// read gives the list's items, whatever its form.
func (l wireList) read() ([]wireItem, error) {
	if l.json == nil {
		return l.items, nil
	}
	raw := l.json
	var wrapper struct {
		List json.RawMessage `json:"List"`
	}
	if raw[0] == '{' {
		if err := json.Unmarshal(raw, &wrapper); err != nil {
			return nil, fmt.Errorf("JSON List: %w", err)
		}
	}
	if wrapper.List != nil {
		raw = wrapper.List
	}
	items, err := readItems(raw)
	if err != nil {
		return nil, fmt.Errorf("JSON List: %w", err)
	}
	return items, nil
}

// readItems reads a JSON list: an array, or an object when it has one item only (spec §7.4).
func readItems(raw json.RawMessage) ([]wireItem, error) {
	switch {
	case string(raw) == "null":
		return nil, nil
	case raw[0] == '[':
		var items []wireItem
		err := json.Unmarshal(raw, &items)
		return items, err
	}
	var item wireItem
	err := json.Unmarshal(raw, &item)
	return []wireItem{item}, err
}

// items reads the list that belongs to the event: the first of its forms that has items. WeChat's
// page once printed the change event with the wrapper of the popup event, so that one is accepted
// there too.
func (p *wirePush) items(e Event) ([]SubscribeItem, error) {
	var forms []wireList
	switch {
	case e.Is(EventSubscribeMsgPopup):
		forms = []wireList{p.Popup}
	case e.Is(EventSubscribeMsgChange):
		forms = []wireList{p.Change, p.Popup}
	case e.Is(EventSubscribeMsgSent):
		forms = []wireList{p.Sent}
	default:
		return nil, nil
	}
	for _, form := range append(forms, p.Bare, wireList{items: p.List}) {
		list, err := form.read()
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			return convertItems(list)
		}
	}
	return nil, nil
}

func convertItems(list []wireItem) ([]SubscribeItem, error) {
	items := make([]SubscribeItem, len(list))
	for i, item := range list {
		var err error
		if items[i], err = item.item(); err != nil {
			return nil, err
		}
	}
	return items, nil
}

func (w wireItem) item() (SubscribeItem, error) {
	var msgID, code wireInt
	if err := msgID.UnmarshalText([]byte(w.MsgID)); err != nil {
		return SubscribeItem{}, fmt.Errorf("MsgID: %w", err)
	}
	if err := code.UnmarshalText([]byte(w.ErrorCode)); err != nil {
		return SubscribeItem{}, fmt.Errorf("ErrorCode: %w", err)
	}
	if wireInt(int(code)) != code {
		return SubscribeItem{}, errors.New("ErrorCode is out of range")
	}
	return SubscribeItem{
		TemplateID:      string(w.TemplateID),
		SubscribeStatus: string(w.SubscribeStatus),
		PopupScene:      string(w.PopupScene),
		MsgID:           int64(msgID),
		ErrorCode:       int(code),
		ErrorStatus:     string(w.ErrorStatus),
	}, nil
}

// Delivery says what became of the message that a subscribe_msg_sent_event reports
// on. ErrorCode 0 is delivered. Other codes are not published; those of a send are
// expected (spec §7.4), and ErrorStatus is read as the Status of a
// TEMPLATESENDJOBFINISH first.
func (i SubscribeItem) Delivery() DeliveryStatus {
	if i.ErrorCode == 0 {
		return StatusSuccess
	}
	if s := ParseStatus(i.ErrorStatus); s != StatusSuccess && s != StatusOther {
		return s
	}
	switch i.ErrorCode {
	case 43101: // the user has not agreed, or not any more
		return StatusUserBlock
	case 43117, 45011, 45009: // too many to this user, or in all
		return StatusFreqLimit
	case -1:
		return StatusSystemFailed
	}
	return StatusOther
}
