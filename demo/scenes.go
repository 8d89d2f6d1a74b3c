package demo

import (
	"context"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
)

// Fate is how a message ends, or waits.
type Fate struct {
	State  string `json:"state"`
	Reason string `json:"reason"`
}

// scene is one message whose fate is known beforehand.
type scene struct {
	name     string
	title    string // what happens, for people, in Chinese and English
	want     Fate
	evidence string // what one of its attempts must show, such as "40001" or "no_answer"; "" = nothing
	seen     int    // how many messages the user must have seen; anySeen = not asked
	settle   bool   // wait for its first attempt before the next scene: the order matters
	message  func(ctx context.Context) (client.MessageRequest, error)
	then     func(ctx context.Context, id string) error // what is done once it is stored; may be nil
}

// anySeen does not ask what the user saw.
const anySeen = -1

func delivered() Fate                { return Fate{State: "delivered"} }
func undelivered(reason string) Fate { return Fate{"undelivered", reason} }
func failed() Fate                   { return Fate{"failed", "errcode"} }

// scenes is the play, in order.
func (w *World) scenes() []scene {
	var all []scene
	all = append(all, w.tokenScene())
	all = append(all, w.deliveryScenes()...)
	all = append(all, w.refusalScenes()...)
	all = append(all, w.recoveryScenes()...)
	all = append(all, w.miniScenes()...)
	all = append(all, w.quotaScenes()...)
	return append(all, w.waitingScenes()...)
}

// tokenScene comes first: the next message after the token dies must be this one.
func (w *World) tokenScene() scene {
	to := follower(1)
	return scene{
		name: "token-expired-meanwhile", title: "令牌中途失效，刷新后送达 · the token dies, one refresh, delivered",
		want: delivered(), evidence: "40001", seen: 1, settle: true,
		message: func(ctx context.Context) (client.MessageRequest, error) {
			if _, err := w.api.RefreshToken(ctx, shop, ""); err != nil { // so that there is one to lose
				return client.MessageRequest{}, err
			}
			err := w.box.post(ctx, "/accounts/"+shop+"/revoke_token", struct{}{}, nil)
			return order(to), err
		},
	}
}

// deliveryScenes are told apart by the event after the send.
func (w *World) deliveryScenes() []scene {
	return []scene{
		{name: "delivered", title: "送达 · delivered", want: delivered(), seen: 1, message: always(order(follower(2)))},
		{name: "delivered-old-template", title: "历史模板送达 · a template of the old library, delivered", want: delivered(), seen: 1, message: always(oldOrder(follower(3)))},
		{name: "user-block", title: "用户拒收 · the user refuses the account's messages", want: undelivered("user_block"), message: always(order(fated("BLOCK")))},
		{name: "system-failed", title: "平台发送失败 · the platform fails after accepting", want: undelivered("system_failed"), message: always(order(fated("SYSFL")))},
		{name: "freq-limit", title: "频率限制 · too many messages to this user", want: undelivered("freq_limit"), message: always(order(fated("FREQL")))},
		{name: "no-event", title: "已受理，事件未到 · accepted, and its event never comes", want: Fate{State: "accepted"}, seen: anySeen, message: always(order(fated("NOEVT")))},
	}
}

// refusalScenes are refused by the platform at once, for good.
func (w *World) refusalScenes() []scene {
	badField := follower(4)
	return []scene{
		{name: "not-following", title: "未关注 · the user does not follow", want: failed(), evidence: "43004", message: always(order(fated("NOFOL")))},
		{name: "bad-openid", title: "openid 无效 · an openid of another account", want: failed(), evidence: "40003", message: always(order(fated("BADID")))},
		{name: "user-frozen", title: "用户被冻结 · the user's account is frozen", want: failed(), evidence: "50002", message: always(order(fated("FROZE")))},
		{name: "bad-template-field", title: "模板字段不合规 · the platform refuses a field", want: failed(), evidence: "47003",
			message: w.spoiled(badField, 47003, order(badField))},
		{name: "unknown-template", title: "模板已被删除 · the template was deleted at WeChat meanwhile", want: failed(), evidence: "40037",
			message: w.withDeletedTemplate(follower(5))},
	}
}

