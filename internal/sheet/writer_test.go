package sheet

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
)

// TestAnotherProgramReadsIt writes cells of every kind, in two sheets, and reads them
// with excelize and with this package.
func TestAnotherProgramReadsIt(t *testing.T) {
	header := []string{"row", "touser", "原因"}
	rows := [][]string{
		{"1", "oUser", "=1+1"}, {"2", "", "two\nlines & <tags>"}, {"3", "00123", "_x000D_"}, {"4", "a\x01b", "😀"}, {"5", " space ", ""},
	}
	var b bytes.Buffer
	w := NewWriter(&b, "结果", header)
	w.max = 4 // the head and three rows
	for _, r := range rows {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if diff := cmp.Diff([]string{"结果", "结果 2"}, f.GetSheetList()); diff != "" {
		t.Errorf("sheets (-want +got):\n%s", diff)
	}
	theirs, err := f.GetRows("结果")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{header, rows[0], rows[1], rows[2]}, theirs); diff != "" {
		t.Errorf("excelize reads (-want +got):\n%s", diff)
	}
	if formula, err := f.GetCellFormula("结果", "C2"); formula != "" || err != nil {
		t.Errorf("=1+1 became the formula %q, %v", formula, err)
	}
	ours := append(readSheet(t, b.Bytes(), "结果"), readSheet(t, b.Bytes(), "结果 2")...)
	if diff := cmp.Diff(rows, ours); diff != "" {
		t.Errorf("this package reads (-want +got):\n%s", diff)
	}
}

func readSheet(t *testing.T, content []byte, name string) [][]string {
	t.Helper()
	r, err := Open(bytes.NewReader(content), Options{Sheet: name})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var rows [][]string
	for {
		row, err := r.Next()
		if err == io.EOF {
			return rows
		}
		if err != nil || row.Problem != "" {
			t.Fatalf("row %+v, %v", row, err)
		}
		rows = append(rows, row.Cells)
	}
}

func TestWorkbookWithoutRows(t *testing.T) {
	var b bytes.Buffer
	if err := NewWriter(&b, "results", []string{"row"}).Close(); err != nil {
		t.Fatal(err)
	}
	if rows := readSheet(t, b.Bytes(), ""); len(rows) != 0 {
		t.Errorf("rows %v, want none", rows)
	}
}

func TestTextTooLongForACell(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b, "results", []string{"text"})
	if err := w.Write([]string{strings.Repeat("长", 40_000)}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if rows := readSheet(t, b.Bytes(), ""); rows[0][0] != strings.Repeat("长", cellCharacters) {
		t.Errorf("%d bytes of it, want %d characters", len(rows[0][0]), cellCharacters)
	}
}

func TestColumnNames(t *testing.T) {
	for i, want := range map[int]string{0: "A", 25: "Z", 26: "AA", 701: "ZZ", 702: "AAA"} {
		got := columnName(i)
		if back, err := columnOf(got+"1", -1); got != want || back != i || err != nil {
			t.Errorf("column %d is %s, read back %d, %v; want %s", i, got, back, err, want)
		}
	}
}
