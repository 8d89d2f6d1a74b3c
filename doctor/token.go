package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"
)

// diedLately is how far back the audit log is read for tokens that died early.
const diedLately = 24 * time.Hour

// token looks whether a token can be had, whether WeChat takes it, and whether
// somebody else fetches tokens too.
func (p *patient) token(ctx context.Context, r *report) error {
	s := p.tokens()
	if s.looked != nil {
		return s.looked
	}
	if !p.sayNoToken(r, &s) {
		p.sayToken(r, &s)
	}
	return p.diedEarly(ctx, r)
}

// sayNoToken tells why there is no token, and reports whether there is none.
func (p *patient) sayNoToken(r *report, s *tokenState) bool {
	appID := p.account.AppID
	refused, _ := errors.AsType[*hongyan.TokenError](s.err)
	if refused == nil {
		refused = s.Stopped
	}
	switch {
	case s.secret != "":
		return false
	case refused != nil && refused.Stopped:
		r.add(Problem, "token_stopped", say("no access_token can be had: %s", "无法取得 access_token：%s", refused.Reason), p.cureOf(refused.Errcode))
	case refused != nil:
		r.add(Problem, "token_failing", say("no access_token at the moment, next try %s: %s", "暂时无法取得 access_token，下次尝试 %s：%s", stamp(refused.RetryAt), refused.Reason),
			say("it is tried again by itself; see the findings dns and egress", "会自动重试；请看 dns 与 egress 两项"))
	case s.err != nil:
		r.add(Problem, "token_failing", say("no access_token came in time", "未能及时取得 access_token"), say("see the findings dns and egress", "请看 dns 与 egress 两项"))
	case p.isPushed():
		r.add(Problem, "token_not_pushed", say("its token is to be pushed to the gateway, and none that is still valid was", "该账号的 access_token 由外部推送，但目前没有有效的"),
			say("let your central server call PUT /v1/accounts/%[1]s/token, or: hongyan token push %[1]s --token-file FILE --expires-in SECONDS", "让中控服务器调用 PUT /v1/accounts/%[1]s/token，或执行 hongyan token push %[1]s --token-file FILE --expires-in SECONDS", appID))
	default: // plain: fetching one ends another program's
		r.add(Note, "token_none_yet", say("no access_token is held, and none was fetched for this look: that ends the one another program may be using", "目前没有 access_token；检查时不去获取，以免使其他程序正在使用的失效"),
			say("the first send fetches one; token source stable does not end others': hongyan account set %s --token-source stable", "首次发送时会获取；改用 stable 来源不会使他人的失效：hongyan account set %s --token-source stable", appID))
	}
	return true
}

// sayToken tells of the token that there is.
func (p *patient) sayToken(r *report, s *tokenState) {
	if got := p.asked(); wechat.ClassOfError(got.err) == wechat.ClassToken && got.made {
		r.add(Warning, "token_dead", say("WeChat refuses the token that the gateway holds (%s); the next call replaces it", "微信拒绝网关所持的 access_token（%s）；下一次调用会更换它", short(got.err)),
			say("somebody else fetched one: find out who (hongyan token get %[1]s); now: hongyan token refresh %[1]s", "有人在别处获取了新的：请查明是谁（hongyan token get %[1]s）；立即更换：hongyan token refresh %[1]s", p.account.AppID))
		return
	}
	if s.Failing != nil {
		r.add(Warning, "token_not_renewed", say("a token is held for %s more, and the latest renewal failed: %s", "现有 access_token 还可用 %s，但最近一次续期失败：%s", s.Remaining.Round(time.Second), s.Failing.Reason),
			say("it is tried again by itself before the token ends; see the findings dns and egress", "到期前会自动重试；请看 dns 与 egress 两项"))
		return
	}
	r.ok(say("a token is held for %s more, fetched at %s by %s (%s)", "access_token 还可用 %s，由 %[3]s 于 %[2]s 获取（%[4]s）", s.Remaining.Round(time.Second), stamp(s.FetchedAt), s.FetchedBy, s.Source))
}

