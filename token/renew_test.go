package token

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"hongyan"
	"hongyan/sandbox"
	"hongyan/store"
	"hongyan/wechat"
)

// A whole day: each minute a caller takes the token and uses it.
func TestADayOfRenewals(t *testing.T) {
	cases := []struct {
		source    hongyan.TokenSource
		fetches   int64
		leastLeft time.Duration
	}{
		// Plain: 7200 − 1800 − 90 of jitter = 5310 s each; 86400/5310 = 16.3.
		{hongyan.TokenPlain, 17, 1800 * time.Second},
		// Stable: 7200 − 300 + 33 of jitter = 6933 s each; 86400/6933 = 12.5.
		{hongyan.TokenStable, 13, 200 * time.Second},
	}
	for _, tc := range cases {
		t.Run(string(tc.source), func(t *testing.T) {
			inBubble(t, tc.source, func(t *testing.T, f *fixture) {
				defer f.run(f.Central)()
				for minute := range 24 * 60 {
					if code := f.errcode(f.mustToken()); code != wechat.CodeOK {
						t.Fatalf("minute %d: the token is refused with %d", minute, code)
					}
					if left := f.mustInfo().Remaining; left < tc.leastLeft {
						t.Fatalf("minute %d: %v left, want at least %v", minute, left, tc.leastLeft)
					}
					time.Sleep(time.Minute)
				}
				f.wantCalls(tc.fetches)
				info := f.mustInfo()
				if info.Fetches != tc.fetches || info.Generation != tc.fetches || info.EarlyDeaths != 0 || info.FetchedBy != "node-1" {
					t.Errorf("Info = %+v, want %d fetches by node-1 and no early death", info, tc.fetches)
				}
			})
		})
	}
}

// Nobody asks, the process restarts: tokens that were ever used stay fresh.
func TestRunRenewsWhatIsStored(t *testing.T) {
	inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
		first := f.mustToken()
		restarted := f.newCentral("node-2")
		stop := f.run(restarted)
		time.Sleep(2 * time.Hour)
		stop()
		f.wantCalls(2)
		second, err := restarted.AccessToken(t.Context(), appID)
		if err != nil || second == first || f.errcode(second) != wechat.CodeOK {
			t.Errorf("after two hours: changed = %v, err = %v, want another good token", second != first, err)
		}
		stored, err := f.store.Token(t.Context(), appID)
		if err != nil {
			t.Fatal(err)
		}
		if stored.FetchedBy != "node-2" || stored.Previous.Reveal() != first || stored.AccessToken.Reveal() != second {
			t.Errorf("stored token by %q, want node-2's with the first as previous", stored.FetchedBy)
		}
	})
}

// unreadableToken is a store in which one account's token cannot be read.
type unreadableToken struct {
	store.Store
	appID string
}

func (u unreadableToken) Token(ctx context.Context, appID string) (hongyan.Token, error) {
	if appID == u.appID {
		return hongyan.Token{}, errors.New("sealed with another key")
	}
	return u.Store.Token(ctx, appID)
}

func TestATokenThatCannotBeReadKeepsNoOtherFromBeingRenewed(t *testing.T) {
	inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
		f.mustToken()
		f.mustCreateAccount(hongyan.Account{AppID: "wx0000000000000000", Secret: "s", Kind: hongyan.ServiceAccount}) // before the other
		restarted := f.newCentral("node-2")
		restarted.store = unreadableToken{f.store, "wx0000000000000000"}
		stop := f.run(restarted)
		time.Sleep(2 * time.Hour)
		stop()
		f.wantCalls(2)
	})
}

func TestARestartFetchesNothing(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		want := f.mustToken()
		got, err := f.newCentral("restarted").AccessToken(t.Context(), appID)
		if err != nil || got != want {
			t.Errorf("after a restart: same token = %v, err = %v", got == want, err)
		}
		f.wantCalls(1)
	})
}

