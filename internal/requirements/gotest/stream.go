package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"hongyan/internal/requirements"
)

// event is a line of go test -json (go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string // of build-output
	Test       string
	Output     string
}

// stream turns the events back into what go test prints without -v, and notes the
// outcome of every test.
type stream struct {
	module string
	out    io.Writer
	run    requirements.Run
	said   map[string]map[string]*strings.Builder // output by package and test, "" = the package's own
}

func newStream(module string, out io.Writer) *stream {
	return &stream{
		module: module, out: out, said: map[string]map[string]*strings.Builder{},
		run: requirements.Run{Outcomes: map[requirements.Test]string{}, Packages: map[string]bool{}},
	}
}

// read takes events until r ends. What is no event, as a program's own output at its
// end may be, is printed.
func (s *stream) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil && e.Action != "" {
				s.take(&e)
			} else if _, err := s.out.Write(line); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *stream) take(e *event) {
	switch e.Action {
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "output":
		s.hear(e)
	case "pass", "fail", "skip":
		if e.Test == "" {
			s.endPackage(e)
		} else {
			s.endTest(e)
		}
	}
}

// hear keeps output until it is known whether it is wanted. What -v adds is dropped.
func (s *stream) hear(e *event) {
	for _, mark := range []string{"=== RUN ", "=== PAUSE ", "=== CONT ", "=== NAME "} {
		if strings.HasPrefix(e.Output, mark) {
			return
		}
	}
	tests := s.said[e.Package]
	if tests == nil {
		tests = map[string]*strings.Builder{}
		s.said[e.Package] = tests
	}
	if tests[e.Test] == nil {
		tests[e.Test] = new(strings.Builder)
	}
	tests[e.Test].WriteString(e.Output)
}

// endTest prints what a failed test said; of the others nothing is shown.
func (s *stream) endTest(e *event) {
	s.run.Outcomes[requirements.Test{Package: s.folder(e.Package), Name: e.Test}] = e.Action
	if said := s.said[e.Package][e.Test]; said != nil && e.Action == "fail" {
		fmt.Fprint(s.out, said)
	}
	delete(s.said[e.Package], e.Test)
}

// endPackage prints the line about the package, and all that was said when it failed:
// by tests that did not come to their end too.
func (s *stream) endPackage(e *event) {
	own := ""
	if said := s.said[e.Package][""]; said != nil {
		own = said.String()
	}
	if e.Action == "fail" {
		for test, said := range s.said[e.Package] {
			if test != "" {
				fmt.Fprint(s.out, said)
			}
		}
		fmt.Fprint(s.out, own)
	} else {
		for line := range strings.Lines(own) {
			if strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "?   \t") || strings.HasPrefix(line, "\t") {
				fmt.Fprint(s.out, line)
			}
		}
	}
	if e.Action != "skip" {
		s.run.Packages[s.folder(e.Package)] = true
	}
	delete(s.said, e.Package)
}

// folder is where a package is in the module; its root is called as the module is.
func (s *stream) folder(path string) string { return strings.TrimPrefix(path, s.module+"/") }
