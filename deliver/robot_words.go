package deliver

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"hongyan"
	"hongyan/wechat"
)

// beijing is the time people read in a chat.
var beijing = time.FixedZone("CST", 8*60*60)

// alarmWords says one news to people, in Chinese, English, or both.
func alarmWords(language string, n *hongyan.News) string {
	facts := map[string]any{}
	_ = json.Unmarshal(n.Data, &facts) // what is not there is not said
	f := fields{data: facts, n: n}
	zh := f.chinese()
	f.said = language != "en" && language != "zh"
	en := f.english()
	at := n.At.In(beijing).Format("2006-01-02 15:04:05")
	switch language {
	case "zh":
		return "【鸿雁】" + zh + "\n" + at
	case "en":
		return "[Hongyan] " + en + "\n" + at + " +08:00"
	}
	return "【鸿雁】" + zh + "\n" + en + "\n" + at
}

// fields are the facts of one news.
type fields struct {
	data map[string]any
	n    *hongyan.News
	said bool // the Chinese stands above: whatever is of no language is there already
}

// get returns a fact as text, "" when there is none.
func (f fields) get(name string) string {
	switch v := f.data[name].(type) {
	case nil:
		return ""
	case string:
		return clipBytes(v, 300)
	case float64:
		return fmt.Sprintf("%.0f", v)
	default:
		return clipBytes(string(jsonOf(v)), 300)
	}
}

// and returns before + the fact + after, "" when there is no such fact.
func (f fields) and(before, name, after string) string {
	if v := f.get(name); v != "" && v != "0" {
		return before + v + after
	}
	return ""
}

// chinese says the news in Chinese.
func (f fields) chinese() string {
	app := f.n.AppID
	switch f.n.Type {
	case hongyan.NewsAccountStopped:
		return "账号 " + app + " 已停止发送，需要人工处理" + f.stoppedChinese()
	case hongyan.NewsAccountAlarm:
		return "账号 " + app + " 暂不发送（" + f.reasonChinese() + "）" + f.and("，直到 ", "until", "")
	case hongyan.NewsAccountResumed:
		if reason := f.reasonChinese(); reason != "" {
			return "账号 " + app + " 恢复发送（" + reason + " 已解除）"
		}
		return "账号 " + app + " 恢复发送"
	case hongyan.NewsQuota:
		return "账号 " + app + " 的" + map[string]string{"day": "今日", "month": "本月"}[f.get("period")] + "额度已用 " + f.get("percent") + "%：" + f.get("used") + " / " + f.get("limit") + f.and("（", "template_id", "）")
	case hongyan.NewsTemplateBanned:
		return "模板被微信封禁：" + f.get("title") + f.and(" ", "template_id", "") + "\n账号 " + app + f.whyChinese("，")
	case hongyan.NewsTemplateRemoved:
		return "模板已被删除：" + f.get("title") + f.and(" ", "template_id", "") + "\n账号 " + app + f.whyChinese("，")
	case hongyan.NewsTokenDiedEarly:
		return "账号 " + app + " 的 access_token 提前 " + f.get("seconds_early") + " 秒失效：有人在网关之外刷新了它"
	case hongyan.NewsBatchFinished:
		return "批次" + f.batchChinese() + "：" + f.get("name") + f.and(" ", "id", "") + f.and("\n共 ", "rows", " 行") + f.and("，消息 ", "messages", " 条") + f.and("，不合格 ", "bad", " 行")
	case hongyan.NewsWebhookDisabled:
		return "Webhook 已停用：" + f.get("name") + f.whyChinese("，")
	case hongyan.NewsWebhookTest:
		return "这是一条测试消息：" + f.get("name")
	}
	return f.plainChinese()
}

// english says the news in English.
func (f fields) english() string {
	app := f.n.AppID
	switch f.n.Type {
	case hongyan.NewsAccountStopped:
		return "account " + app + " is stopped and needs a person" + f.stoppedEnglish()
	case hongyan.NewsAccountAlarm:
		return "account " + app + " does not send for now (" + f.get("reason") + ")" + f.and(", until ", "until", "") + f.and("\n", "detail", "")
	case hongyan.NewsAccountResumed:
		return "account " + app + " sends again" + f.and(" (", "reason", " is over)")
	case hongyan.NewsQuota:
		return "account " + app + " has used " + f.get("percent") + "% of this " + f.get("period") + "'s quota: " + f.get("used") + " of " + f.get("limit") + f.and(" (", "template_id", ")")
	case hongyan.NewsTemplateBanned, hongyan.NewsTemplateRemoved:
		return "template " + strings.TrimPrefix(f.n.Type, "template.") + ": " + f.get("title") + f.and(" ", "template_id", "") + " of account " + app + f.whyEnglish(": ")
	case hongyan.NewsTokenDiedEarly:
		return "the access_token of " + app + " died " + f.get("seconds_early") + " s early: somebody outside refreshed it"
	case hongyan.NewsBatchFinished:
		return "batch " + f.get("state") + ": " + f.get("name") + f.and(" ", "id", "") + f.and("\n", "rows", " rows") + f.and(", ", "messages", " messages") + f.and(", ", "bad", " bad")
	case hongyan.NewsWebhookDisabled:
		return "webhook disabled: " + f.get("name") + f.and(", ", "reason", "")
	case hongyan.NewsWebhookTest:
		return "this is a test: " + f.get("name")
	}
	return f.plain("event ")
}

