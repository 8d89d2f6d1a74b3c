package batch

import (
	"errors"
	"io"

	"hongyan"
	"hongyan/internal/sheet"
)

// Table is the rows of a CSV or XLSX.
type Table struct {
	r *sheet.Reader
}

// OpenTable reads the head of a table. format is csv, xlsx, or "" to decide by the first
// bytes; name is a sheet of an XLSX, "" = its first visible one. The caller closes it.
func OpenTable(in io.Reader, format, name string) (*Table, error) {
	r, err := sheet.Open(in, sheet.Options{Format: format, Sheet: name})
	if err != nil {
		return nil, badTable(err)
	}
	return &Table{r}, nil
}

func badTable(err error) error {
	field := hongyan.FieldError{Pointer: "", Detail: err.Error()}
	if e, ok := errors.AsType[*sheet.Error](err); ok {
		field.DetailZH = e.InChinese()
	}
	return &hongyan.Error{Kind: hongyan.Invalid, Code: "bad_table", Message: err.Error(), Err: err, Fields: []hongyan.FieldError{field}}
}

// Columns are the names in the head; a column without a name has "".
func (t *Table) Columns() []string { return t.r.Header() }

// Use says which columns the batch uses: what is wrong in another is nobody's problem.
func (t *Table) Use(columns []string) { t.r.Use(columns) }

// Encoding names what the table is written in.
func (t *Table) Encoding() string { return t.r.Encoding() }

// Close ends the reading.
func (t *Table) Close() error { return t.r.Close() }

// Next returns the next row; what the reader of tables has against it is a Problem.
func (t *Table) Next() (Row, error) {
	r, err := t.r.Next()
	if err == io.EOF {
		return Row{}, err
	}
	if err != nil {
		return Row{}, badTable(err)
	}
	row := Row{Cells: r.Cells}
	if r.Problem != "" {
		row.Problems = []Problem{{Column: r.Column, Rule: string(r.Rule), Detail: r.Problem, DetailZH: r.ProblemZH}}
	}
	return row, nil
}
