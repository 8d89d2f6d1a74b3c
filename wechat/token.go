package wechat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
)

// Token is an access token and its lifetime. Printing one shows no secret.
type Token struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"` // seconds, at most 7200 as a rule; always obey it
}

// String hides the token.
func (t Token) String() string { return fmt.Sprintf("%s, %d s", hidden, t.ExpiresIn) }

// Format hides the token from every verb, %d and %#v among them.
func (t Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// LogValue hides the token from log/slog.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// Token fetches a new access token from /cgi-bin/token. That makes the account's
// previous token of this endpoint invalid; it works for five more minutes. The
// platform allows 2000 calls a day (spec §3.1), so only one place per account
// should call it, and never in a loop.
func (c *Client) Token(ctx context.Context, appID, secret string) (Token, error) {
	query := "grant_type=client_credential&appid=" + url.QueryEscape(appID) + "&secret=" + url.QueryEscape(secret)
	return c.fetchToken(ctx, attempt{op: EndpointToken, query: query, secrets: []string{secret}})
}

// StableToken fetches the access token from /cgi-bin/stable_token: the same one
// to every caller until its last five minutes, independent of those of Token.
// With forceRefresh the platform replaces it, at most 20 times a day and not
// twice within 30 seconds (spec §3.2).
func (c *Client) StableToken(ctx context.Context, appID, secret string, forceRefresh bool) (Token, error) {
	body, err := MarshalBody(struct {
		GrantType    string `json:"grant_type"`
		AppID        string `json:"appid"`
		Secret       string `json:"secret"`
		ForceRefresh bool   `json:"force_refresh"`
	}{"client_credential", appID, secret, forceRefresh})
	if err != nil {
		return Token{}, &TransportError{Op: EndpointStableToken, Err: redact(err, []string{secret})}
	}
	return c.fetchToken(ctx, attempt{op: EndpointStableToken, body: body, secrets: []string{secret}})
}

func (c *Client) fetchToken(ctx context.Context, a attempt) (Token, error) {
	ans, err := c.do(ctx, a)
	if err != nil {
		return Token{}, err
	}
	var token Token
	err = decodeResult(a.op, ans, &token, func() bool { return token.AccessToken != "" && token.ExpiresIn > 0 })
	if err != nil {
		return Token{}, err
	}
	return token, nil
}

var errNoTokenSource = errors.New("the client has no token source")

// withToken makes a call with the token of c.Tokens and, when the platform
// refuses that token, once more with another one. It never tries a third time:
// two processes that fight over one account would otherwise never stop.
func (c *Client) withToken(ctx context.Context, call Call) (Answer, error) {
	if c.Tokens == nil {
		return Answer{}, &TokenError{Op: call.Endpoint, Err: errNoTokenSource}
	}
	var err error
	if call.AccessToken, err = c.Tokens.AccessToken(ctx); err != nil {
		return Answer{}, &TokenError{Op: call.Endpoint, Err: err}
	}
	ans, err := c.Do(ctx, call)
	if ClassOfError(err) != ClassToken {
		return ans, err
	}
	if call.AccessToken, err = c.replaceToken(ctx, call.AccessToken, ans.Code); err != nil {
		return ans, &TokenError{Op: call.Endpoint, Err: err}
	}
	return c.Do(ctx, call)
}

func (c *Client) replaceToken(ctx context.Context, failed string, refusal Code) (string, error) {
	if err := c.Tokens.Invalidate(ctx, failed); err != nil {
		return "", fmt.Errorf("replace token refused with %d: %w", refusal, err)
	}
	return c.Tokens.AccessToken(ctx)
}
