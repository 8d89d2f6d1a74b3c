package storetest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hongyan"
	"hongyan/store"
)

var tokenCases = []testCase{
	{name: "come back as they were given; none is the zero token", run: tokensRoundTrip},
	{name: "are saved by one of many nodes that fetched at once", run: tokensRace},
	{name: "are known by their hash, and since when they are replaced", bubble: true, run: tokensIssued},
	{name: "that come back are current again", bubble: true, run: tokensComeBack},
	{name: "replaced a month ago are forgotten, the current one is not", bubble: true, run: tokensForgotten},
	{name: "are asked for by one holder at a time", bubble: true, run: tokensRefresh},
	{name: "are asked for by one of many nodes", run: tokensRefreshRace},
	{name: "record who asked for them", bubble: true, run: tokensCallers},
}

func tokensRoundTrip(f *fixture) {
	none, err := f.s.Token(f.ctx, appA)
	f.must(err)
	same(f, "no token", none, hongyan.Token{})
	now := f.s.Now()
	for generation := int64(1); generation <= 2; generation++ {
		want := hongyan.Token{AppID: appA, Source: hongyan.TokenStable, AccessToken: hongyan.Secret(strings.Repeat("a", int(generation))), Generation: generation,
			FetchedAt: now, ExpiresAt: now.Add(2 * time.Hour), FetchedBy: "node-1", Previous: "before", Fetches: generation}
		saved, err := f.s.SaveToken(f.ctx, want)
		f.must(err)
		same(f, "saved", saved, true)
		got, err := f.s.Token(f.ctx, appA)
		f.must(err)
		same(f, "token", got, want)
	}
	for _, generation := range []int64{1, 2, 4} {
		saved, err := f.s.SaveToken(f.ctx, hongyan.Token{AppID: appA, Generation: generation, AccessToken: "x"})
		f.must(err)
		same(f, "saved out of turn", saved, false)
	}
}

func tokensRace(f *fixture) {
	won := countTrue(f, 16, func(ctx context.Context, _ int) (bool, error) {
		return f.s.SaveToken(ctx, hongyan.Token{AppID: appA, Generation: 1, AccessToken: "t"})
	})
	same(f, "winners", won, 1)
}

// saveToken stores the token of a generation, fetched now.
func (f *fixture) saveToken(generation int64, token string) {
	f.Helper()
	saved, err := f.s.SaveToken(f.ctx, hongyan.Token{AppID: appA, Generation: generation, AccessToken: hongyan.Secret(token), FetchedAt: f.s.Now()})
	f.must(err)
	same(f, "saved", saved, true)
}

func (f *fixture) issued(token string) hongyan.IssuedToken {
	f.Helper()
	k, err := f.s.IssuedToken(f.ctx, store.HashKey(token))
	f.must(err)
	return k
}

func tokensIssued(f *fixture) {
	first := f.s.Now()
	f.saveToken(1, "one")
	same(f, "current", f.issued("one"), hongyan.IssuedToken{AppID: appA, Generation: 1, IssuedAt: first})
	time.Sleep(time.Hour)
	second := f.s.Now()
	f.saveToken(2, "two")
	time.Sleep(time.Hour)
	f.saveToken(3, "three")
	same(f, "first", f.issued("one"), hongyan.IssuedToken{AppID: appA, Generation: 1, IssuedAt: first, ReplacedAt: second})
	same(f, "second", f.issued("two"), hongyan.IssuedToken{AppID: appA, Generation: 2, IssuedAt: second, ReplacedAt: f.s.Now()})
	saved, err := f.s.SaveToken(f.ctx, hongyan.Token{AppID: appA, Generation: 2, AccessToken: "late"})
	f.must(err)
	same(f, "saved out of turn", saved, false)
	for _, never := range []string{"late", "", "on"} {
		_, err = f.s.IssuedToken(f.ctx, store.HashKey(never))
		f.wantKind(err, hongyan.NotFound)
	}
	same(f, "still current", f.issued("three").ReplacedAt.IsZero(), true)
	saved, err = f.s.SaveToken(f.ctx, hongyan.Token{AppID: appB, Generation: 1, AccessToken: "of B"})
	f.must(err)
	same(f, "saved for another account", saved, true)
	same(f, "current beside it", f.issued("three").ReplacedAt.IsZero(), true)
}

func tokensComeBack(f *fixture) {
	start := f.s.Now()
	f.saveToken(1, "one")
	time.Sleep(time.Minute)
	f.saveToken(2, "one") // the stable endpoint answers with the same token while it lives
	same(f, "the same again", f.issued("one"), hongyan.IssuedToken{AppID: appA, Generation: 2, IssuedAt: start})
	f.saveToken(3, "two")
	f.saveToken(4, "one")
	same(f, "back", f.issued("one"), hongyan.IssuedToken{AppID: appA, Generation: 4, IssuedAt: start})
	same(f, "the one between", f.issued("two").ReplacedAt, f.s.Now())
}

