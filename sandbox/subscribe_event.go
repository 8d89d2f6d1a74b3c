package sandbox

import (
	"strconv"
	"time"

	"hongyan/wechat"
)

// Names of the subscribe events, and of their wrappers in XML (spec §7.4).
const (
	eventPopup  = "subscribe_msg_popup_event"
	eventChange = "subscribe_msg_change_event"
	eventSent   = "subscribe_msg_sent_event"

	wrapperPopup  = "SubscribeMsgPopupEvent"
	wrapperChange = "SubscribeMsgChangeEvent"
	wrapperSent   = "SubscribeMsgSentEvent"
)

func statusString(accept bool) string {
	if accept {
		return "accept"
	}
	return "reject"
}

func popupEvent(a *account, openid string, answers []ConsentAnswer, scene int, at time.Time) event {
	items := make([][]element, len(answers))
	for i, answer := range answers {
		items[i] = []element{
			{name: "TemplateId", value: answer.TemplateID},
			{name: "SubscribeStatusString", value: statusString(answer.Accept)},
			{name: "PopupScene", value: strconv.Itoa(scene), number: true},
		}
	}
	return subscribeEvent(a, openid, eventPopup, wrapperPopup, items, at)
}

// changeEvent tells what the user has switched off; only reject is pushed.
func changeEvent(a *account, openid string, templateIDs []string, at time.Time) event {
	items := make([][]element, len(templateIDs))
	for i, id := range templateIDs {
		items[i] = []element{
			{name: "TemplateId", value: id},
			{name: "SubscribeStatusString", value: statusString(false)},
		}
	}
	return subscribeEvent(a, openid, eventChange, wrapperChange, items, at)
}

// subscribeSent reports on a subscribe message. Unverified: the error codes are
// not published; the send's own are used.
func (m *message) subscribeSent(status delivery, at time.Time) event {
	code, text := wechat.CodeOK, "success"
	switch status.fate {
	case shownFate:
	case userBlocked.fate:
		code, text = wechat.CodeUserRefused, "user refuse to accept the msg"
	default:
		code, text = wechat.CodeSystemError, "system error"
	}
	return subscribeEvent(m.account, m.openid, eventSent, wrapperSent, [][]element{{
		{name: "TemplateId", value: m.tmpl.id},
		{name: "MsgID", value: m.eventMsgID(), number: true},
		{name: "ErrorCode", value: strconv.Itoa(int(code)), number: true},
		{name: "ErrorStatus", value: text},
	}}, at)
}

// subscribeEvent puts the items where the format has them: in XML one List each
// within the wrapper, in JSON a List at the top, an object when there is one item and
// an array when there are several, and every number a string (spec §7.4).
func subscribeEvent(a *account, openid, name, wrapper string, items [][]element, at time.Time) event {
	ev := newEvent(a, openid, name, at)
	if a.format != formatJSON {
		var raw []byte
		for _, item := range items {
			raw = append(append(append(raw, "<List>"...), appendXML(nil, item)...), "</List>"...)
		}
		ev.elements = append(ev.elements, element{name: wrapper, value: string(raw), number: true})
		return ev
	}
	quoteNumbers(ev.elements)
	var raw []byte
	for i, item := range items {
		quoteNumbers(item)
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = appendJSON(raw, item)
	}
	if len(items) > 1 {
		raw = append(append([]byte{'['}, raw...), ']')
	}
	ev.elements = append(ev.elements, element{name: "List", value: string(raw), number: true})
	return ev
}

func quoteNumbers(elements []element) {
	for i := range elements {
		elements[i].number = false
	}
}
