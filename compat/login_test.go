package compat

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/sandbox"
	"hongyan/store"
)

const tokenQuery = pathToken + "?grant_type=client_credential&appid=" + serviceID

func TestTokensForSecrets(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		first := r.serviceToken()
		for name, a := range map[string]answered{
			"gateway secret": r.get(tokenQuery + "&secret=" + r.gatewaySecret("key_1", "orders", serviceID) + "&neededText="),
			"of all":         r.get(tokenQuery + "&secret=" + r.gatewaySecret("key_2", "everybody")),
			"stable_token": r.post(pathStable, `{"grant_type":"client_credential","appid":"`+serviceID+`","secret":"`+
				sandbox.SeedServiceSecret+`","force_refresh":false,"more":[1]}`+"\n"),
			"by POST": r.post(tokenQuery+"&secret="+sandbox.SeedServiceSecret, ""),
		} {
			var got map[string]any
			if err := json.Unmarshal([]byte(a.body), &got); err != nil || len(got) != 2 || got["access_token"] != first || got["expires_in"].(float64) <= 1500 {
				t.Errorf("%s: %s, want the same token and its seconds, and nothing else", name, a.body)
			}
			if got, want := a.header.Get("Content-Type"), "application/json; encoding=utf-8"; got != want {
				t.Errorf("%s: Content-Type %q, want %q", name, got, want)
			}
		}
		if n := r.tokenCalls(); n != 1 {
			t.Errorf("calls for tokens at WeChat: %d, want 1", n)
		}
	})
}

func TestRefusedLogins(t *testing.T) {
	stable := func(body string) func(*rig) answered {
		return func(r *rig) answered { return r.post(pathStable, body) }
	}
	get := func(target string) func(*rig) answered { return func(r *rig) answered { return r.get(target) } }
	tests := map[string]struct {
		ask  func(*rig) answered
		want string
	}{
		"no appid":             {get(pathToken + "?grant_type=client_credential&secret=x"), `{"errcode":41002,"errmsg":"appid missing rid: *"}`},
		"unknown appid":        {get(pathToken + "?grant_type=client_credential&appid=wx0000000000000000&secret=x"), `{"errcode":40013,"errmsg":"invalid appid rid: *"}`},
		"an alias":             {get(pathToken + "?grant_type=client_credential&appid=shop&secret=x"), `{"errcode":40013,"errmsg":"invalid appid rid: *"}`},
		"wrong grant_type":     {get(pathToken + "?grant_type=x&appid=" + serviceID + "&secret=x"), `{"errcode":40002,"errmsg":"invalid grant_type rid: *"}`},
		"no secret":            {get(tokenQuery), `{"errcode":41004,"errmsg":"appsecret missing rid: *"}`},
		"wrong secret":         {get(tokenQuery + "&secret=nonsense"), `{"errcode":40125,"errmsg":"invalid appsecret rid: *"}`},
		"another's secret":     {get(tokenQuery + "&secret=" + sandbox.SeedMiniSecret), `{"errcode":40125,"errmsg":"invalid appsecret rid: *"}`},
		"stable by GET":        {get(pathStable), `{"errcode":43002,"errmsg":"require POST method rid: *"}`},
		"stable without body":  {stable(""), `{"errcode":44002,"errmsg":"empty post data rid: *"}`},
		"stable with a form":   {stable("grant_type=client_credential"), `{"errcode":47001,"errmsg":"data format error rid: *"}`},
		"stable, null":         {stable("null"), `{"errcode":47001,"errmsg":"data format error rid: *"}`},
		"stable, no UTF-8":     {stable("{\"appid\":\"\xff\"}"), `{"errcode":40033,"errmsg":"invalid charset. please check your request, if include \\uxxxx will create fail! rid: *"}`},
		"stable, wrong secret": {stable(`{"grant_type":"client_credential","appid":"` + serviceID + `","secret":"<&>"}`), `{"errcode":40125,"errmsg":"invalid appsecret rid: *"}`},
		"stable, too long":     {stable(strings.Repeat(" ", maxLogin+1)), `{"errcode":45002,"errmsg":"content size out of limit: the body may have 65536 bytes rid: *"}`},
		"secret for another account": {func(r *rig) answered {
			return r.get(tokenQuery + "&secret=" + r.gatewaySecret("key_mini", "mini only", miniID))
		}, `{"errcode":48001,"errmsg":"api unauthorized: the gateway secret key_mini (mini only) does not cover ` + serviceID + ` rid: *"}`},
		"revoked secret": {func(r *rig) answered {
			secret := r.gatewaySecret("key_1", "orders")
			r.must(r.store.RevokeKey(r.t.Context(), "key_1"))
			return r.get(tokenQuery + "&secret=" + secret)
		}, `{"errcode":40125,"errmsg":"invalid appsecret rid: *"}`},
		"WeChat does not take our address": {func(r *rig) answered {
			r.must(r.box.Sandbox.UpdateAccount(serviceID, sandbox.AccountSpec{IPWhitelist: &[]string{"203.0.113.1"}}))
			a := r.get(tokenQuery + "&secret=" + sandbox.SeedServiceSecret)
			if !strings.Contains(a.body, "not in whitelist") {
				t.Errorf("answer %s, want it to say that the address is not in the whitelist", a.body)
			}
			a.body = a.body[:len(`{"errcode":40164`)]
			return a
		}, `{"errcode":40164`},
		"WeChat cannot be reached": {func(r *rig) answered {
			r.changeAccount(serviceID, func(a *hongyan.Account) { a.BaseURL = "http://nowhere.test" })
			a := r.get(tokenQuery + "&secret=" + sandbox.SeedServiceSecret)
			a.body = a.body[:len(`{"errcode":-1,"errmsg":"system error: no access_token for `)]
			return a
		}, `{"errcode":-1,"errmsg":"system error: no access_token for `},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(r *rig) {
				r.want(tt.ask(r), tt.want)
			})
		})
	}
}

