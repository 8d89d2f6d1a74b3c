package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
)

// TestABackupTakenUnderLoadSendsNothingAgain backs a gateway up while 64 callers post
// to it, kills it some time later, and restores the backup elsewhere. The sandbox's
// ledger tells what users saw: nobody a message twice.
func TestABackupTakenUnderLoadSendsNothingAgain(t *testing.T) {
	dir := t.TempDir()
	exe := buildProgram(t)
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
	time.Sleep(700 * time.Millisecond) // it is at work
	saved := filepath.Join(dir, "saved.db")
	runProgram(t, exe, "backup", saved, "--data", g.data)
	<-posting
	if err := g.current.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = g.current.cmd.Wait() // "signal: killed" is what was asked for

	key, err := os.ReadFile(filepath.Join(g.data, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	g.data = filepath.Join(dir, "restored")
	if err := os.MkdirAll(g.data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(g.data, "master.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Log(runProgram(t, exe, "restore", saved, "--data", g.data))
	before := boxCalls(t, box.url)
	g.start()
	// One that is posted now goes out behind all that would have gone before it.
	last, err := api.Send(t.Context(), client.MessageRequest{
		AppID: sandbox.SeedServiceAppID, ToUser: sandbox.OpenID("", crashMessages+1), TemplateID: sandbox.SeedTemplateOrder,
		Data: map[string]client.Field{"character_string1": {Value: "A1"}, "thing2": {Value: "巧克力"}, "amount3": {Value: "￥39.80"}, "time4": {Value: "2026-11-20 10:15"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for {
		clear(counts)
		ended := false
		for m, err := range api.AllMessages(t.Context(), client.MessageFilter{Limit: 1000}) {
			if err != nil {
				t.Fatal(err)
			}
			counts[m.State]++
			ended = ended || m.ID == last.Message.ID && m.State == "delivered"
			switch {
			case (m.State == "held" || m.State == "uncertain") && m.Reason != "restored":
				t.Errorf("%s is %s for the reason %q", m.ID, m.State, m.Reason)
			case m.State == "queued" || m.State == "sending":
				if m.ID != last.Message.ID {
					t.Errorf("%s is %s: it would be sent again", m.ID, m.State)
				}
			}
		}
		if ended {
			break
		}
		time.Sleep(20 * time.Millisecond) // until its event has come
	}
	t.Log("states:", counts)
	if calls := boxCalls(t, box.url) - before; calls != 1 {
		t.Errorf("the restored gateway made %d calls, want the one for the new message", calls)
	}
	checkShown(t, box.url)
	g.current.stop()
}

// boxCalls is how many sends the sandbox has answered.
func boxCalls(t *testing.T, boxURL string) int {
	t.Helper()
	n := 0
	eachLedgerEntry(t, boxURL, func(sandbox.LedgerEntry) { n++ })
	return n
}

// runProgram runs a command to its end and returns what it printed.
func runProgram(t *testing.T, exe string, args ...string) string {
	t.Helper()
	out, err := exec.Command(exe, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}