// diedEarly tells of tokens that somebody outside ended, as the audit log has them.
func (p *patient) diedEarly(ctx context.Context, r *report) error {
	died, err := p.cfg.Store.AuditLog(ctx, store.AuditFilter{
		Action: "token.died_early", Target: p.account.AppID, Since: p.cfg.Store.Now().Add(-diedLately), Limit: maxCounted,
	})
	if err != nil || len(died) == 0 {
		return err
	}
	r.add(Warning, "token_died_early", say("%d tokens died early in the last 24 hours, the last at %s: another program fetches tokens for this account", "最近 24 小时有 %d 个 access_token 提前失效，最近一次在 %s：另有程序在为该账号获取 access_token", len(died), stamp(died[0].At)),
		say("give that program a secret of the gateway's (hongyan key create NAME --kind gateway --appid %[1]s), then reset the AppSecret in WeChat's console and: hongyan account rotate %[1]s --secret-file FILE",
			"给该程序一个网关密钥（hongyan key create NAME --kind gateway --appid %[1]s），再到微信后台重置 AppSecret，然后执行 hongyan account rotate %[1]s --secret-file FILE", p.account.AppID))
	return nil
}

// cureOf is what ends a stop with that errcode.
func (p *patient) cureOf(errcode int) Text {
	appID := p.account.AppID
	switch wechat.Code(errcode) {
	case wechat.CodeInvalidAppSecret, wechat.CodeInvalidCredential:
		return say("put the AppSecret of WeChat's console into a file, then: hongyan account rotate %s --secret-file FILE", "把微信后台的 AppSecret 存入文件，然后执行 hongyan account rotate %s --secret-file FILE", appID)
	case wechat.CodeIPNotInWhitelist:
		return say("see the finding egress, then: hongyan account resume %s", "请看 egress 一项，处理后执行 hongyan account resume %s", appID)
	}
	if info, ok := wechat.LookupCode(errcode); ok {
		return say("%[1]s Then: hongyan account resume %[3]s", "%[2]s 处理后执行 hongyan account resume %[3]s", info.Hint, info.HintZH, appID)
	}
	return say("put it right at WeChat, then: hongyan account resume %s", "在微信侧处理后执行 hongyan account resume %s", appID)
}

// short is WeChat's refusal in a few words.
func short(err error) string {
	if e, ok := errors.AsType[*wechat.Error](err); ok {
		return fmt.Sprintf("errcode %d %s", e.Code, e.Msg)
	}
	return err.Error()
}

// egress looks whether WeChat answers this machine, and takes its address.
func (p *patient) egress(_ context.Context, r *report) error {
	s, got := p.tokens(), p.asked()
	refused := s.Stopped
	if e, ok := errors.AsType[*hongyan.TokenError](s.err); ok {
		refused = e
	}
	switch {
	case refused != nil && refused.Errcode == int(wechat.CodeIPNotInWhitelist):
		p.notWhitelisted(r, refused.Reason)
	case got.err != nil && codeOf(got.err) == wechat.CodeIPNotInWhitelist:
		p.notWhitelisted(r, short(got.err))
	case refused != nil && refused.Errcode/10 == 8950:
		info, _ := wechat.LookupCode(refused.Errcode)
		r.add(Problem, "ip_not_confirmed", say("WeChat does not let this machine's address in yet: errcode %[1]d %[2]s", "微信尚未放行本机地址：errcode %[1]d %[3]s", refused.Errcode, info.Meaning, info.MeaningZH), Text{EN: info.Hint, ZH: info.HintZH})
	case unreached(got.err) || refused != nil && unreached(refused):
		r.add(Problem, "wechat_unreachable", say("%s does not answer: %s", "%s 没有应答：%s", p.host(), causeOf(got.err, refused)), p.openTheWay())
	case got.made:
		r.ok(say("WeChat answers this machine in %s", "微信在 %s 内应答了本机", got.answered.Sub(got.sent).Round(time.Millisecond)))
	}
	return nil
}

