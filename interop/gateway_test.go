package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hongyan/sandbox"
	"hongyan/server"
	"hongyan/wechat"
)

// gateway is what `hongyan serve` runs, in front of a sandbox of its own. Clients
// are pointed at it, and given secrets of its making in place of AppSecrets.
type gateway struct {
	target
	key string // the administrator's
}

// theGateway starts one whose compatible sends wait so long for WeChat's answer.
func theGateway(t *testing.T, wait time.Duration, opts sandbox.Options) gateway {
	t.Helper()
	g := gateway{target: theSandbox(t, opts)}
	box := g.baseURL
	config := server.Default()
	config.Listen, config.Data, config.Compat.Wait = "127.0.0.1:0", t.TempDir(), wait
	getenv := func(string) string { return "" }
	srv, err := server.New(t.Context(), config, server.Options{Getenv: getenv, Stdout: io.Discard, Logger: slog.New(slog.DiscardHandler)})
	mustNil(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		mustNil(t, <-ended)
	})
	g.baseURL = srv.URL()
	key, err := os.ReadFile(filepath.Join(config.Data, "admin.key"))
	mustNil(t, err)
	g.key = strings.TrimSpace(string(key))

	callback := map[string]any{"token": sandbox.SeedCallbackToken, "aes_key": sandbox.SeedAESKey}
	for _, a := range []struct {
		login
		kind string
	}{{g.service, "service"}, {g.mini, "mini_program"}} {
		g.call(t, http.MethodPost, "/v1/accounts", map[string]any{
			"appid": a.appID, "secret": a.secret, "kind": a.kind, "base_url": box, "callback": callback,
		})
	}
	g.service.secret = g.secretFor(t, g.service.appID)
	g.mini.secret = g.secretFor(t, g.mini.appID)
	return g
}

// secretFor issues a gateway secret for one account.
func (g gateway) secretFor(t *testing.T, appID string) string {
	t.Helper()
	answer := g.call(t, http.MethodPost, "/v1/keys", map[string]any{"name": "interop", "kind": "gateway", "appids": []string{appID}})
	var made struct{ Key string }
	mustNil(t, json.Unmarshal(answer, &made))
	if !strings.HasPrefix(made.Key, "hys_") {
		t.Fatalf("the gateway issued a secret that begins with %.4s, want hys_", made.Key)
	}
	return made.Key
}

// call is one request of the administrator's that has to succeed.
func (g gateway) call(t *testing.T, method, path string, body any) []byte {
	t.Helper()
	text, err := json.Marshal(body)
	mustNil(t, err)
	req, err := http.NewRequestWithContext(t.Context(), method, g.baseURL+path, bytes.NewReader(text))
	mustNil(t, err)
	req.Header.Set("Authorization", "Bearer "+g.key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	mustNil(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	mustNil(t, err)
	if resp.StatusCode >= 300 {
		t.Fatalf("%s %s: status %d: %s", method, path, resp.StatusCode, answer)
	}
	return answer
}

// tokenFetches is how many token calls the platform got.
func (at target) tokenFetches() (n int64) {
	for path, byCode := range at.platform.Stats().Calls {
		if path == string(wechat.EndpointToken) || path == string(wechat.EndpointStableToken) {
			for _, count := range byCode {
				n += count
			}
		}
	}
	return n
}

// patiently is the wait that a busy machine never runs into.
const patiently = 30 * time.Second

func TestClientsSpeakWithTheGateway(t *testing.T) {
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			g := theGateway(t, patiently, sandbox.Options{})
			tellStories(t, c, g.target)
			want := int64(1)
			if c.mini {
				want = 2 // one account more
			}
			if got := g.tokenFetches(); got != want {
				t.Errorf("%d token calls reached the platform, want %d", got, want)
			}
		})
	}
}

// A token that was revoked at the platform is the gateway's business: no client
// notices, whatever it would have done by itself.
func TestNoClientNoticesARevokedToken(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		for _, c := range clients {
			name := c.name
			if stuck {
				name += ", stable_token stuck"
			}
			t.Run(name, func(t *testing.T) {
				g := theGateway(t, patiently, sandbox.Options{})
				s := c.forService(t, g.target)
				var got sent
				s.must(t, "send", order(sandbox.OpenID("", 1), nil), &got)

				mustNil(t, g.platform.RevokeToken(g.service.appID, stuck))
				storyList(t, s) // passed through
				mustNil(t, g.platform.RevokeToken(g.service.appID, false))
				openid := sandbox.OpenID("", 2)
				s.must(t, "send", order(openid, nil), &got)
				if rows := g.arrived(pathSend, openid); got.ErrCode != 0 || got.MsgID != c.sees(rows[len(rows)-1].MsgID) {
					t.Errorf("the client says %+v, arrived %+v, want success with the platform's msgid", got, rows)
				}
				if seen := g.seen(openid); len(seen) != 1 {
					t.Errorf("the user sees %q, want one message", seen)
				}
			})
		}
	}
}

