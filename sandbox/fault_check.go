package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Page is a page of HTML. In JSON it is text, or true for a page such as
// overloaded proxies send.
type Page string

const defaultPage = Page("<!DOCTYPE html>\n<html><head><title>系统繁忙</title></head><body><h1>系统繁忙，请稍后再试</h1></body></html>\n")

// UnmarshalJSON implements json.Unmarshaler.
func (p *Page) UnmarshalJSON(b []byte) error {
	if string(b) == "true" {
		*p = defaultPage
		return nil
	}
	return json.Unmarshal(b, (*string)(p))
}

// CutShort is how many bytes of an answer are sent; -1 is half of it, and true in
// JSON. An answer that is shorter is cut by one byte, so that none stays whole.
type CutShort int

// UnmarshalJSON implements json.Unmarshaler.
func (n *CutShort) UnmarshalJSON(b []byte) error {
	if string(b) == "true" {
		*n = -1
		return nil
	}
	return json.Unmarshal(b, (*int)(n))
}

// MarshalJSON implements json.Marshaler.
func (n CutShort) MarshalJSON() ([]byte, error) {
	if n == -1 {
		return []byte("true"), nil
	}
	return json.Marshal(int(n))
}

// apply cuts the answer. Its Content-Length is that of what is left: the HTTP is
// right, the content is not.
func (n CutShort) apply(a answer) answer {
	switch {
	case n == 0 || len(a.body) == 0:
	case n < 0:
		a.body = a.body[:len(a.body)/2]
	default:
		a.body = a.body[:min(int(n), len(a.body)-1)]
	}
	return a
}

// replaces reports that the rule answers in the platform's place: nothing is processed.
func (f *Fault) replaces() bool { return f.ErrCode != 0 || f.HTTPStatus != 0 || f.HTML != "" }

// bodiless are the HTTP statuses whose answers have no body; net/http refuses to write one.
var bodiless = []int{http.StatusNoContent, http.StatusNotModified}

// page is the answer of a rule with http_status or html.
func (f *Fault) page() answer {
	a := httpAnswer(200)
	if f.HTTPStatus != 0 {
		a = httpAnswer(f.HTTPStatus)
	}
	switch {
	case f.HTML != "":
		a.body = []byte(f.HTML)
	case slices.Contains(bodiless, f.HTTPStatus):
		a.body = nil
	}
	return a
}

func (f *Fault) check() error {
	if f.Path == "" || f.Path != "*" && !strings.HasPrefix(f.Path, "/") {
		return &ControlError{Field: "path", Rule: `must be a path such as /cgi-bin/message/template/send, or "*"`, Value: f.Path}
	}
	return firstError(
		f.checkTarget(), f.checkEffect(), f.checkSense(), f.EventFault.check(),
		atLeast("nth", &f.Nth, 0), atLeast("times", &f.Times, 0),
		millisFrom("delay_ms", &f.DelayMS, 0), millisFrom("hang_ms", &f.HangMS, 0), millisFrom("drip_ms", &f.DripMS, 0),
		oneOf("reset", f.Reset, resetBefore, resetAfter),
		f.checkRanges(), f.checkBurst(),
	)
}

// maxErrCode bounds an errcode; the platform's longest have seven digits (1119003).
const maxErrCode = 9_999_999

// checkTarget refuses what could never strike: a test with such a rule would be
// green and prove nothing.
func (f *Fault) checkTarget() error {
	if i := strings.IndexByte(f.Path, '*'); i >= 0 && i != len(f.Path)-1 {
		return &ControlError{Field: "path", Rule: `takes a "*" at its end only`, Value: f.Path}
	}
	if f.OpenID != "" && !validOpenID(f.OpenID) {
		return &ControlError{Field: "openid", Rule: "must be an openid: 28 characters, an o first", Value: f.OpenID}
	}
	if f.ErrCode < -maxErrCode || f.ErrCode > maxErrCode {
		return &ControlError{Field: "errcode", Rule: fmt.Sprintf("must be from -%d to %d", maxErrCode, maxErrCode), Value: f.ErrCode}
	}
	return nil
}

