package sqlite

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"

	"hongyan"
)

// Counters change with every commit: messages by state, and calls by scope and period,
// a dozen rows for a message that comes alone. So a commit writes one row with all that
// was not added to the tables yet, and the tables get it when that row has grown.
// Whoever reads counters reads both, in one snapshot.

// pendingCounters is the row's name in table meta.
const pendingCounters = "counters"

// maxPending is how many counters the row holds, about 50 bytes each, before they are
// added to the tables: a page or two, rewritten with every commit.
const maxPending = 64

// pending is what is to be added to the counters in the tables. One that is reachable
// from a memory is never changed, but replaced.
type pending struct {
	counts map[countKey]int64
	usage  map[usageKey]int64
}

// plus returns p with more added.
func (p pending) plus(more pending) pending {
	return pending{added(p.counts, more.counts), added(p.usage, more.usage)}
}

// added returns a with b added, without what has become zero.
func added[K comparable](a, b map[K]int64) map[K]int64 {
	sum := make(map[K]int64, len(a)+len(b))
	maps.Copy(sum, a)
	for k, n := range b {
		if sum[k] += n; sum[k] == 0 {
			delete(sum, k)
		}
	}
	return sum
}

func (p pending) len() int { return len(p.counts) + len(p.usage) }

// flushCounters writes the noted changes with the transaction.
func (t *tx) flushCounters() error {
	noted := pending{added(nil, t.counts), added(nil, t.usage)}
	if noted.len() == 0 {
		return nil
	}
	p := t.pending.plus(noted)
	if p.len() > maxPending {
		if err := errors.Join(t.addCounts(p.counts), t.addUsage(p.usage)); err != nil {
			return err
		}
		p = pending{}
	}
	t.pending = p
	return t.setMeta(pendingCounters, p.encode())
}

// loadPending reads what flushCounters wrote.
func loadPending(ctx context.Context, c *conn) (p pending, err error) {
	_, err = c.queryOne(ctx, func(r *row) (err error) {
		p, err = decodePending(r.bytes())
		return err
	}, "SELECT value FROM meta WHERE name = ?", pendingCounters)
	return p, err
}

// encode writes p as the number of counts and each of them, then each usage: texts with
// their length before them, numbers as varints.
func (p pending) encode() []byte {
	b := binary.AppendUvarint(make([]byte, 0, 64*p.len()), uint64(len(p.counts)))
	for k, n := range p.counts {
		b = appendText(appendText(b, k.appID), string(k.kind))
		b = binary.AppendVarint(append(b, byte(k.state)), n)
	}
	for k, n := range p.usage {
		b = appendText(appendText(appendText(b, k.appID), k.scope), k.period)
		b = binary.AppendVarint(binary.AppendVarint(b, k.from), n)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodePending reads what encode wrote.
func decodePending(b []byte) (pending, error) {
	p := pending{make(map[countKey]int64), make(map[usageKey]int64)}
	if len(b) == 0 {
		return p, nil
	}
	r := &counterReader{rest: b}
	for range r.uvarint() {
		k := countKey{appID: r.text(), kind: hongyan.MessageKind(r.text()), state: hongyan.State(r.byte())}
		p.counts[k] = r.varint()
		if r.bad {
			break
		}
	}
	for len(r.rest) > 0 && !r.bad {
		k := usageKey{appID: r.text(), scope: r.text(), period: r.text(), from: r.varint()}
		p.usage[k] = r.varint()
	}
	if r.bad {
		return p, errors.New("the counters that were not added yet cannot be read")
	}
	return p, nil
}

// counterReader reads one value after the other; bad once one was cut short.
type counterReader struct {
	rest []byte
	bad  bool
}

func (r *counterReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	return r.passed(v, n)
}

func (r *counterReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	return int64(r.passed(uint64(v), n))
}

// passed goes behind a number of n bytes; n <= 0 is none.
func (r *counterReader) passed(v uint64, n int) uint64 {
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *counterReader) text() string {
	n := r.uvarint()
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

func (r *counterReader) byte() byte {
	if len(r.rest) == 0 {
		r.bad = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}
