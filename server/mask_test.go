package server

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hongyan/client"
	"hongyan/sandbox"
)

// TestAReaderSeesNobodyAnywhere: one openid and one value go through a message, both
// kinds of rows of a batch, a rule and an endpoint that echoes; whatever a reader gets
// has neither.
func TestAReaderSeesNobodyAnywhere(t *testing.T) {
	const value = "MARKEDVALUE"
	config := testConfig(t)
	config.AllowPrivate = []string{"127.0.0.0/8"}
	g, control := newCaring(t, config)
	ctx, user := t.Context(), sandbox.OpenID("", 47)
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	t.Cleanup(echo.Close)
	hook, err := g.client.CreateWebhook(ctx, client.WebhookRequest{Name: "echo", URL: echo.URL})
	must(t, err)
	data := orderTo(user).Data
	data["thing2"] = client.Field{Value: value}
	_, err = g.client.CreateRule(ctx, "shop", client.RuleRequest{Name: "broken", On: "follow", Message: client.RuleMessage{
		TemplateID: sandbox.SeedTemplateOrder,
		Data:       map[string]client.Field{"character_string1": {Value: "{{openid}}" + strings.Repeat("x", 20)}, "thing2": {Value: "欢迎"}, "amount3": data["amount3"], "time4": {Value: "{{time}}"}},
	}})
	must(t, err)
	control("/users/"+user, `{"appid":"`+sandbox.SeedServiceAppID+`","follows":false}`)
	control("/users/"+user, `{"appid":"`+sandbox.SeedServiceAppID+`","follows":true}`)
	await(t, "the rule is refused", func(ctx context.Context) (client.Rule, error) { return g.client.Rule(ctx, "shop", "broken") },
		func(r client.Rule) bool { return r.Refused > 0 })
	batch, err := g.client.CreateBatch(ctx, client.BatchRequest{AppID: "shop", Name: "marked", TemplateID: sandbox.SeedTemplateOrder,
		Data: map[string]client.Field{"character_string1": {Value: "A1"}, "thing2": {Value: "{{what}}"}, "amount3": data["amount3"], "time4": data["time4"]}})
	must(t, err)
	rows := "openid,what\n" + user + "," + value + "\n" + user + value + "," + value + "\n" + sandbox.OpenID("", 48) + "," + user + value + strings.Repeat("y", 60) + "\n"
	_, err = g.client.UploadRecipients(ctx, batch.ID, strings.NewReader(rows), client.Upload{ContentType: client.CSV})
	must(t, err)
	_, err = g.client.StartBatch(ctx, batch.ID, client.BatchStart{SkipBad: true})
	must(t, err)
	await(t, "the batch ends", func(ctx context.Context) (client.Batch, error) { return g.client.Batch(ctx, batch.ID) },
		func(b client.Batch) bool { return b.EndedAt != nil })
	message := orderTo(user)
	message.Data, message.ClientMsgID, message.Metadata = data, "of-"+value, []byte(`{"a":"`+value+`"}`)
	sent, err := g.client.Send(ctx, message)
	must(t, err)
	g.until(t, sent.ID, func(m client.Message) bool { return m.Final })
	await(t, "the endpoint is told", func(ctx context.Context) (client.Webhook, error) { return g.client.Webhook(ctx, hook.Webhook.ID) },
		func(w client.Webhook) bool { return w.Delivered > 3 && w.Pending == 0 })
	told, err := g.client.WebhookDeliveries(ctx, hook.Webhook.ID, client.WebhookDeliveryFilter{})
	must(t, err)

	shop, recipients, hooks := "/v1/accounts/shop", "/v1/batches/"+batch.ID, "/v1/webhooks/"+hook.Webhook.ID
	// Where a personal key sees the person, and where nobody should.
	paths := map[string]bool{
		"/v1/messages": true, "/v1/messages/" + sent.ID: true, "/v1/events": true, "/v1/pushes": true,
		shop + "/rules": false, shop + "/rules/broken": false, shop + "/rules/broken/firings": true, shop + "/deliveries": false,
		shop + "/suppressions": false, shop + "/consents": false, shop + "/form_ids": false,
		"/v1/batches": false, recipients: false, recipients + "/problems": true, recipients + "/problems.csv": true, recipients + "/results.csv": true, recipients + "/results.xlsx": true,
		"/v1/webhooks": false, hooks: false, hooks + "/deliveries": true,
	}
	for _, d := range told.Items {
		paths[hooks+"/deliveries/"+d.ID] = strings.HasPrefix(d.Type, "message.")
	}
	for _, personal := range []bool{true, false} {
		key, err := g.client.CreateKey(ctx, client.KeyRequest{Name: "dashboard", Role: "reader", Personal: personal})
		must(t, err)
		for path, shows := range paths {
			text := readAll(t, g.url+path, key.Key)
			if found := strings.Contains(text, user) || strings.Contains(text, value); found != (shows && personal) {
				t.Errorf("personal %v: %s shows the person: %v\n%s", personal, path, found, text)
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// readAll is what a key gets from an address; the parts of a workbook one after another.
func readAll(t *testing.T, url, key string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	must(t, err)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s", url, res.Status, raw)
	}
	if !strings.HasSuffix(url, ".xlsx") {
		return string(raw)
	}
	book, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	must(t, err)
	var text strings.Builder
	for _, part := range book.File {
		r, err := part.Open()
		must(t, err)
		_, err = io.Copy(&text, r)
		must(t, err)
		_ = r.Close()
	}
	return text.String()
}
