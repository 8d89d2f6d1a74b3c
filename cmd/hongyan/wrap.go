package main

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// defaultColumns is how wide output is written that goes to no terminal.
const defaultColumns = 80

// wrapped breaks text into lines of at most columns cells, those after the first
// indented, with no blank at an end. Chinese may be broken anywhere, other words only
// between them; a word longer than a line stays whole, so that it can be copied.
// The first line too is taken to begin at indent. columns 0 or below = defaultColumns.
func wrapped(text string, indent, columns int) string {
	if columns <= 0 {
		columns = defaultColumns
	}
	var b strings.Builder
	room := max(columns-indent, 20)
	used := 0
	for _, piece := range pieces(text) {
		width := runewidth.StringWidth(strings.TrimRight(piece, " "))
		if used > 0 && used+width > room {
			trimmed := strings.TrimRight(b.String(), " ")
			b.Reset()
			b.WriteString(trimmed)
			b.WriteString("\n" + strings.Repeat(" ", indent))
			used = 0
		}
		b.WriteString(piece)
		used += runewidth.StringWidth(piece)
	}
	return strings.TrimRight(b.String(), " ")
}

// pieces parts text where a line may be broken: behind blanks, and behind characters
// that take two cells. A mark that closes stays with what is before it.
func pieces(text string) (parts []string) {
	start := 0
	runes := []rune(text)
	for i := range runes {
		last := i == len(runes)-1
		breaks := runes[i] == ' ' && (last || runes[i+1] != ' ')
		wide := !last && (runewidth.RuneWidth(runes[i]) == 2 || runewidth.RuneWidth(runes[i+1]) == 2) && runes[i+1] != ' ' && !strings.ContainsRune("，。；：、！？）”》", runes[i+1]) && !strings.ContainsRune("（“《", runes[i])
		if last || breaks || wide {
			parts = append(parts, string(runes[start:i+1]))
			start = i + 1
		}
	}
	return parts
}
