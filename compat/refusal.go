package compat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"hongyan"
	"hongyan/wechat"
)

// refusal is an answer with an errcode other than 0.
type refusal struct {
	code wechat.Code
	text string
	rid  string // WeChat's; "" = one of ours
	bare bool   // WeChat's own answer, which had no rid
	err  error  // the cause, for the log; nil = nothing to log
}

func (e *refusal) Error() string { return fmt.Sprintf("errcode %d: %s", e.code, e.text) }

func (e *refusal) Unwrap() error { return e.err }

// refuse answers a code with the words WeChat has for it.
func refuse(code wechat.Code) error { return &refusal{code: code, text: textOf(code)} }

func refuseWith(code wechat.Code, format string, args ...any) error {
	return &refusal{code: code, text: fmt.Sprintf(format, args...)}
}

// textOf is the errmsg WeChat sends with a code, without its rid.
func textOf(code wechat.Code) string {
	info, _ := wechat.LookupCode(int(code))
	return cmp.Or(info.Text, "error")
}

// systemError is -1: the fault is on the way to WeChat or ours, and detail says
// whether anything may have happened. It is never the answer for a stored message.
func systemError(detail string, err error) error {
	return &refusal{code: wechat.CodeSystemError, text: textOf(wechat.CodeSystemError) + ": " + detail, err: err}
}

// refuse writes the answer for an error, the one place where that is done.
func (g *Gate) refuse(x *exchange, err error) {
	if errors.Is(err, errGone) || errors.Is(err, context.Canceled) && x.ctx().Err() != nil {
		panic(http.ErrAbortHandler) // nobody is there to read an answer
	}
	no := g.refusalOf(err)
	rid := no.rid
	if rid == "" && !no.bare {
		rid = newRID(g.cfg.Store.Now())
	}
	if no.err != nil {
		g.log.WarnContext(x.ctx(), "answered a system error", "path", x.path, "appid", x.appID, "rid", rid, "err", no.err)
	}
	x.code = int(no.code)
	x.write(errcodeBody(no.code, no.text, rid))
}

// refusalOf turns any error into an answer. What it does not know is a fault of
// ours, of which only the rid is told.
func (g *Gate) refusalOf(err error) *refusal {
	if no, ok := errors.AsType[*refusal](err); ok {
		return no
	}
	if no, ok := errors.AsType[*hongyan.TokenError](err); ok {
		return tokenTrouble(no)
	}
	detail := "the gateway failed, nothing was done"
	switch hongyan.KindOf(err) {
	case hongyan.Full:
		detail = "the gateway's disk is full, nothing was accepted"
	case hongyan.Unavailable:
		e, _ := errors.AsType[*hongyan.Error](err)
		detail = e.Message + "; nothing was accepted"
	}
	no, _ := errors.AsType[*refusal](systemError(detail, err))
	return no
}

// tokenTrouble says why there is no access_token: with WeChat's own code if it gave
// one. A code that would send the caller for another token would make him ask in a
// circle, so it is -1.
func tokenTrouble(e *hongyan.TokenError) *refusal {
	if hongyan.IsKind(e, hongyan.NotFound) { // the account was deleted a moment ago
		return &refusal{code: wechat.CodeInvalidCredential, text: textOf(wechat.CodeInvalidCredential)}
	}
	text := "no access_token for " + e.AppID + ": " + e.Reason
	if e.Errcode > 0 && wechat.ClassOf(wechat.EndpointTemplateSend, wechat.Code(e.Errcode)) != wechat.ClassToken {
		return &refusal{code: wechat.Code(e.Errcode), text: text}
	}
	return &refusal{code: wechat.CodeSystemError, text: textOf(wechat.CodeSystemError) + ": " + text}
}
