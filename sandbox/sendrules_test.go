package sandbox_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

func rules(r sandbox.SendRules) sandbox.AccountSpec { return sandbox.AccountSpec{SendRules: r} }

// Each row is one switch of spec §10, row 14: two sends with it off, the same with it on.
func TestEachSendRuleShowsOnTheWire(t *testing.T) {
	second := strings.Replace(orderBody(user, ""), "A1001", "A1002", 1)
	for _, tt := range []struct {
		name          string
		on            sandbox.SendRules
		body          string // of the second send
		first, second int    // with it on; all are 0 with it off
	}{
		{"-1 always", sandbox.SendRules{BusyRate: new(1.0)}, second, -1, -1},
		{"45009 at one", sandbox.SendRules{EarlyQuotaAt: new(1)}, second, 0, 45009},
		{"43117 after one", sandbox.SendRules{UserLimit: new(1)}, second, 0, 43117},
		{"43117 counts each user", sandbox.SendRules{UserLimit: new(1)}, orderBody(sandbox.OpenID("", 2), ""), 0, 0},
		{"40241", sandbox.SendRules{Duplicate60s: new(true)}, orderBody(user, ""), 0, 40241},
		{"40241 needs the same data", sandbox.SendRules{Duplicate60s: new(true)}, second, 0, 0},
		{"40249", sandbox.SendRules{IllegalWords: &[]string{"1002"}}, second, 0, 40249},
		{"40252", sandbox.SendRules{Review: "approve", ReviewWords: &[]string{"1002"}}, second, 0, 40252},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := sandboxtest.New(t)
			token := plainToken(t, s).AccessToken
			send := func(b string) reply { return do(t, s, with(pathSend, token), b) }
			wantCode(t, send(orderBody(user, "")), 0)
			wantCode(t, send(tt.body), 0)
			wantCode(t, do(t, s, with(pathClear, token), body(member("appid", sandbox.SeedServiceAppID))), 0)
			setService(t, s, rules(tt.on))
			wantCode(t, send(orderBody(user, "")), tt.first)
			wantCode(t, send(tt.body), tt.second)
		})
	}
}

func TestTheWindowsOfTheSendRules(t *testing.T) {
	s := sandboxtest.New(t)
	setService(t, s, rules(sandbox.SendRules{UserLimit: new(2), UserWindowMS: new(90_000), Duplicate60s: new(true)}))
	send := func(want int) {
		t.Helper()
		wantCode(t, do(t, s, with(pathSend, stableToken(t, s, false).AccessToken), orderBody(user, "")), want)
	}
	send(0)
	send(40241)
	advance(t, s, time.Minute)
	send(0) // no duplicate any more, and the second of two
	send(43117)
	advance(t, s, 30*time.Second)
	send(40241) // the first has left the user's window
	advance(t, s, 30*time.Second)
	send(0)
	send(43117)
}

func TestBusyAnswersCostNothing(t *testing.T) {
	s := sandboxtest.New(t)
	setService(t, s, sandbox.AccountSpec{DailyQuota: new(1), SendRules: sandbox.SendRules{BusyRate: new(1.0)}})
	exchangeAll(t, s, serviceToken(t, s), []exchange{
		{"busy", pathSend, orderBody(user, ""), `{"errcode":-1,"errmsg":"system error rid"}`},
		{"other calls are not", pathList, "", `0`},
	})
	setService(t, s, rules(sandbox.SendRules{BusyRate: new(0.0)}))
	exchangeAll(t, s, serviceToken(t, s), []exchange{{"the day's only send is left", pathSend, orderBody(user, ""), `0`}})
	setService(t, s, rules(sandbox.SendRules{BusyRate: new(0.5)}))
	busy := 0
	for range 40 {
		if codeOf(t, do(t, s, with(pathSend, serviceToken(t, s)()), `{}`)) == -1 {
			busy++
		}
	}
	if busy < 8 || busy > 39 {
		t.Errorf("%d of 40 calls were busy, want about 20", busy)
	}
}

