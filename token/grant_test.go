package token

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/sandbox"
	"hongyan/store"
	"hongyan/wechat"
)

// ask is an ordinary request of the caller with that id.
func ask(callerID string) Ask {
	return Ask{AppID: appID, CallerID: callerID, Endpoint: "token", Remote: "192.0.2.7"}
}

func forced(callerID string) Ask {
	a := ask(callerID)
	a.Endpoint, a.Force = "stable_token", true
	return a
}

// mustGrant asks c and checks what holds of every grant.
func (f *fixture) mustGrant(c *Central, ask Ask) Grant {
	f.t.Helper()
	got, err := c.Grant(f.t.Context(), ask)
	if err != nil {
		f.t.Fatalf("Grant: %v", err)
	}
	if got.ExpiresIn <= 0 || got.ExpiresIn%time.Second != 0 {
		f.t.Errorf("ExpiresIn = %v, want whole seconds", got.ExpiresIn)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, got.AccessToken.Reveal())
	return got
}

func (f *fixture) wantTests(want int64) {
	f.t.Helper()
	if got := f.calls(wechat.EndpointAPIDomainIP); got != want {
		f.t.Fatalf("tests of the token = %d, want %d", got, want)
	}
}

// grantAll lets n clients ask at once, spread over the nodes, and wants one token for all.
func (f *fixture) grantAll(n int, nodes ...*Central) string {
	f.t.Helper()
	var mu sync.Mutex
	tokens, i := map[string]int{}, 0
	herd(n, func() {
		mu.Lock()
		node := nodes[i%len(nodes)]
		i++
		mu.Unlock()
		token := f.mustGrant(node, ask("key_a")).AccessToken.Reveal()
		mu.Lock()
		defer mu.Unlock()
		tokens[token]++
	})
	if len(tokens) != 1 {
		f.t.Fatalf("%d different tokens were given, want one", len(tokens))
	}
	for token := range tokens {
		return token
	}
	return ""
}

// 200 cold clients, and again after a revoke: one token call each time and at most one test.
func TestAHerdOfCallersMakesOneCall(t *testing.T) {
	for _, source := range []hongyan.TokenSource{hongyan.TokenPlain, hongyan.TokenStable} {
		for name, nodes := range map[string]int{"one process": 1, "three processes": 3} {
			t.Run(string(source)+", "+name, func(t *testing.T) {
				inBubble(t, source, func(t *testing.T, f *fixture) {
					f.box.Sandbox.AddFault(sandbox.Fault{Path: "*", DelayMS: 200})
					all := []*Central{f.Central, f.newCentral("node-2"), f.newCentral("node-3")}[:nodes]
					first := f.grantAll(200, all...)
					f.wantCalls(1)
					f.wantTests(0)
					time.Sleep(10 * time.Second)
					f.mustRevoke(false)
					second := f.grantAll(200, all...)
					f.wantCalls(2)
					f.wantTests(1)
					if second == first || f.errcode(second) != wechat.CodeOK {
						t.Error("after the revoke the clients have no good token")
					}
					if got := f.grantAll(200, all...); got != second { // within 5 s of the fetch
						t.Error("asking once more brought another token")
					}
					f.wantCalls(2)
				})
			})
		}
	}
}

// The token is good, and three processes are asked for it again: one tests for all.
func TestNodesShareATest(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		f.box.Sandbox.AddFault(sandbox.Fault{Path: "*", DelayMS: 200})
		all := []*Central{f.Central, f.newCentral("node-2"), f.newCentral("node-3")}
		first := f.grantAll(30, all...)
		time.Sleep(time.Minute)
		if f.grantAll(30, all...) != first {
			t.Error("a good token was replaced")
		}
		f.wantTests(1)
		f.wantCalls(1)
	})
}

