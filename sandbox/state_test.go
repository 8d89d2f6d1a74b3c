package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
)

// life is one life of a sandbox with a data folder, without a port.
type life struct {
	t    *testing.T
	box  *sandbox.Sandbox
	stop func()
}

func mustOpen(t *testing.T, dir string, opts sandbox.Options) *life {
	t.Helper()
	box, err := sandbox.Open(opts, dir)
	mustNil(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- box.Run(ctx) }()
	return &life{t, box, func() {
		t.Helper()
		cancel()
		mustNil(t, <-ended)
		mustNil(t, box.Close())
	}}
}

// do makes one call; body "" is GET, anything else POST.
func (l *life) do(target, body string) string {
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	r := httptest.NewRequest(method, "http://localhost"+target, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:1"
	w := httptest.NewRecorder()
	l.box.Handler().ServeHTTP(w, r)
	return w.Body.String()
}

func (l *life) code(target, body string) int {
	l.t.Helper()
	return codeOf(l.t, reply{body: l.do(target, body)})
}

func (l *life) token(appid, secret string) string {
	l.t.Helper()
	var v tokenBody
	mustDecode(l.t, reply{body: l.do(tokenTarget(appid, secret), "")}, &v)
	return v.AccessToken
}

// views is everything the control API shows that a restart must not change.
func (l *life) views() map[string]string {
	out := map[string]string{}
	for _, path := range []string{"accounts", "users", "ledger", "stats", "faults", "presets", "settings", "inbox/" + user, "users/" + user + "/consents"} {
		out[path] = l.do(control+path, "")
	}
	return out
}

// transport hands pushes to a handler, in the same goroutine.
type transport func(w http.ResponseWriter, r *http.Request)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	f(w, r)
	return w.Result(), nil
}

