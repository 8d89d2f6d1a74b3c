package dispatch

import (
	"context"
	"errors"
	"slices"
	"time"

	"hongyan"
	"hongyan/internal/fault"
	"hongyan/store"
	"hongyan/wechat"
)

// startWorkers begins calls for ready messages up to the stream's limit. The
// caller holds e.mu.
func (e *Engine) startWorkers(s *stream, now time.Time) {
	for s.inflight < int(s.limit) && e.mayStart(s, now) {
		m := s.pop()
		s.inflight++
		e.assign(job{s: s, m: m})
	}
}

// mayStart reports whether a ready message may be begun, concurrency aside.
func (e *Engine) mayStart(s *stream, now time.Time) bool {
	return len(s.ready) > 0 && !e.stopping && !e.broken && s.open(now) && e.alive()
}

// job is a leased message for a worker.
type job struct {
	s        *stream
	m        hongyan.Message
	released bool // by a person: nothing keeps it but a pause or a stopped account
}

// idleWorker is how long a worker without work waits for some. A goroutine
// that has made a call has the stack for the next one; a new one grows it anew.
const idleWorker = time.Second

// assign hands a job to an idle worker, or to a new one. The caller holds e.mu
// and has counted the job as under way.
func (e *Engine) assign(j job) {
	select {
	case e.jobs <- j:
	default:
		e.workers.Go(func() { e.work(j) })
	}
}

// pop takes the next ready message.
func (s *stream) pop() hongyan.Message {
	m := s.ready[0]
	s.ready[0] = hongyan.Message{} // let the payload go
	s.ready = s.ready[1:]
	return m
}

// work does j, then whatever else of its stream is ready, then any other job
// that comes soon.
func (e *Engine) work(j job) {
	idle := time.NewTimer(idleWorker)
	defer idle.Stop()
	for {
		for more := true; more; {
			o := e.attempt(&j)
			j, more = e.settle(j.s, &j.m, o)
		}
		idle.Reset(idleWorker)
		select {
		case j = <-e.jobs:
		case <-idle.C:
			return
		case <-e.quit:
			return
		}
	}
}

// outcome is what an attempt came to.
type outcome struct {
	verdict  verdict
	attempts []hongyan.Attempt
	counted  int64 // calls that count against the quota
	untried  bool  // nothing was done: give the message back
	tokenErr *hongyan.TokenError
	reserved bool       // a call of the template was set aside
	form     *takenForm // nil = the message needs none of the store's
}

// attempt makes one call for a message, and a second one when the first was
// refused for its token.
func (e *Engine) attempt(j *job) outcome {
	var o outcome
	ctx, a, m := e.sendCtx, j.s.account, &j.m
	v, kept := e.unshelved(ctx, j)
	if !kept { // last: a place of the user's day may be taken
		v, kept = e.spare(ctx, j)
	}
	if kept {
		o.verdict = v
		return o
	}
	for n := 0; ; n++ {
		token, err := e.cfg.Tokens.AccessToken(ctx, a.AppID)
		if err != nil {
			return e.withoutToken(a, m, o, err)
		}
		if limitsTemplates(a.settings().EffectiveQuotas()) {
			e.stockUp(ctx, a, 1, m.TemplateID)
		}
		if n == 0 && !e.takeForm(ctx, j, &o) {
			return o
		}
		// Here and not earlier: a token may have been long in coming.
		if !e.begin(j, &o) {
			return o
		}
		c := e.call(ctx, a, m, token, m.Attempts+n)
		c.form = o.form
		o.attempts = append(o.attempts, c.attempt)
		tokenRefused := c.attempt.Outcome == hongyan.Answered && c.class == wechat.ClassToken
		if c.attempt.Outcome != hongyan.NotSent && !tokenRefused {
			o.counted++
		}
		if tokenRefused && n == 0 {
			if err := e.cfg.Tokens.Invalidate(ctx, a.AppID, token); err != nil {
				return e.withoutToken(a, m, o, err) // it says why there is no other token
			}
			continue
		}
		o.verdict = decide(&a.settings().Account, m, c, e.cfg.Store.Now())
		return o
	}
}

