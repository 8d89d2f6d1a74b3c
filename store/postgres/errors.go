package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"hongyan"
)

// code returns PostgreSQL's five-character code in err's chain, "" when there is none.
func code(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// Codes that something here depends on (PostgreSQL manual, appendix A).
const (
	codeUnique        = "23505"
	codeReadOnly      = "25006"
	codeSerialization = "40001"
	codeDeadlock      = "40P01"
	codePrivilege     = "42501"
	codeNoTable       = "42P01"
	codeDiskFull      = "53100"
	codeNoDatabase    = "3D000"
)

// isTransient reports whether the transaction may succeed when it is simply repeated.
func isTransient(err error) bool {
	c := code(err)
	return c == codeSerialization || c == codeDeadlock
}

// isTrouble reports whether err is about the database and not about one
// operation: every operation of the flush meets the same end.
func isTrouble(err error) bool {
	if e, ok := errors.AsType[*hongyan.Error](err); ok {
		return e.Kind == hongyan.Unavailable || e.Kind == hongyan.Full
	}
	switch c := code(err); {
	case c == "":
		return isConnection(err)
	case c == codeReadOnly, c == codePrivilege, c == codeNoTable:
		return true
	default:
		return strings.HasPrefix(c, "08") || strings.HasPrefix(c, "53") || strings.HasPrefix(c, "57") || strings.HasPrefix(c, "58") ||
			strings.HasPrefix(c, "XX") || strings.HasPrefix(c, "25") || c == "55P03"
	}
}

// isConnection reports whether PostgreSQL could not be asked, or did not answer.
func isConnection(err error) bool {
	_, connect := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[net.Error](err)
	return connect || network || isUnknown(err) || errors.Is(err, errStale) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || pgconn.SafeToRetry(err)
}

// told reports whether err says something to the caller already.
func told(err error) bool {
	_, ok := errors.AsType[*hongyan.Error](err)
	return ok
}

// explain gives errors of PostgreSQL the kind a caller can act on. Errors that
// carry a kind pass unchanged, and so does the end of the caller's context.
func (s *Store) explain(ctx context.Context, err error) error {
	if err == nil || told(err) {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return explain(err)
}

func explain(err error) error {
	c := code(err)
	switch {
	case err == nil || told(err):
		return err
	case c == codeDiskFull:
		return &hongyan.Error{Kind: hongyan.Full, Code: "disk_full", Message: "the disk of the database is full", Hint: "give PostgreSQL more space; Hongyan continues by itself", Err: err}
	case c == codeUnique:
		return &hongyan.Error{Kind: hongyan.Conflict, Code: "exists", Message: "a row with the same key exists", Err: err}
	case c == codeReadOnly:
		return &hongyan.Error{Kind: hongyan.Unavailable, Code: "read_only", Message: "the database cannot be written",
			Hint: "name the primary in --database, not a standby, and see that default_transaction_read_only is off", Err: err}
	case c == codePrivilege:
		return &hongyan.Error{Kind: hongyan.Unavailable, Code: "no_rights", Message: "the database user may not do this",
			Hint: "let the user of --database own the tables, or GRANT it CREATE and USAGE on the schema and all rights on its tables", Err: err}
	case isTrouble(err) || isTransient(err):
		return &hongyan.Error{Kind: hongyan.Unavailable, Code: "database_unavailable", Message: "PostgreSQL does not answer as it should at the moment", Hint: "Hongyan goes on by itself when it does", Err: err}
	}
	return err
}

// errClosed answers operations that come after Close.
var errClosed = &hongyan.Error{Kind: hongyan.Unavailable, Code: "closed", Message: "the store is closed"}
