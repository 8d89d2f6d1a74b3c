package hongyan

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAnEventIDLeadsBack(t *testing.T) {
	at := time.Date(2026, 11, 27, 8, 0, 0, 123e6, time.UTC)
	for _, id := range []int64{1, 42, 1<<52 - 1} {
		text := NewsEventID(id, at)
		got, gotAt, ok := ParseEventID(text)
		if !ok || got != id || !gotAt.Equal(at) || len(text) != 28 {
			t.Errorf("%s leads to %d, %v, %v", text, got, gotAt, ok)
		}
	}
	for _, text := range []string{"", "5", "evt_", "evt_1", "evt_zzzzzzzzzzzzzzzzzzzzzzzz", "msg_000000000000000000000000"} {
		if _, _, ok := ParseEventID(text); ok {
			t.Errorf("%q is taken for the id of an event", text)
		}
	}
}

func TestTheBodyOfAMessagesEvent(t *testing.T) {
	n := News{ID: 7, At: time.UnixMilli(1790000000123), Type: NewsFailed, AppID: "wx1", MessageSeq: 3, MessageID: "msg_3",
		Data:    []byte(`{"state":"failed","reason":"errcode","final":true,"errcode":40037,"attempts":1}`),
		Message: &NewsMessage{Kind: KindTemplate, ToUser: "o1", TemplateID: "t1", ClientMsgID: "c1", Metadata: []byte(`{"a":"<b>"}`), CreatedAt: time.UnixMilli(1790000000000)}}
	want := `{"id":"` + n.EventID() + `","type":"message.failed","timestamp":"2026-09-21T14:13:20.123Z","data":{"message_id":"msg_3","appid":"wx1","kind":"template","touser":"o1",` +
		`"template_id":"t1","client_msg_id":"c1","created_at":"2026-09-21T14:13:20.000Z","metadata":{"a":"<b>"},"state":"failed","reason":"errcode","final":true,"errcode":40037,"attempts":1}}`
	if diff := cmp.Diff(want, string(n.Body())); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	n.Message = nil // the message was removed, or its user erased
	if body := string(n.Body()); strings.Contains(body, "o1") || !strings.Contains(body, `"state":"failed"`) {
		t.Errorf("without the message: %s", body)
	}
}

// TestNoEventIsTooLong: what is cut is named.
func TestNoEventIsTooLong(t *testing.T) {
	long := strings.Repeat("长", 9000)
	for name, tt := range map[string]struct {
		n    News
		want []string
	}{
		"metadata": {News{Type: NewsAccepted, MessageSeq: 1, Data: []byte(`{"state":"accepted"}`), Message: &NewsMessage{Metadata: []byte(`{"a":"` + long + `"}`)}}, []string{"metadata"}},
		"a text":   {News{Type: NewsAccountAlarm, Data: []byte(`{"detail":"` + long + `","reason":"quota"}`)}, []string{"detail"}},
		"objects":  {News{Type: NewsRuleFired, Data: []byte(`{"big":{"x":"` + long + `"},"more":["` + long + `"],"name":"n"}`)}, []string{"big", "more"}},
	} {
		body := tt.n.Body()
		var e struct{ Data struct{ Cut []string } }
		if err := json.Unmarshal(body, &e); err != nil || len(body) > MaxEventBody {
			t.Errorf("%s: %d bytes, %v", name, len(body), err)
		}
		got := map[string]bool{}
		for _, c := range e.Data.Cut {
			got[c] = true
		}
		for _, c := range tt.want {
			if !got[c] {
				t.Errorf("%s: cut %v, want %v", name, e.Data.Cut, tt.want)
			}
		}
	}
}

func TestWhatAWebhookWants(t *testing.T) {
	some := Webhook{Events: []string{"message.*", NewsQuota}, AppIDs: []string{"wx1"}}
	for _, tt := range []struct {
		w           Webhook
		typ, appID  string
		want        bool
		explanation string
	}{
		{some, NewsDelivered, "wx1", true, "a pattern"},
		{some, NewsQuota, "wx1", true, "a type"},
		{some, NewsRuleFired, "wx1", false, "another type"},
		{some, NewsDelivered, "wx2", false, "another account"},
		{some, NewsQuota, "", true, "no account"},
		{Webhook{}, NewsRuleFired, "wx9", true, "everything"},
		{Webhook{}, NewsWebhookTest, "", false, "a trial is of one endpoint"},
		{Webhook{Disabled: "gone"}, NewsRuleFired, "wx9", false, "disabled"},
	} {
		if got := tt.w.Wants(tt.typ, tt.appID); got != tt.want {
			t.Errorf("%s: %v", tt.explanation, got)
		}
	}
}
