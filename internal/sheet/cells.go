package sheet

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// xlsxSheet reads the rows of one sheet.
type xlsxSheet struct {
	book    *workbook
	part    io.ReadCloser
	xml     *tokens
	maxCell int
	used    used
	line    int    // of the row that was read last
	text    []byte // of one cell
}

func (s *xlsxSheet) encoding() string { return XLSX }

func (s *xlsxSheet) use(columns used) { s.used = columns }

func (s *xlsxSheet) close() error {
	return errors.Join(s.part.Close(), s.book.close())
}

// next returns the next row that has anything in it.
func (s *xlsxSheet) next() ([]string, int, problem, error) {
	for {
		token, err := s.xml.next()
		if err == io.EOF {
			return nil, 0, problem{}, refuse("the workbook is broken: the sheet has no end", "工作簿已损坏：工作表没有结尾")
		}
		if err != nil {
			return nil, 0, problem{}, err
		}
		switch e := token.(type) {
		case xml.EndElement:
			if e.Name.Local == "sheetData" {
				return nil, 0, problem{}, io.EOF
			}
		case xml.StartElement:
			switch e.Name.Local {
			case "sheetData":
				s.line = 0
			case "row":
				cells, p, err := s.row(e)
				if err != nil || p.found() || !blank(cells) {
					return cells, s.line, p, err
				}
			}
		}
	}
}

func blank(cells []string) bool {
	for _, c := range cells {
		if len(bytes.TrimSpace([]byte(c))) > 0 {
			return false
		}
	}
	return true
}

// row reads one row, from after its tag to its end. A row that is hidden was filtered
// away, or meant for nobody's eyes: whether it is sent to is asked.
func (s *xlsxSheet) row(e xml.StartElement) ([]string, problem, error) {
	s.line++
	if r, err := strconv.Atoi(attr(e, "r")); err == nil {
		s.line = r
	}
	hidden := isTrue(attr(e, "hidden"))
	var cells []string
	var p problem
	column := -1
	for {
		token, err := s.xml.next()
		if err != nil {
			return nil, p, unexpected(err)
		}
		switch e := token.(type) {
		case xml.EndElement:
			if e.Name.Local != "row" {
				continue
			}
			if hidden && !p.found() && !blank(cells) {
				p = problem{rule: RuleHidden, column: -1, text: say("the row is hidden in the sheet: show it, or delete it", "该行在工作表中被隐藏：请取消隐藏，或将其删除")}
			}
			return cells, p, nil
		case xml.StartElement:
			if e.Name.Local != "c" {
				continue
			}
			if column, err = columnOf(attr(e, "r"), column+1); err != nil {
				return nil, p, err
			}
			text, wrong, err := s.cell(e)
			if err != nil {
				return nil, p, err
			}
			if wrong != (trouble{}) && !p.found() && s.used.has(column) {
				p = problem{rule: wrong.rule, column: column, text: wrong.text}
			}
			cells = put(cells, column, text)
		}
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return refuse("the workbook is broken: it ends inside a row", "工作簿已损坏：在一行的中间结束")
	}
	return err
}

// put sets a cell. Beyond what a head can name, one more cell stands for all.
func put(cells []string, column int, text string) []string {
	if text == "" {
		return cells
	}
	column = min(column, MaxColumns)
	for len(cells) <= column {
		cells = append(cells, "")
	}
	cells[column] = text
	return cells
}

// columnOf reads the letters of a reference such as AB12: 27. Without one it is the next.
func columnOf(ref string, next int) (int, error) {
	if ref == "" {
		return next, nil
	}
	n := 0
	for i := range len(ref) {
		letter := ref[i] &^ 0x20
		if letter < 'A' || letter > 'Z' {
			break
		}
		n = n*26 + int(letter-'A') + 1
		if i >= 3 {
			return 0, refuse("the workbook is broken: %q is no cell", "工作簿已损坏：%q 不是单元格", ref)
		}
	}
	if n == 0 {
		return 0, refuse("the workbook is broken: %q is no cell", "工作簿已损坏：%q 不是单元格", ref)
	}
	return n - 1, nil
}

