package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

const (
	secondAppID  = "wxc3c3c3c3c3c3c3c3"
	secondSecret = "c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3"
)

// addSecond creates a test account beside the seed's, with a template of its own.
func addSecond(t *testing.T, s *sandboxtest.Server) (token, templateID string) {
	t.Helper()
	mustNil(t, s.Sandbox.AddAccount(sandbox.AccountSpec{AppID: secondAppID, Secret: secondSecret, Name: "second"}))
	var v tokenBody
	mustDecode(t, do(t, s, tokenTarget(secondAppID, secondSecret), ""), &v)
	var added struct {
		TemplateID string `json:"template_id"`
	}
	mustDecode(t, do(t, s, with(pathAdd, v.AccessToken), `{"template_id_short":"43217","keyword_name_list":["商品名称"]}`), &added)
	return v.AccessToken, added.TemplateID
}

func secondBody(openid, templateID, extra string) string {
	return fmt.Sprintf(`{"touser":%q,"template_id":%q,%s"data":{"thing1":{"value":"巧克力"}}}`, openid, templateID, extra)
}

// TestATieIsWithOneAccountWhenItIsNamed walks through what an account and a user
// have to do with each other: set for one account it leaves the other alone, set
// without a name it counts for all.
func TestATieIsWithOneAccountWhenItIsNamed(t *testing.T) {
	s := sandboxtest.New(t, sandbox.Options{DeliveryDelay: -1})
	token := plainToken(t, s).AccessToken
	second, templateID := addSecond(t, s)
	fates := func() (first, other string) {
		t.Helper()
		do(t, s, with(pathSend, token), orderBody(user, ""))
		one := lastRow(t, s)
		do(t, s, with(pathSend, second), secondBody(user, templateID, ""))
		two := lastRow(t, s)
		return fmt.Sprint(one.ErrCode, one.Fate), fmt.Sprint(two.ErrCode, two.Fate)
	}
	b := s.Sandbox
	for _, step := range []struct {
		name       string
		do         func() error
		one, other string
	}{
		{"nothing was said", func() error { return nil }, "0shown", "0shown"},
		{"unfollows the second", func() error { return b.Unfollow(user, secondAppID) }, "0shown", "43004none"},
		{"unfollows all", func() error { return b.Unfollow(user) }, "43004none", "43004none"},
		{"follows the second", func() error { return b.Follow(user, secondAppID) }, "43004none", "0shown"},
		{"follows all", func() error { return b.Follow(user) }, "0shown", "0shown"},
		{"blocks the second", func() error { return b.Block(user, secondAppID) }, "0shown", "0user_block"},
		{"unblocks the second", func() error { return b.Unblock(user, secondAppID) }, "0shown", "0shown"},
		{"blocks all", func() error { return b.Block(user) }, "0user_block", "0user_block"},
		{"unblocks all", func() error { return b.Unblock(user) }, "0shown", "0shown"},
		{"is blacklisted by the first", func() error { return b.Blacklist(user, sandbox.SeedServiceAppID) }, "43019none", "0shown"},
		{"is taken off", func() error { return b.Unblacklist(user, sandbox.SeedServiceAppID) }, "0shown", "0shown"},
		{"is frozen", func() error { return b.Freeze(user) }, "50002none", "50002none"},
		{"is unfrozen", func() error { return b.Unfreeze(user) }, "0shown", "0shown"},
	} {
		mustNil(t, step.do())
		if one, other := fates(); one != step.one || other != step.other {
			t.Errorf("%s: %s and %s, want %s and %s", step.name, one, other, step.one, step.other)
		}
	}
	if err := b.Block(user, "wx0000000000000000"); err == nil {
		t.Error("an unknown account was blocked")
	}
}

// TestWhichOfTheSocialActsPushes: follows do, to the account they are of; nothing
// else does, because no event is documented.
func TestWhichOfTheSocialActsPushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		g := newGateway(s)
		addSecond(t, s)
		for _, appid := range []string{sandbox.SeedServiceAppID, secondAppID, sandbox.SeedMiniAppID} {
			mustNil(t, s.Sandbox.SetServerURL(appid, callbackURL, "", ""))
		}
		b := s.Sandbox
		for _, step := range []struct {
			name string
			do   func() error
			want string
		}{
			{"unfollow of one account", func() error { return b.Unfollow(user, secondAppID) }, "unsubscribe"},
			{"the same again", func() error { return b.Unfollow(user, secondAppID) }, ""},
			{"follow of one account", func() error { return b.Follow(user, secondAppID) }, "subscribe"},
			{"follow of all", func() error { return b.Follow(user) }, "subscribe"},
			{"block", func() error { return b.Block(user) }, ""},
			{"unblock", func() error { return b.Unblock(user) }, ""},
			{"blacklist", func() error { return b.Blacklist(user) }, ""},
			{"freeze", func() error { return b.Freeze(user) }, ""},
			{"form", func() error { b.GiveForm("", user); return nil }, ""},
			{"payment", func() error { b.GivePayment(user, 0); return nil }, ""},
		} {
			before := len(g.got())
			mustNil(t, step.do())
			synctest.Wait()
			pushes := g.got()[before:]
			switch {
			case step.want == "" && len(pushes) > 0:
				t.Errorf("%s: pushed %s, want nothing", step.name, pushes[0].body)
			case step.want != "" && (len(pushes) != 1 || !strings.Contains(pushes[0].body, "<Event><![CDATA["+step.want+"]]>")):
				t.Errorf("%s: pushed %v, want one %s", step.name, pushes, step.want)
			}
		}
		if body := g.got()[1].body; !strings.Contains(body, "<ToUserName><![CDATA["+originalOf(t, s, secondAppID)+"]]>") {
			t.Errorf("the follow of the second account went to another one: %s", body)
		}
	})
}

