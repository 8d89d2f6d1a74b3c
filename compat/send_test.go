package compat

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hongyan"
	"hongyan/sandbox"
	"hongyan/store"
)

const sendPathOf = "/cgi-bin/message/template/send?access_token="

// ordinary follows the account and gets what is sent.
var ordinary = sandbox.OpenID("", 1)

// order is a body for the seed's typed template, with more members in the middle.
func order(openID, more string) string {
	return `{"touser":"` + openID + `","template_id":"` + sandbox.SeedTemplateOrder + `",` + more + `"data":` + orderData + `}`
}

const orderData = `{"character_string1":{"value":"A1001"},"thing2":{"value":"巧克力","color":"#173177"},` +
	`"amount3":{"value":"￥39.80"},"time4":{"value":"2026-11-20 10:15"}}`

// msgIDOf reads a success that must be WeChat's to the letter.
func (r *rig) msgIDOf(a answered) int64 {
	r.t.Helper()
	text, opens := strings.CutPrefix(a.body, `{"errcode":0,"errmsg":"ok","msgid":`)
	text, ends := strings.CutSuffix(text, `}`)
	id, err := strconv.ParseInt(text, 10, 64)
	if !opens || !ends || err != nil || a.status != http.StatusOK {
		r.t.Fatalf("answer: HTTP %d %s, want a success with a msgid", a.status, a.body)
	}
	return id
}

func (r *rig) ledgerOf(openID string) []sandbox.LedgerEntry {
	return r.box.Sandbox.Ledger(sandbox.LedgerFilter{ToUser: openID})
}

func TestASendIsAnsweredAsWeChatAnswersIt(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		a := r.post(sendPathOf+r.serviceToken(), order(ordinary, ""))
		id := r.msgIDOf(a)
		rows := r.ledgerOf(ordinary)
		if len(rows) != 1 || rows[0].MsgID != strconv.FormatInt(id, 10) {
			t.Errorf("the caller got msgid %d, WeChat gave %+v", id, rows)
		}
		stored := r.stored()
		if len(stored) != 1 || stored[0].MsgID != id || stored[0].OwnMsgID != 0 || stored[0].State != hongyan.Accepted ||
			stored[0].Priority != hongyan.Normal || stored[0].CallerID != callerID {
			t.Errorf("stored %+v, want one accepted message with that msgid", stored)
		}
		if got := a.header.Get("Content-Type"); got != "application/json; encoding=utf-8" {
			t.Errorf("Content-Type %q", got)
		}
	})
}

// TestBodiesAsRealClientsSendThem: what SDKs add, leave empty or write otherwise
// must do no harm (design §9).
func TestBodiesAsRealClientsSendThem(t *testing.T) {
	bodies := map[string]string{
		"empty objects":         order(ordinary, `"url":"","miniprogram":{"appid":"","pagepath":""},"page":"","lang":"","miniprogram_state":"","color":"","topcolor":"",`),
		"null":                  order(ordinary, `"miniprogram":null,"url":null,"client_msg_id":null,`),
		"pagepath without app":  order(ordinary, `"miniprogram":{"pagepath":"pages/a"},`),
		"color":                 order(ordinary, `"color":"#FF0000",`),
		"topcolor":              order(ordinary, `"topcolor":"#FF0000",`),
		"a newline at the end":  order(ordinary, "") + "\n",
		"blanks before":         " \r\n\t" + order(ordinary, ""),
		"a byte order mark":     "\ufeff" + order(ordinary, ""),
		"unknown members":       order(ordinary, `"appid":"wx","form_id":5,"emphasis_keyword":"x","scene":1,"title":[{}],`),
		"repeated members":      order("oOTHER", `"touser":"`+ordinary+`",`),
		"a jump by path":        order(ordinary, `"miniprogram":{"appid":"`+miniID+`","path":"pages/a"},`),
		"escapes":               order(ordinary, `"url":"https:\/\/a.example\/?a=1\u0026b=<2>",`),
		"a number":              strings.Replace(order(ordinary, ""), `{"value":"￥39.80"}`, `{"value":39.80}`, 1),
		"a bare value":          strings.Replace(order(ordinary, ""), `{"value":"A1001"}`, `"A1001"`, 1),
		"a bare number":         strings.Replace(order(ordinary, ""), `{"value":"A1001"}`, `1001`, 1),
		"more keys than needed": strings.Replace(order(ordinary, ""), `"data":{`, `"data":{"remark":null,"first":{"value":""},`, 1),
	}
	types := []string{"application/json", "application/json;charset=utf-8", "application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded", ""}
	inBubble(t, nil, func(r *rig) {
		tok := r.serviceToken()
		i := 0
		for name, body := range bodies {
			a := r.do(http.MethodPost, sendPathOf+tok, strings.NewReader(body), "Content-Type: "+types[i%len(types)])
			if i++; !strings.HasPrefix(a.body, `{"errcode":0,"errmsg":"ok","msgid":`) {
				t.Errorf("%s: %s", name, a.body)
			}
		}
		if got := len(r.ledgerOf(ordinary)); got != len(bodies) {
			t.Errorf("WeChat got %d messages, want %d", got, len(bodies))
		}
		for _, m := range r.stored() {
			if strings.Contains(string(m.Payload), `?a=`) && !strings.Contains(string(m.Payload), `"url":"https://a.example/?a=1&b=<2>"`) {
				t.Errorf("sent %s, want the url without escapes", m.Payload)
			}
		}
	})
}

