package phone_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"hongyan/sandbox"
	"hongyan/sandbox/phone"
	"hongyan/sandbox/sandboxtest"
)

var update = flag.Bool("update", false, "rewrite the golden fragments from what is drawn")

var user = sandbox.OpenID("", 1)

// desk is a sandbox with its phone, on an in-memory network, delivering at once.
type desk struct {
	*sandboxtest.Server
	t      *testing.T
	header http.Header // of every request to the page
}

const pageHost = "http://localhost"

func newDesk(t *testing.T) *desk {
	t.Helper()
	s := sandboxtest.NewInMemory(t, sandbox.Options{DeliveryDelay: -1})
	s.RegisterHost("localhost", phone.Handler(s.Sandbox))
	return &desk{Server: s, t: t, header: http.Header{"Accept-Language": {"zh-CN"}}}
}

// ask makes one request to the page and does not follow redirects.
func (d *desk) ask(method, target string, form url.Values) (*http.Response, string) {
	d.t.Helper()
	req, err := http.NewRequest(method, pageHost+target, strings.NewReader(form.Encode()))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header = d.header.Clone()
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := d.Client.Transport.RoundTrip(req)
	if err != nil {
		d.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatalf("%s %s: %v", method, target, err)
	}
	return resp, string(body)
}

// get reads a page or a part of it.
func (d *desk) get(target string) *html.Node {
	d.t.Helper()
	resp, body := d.ask(http.MethodGet, target, nil)
	if resp.StatusCode != http.StatusOK {
		d.t.Fatalf("GET %s: status %d: %s", target, resp.StatusCode, body)
	}
	return parse(d.t, body)
}

// press posts a form as the page's script does and returns what comes back.
func (d *desk) press(target string, pairs ...string) *html.Node {
	d.t.Helper()
	d.header.Set("HX-Request", "true")
	defer d.header.Del("HX-Request")
	resp, body := d.ask(http.MethodPost, target, values(pairs...))
	if resp.StatusCode != http.StatusOK {
		d.t.Fatalf("POST %s: status %d: %s", target, resp.StatusCode, body)
	}
	return parse(d.t, body)
}

// values are name, value, name, value; whose phone it is need not be said.
func values(pairs ...string) url.Values {
	form := url.Values{"user": {user}}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] == "user" {
			form.Set("user", pairs[i+1])
			continue
		}
		form.Add(pairs[i], pairs[i+1])
	}
	return form
}

// chat is the screen of a chat of the user.
func (d *desk) chat(id string) *html.Node { return d.get("/phone/screen?user=" + user + "&chat=" + id) }

const (
	pathSend      = "/cgi-bin/message/template/send"
	pathMini      = "/cgi-bin/message/wxopen/template/send"
	pathSubscribe = "/cgi-bin/message/subscribe/send"
	pathOneTime   = "/cgi-bin/message/template/subscribe"
)

