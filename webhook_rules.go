package hongyan

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"hongyan/internal/near"
)

// Limits of endpoints. Each news is one row for each of them.
const (
	MaxWebhooks      = 50
	maxWebhookName   = 64
	maxWebhookEvents = 50
	maxWebhookAppIDs = 200
)

// robotURLs are what the addresses of robots look like; a private installation has its
// own host.
var robotURLs = map[WebhookKind]string{
	WebhookWeCom:    "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…",
	WebhookDingTalk: "https://oapi.dingtalk.com/robot/send?access_token=…",
	WebhookFeishu:   "https://open.feishu.cn/open-apis/bot/v2/hook/…",
}

// Check reports every rule that w breaks, nil when there is none. It repeats no secret,
// and of a URL the host alone.
func (w *Webhook) Check() []FieldError {
	var all []FieldError
	add := func(pointer, format string, args ...any) {
		all = append(all, FieldError{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
	}
	if n := utf8.RuneCountInString(w.Name); strings.TrimSpace(w.Name) == "" || n > maxWebhookName {
		add("/name", "required, at most %d characters", maxWebhookName)
	}
	if !slices.Contains(WebhookKinds(), w.Kind) {
		add("/kind", "%q is not one of webhook, wecom, dingtalk, feishu", clip(string(w.Kind)))
	}
	if rule := webhookURLFault(w.Kind, w.URL.Reveal()); rule != "" {
		add("/url", "%s", rule)
	}
	if len(w.Events) > maxWebhookEvents {
		add("/events", "has %d types; at most %d", len(w.Events), maxWebhookEvents)
	} else {
		for i, word := range w.Events {
			if rule := NewsTypeFault(word); rule != "" {
				add(fmt.Sprintf("/events/%d", i), "%s", rule)
			}
		}
	}
	if len(w.AppIDs) > maxWebhookAppIDs {
		add("/appids", "has %d accounts; at most %d", len(w.AppIDs), maxWebhookAppIDs)
	}
	if !slices.Contains([]string{"", "zh", "en"}, w.Language) {
		add("/language", "%q is not one of zh, en", clip(w.Language))
	}
	for _, s := range w.Secrets {
		if rule := w.secretFault(s.Secret.Reveal()); rule != "" {
			add("/secret", "%s", rule)
		}
	}
	return all
}

// secretFault returns the rule a secret breaks, "" for none.
func (w *Webhook) secretFault(secret string) string {
	switch {
	case !w.Kind.Signs():
		return "a robot of 企业微信 has no secret: its URL is one"
	case w.Kind.Robot():
		if len(secret) < 8 || len(secret) > 128 || strings.ContainsAny(secret, " \t\r\n") {
			return "not the secret (加签 / 签名校验) the robot shows: 8 to 128 characters without spaces"
		}
		return ""
	}
	if key, err := WebhookKey(Secret(secret)); err != nil || len(key) < 24 || len(key) > 64 {
		return "not whsec_ followed by the base64 of 24 to 64 bytes"
	}
	return ""
}

// WebhookKey returns the bytes with which a secret of a standard endpoint signs. The
// error never shows the secret.
func WebhookKey(s Secret) ([]byte, error) {
	text, ok := strings.CutPrefix(s.Reveal(), WebhookSecretPrefix)
	key, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		return nil, errors.New("a webhook's secret is not whsec_ followed by base64")
	}
	return key, nil
}

// webhookURLFault returns the rule that an endpoint's URL breaks, "" for none.
func webhookURLFault(kind WebhookKind, raw string) string {
	if rule := downstreamURLFault(raw); rule != "" {
		return strings.ReplaceAll(rule, "http://10.0.0.8:8080/wechat", "https://shop.example.com/hooks/hongyan")
	}
	if !kind.Robot() {
		return ""
	}
	u, err := url.Parse(raw)
	if err != nil || u.RawQuery == "" && kind != WebhookFeishu {
		return fmt.Sprintf("not the whole address of a robot, such as %s", robotURLs[kind])
	}
	return ""
}

// NewsTypeFault returns the rule that a word for a type of news breaks, "" for none.
func NewsTypeFault(word string) string {
	types := NewsTypes()
	if noun, all := strings.CutSuffix(word, "*"); all {
		if strings.HasSuffix(noun, ".") && slices.ContainsFunc(types, func(t string) bool { return strings.HasPrefix(t, noun) }) {
			return ""
		}
	} else if slices.Contains(types, word) {
		return ""
	}
	rule := fmt.Sprintf("%q is no type of event such as message.delivered, account.stopped or message.*", clip(word))
	if meant := near.Word(word, types); meant != "" {
		rule += fmt.Sprintf("; did you mean %q?", meant)
	}
	return rule
}

// ShownURL is the endpoint's URL for people: a robot's without its key.
func (w *Webhook) ShownURL() string {
	raw := w.URL.Reveal()
	u, err := url.Parse(raw)
	if !w.Kind.Robot() || err != nil {
		return raw
	}
	shown := u.Scheme + "://" + u.Host
	if w.Kind == WebhookFeishu {
		dir := strings.LastIndexByte(u.Path, '/')
		return shown + u.Path[:dir+1] + "…"
	}
	return shown + u.Path + "?…"
}