// Without Run, those who ask start the renewal and get the old token meanwhile (S75).
func TestTheOldTokenIsServedWhileARefreshRuns(t *testing.T) {
	inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
		old := f.mustToken()
		time.Sleep(6000 * time.Second)
		f.box.Sandbox.AddFault(sandbox.Fault{Path: string(wechat.EndpointToken), DelayMS: 3000, Times: 1})
		asked := time.Now()
		if got := f.mustToken(); got != old || time.Since(asked) != 0 {
			t.Errorf("same token = %v after %v, want the old one at once", got == old, time.Since(asked))
		}
		time.Sleep(2 * time.Second)
		if got := f.mustToken(); got != old {
			t.Error("the token changed before the refresh ended")
		}
		time.Sleep(2 * time.Second)
		if got := f.mustToken(); got == old || f.errcode(got) != wechat.CodeOK {
			t.Error("after the refresh the old token is still served")
		}
		f.wantCalls(2)
	})
}

func TestLifetimesAreObeyed(t *testing.T) {
	for name, seconds := range map[string]int{"a minute": 60, "ten minutes": 600, "an hour": 3600, "four hours": 14400} {
		for _, source := range []hongyan.TokenSource{hongyan.TokenPlain, hongyan.TokenStable} {
			t.Run(name+" "+string(source), func(t *testing.T) {
				inBubble(t, source, func(t *testing.T, f *fixture) {
					if err := f.box.Sandbox.UpdateAccount(appID, sandbox.AccountSpec{TokenTTL: &seconds}); err != nil {
						t.Fatal(err)
					}
					defer f.run(f.Central)()
					step := time.Duration(seconds) * time.Second / 20
					for range 100 { // five lives
						if code := f.errcode(f.mustToken()); code != wechat.CodeOK {
							t.Fatalf("refused with %d", code)
						}
						time.Sleep(step)
					}
					if n := f.tokenCalls(); n < 5 || n > 25 {
						t.Errorf("%d token calls in five lives, want about one to four each", n)
					}
				})
			})
		}
	}
}

func TestRenewAt(t *testing.T) {
	fetched := time.Date(2026, 9, 21, 0, 0, 0, 0, time.UTC)
	cases := []struct {
		name   string
		source hongyan.TokenSource
		life   int // seconds
		rnd    float64
		want   float64 // seconds left at the renewal
	}{
		{"plain, no jitter", hongyan.TokenPlain, 7200, 0, 1800},
		{"plain, most jitter", hongyan.TokenPlain, 7200, 1, 1980},
		{"plain, longer than today", hongyan.TokenPlain, 86400, 0, 1800},
		{"plain, an hour: above the 600 s of spec 3.3", hongyan.TokenPlain, 3600, 0, 900},
		{"plain, five minutes: above 60 s", hongyan.TokenPlain, 300, 0, 75},
		{"plain, a minute: above 10 s", hongyan.TokenPlain, 60, 0, 15},
		{"stable, least jitter", hongyan.TokenStable, 7200, 0, 294},
		{"stable, most jitter", hongyan.TokenStable, 7200, 1, 240},
		{"stable, the rest of somebody else's token", hongyan.TokenStable, 400, 0, 98},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			token := hongyan.Token{Source: tc.source, FetchedAt: fetched, ExpiresAt: fetched.Add(time.Duration(tc.life) * time.Second)}
			if got := token.ExpiresAt.Sub(renewAt(token, tc.rnd)).Round(time.Millisecond).Seconds(); got != tc.want {
				t.Errorf("renewed with %v s left, want %v", got, tc.want)
			}
		})
	}
}