// TestRefusedSends: by our own rules, in WeChat's words, and before anything is stored.
func TestRefusedSends(t *testing.T) {
	tests := map[string]struct{ body, want string }{
		"no body":               {"", `{"errcode":44002,"errmsg":"empty post data rid: *"}`},
		"no JSON":               {"touser=1", `{"errcode":47001,"errmsg":"data format error rid: *"}`},
		"cut JSON":              {order(ordinary, "")[:80], `{"errcode":47001,"errmsg":"data format error rid: *"}`},
		"an array":              {"[" + order(ordinary, "") + "]", `{"errcode":47001,"errmsg":"data format error rid: *"}`},
		"two bodies":            {order(ordinary, "") + order(ordinary, ""), `{"errcode":47001,"errmsg":"data format error rid: *"}`},
		"no touser":             {`{}`, `{"errcode":40003,"errmsg":"invalid openid rid: *"}`},
		"touser is a number":    {strings.Replace(order(ordinary, ""), `"`+ordinary+`"`, "5", 1), `{"errcode":40003,"errmsg":"invalid openid rid: *"}`},
		"toUser":                {strings.Replace(order(ordinary, ""), `touser`, "toUser", 1), `{"errcode":40003,"errmsg":"invalid openid rid: *"}`},
		"no template_id":        {`{"touser":"` + ordinary + `","data":` + orderData + `}`, `{"errcode":40036,"errmsg":"invalid template_id size rid: *"}`},
		"short template_id":     {`{"touser":"` + ordinary + `","template_id":"x","data":` + orderData + `}`, `{"errcode":40036,"errmsg":"invalid template_id size rid: *"}`},
		"another's template_id": {`{"touser":"` + ordinary + `","template_id":"` + strings.Repeat("x", 43) + `","data":` + orderData + `}`, `{"errcode":40037,"errmsg":"invalid template_id rid: *"}`},
		"no data": {`{"touser":"` + ordinary + `","template_id":"` + sandbox.SeedTemplateOrder + `"}`,
			`{"errcode":47003,"errmsg":"argument invalid! data.character_string1.value is empty rid: *"}`},
		"data is a string": {`{"touser":"` + ordinary + `","template_id":"` + sandbox.SeedTemplateOrder + `","data":"{}"}`,
			`{"errcode":47003,"errmsg":"argument invalid! data.character_string1.value is empty rid: *"}`},
		"a key missing":    {strings.Replace(order(ordinary, ""), "thing2", "thing3", 1), `{"errcode":47003,"errmsg":"argument invalid! data.thing2.value is empty rid: *"}`},
		"a key with .DATA": {strings.Replace(order(ordinary, ""), "thing2", "thing2.DATA", 1), `{"errcode":47003,"errmsg":"argument invalid! data.thing2.value is empty rid: *"}`},
		"an empty value":   {strings.Replace(order(ordinary, ""), "巧克力", " ", 1), `{"errcode":47003,"errmsg":"argument invalid! data.thing2.value is empty rid: *"}`},
		"a long value":     {strings.Replace(order(ordinary, ""), "巧克力", strings.Repeat("长", 21), 1), `{"errcode":47003,"errmsg":"argument invalid! data.thing2.value invalid rid: *"}`},
		"a long url":       {order(ordinary, `"url":"https://a.example/`+strings.Repeat("x", 3000)+`",`), `{"errcode":40039,"errmsg":"invalid url size rid: *"}`},
		"a long client_msg_id": {order(ordinary, `"client_msg_id":"`+strings.Repeat("x", 65)+`",`),
			`{"errcode":45067,"errmsg":"clientmsgid size out of limit rid: *"}`},
		"a client_msg_id with a blank": {order(ordinary, `"client_msg_id":"a b",`), `{"errcode":47003,"errmsg":"argument invalid! client_msg_id invalid rid: *"}`},
		"too long":                     {order(ordinary, `"x":"`+strings.Repeat("x", maxSend)+`",`), `{"errcode":45002,"errmsg":"content size out of limit: the body may have 1048576 bytes rid: *"}`},
	}
	inBubble(t, nil, func(r *rig) {
		tok := r.serviceToken()
		for name, tt := range tests {
			if a := r.post(sendPathOf+tok, tt.body); anyRID.ReplaceAllString(a.body, "rid: *") != tt.want {
				t.Errorf("%s: %s\nwant %s", name, a.body, tt.want)
			}
		}
		r.want(r.get(sendPathOf+tok), `{"errcode":43002,"errmsg":"require POST method rid: *"}`)
		if stored := r.stored(); len(stored) != 0 {
			t.Errorf("%d messages were stored, want none; the first: %+v", len(stored), stored[0])
		}
	})
}