// begin is the last look before a call: it reports whether the call may begin,
// and sets one of the template's aside. If not, o says what becomes of the message.
func (e *Engine) begin(j *job, o *outcome) bool {
	a, m, now := j.s.account, &j.m, e.cfg.Store.Now()
	conf := &a.settings().Account
	if v, over := beforeSending(conf, m, now); over {
		o.verdict = v
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if h := a.keeps(j, now); h != nil { // since it was leased
		o.untried = len(o.attempts) == 0
		o.verdict = later(conf, verdictFor(m), now, now, h.Reason)
		return false
	}
	if h, still := e.stilled[m.Batch]; still && !j.released && m.DoubtSince.IsZero() {
		o.verdict = holdRow(conf, verdictFor(m), now, h)
		return false
	}
	if e.justRefused(j) {
		o.verdict = later(conf, verdictFor(m), now, now.Add(refusedAgain), hongyan.HoldTemplate)
		return false
	}
	if until := a.pacing.until(m.ToUser, now); !until.IsZero() && !j.released {
		o.verdict = holdRow(conf, verdictFor(m), now, pacingHold(until))
		return false
	}
	if !o.reserved && !a.meter.reserveTemplate(m.TemplateID, now) {
		if rule := a.meter.reached(scopeTemplate, m.TemplateID, now); rule != nil {
			o.verdict = templateQuota(conf, m, rule, now)
		} else { // calls under way, or another node, hold what is left
			o.verdict = later(conf, verdictFor(m), now, now.Add(templateAskAgain), hongyan.HoldQuota)
		}
		return false
	}
	o.reserved = true
	if !e.mayBegin(j, len(o.attempts) > 0, now) {
		o.untried = len(o.attempts) == 0
		o.verdict = later(conf, verdictFor(m), now, now, reasonRetrying)
		return false
	}
	return true
}

// templateAskAgain is how long a message waits for calls of its template that are
// set aside and not made yet.
const templateAskAgain = 5 * time.Second

// mayBegin reports whether a call may begin now that everything else is there:
// this node's lease lasts, and the rate has a token for it. The caller holds e.mu.
func (e *Engine) mayBegin(j *job, again bool, now time.Time) bool {
	if !e.alive() {
		return false
	}
	r := &j.s.account.rate
	switch {
	case j.released || r.rate <= 0:
	case again: // the second call of one message: the next will wait the longer
		r.take(1)
	case now.Sub(j.m.UpdatedAt) <= tokenLife:
	case r.available(now) > 0:
		r.take(1)
	default:
		return false
	}
	return true
}

// limitsTemplates reports whether a rule is about templates.
func limitsTemplates(rules []hongyan.QuotaRule) bool {
	return slices.ContainsFunc(rules, func(r hongyan.QuotaRule) bool { return r.Scope == scopeTemplate })
}

// verdictFor returns a verdict that changes nothing of a message yet.
func verdictFor(m *hongyan.Message) verdict {
	return verdict{tries: m.Tries, doubtSince: m.DoubtSince, mayDuplicate: m.MayDuplicate}
}

// templateQuota holds a message whose template has used up a rule of ours.
func templateQuota(a *hongyan.Account, m *hongyan.Message, rule *hongyan.QuotaRule, now time.Time) verdict {
	until := hongyan.PeriodEnd(rule.Period, now)
	if m.Priority != hongyan.Urgent {
		until = a.QuietHours.Next(until)
	}
	return holdRow(a, verdictFor(m), now, hongyan.Hold{
		Reason: hongyan.HoldQuota, Until: until,
		Release: "the next Beijing " + rule.Period, Detail: "the template's own limit is used up",
	})
}

// withoutToken gives the message back untried, or settles the attempt that was
// refused for its token.
func (e *Engine) withoutToken(a *account, m *hongyan.Message, o outcome, err error) outcome {
	tokenErr, ok := errors.AsType[*hongyan.TokenError](err)
	if !ok {
		tokenErr = &hongyan.TokenError{AppID: a.AppID, RetryAt: e.cfg.Store.Now().Add(tokenWait), Reason: "the token could not be read", Err: err}
	}
	o.tokenErr = tokenErr
	if len(o.attempts) == 0 {
		o.untried = true
		return o
	}
	now := e.cfg.Store.Now()
	o.verdict = later(&a.settings().Account, verdictFor(m), now, now, hongyan.HoldToken)
	return o
}

// call makes one call and classifies it.
func (e *Engine) call(ctx context.Context, a *account, m *hongyan.Message, token string, n int) call {
	c := call{attempt: hongyan.Attempt{N: n, StartedAt: hongyan.Millis(e.cfg.Store.Now())}}
	endpoint := families[m.Kind].endpoint
	fault.At(fault.CallBefore)
	answer, err := a.settings().client.Do(ctx, wechat.Call{Endpoint: endpoint, AccessToken: token, Body: bodyOf(m, n)})
	fault.At(fault.CallAfter)
	c.attempt.EndedAt = hongyan.Millis(e.cfg.Store.Now())
	switch wechat.OutcomeOf(err) {
	case wechat.OutcomeNotSent:
		c.attempt.Outcome, c.class = hongyan.NotSent, wechat.ClassNotSent
		c.attempt.Errmsg = err.Error()
	case wechat.OutcomeNoAnswer:
		c.attempt.Outcome, c.class = hongyan.NoAnswer, wechat.ClassNoAnswer
		c.attempt.Errmsg = err.Error()
	default:
		c.answered(endpoint, answer, err)
	}
	e.metrics.attempt(a.AppID, m.Kind, c.attempt)
	return c
}

// answered fills in what WeChat said.
func (c *call) answered(endpoint wechat.Endpoint, answer wechat.Answer, err error) {
	c.attempt.Outcome = hongyan.Answered
	c.attempt.Errcode, c.attempt.Errmsg = int(answer.Code), answer.Msg
	c.attempt.RID, c.attempt.MsgID = answer.RID, answer.MsgID
	c.class = wechat.ClassOf(endpoint, answer.Code)
	if status, ok := errors.AsType[*wechat.StatusError](err); ok {
		c.http, c.attempt.Errmsg = status.HTTPStatus, status.Error()
	}
}

// settle takes note of an outcome, hands it to the recorder and returns the
// next ready message of the stream.
func (e *Engine) settle(s *stream, m *hongyan.Message, o outcome) (job, bool) {
	now := e.cfg.Store.Now()
	e.mu.Lock()
	untried := e.noteLocked(s, m, &o, now)
	var next job
	more := s.inflight < int(s.limit)+1 && e.mayStart(s, now)
	if more {
		next = job{s: s, m: s.pop()}
	} else {
		s.inflight--
	}
	e.startWorkers(s, now) // the limit may have grown
	wanting := s.backlog && s.worthClaiming()
	e.mu.Unlock()

	e.giveBack(untried)
	e.after(s, m, o) // before it is recorded: a hold must stand when the message can be claimed again
	if !o.untried {
		e.done.put(settled{s: s, m: *m, o: o})
	}
	if wanting {
		e.poke()
	}
	return next, more
}

// noteLocked adjusts limit and gate to an outcome and returns the messages that
// must go back untried because the gate closed. The caller holds e.mu.
func (e *Engine) noteLocked(s *stream, m *hongyan.Message, o *outcome, now time.Time) []job {
	var back []job
	if o.untried {
		s.reserved++ // giveBack frees it
		if o.reserved {
			s.account.meter.returnTemplate(m.TemplateID)
		}
		back = append(back, job{s: s, m: *m})
	}
	closed := false
	if o.tokenErr != nil {
		until := o.tokenErr.RetryAt
		if o.tokenErr.Stopped {
			until = now.Add(pollEvery) // the hold, which the token server wrote, is read by then
		}
		s.closeGate(until, hongyan.HoldToken)
		closed = true
	} else if len(o.attempts) > 0 {
		closed = s.note(o.attempts[len(o.attempts)-1], o.verdict.effect, now)
	}
	switch h := o.verdict.effect.hold; o.verdict.effect.kind {
	case effectHold:
		h.AppID, h.Since = s.key.appID, now
		s.account.holdAtOnce(h)
		closed = true
	case effectPacing:
		s.account.pacing.pause(m.ToUser, h.Until, now)
	case effectTemplate:
		e.refused[shelfKeyOf(m)]++
	}
	if closed {
		back = append(back, e.takeReadyLocked(s.account)...)
	}
	return back
}

// note adjusts limit and gate to an attempt and reports whether the gate closed.
func (s *stream) note(last hongyan.Attempt, ef effect, now time.Time) bool {
	if last.Outcome != hongyan.Answered {
		return s.unanswered(now)
	}
	s.succeeded()
	if ef.kind == effectUnhealthy || ef.kind == effectHold {
		s.troubled(now)
	}
	return false
}

// after does what an answer means beyond its own message.
func (e *Engine) after(s *stream, m *hongyan.Message, o outcome) {
	ctx := context.WithoutCancel(e.sendCtx)
	if n := len(o.attempts); n > 0 && e.cfg.Care != nil && o.attempts[n-1].Outcome == hongyan.Answered {
		e.cfg.Care.Answered(m, o.attempts[n-1].Errcode, o.attempts[n-1].StartedAt)
	}
	err := e.noteConsent(ctx, m, &o)
	switch ef := o.verdict.effect; {
	case o.tokenErr != nil && o.tokenErr.Stopped:
		err = e.readHolds(ctx, s.account) // somebody else wrote one
	case o.tokenErr != nil:
		err = e.showTokenTrouble(ctx, s.account, o.tokenErr)
	case ef.kind == effectHold:
		err = e.addHold(ctx, s.account, ef.hold)
	case ef.kind == effectTemplate:
		last := o.attempts[len(o.attempts)-1]
		err = e.templateGone(ctx, m, ef.status, last)
		e.refusalStored(m)
		e.workers.Go(func() { e.resync(&s.account.settings().Account) })
	}
	if err != nil {
		e.log.Error("after an answer", "appid", m.AppID, "message", m.ID, "err", err)
	}
}

// tokenTroubleWorthShowing is the shortest wait for a token that becomes a hold.
const tokenTroubleWorthShowing = 2 * time.Second

// showTokenTrouble makes a longer wait for a token visible as a hold.
func (e *Engine) showTokenTrouble(ctx context.Context, a *account, te *hongyan.TokenError) error {
	now := e.cfg.Store.Now()
	if te.RetryAt.Sub(now) < tokenTroubleWorthShowing {
		return nil
	}
	e.mu.Lock()
	for i := range a.holds {
		if h := &a.holds[i]; h.Reason == hongyan.HoldToken && !h.Until.Before(te.RetryAt) {
			e.mu.Unlock()
			return nil
		}
	}
	e.mu.Unlock()
	return e.addHold(ctx, a, hongyan.Hold{
		Reason: hongyan.HoldToken, Until: te.RetryAt, Errcode: te.Errcode, Detail: te.Reason,
		Release: "an access_token; asked again at the time shown",
	})
}

// fenceOf names a leased message as this node knows it.
func fenceOf(m *hongyan.Message) store.Fence {
	return store.Fence{Seq: m.Seq, Epoch: m.Epoch, Attempts: m.Attempts}
}

// resultOf turns a verdict into what the store writes.
func resultOf(m *hongyan.Message, v verdict, attempts []hongyan.Attempt, usage []store.UsageDelta) store.Result {
	r := store.Result{
		Fence: fenceOf(m), AppID: m.AppID, Attempts: attempts,
		State: v.state, Reason: v.reason, DueAt: v.due, Hold: v.hold, MsgID: v.msgID,
		Tries: v.tries, DoubtSince: v.doubtSince, InReview: v.inReview, MayDuplicate: v.mayDuplicate, Usage: usage,
	}
	if v.state == hongyan.Accepted && len(attempts) > 0 {
		r.AcceptedAt = attempts[len(attempts)-1].EndedAt
	}
	return r
}
