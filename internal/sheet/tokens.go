package sheet

import (
	"bufio"
	"encoding/xml"
	"errors"
	"io"
)

// maxToken is how long one tag or one text of a part may be, in bytes: the longest is
// a cell's text of 32,767 characters.
const maxToken = 1 << 20

// tokens reads XML tag by tag, none of them longer than maxToken. Entities other than
// XML's own five are an error, so that there is nothing to expand.
type tokens struct {
	d  *xml.Decoder
	in *budget
}

func newTokens(r io.Reader) *tokens {
	b := &budget{r: bufio.NewReaderSize(r, 32<<10)}
	return &tokens{d: xml.NewDecoder(b), in: b}
}

// next returns the next token, valid until the call after it.
func (t *tokens) next() (xml.Token, error) {
	t.in.left = maxToken
	token, err := t.d.RawToken()
	if err == nil || err == io.EOF {
		return token, err
	}
	if errors.Is(err, errToken) {
		return nil, errToken
	}
	if _, syntax := errors.AsType[*xml.SyntaxError](err); syntax {
		return nil, because(err, "the workbook is broken", "工作簿已损坏")
	}
	return nil, err
}

var errToken = refuse("the workbook has a text longer than %d bytes, which no cell can have", "工作簿中有一段文本超过 %d 字节，单元格不可能这样长", maxToken)

// budget lets left bytes through. It is a ByteReader, so that the decoder takes no
// more than it needs.
type budget struct {
	r    *bufio.Reader
	left int
}

func (b *budget) ReadByte() (byte, error) {
	if b.left--; b.left < 0 {
		return 0, errToken
	}
	return b.r.ReadByte()
}

func (b *budget) Read(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errToken
	}
	return b.r.Read(p)
}

// text reads up to the end of the element that was begun, and returns what is in its
// t elements (a string may be in pieces, each with its own font), or its own text.
// The reading of Chinese or Japanese characters, rPh, is left out. Beyond max bytes it
// reads, but does not keep.
func (t *tokens) text(into []byte, max int) ([]byte, bool, error) {
	start, depth, skipped, long := len(into), 1, 0, false
	for depth > 0 {
		token, err := t.next()
		if err == io.EOF {
			return into, long, refuse("the workbook is broken: it ends inside a cell", "工作簿已损坏：在单元格的中间结束")
		}
		if err != nil {
			return into, long, err
		}
		switch e := token.(type) {
		case xml.StartElement:
			depth++
			if e.Name.Local == "rPh" || skipped > 0 {
				skipped++
			}
		case xml.EndElement:
			depth--
			if skipped > 0 {
				skipped--
			}
		case xml.CharData:
			if skipped > 0 {
				break
			}
			if len(into)-start+len(e) > max {
				long = true
			} else {
				into = append(into, e...)
			}
		}
	}
	return into, long, nil
}
