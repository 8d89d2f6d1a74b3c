// Command gotest runs go test with the arguments it is given, prints what go test
// prints, and then holds docs/requirements.md against what ran: a requirement whose test
// is missing, was renamed, was skipped or failed makes it fail. It costs no second run.
//
// make test calls it: go run ./internal/requirements/gotest -race ./... Start with run;
// stream.go reads what go test -json says. What the list must look like is package requirements'.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"hongyan/internal/requirements"
)

// list is the document, from the module's root.
const list = "docs/requirements.md"

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the whole command, in the module that the current folder is the root of. It
// returns go test's exit code, or 1 when only the list is not fulfilled.
func run(args []string, stdout, stderr io.Writer) int {
	listed, err := read(list)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	module, err := exec.Command("go", "list", "-m").Output()
	if err != nil {
		fmt.Fprintln(stderr, "go list -m:", err)
		return 1
	}
	s := newStream(strings.TrimSpace(string(module)), stdout)
	s.run.Whole = slices.Contains(args, "./...")
	code, err := goTest(args, s, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "go test:", err)
		return 1
	}
	if code != 0 { // what ran is not all there is: the list would only add to the noise
		return code
	}
	problems, checked := requirements.Check(listed, s.run)
	for _, p := range problems {
		fmt.Fprintf(stderr, "%s: %s\n", list, p)
	}
	if len(problems) > 0 {
		return 1
	}
	fmt.Fprintf(stdout, "%s: %d of %d requirements have their tests in this run, and they passed\n", list, checked, len(listed))
	return 0
}

func read(file string) ([]requirements.Requirement, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	listed, err := requirements.Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return listed, nil
}

// goTest runs go test -json and hands s what it says.
func goTest(args []string, s *stream, stderr io.Writer) (code int, err error) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	readErr := s.read(out)
	err = cmd.Wait()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(1, failed.ExitCode()), nil
	}
	return 0, errors.Join(err, readErr)
}
