package api

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"hongyan"
	"hongyan/client"
	"hongyan/doctor"
	"hongyan/sandbox"
	"hongyan/store"
	"hongyan/token"
)

// doctor is one whose checks that need more than a store and tokens are left out.
func (g *gateway) doctor(s store.Store, tokens *token.Central) *doctor.Doctor {
	return doctor.New(doctor.Config{
		Store: s, AccessToken: tokens.AccessToken, ClientFor: func(*hongyan.Account) *http.Client { return g.sandbox.Client },
		Token: func(ctx context.Context, appID string) (doctor.Token, error) {
			t, err := tokens.Info(ctx, appID)
			return doctor.Token{Source: t.Source, FetchedAt: t.FetchedAt, FetchedBy: t.FetchedBy, Remaining: t.Remaining, Stopped: t.Stopped, Failing: t.Failing}, err
		},
	})
}

func TestTheDoctorTellsEveryFindingWithItsRemedy(t *testing.T) {
	g := newGateway(t)
	g.seed()
	seen, err := g.admin.Examine(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	accounts := map[string]bool{}
	for _, f := range seen.Findings {
		accounts[f.AppID] = true
		if f.What == "" || f.WhatZH == "" || f.Level == "problem" && f.Remedy == "" {
			t.Errorf("finding %+v", f)
		}
	}
	if !accounts[""] || !accounts[sandbox.SeedServiceAppID] || !accounts[sandbox.SeedMiniAppID] {
		t.Errorf("looked at %v, want the gateway and both accounts", accounts)
	}
	missing := slices.IndexFunc(seen.Findings, func(f client.DoctorFinding) bool {
		return f.Code == "callback_url_missing" && f.AppID == sandbox.SeedServiceAppID
	})
	if missing < 0 || seen.Worst != "problem" || seen.At.Time.IsZero() {
		t.Errorf("worst %q; want problem, for the sandbox has no server URL: %+v", seen.Worst, seen.Findings)
	}
}

func TestTheDoctorLooksAtWhatTheKeyCovers(t *testing.T) {
	g := newGateway(t)
	g.seed()
	one, err := g.admin.Examine(t.Context(), "shop")
	if err != nil || !slices.ContainsFunc(one.Findings, func(f client.DoctorFinding) bool { return f.AppID == "" }) ||
		slices.ContainsFunc(one.Findings, func(f client.DoctorFinding) bool { return f.AppID == sandbox.SeedMiniAppID }) {
		t.Errorf("one account: %v, %+v; want the gateway and that account", err, one.Findings)
	}
	limited := g.client(g.key("admin", sandbox.SeedServiceAppID).Key)
	some, err := limited.Examine(t.Context(), "")
	if err != nil || len(some.Findings) == 0 || slices.ContainsFunc(some.Findings, func(f client.DoctorFinding) bool { return f.AppID != sandbox.SeedServiceAppID }) {
		t.Errorf("a key of one account: %v, %+v; want that account alone", err, some.Findings)
	}
	_, err = limited.Examine(t.Context(), sandbox.SeedMiniAppID)
	wantProblem(t, err, 403, "account_not_covered")
	_, err = g.admin.Examine(t.Context(), "nobody")
	wantProblem(t, err, 404, "unknown_account")
	_, err = g.client(g.key("sender").Key).Examine(t.Context(), "")
	wantProblem(t, err, 403, "role_too_low")
}
