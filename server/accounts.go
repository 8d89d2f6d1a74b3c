package server

import (
	"context"
	"fmt"
	"time"

	"hongyan"
	"hongyan/store"
)

// applyAccounts creates or updates the accounts of the configuration file.
func applyAccounts(ctx context.Context, s store.Accounts, accounts []AccountConfig) error {
	for i := range accounts {
		if err := applyAccount(ctx, s, &accounts[i]); err != nil {
			return fmt.Errorf("account %s of the configuration: %w", accounts[i].AppID, err)
		}
	}
	return nil
}

var errNoSecret = &hongyan.Error{Kind: hongyan.Invalid, Message: "it has no secret, and none is stored", Hint: "add secret to the file, or run hongyan account add once"}

func applyAccount(ctx context.Context, s store.Accounts, c *AccountConfig) error {
	a, err := c.account()
	if err != nil {
		return err
	}
	stored, err := s.Account(ctx, a.AppID)
	switch {
	case hongyan.IsKind(err, hongyan.NotFound):
		if a.Secret == "" {
			return errNoSecret
		}
		return s.CreateAccount(ctx, a)
	case err != nil:
		return err
	}
	if a.Secret == "" {
		a.Secret = stored.Secret
	}
	keepRotation(&a.Callback, stored.Callback)
	if err := s.UpdateAccount(ctx, a); err != nil || a.Secret == stored.Secret {
		return err
	}
	return liftHolds(ctx, s, a.AppID)
}

// liftHolds removes what another AppSecret may have cured, as a change through
// the API does. If it did not, the first call for a token says so again.
func liftHolds(ctx context.Context, s store.Accounts, appID string) error {
	for _, reason := range []string{hongyan.HoldAccount, hongyan.HoldToken} {
		if _, err := s.ClearHold(ctx, appID, "", reason); err != nil {
			return err
		}
	}
	return nil
}

// keepRotation lets the token and key a change replaces be accepted for a
// while longer, as WeChat switches over some time after us.
func keepRotation(now *hongyan.Callback, before hongyan.Callback) {
	now.PreviousToken, now.PreviousAESKey = before.PreviousToken, before.PreviousAESKey
	if now.Token != before.Token {
		now.PreviousToken = before.Token
	}
	if now.AESKey != before.AESKey {
		now.PreviousAESKey = before.AESKey
	}
}

// account returns the account as the store keeps it, defaults filled in.
func (c *AccountConfig) account() (hongyan.Account, error) {
	quiet, err := hongyan.ParseQuietHours(c.QuietHours)
	if err != nil {
		return hongyan.Account{}, err
	}
	a := hongyan.Account{
		AppID: c.AppID, Secret: c.Secret, Kind: orDefault(c.Kind, hongyan.ServiceAccount),
		Name: c.Name, Alias: c.Alias, BaseURL: c.BaseURL,
		Callback:        hongyan.Callback{Token: c.Callback.Token, AESKey: c.Callback.AESKey, Mode: orDefault(c.Callback.Mode, "plain")},
		RatePerSecond:   c.Rate.PerSecond,
		MaxInFlight:     c.MaxInFlight,
		TokenSource:     orDefault(c.TokenSource, hongyan.TokenStable),
		UncertainPolicy: orDefault(c.UncertainPolicy, hongyan.UncertainHold),
		ExpireAfter:     time.Duration(c.ExpireAfterSeconds) * time.Second,
		QuietHours:      quiet,
		CutValues:       c.CutValues,
	}
	for _, q := range c.Quotas {
		a.Quotas = append(a.Quotas, hongyan.QuotaRule{Scope: q.Scope, Period: q.Period, Limit: q.Limit})
	}
	return a, nil
}

func orDefault[T ~string](value, otherwise T) T {
	if value == "" {
		return otherwise
	}
	return value
}
