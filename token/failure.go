package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hongyan"
	"hongyan/wechat"
)

const (
	// minuteQuotaPause is the wait after 45011, "retry next minute".
	minuteQuotaPause = time.Minute
	// stopRecheck is how often somebody who asks for a stopped account's token makes
	// us look whether the hold is still in the store; no call to WeChat.
	stopRecheck = 2 * time.Second
	// stopWatch is how long Run waits beyond that before it looks by itself.
	stopWatch = time.Minute
)

// lookupError says why the account itself could not be read.
func (c *Central) lookupError(appID string, err error) *hongyan.TokenError {
	if hongyan.IsKind(err, hongyan.NotFound) {
		return &hongyan.TokenError{AppID: appID, Stopped: true, Reason: "there is no such account", Err: err}
	}
	return &hongyan.TokenError{AppID: appID, RetryAt: c.store.Now().Add(backoff(1)), Reason: "the store cannot be read", Err: err}
}

// fail turns what an attempt ran into into a TokenError, remembers it and, for a
// fault that needs a person, stops the account.
func (c *Central) fail(ctx context.Context, a *account, err error) *hongyan.TokenError {
	reason, known := errors.AsType[*hongyan.TokenError](err)
	if !known {
		reason = c.explain(a.appID, a.countFailure(), err)
	}
	_, answered := errors.AsType[*wechat.Error](err)
	switch {
	case hongyan.IsKind(err, hongyan.NotFound):
		c.accounts.CompareAndDelete(a.appID, a)
		c.issued.forget(a.appID)
	case answered && reason.Stopped:
		a.endTrial()
		c.stop(ctx, a, reason)
	}
	first := a.remember(reason, c.store.Now())
	switch {
	case reason.Stopped && answered:
		c.log.ErrorContext(ctx, "account stopped: no access_token until a person acts", "appid", a.appID, "errcode", reason.Errcode, "reason", reason.Reason)
	case hongyan.IsKind(err, hongyan.NotFound): // deleted: nobody's trouble
	case first:
		c.log.WarnContext(ctx, "no new access_token", "appid", a.appID, "reason", reason.Reason, "retry_at", reason.RetryAt, "err", err)
	}
	return reason
}

// explain says what a failed attempt means. n is how many failed in a row.
func (c *Central) explain(appID string, n int, err error) *hongyan.TokenError {
	now := c.store.Now()
	later := &hongyan.TokenError{AppID: appID, RetryAt: now.Add(backoff(n)), Reason: err.Error(), Err: err}
	answer, ok := errors.AsType[*wechat.Error](err)
	switch {
	case hongyan.IsKind(err, hongyan.NotFound):
		return c.lookupError(appID, err)
	case !ok && wechat.ClassOfError(err) == wechat.ClassUnknown: // not from package wechat
		later.Reason = "the store cannot be read"
		return later
	case !ok:
		return later
	}
	later.Errcode, later.Reason = int(answer.Code), fmt.Sprintf("%s: errcode %d %s", answer.Op, answer.Code, answer.Msg)
	switch {
	case answer.Code == wechat.CodeDailyQuota:
		later.RetryAt = hongyan.NextBeijingMidnight(now)
	case answer.Code == wechat.CodeMinuteQuota:
		later.RetryAt = now.Add(minuteQuotaPause)
	case needsPerson(answer):
		later.Stopped, later.RetryAt = true, time.Time{}
	}
	return later
}

// needsPerson reports whether asking again by ourselves is useless and costs one
// of the day's 2,000 fetches (spec §9, permanent-account). A request that WeChat
// finds malformed (41002, 41004 …) is an account set up wrongly.
func needsPerson(answer *wechat.Error) bool {
	class := answer.Class()
	return class == wechat.ClassAccount || class == wechat.ClassRequest
}

