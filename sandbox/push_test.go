package sandbox_test

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
	"hongyan/wechat"
)

// bubble runs f in a synctest bubble with a sandbox that pushes to a gateway.
func bubble(t *testing.T, mode, format string, f func(t *testing.T, s *sandboxtest.Server, g *gateway)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t, sandbox.Options{DeliveryDelay: -1})
		g := newGateway(s)
		mustNil(t, s.Sandbox.SetServerURL(sandbox.SeedServiceAppID, callbackURL, mode, format))
		f(t, s, g)
	})
}

// sendTo sends one message and lets its event arrive.
func sendTo(t *testing.T, s *sandboxtest.Server, openid, extra string) sandbox.LedgerEntry {
	t.Helper()
	do(t, s, with(pathSend, stableToken(t, s, false).AccessToken), orderBody(openid, extra))
	synctest.Wait()
	return lastRow(t, s)
}

func TestEveryFateHasItsStatus(t *testing.T) {
	bubble(t, "", "", func(t *testing.T, s *sandboxtest.Server, g *gateway) {
		for _, tt := range []struct{ fate, ledger, status string }{
			{"", "shown", "success"},
			{"BLOCK", "user_block", "failed:user block"},
			{"SYSFL", "system_failed", "failed: system failed"},
			{"FREQL", "freq_limit", "failed:freq limit"},
			{"NOSUB", "shown", "success"},
		} {
			openid := sandbox.OpenID(tt.fate, 3)
			row := sendTo(t, s, openid, "")
			if row.Fate != tt.ledger {
				t.Errorf("%s: fate = %q, want %q", tt.fate, row.Fate, tt.ledger)
			}
			last := g.got()[len(g.got())-1].body
			if want := "<Status><![CDATA[" + tt.status + "]]></Status>"; !strings.Contains(last, want) || !strings.Contains(last, openid) {
				t.Errorf("%s: event %s, want %s", tt.fate, last, want)
			}
			shown := 0
			if tt.ledger == "shown" {
				shown = 1
			}
			if got := len(s.Sandbox.Inbox(openid)); got != shown {
				t.Errorf("%s: %d messages shown, want %d", tt.fate, got, shown)
			}
		}
		before := len(g.got())
		row := sendTo(t, s, sandbox.OpenID("NOEVT", 3), "")
		if row.Fate != "shown" || len(row.Pushes) != 0 || len(g.got()) != before {
			t.Errorf("NOEVT: fate %q, %d pushes, want shown without any", row.Fate, len(row.Pushes))
		}
	})
}

