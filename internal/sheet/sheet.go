// Package sheet reads tables that people make with spreadsheet programs, row by
// row and in constant memory: CSV in the encodings Chinese Windows, macOS and
// Excel write, and XLSX. It also writes XLSX.
//
// Start with Open. One wrong row is a row with a Problem, and reading goes on with
// the next; an error is for what cannot be read on. What the cells mean, and which
// columns there must be, is the caller's business. Decision 0019 has the reasons.
package sheet

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Formats, as Options.Format names them.
const (
	CSV  = "csv"
	XLSX = "xlsx"
)

// Limits. They are far above what a table of recipients needs; what is beyond them
// is an attack or not a table.
const (
	// MaxColumns is how many columns a head may have.
	MaxColumns = 1024
	// DefaultMaxCell is how long a cell may be, in bytes of UTF-8. A cell of Excel holds 32,767 characters.
	DefaultMaxCell = 128 << 10
	// DefaultMaxFile is how large an XLSX may be, in bytes. A million rows of six columns have about 60 MB.
	DefaultMaxFile = 512 << 20
)

// Options say how to read. The zero value finds out everything by itself.
type Options struct {
	// Format is CSV or XLSX; "" decides by the first bytes.
	Format string
	// Sheet names the sheet of an XLSX to read; "" is its first visible one.
	Sheet string
	// MaxCell is how long a cell may be, in bytes of UTF-8; 0 is DefaultMaxCell.
	MaxCell int
	// MaxFile is how large an XLSX may be, in bytes; 0 is DefaultMaxFile. A CSV has no limit.
	MaxFile int64
	// TempDir is where an XLSX is kept while it is read; "" is os.TempDir.
	TempDir string
}

// Row is one row of data.
type Row struct {
	// N counts the rows of data, from 1. Empty rows do not count.
	N int
	// Line is where the row begins: the line of a CSV, the row of a sheet, from 1.
	Line int
	// Cells has one cell for each column of the head, whatever the row had. The
	// slice is the caller's.
	Cells []string
	// Problem says what is wrong with the row, "" when nothing is. Cells are then
	// what could be read.
	Problem string
	// ProblemZH is Problem in Chinese.
	ProblemZH string
	// Rule is the rule that was broken, "" without a Problem.
	Rule Rule
	// Column is the column the Problem is in, as the head names it; "" when it is the whole row's.
	Column string
}

// Rule names a rule that rows are held to.
type Rule string

// The rules.
const (
	RuleQuotes   Rule = "quotes"   // a quote opens and does not close, or stands where none may
	RuleColumns  Rule = "columns"  // as many cells as the head has
	RuleEncoding Rule = "encoding" // every byte is text in the file's encoding
	RuleTooLong  Rule = "too_long" // cells and lines have a limit
	RuleNumber   Rule = "number"   // a number of Excel's has 15 digits, and was not shortened to 1.2E+10
	RuleDate     Rule = "date"     // a date is one day, a time one time of day
	RuleFormula  Rule = "formula"  // a formula has a value, and no error
	RuleHidden   Rule = "hidden"   // a row is not hidden
)

// problem is what is wrong with a row; the zero value is nothing.
type problem struct {
	rule   Rule
	column int // index; -1 = the whole row
	text   Words
}

func (p problem) found() bool { return p.rule != "" }

// source gives the raw rows of a table, the head among them.
type source interface {
	// next returns the cells of the next row that is not empty and the line it
	// begins at, or io.EOF.
	next() (cells []string, line int, p problem, err error)
	encoding() string
	close() error
	// use says which columns' cells are held against the rules of cells; nil = all.
	use(columns used)
}

// used are the columns that are used, by index; nil = all of them.
type used []bool

func (u used) has(column int) bool { return u == nil || column < len(u) && u[column] }

// Reader reads a table. It is not for concurrent use.
type Reader struct {
	rows   source
	header []string
	sparse bool // a row may end early: cells that are missing are empty
	n      int
	err    error
}

// Open reads the head of the table: its first row that is not empty. The errors are
// what is wrong with the file as a whole. Close the Reader when done.
func Open(r io.Reader, o Options) (*Reader, error) {
	if o.MaxCell <= 0 {
		o.MaxCell = DefaultMaxCell
	}
	if o.MaxFile <= 0 {
		o.MaxFile = DefaultMaxFile
	}
	in := bufio.NewReaderSize(r, lookAhead)
	format, err := formatOf(in, o.Format)
	if err != nil {
		return nil, err
	}
	t := &Reader{sparse: format == XLSX}
	if format == XLSX {
		t.rows, err = openXLSX(in, o)
	} else {
		t.rows, err = openCSV(in, o)
	}
	if err != nil {
		return nil, err
	}
	if err := t.readHeader(); err != nil {
		return nil, errors.Join(err, t.rows.close())
	}
	return t, nil
}

var (
	zipMagic = []byte("PK\x03\x04")
	oleMagic = []byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1")
)