// A holder that never comes back: its lease runs out.
func TestACrashedHolderIsWaitedFor(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		if ok, err := f.store.LeaseRefresh(t.Context(), appID, "crashed", leaseLife); !ok || err != nil {
			t.Fatal(ok, err)
		}
		asked := time.Now()
		f.mustToken()
		if took := time.Since(asked); took < leaseLife || took > leaseLife+2*leasePoll {
			t.Errorf("the token came after %v, want the lease's %v", took, leaseLife)
		}
		f.wantCalls(1)
		// A test does not wait that long: the token is granted as it is.
		f.mustGrant(f.Central, ask("key_a"))
		time.Sleep(time.Minute)
		if ok, err := f.store.LeaseRefresh(t.Context(), appID, "crashed", leaseLife); !ok || err != nil {
			t.Fatal(ok, err)
		}
		asked = time.Now()
		f.mustGrant(f.Central, ask("key_a"))
		if took := time.Since(asked); took > testTimeout+leasePoll {
			t.Errorf("the grant came after %v, want at most %v", took, testTimeout)
		}
	})
}

// A force_refresh that follows a slow normal call still runs under the lease.
func TestNodesForceOnce(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		f.box.Sandbox.AddFault(sandbox.Fault{Path: "*", DelayMS: 8000})
		all := []*Central{f.Central, f.newCentral("node-2"), f.newCentral("node-3")}
		f.grantAll(30, all...)
		time.Sleep(time.Minute)
		f.mustRevoke(true)
		token := f.mustInfo().AccessToken.Reveal()
		var nodes sync.WaitGroup
		for _, c := range all {
			nodes.Go(func() {
				if err := c.Invalidate(t.Context(), appID, token); err != nil {
					t.Errorf("Invalidate: %v", err)
				}
			})
		}
		nodes.Wait()
		f.wantCalls(3) // cold; normal mode, forced
	})
}

func TestOnlyADoubtfulTokenIsTested(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		token := f.mustGrant(f.Central, ask("key_a")).AccessToken
		f.mustGrant(f.Central, ask("key_a")) // just fetched: counts as tested
		f.mustGrant(f.Central, forced("key_a"))
		f.wantTests(0)
		time.Sleep(time.Minute)
		f.mustGrant(f.Central, ask("key_b")) // its first
		f.wantTests(0)
		for range 50 {
			f.mustGrant(f.Central, ask("key_a"))
		}
		f.wantTests(1)
		time.Sleep(testGap)
		f.mustGrant(f.Central, forced("key_c"))
		f.mustGrant(f.Central, forced("key_d"))
		f.wantTests(2)

		// 1,000 s left: a client that subtracts 1,500 asks on every call.
		time.Sleep(6200*time.Second - time.Since(f.mustInfo().FetchedAt))
		for range 600 {
			if got := f.mustGrant(f.Central, ask("key_a")); got.AccessToken != token {
				t.Fatal("a token that is good was replaced")
			}
			time.Sleep(time.Second)
		}
		f.wantTests(2 + 10)
		f.wantCalls(1)
	})
}

// Forced or asked for again: only WeChat's word that the token is dead replaces it.
func TestATestWithoutAVerdictChangesNothing(t *testing.T) {
	for name, fault := range map[string]sandbox.Fault{
		"system busy": {ErrCode: -1}, "over quota": {ErrCode: 45009}, "address not listed": {ErrCode: 40164}, "502 page": {HTTPStatus: 502},
		"reset": {Reset: "before"}, "no answer": {DropAnswer: true}, "hangs": {HangMS: 3_600_000},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
				want := f.mustGrant(f.Central, ask("key_a")).AccessToken
				fault.Path = string(wechat.EndpointAPIDomainIP)
				f.box.Sandbox.AddFault(fault)
				for range 3 {
					time.Sleep(time.Minute)
					asked := time.Now()
					if got := f.mustGrant(f.Central, forced("key_a")); got.AccessToken != want || time.Since(asked) > testTimeout {
						t.Errorf("same token = %v after %v, want the old one within %v", got.AccessToken == want, time.Since(asked), testTimeout)
					}
				}
				f.wantCalls(1)
			})
		})
	}
}

