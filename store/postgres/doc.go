// Package postgres keeps Hongyan's memory in a PostgreSQL database, which any number
// of processes may use at once. It implements store.Store; what the methods mean is
// written there.
//
// Concurrent calls that write share a commit: a flusher takes whatever queued while the
// flush before it ran, and writes it with one statement per table, its columns as
// arrays (unnest). What a process knows by heart is only what never changes (the
// numbers of streams); everything else is looked at in the transaction that relies on
// it, under a lock where another process could change it meanwhile.
//
// Start with Open, then tx.go (a transaction, and what happens when its commit is not
// answered), group.go (the group commit), messages_insert.go, messages_claim.go and
// messages_finish.go (the life of a message), deliveries.go and deliveries_claim.go
// (that of an event handed on), cluster.go (what nodes tell one another). The rules
// about messages are not here: the numbers and states come from the callers.
//
// Three things to watch. The time of every rule is the database's, hongyan_now() in SQL;
// clock.go knows it without asking. The queue's statements must find their rows by an
// index whatever PostgreSQL believes of the table's size: see queueSettings. And rows of
// several messages, counters or keys are always locked in one order, or two nodes wait
// for one another.
package postgres
