package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"hongyan/server"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // the command line or the configuration is wrong
)

// surroundings is what a command may use of the world outside.
type surroundings struct {
	environ []string // as os.Environ returns it
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
}

// getenv returns the value of a variable, "" when it is not set. As everywhere,
// the last one given counts.
func (w *surroundings) getenv(name string) string {
	for _, pair := range slices.Backward(w.environ) {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

// warn tells of HONGYAN_* variables that nothing reads. They are no error: an
// older or newer version may know them.
func (w *surroundings) warn() {
	p := printerFor(w.stderr, w.getenv)
	for _, said := range server.UnknownVariables(w.environ) {
		fmt.Fprintln(w.stderr, p.paint(amber, "warning:")+" "+said)
	}
}

// exitRequest is how kong's Exit, called after --help, leaves the parser.
type exitRequest int

// run executes one command line and returns its exit code.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	w := &surroundings{environ: environ, stdin: stdin, stdout: stdout, stderr: stderr}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exitRequest:
			code = int(r)
		default:
			panic(r)
		}
	}()
	var commands cli
	parser := newParser(&commands, w)
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return w.fail(usageError(parser, err))
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return w.fail(parsed.Run(w))
}

func newParser(commands *cli, w *surroundings) *kong.Kong {
	return kong.Must(commands,
		kong.Name("hongyan"),
		kong.Description("Hongyan (鸿雁) gets WeChat template messages to people and knows what became of each one.\n\n"+
			"See it work: hongyan demo\n\n"+
			"Commands that speak to a running gateway find it by $HONGYAN_URL (default "+defaultURL+") and show it the key in $HONGYAN_KEY."),
		kong.Writers(w.stdout, w.stderr),
		kong.Exit(func(code int) { panic(exitRequest(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	)
}
