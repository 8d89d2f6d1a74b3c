package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
	// What the program is made of. Nothing of it is called from here, but the go
	// command must know what a result that it keeps depends on.
	_ "hongyan/sandbox/phone"
	_ "hongyan/server"
)

const (
	shop = sandbox.SeedServiceAppID
	mini = sandbox.SeedMiniAppID

	// patience is when something counts as never coming. It takes part in no
	// assertion; a busy machine needs a few seconds, an idle one none.
	patience = time.Minute
	// glance is the pause between two looks at what only time can bring.
	glance = 20 * time.Millisecond
)

// world is a sandbox and a gateway that know each other.
type world struct {
	box, gateway *program
	api          *client.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	exe := buildProgram(t, dir)
	data := filepath.Join(dir, "data")
	w := &world{
		box:     startProgram(t, exe, "sandbox", "--listen", "127.0.0.1:0", "--delivery-delay", "100ms"),
		gateway: startProgram(t, exe, "serve", "--listen", "127.0.0.1:0", "--data", data),
	}
	key, err := os.ReadFile(filepath.Join(data, "admin.key"))
	mustNil(t, err)
	w.api = client.New(w.gateway.url, strings.TrimSpace(string(key)))
	// The stories are about what WeChat answers, also to messages that the gateway would hold.
	tried := &client.Care{Suppression: new("off")}
	w.addAccount(t, client.AccountRequest{AppID: shop, Secret: sandbox.SeedServiceSecret, Kind: "service", Care: tried}, "safe")
	w.addAccount(t, client.AccountRequest{AppID: mini, Secret: sandbox.SeedMiniSecret, Kind: "mini_program"}, "plain")
	_, err = w.api.SyncTemplates(t.Context(), shop)
	mustNil(t, err)
	_, err = w.api.PutTemplate(t.Context(), mini, sandbox.SeedTemplateMini, client.TemplatePut{ // a mini program's cannot be listed
		Title:   "预约成功通知",
		Content: "预约项目：{{keyword1.DATA}}\n预约时间：{{keyword2.DATA}}\n预约地点：{{keyword3.DATA}}\n备注：{{keyword4.DATA}}",
	})
	mustNil(t, err)
	return w
}

// buildProgram builds the real program. Reading its folder tells the go command
// that a kept result depends on it.
func buildProgram(t *testing.T, dir string) string {
	t.Helper()
	_, err := os.ReadDir(filepath.Join("..", "cmd", "hongyan"))
	mustNil(t, err)
	exe := filepath.Join(dir, "hongyan")
	args := slices.Concat([]string{"build", "-o", exe}, buildFlags, []string{"hongyan/cmd/hongyan"})
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return exe
}

// addAccount tells the gateway of an account, and the account's pushes where the
// gateway is.
func (w *world) addAccount(t *testing.T, a client.AccountRequest, mode string) {
	t.Helper()
	a.BaseURL = w.box.url
	a.Callback = &client.CallbackInput{Token: new(sandbox.SeedCallbackToken), AESKey: new(sandbox.SeedAESKey), Mode: &mode}
	added, err := w.api.CreateAccount(t.Context(), a)
	mustNil(t, err)
	w.setAccount(t, a.AppID, sandbox.AccountSpec{ServerURL: new(w.gateway.url + added.CallbackURLPath), CallbackMode: mode})
}

// setAccount changes an account of the sandbox by its control API.
func (w *world) setAccount(t *testing.T, appid string, change sandbox.AccountSpec) {
	t.Helper()
	body, err := json.Marshal(change)
	mustNil(t, err)
	resp, err := http.Post(w.box.url+"/sandbox/v1/accounts/"+appid, "application/json", bytes.NewReader(body))
	mustNil(t, err)
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		t.Fatalf("set account %s: status %d: %s", appid, resp.StatusCode, answer)
	}
}

// send posts a message to the gateway, which takes it.
func (w *world) send(t *testing.T, m client.MessageRequest) client.Message {
	t.Helper()
	sent, err := w.api.Send(t.Context(), m)
	if err != nil {
		t.Fatalf("send: %v", err)
	}
	return sent.Message
}

// comesTo waits until the gateway says of a message what the wait is for.
func (w *world) comesTo(t *testing.T, id, what string, when func(client.Message) bool) client.Message {
	t.Helper()
	var m client.Message
	await(t, func() (bool, string) {
		var err error
		m, err = w.api.Message(t.Context(), id)
		mustNil(t, err)
		return when(m), fmt.Sprintf("message %s never became %s; it is %s (%s), errcode %s", id, what, m.State, m.Reason, number(m.Errcode))
	})
	return m
}

