package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this test binary answer to the name hongyan inside scripts.
func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){"hongyan": main})
}

// tests removes the program that builtProgram built when all have run.
type tests struct{ *testing.M }

func (m tests) Run() int {
	code := m.M.Run()
	if builtIn != "" {
		os.RemoveAll(builtIn)
	}
	return code
}

// TestScripts runs every shell session in testdata. Beside testscript's own
// commands they may use:
//
//	start NAME ARGS…   runs hongyan ARGS… in the background; $NAME is the URL it
//	                   prints, NAME.out and NAME.err what it writes
//	stop NAME          ends it with SIGTERM; it must exit with 0
//	exits N COMMAND…   runs a command that must exit with N
//	post URL BODY      sends JSON and requires a 2xx answer
//	get URL            prints the body of a 2xx answer
//	capture VAR REGEXP sets $VAR to the first group of REGEXP in the last stdout
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": start, "stop": stop, "exits": exits, "post": post, "get": get, "capture": capture,
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("NO_COLOR", "1")
			e.Setenv("TZ", "UTC")
			e.Values[processes{}] = map[string]*process{}
			return nil
		},
	})
}

// processes is where a script keeps what it started, by name.
type processes struct{}

type process struct {
	command *exec.Cmd
	copied  chan struct{} // closed when NAME.out is complete
}

func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start NAME ARGS…")
	}
	name := args[0]
	stdout, err := os.Create(ts.MkAbs(name + ".out"))
	ts.Check(err)
	stderr, err := os.Create(ts.MkAbs(name + ".err"))
	ts.Check(err)
	ctx, kill := context.WithCancel(context.Background())
	ts.Defer(kill)
	p := &process{command: exec.CommandContext(ctx, "hongyan", args[1:]...), copied: make(chan struct{})}
	p.command.Path = lookHongyan(ts)
	p.command.Err = nil
	p.command.Dir, p.command.Stderr = ts.MkAbs("."), stderr
	p.command.Env = scriptEnvironment(ts)
	pipe, err := p.command.StdoutPipe()
	ts.Check(err)
	ts.Check(p.command.Start())
	ts.Defer(func() { kill(); p.command.Wait() })

	lines := bufio.NewReader(pipe)
	first, _ := lines.ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(first), "listening on ")
	if !ok {
		log, _ := os.ReadFile(stderr.Name())
		ts.Fatalf("the first line of %s is %q; it wrote\n%s", name, first, log)
	}
	go func() { defer close(p.copied); io.WriteString(stdout, first); io.Copy(stdout, lines); stdout.Close() }()
	ts.Setenv(name, url)
	ts.Value(processes{}).(map[string]*process)[name] = p
}

// lookHongyan finds the command in the script's PATH.
func lookHongyan(ts *testscript.TestScript) string {
	for dir := range strings.SplitSeq(ts.Getenv("PATH"), string(os.PathListSeparator)) {
		path := filepath.Join(dir, "hongyan")
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	ts.Fatalf("hongyan is not in PATH")
	return ""
}

// scriptEnvironment hands on what the program looks at.
func scriptEnvironment(ts *testscript.TestScript) []string {
	env := []string{}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TZ", "NO_COLOR", "HONGYAN_ADMIN_KEY", "HONGYAN_MASTER_KEY", "GOCOVERDIR"} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func stop(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: stop NAME")
	}
	p := ts.Value(processes{}).(map[string]*process)[args[0]]
	if p == nil {
		ts.Fatalf("nothing named %s was started", args[0])
	}
	ts.Check(p.command.Process.Signal(syscall.SIGTERM))
	<-p.copied
	ts.Check(p.command.Wait())
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits N COMMAND…")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		failed, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = failed.ExitCode()
	}
	if want := args[0]; strconv.Itoa(got) != want {
		ts.Fatalf("exit code %d, want %s", got, want)
	}
}

func post(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: post URL BODY")
	}
	res, err := http.Post(args[0], "application/json", strings.NewReader(args[1]))
	ts.Check(err)
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		answer, _ := io.ReadAll(res.Body)
		ts.Fatalf("%s: %s", res.Status, answer)
	}
}

func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: get URL")
	}
	res, err := http.Get(args[0])
	ts.Check(err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	ts.Check(err)
	if res.StatusCode/100 != 2 {
		ts.Fatalf("%s: %s", res.Status, answer)
	}
	_, err = ts.Stdout().Write(answer)
	ts.Check(err)
}

func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture VAR REGEXP")
	}
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		ts.Fatalf("%s is not in the last stdout", args[1])
	}
	ts.Setenv(args[0], found[1])
}
