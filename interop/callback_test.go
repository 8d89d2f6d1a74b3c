package interop

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
	"hongyan/wechat"
)

// answered is what a callback server said to one push, as the sandbox heard it.
type answered struct {
	status int
	body   string
}

// listener is a transport that lets the test hear what the sandbox hears.
type listener chan answered

func (l listener) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		l <- answered{body: err.Error()}
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		l <- answered{resp.StatusCode, err.Error()}
		return nil, err
	}
	l <- answered{resp.StatusCode, string(body)}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// callbackServer is a package that receives what the platform pushes.
type callbackServer struct {
	name     string
	formats  map[string][]string // mode → formats it can read
	silence  string              // what it answers when its handler says nothing
	verifies bool                // plain pushes and the address check
}

var callbackServers = []callbackServer{
	{name: "wechat", formats: map[string][]string{"plain": {"xml"}, "compatible": {"xml"}, "safe": {"xml"}}, verifies: true},
	{name: "co-wechat", formats: map[string][]string{"plain": {"xml"}, "compatible": {"xml"}, "safe": {"xml"}}, verifies: true},
	{
		name: "node-easywechat-server", silence: "success",
		formats: map[string][]string{"plain": {"xml", "json"}, "compatible": {"xml"}, "safe": {"xml"}},
	},
}

// ear is a callback server under way, with a sandbox that pushes to it and a client
// that causes the pushes.
type ear struct {
	target
	server *script
	sender *script
	url    string
	heard  listener
}

// listens starts the server; reply is what its handler answers.
func (c callbackServer) listens(t *testing.T, reply string) ear {
	t.Helper()
	e := ear{heard: make(listener, 1)}
	e.target = theSandbox(t, sandbox.Options{HTTPClient: &http.Client{Transport: e.heard}})
	e.server = start(t, c.name, settings{
		"TOKEN": sandbox.SeedCallbackToken, "APPID": e.service.appID, "AES_KEY": sandbox.SeedAESKey, "REPLY": reply,
	})
	var up struct{ Listening string }
	e.server.read(t, &up)
	e.url = up.Listening + "/callback"
	e.sender = clients[0].forService(t, e.target)
	// One delivery only: a second one of a push that was meant to fail would disturb.
	e.set(t, sandbox.AccountSpec{ServerURL: &e.url, Switches: sandbox.Switches{PushDeliveries: new(1)}})
	return e
}

func (e ear) set(t *testing.T, spec sandbox.AccountSpec) {
	t.Helper()
	mustNil(t, e.platform.UpdateAccount(e.service.appID, spec))
}

// send makes the platform push a receipt, and returns the msgid that the sender saw
// and what the server answered.
func (e ear) send(t *testing.T, openid string) (string, answered) {
	t.Helper()
	var got sent
	e.sender.must(t, "send", order(openid, nil), &got)
	return got.MsgID, <-e.heard
}

func TestCallbackServers(t *testing.T) {
	for _, c := range callbackServers {
		t.Run(c.name, func(t *testing.T) {
			e := c.listens(t, "")
			t.Run("proves its address", func(t *testing.T) { e.provesItsAddress(t, c) })
			n := 0
			for _, mode := range []string{"plain", "compatible", "safe"} {
				for _, format := range c.formats[mode] {
					n++
					openid := sandbox.OpenID("", n)
					t.Run("takes a receipt, "+mode+" "+format, func(t *testing.T) { e.takesAReceipt(t, c, mode, format, openid) })
				}
				if mode != "plain" || c.verifies {
					t.Run("refuses another token, "+mode, func(t *testing.T) { e.refusesAnotherToken(t, mode) })
				}
			}
		})
	}
}

// provesItsAddress signs the check of the address as the platform does (spec §5.2):
// the echostr is not encrypted, whatever the mode.
func (e ear) provesItsAddress(t *testing.T, c callbackServer) {
	query := url.Values{"timestamp": {"1795140900"}, "nonce": {"1320562132"}, "echostr": {"5836258017263428"}}
	query.Set("signature", wechat.Signature(sandbox.SeedCallbackToken, "1795140900", "1320562132"))
	if got, want := e.get(t, query), (answered{http.StatusOK, "5836258017263428"}); got != want {
		t.Errorf("the server answered %+v, want %+v", got, want)
	}
	query.Set("signature", wechat.Signature("anothertoken", "1795140900", "1320562132"))
	if got := e.get(t, query); c.verifies == (got.status < 400) {
		t.Errorf("the server answered %+v to a forged check, want it refused: %t", got, c.verifies)
	}
}

