package sandbox_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

// replay runs one day with a seed and returns everything that came out of it.
func replay(t *testing.T, world *sandbox.World, seed int64) (all string) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t, sandbox.Options{Seed: seed, World: world})
		g := newGateway(s)
		g.answer = func(_ int, w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("nonce")[0] == '1' { // a share of the deliveries, the same ones each time
				w.WriteHeader(http.StatusInternalServerError)
			}
			_, _ = io.WriteString(w, "success")
		}
		mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{Switches: sandbox.Switches{MarkFailAfter: new(0)}}))
		b := strings.Builder{}
		say := func(got reply, err error) { fmt.Fprintln(&b, got.status, got.body, err != nil) }
		post := func(target, body string) { say(try(s, http.MethodPost, target, strings.NewReader(body))) }
		for _, mode := range []string{"compatible", "safe"} {
			mustNil(t, s.Sandbox.SetServerURL(sandbox.SeedServiceAppID, callbackURL, mode, ""))
			post(control+"presets", `{"name":"flaky-network","rate":0.3}`)
			post(control+"presets", `{"name":"token-war","every_ms":240000}`)
			post(control+"faults", `{"path":"`+pathSend+`","rate":0.3,"double_event":true,"contradict_event":true,"event_status":"bare"}`)
			for n := range 40 {
				var token tokenBody
				got, err := try(s, http.MethodPost, pathStable, strings.NewReader(stableBody(n%7 == 0)))
				say(got, err)
				if err == nil && strings.Contains(got.body, "access_token") {
					mustDecode(t, got, &token)
				}
				fate := []string{"", "BLOCK", "SYSFL", "NOFOL"}[n%4]
				post(with(pathSend, token.AccessToken), orderBody(sandbox.OpenID(fate, n), clientID(fmt.Sprint(n/2))))
				post(control+"users/"+user+"/payments", "{}")
				post(with(pathAdd, token.AccessToken), `{"template_id_short":"43217","keyword_name_list":["商品名称"]}`)
				time.Sleep(7 * time.Second)
			}
			advance(t, s, 20*time.Hour)
			time.Sleep(10 * time.Minute)
		}
		for _, path := range []string{"ledger", "stats", "users", "faults", "presets", "clock", "accounts", "inbox/" + sandbox.OpenID("", 4)} {
			say(do(t, s, control+path, ""), nil)
		}
		// Pushes are made side by side: what was pushed is repeatable, the order within a moment is not.
		var pushes []string
		for _, e := range traffic(t, s) {
			e.Seq = 0
			text, err := json.Marshal(e)
			mustNil(t, err)
			pushes = append(pushes, string(text))
		}
		for _, p := range g.got() {
			pushes = append(pushes, fmt.Sprint(p.at, p.query, p.body))
		}
		slices.Sort(pushes)
		all = b.String() + strings.Join(pushes, "\n")
	})
	return all
}

// TestTheSameSeedAndTheSameCallsGiveTheSameRun compares whole days byte by byte:
// answers, ledger, stats, inbox, traffic and pushes, with luck of every kind in them.
func TestTheSameSeedAndTheSameCallsGiveTheSameRun(t *testing.T) {
	content, err := os.ReadFile("../docs/sandbox.seed.example.yaml")
	mustNil(t, err)
	for name, world := range map[string]*sandbox.World{"built-in": nil, "seed file": mustWorld(t, "builtin: true\n"+strings.Replace(string(content), "builtin: false\n", "", 1))} {
		first := replay(t, world, 7)
		if diff := cmp.Diff(first, replay(t, world, 7)); diff != "" {
			t.Errorf("%s: two runs with one seed (-first +second):\n%.4000s", name, diff)
		}
		if first == replay(t, world, 8) {
			t.Errorf("%s: another seed gives the same run", name)
		}
	}
}