// recoveryScenes go wrong at first and end well without anybody's help.
func (w *World) recoveryScenes() []scene {
	busy, lost, review := follower(6), follower(7), follower(8)
	return []scene{
		{name: "in-review", title: "平台审核中，不重发 · under review at WeChat, never resent", want: Fate{"accepted", "in_review"}, evidence: "40252", seen: anySeen,
			message: w.spoiled(review, 40252, order(review))},
		{name: "system-busy-then-fine", title: "系统繁忙，重试后送达 · system busy, tried again, delivered", want: delivered(), evidence: "-1", seen: 1,
			message: w.spoiled(busy, -1, order(busy))},
		{name: "answer-lost-then-deduplicated", title: "应答丢失，去重后只达一次 · the answer is lost; tried again, seen once", want: delivered(), evidence: "no_answer", seen: 1,
			message: func(ctx context.Context) (client.MessageRequest, error) {
				return order(lost), w.box.loseAnswerOnce(ctx, lost)
			}},
	}
}

// miniScenes are the mini program's: the right to send is a form_id or a payment.
func (w *World) miniScenes() []scene {
	once, paid := follower(9), follower(10)
	accepted := Fate{State: "accepted"} // no event is documented for mini programs: this is the end
	var used string
	return []scene{
		{name: "form-id", title: "表单消息 · one form, one message", want: accepted, seen: 1, settle: true,
			message: func(ctx context.Context) (client.MessageRequest, error) {
				var err error
				used, err = w.submitForm(ctx, once)
				return appointment(once, used), err
			}},
		{name: "form-id-used-twice", title: "form_id 只能用一次 · the same form_id again is refused", want: failed(), evidence: "41029", seen: anySeen,
			message: func(context.Context) (client.MessageRequest, error) { return appointment(once, used), nil }},
		{name: "prepay-not-yet-known", title: "支付刚完成，prepay_id 稍后可用 · the payment is not known yet, tried again, accepted", want: accepted, evidence: "41028", seen: 1,
			message: func(ctx context.Context) (client.MessageRequest, error) {
				id, err := w.pay(ctx, paid)
				return appointment(paid, id), err
			}},
	}
}

// quotaScenes use up the small account's day.
func (w *World) quotaScenes() []scene {
	var template string
	all := []scene{}
	for i, name := range []string{"quota-1-of-3", "quota-2-of-3", "quota-3-of-3"} {
		first := i == 0
		to := follower(20 + i)
		all = append(all, scene{name: name, title: "额度内送达 · within the day's quota", want: delivered(), seen: 1, settle: true,
			message: func(ctx context.Context) (client.MessageRequest, error) {
				var err error
				if first {
					template, err = w.addOrderTemplate(ctx, small)
				}
				return orderFrom(small, template, to), err
			}})
	}
	return append(all, scene{name: "quota-reached", title: "额度用完，挂起到次日 · quota reached: held until Beijing midnight", want: Fate{"held", "quota"}, evidence: "45009",
		message: func(context.Context) (client.MessageRequest, error) {
			return orderFrom(small, template, follower(23)), nil
		}})
}

const (
	// inTheFuture is late enough that nobody watches it come due.
	inTheFuture = time.Hour
	// expiresIn is how soon the message on the paused account expires.
	expiresIn = 3 * time.Second
)

// waitingScenes never reach the platform.
func (w *World) waitingScenes() []scene {
	var template string
	later := func(to string) func(context.Context) (client.MessageRequest, error) {
		return func(context.Context) (client.MessageRequest, error) {
			m := order(to)
			m.SendAt = time.Now().Add(inTheFuture)
			return m, nil
		}
	}
	return []scene{
		{name: "scheduled", title: "定时发送 · scheduled for later", want: Fate{State: "queued"}, message: later(follower(30))},
		{name: "cancelled", title: "发送前取消 · cancelled before it left", want: Fate{State: "cancelled"}, message: later(follower(31)),
			then: func(ctx context.Context, id string) error { _, err := w.api.Cancel(ctx, id); return err }},
		{name: "paused", title: "账号已暂停，挂起 · the account is paused: held", want: Fate{"held", "paused"},
			message: func(ctx context.Context) (client.MessageRequest, error) {
				var err error
				template, err = w.addOrderTemplate(ctx, paused)
				return orderFrom(paused, template, follower(32)), err
			}},
		{name: "expired", title: "过期未发 · its time passed while it waited", want: Fate{State: "expired"},
			message: func(context.Context) (client.MessageRequest, error) {
				m := orderFrom(paused, template, follower(33))
				m.ExpiresAt = time.Now().Add(expiresIn)
				return m, nil
			}},
	}
}

func follower(n int) string    { return sandbox.OpenID("", n) }
func fated(fate string) string { return sandbox.OpenID(fate, 1) }
