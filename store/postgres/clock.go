package postgres

import (
	"sync"
	"time"

	"hongyan"
)

// clock tells the database's time without asking the database. Every
// transaction says what time it was there; from that on the machine's steady
// clock counts, so that a step of this machine's time of day changes nothing.
//
// It errs by no more than the fastest round trip since the last correction and
// what the two clocks drifted apart since: a node renews its lease every ten
// seconds, so well below a millisecond on a local network. Nothing decided in
// the database depends on it: leases and due times are compared there.
type clock struct {
	mu sync.Mutex
	at time.Time     // with the steady clock's reading
	db time.Duration // the database's time then, since the epoch
}

// told takes in that the database's clock stood at ms, in Unix milliseconds,
// between sent and received. The clock is moved only when it is certainly wrong, and
// then to the earliest that it may be: what is due by it, is due in the database.
func (c *clock) told(ms int64, sent, received time.Time) {
	db := time.Duration(ms) * time.Millisecond
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() {
		c.at, c.db = received, db
		return
	}
	// The database's clock now: it cut its time to milliseconds, somewhere on the way.
	earliest, latest := db, db+time.Millisecond+received.Sub(sent)
	shown := c.db + received.Sub(c.at)
	if shown < earliest || shown > latest {
		shown = earliest
	}
	c.at, c.db = received, shown
}

// now returns the time, cut to milliseconds, in UTC.
func (c *clock) now() time.Time {
	c.mu.Lock()
	since := c.db + time.Since(c.at)
	c.mu.Unlock()
	return hongyan.Millis(time.Unix(0, int64(since)))
}
