package api

import (
	"cmp"
	"context"
	"time"

	"hongyan"
	"hongyan/client"
	"hongyan/wechat"
)

type accountPath struct {
	AppID string `path:"appid" doc:"appid or alias."`
}

// account reads an account the caller may see, by appid or alias. One that the
// key does not cover is refused whether it exists or not.
func (a *API) account(ctx context.Context, appID string) (hongyan.Account, error) {
	c := infoOf(ctx).caller
	account, err := a.cfg.Store.Account(ctx, appID)
	unknown := hongyan.IsKind(err, hongyan.NotFound)
	if !c.Everything() && (unknown || err == nil && !c.Covers(account.AppID)) {
		return hongyan.Account{}, notCovered
	}
	if err == nil {
		infoOf(ctx).change.target = account.AppID // whatever it was called by
	}
	return account, err
}

func (a *API) createAccount(ctx context.Context, in *struct{ Body body[client.AccountRequest] }) (*created[client.Account], error) {
	if !infoOf(ctx).caller.Everything() {
		return nil, limitedKey
	}
	account, faults := newAccount(&in.Body.Value)
	infoOf(ctx).change.target = account.AppID
	if err := checkAccount(account, faults); err != nil {
		return nil, err
	}
	now := hongyan.Millis(a.cfg.Store.Now())
	account.CreatedAt, account.UpdatedAt = now, now
	if err := a.cfg.Store.CreateAccount(ctx, *account); err != nil {
		return nil, err
	}
	a.cfg.Changed(account.AppID)
	view, err := a.viewAccount(ctx, account)
	if err != nil {
		return nil, err
	}
	return &created[client.Account]{"/v1/accounts/" + account.AppID, *view}, nil
}

// limitedKey refuses what concerns all accounts to a key that covers some.
var limitedKey = &hongyan.Error{Kind: hongyan.Forbidden, Code: "account_not_covered", Message: "this API key covers some accounts only, and this act concerns all"}

func (a *API) listAccounts(ctx context.Context, _ *none) (*out[client.List[client.Account]], error) {
	accounts, err := a.cfg.Store.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	holds, err := a.cfg.Store.Holds(ctx)
	if err != nil {
		return nil, err
	}
	list := client.List[client.Account]{Items: []client.Account{}}
	for i := range accounts {
		if infoOf(ctx).caller.Covers(accounts[i].AppID) {
			list.Items = append(list.Items, *viewAccount(&accounts[i], holds))
		}
	}
	return &out[client.List[client.Account]]{list}, nil
}

func (a *API) getAccount(ctx context.Context, in *accountPath) (*out[client.Account], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	return a.showAccount(ctx, &account)
}

type accountPatchInput struct {
	AppID string `path:"appid" doc:"appid or alias."`
	Body  body[client.AccountPatch]
}

func (a *API) updateAccount(ctx context.Context, in *accountPatchInput) (*out[client.Account], error) {
	var before []hongyan.Downstream
	var care hongyan.Care
	account, err := a.changeAccount(ctx, in.AppID, func(account *hongyan.Account) error {
		before, care = account.Downstreams, account.Care
		return checkAccount(account, patchAccount(account, &in.Body.Value))
	})
	if err != nil {
		return nil, err
	}
	a.dropRemoved(ctx, before, &account)
	a.uncap(ctx, care, &account)
	return a.showAccount(ctx, &account)
}

// changeAccount reads an account the caller may see, lets change alter it, and
// stores it unless change returns an error. Changes take turns: of two that read
// the same account, the later would undo the earlier.
func (a *API) changeAccount(ctx context.Context, appID string, change func(*hongyan.Account) error) (hongyan.Account, error) {
	select {
	case a.changing <- struct{}{}:
		defer func() { <-a.changing }()
	case <-ctx.Done():
		return hongyan.Account{}, ctx.Err()
	}
	account, err := a.account(ctx, appID)
	if err != nil {
		return account, err
	}
	if err := change(&account); err != nil {
		return account, err
	}
	account.UpdatedAt = hongyan.Millis(a.cfg.Store.Now())
	if err := a.cfg.Store.UpdateAccount(ctx, account); err != nil {
		return account, err
	}
	a.cfg.Changed(account.AppID)
	return account, nil
}

