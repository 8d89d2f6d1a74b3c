package wechat

import "context"

// UniformMessage is the body of a uniform message (统一服务消息), which went to a
// user of a mini program either there or through the official account bound to
// it; POST /cgi-bin/message/wxopen/template/uniform_send, spec §7.5. The platform
// withdrew it on 2023-09-20. ToUser is the openid of either side.
type UniformMessage struct {
	ToUser string               `json:"touser"`
	Mini   *UniformMiniTemplate `json:"weapp_template_msg,omitempty"`
	MP     *UniformTemplate     `json:"mp_template_msg,omitempty"`
}

// UniformMiniTemplate is the mini program's half, see MiniTemplateMessage.
type UniformMiniTemplate struct {
	TemplateID      string `json:"template_id"`
	Page            string `json:"page,omitempty"`
	FormID          string `json:"form_id"`
	Data            Data   `json:"data"`
	EmphasisKeyword string `json:"emphasis_keyword,omitempty"`
}

// UniformTemplate is the official account's half, see TemplateMessage.
type UniformTemplate struct {
	AppID       string       `json:"appid"` // of the official account; 40013 if it is not bound
	TemplateID  string       `json:"template_id"`
	URL         string       `json:"url,omitempty"`
	MiniProgram *MiniProgram `json:"miniprogram,omitempty"`
	Data        Data         `json:"data"`
}

// SendUniformMessage sends a uniform message. The platform answers 45109 today;
// the method serves private deployments and the history.
func (c *Client) SendUniformMessage(ctx context.Context, m *UniformMessage) (SendResult, error) {
	return c.send(ctx, EndpointUniformSend, m)
}
