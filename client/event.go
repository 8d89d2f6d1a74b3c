package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// Event is one push of WeChat.
type Event struct {
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

// EventFilter selects events.
type EventFilter struct {
	AppID  string // "" = every account the key covers
	Cursor string
	Limit  int // 1..1000; 0 = 50
}

// Events reads one page of what WeChat pushed, newest first.
func (c *Client) Events(ctx context.Context, f EventFilter) (List[Event], error) {
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
	return one[List[Event]](ctx, c, call{method: http.MethodGet, path: "/v1/events", query: q})
}

// AllEvents walks through every page of what WeChat pushed, newest first. It ends after an error.
func (c *Client) AllEvents(ctx context.Context, f EventFilter) iter.Seq2[Event, error] {
	return pages("list events", f.Cursor, func(cursor string) (List[Event], error) {
		f.Cursor = cursor
		return c.Events(ctx, f)
	})
}
