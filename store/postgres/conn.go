package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// batch is statements that go to the database together and cost one round trip.
// Statements see what those before them did.
type batch struct {
	pgx.Batch
	each []func(pgx.Rows) error
	text []string
}

// query adds a statement whose rows go to each. A row is valid during the call only.
func (b *batch) query(each func(*row) error, sql string, args ...any) {
	b.add(func(rows pgx.Rows) error { return scan(rows, each) }, sql, args)
}

// exec adds a statement that returns no rows; n, if not nil, is how many it changed.
func (b *batch) exec(n *int, sql string, args ...any) {
	b.add(func(rows pgx.Rows) error {
		rows.Close()
		if n != nil {
			*n = int(rows.CommandTag().RowsAffected())
		}
		return rows.Err()
	}, sql, args)
}

// execAll adds a statement that must change exactly want rows. Any other number
// means that a statement and its arguments do not fit together.
func (b *batch) execAll(want int, sql string, args ...any) {
	b.add(func(rows pgx.Rows) error {
		rows.Close()
		if n := rows.CommandTag().RowsAffected(); rows.Err() == nil && n != int64(want) {
			return fmt.Errorf("changed %d rows instead of %d", n, want)
		}
		return rows.Err()
	}, sql, args)
}

func (b *batch) add(each func(pgx.Rows) error, sql string, args []any) {
	b.Queue(sql, cleanArgs(args)...)
	b.each = append(b.each, each)
	b.text = append(b.text, sql)
}

// run sends the statements and hands out their results in order, up to the first error.
func (b *batch) run(ctx context.Context, c *pgx.Conn) (err error) {
	if len(b.each) == 0 {
		return nil
	}
	results := c.SendBatch(ctx, &b.Batch)
	for i, each := range b.each {
		rows, queryErr := results.Query()
		err = queryErr
		if err == nil {
			err = each(rows)
			rows.Close()
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", firstLine(b.text[i]), err)
			break
		}
	}
	if e := results.Close(); err == nil {
		err = e
	}
	b.Batch, b.each, b.text = pgx.Batch{}, nil, nil
	return err
}

// scan calls each for every row.
func scan(rows pgx.Rows, each func(*row) error) error {
	defer rows.Close()
	r := row{}
	for rows.Next() {
		r.values, r.next = rows.RawValues(), 0
		if err := each(&r); err != nil {
			return err
		}
	}
	return rows.Err()
}

// cleanArgs makes texts such as PostgreSQL takes: UTF-8, and without the
// character U+0000, which has no place in its texts. What comes from outside
// (an errmsg, an openid) may be anything.
func cleanArgs(args []any) []any {
	for i, a := range args {
		switch v := a.(type) {
		case string:
			args[i] = clean(v)
		case []string:
			for j, s := range v {
				v[j] = clean(s)
			}
		}
	}
	return args
}

func clean(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// firstLine shortens a statement for an error.
func firstLine(sql string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(sql), "\n")
	return line
}

// conn is a connection on which one goroutine reads.
type conn struct{ *pgx.Conn }

// query calls each for every row. The row is valid during the call only.
func (c conn) query(ctx context.Context, each func(*row) error, sql string, args ...any) error {
	rows, err := c.Conn.Query(ctx, sql, cleanArgs(args)...)
	if err == nil {
		err = scan(rows, each)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", firstLine(sql), err)
	}
	return nil
}

// queryOne is query for at most one row; found tells whether there was one.
func (c conn) queryOne(ctx context.Context, each func(*row) error, sql string, args ...any) (found bool, err error) {
	err = c.query(ctx, func(r *row) error {
		found = true
		return each(r)
	}, sql, args...)
	return found, err
}

// read runs f on a connection of the pool for lists. Its statements are each in
// a transaction of their own, and short: a long one would keep PostgreSQL from
// cleaning up behind the queue.
func (s *Store) read(ctx context.Context, f func(conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !s.work.enter() {
		return errClosed
	}
	defer s.work.leave()
	for again := true; ; again = false {
		p, err := s.lists.Acquire(ctx)
		if err != nil {
			return s.explain(ctx, err)
		}
		err = f(conn{p.Conn()})
		stale := p.Conn().IsClosed()
		p.Release()
		if err != nil && stale && again && ctx.Err() == nil {
			continue // the server was restarted since this connection was used last
		}
		return s.explain(ctx, err)
	}
}

// snapshot is read, with all of f seeing the same state of the database.
func (s *Store) snapshot(ctx context.Context, f func(conn) error) error {
	return s.read(ctx, func(c conn) error {
		if _, err := c.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); err != nil {
			return err
		}
		err := f(c)
		end := "COMMIT"
		if err != nil {
			end = "ROLLBACK"
		}
		_, e := c.Exec(context.WithoutCancel(ctx), end)
		return errors.Join(err, e)
	})
}
