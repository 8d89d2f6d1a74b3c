package sheet_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	unicodes "unicode"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"

	"hongyan/internal/sheet"
)

// table is a file as it was read.
type table struct {
	Header   []string
	Rows     []sheet.Row
	Encoding string
}

func read(t testing.TB, r io.Reader, o sheet.Options) (table, error) {
	t.Helper()
	opened, err := sheet.Open(r, o)
	if err != nil {
		return table{}, inBoth(t, err)
	}
	defer opened.Close()
	got := table{Header: opened.Header()}
	for {
		row, err := opened.Next()
		if err != nil {
			got.Encoding = opened.Encoding()
			if err == io.EOF {
				return got, nil
			}
			return got, inBoth(t, err)
		}
		if row.Problem != "" && !chinese(row.ProblemZH) || strings.Contains(row.Problem+row.ProblemZH, "%!") {
			t.Errorf("row %d: %q is %q in Chinese", row.N, row.Problem, row.ProblemZH)
		}
		row.ProblemZH = "" // tests compare what is said in English
		got.Rows = append(got.Rows, row)
	}
}

// errBreaksOff is how the files of tests break off, for no reason of the reader's.
var errBreaksOff = errors.New("connection lost")

// inBoth passes on what is wrong with a file, if it is said in both languages.
func inBoth(t testing.TB, err error) error {
	t.Helper()
	if errors.Is(err, errBreaksOff) {
		return err
	}
	e, ok := errors.AsType[*sheet.Error](err)
	if !ok || !chinese(e.InChinese()) || strings.Contains(e.EN+e.ZH, "%!") {
		t.Errorf("%v is not said in Chinese: %+v", err, e)
	}
	return err
}

func chinese(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicodes.Is(unicodes.Han, r) })
}

func mustRead(t testing.TB, content string, o sheet.Options) table {
	t.Helper()
	got, err := read(t, strings.NewReader(content), o)
	if err != nil {
		t.Fatalf("read %.60q: %v", content, err)
	}
	return got
}

