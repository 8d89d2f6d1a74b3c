package sheet

import (
	"archive/zip"
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// Limits against archives made to do harm. What is unpacked is read as a stream, so
// that a bomb costs time and not memory; these keep the time short.
const (
	maxDirectory = 4 << 20 // bytes read to find out which parts there are
	maxPart      = 8 << 30 // bytes of one part, unpacked
	freePart     = 16 << 20
	maxRatio     = 200     // unpacked to packed, for parts larger than freePart. Sheets have 10 to 50.
	maxStrings   = 2 << 30 // bytes of all shared strings
)

// workbook is an XLSX (ECMA-376, Office Open XML): a zip of XML parts. It lies in a
// temporary file, because a zip is read from its end.
type workbook struct {
	file     *os.File
	parts    map[string]*zip.File // by lower-case name
	from1904 bool                 // days count from 1904-01-01, as on old Macs
	sheets   []sheetPart
	strings  *stringTable
	formats  []numberFormat // by the s of a cell
}

type sheetPart struct {
	name   string
	hidden bool
	part   string
}

func openXLSX(in *bufio.Reader, o Options) (*xlsxSheet, error) {
	w := &workbook{}
	s, err := w.open(in, o)
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	return s, nil
}

func (w *workbook) open(in *bufio.Reader, o Options) (*xlsxSheet, error) {
	if err := w.spool(in, o); err != nil {
		return nil, err
	}
	if err := w.readParts(); err != nil {
		return nil, err
	}
	main, err := w.readMain(o)
	if err != nil {
		return nil, err
	}
	part, err := w.openPart(main)
	if err != nil {
		return nil, err
	}
	return &xlsxSheet{book: w, part: part, xml: newTokens(part), maxCell: o.MaxCell}, nil
}

// spool copies the file into a temporary one, which has no name from then on where the
// system lets it be: nothing is left behind however the process ends.
func (w *workbook) spool(in io.Reader, o Options) error {
	f, err := tempFile(o.TempDir)
	if err != nil {
		return err
	}
	w.file = f
	n, err := io.Copy(f, io.LimitReader(in, o.MaxFile+1))
	if err != nil {
		return because(err, "keep the workbook", "无法暂存工作簿")
	}
	if n > o.MaxFile {
		return refuse("the workbook is larger than %d MB: save the sheet as CSV", "工作簿超过 %d MB：请把工作表另存为 CSV", o.MaxFile>>20)
	}
	return nil
}

func tempFile(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "hongyan-sheet-*")
	if err != nil {
		return nil, because(err, "keep the workbook", "无法暂存工作簿")
	}
	_ = os.Remove(f.Name()) // where that cannot be done while it is open, discard does it
	return f, nil
}

func discard(f *os.File) error {
	if f == nil {
		return nil
	}
	err := f.Close()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	if gone := os.Remove(f.Name()); gone != nil && !errors.Is(gone, os.ErrNotExist) {
		return errors.Join(err, gone)
	}
	return err
}

func (w *workbook) close() error {
	return errors.Join(discard(w.file), w.strings.close())
}

// readParts reads the directory of the zip.
func (w *workbook) readParts() error {
	size, err := w.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	guarded := &guardedFile{f: w.file, left: maxDirectory}
	z, err := zip.NewReader(guarded, size)
	if errors.Is(err, errDirectory) {
		return err
	}
	if err != nil {
		return because(err, "the workbook is not whole, or no .xlsx", "工作簿不完整，或不是 .xlsx")
	}
	guarded.left = -1
	w.parts = make(map[string]*zip.File, len(z.File))
	for _, f := range z.File {
		w.parts[strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(f.Name, `\`, "/"), "/"))] = f
	}
	return nil
}

var errDirectory = refuse("the workbook has more parts than a workbook can have", "工作簿的部件多得不可能是工作簿")

// guardedFile limits how much is read, until left is set below 0.
type guardedFile struct {
	f    io.ReaderAt
	left int64
}

func (g *guardedFile) ReadAt(p []byte, at int64) (int, error) {
	if g.left >= 0 {
		if g.left -= int64(len(p)); g.left < 0 {
			g.left = 0
			return 0, errDirectory
		}
	}
	return g.f.ReadAt(p, at)
}

// openPart opens a part under the limits. The name is looked up without regard to case.
func (w *workbook) openPart(name string) (io.ReadCloser, error) {
	f := w.parts[strings.ToLower(name)]
	if f == nil {
		return nil, refuse("the workbook has no part %q", "工作簿中没有部件 %q", name)
	}
	r, err := f.Open()
	if err != nil {
		return nil, because(err, "part %q of the workbook", "工作簿的部件 %q", name)
	}
	limit := min(maxPart, max(freePart, maxRatio*int64(min(f.CompressedSize64, maxPart))))
	return &limitedPart{ReadCloser: r, name: name, left: limit}, nil
}

// limitedPart fails when more comes out of a part than can be meant.
type limitedPart struct {
	io.ReadCloser
	name string
	left int64
}

func (l *limitedPart) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, refuse("part %q of the workbook unpacks to far more than it is: it is not read on", "工作簿的部件 %q 解压后大得异常，不再读取", l.name)
	}
	if err != nil && err != io.EOF {
		err = because(err, "part %q of the workbook is broken", "工作簿的部件 %q 已损坏", l.name)
	}
	return n, err
}

// readMain reads what the workbook says about itself, and returns the part of the sheet to read.
func (w *workbook) readMain(o Options) (string, error) {
	name := "xl/workbook.xml"
	if rels, err := w.relations("_rels/.rels", ""); err == nil {
		if r, ok := rels.ofType("/officeDocument"); ok {
			name = r.target
		}
	}
	if w.parts[strings.ToLower(name)] == nil {
		return "", refuse("the file is a zip, but no .xlsx: it has no workbook in it", "文件是 zip，但不是 .xlsx：其中没有工作簿")
	}
	folder := path.Dir(name)
	rels, err := w.relations(path.Join(folder, "_rels", path.Base(name)+".rels"), folder)
	if err != nil {
		return "", err
	}
	if err := w.readWorkbook(name, rels); err != nil {
		return "", err
	}
	if r, ok := rels.ofType("/styles"); ok {
		if err := w.readStyles(r.target); err != nil {
			return "", err
		}
	}
	if r, ok := rels.ofType("/sharedStrings"); ok && w.parts[strings.ToLower(r.target)] != nil {
		if w.strings, err = w.readStrings(r.target, o); err != nil {
			return "", err
		}
	}
	return w.choose(o.Sheet)
}

// choose finds the part of the sheet that is asked for, or of the first that is seen.
func (w *workbook) choose(name string) (string, error) {
	var names []string
	for _, s := range w.sheets {
		if s.name == name || name == "" && !s.hidden {
			return s.part, nil
		}
		names = append(names, fmt.Sprintf("%q", s.name))
	}
	if name == "" {
		return "", refuse("the workbook has no sheet that can be seen", "工作簿中没有可见的工作表")
	}
	return "", refuse("the workbook has no sheet %q, only %s", "工作簿中没有工作表 %q，只有 %s", name, strings.Join(names, ", "))
}
