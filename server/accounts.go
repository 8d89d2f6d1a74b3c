package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"time"

	"hongyan"
	"hongyan/store"
)

// accountStore is what a configuration's accounts are written to.
type accountStore interface {
	store.Accounts
	store.Audit
	store.Deliveries
	Now() time.Time
	ReleaseCapped(context.Context, store.CapRelease) (int, error)
}

// applyAccounts creates or updates the accounts of a valid configuration.
func applyAccounts(ctx context.Context, s accountStore, accounts []AccountConfig) error {
	var ps problems
	for i := range accounts {
		err := applyAccount(ctx, s, &accounts[i])
		switch {
		case errors.Is(err, errNoSecret):
			ps.noSecret(i)
		case hongyan.IsKind(err, hongyan.Invalid): // with what the file leaves to the store
			if e, ok := errors.AsType[*hongyan.Error](err); ok {
				ps.broken(fmt.Sprintf("accounts[%d]", i), e.Fields)
			}
		case hongyan.IsKind(err, hongyan.Conflict): // an alias that another account has
			ps.check(false, fmt.Sprintf("accounts[%d]", i), err.Error(), "choose another alias")
		case err != nil:
			return fmt.Errorf("account %s of the configuration: %w", accounts[i].AppID, err)
		}
	}
	if len(ps) > 0 {
		return &ConfigError{Problems: ps}
	}
	return nil
}

// CheckFirstStart finds what only a first start lacks: accounts without a secret
// while there is no database that could hold it. It looks whether the file of
// the database is there and opens nothing. It returns a *ConfigError, or nil.
func (c *Config) CheckFirstStart() error {
	if c.OnPostgres() {
		return nil // what it holds is known when it is open
	}
	if _, err := os.Stat(c.DatabasePath()); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var ps problems
	for i := range c.Accounts {
		if c.Accounts[i].Secret == "" {
			ps.noSecret(i)
		}
	}
	if len(ps) > 0 {
		return &ConfigError{Problems: ps}
	}
	return nil
}

func (ps *problems) noSecret(account int) {
	ps.check(false, fmt.Sprintf("accounts[%d].secret", account), "there is none, and none is stored",
		"write it here for the first start, or run hongyan account add")
}

// errNoSecret: the file names an account without its secret, and the store has none.
var errNoSecret = errors.New("no secret")

func applyAccount(ctx context.Context, s accountStore, c *AccountConfig) error {
	a, _ := c.account()
	stored, err := s.Account(ctx, a.AppID)
	unknown := hongyan.IsKind(err, hongyan.NotFound)
	if err != nil && !unknown {
		return err
	}
	if a.Secret == "" {
		a.Secret = stored.Secret
	}
	if a.Secret == "" {
		return errNoSecret
	}
	c.keepStored(&a, &stored)
	if broken := a.Check(); len(broken) > 0 {
		return &hongyan.Error{Kind: hongyan.Invalid, Code: "invalid_account", Message: "with what is stored", Fields: broken}
	}
	if unknown {
		if err := s.CreateAccount(ctx, a); err != nil {
			if e, ok := errors.AsType[*hongyan.Error](err); ok && e.Code == "account_exists" {
				return applyAccount(ctx, s, c) // another process with this file was faster
			}
			return err
		}
		return noteConfigured(ctx, s, a.AppID, "account.create")
	}
	keepRotation(&a.Callback, stored.Callback)
	a.CreatedAt, a.UpdatedAt = stored.CreatedAt, stored.UpdatedAt
	if sameAccount(&a, &stored) {
		return nil
	}
	if err := errors.Join(s.UpdateAccount(ctx, a), noteConfigured(ctx, s, a.AppID, "account.update")); err != nil {
		return err
	}
	if err := dropRemoved(ctx, s, &a, stored.Downstreams); err != nil {
		return err
	}
	if a.Care.Raises(stored.Care) {
		if _, err := s.ReleaseCapped(ctx, store.CapRelease{AppID: a.AppID, Most: a.Care.UserCap, Quiet: a.QuietHours}); err != nil {
			return err
		}
	}
	if a.Secret == stored.Secret {
		return nil
	}
	return liftHolds(ctx, s, a.AppID)
}

// sameAccount reports whether the file says what is stored already.
func sameAccount(a, stored *hongyan.Account) bool {
	x, y := *a, *stored
	for _, one := range []*hongyan.Account{&x, &y} { // an empty list and none are the same
		one.Quotas = append([]hongyan.QuotaRule{}, one.Quotas...)
		one.Downstreams = append([]hongyan.Downstream{}, one.Downstreams...)
		one.Paths.Allow, one.Paths.Deny = append([]string{}, one.Paths.Allow...), append([]string{}, one.Paths.Deny...)
		for i := range one.Downstreams {
			one.Downstreams[i].Events = append([]string{}, one.Downstreams[i].Events...)
		}
	}
	return reflect.DeepEqual(x, y)
}

// noteConfigured writes into the audit log that the file changed an account.
func noteConfigured(ctx context.Context, s store.Audit, appID, action string) error {
	return s.AppendAudit(ctx, []hongyan.AuditEntry{{Actor: "config", Action: action, Target: appID, Outcome: "ok",
		Detail: "by the configuration file, at the start"}})
}

