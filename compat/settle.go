package compat

import (
	"context"
	"time"

	"hongyan/wechat"
)

// settleTime bounds what is done after WeChat has answered and before the caller is.
const settleTime = 5 * time.Second

// changesTemplates are the calls after which the account's templates are others.
var changesTemplates = map[string]bool{
	string(wechat.EndpointTemplateAdd): true, string(wechat.EndpointTemplateDelete): true, string(wechat.EndpointIndustrySet): true,
}

// settle does what follows from a call that WeChat carried out.
func (g *Gate) settle(x *exchange, p *passage, seen *glance) {
	if !seen.whole || seen.code != wechat.CodeOK || p.account == nil {
		return
	}
	switch {
	case p.guarded != nil:
		g.count(x, p)
		g.lift(x, p)
	case changesTemplates[x.route]:
		ctx, cancel := context.WithTimeout(context.WithoutCancel(x.ctx()), settleTime)
		defer cancel()
		g.cfg.TemplatesChanged(ctx, p.account.AppID)
	}
}
