package api

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan/client"
	"hongyan/dispatch"
	"hongyan/sandbox"
)

func TestSentMessageIsAcceptedByWeChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		g.seed()
		g.run()
		synctest.Wait()
		req := order(sandbox.OpenID("", 1))
		req.Metadata = json.RawMessage(`{"order":1001}`)
		sent, err := g.admin.Send(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if sent.Final || sent.MsgID != nil || sent.Errcode != nil || len(sent.Attempts) != 0 {
			t.Errorf("answer knows more than it can: %+v", sent.Message)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		got, err := g.admin.Message(t.Context(), sent.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.State != "accepted" || got.Final || got.MsgID == nil || got.Errcode == nil || *got.Errcode != 0 || got.AcceptedAt == nil {
			t.Errorf("message %+v, want it accepted with a msgid", got)
		}
		if len(got.Attempts) != 1 || got.Attempts[0].Outcome != "answered" || got.Attempts[0].N != 1 {
			t.Errorf("attempts %+v, want one answered", got.Attempts)
		}
		if string(got.Metadata) != `{"order":1001}` {
			t.Errorf("metadata %s", got.Metadata)
		}
		var body struct {
			ToUser      string `json:"touser"`
			ClientMsgID string `json:"client_msg_id"`
		}
		if err := json.Unmarshal(got.Payload, &body); err != nil || body.ToUser != req.ToUser || body.ClientMsgID != sent.ID {
			t.Errorf("payload %s (%v), want WeChat's body", got.Payload, err)
		}
	})
}