func TestTheEarlyQuotaIsNotWhatTheLookUpShows(t *testing.T) {
	s := sandboxtest.New(t)
	setService(t, s, rules(sandbox.SendRules{EarlyQuotaAt: new(1)}))
	exchangeAll(t, s, serviceToken(t, s), []exchange{
		{"the first", pathSend, orderBody(user, ""), `0`},
		{"the second", pathSend, orderBody(user, ""), `45009`},
		{"the look-up", pathQuotaGet, cgiPath(pathSend), quotaBody(100_000, 1, 0)},
	})
}

func TestLatencyDelaysEveryCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		token := plainToken(t, s).AccessToken
		setService(t, s, rules(sandbox.SendRules{LatencyMS: new(250)}))
		for _, path := range []string{pathSend, pathList} {
			start := time.Now()
			do(t, s, with(path, token), orderBody(user, ""))
			if took := time.Since(start); took != 250*time.Millisecond {
				t.Errorf("%s took %v, want 250ms", path, took)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+with(pathSend, token), strings.NewReader(orderBody(user, "")))
		mustNil(t, err)
		if _, err := s.Client.Do(req); err == nil {
			t.Error("a call that gave up was answered")
		}
		synctest.Wait()
		if row := lastRow(t, s); row.Answered || row.ErrCode != -1 || row.MsgID != "" {
			t.Errorf("row of the call that gave up = %+v, want nothing done", row)
		}
	})
}

func TestSubscribeMessagesHaveIllegalWordsToo(t *testing.T) {
	s := sandboxtest.New(t)
	setMini(t, s, rules(sandbox.SendRules{IllegalWords: &[]string{"人民路"}}))
	exchangeAll(t, s, miniTokens(t, s), []exchange{{"on", pathSubscribe, pickupBody(user, ""), `{"errcode":45168,"errmsg":"keyword in blacklist rid"}`}})
	setMini(t, s, rules(sandbox.SendRules{IllegalWords: &[]string{}}))
	exchangeAll(t, s, miniTokens(t, s), []exchange{{"off", pathSubscribe, pickupBody(user, ""), `0`}})
}

