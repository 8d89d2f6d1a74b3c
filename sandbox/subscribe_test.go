package sandbox_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

const (
	pathSubscribe  = "/cgi-bin/message/subscribe/send"
	pathBizSend    = "/cgi-bin/message/subscribe/bizsend"
	pathNewAdd     = "/wxaapi/newtmpl/addtemplate"
	pathNewDel     = "/wxaapi/newtmpl/deltemplate"
	pathCategories = "/wxaapi/newtmpl/getcategory"
	pathTitles     = "/wxaapi/newtmpl/getpubtemplatetitles"
	pathKeywords   = "/wxaapi/newtmpl/getpubtemplatekeywords"
	pathPrivate    = "/wxaapi/newtmpl/gettemplate"

	refused = `{"errcode":43101,"errmsg":"user refuse to accept the msg rid"}`
)

// pickupBody is a valid send of SeedTemplateSubscribePickup; extra goes before data.
func pickupBody(openid, extra string) string {
	return fmt.Sprintf(`{"touser":%q,"template_id":%q,%s"data":{"character_string1":{"value":"27"},"thing2":{"value":"人民路店"},`+
		`"time3":{"value":"10:15"}}}`, openid, sandbox.SeedTemplateSubscribePickup, extra)
}

func accept(ids ...string) []sandbox.ConsentAnswer {
	var out []sandbox.ConsentAnswer
	for _, id := range ids {
		out = append(out, sandbox.ConsentAnswer{TemplateID: id, Accept: true})
	}
	return out
}

// miniBubble is bubble with the pushes of the mini program.
func miniBubble(t *testing.T, format string, f func(t *testing.T, s *sandboxtest.Server, g *gateway)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t, sandbox.Options{DeliveryDelay: -1})
		g := newGateway(s)
		mustNil(t, s.Sandbox.SetServerURL(sandbox.SeedMiniAppID, callbackURL, "", format))
		f(t, s, g)
	})
}

func TestOneAcceptanceIsOneMessage(t *testing.T) {
	s := sandboxtest.New(t, sandbox.Options{DeliveryDelay: -1})
	send := pickupBody(user, "")
	mustNil(t, s.Sandbox.Consent("", user, accept(sandbox.SeedTemplateSubscribePickup), 0))
	mustNil(t, s.Sandbox.Consent("", user, accept(sandbox.SeedTemplateSubscribePickup, sandbox.SeedTemplateSubscribeRefund), 0))
	exchangeAll(t, s, miniTokens(t, s), []exchange{
		{"bad data takes no acceptance", pathSubscribe, body(toUser, member("template_id", sandbox.SeedTemplateSubscribePickup), badData),
			`{"errcode":47003,"errmsg":"argument invalid! data.character_string1.value is empty rid"}`},
		{"first", pathSubscribe, send, `0`},
		{"second", pathSubscribe, send, `0`},
		{"third", pathSubscribe, send, refused},
	})
	states, err := s.Sandbox.Consents("", user)
	mustNil(t, err)
	if len(states) != 2 || states[0].Left != 0 || states[1].Left != 1 {
		t.Errorf("consents = %+v, want none left of the first and one of the second", states)
	}
	if got := len(s.Sandbox.Inbox(user)); got != 2 {
		t.Errorf("%d messages shown, want 2", got)
	}
	mustNil(t, s.Sandbox.RevokeConsent("", user))
	if states, _ = s.Sandbox.Consents(sandbox.SeedMiniAppID, user); len(states) != 2 || states[1].Left != 0 {
		t.Errorf("consents after revoking = %+v, want nothing left", states)
	}
}