func TestTheAppSecretCanBeRefused(t *testing.T) {
	inBubble(t, func(c *Config) { c.RefuseAppSecret = true }, func(r *rig) {
		const want = `{"errcode":40125,"errmsg":"invalid appsecret: this gateway takes secrets of its own only, which begin with hys_ rid: *"}`
		r.want(r.get(tokenQuery+"&secret="+sandbox.SeedServiceSecret), want)
		r.want(r.get(tokenQuery+"&secret=nonsense"), want) // nothing is learnt of the AppSecret
		r.token(serviceID, r.gatewaySecret("key_1", "orders"))
	})
}

func TestAnAddressThatGuesses(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		good := r.gatewaySecret("key_1", "orders")
		for range 20 {
			r.want(r.get(tokenQuery+"&secret=nonsense"), `{"errcode":40125,"errmsg":"invalid appsecret rid: *"}`)
		}
		r.want(r.get(tokenQuery+"&secret=nonsense"), `{"errcode":45011,"errmsg":"api minute-quota reach limit, must slower, retry next minute: `+
			`too many wrong secrets came from this address, wait 60 s rid: *"}`)
		r.token(serviceID, good)
		r.serviceToken()
		time.Sleep(time.Minute)
		r.want(r.get(tokenQuery+"&secret=nonsense"), `{"errcode":40125,"errmsg":"invalid appsecret rid: *"}`)

		r.desk.Flush(r.t.Context())
		entries, err := r.store.AuditLog(r.t.Context(), store.AuditFilter{Action: "login.refused", Limit: 100})
		r.must(err)
		count := 0
		for _, e := range entries {
			count += e.Count
			e.ID, e.At, e.Count = 0, time.Time{}, 0
			want := hongyan.AuditEntry{Remote: "127.0.0.1", Action: "login.refused", Target: serviceID, Outcome: "refused",
				Detail: "/cgi-bin/token: neither a gateway secret nor the AppSecret"}
			if diff := cmp.Diff(want, e); diff != "" {
				t.Errorf("audit entry (-want +got):\n%s", diff)
			}
		}
		if count != 21 {
			t.Errorf("the audit log counts %d refusals, want 21", count)
		}
	})
}

// TestAHerd is what a cold start of many services does, and what the death of a
// token does.
func TestAHerd(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		const clients = 200
		herd := func() map[string]int {
			tokens, mu, all := map[string]int{}, sync.Mutex{}, sync.WaitGroup{}
			for range clients {
				all.Go(func() {
					tok := r.serviceToken()
					mu.Lock()
					defer mu.Unlock()
					tokens[tok]++
				})
			}
			all.Wait()
			return tokens
		}
		cold := herd()
		if len(cold) != 1 || r.tokenCalls() != 1 {
			t.Errorf("%d cold clients: %d tokens, %d calls at WeChat; want 1 and 1", clients, len(cold), r.tokenCalls())
		}
		time.Sleep(10 * time.Second)
		r.must(r.box.Sandbox.RevokeToken(serviceID))
		after := herd()
		for old := range cold {
			if after[old] != 0 {
				t.Errorf("%d clients got the dead token again", after[old])
			}
		}
		if tests := r.calls("/cgi-bin/get_api_domain_ip"); len(after) != 1 || r.tokenCalls() != 2 || tests != 1 {
			t.Errorf("after a revoke: %d tokens, %d calls for tokens in all, %d tests; want 1, 2, 1", len(after), r.tokenCalls(), tests)
		}
		for tok := range after {
			if a := r.get("/cgi-bin/get_api_domain_ip?access_token=" + tok); !strings.Contains(a.body, "ip_list") {
				t.Errorf("the new token is refused: %s", a.body)
			}
		}
	})
}

func TestObserve(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		tok := r.serviceToken()
		r.get(tokenQuery + "&secret=nonsense")
		r.get("/cgi-bin/getcallbackip?access_token=" + tok)
		r.get("/cgi-bin/menu/get?access_token=" + tok)
		r.get("/cgi-bin/menu/get?access_token=" + strings.Repeat("x", 136))
		r.get("/robots.txt")
		want := []string{
			serviceID + " /cgi-bin/token 0", serviceID + " /cgi-bin/token 40125", serviceID + " /cgi-bin/ 0",
			serviceID + " /cgi-bin/ 40066", "/cgi-bin/ 40001", "unknown 40066",
		}
		if diff := cmp.Diff(want, r.observed); diff != "" {
			t.Errorf("observed (-want +got):\n%s", diff)
		}
	})
}

func TestMethodsOfOthersArePassedOn(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		tok := r.serviceToken()
		for _, path := range []string{"/cgi-bin/template/get_all_private_template", "/cgi-bin/template/get_industry"} {
			read := r.get(path + "?access_token=" + tok)
			posted := r.do(http.MethodPost, path+"?access_token="+tok, nil)
			if read.body != posted.body || strings.Contains(read.body, "errcode") {
				t.Errorf("%s: GET %s\nPOST %s\nwant the same list", path, read.body, posted.body)
			}
		}
	})
}
