package compat

import (
	"context"
	"net/http"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"
)

// The ways to say that a call that clears quota is meant. Neither reaches WeChat.
const (
	confirmParam  = "hongyan_confirm"
	confirmHeader = "X-Hongyan-Confirm"
	confirmWord   = "clear_quota"
)

// scarce is a call that WeChat takes a few times a month only, and that an SDK
// should not make by itself on 45009 (spec §3.5).
type scarce struct {
	scope  string // of the store's usage
	limit  int64  // calls a Beijing month
	secret bool   // shows the AppSecret instead of a token
	one    bool   // clears one API, not all
}

var guards = map[string]*scarce{
	string(wechat.EndpointClearQuota):   {scope: "clear_quota", limit: 10},
	string(wechat.EndpointClearQuotaV2): {scope: "clear_quota", limit: 10, secret: true},
	string(wechat.EndpointQuotaClear):   {scope: "quota_clear", limit: 50, one: true},
}

// guarded is a scarce call on its way.
type guarded struct {
	*scarce
	path string // the one API, of quota/clear
}

// clearBody is what the three calls are asked.
type clearBody struct {
	AppID     wireText `json:"appid"`
	AppSecret wireText `json:"appsecret"`
	CGIPath   wireText `json:"cgi_path"`
}

// admitGuarded finds out whose quota is to be cleared.
func (g *Gate) admitGuarded(x *exchange, q query, v *scarce) (*passage, error) {
	x.label = x.route
	if x.r.Method != http.MethodPost {
		return nil, refuse(wechat.CodeRequirePOST)
	}
	p := &passage{query: q, swap: !v.secret}
	if p.swap {
		appID, err := g.owner(x, q.get("access_token"))
		if err != nil {
			return nil, err
		}
		if p.account, err = g.account(x, appID); err != nil {
			return nil, err
		}
	}
	body, err := x.readAll(maxLogin)
	if err != nil {
		return nil, err
	}
	var b clearBody
	if err := decode(body, &b); err != nil {
		return nil, err
	}
	p.body, p.guarded = body, &guarded{v, string(b.CGIPath)}
	if !v.secret {
		return p, nil
	}
	return p, g.admitClear(x, p, &b)
}

// admitClear exchanges a gateway secret in the body for the AppSecret.
func (g *Gate) admitClear(x *exchange, p *passage, b *clearBody) error {
	a, err := g.account(x, string(b.AppID))
	if err != nil {
		return err
	}
	who, err := g.whose(x, a, string(b.AppSecret))
	if err != nil {
		return err
	}
	p.account = a
	if who != hongyan.CallerAppSecret {
		body := appendText([]byte(`{"appid":`), a.AppID)
		p.body = append(appendText(append(body, `,"appsecret":`...), a.Secret.Reveal()), '}')
	}
	return nil
}

// passGuarded lets a scarce call through if it is meant and the month has one left.
func (g *Gate) passGuarded(x *exchange, p *passage) error {
	v := p.guarded
	if p.query.get(confirmParam) != confirmWord && x.r.Header.Get(confirmHeader) != confirmWord {
		return refuseWith(wechat.CodeAPIUnauthorized,
			"%s: WeChat takes this call %d times a month only; if it is meant, add %s=%s to the query or send the header %s: %s",
			textOf(wechat.CodeAPIUnauthorized), v.limit, confirmParam, confirmWord, confirmHeader, confirmWord)
	}
	p.query = p.query.without(confirmParam)
	used, err := g.cleared(x.ctx(), p)
	if err != nil {
		return err
	}
	if used >= v.limit {
		return refuseWith(wechat.CodeClearQuotaLimit, "%s: %d of %d this month", textOf(wechat.CodeClearQuotaLimit), used, v.limit)
	}
	return g.forward(x, p)
}

// cleared is how often the account has made the call this month.
func (g *Gate) cleared(ctx context.Context, p *passage) (int64, error) {
	all, err := g.cfg.Store.Usage(ctx, p.account.AppID)
	if err != nil {
		return 0, err
	}
	for i := range all {
		if u := &all[i]; u.Scope == p.guarded.scope && u.Period == "month" {
			return u.Used, nil
		}
	}
	return 0, nil
}

func (g *Gate) count(x *exchange, p *passage) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.ctx()), settleTime)
	defer cancel()
	err := g.cfg.Store.AddUsage(ctx, []store.UsageDelta{{
		AppID: p.account.AppID, Scope: p.guarded.scope, Period: "month",
		PeriodFrom: hongyan.PeriodStart("month", g.cfg.Store.Now()), N: 1,
	}})
	if err != nil {
		g.log.ErrorContext(ctx, "count a call that clears quota", "appid", p.account.AppID, "path", x.route, "err", err)
	}
}

// lift ends the holds that WeChat's quota has caused. Those of limits of our own
// stay: WeChat cleared its counters, not ours.
func (g *Gate) lift(x *exchange, p *passage) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.ctx()), settleTime)
	defer cancel()
	holds, err := g.cfg.Store.Holds(ctx)
	for i := range holds {
		h := &holds[i]
		if err == nil && h.AppID == p.account.AppID && h.Reason == hongyan.HoldQuota && h.Errcode != 0 && p.guarded.clears(h.Kind) {
			_, err = g.cfg.Store.ClearHold(ctx, h.AppID, h.Kind, h.Reason)
		}
	}
	if err != nil {
		g.log.ErrorContext(ctx, "lift the holds of a quota that was cleared", "appid", p.account.AppID, "err", err)
	}
	g.cfg.Changed(p.account.AppID)
}

// clears reports whether the call lets messages of a kind go.
func (v *guarded) clears(kind hongyan.MessageKind) bool {
	if !v.one {
		return true
	}
	s := sends[v.path]
	return s != nil && s.kind == kind
}
