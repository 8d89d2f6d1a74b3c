package sandbox

import (
	"net/http"
	"time"

	"hongyan/wechat"
)

// wait pauses for ms milliseconds and reports false when the caller left before.
func (c *call) wait(ms int) bool {
	if ms <= 0 {
		return true
	}
	pause := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer pause.Stop()
	select {
	case <-pause.C:
		return true
	case <-c.req.Context().Done():
		return false
	}
}

// process answers and records the call as if there were no rule. Time may have
// passed since it came, so it is looked at afresh.
func (s *Sandbox) process(c *call, ep endpoint, answered bool) (answer, *LedgerEntry) {
	defer s.unlock()
	p := s.lock()
	p.identify(c)
	a := p.answer(ep, c)
	return a, p.record(c, a, answered)
}

// refuse records an answer for which nothing is processed.
func (s *Sandbox) refuse(c *call, a answer, answered bool) *LedgerEntry {
	defer s.unlock()
	p := s.lock()
	p.identify(c)
	return p.record(c, a, answered)
}

// answerCode answers the rule's errcode; nothing is processed.
func (s *Sandbox) answerCode(w http.ResponseWriter, c *call, code int) {
	p := s.lock()
	p.identify(c)
	a := p.fail(c, wechat.Code(code))
	row := p.record(c, a, true)
	s.unlock()
	s.write(w, a, row)
}

// cut closes the connection without an answer; with reset the peer sees a TCP
// reset instead of an end. Where the connection cannot be had, the server is asked
// to abort it.
func cut(w http.ResponseWriter, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if lingerer, ok := conn.(interface{ SetLinger(sec int) error }); ok && reset {
		_ = lingerer.SetLinger(0) // closing then discards and resets
	}
	_ = conn.Close()
}
