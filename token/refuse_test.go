package token

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hongyan"
	"hongyan/sandbox"
	"hongyan/store"
	"hongyan/wechat"
)

// clock is a store of which only the clock is used.
type clock struct{ store.Store }

func (clock) Now() time.Time { return time.Now() }

func TestAColdHerdMakesOneFetch(t *testing.T) {
	for _, source := range []hongyan.TokenSource{hongyan.TokenPlain, hongyan.TokenStable} {
		t.Run(string(source), func(t *testing.T) {
			inBubble(t, source, func(t *testing.T, f *fixture) {
				f.box.Sandbox.AddFault(sandbox.Fault{Path: "*", DelayMS: 200})
				herd(200, func() { f.mustToken() })
				for _, token := range f.seen {
					if token != f.seen[0] {
						t.Fatal("two callers got different tokens")
					}
				}
				f.wantCalls(1)
			})
		})
	}
}

// All workers learn at once that the token is dead: one of them refreshes (S76).
func TestAStormOf40001MakesOneRefresh(t *testing.T) {
	for _, source := range []hongyan.TokenSource{hongyan.TokenPlain, hongyan.TokenStable} {
		t.Run(string(source), func(t *testing.T) {
			inBubble(t, source, func(t *testing.T, f *fixture) {
				old := f.mustToken()
				time.Sleep(10 * time.Minute)
				f.mustRevoke(false)
				var recovered atomic.Int64
				herd(200, func() {
					if f.errcode(old) != wechat.CodeInvalidCredential {
						t.Error("the revoked token is not refused")
					}
					if err := f.Invalidate(t.Context(), appID, old); err != nil {
						t.Errorf("Invalidate: %v", err)
					}
					if f.errcode(f.mustToken()) == wechat.CodeOK {
						recovered.Add(1)
					}
				})
				if got := recovered.Load(); got != 200 {
					t.Errorf("%d of 200 workers recovered", got)
				}
				f.wantCalls(2)
				// Latecomers with the old token change nothing.
				if err := f.Invalidate(t.Context(), appID, old); err != nil {
					t.Error(err)
				}
				f.wantCalls(2)
			})
		})
	}
}

func (f *fixture) mustRevoke(keep bool) {
	f.t.Helper()
	if err := f.box.Sandbox.RevokeToken(appID, keep); err != nil {
		f.t.Fatal(err)
	}
}

func TestInvalidateComparesFirst(t *testing.T) {
	inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
		token := f.mustToken()
		for _, failed := range []string{"", "somebody else's", token + "x"} {
			if err := f.Invalidate(t.Context(), appID, failed); err != nil {
				t.Error(err)
			}
		}
		// The comparison is made in memory: it needs no flight to wait for.
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := f.Invalidate(gone, appID, "somebody else's"); err != nil {
			t.Errorf("Invalidate of another token: %v, want a comparison alone", err)
		}
		// After a restart the store says what is current.
		if err := f.newCentral("restarted").Invalidate(t.Context(), appID, "an older one"); err != nil {
			t.Error(err)
		}
		f.wantCalls(1)
	})
}

// A refused token that cannot be replaced is not handed out, whatever happens to
// the account meanwhile.
func TestARefusedTokenNeverComesBack(t *testing.T) {
	inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
		token := f.mustToken()
		time.Sleep(10 * time.Minute)
		f.mustRevoke(false)
		f.box.Sandbox.AddFault(sandbox.Fault{Path: string(wechat.EndpointToken), HTTPStatus: 500})
		if err := f.Invalidate(t.Context(), appID, token); err == nil {
			t.Fatal("Invalidate found another token while the endpoint is down")
		}
		f.changeAccount(func(a *hongyan.Account) { a.Name = "renamed" })
		f.mustFail()
		f.box.Sandbox.ClearFaults()
		time.Sleep(5 * time.Second)
		if got := f.mustToken(); got == token || f.errcode(got) != wechat.CodeOK {
			t.Error("after the outage there is no good token")
		}
	})
}