// Users are taken to have accepted until they answer; consent_assumed off is the
// platform's own strictness.
func TestAcceptancesAreCountedFromTheFirstAnswerOn(t *testing.T) {
	pickup, refund := sandbox.SeedTemplateSubscribePickup, sandbox.SeedTemplateSubscribeRefund
	said := func(accept bool) []sandbox.ConsentAnswer {
		return []sandbox.ConsentAnswer{{TemplateID: pickup, Accept: accept}}
	}
	for _, tt := range []struct {
		name    string
		answers [][]sandbox.ConsentAnswer
		revoke  bool
		assumed string // errcodes of three sends while consent is assumed
		strict  string // and while it is not
	}{
		{"never asked", nil, false, "0 0 0", "43101 43101 43101"},
		{"asked for another template", [][]sandbox.ConsentAnswer{accept(refund)}, false, "0 0 0", "43101 43101 43101"},
		{"accepted once", [][]sandbox.ConsentAnswer{said(true)}, false, "0 43101 43101", "0 43101 43101"},
		{"accepted twice", [][]sandbox.ConsentAnswer{said(true), said(true)}, false, "0 0 43101", "0 0 43101"},
		{"refused", [][]sandbox.ConsentAnswer{said(false)}, false, "43101 43101 43101", "43101 43101 43101"},
		{"refused, then accepted", [][]sandbox.ConsentAnswer{said(false), said(true)}, false, "0 43101 43101", "0 43101 43101"},
		{"switched off without ever being asked", nil, true, "43101 43101 43101", "43101 43101 43101"},
	} {
		for assumed, want := range map[bool]string{true: tt.assumed, false: tt.strict} {
			s := sandboxtest.New(t)
			if !assumed {
				setMini(t, s, sandbox.AccountSpec{SubscribeRules: sandbox.SubscribeRules{ConsentAssumed: new(false)}})
			}
			for _, answers := range tt.answers {
				mustNil(t, s.Sandbox.Consent("", user, answers, 0))
			}
			if tt.revoke {
				mustNil(t, s.Sandbox.RevokeConsent("", user))
			}
			var got []string
			for range 3 {
				got = append(got, strconv.Itoa(codeOf(t, do(t, s, with(pathSubscribe, miniToken(t, s)), pickupBody(user, "")))))
			}
			if got := strings.Join(got, " "); got != want {
				t.Errorf("%s, assumed %t: errcodes %s, want %s", tt.name, assumed, got, want)
			}
		}
	}
}

func TestErasLeaveTheAssumedConsentAlone(t *testing.T) {
	s := sandboxtest.New(t)
	for _, assumed := range []bool{true, false} {
		setMini(t, s, sandbox.AccountSpec{SubscribeRules: sandbox.SubscribeRules{ConsentAssumed: &assumed}})
		setMini(t, s, sandbox.AccountSpec{Era: "D"})
		if got := *s.Sandbox.Accounts()[1].ConsentAssumed; got != assumed {
			t.Errorf("consent_assumed after naming an era = %t, want %t", got, assumed)
		}
	}
}

func TestSwitchingOffWhatWasNeverAskedTellsTheServer(t *testing.T) {
	miniBubble(t, "", func(t *testing.T, s *sandboxtest.Server, g *gateway) {
		mustNil(t, s.Sandbox.RevokeConsent("", user))
		item := func(id string) string {
			return "<List><TemplateId><![CDATA[" + id + "]]></TemplateId>\n<SubscribeStatusString><![CDATA[reject]]></SubscribeStatusString>\n</List>"
		}
		wantEvent(t, g, "<SubscribeMsgChangeEvent>"+item(sandbox.SeedTemplateSubscribePickup)+item(sandbox.SeedTemplateSubscribeRefund)+
			"</SubscribeMsgChangeEvent>\n</xml>")
	})
}

