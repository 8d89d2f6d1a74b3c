package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"hongyan"
	"hongyan/client"
	"hongyan/wechat"
)

// problem is an answer that refuses, with the headers that go with it.
type problem struct {
	client.Problem
	header http.Header
}

// What huma asks of an error it shall write.
var (
	_ huma.StatusError       = (*problem)(nil)
	_ huma.HeadersError      = (*problem)(nil)
	_ huma.ContentTypeFilter = (*problem)(nil)
)

func (p *problem) GetStatus() int            { return p.Status }
func (p *problem) GetHeaders() http.Header   { return p.header }
func (p *problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

// kindStatus is the one table from an error's kind to an HTTP status. A code
// may have a status of its own, see problemCodes.
var kindStatus = map[hongyan.Kind]int{
	hongyan.Internal:     http.StatusInternalServerError,
	hongyan.Invalid:      http.StatusUnprocessableEntity,
	hongyan.NotFound:     http.StatusNotFound,
	hongyan.Conflict:     http.StatusConflict,
	hongyan.Unauthorized: http.StatusUnauthorized,
	hongyan.Forbidden:    http.StatusForbidden,
	hongyan.Unavailable:  http.StatusServiceUnavailable,
	hongyan.Full:         http.StatusInsufficientStorage,
}

// Pauses asked of callers where nothing better is known.
const (
	retryUnavailable = 5 * time.Second
	retryFull        = 30 * time.Second // a disk is seldom emptied faster
)

// newProblem turns any error into an answer. What is not meant to be shown
// becomes "internal" with a request id and nothing else.
func newProblem(requestID string, err error) *problem {
	p := problemOf(asShown(err))
	p.RequestID = requestID
	return p
}

// asShown finds or makes the *hongyan.Error that says what may be shown of err.
func asShown(err error) *hongyan.Error {
	if e, ok := errors.AsType[*hongyan.Error](err); ok && e.Kind != hongyan.Internal {
		return e
	}
	if e, ok := errors.AsType[*hongyan.TokenError](err); ok {
		return tokenProblem(e)
	}
	if e := wechatProblem(err); e != nil {
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &hongyan.Error{Kind: hongyan.Unavailable, Code: "timed_out", Message: "the request took too long or was given up", Err: err}
	}
	return &hongyan.Error{Kind: hongyan.Internal, Message: "something went wrong inside the gateway",
		Hint: "Its log tells the cause under this request id.", Err: err}
}

func problemOf(e *hongyan.Error) *problem {
	code := e.Code
	if code == "" || e.Kind == hongyan.Internal {
		code = e.Kind.String()
	}
	info := explainCode(code, e.Kind)
	p := &problem{Problem: client.Problem{
		Type:   problemPath + code,
		Title:  info.title,
		Status: info.status,
		Detail: sentence(e.Message, e.Hint),
		Code:   code,
		Errors: make([]client.FieldError, 0, len(e.Fields)), NextRow: wantedRow(e),
	}}
	for _, f := range e.Fields {
		p.Errors = append(p.Errors, client.FieldError(f))
	}
	p.advise(e)
	return p
}

// advise adds what a program needs to go on: whether and when to try again, or
// how to authenticate.
func (p *problem) advise(e *hongyan.Error) {
	pause := time.Duration(0)
	switch e.Kind {
	case hongyan.Unavailable:
		pause = retryUnavailable
	case hongyan.Full:
		pause = retryFull
	case hongyan.Unauthorized:
		p.header = http.Header{"Www-Authenticate": {`Bearer realm="hongyan"`}}
	}
	if e, ok := errors.AsType[*hongyan.TokenError](e.Err); ok && pause > 0 && !e.RetryAt.IsZero() {
		pause = max(time.Until(e.RetryAt), time.Second)
	}
	if pause > 0 {
		p.Retryable = true
		p.header = retryHeader(pause)
	}
	if wait, ok := errors.AsType[retryAfter](e.Err); ok {
		p.header = retryHeader(time.Duration(wait))
	}
}

func retryHeader(pause time.Duration) http.Header {
	return http.Header{"Retry-After": {strconv.Itoa(int((pause + time.Second - 1) / time.Second))}}
}

// sentence joins what is wrong and what to do about it.
func sentence(message, hint string) string {
	if hint == "" {
		return message
	}
	first, size := utf8.DecodeRuneInString(hint)
	return strings.TrimRight(message, ". ") + ". " + string(unicode.ToUpper(first)) + hint[size:]
}

// tokenProblem: what a person must mend is a conflict, anything else passes.
func tokenProblem(e *hongyan.TokenError) *hongyan.Error {
	shown := &hongyan.Error{Kind: hongyan.Unavailable, Code: "token_unavailable", Message: e.Error(), Err: e}
	if e.Stopped {
		shown.Kind, shown.Code = hongyan.Conflict, "token_stopped"
	}
	// The reason of a stopped account has WeChat's advice in it already.
	if info, ok := wechat.LookupCode(e.Errcode); ok && e.Errcode != 0 && !strings.Contains(e.Reason, info.Hint) {
		shown.Hint = info.Hint
	}
	return shown
}

// wechatProblem explains an error of a call to WeChat; nil when err is none.
// What passes by itself is Unavailable, the rest Invalid: no status says that
// the gateway is at fault, because it is not.
func wechatProblem(err error) *hongyan.Error {
	if e, ok := errors.AsType[*wechat.Error](err); ok {
		return wechatRefusal(e, err)
	}
	if e, ok := errors.AsType[*wechat.StatusError](err); ok {
		return &hongyan.Error{Kind: hongyan.Unavailable, Code: "wechat_no_answer", Message: fmt.Sprintf("WeChat's front end answered HTTP %d", e.HTTPStatus), Err: err}
	}
	e, ok := errors.AsType[*wechat.TransportError](err)
	if !ok {
		return nil
	}
	if e.Outcome() == wechat.OutcomeNotSent {
		return &hongyan.Error{Kind: hongyan.Unavailable, Code: "wechat_not_reached", Message: "WeChat could not be reached; nothing was done there", Err: err}
	}
	return &hongyan.Error{Kind: hongyan.Unavailable, Code: "wechat_no_answer", Message: "WeChat did not answer; it may or may not have done what was asked", Err: err}
}

func wechatRefusal(e *wechat.Error, err error) *hongyan.Error {
	shown := &hongyan.Error{Kind: hongyan.Invalid, Code: wechatCodePrefix + strconv.Itoa(int(e.Code)), Err: err}
	shown.Message = fmt.Sprintf("WeChat refused: errcode %d, %s", e.Code, e.Msg)
	if e.RID != "" {
		shown.Message += " (rid " + e.RID + ")"
	}
	switch e.Class() {
	case wechat.ClassToken, wechat.ClassTransient, wechat.ClassQuota, wechat.ClassUnknown:
		shown.Kind = hongyan.Unavailable
	}
	if info, ok := wechat.LookupCode(int(e.Code)); ok {
		shown.Hint = info.Hint
	}
	return shown
}

// frameworkProblem is what huma says about a request: parameters and bodies it
// could not read. It replaces huma's own error model.
func frameworkProblem(ctx huma.Context, status int, _ string, errs ...error) huma.StatusError {
	info := new(requestInfo)
	if ctx != nil {
		info = infoOf(ctx.Context())
	}
	e := frameworkError(status, errs)
	info.change.failed = e
	return newProblem(info.id, e)
}

func frameworkError(status int, errs []error) *hongyan.Error {
	e := &hongyan.Error{Kind: hongyan.Invalid, Code: "bad_parameter"}
	for _, err := range errs {
		if own, ok := errors.AsType[*hongyan.Error](err); ok {
			return own
		}
		if detail, ok := errors.AsType[*huma.ErrorDetail](err); ok {
			e.Fields = append(e.Fields, hongyan.FieldError{Pointer: locationPointer(detail.Location), Detail: detailWords(detail)})
		}
	}
	switch {
	case len(e.Fields) > 0:
		e.Message = e.Fields[0].Pointer + ": " + e.Fields[0].Detail
	case status == http.StatusBadRequest:
		e.Code, e.Message = "bad_json", "the body is empty; it must be a JSON object"
	default:
		e = asShown(fmt.Errorf("framework answered %d", status))
	}
	return e
}

// detailWords adds the value to what huma says. Bodies are not huma's to check,
// so that the value comes from the path or the query, where we take no secrets.
func detailWords(d *huma.ErrorDetail) string {
	if value := fmt.Sprint(d.Value); d.Value != nil && value != "" {
		return fmt.Sprintf("%s, got %q", d.Message, clip(value))
	}
	return d.Message
}

// locationPointer turns huma's "query.limit" into "/query/limit".
func locationPointer(location string) string {
	return "/" + strings.ReplaceAll(location, ".", "/")
}

// writeError answers r with the problem err stands for, and logs it if it is
// ours to mend. It is the one place where plain handlers refuse.
func (a *API) writeError(w http.ResponseWriter, r *http.Request, err error) {
	p := newProblem(w.Header().Get(requestIDHeader), err)
	a.logProblem(r.Context(), p, err)
	DrainBody(w, r)
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_ = encode(w, p)
}

// logProblem logs what an operator must know of: faults of ours and conditions
// that keep requests from being served. Refused requests are the caller's affair.
func (a *API) logProblem(ctx context.Context, p *problem, err error) {
	switch p.Status {
	case http.StatusInternalServerError:
		a.log.ErrorContext(ctx, "request failed", "request_id", p.RequestID, "err", err)
	case http.StatusServiceUnavailable, http.StatusInsufficientStorage:
		a.log.WarnContext(ctx, "request refused for now", "request_id", p.RequestID, "code", p.Code, "err", err)
	}
}
