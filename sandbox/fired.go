package sandbox

import "time"

// Fired counts what a jump of the clock brought about.
type Fired struct {
	Delivered      int // messages shown to their users
	Undelivered    int // messages whose delivery ended in a failure
	Redelivered    int // events whose next delivery fell due
	TokensExpired  int
	FormsExpired   int // form_ids and prepay_ids that still had messages
	PaymentsActive int // prepay_ids that began to work
	Days           int // Beijing midnights: daily quotas began anew
}

// Jump is [Sandbox.Advance] and says what fired.
func (s *Sandbox) Jump(d time.Duration) (Fired, error) {
	if d < 0 {
		return Fired{}, &ControlError{Field: "advance", Rule: "must not be negative", Value: d.String()}
	}
	p := s.lock()
	if d > maxOffset-p.clock.offset {
		s.mu.Unlock()
		return Fired{}, &ControlError{Field: "advance", Rule: "must not take the clock more than 100 years ahead", Value: d.String()}
	}
	fired := p.jump(d)
	s.mu.Unlock()
	s.feed.mark(changedClock)
	s.poke() // Run planned its next wake-up by the old time
	return fired, nil
}

// jump moves the clock, fires what is due, and counts by comparing before and after.
func (p *platform) jump(d time.Duration) Fired {
	before := p.clock.now()
	was := p.stats
	pushes := p.pushesDue(before.Add(d))
	p.clock.offset += d
	now := p.clock.now()
	p.fireMoved(now, d)
	fired := Fired{
		Delivered: int(p.stats.delivered - was.delivered), Undelivered: int(p.stats.undelivered - was.undelivered),
		Redelivered: pushes, Days: int(day(now) - day(before)),
	}
	passed := func(t time.Time) bool { return t.After(before) && !t.After(now) }
	for _, t := range p.tokens {
		if !t.dead && (passed(t.expires) || passed(t.until)) {
			fired.TokensExpired++
		}
	}
	for _, f := range p.forms {
		if f.left > 0 && passed(f.expires) {
			fired.FormsExpired++
		}
		if passed(f.active) {
			fired.PaymentsActive++
		}
	}
	return fired
}

// pushesDue counts the deliveries of events that wait for a time up to at.
func (p *platform) pushesDue(at time.Time) int {
	n := 0
	for _, t := range p.timers.heap {
		if _, is := t.what.(*push); is && !t.at.After(at) {
			n++
		}
	}
	return n
}