func TestWhoMayNotBeSentASubscribeMessage(t *testing.T) {
	s := sandboxtest.New(t)
	never := sandbox.OpenID("NOSUB", 1)
	mustNil(t, s.Sandbox.Consent("", never, accept(sandbox.SeedTemplateSubscribePickup), 0))
	setMini(t, s, sandbox.AccountSpec{Pages: &[]string{"index"}})
	withTemplate := func(id string) string { return body(toUser, member("template_id", id), badData) }
	exchangeAll(t, s, miniTokens(t, s), []exchange{
		{"assumed to have accepted", pathSubscribe, pickupBody(user, ""), `0`},
		{"as often as there are messages", pathSubscribe, pickupBody(user, `"page":"index?a=1",`), `0`},
		{"one who never accepts", pathSubscribe, pickupBody(never, ""), refused},
		{"no openid", pathSubscribe, `{}`, `40003`},
		{"no template", pathSubscribe, body(toUser), `40037`},
		{"the mini program's other kind", pathSubscribe, withTemplate(sandbox.SeedTemplateMini), `40037`},
		{"no such page", pathSubscribe, pickupBody(user, `"page":"cart",`), `41030`},
		{"frozen", pathSubscribe, pickupBody(sandbox.OpenID("FROZE", 1), ""), `50002`},
		{"not a notice of a service account", pathBizSend, pickupBody(user, ""), `48001`},
	})
	exchangeAll(t, s, serviceToken(t, s), []exchange{{"an official account", pathSubscribe, pickupBody(user, ""), `48001`}})
	setMini(t, s, sandbox.AccountSpec{SubscribeRules: sandbox.SubscribeRules{ConsentAssumed: new(false)}})
	exchangeAll(t, s, miniTokens(t, s), []exchange{{"no longer assumed", pathSubscribe, pickupBody(user, ""), refused}})
	setMini(t, s, sandbox.AccountSpec{SubscribeRules: sandbox.SubscribeRules{SubscribeBanned: new(true)}})
	exchangeAll(t, s, miniTokens(t, s), []exchange{{"banned", pathSubscribe, pickupBody(user, ""), `43107`}})
	setMini(t, s, sandbox.AccountSpec{SubscribeRules: sandbox.SubscribeRules{SubscribeBanned: new(false), SubscribeQuota: new(0)}})
	exchangeAll(t, s, miniTokens(t, s), []exchange{{"no quota", pathSubscribe, pickupBody(user, ""), `45009`}})
}

// The wire of spec §7.4: a List for each item in XML; in JSON an object for one
// and an array for several.
func TestTheThreeSubscribeEvents(t *testing.T) {
	head := func(event string) string {
		return "<MsgType><![CDATA[event]]></MsgType>\n<Event><![CDATA[" + event + "]]></Event>\n"
	}
	pickup, refund := sandbox.SeedTemplateSubscribePickup, sandbox.SeedTemplateSubscribeRefund
	id := func(template string) string { return "<TemplateId><![CDATA[" + template + "]]></TemplateId>\n" }
	status := func(word string) string {
		return "<SubscribeStatusString><![CDATA[" + word + "]]></SubscribeStatusString>\n"
	}
	for _, tt := range []struct {
		format              string
		popup, change, sent string
	}{
		{"xml",
			head("subscribe_msg_popup_event") + "<SubscribeMsgPopupEvent><List>" + id(pickup) + status("accept") + "<PopupScene>1</PopupScene>\n</List>" +
				"<List>" + id(refund) + status("reject") + "<PopupScene>1</PopupScene>\n</List></SubscribeMsgPopupEvent>\n</xml>",
			head("subscribe_msg_change_event") + "<SubscribeMsgChangeEvent><List>" + id(pickup) + status("reject") + "</List></SubscribeMsgChangeEvent>\n</xml>",
			head("subscribe_msg_sent_event") + "<SubscribeMsgSentEvent><List>" + id(pickup) + "<MsgID>MSGID</MsgID>\n<ErrorCode>0</ErrorCode>\n" +
				"<ErrorStatus><![CDATA[success]]></ErrorStatus>\n</List></SubscribeMsgSentEvent>\n</xml>"},
		{"json",
			`"CreateTime":"946684800","MsgType":"event","Event":"subscribe_msg_popup_event","List":[{"TemplateId":"` + pickup +
				`","SubscribeStatusString":"accept","PopupScene":"1"},{"TemplateId":"` + refund + `","SubscribeStatusString":"reject","PopupScene":"1"}]}`,
			`"CreateTime":"946684800","MsgType":"event","Event":"subscribe_msg_change_event","List":{"TemplateId":"` + pickup + `","SubscribeStatusString":"reject"}}`,
			`"Event":"subscribe_msg_sent_event","List":{"TemplateId":"` + pickup + `","MsgID":"MSGID","ErrorCode":"0","ErrorStatus":"success"}}`},
	} {
		t.Run(tt.format, func(t *testing.T) {
			miniBubble(t, tt.format, func(t *testing.T, s *sandboxtest.Server, g *gateway) {
				answers := append(accept(pickup), sandbox.ConsentAnswer{TemplateID: refund})
				mustNil(t, s.Sandbox.Consent("", user, answers, 1))
				wantEvent(t, g, tt.popup)
				do(t, s, with(pathSubscribe, miniToken(t, s)), pickupBody(user, ""))
				row := lastRow(t, s)
				wantEvent(t, g, strings.ReplaceAll(tt.sent, "MSGID", row.MsgID))
				if row = lastRow(t, s); len(row.Pushes) != 1 {
					t.Errorf("%d pushes in the ledger, want 1", len(row.Pushes))
				}
				mustNil(t, s.Sandbox.RevokeConsent("", user, pickup))
				wantEvent(t, g, tt.change)
			})
		})
	}
}

