package sandbox_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

func mustWorld(t *testing.T, text string) *sandbox.World {
	t.Helper()
	w, err := sandbox.ReadWorld([]byte(text))
	mustNil(t, err)
	return w
}

// TestTheExampleSeed plays a little in the world of the example file, resets, and
// finds it as it was.
func TestTheExampleSeed(t *testing.T) {
	content, err := os.ReadFile("../docs/sandbox.seed.example.yaml")
	mustNil(t, err)
	world := mustWorld(t, string(content))
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t, sandbox.Options{World: world})
		started := func() string {
			t.Helper()
			if got := s.Sandbox.Now().In(time.FixedZone("", 8*3600)).Format(time.RFC3339); got != "2026-11-20T10:15:00+08:00" {
				t.Errorf("the clock says %s", got)
			}
			return do(t, s, control+"accounts", "").body + do(t, s, control+"users", "").body +
				do(t, s, control+"faults", "").body + do(t, s, control+"presets", "").body + do(t, s, control+"settings", "").body
		}
		before := started()
		for _, word := range []string{`"appid":"wxc3c3c3c3c3c3c3c3"`, `"original_id":"gh_d4d4d4d4d4d4"`, "王小明", "李雷", `"errcode":-1`, "token-war", `"total":3`} {
			if !strings.Contains(before, word) {
				t.Errorf("the start lacks %s:\n%s", word, before)
			}
		}
		if strings.Contains(before, sandbox.SeedServiceAppID) {
			t.Error("the built-in account is there")
		}
		var token tokenBody
		mustDecode(t, do(t, s, tokenTarget("wxc3c3c3c3c3c3c3c3", "c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3"), ""), &token)
		list := do(t, s, with(pathList, token.AccessToken), "").body
		for _, word := range []string{"SeedExample-OrderPaid-000000000000000000001", "{{character_string1.DATA}}", "订单支付成功", "到货通知", `{{time2.DATA}}`} {
			if !strings.Contains(list, word) {
				t.Errorf("the templates lack %s: %s", word, list)
			}
		}
		body := func(openid string) string {
			return `{"touser":"` + openid + `","template_id":"SeedExample-OrderPaid-000000000000000000001",` +
				`"data":{"character_string1":{"value":"A1"},"thing2":{"value":"书"}}}`
		}
		var codes []int
		for _, n := range []int{1, 1, 1, 2, 3} {
			codes = append(codes, codeOf(t, do(t, s, with(pathSend, token.AccessToken), body(sandbox.OpenID("", n)))))
		}
		if diff := cmp.Diff([]int{-1, -1, 0, 0, 43004}, codes); diff != "" {
			t.Errorf("errcodes (-want +got):\n%s", diff)
		}
		time.Sleep(time.Second)
		if len(s.Sandbox.Inbox(sandbox.OpenID("", 1))) != 1 || len(s.Sandbox.Inbox(sandbox.OpenID("", 2))) != 0 {
			t.Error("the first user has not got the message, or the second one who blocks has")
		}
		advance(t, s, time.Hour)
		s.Sandbox.Reset()
		if diff := cmp.Diff(before, started()); diff != "" {
			t.Errorf("after the reset (-before +after):\n%s", diff)
		}
	})
}

func TestSeedsThatKeepTheBuiltInAccounts(t *testing.T) {
	const account = "accounts: [{appid: wxc3c3c3c3c3c3c3c3, secret: c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3}]\n"
	for text, want := range map[string]int{"": 2, "users: []": 2, "builtin: false": 0, account: 1, "builtin: true\n" + account: 3} {
		s := sandboxtest.New(t, sandbox.Options{World: mustWorld(t, text)})
		if got := len(s.Sandbox.Accounts()); got != want {
			t.Errorf("%q: %d accounts, want %d", text, got, want)
		}
	}
}

// seedHead are the first two lines of an account of a seed file.
const seedHead = "accounts:\n  - appid: wxc3c3c3c3c3c3c3c3\n    secret: c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3\n"

