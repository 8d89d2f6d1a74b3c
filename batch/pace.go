package batch

import (
	"math"
	"time"
)

// paceSaved is how much of a second's worth a batch with a rate of its own may save up.
const paceSaved = 0.25

// pace spreads the rows of a batch that has a rate of its own. Whoever begins to feed
// begins with nothing saved. The zero value is ready.
type pace struct {
	rate, tokens float64
	last         time.Time
}

// available returns how many rows may go at now; a rate of 0 never says no.
func (p *pace) available(rate float64, now time.Time) int {
	if rate <= 0 {
		p.rate = 0
		return math.MaxInt32
	}
	most := max(1, rate*paceSaved)
	if p.rate <= 0 { // it has a rate since now
		p.tokens, p.last = min(1, most), now
	}
	p.tokens = min(most, p.tokens+p.rate*max(0, now.Sub(p.last).Seconds()))
	p.rate, p.last = rate, now
	return int(p.tokens)
}

func (p *pace) take(n int) {
	if p.rate > 0 {
		p.tokens -= float64(n)
	}
}

// speed is how fast rows became messages lately. The zero value is ready.
type speed struct {
	perSecond float64
	since     time.Time
	rows      int
}

// after takes note of n rows at now and returns the speed: of the time since the last
// look, mixed with what it was before.
func (s *speed) after(n int, now time.Time) float64 {
	if s.since.IsZero() {
		s.since = now
		return 0
	}
	s.rows += n
	passed := now.Sub(s.since)
	if passed < time.Second {
		if s.perSecond == 0 && passed > 0 {
			return float64(s.rows) / passed.Seconds() // better than nothing
		}
		return s.perSecond
	}
	lately := float64(s.rows) / passed.Seconds()
	keep := math.Exp(-passed.Seconds() / speedOver.Seconds())
	if s.perSecond == 0 {
		keep = 0
	}
	s.perSecond = keep*s.perSecond + (1-keep)*lately
	s.since, s.rows = now, 0
	return s.perSecond
}
