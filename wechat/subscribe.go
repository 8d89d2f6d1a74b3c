package wechat

import "context"

// SubscribeMessage is the body of a mini program's subscribe message (小程序订阅消息),
// POST /cgi-bin/message/subscribe/send; spec §7.1. One prompt that the user
// accepted is good for one message (43101 without one).
//
// ToUser, TemplateID and Data are required by the platform. The rules of the
// values are RulesSubscribe, see ValidateData.
type SubscribeMessage struct {
	ToUser     string `json:"touser"`
	TemplateID string `json:"template_id"`
	// Page is a page of this mini program, with or without a query; empty means no jump.
	Page string `json:"page,omitempty"`
	// State is the version of the mini program that a tap opens; empty is StateFormal.
	State MiniProgramState `json:"miniprogram_state,omitempty"`
	// Lang is the language of the mini program that a tap opens: zh_CN, en_US,
	// zh_HK or zh_TW; empty is zh_CN.
	Lang string `json:"lang,omitempty"`
	Data Data   `json:"data"` // its colours are not sent: the message has none
}

// MiniProgramState is a version of a mini program.
type MiniProgramState string

// The three versions.
const (
	StateDeveloper MiniProgramState = "developer"
	StateTrial     MiniProgramState = "trial"
	StateFormal    MiniProgramState = "formal"
)

// MarshalJSON leaves the colours out.
func (m SubscribeMessage) MarshalJSON() ([]byte, error) {
	type plain SubscribeMessage
	m.Data = m.Data.withoutColors()
	return MarshalBody(plain(m))
}

// Check wants versions and languages the platform knows.
func (m *SubscribeMessage) Check() []FieldProblem {
	var c checks
	if m.State != "" {
		c.oneOf("miniprogram_state", string(m.State), string(StateDeveloper), string(StateTrial), string(StateFormal))
	}
	if m.Lang != "" {
		c.oneOf("lang", m.Lang, "zh_CN", "en_US", "zh_HK", "zh_TW")
	}
	return c
}

// SendSubscribeMessage sends a mini program's subscribe message. The result's
// MsgID is that of the later subscribe_msg_sent_event. When the error is a
// *TransportError with Sent set, the message may be on its way, and nothing makes
// the platform drop a second one.
func (c *Client) SendSubscribeMessage(ctx context.Context, m *SubscribeMessage) (SendResult, error) {
	return c.send(ctx, EndpointSubscribeSend, m)
}

// withoutColors is d with its values alone; nil stays nil.
func (d Data) withoutColors() Data {
	if d == nil {
		return nil
	}
	plain := make(Data, len(d))
	for key, field := range d {
		plain[key] = Field{Value: field.Value}
	}
	return plain
}
