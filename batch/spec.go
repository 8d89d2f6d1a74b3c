package batch

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"hongyan"
	"hongyan/wechat"
)

// spec is what a batch keeps of how its rows become messages: hongyan.Batch.Spec.
type spec struct {
	Fields     Fields            `json:"fields"`
	Columns    map[string]string `json:"columns,omitempty"`    // field → column, e.g. "touser": "openid", "data.thing1": "商品"
	Duplicates string            `json:"duplicates,omitempty"` // "refuse" (also "") or "allow"
}

func specOf(b *hongyan.Batch) (s spec, err error) {
	if err := json.Unmarshal(b.Spec, &s); err != nil {
		return s, fmt.Errorf("read the spec of batch %s: %w", b.ID, err)
	}
	return s, nil
}

// program turns rows into fields. It is made once for an upload, or a chunk, and is
// safe for concurrent use.
type program struct {
	base    Fields
	slots   []slot
	names   []string // of the columns that are used, in the order in which rows keep their cells
	adopted []string // fields that have a column by its name alone, and that column, in turns
}

// slot is a field with a text in which columns are replaced.
type slot struct {
	field string // as in spec.Columns: "touser", "data.thing1", "miniprogram.pagepath"
	parts []part
	set   func(f *Fields, v string)
}

// part is a piece of text, or (place >= 0) a column by its place in program.names.
type part struct {
	text  string
	place int
}

// textFields are the fields that are one text, by name.
var textFields = map[string]func(f *Fields) *string{
	"touser":            func(f *Fields) *string { return &f.ToUser },
	"url":               func(f *Fields) *string { return &f.URL },
	"topcolor":          func(f *Fields) *string { return &f.TopColor },
	"page":              func(f *Fields) *string { return &f.Page },
	"form_id":           func(f *Fields) *string { return &f.FormID },
	"emphasis_keyword":  func(f *Fields) *string { return &f.EmphasisKeyword },
	"color":             func(f *Fields) *string { return &f.Color },
	"miniprogram_state": func(f *Fields) *string { return &f.MiniProgramState },
	"lang":              func(f *Fields) *string { return &f.Lang },
	"scene":             func(f *Fields) *string { return &f.Scene },
	"title":             func(f *Fields) *string { return &f.Title },
}

const (
	dataPrefix = "data."
	jumpPrefix = "miniprogram."
)

// fieldName gives a field of spec.Columns its full name: what is no field of a message
// is a key of data.
func fieldName(name string) string {
	if textFields[name] != nil || strings.HasPrefix(name, dataPrefix) || name == jumpPrefix+"appid" || name == jumpPrefix+"pagepath" {
		return name
	}
	return dataPrefix + name
}

// texts returns every text of the spec that may hold columns, by field.
func (s *spec) texts() map[string]string {
	all := make(map[string]string)
	f := s.Fields
	for name, at := range textFields {
		if v := *at(&f); v != "" {
			all[name] = v
		}
	}
	if mp := f.MiniProgram; mp != nil {
		all[jumpPrefix+"appid"], all[jumpPrefix+"pagepath"] = mp.AppID, mp.PagePath
	}
	for key, v := range f.Data {
		all[dataPrefix+key] = v.Value
	}
	for field, column := range s.Columns {
		all[fieldName(field)] = "{{" + column + "}}"
	}
	return all
}

// recipientColumns are the names under which a recipient is found by itself.
var recipientColumns = []string{"touser", "openid"}