// dropRemoved forgets what waits for downstreams that the file names no more, in
// batches that keep the database's log short. How much that was is in the audit log:
// whoever gave a downstream another name did not mean to lose it, and may replay it.
func dropRemoved(ctx context.Context, s accountStore, a *hongyan.Account, before []hongyan.Downstream) error {
	const batch = 1000
	for i := range before {
		if indexOfDownstream(a.Downstreams, before[i].Name) >= 0 {
			continue
		}
		counts, err := s.DeliveryCounts(ctx, a.AppID)
		if err == nil {
			err = s.AppendAudit(ctx, []hongyan.AuditEntry{{Actor: "config", Action: "downstream.remove", Target: a.AppID, Outcome: "ok",
				Detail: fmt.Sprintf("name %s, %d pushes waited for it", before[i].Name, counts[before[i].Target(a.AppID)].Pending)}})
		}
		if err != nil {
			return fmt.Errorf("remove downstream %s: %w", before[i].Name, err)
		}
		for n := batch; n == batch; {
			var err error
			if n, err = s.DropDeliveries(ctx, before[i].Target(a.AppID), batch); err != nil {
				return fmt.Errorf("drop what waits for downstream %s: %w", before[i].Name, err)
			}
		}
	}
	return nil
}

func indexOfDownstream(list []hongyan.Downstream, name string) int {
	return slices.IndexFunc(list, func(d hongyan.Downstream) bool { return d.Name == name })
}

// keepStored fills in what the file leaves to the store. A stored token_url goes
// when its token_source does.
func (c *AccountConfig) keepStored(a, stored *hongyan.Account) {
	if c.TokenURL == nil && a.TokenSource == hongyan.TokenExternal {
		a.TokenURL = stored.TokenURL
	}
	if c.EgressProxy == nil {
		a.EgressProxy = stored.EgressProxy
	}
	for i := range a.Downstreams {
		c.Downstreams[i].keepStored(&a.Downstreams[i], stored.Downstreams)
	}
}

func (c *DownstreamConfig) keepStored(d *hongyan.Downstream, stored []hongyan.Downstream) {
	same := indexOfDownstream(stored, d.Name)
	if same < 0 {
		return
	}
	if c.Paused == nil {
		d.Paused = stored[same].Paused
	}
	if c.Token == nil {
		d.Token = stored[same].Token
	}
	if c.AESKey == nil {
		d.AESKey = stored[same].AESKey
	}
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

// account returns the account as the store keeps it, defaults filled in, and
// what cannot be translated, by pointer.
func (c *AccountConfig) account() (hongyan.Account, []hongyan.FieldError) {
	var broken []hongyan.FieldError
	quiet, err := hongyan.ParseQuietHours(c.QuietHours)
	if err != nil {
		broken = append(broken, hongyan.FieldError{Pointer: "/quiet_hours", Detail: fmt.Sprintf("%q is not like 22:00-08:00 (Beijing time), nor off", c.QuietHours)})
	}
	life, err := hongyan.ParseExpireAfter(c.ExpireAfterSeconds)
	if e, ok := errors.AsType[*hongyan.Error](err); ok {
		broken = append(broken, e.Fields...)
	}
	a := hongyan.Account{
		AppID: c.AppID, Secret: c.Secret, Kind: orDefault(c.Kind, hongyan.ServiceAccount),
		Name: c.Name, Alias: c.Alias, BaseURL: c.BaseURL,
		Callback:        hongyan.Callback{Token: c.Callback.Token, AESKey: c.Callback.AESKey, Mode: orDefault(c.Callback.Mode, "plain")},
		RatePerSecond:   c.Rate.PerSecond,
		MaxInFlight:     c.MaxInFlight,
		TokenSource:     orDefault(c.TokenSource, hongyan.TokenStable),
		UncertainPolicy: orDefault(c.UncertainPolicy, hongyan.UncertainHold),
		ExpireAfter:     life,
		QuietHours:      quiet,
		CutValues:       c.CutValues,
		Care:            c.Care.care(),
		TokenURL:        given(c.TokenURL),
		EgressProxy:     given(c.EgressProxy),
		Paths:           hongyan.PathRules(c.Paths),
		Mini:            hongyan.MiniRules{PrepaySends: c.Mini.PrepaySends, ConsentCheck: c.Mini.ConsentCheck, ConsentLow: c.Mini.ConsentLow},
	}
	for i := range c.Downstreams {
		a.Downstreams = append(a.Downstreams, c.Downstreams[i].downstream())
	}
	for _, q := range c.Quotas {
		a.Quotas = append(a.Quotas, hongyan.QuotaRule(q))
	}
	return a, broken
}

// care is what is stored of c: the default is not, should it change.
func (c *CareSettings) care() hongyan.Care {
	s := hongyan.Care{Suppression: c.Suppression, SuppressCompat: c.SuppressCompat, UserCap: c.UserCap}
	if s.Suppression == "auto" {
		s.Suppression = ""
	}
	return s
}

func (c *DownstreamConfig) downstream() hongyan.Downstream {
	return hongyan.Downstream{
		Name: c.Name, URL: c.URL, Sync: c.Sync, Ordered: c.Ordered, Paused: given(c.Paused), Events: c.Events,
		Mode: c.Mode, Token: given(c.Token), AESKey: given(c.AESKey),
	}
}

// given is the value of a key that may be left out, the zero value then.
func given[T any](value *T) (zero T) {
	if value == nil {
		return zero
	}
	return *value
}

func orDefault[T ~string](value, otherwise T) T {
	if value == "" {
		return otherwise
	}
	return value
}
