package postgres

import (
	"encoding/binary"
	"math"
	"time"
)

// row reads the columns of a result in their order: every call takes the next.
// The values are PostgreSQL's binary ones, which is what pgx asks for.
type row struct {
	values [][]byte
	next   int
}

func (r *row) take() []byte {
	v := r.values[r.next]
	r.next++
	return v
}

// int64 reads an integer of any size; NULL is 0.
func (r *row) int64() int64 {
	switch v := r.take(); len(v) {
	case 8:
		return int64(binary.BigEndian.Uint64(v))
	case 4:
		return int64(int32(binary.BigEndian.Uint32(v)))
	case 2:
		return int64(int16(binary.BigEndian.Uint16(v)))
	}
	return 0
}

func (r *row) int() int { return int(r.int64()) }

// bool reads a boolean; NULL is false.
func (r *row) bool() bool {
	v := r.take()
	return len(v) == 1 && v[0] != 0
}

// float reads a double precision number.
func (r *row) float() float64 {
	v := r.take()
	if len(v) != 8 {
		return 0
	}
	return math.Float64frombits(binary.BigEndian.Uint64(v))
}

// text reads a text; NULL is "".
func (r *row) text() string { return string(r.take()) }

// bytes reads a bytea into memory of its own; NULL and the empty one are nil.
func (r *row) bytes() []byte { return append([]byte(nil), r.take()...) }

// time reads Unix milliseconds; 0 is the zero time.
func (r *row) time() time.Time { return fromMillis(r.int64()) }

// fromMillis returns the UTC time of Unix milliseconds; 0 is the zero time.
func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// millis returns t in Unix milliseconds; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
