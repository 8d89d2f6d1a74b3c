package card

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// textWidth is how wide a card is inside its frame, in columns; a Chinese character has two.
const textWidth = 36

// columns measures text the same on every machine, whatever its locale.
var columns = &runewidth.Condition{StrictEmojiNeutral: true}

// Text draws a card in a frame for a terminal, colours left out.
func Text(p Page) string {
	f := &p.Face
	var d drawing
	if f.Style == Mini && p.Sender != "" {
		d.wrap(p.Sender)
		d.line("")
	}
	d.wrap(f.Title)
	if f.Date != "" && f.Style != Trimmed {
		d.wrap(f.Date)
	}
	if f.First.Text != "" {
		d.line("")
		d.wrap(f.First.Text)
	}
	if e := f.Emphasis; e != nil {
		d.line("")
		d.centre(e.Label)
		d.centre(e.Text())
	}
	d.lines(f)
	if f.Remark.Text != "" {
		d.line("")
		d.wrap(f.Remark.Text)
	}
	if p.Foot != "" {
		d.line(strings.Repeat("─", textWidth))
		d.line(columns.FillRight(columns.Truncate(p.Foot, textWidth-2, "…"), textWidth-1) + "›")
	}
	edge := strings.Repeat("─", textWidth+2)
	return "╭" + edge + "╮\n" + d.String() + "╰" + edge + "╯\n"
}

// drawing is the inside of a frame, line by line.
type drawing struct{ strings.Builder }

func (d *drawing) line(text string) {
	d.WriteString("│ " + columns.FillRight(text, textWidth) + " │\n")
}

func (d *drawing) wrap(text string) {
	for _, line := range wrapped(text, textWidth) {
		d.line(line)
	}
}

func (d *drawing) centre(text string) {
	for _, line := range wrapped(text, textWidth) {
		d.line(strings.Repeat(" ", (textWidth-columns.StringWidth(line))/2) + line)
	}
}

// lines draws the lines in the middle: the classic card runs label and value together, the
// others have two columns.
func (d *drawing) lines(f *Face) {
	if len(f.Lines) == 0 {
		return
	}
	d.line("")
	if f.Style == Classic {
		for _, l := range f.Lines {
			label := l.Label
			if label != "" {
				label += "："
			}
			d.wrap(label + l.Text())
		}
		return
	}
	wide := 0
	for _, l := range f.Lines {
		wide = max(wide, columns.StringWidth(l.Label))
	}
	wide = min(wide, textWidth/2)
	for _, l := range f.Lines {
		d.twoColumns(l, wide)
	}
}

func (d *drawing) twoColumns(l Line, wide int) {
	if l.Label == "" {
		d.wrap(l.Text())
		return
	}
	labels, values := wrapped(l.Label, wide), wrapped(l.Text(), textWidth-wide-2)
	for i := range max(len(labels), len(values)) {
		label, value := "", ""
		if i < len(labels) {
			label = labels[i]
		}
		if i < len(values) {
			value = values[i]
		}
		d.line(columns.FillRight(label, wide) + "  " + value)
	}
}

// wrapped breaks text into lines of at most width columns; at least one, perhaps empty.
func wrapped(text string, width int) []string {
	var lines []string
	for part := range strings.SplitSeq(strings.ReplaceAll(text, "\r", ""), "\n") {
		lines = append(lines, strings.Split(columns.Wrap(printable(part), width), "\n")...)
	}
	return lines
}

// printable drops what would move the cursor or turn the text around.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ', r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, s)
}
