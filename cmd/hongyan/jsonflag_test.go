package main

import (
	"slices"
	"testing"

	"github.com/alecthomas/kong"
)

// silent are the commands that answer nothing a program could read: they serve until
// they are stopped, or print a script.
var silent = []string{"serve", "sandbox", "completion"}

// TestEveryAnswerCanBeJSON: what a command tells people it can tell programs.
func TestEveryAnswerCanBeJSON(t *testing.T) {
	seen := 0
	for _, node := range newParser(new(cli), &surroundings{}).Model.Leaves(true) {
		if slices.Contains(silent, path(node)) {
			seen++
			continue
		}
		if !hasFlag(node, "json") {
			t.Errorf("hongyan %s has no --json", path(node))
		}
	}
	if seen != len(silent) {
		t.Errorf("%d of %v were found", seen, silent)
	}
}

func hasFlag(node *kong.Node, name string) bool {
	for _, group := range node.AllFlags(true) {
		for _, f := range group {
			if f.Name == name {
				return true
			}
		}
	}
	return false
}
