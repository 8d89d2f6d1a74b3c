package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// complete asks as a shell does.
func complete(t *testing.T, shell string, words ...string) []string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	args := append([]string{"__complete", shell, "--"}, words...)
	if code := run(t.Context(), args, nil, strings.NewReader(""), &stdout, &stderr); code != exitOK {
		t.Fatalf("%q: exit code %d, %s", words, code, stderr.String())
	}
	return strings.Split(strings.TrimSuffix(stdout.String(), "\n"), "\n")
}

func TestCompletion(t *testing.T) {
	for _, tt := range []struct {
		name  string
		words []string
		want  []string
	}{
		{"commands of a noun", []string{"message", ""}, []string{"get", "list", "cancel", "retry", "release"}},
		{"begun", []string{"message", "re"}, []string{"retry", "release"}},
		{"the first word", []string{"acc"}, []string{"account"}},
		{"flags begun", []string{"account", "set", "shop", "--quo"}, []string{"--quota"}},
		{"a flag that can be turned off", []string{"account", "set", "shop", "--no-"}, []string{"--no-cut-values"}},
		{"given flags are not offered again", []string{"account", "set", "--rate", "5", "--ra"}, []string{""}},
		{"but those that may be repeated", []string{"account", "set", "--quota", "account/day/5", "--quo"}, []string{"--quota"}},
		{"values of an enum", []string{"account", "add", "wx1", "--kind", ""}, []string{"service", "mini_program", "subscription", "test"}},
		{"with an equals sign", []string{"account", "add", "wx1", "--callback-mode=s"}, []string{"--callback-mode=safe"}},
		{"values that are no enum", []string{"message", "list", "--state", "d"}, []string{"delivered"}},
		{"the value of a flag is no command", []string{"--url", "message", "mess"}, []string{""}},
		{"values of an argument", []string{"completion", ""}, []string{"bash", "zsh", "fish"}},
		{"a file", []string{"account", "rotate", "shop", "--secret-file", ""}, []string{":files"}},
		{"nothing is known of an appid", []string{"quota", ""}, []string{""}},
		{"nothing after --", []string{"send", "--", "--ap"}, []string{""}},
		{"hidden commands are not offered", []string{"__"}, []string{""}},
		{"a command that is none", []string{"nonsense", "--"}, []string{""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, complete(t, "bash", tt.words...)); diff != "" {
				t.Errorf("completions of %q (-want +got):\n%s", tt.words, diff)
			}
		})
	}
}

func TestCompletionExplains(t *testing.T) {
	for _, shell := range []string{"zsh", "fish"} {
		if got := complete(t, shell, "message", "ca"); !slices.Equal(got, []string{"cancel\tWithdraw a message that has not left."}) {
			t.Errorf("%s: %q", shell, got)
		}
	}
}

// Every command can be reached by completion, word by word, and so can its flags.
func TestEveryCommandIsCompleted(t *testing.T) {
	for _, leaf := range leaves() {
		words := strings.Fields(leaf)
		for i, word := range words {
			if got := complete(t, "bash", append(slices.Clone(words[:i]), "")...); !slices.Contains(got, word) {
				t.Errorf("after %q %q is not offered: %q", words[:i], word, got)
			}
		}
		if got := complete(t, "bash", append(words, "--he")...); !slices.Equal(got, []string{"--help"}) {
			t.Errorf("%s --he: %q", leaf, got)
		}
	}
}

// TestBashCompletes lets bash itself complete, with the script that is printed.
func TestBashCompletes(t *testing.T) {
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(exe, filepath.Join(dir, "hongyan")); err != nil { // this binary answers to that name
		t.Fatal(err)
	}
	script := bashCompletion + `
ask() {
    COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
    _hongyan; printf '%s|' "${COMPREPLY[@]}"; echo
}
compopt() { echo "compopt $*"; }
ask hongyan message re
ask hongyan account add wx1 --callback-mode = s
ask hongyan account add wx1 --callback-mode =
ask hongyan restore ''
ask hongyan nothing known ''
`
	cmd := exec.Command("bash", "--norc", "--noprofile", "-c", script)
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	got, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("bash: %v\n%s", err, got)
	}
	want := "retry|release|\nsafe|\nplain|compatible|safe|\ncompopt -o default\n|\n|\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("what bash offers (-want +got):\n%s", diff)
	}
}