// trouble is what is wrong with a cell.
type trouble struct {
	rule Rule
	text Words
}

// cell reads one cell: its value v, or its text is; f says that it is a formula.
func (s *xlsxSheet) cell(e xml.StartElement) (string, trouble, error) {
	kind := attr(e, "t")
	style, _ := strconv.Atoi(attr(e, "s"))
	formula, saved, long := false, false, false
	s.text = s.text[:0]
	for {
		token, err := s.xml.next()
		if err != nil {
			return "", trouble{}, unexpected(err)
		}
		switch e := token.(type) {
		case xml.EndElement:
			if e.Name.Local == "c" {
				if formula && !saved {
					return "", trouble{RuleFormula, say("the formula has no value saved with it: open the file in a spreadsheet program and save it",
						"公式没有保存结果：请用电子表格软件打开文件并重新保存")}, nil
				}
				return s.value(kind, style, long)
			}
		case xml.StartElement:
			switch e.Name.Local {
			case "v", "is":
				saved = true
				s.text, long, err = s.xml.text(s.text[:0], s.maxCell)
			case "f":
				formula = true
				_, _, err = s.xml.text(nil, 0)
			}
			if err != nil {
				return "", trouble{}, err
			}
		}
	}
}

// value makes text of what the cell holds, by its kind.
func (s *xlsxSheet) value(kind string, style int, long bool) (string, trouble, error) {
	var err error
	wrong := trouble{}
	switch kind {
	case "s":
		i, bad := strconv.Atoi(string(bytes.TrimSpace(s.text)))
		if bad != nil {
			i = -1
		}
		if s.text, err = s.book.strings.get(s.text[:0], i); err != nil {
			return "", wrong, err
		}
	case "inlineStr", "str":
		s.text = unescape(s.text)
	case "b":
		return map[string]string{"1": "TRUE", "0": "FALSE"}[string(s.text)], wrong, nil
	case "e":
		return string(s.text), trouble{RuleFormula, say("the cell is the error %s", "单元格是错误值 %s", s.text)}, nil
	case "d":
		return isoDate(string(s.text)), wrong, nil
	default:
		if len(s.text) == 0 {
			return "", wrong, nil
		}
		text, wrong := s.book.number(string(s.text), style)
		return text, wrong, nil
	}
	return s.checked(long)
}

// checked returns the cell's text, if it is text and not too long.
func (s *xlsxSheet) checked(long bool) (string, trouble, error) {
	if long || len(s.text) > s.maxCell {
		return "", trouble{RuleTooLong, tooLongWords(s.maxCell)}, nil
	}
	text := string(bytes.ToValidUTF8(s.text, []byte("\uFFFD")))
	if bytes.ContainsRune(s.text, utf8.RuneError) || len(text) != len(s.text) {
		return text, trouble{RuleEncoding, lostCharacter}, nil
	}
	return text, trouble{}, nil
}

// unescape decodes _xHHHH_, which stands for a UTF-16 unit that XML cannot hold, and
// for an underscore that would begin one.
func unescape(b []byte) []byte {
	if !bytes.Contains(b, []byte("_x")) {
		return b
	}
	var out []byte
	for i := 0; i < len(b); {
		unit, ok := escapedUnit(b[i:])
		if !ok {
			out = append(out, b[i])
			i++
			continue
		}
		i += escapeLen
		r := rune(unit)
		if low, ok := escapedUnit(b[i:]); ok && utf16.IsSurrogate(r) {
			if r = utf16.DecodeRune(r, rune(low)); r != utf8.RuneError {
				i += escapeLen
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

const escapeLen = len("_x0000_")

func escapedUnit(b []byte) (uint64, bool) {
	if len(b) < escapeLen || b[0] != '_' || b[1] != 'x' || b[escapeLen-1] != '_' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(b[2:escapeLen-1]), 16, 16)
	return unit, err == nil
}
