package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Resets of a fault rule.
const (
	resetBefore = "before"
	resetAfter  = "after"
)

// Fault is a rule that spoils calls. Path is required ("*" at its end stands for
// anything); AppID and OpenID narrow it down. At most one of ErrCode, HTTPStatus,
// DropAnswer, HangMS and Reset says what happens; DelayMS may be alone or come
// before any of them. Rules are tried in the order they were added, and the first
// that strikes wins.
type Fault struct {
	ID     string `json:"id,omitzero"` // given by the sandbox
	Path   string `json:"path"`
	AppID  string `json:"appid,omitzero"`
	OpenID string `json:"openid,omitzero"` // touser of the send endpoints

	ErrCode    int    `json:"errcode,omitzero"`     // answered; nothing is processed
	HTTPStatus int    `json:"http_status,omitzero"` // answered with a page; nothing is processed
	DropAnswer bool   `json:"drop_answer,omitzero"` // processed, then the connection is closed without an answer
	HangMS     int    `json:"hang_ms,omitzero"`     // waits, then goes on normally unless the caller has left
	Reset      string `json:"reset,omitzero"`       // "before" processing or "after" it the connection is reset

	Nth     int      `json:"nth,omitzero"`      // strikes from the nth matching call on, once unless Times says more
	DelayMS int      `json:"delay_ms,omitzero"` // waits first
	Times   int      `json:"times,omitzero"`    // strikes so many times, then never; 0 = once with Nth, else without limit
	Rate    *float64 `json:"rate,omitzero"`     // strikes this share of the matching calls, 0 to 1; nil = all

	Matched int `json:"matched"` // calls it was compared with and fitted; kept by the sandbox
	Hits    int `json:"hits"`    // calls it spoiled; kept by the sandbox
}

func (f *Fault) check() error {
	if f.Path == "" || f.Path != "*" && !strings.HasPrefix(f.Path, "/") {
		return &ControlError{Field: "path", Rule: `must be a path such as /cgi-bin/message/template/send, or "*"`, Value: f.Path}
	}
	return firstError(
		f.checkEffect(),
		atLeast("nth", &f.Nth, 0), atLeast("delay_ms", &f.DelayMS, 0),
		atLeast("times", &f.Times, 0), atLeast("hang_ms", &f.HangMS, 0),
		oneOf("reset", f.Reset, resetBefore, resetAfter),
		f.checkRanges(),
	)
}

func (f *Fault) checkEffect() error {
	var named []string
	for _, effect := range []struct {
		name string
		set  bool
	}{
		{"errcode", f.ErrCode != 0}, {"http_status", f.HTTPStatus != 0}, {"drop_answer", f.DropAnswer},
		{"hang_ms", f.HangMS != 0}, {"reset", f.Reset != ""},
	} {
		if effect.set {
			named = append(named, effect.name)
		}
	}
	const rule = "exactly one of errcode, http_status, drop_answer, hang_ms, reset, or delay_ms alone"
	switch {
	case len(named) > 1:
		return &ControlError{Field: named[1], Rule: rule, Value: strings.Join(named, ", ")}
	case len(named) == 0 && f.DelayMS == 0:
		return &ControlError{Field: "errcode", Rule: rule, Value: "none"}
	}
	return nil
}

func (f *Fault) checkRanges() error {
	if f.HTTPStatus != 0 && (f.HTTPStatus < 200 || f.HTTPStatus > 599) {
		return &ControlError{Field: "http_status", Rule: "must be from 200 to 599", Value: f.HTTPStatus}
	}
	if f.Rate != nil && (*f.Rate < 0 || *f.Rate > 1) {
		return &ControlError{Field: "rate", Rule: "must be from 0 to 1", Value: *f.Rate}
	}
	return nil
}

func (f *Fault) fits(c *call) bool {
	if prefix, any := strings.CutSuffix(f.Path, "*"); any {
		if !strings.HasPrefix(c.path, prefix) {
			return false
		}
	} else if f.Path != c.path {
		return false
	}
	return (f.AppID == "" || f.AppID == c.appID()) && (f.OpenID == "" || f.OpenID == c.touser)
}

// strikes counts a matching call and decides.
func (f *Fault) strikes(d *dice) bool {
	f.Matched++
	times := f.Times
	if times == 0 && f.Nth > 0 {
		times = 1
	}
	switch {
	case f.Matched < f.Nth, times > 0 && f.Hits >= times:
		return false
	case f.Rate != nil && d.rand.Float64() >= *f.Rate:
		return false
	}
	f.Hits++
	return true
}

// faults is the rules in force.
type faults struct {
	rules []*Fault
	made  int
}

// pick returns a copy of the rule that strikes the call, or nil. Every rule that
// fits before it counts the call, too.
func (fs *faults) pick(d *dice, c *call) *Fault {
	for _, f := range fs.rules {
		if f.fits(c) && f.strikes(d) {
			return new(*f)
		}
	}
	return nil
}

func (fs *faults) add(f Fault) string {
	fs.made++
	f.ID, f.Matched, f.Hits = fmt.Sprintf("fault_%d", fs.made), 0, 0
	if f.Rate != nil {
		f.Rate = new(*f.Rate)
	}
	fs.rules = append(fs.rules, &f)
	return f.ID
}

// AddFault adds a rule and returns its id. It panics with the [*ControlError] of
// a rule that breaks the rules: that is a mistake in the test that calls it.
func (s *Sandbox) AddFault(f Fault) string {
	if err := f.check(); err != nil {
		panic(err)
	}
	defer s.unlock()
	return s.lock().addFault(f)
}

func (p *platform) addFault(f Fault) string {
	p.feed.mark(changedFaults)
	return p.faults.add(f)
}

// Faults returns the rules in force with their counts.
func (s *Sandbox) Faults() []Fault {
	defer s.unlock()
	out := []Fault{}
	for _, f := range s.lock().faults.rules {
		out = append(out, *f)
	}
	return out
}

// RemoveFault removes one rule and reports whether it was there.
func (s *Sandbox) RemoveFault(id string) bool {
	defer s.unlock()
	p := s.lock()
	before := len(p.faults.rules)
	p.faults.rules = slices.DeleteFunc(p.faults.rules, func(f *Fault) bool { return f.ID == id })
	p.feed.mark(changedFaults)
	return len(p.faults.rules) < before
}

// ClearFaults removes all rules.
func (s *Sandbox) ClearFaults() {
	defer s.unlock()
	p := s.lock()
	p.faults.rules = nil
	p.feed.mark(changedFaults)
}

// cutShort is the errcode of calls that were cut before they were processed.
const cutShort = -1

// spoil does to the call what the rule says.
func (s *Sandbox) spoil(w http.ResponseWriter, c *call, ep endpoint, f *Fault) {
	c.fault = f
	if !c.wait(f.DelayMS) || !c.wait(f.HangMS) {
		s.refuse(c, answer{code: cutShort}, false)
		panic(http.ErrAbortHandler) // the caller has left
	}
	switch {
	case f.Reset == resetBefore:
		s.refuse(c, answer{code: cutShort}, false)
		cut(w, true)
	case f.HTTPStatus != 0:
		a := httpAnswer(f.HTTPStatus)
		s.write(w, a, s.refuse(c, a, true))
	case f.ErrCode != 0:
		s.answerCode(w, c, f.ErrCode)
	case f.DropAnswer || f.Reset == resetAfter:
		s.process(c, ep, false)
		cut(w, f.Reset == resetAfter)
	default: // a delay or a hang that is over
		a, row := s.process(c, ep, true)
		s.write(w, a, row)
	}
}