// formatOf decides by the first bytes. What is asked for must not be contradicted by them.
func formatOf(in *bufio.Reader, asked string) (string, error) {
	start, err := in.Peek(8)
	if err != nil && err != io.EOF {
		return "", err
	}
	found := CSV
	if bytes.HasPrefix(start, zipMagic) {
		found = XLSX
	}
	switch {
	case asked != "" && asked != CSV && asked != XLSX:
		return "", refuse("format %q is neither %q nor %q", "格式 %q 不是 %q 或 %q", asked, CSV, XLSX)
	case len(start) == 0:
		return "", refuse("the file is empty: its first row must name the columns", "文件是空的：第一行应为列名")
	case bytes.HasPrefix(start, oleMagic):
		return "", refuse("the file is an old .xls, or protected by a password: save it as .xlsx without one, or as CSV",
			"文件是旧的 .xls，或有密码保护：请另存为不带密码的 .xlsx，或 CSV")
	case asked == XLSX && found == CSV:
		return "", refuse("the file is not an .xlsx: it does not begin as one", "文件不是 .xlsx：开头的字节不是它的")
	case asked == CSV && found == XLSX:
		return "", refuse("the file is an .xlsx (or another zip), not a CSV", "文件是 .xlsx（或其他 zip），不是 CSV")
	}
	return found, nil
}

// Header returns the names of the columns, without spaces around them. A column
// without a name has "".
func (t *Reader) Header() []string { return t.header }

// Use says which columns the caller uses: what is wrong with a cell of another is no
// Problem of its row any more. It counts for the rows that come after.
func (t *Reader) Use(columns []string) {
	u := make(used, len(t.header))
	for i, name := range t.header {
		u[i] = slices.Contains(columns, name)
	}
	t.rows.use(u)
}

// Encoding names what the file is written in, as far as it was read: "utf-8",
// "gb18030" (GBK and GB2312 are parts of it), "utf-16le", "utf-16be", or "xlsx".
func (t *Reader) Encoding() string { return t.rows.encoding() }

// Close gives back what the Reader holds, the temporary file of an XLSX among it.
// A second Close does nothing.
func (t *Reader) Close() error { return t.rows.close() }

// Next returns the next row of data, or io.EOF when there is none. Any other error
// ends the reading: every further call returns it again.
func (t *Reader) Next() (Row, error) {
	if t.err != nil {
		return Row{}, t.err
	}
	cells, line, p, err := t.rows.next()
	if err != nil {
		t.err = err
		return Row{}, err
	}
	t.n++
	if !p.found() {
		p = t.fits(cells)
	}
	row := Row{N: t.n, Line: line, Cells: t.fitted(cells), Problem: p.text.EN, ProblemZH: p.text.ZH, Rule: p.rule}
	if p.found() && p.column >= 0 && p.column < len(t.header) {
		row.Column = t.header[p.column]
	}
	return row, nil
}

// fits compares the number of cells with the head's. Empty cells more, at the end,
// are what spreadsheet programs write.
func (t *Reader) fits(cells []string) problem {
	n := len(cells)
	for n > len(t.header) && cells[n-1] == "" {
		n--
	}
	if n == len(t.header) || n < len(t.header) && t.sparse {
		return problem{}
	}
	return problem{rule: RuleColumns, column: -1, text: Words{
		EN: fmt.Sprintf("%s where the head has %s", count(n, "cell"), count(len(t.header), "column")),
		ZH: fmt.Sprintf("该行有 %d 个单元格，而表头有 %d 列", n, len(t.header)),
	}}
}

// fitted makes the row as wide as the head.
func (t *Reader) fitted(cells []string) []string {
	if len(cells) > len(t.header) {
		return cells[:len(t.header):len(t.header)]
	}
	for len(cells) < len(t.header) {
		cells = append(cells, "")
	}
	return cells
}

func (t *Reader) readHeader() error {
	cells, line, p, err := t.rows.next()
	if err == io.EOF {
		return refuse("the table is empty: its first row must name the columns", "表格是空的：第一行应为列名")
	}
	if err != nil {
		return err
	}
	if p.found() {
		return refuse("the head in line %[1]d cannot be read: %[2]s", "第 %[1]d 行的表头无法读取：%[3]s", line, p.text.EN, p.text.ZH)
	}
	for i, c := range cells {
		cells[i] = strings.TrimSpace(c)
	}
	for len(cells) > 0 && cells[len(cells)-1] == "" {
		cells = cells[:len(cells)-1]
	}
	if len(cells) > MaxColumns {
		return refuse("the head in line %d has %d columns; %d are the most", "第 %d 行的表头有 %d 列，最多 %d 列", line, len(cells), MaxColumns)
	}
	for i, c := range cells {
		if first := slices.Index(cells, c); c != "" && first < i {
			return refuse("the head names two columns %[1]q, the %[2]s and the %[3]s: give each a name of its own",
				"表头中有两列都叫 %[1]q（第 %[4]d 列和第 %[5]d 列）：请分别命名", c, ordinal(first+1), ordinal(i+1), first+1, i+1)
		}
	}
	t.header = cells
	return nil
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func ordinal(n int) string {
	suffix := "th"
	switch {
	case n%100 >= 11 && n%100 <= 13:
	case n%10 == 1:
		suffix = "st"
	case n%10 == 2:
		suffix = "nd"
	case n%10 == 3:
		suffix = "rd"
	}
	return fmt.Sprintf("%d%s", n, suffix)
}
