package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hongyan/sandbox"
)

// TestEveryKindIsPostedAndShown: the fields of each kind go into WeChat's own body.
func TestEveryKindIsPostedAndShown(t *testing.T) {
	g := newGateway(t)
	g.seed()
	user := sandbox.OpenID("", 1)
	for _, tt := range []struct{ name, body, payload string }{
		{"subscribe", fmt.Sprintf(`{"appid":%q,"kind":"subscribe","touser":%q,"template_id":%q,"page":"index?a=1","miniprogram_state":"trial","lang":"en_US",
			"data":{"character_string1":"27","thing2":{"value":"人民路店","color":"#173177"},"time3":"10:15"}}`, sandbox.SeedMiniAppID, user, sandbox.SeedTemplateSubscribePickup),
			fmt.Sprintf(`{"touser":%q,"template_id":%q,"page":"index?a=1","miniprogram_state":"trial","lang":"en_US",`+
				`"data":{"character_string1":{"value":"27"},"thing2":{"value":"人民路店"},"time3":{"value":"10:15"}}}`, user, sandbox.SeedTemplateSubscribePickup)},
		{"notice", fmt.Sprintf(`{"appid":"shop","kind":"notice","touser":%q,"template_id":"T","page":"https://shop.example.com/?a=1&b=2",
			"miniprogram":{"appid":%q,"pagepath":"index"},"data":{"thing1":"x"}}`, user, sandbox.SeedMiniAppID),
			fmt.Sprintf(`{"touser":%q,"template_id":"T","page":"https://shop.example.com/?a=1&b=2","miniprogram":{"appid":%q,"pagepath":"index"},"data":{"thing1":{"value":"x"}}}`, user, sandbox.SeedMiniAppID)},
		{"one_time", fmt.Sprintf(`{"appid":"shop","kind":"one_time","touser":%q,"template_id":"T","url":"https://shop.example.com/","scene":"1000","title":"取餐",
			"data":{"content":{"value":"您的餐已好","color":"#173177"}}}`, user),
			fmt.Sprintf(`{"touser":%q,"template_id":"T","url":"https://shop.example.com/","scene":"1000","title":"取餐","data":{"content":{"value":"您的餐已好","color":"#173177"}}}`, user)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := g.do("POST", "/v1/messages", tt.body)
			if got.status != 202 || !strings.Contains(got.body, `"kind":"`+tt.name+`"`) {
				t.Fatalf("status %d, body %s", got.status, got.body)
			}
			m, err := g.admin.Message(t.Context(), strings.TrimPrefix(got.header.Get("Location"), "/v1/messages/"))
			if err != nil {
				t.Fatal(err)
			}
			if string(m.Payload) != tt.payload {
				t.Errorf("body for WeChat %s\nwant %s", m.Payload, tt.payload)
			}
		})
	}
}

// TestTheNumberACallerWasAnsweredWithIsShownAndFound: it is not WeChat's msgid, which may
// come later.
func TestTheNumberACallerWasAnsweredWithIsShownAndFound(t *testing.T) {
	g := newGateway(t)
	g.seed()
	r := order(sandbox.OpenID("", 1))
	r.SendAt = time.Now().Add(time.Hour)
	sent, err := g.admin.Send(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	m, err := g.store.AnswerMsgID(t.Context(), sent.ID)
	if err != nil {
		t.Fatal(err)
	}
	number := *viewMsgID(m.OwnMsgID)
	for _, path := range []string{"/v1/messages/" + sent.ID, "/v1/messages?q=" + number} {
		got := g.do("GET", path, "")
		if !strings.Contains(got.body, `"msgid":null,"answered_msgid":"`+number+`"`) {
			t.Errorf("%s: status %d, %s; want answered_msgid %s", path, got.status, got.body, number)
		}
	}
}