func (e ear) get(t *testing.T, query url.Values) answered {
	t.Helper()
	resp, err := http.Get(e.url + "?" + query.Encode())
	mustNil(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	mustNil(t, err)
	return answered{resp.StatusCode, string(body)}
}

// takesAReceipt compares what the handler was given with what the platform knows.
func (e ear) takesAReceipt(t *testing.T, c callbackServer, mode, format, openid string) {
	e.set(t, sandbox.AccountSpec{CallbackMode: mode, CallbackFormat: format})
	msgID, got := e.send(t, openid)
	if want := (answered{http.StatusOK, c.silence}); got != want {
		t.Fatalf("the server answered %+v, want %+v", got, want)
	}
	var line struct{ Message map[string]any }
	e.server.read(t, &line)
	delete(line.Message, "Encrypt") // one server keeps it beside what was in it
	number := func(s string) any {
		if format == "xml" {
			return s
		}
		f, err := strconv.ParseFloat(s, 64) // and so the msgid loses its last digits
		mustNil(t, err)
		return f
	}
	at := e.platform.Inbox(openid)[0].At
	want := map[string]any{
		"ToUserName": "gh_a1a1a1a1a1a1", "FromUserName": openid, "CreateTime": number(strconv.FormatInt(at.Unix(), 10)),
		"MsgType": "event", "Event": "TEMPLATESENDJOBFINISH", "MsgID": number(msgID), "Status": "success",
	}
	if diff := cmp.Diff(want, line.Message); diff != "" {
		t.Errorf("the handler got (-want +got):\n%s", diff)
	}
}

// refusesAnotherToken shows that taking a push means something: the server has
// checked our signature.
func (e ear) refusesAnotherToken(t *testing.T, mode string) {
	e.set(t, sandbox.AccountSpec{CallbackMode: mode, CallbackFormat: "xml", CallbackToken: "anothertoken"})
	if _, got := e.send(t, sandbox.OpenID("", 100)); got.status < 400 {
		t.Errorf("the server answered %+v to a push signed with another token, want a refusal", got)
	}
	e.set(t, sandbox.AccountSpec{CallbackToken: sandbox.SeedCallbackToken})
	msgID, _ := e.send(t, sandbox.OpenID("", 101))
	var line struct{ Message struct{ MsgID string } }
	if e.server.read(t, &line); line.Message.MsgID != msgID {
		t.Errorf("the handler got %s, want only the push signed with its token, %s", line.Message.MsgID, msgID)
	}
}

// TestRepliesOfCallbackServers: what a handler returns becomes a text message to the
// user, encrypted where the push was.
func TestRepliesOfCallbackServers(t *testing.T) {
	for _, c := range callbackServers {
		t.Run(c.name, func(t *testing.T) {
			e := c.listens(t, "谢谢")
			e.set(t, sandbox.AccountSpec{CallbackMode: "safe"})
			_, got := e.send(t, sandbox.OpenID("", 1))
			key, err := wechat.ParseAESKey(sandbox.SeedAESKey)
			mustNil(t, err)
			reply, err := wechat.Decrypt(key, e.service.appID, encrypted(got.body))
			if err != nil {
				t.Fatalf("the server answered %+v: %v", got, err)
			}
			if !strings.Contains(string(reply), "谢谢") || !strings.Contains(string(reply), sandbox.OpenID("", 1)) {
				t.Errorf("the reply is %s, want a text to the user", reply)
			}
		})
	}
}

// encrypted is the ciphertext in an XML body, "" if there is none.
func encrypted(body string) string {
	_, rest, _ := strings.Cut(body, "<Encrypt>")
	text, _, _ := strings.Cut(rest, "</Encrypt>")
	return strings.TrimSuffix(strings.TrimPrefix(text, "<![CDATA["), "]]>")
}
