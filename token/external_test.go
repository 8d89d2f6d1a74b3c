package token

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"hongyan"
	"hongyan/wechat"
)

// keeper is a central server the team runs already: one token, its own times.
type keeper struct {
	t      *testing.T
	client wechat.Client

	mu      sync.Mutex
	asked   int
	token   string
	expires time.Time
	answer  func(w http.ResponseWriter, r *http.Request) bool // answers in its own way; false = the ordinary one
}

const keeperURL = "http://user:uRlPassw0rd@keeper.test/v1/token?key=uRlKey1234&appid=" + appID

// newKeeper puts a central server on the network, which fetches plain tokens for the account.
func (f *fixture) newKeeper() *keeper {
	k := &keeper{t: f.t, client: wechat.Client{BaseURL: f.box.URL, HTTPClient: f.box.Client}}
	f.box.RegisterHost("keeper.test", k)
	f.changeAccount(func(a *hongyan.Account) { a.TokenSource, a.TokenURL = hongyan.TokenExternal, keeperURL })
	return k
}

// renew replaces its token at WeChat.
func (k *keeper) renew() string {
	k.t.Helper()
	got, err := k.client.Token(k.t.Context(), appID, secret)
	if err != nil {
		k.t.Fatal(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.token, k.expires = got.AccessToken, time.Now().Add(time.Duration(got.ExpiresIn)*time.Second)
	return k.token
}

func (k *keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked++
	if k.answer != nil && k.answer(w, r) {
		return
	}
	if user, password, _ := r.BasicAuth(); r.URL.Query().Get("key") != "uRlKey1234" || user != "user" || password != "uRlPassw0rd" {
		http.Error(w, "who are you", http.StatusForbidden)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": k.token, "expires_in": int(time.Until(k.expires) / time.Second)})
}

func (k *keeper) asks() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.asked
}

// For six hours the keeper renews as it likes; its token is followed and WeChat's
// token endpoints are left to it.
func TestAnExternalTokenIsFollowed(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		k := f.newKeeper()
		k.renew()
		defer f.run(f.Central)()
		renewals := int64(1)
		for minute := range 6 * 60 {
			if minute%97 == 96 {
				k.renew()
				renewals++
			}
			got := f.mustGrant(f.Central, ask("key_a"))
			if code := f.errcode(got.AccessToken.Reveal()); code != wechat.CodeOK {
				t.Fatalf("minute %d: the token is refused with %d", minute, code)
			}
			time.Sleep(time.Minute)
		}
		f.wantCalls(renewals) // the keeper's own
		if n := k.asks(); n < 75 || n > 115 {
			t.Errorf("the keeper was asked %d times in six hours, want about every four minutes", n)
		}
		if info := f.mustInfo(); info.EarlyDeaths != 0 || info.Source != hongyan.TokenExternal || info.Failing != nil {
			t.Errorf("Info = %+v, want an external token and nobody blamed", info)
		}
	})
}

// WeChat refuses the keeper's token: it is asked for another, with growing pauses,
// and the dead one is never given meanwhile.
func TestADeadExternalTokenIsAskedForAgain(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		k := f.newKeeper()
		dead := k.renew()
		f.mustGrant(f.Central, ask("key_a"))
		time.Sleep(time.Minute)
		f.mustRevoke(false)
		asked := k.asks()
		defer f.run(f.Central)()
		for range 120 {
			if got, err := f.Grant(t.Context(), ask("key_a")); err == nil {
				t.Fatalf("a token was given, the dead one = %v", got.AccessToken.Reveal() == dead)
			} else if failure := asTokenError(t, err); failure.Stopped || !strings.Contains(failure.Reason, "keeper.test still answers") {
				t.Fatalf("failure %+v, want one that passes and says what is wrong", failure)
			}
			time.Sleep(time.Second)
		}
		if n := k.asks() - asked; n < 5 || n > 9 {
			t.Errorf("the keeper was asked %d times in two minutes, want pauses that grow", n)
		}
		want := k.renew()
		time.Sleep(time.Minute + time.Second)
		if got := f.mustGrant(f.Central, ask("key_a")); got.AccessToken.Reveal() != want {
			t.Error("the keeper's new token is not given")
		}
		f.wantCalls(2)
	})
}

