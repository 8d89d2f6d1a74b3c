package callback

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
)

// TestWhatEventsSayOfConsents: XML with its wrappers, JSON with one item and with
// several (spec §7.4), and what says nothing.
func TestWhatEventsSayOfConsents(t *testing.T) {
	xml := func(event, wrapper, items string) string {
		return fmt.Sprintf(`<xml><ToUserName>gh_0a1b2c3d4e5f</ToUserName><FromUserName>oSpecUser00000000000000000A1</FromUserName>
<CreateTime>1790000100</CreateTime><MsgType>event</MsgType><Event>%s</Event><%s>%s</%s></xml>`, event, wrapper, items, wrapper)
	}
	json := func(event, list string) string {
		return fmt.Sprintf(`{"ToUserName":"gh_0a1b2c3d4e5f","FromUserName":"oSpecUser00000000000000000A1","CreateTime":"1790000100","MsgType":"event","Event":%q,"List":%s}`, event, list)
	}
	asked := `<List><TemplateId>T1</TemplateId><SubscribeStatusString>accept</SubscribeStatusString><PopupScene>0</PopupScene></List>` +
		`<List><TemplateId>T2</TemplateId><SubscribeStatusString>reject</SubscribeStatusString><PopupScene>0</PopupScene></List>`
	off := `<List><TemplateId>T1</TemplateId><SubscribeStatusString>reject</SubscribeStatusString></List>`
	for _, c := range []struct {
		name, typ, body string
		want            map[string]hongyan.ConsentAct
	}{
		{"a prompt", "subscribe_msg_popup_event", xml("subscribe_msg_popup_event", "SubscribeMsgPopupEvent", asked),
			map[string]hongyan.ConsentAct{"T1": hongyan.ConsentAccepted, "T2": hongyan.ConsentDeclined}},
		{"a prompt in JSON", "subscribe_msg_popup_event", json("subscribe_msg_popup_event", `{"TemplateId":"T1","SubscribeStatusString":"accept","PopupScene":"0"}`),
			map[string]hongyan.ConsentAct{"T1": hongyan.ConsentAccepted}},
		{"switched off", "subscribe_msg_change_event", xml("subscribe_msg_change_event", "SubscribeMsgChangeEvent", off), map[string]hongyan.ConsentAct{"T1": hongyan.ConsentRevoked}},
		{"switched off, as the page once had it", "subscribe_msg_change_event", xml("subscribe_msg_change_event", "SubscribeMsgPopupEvent", off), map[string]hongyan.ConsentAct{"T1": hongyan.ConsentRevoked}},
		{"messages", "subscribe_msg_sent_event", json("subscribe_msg_sent_event", `[{"TemplateId":"T1","MsgID":"1","ErrorCode":"0","ErrorStatus":"success"},
			{"TemplateId":"T2","MsgID":"2","ErrorCode":"43101","ErrorStatus":"user refuse"},{"TemplateId":"T3","MsgID":"3","ErrorCode":"45009","ErrorStatus":"x"}]`),
			map[string]hongyan.ConsentAct{"T1": hongyan.ConsentSent, "T2": hongyan.ConsentRefused}},
		{"another event", "templatesendjobfinish", xml("TEMPLATESENDJOBFINISH", "SubscribeMsgPopupEvent", asked), map[string]hongyan.ConsentAct{}},
		{"no event at all", "subscribe_msg_popup_event", "x", map[string]hongyan.ConsentAct{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := map[string]hongyan.ConsentAct{}
			for _, ch := range consentsIn(&hongyan.Event{AppID: "wx1", Type: c.typ, Body: []byte(c.body)}) {
				got[ch.TemplateID] = ch.Act
				if ch.AppID != "wx1" || ch.OpenID != "oSpecUser00000000000000000A1" || !ch.At.Equal(time.Unix(1790000100, 0)) || ch.Reported {
					t.Errorf("change %+v", ch)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("acts (-want +got):\n%s", diff)
			}
		})
	}
}
