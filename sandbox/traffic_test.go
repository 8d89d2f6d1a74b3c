package sandbox_test

import (
	"context"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

func traffic(t *testing.T, s *sandboxtest.Server) []sandbox.Exchange {
	t.Helper()
	items, _ := s.Sandbox.Traffic(sandbox.TrafficFilter{})
	return items
}

func lastExchange(t *testing.T, s *sandboxtest.Server) sandbox.Exchange {
	t.Helper()
	items := traffic(t, s)
	if len(items) == 0 {
		t.Fatal("no traffic")
	}
	return items[len(items)-1]
}

func TestTrafficShowsACallWholeWithoutItsSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		token := plainToken(t, s).AccessToken
		login := lastExchange(t, s)
		if want := "grant_type=client_credential&appid=wxa1a1a1a1a1a1a1a1&secret=***"; login.Query != want {
			t.Errorf("query = %q, want %q", login.Query, want)
		}
		if want := `{"access_token":"***","expires_in":7200}`; login.AnswerBody != want {
			t.Errorf("answer = %q, want %q", login.AnswerBody, want)
		}
		body := orderBody(user, clientID("a-1"))
		do(t, s, with(pathSend, token), body)
		got := lastExchange(t, s)
		msgID := lastRow(t, s).MsgID
		want := sandbox.Exchange{
			Seq: 2, At: got.At, Direction: sandbox.DirectionCall, AppID: sandbox.SeedServiceAppID, ToUser: user,
			Method: "POST", Path: pathSend, Query: "access_token=***", RequestBody: body, Status: 200,
			AnswerBody: `{"errcode":0,"errmsg":"ok","msgid":` + msgID + `}`, MsgID: msgID,
			Why:   "Accepted as message " + msgID + "; whether it arrives is told later.",
			WhyZH: "已受理，消息 ID 为 " + msgID + "；是否送达随后才知道。",
			Curl:  `curl "$BASE` + pathSend + `?access_token=$TOKEN" -H 'Content-Type: application/json' --data-raw '` + body + `'`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("exchange (-want +got):\n%s", diff)
		}
		if !got.At.Equal(time.Now().Truncate(time.Millisecond)) {
			t.Errorf("at = %v, want %v", got.At, time.Now())
		}
		do(t, s, with(pathSend, token), body)
		if got := lastExchange(t, s).Why; !strings.Contains(got, "made message "+msgID) {
			t.Errorf("why of a duplicate = %q", got)
		}
	})
}

// TestNoSecretIsInTheTraffic sends them in every place and spelling in which the
// platform reads or might read them.
func TestNoSecretIsInTheTraffic(t *testing.T) {
	s := sandboxtest.New(t)
	token, secret := plainToken(t, s).AccessToken, sandbox.SeedServiceSecret
	stable := stableToken(t, s, false).AccessToken
	for _, call := range []struct{ target, body string }{
		{with(pathSend, token), `{"access_token":"` + token + `"`},
		{pathSend + "?access%5Ftoken=" + token, ""},
		{pathToken + "?appsecret=" + secret, "secret=" + secret + "&x=1"},
		{pathStable, `{"\u0073ecret":"` + secret + `","appid":"` + sandbox.SeedServiceAppID + `","grant_type":"client_credential"}`},
		{pathStable, `{"secret" : "` + secret},
		{pathStable, `{"\u0073ecret" : "` + secret},
		{pathSend, `{"data":[{"\u0073ecret" : "` + secret + `"}]}`},
		{pathStable, `{"app\"secret":"x","AppSecret":"` + secret + `"}`},
	} {
		do(t, s, call.target, call.body)
	}
	shown, err := json.Marshal(traffic(t, s))
	mustNil(t, err)
	page := do(t, s, "/sandbox/v1/traffic", "").body
	for name, hidden := range map[string]string{"token": token, "stable token": stable, "secret": secret} {
		if strings.Contains(string(shown), hidden) || strings.Contains(page, hidden) {
			t.Errorf("the %s is in the traffic: %s", name, page)
		}
	}
}

