package sheet

import (
	"bufio"
	"bytes"
	"io"
)

const (
	// lookAhead is how far is looked for evidence of the encoding, in bytes; also the size of the buffer.
	lookAhead = 256 << 10
	// maxLine is how long a line may be, in bytes. The rest of a longer one is skipped.
	maxLine = 1 << 20
)

// line is one line of a file, without its end.
type line struct {
	n    int // from 1
	text []byte
	long bool // longer than maxLine; text is its start
}

// clone makes a copy that the next read does not overwrite.
func (l line) clone() line {
	l.text = bytes.Clone(l.text)
	return l
}

// lineReader reads lines that end in LF, CR LF or, in files of old Macs, CR.
type lineReader struct {
	in     *bufio.Reader
	end    byte
	n      int
	again  []line // given back, to be read again
	joined []byte // a line longer than the buffer
}

func newLineReader(in *bufio.Reader) (lineReader, error) {
	start, err := in.Peek(lookAhead)
	if err != nil && err != io.EOF {
		return lineReader{}, err
	}
	end := byte('\n')
	if bytes.IndexByte(start, '\n') < 0 && bytes.IndexByte(start, '\r') >= 0 {
		end = '\r'
	}
	return lineReader{in: in, end: end}, nil
}

// back gives lines back: they are the next to be read.
func (r *lineReader) back(lines ...line) { r.again = append(lines, r.again...) }

// next returns a line, whose text is valid until the next call, or io.EOF. A file
// that breaks off with an error has no last line: it may be half of one.
func (r *lineReader) next() (line, error) {
	if len(r.again) > 0 {
		l := r.again[0]
		r.again = r.again[1:]
		return l, nil
	}
	text, long, err := r.read()
	if err != nil && (err != io.EOF || len(text) == 0) {
		return line{}, err
	}
	r.n++
	text = bytes.TrimSuffix(text, []byte{r.end})
	if r.end == '\n' {
		text = bytes.TrimSuffix(text, []byte{'\r'})
	}
	return line{n: r.n, text: text, long: long}, nil
}

func (r *lineReader) read() (text []byte, long bool, err error) {
	text, err = r.in.ReadSlice(r.end)
	if err != bufio.ErrBufferFull {
		return text, len(text) > maxLine, err
	}
	r.joined = append(r.joined[:0], text...)
	for err == bufio.ErrBufferFull {
		text, err = r.in.ReadSlice(r.end)
		if len(r.joined) <= maxLine {
			r.joined = append(r.joined, text...)
		}
	}
	return r.joined, len(r.joined) > maxLine, err
}

// ahead returns what follows the lines that were read, as far as the buffer goes.
// What next returned before is no longer valid.
func (r *lineReader) ahead() []byte {
	var b []byte
	for _, l := range r.again {
		b = append(append(b, l.text...), '\n')
	}
	following, _ := r.in.Peek(lookAhead) // an error comes again when it is read
	if last := bytes.LastIndexByte(following, r.end); len(following) == lookAhead && last >= 0 {
		following = following[:last] // not half of a line
	}
	return append(b, following...)
}
