package servertest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"hongyan/client"
	"hongyan/internal/apidoc"
	"hongyan/sandbox"
)

// mayFail are operations that read or have an example, and why they cannot succeed here.
var mayFail = map[string]string{
	"retryBatch": "no message of the batch has failed",
	"testRule":   "nobody has followed",
}

// arrange makes what an operation is about, and returns its path with the names of it.
func (k *caller) arrange(t *testing.T, op apidoc.Operation) string {
	t.Helper()
	if op.ID() == "pushToken" {
		k.tokenSource(t, "external")
		t.Cleanup(func() { k.tokenSource(t, "stable") })
	}
	path := op.Path
	for strings.Contains(path, "{") {
		from, to := strings.Index(path, "{"), strings.Index(path, "}")+1
		pattern := op.Path[:strings.Index(op.Path, path[from:to])+to-from]
		if pattern == "/v1/accounts/{appid}" && ofMiniPrograms[op.ID()] {
			path = strings.Replace(path, "{appid}", sandbox.SeedMiniAppID, 1)
			continue
		}
		make, known := things[pattern]
		if !known {
			t.Fatalf("nothing here makes what %s names; see things", pattern)
		}
		path = path[:from] + make(k, t) + path[to:]
	}
	return path
}

func (k *caller) tokenSource(t *testing.T, source string) {
	t.Helper()
	if _, err := k.admin.UpdateAccount(context.WithoutCancel(t.Context()), Alias, client.AccountPatch{TokenSource: &source}); err != nil {
		t.Fatal(err)
	}
}

// things make what a path names, by its beginning, and return the name.
var things = map[string]func(*caller, *testing.T) string{
	"/v1/accounts/{appid}":                           called(sandbox.SeedServiceAppID),
	"/v1/accounts/{appid}/templates/{template_id}":   called(sandbox.SeedTemplateHistorical),
	"/v1/accounts/{appid}/templates/aliases/{alias}": called("order_paid"),
	"/v1/accounts/{appid}/templates/library/{tid}":   called("401"),
	"/v1/accounts/{appid}/downstreams/{name}":        called("crm"),
	"/v1/accounts/{appid}/rules/{name}":              (*caller).makeRule,
	"/v1/accounts/{appid}/users/{openid}":            called(sandbox.OpenID("", 9)),
	"/v1/accounts/{appid}/suppressions/{openid}":     (*caller).makeSuppression,
	"/v1/accounts/{appid}/erasures/{id}":             (*caller).makeErasure,
	"/v1/batches/{id}":                               (*caller).makeBatch,
	"/v1/keys/{id}":                                  (*caller).makeKey,
	"/v1/messages/{id}":                              (*caller).makeMessage,
	"/v1/webhooks/{id}":                              (*caller).makeWebhook,
	"/v1/webhooks/{id}/deliveries/{delivery}":        (*caller).makeDelivery,
}

// ofMiniPrograms are operations that are about mini programs alone.
var ofMiniPrograms = map[string]bool{"addForms": true, "listForms": true, "reportConsents": true, "listConsents": true, "convertTemplate": true}

// called is a thing that is there already, or whose name is the caller's to choose.
func called(name string) func(*caller, *testing.T) string {
	return func(*caller, *testing.T) string { return name }
}

// makeMessage makes one that waits.
func (k *caller) makeMessage(t *testing.T) string {
	t.Helper()
	later := client.NewMessage(Alias, sandbox.OpenID("", 7), sandbox.SeedTemplateQueue, client.Values{"thing1": "人民路店", "character_string2": "27", "time3": "10:15"})
	later.SendAt = time.Now().Add(time.Hour)
	sent, err := k.admin.Send(t.Context(), later)
	if err != nil {
		t.Fatal(err)
	}
	return sent.ID
}

// makeWebhook makes an endpoint that takes everything, and remembers it.
func (k *caller) makeWebhook(t *testing.T) string {
	t.Helper()
	if k.endpoint == nil {
		k.endpoint = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	}
	made, err := k.admin.CreateWebhook(t.Context(), client.WebhookRequest{Name: t.Name(), URL: k.endpoint.URL})
	if err != nil {
		t.Fatal(err)
	}
	k.webhook = made.Webhook.ID
	return k.webhook
}

// makeDelivery lets something happen that the endpoint made before is told.
func (k *caller) makeDelivery(t *testing.T) string {
	t.Helper()
	if _, err := k.admin.Cancel(t.Context(), k.makeMessage(t)); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		page, err := k.admin.WebhookDeliveries(t.Context(), k.webhook, client.WebhookDeliveryFilter{})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Items) > 0 {
			return page.Items[0].ID
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the endpoint was told nothing in ten seconds")
	return ""
}

func (k *caller) makeKey(t *testing.T) string {
	t.Helper()
	made, err := k.admin.CreateKey(t.Context(), client.KeyRequest{Name: "example", Role: client.RoleReader})
	if err != nil {
		t.Fatal(err)
	}
	return made.ID
}

// makeRule makes the rule of the example under another name, once.
func (k *caller) makeRule(t *testing.T) string {
	t.Helper()
	const name = "greeting"
	rule := client.RuleRequest{Name: name, On: "follow", Message: client.RuleMessage{TemplateID: sandbox.SeedTemplateQueue,
		Data: map[string]client.Field{"thing1": {Value: "欢迎"}, "character_string2": {Value: "1"}, "time3": {Value: "{{time}}"}}}}
	if _, err := k.admin.Rule(t.Context(), Alias, name); errors.Is(err, client.CodeUnknownRule) {
		if _, err := k.admin.CreateRule(t.Context(), Alias, rule); err != nil {
			t.Fatal(err)
		}
	}
	return name
}

func (k *caller) makeSuppression(t *testing.T) string {
	t.Helper()
	openID := sandbox.OpenID("", 8)
	if _, err := k.admin.PutSuppressions(t.Context(), Alias, client.SuppressionsPut{Items: []client.SuppressionInput{{OpenID: openID}}}); err != nil {
		t.Fatal(err)
	}
	return openID
}

func (k *caller) makeErasure(t *testing.T) string {
	t.Helper()
	e, err := k.admin.EraseUser(t.Context(), Alias, sandbox.OpenID("", 10), true)
	if err != nil {
		t.Fatal(err)
	}
	return e.ID
}

// makeBatch makes the batch of the example with, but for an upload, the example's rows.
func (k *caller) makeBatch(t *testing.T) string {
	t.Helper()
	made := k.do(t, http.MethodPost, "/v1/batches", k.example(t, "createBatch"))
	var b client.Batch
	if err := json.Unmarshal([]byte(made.body), &b); err != nil || made.status != http.StatusCreated {
		t.Fatalf("status %d, %s", made.status, made.body)
	}
	if strings.Contains(t.Name(), "uploadRecipients") {
		return b.ID
	}
	if got := k.do(t, http.MethodPost, "/v1/batches/"+b.ID+"/recipients", k.example(t, "uploadRecipients")); got.status != http.StatusOK {
		t.Fatalf("status %d, %s", got.status, got.body)
	}
	if strings.Contains(t.Name(), "retryBatch") {
		k.do(t, http.MethodPost, "/v1/batches/"+b.ID+"/cancel", exampleCall{})
	}
	return b.ID
}

// example is the first example of an operation.
func (k *caller) example(t *testing.T, id string) exampleCall {
	t.Helper()
	all := k.doc.Operations()
	i := slices.IndexFunc(all, func(op apidoc.Operation) bool { return op.ID() == id })
	if i < 0 {
		t.Fatalf("there is no operation %s", id)
	}
	return exampleCalls(all[i])[0]
}