func TestPushesAreSignedAndLookLikeThePlatforms(t *testing.T) {
	bubble(t, "plain", "xml", func(t *testing.T, s *sandboxtest.Server, g *gateway) {
		sendTo(t, s, user, "")
		q := url.Values(g.got()[0].query)
		if !wechat.VerifySignature(sandbox.SeedCallbackToken, q.Get("timestamp"), q.Get("nonce"), q.Get("signature")) {
			t.Errorf("signature of %v is wrong", q)
		}
		if q.Get("openid") != user || q.Get("tenant") != "7" || q.Has("encrypt_type") || q.Has("msg_signature") {
			t.Errorf("query = %v, want openid, the URL's own tenant, no encryption", q)
		}
		for name, want := range map[string]string{"Content-Type": "text/xml", "User-Agent": "Mozilla/4.0"} {
			if got := g.got()[0].header.Get(name); got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
	})
}

func TestModesAndFormatsCanBeOpenedByAReceiver(t *testing.T) {
	for _, mode := range []string{"plain", "compatible", "safe"} {
		for _, format := range []string{"xml", "json"} {
			t.Run(mode+" "+format, func(t *testing.T) {
				bubble(t, mode, format, func(t *testing.T, s *sandboxtest.Server, g *gateway) {
					row := sendTo(t, s, user, "")
					openPush(t, mode, g.got()[0], row.MsgID)
				})
			})
		}
	}
}

func openPush(t *testing.T, mode string, p pushed, msgID string) {
	t.Helper()
	m, err := wechat.ParseCallbackMode(mode)
	mustNil(t, err)
	r, err := wechat.NewReceiver(wechat.ReceiverConfig{
		AppID: sandbox.SeedServiceAppID, Mode: m,
		Tokens: []string{sandbox.SeedCallbackToken}, AESKeys: []string{sandbox.SeedAESKey},
	})
	mustNil(t, err)
	got, err := r.Open(p.query, p.header.Get("Content-Type"), []byte(p.body))
	if err != nil {
		t.Fatalf("open %s: %v", p.body, err)
	}
	want := wechat.Event{
		ToUserName: "gh_a1a1a1a1a1a1", FromUserName: user, CreateTime: 946684800, MsgType: "event",
		Event: wechat.EventTemplateSendJobFinish, MsgID: got.Event.MsgID, Status: "success",
	}
	if diff := cmp.Diff(want, got.Event); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if got := strconv.FormatInt(got.Event.MsgID, 10); got != msgID {
		t.Errorf("MsgID = %s, want %s", got, msgID)
	}
	if plainFields := strings.Contains(p.body, "TEMPLATESENDJOBFINISH"); plainFields != (mode != "safe") {
		t.Errorf("plain fields present = %t in %s mode", plainFields, mode)
	}
	if encrypted := strings.Contains(p.body, "Encrypt"); encrypted != (mode != "plain") {
		t.Errorf("Encrypt present = %t in %s mode", encrypted, mode)
	}
}

func TestSafeModeHasTwoElementsOnly(t *testing.T) {
	bubble(t, "safe", "", func(t *testing.T, s *sandboxtest.Server, g *gateway) {
		sendTo(t, s, user, "")
		want := regexp.MustCompile(`^<xml>\n<ToUserName><!\[CDATA\[gh_a1a1a1a1a1a1\]\]></ToUserName>\n` +
			`<Encrypt><!\[CDATA\[[A-Za-z0-9+/=]+\]\]></Encrypt>\n</xml>$`)
		if got := g.got()[0].body; !want.MatchString(got) {
			t.Errorf("push = %s, want %s", got, want)
		}
	})
}

func TestAResetDropsThePushesStillWaiting(t *testing.T) {
	bubble(t, "", "", func(t *testing.T, s *sandboxtest.Server, g *gateway) {
		g.answer = func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		for range 70 {
			sendTo(t, s, user, "")
		}
		atReset := len(g.got())
		s.Sandbox.Reset()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := len(g.got()); atReset != 64 || got != atReset {
			t.Errorf("%d pushes at the reset and %d a minute later, want 64 and no more", atReset, got)
		}
	})
}

func TestJSONPushIsLiteral(t *testing.T) {
	bubble(t, "plain", "json", func(t *testing.T, s *sandboxtest.Server, g *gateway) {
		row := sendTo(t, s, user, "")
		want := `{"ToUserName":"gh_a1a1a1a1a1a1","FromUserName":"` + user + `","CreateTime":946684800,"MsgType":"event",` +
			`"Event":"TEMPLATESENDJOBFINISH","MsgID":` + row.MsgID + `,"Status":"success"}`
		if diff := cmp.Diff(want, g.got()[0].body); diff != "" {
			t.Errorf("push (-want +got):\n%s", diff)
		}
		if got, want := g.got()[0].header.Get("Content-Type"), "application/json"; got != want {
			t.Errorf("Content-Type = %q, want %q", got, want)
		}
	})
}

func TestASilentServerGetsTheSameBodyThreeTimes(t *testing.T) {
	bubble(t, "safe", "", func(t *testing.T, s *sandboxtest.Server, g *gateway) {
		g.answer = func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		sendTo(t, s, user, "")
		time.Sleep(time.Minute)
		synctest.Wait()
		var at []time.Duration
		for _, p := range g.got() {
			at = append(at, p.at)
			if p.body != g.got()[0].body {
				t.Error("the body of a later delivery differs")
			}
		}
		if diff := cmp.Diff([]time.Duration{0, 5 * time.Second, 10 * time.Second}, at); diff != "" {
			t.Errorf("deliveries at (-want +got):\n%s", diff)
		}
		for i, p := range lastRow(t, s).Pushes {
			if p.HTTPStatus != 0 || p.MS != 5000 {
				t.Errorf("push %d: status %d, %d ms, want none after 5000 ms", i, p.HTTPStatus, p.MS)
			}
		}
		want := sandbox.Stats{Pushes: 3, PushesFailed: 3, EventsLost: 1, Delivered: 1}
		got := s.Sandbox.Stats()
		got.Calls, got.TokenFetches = nil, nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
	})
}

func TestAServerThatRecoversGetsTheRetry(t *testing.T) {
	bubble(t, "", "", func(t *testing.T, s *sandboxtest.Server, g *gateway) {
		g.answer = func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 1 {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			_, _ = io.WriteString(w, "<xml><Encrypt>whatever</Encrypt></xml>") // a passive reply is an answer
		}
		sendTo(t, s, user, "")
		time.Sleep(time.Minute)
		var got []int
		for _, p := range lastRow(t, s).Pushes {
			got = append(got, p.HTTPStatus)
		}
		if diff := cmp.Diff([]int{500, 200}, got); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
	})
}

func TestMarkFailBlocksPushesForAMinute(t *testing.T) {
	bubble(t, "", "", func(t *testing.T, s *sandboxtest.Server, g *gateway) {
		g.answer = func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
		for range 3 {
			sendTo(t, s, user, "")
		}
		time.Sleep(11 * time.Second) // all nine deliveries have failed at 10 s
		before := len(g.got())
		sendTo(t, s, user, "")
		if before != 9 || len(g.got()) != before {
			t.Errorf("%d deliveries, then %d while blocked, want 9 and no more", before, len(g.got())-before)
		}
		time.Sleep(time.Minute)
		sendTo(t, s, user, "")
		if len(g.got()) != before+1 {
			t.Errorf("%d deliveries after the block, want 1", len(g.got())-before)
		}
	})
}

func TestFollowingAndUnfollowingArePushed(t *testing.T) {
	bubble(t, "", "", func(t *testing.T, s *sandboxtest.Server, g *gateway) {
		mustNil(t, s.Sandbox.Follow(user))
		synctest.Wait()
		mustNil(t, s.Sandbox.Follow(user)) // already known: no second event
		mustNil(t, s.Sandbox.Unfollow(user))
		synctest.Wait()
		if len(g.got()) != 2 {
			t.Fatalf("%d pushes, want 2", len(g.got()))
		}
		for i, event := range []string{"subscribe", "unsubscribe"} {
			want := "<xml>\n<ToUserName><![CDATA[gh_a1a1a1a1a1a1]]></ToUserName>\n<FromUserName><![CDATA[" + user +
				"]]></FromUserName>\n<CreateTime>946684800</CreateTime>\n<MsgType><![CDATA[event]]></MsgType>\n<Event><![CDATA[" +
				event + "]]></Event>\n<EventKey><![CDATA[]]></EventKey>\n</xml>"
			if diff := cmp.Diff(want, g.got()[i].body); diff != "" {
				t.Errorf("push %d (-want +got):\n%s", i, diff)
			}
		}
		wantCode(t, do(t, s, with(pathSend, plainToken(t, s).AccessToken), orderBody(user, "")), 43004)
	})
}

func TestWhatTheUserIsAtDeliveryDecides(t *testing.T) {
	for want, change := range map[string]sandbox.UserState{
		"user_block": {Blocked: new(true)}, "system_failed": {Follows: new(false)},
		"system_failed, being frozen": {Frozen: new(true)},
	} {
		want, _, _ := strings.Cut(want, ",")
		synctest.Test(t, func(t *testing.T) {
			s := sandboxtest.NewInMemory(t)
			token := plainToken(t, s).AccessToken
			do(t, s, with(pathSend, token), orderBody(user, ""))
			mustNil(t, s.Sandbox.SetUser(user, sandbox.UserChange{UserState: change}))
			if got := lastRow(t, s).Fate; got != "pending" {
				t.Errorf("fate before delivery = %q, want pending", got)
			}
			time.Sleep(1100 * time.Millisecond)
			if got := lastRow(t, s).Fate; got != want {
				t.Errorf("fate = %q, want %s", got, want)
			}
		})
	}
}

func TestAdvanceFiresInOrderAtTheTimesDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		g := newGateway(s)
		mustNil(t, s.Sandbox.SetServerURL(sandbox.SeedServiceAppID, callbackURL, "", ""))
		token := plainToken(t, s).AccessToken
		for _, ms := range []int{30_000, 10_000, 20_000} {
			mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{Switches: sandbox.Switches{DeliveryDelayMS: new(ms)}}))
			do(t, s, with(pathSend, token), orderBody(sandbox.OpenID("", ms/1000), ""))
		}
		mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{Switches: sandbox.Switches{PushTimeoutMS: new(100)}}))
		advance(t, s, 2*time.Hour)
		for i, openid := range []string{sandbox.OpenID("", 10), sandbox.OpenID("", 20), sandbox.OpenID("", 30)} {
			inbox := s.Sandbox.Inbox(openid)
			if len(inbox) != 1 || inbox[0].At.Unix() != 946684800+int64(i+1)*10 {
				t.Errorf("inbox of %s = %+v, want one message at second %d", openid, inbox, (i+1)*10)
			}
		}
		synctest.Wait()
		if len(g.got()) != 3 {
			t.Errorf("%d pushes, want 3", len(g.got()))
		}
		wantCode(t, do(t, s, with(pathDomainIP, token), ""), 42001)
	})
}

func TestMsgIDZeroAndSmallMsgIDsAreSwitches(t *testing.T) {
	bubble(t, "", "", func(t *testing.T, s *sandboxtest.Server, g *gateway) {
		mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{
			Switches: sandbox.Switches{EventMsgIDZero: new(true), SmallMsgID: new(true)},
		}))
		row := sendTo(t, s, user, clientID("x"))
		if len(row.MsgID) != 9 || !strings.Contains(g.got()[0].body, "<MsgID>0</MsgID>") {
			t.Errorf("msgid %q, event %s, want nine digits and MsgID 0", row.MsgID, g.got()[0].body)
		}
		other := sandboxtest.NewInMemory(t, sandbox.Options{Seed: 2})
		mustNil(t, other.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{Switches: sandbox.Switches{SmallMsgID: new(true)}}))
		if again := sendTo(t, other, user, ""); again.MsgID[:6] == row.MsgID[:6] {
			t.Errorf("nine-digit msgids %s and %s of two seeds are neighbours", row.MsgID, again.MsgID)
		}
	})
}
