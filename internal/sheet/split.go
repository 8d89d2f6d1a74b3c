package sheet

import "bytes"

// splitter cuts lines into cells. The cells stand one after the other in text;
// ends are where they end. When quoted is set, the row goes on in the next line.
type splitter struct {
	comma  byte
	max    int // bytes of a cell
	text   []byte
	ends   []int
	quoted bool
}

func (s *splitter) reset() { s.text, s.ends, s.quoted = s.text[:0], s.ends[:0], false }

// end ends the cell that is being read.
func (s *splitter) end() { s.ends, s.quoted = append(s.ends, len(s.text)), false }

// start is where the cell that is being read begins.
func (s *splitter) start() int {
	if len(s.ends) == 0 {
		return 0
	}
	return s.ends[len(s.ends)-1]
}

// empty reports whether no cell has anything in it.
func (s *splitter) empty() bool { return len(bytes.TrimSpace(s.text)) == 0 }

// add reads one line, without its end. After a problem the row has the cells before
// it, and the rest of the line as one more.
func (s *splitter) add(line []byte) problem {
	if s.quoted { // the line end before this line belongs to the cell
		s.text = append(s.text, '\n')
	}
	for {
		if !s.quoted && len(line) > 0 && line[0] == '"' {
			s.quoted, line = true, line[1:]
		}
		var rest []byte
		var more, ok bool
		if s.quoted {
			rest, more, ok = s.quotedCell(line)
		} else {
			rest, more, ok = s.plainCell(line)
		}
		if !ok {
			return s.broken(rest)
		}
		if len(s.text)-s.start() > s.max {
			return s.tooLong()
		}
		if s.quoted {
			return problem{}
		}
		s.end()
		if !more {
			return problem{}
		}
		line = rest
	}
}

// plainCell reads up to the next delimiter. more says that one was there, so that
// another cell follows.
func (s *splitter) plainCell(line []byte) (rest []byte, more, ok bool) {
	cell, rest, more := bytes.Cut(line, []byte{s.comma})
	if bytes.IndexByte(cell, '"') >= 0 {
		return line, false, false
	}
	s.text = append(s.text, cell...)
	return rest, more, true
}

// quotedCell reads up to the closing quote; without one the cell stays open.
func (s *splitter) quotedCell(line []byte) (rest []byte, more, ok bool) {
	for {
		i := bytes.IndexByte(line, '"')
		if i < 0 {
			s.text = append(s.text, line...)
			return nil, false, true
		}
		s.text, line = append(s.text, line[:i]...), line[i+1:]
		switch {
		case len(line) == 0:
			s.quoted = false
			return nil, false, true
		case line[0] == s.comma:
			s.quoted = false
			return line[1:], true, true
		case line[0] == '"':
			s.text, line = append(s.text, '"'), line[1:]
		default:
			return line, false, false
		}
	}
}

func (s *splitter) broken(rest []byte) problem {
	text := say(`a quote stands inside a cell: put the whole cell into quotes, and write "" for each quote in it`,
		`单元格中间有引号：请用引号括住整个单元格，其中的每个引号写成 ""`)
	if s.quoted {
		text = say(`something follows the quote that closes a cell: write "" for a quote inside quotes`,
			`结束单元格的引号之后还有内容：引号之内的引号请写成 ""`)
	}
	column := len(s.ends)
	s.text = append(s.text, rest...)
	s.end()
	return problem{rule: RuleQuotes, column: column, text: text}
}

func (s *splitter) tooLong() problem {
	column := len(s.ends)
	s.text = s.text[:s.start()]
	s.end()
	return tooLong(column, s.max)
}

func tooLongWords(max int) Words {
	return say("the cell is longer than %d bytes", "单元格超过 %d 字节", max)
}

func tooLong(column, max int) problem {
	return problem{rule: RuleTooLong, column: column, text: tooLongWords(max)}
}
