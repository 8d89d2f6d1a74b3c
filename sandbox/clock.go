package sandbox

import (
	"time"
)

// clock is the sandbox's time: the real one, moved forward by what Advance added.
type clock struct{ offset time.Duration }

// maxOffset keeps the sum of all advances from overflowing, which would turn the
// clock back by centuries.
const maxOffset = 100 * 365 * 24 * time.Hour

func (c clock) now() time.Time { return time.Now().Add(c.offset) }

// beijing is where the platform's days begin (spec §9: 00:00 China time). China
// has no daylight saving, so a fixed zone needs no time zone database.
var beijing = time.FixedZone("CST", 8*60*60)

// day numbers the Beijing days; two times share a number if they share a date there.
func day(t time.Time) int64 {
	return (t.Unix() + 8*60*60) / (24 * 60 * 60)
}

// Time is a time that JSON shows in RFC 3339, UTC, to the millisecond.
type Time struct{ time.Time }

const timeLayout = "2006-01-02T15:04:05.000Z"

func stamp(t time.Time) Time { return Time{t.UTC().Truncate(time.Millisecond)} }

// MarshalJSON implements json.Marshaler; it hides that of time.Time.
func (t Time) MarshalJSON() ([]byte, error) {
	return t.UTC().AppendFormat(nil, `"`+timeLayout+`"`), nil
}

// Now is the sandbox's time: the real one plus all advances.
func (s *Sandbox) Now() time.Time {
	defer s.mu.Unlock()
	return s.lock().clock.now()
}

// Advance moves the sandbox's clock forward by d and fires everything that
// became due, in order, each at its own time. Messages are delivered when it
// returns; their events are then pushed by Run. An error is a [*ControlError]:
// d is negative, for time does not run backwards on the platform, or the clock
// would be more than a century ahead.
func (s *Sandbox) Advance(d time.Duration) error {
	_, err := s.Jump(d)
	return err
}
