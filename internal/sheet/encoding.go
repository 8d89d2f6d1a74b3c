package sheet

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Encodings, as Reader.Encoding names them.
const (
	utf8Name    = "utf-8"
	gbName      = "gb18030"
	utf16LEName = "utf-16le"
	utf16BEName = "utf-16be"
)

// unwrap takes a byte order mark away, and makes UTF-8 of UTF-16. wide is the name of
// the encoding that was unwrapped, "" for none; marked says that a mark was there.
func unwrap(in *bufio.Reader) (out *bufio.Reader, wide string, marked bool, err error) {
	start, err := in.Peek(512)
	if err != nil && err != io.EOF {
		return nil, "", false, err
	}
	order := unicode.LittleEndian
	switch {
	case bytes.HasPrefix(start, []byte("\xEF\xBB\xBF")):
		_, err := in.Discard(3)
		return in, "", true, err
	case bytes.HasPrefix(start, []byte("\xFF\xFE")):
		wide = utf16LEName
	case bytes.HasPrefix(start, []byte("\xFE\xFF")):
		wide, order = utf16BEName, unicode.BigEndian
	case bytes.IndexByte(start, 0) >= 0:
		return nil, "", false, refuse("the file is not text, or UTF-16 without a byte order mark: save it as CSV UTF-8",
			"文件不是文本，或是不带 BOM 的 UTF-16：请另存为 CSV UTF-8")
	default:
		return in, "", false, nil
	}
	decoded := transform.NewReader(in, unicode.UTF16(order, unicode.ExpectBOM).NewDecoder())
	return bufio.NewReaderSize(decoded, lookAhead), wide, true, nil
}

// textDecoder makes strings of raw cells. UTF-8 or GB18030 is decided at the first
// bytes beyond ASCII, wherever in the file they are, by what follows them.
type textDecoder struct {
	decided bool
	gb      *transformer // nil = UTF-8
}

func (d *textDecoder) name() string {
	if d.gb != nil {
		return gbName
	}
	return utf8Name
}

// decide looks at row, and at what follows it, if nothing was decided yet.
func (d *textDecoder) decide(row []byte, lines *lineReader) {
	if d.decided {
		return
	}
	d.decided = true
	if sample := append(append(bytes.Clone(row), '\n'), lines.ahead()...); isGB(sample) {
		d.gb = newTransformer()
	}
}

// isGB counts the lines that only one of the two encodings can be the reason of. Text
// in GBK is hardly ever valid UTF-8, if it is longer than a word; text in UTF-8 is
// often valid GBK. So a line that is valid UTF-8 speaks for UTF-8, except when it is
// short enough to be both; and a single broken line does not decide for all.
func isGB(sample []byte) bool {
	t, votes, weak := newTransformer(), 0, 0
	for l := range bytes.SplitSeq(sample, []byte{'\n'}) {
		switch {
		case ascii(l):
		case utf8.Valid(l) && !alsoGB(l):
			votes--
		case utf8.Valid(l):
			weak += lean(l)
		case t.valid(l):
			votes++
		}
	}
	if votes == 0 {
		return weak > 0
	}
	return votes > 0
}

// alsoGB reports whether valid UTF-8 could be GBK as well as it is UTF-8: all of it is
// in characters of two bytes, such as D2 BB, which is 一 or һ.
func alsoGB(l []byte) bool {
	for _, r := range string(l) {
		if utf8.RuneLen(r) > 2 {
			return false
		}
	}
	return true
}

// lean says what such a line is rather: a letter of UTF-8 stands beside other letters
// (café), a character of GBK by itself (一,1 or 一一). Above 0 is GBK.
func lean(l []byte) int {
	latin, chinese := 0, 0
	for i := 0; i < len(l); {
		_, size := utf8.DecodeRune(l[i:])
		if size == 2 && (i > 0 && letter(l[i-1]) || i+2 < len(l) && letter(l[i+2])) {
			latin++
		} else if size == 2 {
			chinese++
		}
		i += size
	}
	return chinese - latin
}

func letter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }

// decode returns the cell as UTF-8. ok is false when bytes of it are no text, or when
// it has U+FFFD, the mark that an earlier program left for a character it lost.
func (d *textDecoder) decode(raw []byte) (text string, ok bool) {
	if ascii(raw) {
		return string(raw), true
	}
	if d.gb != nil {
		raw = d.gb.decode(raw)
	}
	text = string(bytes.ToValidUTF8(raw, []byte("\uFFFD")))
	return text, !bytes.ContainsRune([]byte(text), utf8.RuneError)
}

func (d *textDecoder) complaint(raw []byte, wide string) Words {
	switch {
	case wide != "":
		return say("the cell has a character that is broken in %s, or U+FFFD (�) for one that was lost before",
			"单元格中有在 %s 中损坏的字符，或有 U+FFFD（�），即此前已丢失的字符", wide)
	case d.gb == nil && utf8.Valid(raw):
		return lostCharacter
	case d.gb == nil:
		return say("the cell is not UTF-8, but the rest of the file is", "该单元格不是 UTF-8，而文件的其余部分是")
	}
	return say("the cell is not GBK or GB18030, but the rest of the file is", "该单元格不是 GBK 或 GB18030，而文件的其余部分是")
}

var lostCharacter = Words{"the cell has U+FFFD (�): a program before lost the character that was there", "单元格中有 U+FFFD（�）：原来的字符已被之前的程序丢失"}

// minForeign is how many characters of three bytes a row must have to be taken for
// UTF-8 in a file of GBK. Fewer can be valid in both by chance.
const minForeign = 4

// foreign reports whether a row of a GBK file is UTF-8 instead.
func (d *textDecoder) foreign(row []byte) bool {
	if d.gb == nil || !utf8.Valid(row) {
		return false
	}
	n := 0
	for _, r := range string(row) {
		if utf8.RuneLen(r) == 3 {
			n++
		}
	}
	return n >= minForeign
}

// transformer decodes GB18030, of which GBK and GB2312 are parts.
type transformer struct {
	t   transform.Transformer
	buf []byte
}

func newTransformer() *transformer {
	return &transformer{t: simplifiedchinese.GB18030.NewDecoder().Transformer}
}

// decode returns UTF-8, with U+FFFD for what is broken. It is valid until the next call.
func (t *transformer) decode(raw []byte) []byte {
	// A character takes at least one byte and at most three of UTF-8; those of four take four.
	t.buf = slices.Grow(t.buf[:0], 3*len(raw)+utf8.UTFMax)
	t.t.Reset()
	n, _, err := t.t.Transform(t.buf[:cap(t.buf)], raw, true)
	if err != nil { // cannot be: the room is enough, and broken bytes are no error
		return append(t.buf[:n], "\uFFFD"...)
	}
	return t.buf[:n]
}

func (t *transformer) valid(raw []byte) bool {
	return !bytes.ContainsRune(t.decode(raw), utf8.RuneError)
}
