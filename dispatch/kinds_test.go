package dispatch

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/store"
)

const (
	pickup = "pick--0123456789abcdef0123456789abcdef01234" // a subscribe template registered by hand
	formed = "form--0123456789abcdef0123456789abcdef01234" // one of form_ids beside it
)

func subscribeOrder() Request {
	return Request{AppID: miniID, Kind: hongyan.KindSubscribe, ToUser: user, TemplateID: pickup, Priority: hongyan.Normal, Page: "index?a=1&b=2",
		MiniProgramState: "developer", Lang: "en_US", Data: Data{"character_string1": {Value: "27"}, "thing2": {Value: "人民路店"}}}
}

func noticeOrder() Request {
	return Request{AppID: serviceID, Kind: hongyan.KindNotice, ToUser: user, TemplateID: added, Priority: hongyan.Normal, Page: "https://x.test/?a=1&b=2",
		MiniProgram: &MiniProgram{AppID: miniID, PagePath: "index"}, Data: Data{"thing1": {Value: "巧克力", Color: "#173177"}}}
}

func oneTimeOrder() Request {
	return Request{AppID: serviceID, Kind: hongyan.KindOneTime, ToUser: user, TemplateID: added, Priority: hongyan.Normal, URL: "https://x.test/?a=1&b=2",
		MiniProgram: &MiniProgram{AppID: miniID, PagePath: "index"}, Scene: "1000", Title: "取餐",
		Data: Data{"content": {Value: "您的餐已好", Color: "#173177"}}}
}

