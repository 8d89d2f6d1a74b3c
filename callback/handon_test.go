package callback

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"

	"github.com/google/go-cmp/cmp"
)

// withDownstreams gives the fixture's account downstreams.
func withDownstreams(ds ...hongyan.Downstream) func(*hongyan.Account) {
	return func(a *hongyan.Account) { a.Downstreams = ds }
}

// targets lists the deliveries as "name type key state", sorted.
func (f *fixture) targets() []string {
	f.t.Helper()
	all, err := f.store.ListDeliveries(f.t.Context(), store.DeliveryFilter{AppID: appID, Limit: 1000})
	if err != nil {
		f.t.Fatal(err)
	}
	var got []string
	for _, d := range all {
		got = append(got, fmt.Sprintf("%s %s %s %s", strings.TrimPrefix(d.Target, appID+"/"), d.EventType, d.Key, d.State))
	}
	slices.Sort(got)
	return got
}

func TestPushesGoToTheDownstreamsThatWantThem(t *testing.T) {
	f := newFixture(t, withDownstreams(
		hongyan.Downstream{Name: "all", URL: "http://a/"},
		hongyan.Downstream{Name: "paused", URL: "http://a/", Paused: true, Events: []string{"subscribe"}},
		hongyan.Downstream{Name: "receipts", URL: "http://a/", Events: []string{"templatesendjobfinish"}},
	))
	woken := 0
	f.stored = func() { woken++ }
	now := f.store.Now()
	for range 2 { // the second delivery of WeChat's begins nothing
		f.mustPush(receipt(1, "success", now))
		f.mustPush(event{openid: openID, name: "subscribe", at: now.Unix()})
		f.process()
	}
	want := []string{
		"all subscribe " + openID + " pending", "all templatesendjobfinish " + openID + " pending",
		"paused subscribe " + openID + " pending", "receipts templatesendjobfinish " + openID + " pending",
	}
	if diff := cmp.Diff(want, f.targets()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if woken != 1 {
		t.Errorf("told %d times that deliveries have begun, want once", woken)
	}
}

func TestAChangedAccountIsHandedOnAsItIsNow(t *testing.T) {
	f := newFixture(t, withDownstreams(hongyan.Downstream{Name: "old", URL: "http://a/"}))
	f.mustPush(receipt(1, "success", f.store.Now()))
	f.changeAccount(withDownstreams(hongyan.Downstream{Name: "new", URL: "http://a/"}))
	f.process()
	f.changeAccount(func(a *hongyan.Account) { a.Callback.Token = "" }) // it can receive nothing any more
	e := hongyan.Event{AppID: appID, DedupeKey: "k", Type: "text", Body: []byte("<xml></xml>"), ReceivedAt: f.store.Now()}
	if _, _, err := f.store.InsertEvent(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	f.process()
	if diff := cmp.Diff([]string{"new templatesendjobfinish " + openID + " pending", "new text  pending"}, f.targets()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestPushesOfADeletedAccountGoToNobody(t *testing.T) {
	f := newFixture(t, withDownstreams(hongyan.Downstream{Name: "a", URL: "http://a/"}))
	f.mustPush(receipt(1, "success", f.store.Now()))
	if err := f.store.DeleteAccount(t.Context(), appID); err != nil {
		t.Fatal(err)
	}
	f.AccountChanged(appID)
	f.process()
	if got := f.targets(); len(got) != 0 || f.events()[0].ProcessedAt.IsZero() {
		t.Errorf("deliveries %q, want none, and the event processed", got)
	}
}

// TestUnreadablePushesAreHandedOnToo: the downstream may know better.
func TestUnreadablePushesAreHandedOnToo(t *testing.T) {
	f := newFixture(t, withDownstreams(hongyan.Downstream{Name: "a", URL: "http://a/", Sync: true}))
	f.reply = func(context.Context, *hongyan.Account, *hongyan.Downstream, *hongyan.Event) (Reply, error) {
		t.Error("asked for a reply to something that is no push")
		return Reply{}, nil
	}
	if status, _ := f.post(signed(token), "<xml><Event>TEMPLATESENDJOBFINISH</Event><CreateTime>tomorrow</CreateTime></xml>"); status != 200 {
		t.Fatal(status)
	}
	f.process()
	if diff := cmp.Diff([]string{"a unreadable  pending"}, f.targets()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestReceiptsOfSubscribeMessages: each item of the list ends its own message.
func TestReceiptsOfSubscribeMessages(t *testing.T) {
	f := newFixture(t)
	var ids []string
	for n := range int64(4) {
		ids = append(ids, f.accepted(100+n))
	}
	body := fmt.Sprintf("<xml><ToUserName>gh</ToUserName><FromUserName>%s</FromUserName><CreateTime>%d</CreateTime><MsgType>event</MsgType><Event>subscribe_msg_sent_event</Event><SubscribeMsgSentEvent>", openID, f.store.Now().Unix()) +
		"<List><TemplateId>T</TemplateId><MsgID>100</MsgID><ErrorCode>0</ErrorCode><ErrorStatus>success</ErrorStatus></List>" +
		"<List><TemplateId>T</TemplateId><MsgID>101</MsgID><ErrorCode>43101</ErrorCode><ErrorStatus>refuse</ErrorStatus></List>" +
		"<List><TemplateId>T</TemplateId><MsgID>102</MsgID><ErrorCode>47003</ErrorCode><ErrorStatus></ErrorStatus></List>" +
		"<List><TemplateId>T</TemplateId><MsgID>103</MsgID><ErrorCode>1</ErrorCode><ErrorStatus>failed: system failed</ErrorStatus></List>" +
		"</SubscribeMsgSentEvent></xml>"
	if status, _ := f.post(signed(token), body); status != 200 {
		t.Fatal(status)
	}
	f.process()
	want := []string{"delivered  success", "undelivered user_block errcode 43101 refuse", "undelivered other errcode 47003", "undelivered system_failed errcode 1 failed: system failed"}
	var got []string
	for _, id := range ids {
		m := f.message(id)
		if m.Receipt == nil {
			t.Fatalf("message %s has no receipt", id)
		}
		got = append(got, fmt.Sprintf("%s %s %s", m.State, m.Reason, m.Receipt.Raw))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

const replyXML = "<xml><ToUserName><![CDATA[o]]></ToUserName><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好]]></Content></xml>"

// syncFixture has one synchronous downstream that answers with f.
func syncFixture(t *testing.T, reply func(ctx context.Context, e *hongyan.Event) (Reply, error), changes ...func(*hongyan.Account)) *fixture {
	f := newFixture(t, append([]func(*hongyan.Account){withDownstreams(hongyan.Downstream{Name: "a", URL: "http://a/", Sync: true})}, changes...)...)
	f.reply = func(ctx context.Context, a *hongyan.Account, d *hongyan.Downstream, e *hongyan.Event) (Reply, error) {
		if a.AppID != appID || d.Name != "a" || e.ID == 0 {
			t.Errorf("asked %s of %s about event %d", d.Name, a.AppID, e.ID)
		}
		return reply(ctx, e)
	}
	return f
}

func answers(body string) func(context.Context, *hongyan.Event) (Reply, error) {
	return func(context.Context, *hongyan.Event) (Reply, error) {
		return Reply{Body: []byte(body), Status: 200, Took: 20 * time.Millisecond}, nil
	}
}

// TestAReplyIsSealedAsThePushWas: both tokens and keys of a rotation, in each mode.
func TestAReplyIsSealedAsThePushWas(t *testing.T) {
	const newToken, newKey = "NewToken2027", "newSpecKey123456789ABCDEFGHIJKLMNOPQRSTUVab"
	for _, mode := range []string{"plain", "compatible", "safe"} {
		for _, reply := range []string{replyXML, `{"MsgType":"text","Content":"hi"}`} {
			t.Run(mode+" "+reply[:1], func(t *testing.T) {
				f := syncFixture(t, answers(reply), func(a *hongyan.Account) {
					a.Callback = hongyan.Callback{Mode: mode, Token: newToken, PreviousToken: token, AESKey: newKey, PreviousAESKey: aesKey}
				})
				parsed, err := wechat.ParseCallbackMode(mode)
				if err != nil {
					t.Fatal(err)
				}
				for i, platform := range []wechat.PusherConfig{{Token: token, AESKey: aesKey}, {Token: newToken, AESKey: newKey}, {Token: token, AESKey: newKey}} {
					platform.AppID, platform.Mode = appID, parsed
					p, err := wechat.NewPusher(platform)
					if err != nil {
						t.Fatal(err)
					}
					push, err := p.Push([]byte(receipt(int64(i), "success", f.store.Now()).xml()), openID, f.store.Now())
					if err != nil {
						t.Fatal(err)
					}
					status, answer := f.post(push.Query, string(push.Body))
					got, err := p.OpenReply([]byte(answer)) // with the keys WeChat has at that moment
					if err != nil || status != 200 || string(got) != reply {
						t.Errorf("%d: %d %q, %v, want %q", i, status, got, err, reply)
					}
					if clear := strings.Contains(answer, "MsgType"); clear != (mode == "plain") {
						t.Errorf("%d: the answer is %q", i, answer)
					}
				}
			})
		}
	}
}

// TestWhatWasAnsweredAtOnceIsNotDeliveredAgain, whichever of answer and processing is first.
func TestWhatWasAnsweredAtOnceIsNotDeliveredAgain(t *testing.T) {
	f := syncFixture(t, answers(""))
	now := f.store.Now()
	f.mustPush(receipt(1, "success", now)) // mustPush wants `success`
	f.process()
	f.reply = func(context.Context, *hongyan.Account, *hongyan.Downstream, *hongyan.Event) (Reply, error) {
		f.process()
		return Reply{Status: 204}, nil
	}
	f.mustPush(receipt(2, "success", now))
	want := []string{"a templatesendjobfinish " + openID + " delivered", "a templatesendjobfinish " + openID + " delivered"}
	if diff := cmp.Diff(want, f.targets()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestAPushThatComesAgainAsksAgain: WeChat did not get the first answer.
func TestAPushThatComesAgainAsksAgain(t *testing.T) {
	asked := 0
	f := syncFixture(t, func(context.Context, *hongyan.Event) (Reply, error) {
		asked++
		return Reply{Body: []byte(replyXML), Status: 200}, nil
	})
	for range 3 {
		if status, answer := f.post(signed(token), receipt(1, "success", time.Unix(1790000000, 0)).xml()); status != 200 || answer != replyXML {
			t.Errorf("answered %d %q, want the reply", status, answer)
		}
	}
	f.process()
	if got := f.targets(); asked != 3 || len(f.events()) != 1 || len(got) != 1 || !strings.HasSuffix(got[0], " delivered") {
		t.Errorf("asked %d times, %d events, deliveries %q; want 3, 1 and one that is delivered", asked, len(f.events()), got)
	}
}

func TestAReplyThatFailsIsSuccessAndDeliveredLater(t *testing.T) {
	f := syncFixture(t, func(context.Context, *hongyan.Event) (Reply, error) { return Reply{}, errors.New("connection refused") })
	f.mustPush(receipt(1, "success", f.store.Now()))
	f.process()
	all, err := f.store.ListDeliveries(t.Context(), store.DeliveryFilter{AppID: appID, Limit: 10})
	if err != nil || len(all) != 1 || all[0].State != hongyan.DeliveryPending {
		t.Fatalf("%+v, %v, want one that is pending", all, err)
	}
	if got := all[0].DueAt.Sub(f.events()[0].ReceivedAt); got != syncRest {
		t.Errorf("due %s after it came, want %s", got, syncRest)
	}
}

func TestTheSynchronousDownstreamIsAskedOnlyForWhatItWants(t *testing.T) {
	tests := map[string]hongyan.Downstream{
		"paused":         {Name: "a", URL: "http://a/", Sync: true, Paused: true},
		"of other types": {Name: "a", URL: "http://a/", Sync: true, Events: []string{"text"}},
		"not sync":       {Name: "a", URL: "http://a/"},
	}
	for name, d := range tests {
		t.Run(name, func(t *testing.T) {
			f := syncFixture(t, answers(replyXML), withDownstreams(d))
			f.mustPush(receipt(1, "success", f.store.Now())) // wants `success`
			f.process()
			for _, d := range f.targets() {
				if !strings.HasSuffix(d, " pending") {
					t.Errorf("delivery %s, want it pending", d)
				}
			}
		})
	}
}

// TestWeChatIsAnsweredInTimeWhateverTheDownstreamDoes: a hundred and more pushes meet
// one that hangs.
func TestWeChatIsAnsweredInTimeWhateverTheDownstreamDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := syncFixture(t, func(ctx context.Context, _ *hongyan.Event) (Reply, error) {
			<-ctx.Done()
			return Reply{}, ctx.Err()
		})
		took := make([]time.Duration, askingAtOnce+20)
		var pushes sync.WaitGroup
		now := f.store.Now()
		for i := range took {
			pushes.Go(func() {
				begun := time.Now()
				f.mustPush(receipt(int64(i), "success", now))
				took[i] = time.Since(begun)
			})
		}
		pushes.Wait()
		slices.Sort(took)
		if took[19] > 0 || took[20] != answerWithin-sealWithin || took[len(took)-1] != answerWithin-sealWithin {
			t.Errorf("answered after %s, %s … %s; want 20 at once and the others before %s", took[19], took[20], took[len(took)-1], answerWithin)
		}
		f.processAll(t.Context())
		if got := len(f.targets()); got != len(took) {
			t.Errorf("%d deliveries are kept, want %d", got, len(took))
		}
		if f.mayAsk(appID); f.asking[appID] != 1 {
			t.Errorf("%d calls count as under way, want none before this one", f.asking[appID]-1)
		}
	})
}

// TestADownstreamThatIsDownIsOneLineOfTheLog, not one for each push; nor are strangers.
func TestADownstreamThatIsDownIsOneLineOfTheLog(t *testing.T) {
	f := syncFixture(t, func(context.Context, *hongyan.Event) (Reply, error) { return Reply{}, errors.New("refused") })
	for i := range int64(50) {
		f.mustPush(receipt(i, "success", f.store.Now()))
		if status, _ := f.post(signed("a stranger's"), "<xml></xml>"); status != http.StatusForbidden {
			t.Fatal(status)
		}
	}
	for _, line := range []string{"no answer of the synchronous downstream", "callback refused"} {
		if got := strings.Count(f.logged(), line); got != 1 {
			t.Errorf("%q is told %d times, want once", line, got)
		}
	}
}

// TestTheReplyIsThereBeforeItIsRecorded: over a real connection, WeChat's answer does
// not wait for the store.
func TestTheReplyIsThereBeforeItIsRecorded(t *testing.T) {
	f := syncFixture(t, answers(replyXML))
	slow := &slowRecorder{Store: f.store, release: make(chan struct{})}
	f.Callback.store = slow
	server := httptest.NewServer(f.mux)
	defer server.Close()
	resp, err := server.Client().Post(server.URL+"/callback/"+appID+"?"+url.Values(signed(token)).Encode(), "text/xml",
		strings.NewReader(receipt(1, "success", time.Unix(1790000000, 0)).xml()))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body := make([]byte, len(replyXML))
	if n, err := resp.Body.Read(body); resp.StatusCode != http.StatusOK || string(body[:n]) != replyXML {
		t.Errorf("answered %d %q, %v, want the reply while it is not recorded yet", resp.StatusCode, body[:n], err)
	}
	close(slow.release)
}

// slowRecorder records no answer before release is closed.
type slowRecorder struct {
	store.Store
	release chan struct{}
}

func (s *slowRecorder) AnswerDelivery(ctx context.Context, d hongyan.Delivery) error {
	<-s.release
	return s.Store.AnswerDelivery(ctx, d)
}
