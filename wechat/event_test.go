package wechat

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	specTemplate1 = "Zk3vQe0a1b2c3d4e5f6g7h8i9j0kLmNoPqRsTuVwXy1"
	specTemplate2 = "Zk3vQe0a1b2c3d4e5f6g7h8i9j0kLmNoPqRsTuVwXy2"
)

// finish is the delivery event of the founding documents.
func finish(createTime, msgID int64, status string) Event {
	return Event{
		ToUserName: "gh_7f083739789a", FromUserName: "oia2TjuEGTNoeX76QEjQNrcURxG8", CreateTime: createTime,
		MsgType: "event", Event: "TEMPLATESENDJOBFINISH", MsgID: msgID, Status: status,
	}
}

// specEvent is an event of the specification's account and user.
func specEvent(createTime int64, name string, items ...SubscribeItem) Event {
	return Event{
		ToUserName: "gh_0a1b2c3d4e5f", FromUserName: "oSpecUser00000000000000000A1", CreateTime: createTime,
		MsgType: "event", Event: name, Items: items,
	}
}

func TestParseEventFiles(t *testing.T) {
	accepted := SubscribeItem{TemplateID: specTemplate1, SubscribeStatus: "accept", PopupScene: "0"}
	rejected := SubscribeItem{TemplateID: specTemplate2, SubscribeStatus: "reject", PopupScene: "2"}
	withdrawn := SubscribeItem{TemplateID: specTemplate1, SubscribeStatus: "reject"}
	sent := SubscribeItem{TemplateID: specTemplate1, MsgID: 4123456789012345679, ErrorStatus: "success"}

	delivered := finishEvent
	delivered.Status = "success"
	follow := specEvent(1790000000, "subscribe")
	follow.EventKey, follow.Ticket = "qrscene_123", "gQH47joAAAAAAAAAASxodHRwOi8v"
	text := specEvent(1790000000, "")
	text.MsgType, text.MessageID = "text", 23456789012345678

	tests := map[string]Event{
		"finish_success.xml":                 finish(1395658920, 200163836, "success"),
		"finish_user_block.xml":              finish(1395658984, 200163840, "failed:user block"),
		"finish_system_failed.xml":           finish(1395658984, 200163840, "failed: system failed"),
		"finish.json":                        delivered,
		"follow.xml":                         follow,
		"text.xml":                           text,
		"subscribe_popup.xml":                specEvent(1790000100, EventSubscribeMsgPopup, accepted, rejected),
		"subscribe_popup_one.json":           specEvent(1790000100, EventSubscribeMsgPopup, accepted),
		"subscribe_popup_two.json":           specEvent(1790000100, EventSubscribeMsgPopup, accepted, rejected),
		"subscribe_change.xml":               specEvent(1790000100, EventSubscribeMsgChange, withdrawn),
		"subscribe_change_popup_wrapper.xml": specEvent(1790000100, EventSubscribeMsgChange, withdrawn),
		"subscribe_sent.xml":                 specEvent(1790000100, EventSubscribeMsgSent, sent),
		"subscribe_sent.json":                specEvent(1790000100, EventSubscribeMsgSent, sent),
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseEvent([]byte(mustReadFile(t, filepath.Join("testdata/events", name))))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("ParseEvent (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseEventRefusesFiles(t *testing.T) {
	for name, reason := range map[string]string{
		"malformed_guide.xml": "XML syntax error", // ]]&g; in the copy of the guide (K18)
		"billion_laughs.xml":  "document types are not allowed",
		"external_entity.xml": "document types are not allowed",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseEvent([]byte(mustReadFile(t, filepath.Join("testdata/events", name))))
			if err == nil || !strings.Contains(err.Error(), reason) {
				t.Errorf("ParseEvent = %+v, %v, want an error saying %q", got, err, reason)
			}
		})
	}
}

