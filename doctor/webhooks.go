package doctor

import (
	"context"
	"time"

	"hongyan"
	"hongyan/store"
)

// webhooks looks whether events reach the endpoints and chats that want them.
func (d *Doctor) webhooks(ctx context.Context, r *report) error {
	all, err := d.cfg.Store.Webhooks(ctx)
	if err != nil || len(all) == 0 {
		return err
	}
	counts, err := d.cfg.Store.WebhookCounts(ctx)
	if err != nil {
		return err
	}
	now := d.cfg.Store.Now()
	for i := range all {
		d.sayWebhook(r, &all[i], counts[all[i].ID], now)
	}
	return nil
}

func (d *Doctor) sayWebhook(r *report, w *hongyan.Webhook, c store.DeliveryCount, now time.Time) {
	late := !c.Oldest.IsZero() && now.Sub(c.Oldest) >= handedOnLate
	switch {
	case w.Disabled != "":
		r.add(Problem, "webhook_disabled", say("%[1]s is disabled since %[2]s: %[3]s", "%[1]s 自 %[2]s 起已停用：%[4]s", w.Name, stamp(w.DisabledAt), w.Disabled, w.DisabledZH()),
			say("put its endpoint right, then: hongyan webhook set %s --enable; or remove it", "修复其接收端后执行 hongyan webhook set %s --enable；或删除它", w.Name))
	case w.Paused:
		r.add(Note, "webhook_paused", say("%s is paused; %d events are kept for it", "%s 已暂停，为其保留了 %d 条事件", w.Name, c.Pending),
			say("hongyan webhook resume %s", "执行 hongyan webhook resume %s", w.Name))
	case late || c.Error != "":
		r.add(Problem, "webhook_failing", say("%d events wait for %s, the oldest since %s: %s", "有 %d 条事件在等 %s，最早的来自 %s：%s", c.Pending, w.Name, stamp(c.Oldest), orElse(c.Error, "not tried yet")),
			webhookCure(w))
	case c.GaveUp > 0:
		r.add(Warning, "webhook_gave_up", say("%d events were given up for %s after three days", "有 %d 条事件在三天后放弃发送给 %s", c.GaveUp, w.Name),
			say("hongyan webhook redeliver %s sends them once more", "执行 hongyan webhook redeliver %s 重新发送", w.Name))
	default:
		r.ok(say("%s took %d events, %d wait", "%s 已接收 %d 条事件，%d 条等待", w.Name, c.Done, c.Pending))
	}
}

// webhookCure says what to do about an endpoint that does not take its events: a robot
// answers 200 also when it refuses.
func webhookCure(w *hongyan.Webhook) Text {
	if w.Kind.Robot() {
		return say("check address, secret and keyword of the robot; what waits is sent then by itself: hongyan webhook deliveries %s", "检查机器人的地址、密钥和关键词，之后会自动补发：hongyan webhook deliveries %s", w.Name)
	}
	return say("see that its endpoint answers 2xx; what waits is sent then by itself: hongyan webhook deliveries %s", "确认接收端返回 2xx，之后会自动补发：hongyan webhook deliveries %s", w.Name)
}
