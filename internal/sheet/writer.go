package sheet

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
)

// MaxRows is how many rows a sheet of an XLSX holds, its head among them.
const MaxRows = 1 << 20

// Writer writes an XLSX, row by row and in constant memory. Every cell is text, so
// that nothing in it is taken for a formula, a date or a number. Rows beyond MaxRows
// go on in a further sheet under the same head. It is not for concurrent use.
type Writer struct {
	zip    *zip.Writer
	out    *bufio.Writer // of the sheet that is being written
	name   string
	header []string
	sheets int
	row    int
	max    int // rows of a sheet
}

// NewWriter begins a workbook whose sheets are called name, name 2 …; its rows are
// under header. What it writes is complete only after Close.
func NewWriter(w io.Writer, name string, header []string) *Writer {
	return &Writer{zip: zip.NewWriter(w), name: name, header: header, max: MaxRows}
}

// Write writes a row.
func (w *Writer) Write(cells []string) error {
	if w.out == nil || w.row == w.max {
		if err := w.nextSheet(); err != nil {
			return err
		}
	}
	return w.put(cells)
}

// Close completes the workbook; it does not close what it was written to.
func (w *Writer) Close() error {
	if w.sheets == 0 {
		if err := w.nextSheet(); err != nil {
			return err
		}
	}
	if err := w.endSheet(); err != nil {
		return err
	}
	for _, part := range w.parts() {
		if err := w.part(part.name, part.content); err != nil {
			return err
		}
	}
	return w.zip.Close()
}

// part writes a whole part.
func (w *Writer) part(name, content string) error {
	f, err := w.zip.Create(name)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, xml.Header+content)
	return err
}

// Namespaces and kinds of parts.
const (
	mainSpace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
	packages  = "http://schemas.openxmlformats.org/package/2006/"
	office    = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
	kind      = "application/vnd.openxmlformats-officedocument.spreadsheetml."
)

// contentTypes is the first part: programs that look at the first bytes only know an
// XLSX by it. What is not named otherwise is a sheet, however many there will be.
const contentTypes = `<Types xmlns="` + packages + `content-types"><Default Extension="xml" ContentType="` + kind + `worksheet+xml"/>` +
	`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
	`<Override PartName="/xl/workbook.xml" ContentType="` + kind + `sheet.main+xml"/><Override PartName="/xl/styles.xml" ContentType="` + kind + `styles+xml"/></Types>`

// nextSheet ends one sheet and begins another, with the head in bold and always in view.
func (w *Writer) nextSheet() error {
	if err := w.endSheet(); err != nil {
		return err
	}
	if w.sheets == 0 {
		if err := w.part("[Content_Types].xml", contentTypes); err != nil {
			return err
		}
	}
	w.sheets++
	part, err := w.zip.Create(fmt.Sprintf("xl/worksheets/sheet%d.xml", w.sheets))
	if err != nil {
		return err
	}
	w.out, w.row = bufio.NewWriterSize(part, 64<<10), 0
	w.out.WriteString(xml.Header + `<worksheet xmlns="` + mainSpace + `"><sheetViews><sheetView workbookViewId="0">` +
		`<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>`)
	return w.put(w.header)
}

func (w *Writer) endSheet() error {
	if w.out == nil {
		return nil
	}
	w.out.WriteString(`</sheetData></worksheet>`)
	return w.out.Flush()
}

// put writes a row; the first of a sheet is its head.
func (w *Writer) put(cells []string) error {
	w.row++
	style := ""
	if w.row == 1 {
		style = ` s="1"`
	}
	row := strconv.Itoa(w.row)
	w.out.WriteString(`<row r="` + row + `">`)
	for i, c := range cells {
		if c == "" {
			continue
		}
		w.out.WriteString(`<c r="` + columnName(i) + row + `"` + style + ` t="inlineStr"><is><t xml:space="preserve">`)
		if err := writeText(w.out, c); err != nil {
			return err
		}
		w.out.WriteString(`</t></is></c>`)
	}
	_, err := w.out.WriteString(`</row>`)
	return err
}

// cellCharacters is how many UTF-16 units Excel takes in a cell.
const cellCharacters = 32767

// writeText writes the text of a cell. What XML cannot hold is written as _xHHHH_,
// which spreadsheet programs read; what is too long is cut.
func writeText(w *bufio.Writer, text string) error {
	var b bytes.Buffer
	units := 0
	for i, r := range text {
		if units++; r > 0xFFFF {
			units++
		}
		if units > cellCharacters {
			break
		}
		_, escapes := escapedUnit([]byte(text[i:min(len(text), i+escapeLen)]))
		switch {
		case r < ' ' && r != '\n' && r != '\t', r == 0xFFFE, r == 0xFFFF, r == '_' && escapes:
			fmt.Fprintf(&b, "_x%04X_", r)
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		default:
			b.WriteRune(r) // broken bytes become U+FFFD
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// columnName is A for 0, AA for 26.
func columnName(i int) string {
	name := ""
	for i++; i > 0; i = (i - 1) / 26 {
		name = string(rune('A'+(i-1)%26)) + name
	}
	return name
}

type namedPart struct{ name, content string }

// parts are what is written after the sheets.
func (w *Writer) parts() []namedPart {
	var sheets, rels bytes.Buffer
	for i := 1; i <= w.sheets; i++ {
		name := w.name
		if i > 1 {
			name += " " + strconv.Itoa(i)
		}
		fmt.Fprintf(&sheets, `<sheet name="%s" sheetId="%d" r:id="rId%d"/>`, escapedAttr(name), i, i)
		fmt.Fprintf(&rels, `<Relationship Id="rId%d" Type="%s/worksheet" Target="worksheets/sheet%d.xml"/>`, i, office, i)
	}
	return []namedPart{
		{"xl/workbook.xml", `<workbook xmlns="` + mainSpace + `" xmlns:r="` + office + `"><sheets>` + sheets.String() + `</sheets></workbook>`},
		{"xl/_rels/workbook.xml.rels", `<Relationships xmlns="` + packages + `relationships">` + rels.String() +
			`<Relationship Id="rIdStyles" Type="` + office + `/styles" Target="styles.xml"/></Relationships>`},
		{"xl/styles.xml", `<styleSheet xmlns="` + mainSpace + `"><fonts count="2"><font/><font><b/></font></fonts>` +
			`<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>` +
			`<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>` +
			`<cellXfs count="2"><xf numFmtId="49" applyNumberFormat="1"/><xf numFmtId="49" fontId="1" applyNumberFormat="1" applyFont="1"/></cellXfs></styleSheet>`},
		{"_rels/.rels", `<Relationships xmlns="` + packages + `relationships"><Relationship Id="rId1" Type="` + office + `/officeDocument" Target="xl/workbook.xml"/></Relationships>`},
	}
}

func escapedAttr(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a Buffer takes everything
	return b.String()
}