func TestMistakesInASeedFileAreNamedWithTheirLine(t *testing.T) {
	for _, tc := range []struct {
		name, text, want string
	}{
		{"unknown key", "clock: \"2026-11-20T10:15:00Z\"\nusres: []", "line 2: usres: is unknown here"},
		{"unknown key of an account", seedHead + "    dayly_quota: 5", "line 4: accounts[0].dayly_quota: is unknown here"},
		{"unknown key of a template", seedHead + "    templates:\n      - libary: x", "line 5: accounts[0].templates[0].libary: is unknown here"},
		{"repeated key", "clock: a\nclock: b", `line 2: mapping key "clock" already defined at [1:1]`},
		{"wrong type", seedHead + "    verified: maybe", "line 4: accounts[0].verified: must be true or false"},
		{"a number for a secret", "accounts:\n  - appid: wxc3c3c3c3c3c3c3c3\n    secret: 12345678", "line 3: accounts[0].secret: must be text: put it in quotes"},
		{"rule of an account", seedHead + "    era: Z", "line 4: accounts[0].era: must be a letter from A to F, got Z"},
		{"no secret", "accounts:\n  - appid: wxc3c3c3c3c3c3c3c3", "line 2: accounts[0].secret: is required in a seed file"},
		{"no appid", "accounts:\n\n  - name: x", "line 3: accounts[0].appid: is required"},
		{"a wrong secret is not repeated", "accounts:\n  - appid: wxc3c3c3c3c3c3c3c3\n    secret: hunter2hunter2", "line 3: accounts[0].secret: must be 32 lower-case hexadecimal digits, got (14 characters)"},
		{"the same account twice", seedHead + seedHead[10:], "line 4: accounts[1].appid: must be new, got wxc3c3c3c3c3c3c3c3"},
		{"unknown library id", seedHead + "    templates:\n      - library: \"1\"", "line 5: accounts[0].templates[0].library: must be an id of the library for this family; docs/library.md lists them, got 1"},
		{"no keywords", seedHead + "    templates:\n      - library: \"43217\"", "line 5: accounts[0].templates[0].keywords: must be one or more of"},
		{"keywords of a historical template", seedHead + "    templates:\n      - library: TM00015\n        keywords: [x]", "line 6: accounts[0].templates[0].keywords: must not be given"},
		{"no title", seedHead + "    templates:\n      - content: \"{{a.DATA}}\"", "line 5: accounts[0].templates[0].title: is required without library"},
		{"no parameter", seedHead + "    templates:\n      - title: x\n        content: hello", "line 6: accounts[0].templates[0].content: must have a parameter such as {{thing1.DATA}}, got hello"},
		{"both", seedHead + "    templates:\n      - title: x\n        library: TM00015", "line 6: accounts[0].templates[0].library: cannot go with title"},
		{"short id", seedHead + "    templates:\n      - id: x", "line 5: accounts[0].templates[0].id: must be 43 letters"},
		{"wrong family", seedHead + "    templates:\n      - family: mini", "line 5: accounts[0].templates[0].family: must fit the kind of the account, got mini"},
		{"odd openid", "users:\n  - openid: oX", "line 2: users[0].openid: must be 28 characters"},
		{"the same user twice", "users:\n  - openid: oUser00000000000000000000001\n  - openid: oUser00000000000000000000001", "line 3: users[1].openid: must not be given twice"},
		{"unknown account of a user", "users:\n  - openid: oUser00000000000000000000001\n    accounts:\n      wxc3c3c3c3c3c3c3c3: {blocked: true}", "line 4: users[0].accounts.wxc3c3c3c3c3c3c3c3: must be an account of this seed"},
		{"rule of a fault", "faults:\n  - path: /x\n    errcode: -1\n    drop_answer: true", "line 4: faults[0].drop_answer: at most one of"},
		{"a written zero", "faults:\n  - path: /x\n    errcode: -1\n    times: 0", "line 4: faults[0].times: must not be 0"},
		{"unknown account of a fault", "faults:\n  - {path: /x, errcode: -1, appid: wxc3c3c3c3c3c3c3c3}", "line 2: faults[0].appid: must be an account of this seed"},
		{"unknown preset", "presets:\n  - name: monday", "line 2: presets[0].name: must be one of"},
		{"the same preset twice", "presets:\n  - name: token-war\n  - name: token-war", "line 3: presets[1].name: must not be given twice"},
		{"preset without an account", "builtin: false\npresets:\n  - name: token-war", "line 3: presets[0].appid: is required, there is no service account"},
		{"odd clock", "clock: yesterday", "line 1: clock: must be a time such as 2026-11-20T10:15:00+08:00, from 2014 to a century ahead, got yesterday"},
		{"a clock of long ago", "\nclock: \"1999-01-01T00:00:00Z\"", "line 2: clock: must be a time"},
		{"no mapping", "- 1", "line 1: must be an object"},
		{"two documents", "clock: \"2026-11-20T10:15:00Z\"\n---\nusers: []", "line 3: there must be one document"},
		{"no YAML", "users: [", "line 1: "},
		{"no anchor", "users: *x", "line 1: users: names an anchor that is not there"},
		{"an anchor in itself", "users: &x [*x]", "line 1: users[0]: names an anchor that is not there"},
		{"merge key", "a: &a {x: 1}\nb:\n  <<: *a", "line 3: b.<<: merge keys are not supported"},
		{"not a number", "faults: [{path: /x, rate: .nan}]", "numbers must be finite"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := sandbox.ReadWorld([]byte(tc.text))
			if _, ok := errors.AsType[*sandbox.WorldError](err); !ok {
				t.Fatalf("error %v, want a WorldError", err)
			}
			if !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("got  %s\nwant %s…", err, tc.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s repeats a secret", err)
			}
		})
	}
}

func TestAnchorsAreUnderstood(t *testing.T) {
	w := mustWorld(t, "users:\n  - openid: oUser00000000000000000000001\n    name: &n 王小明\n  - openid: oUser00000000000000000000002\n    name: *n\n")
	if got := w.Users[1].Name; got != "王小明" {
		t.Errorf("name %q, want the anchor's", got)
	}
}

func FuzzReadWorld(f *testing.F) {
	example, err := os.ReadFile("../docs/sandbox.seed.example.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(example))
	f.Add("users: &x [*x]")
	f.Add("? a\n: b")
	f.Add("accounts: [{templates: [{content: '{{'}]}]")
	f.Fuzz(func(t *testing.T, text string) {
		w, err := sandbox.ReadWorld([]byte(text))
		if err == nil {
			sandbox.New(sandbox.Options{World: w}).Reset() // a world that was read can be planted, twice
		} else if err.Error() == "" {
			t.Error("an error without a word")
		}
	})
}
