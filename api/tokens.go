package api

import (
	"cmp"
	"context"
	"time"

	"hongyan"
	"hongyan/client"
	"hongyan/token"
)

func (a *API) getToken(ctx context.Context, in *accountPath) (*out[client.Token], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	info, err := a.cfg.Tokens.Info(ctx, account.AppID)
	if err != nil {
		return nil, err
	}
	return a.showToken(ctx, &account, &info)
}

type tokenRefreshInput struct {
	AppID string `path:"appid" doc:"appid or alias."`
	Body  body[client.TokenRefresh]
}

func (a *API) refreshToken(ctx context.Context, in *tokenRefreshInput) (*out[client.Token], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	info, err := a.cfg.Tokens.Refresh(ctx, account.AppID, in.Body.Value.FailedToken)
	if err != nil {
		return nil, err
	}
	return a.showToken(ctx, &account, &info)
}

func (a *API) showToken(ctx context.Context, account *hongyan.Account, info *token.Info) (*out[client.Token], error) {
	callers, err := a.tokenCallers(ctx, account.AppID)
	if err != nil {
		return nil, err
	}
	v := client.Token{
		AppID: account.AppID, AccessToken: info.AccessToken.Reveal(),
		Source:    string(cmp.Or(info.Source, account.TokenSource, hongyan.TokenStable)),
		FetchedAt: client.At(info.FetchedAt), ExpiresAt: client.At(info.ExpiresAt),
		RemainingSeconds: max(0, int64(info.Remaining/time.Second)), FetchedBy: info.FetchedBy,
		Generation: info.Generation, Fetches: info.Fetches,
		Callers: callers, EarlyDeaths: info.EarlyDeaths, LastEarlyBySeconds: int64(info.LastEarlyBy / time.Second),
	}
	if !info.FetchedAt.IsZero() {
		v.AgeSeconds = max(0, int64(a.cfg.Store.Now().Sub(info.FetchedAt)/time.Second))
	}
	if stopped := info.Stopped; stopped != nil {
		v.Stopped = &client.TokenStatus{Reason: stopped.Reason, NeedsPerson: stopped.Stopped, RetryAt: client.At(stopped.RetryAt)}
		if stopped.Errcode != 0 {
			v.Stopped.Errcode = &stopped.Errcode
		}
	}
	return &out[client.Token]{v}, nil
}

// tokenCallers lists who asks for an account's token, with their keys' names.
func (a *API) tokenCallers(ctx context.Context, appID string) ([]client.TokenCaller, error) {
	callers, err := a.cfg.Store.TokenCallers(ctx, appID)
	if err != nil {
		return nil, err
	}
	names := map[string]string{hongyan.CallerAppSecret: "AppSecret"}
	if len(callers) > 0 {
		keys, err := a.cfg.Store.Keys(ctx)
		if err != nil {
			return nil, err
		}
		for i := range keys {
			names[keys[i].ID] = keys[i].Name
		}
	}
	views := make([]client.TokenCaller, 0, len(callers))
	for _, c := range callers {
		views = append(views, client.TokenCaller{
			CallerID: c.CallerID, Name: names[c.CallerID], Endpoint: c.Endpoint, FirstAt: client.Time{Time: c.FirstAt}, LastAt: client.Time{Time: c.LastAt},
			Requests: c.Requests, Forced: c.Forced, Remote: c.Remote,
		})
	}
	return views, nil
}

// maxExpiresIn keeps a number of seconds from overflowing a duration. What a
// token's life may be is the token server's business.
const maxExpiresIn = 1 << 31

type tokenPushInput struct {
	AppID string `path:"appid" doc:"appid or alias."`
	Body  body[client.TokenPush]
}

// pushToken takes a token from the central server that an account has already.
func (a *API) pushToken(ctx context.Context, in *tokenPushInput) (*out[client.Token], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	pushed := &in.Body.Value
	if n := pushed.ExpiresIn; n < 1 || n > maxExpiresIn {
		return nil, badField("invalid_token", "/expires_in", "%d is no number of seconds that a token has left", n)
	}
	life := time.Duration(pushed.ExpiresIn) * time.Second
	if err := a.cfg.Tokens.Push(ctx, account.AppID, pushed.AccessToken, life); err != nil {
		return nil, err
	}
	info, err := a.cfg.Tokens.Info(ctx, account.AppID)
	if err != nil {
		return nil, err
	}
	return a.showToken(ctx, &account, &info)
}

func (a *API) getQuota(ctx context.Context, in *accountPath) (*out[client.List[client.QuotaUsage]], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	rules, err := a.cfg.Engine.Quota(ctx, account.AppID)
	if err != nil {
		return nil, err
	}
	list := client.List[client.QuotaUsage]{Items: make([]client.QuotaUsage, 0, len(rules))}
	for _, q := range rules {
		one := client.QuotaUsage{
			Scope: q.Scope, Period: q.Period, Limit: q.Limit, Used: q.Used, Remaining: q.Remaining, ResetsAt: client.Time{Time: q.ResetsAt},
		}
		if !q.ExhaustedAt.IsZero() {
			one.ExhaustedAt = &client.Time{Time: q.ExhaustedAt}
		}
		list.Items = append(list.Items, one)
	}
	return &out[client.List[client.QuotaUsage]]{list}, nil
}
