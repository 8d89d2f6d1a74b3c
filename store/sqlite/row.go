package sqlite

import (
	"database/sql/driver"
	"time"
)

// row reads the columns of a result in their order: every call takes the next.
type row struct {
	values []driver.Value
	next   int
}

func (r *row) take() driver.Value {
	v := r.values[r.next]
	r.next++
	return v
}

// int64 reads an integer; NULL is 0.
func (r *row) int64() int64 {
	v, _ := r.take().(int64)
	return v
}

func (r *row) int() int   { return int(r.int64()) }
func (r *row) bool() bool { return r.int64() != 0 }

// float reads a real number.
func (r *row) float() float64 {
	v, _ := r.take().(float64)
	return v
}

// text reads a text; NULL is "".
func (r *row) text() string {
	v, _ := r.take().(string)
	return v
}

// bytes reads a blob; NULL and the empty blob are nil.
func (r *row) bytes() []byte {
	v, _ := r.take().([]byte)
	return v
}

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
