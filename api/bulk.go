package api

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hongyan"
	"hongyan/access"
	"hongyan/client"
)

// Lists that services post all day come as one object, as {"items":[…]}, or as
// NDJSON, one object a line, of any length: that is read and stored in parts.

const (
	// bulkChunk is how many rows are stored at once.
	bulkChunk = 500
	// maxRowLine bounds a line, in bytes.
	maxRowLine = 64 << 10
	// shownProblems is how many bad rows are told.
	shownProblems = 100
)

// bulk is a list that is being read, and what came of its rows so far.
type bulk[T any] struct {
	store    func(ctx context.Context, rows []T) ([]placed, error)
	rows     int
	bad      int
	problems []client.RowProblem
	single   error // the problem of a body that is one object
}

// placed is a row that was not taken: its place in what was handed over, from 0.
type placed struct {
	place  int
	fields []hongyan.FieldError
}

// plainHandler is a handler that reads its body itself. Who asks is in its context.
func (a *API) plainHandler(need access.Role, do func(w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := a.authenticate(r, need)
		if err == nil {
			info := &requestInfo{id: w.Header().Get(requestIDHeader), caller: c, remote: access.RemoteOf(r)}
			err = do(w, r.WithContext(context.WithValue(r.Context(), infoKey{}, info)))
		}
		if err != nil {
			a.writeError(w, r, err)
		}
	}
}

// read takes the body of a request apart and stores it. Rows that break a rule are
// counted and told; an error ends it, with the parts before it stored.
func (b *bulk[T]) read(w http.ResponseWriter, r *http.Request) error {
	b.problems = []client.RowProblem{}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch kind {
	case "application/x-ndjson", "application/ndjson", "application/jsonl":
		return b.lines(w, r)
	}
	buf := getBuffer()
	defer putBuffer(buf)
	if err := readBody(w, r, buf); err != nil {
		return err
	}
	var list struct {
		Items jsontext.Value `json:"items"`
	}
	if json.Unmarshal(buf.Bytes(), &list) == nil && list.Items != nil {
		var all struct {
			Items []T `json:"items"`
		}
		if err := decodeStrict(buf.Bytes(), &all); err != nil {
			return err
		}
		return b.all(r.Context(), all.Items)
	}
	var one T
	if err := decodeStrict(buf.Bytes(), &one); err != nil {
		return err
	}
	if err := b.add(r.Context(), 0, []T{one}); err != nil {
		return err
	}
	return b.single
}

// all stores a list in parts.
func (b *bulk[T]) all(ctx context.Context, rows []T) error {
	for first := 0; first < len(rows); first += bulkChunk {
		if err := b.add(ctx, first, rows[first:min(first+bulkChunk, len(rows))]); err != nil {
			return err
		}
	}
	return nil
}

// add stores rows, the first of which is row first+1 of the body.
func (b *bulk[T]) add(ctx context.Context, first int, rows []T) error {
	if len(rows) == 0 {
		return nil
	}
	b.rows += len(rows)
	bad, err := b.store(ctx, rows)
	if err != nil {
		return err
	}
	for _, p := range bad {
		b.refuse(first+p.place+1, p.fields)
	}
	return nil
}

// refuse takes note of a bad row.
func (b *bulk[T]) refuse(row int, fields []hongyan.FieldError) {
	b.bad++
	b.single = &hongyan.Error{Kind: hongyan.Invalid, Code: "invalid_row", Message: fields[0].Pointer + ": " + fields[0].Detail, Fields: fields}
	if len(b.problems) < shownProblems {
		p := client.RowProblem{Row: row, Errors: []client.FieldError{}}
		for _, f := range fields {
			p.Errors = append(p.Errors, client.FieldError(f))
		}
		b.problems = append(b.problems, p)
	}
}

// part is what was read of NDJSON and is not stored yet.
type part[T any] struct {
	rows []T
	at   []int    // the rows' numbers, from 1
	bad  []placed // rows that cannot be read, by number
}

// flush stores a part, and tells its bad rows in their order.
func (b *bulk[T]) flush(ctx context.Context, p *part[T]) error {
	var bad []placed
	var err error
	if len(p.rows) > 0 {
		bad, err = b.store(ctx, p.rows)
	}
	for _, x := range bad {
		p.bad = append(p.bad, placed{p.at[x.place], x.fields})
	}
	slices.SortStableFunc(p.bad, func(x, y placed) int { return cmp.Compare(x.place, y.place) })
	for _, x := range p.bad {
		b.refuse(x.place, x.fields)
	}
	p.rows, p.at, p.bad = p.rows[:0], p.at[:0], p.bad[:0]
	return err
}

// lines reads NDJSON. Blank lines are no rows: a row's number may be less than its line.
func (b *bulk[T]) lines(w http.ResponseWriter, r *http.Request) error {
	in := bufio.NewReaderSize(r.Body, maxRowLine)
	var p part[T]
	for {
		_ = huma.SetReadDeadline(w, time.Now().Add(bodyTimeout))
		line, err := in.ReadSlice('\n')
		end := errors.Is(err, io.EOF)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return badField("line_too_long", "/rows/"+itoa(b.rows+1), "row %d is longer than %d bytes", b.rows+1, maxRowLine).
				InChinese("第 %d 行超过 %d 字节", b.rows+1, maxRowLine)
		case err != nil && !end:
			return &hongyan.Error{Kind: hongyan.Invalid, Code: "body_not_read", Message: fmt.Sprintf("the body broke off in row %d; the first %d rows were taken", b.rows+1, b.rows-len(p.rows)-len(p.bad)), Err: err}
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			b.rows++
			var one T
			if err := decodeStrict(line, &one); err != nil {
				p.bad = append(p.bad, placed{b.rows, fieldsOf(err)})
			} else {
				p.rows, p.at = append(p.rows, one), append(p.at, b.rows)
			}
		}
		if end || len(p.rows)+len(p.bad) == bulkChunk {
			if err := b.flush(r.Context(), &p); err != nil {
				return err
			}
		}
		if end {
			_ = huma.SetReadDeadline(w, time.Time{})
			return nil
		}
	}
}

// fieldsOf are the fields that an error of decoding names, at least one.
func fieldsOf(err error) []hongyan.FieldError {
	e := asShown(err)
	if len(e.Fields) > 0 {
		return e.Fields
	}
	return []hongyan.FieldError{{Detail: e.Message}}
}

// answer writes v.
func (a *API) answer(w http.ResponseWriter, v any) error {
	buf := getBuffer()
	defer putBuffer(buf)
	if err := encode(buf, v); err != nil {
		return err
	}
	w.Header()["Content-Type"] = jsonContent
	_, _ = w.Write(buf.Bytes())
	return nil
}
