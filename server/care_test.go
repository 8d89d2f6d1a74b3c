package server

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
)

// newCaring is a gateway whose account's pushes arrive, and the sandbox's control API.
func newCaring(t *testing.T, config Config) (*gateway, func(path, body string)) {
	t.Helper()
	box, wechatURL := startSandbox(t)
	config.Accounts = []AccountConfig{{
		AppID: sandbox.SeedServiceAppID, Secret: sandbox.SeedServiceSecret, Alias: "shop", BaseURL: wechatURL,
		Callback: CallbackConfig{Token: sandbox.SeedCallbackToken},
	}}
	g := startGateway(t, config)
	if err := box.SetServerURL(sandbox.SeedServiceAppID, g.url+"/callback/"+sandbox.SeedServiceAppID, "", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := g.client.SyncTemplates(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	return g, func(path, body string) {
		t.Helper()
		res, err := http.Post(wechatURL+"/sandbox/v1"+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", path, res.Status)
		}
	}
}

// await asks until ok holds.
func await[T any](t *testing.T, what string, ask func(context.Context) (T, error), ok func(T) bool) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var got T
	for {
		var err error
		if got, err = ask(ctx); err != nil {
			t.Fatalf("%s: %v, the last is %+v", what, err, got)
		}
		if ok(got) {
			return got
		}
	}
}

// TestAFollowerIsGreeted: a rule on follow (S57), once for a user; a try beforehand
// changes nothing, and a message that breaks a rule shows with the rule.
func TestAFollowerIsGreeted(t *testing.T) { onBoth(t, aFollowerIsGreeted) }

func aFollowerIsGreeted(t *testing.T, config Config) {
	g, control := newCaring(t, config)
	ctx, user := t.Context(), sandbox.OpenID("", 41)
	control("/users/"+user, `{"appid":"`+sandbox.SeedServiceAppID+`","follows":false}`)
	welcome := client.RuleRequest{Name: "welcome", On: "follow", OncePer: "ever", Message: client.RuleMessage{
		TemplateID: sandbox.SeedTemplateOrder, URL: "https://shop.example.com/?u={{openid}}",
		Data: map[string]client.Field{"character_string1": {Value: "{{event.Event}}"}, "thing2": {Value: "欢迎关注"}, "amount3": {Value: "￥0.00"}, "time4": {Value: "{{time}}"}},
	}}
	if _, err := g.client.CreateRule(ctx, "shop", welcome); err != nil {
		t.Fatal(err)
	}
	broken := welcome
	broken.Name, broken.OncePer, broken.Message.Data = "broken", "", map[string]client.Field{"thing2": {Value: "欢迎关注"}}
	if _, err := g.client.CreateRule(ctx, "shop", broken); err != nil {
		t.Fatal(err)
	}
	if _, err := g.client.TestRule(ctx, "shop", "welcome", ""); err == nil || !strings.Contains(err.Error(), "no_push") {
		t.Errorf("a try before any push: %v, want no_push", err)
	}
	control("/users/"+user, `{"appid":"`+sandbox.SeedServiceAppID+`","follows":true}`)
	fired := await(t, "the rule fires", func(ctx context.Context) (client.Rule, error) { return g.client.Rule(ctx, "shop", "welcome") },
		func(r client.Rule) bool { return r.Fired > 0 })
	m := g.until(t, fired.LastMessageID, func(m client.Message) bool { return m.Final })
	if m.State != "delivered" || m.ToUser != user || !strings.Contains(string(m.Payload), "https://shop.example.com/?u="+user) ||
		!strings.Contains(string(m.Payload), `"subscribe"`) {
		t.Errorf("got %s to %s: %s", m.State, m.ToUser, m.Payload)
	}
	refused := await(t, "the refusal shows", func(ctx context.Context) (client.Rule, error) { return g.client.Rule(ctx, "shop", "broken") },
		func(r client.Rule) bool { return r.Refused > 0 })
	if !strings.Contains(refused.LastRefusal, "character_string1") || refused.Fired != 0 {
		t.Errorf("got %+v, want the missing key named", refused)
	}
	mended, err := g.client.UpdateRule(ctx, "shop", "broken", client.RulePatch{DelaySeconds: new(int64(1))})
	if err != nil || mended.LastRefusal != "" || mended.LastRefusedAt != nil || mended.Refused != refused.Refused {
		t.Errorf("after it was changed: %+v, %v, want no refusal of before", mended, err)
	}
	trial, err := g.client.TestRule(ctx, "shop", "welcome", "")
	if err != nil || trial.Would != "already" || trial.Message == nil {
		t.Errorf("a try for whom it fired: %+v, %v", trial, err)
	}
	if trial, err = g.client.TestRule(ctx, "shop", "broken", ""); err != nil || trial.Would != "refused" || len(trial.Errors) == 0 {
		t.Errorf("a try of a broken rule: %+v, %v", trial, err)
	}
	// Who leaves and comes back is not greeted twice. Two such events in one second would be one.
	control("/clock", `{"advance":"2s"}`)
	control("/users/"+user, `{"appid":"`+sandbox.SeedServiceAppID+`","follows":false}`)
	control("/users/"+user, `{"appid":"`+sandbox.SeedServiceAppID+`","follows":true}`)
	await(t, "the other rule fires again", func(ctx context.Context) (client.Rule, error) { return g.client.Rule(ctx, "shop", "broken") },
		func(r client.Rule) bool { return r.Refused > 1 })
	firings, err := g.client.Firings(ctx, "shop", "welcome", "", 0)
	if err != nil || len(firings.Items) != 1 || firings.Items[0].State != "sent" {
		t.Errorf("firings: %+v, %v, want one", firings, err)
	}
}

// TestWhoRefusesIsLeftAlone: the event of one message puts the user on the list, the
// next is held, urgent ones leave, and it goes when the user comes back.
func TestWhoRefusesIsLeftAlone(t *testing.T) {
	g, control := newCaring(t, testConfig(t))
	ctx, user := t.Context(), sandbox.OpenID("", 42)
	control("/users/"+user, `{"appid":"`+sandbox.SeedServiceAppID+`","blocked":true}`)
	first, err := g.client.Send(ctx, orderTo(user))
	if err != nil {
		t.Fatal(err)
	}
	if m := g.until(t, first.ID, func(m client.Message) bool { return m.Final }); m.Reason != "user_block" {
		t.Fatalf("got %s %s, want user_block", m.State, m.Reason)
	}
	second, err := g.client.Send(ctx, orderTo(user))
	if err != nil || second.State != "held" || second.Reason != "suppressed" || second.Hold == nil || second.Hold.Until == nil {
		t.Fatalf("the second: %+v, %v, want it held at once", second.Message, err)
	}
	urgent := orderTo(user)
	urgent.Priority = "urgent"
	third, err := g.client.Send(ctx, urgent)
	if err != nil {
		t.Fatal(err)
	}
	if m := g.until(t, third.ID, func(m client.Message) bool { return m.Final }); m.Reason != "user_block" {
		t.Errorf("the urgent one: got %s %s, want it tried", m.State, m.Reason)
	}
	seen, err := g.client.User(ctx, "shop", user)
	if err != nil || seen.Suppression == nil || !seen.Suppression.Active || seen.Suppression.Reason != "user_block" || len(seen.Messages) != 3 {
		t.Errorf("the user: %+v, %v", seen, err)
	}
	control("/users/"+user, `{"appid":"`+sandbox.SeedServiceAppID+`","blocked":false,"follows":false}`)
	control("/users/"+user, `{"appid":"`+sandbox.SeedServiceAppID+`","follows":true}`)
	if m := g.until(t, second.ID, func(m client.Message) bool { return m.Final }); m.State != "delivered" {
		t.Errorf("after the user came back: got %s %s, want delivered", m.State, m.Reason)
	}
	list, err := g.client.Suppressions(ctx, "shop", client.SuppressionFilter{Ended: true})
	if err != nil || len(list.Items) != 1 || list.Items[0].Active || list.Items[0].LiftedBy != "subscribe" {
		t.Errorf("the list: %+v, %v, want it lifted by subscribe", list.Items, err)
	}
}

// TestAPersonsEntryHoldsWithoutCallbacks, and ends when it is removed.
func TestAPersonsEntryHoldsWithoutCallbacks(t *testing.T) {
	config := testConfig(t)
	_, wechatURL := startSandbox(t)
	config.Accounts = []AccountConfig{{AppID: sandbox.SeedServiceAppID, Secret: sandbox.SeedServiceSecret, Alias: "shop", BaseURL: wechatURL}}
	g := startGateway(t, config)
	ctx, user := t.Context(), sandbox.OpenID("", 43)
	if _, err := g.client.SyncTemplates(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	// What WeChat says is not taken down while nobody would hear that the user came back.
	sent, err := g.client.Send(ctx, orderTo(sandbox.OpenID("NOFOL", 1)))
	if err != nil {
		t.Fatal(err)
	}
	g.until(t, sent.ID, func(m client.Message) bool { return m.State == "failed" })
	done, err := g.client.PutSuppressions(ctx, "shop", client.SuppressionsPut{Items: []client.SuppressionInput{{OpenID: user, Note: "complaint 77"}}})
	if err != nil || done.Changed != 1 {
		t.Fatalf("put: %+v, %v", done, err)
	}
	kept, err := g.client.Send(ctx, orderTo(user))
	if err != nil || kept.Reason != "suppressed" || kept.Hold.Until != nil {
		t.Fatalf("got %+v, %v, want it held until somebody acts", kept.Message, err)
	}
	list, err := g.client.Suppressions(ctx, "shop", client.SuppressionFilter{})
	if err != nil || len(list.Items) != 1 || list.Items[0].Reason != "manual" || list.Items[0].By != "admin" {
		t.Errorf("the list: %+v, %v, want the one by hand", list.Items, err)
	}
	if err := g.client.RemoveSuppression(ctx, "shop", user); err != nil {
		t.Fatal(err)
	}
	g.until(t, kept.ID, func(m client.Message) bool { return m.State == "accepted" })
	if err := g.client.RemoveSuppression(ctx, "shop", user); err == nil || !strings.Contains(err.Error(), "not_suppressed") {
		t.Errorf("removed twice: %v", err)
	}
}

// TestAUserGetsNoMoreThanTheDaysMessages, whatever is sent at once.
func TestAUserGetsNoMoreThanTheDaysMessages(t *testing.T) {
	onBoth(t, aUserGetsNoMoreThanTheDaysMessages)
}

func aUserGetsNoMoreThanTheDaysMessages(t *testing.T, config Config) {
	g, _ := newCaring(t, config)
	ctx, user := t.Context(), sandbox.OpenID("", 44)
	if _, err := g.client.UpdateAccount(ctx, "shop", client.AccountPatch{QuietHours: new("off"), Care: &client.Care{UserCap: new(2)}}); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for range 6 {
		sent, err := g.client.Send(ctx, orderTo(user))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, sent.ID)
	}
	states := map[string]int{}
	for _, id := range ids {
		m := g.until(t, id, func(m client.Message) bool { return m.Final || m.State == "held" })
		states[m.State+" "+m.Reason]++
	}
	if states["delivered "] != 2 || states["held user_cap"] != 4 {
		t.Errorf("got %v, want 2 delivered and 4 held", states)
	}
	urgent := orderTo(user)
	urgent.Priority = "urgent"
	sent, err := g.client.Send(ctx, urgent)
	if err != nil {
		t.Fatal(err)
	}
	g.until(t, sent.ID, func(m client.Message) bool { return m.State == "delivered" })
	if u, err := g.client.User(ctx, "shop", user); err != nil || u.Today != 2 || u.UserCap != 2 {
		t.Errorf("the user: %d of %d, %v", u.Today, u.UserCap, err)
	}
	page, err := g.client.Messages(ctx, client.MessageFilter{ToUser: user, States: []string{"held"}})
	if err != nil || len(page.Items) != 4 {
		t.Fatalf("held: %d, %v", len(page.Items), err)
	}
	if _, err := g.client.Release(ctx, page.Items[0].ID); err != nil {
		t.Fatal(err)
	}
	g.until(t, page.Items[0].ID, func(m client.Message) bool { return m.State == "delivered" })

	// The three that are left were accepted in this order, the oldest last in the list.
	oldest, newest := page.Items[3].ID, []string{page.Items[1].ID, page.Items[2].ID}
	raise := func(most int) {
		t.Helper()
		if _, err := g.client.UpdateAccount(ctx, "shop", client.AccountPatch{Care: &client.Care{UserCap: new(most)}}); err != nil {
			t.Fatal(err)
		}
	}
	raise(3)
	g.until(t, oldest, func(m client.Message) bool { return m.State == "delivered" })
	for _, id := range newest {
		if m, err := g.client.Message(ctx, id); err != nil || m.Reason != "user_cap" {
			t.Errorf("with the cap raised by one, a later one is %s %s, %v", m.State, m.Reason, err)
		}
	}
	raise(0)
	for _, id := range newest {
		g.until(t, id, func(m client.Message) bool { return m.State == "delivered" })
	}
}

// TestAPersonIsErased, not while messages wait, and nothing in the audit log or the
// gateway's log names them.
func TestAPersonIsErased(t *testing.T) { onBoth(t, aPersonIsErased) }

func aPersonIsErased(t *testing.T, config Config) {
	g, _ := newCaring(t, config)
	ctx, user := t.Context(), sandbox.OpenID("", 45)
	sent, err := g.client.Send(ctx, orderTo(user))
	if err != nil {
		t.Fatal(err)
	}
	g.until(t, sent.ID, func(m client.Message) bool { return m.Final })
	later := orderTo(user)
	later.SendAt = time.Now().Add(time.Hour)
	waiting, err := g.client.Send(ctx, later)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.client.EraseUser(ctx, "shop", user, false); err == nil || !strings.Contains(err.Error(), "user_has_waiting") {
		t.Errorf("while one waits: %v", err)
	}
	begun, err := g.client.EraseUser(ctx, "shop", user, true)
	if err != nil {
		t.Fatal(err)
	}
	done := await(t, "the erasure", func(ctx context.Context) (client.Erasure, error) { return g.client.Erasure(ctx, "shop", begun.ID) },
		func(e client.Erasure) bool { return e.State == "done" })
	if done.Messages != 2 || done.Events != 1 || done.FinishedAt == nil {
		t.Errorf("got %+v, want 2 messages and their receipt's push", done)
	}
	for id, state := range map[string]string{sent.ID: "delivered", waiting.ID: "cancelled"} {
		if m, err := g.client.Message(ctx, id); err != nil || m.State != state || m.ToUser != done.Pseudonym || len(m.Payload) > 4 {
			t.Errorf("%s: %s to %s, %s, %v", id, m.State, m.ToUser, m.Payload, err)
		}
	}
	events, err := g.client.Pushes(ctx, client.PushFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events.Items {
		if e.OpenID == user || strings.Contains(e.Body, user) {
			t.Errorf("a push still names them: %+v", e)
		}
	}
	log, err := g.client.Audit(ctx, client.AuditFilter{Action: "user."})
	if err != nil || len(log.Items) != 2 {
		t.Fatalf("audit: %d entries, %v, want the refusal and the erasure", len(log.Items), err)
	}
	for _, e := range log.Items {
		if strings.Contains(e.Detail+e.Target, user) {
			t.Errorf("the audit log names them: %+v", e)
		}
	}
}

// TestReadersSeeMasks: whom messages are for and what they say is hidden from a reader,
// unless its key was made to see it.
func TestReadersSeeMasks(t *testing.T) {
	g, _ := newCaring(t, testConfig(t))
	ctx, user := t.Context(), sandbox.OpenID("", 46)
	request := orderTo(user)
	request.Metadata, request.ClientMsgID = []byte(`{"name":"王"}`), "order-of-wang"
	sent, err := g.client.Send(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	g.until(t, sent.ID, func(m client.Message) bool { return m.Final })
	for _, personal := range []bool{false, true} {
		key, err := g.client.CreateKey(ctx, client.KeyRequest{Name: "dashboard", Role: "reader", Personal: personal})
		if err != nil || key.Personal != personal {
			t.Fatalf("key: %+v, %v", key, err)
		}
		reader := client.New(g.url, key.Key)
		m, err := reader.Message(ctx, sent.ID)
		if err != nil {
			t.Fatal(err)
		}
		list, err := reader.Messages(ctx, client.MessageFilter{ToUser: user})
		if err != nil || len(list.Items) != 1 {
			t.Fatalf("list: %d, %v", len(list.Items), err)
		}
		events, err := reader.Pushes(ctx, client.PushFilter{})
		if err != nil || len(events.Items) == 0 {
			t.Fatalf("events: %d, %v", len(events.Items), err)
		}
		shown := m.ToUser + string(m.Payload) + string(m.Metadata) + m.ClientMsgID + list.Items[0].ToUser + events.Items[0].OpenID + events.Items[0].Body
		for _, secret := range []string{user, "巧克力", "王", "order-of-wang"} {
			if strings.Contains(shown, secret) != personal {
				t.Errorf("personal %v: %q shows: %v in %s", personal, secret, !personal, shown)
			}
		}
		if !strings.Contains(string(m.Payload), "thing2") || m.TemplateID != sandbox.SeedTemplateOrder {
			t.Errorf("the shape is hidden too: %s", m.Payload)
		}
	}
}