func TestParseEventRefuses(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":                       "",
		"white space":                   " \n",
		"form":                          "a=b",
		"JSON array":                    `[{}]`,
		"another root":                  `<html><Event>x</Event></html>`,
		"unclosed XML":                  `<xml><Event>x</Event>`,
		"two documents":                 `<xml></xml><xml></xml>`,
		"text behind":                   `<xml></xml>x`,
		"a document type behind":        `<xml></xml><!DOCTYPE xml>`,
		"a document type inside":        `<xml><!DOCTYPE xml></xml>`,
		"an entity nobody declared":     `<xml><Event>&nbsp;</Event></xml>`,
		"bytes that are not UTF-8":      "<xml><Event>\xff</Event></xml>",
		"another encoding":              `<?xml version="1.0" encoding="GBK"?><xml></xml>`,
		"MsgID with a fraction":         `<xml><Event>TEMPLATESENDJOBFINISH</Event><MsgID>1.5</MsgID></xml>`,
		"MsgID with an exponent":        `{"Event":"TEMPLATESENDJOBFINISH","MsgID":4.1e18}`,
		"MsgID beyond 64 bits":          `{"Event":"TEMPLATESENDJOBFINISH","MsgID":9223372036854775808}`,
		"MsgID of words":                `{"Event":"TEMPLATESENDJOBFINISH","MsgID":"many"}`,
		"CreateTime of words":           `{"Event":"TEMPLATESENDJOBFINISH","CreateTime":"today"}`,
		"an item's MsgID of words":      `{"Event":"subscribe_msg_sent_event","List":{"MsgID":"many"}}`,
		"two JSON documents":            `{}{}`,
		"unclosed JSON":                 `{"Event":"x"`,
		"subscribe list that is none":   `{"Event":"subscribe_msg_sent_event","List":"x"}`,
		"subscribe list of non-objects": `{"Event":"subscribe_msg_sent_event","List":[1]}`,
		"a word as wrapper":             `{"Event":"subscribe_msg_sent_event","SubscribeMsgSentEvent":"x"}`,
		"a list within a list":          `{"Event":"subscribe_msg_sent_event","List":{"List":[[{}]]}}`,
		"an item's MsgID with exponent": `{"Event":"subscribe_msg_sent_event","List":{"MsgID":4.1e18}}`,
		"an item's ErrorCode of words":  `<xml><Event>subscribe_msg_sent_event</Event><List><ErrorCode>x</ErrorCode></List></xml>`,
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := ParseEvent([]byte(body)); err == nil {
				t.Errorf("ParseEvent = %+v, want an error", got)
			}
		})
	}
}

// TestParseEventLeavesOtherEventsTheirNumbers: one address receives every event of
// an account, and an error would have the platform push it again and again.
func TestParseEventLeavesOtherEventsTheirNumbers(t *testing.T) {
	for name, body := range map[string]string{
		"words in XML":           `<xml><Event>x</Event><CreateTime>today</CreateTime><MsgID>many</MsgID></xml>`,
		"an object in JSON":      `{"Event":"x","MsgID":{"a":1},"CreateTime":"today"}`,
		"a name in another case": `{"event":"y","Event":"x","msgid":"many","MsgID":0}`,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseEvent([]byte(body))
			if diff := cmp.Diff(Event{Event: "x"}, got); diff != "" || err != nil {
				t.Errorf("error %v, (-want +got):\n%s", err, diff)
			}
		})
	}
	got, err := ParseEvent([]byte(`{"Event":"TEMPLATESENDJOBFINISH","MsgID":5,"msgid":"many","MsgId":6}`))
	if err != nil || got.MsgID != 5 || got.MessageID != 6 {
		t.Errorf("got MsgID %d, MsgId %d, error %v; want 5, 6 and no error", got.MsgID, got.MessageID, err)
	}
}

