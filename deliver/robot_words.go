package deliver

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"hongyan"
)

// beijing is the time people read in a chat.
var beijing = time.FixedZone("CST", 8*60*60)

// alarmWords says one news to people, in Chinese, English, or both.
func alarmWords(language string, n *hongyan.News) string {
	facts := map[string]any{}
	_ = json.Unmarshal(n.Data, &facts) // what is not there is not said
	f := fields{facts, n}
	zh, en := f.chinese(), f.english()
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
		return "账号 " + app + " 已停止发送，需要人工处理" + f.and("\n错误码 ", "errcode", "") + f.and("\n", "detail", "") + f.and("\n处理办法：", "release", "")
	case hongyan.NewsAccountAlarm:
		return "账号 " + app + " 暂不发送（" + f.get("reason") + "）" + f.and("，直到 ", "until", "") + f.and("\n", "detail", "")
	case hongyan.NewsAccountResumed:
		return "账号 " + app + " 恢复发送" + f.and("（", "reason", " 已解除）")
	case hongyan.NewsQuota:
		return "账号 " + app + " 的" + map[string]string{"day": "今日", "month": "本月"}[f.get("period")] + "额度已用 " + f.get("percent") + "%：" + f.get("used") + " / " + f.get("limit") + f.and("（", "template_id", "）")
	case hongyan.NewsTemplateBanned:
		return "模板被微信封禁：" + f.get("title") + f.and(" ", "template_id", "") + "\n账号 " + app + f.and("，", "reason", "")
	case hongyan.NewsTemplateRemoved:
		return "模板已被删除：" + f.get("title") + f.and(" ", "template_id", "") + "\n账号 " + app + f.and("，", "reason", "")
	case hongyan.NewsTokenDiedEarly:
		return "账号 " + app + " 的 access_token 提前 " + f.get("seconds_early") + " 秒失效：有人在网关之外刷新了它"
	case hongyan.NewsBatchFinished:
		return "批次已结束：" + f.get("name") + f.and(" ", "id", "") + f.and("\n共 ", "rows", " 行") + f.and("，消息 ", "messages", " 条") + f.and("，不合格 ", "bad", " 行")
	case hongyan.NewsWebhookDisabled:
		return "Webhook 已停用：" + f.get("name") + f.and("\n", "reason", "")
	case hongyan.NewsWebhookTest:
		return "这是一条测试消息：" + f.get("name")
	}
	return f.plain("事件 ")
}

// english says the news in English.
func (f fields) english() string {
	app := f.n.AppID
	switch f.n.Type {
	case hongyan.NewsAccountStopped:
		return "account " + app + " is stopped and needs a person" + f.and(", errcode ", "errcode", "") + f.and("\n", "detail", "") + f.and("\ncure: ", "release", "")
	case hongyan.NewsAccountAlarm:
		return "account " + app + " does not send for now (" + f.get("reason") + ")" + f.and(", until ", "until", "") + f.and("\n", "detail", "")
	case hongyan.NewsAccountResumed:
		return "account " + app + " sends again" + f.and(" (", "reason", " is over)")
	case hongyan.NewsQuota:
		return "account " + app + " has used " + f.get("percent") + "% of this " + f.get("period") + "'s quota: " + f.get("used") + " of " + f.get("limit") + f.and(" (", "template_id", ")")
	case hongyan.NewsTemplateBanned, hongyan.NewsTemplateRemoved:
		return "template " + strings.TrimPrefix(f.n.Type, "template.") + ": " + f.get("title") + f.and(" ", "template_id", "") + " of account " + app + f.and(": ", "reason", "")
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
