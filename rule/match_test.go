package rule_test

import (
	"testing"
	"testing/synctest"

	"hongyan"
	"hongyan/rule"
	"hongyan/wechat"
)

func field(value string) wechat.Field { return wechat.Field{Value: value} }

const popup = "<SubscribeMsgPopupEvent><List><TemplateId>T1</TemplateId><SubscribeStatusString>reject</SubscribeStatusString><PopupScene>0</PopupScene></List>" +
	"<List><TemplateId>T2</TemplateId><SubscribeStatusString>accept</SubscribeStatusString><PopupScene>1</PopupScene></List></SubscribeMsgPopupEvent>"

// TestAValueInAnAddressStaysOneValue: it ends no parameter, and a space is one in a path too.
func TestAValueInAnAddressStaysOneValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := hongyan.Rule{AppID: appID, Name: "a", On: "click", Message: hongyan.RuleMessage{TemplateID: tmplID, URL: "https://example.com/{{event.EventKey}}/?k={{event.EventKey}}",
			Data: wechat.Data{"thing1": field("欢迎"), "time2": field("{{time}}")}}}
		e := w.push(userA, "click", "<EventKey>a b+c&amp;d/é</EventKey>")
		got, err := w.start().desk.Try(t.Context(), &r, &e)
		if err != nil || got.Message == nil {
			t.Fatalf("got %+v, %v", got, err)
		}
		if want := "https://example.com/a%20b%2Bc%26d%2F%C3%A9/?k=a%20b%2Bc%26d%2F%C3%A9"; got.Message.URL != want {
			t.Errorf("got  %s\nwant %s", got.Message.URL, want)
		}
	})
}

// TestWhichPushesFit tries rules on pushes, and what they would send.
func TestWhichPushesFit(t *testing.T) {
	filter := func(field, op, value string) []hongyan.RuleFilter {
		return []hongyan.RuleFilter{{Field: field, Op: op, Value: value}}
	}
	tests := []struct {
		name, on    string
		filters     []hongyan.RuleFilter
		event, body string
		would       string
		value       string // of thing1, which is {{event.Scene}}{{event.EventKey}}{{event.TemplateId}}
	}{
		{"a follow", "follow", nil, "subscribe", "", "send", ""},
		{"a follow with a QR code", "follow", nil, "subscribe", "<EventKey>qrscene_7</EventKey>", "send", "7qrscene_7"},
		{"a follow with a QR code is a scan", "scan", nil, "subscribe", "<EventKey>qrscene_7</EventKey>", "send", "7qrscene_7"},
		{"a follow without one is none", "scan", nil, "subscribe", "<EventKey></EventKey>", "not_fitting", ""},
		{"a scan by a follower", "scan", filter("Scene", "equal", "7"), "scan", "<EventKey>7</EventKey>", "send", "77"},
		{"another scene", "scan", filter("Scene", "equal", "7"), "scan", "<EventKey>8</EventKey>", "not_fitting", ""},
		{"a key of the menu by its beginning", "click", filter("EventKey", "prefix", "order_"), "click", "<EventKey>order_new</EventKey>", "send", "order_new"},
		{"a key of the menu by a pattern", "click", filter("EventKey", "matches", "^order_(new|old)$"), "click", "<EventKey>order_newer</EventKey>", "not_fitting", ""},
		{"what was accepted among what was refused", "accept", nil, "subscribe_msg_popup_event", popup, "send", "T2"},
		{"another template was accepted", "accept", filter("TemplateId", "equal", "T1"), "subscribe_msg_popup_event", popup, "not_fitting", ""},
		{"a field inside another", "scancode_push", filter("ScanCodeInfo.ScanResult", "prefix", "http"), "scancode_push", "<EventKey>k</EventKey><ScanCodeInfo><ScanType>qrcode</ScanType><ScanResult>http://a</ScanResult></ScanCodeInfo>", "send", "k"},
		{"a field that is not there", "follow", filter("Ticket", "equal", "x"), "subscribe", "", "not_fitting", ""},
		{"another event", "follow", nil, "click", "", "not_fitting", ""},
		{"a message that breaks a rule", "view", nil, "view", "<EventKey>" + longValue + "</EventKey>", "refused", ""},
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		desk := w.start().desk
		for _, tt := range tests {
			r := hongyan.Rule{AppID: appID, Name: "a", On: tt.on, Filters: tt.filters, Message: hongyan.RuleMessage{TemplateID: tmplID, Data: wechat.Data{
				"thing1": field("=={{event.Scene}}{{event.EventKey}}{{event.TemplateId}}"), "time2": field("{{time:YYYY年M月D日 HH:mm}}"),
			}}}
			if broken := rule.Check(&r); len(broken) > 0 {
				t.Fatalf("%s: the rule breaks %+v", tt.name, broken)
			}
			e := w.push(userA, tt.event, tt.body)
			got, err := desk.Try(t.Context(), &r, &e)
			if err != nil || got.Would != tt.would || (got.Why == "") != (got.Would == "send") {
				t.Errorf("%s: got %s (%s), %v, want %s", tt.name, got.Would, got.Why, err, tt.would)
				continue
			}
			if tt.would == "send" && (got.Message.Data["thing1"].Value != "=="+tt.value || got.Message.Data["time2"].Value != "2000年1月1日 08:00") {
				t.Errorf("%s: got %+v, want %s", tt.name, got.Message.Data, tt.value)
			}
		}
		r := hongyan.Rule{AppID: appID, Name: "a", On: "click", Filters: filter("EventKey", "equal", "order_new")}
		if e, err := desk.Latest(t.Context(), &r); err != nil || string(e.Body) == "" || e.Type != "click" {
			t.Errorf("the latest that fits: %+v, %v", e, err)
		}
		r.On = "location_select"
		if _, err := desk.Latest(t.Context(), &r); !hongyan.IsKind(err, hongyan.NotFound) {
			t.Errorf("the latest of none: %v, want NotFound", err)
		}
	})
}

const longValue = "一二三四五六七八九十一二三四五六七八九十一二三四五六七八九十"

// TestPushesNobodyAsksAboutCostNothing: an unreadable push, and one about nobody, set nothing off.
func TestPushesNobodyAsksAboutCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.rule("welcome")
		desk := w.start().desk
		broken := hongyan.Event{AppID: appID, Type: "subscribe", OpenID: userA, Body: []byte("<xml><a>")}
		nobody := w.push("", "subscribe", "")
		gone := hongyan.Event{AppID: "wx9999999999999999", Type: "subscribe", OpenID: userA, Body: []byte("<xml></xml>")}
		for _, e := range []hongyan.Event{broken, nobody, gone} {
			if all, err := desk.Firings(t.Context(), &e); err != nil || len(all) != 0 {
				t.Errorf("%+v sets off %+v, %v", e, all, err)
			}
		}
	})
}
