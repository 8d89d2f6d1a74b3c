package api

import (
	"cmp"
	"errors"
	"slices"

	"hongyan"
	"hongyan/client"
)

// faults collects every broken rule of a request, so that all are told at once.
type faults []hongyan.FieldError

func (f *faults) add(pointer, format string, args ...any) {
	*f = append(*f, badField("", pointer, format, args...).Fields...)
}

// err is nil without faults.
func (f faults) err(code string) error {
	if len(f) == 0 {
		return nil
	}
	message := f[0].Pointer + ": " + f[0].Detail
	return &hongyan.Error{Kind: hongyan.Invalid, Code: code, Message: message, Fields: f}
}

// newAccount translates a request. What cannot be translated is a fault.
func newAccount(in *client.AccountRequest) (*hongyan.Account, faults) {
	a := &hongyan.Account{
		AppID: in.AppID, Kind: hongyan.AccountKind(cmp.Or(in.Kind, string(hongyan.ServiceAccount))),
		Name: in.Name, Alias: in.Alias, BaseURL: in.BaseURL, Secret: hongyan.Secret(in.Secret),
		UncertainPolicy: hongyan.UncertainPolicy(cmp.Or(in.UncertainPolicy, string(hongyan.UncertainHold))),
		TokenSource:     hongyan.TokenSource(cmp.Or(in.TokenSource, string(hongyan.TokenStable))),
		TokenURL:        hongyan.Secret(in.TokenURL), EgressProxy: hongyan.Secret(in.EgressProxy),
		MaxInFlight: in.MaxInFlight, CutValues: in.CutValues,
	}
	var f faults
	setPaths(a, in.Paths)
	setMini(&a.Mini, in.Mini)
	setDownstreams(a, in.Downstreams)
	setCallback(&a.Callback, in.Callback)
	setCare(&a.Care, in.Care, &f)
	if in.Rate != nil {
		a.RatePerSecond = in.Rate.PerSecond
	}
	setQuotas(a, in.Quotas)
	setQuietHours(a, in.QuietHours, &f)
	setExpireAfter(a, in.ExpireAfterSeconds, &f)
	return a, f
}

// patchAccount changes what p sets and returns what cannot be translated.
func patchAccount(a *hongyan.Account, p *client.AccountPatch) faults {
	var f faults
	setSecret(&a.Secret, p.Secret)
	set(&a.Name, p.Name)
	set(&a.Alias, p.Alias)
	set(&a.BaseURL, p.BaseURL)
	setCallback(&a.Callback, p.Callback)
	if p.Rate != nil {
		a.RatePerSecond = p.Rate.PerSecond
	}
	if p.Quotas != nil {
		setQuotas(a, *p.Quotas)
	}
	if p.UncertainPolicy != nil {
		a.UncertainPolicy = hongyan.UncertainPolicy(cmp.Or(*p.UncertainPolicy, string(hongyan.UncertainHold)))
	}
	if p.TokenSource != nil {
		a.TokenSource = hongyan.TokenSource(cmp.Or(*p.TokenSource, string(hongyan.TokenStable)))
	}
	setSecret(&a.TokenURL, p.TokenURL)
	setSecret(&a.EgressProxy, p.EgressProxy)
	setPaths(a, p.Paths)
	setMini(&a.Mini, p.Mini)
	if p.Downstreams != nil {
		setDownstreams(a, *p.Downstreams)
	}
	if p.QuietHours != nil {
		setQuietHours(a, *p.QuietHours, &f)
	}
	set(&a.MaxInFlight, p.MaxInFlight)
	if p.ExpireAfterSeconds != nil {
		setExpireAfter(a, *p.ExpireAfterSeconds, &f)
	}
	set(&a.CutValues, p.CutValues)
	setCare(&a.Care, p.Care, &f)
	return f
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

func setSecret(field *hongyan.Secret, value *string) {
	if value != nil {
		*field = hongyan.Secret(*value)
	}
}

func setPaths(a *hongyan.Account, in *client.PathRules) {
	if in != nil {
		a.Paths = hongyan.PathRules(*in)
	}
}

// setMini takes over what in sets.
func setMini(r *hongyan.MiniRules, in *client.MiniInput) {
	if in == nil {
		return
	}
	set(&r.PrepaySends, in.PrepaySends)
	set(&r.ConsentCheck, in.ConsentCheck)
	set(&r.ConsentLow, in.ConsentLow)
}

// setDownstreams replaces the list. What a new one leaves out of its secrets,
// and whether it is paused, is as the one of the same name had it.
func setDownstreams(a *hongyan.Account, list []client.DownstreamInput) {
	before := a.Downstreams
	a.Downstreams = nil
	for i := range list {
		in := &list[i]
		d := hongyan.Downstream{Name: in.Name, URL: in.URL, Sync: in.Sync, Ordered: in.Ordered, Events: in.Events, Mode: in.Mode}
		if old := downstreamNamed(before, in.Name); old != nil {
			d.Paused, d.Token, d.AESKey = old.Paused, old.Token, old.AESKey
		}
		set(&d.Paused, in.Paused)
		setSecret(&d.Token, in.Token)
		setSecret(&d.AESKey, in.AESKey)
		a.Downstreams = append(a.Downstreams, d)
	}
}

// downstreamNamed finds a downstream by name; nil when there is none.
func downstreamNamed(list []hongyan.Downstream, name string) *hongyan.Downstream {
	i := slices.IndexFunc(list, func(d hongyan.Downstream) bool { return d.Name == name })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// setCallback takes over what in sets. A new secret keeps the old one valid
// until the next change, because WeChat's side cannot change at the same
// moment; an empty one clears both.
func setCallback(c *hongyan.Callback, in *client.CallbackInput) {
	if in == nil {
		return
	}
	rotate(&c.Token, &c.PreviousToken, in.Token)
	rotate(&c.AESKey, &c.PreviousAESKey, in.AESKey)
	set(&c.Mode, in.Mode)
}

func rotate(current, previous *hongyan.Secret, next *string) {
	switch {
	case next == nil || hongyan.Secret(*next) == *current:
	case *next == "":
		*current, *previous = "", ""
	default:
		*current, *previous = hongyan.Secret(*next), *current
	}
}

func setQuotas(a *hongyan.Account, quotas []client.Quota) {
	a.Quotas = nil
	for _, q := range quotas {
		a.Quotas = append(a.Quotas, hongyan.QuotaRule(q))
	}
}

func setQuietHours(a *hongyan.Account, text string, f *faults) {
	hours, err := hongyan.ParseQuietHours(text)
	if err != nil {
		f.add("/quiet_hours", "%q is not like 22:00-08:00 (Beijing time), nor off", clip(text))
	}
	a.QuietHours = hours
}

func setExpireAfter(a *hongyan.Account, seconds int64, f *faults) {
	d, err := hongyan.ParseExpireAfter(seconds)
	if e, ok := errors.AsType[*hongyan.Error](err); ok {
		*f = append(*f, e.Fields...)
		return
	}
	a.ExpireAfter = d
}

// checkAccount checks every rule about an account and returns all that are
// broken, with the faults found so far, as one *hongyan.Error (code
// invalid_account); nil when there is none.
func checkAccount(a *hongyan.Account, f faults) error {
	f = append(f, a.Check()...)
	if a.Secret == "" {
		f.add("/secret", "the AppSecret is required")
	}
	slices.SortStableFunc(f, func(a, b hongyan.FieldError) int { return cmp.Compare(a.Pointer, b.Pointer) })
	return f.err("invalid_account")
}
