package library

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// entry is a line that begins at the margin and the lines below it that begin with a tab.
type entry struct {
	line
	body []line
}

type line struct {
	file   string
	number int
	text   string // without the tab
}

// errorf says where the mistake is: "official.txt:12: …".
func (l line) errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", l.file, l.number, fmt.Sprintf(format, args...))
}

// readEntries takes a file apart. Empty lines and lines that begin with # say nothing.
func readEntries(fsys fs.FS, file string) ([]entry, error) {
	text, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, err
	}
	var list []entry
	number := 0
	for raw := range strings.Lines(string(text)) {
		number++
		raw = strings.TrimSuffix(raw, "\n")
		if raw == "" || strings.HasPrefix(raw, "#") {
			continue
		}
		rest, below := strings.CutPrefix(raw, "\t")
		l := line{file, number, rest}
		switch {
		case strings.TrimSpace(rest) != rest:
			return nil, l.errorf("line: %q, must have no white space around it but one tab before a line of an entry", raw)
		case !below:
			list = append(list, entry{line: l})
		case len(list) == 0:
			return nil, l.errorf("line: %q, must stand below an entry", raw)
		default:
			last := &list[len(list)-1]
			last.body = append(last.body, l)
		}
	}
	return list, nil
}

// fields splits a line at single spaces into n fields; the last one takes the rest.
func (l line) fields(n int) ([]string, error) {
	f := strings.SplitN(l.text, " ", n)
	if len(f) < n || slices.Contains(f, "") || strings.HasPrefix(f[n-1], " ") {
		return nil, l.errorf("line: %q, must be %d fields with single spaces between them", l.text, n)
	}
	return f, nil
}

// alone is fields for an entry that has nothing below it.
func (e entry) alone(n int) ([]string, error) {
	if len(e.body) > 0 {
		return nil, e.body[0].errorf("line: %q, must not stand below an entry of this file", e.body[0].text)
	}
	return e.fields(n)
}

// filled is a parameter of a historical template with its example: {{keyword1=A1001}}.
var filled = regexp.MustCompile(`\{\{(\w+)=([^{}]+)\}\}`)

// content gives the body as the platform stores it, {{keyword1.DATA}}, and filled in.
func (e entry) content() (content, example string, err error) {
	var contents, examples, keys []string
	for _, l := range e.body {
		if strings.ContainsAny(filled.ReplaceAllString(l.text, ""), "{}") {
			return "", "", l.errorf("content: %q, must have braces only as in {{key=example}}", l.text)
		}
		for _, place := range filled.FindAllStringSubmatch(l.text, -1) {
			if slices.Contains(keys, place[1]) {
				return "", "", l.errorf("content: key %q, must be there once", place[1])
			}
			keys = append(keys, place[1])
		}
		contents = append(contents, filled.ReplaceAllString(l.text, "{{$1.DATA}}"))
		examples = append(examples, filled.ReplaceAllString(l.text, "$2"))
	}
	if keys == nil {
		return "", "", e.errorf("content: must have one {{key=example}} or more")
	}
	return strings.Join(contents, "\n"), strings.Join(examples, "\n"), nil
}

// keywords reads the body, a keyword a line.
func (e entry) keywords(read func(line) (Keyword, error)) ([]Keyword, error) {
	if len(e.body) == 0 {
		return nil, e.errorf("keywords: none, must have one or more")
	}
	var list []Keyword
	for i, l := range e.body {
		k, err := read(l)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(list, func(other Keyword) bool { return other.Name == k.Name }) {
			return nil, l.errorf("keyword: %q, must be there once", k.Name)
		}
		k.ID = i + 1
		list = append(list, k)
	}
	return list, nil
}

// typedKeyword reads "name type example". For enum and const the example is all that they may
// be, with bars between: 到店自取|外卖配送.
func typedKeyword(l line) (Keyword, error) {
	f, err := l.fields(3)
	if err != nil {
		return Keyword{}, err
	}
	k := Keyword{Name: f[0], Type: f[1], Example: f[2]}
	if k.Type == "enum" || k.Type == "const" {
		k.Values = strings.Split(k.Example, "|")
		k.Example = k.Values[0]
	}
	return k, nil
}

// untypedKeyword reads "name example".
func untypedKeyword(l line) (Keyword, error) {
	f, err := l.fields(2)
	if err != nil {
		return Keyword{}, err
	}
	return Keyword{Name: f[0], Example: f[1]}, nil
}
