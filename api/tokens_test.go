package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/client"
	"hongyan/sandbox"
)

func TestATokenShowsWhoAskedForIt(t *testing.T) {
	g := newGateway(t)
	g.seed()
	at := hongyan.Millis(g.store.Now())
	key := g.key("sender")
	if err := g.store.NoteTokenCallers(t.Context(), []hongyan.TokenCaller{
		{AppID: sandbox.SeedServiceAppID, CallerID: key.ID, Endpoint: "token", FirstAt: at.Add(-time.Hour), LastAt: at.Add(-time.Minute), Requests: 7, Remote: "10.0.0.7"},
		{AppID: sandbox.SeedServiceAppID, CallerID: hongyan.CallerAppSecret, Endpoint: "stable_token", FirstAt: at, LastAt: at, Requests: 3, Forced: 2, Remote: "10.0.0.9"},
		{AppID: sandbox.SeedMiniAppID, CallerID: key.ID, Endpoint: "token", FirstAt: at, LastAt: at, Requests: 1},
	}); err != nil {
		t.Fatal(err)
	}
	got, err := g.admin.Token(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	want := []client.TokenCaller{
		{CallerID: client.CallerAppSecret, Name: "AppSecret", Endpoint: "stable_token", FirstAt: client.Time{Time: at}, LastAt: client.Time{Time: at}, Requests: 3, Forced: 2, Remote: "10.0.0.9"},
		{CallerID: key.ID, Name: "sender", Endpoint: "token", FirstAt: client.Time{Time: at.Add(-time.Hour)}, LastAt: client.Time{Time: at.Add(-time.Minute)}, Requests: 7, Remote: "10.0.0.7"},
	}
	if diff := cmp.Diff(want, got.Callers); diff != "" {
		t.Errorf("callers (-want +got):\n%s", diff)
	}
}

func TestAnExternalTokenIsPushed(t *testing.T) {
	g := newGateway(t)
	g.seed()
	push := client.TokenPush{AccessToken: "99_pushed-from-outside", ExpiresIn: 7000}
	_, err := g.admin.PushToken(t.Context(), "shop", push)
	wantProblem(t, err, 409, "token_not_external")
	if _, err := g.admin.UpdateAccount(t.Context(), "shop", client.AccountPatch{TokenSource: new("external")}); err != nil {
		t.Fatal(err)
	}
	got, err := g.admin.PushToken(t.Context(), "shop", push)
	if err != nil {
		t.Fatal(err)
	}
	if got.AccessToken != push.AccessToken || got.Source != "external" || got.ExpiresAt.Or().Sub(got.FetchedAt.Or()) != 7000*time.Second {
		t.Errorf("got %+v, want the pushed token", got)
	}
	_, err = g.client(g.key("sender").Key).PushToken(t.Context(), "shop", push)
	wantProblem(t, err, 403, "role_too_low")
	if _, err := g.admin.UpdateAccount(t.Context(), "shop", client.AccountPatch{TokenURL: new("https://token.example.com/")}); err != nil {
		t.Fatal(err)
	}
	_, err = g.admin.PushToken(t.Context(), "shop", push)
	wantProblem(t, err, 409, "token_not_pushed")
}

func TestBadPushesOfTokens(t *testing.T) {
	g := newGateway(t)
	g.seed()
	if _, err := g.admin.UpdateAccount(t.Context(), "shop", client.AccountPatch{TokenSource: new("external")}); err != nil {
		t.Fatal(err)
	}
	const secret = "99_c2VjcmV0LXNlY3JldA"
	for _, tt := range []struct {
		body          string
		status        int
		code, pointer string
	}{
		{`{}`, 422, "invalid_token", "/expires_in"},
		{`{"access_token":"","expires_in":7200}`, 422, "invalid_token", "/access_token"},
		{`{"access_token":"` + secret + ` ","expires_in":7200}`, 422, "invalid_token", "/access_token"},
		{`{"access_token":"` + secret + `","expires_in":0}`, 422, "invalid_token", "/expires_in"},
		{`{"access_token":"` + secret + `","expires_in":7200000}`, 422, "invalid_token", "/expires_in"},
		{`{"access_token":"` + secret + `","expires_in":9223372036854775807}`, 422, "invalid_token", "/expires_in"},
		{`{"access_token":"` + secret + `","expires_in":"7200"}`, 400, "wrong_type", "/expires_in"},
		{`{"access_token":12345678901234567890,"expires_in":7200}`, 400, "wrong_type", "/access_token"},
		{`{"token":"` + secret + `"}`, 400, "unknown_field", "/token"},
	} {
		got := g.do("PUT", "/v1/accounts/shop/token", tt.body)
		p := got.problem(t)
		checkProblem(t, got, p, tt.status, tt.code)
		if len(p.Errors) != 1 || p.Errors[0].Pointer != tt.pointer {
			t.Errorf("%s: errors %v, want one at %s", tt.body, p.Errors, tt.pointer)
		}
		if strings.Contains(got.body, secret) || strings.Contains(got.body, "12345678901234567890") {
			t.Errorf("%s: the answer repeats the token: %s", tt.body, got.body)
		}
	}
	if got := g.do("GET", "/v1/audit", ""); strings.Contains(got.body, secret) || !strings.Contains(got.body, fmt.Sprintf("%q", "token.push")) {
		t.Errorf("audit log: %s, want the refused pushes without the token", got.body)
	}
}
