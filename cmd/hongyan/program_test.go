package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// buildProgram returns the path of the real program, without the race detector: it is to be fast.
func buildProgram(t *testing.T) string {
	t.Helper()
	exe, err := builtProgram()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// builtProgram builds the program once for all tests, into a folder that TestMain removes.
var builtProgram = sync.OnceValues(func() (exe string, err error) {
	if builtIn, err = os.MkdirTemp("", "hongyan-program-"); err != nil {
		return "", err
	}
	exe = filepath.Join(builtIn, "hongyan")
	if out, err := exec.Command("go", "build", "-o", exe, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return exe, nil
})

var builtIn string // written by builtProgram; "" = not built

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
