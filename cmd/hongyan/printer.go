package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/mattn/go-runewidth"

	"hongyan"
)

// colour is an ANSI colour; plain is none.
type colour string

const (
	plain colour = ""
	red   colour = "31"
	green colour = "32"
	amber colour = "33"
	grey  colour = "90"
	bold  colour = "1"
)

// printer writes for people: colours only on a terminal, columns that survive
// Chinese widths.
type printer struct {
	w       io.Writer
	colours bool
	rows    int // height of the terminal; 0 = no terminal, or not known
	columns int // its width; 0 likewise
}

// printerFor looks at where w leads and at NO_COLOR (https://no-color.org).
func printerFor(w io.Writer, getenv func(string) string) *printer {
	f, isFile := w.(*os.File)
	terminal := isFile && isatty.IsTerminal(f.Fd())
	p := &printer{w: w, colours: terminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"}
	if terminal && getenv("TERM") != "dumb" {
		p.rows, p.columns = terminalSize(f)
	}
	return p
}

func (w *surroundings) out() *printer { return printerFor(w.stdout, w.getenv) }

func (p *printer) paint(c colour, text string) string {
	if !p.colours || c == plain || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

func (p *printer) line(format string, args ...any) { fmt.Fprintf(p.w, format+"\n", args...) }

// next names the command that is useful now, as this program is called here.
func (p *printer) next(format string, args ...any) {
	command := strings.Replace(fmt.Sprintf(format, args...), "hongyan ", programWord(os.Args[0])+" ", 1)
	p.line("%s", p.paint(grey, "next: "+command))
}

// programWord is how to call this program again, given how it was called.
func programWord(called string) string {
	switch {
	case strings.Contains(called, "go-build"): // go run has removed it by then
		return "go run ./cmd/hongyan"
	case strings.ContainsRune(called, os.PathSeparator):
		return called
	default:
		return "hongyan"
	}
}

// cell is one field of a table.
type cell struct {
	text   string
	colour colour
}

func text(s string) cell { return cell{text: s} }

// stateCell shows a state by its English and Chinese word in its colour.
func stateCell(word string) cell {
	s, err := hongyan.ParseState(word)
	if err != nil {
		return text(word)
	}
	return cell{text: s.String() + " " + s.ZH(), colour: stateColour(s)}
}

// stateColour: green is delivered and nothing else, red needs a person, amber waits.
func stateColour(s hongyan.State) colour {
	switch s {
	case hongyan.Delivered:
		return green
	case hongyan.Failed, hongyan.Undelivered, hongyan.Uncertain:
		return red
	case hongyan.Held, hongyan.Queued, hongyan.Sending:
		return amber
	case hongyan.Cancelled, hongyan.Expired:
		return grey
	default:
		return plain
	}
}

// table prints rows under heads, each column as wide as its widest cell.
func (p *printer) table(heads []string, rows [][]cell) {
	widths := make([]int, len(heads))
	for i, h := range heads {
		widths[i] = runewidth.StringWidth(h)
		for _, r := range rows {
			widths[i] = max(widths[i], runewidth.StringWidth(r[i].text))
		}
	}
	head := make([]cell, len(heads))
	for i, h := range heads {
		head[i] = cell{h, grey}
	}
	for _, r := range append([][]cell{head}, rows...) {
		p.row(r, widths)
	}
}

// fit cuts the last column's cells, so that each row of the table takes one line
// of the terminal. Without a known width nothing is cut.
func (p *printer) fit(heads []string, rows [][]cell) {
	if p.columns == 0 {
		return
	}
	last, room := len(heads)-1, p.columns
	for i := range last {
		width := runewidth.StringWidth(heads[i])
		for _, r := range rows {
			width = max(width, runewidth.StringWidth(r[i].text))
		}
		room -= width + 2
	}
	for _, r := range rows {
		r[last].text = cut(r[last].text, room)
	}
}

// cut shortens text to width cells, with … as the last of them.
func cut(text string, width int) string {
	if width <= 0 {
		return ""
	}
	return runewidth.Truncate(text, width, "…")
}

func (p *printer) row(cells []cell, widths []int) {
	var b strings.Builder
	for i, c := range cells {
		b.WriteString(p.paint(c.colour, c.text))
		if i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", max(0, widths[i]-runewidth.StringWidth(c.text))+2))
		}
	}
	fmt.Fprintln(p.w, strings.TrimRight(b.String(), " "))
}

// json prints v for programs.
func (w *surroundings) json(v any) error {
	e := json.NewEncoder(w.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
