package token

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hongyan"
	"hongyan/sandbox"
	"hongyan/store"
	"hongyan/wechat"
)

// The token endpoint is down when a renewal is due: the old token is served, the
// reason is visible, and the end of the outage is found soon.
func TestAnOutageOfTheTokenEndpoint(t *testing.T) {
	for name, fault := range map[string]sandbox.Fault{
		"502 pages":     {Path: "*", HTTPStatus: 502},
		"resets":        {Path: "*", Reset: "before"},
		"no answer":     {Path: "*", DropAnswer: true},
		"hangs":         {Path: "*", HangMS: 3_600_000},
		"system busy":   {Path: "*", ErrCode: -1},
		"unknown codes": {Path: "*", ErrCode: 987654},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
				old := f.mustToken()
				defer f.run(f.Central)()
				time.Sleep(5300 * time.Second)
				id := f.box.Sandbox.AddFault(fault)
				for range 600 {
					if f.mustToken() != old {
						t.Fatal("another token during the outage")
					}
					time.Sleep(time.Second)
				}
				info := f.mustInfo()
				if info.Failing == nil || info.Failing.Reason == "" || info.Stopped != nil || info.Failing.RetryAt.Before(time.Now().Add(-11*time.Second)) {
					t.Errorf("Info during the outage: failing %v, stopped %v", info.Failing, info.Stopped)
				}
				if n := f.tokenCalls(); n < 8 || n > 20 {
					t.Errorf("%d calls in ten minutes, want the pauses to grow to a minute", n)
				}
				f.box.Sandbox.RemoveFault(id)
				time.Sleep(72 * time.Second)
				if got := f.mustToken(); got == old || f.errcode(got) != wechat.CodeOK {
					t.Error("a minute after the outage there is no new token")
				}
				if info := f.mustInfo(); info.Failing != nil || info.EarlyDeaths != 0 {
					t.Errorf("after the outage: failing %v, early deaths %d", info.Failing, info.EarlyDeaths)
				}
			})
		})
	}
}

// Without any token there is only an error, at once, that says when to ask again.
func TestPausesGrowWhileThereIsNoToken(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		f.box.Sandbox.AddFault(sandbox.Fault{Path: "*", HTTPStatus: 500})
		for i, want := range []time.Duration{1, 2, 5, 10, 30, 60, 60} {
			herd(200, func() {
				failure := f.mustFail()
				near(t, "RetryAt", failure.RetryAt, time.Now().Add(want*time.Second))
				if failure.Stopped || !strings.Contains(failure.Reason, "HTTP 500") {
					t.Errorf("failure %+v, want one that passes and names HTTP 500", failure)
				}
			})
			f.wantCalls(int64(i + 1))
			time.Sleep(want * time.Second)
		}
		f.box.Sandbox.ClearFaults()
		f.mustToken()
	})
}

// The old token is served up to its true expiry, not a second longer.
func TestTheOldTokenEndsWithItsExpiry(t *testing.T) {
	inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
		old := f.mustToken()
		expires := f.mustInfo().ExpiresAt
		f.box.Sandbox.AddFault(sandbox.Fault{Path: "*", ErrCode: -1})
		time.Sleep(time.Until(expires.Add(-time.Second)))
		if f.mustToken() != old {
			t.Error("another token")
		}
		time.Sleep(time.Second)
		if failure := f.mustFail(); failure.Errcode != -1 {
			t.Errorf("after the expiry: %v, want the platform's -1", failure)
		}
	})
}

func TestQuotasSetTheTime(t *testing.T) {
	cases := map[string]struct {
		code int
		want func(now time.Time) time.Time
	}{
		"day quota: midnight in Beijing": {45009, hongyan.NextBeijingMidnight},
		"minute quota: a minute":         {45011, func(now time.Time) time.Time { return now.Add(time.Minute) }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
				f.box.Sandbox.AddFault(sandbox.Fault{Path: string(wechat.EndpointToken), ErrCode: tc.code, Times: 1})
				failure := f.mustFail()
				near(t, "RetryAt", failure.RetryAt, tc.want(time.Now()))
				time.Sleep(time.Until(failure.RetryAt) - time.Second)
				f.mustFail()
				f.wantCalls(1)
				time.Sleep(time.Second)
				f.mustToken()
				f.wantCalls(2)
			})
		})
	}
}