func originalOf(t *testing.T, s *sandboxtest.Server, appid string) string {
	t.Helper()
	for _, a := range s.Sandbox.Accounts() {
		if a.AppID == appid {
			return a.OriginalID
		}
	}
	t.Fatalf("no account %s", appid)
	return ""
}

func TestUsersAreListedLastFirstWithWhatTheyHaveNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		token := plainToken(t, s).AccessToken
		second, templateID := addSecond(t, s)
		other, blocked := sandbox.OpenID("", 2), sandbox.OpenID("BLOCK", 3)
		do(t, s, with(pathSend, token), orderBody(blocked, ""))
		do(t, s, with(pathSend, token), orderBody(other, ""))
		do(t, s, with(pathSend, token), orderBody(user, ""))
		do(t, s, with(pathSend, token), orderBody(user, ""))
		time.Sleep(2 * time.Second)
		do(t, s, with(pathSend, second), secondBody(user, templateID, ""))
		msgID := lastRow(t, s).MsgID
		time.Sleep(2 * time.Second)
		do(t, s, control+"users/"+other, `{"name":"王小明","blocked":true,"appid":"`+secondAppID+`"}`)

		var page struct {
			Items []sandbox.UserView `json:"items"`
			Total int                `json:"total"`
		}
		mustDecode(t, do(t, s, control+"users", ""), &page)
		if len(page.Items) != 3 || page.Total != 3 || page.Items[0].OpenID != other || page.Items[2].OpenID != blocked {
			t.Fatalf("users: %+v, want %s, %s, %s", page, other, user, blocked)
		}
		if got := page.Items[2]; got.Fate != "BLOCK" || !*got.Blocked || got.Unread != 0 || got.Last != nil {
			t.Errorf("the user who blocks: %+v", got)
		}
		got := page.Items[1]
		want := []sandbox.UserAccount{
			{AppID: sandbox.SeedServiceAppID, Follows: true, Unread: 2, Last: &sandbox.LastMessage{MsgID: got.Accounts[0].Last.MsgID,
				AppID: sandbox.SeedServiceAppID, Title: "订单支付通知", At: got.Accounts[0].Last.At}},
			{AppID: secondAppID, Follows: true, Unread: 1, Last: got.Last},
		}
		if diff := cmp.Diff(want, got.Accounts); diff != "" || got.Unread != 3 || got.Last.MsgID != msgID {
			t.Errorf("unread %d, last %+v, accounts (-want +got):\n%s", got.Unread, got.Last, diff)
		}
		if got := page.Items[0]; got.Name != "王小明" || *got.Blocked || len(got.Accounts) != 2 || !got.Accounts[1].Blocked || got.Accounts[0].Blocked {
			t.Errorf("the user who blocks one account: %+v", got)
		}
		for query, want := range map[string]int{"?q=小明": 1, "?q=oBLOCK": 1, "?q=nobody": 0, "?limit=2": 2} {
			mustDecode(t, do(t, s, control+"users"+query, ""), &page)
			if len(page.Items) != want || page.Total != 3 {
				t.Errorf("%s: %d of %d users, want %d of 3", query, len(page.Items), page.Total, want)
			}
		}
		wantRefusal(t, do(t, s, control+"users?limit=0", ""), "limit")
		wantRefusal(t, do(t, s, control+"users?page=1", ""), "page")

		unread := func(target, body string) int {
			t.Helper()
			var v sandbox.UserView
			mustDecode(t, do(t, s, control+"users/"+user+target, body), &v)
			return v.Unread
		}
		if got := unread("/read", `{"appid":"`+secondAppID+`"}`); got != 2 {
			t.Errorf("%d unread after one account's were read, want 2", got)
		}
		if got := unread("/read", `{}`); got != 0 {
			t.Errorf("%d unread after all were read, want 0", got)
		}
		for _, entry := range s.Sandbox.Inbox(user) {
			if !entry.Read {
				t.Errorf("%s is not read", entry.MsgID)
			}
		}
		wantRefusal(t, do(t, s, control+"users/"+user+"/read", `{"appid":"wx0000000000000000"}`), "appid")
	})
}

