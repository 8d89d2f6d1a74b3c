package doctor

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"
)

// callback looks whether the account can be pushed to: what is set here, and what
// WeChat sees of the server URL (callback/check).
func (p *patient) callback(ctx context.Context, r *report) error {
	appID := p.account.AppID
	if p.account.Callback.Token == "" {
		r.add(Problem, "callback_token_missing", say("no callback token is set: every push of WeChat's is refused, so that nothing is known to be delivered", "未设置回调 Token：微信的推送都会被拒绝，因此无法得知是否送达"),
			say("hongyan account rotate %s --callback-token TOKEN, with the Token (令牌) of WeChat's console", "执行 hongyan account rotate %s --callback-token TOKEN，TOKEN 与微信后台“服务器配置”中的令牌一致", appID))
	}
	token := p.tokens().secret
	if got := p.asked(); token == "" || got.err != nil {
		return nil // WeChat cannot be asked: other checks say why
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	seen, err := p.wechat(token, nil).CheckCallback(ctx, wechat.CheckAll, wechat.OperatorDefault)
	switch {
	case codeOf(err) == wechat.CodeNoCallbackURL:
		r.add(Problem, "callback_url_missing", say("WeChat has no server URL for this account (40201): it pushes nothing", "该账号未在微信后台配置服务器地址（40201）：不会有任何推送"),
			say("in WeChat's console, 开发 → 基本配置 → 服务器配置, set the URL https://YOUR-HOST/callback/%s and enable it", "在微信后台“开发 → 基本配置 → 服务器配置”中填写 https://你的域名/callback/%s 并启用", appID))
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		r.add(Note, "callback_not_checked", say("WeChat did not look at the server URL: %s", "微信未能检查服务器地址：%s", short(err)), Text{})
	default:
		p.sayCallback(r, &seen)
	}
	return nil
}

// sayCallback tells what WeChat saw. That nothing answers a ping alone is no fault:
// many firewalls drop it.
func (p *patient) sayCallback(r *report, seen *wechat.CallbackCheck) {
	if len(seen.DNS) == 0 {
		r.add(Problem, "callback_url_unresolved", say("WeChat cannot look up the host of the server URL", "微信无法解析服务器地址中的域名"),
			say("see the DNS record of the host in the server URL (服务器地址)", "检查服务器地址域名的 DNS 记录"))
		return
	}
	where := make([]string, len(seen.DNS))
	for i, d := range seen.DNS {
		where[i] = d.IP + " (" + d.RealOperator + ")"
	}
	pings := make([]string, len(seen.Ping))
	for i, g := range seen.Ping {
		pings[i] = g.Time + ", " + g.PackageLoss
	}
	r.ok(say("WeChat finds the server URL at %s; ping %s lost", "微信解析到服务器地址 %s；ping %s 丢包", strings.Join(where, ", "), strings.Join(pings, "; ")))
}

// A push that tells what became of a message comes within seconds; one that has not
// come after awaitedFor is missing. What was accepted longer than awaitedSince ago is not looked at.
const (
	awaitedFor   = 10 * time.Minute
	awaitedSince = 24 * time.Hour
)

// pushes looks whether WeChat's pushes arrive: a message that was accepted and has no
// event though its time is over says that they do not, unless others came since.
func (p *patient) pushes(ctx context.Context, r *report) error {
	newest, err := p.cfg.Store.Events(ctx, p.account.AppID, 0, 1)
	if err != nil {
		return err
	}
	waiting, err := p.awaiting(ctx)
	if err != nil {
		return err
	}
	arrived := time.Time{}
	if len(newest) > 0 {
		arrived = newest[0].ReceivedAt
	}
	switch {
	case waiting != nil && arrived.Before(waiting.AcceptedAt):
		r.add(Problem, "pushes_missing", say("message %s was accepted at %s, and no push has come since", "消息 %s 已于 %s 受理，此后没有收到任何推送", waiting.ID, stamp(waiting.AcceptedAt)), p.letPushesIn(ctx))
	case waiting != nil:
		r.add(Note, "receipt_missing", say("message %s was accepted at %s and its event has not come; other pushes have, the last at %s", "消息 %s 已于 %s 受理，但未收到其送达事件；其他推送正常，最近一次在 %s", waiting.ID, stamp(waiting.AcceptedAt), stamp(arrived)), Text{})
	case arrived.IsZero():
		r.add(Note, "pushes_none_yet", say("no push of WeChat's has come yet", "尚未收到过微信的推送"),
			say("send a message, or follow the account once: a push should come within seconds", "发送一条消息，或关注一次该账号：几秒内应有推送"))
	default:
		r.ok(say("pushes arrive, the last at %s", "推送正常，最近一次在 %s", stamp(arrived)))
	}
	return nil
}

// awaiting returns the newest accepted message whose event is missing, nil when there is none.
func (p *patient) awaiting(ctx context.Context) (*hongyan.Message, error) {
	now := p.cfg.Store.Now()
	page, err := p.cfg.Store.Messages(ctx, store.Filter{
		AppIDs: []string{p.account.AppID}, States: []hongyan.State{hongyan.Accepted}, Since: now.Add(-awaitedSince), Limit: 100,
	})
	if err != nil {
		return nil, err
	}
	for i := range page.Items {
		m := &page.Items[i]
		if m.Kind.HasReceipt() && !m.InReview && now.Sub(m.AcceptedAt) >= awaitedFor {
			return m, nil
		}
	}
	return nil, nil
}

// letPushesIn names the addresses that pushes come from, for the firewall.
func (p *patient) letPushesIn(ctx context.Context) Text {
	from := ""
	if token := p.tokens().secret; token != "" {
		ctx, cancel := context.WithTimeout(ctx, callLimit)
		defer cancel()
		if list, err := p.wechat(token, nil).CallbackIP(ctx); err == nil {
			from = strings.Join(publicOnly(list), " ")
		}
	}
	appID := p.account.AppID
	if from == "" {
		return say("see that https://YOUR-HOST/callback/%[1]s reaches this gateway from outside, that its mode and Token are those of WeChat's console, and the log (part=callback)", "确认外部能经 https://你的域名/callback/%[1]s 访问本网关，模式与 Token 和微信后台一致，并查看日志（part=callback）", appID)
	}
	return say("see that https://YOUR-HOST/callback/%[1]s reaches this gateway from outside, also through the firewall (WeChat pushes from %[2]s), that its mode and Token are those of WeChat's console, and the log (part=callback)",
		"确认外部能经 https://你的域名/callback/%[1]s 访问本网关，防火墙放行微信的推送地址（%[2]s），模式与 Token 和微信后台一致，并查看日志（part=callback）", appID, from)
}

// publicOnly keeps what reads as an address or a network, at most eight.
func publicOnly(list []string) (kept []string) {
	for _, text := range list {
		_, one := netip.ParseAddr(text)
		_, many := netip.ParsePrefix(text)
		if (one == nil || many == nil) && len(kept) < 8 {
			kept = append(kept, text)
		}
	}
	return kept
}

// templates compares WeChat's list with ours, and names those that are banned.
func (p *patient) templates(ctx context.Context, r *report) error {
	banned, err := p.banned(ctx, r)
	if err != nil {
		return err
	}
	if p.cfg.Drift == nil || p.account.Kind == hongyan.MiniProgram { // WeChat lists none of theirs
		return nil
	}
	if got := p.asked(); !got.made || got.err != nil {
		return nil
	}
	d, err := p.cfg.Drift(ctx, p.account.AppID)
	if _, refused := errors.AsType[*wechat.Error](err); refused {
		r.add(Warning, "templates_not_listed", say("WeChat does not list the account's templates: %s", "微信未返回该账号的模板列表：%s", short(err)), p.cureOf(int(codeOf(err))))
		return nil
	}
	if err != nil {
		return err
	}
	sync := say("hongyan template sync %s", "执行 hongyan template sync %s", p.account.AppID)
	if n := len(d.Missing); n > 0 {
		r.add(Warning, "templates_gone", say("%[1]s gone at WeChat that messages may name: %[3]s", "有 %[2]d 个模板在微信侧已不存在：%[3]s", templatesAre(n), n, some(d.Missing)), sync)
	}
	if n := len(d.Added) + len(d.Updated); n > 0 {
		r.add(Note, "templates_differ", say("%[1]s new at WeChat or different there: %[3]s", "有 %[2]d 个模板在微信侧为新增或内容不同：%[3]s", templatesAre(n), n, some(append(d.Added, d.Updated...))), sync)
	}
	if banned+len(d.Missing)+len(d.Added)+len(d.Updated) == 0 {
		r.ok(say("%[1]s known, as WeChat lists them", "%[2]d 个模板与微信侧一致", templatesAre(d.Same), d.Same))
	}
	return nil
}

// banned names the templates that are banned, and returns how many they are.
func (p *patient) banned(ctx context.Context, r *report) (int, error) {
	list, err := p.cfg.Store.Templates(ctx, p.account.AppID)
	if err != nil {
		return 0, err
	}
	var ids []string
	for i := range list {
		if list[i].Status == "banned" {
			ids = append(ids, list[i].TemplateID)
		}
	}
	if len(ids) > 0 {
		r.add(Problem, "templates_banned", say("%[1]s banned, and messages for what is banned are held: %[3]s", "有 %[2]d 个模板被封禁，其消息已挂起：%[3]s", templatesAre(len(ids)), len(ids), some(ids)),
			say("settle it with WeChat, then: hongyan template sync %s", "与微信侧处理后执行 hongyan template sync %s", p.account.AppID))
	}
	return len(ids), nil
}

// templatesAre is how many templates are, as "1 template is" or "2 templates are".
func templatesAre(n int) string {
	if n == 1 {
		return "1 template is"
	}
	return strconv.Itoa(n) + " templates are"
}

// some writes up to three ids.
func some(ids []string) string {
	text := strings.Join(ids[:min(3, len(ids))], ", ")
	if len(ids) > 3 {
		text += ", …"
	}
	return text
}
