package sheet

import (
	"bufio"
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// csvFile reads comma-separated values (RFC 4180), also with semicolons or tabs.
//
// Lines and cells are cut from the raw bytes: no character of UTF-8, GBK or GB18030
// has a comma, semicolon, tab, quote or line end among its bytes (their later bytes
// are digits, or 0x40 and above). Each row is decoded by itself, so that a broken
// character is the problem of its row alone.
type csvFile struct {
	lines lineReader
	split splitter
	text  textDecoder
	wide  string // the encoding, when the lines come from UTF-16
	used  used
}

func openCSV(in *bufio.Reader, o Options) (*csvFile, error) {
	in, wide, marked, err := unwrap(in)
	if err != nil {
		return nil, err
	}
	f := &csvFile{wide: wide, text: textDecoder{decided: marked}}
	if f.lines, err = newLineReader(in); err != nil {
		return nil, err
	}
	f.split.max = o.MaxCell
	f.split.comma, err = f.delimiter()
	return f, err
}

// delimiters in the order in which they are preferred.
const delimiters = ",;\t"

// delimiter looks for the one that the first line has most often, outside of quotes.
// A first line "sep=;", which Excel reads, says it by itself.
func (f *csvFile) delimiter() (byte, error) {
	for {
		l, err := f.lines.next()
		if err == io.EOF {
			return ',', nil
		}
		if err != nil {
			return 0, err
		}
		if rest, ok := bytes.CutPrefix(l.text, []byte("sep=")); ok && len(rest) == 1 && strings.Contains(delimiters, string(rest)) {
			return rest[0], nil
		}
		if len(bytes.TrimSpace(l.text)) == 0 {
			continue
		}
		f.lines.back(l.clone())
		return mostFrequent(l.text), nil
	}
}

func mostFrequent(line []byte) byte {
	var seen [256]int
	quoted := false
	for _, b := range line {
		if b == '"' {
			quoted = !quoted
		} else if !quoted {
			seen[b]++
		}
	}
	best := delimiters[0]
	for i := range len(delimiters) {
		if seen[delimiters[i]] > seen[best] {
			best = delimiters[i]
		}
	}
	return best
}

func (f *csvFile) encoding() string {
	if f.wide != "" {
		return f.wide
	}
	return f.text.name()
}

func (f *csvFile) close() error { return nil }

func (f *csvFile) use(columns used) { f.used = columns }

func (f *csvFile) next() ([]string, int, problem, error) {
	for {
		line, p, err := f.record()
		if err != nil {
			return nil, 0, problem{}, err
		}
		if p.found() || !f.split.empty() {
			cells, wrong := f.cells()
			if !p.found() {
				p = wrong
			}
			return cells, line, p, nil
		}
	}
}

// record fills the splitter with the next row, and returns the line it begins at.
// When quotes are wrong in a row of several lines, then the quote that opened is
// taken for the mistake: the row is its first line alone, and the others are read
// again as rows of their own. So an unclosed quote costs one row, not the file.
func (f *csvFile) record() (int, problem, error) {
	first, err := f.lines.next()
	if err != nil {
		return 0, problem{}, err
	}
	f.split.reset()
	if first.long {
		return first.n, problem{rule: RuleTooLong, column: -1, text: say("the line is longer than %d bytes", "该行超过 %d 字节", maxLine)}, nil
	}
	p := f.split.add(first.text)
	if p.found() || !f.split.quoted {
		return first.n, p, nil
	}
	return f.several(first.clone())
}

// several goes on with a row whose first line leaves a quote open.
func (f *csvFile) several(first line) (int, problem, error) {
	lines := []line{first}
	column := len(f.split.ends)
	for f.split.quoted {
		l, err := f.lines.next()
		if err == io.EOF {
			return first.n, f.onlyFirst(lines, column), nil
		}
		if err != nil {
			return 0, problem{}, err
		}
		lines = append(lines, l.clone())
		if p := f.split.add(l.text); l.long || p.found() {
			return first.n, f.onlyFirst(lines, column), nil
		}
	}
	return first.n, problem{}, nil
}

// onlyFirst gives all lines but the first back.
func (f *csvFile) onlyFirst(lines []line, column int) problem {
	f.lines.back(lines[1:]...)
	f.split.reset()
	f.split.add(lines[0].text)
	f.split.end()
	return problem{rule: RuleQuotes, column: column, text: say(`a quote opens a cell and does not close it: write "" for a quote inside quotes`,
		`单元格开头的引号没有结束：引号之内的引号请写成 ""`)}
}

// cells decodes the row the splitter holds.
func (f *csvFile) cells() ([]string, problem) {
	s := &f.split
	if !ascii(s.text) {
		cells, p := f.decoded()
		return cells, f.shortened(cells, p)
	}
	// One allocation for all cells of the row.
	all, cells, from := string(s.text), make([]string, len(s.ends)), 0
	for i, end := range s.ends {
		cells[i] = all[from:end]
		from = end
	}
	return cells, f.shortened(cells, problem{})
}

// exponent is how Excel writes a number of more than 11 digits into a CSV.
var exponent = regexp.MustCompile(`^-?\d(\.\d+)?E\+\d\d+$`)

// shortened adds to p, if that is nothing, that a cell was a long number once: digits of
// it are lost.
func (f *csvFile) shortened(cells []string, p problem) problem {
	if p.found() || !bytes.Contains(f.split.text, []byte("E+")) {
		return p
	}
	for i, c := range cells {
		if f.used.has(i) && exponent.MatchString(c) {
			return problem{rule: RuleNumber, column: i, text: say("the cell is a number that was shortened to %s: format the column as text and save the file anew",
				"单元格中的数字已被缩写成 %s：请把该列设为文本格式，再重新保存文件", c)}
		}
	}
	return p
}

func (f *csvFile) decoded() ([]string, problem) {
	f.text.decide(f.split.text, &f.lines)
	s, p, from := &f.split, problem{}, 0
	cells := make([]string, len(s.ends))
	for i, end := range s.ends {
		raw := s.text[from:end]
		from = end
		cell, ok := f.text.decode(raw)
		if !ok && !p.found() && f.used.has(i) {
			p = problem{rule: RuleEncoding, column: i, text: f.text.complaint(raw, f.wide)}
		}
		if len(cell) > s.max {
			cell = ""
			if !p.found() && f.used.has(i) {
				p = tooLong(i, s.max)
			}
		}
		cells[i] = cell
	}
	if !p.found() && f.wide == "" && f.text.foreign(s.text) {
		p = problem{rule: RuleEncoding, column: -1, text: say("the row is UTF-8, but the rows before it are GBK: save the whole file in one encoding",
			"该行是 UTF-8，而前面的行是 GBK：请用同一种编码保存整个文件")}
	}
	return cells, p
}

func ascii(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c >= utf8.RuneSelf })
}