// TestColdClientsMakeOneTokenCall starts twenty clients at once, each a process
// of its own without a token.
func TestColdClientsMakeOneTokenCall(t *testing.T) {
	g := theGateway(t, patiently, sandbox.Options{})
	const herd = 20
	scripts := make([]*script, herd)
	for i := range scripts {
		scripts[i] = clients[i%len(clients)].forService(t, g.target)
	}
	replies := make([]reply, herd)
	var all sync.WaitGroup
	for i, s := range scripts {
		all.Go(func() { replies[i] = s.step(t, "send", order(sandbox.OpenID("", i+1), nil)) })
	}
	all.Wait()
	for i, r := range replies {
		if r.Error != nil {
			t.Errorf("%s: %s", clients[i%len(clients)].name, r.Error.Message)
		}
		if seen := g.seen(sandbox.OpenID("", i+1)); len(seen) != 1 {
			t.Errorf("user %d sees %q, want one message", i+1, seen)
		}
	}
	if got := g.tokenFetches(); got != 1 {
		t.Errorf("%d token calls reached the platform, want 1", got)
	}
}

// behind starts a callback server as a downstream of the gateway; sync makes it
// the one whose answer goes back to the platform.
func (c callbackServer) behind(t *testing.T, g gateway, reply string, sync bool) *script {
	t.Helper()
	s := start(t, c.name, settings{
		"TOKEN": "downstreamtoken", "APPID": g.service.appID, "AES_KEY": downstreamKey, "REPLY": reply,
	})
	var up struct{ Listening string }
	s.read(t, &up)
	g.call(t, http.MethodPatch, "/v1/accounts/"+g.service.appID, map[string]any{"downstreams": []map[string]any{{
		"name": "shop", "url": up.Listening + "/callback", "sync": sync, "token": "downstreamtoken", "aes_key": downstreamKey,
	}}})
	return s
}

// downstreamKey is a key of the downstream's own: what WeChat encrypts with is the gateway's business.
var downstreamKey = strings.Repeat("k", 42) + "A"

// pushes sets how the platform pushes to the gateway, and the gateway to expect it.
func (g gateway) pushes(t *testing.T, mode, format string) {
	t.Helper()
	url := g.baseURL + "/callback/" + g.service.appID
	g.call(t, http.MethodPatch, "/v1/accounts/"+g.service.appID, map[string]any{"callback": map[string]string{"mode": mode}})
	mustNil(t, g.platform.UpdateAccount(g.service.appID, sandbox.AccountSpec{ServerURL: &url, CallbackMode: mode, CallbackFormat: format}))
}

func TestCallbackServersBehindTheGateway(t *testing.T) {
	for _, c := range callbackServers {
		t.Run(c.name, func(t *testing.T) {
			g := theGateway(t, patiently, sandbox.Options{})
			s := c.behind(t, g, "", false)
			sender := clients[0].forService(t, g.target)
			n := 0
			for _, mode := range []string{"plain", "compatible", "safe"} {
				for _, format := range c.formats[mode] {
					n++
					openid := sandbox.OpenID("", n)
					t.Run("takes a receipt, "+mode+" "+format, func(t *testing.T) {
						g.pushes(t, mode, format)
						var got sent
						sender.must(t, "send", order(openid, nil), &got)
						var line struct {
							Message struct {
								FromUserName, Event, Status string
								MsgID                       json.RawMessage
							}
						}
						s.read(t, &line)
						m := line.Message
						if m.FromUserName != openid || m.Event != "TEMPLATESENDJOBFINISH" || m.Status != "success" {
							t.Errorf("the handler got %+v, want the receipt of %s", m, openid)
						}
						if msgID := strings.Trim(string(m.MsgID), `"`); format == "xml" && msgID != got.MsgID {
							t.Errorf("the handler got msgid %s, the sender %s", msgID, got.MsgID)
						}
					})
				}
			}
		})
	}
}

