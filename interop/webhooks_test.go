package interop

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"hongyan/sandbox"
)

// heard is what a receiver says of a request.
type heard struct {
	Verified *struct {
		ID, Type, Timestamp string
		Data                map[string]any
	}
	ID      string
	Refused string
}

// secretOf is a secret of Standard Webhooks' form, made of one letter.
func secretOf(letter string) string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(letter, 32)))
}

// receiver starts one that knows a secret, and returns its URL.
func receiver(t *testing.T, secret string) (*script, string) {
	t.Helper()
	s := start(t, "standardwebhooks", settings{"SECRET": secret})
	var said struct{ Listening string }
	s.read(t, &said)
	return s, said.Listening + "/hooks/hongyan"
}

// verified is the next request the receiver verified.
func (s *script) verified(t *testing.T) heard {
	t.Helper()
	var h heard
	s.read(t, &h)
	if h.Verified == nil {
		t.Fatalf("%s.js refused a request: %s", s.name, h.Refused)
	}
	if h.ID == "" || h.ID != h.Verified.ID {
		t.Errorf("webhook-id %q of the event %q", h.ID, h.Verified.ID)
	}
	return h
}

// TestAReceiverOfStandardWebhooksVerifiesOurs: from the message to both its events,
// through a rotation of the secret, and not when a byte was changed.
func TestAReceiverOfStandardWebhooksVerifiesOurs(t *testing.T) {
	g := theGateway(t, patiently, sandbox.Options{})
	old, oldURL := receiver(t, secretOf("a"))
	g.call(t, http.MethodPost, "/v1/webhooks", map[string]any{"name": "npm", "url": oldURL, "secret": secretOf("a"), "events": []string{"message.*"}})
	g.call(t, http.MethodPost, "/v1/accounts/"+g.service.appID+"/templates/sync", map[string]any{})
	answer := g.call(t, http.MethodPost, "/v1/messages", map[string]any{
		"appid": g.service.appID, "touser": sandbox.OpenID("", 1), "template_id": sandbox.SeedTemplateOrder, "metadata": map[string]any{"note": "<b>&\u2028 巧克力"},
		"data": map[string]any{"character_string1": "A1001", "thing2": "巧克力", "amount3": "￥39.80", "time4": "2026-11-20 10:15"},
	})
	var message struct{ ID string }
	mustNil(t, json.Unmarshal(answer, &message))
	first := old.verified(t)
	if v := first.Verified; v.Type != "message.accepted" || v.Data["message_id"] != message.ID || v.Data["metadata"].(map[string]any)["note"] != "<b>&\u2028 巧克力" {
		t.Errorf("heard %+v, want that %s was accepted", v, message.ID)
	}
	fresh, freshURL := receiver(t, secretOf("b"))
	g.call(t, http.MethodPost, "/v1/webhooks/npm/rotate", map[string]any{"secret": secretOf("b")})
	g.call(t, http.MethodPost, "/v1/webhooks/npm/test", map[string]any{})
	if v := old.verified(t).Verified; v.Type != "webhook.test" {
		t.Errorf("after the rotation the old secret verified %+v", v)
	}
	g.call(t, http.MethodPatch, "/v1/webhooks/npm", map[string]any{"url": freshURL})
	g.call(t, http.MethodPost, "/v1/webhooks/npm/redeliver", map[string]any{"type": []string{"message.accepted"}})
	again := fresh.verified(t)
	if again.ID != first.ID || again.Verified.Timestamp != first.Verified.Timestamp {
		t.Errorf("redelivered as %s, was %s", again.ID, first.ID)
	}
	g.call(t, http.MethodPost, "/v1/webhooks/npm/rotate", map[string]any{"secret": secretOf("c"), "keep_seconds": 0})
	g.call(t, http.MethodPost, "/v1/webhooks/npm/test", map[string]any{})
	var h heard
	fresh.read(t, &h)
	if h.Verified != nil || h.Refused == "" {
		t.Errorf("a receiver with a secret that no longer signs verified %+v", h.Verified)
	}
}

// TestAReceiverRefusesWhatWasChanged: what the test above relies on.
func TestAReceiverRefusesWhatWasChanged(t *testing.T) {
	s, at := receiver(t, secretOf("a"))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at, strings.NewReader(`{"type":"forged"}`))
	mustNil(t, err)
	req.Header.Set("webhook-id", "evt_1")
	req.Header.Set("webhook-timestamp", time.Now().UTC().Format("20060102"))
	req.Header.Set("webhook-signature", "v1,AAAA")
	resp, err := http.DefaultClient.Do(req)
	mustNil(t, err)
	mustNil(t, resp.Body.Close())
	var h heard
	if s.read(t, &h); resp.StatusCode != http.StatusBadRequest || h.Refused == "" {
		t.Errorf("HTTP %d, %+v, want it refused", resp.StatusCode, h)
	}
}
