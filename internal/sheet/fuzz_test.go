package sheet_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"hongyan/internal/sheet"
)

func FuzzCSV(f *testing.F) {
	for _, s := range []string{
		"to,what\no1,茶\n", "\ufeffto;what\no1;\"a\"\"b\nc\"\n", gbk(f, "to,商品\no1,巧克力\n"), "a,b\n\"x\n\"y\n1,2", "\xff\xfea\x00,\x00b\x00\n\x00",
		"a\r\"b\r\rc", "sep=;\na;b\n", "a\n\"\"\"\n\"\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		walk(t, bytes.NewReader(content), sheet.Options{Format: sheet.CSV, MaxCell: 64}, len(content)+1)
	})
}

func FuzzXLSX(f *testing.F) {
	f.Add(book(f, func(b *excelize.File) error {
		return first(b.SetSheetRow("Sheet1", "A1", &[]any{"to", "what"}), b.SetSheetRow("Sheet1", "A2", &[]any{"o1", 1.5}), styled(b, "B3", 46346, "yyyy-mm-dd"))
	}).Bytes())
	f.Fuzz(func(t *testing.T, content []byte) {
		walk(t, bytes.NewReader(content), sheet.Options{Format: sheet.XLSX, MaxCell: 64, TempDir: t.TempDir()}, 1<<20)
	})
}

// FuzzSheetXML is FuzzXLSX without the zip around it, which keeps most mutations from being read.
func FuzzSheetXML(f *testing.F) {
	f.Add(sheetHead+`<row r="2" hidden="1"><c r="A2" t="s" s="1"><v>0</v></c><c><f>1</f><v>2.5</v></c></row>`+sheetTail,
		`<sst><si><t>one</t></si><si><r><t>t</t></r><rPh><t>x</t></rPh></si></sst>`, `yyyy"年"m"月";[h]`)
	f.Fuzz(func(t *testing.T, xml, shared, format string) {
		b := zipped(t, map[string]string{"xl/worksheets/sheet1.xml": xml, "xl/sharedStrings.xml": shared,
			"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="rId1" Type="/worksheet" Target="worksheets/sheet1.xml"/>` +
				`<Relationship Id="rId2" Type="/sharedStrings" Target="sharedStrings.xml"/><Relationship Id="rId3" Type="/styles" Target="styles.xml"/></Relationships>`,
			"xl/styles.xml": `<styleSheet><numFmts><numFmt numFmtId="200" formatCode="` + strings.ReplaceAll(format, `"`, "&quot;") +
				`"/></numFmts><cellXfs><xf/><xf numFmtId="200"/></cellXfs></styleSheet>`})
		walk(t, b, sheet.Options{MaxCell: 64, TempDir: t.TempDir()}, len(xml))
	})
}

// walk reads to the end, and checks what holds for every file.
func walk(t *testing.T, r io.Reader, o sheet.Options, most int) {
	opened, err := sheet.Open(r, o)
	if err != nil {
		return
	}
	defer opened.Close()
	for n := 1; ; n++ {
		row, err := opened.Next()
		if err != nil {
			if _, again := opened.Next(); again != err {
				t.Fatalf("after %v came %v", err, again)
			}
			return
		}
		switch {
		case n > most:
			t.Fatalf("more than %d rows", most)
		case row.N != n, len(row.Cells) != len(opened.Header()), (row.Problem == "") != (row.Rule == ""):
			t.Fatalf("row %d is %+v", n, row)
		}
		for _, c := range row.Cells {
			if len(c) > o.MaxCell && row.Problem == "" && !strings.ContainsAny(c, "0123456789") {
				t.Fatalf("a cell of %d bytes", len(c))
			}
		}
	}
}
