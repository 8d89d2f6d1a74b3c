package sheet_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"hongyan/internal/sheet"
)

// book makes a workbook with another program's code.
func book(t testing.TB, fill func(f *excelize.File) error) *bytes.Buffer {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	if err := fill(f); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return &b
}

// styled sets a number under a format.
func styled(f *excelize.File, cell string, value any, format string) error {
	style, err := f.NewStyle(&excelize.Style{CustomNumFmt: &format})
	if err != nil {
		return err
	}
	if err := f.SetCellValue("Sheet1", cell, value); err != nil {
		return err
	}
	return f.SetCellStyle("Sheet1", cell, cell, style)
}

func TestCellsOfAWorkbook(t *testing.T) {
	tests := []struct {
		name string
		set  func(f *excelize.File) error // cell B2
		want string
		rule sheet.Rule
	}{
		{"text", value("巧克力 <&> '"), "巧克力 <&> '", ""},
		{"text of two lines", value("two\nlines"), "two\nlines", ""},
		{"text with leading zeros", value("00123"), "00123", ""},
		{"a whole number", value(10001), "10001", ""},
		{"a number of twelve digits", value(123456789012), "123456789012", ""},
		{"a number written with an exponent", value(1.2e10), "12000000000", ""},
		{"a price", value(39.8), "39.8", ""},
		{"what floating point makes of a price", value(0.1 + 0.2), "0.3", ""},
		{"a small number", value(0.00001), "0.00001", ""},
		{"an order number of 18 digits", value(4.20000001234567e17), "420000001234567000", sheet.RuleNumber},
		{"a number shown with an exponent", number(12345678901, "0.00E+00"), "12345678901", ""},
		{"a number shown with two decimals", number(39.8, "0.00"), "39.80", ""},
		{"a half that floating point makes less", number(1.005, "0.00"), "1.01", ""},
		{"an id shown with leading zeros", number(123, "00000"), "00123", ""},
		{"an amount", number(1234.5, `"￥"#,##0.00`), "￥1,234.50", ""},
		{"an amount in a locale", number(-1234.5, `[$￥-804]#,##0.00;[Red]-[$￥-804]#,##0.00`), "-￥1,234.50", ""},
		{"an accountant's amount", number(1234.5, `_(* #,##0.00_);_(* \(#,##0.00\)`), "1,234.50", ""},
		{"a percentage", number(0.125, "0.0%"), "12.5%", ""},
		{"decimals that may be left out", number(2.5, "0.##"), "2.5", ""},
		{"a unit", number(3, `0"件"`), "3件", ""},
		{"a format of conditions", number(5, `[<10]"few "0;0`), "few 5", ""},
		{"a fraction", number(0.5, "# ?/?"), "0.5", ""},
		{"a date", number(46346, "yyyy-mm-dd"), "2026-11-20", ""},
		{"a date as Chinese Excel shows it", number(46346, `yyyy"年"m"月"d"日";@`), "2026-11-20", ""},
		{"a date and time", number(46346.427083333336, "yyyy/m/d h:mm"), "2026-11-20 10:15", ""},
		{"a date and time with seconds", number(46346.42710648148, `[$-804]yyyy/m/d h:mm:ss AM/PM`), "2026-11-20 10:15:02", ""},
		{"a date as Go gives it", value(time.Date(2026, 11, 20, 10, 15, 0, 0, time.UTC)), "2026-11-20 10:15", ""},
		{"a time of day", number(0.4270833333333333, "hh:mm"), "10:15", ""},
		{"minutes and seconds", number(0.010416666666666666, "mm:ss"), "00:15", ""},
		{"a month", number(46346, "mmmm"), "2026-11-20", ""},
		{"a length of time of more than a day", number(1.5, "[h]:mm"), "1.5", sheet.RuleDate},
		{"the day that never was", number(60, "yyyy-mm-dd"), "60", sheet.RuleDate},
		{"a date before all", number(-1, "yyyy-mm-dd"), "-1", sheet.RuleDate},
		{"true", value(true), "TRUE", ""},
		{"a formula without a value", func(f *excelize.File) error { return f.SetCellFormula("Sheet1", "B2", "1+1") }, "", sheet.RuleFormula},
		{"a character that was lost", value("a\ufffd"), "a\ufffd", sheet.RuleEncoding},
		{"text in pieces", func(f *excelize.File) error {
			return f.SetCellRichText("Sheet1", "B2", []excelize.RichTextRun{{Text: "巧"}, {Text: "克力", Font: &excelize.Font{Bold: true}}})
		}, "巧克力", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := book(t, func(f *excelize.File) error {
				return first(f.SetSheetRow("Sheet1", "A1", &[]any{"to", "what"}), f.SetCellValue("Sheet1", "A2", "o1"), tt.set(f))
			})
			got, err := read(t, b, sheet.Options{})
			if err != nil {
				t.Fatal(err)
			}
			row := got.Rows[0]
			if row.Cells[1] != tt.want || row.Rule != tt.rule {
				t.Errorf("got %q under rule %q (%s), want %q under %q", row.Cells[1], row.Rule, row.Problem, tt.want, tt.rule)
			}
			if tt.rule != "" && row.Column != "what" {
				t.Errorf("the problem is in column %q", row.Column)
			}
		})
	}
}

