package wechat

import "context"

// SendResult is the platform's receipt for an accepted message. Accepted is not
// delivered: that is told later by the event TEMPLATESENDJOBFINISH (spec §5.1).
type SendResult struct {
	// MsgID joins the message to its event; 0 when the platform gave none, as
	// for mini programs (K16).
	MsgID int64
}

// SendTemplateMessage sends an official account's template message. When the
// error is a *TransportError with Sent set, the message may be on its way: send
// again only with the same ClientMsgID and within its ten minutes (spec §2.11).
func (c *Client) SendTemplateMessage(ctx context.Context, m *TemplateMessage) (SendResult, error) {
	return c.send(ctx, EndpointTemplateSend, m)
}

// SendMiniTemplateMessage sends a mini program's template message. The platform
// stopped accepting them in 2020 and answers 45103 or 46101; the method serves
// private deployments and the history. Directly after a payment, a good
// prepay_id may be refused with 41028 for some seconds (spec §6.3).
func (c *Client) SendMiniTemplateMessage(ctx context.Context, m *MiniTemplateMessage) (SendResult, error) {
	return c.send(ctx, EndpointMiniTemplateSend, m)
}

func (c *Client) send(ctx context.Context, op Endpoint, message any) (SendResult, error) {
	ans, err := c.post(ctx, op, message)
	if err != nil {
		return SendResult{}, err
	}
	return SendResult{MsgID: ans.MsgID}, nil
}
