package token

import (
	"context"
	"strconv"
	"testing"
	"time"

	"hongyan"
	"hongyan/store"
)

func (f *fixture) wantOwner(c *Central, token, wantApp string, want Standing) {
	f.t.Helper()
	got, standing, err := c.Owner(f.t.Context(), token)
	if err != nil || got != wantApp || standing != want {
		f.t.Errorf("Owner = %q, %d, %v, want %q, %d", got, standing, err, wantApp, want)
	}
}

// refresh makes another token take the current one's place.
func (f *fixture) refresh() string {
	f.t.Helper()
	if _, err := f.Refresh(f.t.Context(), appID, ""); err != nil {
		f.t.Fatal(err)
	}
	return f.mustToken()
}

func TestOwnerFollowsATokenThroughItsLife(t *testing.T) {
	inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
		first := f.mustToken()
		f.wantOwner(f.Central, first, appID, Live)
		time.Sleep(time.Minute)
		second := f.refresh()
		f.wantOwner(f.Central, second, appID, Live)
		time.Sleep(5 * time.Minute)
		f.wantOwner(f.Central, first, appID, Live)
		f.wantOwner(f.newCentral("restarted"), first, appID, Live)
		time.Sleep(time.Second)
		f.wantOwner(f.Central, first, appID, Stale)
		f.wantOwner(f.newCentral("restarted"), first, appID, Stale)
		f.refresh()
		f.wantOwner(f.Central, first, appID, Stale) // the store remembers
		f.wantOwner(f.Central, second, appID, Live)
		f.wantOwner(f.Central, "92_unknown", "", Unknown)
		f.wantOwner(f.Central, "", "", Unknown)

		f.AccountChanged(appID) // it stays its token
		f.wantOwner(f.Central, f.mustToken(), appID, Live)
		if err := f.store.DeleteAccount(t.Context(), appID); err != nil {
			t.Fatal(err)
		}
		f.AccountChanged(appID)
		f.wantOwner(f.Central, second, "", Unknown)
	})
}

// The current token comes once more: the one before it gets no second grace.
func TestARepeatedTokenRenewsNoGrace(t *testing.T) {
	inBubble(t, hongyan.TokenExternal, func(t *testing.T, f *fixture) {
		f.push("92_first", time.Hour)
		f.push("92_second", time.Hour)
		time.Sleep(4 * time.Minute)
		f.push("92_second", time.Hour)
		f.wantOwner(f.Central, "92_first", appID, Live)
		time.Sleep(time.Minute + time.Second)
		f.wantOwner(f.Central, "92_first", appID, Stale)
		f.wantOwner(f.Central, "92_second", appID, Live)
	})
}

// counting is a store that counts look-ups of tokens.
type counting struct {
	store.Store
	looked *int
}

func (c counting) IssuedToken(ctx context.Context, hash []byte) (hongyan.IssuedToken, error) {
	*c.looked++
	return c.Store.IssuedToken(ctx, hash)
}

func TestOwnerReadsTheStoreForStrangersOnly(t *testing.T) {
	inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
		looked := 0
		f.Central.store = counting{f.store, &looked}
		first := f.mustToken()
		second := f.refresh()
		for range 100 {
			f.wantOwner(f.Central, first, appID, Live)
			f.wantOwner(f.Central, second, appID, Live)
		}
		if looked != 0 {
			t.Errorf("%d reads of the store for the current and the previous token, want none", looked)
		}
		for i := range 100 {
			f.wantOwner(f.Central, "92_unknown"+strconv.Itoa(i), "", Unknown)
		}
		if n := len(f.issued.entries); n != 2 {
			t.Errorf("%d tokens in memory after 100 unknown ones, want 2", n)
		}
	})
}

// A caller brings the token that another node fetched: from then on it is ours, too.
func TestOwnerKnowsWhatAnotherNodeFetched(t *testing.T) {
	inBubble(t, hongyan.TokenPlain, func(t *testing.T, f *fixture) {
		looked := 0
		other := f.newCentral("node-2")
		other.store = counting{f.store, &looked}
		first := f.mustToken()
		if got, err := other.AccessToken(t.Context(), appID); err != nil || got != first {
			t.Fatal(err)
		}
		second := f.refresh()
		for range 10 {
			f.wantOwner(other, second, appID, Live)
		}
		f.wantOwner(other, first, appID, Live)
		if got, err := other.AccessToken(t.Context(), appID); err != nil || got != second {
			t.Errorf("the other node's own token: same = %v, %v, want the newer one", got == second, err)
		}
		if looked != 1 {
			t.Errorf("%d reads of the store, want 1", looked)
		}
		f.wantCalls(2)
	})
}