// wantEvent compares the end of the last event.
func wantEvent(t *testing.T, g *gateway, want string) {
	t.Helper()
	synctest.Wait()
	all := g.got()
	if len(all) == 0 {
		t.Fatalf("no event, want %s", want)
	}
	if got := all[len(all)-1].body; !strings.HasSuffix(got, want) {
		t.Errorf("event\n got %s\nwant …%s", got, want)
	}
}

func TestAFailedSubscribeMessageHasAnErrorCode(t *testing.T) {
	for fate, want := range map[string]string{
		"BLOCK": "<ErrorCode>43101</ErrorCode>\n<ErrorStatus><![CDATA[user refuse to accept the msg]]>",
		"SYSFL": "<ErrorCode>-1</ErrorCode>\n<ErrorStatus><![CDATA[system error]]>",
	} {
		miniBubble(t, "xml", func(t *testing.T, s *sandboxtest.Server, g *gateway) {
			do(t, s, with(pathSubscribe, miniToken(t, s)), pickupBody(sandbox.OpenID(fate, 1), ""))
			synctest.Wait()
			if got := g.got(); len(got) != 1 || !strings.Contains(got[0].body, want) {
				t.Errorf("%s: events %v, want one with %s", fate, got, want)
			}
		})
	}
}

// newtmpl makes one call with a form body.
func newtmpl(t *testing.T, s *sandboxtest.Server, token, contentType, form string) reply {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, s.URL+with(pathNewAdd, token), strings.NewReader(form))
	mustNil(t, err)
	req.Header.Set("Content-Type", contentType)
	resp, err := s.Client.Do(req)
	mustNil(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	mustNil(t, err)
	return reply{resp.StatusCode, resp.Header, string(b)}
}

