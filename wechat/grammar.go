package wechat

import (
	"slices"
	"strings"
)

// SegmentKind tells the parts of a template's content apart.
type SegmentKind uint8

// The kinds of segment.
const (
	SegmentText     SegmentKind = iota // literal text
	SegmentParam                       // {{key.DATA}}, replaced by data[key]
	SegmentReserved                    // {{anything else}}, never replaced
)

// Segment is one part of a template's content. The Texts of all segments joined give the
// content back byte for byte.
type Segment struct {
	Kind SegmentKind
	Text string // as written, with the braces
	Key  string // of a SegmentParam: what data is looked up by, without .DATA; else ""
}

// Content is a template's text taken apart by ParseContent. The zero value is the empty
// content. It is never changed after parsing and may be shared between goroutines.
type Content struct {
	source   string
	segments []Segment
	params   []string
	reserved []string
}

const (
	openBraces  = "{{"
	closeBraces = "}}"
	dataSuffix  = ".DATA"
)

// ParseContent reads a template's content as the platform stores it (spec §4.3). Between
// "{{" and "}}" stands a parameter if it is a key of letters, digits and underscores followed by
// .DATA, spaces around both allowed; anything else is a reserved word and stays as it is. Braces
// that are not closed are text, and so is an opening pair that a later one replaces before the
// closing. Every string is some content: there is no error.
func ParseContent(s string) Content {
	c := Content{source: s}
	for s != "" {
		open, end := nextBraces(s)
		if end == 0 {
			c.add(Segment{Kind: SegmentText, Text: s})
			break
		}
		if open > 0 {
			c.add(Segment{Kind: SegmentText, Text: s[:open]})
		}
		c.add(braced(s[open:end]))
		s = s[end:]
	}
	return c
}

// nextBraces finds the first closed pair in s: s[open:end] is "{{…}}". No pair gives end 0.
func nextBraces(s string) (open, end int) {
	first := strings.Index(s, openBraces)
	if first < 0 {
		return 0, 0
	}
	inner := first + len(openBraces)
	length := strings.Index(s[inner:], closeBraces)
	if length < 0 {
		return 0, 0
	}
	closeAt := inner + length
	return strings.LastIndex(s[:closeAt], openBraces), closeAt + len(closeBraces)
}

// braced classifies "{{…}}".
func braced(text string) Segment {
	inner := strings.Trim(text[len(openBraces):len(text)-len(closeBraces)], " ")
	key, isData := strings.CutSuffix(inner, dataSuffix)
	if isData && isKey(key) {
		return Segment{Kind: SegmentParam, Text: text, Key: key}
	}
	return Segment{Kind: SegmentReserved, Text: text}
}

func isKey(s string) bool {
	for _, r := range s {
		if !isASCIILetter(r) && !isASCIIDigit(r) && r != '_' {
			return false
		}
	}
	return s != ""
}

func (c *Content) add(seg Segment) {
	c.segments = append(c.segments, seg)
	switch seg.Kind {
	case SegmentParam:
		c.params = appendNew(c.params, seg.Key)
	case SegmentReserved:
		c.reserved = appendNew(c.reserved, seg.Text)
	}
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// String returns the content as it was given to ParseContent.
func (c Content) String() string { return c.source }

// Params returns the parameters' keys in order of first appearance, each once. Keys are case
// sensitive and carry no ".DATA".
func (c Content) Params() []string { return slices.Clone(c.params) }

// Has reports whether key is a parameter of the content.
func (c Content) Has(key string) bool { return slices.Contains(c.params, key) }

// Reserved returns the reserved words as written, braces included, in order, each once.
func (c Content) Reserved() []string { return slices.Clone(c.reserved) }

// Segments returns the parts in order.
func (c Content) Segments() []Segment { return slices.Clone(c.segments) }

func isASCIIDigit(r rune) bool { return r >= '0' && r <= '9' }

func isASCIILetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