func (a *API) deleteAccount(ctx context.Context, in *accountPath) (*none, error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	if err := a.cfg.Store.DeleteAccount(ctx, account.AppID); err != nil {
		return nil, err
	}
	a.cfg.Changed(account.AppID)
	return nil, nil
}

func (a *API) pauseAccount(ctx context.Context, in *accountPath) (*out[client.Account], error) {
	return a.steerAccount(ctx, in.AppID, a.cfg.Engine.Pause)
}

func (a *API) resumeAccount(ctx context.Context, in *accountPath) (*out[client.Account], error) {
	return a.steerAccount(ctx, in.AppID, a.cfg.Engine.Resume)
}

func (a *API) releaseRestored(ctx context.Context, in *accountPath) (*out[client.Released], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	n, err := a.cfg.Engine.ReleaseRestored(ctx, account.AppID)
	infoOf(ctx).changes(account.AppID, "%d messages", n)
	if err != nil {
		return nil, err
	}
	return &out[client.Released]{Body: client.Released{Released: n}}, nil
}

func (a *API) steerAccount(ctx context.Context, appID string, do func(context.Context, string) error) (*out[client.Account], error) {
	account, err := a.account(ctx, appID)
	if err != nil {
		return nil, err
	}
	if err := do(ctx, account.AppID); err != nil {
		return nil, err
	}
	return a.showAccount(ctx, &account)
}

func (a *API) showAccount(ctx context.Context, account *hongyan.Account) (*out[client.Account], error) {
	view, err := a.viewAccount(ctx, account)
	if err != nil {
		return nil, err
	}
	return &out[client.Account]{*view}, nil
}

func (a *API) viewAccount(ctx context.Context, account *hongyan.Account) (*client.Account, error) {
	holds, err := a.cfg.Store.Holds(ctx)
	if err != nil {
		return nil, err
	}
	return viewAccount(account, holds), nil
}

// viewAccount is an account as the API shows it: defaults filled in, secrets left out.
func viewAccount(a *hongyan.Account, holds []hongyan.Hold) *client.Account {
	v := &client.Account{
		AppID: a.AppID, SecretSet: a.Secret != "", Kind: string(a.Kind), Name: a.Name, Alias: a.Alias,
		BaseURL: cmp.Or(a.BaseURL, wechat.DefaultBaseURL),
		Callback: client.CallbackStatus{
			Mode: cmp.Or(a.Callback.Mode, "plain"), TokenSet: a.Callback.Token != "", AESKeySet: a.Callback.AESKey != "",
			PreviousTokenSet: a.Callback.PreviousToken != "", PreviousAESKeySet: a.Callback.PreviousAESKey != "",
		},
		CallbackURLPath: "/callback/" + a.AppID,
		Rate:            client.Rate{PerSecond: a.RatePerSecond},
		UncertainPolicy: string(cmp.Or(a.UncertainPolicy, hongyan.UncertainHold)),
		TokenSource:     string(cmp.Or(a.TokenSource, hongyan.TokenStable)),
		TokenURLSet:     a.TokenURL != "", EgressProxy: a.EgressProxyShown(),
		Paths: client.PathRules(a.Paths), Downstreams: []client.Downstream{},
		QuietHours:  a.QuietHours.String(),
		MaxInFlight: cmp.Or(a.MaxInFlight, hongyan.DefaultMaxInFlight),
		CutValues:   a.CutValues, Care: viewCare(&a.Care),
		Mini:      client.MiniRules{PrepaySends: a.Mini.Prepay(), ConsentCheck: a.Mini.Check(), ConsentLow: a.Mini.ConsentLow},
		Holds:     []client.Hold{},
		CreatedAt: client.Time{Time: a.CreatedAt}, UpdatedAt: client.Time{Time: a.UpdatedAt},
	}
	v.ExpireAfterSeconds = int64(cmp.Or(a.ExpireAfter, hongyan.DefaultExpireAfter) / time.Second)
	for _, q := range a.EffectiveQuotas() {
		v.Quotas = append(v.Quotas, client.Quota(q))
	}
	for i := range a.Downstreams {
		v.Downstreams = append(v.Downstreams, viewDownstream(a, &a.Downstreams[i]))
	}
	for i := range holds {
		if holds[i].AppID == a.AppID {
			v.Holds = append(v.Holds, *viewHold(&holds[i]))
		}
	}
	return v
}