func TestATapOpensWhatTheRulesOfTheEraSay(t *testing.T) {
	s := sandboxtest.New(t, sandbox.Options{DeliveryDelay: -1})
	token := plainToken(t, s).AccessToken
	mini := `"miniprogram":{"appid":"` + sandbox.SeedMiniAppID + `","pagepath":"index?foo=bar"},`
	url := `"url":"https://shop.example/orders/1",`
	toMini := sandbox.InboxJump{Kind: "miniprogram", AppID: sandbox.SeedMiniAppID, PagePath: "index?foo=bar"}
	toURL := sandbox.InboxJump{Kind: "url", URL: "https://shop.example/orders/1"}
	for _, tc := range []struct {
		name, era, platform string
		miniPrograms        bool
		extra               string
		want                sandbox.InboxJump
	}{
		{"both", "F", "ios", true, url + mini, toMini},
		{"both, old client", "F", "ios", false, url + mini, toURL},
		{"mini program only, old client", "F", "ios", false, mini, sandbox.InboxJump{Kind: "none"}},
		{"url", "F", "android", true, url, toURL},
		{"nothing", "F", "android", true, "", sandbox.InboxJump{Kind: "none"}},
		{"nothing in era A on iOS", "A", "ios", true, "", sandbox.InboxJump{Kind: "blank_page"}},
		{"nothing in era A on Android", "A", "android", true, "", sandbox.InboxJump{Kind: "not_clickable"}},
		{"url in era A on Android", "A", "android", true, url, toURL},
	} {
		mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{Era: tc.era}))
		mustNil(t, s.Sandbox.SetUser(user, sandbox.UserChange{UserState: sandbox.UserState{Platform: tc.platform, SupportsMiniprogram: &tc.miniPrograms}}))
		do(t, s, with(pathSend, token), orderBody(user, tc.extra))
		var got sandbox.InboxJump
		mustDecode(t, do(t, s, control+"users/"+user+"/tap", `{"msgid":"`+lastRow(t, s).MsgID+`"}`), &got)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
		if v := s.Sandbox.UserView(user); v.Unread != 0 {
			t.Errorf("%s: %d unread after the tap", tc.name, v.Unread)
		}
	}
	wantRefusal(t, do(t, s, control+"users/"+user+"/tap", `{"msgid":"12"}`), "msgid")
	wantRefusal(t, do(t, s, control+"users/"+user+"/tap", `{"msgid":"x"}`), "msgid")
	wantRefusal(t, do(t, s, control+"users/oX/tap", `{"msgid":"12"}`), "openid")
}

// TestUnreadCountsSurviveTheForgettingOfMessages: with room for three messages,
// what is forgotten is no longer unread.
func TestUnreadCountsSurviveTheForgettingOfMessages(t *testing.T) {
	s := sandboxtest.New(t, sandbox.Options{DeliveryDelay: -1, LedgerLimit: 3})
	token := plainToken(t, s).AccessToken
	second, templateID := addSecond(t, s)
	do(t, s, with(pathSend, second), secondBody(user, templateID, ""))
	for range 3 {
		do(t, s, with(pathSend, token), orderBody(user, ""))
	}
	v := s.Sandbox.UserView(user)
	if v.Unread != 3 || len(v.Accounts) != 1 || v.Accounts[0].AppID != sandbox.SeedServiceAppID {
		t.Errorf("unread %d, accounts %+v, want 3 of the first account alone", v.Unread, v.Accounts)
	}
	if len(s.Sandbox.Inbox(user)) != 3 {
		t.Errorf("%d messages, want 3", len(s.Sandbox.Inbox(user)))
	}
}

func TestNamesAreChecked(t *testing.T) {
	s := sandboxtest.New(t)
	wantRefusal(t, do(t, s, control+"users/"+user, `{"name":"`+strings.Repeat("鸿", 65)+`"}`), "name")
	if got := do(t, s, control+"users/"+user, `{"name":"`+strings.Repeat("鸿", 64)+`"}`); got.status != 200 {
		t.Errorf("a name of 64 characters: %s", got.body)
	}
}

func TestAClientMsgIDIsKnownByItsAccount(t *testing.T) {
	s := sandboxtest.New(t, sandbox.Options{DeliveryDelay: -1})
	second, templateID := addSecond(t, s)
	do(t, s, with(pathSend, plainToken(t, s).AccessToken), orderBody(user, clientID("order-1")))
	first := lastRow(t, s).MsgID
	do(t, s, with(pathSend, second), secondBody(user, templateID, clientID("order-1")))
	if row := lastRow(t, s); row.DuplicateOf != "" || row.MsgID == first || row.Fate != "shown" {
		t.Errorf("the same client_msg_id of another account: msgid %s, duplicate of %q, fate %s; want a message of its own", row.MsgID, row.DuplicateOf, row.Fate)
	}
}
