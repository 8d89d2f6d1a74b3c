package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"hongyan"
	"hongyan/server"
)

// commandError is what an operator is told: what went wrong and where, and
// what to do about it.
type commandError struct {
	what string
	cure string // "" = none
	code int    // exit code; 0 stands for exitFailed
}

func (e *commandError) Error() string { return e.what }

// errSilent fails without a word: everything was said already.
var errSilent = errors.New("failed")

// wrongUse is a command line that cannot be obeyed.
func wrongUse(cure, format string, args ...any) error {
	return &commandError{what: fmt.Sprintf(format, args...), cure: cure, code: exitUsage}
}

// usageError turns the parser's complaint into one that names the help to read.
func usageError(parser *kong.Kong, err error) error {
	help := "hongyan --help"
	if p, ok := errors.AsType[*kong.ParseError](err); ok && p.Context != nil {
		if command := commandPath(p.Context); command != "" {
			help = "hongyan " + command + " --help"
		}
	}
	return &commandError{what: err.Error(), cure: "see " + help, code: exitUsage}
}

// commandPath returns the words of the command that was being parsed.
func commandPath(c *kong.Context) string {
	var words []string
	for _, p := range c.Path {
		if p.Command != nil {
			words = append(words, p.Command.Name)
		}
	}
	return strings.Join(words, " ")
}

// fail writes err, if there is one, and returns the exit code it stands for.
func (w *surroundings) fail(err error) int {
	if err == nil {
		return exitOK
	}
	if errors.Is(err, errSilent) {
		return exitFailed
	}
	told, ok := errors.AsType[*commandError](err)
	if !ok {
		told = explain(err)
	}
	p := printerFor(w.stderr, w.getenv)
	fmt.Fprintln(w.stderr, p.paint(red, "error:")+" "+told.what)
	if told.cure != "" {
		fmt.Fprintln(w.stderr, "  "+told.cure)
	}
	if told.code != 0 {
		return told.code
	}
	return exitFailed
}

// explain finds the words for an error that has none of its own yet.
func explain(err error) *commandError {
	if c, ok := errors.AsType[*server.ConfigError](err); ok {
		return &commandError{what: configWords(c), cure: "docs/hongyan.example.yaml shows every key", code: exitUsage}
	}
	if e, ok := errors.AsType[*hongyan.Error](err); ok {
		return &commandError{what: err.Error(), cure: e.Hint}
	}
	return &commandError{what: err.Error()}
}

// configWords puts each problem on a line of its own.
func configWords(c *server.ConfigError) string {
	if len(c.Problems) == 1 {
		return c.Error()
	}
	return fmt.Sprintf("%d problems in the configuration\n%s", len(c.Problems), c.Error())
}