func tokensForgotten(f *fixture) {
	f.saveToken(1, "one")
	f.saveToken(2, "two")
	time.Sleep(29 * 24 * time.Hour)
	f.saveToken(3, "three")
	f.sweep(0)
	time.Sleep(2 * 24 * time.Hour)
	f.sweep(1)
	_, err := f.s.IssuedToken(f.ctx, store.HashKey("one"))
	f.wantKind(err, hongyan.NotFound)
	same(f, "replaced later", f.issued("two").Generation, int64(2))
	time.Sleep(365 * 24 * time.Hour)
	f.sweep(1)
	same(f, "current", f.issued("three").Generation, int64(3))
}

// sweep removes what is old and checks how much that was.
func (f *fixture) sweep(want int) {
	f.Helper()
	n, err := f.s.Sweep(f.ctx)
	f.must(err)
	same(f, "rows swept", n, want)
}

// lend asks for a refresh lease and checks the answer.
func (f *fixture) lend(appID, holder string, d time.Duration, want bool) {
	f.Helper()
	got, err := f.s.LeaseRefresh(f.ctx, appID, holder, d)
	f.must(err)
	same(f, "leased by "+holder, got, want)
}

func tokensRefresh(f *fixture) {
	f.lend(appA, "one", 10*time.Second, true)
	f.lend(appA, "two", 10*time.Second, false)
	f.lend(appB, "two", 10*time.Second, true)
	time.Sleep(9 * time.Second)
	f.lend(appA, "one", 10*time.Second, true) // extended
	time.Sleep(9 * time.Second)
	f.lend(appA, "two", 10*time.Second, false)
	f.must(f.s.ReleaseRefresh(f.ctx, appA, "two")) // not its own
	f.lend(appA, "two", 10*time.Second, false)
	f.must(f.s.ReleaseRefresh(f.ctx, appA, "one"))
	f.lend(appA, "two", 10*time.Second, true)
	time.Sleep(10 * time.Second)
	f.lend(appA, "one", 10*time.Second, true) // the other died
	f.must(f.s.ReleaseRefresh(f.ctx, appA, "two"))
	f.lend(appA, "two", 10*time.Second, false)
}

func tokensRefreshRace(f *fixture) {
	won := countTrue(f, 16, func(ctx context.Context, i int) (bool, error) {
		return f.s.LeaseRefresh(ctx, appA, fmt.Sprint("node-", i), time.Hour)
	})
	same(f, "winners", won, 1)
}

func tokensCallers(f *fixture) {
	start := f.s.Now()
	at := func(minute int) time.Time { return start.Add(time.Duration(minute) * time.Minute) }
	note := func(callers ...hongyan.TokenCaller) { f.must(f.s.NoteTokenCallers(f.ctx, callers)) }
	c := hongyan.TokenCaller{AppID: appA, CallerID: "key_1", Endpoint: "token", FirstAt: at(5), LastAt: at(7), Requests: 3, Remote: "10.0.0.1"}
	other := hongyan.TokenCaller{AppID: appA, CallerID: hongyan.CallerAppSecret, Endpoint: "stable_token", FirstAt: at(6), LastAt: at(9), Requests: 1, Forced: 1, Remote: "10.0.0.2"}
	note(c, other, hongyan.TokenCaller{AppID: appB, CallerID: "key_1", Endpoint: "token", Requests: 1},
		hongyan.TokenCaller{AppID: "wxgone", CallerID: "key_1", Endpoint: "token", Requests: 1})
	// Another node's earlier account comes later.
	c.FirstAt, c.LastAt, c.Remote = at(1), at(6), "10.0.0.9"
	note(c)
	all, err := f.s.TokenCallers(f.ctx, appA)
	f.must(err)
	c.FirstAt, c.LastAt, c.Remote, c.Requests = at(1), at(7), "10.0.0.1", 6
	same(f, "callers", all, []hongyan.TokenCaller{other, c})
	note(hongyan.TokenCaller{AppID: appA, CallerID: "key_1", Endpoint: "token", FirstAt: at(10), LastAt: at(11), Requests: 1, Forced: 1, Remote: "10.0.0.3"})
	all, err = f.s.TokenCallers(f.ctx, appA)
	f.must(err)
	c.LastAt, c.Remote, c.Requests, c.Forced = at(11), "10.0.0.3", 7, 1
	same(f, "the latest first", all, []hongyan.TokenCaller{c, other})
	all, err = f.s.TokenCallers(f.ctx, "wxgone")
	f.must(err)
	same(f, "callers of an account that is not there", len(all), 0)
}
