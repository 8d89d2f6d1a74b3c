package client

import (
	"context"
	"net/http"
)

// KeyRequest asks for a key.
type KeyRequest struct {
	Name   string   `json:"name" doc:"For people: who uses it."`
	Kind   string   `json:"kind,omitempty" enum:"api,gateway" doc:"api: a key of this API, hyk_…. gateway: a secret that takes the place of the AppSecret with WeChat's own API, hys_…. Default api."`
	Role   string   `json:"role,omitempty" enum:"admin,sender,reader" doc:"reader reads, sender also sends and acts on messages, admin does everything. Required for kind api; a gateway secret is a sender."`
	AppIDs []string `json:"appids,omitempty" nullable:"false" doc:"Accounts it may act on. Empty = all."`
	// Personal is for readers.
	Personal bool `json:"personal,omitempty" doc:"true: a reader sees openids, values of messages and bodies of pushes; else they are masked. Senders and admins see them anyway."`
}

// Key is a key without its secret.
type Key struct {
	ID         string   `json:"id"`
	Kind       string   `json:"kind" enum:"api,gateway"`
	Name       string   `json:"name"`
	Hint       string   `json:"hint" doc:"Its first characters."`
	Role       string   `json:"role" enum:"admin,sender,reader"`
	AppIDs     []string `json:"appids" nullable:"false"`
	Personal   bool     `json:"personal" doc:"It sees openids and what messages say."`
	CreatedAt  Time     `json:"created_at"`
	RevokedAt  *Time    `json:"revoked_at"`
	LastUsedAt *Time    `json:"last_used_at" doc:"To about half a minute."`
}

// NewKey is a key just made.
type NewKey struct {
	ID        string   `json:"id"`
	Kind      string   `json:"kind" enum:"api,gateway"`
	Name      string   `json:"name"`
	Hint      string   `json:"hint"`
	Role      string   `json:"role" enum:"admin,sender,reader"`
	AppIDs    []string `json:"appids" nullable:"false"`
	Personal  bool     `json:"personal" doc:"It sees openids and what messages say."`
	CreatedAt Time     `json:"created_at"`
	Key       string   `json:"key" doc:"The key itself. Shown this once; only its hash is kept."`
}

// CreateKey makes an API key or a gateway secret.
func (c *Client) CreateKey(ctx context.Context, k KeyRequest) (NewKey, error) {
	return one[NewKey](ctx, c, call{method: http.MethodPost, path: "/v1/keys", body: k, want: created})
}

// Keys lists all keys, revoked ones too.
func (c *Client) Keys(ctx context.Context) (List[Key], error) {
	return one[List[Key]](ctx, c, call{method: http.MethodGet, path: "/v1/keys"})
}

// RevokeKey ends a key at once.
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: "/v1/keys/" + segment(id)})
	return err
}