func TestNodesShareAnExternalToken(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		k := f.newKeeper()
		want := k.renew()
		all := []*Central{f.Central, f.newCentral("node-2"), f.newCentral("node-3")}
		if got := f.grantAll(200, all...); got != want || k.asks() != 1 {
			t.Errorf("same token = %v after %d asks, want the keeper's after one", got == want, k.asks())
		}
	})
}

func TestWhatAKeeperMayAnswer(t *testing.T) {
	write := func(status int, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return true
		}
	}
	cases := map[string]struct {
		answer func(http.ResponseWriter, *http.Request) bool
		want   string
	}{
		"an errcode, with the URL's secrets": {func(w http.ResponseWriter, r *http.Request) bool {
			_, password, _ := r.BasicAuth()
			_, _ = fmt.Fprintf(w, `{"errcode":40125,"errmsg":"bad %s of %s"}`, r.URL.RawQuery, password)
			return true
		}, "errcode 40125 bad [redacted] of [redacted]"},
		"an error page":     {write(502, "<html>"), "HTTP 502"},
		"not found":         {write(404, "no such page"), "HTTP 404"},
		"a bad request":     {write(400, "what?"), "HTTP 400"},
		"a page":            {write(200, "<html>"), `is not {"access_token"`},
		"a list":            {write(200, "[]"), `is not {"access_token"`},
		"nothing":           {write(200, ""), `is not {"access_token"`},
		"an empty object":   {write(200, "{}"), "access_token is empty"},
		"no expires_in":     {write(200, `{"access_token":"92_abc"}`), "expires_in 0 is not between 1 and 2592000"},
		"an expired one":    {write(200, `{"access_token":"92_abc","expires_in":-3}`), "expires_in -3"},
		"milliseconds":      {write(200, `{"access_token":"92_abc","expires_in":7200000}`), "expires_in 7200000"},
		"a word for a time": {write(200, `{"access_token":"92_abc","expires_in":"soon"}`), `is not {"access_token"`},
		"a token of blanks": {write(200, `{"access_token":"92 abc","expires_in":7200}`), "visible ASCII"},
		"a long token":      {write(200, `{"access_token":"`+strings.Repeat("a", 513)+`","expires_in":7200}`), "513 bytes"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "http://sandbox.test/", http.StatusFound)
			return true
		}, "HTTP 302"},
		"a hang": {func(_ http.ResponseWriter, r *http.Request) bool {
			<-r.Context().Done()
			return true
		}, "deadline"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
				k := f.newKeeper()
				k.answer = tc.answer
				failure := f.mustFail()
				if failure.Stopped || failure.Errcode != 0 || !strings.Contains(failure.Reason, "keeper.test: ") || !strings.Contains(failure.Reason, tc.want) {
					t.Errorf("failure %+v, want one that passes and says %q", failure, tc.want)
				}
				near(t, "RetryAt", failure.RetryAt, time.Now().Add(time.Second))
				for _, s := range []string{"uRlKey1234", "uRlPassw0rd", "92_abc", "92 abc"} {
					if strings.Contains(failure.Reason+failure.Error()+failure.Err.Error()+f.log.String(), s) {
						t.Errorf("%q is shown", s)
					}
				}
				k.mu.Lock()
				k.answer = nil
				k.mu.Unlock()
				want := k.renew()
				time.Sleep(time.Second)
				if got := f.mustToken(); got != want {
					t.Error("once the keeper answers, its token is not used")
				}
				f.wantCalls(1)
			})
		})
	}
}

func TestAKeeperThatIsNotThere(t *testing.T) {
	inBubble(t, hongyan.TokenExternal, func(t *testing.T, f *fixture) {
		f.changeAccount(func(a *hongyan.Account) { a.TokenURL = "http://nowhere.test/?key=uRlKey1234" })
		failure := f.mustFail()
		if text := failure.Reason + failure.Err.Error() + f.log.String(); failure.Stopped || strings.Contains(text, "uRlKey1234") || !strings.Contains(text, "nowhere.test") {
			t.Errorf("failure %v, want one that passes and names the host alone", failure)
		}
		f.wantCalls(0)
	})
}

