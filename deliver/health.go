package deliver

import (
	"math/rand/v2"
	"time"
)

const (
	// troubleAfter is how many attempts in a row must fail before a target counts as
	// being in trouble.
	troubleAfter = 5
	// keepTrying is how long a delivery is tried, from when it began; leastTries is how
	// often at least. One that lay while its target was paused for a week, or behind
	// others, is not given up because the first try afterwards meets a busy server.
	keepTrying = 72 * time.Hour
	leastTries = len(retryAfter)
	// slowest is the pause after the attempts that retryAfter names.
	slowest = 2 * time.Hour
	// outagePause bounds the pause of a delivery that met a server in trouble: the
	// outage is the server's, so what was tried meanwhile need not wait for hours after it.
	outagePause = 10 * time.Minute
)

// retryAfter is the pause after the first, the second … failed attempt.
var retryAfter = [...]time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour}

// probePause is the pause after the first, the second … failed probe of a target in
// trouble; the last one stays.
var probePause = [...]time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 15 * time.Second}

// health is how a target did lately. It is guarded by Sender.mu.
type health struct {
	failures int // attempts in a row
	probes   int // pauses in a row
	asking   int // calls of Reply under way
	// notBefore: nothing is claimed for the target until then.
	notBefore time.Time
}

func (h *health) trouble() bool { return h.failures >= troubleAfter }

// healthOf returns a target's; the caller holds s.mu.
func (s *Sender) healthOf(target string) *health {
	h := s.health[target]
	if h == nil {
		h = &health{}
		s.health[target] = h
	}
	return h
}

// room returns how many calls to a target may begin while flying are under way: in
// trouble it is probed by one at a time. later is when there is room again, zero
// when that depends on calls under way.
func (s *Sender) room(target string, flying int) (n int, later time.Time) {
	now := s.store.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.healthOf(target)
	if now.Before(h.notBefore) {
		return 0, h.notBefore
	}
	if h.trouble() {
		return max(1-flying, 0), time.Time{}
	}
	return max(width-flying, 0), time.Time{}
}

// rest keeps a target from being claimed for d.
func (s *Sender) rest(target string, d time.Duration) {
	until := s.store.Now().Add(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.healthOf(target); h.notBefore.Before(until) {
		h.notBefore = until
	}
}

// note remembers how an attempt went and reports whether the target is in trouble now.
// One success ends the trouble.
func (s *Sender) note(target string, failure error) bool {
	now := s.store.Now()
	s.mu.Lock()
	h := s.healthOf(target)
	before := h.trouble()
	if failure == nil {
		*h = health{asking: h.asking}
	} else {
		h.fail(now)
	}
	after := h.trouble()
	s.mu.Unlock()
	switch {
	case before && !after:
		s.log.Info("a downstream takes pushes again", "target", target)
		s.Wake()
	case after && !before:
		s.log.Warn("a downstream does not take pushes; they are kept, and it is tried now and then", "target", target, "err", failure)
	}
	return after
}

// fail counts a failure. Those of calls that began before the pause make it no longer.
func (h *health) fail(now time.Time) {
	h.failures++
	if h.trouble() && !now.Before(h.notBefore) {
		h.notBefore = now.Add(probePause[min(h.probes, len(probePause)-1)])
		h.probes++
	}
}

// pauseAfter returns how long a delivery waits after its nth attempt failed, spread
// a little so that what failed together does not come back together.
func pauseAfter(n int, outage bool) time.Duration {
	d := slowest
	if n <= len(retryAfter) {
		d = retryAfter[max(n, 1)-1]
	}
	if outage {
		d = min(d, outagePause)
	}
	return d + rand.N(d/10)
}
