package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
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

// errSilentUsage is errSilent for a configuration that is wrong.
var errSilentUsage = errors.New("wrong configuration")

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
	if errors.Is(err, errSilentUsage) {
		return exitUsage
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
		return configRefusal(c)
	}
	if e, ok := errors.AsType[*hongyan.Error](err); ok {
		return &commandError{what: err.Error(), cure: e.Hint}
	}
	if errors.Is(err, fs.ErrPermission) {
		return &commandError{what: err.Error(), cure: "run it as a user who may, or change the permissions"}
	}
	return &commandError{what: err.Error()}
}

// configRefusal puts each problem on a line of its own. The cure of a single one
// that is not in a file goes onto the second line, as cures do.
func configRefusal(c *server.ConfigError) *commandError {
	told := &commandError{what: c.Error(), cure: "docs/hongyan.example.yaml shows every key", code: exitUsage}
	if len(c.Problems) > 1 {
		told.what = fmt.Sprintf("%d problems in the configuration\n%s", len(c.Problems), c.Error())
	} else if p := c.Problems[0]; c.File == "" && p.Cure != "" {
		told.what, told.cure = p.Key+": "+p.Text, p.Cure
	}
	return told
}

// readNamed reads what a flag names, at most limit bytes: a file, or standard
// input for "-".
func (w *surroundings) readNamed(flag, name string, limit int64) ([]byte, error) {
	source := w.stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, unreadable(flag, name, err)
		}
		defer file.Close()
		source = file
	}
	content, err := io.ReadAll(io.LimitReader(source, limit))
	if err != nil {
		return nil, unreadable(flag, name, err)
	}
	return content, nil
}

func unreadable(flag, name string, err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return wrongUse("name a file that can be read, or - for standard input", "%s %s cannot be read: %v", flag, name, err)
}
