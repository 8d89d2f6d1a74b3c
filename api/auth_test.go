package api

import (
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"hongyan"
	"hongyan/client"
	"hongyan/sandbox"
)

// operations lists every documented operation with its path made concrete.
func operations(t *testing.T, g *gateway) map[string]*huma.Operation {
	t.Helper()
	all := map[string]*huma.Operation{}
	fill := strings.NewReplacer("{appid}", sandbox.SeedServiceAppID, "{id}", "msg_0", "{template_id}", "t", "{tid}", "401", "{delivery}", "1")
	for path, item := range newSpec(t, g).Paths {
		for method, op := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete} {
			if op != nil && op.Security == nil { // not open to everybody
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
	n := 1
	for pattern, op := range operations(t, g) {
		t.Run(pattern, func(t *testing.T) {
			method, path, _ := strings.Cut(pattern, " ")
			g.remote = "2001:db8:0:" + strconv.Itoa(n) + "::1" // so many wrong keys from one address would make it wait
			n++
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
	_, err = mini.Audit(ctx, client.AuditFilter{})
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
	gateway := client.KeyRequest{Name: "x", Kind: "gateway", Role: "admin"}
	_, err = g.admin.CreateKey(ctx, gateway)
	if p := wantProblem(t, err, 422, "invalid_key_request"); !strings.Contains(p.Detail, "knows no roles") {
		t.Errorf("detail %q, want the reason", p.Detail)
	}
	gateway.Kind = "root"
	_, err = g.admin.CreateKey(ctx, gateway)
	wantProblem(t, err, 422, "invalid_key_request")
	_, err = g.admin.CreateKey(ctx, client.KeyRequest{Role: "root", AppIDs: []string{"nobody"}})
	if p := wantProblem(t, err, 422, "invalid_key_request"); len(p.Errors) != 3 {
		t.Errorf("errors %+v, want name, role and appids", p.Errors)
	}
}

func TestGatewaySecretIsNoAPIKey(t *testing.T) {
	g := newGateway(t)
	g.seed()
	ctx := t.Context()
	made, err := g.admin.CreateKey(ctx, client.KeyRequest{Name: "shop-backend", Kind: "gateway", AppIDs: []string{"shop"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(made.Key) != len("hys_")+43 || made.Hint != made.Key[:8] || made.Role != "sender" || made.Kind != "gateway" {
		t.Errorf("made %+v", made)
	}
	keys, err := g.admin.Keys(ctx)
	if err != nil || len(keys.Items) != 1 || keys.Items[0].Kind != "gateway" || keys.Items[0].Hint != made.Hint {
		t.Errorf("keys %+v, %v", keys.Items, err)
	}
	got := g.do("GET", "/v1/accounts", "", "Authorization", "", "Authorization", "Bearer "+made.Key)
	p := got.problem(t)
	checkProblem(t, got, p, 401, "other_kind_of_key")
	if want := "this is a gateway secret; the API takes hyk_ keys"; p.Detail != want {
		t.Errorf("detail %q, want %q", p.Detail, want)
	}
	c, err := g.desk.Caller(ctx, made.Key, hongyan.KeyGateway)
	if err != nil || !c.Covers(sandbox.SeedServiceAppID) || c.Covers(sandbox.SeedMiniAppID) {
		t.Errorf("its caller %+v, %v", c, err)
	}
	if err := g.admin.RevokeKey(ctx, made.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := g.desk.Caller(ctx, made.Key, hongyan.KeyGateway); !hongyan.IsKind(err, hongyan.NotFound) {
		t.Errorf("after its end: %v, want not found", err)
	}
}

func TestAddressThatGuessesWaitsAndGoodKeysDoNot(t *testing.T) {
	g := newGateway(t)
	good := g.key("reader").Key
	g.remote = "203.0.113.9"
	guess := func() answer {
		return g.do("GET", "/v1/accounts", "", "Authorization", "", "Authorization", "Bearer hyk_guess")
	}
	for range 20 {
		got := guess()
		checkProblem(t, got, got.problem(t), 401, "invalid_key")
	}
	got := guess()
	checkProblem(t, got, got.problem(t), 429, "too_many_wrong_keys")
	if seconds, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 60 {
		t.Errorf("Retry-After %q, want up to a minute", got.header.Get("Retry-After"))
	}
	for _, key := range []string{good, testAdminKey} {
		if got := g.do("GET", "/v1/accounts", "", "Authorization", "", "Authorization", "Bearer "+key); got.status != 200 {
			t.Errorf("a good key from there: %d %s", got.status, got.body)
		}
	}
	if got := g.do("GET", "/v1/accounts", "", "Authorization", ""); got.status != 401 {
		t.Errorf("no key at all: %d, want 401", got.status)
	}
	g.remote = "203.0.113.10"
	got = guess()
	checkProblem(t, got, got.problem(t), 401, "invalid_key")
}

// TestStoreFailureIsNoWrongKey: an address must not be made to wait for a fault of ours.
func TestStoreFailureIsNoWrongKey(t *testing.T) {
	g := newGateway(t)
	g.remote = "203.0.113.9"
	if err := g.store.Close(); err != nil {
		t.Fatal(err)
	}
	for range 30 {
		got := g.do("GET", "/v1/accounts", "", "Authorization", "", "Authorization", "Bearer hyk_anybody")
		if got.status < 500 {
			t.Fatalf("status %d, want a fault: %s", got.status, got.body)
		}
	}
	if wait := g.desk.Blocked(g.remote); wait != 0 {
		t.Errorf("blocked for %v", wait)
	}
}