// call is a call of WeChat's API through the same handler, and its errcode.
func (d *desk) call(appid, secret, path string, body any) int {
	d.t.Helper()
	var token struct {
		AccessToken string `json:"access_token"`
	}
	_, text := d.ask(http.MethodGet, "/cgi-bin/token?grant_type=client_credential&appid="+appid+"&secret="+secret, nil)
	if err := json.Unmarshal([]byte(text), &token); err != nil || token.AccessToken == "" {
		d.t.Fatalf("no token: %s", text)
	}
	b, err := json.Marshal(body)
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := d.Client.Post(pageHost+path+"?access_token="+token.AccessToken, "application/json", strings.NewReader(string(b)))
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		ErrCode int `json:"errcode"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		d.t.Fatal(err)
	}
	return answer.ErrCode
}

// fields is a JSON object.
type fields = map[string]any

// datum is a value of a message, with its colour.
func datum(value string, color ...string) fields {
	f := fields{"value": value}
	if len(color) > 0 {
		f["color"] = color[0]
	}
	return f
}

// historical is a message of the old library; more replaces or adds fields.
func historical(more fields) fields {
	m := fields{
		"touser": user, "template_id": sandbox.SeedTemplateHistorical, "topcolor": "#FF6A00", "url": "https://shop.example.com/o/1001",
		"data": fields{
			"first": datum("您好，订单已支付", "#173177"), "keyword1": datum("A1001", "#173177"), "keyword2": datum("39.80元", "#E60012"),
			"keyword3": datum("11月20日"), "remark": datum("感谢惠顾\n再见", "#888888"),
		},
	}
	for name, value := range more {
		m[name] = value
	}
	return m
}

// appointment is a message of the mini program, to a form just submitted.
func (d *desk) appointment(more fields) fields {
	m := fields{
		"touser": user, "template_id": sandbox.SeedTemplateMini, "form_id": d.Sandbox.GiveForm("", user), "page": "pages/booking?id=7",
		"data": fields{"keyword1": datum("理发"), "keyword2": datum("11月28日 14:30"), "keyword3": datum("人民路店"), "keyword4": datum("请准时")},
	}
	for name, value := range more {
		m[name] = value
	}
	return m
}

// send makes the service account send and wants errcode 0.
func (d *desk) send(body fields) { d.t.Helper(); d.sent(pathSend, body) }

// sendMini does so as the mini program.
func (d *desk) sendMini(body fields) { d.t.Helper(); d.sent(pathMini, body) }

func (d *desk) sent(path string, body fields) {
	d.t.Helper()
	appid, secret := sandbox.SeedServiceAppID, sandbox.SeedServiceSecret
	if path == pathMini || path == pathSubscribe {
		appid, secret = sandbox.SeedMiniAppID, sandbox.SeedMiniSecret
	}
	if code := d.call(appid, secret, path, body); code != 0 {
		d.t.Fatalf("send: errcode %d", code)
	}
}

// era puts the service account into an era.
func (d *desk) era(letter string) {
	d.t.Helper()
	d.must(d.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{Era: letter}))
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// platform sets the user's phone.
func (d *desk) platform(name string) {
	d.t.Helper()
	d.must(d.Sandbox.SetUser(user, sandbox.UserChange{UserState: sandbox.UserState{Platform: name}}))
}

// parse reads a page or a fragment.
func parse(t *testing.T, text string) *html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// all finds the elements that a selector names: simple ones such as
// `article[data-style=mini]`, `#screen`, `.card`, with spaces for descent.
func all(n *html.Node, selector string) []*html.Node {
	found := []*html.Node{n}
	for _, step := range strings.Fields(selector) {
		var next []*html.Node
		seen := map[*html.Node]bool{}
		for _, from := range found {
			for e := range from.Descendants() {
				if e.Type == html.ElementNode && matches(e, step) && !seen[e] {
					seen[e] = true
					next = append(next, e)
				}
			}
		}
		found = next
	}
	return found
}

func matches(e *html.Node, step string) bool {
	at := strings.IndexAny(step, "#.[")
	if at < 0 {
		at = len(step)
	}
	if at > 0 && e.Data != step[:at] {
		return false
	}
	for rest := step[at:]; rest != ""; {
		end := strings.IndexAny(rest[1:], "#.[") + 1
		if rest[0] == '[' {
			end = strings.IndexByte(rest, ']') + 1
		}
		if end == 0 {
			end = len(rest)
		}
		part := rest[1:end]
		switch rest[0] {
		case '#':
			if attr(e, "id") != part {
				return false
			}
		case '.':
			if !strings.Contains(" "+attr(e, "class")+" ", " "+part+" ") {
				return false
			}
		default:
			name, value, given := strings.Cut(strings.TrimSuffix(part, "]"), "=")
			if !has(e, name) || given && attr(e, name) != value {
				return false
			}
		}
		rest = rest[end:]
	}
	return true
}

func has(e *html.Node, name string) bool {
	for _, a := range e.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

func attr(e *html.Node, name string) string {
	for _, a := range e.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// text is what an element says, white space at its ends cut.
func text(n *html.Node) string {
	var b strings.Builder
	for e := range n.Descendants() {
		if e.Type == html.TextNode {
			b.WriteString(e.Data)
		}
	}
	return strings.TrimSpace(b.String())
}

// texts are what the elements of a selector say.
func texts(n *html.Node, selector string) []string {
	out := []string{}
	for _, e := range all(n, selector) {
		out = append(out, text(e))
	}
	return out
}

// one is the only element of a selector.
func one(t *testing.T, n *html.Node, selector string) *html.Node {
	t.Helper()
	found := all(n, selector)
	if len(found) != 1 {
		t.Fatalf("%q names %d elements, want 1, in:\n%s", selector, len(found), source(n))
	}
	return found[0]
}

func wantTexts(t *testing.T, n *html.Node, selector string, want ...string) {
	t.Helper()
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, texts(n, selector)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", selector, diff)
	}
}

func source(n *html.Node) string {
	var b strings.Builder
	if err := html.Render(&b, n); err != nil {
		return fmt.Sprint(err)
	}
	return b.String()
}

// wantGolden compares an element with a file of testdata.
func wantGolden(t *testing.T, n *html.Node, name string) {
	t.Helper()
	file := "testdata/" + name + ".html"
	got := strings.ReplaceAll(source(n), "><", ">\n<") + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
