package client

import (
	"context"
	"net/http"
)

// Readiness says whether the gateway can take and send messages.
type Readiness struct {
	Ready  bool   `json:"ready"`
	Reason string `json:"reason" doc:"Why not; empty when ready."`
	Store  string `json:"store" doc:"ok, or what is wrong."`
	Engine string `json:"engine" doc:"ok, or what is wrong."`
}

// Health is the answer of a gateway's process that lives.
type Health struct {
	Status string `json:"status" enum:"ok"`
}

// Health checks that the gateway's process answers.
func (c *Client) Health(ctx context.Context) error {
	_, err := c.do(ctx, call{method: http.MethodGet, path: "/healthz", want: []int{http.StatusOK}})
	return err
}

// Ready asks whether the gateway can take and send messages. A gateway that is
// not ready is no error: Readiness says why.
func (c *Client) Ready(ctx context.Context) (Readiness, error) {
	return one[Readiness](ctx, c, call{method: http.MethodGet, path: "/readyz", want: []int{http.StatusOK, http.StatusServiceUnavailable}})
}
