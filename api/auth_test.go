package api

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"hongyan/client"
	"hongyan/sandbox"
)

// operations lists every documented operation with its path made concrete.
func operations(t *testing.T, g *gateway) map[string]*huma.Operation {
	t.Helper()
	all := map[string]*huma.Operation{}
	fill := strings.NewReplacer("{appid}", sandbox.SeedServiceAppID, "{id}", "msg_0", "{template_id}", "t")
	for path, item := range newSpec(t, g).Paths {
		for method, op := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete} {
			if op != nil {
				all[method+" "+fill.Replace(path)] = op
			}
		}
	}
	if len(all) < 25 {
		t.Fatalf("%d operations, want at least 25", len(all))
	}
	return all
}

func TestEveryOperationNeedsAKeyWithItsRole(t *testing.T) {
	g := newGateway(t)
	g.seed()
	weak := g.key("reader").Key
	elsewhere := g.key("admin", sandbox.SeedMiniAppID).Key
	for pattern, op := range operations(t, g) {
		t.Run(pattern, func(t *testing.T) {
			method, path, _ := strings.Cut(pattern, " ")
			got := g.do(method, path, "{}", "Authorization", "")
			checkProblem(t, got, got.problem(t), 401, "missing_key")
			if challenge := got.header.Get("WWW-Authenticate"); !strings.HasPrefix(challenge, "Bearer") {
				t.Errorf("WWW-Authenticate %q", challenge)
			}
			got = g.do(method, path, "{}", "Authorization", "", "Authorization", "Bearer hyk_unknown")
			checkProblem(t, got, got.problem(t), 401, "invalid_key")
			if !strings.HasSuffix(op.Description, "Role: reader.") {
				got = g.do(method, path, "{}", "Authorization", "", "Authorization", "Bearer "+weak)
				checkProblem(t, got, got.problem(t), 403, "role_too_low")
			}
			if strings.Contains(path, sandbox.SeedServiceAppID) {
				got = g.do(method, path, "{}", "Authorization", "", "Authorization", "Bearer "+elsewhere)
				checkProblem(t, got, got.problem(t), 403, "account_not_covered")
			}
		})
	}
}

func TestKeyOfOneAccountSeesNoOther(t *testing.T) {
	g := newGateway(t)
	g.seed()
	ctx := t.Context()
	sent, err := g.admin.Send(ctx, order(sandbox.OpenID("", 1)))
	if err != nil {
		t.Fatal(err)
	}
	mini := g.client(g.key("admin", sandbox.SeedMiniAppID).Key)
	_, err = mini.Message(ctx, sent.ID)
	wantProblem(t, err, 404, "unknown_message")
	_, err = mini.Cancel(ctx, sent.ID)
	wantProblem(t, err, 404, "unknown_message")
	_, err = mini.Send(ctx, order(sandbox.OpenID("", 1)))
	wantProblem(t, err, 403, "account_not_covered")
	_, err = mini.Messages(ctx, client.MessageFilter{AppID: "shop"})
	wantProblem(t, err, 403, "account_not_covered")
	_, err = mini.CreateAccount(ctx, client.AccountRequest{AppID: "wx0f1e2d3c4b5a6978", Secret: testSecret})
	wantProblem(t, err, 403, "account_not_covered")
	_, err = mini.CreateKey(ctx, client.KeyRequest{Name: "x", Role: "admin"})
	wantProblem(t, err, 403, "account_not_covered")
	list, err := mini.Messages(ctx, client.MessageFilter{})
	if err != nil || len(list.Items) != 0 {
		t.Errorf("messages %v, %v, want none", list.Items, err)
	}
	accounts, err := mini.Accounts(ctx)
	if err != nil || len(accounts.Items) != 1 || accounts.Items[0].AppID != sandbox.SeedMiniAppID {
		t.Errorf("accounts %+v, %v, want its own", accounts.Items, err)
	}

	// A key made for an alias covers the account, under both names.
	shop := g.client(g.key("sender", "shop").Key)
	byAlias := order(sandbox.OpenID("", 2))
	byAlias.AppID = "shop"
	if _, err := shop.Send(ctx, byAlias); err != nil {
		t.Errorf("send by alias: %v", err)
	}
	if _, err := shop.Message(ctx, sent.ID); err != nil {
		t.Errorf("read own message: %v", err)
	}
}

func TestKeysAreMadeListedAndRevoked(t *testing.T) {
	g := newGateway(t)
	ctx := t.Context()
	k := g.key("reader")
	if len(k.Key) != len("hyk_")+43 || !strings.HasPrefix(k.Key, k.Hint) || !strings.HasPrefix(k.ID, "key_") {
		t.Errorf("key %+v", k)
	}
	c := g.client(k.Key)
	if _, err := c.Accounts(ctx); err != nil {
		t.Errorf("a new key is refused: %v", err)
	}
	if got := g.do("GET", "/v1/keys", ""); strings.Contains(got.body, k.Key) {
		t.Errorf("the list shows the key: %s", got.body)
	}
	if err := g.admin.RevokeKey(ctx, k.ID); err != nil {
		t.Fatal(err)
	}
	_, err := c.Accounts(ctx)
	wantProblem(t, err, 401, "invalid_key")
	err = g.admin.RevokeKey(ctx, "key_0")
	wantProblem(t, err, 404, "unknown_key")
	keys, err := g.admin.Keys(ctx)
	if err != nil || len(keys.Items) != 1 || keys.Items[0].RevokedAt == nil {
		t.Errorf("keys %+v, %v, want one, revoked", keys.Items, err)
	}
	_, err = g.admin.CreateKey(ctx, client.KeyRequest{Role: "root", AppIDs: []string{"nobody"}})
	if p := wantProblem(t, err, 422, "invalid_key_request"); len(p.Errors) != 3 {
		t.Errorf("errors %+v, want name, role and appids", p.Errors)
	}
}

func TestRunWritesWhenKeysWereUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		ctx := t.Context()
		k := g.key("reader")
		running, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- g.api.Run(running) }()
		if _, err := g.client(k.Key).Accounts(ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(touchEvery + time.Second)
		synctest.Wait()
		first := lastUsed(t, g)
		if first == nil {
			t.Fatal("no time of use after a round")
		}
		// Long after the cached key has lapsed it still works, and the last use
		// is written when Run ends.
		time.Sleep(time.Hour)
		if _, err := g.client(k.Key).Accounts(ctx); err != nil {
			t.Fatal(err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if last := lastUsed(t, g); !last.Time.After(first.Time.Add(59 * time.Minute)) {
			t.Errorf("last used %v, want an hour after %v", last, first)
		}
	})
}

func lastUsed(t *testing.T, g *gateway) *client.Time {
	t.Helper()
	keys, err := g.admin.Keys(t.Context())
	if err != nil || len(keys.Items) != 1 {
		t.Fatalf("keys %v, %v", keys.Items, err)
	}
	return keys.Items[0].LastUsedAt
}