// plain says what nobody has found words for.
func (f fields) plain(word string) string {
	text := word + f.n.Type
	if f.n.AppID != "" {
		text += " " + f.n.AppID
	}
	if f.n.MessageID != "" {
		text += " " + f.n.MessageID
	}
	return text + f.and(" ", "state", "") + f.and(" ", "reason", "") + f.and(" ", "name", "")
}

// plainWords are the Chinese words for news that robots tell only those who ask for them.
var plainWords = map[string]string{
	hongyan.NewsAccepted: "消息已受理", hongyan.NewsRetrying: "消息将重试", hongyan.NewsHeld: "消息已挂起", hongyan.NewsReleased: "消息不再挂起",
	hongyan.NewsUncertain: "消息待确认", hongyan.NewsFailed: "消息失败", hongyan.NewsCancelled: "消息已取消", hongyan.NewsExpired: "消息已过期",
	hongyan.NewsDelivered: "消息已送达", hongyan.NewsUndelivered: "消息未送达", hongyan.NewsReceiptUnmatched: "送达结果没有对应的消息",
	hongyan.NewsConsentLow: "订阅次数所剩无几", hongyan.NewsRuleFired: "规则已触发",
}

// plainChinese is plain in Chinese. The words of reasons and codes are the same in both.
func (f fields) plainChinese() string {
	words := plainWords[f.n.Type]
	if words == "" {
		return f.plain("事件 ")
	}
	for _, v := range []string{f.n.AppID, f.n.MessageID, f.get("reason"), f.get("name"), f.get("code")} {
		if v != "" {
			words += " " + v
		}
	}
	return words
}

// What package template gives as the reason for which a template that WeChat does not list
// any more is removed, and the same in Chinese.
const (
	templateMissing   = "not in WeChat's list at the last sync"
	templateMissingZH = "上次同步时不在微信的列表里"
)

// whyChinese says why: in Chinese where the news, or we, have it, else as it was written.
func (f fields) whyChinese(before string) string {
	if why := f.and(before, "reason_zh", ""); why != "" {
		return why
	}
	if f.get("reason") == templateMissing {
		return before + templateMissingZH
	}
	return f.and(before, "reason", "")
}

// whyEnglish says why, unless it is of no language, as WeChat's own words are, and the
// Chinese said it.
func (f fields) whyEnglish(before string) string {
	if f.said && f.get("reason_zh") == "" && f.get("reason") != templateMissing {
		return ""
	}
	return f.and(before, "reason", "")
}

// batchChinese says how a batch ended.
func (f fields) batchChinese() string {
	state, err := hongyan.ParseBatchState(f.get("state"))
	if err != nil {
		return "已结束"
	}
	return state.ZH()
}

// stoppedChinese says why an account is stopped, and the cure.
func (f fields) stoppedChinese() string {
	info, known := f.code()
	text := f.and("\n错误码 ", "errcode", "")
	if known {
		text += "：" + info.MeaningZH
	}
	if raw := f.raw(&info); raw != "" {
		text += "\n原文：" + raw
	}
	return text + "\n处理办法：" + info.HintZH + "处理后更新或恢复该账号"
}

// stoppedEnglish likewise.
func (f fields) stoppedEnglish() string {
	info, known := f.code()
	text := f.and(", errcode ", "errcode", "")
	if known {
		text += ": " + info.Meaning
	}
	if raw := f.raw(&info); raw != "" && !f.said {
		text += "\nin its words: " + raw
	}
	return text + "\ncure: " + strings.TrimSpace(info.Hint+" put it right, then update or resume the account")
}

// code is what is known of the errcode.
func (f fields) code() (wechat.CodeInfo, bool) {
	n, _ := f.data["errcode"].(float64)
	return wechat.LookupCode(int(n))
}

// raw is what was answered, without the hints in two languages that the hold of an account
// whose token is refused ends with.
func (f fields) raw(info *wechat.CodeInfo) string {
	detail, _ := f.data["detail"].(string)
	if at := strings.Index(detail, info.Hint); info.Hint != "" && at > 0 {
		detail = strings.TrimRight(detail[:at], ". ")
	}
	return clipBytes(detail, 300)
}

// holdsChinese are the reasons for which an account does not send for a while.
var holdsChinese = map[string]string{
	hongyan.HoldPaused: "人工暂停", hongyan.HoldQuota: "额度用完", hongyan.HoldAccount: "账号停用", hongyan.HoldToken: "取不到 access_token",
	hongyan.HoldUnreachable: "微信无应答",
}

func (f fields) reasonChinese() string {
	reason := f.get("reason")
	if words := holdsChinese[reason]; words != "" {
		return words
	}
	return reason
}
