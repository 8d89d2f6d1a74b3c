package dispatch

import (
	"context"
	"encoding/json"
	"time"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"
)

// A mini program template message that was posted without form_id takes one of its
// user's stored ones (design §5.5). The store writes that down before the call, and
// what became of it together with the result: a crash in between leaves the message
// with its form_id, which is then asked with once more.

// takenForm is the form_id that a message took for a call.
type takenForm struct {
	hongyan.FormID
	missing bool // there was none
}

const (
	// formAskAgain is the pause after the store could not be asked for a form_id.
	formAskAgain = 5 * time.Second
	// reasonNextForm is why a message is queued whose form_id WeChat refused for good.
	reasonNextForm = "next_form_id"
)

// wantsForm reports whether a message was posted without form_id.
func wantsForm(m *hongyan.Message) bool {
	return m.Kind == hongyan.KindMiniTemplate && payloadFormID(m.Payload) == ""
}

// takeForm gives a message that wants one a form_id, and puts it into the body that
// is sent; the stored one stays without. It reports whether the call may begin; if
// not, o says what becomes of the message.
func (e *Engine) takeForm(ctx context.Context, j *job, o *outcome) bool {
	m, conf, now := &j.m, &j.s.account.settings().Account, e.cfg.Store.Now()
	if !wantsForm(m) {
		return true
	}
	if _, over := beforeSending(conf, m, now); over {
		return true // begin says so
	}
	form, ok, err := e.cfg.Store.TakeForm(ctx, fenceOf(m), m.AppID)
	switch {
	case hongyan.IsKind(err, hongyan.Conflict):
		o.untried = true // another node has it: what is given back here is passed over
	case err != nil:
		e.log.Warn("take a form_id", "appid", m.AppID, "message", m.ID, "err", err)
		o.verdict = later(conf, verdictFor(m), now, now.Add(formAskAgain), reasonRetrying)
	case !ok:
		o.form = &takenForm{missing: true}
		o.verdict = withoutForm(conf, m, now)
	default:
		if m.Payload, err = withFormID(m.Payload, form.FormID); err == nil {
			o.form = &takenForm{FormID: form}
			return true
		}
		e.log.Error("put a form_id into a message", "appid", m.AppID, "message", m.ID, "err", err)
		o.verdict = refused(conf, verdictFor(m), reasonErrcode, now)
	}
	return false
}

// withoutForm holds a message whose user has no form_id left. One in doubt had one,
// which is not remembered any more: it cannot be asked with again.
func withoutForm(a *hongyan.Account, m *hongyan.Message, now time.Time) verdict {
	if !m.DoubtSince.IsZero() {
		return lost(a, verdictFor(m))
	}
	return holdRow(a, verdictFor(m), now, hongyan.Hold{
		Reason: hongyan.HoldNoFormID, Release: "a form_id or prepay_id of this user; it goes by itself when one is stored",
		Detail: "the user has no form_id left",
	})
}

// withFormID returns a stored body with a form_id in it.
func withFormID(body []byte, formID string) ([]byte, error) {
	var w wechat.MiniTemplateMessage
	if err := json.Unmarshal(body, &w); err != nil {
		return nil, err
	}
	w.FormID = formID
	return wechat.MarshalBody(&w)
}

// several reports whether the form serves several messages. A call without answer is
// not made again with it then: while it
// serves further messages WeChat would not tell a second one from a repetition.
func (f *takenForm) several() bool { return f != nil && f.Sends > 1 }

// retryTaken is retryForm for a form_id of the store: the next one takes its place,
// unless it is a payment that the message service may not know yet, or an attempt
// with it may have arrived.
func retryTaken(a *hongyan.Account, v verdict, c call, now time.Time) verdict {
	fresh := c.form.Source == hongyan.FormPaid && now.Sub(c.form.ObtainedAt) < prepayLimit
	switch {
	case wechat.Code(c.attempt.Errcode) == wechat.CodeInvalidFormID && fresh:
		return later(a, v, now, now.Add(prepayWait), reasonPrepay)
	case !v.doubtSince.IsZero():
		return giveUp(a, v, now)
	}
	v.formRefused = c.attempt.Errcode
	return later(a, v, now, now, reasonNextForm)
}

// result says what a verdict means for the form_id; nil when the message took none.
func (f *takenForm) result(m *hongyan.Message, v *verdict) *store.FormResult {
	if f == nil {
		return nil
	}
	r := &store.FormResult{ToUser: m.ToUser, Outcome: store.FormReturned}
	switch {
	case f.missing:
		r.Outcome = store.FormMissing
	case v.formRefused != 0:
		r.Outcome, r.Errcode = store.FormRefused, v.formRefused
	case v.state == hongyan.Accepted || !v.doubtSince.IsZero():
		r.Outcome = store.FormKept
	}
	return r
}

// leftForm looks for the form_id of a message that a dead process left. Without one
// no call was made: untried is true then.
func (e *Engine) leftForm(ctx context.Context, m *hongyan.Message) (form *takenForm, untried bool, err error) {
	if !wantsForm(m) {
		return nil, false, nil
	}
	held, ok, err := e.cfg.Store.FormOf(ctx, m.ID)
	if err != nil {
		return nil, false, err
	}
	if !ok {
		return nil, m.DoubtSince.IsZero(), nil
	}
	return &takenForm{FormID: held}, false, nil
}
