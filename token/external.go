package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"hongyan"
	"hongyan/wechat"
)

const (
	// pushLook is how often we look whether a token that is missing was pushed to
	// another node.
	pushLook = 5 * time.Second
	// pushWarning is how much life a pushed token has left when its absence is
	// announced. It stays in use.
	pushWarning = 5 * time.Minute
	// maxTokenLength is the room WeChat asks for (spec §3.1).
	maxTokenLength = 512
	// maxTokenLife is beyond anything WeChat has given; 7,200,000 is milliseconds.
	maxTokenLife = 30 * 24 * time.Hour
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
	case a.mustGo(stored.AccessToken.Reveal()):
		missing.Reason = "WeChat refuses the pushed access_token, or it is not wanted any more: push another"
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

// tokenProblem says why s cannot be an access_token, without showing it; "" = it can.
func tokenProblem(s string) string {
	switch {
	case s == "":
		return "access_token is empty"
	case len(s) > maxTokenLength:
		return fmt.Sprintf("access_token has %d bytes, at most %d are allowed", len(s), maxTokenLength)
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }):
		return "access_token has characters other than visible ASCII, or a quotation mark or backslash"
	}
	return ""
}

// isDead reports whether token is the one that WeChat refused.
func (a *account) isDead(token hongyan.Secret) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refused && a.unwanted == token
}

// askURL asks the account's own central server. Whatever goes wrong there is
// worth another try, with growing pauses: it says nothing about the account.
func (k *asker) askURL(ctx context.Context) (wechat.Token, error) {
	target, err := url.Parse(k.acct.TokenURL.Reveal())
	if err != nil {
		return wechat.Token{}, k.urlFailed(errors.New("token_url is not a URL"))
	}
	got, err := k.call(ctx, false, func(ctx context.Context) (wechat.Token, error) { return getToken(ctx, k.client, target) })
	switch {
	case err != nil:
		return wechat.Token{}, k.urlFailed(fmt.Errorf("token_url at %s: %w", target.Host, err))
	case k.a.isDead(hongyan.Secret(got.AccessToken)):
		return wechat.Token{}, k.urlFailed(fmt.Errorf("token_url at %s still answers the access_token that WeChat refuses", target.Host))
	case k.a.mustGo(got.AccessToken):
		return wechat.Token{}, k.urlFailed(fmt.Errorf("token_url at %s answers the same access_token; only its own server can replace it", target.Host))
	}
	return got, nil
}

func (k *asker) urlFailed(err error) *hongyan.TokenError {
	return &hongyan.TokenError{AppID: k.acct.AppID, RetryAt: k.c.store.Now().Add(backoff(k.a.countFailure())), Reason: err.Error(), Err: err}
}

// getToken makes the GET. It goes through package wechat for its manners: no
// redirects, a bounded answer, errors without the URL. Errors show nothing of
// target but what its server said about the failure.
func getToken(ctx context.Context, client wechat.Client, target *url.URL) (wechat.Token, error) {
	base := url.URL{Scheme: target.Scheme, User: target.User, Host: target.Host}
	client.BaseURL = base.String()
	path := target.EscapedPath()
	if path == "" {
		path = "/"
	}
	answer, err := client.Do(ctx, wechat.Call{Endpoint: wechat.Endpoint(path), Query: target.RawQuery})
	if err != nil {
		return wechat.Token{}, urlError(err, target)
	}
	var got wechat.Token
	if err := json.Unmarshal(answer.Body, &got); err != nil {
		return wechat.Token{}, errors.New(`the answer is not {"access_token":"…","expires_in":seconds}`)
	}
	if problem := tokenProblem(got.AccessToken); problem != "" {
		return wechat.Token{}, errors.New(problem)
	}
	if life := time.Duration(got.ExpiresIn) * time.Second; life <= 0 || life > maxTokenLife {
		return wechat.Token{}, fmt.Errorf("expires_in %d is not between 1 and %d seconds", got.ExpiresIn, int64(maxTokenLife/time.Second))
	}
	return got, nil
}

// urlError puts what went wrong into words about a server that is not WeChat.
func urlError(err error, target *url.URL) error {
	if said, ok := errors.AsType[*wechat.Error](err); ok {
		return fmt.Errorf("errcode %d %s", said.Code, hideURL(said.Msg, target))
	}
	if refused, ok := errors.AsType[*wechat.StatusError](err); ok {
		return fmt.Errorf("HTTP %d", refused.HTTPStatus)
	}
	lost, ok := errors.AsType[*wechat.TransportError](err)
	switch {
	case ok && lost.HTTPStatus/100 == 2:
		return errors.New(`the answer is not {"access_token":"…","expires_in":seconds}`)
	case ok && lost.HTTPStatus != 0:
		return fmt.Errorf("HTTP %d", lost.HTTPStatus)
	case ok:
		return lost.Err
	}
	return err
}

// hideURL replaces what a server may echo of the URL it was asked with: query,
// password, and long parts of the path.
func hideURL(s string, target *url.URL) string {
	secrets := []string{target.RawQuery}
	if password, ok := target.User.Password(); ok {
		secrets = append(secrets, password)
	}
	for _, values := range target.Query() {
		for _, v := range values {
			secrets = append(secrets, v, url.QueryEscape(v))
		}
	}
	for part := range strings.SplitSeq(target.Path, "/") {
		if len(part) >= 16 {
			secrets = append(secrets, part)
		}
	}
	for _, secret := range secrets {
		if len(secret) >= 4 {
			s = strings.ReplaceAll(s, secret, "[redacted]")
		}
	}
	return s
}