// Stable: normal mode returns the same dead token, so force_refresh is needed,
// at least 30 s apart.
func TestForceRefreshKeepsItsDistance(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		first := f.mustToken()
		time.Sleep(10 * time.Minute)
		f.mustRevoke(true)
		if err := f.Invalidate(t.Context(), appID, first); err != nil {
			t.Fatal(err)
		}
		second := f.mustToken()
		if second == first || f.errcode(second) != wechat.CodeOK {
			t.Fatal("force_refresh brought no good token")
		}
		f.wantCalls(3) // the first, normal mode, force
		forcedAt := time.Now()

		time.Sleep(10 * time.Second)
		f.mustRevoke(true)
		failure := asTokenError(t, f.Invalidate(t.Context(), appID, second))
		near(t, "RetryAt", failure.RetryAt, forcedAt.Add(30*time.Second))
		f.wantCalls(4) // normal mode alone
		if got := f.mustFail(); got != failure {
			t.Errorf("AccessToken before RetryAt: %v, want the same error, not the dead token", got)
		}
		f.wantCalls(4)

		time.Sleep(time.Until(failure.RetryAt))
		if f.errcode(f.mustToken()) != wechat.CodeOK {
			t.Error("at RetryAt there is still no good token")
		}
		f.wantCalls(6)
	})
}

func TestForceRefreshTwentyTimesADay(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		for range 20 {
			token := f.mustToken()
			time.Sleep(2 * time.Minute)
			f.mustRevoke(true)
			if err := f.Invalidate(t.Context(), appID, token); err != nil {
				t.Fatal(err)
			}
		}
		f.wantCalls(1 + 20*2)
		last := f.mustToken()
		time.Sleep(2 * time.Minute)
		f.mustRevoke(true)
		failure := asTokenError(t, f.Invalidate(t.Context(), appID, last))
		near(t, "RetryAt", failure.RetryAt, f.mustInfo().ExpiresAt.Add(-stableMargin))
		f.wantCalls(1 + 20*2 + 1) // no 21st force
		time.Sleep(time.Until(failure.RetryAt.Add(time.Second)))
		if f.errcode(f.mustToken()) != wechat.CodeOK {
			t.Error("in the last five minutes WeChat renews by itself, but we have no good token")
		}
	})
}

// Somebody else used up the day's forced refreshes: WeChat says so.
func TestForceRefreshRefusedByWeChat(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		token := f.mustToken()
		time.Sleep(10 * time.Minute)
		f.mustRevoke(true)
		f.box.Sandbox.AddFault(sandbox.Fault{Path: string(wechat.EndpointStableToken), ErrCode: 45009, Nth: 2})
		failure := asTokenError(t, f.Invalidate(t.Context(), appID, token))
		if failure.Stopped {
			t.Error("a limit stopped the account")
		}
		near(t, "RetryAt", failure.RetryAt, f.mustInfo().ExpiresAt.Add(-stableMargin))
	})
}

// A second program refreshes the same account: seen, counted, told (S80).
func TestOutsideRefreshesAreNoticed(t *testing.T) {
	inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
		ours := f.mustToken()
		time.Sleep(20 * time.Minute)
		outsider := wechat.Client{BaseURL: f.box.URL, HTTPClient: f.box.Client}
		if _, err := outsider.Token(t.Context(), appID, secret); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Minute) // past the grace of the old token
		if f.errcode(ours) != wechat.CodeInvalidCredential {
			t.Fatal("the outside refresh did not kill our token")
		}
		if err := f.Invalidate(t.Context(), appID, ours); err != nil {
			t.Fatal(err)
		}
		info := f.mustInfo()
		if info.EarlyDeaths != 1 || info.LastEarlyBy != 94*time.Minute {
			t.Errorf("EarlyDeaths = %d by %v, want 1 by 1h34m", info.EarlyDeaths, info.LastEarlyBy)
		}
		if text := f.log.String(); !strings.Contains(text, "someone outside") || !strings.Contains(text, "early_s=5640") {
			t.Errorf("the log does not tell of the outside refresh:\n%s", text)
		}
	})
}