// compile makes the program for a table with that header; nil = rows bring columns and
// fields of their own. keys are those of the template, as far as they are known: a
// column with a key's name, or data.KEY, is its value if nothing else is said.
func (s *spec) compile(header, keys []string) (*program, error) {
	if err := s.checkNames(keys); err != nil {
		return nil, err
	}
	texts := s.texts()
	p := &program{base: s.Fields}
	adopt := func(field, column string) {
		if _, said := texts[field]; !said && slices.Contains(header, column) {
			texts[field] = "{{" + column + "}}"
			p.adopted = append(p.adopted, field, column)
		}
	}
	for _, name := range recipientColumns {
		adopt("touser", name)
	}
	for _, key := range keys {
		adopt(dataPrefix+key, key)
	}
	for _, column := range header {
		if strings.HasPrefix(column, dataPrefix) {
			adopt(column, column)
		}
	}
	if header != nil {
		if err := checkHeader(header, keys, texts); err != nil {
			return nil, err
		}
	}
	for _, field := range slices.Sorted(maps.Keys(texts)) {
		if err := p.add(field, texts[field], header); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// programFor makes the program for the rows of a chunk.
func (s *spec) programFor(c *chunk) (*program, error) {
	own := *s
	own.Columns = maps.Clone(s.Columns)
	if own.Columns == nil {
		own.Columns = make(map[string]string)
	}
	for i := 0; i+1 < len(c.adopted); i += 2 {
		own.Columns[c.adopted[i]] = c.adopted[i+1]
	}
	p := &program{base: s.Fields, names: c.names}
	texts := own.texts()
	for _, field := range slices.Sorted(maps.Keys(texts)) {
		if err := p.add(field, texts[field], nil); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// add makes a slot of a text that holds columns.
func (p *program) add(field, text string, header []string) error {
	pieces, err := split(field, text)
	if err != nil || !slices.ContainsFunc(pieces, func(x piece) bool { return x.column }) {
		return err
	}
	s := slot{field: field, set: setter(field)}
	for _, x := range pieces {
		if !x.column {
			s.parts = append(s.parts, part{x.text, -1})
			continue
		}
		if header != nil && !slices.Contains(header, x.text) {
			return unknownColumn(field, x.text, header)
		}
		place := slices.Index(p.names, x.text)
		if place < 0 {
			place, p.names = len(p.names), append(p.names, x.text)
		}
		s.parts = append(s.parts, part{"", place})
	}
	p.slots = append(p.slots, s)
	return nil
}

// piece is a part of a text before columns have places.
type piece struct {
	text   string // of a column: its name
	column bool
}

// split finds the {{column}} in a text.
func split(field, text string) (pieces []piece, err error) {
	for {
		before, rest, found := strings.Cut(text, "{{")
		if before != "" {
			pieces = append(pieces, piece{text: before})
		}
		if !found {
			return pieces, nil
		}
		name, after, closed := strings.Cut(rest, "}}")
		name = strings.TrimSpace(name)
		if !closed || name == "" {
			return nil, hongyan.InvalidField("bad_placeholder", pointerOf(field), "%q opens {{ and names no column before }}", clip(text)).
				InChinese("%q 有 {{，却没有列名和 }}", clip(text))
		}
		pieces, text = append(pieces, piece{name, true}), after
	}
}

func unknownColumn(field, name string, header []string) error {
	columns, asked := clip(strings.Join(header, ", ")), meant(name, header)
	return hongyan.InvalidField("unknown_column", pointerOf(field), "there is no column %q; the columns are %s%s", clip(name), columns, asked.en).
		InChinese("没有 %q 这一列；表中有 %s%s", clip(name), columns, asked.zh)
}

// pointerOf is the JSON pointer of a field's name.
func pointerOf(field string) string {
	head, rest, inside := strings.Cut(field, ".")
	if !inside {
		return "/" + field
	}
	return "/" + head + "/" + escaped(rest)
}

// escaped is a name as a part of a JSON pointer.
func escaped(name string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(name) }

// fieldOf is the field's name of a JSON pointer.
func fieldOf(pointer string) string {
	head, rest, inside := strings.Cut(strings.TrimPrefix(pointer, "/"), "/")
	if !inside {
		return head
	}
	return head + "." + strings.NewReplacer("~1", "/", "~0", "~").Replace(rest)
}

// setter writes a field. Whoever resolves has made data and miniprogram its own.
func setter(field string) func(*Fields, string) {
	if at := textFields[field]; at != nil {
		return func(f *Fields, v string) { *at(f) = v }
	}
	switch field {
	case jumpPrefix + "appid":
		return func(f *Fields, v string) { f.MiniProgram.AppID = v }
	case jumpPrefix + "pagepath":
		return func(f *Fields, v string) { f.MiniProgram.PagePath = v }
	}
	key := strings.TrimPrefix(field, dataPrefix)
	return func(f *Fields, v string) { f.Data[key] = wechat.Field{Value: v, Color: f.Data[key].Color} }
}

// valueAt reads the text of a field for a report, "" where there is none.
func valueAt(f *Fields, field string) string {
	if at := textFields[field]; at != nil {
		return *at(f)
	}
	if key, ok := strings.CutPrefix(field, dataPrefix); ok {
		return f.Data[key].Value
	}
	if f.MiniProgram != nil && field == jumpPrefix+"appid" {
		return f.MiniProgram.AppID
	}
	if f.MiniProgram != nil && field == jumpPrefix+"pagepath" {
		return f.MiniProgram.PagePath
	}
	return ""
}

// columnOf names where a field's value came from: its column, or the field itself.
func (p *program) columnOf(field string) string {
	for i := range p.slots {
		if p.slots[i].field != field {
			continue
		}
		for _, x := range p.slots[i].parts {
			if x.place >= 0 {
				return p.names[x.place]
			}
		}
	}
	return field
}

// fields makes the fields of a row, and says what keeps that from being done.
func (p *program) fields(r *Row) (Fields, []Problem) {
	if r.JSON == nil {
		return p.resolve(padded(r.Cells, len(p.names))), nil
	}
	own := r.decoded
	if own == nil {
		own = new(RowJSON)
		if err := json.Unmarshal(r.JSON, own); err != nil {
			return Fields{}, []Problem{{Rule: "bad_json", Detail: "the line is not a JSON object with the fields of a message", DetailZH: "该行不是含消息字段的 JSON 对象"}}
		}
	}
	cells := make([]string, len(p.names))
	for i, name := range p.names {
		cells[i] = own.Columns[name]
	}
	f := p.resolve(cells)
	f.override(&own.Fields)
	return f, p.missing(own)
}

// missing finds the columns that a line of JSON needs and does not bring.
func (p *program) missing(own *RowJSON) (problems []Problem) {
	for i := range p.slots {
		if valueAt(&own.Fields, p.slots[i].field) != "" {
			continue
		}
		for _, x := range p.slots[i].parts {
			if x.place < 0 {
				continue
			}
			if _, there := own.Columns[p.names[x.place]]; !there {
				field, column := p.slots[i].field, clip(p.names[x.place])
				problems = append(problems, Problem{Column: p.names[x.place], Rule: "unknown_column",
					Detail:   fmt.Sprintf("%s wants the column %q: give it in columns, or give %s itself", field, column, field),
					DetailZH: fmt.Sprintf("%s 需要列 %q：请在 columns 中给出，或直接给出 %s", field, column, field)})
			}
		}
	}
	return problems
}

// padded makes cells n long: a damaged chunk must not end the program.
func padded(cells []string, n int) []string {
	for len(cells) < n {
		cells = append(cells, "")
	}
	return cells
}

// resolve makes a row's fields. cells are in the order of p.names.
func (p *program) resolve(cells []string) Fields {
	f := p.base
	f.Data = maps.Clone(f.Data)
	if f.Data == nil {
		f.Data = make(wechat.Data, len(p.slots))
	}
	jump := wechat.MiniProgram{}
	if f.MiniProgram != nil {
		jump = *f.MiniProgram
	}
	f.MiniProgram = &jump
	for i := range p.slots {
		p.slots[i].set(&f, p.slots[i].text(cells))
	}
	if jump == (wechat.MiniProgram{}) {
		f.MiniProgram = nil
	}
	f.ToUser = strings.TrimSpace(f.ToUser)
	return f
}

func (s *slot) text(cells []string) string {
	if len(s.parts) == 1 {
		return cells[s.parts[0].place]
	}
	var b strings.Builder
	for _, x := range s.parts {
		if x.place >= 0 {
			b.WriteString(cells[x.place])
		} else {
			b.WriteString(x.text)
		}
	}
	return b.String()
}

// override puts what a row says itself over what the batch says.
func (f *Fields) override(by *Fields) {
	for _, at := range textFields {
		if v := *at(by); v != "" {
			*at(f) = v
		}
	}
	if by.MiniProgram != nil {
		f.MiniProgram = by.MiniProgram
	}
	for key, v := range by.Data {
		f.Data[key] = v
	}
	if by.Metadata != nil {
		f.Metadata = by.Metadata
	}
	f.ToUser = strings.TrimSpace(f.ToUser)
}

// clip keeps a value readable in a report.
func clip(s string) string {
	const keep = 60
	n := 0
	for i := range s {
		if n++; n > keep {
			return s[:i] + "…"
		}
	}
	return s
}

// SpecView is what of a batch's spec is shown.
type SpecView struct {
	Columns    map[string]string // never nil
	Duplicates string
}

// SpecOf shows a batch's spec; one that cannot be read is empty.
func SpecOf(b *hongyan.Batch) SpecView {
	s, err := specOf(b)
	v := SpecView{Columns: s.Columns, Duplicates: s.Duplicates}
	if err != nil || v.Columns == nil {
		v.Columns = map[string]string{}
	}
	if v.Duplicates == "" {
		v.Duplicates = "refuse"
	}
	return v
}