// TestRepliesPassTheGateway: what a handler returns becomes a text message to the
// user, encrypted as the platform pushed, whatever the handler's own keys are.
func TestRepliesPassTheGateway(t *testing.T) {
	for _, c := range callbackServers {
		for _, mode := range []string{"plain", "safe"} {
			t.Run(c.name+", "+mode, func(t *testing.T) {
				heard := make(listener, 1)
				g := theGateway(t, patiently, sandbox.Options{HTTPClient: &http.Client{Transport: heard}})
				s := c.behind(t, g, "谢谢", true)
				g.pushes(t, mode, "xml")
				sender := clients[0].forService(t, g.target)
				openid := sandbox.OpenID("", 1)
				var got sent
				sender.must(t, "send", order(openid, nil), &got)
				answer := <-heard
				text := []byte(answer.body)
				if mode == "safe" {
					key, err := wechat.ParseAESKey(sandbox.SeedAESKey)
					mustNil(t, err)
					if text, err = wechat.Decrypt(key, g.service.appID, encrypted(answer.body)); err != nil {
						t.Fatalf("the platform got %+v: %v", answer, err)
					}
				}
				if answer.status != http.StatusOK || !bytes.Contains(text, []byte("谢谢")) || !bytes.Contains(text, []byte(openid)) {
					t.Errorf("the platform got %d %s, want a text to the user", answer.status, text)
				}
				var line struct{ Message map[string]any }
				s.read(t, &line)
			})
		}
	}
}

// TestAnEventCarriesTheNumberTheClientKnows: WeChat answers too late, the client is
// given a number of the gateway's, and the event later names the same one.
func TestAnEventCarriesTheNumberTheClientKnows(t *testing.T) {
	g := theGateway(t, 50*time.Millisecond, sandbox.Options{})
	g.platform.AddFault(sandbox.Fault{Path: pathSend, HangMS: 1000, Times: 1})
	c := callbackServers[0]
	s := c.behind(t, g, "", false)
	g.pushes(t, "safe", "xml")
	var got sent
	clients[0].forService(t, g.target).must(t, "send", order(sandbox.OpenID("", 1), nil), &got)
	if got.ErrCode != 0 || len(got.MsgID) != 19 || !strings.HasPrefix(got.MsgID, "9") {
		t.Fatalf("the client says %+v, want success with a number of the gateway's", got)
	}
	var line struct{ Message struct{ MsgID string } }
	s.read(t, &line)
	if line.Message.MsgID != got.MsgID {
		t.Errorf("the handler got msgid %s, the client %s", line.Message.MsgID, got.MsgID)
	}
	wechats := g.arrived(pathSend, sandbox.OpenID("", 1))[0].MsgID
	if wechats == got.MsgID {
		t.Errorf("the platform's own number is the gateway's, %s", wechats)
	}
	found := g.call(t, http.MethodGet, "/v1/messages?q="+got.MsgID, nil)
	var list struct {
		Items []struct {
			MsgID    string `json:"msgid"`
			Answered string `json:"answered_msgid"`
		}
	}
	mustNil(t, json.Unmarshal(found, &list))
	if len(list.Items) != 1 || list.Items[0].MsgID != wechats || list.Items[0].Answered != got.MsgID {
		t.Errorf("the gateway lists %+v, want one message with msgid %s answered as %s", list.Items, wechats, got.MsgID)
	}
}

// TestWrongSecretsAtTheGateway: what clients make of a secret that is not one.
func TestWrongSecretsAtTheGateway(t *testing.T) {
	g := theGateway(t, patiently, sandbox.Options{})
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			at := g.target
			at.service.secret = "hys_" + strings.Repeat("x", 43)
			if r := c.forService(t, at).step(t, "send", order(sandbox.OpenID("", 1), nil)); r.Error == nil {
				t.Errorf("the client answered %s, want an error", r.Result)
			}
			at.service.secret = g.mini.secret // another account's
			if r := c.forService(t, at).step(t, "send", order(sandbox.OpenID("", 1), nil)); r.Error == nil {
				t.Errorf("the client answered %s, want an error", r.Result)
			}
		})
	}
	if got := g.tokenFetches(); got != 0 {
		t.Errorf("%d token calls reached the platform, want none", got)
	}
	var log struct {
		Items []struct{ Action, Outcome, Target string }
	}
	mustNil(t, json.Unmarshal(g.call(t, http.MethodGet, "/v1/audit?action=login.", nil), &log))
	if !slices.ContainsFunc(log.Items, func(e struct{ Action, Outcome, Target string }) bool {
		return e.Outcome == "refused" && e.Target == g.service.appID
	}) {
		t.Errorf("the audit log has %+v, want a refused login", log.Items)
	}
}
