package wechat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// MaxAnswerBytes bounds what is read of an answer. A list of 25 templates, the
// largest answer this package asks for, is some 20 KiB; more than 1 MiB does not
// come from the platform and counts as no answer.
const MaxAnswerBytes = 1 << 20

// Answer is what the platform said.
type Answer struct {
	HTTPStatus int
	Code       Code
	Msg        string // errmsg without its rid or hint suffix
	RID        string // the platform's request id, "" if none came
	MsgID      int64  // 0 if none came
	Body       []byte // the whole JSON as it came, at most MaxAnswerBytes
}

var (
	// errTurnedAway is for the 4xx that say nothing about the request itself: a
	// proxy wants a password (407), a front end has too much to do (429).
	errTurnedAway = errors.New("turned away before the platform looked at it")
	errNotAnswer  = errors.New("the answer is not the platform's JSON")
	errTooLong    = fmt.Errorf("the answer is longer than %d bytes", MaxAnswerBytes)
)

// readAnswer reads and judges a response. It reads to the end where it can, so
// that the connection serves again.
func readAnswer(a attempt, resp *http.Response) (Answer, error) {
	ans := Answer{HTTPStatus: resp.StatusCode}
	body, err := readBody(resp)
	switch {
	case isOwnFault(resp.StatusCode):
		return ans, &StatusError{Op: a.op, HTTPStatus: resp.StatusCode}
	case resp.StatusCode/100 == 4:
		return ans, &TransportError{Op: a.op, HTTPStatus: resp.StatusCode, Err: errTurnedAway}
	}
	lost := &TransportError{Op: a.op, Sent: true, HTTPStatus: resp.StatusCode}
	if err != nil {
		lost.Err = redact(err, a.secrets)
		return ans, lost
	}
	if resp.StatusCode/100 != 2 {
		lost.Err = errNotAnswer
		return ans, lost
	}
	wire, err := decodeAnswer(a.op, body)
	if err != nil {
		lost.Err = err
		return ans, lost
	}
	ans.Code, ans.MsgID, ans.Body = wire.code, wire.msgID, body
	if ans.Code == CodeOK {
		ans.Msg, ans.RID = splitErrMsg(wire.msg)
		return ans, nil
	}
	ans.Msg, ans.RID = splitErrMsg(hide(wire.msg, a.secrets))
	ans.Msg = shorten(ans.Msg)
	return ans, &Error{Op: a.op, Code: ans.Code, Msg: ans.Msg, RID: ans.RID}
}

// isOwnFault reports whether the status says that the request is malformed, and
// would be so tomorrow. Of these the platform is known to answer 412 and 415
// (spec §2.5).
func isOwnFault(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusLengthRequired, http.StatusPreconditionFailed,
		http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusUnsupportedMediaType,
		http.StatusRequestHeaderFieldsTooLarge:
		return true
	}
	return false
}

// readBody reads the body up to MaxAnswerBytes. The extra byte of room lets the
// last Read see the end of the body without growing.
func readBody(resp *http.Response) ([]byte, error) {
	room := int64(512)
	if n := resp.ContentLength; n >= 0 && n <= MaxAnswerBytes {
		room = n + 1
	}
	buf := make([]byte, 0, room)
	for {
		n, err := resp.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > MaxAnswerBytes:
			return nil, errTooLong
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return nil, err
		case len(buf) == cap(buf):
			buf = append(buf, 0)[:len(buf)]
		}
	}
}

// wireAnswer holds the members every answer may have.
type wireAnswer struct {
	code  Code
	msg   string
	msgID int64
}

// decodeAnswer reads an answer whatever its Content-Type says: the platform
// labels JSON as text/plain or with "encoding=" in places (spec §2.6). It
// returns an error for everything that is not a JSON object with a usable
// errcode; such an answer proves nothing about the call.
func decodeAnswer(op Endpoint, body []byte) (wireAnswer, error) {
	var plain struct {
		ErrCode *int64 `json:"errcode"`
		ErrMsg  string `json:"errmsg"`
		MsgID   int64  `json:"msgid"`
	}
	if err := json.Unmarshal(body, &plain); err == nil && plain.ErrCode != nil {
		return wireAnswer{Code(*plain.ErrCode), plain.ErrMsg, plain.MsgID}, nil
	}
	return decodeOdd(op, body)
}

// decodeOdd reads answers without errcode, and those whose members have unusual
// types. Only errcode decides about success: a msgid that cannot be read must
// not turn an accepted message into one that is sent again.
func decodeOdd(op Endpoint, body []byte) (wireAnswer, error) {
	var odd struct {
		ErrCode json.RawMessage `json:"errcode"`
		ErrMsg  json.RawMessage `json:"errmsg"`
		MsgID   json.RawMessage `json:"msgid"`
	}
	isObject := bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{"))
	if err := json.Unmarshal(body, &odd); err != nil || !isObject {
		return wireAnswer{}, errNotAnswer
	}
	msgID, _ := integer(odd.MsgID)
	wire := wireAnswer{msg: text(odd.ErrMsg), msgID: msgID}
	if odd.ErrCode == nil {
		if alwaysHasCode(op) && msgID == 0 {
			return wireAnswer{}, errNotAnswer
		}
		return wire, nil
	}
	code, ok := integer(odd.ErrCode)
	if !ok {
		return wireAnswer{}, errNotAnswer
	}
	wire.code = Code(code)
	return wire, nil
}

// integer reads a JSON integer, bare or in quotes, without going through a
// float: a msgid has 19 digits (spec §1).
func integer(raw json.RawMessage) (int64, bool) {
	if len(raw) > 2 && raw[0] == '"' {
		raw = raw[1 : len(raw)-1]
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return 0, false // not ParseInt's nearest number: a msgid like that would be many messages' own
	}
	return n, true
}

// maxErrMsgRunes bounds an errmsg, in characters: it goes into rows, logs and
// pages, and the longest that has been seen is some 200.
const maxErrMsgRunes = 500

func shorten(msg string) string {
	if len(msg) <= maxErrMsgRunes {
		return msg
	}
	if runes := []rune(msg); len(runes) > maxErrMsgRunes {
		return string(runes[:maxErrMsgRunes]) + "…"
	}
	return msg
}

// text is the content of a JSON string, or any other value as it was written.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// decodeResult reads an endpoint's own members from a successful answer. usable
// says whether those the caller cannot do without are there.
func decodeResult(op Endpoint, ans Answer, v any, usable func() bool) error {
	if err := json.Unmarshal(ans.Body, v); err != nil || !usable() {
		return &TransportError{Op: op, Sent: true, HTTPStatus: ans.HTTPStatus, Err: errNotAnswer}
	}
	return nil
}
