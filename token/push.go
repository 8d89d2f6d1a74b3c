package token

import (
	"context"
	"time"

	"hongyan"
)

const (
	// pushLook is how often we look whether a token that is missing was pushed to
	// another node.
	pushLook = 5 * time.Second
	// pushWarning is how much life a pushed token has left when its absence is
	// announced. It stays in use.
	pushWarning = 5 * time.Minute
)

// isPushed reports whether the account's tokens are brought to us.
func isPushed(acct *hongyan.Account) bool {
	return acct.TokenSource == hongyan.TokenExternal && acct.TokenURL == ""
}

// takePushed goes on with the stored token if that may be used, nearly at its end or
// not. Nobody can be asked for another.
func (c *Central) takePushed(ctx context.Context, a *account, stored hongyan.Token) error {
	now := c.store.Now()
	left := stored.ExpiresAt.Sub(now)
	missing := &hongyan.TokenError{AppID: a.appID, RetryAt: now.Add(pushLook)}
	switch {
	case stored.Generation == 0 || stored.Source != hongyan.TokenExternal:
		missing.Reason = "no access_token was pushed yet, and token_source is external without a token_url: push one"
	case a.isDead(stored.AccessToken):
		missing.Reason = "WeChat refuses the pushed access_token: push another"
	case a.mustGo(stored.AccessToken.Reveal()): // an operator's wish
		missing.Reason = "the access_token is pushed to us and cannot be fetched: push another"
	case left <= 0:
		missing.Reason = "the pushed access_token has expired: push another"
	case left <= pushWarning:
		missing.Reason = "the pushed access_token expires within five minutes: push another"
	default:
		if a.endTrial() {
			c.clearHold(ctx, a.appID)
		}
		a.show(stored, now.Add(min(externalLook, left-pushWarning)), true)
		return nil
	}
	return missing
}

// Push gives the account the token that its own central server fetched. It is for
// accounts with token_source external and no token_url, else a hongyan.Conflict;
// so is the very token that WeChat refused. The current token pushed again gets
// the new expiry. expiresIn is its remaining life.
func (c *Central) Push(ctx context.Context, appID, accessToken string, expiresIn time.Duration) error {
	acct, err := c.store.Account(ctx, appID)
	if err != nil {
		return err
	}
	if err := checkPush(&acct, accessToken, expiresIn); err != nil {
		return err
	}
	a := c.account(acct.AppID)
	if a.isDead(hongyan.Secret(accessToken)) {
		return hongyan.Errorf(hongyan.Conflict, "token_refused", "WeChat refuses this access_token of %s: push the one that replaced it", acct.AppID)
	}
	now := hongyan.Millis(c.store.Now())
	pushed := hongyan.Token{AppID: acct.AppID, Source: hongyan.TokenExternal, AccessToken: hongyan.Secret(accessToken),
		FetchedBy: c.node, FetchedAt: now, ExpiresAt: now.Add(expiresIn)}
	for range maxSaves {
		stored, err := c.store.Token(ctx, acct.AppID)
		if err != nil {
			return err
		}
		pushed = after(pushed, stored, 0)
		saved, err := c.store.SaveToken(ctx, pushed)
		if err != nil {
			return err
		}
		if saved {
			c.succeeded(ctx, a, pushed)
			c.wakeRun()
			return nil
		}
	}
	return hongyan.Errorf(hongyan.Unavailable, "busy", "others keep storing access_tokens of %s at the same time", acct.AppID)
}

func checkPush(acct *hongyan.Account, accessToken string, expiresIn time.Duration) error {
	switch {
	case acct.TokenSource != hongyan.TokenExternal:
		return hongyan.Errorf(hongyan.Conflict, "token_not_external", "%s fetches its own access_token: token_source is %q, not external", acct.AppID, acct.TokenSource)
	case acct.TokenURL != "":
		return hongyan.Errorf(hongyan.Conflict, "token_not_pushed", "the access_token of %s is fetched from its token_url, not pushed", acct.AppID)
	}
	if problem := tokenProblem(accessToken); problem != "" {
		return hongyan.InvalidField("invalid_token", "/access_token", "%s", problem)
	}
	if expiresIn < time.Second || expiresIn > maxTokenLife {
		return hongyan.InvalidField("invalid_token", "/expires_in", "%d is not between 1 and %d seconds",
			int64(expiresIn/time.Second), int64(maxTokenLife/time.Second))
	}
	return nil
}

// isDead reports whether token is the one that WeChat refused.
func (a *account) isDead(token hongyan.Secret) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refused && a.unwanted == token
}
