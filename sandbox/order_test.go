package sandbox_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"hongyan/sandbox"
)

// trial is one template/send with things wrong about it.
type trial struct {
	chunked bool
	method  string
	token   func(good string) string // nil = the good one
	account sandbox.AccountSpec      // set before the send
	user    sandbox.UserState        // set before the send
	https   bool
	members map[string]string // of the body, raw JSON
	program map[string]string // of its member miniprogram
	garble  func(body string) string
}

// flaw is one thing that can be wrong. Two with the same part cannot be wrong at once.
type flaw struct {
	step   int // of spec §2.9
	code   int // the errcode, or the HTTP status
	part   string
	spoils func(*trial)
}

// flaws are in the order in which they win.
var flaws = []flaw{
	{1, 412, "method", func(x *trial) { x.chunked = true }}, // GET is not held to it
	{2, 43003, "https", func(x *trial) { x.https = true }},
	{2, 43002, "method", func(x *trial) { x.method = http.MethodGet }},
	{3, 41001, "token", func(x *trial) { x.token = func(string) string { return "" } }},
	{4, 40001, "token", func(x *trial) { x.token = func(good string) string { return good + "x" } }},
	{4, 40014, "token", func(x *trial) { x.token = func(good string) string { return good + "%20" } }},
	{5, 48001, "verified", func(x *trial) { x.account.Verified = new(false) }},
	{5, 48004, "forbidden", func(x *trial) { x.account.ForbiddenAPIs = &[]string{pathSend} }},
	{6, 45011, "minute", func(x *trial) { x.account.MinuteQuota = new(1) }}, // used up by the send before
	{6, 45009, "day", func(x *trial) { x.account.DailyQuota = new(0) }},
	{7, 44002, "garble", func(x *trial) { x.garble = func(string) string { return "" } }},
	{8, 40033, "garble", func(x *trial) { x.garble = func(b string) string { return strings.Replace(b, "巧", "\xff", 1) } }},
	{8, 47001, "garble", func(x *trial) { x.garble = func(b string) string { return b[:len(b)-1] } }},
	{9, 40003, "touser", func(x *trial) { x.members["touser"] = `"oShort"` }},
	{10, 40036, "template", func(x *trial) { x.members["template_id"] = `"TM00015"` }},
	{10, 40037, "template", func(x *trial) { x.members["template_id"] = `"` + strings.Repeat("x", 43) + `"` }},
	{11, 40013, "program", func(x *trial) { x.program["appid"] = `"wxcccccccccccccccc"` }},
	{11, 40165, "pagepath", func(x *trial) { x.program["pagepath"] = `"a b"` }},
	{11, 40039, "url", func(x *trial) { x.members["url"] = `"https://e.example/` + strings.Repeat("x", 1024) + `"` }},
	{12, 43004, "follows", func(x *trial) { x.user.Follows = new(false) }},
	{12, 43019, "blacklisted", func(x *trial) { x.user.Blacklisted = new(true) }},
	{12, 50002, "frozen", func(x *trial) { x.user.Frozen = new(true) }},
	{13, 47003, "data", func(x *trial) { x.members["data"] = strings.Replace(x.members["data"], "￥39.80", "free 巧", 1) }},
	{14, 45065, "client_msg_id", func(x *trial) {
		x.members["client_msg_id"] = `"order-1"`
		x.account.DuplicateAnswer = "45065"
	}},
	{14, 43116, "banned", func(x *trial) { x.account.BannedTemplates = &[]string{sandbox.SeedTemplateOrder} }},
	{14, 40249, "illegal", func(x *trial) { x.account.IllegalWords = &[]string{"A1001"} }},
	{14, 43117, "user_limit", func(x *trial) { x.account.UserLimit = new(1) }},
	{14, 40241, "duplicate", func(x *trial) { x.account.Duplicate60s = new(true) }},
	{14, 40252, "review", func(x *trial) { x.account.Review = "approve" }},
}

// Every flaw alone has its code, and of every two at once the earlier one's is answered.
func TestOfTwoFaultsAtOnceTheEarlierStepWins(t *testing.T) {
	for i, first := range flaws {
		if got := sendFlawed(t, first); got != first.code {
			t.Errorf("step %d alone: %d, want %d", first.step, got, first.code)
		}
		for _, second := range flaws[i+1:] {
			if first.part == second.part {
				continue
			}
			if got := sendFlawed(t, second, first); got != first.code {
				t.Errorf("step %d (%d) and step %d (%d) at once: %d", first.step, first.code, second.step, second.code, got)
			}
		}
	}
}

// sendFlawed makes the send that has these flaws, once while the account minds none of
// them and once while it does, and returns what the second is answered.
func sendFlawed(t *testing.T, list ...flaw) int {
	t.Helper()
	box := sandbox.New(sandbox.Options{DeliveryDelay: -1})
	x := trial{method: http.MethodPost, program: map[string]string{}, members: map[string]string{
		"touser": `"` + user + `"`, "template_id": `"` + sandbox.SeedTemplateOrder + `"`,
		"data": orderBody(user, "")[strings.Index(orderBody(user, ""), `{"character`) : len(orderBody(user, ""))-1],
	}}
	for _, f := range list {
		f.spoils(&x)
	}
	h := box.Handler()
	var token tokenBody
	mustDecode(t, served(h, httptest.NewRequest(http.MethodGet, tokenTarget(sandbox.SeedServiceAppID, sandbox.SeedServiceSecret), nil)), &token)

	careless := sandbox.AccountSpec{EraRules: sandbox.EraRules{ValueRules: "free"},
		SendRules: sandbox.SendRules{UserLimit: new(9), Duplicate60s: new(true)}} // which makes it remember the send
	mustNil(t, box.UpdateAccount(sandbox.SeedServiceAppID, careless))
	served(h, httptest.NewRequest(http.MethodPost, with(pathSend, token.AccessToken), strings.NewReader(x.body())))

	careful := sandbox.AccountSpec{EraRules: sandbox.EraRules{ValueRules: "typed"},
		SendRules: sandbox.SendRules{UserLimit: new(0), Duplicate60s: new(false)}}
	mustNil(t, box.UpdateAccount(sandbox.SeedServiceAppID, careful))
	mustNil(t, box.UpdateAccount(sandbox.SeedServiceAppID, x.account))
	mustNil(t, box.SetUser(user, sandbox.UserChange{UserState: x.user}))
	box.Configure(sandbox.Settings{RequireHTTPS: &x.https})
	got := served(h, x.request(token.AccessToken))
	if got.status != http.StatusOK {
		return got.status
	}
	return codeOf(t, got)
}

func (x *trial) request(token string) *http.Request {
	if x.token != nil {
		token = x.token(token)
	}
	var body io.Reader = strings.NewReader(x.body())
	if x.garble != nil {
		body = strings.NewReader(x.garble(x.body()))
	}
	r := httptest.NewRequest(x.method, with(pathSend, token), body)
	if x.chunked {
		r.ContentLength = -1
	}
	return r
}

func (x *trial) body() string {
	members := maps.Clone(x.members)
	if len(x.program) > 0 {
		program := map[string]string{"appid": `"` + sandbox.SeedMiniAppID + `"`}
		maps.Copy(program, x.program)
		members["miniprogram"] = object(program)
	}
	return object(members)
}

func object(members map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		parts = append(parts, `"`+name+`":`+members[name])
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// served calls the handler without a network.
func served(h http.Handler, r *http.Request) reply {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return reply{w.Code, w.Header(), w.Body.String()}
}
