package sandbox

import (
	"net/http"
	"time"

	"hongyan/wechat"
)

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
	case f.HTTPStatus != 0 || f.HTML != "":
		a := f.Truncate.apply(f.page())
		s.send(w, c, a, s.refuse(c, a, true))
	case f.ErrCode != 0:
		a, row := s.answerCode(c, f)
		s.send(w, c, a, row)
	case f.DropAnswer || f.Reset == resetAfter:
		a, _ := s.process(c, ep, false)
		s.awaitEarly(c, a)
		cut(w, f.Reset == resetAfter)
	default: // the answer comes, late or spoiled, or the event is what is spoiled
		a, row := s.process(c, ep, true)
		s.awaitEarly(c, a)
		s.send(w, c, a, row)
	}
}

// send writes the answer, byte by byte if the rule says so.
func (s *Sandbox) send(w http.ResponseWriter, c *call, a answer, row *LedgerEntry) {
	if c.fault.DripMS == 0 {
		s.write(w, a, row)
		return
	}
	a.head(w)
	out := http.NewResponseController(w)
	for i := range a.body {
		if !c.wait(c.fault.DripMS) {
			s.unanswered(row)
			panic(http.ErrAbortHandler) // the caller has left
		}
		_, err := w.Write(a.body[i : i+1])
		if err != nil || out.Flush() != nil {
			s.unanswered(row)
			return
		}
	}
}

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

// process answers and records the call as if there were no rule; only the answer's
// bytes and the event may be spoiled. Time may have passed since the call came, so
// it is looked at afresh.
func (s *Sandbox) process(c *call, ep endpoint, answered bool) (answer, *LedgerEntry) {
	defer s.unlock()
	p := s.lock()
	p.identify(c)
	a := p.answer(ep, c)
	if a.accepted != nil {
		a.accepted.bent = c.fault.EventFault
	}
	a = c.fault.Truncate.apply(a)
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
func (s *Sandbox) answerCode(c *call, f *Fault) (answer, *LedgerEntry) {
	defer s.unlock()
	p := s.lock()
	p.identify(c)
	a := f.Truncate.apply(p.fail(c, wechat.Code(f.ErrCode)))
	return a, p.record(c, a, true)
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
