package sqlite

import (
	"errors"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"hongyan"
)

// code returns SQLite's primary result code in err's chain, 0 when there is none.
func code(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

// isTrouble reports whether err is about the database and not about one
// operation: every operation of the transaction meets the same end.
func isTrouble(err error) bool {
	switch code(err) {
	case lib.SQLITE_FULL, lib.SQLITE_IOERR, lib.SQLITE_NOMEM, lib.SQLITE_READONLY, lib.SQLITE_CANTOPEN,
		lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB, lib.SQLITE_PROTOCOL:
		return true
	}
	return false
}

// explain gives SQLite's errors the kind a caller can act on. Errors that
// carry a kind, and those of contexts, pass unchanged.
func explain(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*hongyan.Error](err); ok {
		return err
	}
	switch code(err) {
	case lib.SQLITE_FULL:
		return &hongyan.Error{Kind: hongyan.Full, Code: "disk_full", Message: "the disk holding the database is full", Hint: "free some space; Hongyan continues by itself", Err: err}
	case lib.SQLITE_CONSTRAINT:
		return &hongyan.Error{Kind: hongyan.Conflict, Code: "exists", Message: "a row with the same key exists", Err: err}
	case lib.SQLITE_READONLY:
		return &hongyan.Error{Kind: hongyan.Unavailable, Code: "read_only", Message: "the database cannot be written", Hint: "check the permissions of the file and its folder, and that the file system is not mounted read-only", Err: err}
	case lib.SQLITE_NOTADB, lib.SQLITE_CORRUPT:
		return &hongyan.Error{Kind: hongyan.Unavailable, Message: "the file is not a database, or damaged", Hint: "restore a backup: hongyan restore FILE --data DIR", Err: err}
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return &hongyan.Error{Kind: hongyan.Unavailable, Code: "database_busy", Message: "another program holds the database locked", Hint: "close it; only copies may be opened for writing while Hongyan runs", Err: err}
	}
	return err
}

// errClosed answers operations that come after Close.
var errClosed = &hongyan.Error{Kind: hongyan.Unavailable, Code: "closed", Message: "the store is closed"}
