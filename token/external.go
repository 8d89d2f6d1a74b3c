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
	// maxTokenLength is the room WeChat asks for (spec §3.1).
	maxTokenLength = 512
	// maxTokenLife is beyond anything WeChat has given; 7,200,000 is milliseconds.
	maxTokenLife = 30 * 24 * time.Hour
)

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