func TestTrafficSaysWhy(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	faults := "/sandbox/v1/faults"
	for _, tc := range []struct {
		name, fault, target, body, want string
		status, code                    int
	}{
		{"an errcode", "", with(pathSend, token), orderBody(sandbox.OpenID("NOFOL", 1), ""), "does not follow the account", 200, 43004},
		{"a rule's errcode", `{"path":"*","errcode":-1}`, with(pathSend, token), "{}", "Fault rule fault_1: answered -1", 200, -1},
		{"a rule's page", `{"path":"*","http_status":502}`, with(pathSend, token), "{}", "answered 502; nothing was done", 502, 502},
		{"a delay", `{"path":"*","delay_ms":1}`, with(pathDomainIP, token), "", "after a delay", 200, 0},
	} {
		if tc.fault != "" {
			do(t, s, faults, tc.fault)
		}
		do(t, s, tc.target, tc.body)
		got := lastExchange(t, s)
		if !strings.Contains(got.Why, tc.want) || got.WhyZH == "" || got.Status != tc.status || got.ErrCode != tc.code {
			t.Errorf("%s: %d, errcode %d, why %q (%s), want %d, %d and %q", tc.name, got.Status, got.ErrCode, got.Why, got.WhyZH, tc.status, tc.code, tc.want)
		}
		s.Sandbox.ClearFaults()
	}
	for fault, want := range map[string]string{
		`{"path":"*","drop_answer":true}`: "done (errcode 0), then the connection was cut",
		`{"path":"*","reset":"before"}`:   "cut before anything was done",
	} {
		do(t, s, faults, fault)
		if _, err := try(s, "POST", with(pathSend, token), strings.NewReader(orderBody(user, ""))); err == nil {
			t.Errorf("%s: answered", fault)
		}
		if got := lastExchange(t, s); !strings.Contains(got.Why, want) || got.Status != 0 || got.AnswerBody != "" {
			t.Errorf("%s: %d %q %q, want no answer and %q", fault, got.Status, got.AnswerBody, got.Why, want)
		}
		s.Sandbox.ClearFaults()
	}
}

func TestTrafficShowsAPushAndHowItWasSigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		g := newGateway(s)
		mustNil(t, s.Sandbox.SetServerURL(sandbox.SeedServiceAppID, callbackURL, "safe", ""))
		do(t, s, with(pathSend, plainToken(t, s).AccessToken), orderBody(user, ""))
		time.Sleep(2 * time.Second)
		got := lastExchange(t, s)
		push := g.got()[0]
		query := func(name string) string { return push.query[name][0] }
		if got.Direction != sandbox.DirectionPush || got.Event != "TEMPLATESENDJOBFINISH" || got.MsgID != lastRow(t, s).MsgID ||
			got.RequestBody != push.body || got.AnswerBody != "success" || got.Path != "http://gateway.test/callback/a" {
			t.Errorf("push: %+v", got)
		}
		if !strings.Contains(got.Decrypted, "<Status><![CDATA[success]]>") || got.Why != "Delivery 1 of 3: answered 200." {
			t.Errorf("decrypted %q, why %q", got.Decrypted, got.Why)
		}
		in := got.Signature
		if in.Signature != query("signature") || in.MsgSignature != query("msg_signature") || in.Timestamp != query("timestamp") ||
			in.Nonce != query("nonce") || in.EncryptType != "aes" {
			t.Errorf("signature inputs %+v, want those of the query %v", in, push.query)
		}
		for _, list := range [][]string{in.Sorted, in.MsgSorted} {
			if !slices.Contains(list, "***") || slices.Contains(list, sandbox.SeedCallbackToken) || !slices.Contains(list, in.Nonce) {
				t.Errorf("sorted = %v, want the nonce and *** for the token", list)
			}
		}
	})
}

func TestAPushNobodyTakesSaysWhichTryItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		mustNil(t, s.Sandbox.SetServerURL(sandbox.SeedServiceAppID, "http://nobody.test/", "", ""))
		mustNil(t, s.Sandbox.Unfollow(user))
		time.Sleep(time.Minute)
		var whys []string
		for _, e := range traffic(t, s) {
			whys = append(whys, e.Why)
		}
		want := []string{ // the bubble begins at midnight UTC, 08:00 in Beijing
			"Delivery 1 of 3: no answer after 0s; the next one is at 08:00:05 Beijing time.",
			"Delivery 2 of 3: no answer after 0s; the next one is at 08:00:10 Beijing time.",
			"Delivery 3 of 3: no answer after 0s; given up, the event is lost.",
		}
		if diff := cmp.Diff(want, whys); diff != "" {
			t.Errorf("why (-want +got):\n%s", diff)
		}
	})
}