// A refused call makes the token suspect: 100 who say so have it tested once, and it
// goes only if it is dead.
func TestASuspectIsTestedFirst(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		token := f.mustToken()
		f.box.Sandbox.AddFault(sandbox.Fault{Path: "*", DelayMS: 200})
		suspect := func(want bool) {
			t.Helper()
			herd(100, func() {
				if replaced, err := f.Suspect(t.Context(), appID, token); replaced != want || err != nil {
					t.Errorf("Suspect = %v, %v, want %v", replaced, err, want)
				}
			})
		}
		suspect(false)
		f.wantTests(1)
		f.wantCalls(1)
		f.mustRevoke(false)
		suspect(true) // also at once after a test
		f.wantTests(2)
		f.wantCalls(2)
		suspect(true) // known by now
		f.wantTests(2)
		if f.errcode(f.mustToken()) != wechat.CodeOK {
			t.Error("there is no good token")
		}
		f.AccountChanged(appID)
		suspect(true)
		f.wantCalls(2)
	})
}

func TestEachTokenCodeReplacesTheToken(t *testing.T) {
	for _, code := range []int{40001, 40014, 42001} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
				old := f.mustGrant(f.Central, ask("key_a")).AccessToken
				time.Sleep(time.Minute)
				f.box.Sandbox.AddFault(sandbox.Fault{Path: string(wechat.EndpointAPIDomainIP), ErrCode: code, Times: 1})
				if got := f.mustGrant(f.Central, ask("key_a")); got.AccessToken == old || got.ExpiresIn != 2*time.Hour {
					t.Errorf("changed = %v, %v left, want a new token", got.AccessToken != old, got.ExpiresIn)
				}
				f.wantCalls(2)
			})
		})
	}
}

// A sender learns that the token is dead while a caller's ask has it tested.
func TestATestBesideARefusalElsewhere(t *testing.T) {
	inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
		old := f.mustGrant(f.Central, ask("key_a")).AccessToken.Reveal()
		time.Sleep(time.Minute)
		f.mustRevoke(false)
		f.box.Sandbox.AddFault(sandbox.Fault{Path: "*", DelayMS: 500})
		herd(100, func() {
			if err := f.Invalidate(t.Context(), appID, old); err != nil {
				t.Errorf("Invalidate: %v", err)
			}
			f.mustGrant(f.Central, ask("key_a"))
		})
		f.wantCalls(2)
		if f.errcode(f.mustToken()) != wechat.CodeOK {
			t.Error("there is no good token")
		}
	})
}

// The same dead token comes back in normal mode: force_refresh, within its limits.
func TestAGrantForcesAtMostEveryThirtySeconds(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		f.mustGrant(f.Central, ask("key_a"))
		time.Sleep(time.Minute)
		f.mustRevoke(true)
		second := f.mustGrant(f.Central, ask("key_a"))
		if f.errcode(second.AccessToken.Reveal()) != wechat.CodeOK {
			t.Fatal("force_refresh brought no good token")
		}
		f.wantCalls(3)
		time.Sleep(10 * time.Second)
		f.mustRevoke(true)
		_, err := f.Grant(t.Context(), ask("key_a"))
		failure := asTokenError(t, err)
		near(t, "RetryAt", failure.RetryAt, time.Now().Add(20*time.Second))
		time.Sleep(time.Until(failure.RetryAt))
		if got := f.mustGrant(f.Central, ask("key_a")); f.errcode(got.AccessToken.Reveal()) != wechat.CodeOK {
			t.Error("at RetryAt there is still no good token")
		}
	})
}

