package wechat

import (
	"errors"
	"fmt"
)

// Error is a business error: the platform understood the call and answered with
// a code. Its text is safe to show to people; match on Code, never on Msg.
type Error struct {
	Op   Endpoint
	Code Code
	Msg  string // errmsg without its rid or hint suffix
	RID  string // the platform's request id, "" if none came
}

func (e *Error) Error() string {
	text := fmt.Sprintf("wechat: %s: errcode %d: %s", e.Op, e.Code, e.Msg)
	if e.RID != "" {
		text += " (rid " + e.RID + ")"
	}
	return text
}

// Class says what to do about the error; see ClassOf.
func (e *Error) Class() Class { return ClassOf(e.Op, e.Code) }

// TransportError says that no business answer came. Sent tells the two cases
// apart that matter for sending again: when false, no byte of the request can
// have left, or an HTTP 4xx says that it was turned away unread; when true the
// platform may have acted on it (spec §2.11).
type TransportError struct {
	Op         Endpoint
	Sent       bool
	HTTPStatus int   // status of an unusable answer (407, 5xx, HTML, truncated JSON); 0 if none came
	Err        error // the cause, freed of secrets and of anything the peer wrote
}

func (e *TransportError) Error() string {
	act := "not sent"
	if e.Outcome() == OutcomeNoAnswer {
		act = "no answer"
	}
	if e.HTTPStatus != 0 {
		return fmt.Sprintf("wechat: %s: %s: HTTP %d: %v", e.Op, act, e.HTTPStatus, e.Err)
	}
	return fmt.Sprintf("wechat: %s: %s: %v", e.Op, act, e.Err)
}

// Unwrap gives the redacted cause; errors.Is finds context.Canceled,
// context.DeadlineExceeded and system errors such as ECONNREFUSED in it.
func (e *TransportError) Unwrap() error { return e.Err }

// Outcome is OutcomeNoAnswer or OutcomeNotSent.
func (e *TransportError) Outcome() Outcome {
	if e.Sent {
		return OutcomeNoAnswer
	}
	return OutcomeNotSent
}

// StatusError is an HTTP answer that blames the request: the platform's front end
// refused it as malformed (412 without Content-Length, 415 for the wrong type;
// spec §2.5). It is a fault of ours, class request, and never worth a retry. Other
// 4xx, such as a proxy's 407, are a TransportError.
type StatusError struct {
	Op         Endpoint
	HTTPStatus int
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("wechat: %s: refused with HTTP %d", e.Op, e.HTTPStatus)
}

// TokenError says that a call was never made because its TokenSource gave no
// access token. Err is the source's error.
type TokenError struct {
	Op  Endpoint
	Err error
}

func (e *TokenError) Error() string { return fmt.Sprintf("wechat: %s: get token: %v", e.Op, e.Err) }

// Unwrap gives the token source's error.
func (e *TokenError) Unwrap() error { return e.Err }

// Outcome says how far a call got.
type Outcome uint8

const (
	OutcomeAnswered Outcome = iota // the platform said yes or no
	OutcomeNoAnswer                // it may or may not have acted
	OutcomeNotSent                 // it cannot have acted
)

var outcomeNames = [...]string{"answered", "no_answer", "not_sent"}

// String gives "answered", "no_answer" or "not_sent".
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// OutcomeOf tells how far the call got that returned err. nil is answered. An
// error that is not from this package is OutcomeNoAnswer, the careful reading.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return OutcomeAnswered
	}
	if _, ok := errors.AsType[*TokenError](err); ok {
		return OutcomeNotSent
	}
	if _, ok := errors.AsType[*RequestError](err); ok {
		return OutcomeNotSent
	}
	if e, ok := errors.AsType[*TransportError](err); ok {
		return e.Outcome()
	}
	if isAnswer(err) {
		return OutcomeAnswered
	}
	return OutcomeNoAnswer
}

func isAnswer(err error) bool {
	_, business := errors.AsType[*Error](err)
	_, status := errors.AsType[*StatusError](err)
	return business || status
}

// ClassOfError gives the class of an error returned by this package: success for
// nil, the code's class for *Error, request for *StatusError and *RequestError,
// not_sent or no_answer for *TransportError. A *TokenError has the class of the platform's
// answer to the token fetch, or not_sent if there was none. An error from
// elsewhere is ClassUnknown.
func ClassOfError(err error) Class {
	if err == nil {
		return ClassSuccess
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class()
	}
	if _, ok := errors.AsType[*TokenError](err); ok {
		return ClassNotSent
	}
	if _, ok := errors.AsType[*StatusError](err); ok {
		return ClassRequest
	}
	if _, ok := errors.AsType[*RequestError](err); ok {
		return ClassRequest
	}
	if e, ok := errors.AsType[*TransportError](err); ok {
		if e.Outcome() == OutcomeNoAnswer {
			return ClassNoAnswer
		}
		return ClassNotSent
	}
	return ClassUnknown
}
