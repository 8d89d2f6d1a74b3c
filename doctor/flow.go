package doctor

import (
	"context"
	"time"

	"hongyan"
)

// quotaNote is the share of a limit, in percent, from which its use is told.
const quotaNote = 80

// quota tells how much of each limit is used, and whether it lasts.
func (p *patient) quota(ctx context.Context, r *report) error {
	if p.cfg.Quota == nil {
		return nil
	}
	rules, err := p.cfg.Quota(ctx, p.account.AppID)
	if err != nil {
		return err
	}
	see := say("hongyan quota %[1]s; WeChat's own figure: POST /cgi-bin/openapi/quota/get. Raise ours with hongyan account set %[1]s --quota", "执行 hongyan quota %[1]s；微信侧的数字用 POST /cgi-bin/openapi/quota/get 查询。调整网关限额：hongyan account set %[1]s --quota", p.account.AppID)
	for _, q := range rules {
		said := func(level Level, code, en, zh string, more ...any) {
			r.add(level, code, say("%s/%s: %d of %d used"+en, "%s/%s：已用 %d / %d"+zh, append([]any{q.Scope, q.Period, q.Used, q.Limit}, more...)...), see)
		}
		switch {
		case q.Remaining <= 0:
			said(Problem, "quota_used_up", "; messages wait until %s", "；消息将等到 %s", stamp(q.ResetsAt))
		case !q.ExhaustedAt.IsZero() && q.ExhaustedAt.Before(q.ResetsAt):
			said(Warning, "quota_will_not_last", "; at the present pace it is used up at %s", "；按目前速度将于 %s 用尽", stamp(q.ExhaustedAt))
		case q.Used*100 >= q.Limit*quotaNote:
			said(Note, "quota_high", "", "")
		default:
			r.ok(say("%s/%s: %d of %d used", "%s/%s：已用 %d / %d", q.Scope, q.Period, q.Used, q.Limit))
		}
	}
	return nil
}

// dueTooLong is how long a message may be due before something is in its way.
const dueTooLong = 5 * time.Minute

// holds tells what keeps messages from leaving, and of those that wait for no reason.
func (p *patient) holds(ctx context.Context, r *report) error {
	all, err := p.cfg.Store.Holds(ctx)
	if err != nil {
		return err
	}
	now := p.cfg.Store.Now()
	var mine []hongyan.Hold
	for _, h := range all {
		if h.AppID == p.account.AppID && (h.Until.IsZero() || now.Before(h.Until)) {
			mine = append(mine, h)
			p.sayHold(r, &h)
		}
	}
	if err := p.stuck(ctx, r, mine); err != nil {
		return err
	}
	if len(r.findings) == 0 {
		r.ok(say("nothing keeps messages from leaving", "没有阻止发送的挂起"))
	}
	return nil
}

func (p *patient) sayHold(r *report, h *hongyan.Hold) {
	level := Warning
	if h.Reason == hongyan.HoldAccount || h.Reason == hongyan.HoldUnreachable {
		level = Problem
	}
	kind := string(h.Kind)
	if kind == "" {
		kind = "*"
	}
	en, zh := "", ""
	if h.Detail != "" {
		en, zh = ": "+h.Detail, "："+h.Detail
	}
	what := say("messages (%s) wait since %s for %s", "消息（%s）自 %s 起挂起，原因 %s", kind, stamp(h.Since), h.Reason)
	what.EN, what.ZH = what.EN+en, what.ZH+zh
	r.add(level, "held_"+h.Reason, what, p.endOf(h))
}

// endOf is what ends a hold.
func (p *patient) endOf(h *hongyan.Hold) Text {
	switch {
	case h.Reason == hongyan.HoldPaused:
		return say("hongyan account resume %s", "执行 hongyan account resume %s", p.account.AppID)
	case h.Reason == hongyan.HoldAccount:
		return p.cureOf(h.Errcode)
	case !h.Until.IsZero():
		return say("it ends by itself at %s: %s", "将于 %s 自动结束：%s", stamp(h.Until), h.Release)
	}
	return Text{EN: h.Release, ZH: h.Release}
}

// stuck finds streams whose messages have been due for long though nothing holds them.
func (p *patient) stuck(ctx context.Context, r *report, holds []hongyan.Hold) error {
	streams, err := p.cfg.Store.Streams(ctx)
	if err != nil {
		return err
	}
	now := p.cfg.Store.Now()
	for _, s := range streams {
		if s.AppID != p.account.AppID || now.Sub(s.DueAt) < dueTooLong || covered(holds, s.Kind, s.DueAt, now) {
			continue
		}
		r.add(Problem, "backlog", say("messages (%s) are due since %s and nothing holds them: more is posted than leaves", "消息（%s）自 %s 起到期而未发出，且没有挂起：提交快于发送", s.Kind, stamp(s.DueAt)),
			say("see hongyan_oldest_due_seconds in /metrics; raise the account's rate or max_in_flight (hongyan account set %s --rate N --max-in-flight N), or slots in the configuration", "看 /metrics 中的 hongyan_oldest_due_seconds；提高该账号的速率或并发（hongyan account set %s --rate N --max-in-flight N），或配置中的 slots", p.account.AppID))
	}
	return nil
}

func covered(holds []hongyan.Hold, kind hongyan.MessageKind, due, now time.Time) bool {
	for i := range holds {
		if holds[i].Covers(kind, hongyan.Normal, due, now) {
			return true
		}
	}
	return false
}

// handedOnLate is how long a push may wait for a downstream before it is told.
const handedOnLate = 5 * time.Minute

// downstreams looks whether the account's pushes reach the servers they are handed on to.
func (p *patient) downstreams(ctx context.Context, r *report) error {
	if len(p.account.Downstreams) == 0 {
		return nil
	}
	counts, err := p.cfg.Store.DeliveryCounts(ctx, p.account.AppID)
	if err != nil {
		return err
	}
	appID, now := p.account.AppID, p.cfg.Store.Now()
	for i := range p.account.Downstreams {
		d := &p.account.Downstreams[i]
		c := counts[d.Target(appID)]
		late := !c.Oldest.IsZero() && now.Sub(c.Oldest) >= handedOnLate
		switch {
		case d.Paused:
			r.add(Note, "downstream_paused", say("%s is paused; %d pushes are kept for it", "%s 已暂停，为其保留了 %d 条推送", d.Name, c.Pending),
				say("hongyan downstream resume %s %s", "执行 hongyan downstream resume %s %s", appID, d.Name))
		case late || c.Error != "":
			r.add(Problem, "downstream_failing", say("%d pushes wait for %s, the oldest since %s: %s", "有 %d 条推送在等 %s，最早的来自 %s：%s", c.Pending, d.Name, stamp(c.Oldest), orElse(c.Error, "not tried yet")),
				say("see that its server answers; what waits is delivered then by itself: hongyan downstream list %s", "确认该服务器可用，之后会自动补发：hongyan downstream list %s", appID))
		case c.GaveUp > 0:
			r.add(Warning, "downstream_gave_up", say("%d pushes were given up for %s after three days", "有 %d 条推送在三天后放弃转发给 %s", c.GaveUp, d.Name),
				say("hongyan downstream replay %s %s --from TIME hands them on once more", "执行 hongyan downstream replay %s %s --from TIME 重新转发", appID, d.Name))
		default:
			r.ok(say("%s took %d pushes, %d wait", "%s 已接收 %d 条推送，%d 条等待", d.Name, c.Done, c.Pending))
		}
	}
	return nil
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