func gbk(t testing.TB, s string) string {
	t.Helper()
	b, err := simplifiedchinese.GBK.NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func utf16(t testing.TB, s string, order unicode.Endianness) string {
	t.Helper()
	b, err := unicode.UTF16(order, unicode.UseBOM).NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEncodings(t *testing.T) {
	const text = "openid,商品\no1,巧克力礼盒\no2,一\n"
	gb18030, err := simplifiedchinese.GB18030.NewEncoder().String("openid,商品\no1,𠮷野家\n")
	if err != nil {
		t.Fatal(err)
	}
	ascii := strings.Repeat("o1,plain\n", 200_000)
	tests := []struct {
		name, content string
		encoding      string
		last          string // the last cell
	}{
		{"UTF-8", text, "utf-8", "一"},
		{"UTF-8 with a byte order mark", "\ufeff" + text, "utf-8", "一"},
		{"UTF-16, little endian", utf16(t, text, unicode.LittleEndian), "utf-16le", "一"},
		{"UTF-16, big endian", utf16(t, text, unicode.BigEndian), "utf-16be", "一"},
		{"GBK", gbk(t, text), "gb18030", "一"},
		{"GB18030, with a character beyond GBK", gb18030, "gb18030", "𠮷野家"},
		{"GBK after a megabyte of ASCII", "openid,thing\n" + ascii + gbk(t, "o2,巧克力\n"), "gb18030", "巧克力"},
		{"UTF-8 after a megabyte of ASCII", "openid,thing\n" + ascii + "o2,巧克力\n", "utf-8", "巧克力"},
		{"GBK whose only character is valid UTF-8 too", gbk(t, "openid,thing\no1,一\n"), "gb18030", "一"},
		{"UTF-8 whose only character is valid GBK too", "openid,thing\no1,café\n", "utf-8", "café"},
		{"no line end after the last row", "openid,商品\no1,茶", "utf-8", "茶"},
		{"ASCII only", "a,b\n1,2\n", "utf-8", "2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mustRead(t, tt.content, sheet.Options{})
			last := got.Rows[len(got.Rows)-1]
			if got.Encoding != tt.encoding || last.Cells[1] != tt.last || last.Problem != "" {
				t.Errorf("got %s, last cell %q, problem %q; want %s, %q", got.Encoding, last.Cells[1], last.Problem, tt.encoding, tt.last)
			}
		})
	}
}

// TestDialects reads the same table written in the ways programs write it.
func TestDialects(t *testing.T) {
	want := [][]string{{"o1", "a, b; c", `say "hi"`}, {"o2", "two\nlines", ""}}
	tests := []struct{ name, content string }{
		{"commas", "to,what,more\no1,\"a, b; c\",\"say \"\"hi\"\"\"\no2,\"two\nlines\",\n"},
		{"semicolons", "to;what;more\no1;\"a, b; c\";\"say \"\"hi\"\"\"\no2;\"two\nlines\";\n"},
		{"tabs", "to\twhat\tmore\no1\ta, b; c\t\"say \"\"hi\"\"\"\no2\t\"two\nlines\"\t\n"},
		{"CR LF", "to,what,more\r\no1,\"a, b; c\",\"say \"\"hi\"\"\"\r\no2,\"two\r\nlines\",\r\n"},
		{"CR", "to,what,more\ro1,\"a, b; c\",\"say \"\"hi\"\"\"\ro2,\"two\rlines\",\r"},
		{"a line that names the delimiter", "sep=;\nto;what;more\no1;\"a, b; c\";\"say \"\"hi\"\"\"\no2;\"two\nlines\";\n"},
		{"empty lines, empty rows, spaces in the head", "\n to , what,more ,,\n\no1,\"a, b; c\",\"say \"\"hi\"\"\",,\n,,,,\n   \no2,\"two\nlines\",,,\n\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mustRead(t, tt.content, sheet.Options{})
			if diff := cmp.Diff([]string{"to", "what", "more"}, got.Header); diff != "" {
				t.Errorf("head (-want +got):\n%s", diff)
			}
			var cells [][]string
			for i, r := range got.Rows {
				cells = append(cells, r.Cells)
				if r.Problem != "" || r.N != i+1 {
					t.Errorf("row %d is %+v", i+1, r)
				}
			}
			if diff := cmp.Diff(want, cells); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOneBadRow puts a bad row between good ones: they must be untouched.
func TestOneBadRow(t *testing.T) {
	long := strings.Repeat("长", 100)
	tests := []struct {
		name, bad string
		rule      sheet.Rule
		column    string
		lines     int // that the bad rows take
	}{
		{"a cell too few", "o2,x", sheet.RuleColumns, "", 1},
		{"a cell too many", "o2,x,y,z", sheet.RuleColumns, "", 1},
		{"a quote that does not close", `o2,"x,y`, sheet.RuleQuotes, "what", 1},
		{"a quote inside a cell", `o2,x"y,z`, sheet.RuleQuotes, "what", 1},
		{"text after a closing quote", `o2,"x"y,z`, sheet.RuleQuotes, "what", 1},
		{"a byte that is no character", "o2,\xff\xfe,z", sheet.RuleEncoding, "what", 1},
		{"GBK in a file of UTF-8", "o2," + gbk(t, "巧克力") + ",z", sheet.RuleEncoding, "what", 1},
		{"a character that was lost before", "o2,x,\ufffd", sheet.RuleEncoding, "more", 1},
		{"a cell too long", "o2," + long + ",z", sheet.RuleTooLong, "what", 1},
		{"a cell of several lines too long", "o2,\"" + strings.Repeat("x\n", 100) + "\",z", sheet.RuleQuotes, "what", 0},
		{"a number that Excel has shortened", "o2,4.20001E+17,z", sheet.RuleNumber, "what", 1},
		{"a line too long", "o2," + strings.Repeat("x", 3<<20) + ",z", sheet.RuleTooLong, "", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			content := "to,what,more\no1,茶,one\n" + tt.bad + "\no3,\"饼\n干\",three\no4,酒,four\n"
			got := mustRead(t, content, sheet.Options{MaxCell: 150})
			first, bad, last := got.Rows[0], got.Rows[1], got.Rows[len(got.Rows)-1]
			if bad.Rule != tt.rule || bad.Column != tt.column || bad.Problem == "" || bad.N != 2 || bad.Line != 3 || len(bad.Cells) != 3 {
				t.Errorf("bad row is %+v, want rule %s in column %q", bad, tt.rule, tt.column)
			}
			if first.Problem != "" || last.Problem != "" || last.Cells[0] != "o4" || last.Cells[1] != "酒" {
				t.Errorf("rows around it: %+v, %+v", first, last)
			}
			if tt.lines == 1 && (len(got.Rows) != 4 || got.Rows[2].Cells[1] != "饼\n干" || got.Rows[2].Problem != "" || got.Rows[2].Line != 4) {
				t.Errorf("the row after it: %+v of %d", got.Rows[2], len(got.Rows))
			}
		})
	}
}

// TestUnusedColumns: what is wrong where nobody looks is not wrong, but what is wrong
// beside it is.
func TestUnusedColumns(t *testing.T) {
	opened, err := sheet.Open(strings.NewReader("to,note,what\no1,\xff茶,茶\no2,1.2E+17,3.4E+17\no3,"+strings.Repeat("x", 200)+",\xff\n"), sheet.Options{MaxCell: 150})
	if err != nil {
		t.Fatal(err)
	}
	opened.Use([]string{"to", "what"})
	for i, want := range []sheet.Row{{}, {Rule: sheet.RuleNumber, Column: "what"}, {Rule: sheet.RuleTooLong, Column: "note"}} {
		row, err := opened.Next()
		if err != nil || row.Rule != want.Rule || row.Column != want.Column {
			t.Errorf("row %d is %+v, %v; want rule %q in %q", i+1, row, err, want.Rule, want.Column)
		}
	}
}

// TestUTF8InGBK has the rows of two files put together.
func TestUTF8InGBK(t *testing.T) {
	content := gbk(t, "to,what\no1,巧克力\no2,茶叶\n") + "o3,你好世界\n" + gbk(t, "o4,你好世界\n")
	got := mustRead(t, content, sheet.Options{})
	var rules []sheet.Rule
	for _, r := range got.Rows {
		rules = append(rules, r.Rule)
	}
	if diff := cmp.Diff([]sheet.Rule{"", "", sheet.RuleEncoding, ""}, rules); diff != "" {
		t.Errorf("rules broken (-want +got):\n%s", diff)
	}
}

// TestTheFirstCharacterIsBroken must not make the whole file GBK.
func TestTheFirstCharacterIsBroken(t *testing.T) {
	got := mustRead(t, "to,what\no1,"+gbk(t, "茶")+"\no2,巧克力\no3,酒\n", sheet.Options{})
	if got.Encoding != "utf-8" || got.Rows[0].Rule != sheet.RuleEncoding || got.Rows[1].Cells[1] != "巧克力" {
		t.Errorf("read as %s: %+v", got.Encoding, got.Rows)
	}
}

func TestUnclosedQuoteAtTheEnd(t *testing.T) {
	got := mustRead(t, "to,what\no1,\"x\no2,y\no3,z", sheet.Options{})
	if len(got.Rows) != 3 || got.Rows[0].Rule != sheet.RuleQuotes || got.Rows[2].Cells[1] != "z" || got.Rows[2].Line != 4 {
		t.Errorf("rows: %+v", got.Rows)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	tests := []struct{ name, content, format, want string }{
		{"nothing", "", "", "empty"},
		{"empty lines", "\n\n", "", "empty"},
		{"a column named twice", "to,what,to\n", "", `two columns "to", the 1st and the 3rd`},
		{"a head that is broken", "to,\"what\no1,x\n", "", "head in line 1"},
		{"UTF-16 without a mark", "t\x00o\x00,\x00", "", "UTF-16 without a byte order mark"},
		{"an old .xls", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1....", "", "old .xls"},
		{"half an .xlsx", "PK\x03\x04 and no more", "", "not whole"},
		{"CSV where an .xlsx is said", "to,what\n", "xlsx", "not an .xlsx"},
		{"an .xlsx where CSV is said", "PK\x03\x04", "csv", "not a CSV"},
		{"a format that is none", "to\n", "ods", `"ods"`},
		{"too many columns", strings.Repeat("x,", 2000) + "y\n", "", "2001 columns"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := read(t, strings.NewReader(tt.content), sheet.Options{Format: tt.format})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// TestFileBreaksOff shows that half a row is not taken for a row.
func TestFileBreaksOff(t *testing.T) {
	r := io.MultiReader(strings.NewReader("to,what\no1,tea\no2,choco"), iotest.ErrReader(errBreaksOff))
	_, err := read(t, r, sheet.Options{})
	if !errors.Is(err, errBreaksOff) {
		t.Errorf("error %v, want %v", err, errBreaksOff)
	}
}

// TestSameAsEncodingCSV writes random cells with the standard library and reads them back.
func TestSameAsEncodingCSV(t *testing.T) {
	cell := rapid.StringMatching(`[a-z0-9 ,;"\n\t茶一_-]{0,12}`)
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(2, 5).Draw(t, "columns")
		comma := rapid.SampledFrom([]rune{',', ';', '\t'}).Draw(t, "comma")
		var written bytes.Buffer
		w := csv.NewWriter(&written)
		w.Comma, w.UseCRLF = comma, false
		head := make([]string, width)
		for i := range head {
			head[i] = fmt.Sprintf("c%d", i)
		}
		must(t, w.Write(head))
		var want [][]string
		for range rapid.IntRange(0, 20).Draw(t, "rows") {
			row := []string{"o1"}
			for range width - 1 {
				row = append(row, cell.Draw(t, "cell"))
			}
			want = append(want, row)
			must(t, w.Write(row))
		}
		w.Flush()
		opened, err := sheet.Open(&written, sheet.Options{})
		must(t, err)
		for i, w := range want {
			row, err := opened.Next()
			must(t, err)
			if diff := cmp.Diff(w, row.Cells); diff != "" || row.Problem != "" {
				t.Fatalf("row %d, %s (-want +got):\n%s", i+1, row.Problem, diff)
			}
		}
		if _, err := opened.Next(); err != io.EOF {
			t.Fatalf("after the last row: %v", err)
		}
	})
}

func must(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
