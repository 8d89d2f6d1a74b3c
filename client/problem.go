package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Problem is a refusal of the gateway (RFC 9457, application/problem+json). As
// an error it says what is wrong in one line. Get at it with errors.AsType:
//
//	if p, ok := errors.AsType[*client.Problem](err); ok {
//		for _, f := range p.Errors {
//			fmt.Println(f.Pointer, f.Detail)
//		}
//	}
//
// or ask for its code with errors.Is and one of the constants of type Code.
type Problem struct {
	Type      string       `json:"type" doc:"Path of a page that explains the code, e.g. /problems/unknown_template." example:"/problems/unknown_template"`
	Title     string       `json:"title" doc:"The kind of problem in a few words; the same for every occurrence."`
	Status    int          `json:"status" doc:"The HTTP status." example:"422"`
	Detail    string       `json:"detail" doc:"What is wrong this time, and what to do about it."`
	Code      string       `json:"code" doc:"Stable word for programs." example:"unknown_template"`
	Errors    []FieldError `json:"errors" nullable:"false" doc:"The fields at fault. Values of secret fields are never repeated."`
	RequestID string       `json:"request_id" doc:"Find the request in the gateway's log by this."`
	Retryable bool         `json:"retryable" doc:"true: the same request may succeed later (see Retry-After)."`
	// NextRow is the row that a batch wants next, in refusals of an upload.
	NextRow int64 `json:"next_row,omitzero" doc:"Of a refused upload of recipients: the row that the batch wants next."`
	// RetryAfter is how long the gateway asks to wait; 0 = it did not say.
	RetryAfter time.Duration `json:"-"`
}

// FieldError is one field at fault.
type FieldError struct {
	Pointer  string `json:"pointer" doc:"RFC 6901 pointer into the body, /query/NAME for a query parameter, /header/NAME for a header." example:"/data/thing1"`
	Detail   string `json:"detail" doc:"The rule and what broke it."`
	Rule     string `json:"rule,omitempty" doc:"Short id of the rule, for values of data." example:"thing:max20"`
	DetailZH string `json:"detail_zh,omitempty" doc:"detail in Chinese, where there is one."`
}

// Error returns status, code, detail and the fields at fault.
func (p *Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (HTTP %d, %s)", p.Detail, p.Status, p.Code)
	for _, f := range p.Errors {
		if f.Detail != p.Detail {
			fmt.Fprintf(&b, "; %s: %s", f.Pointer, f.Detail)
		}
	}
	if p.RequestID != "" {
		fmt.Fprintf(&b, " [%s]", p.RequestID)
	}
	return b.String()
}

// Is reports whether target is the problem's Code, for errors.Is.
func (p *Problem) Is(target error) bool {
	code, ok := target.(Code)
	return ok && string(code) == p.Code
}

// Field returns what is wrong with the field at an RFC 6901 pointer, e.g.
// "/data/thing1"; "" when nothing is.
func (p *Problem) Field(pointer string) string {
	for _, f := range p.Errors {
		if f.Pointer == pointer {
			return f.Detail
		}
	}
	return ""
}

// A Code is the stable word of a Problem. It is an error to be compared with, as
// in errors.Is(err, CodeUnknownTemplate); no call returns one bare. WeChat's own
// refusals have the code "wechat_" and the errcode: see WeChatCode.
type Code string

// Error returns the word.
func (c Code) Error() string { return string(c) }

// WeChatCode returns the code of a Problem that WeChat's errcode caused, such as
// "wechat_40037".
func WeChatCode(errcode int) Code { return Code("wechat_" + strconv.Itoa(errcode)) }

// CodeOf returns the code of the Problem in err's chain, "" when there is none.
func CodeOf(err error) Code {
	if p, ok := errors.AsType[*Problem](err); ok {
		return Code(p.Code)
	}
	return ""
}

// Retryable reports whether the same call may succeed later: there was no answer, or one
// that says so. A call that sends must carry the same idempotency key again.
func Retryable(err error) bool {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.Retryable || p.Status == http.StatusTooManyRequests
	}
	_, ok := errors.AsType[unanswered](err)
	return ok
}

// unanswered is a call that got no answer, or not all of it.
type unanswered struct{ err error }

func (u unanswered) Error() string { return u.err.Error() }
func (u unanswered) Unwrap() error { return u.err }

// What tells a gateway's answer from somebody else's. A local WeChat says what
// it is, and WeChat's own answers begin with their errcode.
const (
	requestIDHeader = "X-Request-Id" // on every answer of a gateway
	sandboxHeader   = "X-Hongyan-Sandbox"
	wechatStart     = `{"errcode"`
)

// foreign reports whether an answer cannot be a gateway's. Without this check
// any server that says 200 to everything would pass for one.
func foreign(res *http.Response, body []byte) bool {
	return res.Header.Get(requestIDHeader) == "" || res.Header.Get(sandboxHeader) != "" ||
		bytes.HasPrefix(bytes.TrimSpace(body), []byte(wechatStart))
}

// NotAGateway is the Code of a Problem made of an answer that looks like a
// success but is not a gateway's.
const NotAGateway = "not_a_gateway"

func notAGateway(res *http.Response) *Problem {
	p := &Problem{
		Title: "Not a gateway", Status: res.StatusCode, Code: NotAGateway, Errors: []FieldError{},
		Detail: fmt.Sprintf("the answer (HTTP %d) is not from a Hongyan gateway", res.StatusCode),
	}
	if res.Header.Get(sandboxHeader) != "" {
		p.Detail += " but from a sandbox, the local WeChat"
	}
	return p
}

// newProblem reads a refusal. Something between us and the gateway may answer
// without our JSON; then the code is "http_<status>", and nothing of what it said
// is repeated.
func newProblem(res *http.Response, body []byte) *Problem {
	p := &Problem{}
	if err := json.Unmarshal(body, p); err != nil || p.Code == "" {
		p = &Problem{
			Title:     http.StatusText(res.StatusCode),
			Code:      "http_" + strconv.Itoa(res.StatusCode),
			Detail:    "the answer is not from a Hongyan gateway; is the URL right, and what is in front of it?",
			Retryable: res.StatusCode >= http.StatusInternalServerError,
			Errors:    []FieldError{},
		}
		if to, err := res.Location(); err == nil {
			p.Detail = fmt.Sprintf("the answer is a redirect to %s://%s, which is not followed; is that where the gateway is?", to.Scheme, to.Host)
		}
	}
	p.Status = res.StatusCode
	if p.RequestID == "" {
		p.RequestID = res.Header.Get(requestIDHeader)
	}
	p.RetryAfter = retryAfter(res.Header.Get("Retry-After"))
	return p
}

// maxRetryAfter bounds a Retry-After that would overflow a Duration.
const maxRetryAfter = 365 * 24 * time.Hour

// retryAfter reads the header's two forms, seconds and a time; 0 for none.
func retryAfter(text string) time.Duration {
	if s, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Duration(min(max(s, 0), int64(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(time.Until(at), 0), maxRetryAfter)
	}
	return 0
}
