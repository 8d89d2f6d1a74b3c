package wechat

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sentXML = `<xml><ToUserName><![CDATA[gh_0a1b2c3d4e5f]]></ToUserName><FromUserName><![CDATA[oSpecUser00000000000000000A1]]></FromUserName>
<CreateTime>1790000100</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[subscribe_msg_sent_event]]></Event>
<SubscribeMsgSentEvent><List><TemplateId><![CDATA[Z]]></TemplateId><MsgID>11</MsgID><ErrorCode>0</ErrorCode><ErrorStatus><![CDATA[success]]></ErrorStatus></List>
<List><TemplateId><![CDATA[Y]]></TemplateId><MsgID><![CDATA[ 12 ]]></MsgID><ErrorCode>43101</ErrorCode><ErrorStatus><![CDATA[x]]></ErrorStatus></List></SubscribeMsgSentEvent></xml>`

func TestReplaceMsgIDs(t *testing.T) {
	const own = "9000000000000000007"
	to := map[int64]int64{11: 9000000000000000007, 12: 9000000000000000008, 13: 13}
	tests := []struct{ name, body, old, now string }{ // the first old in body becomes now
		{"an element", "<xml>\n <MsgID>11</MsgID>\r\n<Content>11</Content></xml>", "<MsgID>11", "<MsgID>" + own},
		{"an element with space", "<xml><MsgID> 11\n</MsgID></xml>", "11", own},
		{"CDATA", "<xml><MsgID><![CDATA[11]]></MsgID></xml>", "11", own},
		{"escapes", "<xml><MsgID>1&#49;</MsgID></xml>", "1&#49;", own},
		{"a sign", "<xml><MsgID>+11</MsgID></xml>", "+11", own},
		{"another's element", "<xml><A><MsgID>11</MsgID></A><MsgId>11</MsgId></xml>", "", ""},
		{"an element inside", "<xml><MsgID><a/>11</MsgID></xml>", "", ""},
		{"an unknown id", "<xml><MsgID>99</MsgID></xml>", "", ""},
		{"an id that stays", "<xml><MsgID>13</MsgID></xml>", "", ""},
		{"no id", "<xml><MsgID></MsgID><MsgID/></xml>", "", ""},
		{"a byte order mark", "\ufeff <xml><MsgID>11</MsgID></xml>", "11", own},
		{"an item without wrapper", "<xml><List><MsgID>11</MsgID></List></xml>", "11", own},
		{"a number", `{"CreateTime":11, "MsgID" : 11 ,"Status":"11"}`, ": 11 ", ": " + own + " "},
		{"a text", `{"MsgID":"11"}`, "11", own},
		{"an escaped text", `{"MsgID":"1\u0031"}`, `1\u0031`, own},
		{"one item", `{"List":{"TemplateId":"11","MsgID":"11"},"MsgID":null}`, `"MsgID":"11`, `"MsgID":"` + own},
		{"an item in lower case", `{"List":[{"msgid":11}]}`, "11", own},
		{"a wrapped item", `{"SubscribeMsgSentEvent":{"List":[{"a":[1,{"b":{}}]},{"MsgID":11}]}}`, ":11", ":" + own},
		{"another's member", `{"A":{"MsgID":11},"MsgId":11,"B":["MsgID",11],"msgid":11}`, "", ""},
		{"a byte order mark before JSON", "\ufeff{\"MsgID\":11}", "11", own},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ReplaceMsgIDs([]byte(tt.body), to)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Replace(tt.body, tt.old, tt.now, 1), string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestReplaceMsgIDsOfSeveralItems(t *testing.T) {
	got, err := ReplaceMsgIDs([]byte(sentXML), map[int64]int64{11: 9000000000000000007, 12: 9000000000000000008})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("<MsgID>11<", "<MsgID>9000000000000000007<", " 12 ", " 9000000000000000008 ").Replace(sentXML)
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestMsgIDs(t *testing.T) {
	tests := map[string]struct {
		body string
		want []int64
	}{
		"a receipt":             {finishXML, []int64{4123456789012345678}},
		"receipts of subscribe": {sentXML, []int64{11, 12}},
		"another event":         {"<xml><MsgType>event</MsgType><Event>MASSSENDJOBFINISH</Event><MsgID>5</MsgID></xml>", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e, err := ParseEvent([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, e.MsgIDs()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestReplaceMsgIDsRefuses(t *testing.T) {
	for _, body := range []string{"<xml><MsgID>11", `{"MsgID":11`, "<!DOCTYPE xml><xml><MsgID>11</MsgID></xml>", "<xml></a></xml>"} {
		if got, err := ReplaceMsgIDs([]byte(body), map[int64]int64{11: 12}); err == nil {
			t.Errorf("%s: got %q, want an error", body, got)
		}
	}
}

// FuzzReplaceMsgIDs: the event stays what it was but for its msgids, and replacing
// them back gives the same bytes when they were written plainly.
func FuzzReplaceMsgIDs(f *testing.F) {
	for _, seed := range []string{finishXML, finishJSON, sentXML, `{"Event":"subscribe_msg_sent_event","List":[{"MsgID":"1"}],"MsgID":2}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before, err := ParseEvent(body)
		if err != nil {
			return
		}
		const offset = 1_000_000_007
		there, back := map[int64]int64{}, map[int64]int64{}
		for _, id := range before.MsgIDs() {
			there[id], back[id+offset] = id+offset, id
		}
		if len(there) == 0 {
			return
		}
		changed, err := ReplaceMsgIDs(body, there)
		if err != nil {
			t.Fatalf("%v in a body that parses: %q", err, body)
		}
		after, err := ParseEvent(changed)
		if err != nil {
			t.Fatalf("%v after replacing: %q became %q", err, body, changed)
		}
		again, err := ReplaceMsgIDs(changed, back)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := ParseEvent(again); err != nil || !cmp.Equal(before, same) {
			t.Errorf("there and back: %q became %q (%v)", body, again, err)
		}
		if before.Is(EventTemplateSendJobFinish) && before.MsgID != 0 && after.MsgID != before.MsgID+offset {
			t.Errorf("MsgID %d became %d in %q", before.MsgID, after.MsgID, changed)
		}
	})
}