// ends waits for a message's last state and checks it.
func (w *world) ends(t *testing.T, id, state, reason string) client.Message {
	t.Helper()
	m := w.comesTo(t, id, "final", func(m client.Message) bool { return m.Final })
	if m.State != state || m.Reason != reason {
		t.Fatalf("message %s ended %s (%s), want %s (%s)", id, m.State, m.Reason, state, reason)
	}
	return m
}

// delivers sends a message that WeChat says has arrived, and returns its msgid.
func (w *world) delivers(t *testing.T, m client.MessageRequest) string {
	t.Helper()
	return *w.ends(t, w.send(t, m).ID, "delivered", "").MsgID
}

// hears waits until the gateway has an event of the user.
func (w *world) hears(t *testing.T, event, openid string) {
	t.Helper()
	await(t, func() (bool, string) {
		list, err := w.api.Pushes(t.Context(), client.PushFilter{AppID: shop, Limit: 1000})
		mustNil(t, err)
		heard := slices.ContainsFunc(list.Items, func(e client.Push) bool { return e.Type == event && e.OpenID == openid })
		return heard, fmt.Sprintf("the gateway never heard %s of %s; it has %d events", event, openid, len(list.Items))
	})
}

// order is a message of the service account.
func order(openid, number string) client.MessageRequest {
	return client.MessageRequest{
		AppID: shop, ToUser: openid, TemplateID: sandbox.SeedTemplateOrder, URL: "https://shop.example.com/o/" + number,
		Data: map[string]client.Field{
			"character_string1": {Value: number}, "thing2": {Value: "巧克力"}, "amount3": {Value: "￥39.80"}, "time4": {Value: "2026-11-20 10:15"},
		},
	}
}

// appointment is a message of the mini program; formID is a form_id or prepay_id.
func appointment(openid, formID string) client.MessageRequest {
	return client.MessageRequest{
		AppID: mini, ToUser: openid, TemplateID: sandbox.SeedTemplateMini, FormID: formID, Page: "pages/booking?id=7",
		Data: map[string]client.Field{
			"keyword1": {Value: "洗剪吹"}, "keyword2": {Value: "11月28日 14:30"}, "keyword3": {Value: "人民路店"}, "keyword4": {Value: "请提前五分钟到店"},
		},
	}
}

// program is a running hongyan process.
type program struct {
	name string
	cmd  *exec.Cmd
	url  string
	log  string // file of its standard error
}

// startProgram runs until the test ends, and must then leave in peace. Nothing of
// this process's environment reaches it: no proxy, no settings.
func startProgram(t *testing.T, exe string, args ...string) *program {
	t.Helper()
	home := t.TempDir()
	p := &program{name: args[0], cmd: exec.Command(exe, args...), log: filepath.Join(home, "log")}
	p.cmd.Env = []string{"HOME=" + home}
	log, err := os.Create(p.log)
	mustNil(t, err)
	defer log.Close() // the process has its own
	p.cmd.Stderr = log
	out, err := p.cmd.StdoutPipe()
	mustNil(t, err)
	mustNil(t, p.cmd.Start())
	lines := bufio.NewReader(out)
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, lines)
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("hongyan %s: %v", p.name, err)
		}
		if t.Failed() {
			t.Logf("hongyan %s:\n%s", p.name, p.lastWords())
		}
	})
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("hongyan %s printed no address: %v", p.name, err)
	}
	p.url = strings.TrimPrefix(strings.TrimSpace(line), "listening on ")
	return p
}

// lastWords is the end of the process's log.
func (p *program) lastWords() string {
	const enough = 4 << 10
	log, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-enough):])
}

// await looks until a condition holds. A look returns what to say should this have
// been the last one.
func await(t *testing.T, look func() (holds bool, otherwise string)) {
	t.Helper()
	deadline := time.Now().Add(patience)
	again := time.NewTicker(glance)
	defer again.Stop()
	for {
		holds, otherwise := look()
		switch {
		case holds:
			return
		case time.Now().After(deadline):
			t.Fatalf("after %v: %s", patience, otherwise)
		}
		<-again.C
	}
}

// number prints an errcode that may not have come.
func number(n *int) string {
	if n == nil {
		return "none"
	}
	return fmt.Sprint(*n)
}

func mustNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