// What callers are told is true, above 1,500 s from the plain endpoint, and never a minute or less.
func TestGrantedLives(t *testing.T) {
	for source, least := range map[hongyan.TokenSource]time.Duration{hongyan.TokenPlain: 1500 * time.Second, hongyan.TokenStable: 200 * time.Second} {
		t.Run(string(source), func(t *testing.T) {
			inBubble(t, source, func(t *testing.T, f *fixture) {
				defer f.run(f.Central)()
				for range 250 {
					got := f.mustGrant(f.Central, ask("key_a"))
					if want := f.mustInfo().Remaining.Truncate(time.Second); got.ExpiresIn != want || got.ExpiresIn <= least {
						t.Fatalf("ExpiresIn = %v, want %v and more than %v", got.ExpiresIn, want, least)
					}
					time.Sleep(time.Minute)
				}
			})
		})
	}
}

func TestAScarceTokenIsGrantedOnlyIfThereIsNoOther(t *testing.T) {
	inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
		old := f.mustGrant(f.Central, ask("key_a")).AccessToken
		time.Sleep(7150 * time.Second) // Run is not there
		id := f.box.Sandbox.AddFault(sandbox.Fault{Path: string(wechat.EndpointToken), HTTPStatus: 500})
		if got := f.mustGrant(f.Central, ask("key_a")); got.AccessToken != old || got.ExpiresIn != 50*time.Second {
			t.Errorf("same token = %v, %v left, want the old one's 50 s", got.AccessToken == old, got.ExpiresIn)
		}
		f.box.Sandbox.RemoveFault(id)
		time.Sleep(5 * time.Second)
		if got := f.mustGrant(f.Central, ask("key_a")); got.AccessToken == old || got.ExpiresIn != 2*time.Hour {
			t.Errorf("changed = %v, %v left, want a fresh token", got.AccessToken != old, got.ExpiresIn)
		}
	})
}

func TestAGrantSaysWhyThereIsNone(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		stranger := ask("key_a")
		stranger.AppID = "wx0000000000000000"
		if _, err := f.Grant(t.Context(), stranger); !hongyan.IsKind(asTokenError(t, err), hongyan.NotFound) {
			t.Errorf("an unknown account: %v, want not_found", err)
		}
		f.box.Sandbox.AddFault(sandbox.Fault{Path: "*", ErrCode: 40164})
		if _, err := f.Grant(t.Context(), ask("key_a")); asTokenError(t, err).Errcode != 40164 {
			t.Errorf("an address that is not listed: %v, want 40164", err)
		}
	})
}

func TestWhoAskedIsRecorded(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		stop := f.run(f.Central)
		first := hongyan.Millis(time.Now())
		for range 3 {
			f.mustGrant(f.Central, ask("key_a"))
		}
		f.mustGrant(f.Central, forced("key_a"))
		time.Sleep(askedPause + time.Second)
		want := []hongyan.TokenCaller{
			{AppID: appID, CallerID: "key_a", Endpoint: "stable_token", FirstAt: first, LastAt: first, Requests: 1, Forced: 1, Remote: "192.0.2.7"},
			{AppID: appID, CallerID: "key_a", Endpoint: "token", FirstAt: first, LastAt: first, Requests: 3, Remote: "192.0.2.7"},
		}
		got, err := f.store.TokenCallers(t.Context(), appID)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("after half a minute (-want +got): %v\n%s", err, diff)
		}
		again := ask("key_a")
		again.Remote = "192.0.2.8"
		f.mustGrant(f.Central, again)
		last := hongyan.Millis(time.Now())
		stop()
		want[0], want[1] = want[1], want[0] // latest first
		want[0].Requests, want[0].LastAt, want[0].Remote = 4, last, "192.0.2.8"
		got, err = f.store.TokenCallers(t.Context(), appID)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("after the end of Run (-want +got): %v\n%s", err, diff)
		}
	})
}

// unwritable is a store that takes no record of callers while it is true.
type unwritable struct {
	store.Store
	full *bool
}

func (u unwritable) NoteTokenCallers(ctx context.Context, asked []hongyan.TokenCaller) error {
	if *u.full {
		return hongyan.Errorf(hongyan.Full, "", "the disk is full")
	}
	return u.Store.NoteTokenCallers(ctx, asked)
}

