package wechat

import "context"

// NoticeMessage is the body of a service account's subscription notice
// (服务号订阅通知), POST /cgi-bin/message/subscribe/bizsend; spec §7.3. Like a
// subscribe message it needs a prompt that the user accepted, and its values
// follow RulesSubscribe.
type NoticeMessage struct {
	ToUser     string `json:"touser"`
	TemplateID string `json:"template_id"`
	Page       string `json:"page,omitempty"` // a URL that a tap opens; empty means no jump
	// MiniProgram wins over Page.
	MiniProgram *MiniProgram `json:"miniprogram,omitempty"`
	Data        Data         `json:"data"` // its colours are not sent: the message has none
}

// MarshalJSON leaves the colours out.
func (m NoticeMessage) MarshalJSON() ([]byte, error) {
	type plain NoticeMessage
	m.Data = m.Data.withoutColors()
	return MarshalBody(plain(m))
}

// SendNoticeMessage sends a service account's subscription notice. The result's
// MsgID is 0 if the platform gave none. A lost answer is like that of
// SendSubscribeMessage: nothing makes the platform drop a second message.
func (c *Client) SendNoticeMessage(ctx context.Context, m *NoticeMessage) (SendResult, error) {
	return c.send(ctx, EndpointNoticeSend, m)
}