func TestAddingASubscribeTemplate(t *testing.T) {
	s := sandboxtest.New(t)
	const formType = "application/x-www-form-urlencoded"
	token := miniToken(t, s)
	setMini(t, s, sandbox.AccountSpec{SubscribeRules: sandbox.SubscribeRules{SubscribeTemplateLimit: new(3)}})
	add := func(form string) reply { return newtmpl(t, s, token, formType, form) }
	for _, tt := range []struct{ name, form, want string }{
		{"no tid", "kidList[0]=1", `{"errmsg":"missing parameter tid rid","errcode":200014}`},
		{"an unknown tid", "tid=1", `{"errmsg":"tid does not exist rid","errcode":200014}`},
		{"one keyword", "tid=401&kidList[0]=1", `{"errmsg":"invalid keywords rid","errcode":200020}`},
		{"one twice", "tid=401&kidList[0]=1&kidList[1]=1", `{"errmsg":"invalid keywords rid","errcode":200020}`},
		{"a keyword of none", "tid=401&kidList[0]=1&kidList[1]=99", `{"errmsg":"invalid keywords rid","errcode":200020}`},
	} {
		t.Run(tt.name, func(t *testing.T) { wantBody(t, add(tt.form), tt.want) })
	}
	if got := add("tid=401&kidList[0]=1&kidList[1]=2&sceneDesc=" + strings.Repeat("字", 16)); !strings.HasSuffix(got.body, `"errcode":200021}`) {
		t.Errorf("a long scene: %s", got.body)
	}
	got := add("tid=401&kidList[0]=3&kidList[1]=1&sceneDesc=取餐")
	var added struct{ PriTmplID string }
	mustDecode(t, got, &added)
	wantBody(t, got, `{"errmsg":"ok","errcode":0,"priTmplId":"`+added.PriTmplID+`"}`)
	exchangeAll(t, s, func() string { return token }, []exchange{
		{"JSON on this path", pathNewDel, `{}`, `200002`},
		{"an unknown one", pathNewDel, `{"priTmplId":"x"}`, `20001`},
	})
	if held, want := do(t, s, with(pathPrivate, token), "").body, `{"priTmplId":"`+added.PriTmplID+`","title":"取餐提醒",`+
		`"content":"下单时间:{{time3.DATA}}\n取餐号:{{character_string1.DATA}}",`+
		`"example":"下单时间:2026年11月20日 10:15\n取餐号:27","type":2,"keywordEnumValueList":[]}]}`; !strings.HasSuffix(held, want) {
		t.Errorf("held = %s, want …%s", held, want)
	}
	wantCode(t, add("tid=401&kidList[0]=1&kidList[1]=2"), 200012)
	exchangeAll(t, s, func() string { return token }, []exchange{
		{"deleting", pathNewDel, body(member("priTmplId", added.PriTmplID)), `{"errmsg":"ok","errcode":0}`},
		{"again", pathNewDel, body(member("priTmplId", added.PriTmplID)), `20001`},
	})
	wantCode(t, add("tid=401&kidList=1&kidList=2"), 0)
}

func TestSwitchesOfAddingASubscribeTemplate(t *testing.T) {
	s := sandboxtest.New(t)
	token := miniToken(t, s)
	const form = "tid=401&kidList[0]=1&kidList[1]=2"
	post := func(contentType string) reply { return newtmpl(t, s, token, contentType, form) }
	if got := post("application/json"); got.status != http.StatusUnsupportedMediaType {
		t.Errorf("JSON: status %d, want 415", got.status)
	}
	s.Sandbox.Configure(sandbox.Settings{JSONForm415: new(false)})
	wantCode(t, post("application/json"), 0) // the body is a form, whatever the header says
	wantBody(t, do(t, s, with(pathNewAdd, token), `{"tid":401}`), `{"errmsg":"missing parameter tid rid","errcode":200014}`)
	for word, want := range map[string]int{"43106": 43106, "200011": 200011, "none": 0} {
		setMini(t, s, sandbox.AccountSpec{SubscribeRules: sandbox.SubscribeRules{AddTemplatePunished: word}})
		wantCode(t, post("text/plain"), want)
	}
	wantCode(t, newtmpl(t, s, plainToken(t, s).AccessToken, "", form), 0)
	setService(t, s, sandbox.AccountSpec{Verified: new(false)})
	wantCode(t, newtmpl(t, s, plainToken(t, s).AccessToken, "", form), 48001)
}

func TestTheChunkedSwitch(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	chunked := func() reply {
		got, err := try(s, "POST", with(pathSend, token), struct{ *strings.Reader }{strings.NewReader(orderBody(user, ""))})
		mustNil(t, err)
		return got
	}
	if got := chunked(); got.status != http.StatusPreconditionFailed {
		t.Errorf("status %d, want 412", got.status)
	}
	s.Sandbox.Configure(sandbox.Settings{Chunked412: new(false)})
	wantCode(t, chunked(), 0)
}