// TestALifeGoesOnWhereTheLastOneEnded fills a sandbox with some of everything, ends
// it, and looks at it again from the next life.
func TestALifeGoesOnWhereTheLastOneEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "made", "on the way")
		var mu sync.Mutex // guards the two below
		var list []string
		status := http.StatusInternalServerError
		pushed := func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(list) }
		opts := sandbox.Options{Seed: 3, HTTPClient: &http.Client{Transport: transport(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			mu.Lock()
			defer mu.Unlock()
			list = append(list, string(body))
			w.WriteHeader(status)
		})}}
		first := mustOpen(t, dir, opts)
		mustNil(t, first.box.SetServerURL(sandbox.SeedServiceAppID, "http://gateway.test/", "safe", ""))
		mustNil(t, first.box.AddAccount(sandbox.AccountSpec{AppID: secondAppID, Secret: secondSecret, DailyQuota: new(2), IPWhitelist: &[]string{"127.0.0.0/8"}, Era: "A"}))
		mustNil(t, first.box.Advance(30*time.Hour))
		service, mini := first.token(sandbox.SeedServiceAppID, sandbox.SeedServiceSecret), first.token(sandbox.SeedMiniAppID, sandbox.SeedMiniSecret)
		second := first.token(secondAppID, secondSecret)
		var added struct {
			TemplateID string `json:"template_id"`
		}
		mustDecode(t, reply{body: first.do(with(pathAdd, service), `{"template_id_short":"43217","keyword_name_list":["商品名称"]}`)}, &added)
		first.do(control+"users/"+user, `{"name":"王小明","blocked":true,"appid":"`+secondAppID+`"}`)
		first.do(control+"users/"+user+"/consents", `{"templates":[{"template_id":"`+sandbox.SeedTemplateSubscribePickup+`","accept":true}]}`)
		first.do(control+"faults", `{"path":"/cgi-bin/never","errcode":-1,"rate":0.5}`)
		first.do(control+"presets", `{"name":"token-war","every_ms":3600000,"appid":"`+secondAppID+`"}`)
		first.do(control+"settings", `{"malformed_token_40014":false}`)
		form := first.box.GiveForm("", user)
		wantFirst := first.code(with(pathSend, service), orderBody(user, clientID("kept")))
		time.Sleep(1500 * time.Millisecond) // delivered; its event is refused and waits for its second delivery
		wantSecond := first.code(with(pathSend, service), orderBody(sandbox.OpenID("", 2), ""))
		if wantFirst != 0 || wantSecond != 0 || len(pushed()) != 1 {
			t.Fatalf("before: errcodes %d, %d, %d pushes, want 0, 0, 1", wantFirst, wantSecond, len(pushed()))
		}
		msgID := first.box.Ledger(sandbox.LedgerFilter{ClientMsgID: "kept"})[0].MsgID
		before, clock := first.views(), first.box.Now()
		first.stop()

		opts.Seed = 99 // does not count: the dice are in the state
		later := mustOpen(t, dir, opts)
		if diff := cmp.Diff(before, later.views()); diff != "" {
			t.Errorf("the second life differs (-first +second):\n%s", diff)
		}
		if !later.box.Now().Equal(clock) || later.box.RandSeed() != 3 {
			t.Errorf("clock %v, want %v; seed %d, want 3", later.box.Now(), clock, later.box.RandSeed())
		}
		mu.Lock()
		status = http.StatusOK
		mu.Unlock()
		time.Sleep(10 * time.Second)
		if pushes := pushed(); len(pushes) != 3 || pushes[2] != pushes[0] {
			t.Errorf("%d pushes in all, want the first again and that of the message still under way", len(pushes))
		}
		rows := later.box.Ledger(sandbox.LedgerFilter{Path: pathSend})
		if len(rows) != 2 || rows[1].Fate != "shown" || len(rows[0].Pushes) != 2 || rows[0].Pushes[1].HTTPStatus != 200 {
			t.Errorf("ledger: %+v, want both shown and the event of the first delivered", rows)
		}
		for name, got := range map[string]int{
			"token":                later.code(with(pathDomainIP, service), ""),
			"added template":       later.code(with(pathSend, service), secondBody(user, added.TemplateID, "")),
			"form":                 later.code(with(pathMiniSend, mini), miniBody(user, form, "")),
			"consent":              later.code(with("/cgi-bin/message/subscribe/send", mini), `{"touser":"`+user+`","template_id":"`+sandbox.SeedTemplateSubscribePickup+`","data":{"character_string1":{"value":"1"},"thing2":{"value":"x"},"time3":{"value":"10:15"}}}`),
			"second account":       later.code(with(pathDomainIP, second), ""),
			"repeated client id":   later.code(with(pathSend, service), orderBody(user, clientID("kept"))),
			"settings: 40001 less": later.code(with(pathDomainIP, "%25"), "") - 40001,
		} {
			if got != 0 {
				t.Errorf("%s: errcode %d in the second life", name, got)
			}
		}
		if again := later.box.Ledger(sandbox.LedgerFilter{ClientMsgID: "kept"}); again[len(again)-1].DuplicateOf != msgID {
			t.Errorf("the repeated client_msg_id is a duplicate of %q, want %s", again[len(again)-1].DuplicateOf, msgID)
		}
		wantUsed := later.code(with(pathMiniSend, mini), miniBody(user, form, ""))
		if wantUsed != 41029 {
			t.Errorf("the form again: %d, want 41029", wantUsed)
		}
		advanceTo := 2 * time.Hour
		mustNil(t, later.box.Advance(advanceTo))
		if got := later.box.Presets()[0].Rounds; got < 2 {
			t.Errorf("the token war had %d rounds, want it to go on", got)
		}
		later.stop()

		third := mustOpen(t, dir, opts)
		third.do(control+"reset", "{}")
		if got := len(third.box.Accounts()); got != 2 {
			t.Errorf("%d accounts after a reset, want the seed's two", got)
		}
		third.stop()
	})
}

// TestNoIDComesBackInAnotherLife ends a life without a last write, as kill -9 does:
// the copy of an older state must not give out what was given out after it.
func TestNoIDComesBackInAnotherLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, copied := t.TempDir(), t.TempDir()
		first := mustOpen(t, dir, sandbox.Options{DeliveryDelay: -1})
		seen := map[string]bool{}
		take := func(l *life, unheard bool) {
			for range 20 {
				token := l.token(sandbox.SeedServiceAppID, sandbox.SeedServiceSecret)
				l.do(with(pathSend, token), orderBody(user, ""))
				rows := l.box.Ledger(sandbox.LedgerFilter{Path: pathSend})
				for _, id := range []string{token, rows[len(rows)-1].MsgID, l.box.GiveForm("", user)} {
					if id == "" || unheard && seen[id] {
						t.Errorf("%q came back", id)
					}
					seen[id] = true
				}
			}
		}
		take(first, true)
		time.Sleep(1100 * time.Millisecond)
		state, err := os.ReadFile(filepath.Join(dir, "sandbox.state"))
		mustNil(t, err)
		mustNil(t, os.WriteFile(filepath.Join(copied, "sandbox.state"), state, 0o600))
		take(first, true)
		first.stop()
		second := mustOpen(t, copied, sandbox.Options{DeliveryDelay: -1})
		if rows := second.box.Ledger(sandbox.LedgerFilter{Path: pathSend}); len(rows) != 20 {
			t.Errorf("%d sends in the copy, want 20", len(rows))
		}
		take(second, true)
		second.stop()
	})
}

