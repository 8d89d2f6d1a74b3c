package sheet_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"

	"hongyan/internal/sheet"
)

// recipients is an endless source of rows as a batch has them, cut at n.
type recipients struct {
	n, at int
	rest  []byte
	row   func(i int) string
}

func (r *recipients) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.at > r.n {
			return 0, io.EOF
		}
		r.rest = []byte(r.row(r.at))
		r.at++
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func csvRow(i int) string {
	if i == 0 {
		return "openid,商品,金额,时间\n"
	}
	return fmt.Sprintf("oUser%023d,巧克力礼盒（十二枚装）,￥39.80,2026-11-20 10:15\n", i)
}

// BenchmarkRows reads tables of b.N rows; the peak of the heap beside the rate shows
// that it does not grow with them.
func BenchmarkRows(b *testing.B) {
	gb := simplifiedchinese.GBK.NewEncoder()
	for _, bench := range []struct {
		name string
		file func(b *testing.B, n int) io.Reader
	}{
		{"utf-8", func(_ *testing.B, n int) io.Reader { return &recipients{n: n, row: csvRow} }},
		{"gbk", func(_ *testing.B, n int) io.Reader {
			return &recipients{n: n, row: func(i int) string { s, _ := gb.String(csvRow(i)); return s }}
		}},
		{"xlsx", xlsxOf},
	} {
		b.Run(bench.name, func(b *testing.B) {
			file := bench.file(b, b.N)
			b.ReportAllocs()
			b.ResetTimer()
			opened, err := sheet.Open(file, sheet.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer opened.Close()
			var peak uint64
			for i := 0; ; i++ {
				row, err := opened.Next()
				if err == io.EOF {
					break
				}
				if err != nil || row.Problem != "" {
					b.Fatal(row, err)
				}
				if i%50_000 == 0 {
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					peak = max(peak, m.HeapInuse)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(peak)/(1<<20), "heap-MB")
		})
	}
}

// xlsxOf makes the same rows as a workbook, in a file.
func xlsxOf(b *testing.B, n int) io.Reader {
	f, err := os.Create(filepath.Join(b.TempDir(), "rows.xlsx"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	out := sheet.NewWriter(f, "Sheet1", cellsOf(0))
	for i := 1; i <= min(n, sheet.MaxRows-1); i++ {
		if err := out.Write(cellsOf(i)); err != nil {
			b.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		b.Fatal(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		b.Fatal(err)
	}
	return f
}

func cellsOf(i int) []string { return strings.Split(strings.TrimSuffix(csvRow(i), "\n"), ",") }