// The codes that need a person: one call, then silence until somebody acts.
func TestAccountErrorsStopTheAccount(t *testing.T) {
	for _, code := range []int{40013, 40125, 40164, 40243, 41002, 41004, 40002, 50004, 50007, 61024, 89501, 89503, 89506, 89507, 40001} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
				f.box.Sandbox.AddFault(sandbox.Fault{Path: "*", ErrCode: code})
				defer f.run(f.Central)()
				for range 200 {
					if failure := f.mustFail(); !failure.Stopped || failure.Errcode != code || !failure.RetryAt.IsZero() {
						t.Fatalf("failure %+v, want stopped with %d", failure, code)
					}
					time.Sleep(3 * time.Minute)
				}
				f.wantCalls(1)
				holds, err := f.store.Holds(t.Context())
				if err != nil || len(holds) != 1 {
					t.Fatalf("%d holds, err %v, want 1", len(holds), err)
				}
				h := holds[0]
				if h.AppID != appID || h.Kind != "" || h.Reason != hongyan.HoldAccount || h.Errcode != code || !h.Until.IsZero() || h.Release == "" {
					t.Errorf("hold %+v", h)
				}
				if f.mustInfo().Stopped == nil {
					t.Error("Info does not say that the account is stopped")
				}
			})
		})
	}
}

func TestAWrongSecretStopsOverRestartsUntilItIsPutRight(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		f.changeAccount(func(a *hongyan.Account) { a.Secret = "00000000000000000000000000000000" })
		failure := f.mustFail()
		if !failure.Stopped || failure.Errcode != 40125 || !strings.Contains(failure.Reason, "AppSecret") {
			t.Fatalf("failure %+v, want stopped with 40125 and a hint", failure)
		}
		info, ok := wechat.LookupCode(40125)
		if holds, _ := f.store.Holds(t.Context()); !ok || len(holds) != 1 ||
			!strings.Contains(holds[0].Detail, info.Hint) || !strings.Contains(holds[0].Detail, info.HintZH) {
			t.Errorf("holds %+v, want one with the hint in both languages", holds)
		}

		f.Central = f.newCentral("restarted")
		stop := f.run(f.Central)
		defer stop()
		if f.mustInfo().Stopped == nil {
			t.Error("Info after a restart does not say that the account is stopped")
		}
		for range 100 {
			if failure := f.mustFail(); !failure.Stopped || failure.Errcode != 40125 {
				t.Fatalf("after a restart: %+v, want still stopped", failure)
			}
			time.Sleep(time.Minute)
		}
		f.wantCalls(1)

		f.changeAccount(func(a *hongyan.Account) { a.Name = "renamed" }) // does not help: one more call
		f.mustFail()
		time.Sleep(time.Hour)
		f.mustFail()
		f.wantCalls(2)

		f.changeAccount(func(a *hongyan.Account) { a.Secret = secret })
		f.mustToken()
		f.wantCalls(3)
		if holds, err := f.store.Holds(t.Context()); err != nil || len(holds) != 0 {
			t.Errorf("holds after the cure: %+v, %v, want none", holds, err)
		}
	})
}

// Resuming the account clears the hold in the store; nobody has to tell us.
func TestAClearedHoldIsNoticed(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		elsewhere := []string{"203.0.113.7"}
		if err := f.box.Sandbox.UpdateAccount(appID, sandbox.AccountSpec{IPWhitelist: &elsewhere}); err != nil {
			t.Fatal(err)
		}
		if failure := f.mustFail(); failure.Errcode != 40164 || !strings.Contains(failure.Reason, "127.0.0.1") {
			t.Fatalf("failure %+v, want 40164 that names our address", failure)
		}
		if err := f.box.Sandbox.UpdateAccount(appID, sandbox.AccountSpec{IPWhitelist: new([]string)}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.store.ClearHold(t.Context(), appID, "*", "*"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(stopRecheck)
		f.mustToken()
	})
}

// A stop at renewal time does not take the token that still works.
func TestAStoppedAccountUsesItsTokenUp(t *testing.T) {
	inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
		old := f.mustToken()
		defer f.run(f.Central)()
		f.box.Sandbox.AddFault(sandbox.Fault{Path: "*", ErrCode: 40125})
		time.Sleep(7000 * time.Second)
		if f.mustToken() != old || f.mustInfo().Stopped == nil {
			t.Error("want the old token and a visible stop")
		}
		f.Central = f.newCentral("restarted")
		defer f.run(f.Central)()
		time.Sleep(199 * time.Second)
		if f.mustToken() != old || f.mustInfo().Stopped == nil {
			t.Error("after a restart: want the old token and a visible stop")
		}
		time.Sleep(time.Second)
		f.mustFail()
		f.wantCalls(2)
	})
}

// An operator's refresh found the secret wrong while the token is still young.
func TestAStopIsVisibleAfterARestart(t *testing.T) {
	inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
		old := f.mustToken()
		f.box.Sandbox.AddFault(sandbox.Fault{Path: "*", ErrCode: 40125})
		if _, err := f.Refresh(t.Context(), appID, ""); !asTokenError(t, err).Stopped {
			t.Fatalf("Refresh: %v, want stopped", err)
		}
		f.Central = f.newCentral("restarted")
		defer f.run(f.Central)()
		for range 100 {
			synctest.Wait()
			if f.mustToken() != old || f.mustInfo().Stopped == nil {
				t.Fatal("want the token that still works and a visible stop")
			}
			time.Sleep(time.Minute)
		}
		f.wantCalls(2)
	})
}

