package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// Push is one push of WeChat.
type Push struct {
	ID          string  `json:"id"`
	AppID       string  `json:"appid"`
	Type        string  `json:"type" doc:"The event's name in lower case, e.g. templatesendjobfinish; else the message type."`
	OpenID      string  `json:"openid"`
	MsgID       *string `json:"msgid"`
	CreateTime  *Time   `json:"create_time" doc:"WeChat's CreateTime."`
	ReceivedAt  Time    `json:"received_at"`
	ProcessedAt *Time   `json:"processed_at"`
	Duplicates  int     `json:"duplicates" doc:"Further deliveries of the same push."`
	Body        string  `json:"body" doc:"The push as it came, decrypted: XML or JSON."`
}

// PushFilter selects pushes.
type PushFilter struct {
	AppID  string // "" = every account the key covers
	Cursor string
	Limit  int // 1..1000; 0 = 50
}

// Pushes reads one page of what WeChat pushed, newest first.
func (c *Client) Pushes(ctx context.Context, f PushFilter) (List[Push], error) {
	q := url.Values{}
	if f.AppID != "" {
		q.Set("appid", f.AppID)
	}
	if f.Cursor != "" {
		q.Set("cursor", f.Cursor)
	}
	if f.Limit != 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return one[List[Push]](ctx, c, call{method: http.MethodGet, path: "/v1/pushes", query: q})
}