// notWhitelisted tells of 40164, whose text names the address that WeChat saw.
func (p *patient) notWhitelisted(r *report, said string) {
	ip := addressIn(said)
	if ip == "" {
		ip = "(see errmsg)"
	}
	r.add(Problem, "ip_not_whitelisted", say("WeChat sees this machine as %s, which is not in the account's whitelist (errcode 40164)", "微信看到的本机地址是 %s，不在该账号的 IP 白名单中（errcode 40164）", ip),
		say("in WeChat's console, 开发 → 基本配置 → IP白名单, add %[1]s; then: hongyan account resume %[2]s. With several gateways add each one's address", "在微信后台“开发 → 基本配置 → IP白名单”中加入 %[1]s，然后执行 hongyan account resume %[2]s；有多台网关时逐一加入", ip, p.account.AppID))
}

// addressIn finds the first IP address in a text such as "invalid ip 203.0.113.7 ipv6
// ::ffff:203.0.113.7, not in whitelist".
func addressIn(text string) string {
	for _, word := range strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == ',' }) {
		if ip, err := netip.ParseAddr(word); err == nil {
			return ip.Unmap().String()
		}
	}
	return ""
}

func codeOf(err error) wechat.Code {
	if e, ok := errors.AsType[*wechat.Error](err); ok {
		return e.Code
	}
	return wechat.CodeOK
}

// unreached reports whether no answer of WeChat's came.
func unreached(err error) bool {
	_, is := errors.AsType[*wechat.TransportError](err)
	return is
}

// causeOf is why WeChat was not reached.
func causeOf(err error, refused *hongyan.TokenError) string {
	if err == nil {
		return refused.Reason
	}
	return err.Error()
}

func (p *patient) openTheWay() Text {
	if p.account.EgressProxy != "" {
		return say("see whether the proxy %s is up and lets this machine through", "检查代理 %s 是否可用并放行本机", p.account.EgressProxyShown())
	}
	return say("see whether this machine may open connections to port 443 of %[1]s (curl -v https://%[1]s), and the settings base_url, egress_proxy and allow_private", "检查本机能否连接 %[1]s 的 443 端口（curl -v https://%[1]s），以及 base_url、egress_proxy、allow_private 设置", p.host())
}

// secretLately is how far back a caller with the real AppSecret still counts.
const secretLately = 30 * 24 * time.Hour

// appSecret tells who still shows the gateway the account's own AppSecret.
func (p *patient) appSecret(ctx context.Context, r *report) error {
	callers, err := p.cfg.Store.TokenCallers(ctx, p.account.AppID)
	if err != nil {
		return err
	}
	found := false
	for _, c := range callers {
		if c.CallerID != hongyan.CallerAppSecret || p.cfg.Store.Now().Sub(c.LastAt) > secretLately {
			continue
		}
		found = true
		r.add(Warning, "app_secret_in_use", say("a program at %s uses the real AppSecret (%s, %d requests, last %s): it can fetch tokens past the gateway, and end everybody's", "%s 处的程序仍在使用真正的 AppSecret（%s，%d 次请求，最近 %s）：它可以绕过网关获取 access_token，使所有人的失效",
			c.Remote, c.Endpoint, c.Requests, stamp(c.LastAt)),
			say("give it a secret of its own: hongyan key create NAME --kind gateway --appid %s; when none is left, compat.accept_app_secret: false", "给它单独的密钥：hongyan key create NAME --kind gateway --appid %s；全部更换后设 compat.accept_app_secret: false", p.account.AppID))
	}
	if !found {
		r.ok(say("nobody has shown the real AppSecret in the last 30 days", "最近 30 天无人使用真正的 AppSecret"))
	}
	return nil
}