func TestParseEventReadsLooseForms(t *testing.T) {
	tests := []struct {
		name, body string
		want       Event
	}{
		{"XML declaration, comment and mark", "\ufeff<?xml version=\"1.0\" encoding=\"UTF-8\"?><!-- x --><xml><MsgID> 7 </MsgID></xml><!-- y -->\n", Event{MsgID: 7}},
		{"MsgID as JSON string", `{"MsgID":"4123456789012345678"}`, Event{MsgID: 4123456789012345678}},
		{"empty and null numbers", `{"MsgID":"","CreateTime":null}`, Event{}},
		{"empty element", `<xml><MsgID></MsgID><Event/></xml>`, Event{}},
		{"both spellings of the id", `{"MsgID":1,"MsgId":2}`, Event{MsgID: 1, MessageID: 2}},
		{"both spellings the other way round", `{"MsgId":2,"MsgID":1}`, Event{MsgID: 1, MessageID: 2}},
		{"MsgID alone is not MsgId", `<xml><MsgID>1</MsgID></xml>`, Event{MsgID: 1}},
		{"a number where text is usual", `{"EventKey":123,"Status":1}`, Event{EventKey: "123", Status: "1"}},
		{"another event's use of the names", `{"Event":"other","Status":{"a":1},"List":7,"EventKey":null}`, Event{Event: "other"}},
		{"escaped text instead of CDATA", `<xml><EventKey>a&amp;b&#61;1</EventKey></xml>`, Event{EventKey: "a&b=1"}},
		{"subscribe event without a list", `{"Event":"subscribe_msg_sent_event","List":null}`, Event{Event: EventSubscribeMsgSent}},
		{"wrappers of other events are not read", `<xml><Event>x</Event><SubscribeMsgSentEvent><List></List></SubscribeMsgSentEvent></xml>`, Event{Event: "x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseEvent([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("ParseEvent (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSubscribeEventForms reads one event in each form that was seen or printed
// somewhere: with its wrapper or without, in XML and JSON, one item or several,
// numbers as numbers or strings (spec §7.4).
func TestSubscribeEventForms(t *testing.T) {
	const item1 = `{"TemplateId":"T1","MsgID":"4123456789012345679","ErrorCode":"43101","ErrorStatus":"user refuse"}`
	const item2 = `{"TemplateId":"T2","MsgID":4123456789012345680,"ErrorCode":0,"ErrorStatus":"success"}`
	const xml1 = `<List><TemplateId>T1</TemplateId><MsgID>4123456789012345679</MsgID><ErrorCode>43101</ErrorCode><ErrorStatus><![CDATA[user refuse]]></ErrorStatus></List>`
	const xml2 = `<List><TemplateId>T2</TemplateId><MsgID>4123456789012345680</MsgID><ErrorCode></ErrorCode><ErrorStatus>success</ErrorStatus></List>`
	first := SubscribeItem{TemplateID: "T1", MsgID: 4123456789012345679, ErrorCode: 43101, ErrorStatus: "user refuse"}
	second := SubscribeItem{TemplateID: "T2", MsgID: 4123456789012345680, ErrorStatus: "success"}
	inJSON := func(member string) string { return `{` + member + `,"Event":"subscribe_msg_sent_event"}` }
	inXML := func(element string) string {
		return `<xml>` + element + `<Event>subscribe_msg_sent_event</Event></xml>`
	}
	tests := []struct {
		name, body string
		want       []SubscribeItem
	}{
		{"JSON object", inJSON(`"List":` + item1), []SubscribeItem{first}},
		{"JSON array of one", inJSON(`"List":[` + item1 + `]`), []SubscribeItem{first}},
		{"JSON array", inJSON(`"List":[` + item1 + `,` + item2 + `]`), []SubscribeItem{first, second}},
		{"JSON wrapper with object", inJSON(`"SubscribeMsgSentEvent":{"List":` + item1 + `}`), []SubscribeItem{first}},
		{"JSON wrapper with array", inJSON(`"SubscribeMsgSentEvent": {"List": [` + item1 + `,` + item2 + `]}`), []SubscribeItem{first, second}},
		{"JSON wrapper that is the array", inJSON(`"SubscribeMsgSentEvent":[` + item1 + `,` + item2 + `]`), []SubscribeItem{first, second}},
		{"JSON wrapper that is the item", inJSON(`"SubscribeMsgSentEvent":` + item1), []SubscribeItem{first}},
		{"JSON wrapper without a list", inJSON(`"SubscribeMsgSentEvent":{"List":null}`), nil},
		{"JSON empty array", inJSON(`"List":[]`), nil},
		{"JSON in both places", inJSON(`"List":` + item1 + `,"SubscribeMsgSentEvent":{"List":` + item1 + `}`), []SubscribeItem{first}},
		{"JSON wrapper of another event", inJSON(`"SubscribeMsgPopupEvent":{"List":` + item1 + `}`), nil},
		{"XML wrapper", inXML(`<SubscribeMsgSentEvent>` + xml1 + xml2 + `</SubscribeMsgSentEvent>`), []SubscribeItem{first, second}},
		{"XML without wrapper", inXML(xml1 + xml2), []SubscribeItem{first, second}},
		{"XML wrapper twice", inXML(`<SubscribeMsgSentEvent>` + xml1 + `</SubscribeMsgSentEvent><SubscribeMsgSentEvent>` + xml2 + `</SubscribeMsgSentEvent>`),
			[]SubscribeItem{first, second}},
		{"XML empty wrapper", inXML(`<SubscribeMsgSentEvent/>`), nil},
		{"another event's list is not read", `<xml><Event>other</Event><List><MsgID>many</MsgID></List></xml>`, nil},
		{"another event's list in JSON is not read", `{"Event":"other","List":{"MsgID":"many"},"SubscribeMsgSentEvent":7}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseEvent([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Items); diff != "" {
				t.Errorf("items (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEventIs(t *testing.T) {
	e := Event{Event: "TemplateSendJobFinish", Status: "failed:freq limit"}
	if !e.Is(EventTemplateSendJobFinish) || e.Is(EventSubscribe) || (Event{}).Is("") {
		t.Error("Is does not compare names in any case, or takes no name for one")
	}
	if got := e.Delivery(); got != StatusFreqLimit {
		t.Errorf("Delivery = %v, want freq_limit", got)
	}
}

func FuzzParseEvent(f *testing.F) {
	paths, err := filepath.Glob("testdata/events/*")
	if err != nil || len(paths) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, path := range paths {
		f.Add([]byte(mustReadFile(f, path)))
	}
	for _, list := range []string{`"List":[{"MsgID":"1"}]`, `"SubscribeMsgSentEvent":{"List":{"ErrorCode":"0"}}`, `"SubscribeMsgSentEvent":[{}]`} {
		f.Add([]byte(`{"Event":"subscribe_msg_sent_event",` + list + `}`))
	}
	f.Add([]byte(`<xml><Event>subscribe_msg_popup_event</Event><List><PopupScene>1</PopupScene></List></xml>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := ParseEvent(body)
		if err != nil {
			return
		}
		again, err := ParseEvent(append([]byte("\n"), body...))
		if diff := cmp.Diff(got, again); err != nil || diff != "" && body[0] != 0xEF {
			t.Errorf("a line break before it changes the event (%v):\n%s", err, diff)
		}
		mayHaveItems := got.Is(EventSubscribeMsgPopup) || got.Is(EventSubscribeMsgChange) || got.Is(EventSubscribeMsgSent)
		if len(got.Items) > 0 && !mayHaveItems {
			t.Errorf("items in an event that has none: %+v", got)
		}
	})
}
