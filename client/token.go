package client

import (
	"context"
	"net/http"
)

// Token is an account's access_token and its history.
type Token struct {
	AppID              string        `json:"appid"`
	AccessToken        string        `json:"access_token" doc:"Empty while there is none."`
	Source             string        `json:"source" enum:"stable,plain,external"`
	FetchedAt          *Time         `json:"fetched_at"`
	ExpiresAt          *Time         `json:"expires_at"`
	AgeSeconds         int64         `json:"age_seconds"`
	RemainingSeconds   int64         `json:"remaining_seconds"`
	FetchedBy          string        `json:"fetched_by" doc:"The node that fetched it."`
	Generation         int64         `json:"generation" doc:"Grows by one with each fetch."`
	Fetches            int64         `json:"fetches"`
	EarlyDeaths        int64         `json:"early_deaths" doc:"How often WeChat refused a token before it was due to expire: somebody else fetches tokens too."`
	LastEarlyBySeconds int64         `json:"last_early_by_seconds"`
	Stopped            *TokenStatus  `json:"stopped" doc:"Why no token can be had now; null when all is well."`
	Callers            []TokenCaller `json:"callers" nullable:"false" doc:"Who asked for the token on the WeChat-compatible surface, latest first."`
}

// CallerAppSecret is the CallerID of those who came with the account's own
// AppSecret instead of a secret that the gateway gave them.
const CallerAppSecret = "app_secret"

// TokenCaller is how one caller asked for the token.
type TokenCaller struct {
	CallerID string `json:"caller_id" doc:"A key's id, or app_secret for those who have the account's real AppSecret."`
	Name     string `json:"name" doc:"The key's name."`
	Endpoint string `json:"endpoint" enum:"token,stable_token"`
	FirstAt  Time   `json:"first_at"`
	LastAt   Time   `json:"last_at"`
	Requests int64  `json:"requests"`
	Forced   int64  `json:"forced" doc:"Of the requests, those with force_refresh."`
	Remote   string `json:"remote" doc:"Address of the latest request."`
}

// TokenPush is a token from the central server that an account with
// token_source external has.
type TokenPush struct {
	AccessToken string `json:"access_token" doc:"The token that is valid now."`
	ExpiresIn   int64  `json:"expires_in" doc:"What is left of its life, in seconds." example:"7200"`
}

// TokenStatus says why no token can be had.
type TokenStatus struct {
	Reason      string `json:"reason"`
	Errcode     *int   `json:"errcode"`
	NeedsPerson bool   `json:"needs_person" doc:"true: it will not mend by itself (wrong secret, address not in the whitelist …)."`
	RetryAt     *Time  `json:"retry_at"`
}

// TokenRefresh asks for a new token.
type TokenRefresh struct {
	FailedToken string `json:"failed_token,omitempty" doc:"The token WeChat refused: nothing is fetched when it is no longer the current one. Empty forces a fetch."`
}

// QuotaUsage is how much of one rule's period is used.
type QuotaUsage struct {
	Scope     string `json:"scope" doc:"account, or template:TEMPLATE_ID"`
	Period    string `json:"period" enum:"day,month"`
	Limit     int64  `json:"limit"`
	Used      int64  `json:"used"`
	Remaining int64  `json:"remaining"`
	ResetsAt  Time   `json:"resets_at"`
	// ExhaustedAt is a forecast.
	ExhaustedAt *Time `json:"exhausted_at" doc:"When the limit is reached at the present pace; null = not before resets_at."`
}

// Token reads the current access_token. It needs an admin key.
func (c *Client) Token(ctx context.Context, appID string) (Token, error) {
	return one[Token](ctx, c, call{method: http.MethodGet, path: accountPath(appID, "/token")})
}

// RefreshToken compares failedToken with the current token and fetches a new
// one only if they are the same; "" always fetches.
func (c *Client) RefreshToken(ctx context.Context, appID, failedToken string) (Token, error) {
	return one[Token](ctx, c, call{method: http.MethodPost, path: accountPath(appID, "/token/refresh"), body: TokenRefresh{FailedToken: failedToken}})
}

// PushToken gives the gateway the token of an account whose tokens are pushed
// (token_source external).
func (c *Client) PushToken(ctx context.Context, appID string, p TokenPush) (Token, error) {
	return one[Token](ctx, c, call{method: http.MethodPut, path: accountPath(appID, "/token"), body: p})
}

// Quota reads what is left of the account's quotas.
func (c *Client) Quota(ctx context.Context, appID string) (List[QuotaUsage], error) {
	return one[List[QuotaUsage]](ctx, c, call{method: http.MethodGet, path: accountPath(appID, "/quota")})
}