func value(v any) func(*excelize.File) error {
	return func(f *excelize.File) error { return f.SetCellValue("Sheet1", "B2", v) }
}

func number(v float64, format string) func(*excelize.File) error {
	return func(f *excelize.File) error { return styled(f, "B2", v, format) }
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestRowsOfAWorkbook(t *testing.T) {
	b := book(t, func(f *excelize.File) error {
		return first(
			f.SetSheetRow("Sheet1", "A2", &[]any{"to", "what", "more"}),
			f.SetSheetRow("Sheet1", "A3", &[]any{"o1", "tea"}),
			f.SetSheetRow("Sheet1", "A7", &[]any{"o2", nil, "far"}),
			f.SetSheetRow("Sheet1", "A8", &[]any{"o3", "hidden", "x"}),
			f.SetRowVisible("Sheet1", 8, false),
			f.SetSheetRow("Sheet1", "A9", &[]any{"o4", "x", "y", "too many"}),
			f.SetSheetRow("Sheet1", "A10", &[]any{"", " ", ""}),
		)
	})
	got, err := read(t, b, sheet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := table{Header: []string{"to", "what", "more"}, Encoding: "xlsx", Rows: []sheet.Row{
		{N: 1, Line: 3, Cells: []string{"o1", "tea", ""}},
		{N: 2, Line: 7, Cells: []string{"o2", "", "far"}},
		{N: 3, Line: 8, Cells: []string{"o3", "hidden", "x"}, Rule: sheet.RuleHidden, Problem: "the row is hidden in the sheet: show it, or delete it"},
		{N: 4, Line: 9, Cells: []string{"o4", "x", "y"}, Rule: sheet.RuleColumns, Problem: "4 cells where the head has 3 columns"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// TestUnusedColumnsOfAWorkbook: a column of long numbers that nobody uses, such as ID
// cards', does not make every row bad.
func TestUnusedColumnsOfAWorkbook(t *testing.T) {
	b := book(t, func(f *excelize.File) error {
		return first(f.SetSheetRow("Sheet1", "A1", &[]any{"to", "card", "what"}), f.SetSheetRow("Sheet1", "A2", &[]any{"o1", 4.2e17, "tea"}),
			f.SetSheetRow("Sheet1", "A3", &[]any{"o2", 4.2e17, 4.2e17}))
	})
	opened, err := sheet.Open(b, sheet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	opened.Use([]string{"to", "what"})
	good, err := opened.Next()
	if err != nil || good.Problem != "" {
		t.Errorf("row %+v, %v", good, err)
	}
	if bad, err := opened.Next(); err != nil || bad.Rule != sheet.RuleNumber || bad.Column != "what" {
		t.Errorf("row %+v, %v, want a number too long in what", bad, err)
	}
}

func TestWhichSheet(t *testing.T) {
	b := book(t, func(f *excelize.File) error {
		if _, err := f.NewSheet("名单"); err != nil {
			return err
		}
		return first(f.SetCellValue("Sheet1", "A1", "first"), f.SetCellValue("名单", "A1", "second"), f.SetSheetVisible("Sheet1", true))
	}).Bytes()
	hidden := book(t, func(f *excelize.File) error {
		if _, err := f.NewSheet("名单"); err != nil {
			return err
		}
		f.SetActiveSheet(1)
		return first(f.SetCellValue("Sheet1", "A1", "first"), f.SetCellValue("名单", "A1", "second"), f.SetSheetVisible("Sheet1", false))
	}).Bytes()
	tests := []struct {
		name    string
		content []byte
		sheet   string
		want    string
	}{
		{"the first", b, "", "first"},
		{"the one that is named", b, "名单", "second"},
		{"the first that is seen", hidden, "", "second"},
		{"a hidden one that is named", hidden, "Sheet1", "first"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := read(t, bytes.NewReader(tt.content), sheet.Options{Sheet: tt.sheet})
			if err != nil || got.Header[0] != tt.want {
				t.Errorf("got %v, %v; want the sheet with %q", got.Header, err, tt.want)
			}
		})
	}
	_, err := read(t, bytes.NewReader(b), sheet.Options{Sheet: "名單"})
	if want := `the workbook has no sheet "名單", only "Sheet1", "名单"`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// zipped makes a workbook of the parts given, with the usual ones around them.
func zipped(t testing.TB, parts map[string]string) *bytes.Buffer {
	t.Helper()
	all := map[string]string{
		"xl/workbook.xml": `<workbook xmlns:r="r"><sheets><sheet name="S" r:id="rId1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="rId1" Type="x/worksheet" Target="worksheets/sheet1.xml"/>` +
			`<Relationship Id="rId2" Type="x/sharedStrings" Target="/xl/sharedStrings.xml"/></Relationships>`,
	}
	for name, content := range parts {
		all[name] = content
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range all {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

const (
	sheetHead = `<worksheet><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>to</t></is></c></row>`
	sheetTail = `</sheetData></worksheet>`
)

func TestCachedValuesOfFormulas(t *testing.T) {
	b := zipped(t, map[string]string{"xl/worksheets/sheet1.xml": sheetHead +
		`<row r="2"><c r="A2" t="str"><f>A1&amp;"x"</f><v>tox</v></c></row>` +
		`<row><c><f>1+1</f><v>2</v></c></row>` +
		`<row><c t="e"><f>1/0</f><v>#DIV/0!</v></c></row>` +
		`<row><c t="str"><f>""</f><v></v></c></row>` + // empty on purpose: an empty row
		`<row><c t="d"><v>2026-11-20T10:15:00</v></c></row>` + sheetTail})
	got, err := read(t, b, sheet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var cells []string
	for _, r := range got.Rows {
		cells = append(cells, r.Cells[0]+" "+string(r.Rule))
	}
	if diff := cmp.Diff([]string{"tox ", "2 ", "#DIV/0! formula", "2026-11-20 10:15 "}, cells); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
}

func TestDaysFrom1904(t *testing.T) {
	b := zipped(t, map[string]string{
		"xl/workbook.xml": `<workbook xmlns:r="r"><workbookPr date1904="1"/><sheets><sheet name="S" r:id="rId1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="rId1" Type="x/worksheet" Target="worksheets/sheet1.xml"/>` +
			`<Relationship Id="rId2" Type="x/styles" Target="styles.xml"/></Relationships>`,
		"xl/styles.xml":            `<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>`,
		"xl/worksheets/sheet1.xml": sheetHead + `<row><c s="1"><v>44884</v></c></row>` + sheetTail,
	})
	got, err := read(t, b, sheet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if row := got.Rows[0]; row.Cells[0] != "2026-11-20" || row.Problem != "" {
		t.Errorf("row %+v, want 2026-11-20", row)
	}
}

// TestHostileWorkbooks must end soon, with an error or with rows, in little memory.
func TestHostileWorkbooks(t *testing.T) {
	shared := func(strings string) map[string]string {
		return map[string]string{"xl/sharedStrings.xml": strings, "xl/worksheets/sheet1.xml": sheetHead + `<row><c t="s"><v>7</v></c></row>` + sheetTail}
	}
	tests := []struct {
		name  string
		parts map[string]string
		want  string
	}{
		{"a sheet that unpacks to more than it can mean", map[string]string{
			"xl/worksheets/sheet1.xml": sheetHead + strings.Repeat(`<row></row>`, 2<<20) + sheetTail}, "unpacks to far more"},
		{"one endless text", map[string]string{
			"xl/worksheets/sheet1.xml": sheetHead + `<row><c t="inlineStr"><is><t>` + strings.Repeat("x", 2<<20) + `</t></is></c></row>` + sheetTail}, "longer than"},
		{"entities that multiply", map[string]string{
			"xl/worksheets/sheet1.xml": `<!DOCTYPE x [<!ENTITY a "aaaa">]>` + sheetHead + `<row><c t="inlineStr"><is><t>&a;&a;</t></is></c></row>` + sheetTail}, "broken"},
		{"a shared string that is not there", shared(`<sst><si><t>one</t></si></sst>`), "shared string 7"},
		{"a cell that is none", map[string]string{"xl/worksheets/sheet1.xml": sheetHead + `<row><c r="ZZZZ1"/></row>` + sheetTail}, `"ZZZZ1" is no cell`},
		{"a sheet without an end", map[string]string{"xl/worksheets/sheet1.xml": sheetHead + `<row r="2">`}, "ends inside a row"},
		{"no sheet", map[string]string{"xl/workbook.xml": `<workbook/>`}, "no sheet"},
		{"no workbook", map[string]string{"xl/workbook.xml": ``, "_rels/.rels": `<R><Relationship Type="x/officeDocument" Target="content.xml"/></R>`}, "no workbook in it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := read(t, zipped(t, tt.parts), sheet.Options{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestWorkbookOfTooManyParts(t *testing.T) {
	parts := map[string]string{}
	for i := range 30_000 {
		parts[fmt.Sprintf("%0100d", i)] = ""
	}
	_, err := read(t, zipped(t, parts), sheet.Options{})
	if err == nil || !strings.Contains(err.Error(), "more parts") {
		t.Errorf("error %v, want one about parts", err)
	}
}

func TestWorkbookTooLarge(t *testing.T) {
	b := book(t, value("x"))
	_, err := read(t, b, sheet.Options{MaxFile: 1000})
	if err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("error %v, want one about the size", err)
	}
}

// TestNothingIsLeftBehind looks into the temporary folder while a workbook is read,
// and after it was left half read.
func TestNothingIsLeftBehind(t *testing.T) {
	dir := t.TempDir()
	b := book(t, func(f *excelize.File) error {
		return first(f.SetCellValue("Sheet1", "A1", "to"), f.SetCellValue("Sheet1", "A2", "o1"))
	})
	opened, err := sheet.Open(b, sheet.Options{TempDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := opened.Next(); err != nil {
		t.Fatal(err)
	}
	if err := opened.Close(); err != nil {
		t.Fatal(err)
	}
	if err := opened.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestManySharedStrings asks for strings far apart, so that pages are dropped and read again.
func TestManySharedStrings(t *testing.T) {
	const n = 300_000
	var table, rows strings.Builder
	for i := range n {
		fmt.Fprintf(&table, "<si><t>string %06d</t></si>", i)
	}
	for i := range 1000 {
		fmt.Fprintf(&rows, `<row><c t="s"><v>%d</v></c></row>`, i*7919%n)
	}
	b := zipped(t, map[string]string{"xl/sharedStrings.xml": "<sst>" + table.String() + "</sst>", "xl/worksheets/sheet1.xml": sheetHead + rows.String() + sheetTail})
	got, err := read(t, b, sheet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range got.Rows {
		if want := fmt.Sprintf("string %06d", i*7919%n); r.Cells[0] != want {
			t.Fatalf("row %d: %q, want %q", i+1, r.Cells[0], want)
		}
	}
	if len(got.Rows) != 1000 {
		t.Errorf("%d rows, want 1000", len(got.Rows))
	}
}
