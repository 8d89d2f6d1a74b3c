package sheet

import (
	"bufio"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"io"
	"os"
)

// stringTable is the strings that the cells of a workbook share, in two temporary
// files: the strings one after the other, and where each begins. Nearly all are asked
// for in the order in which they stand, so that a few pages of each are enough.
type stringTable struct {
	texts, starts pages
	n             int
}

// readStrings copies the part with the strings out.
func (w *workbook) readStrings(name string, o Options) (*stringTable, error) {
	t, err := newStringTable(o.TempDir)
	if err != nil {
		return nil, err
	}
	texts, starts := bufio.NewWriterSize(t.texts.f, pageSize), bufio.NewWriterSize(t.starts.f, pageSize)
	var at uint64
	var text []byte
	put := func() error { return binary.Write(starts, binary.LittleEndian, at) }
	err = w.each(name, func(tokens *tokens, e xml.StartElement) error {
		if e.Name.Local != "si" {
			return nil
		}
		t.n++
		var long bool
		if text, long, err = tokens.text(text[:0], o.MaxCell+1); err != nil {
			return err
		}
		if long { // one byte too long, so that the cell is known to be
			text = append(text[:0], make([]byte, o.MaxCell+1)...)
		}
		text = unescape(text)
		if err := put(); err != nil {
			return err
		}
		if at += uint64(len(text)); at > maxStrings {
			return refuse("the workbook has more than %d MB of text", "工作簿的文本超过 %d MB", maxStrings>>20)
		}
		_, err := texts.Write(text)
		return err
	})
	if err = errors.Join(err, put(), texts.Flush(), starts.Flush()); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

func newStringTable(dir string) (*stringTable, error) {
	t := &stringTable{}
	var err error
	if t.texts.f, err = tempFile(dir); err != nil {
		return nil, err
	}
	if t.starts.f, err = tempFile(dir); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

func (t *stringTable) close() error {
	if t == nil {
		return nil
	}
	return errors.Join(discard(t.texts.f), discard(t.starts.f))
}

// get appends the i-th string.
func (t *stringTable) get(into []byte, i int) ([]byte, error) {
	if t == nil || i < 0 || i >= t.n {
		return into, refuse("the workbook is broken: a cell names the shared string %d, which is not there", "工作簿已损坏：单元格引用了不存在的共享字符串 %d", i)
	}
	var bounds [16]byte
	if err := t.starts.read(bounds[:], int64(i)*8); err != nil {
		return into, err
	}
	from, to := binary.LittleEndian.Uint64(bounds[:]), binary.LittleEndian.Uint64(bounds[8:])
	at := len(into)
	into = append(into, make([]byte, to-from)...)
	return into, t.texts.read(into[at:], int64(from))
}

const (
	pageSize = 32 << 10
	maxPages = 64
)

// pages reads a file, a few pages of which it keeps.
type pages struct {
	f    *os.File
	kept map[int64][]byte
	age  []int64 // oldest first
}

func (p *pages) read(into []byte, at int64) error {
	for len(into) > 0 {
		page, err := p.page(at / pageSize)
		if err != nil {
			return err
		}
		offset := int(at % pageSize)
		if offset >= len(page) {
			return io.ErrUnexpectedEOF
		}
		n := copy(into, page[offset:])
		into, at = into[n:], at+int64(n)
	}
	return nil
}

func (p *pages) page(i int64) ([]byte, error) {
	if page, ok := p.kept[i]; ok {
		return page, nil
	}
	var page []byte
	if len(p.age) == maxPages {
		oldest := p.age[0]
		p.age, page = append(p.age[:0], p.age[1:]...), p.kept[oldest]
		delete(p.kept, oldest)
	}
	if cap(page) < pageSize {
		page = make([]byte, pageSize)
	}
	n, err := p.f.ReadAt(page[:pageSize], i*pageSize)
	if err != nil && err != io.EOF {
		return nil, because(err, "read back the workbook's strings", "无法读回工作簿的字符串")
	}
	if p.kept == nil {
		p.kept = map[int64][]byte{}
	}
	p.kept[i], p.age = page[:n], append(p.age, i)
	return page[:n], nil
}
