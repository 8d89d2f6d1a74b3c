package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
)

const (
	crashMessages = 20_000
	crashCallers  = 64
	crashKills    = 5
	crashSlots    = 256 // and so the most that one crash may leave in doubt
)

// TestFiveKillsLoseNothingAndShowNothingTwice runs the program itself: gateway
// and sandbox as processes, 64 callers that post 20,000 messages, and kill -9
// of the gateway five times meanwhile. What the callers were promised is then
// compared with what the gateway remembers and what the sandbox's users saw.
func TestFiveKillsLoseNothingAndShowNothingTwice(t *testing.T) {
	dir := t.TempDir()
	exe := buildProgram(t, dir)
	box := startProgram(t, exe, nil, "sandbox", "--listen", "127.0.0.1:0", "--delivery-delay", "100ms")
	g := &crashGateway{t: t, exe: exe, listen: freeAddress(t), data: filepath.Join(dir, "data"), key: "hyk_" + strings.Repeat("c", 43)}
	g.start()
	api := client.New("http://"+g.listen, g.key)
	furnish(t, api, box.url, g.listen)

	var posted promises
	posting := make(chan struct{})
	go func() {
		defer close(posting)
		posted.post(t, "http://"+g.listen, g.key)
	}()
	for range crashKills {
		time.Sleep(time.Duration(500+rand.IntN(1000)) * time.Millisecond)
		g.killAndRestart()
	}
	<-posting
	states := awaitEnd(t, api)
	t.Logf("states: %v; in doubt at the restarts: %v", states.counts, g.doubts())

	posted.check(t, states)
	checkShown(t, box.url)
	for i, n := range g.doubts() {
		if n > crashSlots {
			t.Errorf("restart %d found %d messages in doubt, more than the %d slots", i+1, n, crashSlots)
		}
	}
	g.current.stop()
}

// buildProgram builds the real program, without the race detector: it is to be fast.
func buildProgram(t *testing.T, dir string) string {
	t.Helper()
	exe := filepath.Join(dir, "hongyan")
	if out, err := exec.Command("go", "build", "-o", exe, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return exe
}

// program is a running hongyan process.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	errs *os.File
}

func startProgram(t *testing.T, exe string, env []string, args ...string) *program {
	t.Helper()
	errs, err := os.CreateTemp(t.TempDir(), "stderr")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, cmd: cmd, errs: errs}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); errs.Close() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%v printed no address: %v\n%s", args, err, p.stderr())
	}
	p.url = strings.TrimPrefix(strings.TrimSpace(line), "listening on ")
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return p
}

func (p *program) stderr() string {
	b, _ := os.ReadFile(p.errs.Name())
	return string(b)
}

// stop ends the process as an operator does; it must leave in peace.
func (p *program) stop() {
	p.t.Helper()
	_ = p.cmd.Process.Signal(os.Interrupt)
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("stop: %v\n%s", err, p.stderr())
	}
}

// crashGateway is a gateway that is killed and comes back at the same address.
type crashGateway struct {
	t                      *testing.T
	exe, listen, data, key string
	current                *program
	lives                  []*program
}

func (g *crashGateway) start() {
	g.t.Helper()
	env := []string{"HONGYAN_ADMIN_KEY=" + g.key, "HONGYAN_SLOTS=" + strconv.Itoa(crashSlots)}
	g.current = startProgram(g.t, g.exe, env, "serve", "--listen", g.listen, "--data", g.data)
	g.lives = append(g.lives, g.current)
}

func (g *crashGateway) killAndRestart() {
	g.t.Helper()
	if err := g.current.cmd.Process.Kill(); err != nil {
		g.t.Fatal(err)
	}
	_ = g.current.cmd.Wait() // "signal: killed" is what was asked for
	g.start()
}

var doubtLine = regexp.MustCompile(`dead process left in doubt" .*count=(\d+)`)