func TestTheRecordOutlivesAFullDisk(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		full := true
		f.Central.store = unwritable{f.store, &full}
		f.mustGrant(f.Central, ask("key_a"))
		f.flushAsked(t.Context())
		f.mustGrant(f.Central, ask("key_a"))
		full = false
		f.flushAsked(t.Context())
		got, err := f.store.TokenCallers(t.Context(), appID)
		if err != nil || len(got) != 1 || got[0].Requests != 2 {
			t.Errorf("recorded: %+v, %v, want both requests", got, err)
		}
	})
}

// Each account may have a way out of its own.
func TestEveryCallGoesThroughTheAccountsClient(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		var paths []string
		f.clientFor = func(a *hongyan.Account) *http.Client {
			if a.EgressProxy == "" {
				return nil // the ordinary one
			}
			return &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				paths = append(paths, r.URL.Path)
				return f.box.Client.Transport.RoundTrip(r)
			})}
		}
		f.mustGrant(f.Central, ask("key_a"))
		if len(paths) != 0 {
			t.Fatalf("without a proxy: %v", paths)
		}
		f.changeAccount(func(a *hongyan.Account) {
			a.TokenSource, a.EgressProxy = hongyan.TokenPlain, "http://proxy.test:3128"
		})
		f.mustGrant(f.Central, ask("key_a"))
		time.Sleep(time.Minute)
		f.mustGrant(f.Central, ask("key_a"))
		want := []string{string(wechat.EndpointToken), string(wechat.EndpointAPIDomainIP)}
		if diff := cmp.Diff(want, paths); diff != "" {
			t.Errorf("through the proxy (-want +got):\n%s", diff)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A proxy that refuses us must not have its password shown.
func TestAProxysPasswordIsNotShown(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		f.box.RegisterHost("proxy.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Proxy-Authenticate", "Basic")
			http.Error(w, "who are you, "+r.Header.Get("Proxy-Authorization"), http.StatusProxyAuthRequired)
		}))
		const password = "pr0xyPassw0rd"
		for name, proxy := range map[string]string{"that refuses": "http://user:" + password + "@proxy.test", "that is not there": "http://user:" + password + "@nowhere.test"} {
			f.clientFor = func(*hongyan.Account) *http.Client {
				transport := f.box.Network().Transport()
				transport.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy) }
				t.Cleanup(transport.CloseIdleConnections)
				return &http.Client{Transport: transport}
			}
			f.AccountChanged(appID)
			_, err := f.Grant(t.Context(), ask("key_a"))
			failure := asTokenError(t, err)
			for _, text := range []string{failure.Reason, failure.Error(), failure.Err.Error(), f.log.String()} {
				if strings.Contains(text, password) {
					t.Errorf("a proxy %s: its password is in %q", name, text)
				}
			}
		}
	})
}

func TestAnEarlyDeathIsToldOnce(t *testing.T) {
	inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
		var told []time.Duration
		f.diedEarly = func(_ string, by time.Duration) { told = append(told, by) }
		other := f.newCentral("node-2")
		other.diedEarly = f.diedEarly
		f.mustGrant(f.Central, ask("key_a"))
		f.mustGrant(other, ask("key_a"))
		time.Sleep(2879 * time.Second)
		f.mustRevoke(false)
		f.mustGrant(f.Central, ask("key_a"))
		f.mustGrant(other, ask("key_a"))
		if diff := cmp.Diff([]time.Duration{4321 * time.Second}, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		const words = "someone outside refreshed " + appID + ": its access_token died 4321 s early"
		if got := strings.Count(f.log.String(), words); got != 1 {
			t.Errorf("the log says %d times %q, want once", got, words)
		}
		if info := f.mustInfo(); info.EarlyDeaths != 1 || info.LastEarlyBy != 4321*time.Second {
			t.Errorf("EarlyDeaths = %d by %v, want 1 by 4321 s", info.EarlyDeaths, info.LastEarlyBy)
		}
	})
}
