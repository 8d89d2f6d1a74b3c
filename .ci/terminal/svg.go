package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
)

// Sizes of the picture, in pixels.
const (
	cellWidth  = 8.4
	lineHeight = 20
	margin     = 16
	bar        = 32 // of the window
)

// colours of the window, by SGR number. They are those of a dark terminal, readable on
// pages of either kind.
var colours = map[string]string{
	"": "#d7dde4", "1": "#ffffff", "31": "#ff7b72", "32": "#4cc38a", "33": "#e3b341", "90": "#8b949e",
}

// draw writes the picture. Runs of characters of one style and one width have a length
// of their own, so that columns stand whatever font the reader has.
func draw(w io.Writer, s *screen, title string) {
	rows := s.rows
	for len(rows) > 0 && strings.TrimSpace(s.line(len(rows)-1)) == "" {
		rows = rows[:len(rows)-1]
	}
	width, height := float64(s.columns)*cellWidth+2*margin, len(rows)*lineHeight+bar+margin
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" viewBox="0 0 %.0f %d" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(w, "<title>%s</title>\n", escaped(title))
	fmt.Fprintf(w, `<rect width="100%%" height="100%%" rx="8" fill="#161b22"/>`+"\n")
	for i, c := range []string{"#ff5f57", "#febc2e", "#28c840"} {
		fmt.Fprintf(w, `<circle cx="%d" cy="16" r="5" fill="%s"/>`, margin+6+i*18, c)
	}
	fmt.Fprintf(w, "\n"+`<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Noto Sans Mono CJK SC','Noto Sans CJK SC',monospace" font-size="14">`+"\n")
	for y := range rows {
		drawRow(w, rows[y], bar+y*lineHeight+14)
	}
	fmt.Fprint(w, "</g>\n</svg>\n")
}

// gap reports whether two spaces or more stand at x: what comes behind is a run of its own,
// because some programs make one space of many.
func gap(row []cell, x int) bool {
	return x+1 < len(row) && row[x].r == ' ' && row[x+1].r == ' '
}

// drawRow writes the runs of a row.
func drawRow(w io.Writer, row []cell, y int) {
	for x := 0; x < len(row); {
		first, from := row[x], x
		var text strings.Builder
		for x < len(row) && row[x].style == first.style && row[x].r != 0 && runewidth.RuneWidth(row[x].r) == runewidth.RuneWidth(first.r) && (x == from || !gap(row, x)) {
			text.WriteRune(row[x].r)
			x += max(1, runewidth.RuneWidth(first.r))
		}
		if x == from { // half of a wide character that was written over
			x++
			continue
		}
		trimmed := strings.TrimLeft(text.String(), " ")
		from += text.Len() - len(trimmed)
		trimmed = strings.TrimRight(trimmed, " ")
		if trimmed == "" {
			continue
		}
		weight := ""
		if first.style == "1" {
			weight = ` font-weight="bold"`
		}
		fmt.Fprintf(w, `<text x="%.1f" y="%d" fill="%s"%s textLength="%.1f" lengthAdjust="spacingAndGlyphs">%s</text>`+"\n",
			margin+float64(from)*cellWidth, y, colourOf(first.style), weight, float64(runewidth.StringWidth(trimmed))*cellWidth, escaped(trimmed))
	}
}

func colourOf(style string) string {
	if c, ok := colours[style]; ok {
		return c
	}
	return colours[""]
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}
