package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
)

// progress is how far something is.
type progress struct {
	what     string // a word, e.g. "sending"
	done, of int64  // of = 0: the end is not known
	tail     string // what else there is to say, cut at the end of the line
}

// share is how much is done, 0 to 1.
func (p progress) share() float64 {
	if p.of <= 0 {
		return 0
	}
	return min(1, float64(p.done)/float64(p.of))
}

// progressBar shows how far something is: on a terminal in one line that is drawn over,
// elsewhere a line now and then. The zero value with out set is ready; a nil out shows
// nothing. It is not for concurrent use.
type progressBar struct {
	out   *printer
	shown time.Time
	drawn bool // a line is on the terminal that will be drawn over
}

const (
	redrawEvery = 100 * time.Millisecond // on a terminal
	tellEvery   = 10 * time.Second       // elsewhere
	barCells    = 24
)

// show draws p, unless the last time was just now. Without a terminal nothing is said of
// what is over soon.
func (b *progressBar) show(p progress) {
	if b.out == nil {
		return
	}
	every, now := redrawEvery, time.Now()
	if b.out.columns == 0 {
		if every = tellEvery; b.shown.IsZero() {
			b.shown = now
		}
	}
	if b.shown.IsZero() || now.Sub(b.shown) >= every {
		b.shown = now
		b.draw(p)
	}
}

// draw draws p in any case.
func (b *progressBar) draw(p progress) {
	if b.out == nil {
		return
	}
	if b.out.columns == 0 {
		b.out.line("%s", plainProgress(p))
		return
	}
	fmt.Fprintf(b.out.w, "\r%s\x1b[K", b.out.progress(p))
	b.drawn = true
}

// say prints a line of its own, above the bar.
func (b *progressBar) say(format string, args ...any) {
	if b.out != nil {
		b.clear()
		b.out.line(format, args...)
	}
}

// clear takes the bar away.
func (b *progressBar) clear() {
	if b.drawn {
		fmt.Fprint(b.out.w, "\r\x1b[K")
		b.drawn = false
	}
}

// finish leaves p standing as the last word.
func (b *progressBar) finish(p progress) {
	if b.draw(p); b.drawn {
		fmt.Fprintln(b.out.w)
		b.drawn = false
	}
}

// progress is p in one line of the terminal.
func (p *printer) progress(at progress) string {
	full := int(at.share() * barCells)
	head := fmt.Sprintf("%-10s", at.what)
	middle := ""
	if at.of > 0 {
		middle = p.paint(green, strings.Repeat("█", full)) + p.paint(grey, strings.Repeat("░", barCells-full)) + fmt.Sprintf(" %3.0f %%  ", 100*at.share())
	}
	// One cell stays free: some terminals wrap when the last is written.
	room := p.columns - 1 - runewidth.StringWidth(head)
	if at.of > 0 {
		room -= runewidth.StringWidth(strings.Repeat("█", full)+strings.Repeat("░", barCells-full)) + len(" 100 %  ")
	}
	return head + middle + cut(at.tail, room)
}

func plainProgress(at progress) string {
	if at.of <= 0 {
		return strings.TrimSpace(at.what + "  " + at.tail)
	}
	return fmt.Sprintf("%s  %.0f %%  %s", at.what, 100*at.share(), at.tail)
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// counted is a number with its noun, e.g. 2,000 rows, 1 row.
func counted(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}
