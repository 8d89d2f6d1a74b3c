package client

import (
	"errors"
	"fmt"
	"time"
)

// Time is a time of the API: RFC 3339, UTC, always with three decimals.
type Time struct {
	Time time.Time // a field and not embedded: its own JSON form has fewer or more decimals
}

// At returns t as an API time, nil for the zero time.
func At(t time.Time) *Time {
	if t.IsZero() {
		return nil
	}
	return &Time{t}
}

// Or returns the time, the zero time when t is nil.
func (t *Time) Or() time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

// AppendText appends the time in UTC with three decimals. Years outside of
// 0..9999 are an error: RFC 3339 cannot write them.
func (t Time) AppendText(b []byte) ([]byte, error) {
	u := t.Time.UTC()
	if year := u.Year(); year < 0 || year > 9999 {
		return b, errors.New("client: year outside of 0..9999")
	}
	b = u.AppendFormat(b, time.RFC3339) // the package's fast path; it ends in Z
	ms := u.Nanosecond() / int(time.Millisecond)
	return append(b[:len(b)-1], '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z'), nil
}

// MarshalText writes the time in UTC with three decimals.
func (t Time) MarshalText() ([]byte, error) { return t.AppendText(make([]byte, 0, 24)) }

// UnmarshalText reads any time of RFC 3339.
func (t *Time) UnmarshalText(b []byte) error {
	read, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return fmt.Errorf("client: not a time of RFC 3339: %w", err)
	}
	t.Time = read
	return nil
}

// String returns the form MarshalText writes; "" for a time it cannot write.
func (t Time) String() string {
	b, err := t.AppendText(nil)
	if err != nil {
		return ""
	}
	return string(b)
}
