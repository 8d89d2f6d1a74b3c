package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Resets of a fault rule.
const (
	resetBefore = "before"
	resetAfter  = "after"
)

// Fault is a rule that spoils calls. Path is required ("*" at its end stands for
// anything); AppID and OpenID narrow it down. At most one of ErrCode, HTTPStatus
// and HTML (which go together), DropAnswer, HangMS and Reset says what happens
// instead of an answer; Truncate and DripMS spoil the answer that is given; the
// event fields bend the event of the message that the call sends. DelayMS may be
// alone or come before any of them. Rules are tried in the order they were added,
// and the first that strikes wins.
type Fault struct {
	ID     string `json:"id,omitzero"`     // given by the sandbox
	Preset string `json:"preset,omitzero"` // the preset it belongs to; given by the sandbox
	Path   string `json:"path"`
	AppID  string `json:"appid,omitzero"`
	OpenID string `json:"openid,omitzero"` // touser of the send endpoints

	ErrCode    int      `json:"errcode,omitzero"`     // answered; nothing is processed
	HTTPStatus int      `json:"http_status,omitzero"` // answered with a page; nothing is processed
	HTML       Page     `json:"html,omitzero"`        // answered with this page, status 200 unless HTTPStatus says more; nothing is processed
	DropAnswer bool     `json:"drop_answer,omitzero"` // processed, then the connection is closed without an answer
	HangMS     int      `json:"hang_ms,omitzero"`     // waits, then goes on normally unless the caller has left
	Reset      string   `json:"reset,omitzero"`       // "before" processing or "after" it the connection is reset
	Truncate   CutShort `json:"truncate,omitzero"`    // processed, then only so many bytes of the answer
	DripMS     int      `json:"drip_ms,omitzero"`     // processed, then the answer byte by byte, this long apart

	EventFault

	Nth     int      `json:"nth,omitzero"`      // strikes from the nth matching call on, once unless Times says more
	DelayMS int      `json:"delay_ms,omitzero"` // waits first
	Times   int      `json:"times,omitzero"`    // strikes so many times, then never; 0 = once with Nth, else without limit
	Rate    *float64 `json:"rate,omitzero"`     // strikes this share of the matching calls, 0 to 1; nil = all
	// EveryMS and ForMS make bursts: the rule is in force during the first ForMS of
	// every EveryMS of the sandbox's clock. 0 = always.
	EveryMS int `json:"every_ms,omitzero"`
	ForMS   int `json:"for_ms,omitzero"`

	Matched int `json:"matched"` // calls it was compared with and fitted; kept by the sandbox
	Hits    int `json:"hits"`    // calls it spoiled; kept by the sandbox
}

func (f *Fault) fits(c *call) bool {
	if prefix, any := strings.CutSuffix(f.Path, "*"); any {
		if !strings.HasPrefix(c.path, prefix) {
			return false
		}
	} else if f.Path != c.path {
		return false
	}
	return (f.AppID == "" || f.AppID == c.appID()) && (f.OpenID == "" || f.OpenID == c.touser) && f.inBurst(c.now)
}

func (f *Fault) inBurst(now time.Time) bool {
	return f.EveryMS == 0 || now.UnixMilli()%int64(f.EveryMS) < int64(f.ForMS)
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

// strike returns a copy of the rule that strikes the call, or nil. Every rule that
// fits before it counts the call, too. An errcode comes from behind the front end and
// the check of the token: what is refused there does not fit a rule with one.
func (p *platform) strike(ep endpoint, c *call) *Fault {
	if len(p.faults.rules) == 0 {
		return nil
	}
	early := p.refusedEarly(ep, c)
	for _, f := range p.faults.rules {
		if f.fits(c) && !(early && f.ErrCode != 0) && f.strikes(p.dice) {
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

// ClearFaults removes all rules and ends the presets.
func (s *Sandbox) ClearFaults() {
	defer s.unlock()
	p := s.lock()
	p.endPresets()
	p.faults.rules = nil
	p.feed.mark(changedFaults)
}