// push brings a token that somebody else fetched from WeChat.
func (f *fixture) push(token string, life time.Duration) {
	f.t.Helper()
	if err := f.Push(f.t.Context(), appID, token, life); err != nil {
		f.t.Fatalf("Push: %v", err)
	}
}

// fetchOutside is what the team's own central server does before it pushes.
func (f *fixture) fetchOutside() string {
	f.t.Helper()
	client := wechat.Client{BaseURL: f.box.URL, HTTPClient: f.box.Client}
	got, err := client.Token(f.t.Context(), appID, secret)
	if err != nil {
		f.t.Fatal(err)
	}
	return got.AccessToken
}

func TestAPushedToken(t *testing.T) {
	inBubble(t, hongyan.TokenExternal, func(t *testing.T, f *fixture) {
		var told int
		f.fetched = func(string) { told++ }
		defer f.run(f.Central)()
		if failure := f.mustFail(); failure.Stopped || !strings.Contains(failure.Reason, "no access_token was pushed yet") {
			t.Errorf("before the first push: %+v", failure)
		}
		first := f.fetchOutside()
		f.push(first, 2*time.Hour)
		if got := f.mustGrant(f.Central, ask("key_a")); got.AccessToken.Reveal() != first || got.ExpiresIn != 2*time.Hour || told != 1 {
			t.Errorf("after the push: same = %v, %v left, %d told", got.AccessToken.Reveal() == first, got.ExpiresIn, told)
		}
		f.wantOwner(f.Central, first, appID, Live)
		_, err := f.Refresh(t.Context(), appID, "")
		if failure := asTokenError(t, err); !strings.Contains(failure.Reason, "cannot be fetched") || f.mustToken() != first {
			t.Errorf("an operator's refresh: %v, want that it cannot be, and the token kept", failure)
		}

		time.Sleep(10 * time.Minute)
		f.push(first, time.Hour)
		if got := f.mustGrant(f.Central, ask("key_a")); got.ExpiresIn != time.Hour {
			t.Errorf("the same token pushed again: %v left, want the new hour", got.ExpiresIn)
		}

		time.Sleep(56 * time.Minute) // nearly over: announced, and still used
		if f.mustToken() != first {
			t.Error("the token is not used up to its end")
		}
		if info := f.mustInfo(); info.Failing == nil || !strings.Contains(info.Failing.Reason, "within five minutes") {
			t.Errorf("four minutes before its end: failing %v", info.Failing)
		}
		time.Sleep(4 * time.Minute)
		if failure := f.mustFail(); !strings.Contains(failure.Reason, "expired: push another") {
			t.Errorf("after its end: %v", failure)
		}

		second := f.fetchOutside()
		f.push(second, 2*time.Hour)
		if f.mustToken() != second || f.mustInfo().Failing != nil {
			t.Error("the second push is not used")
		}
		f.wantOwner(f.Central, first, appID, Live)
		f.wantCalls(2)
	})
}

// A dead one is given to nobody, and everything goes on with the next push, on every node.
func TestAPushedTokenThatWeChatRefuses(t *testing.T) {
	inBubble(t, hongyan.TokenExternal, func(t *testing.T, f *fixture) {
		other := f.newCentral("node-2")
		first := f.fetchOutside()
		f.push(first, 2*time.Hour)
		f.grantAll(20, f.Central, other)
		time.Sleep(time.Minute)
		f.mustRevoke(false)
		for _, node := range []*Central{f.Central, other} {
			_, err := node.Grant(t.Context(), ask("key_a"))
			if failure := asTokenError(t, err); failure.Stopped || !strings.Contains(failure.Reason, "push another") {
				t.Errorf("refused: %+v, want one that passes and says what to do", failure)
			}
		}
		err := f.Push(t.Context(), appID, first, 2*time.Hour)
		if !hongyan.IsKind(err, hongyan.Conflict) || strings.Contains(err.Error(), first) {
			t.Errorf("the dead token pushed again: %v, want a conflict", err)
		}
		second := f.fetchOutside()
		f.push(second, 2*time.Hour)
		if f.mustToken() != second {
			t.Error("the new token is not used at once")
		}
		time.Sleep(pushLook)
		if got := f.mustGrant(other, ask("key_a")); got.AccessToken.Reveal() != second {
			t.Error("the other node does not find what was pushed here")
		}
		f.wantCalls(2)
	})
}