func TestAReviewHoldsThenDeliversOrRefuses(t *testing.T) {
	for _, tt := range []struct {
		review, fate    string
		events, blocked int
	}{
		{"approve", "shown", 1, 0},
		{"refuse", "refused", 0, 1},
	} {
		t.Run(tt.review, func(t *testing.T) {
			bubble(t, "", "", func(t *testing.T, s *sandboxtest.Server, g *gateway) {
				setService(t, s, rules(sandbox.SendRules{Review: tt.review}))
				got := do(t, s, with(pathSend, stableToken(t, s, false).AccessToken), orderBody(user, clientID("c1")))
				wantBody(t, got, `{"errcode":40252,"errmsg":"你正在调用的模板下发的部分内容已进入平台审核流程,在审核完成前,相关内容暂时无法下发。 rid"}`)
				sentAt := time.Now().Unix()
				msgID := lastRow(t, s).MsgID
				again := do(t, s, with(pathSend, stableToken(t, s, false).AccessToken), orderBody(user, clientID("c1")))
				wantBody(t, again, `{"errcode":0,"errmsg":"ok","msgid":`+msgID+`}`) // the same message: held once, not twice
				time.Sleep(30*time.Minute - time.Second)
				if row := rowOf(t, s, msgID); row.Fate != "held" || len(g.got()) != 0 {
					t.Errorf("before the decision: fate %s, %d events, want held and none", row.Fate, len(g.got()))
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if row := rowOf(t, s, msgID); row.Fate != tt.fate || len(g.got()) != tt.events || len(s.Sandbox.Inbox(user)) != tt.events {
					t.Errorf("after it: fate %s, %d events, want %s and %d", row.Fate, len(g.got()), tt.fate, tt.events)
				}
				wantBlocked(t, s, tt.blocked, sentAt)
			})
		})
	}
}

// rowOf finds the entry of the send that was given msgID.
func rowOf(t *testing.T, s *sandboxtest.Server, msgID string) sandbox.LedgerEntry {
	t.Helper()
	for _, row := range s.Sandbox.Ledger(sandbox.LedgerFilter{}) {
		if row.MsgID == msgID {
			return row
		}
	}
	t.Fatalf("no entry with msgid %s", msgID)
	return sandbox.LedgerEntry{}
}

const pathBlocked = "/wxa/sec/queryblocktmplmsg"

func wantBlocked(t *testing.T, s *sandboxtest.Server, n int, sentAt int64) {
	t.Helper()
	query := func(extra string) string { return body(member("tmpl_msg_id", sandbox.SeedTemplateOrder) + extra) }
	one := ""
	if n == 1 {
		one = `{"id":1,"tmpl_msg_id":"` + sandbox.SeedTemplateOrder + `","title":"订单支付通知","content":"订单编号：A1001\n商品名称：巧克力\n` +
			`支付金额：￥39.80\n支付时间：2026-11-20 10:15","send_timestamp":` + itoa(sentAt) + `,"openid":"` + user + `"}`
	}
	exchangeAll(t, s, serviceToken(t, s), []exchange{
		{"refused messages", pathBlocked, query(`,"largest_id":0,"limit":100`), `{"msginfo":[` + one + `],"errcode":0,"errmsg":"ok"}`},
		{"the next page", pathBlocked, query(`,"largest_id":1,"limit":100`), `{"msginfo":[],"errcode":0,"errmsg":"ok"}`},
		{"too many", pathBlocked, query(`,"limit":101`), `45165`},
		{"of no template", pathBlocked, `{"tmpl_msg_id":"x"}`, `40037`},
	})
}

func TestReviewsAreDecidedOverTheControlAPI(t *testing.T) {
	s := sandboxtest.New(t, sandbox.Options{DeliveryDelay: -1})
	setService(t, s, rules(sandbox.SendRules{Review: "wait"}))
	path := control + "accounts/" + sandbox.SeedServiceAppID + "/reviews"
	var ids []string
	for range 3 {
		wantCode(t, do(t, s, with(pathSend, serviceToken(t, s)()), orderBody(user, "")), 40252)
		ids = append(ids, lastRow(t, s).MsgID)
	}
	advance(t, s, 24*time.Hour)
	var held struct{ Items []sandbox.Review }
	mustDecode(t, do(t, s, path, ""), &held)
	if len(held.Items) != 3 || held.Items[0].MsgID != ids[0] {
		t.Fatalf("held = %+v, want three, %s first", held.Items, ids[0])
	}
	mustDecode(t, do(t, s, path, `{"msgid":"`+ids[1]+`","approve":true}`), &held)
	if len(held.Items) != 2 || rowOf(t, s, ids[1]).Fate != "shown" {
		t.Errorf("after approving one: %d held, fate %s", len(held.Items), rowOf(t, s, ids[1]).Fate)
	}
	wantControl(t, do(t, s, path, `{"msgid":"1","approve":true}`), 404,
		`{"error":"sandbox: msgid: must be of a message under review, got 1","field":"msgid","rule":"must be of a message under review","value":"1"}`)
	wantControl(t, do(t, s, path, `{"approve":false}`), 200, `{"items":[]}`)
	if fate := rowOf(t, s, ids[0]).Fate; fate != "refused" {
		t.Errorf("fate = %s, want refused", fate)
	}
}

func TestBusyAnswersOfEverySendCostNothing(t *testing.T) {
	s := sandboxtest.New(t)
	used := func(token func() string, path string) int {
		var v struct{ Quota struct{ Used int } }
		mustDecode(t, do(t, s, with(pathQuotaGet, token()), cgiPath(path)), &v)
		return v.Quota.Used
	}
	setService(t, s, rules(sandbox.SendRules{BusyRate: new(1.0)}))
	setMini(t, s, rules(sandbox.SendRules{BusyRate: new(1.0)}))
	for _, tt := range []struct {
		path, body string
		token      func() string
	}{
		{pathSend, orderBody(user, ""), serviceToken(t, s)},
		{pathBizSend, orderBody(user, ""), serviceToken(t, s)},
		{pathOneTime, orderBody(user, ""), serviceToken(t, s)},
		{pathMiniSend, miniBody(user, "x", ""), miniTokens(t, s)},
		{pathSubscribe, pickupBody(user, ""), miniTokens(t, s)},
	} {
		wantCode(t, do(t, s, with(tt.path, tt.token()), tt.body), -1)
		if got := used(tt.token, tt.path); got != 0 {
			t.Errorf("%s: %d calls used after one that answered -1, want 0", tt.path, got)
		}
	}
}
