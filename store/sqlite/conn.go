package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"modernc.org/sqlite"
)

// conn is one connection with its prepared statements. It belongs to one
// goroutine at a time. It speaks to the driver directly: database/sql would
// convert and lock once per argument, which costs more than the statement.
type conn struct {
	dc    driver.Conn
	stmts map[string]*stmt
	plain map[plainKey]string // see plainSQL
	rows  atomic.Int64        // changed so far
}

// stmt is a prepared statement and the number of its placeholders.
type stmt struct {
	driver.Stmt
	args   []driver.NamedValue // reused by every execution
	values []driver.Value      // reused by every row
}

// openConn opens the database dsn names.
func openConn(dsn string) (*conn, error) {
	dc, err := new(sqlite.Driver).Open(dsn)
	if err != nil {
		return nil, err
	}
	return &conn{dc: dc, stmts: make(map[string]*stmt), plain: make(map[plainKey]string)}, nil
}

// close finalizes the statements and closes the connection.
func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.dc.Close())...)
}

// prepare returns the statement for query, prepared once per connection.
// Queries come from a fixed set of texts: values are always arguments.
func (c *conn) prepare(query string) (*stmt, error) {
	if s := c.stmts[query]; s != nil {
		return s, nil
	}
	ds, err := c.dc.Prepare(query)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", firstLine(query), err)
	}
	s := &stmt{Stmt: ds, args: make([]driver.NamedValue, strings.Count(query, "?"))}
	for i := range s.args {
		s.args[i].Ordinal = i + 1
	}
	c.stmts[query] = s
	return s, nil
}

// bind puts args in their places. The driver ignores surplus arguments, so a
// statement with one placeholder too few would silently write wrong rows.
func (s *stmt) bind(query string, args []any) error {
	if len(args) != len(s.args) {
		return fmt.Errorf("%d arguments for %d placeholders in %s", len(args), len(s.args), firstLine(query))
	}
	for i, a := range args {
		switch v := a.(type) {
		case int:
			a = int64(v)
		case bool:
			a = asInt(v)
		}
		s.args[i].Value = a
	}
	return nil
}

// unbind lets go of the arguments, which may be large.
func (s *stmt) unbind() {
	for i := range s.args {
		s.args[i].Value = nil
	}
}

// exec runs a statement that returns no rows and reports how many rows it
// changed. An argument is nil, int, int64, bool, float64, string or []byte.
func (c *conn) exec(query string, args ...any) (int, error) {
	res, err := c.result(query, args)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	c.rows.Add(n)
	return int(n), err
}

// command runs a statement about transactions. It is not exec: SQLite would tell the
// rows of the statement before.
func (c *conn) command(query string) error {
	_, err := c.result(query, nil)
	return err
}

// insert is exec for a statement that inserts one row or, on a conflict, none. It
// returns the row's number, and whether there is one.
func (c *conn) insert(query string, args ...any) (id int64, inserted bool, err error) {
	res, err := c.result(query, args)
	if err != nil {
		return 0, false, err
	}
	n, err := res.RowsAffected()
	if err != nil || n == 0 {
		return 0, false, err // SQLite would name the row inserted before
	}
	c.rows.Add(n)
	id, err = res.LastInsertId()
	return id, true, err
}

func (c *conn) result(query string, args []any) (driver.Result, error) {
	s, err := c.prepare(query)
	if err != nil {
		return nil, err
	}
	if err := s.bind(query, args); err != nil {
		return nil, err
	}
	defer s.unbind()
	// Background: an operation inside a transaction completes.
	res, err := s.Stmt.(driver.StmtExecContext).ExecContext(context.Background(), s.args)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", firstLine(query), err)
	}
	return res, nil
}

// query calls each for every row. The row is valid during the call only.
func (c *conn) query(ctx context.Context, each func(*row) error, query string, args ...any) (err error) {
	s, err := c.prepare(query)
	if err != nil {
		return err
	}
	if err := s.bind(query, args); err != nil {
		return err
	}
	defer s.unbind()
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, s.args)
	if err != nil {
		return fmt.Errorf("%s: %w", firstLine(query), err)
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	if s.values == nil {
		s.values = make([]driver.Value, len(rows.Columns()))
	}
	r := row{values: s.values}
	for {
		switch err := rows.Next(r.values); {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", firstLine(query), err)
		}
		r.next = 0
		if err := each(&r); err != nil {
			return err
		}
	}
}

// queryOne is query for at most one row; found tells whether there was one.
func (c *conn) queryOne(ctx context.Context, each func(*row) error, query string, args ...any) (found bool, err error) {
	err = c.query(ctx, func(r *row) error {
		found = true
		return each(r)
	}, query, args...)
	return found, err
}

// firstLine shortens a statement for an error.
func firstLine(query string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(query), "\n")
	return line
}

func asInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
