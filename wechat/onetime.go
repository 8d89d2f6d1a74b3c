package wechat

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
)

// Limits of a one-time subscription (spec §4.5).
const (
	maxScene          = 10000
	maxOneTimeTitle   = 15  // characters
	maxOneTimeContent = 200 // characters
)

// OneTimeMessage is the body of an official account's one-time subscription
// message (一次性订阅消息), POST /cgi-bin/message/template/subscribe; spec §4.5,
// https://developers.weixin.qq.com/doc/service/guide/product/message/One-time_subscription_info.html
//
// It may be sent once after the user confirmed on the page of OneTimePage, with
// the same scene and template; the user need not follow the account.
type OneTimeMessage struct {
	ToUser      string       `json:"touser"`
	TemplateID  string       `json:"template_id"`
	URL         string       `json:"url,omitempty"` // opened by a tap; empty means no jump
	MiniProgram *MiniProgram `json:"miniprogram,omitempty"`
	Scene       Scene        `json:"scene"`
	Title       string       `json:"title"` // at most 15 characters
	Data        OneTimeData  `json:"data"`
}

// OneTimeData is the only value of a OneTimeMessage; at most 200 characters.
type OneTimeData struct {
	Content Field `json:"content"`
}

// Scene tells the occasions apart on which a user may subscribe, 0 to 10000. A
// second confirmation of the same scene earns no second message.
type Scene int

// MarshalJSON writes a string, as the platform has it: "1000".
func (s Scene) MarshalJSON() ([]byte, error) {
	return strconv.AppendQuote(nil, strconv.Itoa(int(s))), nil
}

// UnmarshalJSON reads a string or a number.
func (s *Scene) UnmarshalJSON(b []byte) error {
	n, ok := integer(json.RawMessage(b))
	if !ok || n < 0 || n > maxScene {
		return fmt.Errorf("wechat: scene: a whole number from 0 to %d, got %s", maxScene, quoted(string(b)))
	}
	*s = Scene(n)
	return nil
}

// Check applies the limits of scene, title and content.
func (m *OneTimeMessage) Check() []FieldProblem {
	var c checks
	c.between("scene", int(m.Scene), 0, maxScene)
	c.maxRunes("title", m.Title, maxOneTimeTitle)
	c.maxRunes("data.content.value", m.Data.Content.Value, maxOneTimeContent)
	return c
}

// SendOneTimeMessage sends a one-time subscription message. The platform gives no
// msgid and pushes no event, so that acceptance is all there is to know. A lost
// answer is like that of SendSubscribeMessage.
func (c *Client) SendOneTimeMessage(ctx context.Context, m *OneTimeMessage) error {
	_, err := c.send(ctx, EndpointOneTimeSend, m)
	return err
}
