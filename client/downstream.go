package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// DownstreamInput is a server of the business that is to get an account's pushes.
// A field that is nil keeps what the downstream of the same name has.
type DownstreamInput struct {
	Name    string   `json:"name" pattern:"^[a-z][a-z0-9_-]{0,31}$" doc:"A short word, unique inside the account. Another name is another downstream." example:"crm"`
	URL     string   `json:"url" doc:"Where pushes are posted, as WeChat would. Plain http is allowed, as pushes are signed; the URL is answered in full, so put no secret into it. An address that is not public must be listed in the gateway's setting allow_private." example:"http://10.0.0.8:8080/wechat"`
	Sync    bool     `json:"sync,omitempty" doc:"true: its answer within 4.5 s is the passive reply. At most one."`
	Ordered bool     `json:"ordered,omitempty" doc:"true: pushes about one user arrive in their order, one at a time."`
	Paused  *bool    `json:"paused,omitempty" doc:"true: its pushes are kept until it is resumed. Left out: as it is."`
	Events  []string `json:"events,omitempty" nullable:"false" doc:"Types of message and event it gets, in lower case. Empty = all." example:"[\"templatesendjobfinish\",\"text\"]"`
	Mode    string   `json:"mode,omitempty" enum:"plain,compatible,safe" doc:"How pushes to it are encrypted. Default: as the account's."`
	Token   *string  `json:"token,omitempty" doc:"Signs pushes to it, 3 to 32 letters and digits. Empty: the account's. Left out: as it is."`
	AESKey  *string  `json:"aes_key,omitempty" doc:"EncodingAESKey for it, 43 characters. Empty: the account's. Left out: as it is."`
}

// Downstream is a downstream as it is in force. Secrets are never answered.
type Downstream struct {
	Name      string   `json:"name"`
	URL       string   `json:"url"`
	Sync      bool     `json:"sync"`
	Ordered   bool     `json:"ordered"`
	Paused    bool     `json:"paused"`
	Events    []string `json:"events" nullable:"false" doc:"Empty = all."`
	Mode      string   `json:"mode" enum:"plain,compatible,safe"`
	TokenSet  bool     `json:"token_set" doc:"false: the account's token signs."`
	AESKeySet bool     `json:"aes_key_set" doc:"false: the account's key encrypts, where the mode asks for it."`
}

// DownstreamStatus is a downstream and how it does.
type DownstreamStatus struct {
	Name            string   `json:"name"`
	URL             string   `json:"url"`
	Sync            bool     `json:"sync"`
	Ordered         bool     `json:"ordered"`
	Paused          bool     `json:"paused"`
	Events          []string `json:"events" nullable:"false" doc:"Empty = all."`
	Mode            string   `json:"mode" enum:"plain,compatible,safe"`
	TokenSet        bool     `json:"token_set"`
	AESKeySet       bool     `json:"aes_key_set"`
	Pending         int64    `json:"pending" doc:"Pushes that it has yet to take."`
	Delivered       int64    `json:"delivered" doc:"Pushes it took, as far as they are remembered: 7 days."`
	GaveUp          int64    `json:"gave_up" doc:"Pushes that were tried in vain for as long as it makes sense. Replay them once it is mended."`
	OldestPendingAt *Time    `json:"oldest_pending_at" doc:"Since when the oldest of the pending ones waits."`
	LastError       string   `json:"last_error" doc:"Why the latest attempt at the oldest of the pending ones failed. Empty: it did not, or was not made yet."`
}

// Replay asks for pushes to be handed on once more.
type Replay struct {
	From   Time     `json:"from" doc:"Pushes received at this time or later; at most 30 days ago."`
	Until  *Time    `json:"until,omitempty" doc:"Pushes received before this time. Default now."`
	Events []string `json:"events,omitempty" nullable:"false" doc:"Types of message and event. Default: those the downstream gets."`
}

// Replayed says how many pushes are pending again.
type Replayed struct {
	Count int `json:"count"`
}

// Delivery is one push on its way to one downstream.
type Delivery struct {
	ID         string `json:"id"`
	AppID      string `json:"appid"`
	Downstream string `json:"downstream"`
	EventID    string `json:"event_id"`
	EventType  string `json:"event_type"`
	OpenID     string `json:"openid" doc:"Whom the push is about; empty where it is about nobody."`
	State      string `json:"state" enum:"pending,delivered,gave_up"`
	DueAt      *Time  `json:"due_at" doc:"When it is tried, again or for the first time; null once it has ended."`
	Attempts   int    `json:"attempts"`
	LastAt     *Time  `json:"last_at" doc:"Start of the latest attempt."`
	LastStatus *int   `json:"last_status" doc:"HTTP status of the latest attempt; null when there was none."`
	LastError  string `json:"last_error" doc:"Why the latest attempt failed."`
	LastTookMS int64  `json:"last_took_ms"`
	CreatedAt  Time   `json:"created_at"`
	EndedAt    *Time  `json:"ended_at"`
}

// DeliveryFilter selects deliveries of an account.
type DeliveryFilter struct {
	Downstream string   // "" = all
	Event      string   // the id of an event; "" = all
	States     []string // pending, delivered, gave_up; empty = all
	Cursor     string
	Limit      int // 1..1000; 0 = 50
}

// Downstreams lists the downstreams of an account and how they do.
func (c *Client) Downstreams(ctx context.Context, appID string) (List[DownstreamStatus], error) {
	return one[List[DownstreamStatus]](ctx, c, call{method: http.MethodGet, path: accountPath(appID, "/downstreams")})
}

// PauseDownstream keeps a downstream's pushes until ResumeDownstream.
func (c *Client) PauseDownstream(ctx context.Context, appID, name string) (DownstreamStatus, error) {
	return one[DownstreamStatus](ctx, c, call{method: http.MethodPost, path: downstreamPath(appID, name, "/pause")})
}

// ResumeDownstream hands on again, what was kept first.
func (c *Client) ResumeDownstream(ctx context.Context, appID, name string) (DownstreamStatus, error) {
	return one[DownstreamStatus](ctx, c, call{method: http.MethodPost, path: downstreamPath(appID, name, "/resume")})
}

// ReplayDownstream hands pushes on once more. The downstream may get some of them twice.
func (c *Client) ReplayDownstream(ctx context.Context, appID, name string, r Replay) (Replayed, error) {
	return one[Replayed](ctx, c, call{method: http.MethodPost, path: downstreamPath(appID, name, "/replay"), body: r})
}

func downstreamPath(appID, name, rest string) string {
	return accountPath(appID, "/downstreams/"+segment(name)+rest)
}

// Deliveries reads one page of an account's deliveries, newest first.
func (c *Client) Deliveries(ctx context.Context, appID string, f DeliveryFilter) (List[Delivery], error) {
	q := url.Values{}
	for name, value := range map[string]string{"downstream": f.Downstream, "event": f.Event, "state": strings.Join(f.States, ","), "cursor": f.Cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Limit != 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return one[List[Delivery]](ctx, c, call{method: http.MethodGet, path: accountPath(appID, "/deliveries"), query: q})
}

// AllDeliveries walks through every page of an account's deliveries, newest first. It
// ends after an error.
func (c *Client) AllDeliveries(ctx context.Context, appID string, f DeliveryFilter) iter.Seq2[Delivery, error] {
	return pages("list deliveries", f.Cursor, func(cursor string) (List[Delivery], error) {
		f.Cursor = cursor
		return c.Deliveries(ctx, appID, f)
	})
}
