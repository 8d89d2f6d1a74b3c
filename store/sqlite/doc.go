// Package sqlite keeps Hongyan's memory in one SQLite file. It implements
// store.Store; what the methods mean is written there.
//
// One goroutine owns the only connection that writes. It takes whatever
// operations have queued up, runs them in one transaction and answers them
// all after the commit, so that a hundred callers pay for one fsync. Reads go
// to a small pool of read-only connections and never wait for the writer.
//
// Start with Open, then writer.go (the group commit), messages_insert.go,
// messages_claim.go and messages_finish.go (the life of a message), deliveries.go
// and deliveries_claim.go (that of an event handed on). conn.go is the thin layer over the driver. The rules about messages are not here: the
// numbers and states come from the callers.
//
// Three things to watch. The driver (modernc.org/sqlite) accepts more arguments
// than a statement has placeholders, so conn counts them. It binds by searching
// the list of arguments, so long lists are slow (see messages_plain.go). And
// SQLite plans a statement again whenever an argument it planned by changes;
// a bare "LIMIT ?" is such an argument, "LIMIT ? + 0" is not.
package sqlite