// TestMessageAnswer holds the answer against the contract, name by name.
func TestMessageAnswer(t *testing.T) {
	g := newGateway(t)
	g.seed()
	body := orderJSON(t, `"data"`, `"send_at":"2100-01-01T08:00:00.5+08:00","data"`)
	if got := g.do("POST", "/v1/messages", body); got.status != 422 {
		t.Errorf("status %d of a message 70 years ahead, want 422", got.status)
	}
	at := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	body = orderJSON(t, `"data"`, `"send_at":"`+at.Format(time.RFC3339)+`","data"`)
	got := g.do("POST", "/v1/messages", body)
	if got.status != 202 || got.header.Get("Content-Type") != "application/json" {
		t.Fatalf("status %d, header %v, body %s", got.status, got.header, got.body)
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(got.body), &m); err != nil {
		t.Fatal(err)
	}
	id, _ := m["id"].(string)
	if !strings.HasPrefix(id, "msg_") || got.header.Get("Location") != "/v1/messages/"+id {
		t.Errorf("id %q, Location %q", id, got.header.Get("Location"))
	}
	for _, name := range []string{"id", "client_msg_id", "created_at", "updated_at", "expires_at"} {
		if m[name] == "" || m[name] == nil {
			t.Errorf("%s is empty", name)
		}
		delete(m, name)
	}
	want := map[string]any{
		"appid": sandbox.SeedServiceAppID, "kind": "template", "touser": sandbox.OpenID("", 1), "template_id": sandbox.SeedTemplateOrder,
		"state": "queued", "reason": "", "final": false, "msgid": nil, "answered_msgid": nil, "errcode": nil, "errcode_info": nil, "errmsg": "", "rid": "",
		"due_at": at.Format("2006-01-02T15:04:05.000Z"), "accepted_at": nil, "attempts": []any{}, "receipt": nil, "hold": nil,
		"priority": "normal", "metadata": nil, "retry_of": nil, "batch": nil, "batch_row": nil, "in_review": false, "may_duplicate": false, "receipt_overdue": false,
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func TestIdempotencyKey(t *testing.T) {
	g := newGateway(t)
	g.seed()
	body := orderJSON(t)
	first := g.do("POST", "/v1/messages", body, "Idempotency-Key", "order-1001-paid")
	if first.status != 202 || first.header.Get("Idempotency-Replayed") != "" {
		t.Fatalf("first: status %d, body %s", first.status, first.body)
	}
	again := g.do("POST", "/v1/messages", body, "Idempotency-Key", "order-1001-paid")
	if again.status != 200 || again.header.Get("Idempotency-Replayed") != "true" || again.body != first.body {
		t.Errorf("again: status %d, header %v, body %s", again.status, again.header, again.body)
	}
	other := g.do("POST", "/v1/messages", body+"\n", "Idempotency-Key", "order-1001-paid")
	if p := other.problem(t); other.status != 422 || p.Code != "idempotency_key_reused" {
		t.Errorf("other body: status %d, problem %+v", other.status, p)
	}
	all, err := g.admin.Messages(t.Context(), client.MessageFilter{})
	if err != nil {
		t.Fatal(err)
	}
	if len(all.Items) != 1 {
		t.Errorf("%d messages, want one", len(all.Items))
	}
}

func TestRepeatedClientMsgIDAnswersTheFirst(t *testing.T) {
	g := newGateway(t)
	g.seed()
	req := order(sandbox.OpenID("", 1))
	req.ClientMsgID = "order-1001"
	first, err := g.admin.Send(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	req.Data["thing2"] = client.Field{Value: "other"}
	again, err := g.admin.Send(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if again.ID != first.ID || again.Replayed {
		t.Errorf("again %s (replayed %v), want %s", again.ID, again.Replayed, first.ID)
	}
}

// TestHarmlessInput is what real callers send and WeChat takes.
func TestHarmlessInput(t *testing.T) {
	g := newGateway(t)
	g.seed()
	for name, body := range map[string]string{
		"empty optional fields":    orderJSON(t, `"data"`, `"url":"","miniprogram":{"appid":"","pagepath":""},"topcolor":"","color":"","page":"","client_msg_id":"","metadata":{},"priority":"","kind":"","data"`),
		"null optional fields":     orderJSON(t, `"data"`, `"url":null,"miniprogram":null,"metadata":null,"send_at":null,"expires_at":null,"data"`),
		"white space around":       "\n " + orderJSON(t) + "\r\n",
		"the alias for the appid":  orderJSON(t, sandbox.SeedServiceAppID, "shop"),
		"an object without colour": orderJSON(t, `"A1001"`, `{"value":"A1001"}`),
	} {
		t.Run(name, func(t *testing.T) {
			got := g.do("POST", "/v1/messages", body, "Content-Type", "application/x-www-form-urlencoded")
			if got.status != 202 {
				t.Errorf("status %d, body %s", got.status, got.body)
			}
		})
	}
}

// TestMessageBodyIsMessageRequest keeps the gateway's struct and the client's alike.
func TestMessageBodyIsMessageRequest(t *testing.T) {
	got, want := jsonNames(reflect.TypeFor[messageBody]()), jsonNames(reflect.TypeFor[client.MessageRequest]())
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields (-client +gateway):\n%s", diff)
	}
}

func jsonNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "-" {
			names = append(names, name)
		}
	}
	return names
}

func FuzzDecodeMessage(f *testing.F) {
	f.Add([]byte(`{"appid":"wx","data":{"thing1":"x","amount2":{"value":"1","color":"#fff"}},"metadata":{"a":[1]}}`))
	f.Add([]byte(`{"data":"{}"}`))
	f.Add([]byte(`{"data":{"a.DATA":{}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var b messageBody
		err := decodeStrict(raw, &b)
		if err == nil {
			_, err = b.request()
		}
		if err == nil {
			return
		}
		p := newProblem("req_1", err)
		if p.Status < 400 || p.Status > 422 || p.Detail == "" {
			t.Errorf("problem %+v of %q", p, raw)
		}
	})
}

// BenchmarkSendOwnWork is what the handler does beside the engine's and the
// store's work: decode, translate, show.
func BenchmarkSendOwnWork(b *testing.B) {
	raw := []byte(`{"appid":"wxa1a1a1a1a1a1a1a1","touser":"oUser00000000000000000000001","template_id":"SandboxTyped-OrderPaid-00000000000000000002","data":{"character_string1":"A1001","thing2":"巧克力","amount3":{"value":"￥39.80","color":"#173177"},"time4":"2026-11-20 10:15"}}`)
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		var m messageBody
		if err := decodeStrict(raw, &m); err != nil {
			b.Fatal(err)
		}
		if _, err := m.request(); err != nil {
			b.Fatal(err)
		}
		buf := getBuffer()
		done := dispatch.Submitted{}
		done.Message.CreatedAt, done.Message.UpdatedAt, done.Message.DueAt, done.Message.ExpiresAt = now, now, now, now
		if err := encode(buf, viewMessage(&done.Message, now)); err != nil {
			b.Fatal(err)
		}
		putBuffer(buf)
	}
}
