package dispatch

import "time"

// pacing keeps which users of an account are left alone, and until when (spec
// §9: 43117 parks the openid). It is a help, not a promise: a restart forgets
// it, and WeChat says 43117 once more. Guarded by Engine.mu.
type pacing map[string]time.Time

// pacedMost bounds it, for its memory (about 1 MB an account).
const pacedMost = 10_000

// until returns the end of a user's pause, zero when there is none at now.
func (p pacing) until(openID string, now time.Time) time.Time {
	if len(p) == 0 { // nearly always
		return time.Time{}
	}
	if t := p[openID]; now.Before(t) {
		return t
	}
	return time.Time{}
}

// pause leaves a user alone until then, forgetting others when there are too many.
func (p *pacing) pause(openID string, until, now time.Time) {
	if *p == nil {
		*p = make(pacing)
	}
	if len(*p) >= pacedMost {
		p.forget(now)
	}
	(*p)[openID] = until
}

// forget drops the pauses that are over, and any others if those are few: a tenth, so
// that it is seldom looked through.
func (p *pacing) forget(now time.Time) {
	for openID, until := range *p {
		if !now.Before(until) {
			delete(*p, openID)
		}
	}
	for openID := range *p {
		if len(*p) < pacedMost/10*9 {
			return
		}
		delete(*p, openID)
	}
}
