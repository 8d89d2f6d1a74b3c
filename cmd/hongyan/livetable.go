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
	drawn  int               // lines of the table on the screen
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
		now := fmt.Sprintf("%s %s errcode=%s", stateCell(m.Got.State).text, m.Got.Reason, errcodeCell(m.Errcode).text)
		if t.seen[m.Name] == now {
			continue
		}
		t.seen[m.Name] = now
		line := fmt.Sprintf("%-29s  %s  %s", m.Name, now, m.Title)
		if t.out.columns > 0 {
			line = cut(line, t.out.columns)
		}
		t.out.line("%s", line)
	}
}
