package batch

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// chunkRows is how many rows are staged in one blob: a million are 2,000 blobs, of
// which a few are in memory.
const chunkRows = 500

// Row is one row as it is staged: the cells of a table that are used, or JSON with
// fields of its own.
type Row struct {
	Cells    []string // in the order of the chunk's Names
	JSON     []byte   // of rowJSON; nil for a table's row
	RetryOf  string   // the message it is to send again, or ""
	Problems []Problem

	decoded *RowJSON // JSON, read by whoever gave it
}

// Problem is what is wrong with a row.
type Problem struct {
	Column string `json:"column"` // the column, or the field where there is none; "" = the whole row
	Rule   string `json:"rule"`   // a stable word, e.g. malformed_openid
	Detail string `json:"detail"`
	// DetailZH is Detail in Chinese; "" = there is none.
	DetailZH string `json:"detail_zh,omitempty"`
	Value    string `json:"value"` // what stood there, shortened
}

// RowJSON is a row of NDJSON: fields over the batch's, and columns for its {{column}}.
type RowJSON struct {
	Fields
	Columns map[string]string `json:"columns,omitempty"`
}

// chunk is the rows of a blob.
type chunk struct {
	adopted []string // fields and the columns they have by their name, in turns
	names   []string // of the columns that cells are of
	rows    []Row
}

// What a row has beside cells, as bits.
const (
	hasJSON = 1 << iota
	hasRetryOf
	hasProblems
)

// blobVersion is the first byte of every blob.
const blobVersion = 1

var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is right
	}
	return w
}}

// encode writes the chunk as a blob.
func (c *chunk) encode() ([]byte, error) {
	var raw []byte
	raw = appendTexts(raw, c.adopted)
	raw = appendTexts(raw, c.names)
	raw = binary.AppendUvarint(raw, uint64(len(c.rows)))
	for i := range c.rows {
		var err error
		if raw, err = c.rows[i].append(raw); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	out.WriteByte(blobVersion)
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(&out)
	if _, err := w.Write(raw); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (r *Row) append(raw []byte) ([]byte, error) {
	var bits byte
	for bit, has := range map[byte]bool{hasJSON: r.JSON != nil, hasRetryOf: r.RetryOf != "", hasProblems: len(r.Problems) > 0} {
		if has {
			bits |= bit
		}
	}
	raw = append(raw, bits)
	raw = appendTexts(raw, r.Cells)
	if bits&hasJSON != 0 {
		raw = appendText(raw, string(r.JSON))
	}
	if bits&hasRetryOf != 0 {
		raw = appendText(raw, r.RetryOf)
	}
	if bits&hasProblems != 0 {
		problems, err := json.Marshal(r.Problems)
		if err != nil {
			return nil, fmt.Errorf("write problems of a row: %w", err)
		}
		raw = appendText(raw, string(problems))
	}
	return raw, nil
}

func appendText(raw []byte, s string) []byte {
	return append(binary.AppendUvarint(raw, uint64(len(s))), s...)
}

func appendTexts(raw []byte, all []string) []byte {
	raw = binary.AppendUvarint(raw, uint64(len(all)))
	for _, s := range all {
		raw = appendText(raw, s)
	}
	return raw
}

// errBlob says that a blob cannot be read: it is not ours, or damaged.
var errBlob = errors.New("the staged rows cannot be read")

// decodeChunk reads what encode wrote. Its texts share one piece of memory.
func decodeChunk(blob []byte) (*chunk, error) {
	if len(blob) == 0 || blob[0] != blobVersion {
		return nil, errBlob
	}
	raw, err := io.ReadAll(flate.NewReader(bytes.NewReader(blob[1:])))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBlob, err)
	}
	d := decoder{rest: string(raw)}
	c := &chunk{adopted: d.texts(), names: d.texts()}
	c.rows = make([]Row, d.number(len(d.rest)))
	for i := range c.rows {
		c.rows[i] = d.row()
	}
	return c, d.err
}

// decoder reads a blob's text from its start. After an error it gives empty values.
type decoder struct {
	rest string
	err  error
}

func (d *decoder) fail() {
	d.err, d.rest = errBlob, ""
}

// number reads one that is not above most.
func (d *decoder) number(most int) int {
	var n uint64
	for i := 0; i < len(d.rest) && i < binary.MaxVarintLen64; i++ {
		c := d.rest[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.rest = d.rest[i+1:]
			if n > uint64(most) {
				break
			}
			return int(n)
		}
	}
	d.fail()
	return 0
}

func (d *decoder) text() string {
	n := d.number(len(d.rest))
	if n > len(d.rest) {
		d.fail()
		return ""
	}
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) texts() []string {
	n := d.number(len(d.rest))
	if n == 0 {
		return nil
	}
	all := make([]string, n)
	for i := range all {
		all[i] = d.text()
	}
	return all
}

func (d *decoder) row() (r Row) {
	if d.rest == "" {
		d.fail()
		return r
	}
	bits := d.rest[0]
	d.rest = d.rest[1:]
	r.Cells = d.texts()
	if bits&hasJSON != 0 {
		r.JSON = []byte(d.text())
	}
	if bits&hasRetryOf != 0 {
		r.RetryOf = d.text()
	}
	if bits&hasProblems != 0 {
		if err := json.Unmarshal([]byte(d.text()), &r.Problems); err != nil {
			d.fail()
		}
	}
	return r
}

// NewJSONRow is a row of JSON that was read already.
func NewJSONRow(raw []byte, decoded RowJSON) Row { return Row{JSON: raw, decoded: &decoded} }
