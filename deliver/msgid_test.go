package deliver

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"

	"github.com/google/go-cmp/cmp"
)

const msgID = 4123456789012345678

func finishXML(id int64) string {
	return fmt.Sprintf("<xml>\n<ToUserName><![CDATA[gh_0a1b2c3d4e5f]]></ToUserName>\n<FromUserName><![CDATA[%s]]></FromUserName>\n<CreateTime>1790000000</CreateTime>\n"+
		"<MsgType><![CDATA[event]]></MsgType>\n<Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event>\n<MsgID>%d</MsgID>\n<Status><![CDATA[success]]></Status>\n</xml>\n", openID, id)
}

// answeredWithOurs is a message that is being sent, whose caller got a number of ours.
func (w *world) answeredWithOurs() hongyan.Message {
	w.t.Helper()
	id, now := hongyan.NewMessageID(), hongyan.Millis(w.store.Now())
	_, err := w.store.InsertMessages(w.t.Context(), []store.NewMessage{{Message: hongyan.Message{
		ID: id, AppID: appID, Kind: hongyan.KindTemplate, ToUser: openID, TemplateID: "t", ClientMsgID: id, Payload: []byte("{}"),
		State: hongyan.Sending, Epoch: w.epoch, CreatedAt: now, DueAt: now, ExpiresAt: now.Add(24 * time.Hour),
	}}})
	if err != nil {
		w.t.Fatal(err)
	}
	m, err := w.store.AnswerMsgID(w.t.Context(), id)
	if err != nil || m.OwnMsgID == 0 {
		w.t.Fatalf("%+v, %v, want a number of ours", m, err)
	}
	return m
}

// accept records WeChat's answer, which came after all.
func (w *world) accept(m hongyan.Message, id int64) {
	w.t.Helper()
	now := hongyan.Millis(w.store.Now())
	settled, err := w.store.FinishAttempts(w.t.Context(), []store.Result{{
		Fence: store.Fence{Seq: m.Seq, Epoch: m.Epoch, Attempts: m.Attempts}, AppID: appID, State: hongyan.Accepted, MsgID: id, AcceptedAt: now,
		Attempts: []hongyan.Attempt{{N: 1, StartedAt: now, EndedAt: now, Outcome: hongyan.Answered, MsgID: id}},
	}})
	if err != nil || !settled[0].Applied {
		w.t.Fatalf("%v, %v", settled, err)
	}
}

// TestAReceiptCarriesTheNumberTheCallerWasAnsweredWith, XML, JSON and a list, and
// nothing else is changed.
func TestAReceiptCarriesTheNumberTheCallerWasAnsweredWith(t *testing.T) {
	sent := `{"FromUserName":"` + openID + `","CreateTime":"1","MsgType":"event","Event":"subscribe_msg_sent_event",` +
		`"List":[{"TemplateId":"T","MsgID":"%d","ErrorCode":"0","ErrorStatus":"success"},{"MsgID":"5","ErrorCode":"43101","ErrorStatus":""}]}`
	for name, body := range map[string]string{
		"XML":    finishXML(msgID),
		"JSON":   fmt.Sprintf(`{"FromUserName":%q,"CreateTime":1,"MsgType":"event","Event":"TEMPLATESENDJOBFINISH", "MsgID" : %d,"Status":"success"}`, openID, msgID),
		"a list": fmt.Sprintf(sent, msgID),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/"}}, func(t *testing.T, w *world) {
				in := w.inbox("a", wechat.ModeSafe, token, aesKey)
				m := w.answeredWithOurs()
				w.accept(m, msgID)
				w.start()
				w.push(openID, body)
				w.after(time.Second)
				want := strings.Replace(body, fmt.Sprint(int64(msgID)), fmt.Sprint(m.OwnMsgID), 1)
				if diff := cmp.Diff([]string{want}, in.bodies()); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				if stored, err := w.store.Events(t.Context(), appID, 0, 10); err != nil || string(stored[0].Body) != body {
					t.Errorf("stored %s, %v, want it as WeChat wrote it", stored[0].Body, err)
				}
			})
		})
	}
}

// TestAReceiptWaitsForItsMessageToBeKnown: the event overtook WeChat's answer.
func TestAReceiptWaitsForItsMessageToBeKnown(t *testing.T) {
	bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/"}}, func(t *testing.T, w *world) {
		in := w.inbox("a", wechat.ModeSafe, token, aesKey)
		m := w.answeredWithOurs()
		w.start()
		w.push(openID, finishXML(msgID))
		w.after(7 * time.Second)
		if got := in.bodies(); len(got) != 0 {
			t.Fatalf("handed on before the message is known: %q", got)
		}
		if d := w.one("a"); d.Attempts != 0 || w.count("a", "put_off") == 0 {
			t.Errorf("%+v, put off %d times, want no attempt", d, w.count("a", "put_off"))
		}
		w.accept(m, msgID)
		w.after(10 * time.Second)
		if diff := cmp.Diff([]string{finishXML(m.OwnMsgID)}, in.bodies()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

// TestAReceiptIsNotKeptForEver: after two minutes it goes with WeChat's number.
func TestAReceiptIsNotKeptForEver(t *testing.T) {
	bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/"}}, func(t *testing.T, w *world) {
		in := w.inbox("a", wechat.ModeSafe, token, aesKey)
		w.answeredWithOurs()
		w.start()
		w.push(openID, finishXML(msgID))
		w.after(unknownFor - time.Second)
		if got := in.bodies(); len(got) != 0 {
			t.Fatalf("handed on too early: %q", got)
		}
		w.after(2 * time.Second)
		if diff := cmp.Diff([]string{finishXML(msgID)}, in.bodies()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if got := w.count("a", "put_off"); got > 8 {
			t.Errorf("put off %d times in two minutes, want a few", got)
		}
	})
}

// TestAReceiptOfAnotherProgramsMessageIsNotTouched and does not wait.
func TestAReceiptOfAnotherProgramsMessageIsNotTouched(t *testing.T) {
	bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/"}}, func(t *testing.T, w *world) {
		in := w.inbox("a", wechat.ModeSafe, token, aesKey)
		w.start()
		w.push(openID, finishXML(77))
		w.after(time.Second)
		if diff := cmp.Diff([]string{finishXML(77)}, in.bodies()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}
