package api

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongyan/client"
	"hongyan/sandbox"
)

// entry is what a test expects of an audit entry; Remote is httptest's.
type entry struct{ Actor, Action, Target, Outcome, Detail string }

// auditLog reads the whole log, oldest first.
func auditLog(t *testing.T, g *gateway, f client.AuditFilter) []client.AuditEntry {
	t.Helper()
	list, err := g.admin.Audit(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	var all []client.AuditEntry
	for i := range list.Items {
		all = append(all, list.Items[len(list.Items)-1-i])
	}
	return all
}

func entriesOf(all []client.AuditEntry) (entries []entry) {
	for _, e := range all {
		entries = append(entries, entry{e.Actor, e.Action, e.Target, e.Outcome, e.Detail})
	}
	return entries
}

func TestEveryChangeIsInTheAuditLog(t *testing.T) {
	g := newGateway(t)
	g.seed()
	ctx := t.Context()
	const shop = sandbox.SeedServiceAppID
	if _, err := g.admin.UpdateAccount(ctx, "shop", client.AccountPatch{Name: new("新名"), Secret: new(testSecret), Callback: &client.CallbackInput{Token: new("token1")}}); err != nil {
		t.Fatal(err)
	}
	k := g.key("sender", "shop")
	sent, err := g.client(k.Key).Send(ctx, order(sandbox.OpenID("", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.client(k.Key).Cancel(ctx, sent.ID); err != nil {
		t.Fatal(err)
	}
	_, err = g.client(k.Key).PauseAccount(ctx, "shop")
	wantProblem(t, err, 403, "role_too_low")
	if _, err := g.admin.PauseAccount(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	if err := g.admin.RevokeKey(ctx, k.ID); err != nil {
		t.Fatal(err)
	}
	want := []entry{
		{"admin", "account.create", shop, "ok", "fields alias appid base_url secret"},
		{"admin", "account.create", sandbox.SeedMiniAppID, "ok", "fields appid base_url kind secret"},
		{"admin", "template.sync", shop, "ok", "3 added, 0 updated, 0 missing"},
		{"admin", "account.update", shop, "ok", "fields callback.token name secret"},
		{"admin", "key.create", k.ID, "ok", "api " + k.Hint + `, sender, "sender", ` + shop},
		{k.ID, "message.cancel", sent.ID, "ok", ""},
		{k.ID, "account.pause", "shop", "refused", "role_too_low"},
		{"admin", "account.pause", shop, "ok", ""},
		{"admin", "key.revoke", k.ID, "ok", ""},
	}
	all := auditLog(t, g, client.AuditFilter{})
	if diff := cmp.Diff(want, entriesOf(all)); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if all[5].ActorName != "sender" || all[5].Remote != "192.0.2.1" || all[5].Count != 1 || all[5].At.Time.IsZero() {
		t.Errorf("entry %+v, want the key's name, the address, a time", all[5])
	}
}

func TestChangesThatComeToNothingAreNoted(t *testing.T) {
	g := newGateway(t)
	g.seed()
	elsewhere := g.key("admin", sandbox.SeedMiniAppID)
	from := func(key, method, path, body string) {
		g.do(method, path, body, "Authorization", "", "Authorization", "Bearer "+key)
	}
	from(testAdminKey, "PATCH", "/v1/accounts/shop", `{"secret":"not-a-secret"}`)
	from(testAdminKey, "PATCH", "/v1/accounts/shop", `{"not-a-field":1}`)
	from(testAdminKey, "PATCH", "/v1/accounts/shop", `{"name":"`+strings.Repeat("x", maxBody)+`"}`)
	from(testAdminKey, "DELETE", "/v1/accounts/nobody", "")
	from(testAdminKey, "POST", "/v1/messages/msg_0/retry", "")
	from(testAdminKey, "DELETE", "/v1/accounts/shop/templates/none", "")
	from(elsewhere.Key, "POST", "/v1/accounts/shop/resume", "")
	from(elsewhere.Key, "POST", "/v1/keys", `{"name":"x","role":"admin"}`)
	// Reads, sends and requests without a key are no changes.
	from(elsewhere.Key, "GET", "/v1/accounts/shop", "")
	from(testAdminKey, "POST", "/v1/messages", "{}")
	g.do("DELETE", "/v1/accounts/shop", "", "Authorization", "")
	want := map[entry]bool{
		{"admin", "account.update", sandbox.SeedServiceAppID, "failed", "invalid_account /secret"}:             true,
		{"admin", "account.update", "shop", "failed", "unknown_field /not-a-field"}:                            true,
		{"admin", "account.update", "shop", "failed", "body_too_large"}:                                        true,
		{"admin", "account.delete", "nobody", "failed", "unknown_account"}:                                     true,
		{"admin", "message.retry", "msg_0", "failed", "unknown_message"}:                                       true,
		{"admin", "template.delete", sandbox.SeedServiceAppID, "failed", "template_id none, unknown_template"}: true,
		{elsewhere.ID, "account.resume", "shop", "refused", "account_not_covered"}:                             true,
		{elsewhere.ID, "key.create", "", "refused", "account_not_covered"}:                                     true,
	}
	got := map[entry]bool{}
	for _, e := range entriesOf(auditLog(t, g, client.AuditFilter{})) {
		if e.Outcome != "ok" {
			got[e] = true
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what did not succeed (-want +got):\n%s", diff)
	}
}

func TestRefusedLoginsAreGathered(t *testing.T) {
	g := newGateway(t)
	g.remote = "203.0.113.9"
	for range 25 {
		g.do("GET", "/v1/accounts", "", "Authorization", "", "Authorization", "Bearer hyk_guess")
	}
	all := auditLog(t, g, client.AuditFilter{Action: "login."})
	if len(all) != 1 || all[0].Count != 25 || all[0].Remote != g.remote || all[0].Outcome != "refused" || all[0].Actor != "" {
		t.Errorf("log %+v, want one entry for 25", all)
	}
}

func TestAuditLogIsFilteredAndPaged(t *testing.T) {
	g := newGateway(t)
	ctx := t.Context()
	first := g.key("reader")
	for range 4 {
		g.key("reader")
	}
	if err := g.admin.RevokeKey(ctx, first.ID); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		f    client.AuditFilter
		want int
	}{
		"all":              {client.AuditFilter{}, 6},
		"an actor":         {client.AuditFilter{Actor: "admin"}, 6},
		"another actor":    {client.AuditFilter{Actor: first.ID}, 0},
		"an action":        {client.AuditFilter{Action: "key.revoke"}, 1},
		"a noun's actions": {client.AuditFilter{Action: "key."}, 6},
		"a target":         {client.AuditFilter{Target: first.ID}, 2},
		"the future":       {client.AuditFilter{Since: g.store.Now().AddDate(1, 0, 0)}, 0},
	} {
		if got := len(auditLog(t, g, tt.f)); got != tt.want {
			t.Errorf("%s: %d entries, want %d", name, got, tt.want)
		}
	}
	var ids []string
	f := client.AuditFilter{Limit: 4}
	for {
		page, err := g.admin.Audit(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Items {
			ids = append(ids, e.ID)
		}
		if page.NextCursor == nil {
			break
		}
		f.Cursor = *page.NextCursor
	}
	if want := []string{"6", "5", "4", "3", "2", "1"}; !cmp.Equal(want, ids) {
		t.Errorf("pages %v, want %v", ids, want)
	}
	_, err := g.admin.Audit(ctx, client.AuditFilter{Cursor: "x"})
	wantProblem(t, err, 422, "bad_cursor")
	if got := g.do("GET", "/v1/audit?since=yesterday", ""); got.status != 422 {
		t.Errorf("a bad time: %d", got.status)
	}
}

// TestAuditLogAndLogHoldNoSecrets searches all that was written for the secrets
// that went in.
func TestAuditLogAndLogHoldNoSecrets(t *testing.T) {
	g := newGateway(t)
	g.seed()
	ctx := t.Context()
	k := g.key("admin")
	made, err := g.admin.CreateKey(ctx, client.KeyRequest{Name: "shop-backend", Kind: "gateway"})
	if err != nil {
		t.Fatal(err)
	}
	callback := &client.CallbackInput{Token: new("callbacktoken1"), AESKey: new(testAESKey), Mode: new("safe")}
	if _, err := g.client(k.Key).UpdateAccount(ctx, "shop", client.AccountPatch{Secret: new(testSecret), Callback: callback}); err != nil {
		t.Fatal(err)
	}
	// Secrets in wrong places: another kind's, in a field that does not exist, under a name that does not.
	for _, key := range []string{made.Key, "hyk_wrongwrongwrong", testSecret} {
		g.do("GET", "/v1/accounts", "", "Authorization", "", "Authorization", "Bearer "+key)
	}
	g.do("PATCH", "/v1/accounts/shop", `{"secret":"badsecretbadsecret"}`)
	g.do("POST", "/v1/accounts/shop/token/refresh", `{"failed_token":"tokentokentoken"}`)
	list, err := g.admin.Audit(ctx, client.AuditFilter{Limit: 1000})
	if err != nil || len(list.Items) < 8 {
		t.Fatalf("%d entries, %v", len(list.Items), err)
	}
	written := g.do("GET", "/v1/audit?limit=1000", "").body + g.log.String()
	for _, secret := range []string{testAdminKey, k.Key, made.Key, testSecret, sandbox.SeedServiceSecret, "callbacktoken1", testAESKey, "badsecretbadsecret", "hyk_wrong", "tokentokentoken"} {
		if strings.Contains(written, secret) {
			t.Errorf("%s… was written", secret[:6])
		}
	}
	for _, known := range []string{made.Hint, "callback.aes_key", "login.refused"} {
		if !strings.Contains(written, known) {
			t.Errorf("%q is missing: is this the right text?", known)
		}
	}
}

func TestPanicInAHandlerIsAFailedChange(t *testing.T) {
	g := newGateway(t)
	g.api.cfg.Changed = func(string) { panic("out of order") }
	got := g.do("POST", "/v1/accounts", `{"appid":"wx0f1e2d3c4b5a6978","secret":"`+testSecret+`"}`)
	if got.status != 500 {
		t.Fatalf("status %d", got.status)
	}
	want := []entry{{"admin", "account.create", "wx0f1e2d3c4b5a6978", "failed", "internal"}}
	if diff := cmp.Diff(want, entriesOf(auditLog(t, g, client.AuditFilter{}))); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestActionsAreNounAndVerb(t *testing.T) {
	for pattern, want := range map[string]string{
		"POST /v1/accounts":                                   "account.create",
		"PATCH /v1/accounts/{appid}":                          "account.update",
		"DELETE /v1/accounts/{appid}":                         "account.delete",
		"POST /v1/accounts/{appid}/pause":                     "account.pause",
		"POST /v1/accounts/{appid}/templates":                 "template.add",
		"POST /v1/accounts/{appid}/templates/sync":            "template.sync",
		"PUT /v1/accounts/{appid}/templates/{template_id}":    "template.put",
		"POST /v1/accounts/{appid}/token/refresh":             "token.refresh",
		"PUT /v1/accounts/{appid}/token":                      "token.push",
		"POST /v1/accounts/{appid}/downstreams/{name}/replay": "downstream.replay",
		"DELETE /v1/keys/{id}":                                "key.revoke",
		"POST /v1/batches":                                    "batch.create",
		"POST /v1/messages/{id}/release":                      "message.release",
		"GET /v1/accounts/{appid}/token":                      "",
	} {
		method, path, _ := strings.Cut(pattern, " ")
		if got := actionOf(method, path); got != want {
			t.Errorf("%s is %q, want %q", pattern, got, want)
		}
	}
	// Whatever routes.go has is a read, the one send, or an act with a name.
	for path, item := range newSpec(t, newGateway(t)).Paths {
		for method, there := range map[string]bool{"POST": item.Post != nil, "PUT": item.Put != nil, "PATCH": item.Patch != nil, "DELETE": item.Delete != nil} {
			noun, verb, ok := strings.Cut(actionOf(method, path), ".")
			if there && !readsByPost[method+" "+path] && (!ok || noun == "" || verb == "" || strings.ContainsAny(noun+verb, "{}/")) {
				t.Errorf("%s %s is %q", method, path, actionOf(method, path))
			}
		}
	}
}
