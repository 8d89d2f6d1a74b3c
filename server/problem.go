package server

import (
	"fmt"
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

// wrongSetting is one problem of a setting that is not in the file.
func wrongSetting(key, cure, format string, args ...any) error {
	return &ConfigError{Problems: []Problem{{Key: key, Text: fmt.Sprintf(format, args...), Cure: cure}}}
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
