package main

import (
	"fmt"

	"hongyan/demo"
)

// liveTable shows the play as it goes: on a terminal high enough one table that
// is redrawn in place, elsewhere a line for each change.
type liveTable struct {
	out    *printer
	silent bool
	drawn  int               // lines of the table so far
	seen   map[string]string // name to what was shown last
}

func (t *liveTable) changed(messages []demo.Message) {
	switch {
	case t.silent:
	case t.out.rows > playRows:
		t.redraw(messages)
	default:
		t.lines(messages)
	}
}

// playRows is the height of the whole table with its head. A table higher than
// the terminal could not be drawn over: its top has scrolled away.
const playRows = 30

// redraw moves up over the last table and draws the new one over it. A terminal
// made narrower meanwhile must not wrap lines: they would take two rows.
func (t *liveTable) redraw(messages []demo.Message) {
	fmt.Fprint(t.out.w, "\x1b[?7l")
	defer fmt.Fprint(t.out.w, "\x1b[?7h")
	if t.drawn > 0 {
		fmt.Fprintf(t.out.w, "\x1b[%dA\x1b[J", t.drawn)
	}
	rows := make([][]cell, len(messages))
	for i, m := range messages {
		rows[i] = []cell{okCell(m), text(m.Name), stateCell(m.Got.State), text(m.Got.Reason), errcodeCell(m.Errcode), {m.Title, grey}}
	}
	heads := []string{"", "MESSAGE", "STATE", "REASON", "ERRCODE", "WHAT HAPPENS"}
	t.out.fit(heads, rows)
	t.out.table(heads, rows)
	t.drawn = len(rows) + 1
}

func okCell(m demo.Message) cell {
	if m.OK {
		return cell{"✓", green}
	}
	return cell{"·", amber}
}

func (t *liveTable) lines(messages []demo.Message) {
	if t.seen == nil {
		t.seen = map[string]string{}
	}
	for _, m := range messages {
		now := fmt.Sprint(m.Got, errcodeCell(m.Errcode).text)
		if t.seen[m.Name] == now {
			continue
		}
		t.seen[m.Name] = now
		t.line([]cell{text(m.Name), stateCell(m.Got.State), text(m.Got.Reason), errcodeCell(m.Errcode), {m.Title, grey}})
	}
}

// lineHeads and lineWidths are the columns of a table that grows line by line:
// what comes later is not known, so that the widths are those of the longest
// words there are. The last column takes what is left of the terminal, or goes
// where that is less than minTitle.
const minTitle = 20

var (
	lineHeads  = []string{"MESSAGE", "STATE", "REASON", "ERRCODE", "WHAT HAPPENS"}
	lineWidths = []int{29, 18, 16, 7, 0}
)

// line prints one change, under the heads if it is the first.
func (t *liveTable) line(cells []cell) {
	if t.drawn == 0 {
		heads := make([]cell, len(lineHeads))
		for i, h := range lineHeads {
			heads[i] = cell{h, grey}
		}
		t.fitted(heads)
	}
	t.drawn++
	t.fitted(cells)
}

// fitted prints a row that takes one line of the terminal.
func (t *liveTable) fitted(cells []cell) {
	last := len(cells) - 1
	if t.out.columns > 0 {
		room := t.out.columns
		for _, width := range lineWidths[:last] {
			room -= width + 2
		}
		if room < minTitle {
			cells = cells[:last]
		} else {
			cells[last].text = cut(cells[last].text, room)
		}
	}
	t.out.row(cells, lineWidths)
}