// TestOurWordsAreTheSandboxs: what we refuse ourselves reads like the platform's own
// refusal of the same body.
func TestOurWordsAreTheSandboxs(t *testing.T) {
	bodies := map[string]string{
		"no touser": `{}`, "no template_id": `{"touser":"` + ordinary + `"}`, "cut JSON": order(ordinary, "")[:80],
		"short template_id":     `{"touser":"` + ordinary + `","template_id":"x"}`,
		"another's template_id": `{"touser":"` + ordinary + `","template_id":"` + strings.Repeat("x", 43) + `"}`,
		"no data":               `{"touser":"` + ordinary + `","template_id":"` + sandbox.SeedTemplateOrder + `"}`,
		"a long value":          strings.Replace(order(ordinary, ""), "巧克力", strings.Repeat("长", 21), 1),
		"an empty value":        strings.Replace(order(ordinary, ""), "巧克力", "", 1),
		"a long url":            order(ordinary, `"url":"https://a.example/`+strings.Repeat("x", 3000)+`",`),
		"no body":               "", "Latin 1": "{\"touser\":\"\xe9\"}",
	}
	inBubble(t, nil, func(r *rig) {
		tok := r.serviceToken()
		for name, body := range bodies {
			ours := r.post(sendPathOf+tok, body)
			resp, err := r.client.Post(r.box.URL+sendPathOf+tok, "application/json", strings.NewReader(body))
			r.must(err)
			var theirs map[string]any
			r.must(json.NewDecoder(resp.Body).Decode(&theirs))
			_ = resp.Body.Close()
			var got map[string]any
			r.must(json.Unmarshal([]byte(ours.body), &got))
			mask := func(m map[string]any) string { return anyRID.ReplaceAllString(m["errmsg"].(string), "rid: *") }
			if got["errcode"] != theirs["errcode"] || mask(got) != mask(theirs) {
				t.Errorf("%s: we say %v, the platform %v", name, got, theirs)
			}
		}
	})
}

func TestSendsNeedALiveToken(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		const path = "/cgi-bin/message/template/send"
		unknown := `{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest rid: *"}`
		r.want(r.post(path, order(ordinary, "")), `{"errcode":41001,"errmsg":"access_token missing rid: *"}`)
		r.want(r.post(sendPathOf+strings.Repeat("x", 136), order(ordinary, "")), unknown)
		r.want(r.post(sendPathOf+"%00%20!", order(ordinary, "")), unknown)

		old := r.serviceToken()
		_, err := r.tokens.Refresh(r.t.Context(), serviceID, old)
		r.must(err)
		r.msgIDOf(r.post(sendPathOf+old, order(ordinary, ""))) // replaced a moment ago
		time.Sleep(6 * time.Minute)
		before := len(r.stored())
		r.want(r.post(sendPathOf+old, order(ordinary, "")), `{"errcode":42001,"errmsg":"access_token expired rid: *"}`)
		if len(r.stored()) != before {
			t.Error("a message with a dead token was stored")
		}
		r.msgIDOf(r.post(sendPathOf+r.serviceToken(), order(ordinary, ""))) // the same body with the next one
		if got := len(r.ledgerOf(ordinary)); got != 2 {
			t.Errorf("WeChat got %d messages, want 2", got)
		}
	})
}

