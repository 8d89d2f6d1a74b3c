package wechat

import (
	"bytes"
	"context"
	"encoding/json"
)

// BlockedMessage is a template message that the platform's review refused after
// it had been answered with 40252 (spec §4.2.7).
type BlockedMessage struct {
	ID            int64  `json:"id"` // place in the list, not the msgid
	TemplateID    string `json:"tmpl_msg_id"`
	Title         string `json:"title"`
	Content       string `json:"content"`
	SendTimestamp int64  `json:"send_timestamp"` // Unix seconds
	OpenID        string `json:"openid"`
}

// UnmarshalJSON reads numbers that may be written as strings.
func (m *BlockedMessage) UnmarshalJSON(b []byte) error {
	type plain BlockedMessage
	wire := struct {
		*plain
		ID            wireInt `json:"id"`
		SendTimestamp wireInt `json:"send_timestamp"`
	}{plain: (*plain)(m)}
	if err := json.Unmarshal(b, &wire); err != nil {
		return err
	}
	m.ID, m.SendTimestamp = int64(wire.ID), int64(wire.SendTimestamp)
	return nil
}

// BlockedMessagesRequest asks for one page of a template's blocked messages.
type BlockedMessagesRequest struct {
	TemplateID string `json:"tmpl_msg_id"`
	// LargestID is the ID of the last message of the page before; 0 is the first page.
	LargestID int64 `json:"largest_id"`
	Limit     int   `json:"limit"` // at most 100
}

// Check applies the limit of one page.
func (r BlockedMessagesRequest) Check() []FieldProblem {
	var c checks
	c.between("limit", r.Limit, 0, 100)
	return c
}

// BlockedMessages returns one page of the messages that were blocked, empty when
// there is no more.
func (c *Client) BlockedMessages(ctx context.Context, req BlockedMessagesRequest) ([]BlockedMessage, error) {
	var result struct {
		Info blockedList `json:"msginfo"`
	}
	err := c.postFor(ctx, EndpointTemplateBlocked, req, &result, func() bool { return result.Info != nil })
	return result.Info, err
}

// blockedList is an array on the wire and an object on the platform's page; an
// empty object is no message.
type blockedList []BlockedMessage

func (l *blockedList) UnmarshalJSON(b []byte) error {
	if b = bytes.TrimSpace(b); b[0] == '[' {
		return json.Unmarshal(b, (*[]BlockedMessage)(l))
	}
	var one BlockedMessage
	if err := json.Unmarshal(b, &one); err != nil {
		return err
	}
	*l = blockedList{}
	if one != (BlockedMessage{}) {
		*l = append(*l, one)
	}
	return nil
}
