package api

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/client"
	"hongyan/sandbox"
)

func TestAWebhookFromCreationToRemoval(t *testing.T) {
	g := newGateway(t)
	g.seed()
	ctx := t.Context()
	made, err := g.admin.CreateWebhook(ctx, client.WebhookRequest{Name: "orders", URL: "https://shop.example.com/hooks", Events: []string{"message.*"}, AppIDs: []string{"shop"}})
	if err != nil {
		t.Fatal(err)
	}
	id := made.Webhook.ID
	if !strings.HasPrefix(made.Secret, "whsec_") || made.Webhook.AppIDs[0] != sandbox.SeedServiceAppID || len(made.Webhook.Secrets) != 1 {
		t.Errorf("made %+v", made)
	}
	if got := g.do("GET", "/v1/webhooks", ""); strings.Contains(got.body, made.Secret) || !strings.Contains(got.body, id) {
		t.Errorf("list %s", got.body)
	}
	byName, err := g.admin.Webhook(ctx, "orders")
	if err != nil || byName.ID != id {
		t.Errorf("by name: %+v, %v", byName, err)
	}
	events := []string{"message.delivered", "quota.threshold"}
	changed, err := g.admin.UpdateWebhook(ctx, id, client.WebhookPatch{Events: &events, AppIDs: &[]string{}, Disabled: new(true)})
	if err != nil || !changed.Disabled || changed.DisabledReason != "an operator disabled it" || changed.DisabledReasonZH != "已被人工停用" || len(changed.AppIDs) != 0 || !cmp.Equal(changed.Events, events) {
		t.Errorf("changed %+v, %v", changed, err)
	}
	if _, err := g.admin.RedeliverWebhook(ctx, id, client.Redelivery{}); !problemIs(err, "webhook_disabled") {
		t.Errorf("redeliver to a disabled one: %v", err)
	}
	if _, err := g.admin.ResumeWebhook(ctx, id); !problemIs(err, "webhook_disabled") || !strings.Contains(fmt.Sprint(err), "hongyan webhook set orders --enable") {
		t.Errorf("resume a disabled one: %v", err)
	}
	changed, err = g.admin.UpdateWebhook(ctx, id, client.WebhookPatch{Disabled: new(false)})
	if err != nil || changed.Disabled || changed.DisabledAt != nil {
		t.Errorf("used again: %+v, %v", changed, err)
	}
	rotated, err := g.admin.RotateWebhook(ctx, id, client.WebhookRotation{})
	if err != nil || rotated.Secret == made.Secret || len(rotated.Webhook.Secrets) != 2 || rotated.Webhook.Secrets[1].Until == nil {
		t.Errorf("rotated %+v, %v", rotated, err)
	}
	rotated, err = g.admin.RotateWebhook(ctx, id, client.WebhookRotation{KeepSeconds: new(int64(0))})
	if err != nil || len(rotated.Webhook.Secrets) != 1 {
		t.Errorf("rotated at once: %+v, %v", rotated, err)
	}
	paused, err := g.admin.PauseWebhook(ctx, id)
	if err != nil || !paused.Paused {
		t.Errorf("paused %+v, %v", paused, err)
	}
	if resumed, err := g.admin.ResumeWebhook(ctx, id); err != nil || resumed.Paused {
		t.Errorf("resumed %+v, %v", resumed, err)
	}
	if err := g.admin.DeleteWebhook(ctx, id); err != nil {
		t.Fatal(err)
	}
	if _, err := g.admin.Webhook(ctx, id); !problemIs(err, "unknown_webhook") {
		t.Errorf("after it was removed: %v", err)
	}
	for _, secret := range []string{made.Secret, rotated.Secret} {
		if strings.Contains(g.log.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
}

func problemIs(err error, code string) bool {
	p, ok := err.(*client.Problem)
	return ok && p.Code == code
}

func TestARobotIsToldAlarmsAndItsKeyIsNotShown(t *testing.T) {
	g := newGateway(t)
	made, err := g.admin.CreateWebhook(t.Context(), client.WebhookRequest{Name: "群", Kind: "wecom", URL: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=SEKRETKEY", Language: "zh"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(hongyan.AlarmTypes(), made.Webhook.Events); diff != "" || made.Secret != "" {
		t.Errorf("%s; secret %q", diff, made.Secret)
	}
	if made.Webhook.URL != "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?…" || strings.Contains(g.do("GET", "/v1/webhooks", "").body, "SEKRETKEY") {
		t.Errorf("url %s", made.Webhook.URL)
	}
	if _, err := g.admin.RotateWebhook(t.Context(), made.Webhook.ID, client.WebhookRotation{}); !problemIs(err, "not_rotated") {
		t.Errorf("rotate: %v", err)
	}
}

func TestBadWebhooksAreRefused(t *testing.T) {
	g := newGateway(t)
	g.seed()
	if _, err := g.admin.CreateWebhook(t.Context(), client.WebhookRequest{Name: "taken", URL: "https://a.example"}); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ body, code, pointer, detail string }{
		"no name":             {`{"url":"https://a.example"}`, "invalid_webhook", "/name", "required"},
		"no url":              {`{"name":"a"}`, "invalid_webhook", "/url", "required"},
		"another scheme":      {`{"name":"a","url":"ftp://a.example"}`, "invalid_webhook", "/url", "not an absolute one"},
		"a password":          {`{"name":"a","url":"https://u:SEKRET@a.example"}`, "invalid_webhook", "/url", "no user"},
		"a mistyped event":    {`{"name":"a","url":"https://a.example","events":["message.deliverd"]}`, "invalid_webhook", "/events/0", `did you mean "message.delivered"`},
		"a kind nobody knows": {`{"name":"a","kind":"slack","url":"https://a.example"}`, "invalid_webhook", "/kind", `"slack"`},
		"a strange account":   {`{"name":"a","url":"https://a.example","appids":["wx9"]}`, "invalid_webhook", "/appids/0", "wx9"},
		"a short secret":      {`{"name":"a","url":"https://a.example","secret":"whsec_SEKRET"}`, "invalid_webhook", "/secret", "24 to 64"},
		"a robot without key": {`{"name":"a","kind":"wecom","url":"https://qyapi.weixin.qq.com/cgi-bin/webhook/send"}`, "invalid_webhook", "/url", "key="},
		"a secret for wecom":  {`{"name":"a","kind":"wecom","url":"https://q.example/?key=a","secret":"SEKRETSEKRET"}`, "invalid_webhook", "/secret", "its URL is one"},
		"a name that is used": {`{"name":"taken","url":"https://a.example"}`, "webhook_exists", "", ""},
		"an unknown field":    {`{"name":"a","uri":"https://a.example"}`, "unknown_field", "/uri", "url"},
	} {
		p := g.do("POST", "/v1/webhooks", tt.body).problem(t)
		if p.Code != tt.code {
			t.Errorf("%s: code %s, want %s", name, p.Code, tt.code)
		}
		if tt.pointer != "" && (len(p.Errors) == 0 || p.Errors[0].Pointer != tt.pointer || !strings.Contains(p.Errors[0].Detail, tt.detail)) {
			t.Errorf("%s: %+v, want %s with %q", name, p.Errors, tt.pointer, tt.detail)
		}
		if strings.Contains(fmt.Sprint(p), "SEKRET") {
			t.Errorf("%s: the answer repeats a secret: %+v", name, p)
		}
	}
}

func TestAKeyOfOneAccountSeesAndMakesWebhooksOfThatAlone(t *testing.T) {
	g := newGateway(t)
	g.seed()
	mini := g.client(g.key("admin", sandbox.SeedMiniAppID).Key)
	whole, err := g.admin.CreateWebhook(t.Context(), client.WebhookRequest{Name: "whole", URL: "https://a.example"})
	if err != nil {
		t.Fatal(err)
	}
	made, err := mini.CreateWebhook(t.Context(), client.WebhookRequest{Name: "mini", URL: "https://a.example"})
	if err != nil || !cmp.Equal(made.Webhook.AppIDs, []string{sandbox.SeedMiniAppID}) {
		t.Errorf("%+v, %v, want one of the key's account", made, err)
	}
	list, err := mini.Webhooks(t.Context())
	if err != nil || len(list.Items) != 1 {
		t.Errorf("%+v, %v, want its own alone", list, err)
	}
	if _, err := mini.Webhook(t.Context(), whole.Webhook.ID); !problemIs(err, "unknown_webhook") {
		t.Errorf("another's: %v", err)
	}
	if _, err := mini.CreateWebhook(t.Context(), client.WebhookRequest{Name: "more", URL: "https://a.example", AppIDs: []string{"shop"}}); !problemIs(err, "invalid_webhook") {
		t.Errorf("for an account it does not cover: %v", err)
	}
}

func TestAMessageTellsWhichWebhooksHeardOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		g.seed()
		var mu sync.Mutex
		var bodies []string
		down := true
		g.sandbox.RegisterHost("hooks.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			raw, _ := io.ReadAll(r.Body)
			mu.Lock()
			defer mu.Unlock()
			bodies = append(bodies, string(raw))
			if down {
				http.Error(w, "down for now", 500)
			}
		}))
		g.run()
		g.runHerald()
		made, err := g.admin.CreateWebhook(t.Context(), client.WebhookRequest{Name: "a", URL: "http://hooks.test/in"})
		if err != nil {
			t.Fatal(err)
		}
		id := made.Webhook.ID
		m, err := g.admin.Send(t.Context(), order(sandbox.OpenID("", 1)))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		shown, err := g.admin.Message(t.Context(), m.ID)
		if err != nil || len(shown.Webhooks) != 1 || shown.Webhooks[0].Type != "message.accepted" || shown.Webhooks[0].State != "pending" || *shown.Webhooks[0].LastStatus != 500 {
			t.Fatalf("%+v, %v", shown.Webhooks, err)
		}
		mu.Lock()
		down = false
		mu.Unlock()
		time.Sleep(10 * time.Second)
		d, err := g.admin.WebhookDelivery(t.Context(), id, shown.Webhooks[0].DeliveryID)
		if err != nil || d.State != "delivered" || d.Attempts != 2 || *d.MessageID != m.ID || d.Request.Headers["webhook-id"] != d.EventID || d.Request.Body != bodies[0] || bodies[1] != bodies[0] {
			t.Errorf("%+v, %v; bodies %q", d, err, bodies)
		}
		if !strings.Contains(d.Request.Body, `"touser":"`+sandbox.OpenID("", 1)+`"`) || !strings.Contains(d.Request.Body, `"state":"accepted"`) {
			t.Errorf("body %s", d.Request.Body)
		}
		if len(d.History) != 2 || *d.History[0].Status != 500 || d.History[0].Error != "answered 500" || d.History[0].Answer != "down for now\n" ||
			*d.History[1].Status != 200 || d.History[1].Error != "" || !d.History[1].At.Time.Equal(d.LastAt.Time) || !d.History[0].At.Time.Before(d.LastAt.Time) {
			t.Errorf("attempts %+v, want the one that was refused and the one that was taken", d.History)
		}
		reader := g.client(g.key("reader").Key)
		if d, err := reader.WebhookDelivery(t.Context(), id, d.ID); err != nil || d.History[0].Answer != masked || *d.History[0].Status != 500 {
			t.Errorf("to a reader: %+v, %v, want the answer masked", d.History, err)
		}
		trial, err := g.admin.TestWebhook(t.Context(), id)
		if err != nil || !trial.OK || *trial.Status != 200 || !strings.Contains(bodies[2], "webhook.test") {
			t.Errorf("trial %+v, %v", trial, err)
		}
		again, err := g.admin.RedeliverWebhook(t.Context(), id, client.Redelivery{Types: []string{"message.*"}, States: []string{"delivered"}})
		if err != nil || again.Count != 1 {
			t.Errorf("redelivered %+v, %v", again, err)
		}
		time.Sleep(time.Second)
		list, err := g.admin.WebhookDeliveries(t.Context(), id, client.WebhookDeliveryFilter{States: []string{"delivered"}, Types: []string{"message.accepted"}})
		if err != nil || len(list.Items) != 1 || len(bodies) != 4 || bodies[3] != bodies[0] {
			t.Errorf("%+v, %v, %d requests", list, err, len(bodies))
		}
		hook, err := g.admin.Webhook(t.Context(), id)
		if err != nil || hook.Delivered != 1 || hook.Pending != 0 {
			t.Errorf("%+v, %v", hook, err)
		}
		for query, pointer := range map[string]string{"type=nothing": "/query/type", "state=lost": "/query/state", "cursor=x": "/query/cursor"} {
			if p := g.do("GET", "/v1/webhooks/"+id+"/deliveries?"+query, "").problem(t); len(p.Errors) == 0 || p.Errors[0].Pointer != pointer {
				t.Errorf("%s: %+v", query, p)
			}
		}
	})
}