// Holds that sending put on the account do not concern the token.
func TestAHoldOfSendingDoesNotStopTheToken(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		for _, h := range []hongyan.Hold{
			{AppID: appID, Reason: hongyan.HoldPaused},
			{AppID: appID, Reason: hongyan.HoldAccount, Kind: hongyan.KindTemplate, Errcode: 48001},
			{AppID: appID, Reason: hongyan.HoldAccount, Errcode: 48004},
		} {
			if err := f.store.PutHold(t.Context(), h); err != nil {
				t.Fatal(err)
			}
		}
		f.mustToken()
		f.changeAccount(func(a *hongyan.Account) { a.TokenSource = hongyan.TokenPlain })
		f.mustToken()
		if holds, err := f.store.Holds(t.Context()); err != nil || len(holds) != 3 {
			t.Errorf("holds %+v, %v, want the three untouched", holds, err)
		}
	})
}

// Two nodes share a store: one fetch for both, and a refusal seen by both is one refresh.
func TestTwoNodesShareOneToken(t *testing.T) {
	inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
		other := f.newCentral("node-2")
		old := f.mustToken()
		if got, err := other.AccessToken(t.Context(), appID); err != nil || got != old {
			t.Fatalf("the other node: same token = %v, err %v", got == old, err)
		}
		time.Sleep(10 * time.Minute)
		f.mustRevoke(false)
		if err := f.Invalidate(t.Context(), appID, old); err != nil {
			t.Fatal(err)
		}
		if err := other.Invalidate(t.Context(), appID, old); err != nil {
			t.Fatal(err)
		}
		if got, err := other.AccessToken(t.Context(), appID); err != nil || got != f.mustToken() {
			t.Errorf("the other node after the refresh: err %v, want the same new token", err)
		}
		f.wantCalls(2)
		if info, err := other.Info(t.Context(), appID); err != nil || info.EarlyDeaths != 0 || info.FetchedBy != "node-1" {
			t.Errorf("the other node: %+v, %v, want node-1's token and nobody blamed", info, err)
		}
	})
}

// leaseless is a store that gives no leases.
type leaseless struct{ store.Store }

func (leaseless) LeaseRefresh(context.Context, string, string, time.Duration) (bool, error) {
	return false, errors.New("the disk is full")
}

// Without leases both nodes fetch at the same moment, and the one that asks first
// is served last. Callers of both keep working, and soon both have one token.
func TestARaceOfTwoNodesSettles(t *testing.T) {
	inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
		other := f.newCentral("node-2")
		f.Central.store, other.store = leaseless{f.store}, leaseless{f.store}
		f.box.Sandbox.AddFault(sandbox.Fault{Path: string(wechat.EndpointToken), DelayMS: 3000, Times: 1})
		first := make(chan struct{})
		go func() { defer close(first); f.mustToken() }()
		time.Sleep(time.Second)
		if _, err := other.AccessToken(t.Context(), appID); err != nil {
			t.Fatal(err)
		}
		<-first
		defer f.run(f.Central)()
		defer f.run(other)()
		for range 60 {
			for _, node := range []*Central{f.Central, other} {
				token, err := node.AccessToken(t.Context(), appID)
				if err != nil {
					t.Fatal(err)
				}
				if f.errcode(token) != wechat.CodeOK {
					if err := node.Invalidate(t.Context(), appID, token); err != nil {
						t.Fatal(err)
					}
				}
			}
			time.Sleep(10 * time.Second)
		}
		theirs, err := other.AccessToken(t.Context(), appID)
		if err != nil || theirs != f.mustToken() || f.errcode(theirs) != wechat.CodeOK {
			t.Errorf("after ten minutes: err %v, want one good token for both", err)
		}
		f.wantCalls(3)
	})
}

func TestRunEndsWithItsFlights(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		f.box.Sandbox.AddFault(sandbox.Fault{Path: "*", DelayMS: 5000, Times: 1})
		stop := f.run(f.Central)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = f.AccessToken(ctx, appID)
		stop()
		stored, err := f.store.Token(t.Context(), appID)
		if err != nil || stored.Generation != 1 {
			t.Errorf("after Run: generation %d, err %v, want the fetched token stored", stored.Generation, err)
		}
	})
}

// What waits for a token is told when one comes, by whatever made it come.
func TestWhoeverWaitsIsToldOfANewToken(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		var told []string
		f.fetched = func(appID string) {
			told = append(told, appID)
			f.mustToken() // it can be had by then
		}
		f.box.Sandbox.AddFault(sandbox.Fault{Path: "/cgi-bin/stable_token", ErrCode: 45009})
		if _, err := f.AccessToken(t.Context(), appID); err == nil || len(told) != 0 {
			t.Fatalf("a token came (%v), and %v was told", err, told)
		}
		f.box.Sandbox.ClearFaults()
		f.AccountChanged(appID) // long before the time that the failure named
		f.mustToken()
		if len(told) != 1 || told[0] != appID {
			t.Errorf("told: got %v, want the account once", told)
		}
	})
}