func TestReadingTheSubscribeLibrary(t *testing.T) {
	s := sandboxtest.New(t)
	setMini(t, s, sandbox.AccountSpec{Subjects: sandbox.Subjects{Categories: &[]int{201, 202}}})
	token := miniToken(t, s)
	get := func(path, query string) reply { return do(t, s, with(path, token)+query, "") }
	for _, tt := range []struct{ name, path, query, want string }{
		{"the account's categories", pathCategories, "", `{"errmsg":"ok","errcode":0,"data":[{"id":201,"name":"餐饮堂食"},{"id":202,"name":"外卖点餐"}]}`},
		{"the keywords", pathKeywords, "&tid=401", `{"errmsg":"ok","errcode":0,"count":5,"data":[{"kid":1,"name":"取餐号","example":"27","rule":"character_string"},` +
			`{"kid":2,"name":"门店","example":"人民路店","rule":"thing"},{"kid":3,"name":"下单时间","example":"2026年11月20日 10:15","rule":"time"},` +
			`{"kid":4,"name":"取餐方式","example":"到店自取","rule":"enum"},{"kid":5,"name":"备注","example":"请到2号窗口取餐","rule":"thing"}]}`},
		{"beyond the end", pathTitles, "&ids=202&start=100&limit=30", ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := get(tt.path, tt.query)
			if tt.want == "" {
				if !strings.HasSuffix(got.body, `,"data":[]}`) {
					t.Errorf("body = %s, want no titles", got.body)
				}
				return
			}
			wantBody(t, got, tt.want)
		})
	}
	if got, want := get(pathTitles, "&ids=202&start=0&limit=30").body, `{"tid":401,"title":"取餐提醒","type":2,"categoryId":"202"}`; !strings.Contains(got, want) {
		t.Errorf("titles = %s, want %s among them", got, want)
	}
	for query, want := range map[string]int{
		"": 200018, "&ids=x&start=0&limit=1": 200019, "&ids=1&start=0&limit=1": 200019,
		"&ids=202&limit=1": 200016, "&ids=202&start=0": 200017, "&ids=202&start=0&limit=31": 200017,
	} {
		wantCode(t, get(pathTitles, query), want)
	}
	wantCode(t, get(pathKeywords, "&tid=1"), 200014)
}

func TestNoticesOfAServiceAccount(t *testing.T) {
	s := sandboxtest.New(t, sandbox.Options{DeliveryDelay: -1})
	var added struct{ PriTmplID string }
	mustDecode(t, newtmpl(t, s, plainToken(t, s).AccessToken, "", "tid=401&kidList[0]=1&kidList[1]=2"), &added)
	data := `"data":{"character_string1":{"value":"27"},"thing2":{"value":"人民路店"}}`
	send := func(extra string) string { return body(toUser, member("template_id", added.PriTmplID), extra, data) }
	mustNil(t, s.Sandbox.Consent(sandbox.SeedServiceAppID, user, accept(added.PriTmplID), 2))
	mustNil(t, s.Sandbox.Unfollow(user)) // notices need no follower
	exchangeAll(t, s, serviceToken(t, s), []exchange{
		{"a program not linked", pathBizSend, send(`"miniprogram":{"appid":"wxcccccccccccccccc"}`), `40013`},
		{"accepted", pathBizSend, send(`"page":"https://e.example/o/1"`), wireOK},
		{"used up", pathBizSend, send(`"page":"https://e.example/o/1"`), refused},
		{"of the other library", pathBizSend, orderBody(user, ""), `40037`},
	})
	got := s.Sandbox.Inbox(user)
	if len(got) != 1 || got[0].Jump != (sandbox.InboxJump{Kind: "url", URL: "https://e.example/o/1"}) {
		t.Errorf("inbox = %+v, want one that opens the page", got)
	}
}