// doubts lists how many messages each restart found in doubt.
func (g *crashGateway) doubts() []int {
	var all []int
	for _, p := range g.lives[1:] {
		n := 0
		if m := doubtLine.FindStringSubmatch(p.stderr()); m != nil {
			n, _ = strconv.Atoi(m[1])
		}
		all = append(all, n)
	}
	return all
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// furnish adds the sandbox's service account and tells the sandbox where to push.
func furnish(t *testing.T, api *client.Client, boxURL, listen string) {
	t.Helper()
	ctx := t.Context()
	_, err := api.CreateAccount(ctx, client.AccountRequest{
		AppID: sandbox.SeedServiceAppID, Secret: sandbox.SeedServiceSecret, Kind: "service", BaseURL: boxURL,
		Callback: &client.CallbackInput{Token: new(sandbox.SeedCallbackToken), Mode: new("plain")},
	})
	if err != nil {
		t.Fatalf("add account: %v", err)
	}
	if _, err := api.SyncTemplates(ctx, sandbox.SeedServiceAppID); err != nil {
		t.Fatalf("sync templates: %v", err)
	}
	body := fmt.Sprintf(`{"server_url":"http://%s/callback/%s"}`, listen, sandbox.SeedServiceAppID)
	resp, err := http.Post(boxURL+"/sandbox/v1/accounts/"+sandbox.SeedServiceAppID, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		t.Fatalf("set server_url: status %d", resp.StatusCode)
	}
}

// promises is what the callers were told: a message id for each of theirs.
type promises struct {
	mu  sync.Mutex
	ids map[int]string // by message number
}

// post posts every message until it is answered with success, always with the
// same Idempotency-Key.
func (p *promises) post(t *testing.T, url, key string) {
	p.ids = make(map[int]string, crashMessages)
	var next atomic.Int64
	var callers sync.WaitGroup
	for range crashCallers {
		callers.Go(func() {
			api := client.New(url, key)
			for {
				i := int(next.Add(1)) - 1
				if i >= crashMessages {
					return
				}
				id := postUntilAnswered(t, api, i)
				p.mu.Lock()
				p.ids[i] = id
				p.mu.Unlock()
			}
		})
	}
	callers.Wait()
}

func postUntilAnswered(t *testing.T, api *client.Client, i int) string {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		sent, err := api.Send(ctx, client.MessageRequest{
			AppID: sandbox.SeedServiceAppID, ToUser: sandbox.OpenID("", i), TemplateID: sandbox.SeedTemplateOrder,
			Data: map[string]client.Field{
				"character_string1": {Value: "A" + strconv.Itoa(i)}, "thing2": {Value: "巧克力"},
				"amount3": {Value: "￥39.80"}, "time4": {Value: "2026-11-20 10:15"},
			},
			IdempotencyKey: "crash-" + strconv.Itoa(i),
		})
		if err == nil {
			return sent.Message.ID
		}
		if ctx.Err() != nil {
			t.Errorf("message %d was never taken: %v", i, err)
			return ""
		}
		time.Sleep(20 * time.Millisecond) // a real caller's pause; the gateway is being restarted
	}
}

// endStates is every message the gateway remembers.
type endStates struct {
	byID   map[string]client.Message
	counts map[string]int
}

// awaitEnd waits until no message is under way any more.
func awaitEnd(t *testing.T, api *client.Client) endStates {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		s := endStates{byID: map[string]client.Message{}, counts: map[string]int{}}
		for m, err := range api.AllMessages(t.Context(), client.MessageFilter{Limit: 1000}) {
			if err != nil {
				t.Fatalf("list: %v", err)
			}
			if _, twice := s.byID[m.ID]; twice {
				t.Errorf("message %s is listed twice", m.ID)
			}
			s.byID[m.ID] = m
			s.counts[m.State]++
		}
		if s.counts["queued"]+s.counts["sending"]+s.counts["accepted"] == 0 {
			return s
		}
		if time.Now().After(deadline) {
			return s
		}
		time.Sleep(time.Second)
	}
}

// check compares the promises with the store: each 202 is one row, and each
// row came to an end that may be.
func (p *promises) check(t *testing.T, s endStates) {
	t.Helper()
	owners := map[string]int{}
	for i, id := range p.ids {
		m, ok := s.byID[id]
		if !ok {
			t.Errorf("message %d was accepted as %s and is lost", i, id)
			continue
		}
		if other, taken := owners[id]; taken {
			t.Errorf("messages %d and %d were promised one row %s", i, other, id)
		}
		owners[id] = i
		if m.ToUser != sandbox.OpenID("", i) {
			t.Errorf("row %s is for %s, promised to message %d", id, m.ToUser, i)
		}
	}
	if len(p.ids) != crashMessages || len(s.byID) != crashMessages {
		t.Errorf("rows: got %d for %d promises, want %d each", len(s.byID), len(p.ids), crashMessages)
	}
	for _, m := range s.byID {
		switch m.State {
		case "delivered", "uncertain", "held":
		case "accepted": // its event was lost while the gateway was down: WeChat pushes three times only
		default:
			t.Errorf("message %s ended %s (%s)", m.ID, m.State, m.Reason)
		}
	}
}

// checkShown asks the sandbox's ledger whether any user saw a message twice.
func checkShown(t *testing.T, boxURL string) {
	t.Helper()
	shown := map[string]int{}
	eachLedgerEntry(t, boxURL, func(e sandbox.LedgerEntry) {
		if e.Fate == "shown" && e.DuplicateOf == "" {
			shown[e.ToUser]++
		}
	})
	for user, n := range shown {
		if n > 1 {
			t.Errorf("%s was shown a message %d times", user, n)
		}
	}
	if len(shown) == 0 {
		t.Error("the sandbox showed nothing at all")
	}
	t.Logf("users who saw their message: %d", len(shown))
}

// eachLedgerEntry reads the sandbox's ledger to its end.
func eachLedgerEntry(t *testing.T, boxURL string, each func(sandbox.LedgerEntry)) {
	t.Helper()
	for after := int64(0); ; {
		resp, err := http.Get(fmt.Sprintf("%s/sandbox/v1/ledger?after=%d&limit=10000", boxURL, after))
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Items []sandbox.LedgerEntry `json:"items"`
			Next  int64                 `json:"next_after"`
		}
		err = json.NewDecoder(resp.Body).Decode(&page)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Items {
			each(e)
		}
		if len(page.Items) == 0 || page.Next <= after {
			return
		}
		after = page.Next
	}
}