// stop records the hold that keeps the account stopped, over restarts too.
func (c *Central) stop(ctx context.Context, a *account, reason *hongyan.TokenError) {
	hold := hongyan.Hold{
		AppID: a.appID, Reason: hongyan.HoldAccount, Since: hongyan.Millis(c.store.Now()), Errcode: reason.Errcode,
		Release: "put it right, then update or resume the account 处理后更新或恢复该账号", Detail: reason.Reason,
	}
	if info, ok := wechat.LookupCode(reason.Errcode); ok {
		hold.Detail = fmt.Sprintf("%s. %s %s", reason.Reason, info.Hint, info.HintZH)
	}
	reason.Reason = hold.Detail
	c.putHold(ctx, a, hold)
}

func (c *Central) putHold(ctx context.Context, a *account, hold hongyan.Hold) {
	err := c.store.PutHold(ctx, hold)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unsaved = nil
	if err != nil {
		// Memory keeps the account stopped; the next look tries to store it again.
		a.unsaved = &hold
		c.log.ErrorContext(ctx, "the hold on a stopped account could not be stored", "appid", a.appID, "err", err)
	}
}

// stopCodes are the codes of the token endpoints that a hold in the store may
// carry from us (spec §3.1). Holds with other codes are about sending: the token
// of such an account can still be fetched.
var stopCodes = []int{40001, 40002, 40013, 40125, 40164, 40243, 41002, 41004, 43002, 50004, 50007, 61024,
	89501, 89502, 89503, 89504, 89505, 89506, 89507}

func ours(h hongyan.Hold, appID string) bool {
	return h.AppID == appID && h.Kind == "" && h.Reason == hongyan.HoldAccount && slices.Contains(stopCodes, h.Errcode)
}

// standingHold returns the stop recorded in the store, by whichever process, or nil.
func (c *Central) standingHold(ctx context.Context, a *account) (*hongyan.Hold, error) {
	a.mu.Lock()
	unsaved := a.unsaved
	a.mu.Unlock()
	if unsaved != nil {
		c.putHold(ctx, a, *unsaved)
		return unsaved, nil
	}
	holds, err := c.store.Holds(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(holds, func(h hongyan.Hold) bool { return ours(h, a.appID) })
	if i < 0 {
		return nil, nil
	}
	return &holds[i], nil
}

func stopped(h hongyan.Hold) *hongyan.TokenError {
	return &hongyan.TokenError{AppID: h.AppID, Stopped: true, Errcode: h.Errcode, Reason: h.Detail}
}

// clearHold removes our hold after a fetch that the changed account made possible.
func (c *Central) clearHold(ctx context.Context, appID string) {
	holds, err := c.store.Holds(ctx)
	if err == nil && slices.ContainsFunc(holds, func(h hongyan.Hold) bool { return ours(h, appID) }) {
		_, err = c.store.ClearHold(ctx, appID, "", hongyan.HoldAccount)
	}
	if err != nil {
		c.log.ErrorContext(ctx, "the hold on an account that works again could not be cleared", "appid", appID, "err", err)
	}
}

// onTrial reports whether the account changed and WeChat was not asked since.
func (a *account) onTrial() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.trial
}

// endTrial ends the trial and reports whether there was one.
func (a *account) endTrial() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	trial := a.trial
	a.trial = false
	return trial
}

func (a *account) failuresSoFar() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.failures
}

func (a *account) countFailure() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failures++
	return a.failures
}

// remember keeps the failure until its time and reports whether its reason is news.
func (a *account) remember(reason *hongyan.TokenError, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.refused {
		a.unwanted = "" // an operator's wish is tried once
	}
	a.failure, a.retryAt = reason, reason.RetryAt
	if reason.Stopped {
		a.retryAt = now.Add(stopRecheck)
	}
	if h := a.hot.Load(); h != nil {
		a.hot.Store(&held{token: h.token, renewAt: a.retryAt, dead: h.dead})
	}
	news := a.lastLogged != reason.Reason
	a.lastLogged = reason.Reason
	return news
}
