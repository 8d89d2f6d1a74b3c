package server

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong with a configuration.
type Problem struct {
	Line, Column int    // where in the file, 1-based; 0 = not in the file
	Key          string // the setting, e.g. "accounts[0].base_url"; "" = the file as a whole
	Text         string // the rule that is broken, and the value unless it is secret
	Cure         string // what to write instead; may be empty
}

// ConfigError is every problem found in one configuration.
type ConfigError struct {
	File     string // "" when there is no file
	Problems []Problem
}

// Error returns one line per problem: file:line:column: key: text (cure).
func (e *ConfigError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = e.line(p)
	}
	return strings.Join(lines, "\n")
}

func (e *ConfigError) line(p Problem) string {
	var b strings.Builder
	switch {
	case p.Line > 0:
		fmt.Fprintf(&b, "%s:%d:%d: ", e.File, p.Line, p.Column)
	case e.File != "" && p.Key == "":
		b.WriteString(e.File + ": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Text)
	if p.Cure != "" {
		b.WriteString("; " + p.Cure)
	}
	return b.String()
}

// nearest returns the candidate with the fewest edits to word, or "" when none
// is near enough to be what somebody meant.
func nearest(word string, candidates []string) string {
	best, bestDistance := "", len(word)/2+1
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if d := editDistance(strings.ToLower(word), c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance counts the insertions, deletions and replacements between a and b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
