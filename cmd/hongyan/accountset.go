package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hongyan/client"
)

// accountSet changes what is given and leaves the rest. A nil flag was not given.
type accountSet struct {
	gatewayFlags    `embed:""`
	AppID           string         `arg:"" name:"appid" help:"Appid or alias."`
	Name            *string        `help:"For people."`
	Alias           *string        `help:"A short word usable in place of the appid."`
	BaseURL         *string        `name:"base-url" placeholder:"URL" help:"Where WeChat is."`
	CallbackMode    *string        `enum:"plain,compatible,safe" placeholder:"MODE" help:"How WeChat pushes: ${enum}."`
	Rate            *float64       `placeholder:"N" help:"Messages per second at most; 0 = no limit of ours."`
	MaxInFlight     *int           `placeholder:"N" help:"Calls to WeChat at once, 1 to 1000; 0 = the default, 50."`
	Quota           []string       `placeholder:"SCOPE/PERIOD/N" help:"A limit such as account/day/100000, or account/day/100000/5000 to keep 5000 of them for urgent messages; may be repeated, and replaces all there are. default alone goes back to the default."`
	UncertainPolicy *string        `enum:"hold,resend,give_up" placeholder:"POLICY" help:"What becomes of a message whose outcome cannot be known: ${enum}."`
	ExpireAfter     *time.Duration `placeholder:"DURATION" help:"How long after send_at a message may still leave, such as 6h; 0s = the default, 24h."`
	QuietHours      *string        `placeholder:"HH:MM-HH:MM" help:"Beijing hours, or off."`
	CutValues       *bool          `negatable:"" help:"Cut values that are too long for their type, in place of refusing them."`
	TokenSource     *string        `enum:"stable,plain,external" placeholder:"SOURCE" help:"Where the access_token comes from: ${enum}."`
	TokenURL        *string        `name:"token-url" placeholder:"URL" help:"token source external: where the token is fetched."`
	EgressProxy     *string        `placeholder:"URL" help:"Proxy that calls to WeChat go through."`
	AllowPath       []string       `placeholder:"PATTERN" help:"A path of WeChat that callers reach through the gateway, such as /cgi-bin/menu/*; may be repeated. With --deny-path it replaces both lists; * alone allows all."`
	DenyPath        []string       `placeholder:"PATTERN" help:"A path they do not reach; wins over --allow-path. With --allow-path it replaces both lists."`
}

func (accountSet) Help() string {
	return "Only what is given changes; an empty value ('') goes back to the default. It is in force at once. Secrets are changed by hongyan account rotate, downstreams in the configuration file or with PATCH /v1/accounts/APPID. " +
		"What the configuration file says of an account is in force again at the next start."
}

func (c *accountSet) Run(ctx context.Context, w *surroundings) error {
	patch, changed, err := c.patch()
	if err != nil {
		return err
	}
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	a, err := gateway.UpdateAccount(ctx, c.AppID, patch)
	if err != nil {
		return accountFlags.apiError(gateway, err)
	}
	if c.JSON {
		return w.json(a)
	}
	out := w.out()
	out.line("%s: %s", a.AppID, wrapped(settingsWords(&a, changed), 2, out.columns))
	out.next("hongyan doctor %s", a.AppID)
	return nil
}

