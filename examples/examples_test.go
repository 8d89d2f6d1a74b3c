package examples

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan/client"
	"hongyan/sandbox"
	"hongyan/server/servertest"
)

// language is one of the folders: the program that runs what is in it, and what to tell
// .ci/need when it is missing.
type language struct {
	name, program, need string
	send, receive       []string // arguments
}

var languages = []language{
	{name: "curl", program: "sh", need: "curl", send: []string{"curl/send.sh"}},
	{name: "go", program: "go", need: "go", send: []string{"./go/send"}, receive: []string{"./go/receive"}},
	{name: "python", program: "python3", need: "python", send: []string{"python/send.py"}, receive: []string{"python/receive.py"}},
	{name: "node", program: "node", need: "node", send: []string{"node/send.mjs"}, receive: []string{"node/receive.mjs"}},
	{name: "java", program: "java", need: "java", send: []string{"java/Send.java"}, receive: []string{"java/Receive.java"}},
}

// patience is when a program counts as hung. It takes part in no assertion.
const patience = 2 * time.Minute

// command is a program of the language's with these settings and little else in its
// environment: no proxy, no options of a runtime's.
func (l language) command(t *testing.T, arguments, settings []string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(l.program)
	if err != nil {
		t.Fatalf("%s is missing (%v); run: .ci/need %s", l.program, err, l.need)
	}
	// Reading the folder tells the go command that the result depends on it.
	if _, err := os.ReadDir(l.name); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	if l.name == "go" { // not go run: that is a process between the test and the program
		binary := filepath.Join(t.TempDir(), "program.exe")
		if said, err := exec.CommandContext(ctx, path, "build", "-o", binary, arguments[0]).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		path, arguments = binary, nil
	}
	cmd := exec.CommandContext(ctx, path, arguments...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LANG=C.UTF-8", "TMPDIR=" + t.TempDir()}, settings...)
	return cmd
}

func TestEachSendsWaitsAndIsRefused(t *testing.T) {
	world := servertest.New(t)
	c := client.New(world.URL, world.Key)
	for i, l := range languages {
		t.Run(l.name, func(t *testing.T) {
			openID, order := sandbox.OpenID("", i+1), "A100"+fmt.Sprint(i)
			cmd := l.command(t, l.send, []string{"HONGYAN_URL=" + world.URL, "HONGYAN_KEY=" + world.Key, "OPENID=" + openID, "ORDER=" + order})
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			said, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s%s", err, said, stderr.Bytes())
			}
			page, err := c.Messages(t.Context(), client.MessageFilter{ToUser: openID})
			if err != nil || len(page.Items) != 1 {
				t.Fatalf("the gateway has %d messages, %v; want one. The program said\n%s", len(page.Items), err, said)
			}
			id := page.Items[0].ID
			want := fmt.Sprintf("sent %s\nagain %s\nended %s delivered\nrefused 422 invalid_data /data/thing2\n", id, id, id)
			if diff := cmp.Diff(want, string(said)); diff != "" {
				t.Errorf("it said (-want +got):\n%s", diff)
			}
			shown := world.Sandbox.Inbox(openID)
			if len(shown) != 1 || shown[0].Jump.URL != "https://shop.example.com/orders/"+order || !strings.Contains(fmt.Sprint(shown[0].Lines), "巧克力") {
				t.Errorf("the user sees %+v, want the order once", shown)
			}
			if strings.Contains(stderr.String()+string(said), world.Key) {
				t.Error("the key was printed")
			}
		})
	}
}

// TestEachSaysThatTheKeyIsWrong: a program that fails says so by its exit code.
func TestEachSaysThatTheKeyIsWrong(t *testing.T) {
	world := servertest.New(t)
	for _, l := range languages {
		t.Run(l.name, func(t *testing.T) {
			said, err := l.command(t, l.send, []string{"HONGYAN_URL=" + world.URL, "HONGYAN_KEY=hyk_wrong"}).CombinedOutput()
			if err == nil || strings.Contains(string(said), "sent") {
				t.Errorf("error %v; it said\n%s", err, said)
			}
			if strings.Contains(string(said), "hyk_wrong") {
				t.Errorf("the key was printed:\n%s", said)
			}
		})
	}
}

// TestEveryFolderIsALanguage: what is not in the table does not run.
func TestEveryFolderIsALanguage(t *testing.T) {
	folders, err := filepath.Glob("*/")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		known := false
		for _, l := range languages {
			known = known || l.name == filepath.Clean(folder)
		}
		if info, err := os.Stat(folder); err == nil && info.IsDir() && !known {
			t.Errorf("no test runs what is in %s", folder)
		}
	}
}
