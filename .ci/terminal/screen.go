package main

import (
	"strconv"
	"strings"

	"github.com/mattn/go-runewidth"
)

// cell is one place of the screen; a wide character fills two, the second of which has r = 0.
type cell struct {
	r     rune
	style string // the numbers of the last SGR sequence, "" = plain
}

// screen is a terminal that never scrolls anything away.
type screen struct {
	columns int
	rows    [][]cell
	x, y    int
	style   string
	escape  []rune // of a control sequence that has begun
}

func newScreen(columns int) *screen { return &screen{columns: columns, rows: [][]cell{{}}} }

func (s *screen) write(text string) {
	for _, r := range text {
		s.rune(r)
	}
}

func (s *screen) rune(r rune) {
	switch {
	case s.escape != nil:
		s.control(r)
	case r == '\x1b':
		s.escape = []rune{}
	case r == '\r':
		s.x = 0
	case r == '\n':
		s.down()
	case r < ' ' || r == 0x7f:
	default:
		s.put(r)
	}
}

func (s *screen) down() {
	s.y++
	for len(s.rows) <= s.y {
		s.rows = append(s.rows, nil)
	}
}

func (s *screen) put(r rune) {
	width := runewidth.RuneWidth(r)
	if s.x+width > s.columns {
		s.x = 0
		s.down()
	}
	for len(s.rows[s.y]) < s.x+width {
		s.rows[s.y] = append(s.rows[s.y], cell{r: ' '})
	}
	for i := range width {
		s.rows[s.y][s.x+i] = cell{style: s.style}
	}
	if width > 0 {
		s.rows[s.y][s.x].r = r
	}
	s.x += width
}

// control collects a sequence, and does it when it is complete.
func (s *screen) control(r rune) {
	s.escape = append(s.escape, r)
	if len(s.escape) == 1 && r == '[' || r >= '0' && r <= '?' {
		return
	}
	sequence := strings.TrimPrefix(string(s.escape[:len(s.escape)-1]), "[")
	s.escape = nil
	n, err := strconv.Atoi(sequence)
	if err != nil {
		n = 0
	}
	switch r {
	case 'm':
		s.style = strings.TrimPrefix(sequence, "0")
	case 'K': // from here to the end of the line
		s.rows[s.y] = s.rows[s.y][:min(s.x, len(s.rows[s.y]))]
	case 'J': // and all below
		s.rows[s.y] = s.rows[s.y][:min(s.x, len(s.rows[s.y]))]
		s.rows = s.rows[:s.y+1]
	case 'A':
		s.y = max(0, s.y-max(1, n))
	}
}

// line is the text of a row.
func (s *screen) line(y int) string {
	var b strings.Builder
	for _, c := range s.rows[y] {
		if c.r != 0 {
			b.WriteRune(c.r)
		}
	}
	return b.String()
}