// effect is a field of a rule, and whether it is set.
type effect struct {
	name string
	set  bool
}

func named(effects []effect) (names []string) {
	for _, e := range effects {
		if e.set {
			names = append(names, e.name)
		}
	}
	return names
}

// insteads are the things that can happen instead of a plain answer.
func (f *Fault) insteads() []string {
	return named([]effect{
		{"errcode", f.ErrCode != 0}, {"http_status", f.HTTPStatus != 0}, {"html", f.HTML != "" && f.HTTPStatus == 0},
		{"drop_answer", f.DropAnswer}, {"hang_ms", f.HangMS != 0}, {"reset", f.Reset != ""},
	})
}

// spoilings are the things that can be done to an answer.
func (f *Fault) spoilings() []string {
	return named([]effect{{"truncate", f.Truncate != 0}, {"drip_ms", f.DripMS != 0}})
}

func (f *Fault) checkEffect() error {
	insteads := f.insteads()
	const rule = "at most one of errcode, http_status or html, drop_answer, hang_ms, reset"
	switch {
	case len(insteads) > 1:
		return &ControlError{Field: insteads[1], Rule: rule, Value: strings.Join(insteads, ", ")}
	case f.HTML != "" && f.ErrCode != 0:
		return &ControlError{Field: "html", Rule: rule, Value: "errcode, html"}
	case len(insteads) == 0 && len(f.spoilings()) == 0 && f.EventFault == (EventFault{}) && f.DelayMS == 0:
		return &ControlError{Field: "errcode", Rule: "a rule must do something: " + rule + "; truncate, drip_ms; an event field; or delay_ms", Value: "none"}
	}
	return nil
}

// checkSense refuses what cannot happen together.
func (f *Fault) checkSense() error {
	noAnswer := f.DropAnswer || f.Reset != ""
	if spoilings := f.spoilings(); len(spoilings) > 0 && noAnswer {
		return &ControlError{Field: spoilings[0], Rule: "needs an answer: it cannot go with drop_answer or reset"}
	}
	if names := f.EventFault.names(); len(names) > 0 && (f.replaces() || f.Reset == resetBefore) {
		return &ControlError{Field: names[0], Rule: `needs a message: with errcode, http_status, html or reset "before" nothing is sent`}
	}
	return nil
}

func (f *Fault) checkRanges() error {
	if f.HTTPStatus != 0 && (f.HTTPStatus < 200 || f.HTTPStatus > 599) {
		return &ControlError{Field: "http_status", Rule: "must be from 200 to 599", Value: f.HTTPStatus}
	}
	if f.HTML != "" && slices.Contains(bodiless, f.HTTPStatus) {
		return &ControlError{Field: "html", Rule: "cannot go with a status that has no body", Value: f.HTTPStatus}
	}
	if f.Rate != nil && (*f.Rate < 0 || *f.Rate > 1) {
		return &ControlError{Field: "rate", Rule: "must be from 0 to 1", Value: *f.Rate}
	}
	if f.Truncate < -1 {
		return &ControlError{Field: "truncate", Rule: "must be true or at least 1", Value: int(f.Truncate)}
	}
	return nil
}

func (f *Fault) checkBurst() error {
	switch {
	case f.EveryMS == 0 && f.ForMS == 0:
		return nil
	case f.EveryMS < 1:
		return &ControlError{Field: "every_ms", Rule: "must be at least 1 where for_ms is given", Value: f.EveryMS}
	case f.ForMS < 1 || f.ForMS > f.EveryMS:
		return &ControlError{Field: "for_ms", Rule: "must be from 1 to every_ms", Value: f.ForMS}
	}
	return nil
}