func TestConsentsOverTheControlAPI(t *testing.T) {
	s := sandboxtest.New(t)
	path := control + "users/" + user + "/consents"
	left := func(n int) string {
		return fmt.Sprintf(`{"items":[{"appid":%q,"template_id":%q,"title":"取餐提醒","long_term":false,"left":%d}]}`,
			sandbox.SeedMiniAppID, sandbox.SeedTemplateSubscribePickup, n)
	}
	one := `{"templates":[{"template_id":"` + sandbox.SeedTemplateSubscribePickup + `","accept":true}],"scene":0}`
	wantControl(t, do(t, s, path, ""), 200, `{"items":[]}`)
	wantControl(t, do(t, s, path+"?appid=", ""), 200, `{"items":[]}`)
	wantRefusal(t, do(t, s, path+"?apid=x", ""), "apid")
	wantControl(t, do(t, s, path, one), 200, left(1))
	wantControl(t, do(t, s, path+"/revoke", `{"template_ids":["`+sandbox.SeedTemplateSubscribePickup+`"]}`), 200, left(0))
	for name, bad := range map[string]string{
		"scene": `{"scene":3,"templates":[]}`, "templates": `{}`, "accept": `{"templates":[{"template_id":"x"}]}`,
		"template_id": `{"templates":[{"template_id":"x","accept":true}]}`, "appid": `{"appid":"wx","templates":[]}`,
	} {
		if got := do(t, s, path, bad); got.status/100 != 4 || !strings.Contains(got.body, `"field":"`+name+`"`) {
			t.Errorf("%s: %d %s", bad, got.status, got.body)
		}
	}
}

func TestLongTermAndEnumeratedTemplates(t *testing.T) {
	s := sandboxtest.New(t)
	token := miniToken(t, s)
	add := func(form string) string {
		var added struct{ PriTmplID string }
		mustDecode(t, newtmpl(t, s, token, "", form), &added)
		return added.PriTmplID
	}
	bus, order := add("tid=1288&kidList[0]=1&kidList[1]=2"), add("tid=401&kidList[0]=1&kidList[1]=4")
	mustNil(t, s.Sandbox.Consent("", user, accept(bus, order), 0))
	list := do(t, s, with(pathPrivate, token), "").body
	for _, want := range []string{`"type":3,"keywordEnumValueList":[]`, `"keywordEnumValueList":[{"keywordCode":"enum4.DATA","enumValueList":["到店自取","堂食","骑手代取"]}]`} {
		if !strings.Contains(list, want) {
			t.Errorf("held = %s, want %s", list, want)
		}
	}
	states, err := s.Sandbox.Consents("", user)
	mustNil(t, err)
	for _, state := range states {
		if state.LongTerm != (state.TemplateID == bus) || state.LongTerm != (state.Left == -1) {
			t.Errorf("state %+v, want the bus's alone to be long-term", state)
		}
	}
	send := func(id, data string) string { return body(toUser, member("template_id", id), `"data":{`+data+`}`) }
	exchangeAll(t, s, func() string { return token }, []exchange{
		{"long-term", pathSubscribe, send(bus, `"character_string1":{"value":"K18"},"thing2":{"value":"人民路"}`), `0`},
		{"as often as there are messages", pathSubscribe, send(bus, `"character_string1":{"value":"K18"},"thing2":{"value":"人民路"}`), `0`},
		{"none of the values", pathSubscribe, send(order, `"character_string1":{"value":"27"},"enum4":{"value":"无人机"}`),
			`{"errcode":47003,"errmsg":"argument invalid! data.enum4.value invalid rid"}`},
		{"one of them", pathSubscribe, send(order, `"character_string1":{"value":"27"},"enum4":{"value":"堂食"}`), `0`},
	})
	mustNil(t, s.Sandbox.RevokeConsent("", user, bus))
	exchangeAll(t, s, func() string { return token }, []exchange{{"taken back", pathSubscribe, send(bus, `"character_string1":{"value":"K18"},"thing2":{"value":"人民路"}`), refused}})
}
