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
	return a.showToken(&account, &info), nil
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
	return a.showToken(&account, &info), nil
}

func (a *API) showToken(account *hongyan.Account, info *token.Info) *out[client.Token] {
	v := client.Token{
		AppID: account.AppID, AccessToken: info.AccessToken.Reveal(),
		Source:    string(cmp.Or(info.Source, account.TokenSource, hongyan.TokenStable)),
		FetchedAt: client.At(info.FetchedAt), ExpiresAt: client.At(info.ExpiresAt),
		RemainingSeconds: max(0, int64(info.Remaining/time.Second)), FetchedBy: info.FetchedBy,
		Generation: info.Generation, Fetches: info.Fetches,
		EarlyDeaths: info.EarlyDeaths, LastEarlyBySeconds: int64(info.LastEarlyBy / time.Second),
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
	return &out[client.Token]{v}
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
		list.Items = append(list.Items, client.QuotaUsage{
			Scope: q.Scope, Period: q.Period, Limit: q.Limit, Used: q.Used, Remaining: q.Remaining, ResetsAt: client.Time{Time: q.ResetsAt},
		})
	}
	return &out[client.List[client.QuotaUsage]]{list}, nil
}
