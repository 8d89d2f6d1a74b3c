package token

import (
	"context"
	"fmt"
	"time"

	"hongyan"
	"hongyan/wechat"
)

// fetchTimeout is how long one fetch may take. Answers come within a second as a
// rule (spec §2.10); senders are waiting.
const fetchTimeout = 10 * time.Second

// Limits of force_refresh (spec §3.2).
const (
	forceGap    = 30 * time.Second
	forcePerDay = 20
)

// fetch asks WeChat, or the account's own central server, for a token. Errors are
// package wechat's, or a *hongyan.TokenError when a limit of ours forbids the call
// or that other server was asked.
func (c *Central) fetch(ctx context.Context, a *account, acct hongyan.Account, stored hongyan.Token) (hongyan.Token, error) {
	asker := &asker{c: c, a: a, acct: acct, client: wechat.Client{BaseURL: acct.BaseURL, HTTPClient: c.client(&acct)}}
	got, err := asker.ask(ctx)
	if err != nil {
		return hongyan.Token{}, err
	}
	a.answered()
	fetched := hongyan.Token{
		AppID: a.appID, Source: acct.TokenSource, AccessToken: hongyan.Secret(got.AccessToken), FetchedBy: c.node,
		FetchedAt: asker.startedAt, ExpiresAt: asker.startedAt.Add(time.Duration(got.ExpiresIn) * time.Second),
	}
	return after(fetched, stored, asker.calls), nil
}

// asker makes the one or two calls of a fetch.
type asker struct {
	c         *Central
	a         *account
	acct      hongyan.Account
	client    wechat.Client
	calls     int64
	startedAt time.Time // start of the latest call; a token's life is counted from here, to be on the safe side
}

func (k *asker) ask(ctx context.Context) (wechat.Token, error) {
	switch k.acct.TokenSource {
	case hongyan.TokenExternal:
		return k.askURL(ctx)
	case hongyan.TokenPlain:
		return k.call(ctx, true, func(ctx context.Context) (wechat.Token, error) {
			return k.client.Token(ctx, k.acct.AppID, k.acct.Secret.Reveal())
		})
	}
	return k.askStable(ctx)
}

// askStable asks in normal mode, which is free, and forces only when the very
// token that must go comes back.
func (k *asker) askStable(ctx context.Context) (wechat.Token, error) {
	got, err := k.stable(ctx, false)
	if err != nil || !k.a.mustGo(got.AccessToken) {
		return got, err
	}
	expiresAt := k.startedAt.Add(time.Duration(got.ExpiresIn) * time.Second)
	if refusal := k.a.bookForce(k.c.store.Now(), expiresAt); refusal != nil {
		return wechat.Token{}, refusal
	}
	k.c.log.InfoContext(ctx, "access_token must go and is still current: force_refresh", "appid", k.acct.AppID)
	k.c.extend(ctx, k.a)
	got, err = k.stable(ctx, true)
	now := k.c.store.Now()
	switch {
	case err == nil && k.a.mustGo(got.AccessToken):
		// Somebody else forced within the last 30 s: WeChat then changes nothing.
		return wechat.Token{}, &hongyan.TokenError{AppID: k.acct.AppID, RetryAt: now.Add(forceGap),
			Reason: "force_refresh changed nothing: another program forced one within 30 s"}
	case wechat.ClassOfError(err) == wechat.ClassQuota:
		// The limit of force_refresh; normal mode has another, which renewing can still use.
		return wechat.Token{}, &hongyan.TokenError{AppID: k.acct.AppID, RetryAt: forcesAgain(now, expiresAt), Err: err,
			Reason: "WeChat allows no more forced refreshes today"}
	}
	return got, err
}

func (k *asker) stable(ctx context.Context, force bool) (wechat.Token, error) {
	return k.call(ctx, force, func(ctx context.Context) (wechat.Token, error) {
		return k.client.StableToken(ctx, k.acct.AppID, k.acct.Secret.Reveal(), force)
	})
}

// call makes one call. replaces says that it makes the previous token invalid.
func (k *asker) call(ctx context.Context, replaces bool, do func(context.Context) (wechat.Token, error)) (wechat.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	k.calls++
	k.startedAt = hongyan.Millis(k.c.store.Now())
	got, err := do(ctx)
	if replaces && wechat.OutcomeOf(err) == wechat.OutcomeNoAnswer {
		k.a.lost()
	}
	return got, err
}

// bookForce takes one of the day's forced refreshes, or says when the next is allowed.
// The count is this process's own; WeChat's has the last word.
func (a *account) bookForce(now, expiresAt time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.lastForce) < forceGap {
		return &hongyan.TokenError{AppID: a.appID, RetryAt: a.lastForce.Add(forceGap),
			Reason: fmt.Sprintf("WeChat takes a forced refresh every %d s, and the last is not that old; no other access_token came", int(forceGap.Seconds()))}
	}
	if !hongyan.PeriodStart("day", a.lastForce).Equal(hongyan.PeriodStart("day", now)) {
		a.forces = 0
	}
	if a.forces >= forcePerDay {
		return &hongyan.TokenError{AppID: a.appID, RetryAt: forcesAgain(now, expiresAt),
			Reason: "the 20 forced refreshes of the day are used up"}
	}
	a.forces++
	a.lastForce = now
	return nil
}

// forcesAgain is the end of the Beijing day, or the token's renewal if that comes first.
func forcesAgain(now, expiresAt time.Time) time.Time {
	again := hongyan.NextBeijingMidnight(now)
	if renewed := expiresAt.Add(-stableMargin); renewed.After(now) && renewed.Before(again) {
		again = renewed
	}
	return again
}

// lost notes that a fetch may have replaced the token without our knowing.
func (a *account) lost() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lostCall = true
}

// answered ends what lost noted: from here on the current token is known.
func (a *account) answered() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lostCall = false
}
