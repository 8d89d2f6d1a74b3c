package sheet

import (
	"encoding/xml"
	"io"
	"path"
	"strconv"
	"strings"
)

// relation is a link from one part to another.
type relation struct{ id, kind, target string }

type relations []relation

// ofType finds a link by the last word of its kind: its namespace differs between the
// transitional and the strict form of the format.
func (r relations) ofType(word string) (relation, bool) {
	for _, rel := range r {
		if strings.HasSuffix(rel.kind, word) {
			return rel, true
		}
	}
	return relation{}, false
}

func (r relations) byID(id string) string {
	for _, rel := range r {
		if rel.id == id {
			return rel.target
		}
	}
	return ""
}

func (w *workbook) relations(name, folder string) (relations, error) {
	var rels relations
	err := w.each(name, func(_ *tokens, e xml.StartElement) error {
		if e.Name.Local != "Relationship" {
			return nil
		}
		r := relation{id: attr(e, "Id"), kind: attr(e, "Type"), target: attr(e, "Target")}
		if absolute, ok := strings.CutPrefix(r.target, "/"); ok {
			r.target = absolute
		} else {
			r.target = path.Join(folder, r.target)
		}
		rels = append(rels, r)
		return nil
	})
	return rels, err
}

func (w *workbook) readWorkbook(name string, rels relations) error {
	return w.each(name, func(_ *tokens, e xml.StartElement) error {
		switch e.Name.Local {
		case "workbookPr":
			w.from1904 = isTrue(attr(e, "date1904"))
		case "sheet":
			state := attr(e, "state")
			w.sheets = append(w.sheets, sheetPart{name: attr(e, "name"), hidden: state != "" && state != "visible", part: rels.byID(attr(e, "id"))})
		}
		return nil
	})
}

// readStyles learns how each style shows numbers: cells name a style by its place in cellXfs.
func (w *workbook) readStyles(name string) error {
	codes, in := map[int]string{}, ""
	return w.each(name, func(_ *tokens, e xml.StartElement) error {
		switch e.Name.Local {
		case "numFmt":
			if id, err := strconv.Atoi(attr(e, "numFmtId")); err == nil && in == "" {
				codes[id] = attr(e, "formatCode")
			}
		case "cellXfs", "cellStyleXfs", "dxfs", "cellStyles":
			in = e.Name.Local
		case "xf":
			if in == "cellXfs" {
				id, _ := strconv.Atoi(attr(e, "numFmtId"))
				w.formats = append(w.formats, formatOfID(id, codes))
			}
		}
		return nil
	})
}

// each calls do for every element of a part.
func (w *workbook) each(name string, do func(*tokens, xml.StartElement) error) error {
	part, err := w.openPart(name)
	if err != nil {
		return err
	}
	defer part.Close()
	t := newTokens(part)
	for {
		token, err := t.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if e, ok := token.(xml.StartElement); ok {
			if err := do(t, e); err != nil {
				return err
			}
		}
	}
}

func attr(e xml.StartElement, local string) string {
	for _, a := range e.Attr {
		if a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}

func isTrue(s string) bool { return s == "1" || s == "true" || s == "on" }
