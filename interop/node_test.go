package interop

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const (
	// folder is where the scripts and their packages are, from this one.
	folder = "npm"
	// patience is when a script counts as hung. It takes part in no assertion.
	patience = time.Minute
	// cure is what to do when something of Node's is missing.
	cure = "run: .ci/need node npm-clients"
)

// script is a Node script under way. It talks in lines of JSON.
type script struct {
	name  string
	stdin io.WriteCloser
	lines *bufio.Scanner
}

// settings reach a script in its environment, with INTEROP_ before their names.
type settings map[string]string

// start runs npm/NAME.js until the test ends. Nothing of this process's
// environment reaches it but PATH: no proxy, no NODE_OPTIONS.
func start(t *testing.T, name string, set settings) *script {
	t.Helper()
	node := mustBeInstalled(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	cmd := exec.CommandContext(ctx, node, "--no-deprecation", name+".js")
	cmd.Dir = folder
	home := t.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "INTEROP_FOLDER=" + home}
	for key, value := range set {
		cmd.Env = append(cmd.Env, "INTEROP_"+key+"="+value)
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	stdin, err := cmd.StdinPipe()
	mustNil(t, err)
	stdout, err := cmd.StdoutPipe()
	mustNil(t, err)
	mustNil(t, cmd.Start())
	t.Cleanup(func() {
		stdin.Close() // each script ends with its input
		_, _ = io.Copy(io.Discard, stdout)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s.js: %v\n%s", name, err, said.Bytes())
		}
		cancel()
	})
	return &script{name: name, stdin: stdin, lines: bufio.NewScanner(stdout)}
}

// mustBeInstalled returns Node's path. The packages must be those of the lock file:
// .ci/need leaves a copy of it beside them. Reading the folder also tells the go
// command that the scripts are part of what it may cache a result for.
func mustBeInstalled(t *testing.T) string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("Node is missing (%v); %s", err, cure)
	}
	for _, dir := range []string{folder, filepath.Join(folder, "lib"), filepath.Join(folder, "typed")} {
		_, err := os.ReadDir(dir)
		mustNil(t, err)
	}
	want, err := os.ReadFile(filepath.Join(folder, "package-lock.json"))
	mustNil(t, err)
	got, err := os.ReadFile(filepath.Join(folder, "node_modules", ".installed"))
	if err != nil {
		t.Fatalf("the npm packages are not installed (%v); %s", err, cure)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("the installed npm packages are not those of %s/package-lock.json; %s", folder, cure)
	}
	return node
}

// read returns the script's next line in v.
func (s *script) read(t *testing.T, v any) {
	t.Helper()
	if !s.lines.Scan() {
		t.Fatalf("%s.js said no more: %v", s.name, s.lines.Err())
	}
	if err := json.Unmarshal(s.lines.Bytes(), v); err != nil {
		t.Fatalf("%s.js said %q: %v", s.name, s.lines.Bytes(), err)
	}
}

// reply is what a step came to: a result, or the error that the client raised.
type reply struct {
	Result json.RawMessage
	Error  *raised
}

// raised is an error of the client's. Code is WeChat's errcode if the client keeps it.
type raised struct {
	Code    json.RawMessage
	Message string
}

// step lets the script do something and returns what came of it.
func (s *script) step(t *testing.T, act string, arguments map[string]any) reply {
	t.Helper()
	request := map[string]any{"do": act}
	for key, value := range arguments {
		request[key] = value
	}
	line, err := json.Marshal(request)
	mustNil(t, err)
	if _, err := fmt.Fprintf(s.stdin, "%s\n", line); err != nil {
		t.Fatalf("%s.js does not listen: %v", s.name, err)
	}
	var r reply
	s.read(t, &r)
	return r
}

// must is a step that has to succeed; its result comes in v.
func (s *script) must(t *testing.T, act string, arguments map[string]any, v any) {
	t.Helper()
	r := s.step(t, act, arguments)
	if r.Error != nil {
		t.Fatalf("%s.js: %s: %s (code %s)", s.name, act, r.Error.Message, r.Error.Code)
	}
	if err := json.Unmarshal(r.Result, v); err != nil {
		t.Fatalf("%s.js: %s came to %s: %v", s.name, act, r.Result, err)
	}
}

func mustNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