// TestCurlRepeatsTheCall runs the command in a shell, for quotes of both kinds,
// dollars and newlines are easy to get wrong.
func TestCurlRepeatsTheCall(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Fatal("there is no shell to run the commands with; install one (Debian: bash)")
	}
	s := sandboxtest.New(t)
	for _, call := range []struct{ target, body string }{
		{"/cgi-bin/odd$path%22%60id%60?x=$HOME`id`&access_token=T", "{\"a\":\"it's $HOME \\\"`id`\\\" \\\\\",\n\"b\":'x'}"},
		{pathStable, stableBody(true)},
		{tokenTarget(sandbox.SeedServiceAppID, sandbox.SeedServiceSecret), ""},
	} {
		do(t, s, call.target, call.body)
		curl := lastExchange(t, s).Curl
		script := "curl() { for a in \"$@\"; do printf '%s\\000' \"$a\"; done; }; BASE=B TOKEN=T SECRET=" + sandbox.SeedServiceSecret + "; " + curl
		out, err := exec.CommandContext(t.Context(), "sh", "-c", script).Output()
		if err != nil {
			t.Fatalf("sh -c %s: %v", script, err)
		}
		path, _, _ := strings.Cut(call.target, "%22")
		args := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		if !strings.HasPrefix(args[0], "B"+path) || call.body != "" && args[len(args)-1] != call.body {
			t.Errorf("%s\ngives %q\nwant  %q with body %q", curl, args, "B"+call.target, call.body)
		}
	}
}

func TestTrafficFiltersAndIsBounded(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	other := sandbox.OpenID("", 2)
	do(t, s, with(pathSend, token), orderBody(user, ""))
	do(t, s, with(pathSend, token), orderBody(other, ""))
	do(t, s, with(pathMiniSend, miniToken(t, s)), "{}")
	var page struct {
		Items     []sandbox.Exchange `json:"items"`
		NextAfter int64              `json:"next_after"`
	}
	for query, want := range map[string][]int64{
		"":                                  {1, 2, 3, 4, 5},
		"?after=3":                          {4, 5},
		"?limit=2":                          {4, 5},
		"?openid=" + other:                  {3},
		"?appid=" + sandbox.SeedMiniAppID:   {4, 5},
		"?appid=wx0000000000000000&after=1": nil,
	} {
		mustDecode(t, do(t, s, "/sandbox/v1/traffic"+query, ""), &page)
		var got []int64
		for _, e := range page.Items {
			got = append(got, e.Seq)
		}
		if diff := cmp.Diff(want, got); diff != "" || page.NextAfter != 5 {
			t.Errorf("%s: next_after %d, seqs (-want +got):\n%s", query, page.NextAfter, diff)
		}
	}
	for query, field := range map[string]string{"?limit=0": "limit", "?limit=1001": "limit", "?after=-1": "after", "?x=1": "x", "?after=1&after=2": "after"} {
		wantRefusal(t, do(t, s, "/sandbox/v1/traffic"+query, ""), field)
	}
	for range 1100 {
		do(t, s, with(pathDomainIP, token), "")
	}
	if items := traffic(t, s); len(items) != 1000 || items[999].Seq != 1105 {
		t.Errorf("%d exchanges up to %d, want 1000 up to 1105", len(items), items[len(items)-1].Seq)
	}
	big := `{"x":"` + strings.Repeat("y", 1<<19) + `"}`
	for range 60 {
		do(t, s, with(pathSend, token), big)
	}
	if n := len(traffic(t, s)); n < 20 || n > 40 {
		t.Errorf("%d exchanges of half a MiB each are kept, want about 32", n)
	}
	s.Sandbox.Reset()
	do(t, s, "/cgi-bin/x", "")
	if items := traffic(t, s); len(items) != 1 || items[0].Seq != 1166 {
		t.Errorf("after a reset: %d exchanges, %+v, want one with seq 1166", len(items), items)
	}
}

func wantRefusal(t *testing.T, got reply, field string) {
	t.Helper()
	var v struct{ Field, Rule string }
	mustDecode(t, got, &v)
	if got.status/100 != 4 || v.Field != field || v.Rule == "" {
		t.Errorf("status %d, %s, want a refusal of %s", got.status, got.body, field)
	}
}