func TestARevokedTokenIsNoConcernOfSenders(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		tok := r.serviceToken()
		r.must(r.box.Sandbox.RevokeToken(serviceID))
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { r.msgIDOf(r.post(sendPathOf+tok, order(ordinary, ""))) })
		}
		all.Wait()
		if r.tokenCalls() != 2 {
			t.Errorf("calls for tokens: %d, want 2", r.tokenCalls())
		}
	})
}

func TestWeChatsRefusalsArePassedOn(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		tok := r.serviceToken()
		a := r.post(sendPathOf+tok, order(sandbox.OpenID("NOFOL", 1), ""))
		r.want(a, `{"errcode":43004,"errmsg":"require subscribe rid: *"}`)
		if m := r.stored()[0]; m.State != hongyan.Failed || !strings.Contains(a.body, "rid: "+m.Last.RID) {
			t.Errorf("answer %s, stored %s with %+v: want WeChat's rid", a.body, m.State, m.Last)
		}
		r.must(r.box.Sandbox.UpdateAccount(serviceID, sandbox.AccountSpec{SendRules: sandbox.SendRules{Review: "wait"}}))
		review := r.post(sendPathOf+tok, order(ordinary, ""))
		if !strings.HasPrefix(review.body, `{"errcode":40252,"errmsg":"`) {
			t.Errorf("a message in review: %s, want 40252", review.body)
		}
	})
}

// TestAnHTTPStatusIsARefusal: the message has failed, so that errcode 0 would be a lie.
func TestAnHTTPStatusIsARefusal(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		tok := r.serviceToken()
		r.box.Sandbox.AddFault(sandbox.Fault{Path: "/cgi-bin/message/template/send", HTTPStatus: 413})
		a := r.post(sendPathOf+tok, order(ordinary, ""))
		r.want(a, `{"errcode":47001,"errmsg":"data format error: wechat: /cgi-bin/message/template/send: refused with HTTP 413 rid: *"}`)
		if m := r.stored()[0]; m.State != hongyan.Failed {
			t.Errorf("stored as %s, want failed", m.State)
		}
	})
}

func TestAWrongKindOfAccount(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		const want = `{"errcode":48001,"errmsg":"api unauthorized rid: *"}`
		r.want(r.post("/cgi-bin/message/subscribe/send?access_token="+r.serviceToken(), order(ordinary, "")), want)
		r.want(r.post(sendPathOf+r.token(miniID, sandbox.SeedMiniSecret), order(ordinary, "")), want)
	})
}