// With no trouble at all, another node follows a push within the grace of the old token.
func TestANewPushReachesEveryNode(t *testing.T) {
	inBubble(t, hongyan.TokenExternal, func(t *testing.T, f *fixture) {
		other := f.newCentral("node-2")
		defer f.run(other)()
		f.push(f.fetchOutside(), 2*time.Hour)
		f.grantAll(2, f.Central, other)
		time.Sleep(30 * time.Minute)
		second := f.fetchOutside()
		f.push(second, 2*time.Hour)
		time.Sleep(externalLook + time.Second)
		if got, err := other.AccessToken(t.Context(), appID); err != nil || got != second {
			t.Errorf("after four minutes: same = %v, %v, want what was pushed", got == second, err)
		}
	})
}

func TestPushesThatAreRefused(t *testing.T) {
	inBubble(t, hongyan.TokenExternal, func(t *testing.T, f *fixture) {
		cases := []struct {
			name, token string
			life        time.Duration
			want        string
		}{
			{"no token", "", time.Hour, "/access_token: access_token is empty"},
			{"too long", strings.Repeat("x", 513), time.Hour, "/access_token: access_token has 513 bytes, at most 512 are allowed"},
			{"a blank inside", "92_s3cret token", time.Hour, "/access_token: access_token has characters other"},
			{"Chinese", "92_s3cret密", time.Hour, "/access_token: access_token has characters other"},
			{"a line break", "92_s3cret\n", time.Hour, "/access_token: access_token has characters other"},
			{"no life", "92_s3cret", 0, "/expires_in: 0 is not between 1 and 2592000 seconds"},
			{"a past life", "92_s3cret", -time.Second, "/expires_in: -1 is not between"},
			{"milliseconds", "92_s3cret", 7_200_000 * time.Second, "/expires_in: 7200000 is not between"},
		}
		for _, tc := range cases {
			err := f.Push(t.Context(), appID, tc.token, tc.life)
			if !hongyan.IsKind(err, hongyan.Invalid) || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
			}
		}
		f.push(strings.Repeat("x", 512), time.Second)
		if err := f.Push(t.Context(), "wx0000000000000000", "92_abc", time.Hour); !hongyan.IsKind(err, hongyan.NotFound) {
			t.Errorf("an unknown account: %v, want not_found", err)
		}
		for _, change := range []func(*hongyan.Account){
			func(a *hongyan.Account) { a.TokenURL = keeperURL },
			func(a *hongyan.Account) { a.TokenSource, a.TokenURL = hongyan.TokenStable, "" },
		} {
			f.changeAccount(change)
			if err := f.Push(t.Context(), appID, "92_abc", time.Hour); !hongyan.IsKind(err, hongyan.Conflict) || strings.Contains(err.Error(), "uRlKey1234") {
				t.Errorf("an account that fetches: %v, want a conflict", err)
			}
		}
		f.wantCalls(0)
	})
}

// An account that WeChat's token endpoint had stopped goes over to a central server.
func TestAStoppedAccountIsFreedByAnExternalSource(t *testing.T) {
	for name, url := range map[string]hongyan.Secret{"fetched": keeperURL, "pushed": ""} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
				f.changeAccount(func(a *hongyan.Account) { a.Secret = "00000000000000000000000000000000" })
				if !f.mustFail().Stopped {
					t.Fatal("a wrong secret did not stop the account")
				}
				want := ""
				if url != "" {
					want = f.newKeeper().renew()
				} else {
					f.changeAccount(func(a *hongyan.Account) { a.TokenSource = hongyan.TokenExternal })
					want = f.fetchOutside()
					f.push(want, time.Hour)
				}
				if f.mustToken() != want || f.mustInfo().Stopped != nil {
					t.Error("the external token is not used")
				}
				if holds, err := f.store.Holds(t.Context()); err != nil || len(holds) != 0 {
					t.Errorf("holds: %+v, %v, want none", holds, err)
				}
			})
		})
	}
}