func TestBytesThatAreNoTextAreShownAllTheSame(t *testing.T) {
	s := sandboxtest.New(t)
	do(t, s, "/cgi-bin/%ff?x=%ff", "\xff{")
	for _, path := range []string{"/sandbox/v1/traffic", "/sandbox/v1/ledger"} {
		if got := do(t, s, path, ""); got.status != 200 || !strings.Contains(got.body, "/cgi-bin/\uFFFD") {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

func TestRIDLookup(t *testing.T) {
	s := sandboxtest.New(t)
	const path = "/cgi-bin/openapi/rid/get"
	token, mini := plainToken(t, s).AccessToken, miniToken(t, s)
	body := orderBody(sandbox.OpenID("NOFOL", 7), "")
	failed := do(t, s, with(pathSend, token), body)
	rid := lastExchange(t, s).RID
	if len(rid) != 26 || !strings.Contains(failed.body, rid) {
		t.Fatalf("rid %q of %s", rid, failed.body)
	}
	ask := func(token, rid string) reply { return do(t, s, with(path, token), `{"rid":"`+rid+`"}`) }
	var got struct {
		ErrCode int `json:"errcode"`
		Request struct {
			InvokeTime   int64  `json:"invoke_time"`
			RequestURL   string `json:"request_url"`
			RequestBody  string `json:"request_body"`
			ResponseBody string `json:"response_body"`
			ClientIP     string `json:"client_ip"`
		} `json:"request"`
	}
	mustDecode(t, ask(token, rid), &got)
	if got.ErrCode != 0 || got.Request.RequestURL != "access_token=***" || got.Request.RequestBody != body ||
		got.Request.ResponseBody != failed.body || got.Request.ClientIP != "127.0.0.1" || got.Request.InvokeTime == 0 {
		t.Errorf("rid/get: %+v", got)
	}
	wantCode(t, ask(mini, rid), 76003)
	wantCode(t, ask(token, "nonsense"), 76002)
	wantCode(t, ask(token, rid[:9]+"00000000-00000000"), 76001)
	advance(t, s, 7*24*time.Hour+time.Minute)
	wantCode(t, ask(plainToken(t, s).AccessToken, rid), 76004)
	wantCode(t, do(t, s, with(path, ""), `{"rid":"x"}`), 41001)
}

func TestWatchTellsWhatChangedAndGathersTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		ctx, stop := context.WithCancel(t.Context())
		notices := s.Sandbox.Watch(ctx)
		next := func() sandbox.Notice {
			t.Helper()
			synctest.Wait()
			select {
			case n := <-notices:
				return n
			default:
				t.Fatal("nothing was told")
				return sandbox.Notice{}
			}
		}
		want := func(what string, got, want sandbox.Notice) {
			t.Helper()
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(sandbox.Notice{}), cmp.FilterPath(func(p cmp.Path) bool {
				return p.Last().String() == ".version"
			}, cmp.Ignore())); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		none := []string{}
		token := plainToken(t, s).AccessToken
		want("a call", next(), sandbox.Notice{Inbox: none, Traffic: true})
		mustNil(t, s.Sandbox.SetUser(user, sandbox.UserChange{UserState: sandbox.UserState{Platform: "android"}}))
		want("a user", next(), sandbox.Notice{Inbox: none, Users: true})
		mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedMiniAppID, sandbox.AccountSpec{Name: "x"}))
		want("an account", next(), sandbox.Notice{Inbox: none, Accounts: true})
		id := s.Sandbox.AddFault(sandbox.Fault{Path: "/x", ErrCode: -1})
		want("a fault", next(), sandbox.Notice{Inbox: none, Faults: true})
		s.Sandbox.RemoveFault(id)
		want("no fault", next(), sandbox.Notice{Inbox: none, Faults: true})

		do(t, s, with(pathSend, token), orderBody(user, ""))
		synctest.Wait() // the watcher holds the notice of the call; the rest is gathered
		do(t, s, with(pathSend, token), orderBody(sandbox.OpenID("", 2), ""))
		advance(t, s, time.Minute)
		want("the call", next(), sandbox.Notice{Inbox: none, Traffic: true})
		want("the rest", next(), sandbox.Notice{Inbox: []string{user, sandbox.OpenID("", 2)}, Traffic: true, Clock: true})
		s.Sandbox.Reset()
		synctest.Wait()
		got := next()
		for !got.All {
			got = next() // the seed's accounts may be told before
		}
		stop()
		synctest.Wait()
		if _, open := <-notices; open {
			t.Error("the channel is open after its context ended")
		}
	})
}

// TestEventsStream reads the stream as a browser does, leaves and comes back.
func TestEventsStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		stream := openEvents(t, s, "")
		if got := stream.next(); !strings.Contains(got, `"all":true`) {
			t.Errorf("first event %q, want everything", got)
		}
		mustNil(t, s.Sandbox.Advance(time.Second))
		got := stream.next()
		if !strings.Contains(got, "event: notice") || !strings.Contains(got, `"clock":true`) || !strings.Contains(got, `"traffic":false`) {
			t.Errorf("event %q, want the clock alone", got)
		}
		if got := stream.next(); got != ": still here\n" {
			t.Errorf("after a silence: %q", got)
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(got, "id: "), "\n")
		stream.close()

		again := openEvents(t, s, id)
		if got := again.next(); !strings.Contains(got, "nothing was missed") {
			t.Errorf("back without a change: %q", got)
		}
		again.close()
		mustNil(t, s.Sandbox.Advance(time.Second))
		late := openEvents(t, s, id)
		if got := late.next(); !strings.Contains(got, `"all":true`) {
			t.Errorf("back after a change: %q, want everything", got)
		}
		late.close()
	})
}