func TestAllFiveKinds(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		oneTimeID := ""
		for _, a := range r.box.Sandbox.Accounts() {
			if a.AppID == serviceID {
				oneTimeID = a.OneTimeTemplate
			}
		}
		service, mini := r.serviceToken(), r.token(miniID, sandbox.SeedMiniSecret)
		form := r.box.Sandbox.GiveForm(miniID, ordinary)
		r.must(r.box.Sandbox.ConfirmOneTime(serviceID, ordinary, 1000))
		const plain = `{"errcode":0,"errmsg":"ok"}`
		miniBody := func(formID string) string {
			return `{"touser":"` + ordinary + `","template_id":"` + sandbox.SeedTemplateMini + `","form_id":"` + formID + `","page":"","emphasis_keyword":"keyword1.DATA",` +
				`"data":{"keyword1":{"value":"a"},"keyword2":{"value":"b"},"keyword3":{"value":"c"},"keyword4":{"value":"d"}}}`
		}
		r.want(r.post("/cgi-bin/message/wxopen/template/send?access_token="+mini, miniBody(form)), plain)
		r.want(r.post("/cgi-bin/message/wxopen/template/send?access_token="+mini, miniBody("")), `{"errcode":41028,"errmsg":"invalid form id rid: *"}`)
		r.want(r.post("/cgi-bin/message/wxopen/template/send?access_token="+mini, miniBody(form)), `{"errcode":41029,"errmsg":"form id used count reach limit rid: *"}`)

		pickup := `{"touser":"` + ordinary + `","template_id":"` + sandbox.SeedTemplateSubscribePickup + `","page":"","miniprogram_state":"","lang":"","data":{"character_string1":{"value":"27"},"thing2":{"value":"人民路店","color":""},"time3":{"value":"2026年11月20日 10:15"}}}`
		r.msgIDOf(r.post("/cgi-bin/message/subscribe/send?access_token="+mini, pickup))
		r.want(r.post("/cgi-bin/message/subscribe/send?access_token="+mini, strings.Replace(pickup, `"lang":""`, `"lang":"fr"`, 1)),
			`{"errcode":47003,"errmsg":"argument invalid! lang invalid rid: *"}`)
		r.want(r.post("/cgi-bin/message/subscribe/send?access_token="+mini, strings.Replace(pickup, ordinary, sandbox.OpenID("NOSUB", 1), 1)),
			`{"errcode":43101,"errmsg":"user refuse to accept the msg rid: *"}`)

		oneTime := func(scene string) string {
			return `{"touser":"` + ordinary + `","template_id":"` + oneTimeID + `","url":"","scene":` + scene + `,"title":"提醒","data":{"content":{"value":"您的号码已到","color":""}}}`
		}
		r.want(r.post("/cgi-bin/message/template/subscribe?access_token="+service, oneTime("1000")), plain)
		r.want(r.post("/cgi-bin/message/template/subscribe?access_token="+service, oneTime(`"1000"`)), `{"errcode":43101,"errmsg":"user refuse to accept the msg rid: *"}`)
		r.want(r.post("/cgi-bin/message/template/subscribe?access_token="+service, strings.Replace(oneTime("1"), "提醒", "", 1)), `{"errcode":40062,"errmsg":"invalid title size rid: *"}`)
		r.want(r.post("/cgi-bin/message/template/subscribe?access_token="+service, strings.Replace(oneTime("1"), "您的号码已到", "", 1)), `{"errcode":44004,"errmsg":"empty content rid: *"}`)

		kinds := map[hongyan.MessageKind]int{}
		for _, m := range r.stored() {
			kinds[m.Kind]++
		}
		if kinds[hongyan.KindMiniTemplate] != 2 || kinds[hongyan.KindSubscribe] != 2 || kinds[hongyan.KindOneTime] != 2 {
			t.Errorf("stored: %v", kinds)
		}
	})
}

func TestTheSameClientMsgIDIsOneMessage(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		tok := r.serviceToken()
		body := order(ordinary, `"client_msg_id":"order-1001-paid",`)
		ids, mu, all := map[int64]bool{}, sync.Mutex{}, sync.WaitGroup{}
		for range 10 {
			all.Go(func() {
				id := r.msgIDOf(r.post(sendPathOf+tok, body))
				mu.Lock()
				defer mu.Unlock()
				ids[id] = true
			})
		}
		all.Wait()
		if len(ids) != 1 || len(r.stored()) != 1 || len(r.ledgerOf(ordinary)) != 1 {
			t.Errorf("%d msgids, %d stored, %d at WeChat; want 1 of each", len(ids), len(r.stored()), len(r.ledgerOf(ordinary)))
		}
		if got := r.ledgerOf(ordinary)[0].ClientMsgID; got != "order-1001-paid" {
			t.Errorf("WeChat got client_msg_id %q", got)
		}
	})
}

