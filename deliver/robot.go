package deliver

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"hongyan"
)

// robotRest is how long a robot that says it is told too much is left alone.
const robotRest = time.Minute

// maxRobotText bounds the words of one message, in bytes. 企业微信 takes 2048 of text.
const maxRobotText = 2000

// callRobot tells a chat some news in one message.
func (h *Herald) callRobot(ctx context.Context, w *hongyan.Webhook, news []hongyan.News) hookAnswer {
	req, err := robotRequest(w, news, h.store.Now())
	if err != nil {
		return hookAnswer{err: err}
	}
	a := h.post(ctx, req)
	if a.err == nil {
		a.retryAfter, a.err = robotRefusal(w.Kind, a.text)
		a.outage = a.retryAfter > 0
	}
	return a
}

// robotRequest makes the signed request.
func robotRequest(w *hongyan.Webhook, news []hongyan.News, now time.Time) (*http.Request, error) {
	u, err := url.Parse(w.URL.Reveal())
	if err != nil {
		return nil, withoutURL(err)
	}
	body := robotMessage(w, news)
	if live := w.Live(now); len(live) > 0 {
		signRobot(w.Kind, live[0], now, u, body)
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, u.String(), bytes.NewReader(jsonOf(body)))
	if err != nil {
		return nil, withoutURL(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", hookUserAgent)
	return req, nil
}

// signRobot puts timestamp and signature where the robot looks for them. 钉钉: HMAC of
// "milliseconds\nsecret" under the secret, in the query
// (https://open.dingtalk.com/document/robots/customize-robot-security-settings). 飞书: HMAC
// of nothing under "seconds\nsecret", in the body
// (https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot).
func signRobot(kind hongyan.WebhookKind, secret hongyan.Secret, now time.Time, u *url.URL, body map[string]any) {
	switch kind {
	case hongyan.WebhookDingTalk:
		at := strconv.FormatInt(now.UnixMilli(), 10)
		q := u.Query()
		q.Set("timestamp", at)
		q.Set("sign", hmacBase64(secret.Reveal(), at+"\n"+secret.Reveal()))
		u.RawQuery = q.Encode()
	case hongyan.WebhookFeishu:
		at := strconv.FormatInt(now.Unix(), 10)
		body["timestamp"], body["sign"] = at, hmacBase64(at+"\n"+secret.Reveal(), "")
	}
}

func hmacBase64(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// robotBody is the message without its signature.
func robotBody(w *hongyan.Webhook, news []hongyan.News) []byte { return jsonOf(robotMessage(w, news)) }

func robotMessage(w *hongyan.Webhook, news []hongyan.News) map[string]any {
	text, _ := robotText(w.Language, news)
	if w.Kind == hongyan.WebhookFeishu {
		return map[string]any{"msg_type": "text", "content": map[string]string{"text": text}}
	}
	return map[string]any{"msgtype": "text", "text": map[string]string{"content": text}}
}

// robotText puts the words of several news together, as many as there is room for, and
// returns how many those are: of some at least one, shortened if need be.
func robotText(language string, news []hongyan.News) (text string, told int) {
	for i := range news {
		words := alarmWords(language, &news[i])
		if i == 0 {
			text = clipBytes(words, maxRobotText)
			continue
		}
		if words = "\n\n" + words; len(text)+len(words) > maxRobotText {
			return text, i
		}
		text += words
	}
	return text, len(news)
}

// clipBytes cuts a text to so many bytes, at a character.
func clipBytes(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// tooMuch are the codes with which robots say that they are told too much: 企业微信
// 45009, 钉钉 130101 and 410100, 飞书 9499 and 11232.
var tooMuch = map[hongyan.WebhookKind][]int{
	hongyan.WebhookWeCom: {45009}, hongyan.WebhookDingTalk: {130101, 410100}, hongyan.WebhookFeishu: {9499, 11232},
}

var errNoRobot = errors.New("the answer is not a robot's")

// robotRefusal reads a robot's answer, which is 200 also when it refuses, and returns
// how long it wants to be left alone, and why it refuses: its code. What it says beside
// the code is in its answer, and may repeat what it was told.
func robotRefusal(kind hongyan.WebhookKind, text string) (rest time.Duration, err error) {
	var answer struct {
		Errcode *int `json:"errcode"`
		Code    *int `json:"code"` // 飞书
	}
	if json.Unmarshal([]byte(text), &answer) != nil || answer.Errcode == nil && answer.Code == nil {
		return 0, errNoRobot
	}
	code := answer.Errcode
	if kind == hongyan.WebhookFeishu && answer.Code != nil {
		code = answer.Code
	}
	switch {
	case code == nil:
		return 0, errNoRobot
	case *code == 0:
		return 0, nil
	case slices.Contains(tooMuch[kind], *code):
		return robotRest, fmt.Errorf("the robot is told too much: %d", *code)
	}
	return 0, fmt.Errorf("the robot refused: %d", *code)
}