func TestOrdinaryDeathsAreNotBlamedOnOthers(t *testing.T) {
	cases := map[string]func(f *fixture) (dead string){
		"in the last minute": func(f *fixture) string {
			token := f.mustToken()
			time.Sleep(7150 * time.Second)
			return token
		},
		"replaced by ourselves": func(f *fixture) string {
			token := f.mustToken()
			time.Sleep(time.Hour)
			if _, err := f.Refresh(f.t.Context(), appID, ""); err != nil {
				f.t.Fatal(err)
			}
			return token
		},
		"after a fetch whose answer was lost": func(f *fixture) string {
			token := f.mustToken()
			time.Sleep(6000 * time.Second)
			f.box.Sandbox.AddFault(sandbox.Fault{Path: string(wechat.EndpointToken), DropAnswer: true, Times: 2}) // net/http itself repeats a GET once
			f.mustToken()                                                                                         // starts the renewal
			time.Sleep(500 * time.Millisecond)
			return token
		},
	}
	for name, kill := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
				if err := f.Invalidate(t.Context(), appID, kill(f)); err != nil {
					time.Sleep(time.Until(asTokenError(t, err).RetryAt))
				}
				f.mustToken()
				if got := f.mustInfo().EarlyDeaths; got != 0 {
					t.Errorf("EarlyDeaths = %d, want 0", got)
				}
			})
		})
	}
}

// Two programs fight, or base_url leads elsewhere: each new token is refused at
// once. That must not burn the day's 2,000 fetches.
func TestTokensRefusedOneAfterTheOtherSlowDown(t *testing.T) {
	inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
		for end := time.Now().Add(24 * time.Hour); time.Now().Before(end); time.Sleep(time.Second) {
			if err := f.Invalidate(t.Context(), appID, f.mustToken()); err != nil {
				time.Sleep(time.Until(asTokenError(t, err).RetryAt))
			}
		}
		if got := f.tokenCalls(); got < 100 || got > 1500 {
			t.Errorf("%d fetches in a day of refusals, want at most 1,500", got)
		}
	})
}

func TestAnOperatorCanForceARefresh(t *testing.T) {
	for source, calls := range map[hongyan.TokenSource]int64{hongyan.TokenPlain: 2, hongyan.TokenStable: 3} {
		t.Run(string(source), func(t *testing.T) {
			inBubble(t, source, func(t *testing.T, f *fixture) {
				old := f.mustToken()
				time.Sleep(time.Minute)
				info, err := f.Refresh(t.Context(), appID, "")
				if err != nil || info.AccessToken.Reveal() == old || info.Remaining != 2*time.Hour || info.EarlyDeaths != 0 {
					t.Errorf("Refresh: changed = %v, remaining %v, err %v", info.AccessToken.Reveal() != old, info.Remaining, err)
				}
				f.wantCalls(calls)
				// Naming the dead one afterwards is a mere comparison.
				if again, err := f.Refresh(t.Context(), appID, old); err != nil || again.Generation != info.Generation {
					t.Errorf("Refresh of the old token: generation %d, err %v, want %d", again.Generation, err, info.Generation)
				}
				f.wantCalls(calls)
			})
		})
	}
}

func TestAnOperatorsRefreshThatIsRefusedKeepsTheToken(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		f.mustToken()
		if _, err := f.Refresh(t.Context(), appID, ""); err != nil {
			t.Fatal(err)
		}
		current := f.mustToken()
		time.Sleep(5 * time.Second)
		_, err := f.Refresh(t.Context(), appID, "")
		near(t, "RetryAt", asTokenError(t, err).RetryAt, time.Now().Add(25*time.Second))
		if f.mustToken() != current {
			t.Error("the current token was lost")
		}
	})
}