// registered adds the mini program's templates to a store.
func registered(t *testing.T, s store.Store) {
	t.Helper()
	err := s.PutTemplates(t.Context(), []hongyan.Template{
		{AppID: miniID, TemplateID: pickup, Kind: hongyan.KindMiniTemplate, Status: "active", Content: "取餐号:{{character_string1.DATA}}\n门店:{{thing2.DATA}}"},
		{AppID: miniID, TemplateID: formed, Kind: hongyan.KindMiniTemplate, Status: "banned", Content: "预约项目：{{keyword1.DATA}}"},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryKindHasItsPlaceInTheTable(t *testing.T) {
	for _, k := range hongyan.MessageKinds() {
		f, ok := families[k]
		if !ok || f.endpoint == "" || len(f.senders) == 0 || f.sender == "" || f.body == nil || f.read == nil {
			t.Errorf("%s: %+v", k, f)
		}
		if k.HasClientMsgID() && !f.repeats {
			t.Errorf("%s has a client_msg_id and may not be repeated", k)
		}
	}
	if len(families) != len(hongyan.MessageKinds()) {
		t.Errorf("%d kinds in the table, want %d", len(families), len(hongyan.MessageKinds()))
	}
}

func TestWhichAccountSendsWhich(t *testing.T) {
	want := map[hongyan.AccountKind][]hongyan.MessageKind{
		hongyan.ServiceAccount:      {hongyan.KindTemplate, hongyan.KindNotice, hongyan.KindOneTime},
		hongyan.TestAccount:         {hongyan.KindTemplate, hongyan.KindOneTime},
		hongyan.SubscriptionAccount: {hongyan.KindOneTime},
		hongyan.MiniProgram:         {hongyan.KindMiniTemplate, hongyan.KindSubscribe},
	}
	for account, kinds := range want {
		for _, k := range hongyan.MessageKinds() {
			var p problems
			p.kind(&hongyan.Account{Kind: account}, k)
			if may := p.err() == nil; may != slices.Contains(kinds, k) {
				t.Errorf("a %s account may send %s: %v", account, k, may)
			}
		}
	}
}

func TestEveryBadRequestOfTheOtherKindsNamesItsFault(t *testing.T) {
	s := openStore(t, t.TempDir())
	registered(t, s)
	e := New(Config{Store: s})
	for _, c := range []struct {
		name          string
		order         func() Request
		change        func(*Request)
		code, pointer string
	}{
		{"a service account's subscribe message", subscribeOrder, func(r *Request) { r.AppID = serviceID }, "wrong_kind", "/kind"},
		{"a mini program's notice", noticeOrder, func(r *Request) { r.AppID = miniID }, "wrong_kind", "/kind"},
		{"a subscription account's notice", noticeOrder, func(r *Request) { r.AppID = subID }, "wrong_kind", "/kind"},
		{"a mini program's one-time message", oneTimeOrder, func(r *Request) { r.AppID = miniID }, "wrong_kind", "/kind"},

		{"a url on a subscribe message", subscribeOrder, func(r *Request) { r.URL = "https://x.test" }, "field_of_another_kind", "/url"},
		{"a jump elsewhere on a subscribe message", subscribeOrder, func(r *Request) { r.MiniProgram = &MiniProgram{AppID: miniID} }, "field_of_another_kind", "/miniprogram"},
		{"a form_id on a subscribe message", subscribeOrder, func(r *Request) { r.FormID = "f" }, "field_of_another_kind", "/form_id"},
		{"a lang on a notice", noticeOrder, func(r *Request) { r.Lang = "zh_CN" }, "field_of_another_kind", "/lang"},
		{"a version on a notice", noticeOrder, func(r *Request) { r.MiniProgramState = "trial" }, "field_of_another_kind", "/miniprogram_state"},
		{"a url on a notice", noticeOrder, func(r *Request) { r.URL = "https://x.test" }, "field_of_another_kind", "/url"},
		{"a page on a one-time message", oneTimeOrder, func(r *Request) { r.Page = "index" }, "field_of_another_kind", "/page"},
		{"a topcolor on a one-time message", oneTimeOrder, func(r *Request) { r.TopColor = "#FF0000" }, "field_of_another_kind", "/topcolor"},
		{"a scene on a template message", order, func(r *Request) { r.Scene = "1" }, "field_of_another_kind", "/scene"},
		{"a title on a template message", order, func(r *Request) { r.Title = "x" }, "field_of_another_kind", "/title"},

		{"a version nobody knows", subscribeOrder, func(r *Request) { r.MiniProgramState = "beta" }, "invalid_field", "/miniprogram_state"},
		{"a language nobody knows", subscribeOrder, func(r *Request) { r.Lang = "de_DE" }, "invalid_field", "/lang"},
		{"no data", subscribeOrder, func(r *Request) { r.Data = nil }, "missing_field", "/data"},
		{"no data, template unknown", subscribeOrder, func(r *Request) { r.TemplateID, r.Data = added, nil }, "missing_field", "/data"},
		{"a key missing", subscribeOrder, func(r *Request) { delete(r.Data, "thing2") }, "invalid_data", "/data/thing2"},
		{"a value against its rule", subscribeOrder, func(r *Request) { r.Data["thing2"] = field(strings.Repeat("长", 21)) }, "invalid_data", "/data/thing2"},
		{"a value against its rule, template unknown", subscribeOrder, func(r *Request) {
			r.TemplateID = added
			r.Data["thing2"] = field(strings.Repeat("长", 21))
		}, "invalid_data", "/data/thing2"},
		{"an empty value, template unknown", noticeOrder, func(r *Request) { r.Data["thing1"] = field("") }, "invalid_data", "/data/thing1"},
		{"a key written with .DATA", noticeOrder, func(r *Request) { r.Data = Data{"thing1.DATA": field("x")} }, "invalid_data", "/data/thing1.DATA"},
		{"no data of a notice", noticeOrder, func(r *Request) { r.Data = nil }, "missing_field", "/data"},
		{"a page path without its mini program", noticeOrder, func(r *Request) { r.MiniProgram = &MiniProgram{PagePath: "index"} }, "missing_field", "/miniprogram/appid"},
		{"a page over 2 KiB", noticeOrder, func(r *Request) { r.Page = "https://x.test/" + strings.Repeat("x", 2048) }, "url_too_long", "/page"},

		{"no scene", oneTimeOrder, func(r *Request) { r.Scene = "" }, "missing_field", "/scene"},
		{"a scene in words", oneTimeOrder, func(r *Request) { r.Scene = "lunch" }, "invalid_field", "/scene"},
		{"a scene over 10000", oneTimeOrder, func(r *Request) { r.Scene = "10001" }, "invalid_field", "/scene"},
		{"no title", oneTimeOrder, func(r *Request) { r.Title = "" }, "missing_field", "/title"},
		{"a title of 16 characters", oneTimeOrder, func(r *Request) { r.Title = strings.Repeat("题", 16) }, "invalid_field", "/title"},
		{"no content", oneTimeOrder, func(r *Request) { r.Data = Data{"thing1": field("x")} }, "missing_field", "/data/content"},
		{"a content of 201 characters", oneTimeOrder, func(r *Request) { r.Data = Data{"content": field(strings.Repeat("长", 201))} }, "invalid_field", "/data/content"},
		{"a content written with .DATA", oneTimeOrder, func(r *Request) { r.Data = Data{"content.DATA": field("x")} }, "invalid_data", "/data/content.DATA"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.order()
			c.change(&r)
			problem, ok := errors.AsType[*hongyan.Error](submitOne(t, e, r).Err)
			if !ok || problem.Kind != hongyan.Invalid || problem.Code != c.code || !hasPointer(problem, c.pointer) {
				t.Errorf("got %+v, want %s at %s", problem, c.code, c.pointer)
			}
			wantNothingStored(t, s)
		})
	}
}

// TestBodiesOfTheOtherKinds: WeChat's own, byte for byte, and back into a request
// for a retry.
func TestBodiesOfTheOtherKinds(t *testing.T) {
	s := openStore(t, t.TempDir())
	registered(t, s)
	e := New(Config{Store: s})
	bare := oneTimeOrder()
	bare.MiniProgram, bare.URL, bare.Scene = &MiniProgram{}, "", "0"
	cutting := noticeOrder()
	cutting.AppID, cutting.Data = cuttingID, Data{"thing1": field(strings.Repeat("长", 21))}
	ofForms := subscribeOrder() // held, banned, and of another library: WeChat judges
	ofForms.TemplateID, ofForms.Lang, ofForms.MiniProgramState = formed, "", ""
	for _, c := range []struct {
		name string
		r    Request
		want string
	}{
		{"subscribe", subscribeOrder(), `{"touser":"` + user + `","template_id":"` + pickup + `","page":"index?a=1&b=2","miniprogram_state":"developer","lang":"en_US",` +
			`"data":{"character_string1":{"value":"27"},"thing2":{"value":"人民路店"}}}`},
		{"subscribe with the id of a form's template", ofForms, `{"touser":"` + user + `","template_id":"` + formed + `","page":"index?a=1&b=2",` +
			`"data":{"character_string1":{"value":"27"},"thing2":{"value":"人民路店"}}}`},
		{"notice", noticeOrder(), `{"touser":"` + user + `","template_id":"` + added + `","page":"https://x.test/?a=1&b=2","miniprogram":{"appid":"` + miniID + `","pagepath":"index"},` +
			`"data":{"thing1":{"value":"巧克力"}}}`},
		{"notice, cut", cutting, `{"touser":"` + user + `","template_id":"` + added + `","page":"https://x.test/?a=1&b=2","miniprogram":{"appid":"` + miniID + `","pagepath":"index"},` +
			`"data":{"thing1":{"value":"` + strings.Repeat("长", 19) + `…"}}}`},
		{"one_time", oneTimeOrder(), `{"touser":"` + user + `","template_id":"` + added + `","url":"https://x.test/?a=1&b=2","miniprogram":{"appid":"` + miniID + `","pagepath":"index"},` +
			`"scene":"1000","title":"取餐","data":{"content":{"value":"您的餐已好","color":"#173177"}}}`},
		{"one_time with less", bare, `{"touser":"` + user + `","template_id":"` + added + `","scene":"0","title":"取餐","data":{"content":{"value":"您的餐已好","color":"#173177"}}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			done := submitOne(t, e, c.r)
			if done.Err != nil {
				t.Fatal(done.Err)
			}
			if diff := cmp.Diff(c.want, string(done.Message.Payload)); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			back, err := requestOf(&done.Message)
			if err != nil {
				t.Fatal(err)
			}
			again := submitOne(t, e, back)
			if again.Err != nil {
				t.Fatal(again.Err)
			}
			if diff := cmp.Diff(c.want, string(again.Message.Payload)); diff != "" {
				t.Errorf("body of a retry (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDecisionsOfTheKindsThatCannotAskAgain: one call without an answer is the
// last, whatever the policy; what did not leave, and what WeChat answered, is
// treated as ever.
func TestDecisionsOfTheKindsThatCannotAskAgain(t *testing.T) {
	lost := ruling{State: hongyan.Uncertain, Reason: "no_answer", Doubt: true, Effect: unhealthy}
	for _, k := range []hongyan.MessageKind{hongyan.KindSubscribe, hongyan.KindNotice, hongyan.KindOneTime} {
		given := lost
		given.State = hongyan.Failed
		template := ruling{State: hongyan.Failed, Reason: "errcode"}
		if k == hongyan.KindSubscribe || k == hongyan.KindNotice {
			template.Effect = "template removed"
		}
		acceptance := ruling{State: hongyan.Accepted, Doubt: k.HasReceipt()} // its event has a msgid that we do not know
		for _, c := range []struct {
			name    string
			attempt hongyan.Attempt
			policy  hongyan.UncertainPolicy
			want    ruling
		}{
			{"no answer", hongyan.Attempt{Outcome: hongyan.NoAnswer}, "", lost},
			{"no answer, policy hold", hongyan.Attempt{Outcome: hongyan.NoAnswer}, hongyan.UncertainHold, lost},
			{"no answer, policy resend", hongyan.Attempt{Outcome: hongyan.NoAnswer}, hongyan.UncertainResend, lost},
			{"no answer, policy give_up", hongyan.Attempt{Outcome: hongyan.NoAnswer}, hongyan.UncertainGiveUp, given},
			{"not sent", hongyan.Attempt{Outcome: hongyan.NotSent}, "",
				ruling{State: hongyan.Queued, Reason: "unreachable", Due: time.Second, Effect: unhealthy}},
			{"busy", errcode(-1), "", ruling{State: hongyan.Queued, Reason: "retrying", Due: 5 * time.Second, Tries: 1, Effect: unhealthy}},
			{"another send to the user at the same moment", errcode(43108), "",
				ruling{State: hongyan.Queued, Reason: "retrying", Due: 5 * time.Second, Tries: 1, Effect: unhealthy}},
			{"no consent", errcode(43101), "", ruling{State: hongyan.Failed, Reason: "errcode"}},
			{"an unknown template", errcode(40037), "", template},
			{"a used form_id proves nothing here", errcode(41029), "", ruling{State: hongyan.Failed, Reason: "errcode"}},
			{"the day's limit", errcode(45009), "", ruling{State: hongyan.Queued, Reason: "quota", Effect: quotaHold}},
			{"the capability banned", errcode(43107), "", ruling{State: hongyan.Queued, Reason: "account_stopped", Effect: "hold account_stopped kind for ever 43107"}},
			{"a code of quota look-ups stops nobody", errcode(76022), "", ruling{State: hongyan.Failed, Reason: "errcode"}},
			{"a code of the callback check stops nobody", errcode(40201), "", ruling{State: hongyan.Failed, Reason: "errcode"}},
			{"taken without a msgid", errcode(0), "", acceptance},
			{"taken", hongyan.Attempt{Outcome: hongyan.Answered, MsgID: 7}, "", ruling{State: hongyan.Accepted, MsgID: 7}},
		} {
			t.Run(string(k)+", "+c.name, func(t *testing.T) {
				m := hongyan.Message{Kind: k, State: hongyan.Sending, FirstAt: at.Add(-time.Second)}
				v := decide(&hongyan.Account{UncertainPolicy: c.policy}, &m, callOf(k, c.attempt, 0), at)
				if diff := cmp.Diff(c.want, rulingOf(v, k)); diff != "" {
					t.Errorf("verdict (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestAStreamThatCannotAskAgainIsCareful: nothing is leased ahead, and the first
// call without an answer closes the gate.
func TestAStreamThatCannotAskAgainIsCareful(t *testing.T) {
	s := newStream(30)
	s.key.kind = hongyan.KindSubscribe
	if got := s.ahead(); got != 0 {
		t.Errorf("%d ahead, want 0: a crash makes every lease uncertain", got)
	}
	if !s.unanswered(at) || s.open(at) || !s.needProbe || s.gateUntil != at.Add(gateWaits[0]) {
		t.Errorf("after one unanswered call: open %v, probe %v, until %v", s.open(at), s.needProbe, s.gateUntil)
	}
}

// TestAnOutageCostsOneMessageOfAKindThatCannotAskAgain, if one call is made at a time.
func TestAnOutageCostsOneMessageOfAKindThatCannotAskAgain(t *testing.T) {
	const path = "/cgi-bin/message/subscribe/send"
	atDesk(t, nil, func(d *desk) {
		a, err := d.store.Account(d.Context(), miniID)
		d.must(err)
		a.MaxInFlight = 1
		d.must(d.store.UpdateAccount(d.Context(), a))
		d.AccountChanged(miniID)
		d.wechat.say(path, "", time.Second)
		d.wechat.say(probePath, "", time.Second)
		var ids []string
		for range 20 {
			ids = append(ids, d.submit(subscribeOrder()).ID)
		}
		d.sleep(10 * time.Minute)
		d.want(ids[0], hongyan.Uncertain, "no_answer")
		d.wechat.say(path, `{"errcode":0,"errmsg":"ok","msgid":7}`, 0)
		d.wechat.say(probePath, `{"ip_list":[]}`, 0)
		d.sleep(time.Minute)
		for _, id := range ids[1:] {
			d.want(id, hongyan.Accepted, "")
		}
	})
}

// TestASubscribeTemplateThatIsGoneHoldsItsMessages until it is registered again; a
// notice's that is not known here does not: nothing would let them go again.
func TestASubscribeTemplateThatIsGoneHoldsItsMessages(t *testing.T) {
	const path, notices = "/cgi-bin/message/subscribe/send", "/cgi-bin/message/subscribe/bizsend"
	atDesk(t, nil, func(d *desk) {
		registered(d.T, d.store)
		for _, p := range []string{path, notices} {
			d.wechat.say(p, `{"errcode":40037,"errmsg":"invalid template_id"}`, 0)
		}
		later, laterNotice := subscribeOrder(), noticeOrder()
		later.SendAt, laterNotice.SendAt = time.Now().Add(time.Hour), time.Now().Add(time.Hour)
		waiting, waitingNotice := d.submit(later), d.submit(laterNotice)
		refused, refusedNotice := d.submit(subscribeOrder()), d.submit(noticeOrder())
		d.sleep(time.Second)
		d.want(refused.ID, hongyan.Failed, "errcode")
		d.want(refusedNotice.ID, hongyan.Failed, "errcode")
		d.want(waiting.ID, hongyan.Held, hongyan.HoldTemplate)
		d.want(waitingNotice.ID, hongyan.Queued, "")
		d.wantError(submitOne(d.T, d.Engine, subscribeOrder()).Err, hongyan.Invalid, "template_removed")

		ofForms := subscribeOrder() // its like of form_ids keeps its own standing
		ofForms.TemplateID = formed
		d.submit(ofForms)
		d.sleep(time.Second)
		en, err := d.store.Template(d.Context(), miniID, formed)
		d.must(err)
		if en.Status != "banned" {
			d.Errorf("the template of form_ids is %s, want banned as it was", en.Status)
		}
	})
}