// S71: the platform asks for room for 512 characters.
func TestALongTokenSurvivesTheStore(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		long := strings.Repeat("A1_-", 512)
		f.box.RegisterHost("long.test", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"access_token":"` + long + `","expires_in":7200}`))
		}))
		f.changeAccount(func(a *hongyan.Account) { a.BaseURL = "http://long.test" })
		f.mustToken()
		got, err := f.newCentral("restarted").AccessToken(t.Context(), appID)
		if err != nil || got != long {
			t.Errorf("after a restart: %d characters, err %v, want %d", len(got), err, len(long))
		}
	})
}

// The token spaces are apart: after a change of source the old token still works,
// and the next one comes from the new source.
func TestAChangeOfSourceTakesEffect(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		old := f.mustToken()
		f.changeAccount(func(a *hongyan.Account) { a.TokenSource = hongyan.TokenPlain })
		if got := f.mustToken(); got == old || f.mustInfo().Source != hongyan.TokenPlain {
			t.Errorf("changed = %v, source %q, want a plain token", got != old, f.mustInfo().Source)
		}
		if got := f.calls(wechat.EndpointToken); got != 1 {
			t.Errorf("plain calls = %d, want 1", got)
		}
	})
}

func TestAnAccountChangeKeepsAGoodToken(t *testing.T) {
	inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
		defer f.run(f.Central)()
		old := f.mustToken()
		for range 20 {
			f.changeAccount(func(a *hongyan.Account) { a.Name += "x" })
			if f.mustToken() != old {
				t.Fatal("renaming the account replaced its token")
			}
		}
		f.wantCalls(1)
	})
}

func TestAccountsAreFoundByAliasAndStrangersAreNot(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		want := f.mustToken()
		if got, err := f.AccessToken(t.Context(), "shop"); err != nil || got != want {
			t.Errorf("by alias: same = %v, err = %v", got == want, err)
		}
		_, err := f.AccessToken(t.Context(), "wx0000000000000000")
		if !asTokenError(t, err).Stopped || !hongyan.IsKind(err, hongyan.NotFound) {
			t.Errorf("unknown account: %v, want stopped and not_found", err)
		}
		if _, err := f.Info(t.Context(), "wx0000000000000000"); !hongyan.IsKind(err, hongyan.NotFound) {
			t.Errorf("Info of an unknown account: %v, want not_found", err)
		}
		f.wantCalls(1)
	})
}

func TestADeletedAccountIsForgotten(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		defer f.run(f.Central)()
		f.mustToken()
		if err := f.store.DeleteAccount(t.Context(), appID); err != nil {
			t.Fatal(err)
		}
		f.AccountChanged(appID)
		if failure := f.mustFail(); !hongyan.IsKind(failure, hongyan.NotFound) {
			t.Errorf("after the deletion: %v, want not_found", failure)
		}
		if log := f.log.String(); strings.Contains(log, "WARN") {
			t.Errorf("a deletion is a warning:\n%s", log)
		}
		time.Sleep(24 * time.Hour)
		f.wantCalls(1)
	})
}

// A caller that gives up does not take the others' token away.
func TestAFlightOutlivesItsCaller(t *testing.T) {
	inBubble(t, hongyan.TokenStable, func(t *testing.T, f *fixture) {
		f.box.Sandbox.AddFault(sandbox.Fault{Path: string(wechat.EndpointStableToken), DelayMS: 2000, Times: 1})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := f.AccessToken(ctx, appID)
		if failure := asTokenError(t, err); failure.Err != context.DeadlineExceeded || failure.Stopped {
			t.Errorf("the impatient caller got %v, want its own deadline", err)
		}
		f.mustToken()
		f.wantCalls(1)
	})
}

func BenchmarkAccessToken(b *testing.B) {
	c := New(Config{Store: clock{}})
	a := newAccount(appID, newBook())
	now := time.Now()
	a.load(hongyan.Token{AccessToken: "t", Generation: 1, ExpiresAt: now.Add(24 * time.Hour)}, now.Add(24*time.Hour))
	c.accounts.Store(appID, a)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.AccessToken(context.Background(), appID); err != nil {
				b.Fatal(err)
			}
		}
	})
}