// TestASlowAnswer: the caller gets a number of ours, which the event will carry.
func TestASlowAnswer(t *testing.T) {
	inBubble(t, func(c *Config) { c.Wait = 2 * time.Second }, func(r *rig) {
		tok := r.serviceToken()
		r.box.Sandbox.AddFault(sandbox.Fault{Path: "/cgi-bin/message/template/send", HangMS: 5000, Times: 1})
		begun := time.Now()
		body := order(ordinary, `"client_msg_id":"order-1001-paid",`)
		id := r.msgIDOf(r.post(sendPathOf+tok, body))
		if took := time.Since(begun); took != 2*time.Second {
			t.Errorf("the answer took %v, want 2s", took)
		}
		m := r.stored()[0]
		if id != hongyan.OwnMsgID(m.Seq) || m.OwnMsgID != id || id < 9e18 || id > 9.2e18 {
			t.Errorf("the caller got %d, stored is %+v", id, m)
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		m = r.stored()[0]
		if m.State != hongyan.Accepted || m.MsgID == 0 {
			t.Fatalf("later: %s with msgid %d, want accepted", m.State, m.MsgID)
		}
		own, open, err := r.store.HandedOnMsgID(r.t.Context(), serviceID, m.MsgID, ordinary)
		if own != id || open || err != nil {
			t.Errorf("the event will carry %d (open %t, err %v), want %d", own, open, err, id)
		}
		if again := r.msgIDOf(r.post(sendPathOf+tok, body)); again != id {
			t.Errorf("asked once more the caller got %d, want what the event will carry, %d", again, id)
		}
	})
}

// TestWhatIsStoredIsNeverMinusOne: lost answers, a busy platform, a held account.
func TestWhatIsStoredIsNeverMinusOne(t *testing.T) {
	const path = "/cgi-bin/message/template/send"
	for name, spoil := range map[string]func(r *rig){
		"the answer is lost": func(r *rig) { r.box.Sandbox.AddFault(sandbox.Fault{Path: path, DropAnswer: true}) },
		"-1":                 func(r *rig) { r.box.Sandbox.AddFault(sandbox.Fault{Path: path, ErrCode: -1}) },
		"45009":              func(r *rig) { r.box.Sandbox.AddFault(sandbox.Fault{Path: path, ErrCode: 45009}) },
		"a page":             func(r *rig) { r.box.Sandbox.AddFault(sandbox.Fault{Path: path, HTTPStatus: 502}) },
		"48001":              func(r *rig) { r.box.Sandbox.AddFault(sandbox.Fault{Path: path, ErrCode: 48001}) },
		"the account is paused": func(r *rig) {
			r.must(r.engine.Pause(r.t.Context(), serviceID))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(r *rig) {
				tok := r.serviceToken()
				spoil(r)
				id := r.msgIDOf(r.post(sendPathOf+tok, order(ordinary, "")))
				m := r.stored()[0]
				if id != m.OwnMsgID || id != hongyan.OwnMsgID(m.Seq) {
					t.Errorf("the caller got %d, stored is %s with own msgid %d", id, m.State, m.OwnMsgID)
				}
				if found, err := r.store.Messages(r.t.Context(), store.Filter{Query: strconv.FormatInt(id, 10), Limit: 1}); err != nil || len(found.Items) != 1 {
					t.Errorf("the message is not found by %d: %v", id, err)
				}
			})
		})
	}
}

func TestAStoreThatTakesNothing(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		tok := r.serviceToken()
		r.msgIDOf(r.post(sendPathOf+tok, order(ordinary, ""))) // the template is known
		r.stop()
		r.must(r.store.Close())
		a := r.post(sendPathOf+tok, order(ordinary, ""))
		r.want(a, `{"errcode":-1,"errmsg":"system error: the store is closed; nothing was accepted rid: *"}`)
		if rid := anyRID.FindString(a.body); rid == "" || !strings.Contains(r.logs.String(), "rid="+rid[len("rid: "):]) {
			t.Errorf("the log does not know %q", rid)
		}
	})
}

// TestATemplateThatNobodyCanAskFor: whether it exists cannot be told, which is no
// reason to tell an SDK that it does not.
func TestATemplateThatNobodyCanAskFor(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		tok := r.serviceToken()
		r.box.Sandbox.AddFault(sandbox.Fault{Path: "/cgi-bin/template/get_all_private_template", HTTPStatus: 502, Times: 1})
		r.want(r.post(sendPathOf+tok, order(ordinary, "")), `{"errcode":-1,"errmsg":"system error: template \"`+sandbox.SeedTemplateOrder+
			`\" is not known here, and WeChat could not be asked for the templates of `+serviceID+`; nothing was accepted rid: *"}`)
		time.Sleep(2 * time.Second)
		r.msgIDOf(r.post(sendPathOf+tok, order(ordinary, "")))
	})
}