// patch holds what was given, at least one thing, and the flags that gave it.
func (c *accountSet) patch() (p client.AccountPatch, changed []string, err error) {
	p = client.AccountPatch{
		Name: c.Name, Alias: c.Alias, BaseURL: c.BaseURL, UncertainPolicy: c.UncertainPolicy, TokenSource: c.TokenSource,
		TokenURL: c.TokenURL, EgressProxy: c.EgressProxy, QuietHours: c.QuietHours, MaxInFlight: c.MaxInFlight, CutValues: c.CutValues,
	}
	note := func(given bool, flag string) {
		if given {
			changed = append(changed, flag)
		}
	}
	if c.CallbackMode != nil {
		p.Callback = &client.CallbackInput{Mode: c.CallbackMode}
	}
	if c.Rate != nil {
		p.Rate = &client.Rate{PerSecond: *c.Rate}
	}
	if c.ExpireAfter != nil {
		if *c.ExpireAfter%time.Second != 0 {
			return p, nil, wrongUse("write whole seconds, such as 90s or 6h", "--expire-after %s is not a number of seconds", *c.ExpireAfter)
		}
		p.ExpireAfterSeconds = new(int64(*c.ExpireAfter / time.Second))
	}
	if p.Quotas, err = c.quotas(); err != nil {
		return p, nil, err
	}
	if len(c.AllowPath)+len(c.DenyPath) > 0 {
		p.Paths = &client.PathRules{Allow: c.AllowPath, Deny: c.DenyPath}
		if len(c.AllowPath) == 1 && c.AllowPath[0] == "*" {
			p.Paths.Allow = nil
		}
	}
	for _, f := range []struct {
		given bool
		flag  string
	}{
		{c.Name != nil, "name"}, {c.Alias != nil, "alias"}, {c.BaseURL != nil, "base-url"}, {c.CallbackMode != nil, "callback-mode"}, {c.Rate != nil, "rate"},
		{c.MaxInFlight != nil, "max-in-flight"}, {p.Quotas != nil, "quota"}, {c.UncertainPolicy != nil, "uncertain-policy"}, {c.ExpireAfter != nil, "expire-after"},
		{c.QuietHours != nil, "quiet-hours"}, {c.CutValues != nil, "cut-values"}, {c.TokenSource != nil, "token-source"}, {c.TokenURL != nil, "token-url"},
		{c.EgressProxy != nil, "egress-proxy"}, {p.Paths != nil, "paths"},
	} {
		note(f.given, f.flag)
	}
	if len(changed) == 0 {
		return p, nil, wrongUse("name a setting, such as --rate 50; see hongyan account set --help", "there is nothing to change")
	}
	return p, changed, nil
}

// quotas reads the rules; nil when none was given, an empty list for "default".
func (c *accountSet) quotas() (*[]client.Quota, error) {
	if len(c.Quota) == 0 {
		return nil, nil
	}
	rules := []client.Quota{}
	for _, text := range c.Quota {
		if text == "default" && len(c.Quota) == 1 {
			break
		}
		q, err := parseQuota(text)
		if err != nil {
			return nil, err
		}
		rules = append(rules, q)
	}
	return &rules, nil
}

// settingsWords tells how the changed settings are now.
func settingsWords(a *client.Account, changed []string) string {
	now := map[string]string{
		"name": a.Name, "alias": a.Alias, "base-url": a.BaseURL, "callback-mode": a.Callback.Mode, "rate": rateWords(a.Rate.PerSecond),
		"max-in-flight": fmt.Sprint(a.MaxInFlight), "quota": quotaWords(a.Quotas), "uncertain-policy": a.UncertainPolicy,
		"expire-after": (time.Duration(a.ExpireAfterSeconds) * time.Second).String(), "quiet-hours": a.QuietHours, "cut-values": fmt.Sprint(a.CutValues),
		"token-source": a.TokenSource, "token-url": setWords(a.TokenURLSet), "egress-proxy": a.EgressProxy,
		"paths": "allow " + pathWords(a.Paths.Allow, "all") + " deny " + pathWords(a.Paths.Deny, "none"),
	}
	words := make([]string, len(changed))
	for i, flag := range changed {
		value := now[flag]
		if value == "" {
			value = "none"
		}
		words[i] = flag + " " + value
	}
	return strings.Join(words, ", ")
}

func rateWords(perSecond float64) string {
	if perSecond == 0 {
		return "no limit of ours"
	}
	return fmt.Sprintf("%g/s", perSecond)
}

// quotaWords writes rules as --quota takes them.
func quotaWords(rules []client.Quota) string {
	words := make([]string, len(rules))
	for i, q := range rules {
		words[i] = fmt.Sprintf("%s/%s/%d", q.Scope, q.Period, q.Limit)
		if q.UrgentReserve > 0 {
			words[i] += fmt.Sprintf("/%d", q.UrgentReserve)
		}
	}
	return strings.Join(words, " ")
}

func setWords(set bool) string {
	if set {
		return "set"
	}
	return "not set"
}

func pathWords(patterns []string, none string) string {
	if len(patterns) == 0 {
		return none
	}
	return strings.Join(patterns, " ")
}
