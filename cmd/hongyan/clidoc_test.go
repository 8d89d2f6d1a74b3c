package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite what is printed from the code")

const cliPage = "../../docs/cli.md"

// TestCLIPageIsPrintedFromTheHelp keeps docs/cli.md what --help says.
func TestCLIPageIsPrintedFromTheHelp(t *testing.T) {
	t.Setenv("COLUMNS", "100") // kong wraps at the terminal's width
	got := printCLIPage(t)
	if *update {
		if err := os.WriteFile(cliPage, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(cliPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs from the help; run go test ./cmd/hongyan -update (-file +help)\n%s", cliPage, diff)
	}
}

func printCLIPage(t *testing.T) string {
	var b strings.Builder
	b.WriteString("# Commands\n\nPrinted from `--help`; every command has it too.\n\n" +
		"Exit codes: 0 done, 1 failed or refused by the gateway, 2 the command line or the configuration is wrong. Errors say what and where on the first line (several at once: a line each), the cure on the last. " +
		"`--json` prints JSON for programs. `NO_COLOR` turns colours off; they are off anyway where the output is not a terminal.\n\n" +
		"The commands from `account` to `doctor` speak to a running gateway: `HONGYAN_URL` (default " + defaultURL + ") with the key in `HONGYAN_KEY`. " +
		"On the gateway's own machine the administrator's key is read from `admin.key` in `HONGYAN_DATA` (default `./data`) when `HONGYAN_KEY` is not set and the file may be read.\n")
	section(t, &b, "hongyan")
	for _, leaf := range leaves() {
		section(t, &b, "hongyan "+leaf)
	}
	return b.String()
}

func section(t *testing.T, b *strings.Builder, command string) {
	args := append(strings.Fields(command)[1:], "--help")
	fmt.Fprintf(b, "\n## %s\n\n```\n%s```\n", command, helpOf(t, args))
}

// leaves lists every command that can be run, by its words.
func leaves() []string {
	var words []string
	for _, node := range newParser(new(cli), &surroundings{}).Model.Leaves(true) {
		words = append(words, path(node))
	}
	return words
}

func path(node *kong.Node) string {
	if node.Parent == nil || node.Parent.Type == kong.ApplicationNode {
		return node.Name
	}
	return path(node.Parent) + " " + node.Name
}

func helpOf(t *testing.T, args []string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), args, nil, strings.NewReader(""), &stdout, &stderr); code != exitOK {
		t.Fatalf("%v: exit code %d, %s", args, code, stderr.String())
	}
	return stdout.String()
}

// TestEveryFlagIsExplained: a flag without help is a riddle.
func TestEveryFlagIsExplained(t *testing.T) {
	for _, node := range newParser(new(cli), &surroundings{}).Model.Leaves(true) {
		for _, group := range node.AllFlags(true) {
			for _, f := range group {
				if f.Help == "" {
					t.Errorf("hongyan %s --%s has no help", path(node), f.Name)
				}
			}
		}
		for _, p := range node.Positional {
			if p.Help == "" {
				t.Errorf("hongyan %s: argument %s has no help", path(node), p.Name)
			}
		}
	}
}