// TestTheStateIsWrittenOnceASecondWhenSomethingChanged.
func TestTheStateIsWrittenOnceASecondWhenSomethingChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		file := filepath.Join(dir, "sandbox.state")
		l := mustOpen(t, dir, sandbox.Options{})
		defer l.stop()
		read := func() []byte {
			content, err := os.ReadFile(file)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			return content
		}
		l.box.GiveForm("", user)
		time.Sleep(999 * time.Millisecond)
		early := read()
		time.Sleep(2 * time.Millisecond)
		first := read()
		time.Sleep(time.Minute)
		if early != nil || first == nil || !bytes.Equal(first, read()) {
			t.Errorf("%d bytes before the second is over, %d after it, then %d, want none, some, the same", len(early), len(first), len(read()))
		}
		info, err := os.Stat(file)
		mustNil(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, want 0600: tokens are in it", info.Mode())
		}
		l.box.GiveForm("", user)
		time.Sleep(1001 * time.Millisecond)
		if bytes.Equal(first, read()) {
			t.Error("the change was not written")
		}
	})
}

func TestTheNewestTenThousandAreKept(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, sandbox.Options{DeliveryDelay: -1})
	token := l.token(sandbox.SeedServiceAppID, sandbox.SeedServiceSecret)
	const sends = 10_050
	for n := range sends {
		l.do(with(pathSend, token), orderBody(sandbox.OpenID("", n%7), ""))
	}
	l.stop()
	l = mustOpen(t, dir, sandbox.Options{DeliveryDelay: -1})
	defer l.stop()
	rows := l.box.Ledger(sandbox.LedgerFilter{})
	if len(rows) != 10_000 || rows[0].Seq != sends+1-10_000+1 || rows[9_999].Seq != sends+1 {
		t.Errorf("%d rows from %d to %d, want 10000 up to %d", len(rows), rows[0].Seq, rows[len(rows)-1].Seq, sends+1)
	}
	shown, unread := 0, 0
	for n := range 7 {
		shown += len(l.box.Inbox(sandbox.OpenID("", n)))
		unread += l.box.UserView(sandbox.OpenID("", n)).Unread
	}
	if shown != 10_000 || unread != 10_000 {
		t.Errorf("%d messages, %d of them unread, want 10000", shown, unread)
	}
}

func TestDataFoldersThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, sandbox.Options{})
	refused := func(name, dir string, want ...string) {
		t.Helper()
		_, err := sandbox.Open(sandbox.Options{}, dir)
		if _, ok := errors.AsType[*sandbox.StateError](err); !ok {
			t.Fatalf("%s: error %v, want a StateError", name, err)
		}
		for _, word := range want {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %q lacks %q", name, err, word)
			}
		}
	}
	refused("in use", dir, filepath.Join(dir, "sandbox.lock"), "held by another hongyan (process ", "stop it first")
	l.stop()
	whole, err := os.ReadFile(filepath.Join(dir, "sandbox.state"))
	mustNil(t, err)
	file := filepath.Join(dir, "sandbox.state")
	head, rest, _ := strings.Cut(string(whole), "\n")
	for name, tc := range map[string]struct{ content, want string }{
		"cut short":       {string(whole[:len(whole)-1]), "is damaged: its checksum is wrong; move it away to begin anew"},
		"a flipped bit":   {string(whole[:len(whole)-9]) + "\x01" + string(whole[len(whole)-8:]), "checksum"},
		"empty":           {"", "is damaged: it is no state of a sandbox"},
		"something else":  {"hello\nworld", "it is no state of a sandbox"},
		"a broken head":   {"hongyan sandbox state x\n", "damaged in its first line"},
		"newer":           {strings.Replace(head, "state 1", "state 2", 1) + "\n" + rest, "is of a newer hongyan (format 2, this one reads 1); use that one"},
		"another version": {strings.Replace(head, strings.Fields(head)[4], "0123456789abcdef", 1) + "\n" + rest, "was written by another version of hongyan"},
	} {
		mustNil(t, os.WriteFile(file, []byte(tc.content), 0o600))
		refused(name, dir, file, tc.want)
	}
	mustNil(t, os.WriteFile(file, whole, 0o600))
	mustOpen(t, dir, sandbox.Options{}).stop() // a refusal lets go of the lock
	blocked := filepath.Join(t.TempDir(), "file")
	mustNil(t, os.WriteFile(blocked, nil, 0o600))
	refused("no folder", blocked, blocked, "cannot be made")
}
