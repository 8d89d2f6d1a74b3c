package wechat

import (
	"context"
	"encoding/json"
	"strings"
)

// Quota is what an account may still call of one interface, see Client.Quota.
type Quota struct {
	Daily DailyQuota
	// Rate is the limit of calls in a short time, nil when the platform names none.
	Rate *RateLimit
	// ComponentRate is the same for calls on behalf of the account by a
	// third-party platform, nil when the platform names none.
	ComponentRate *RateLimit
}

// DailyQuota counts the calls of one day; the platform's day ends at 00:00 in China.
type DailyQuota struct {
	Limit, Used, Remain int64
}

// UnmarshalJSON reads numbers that may be written as strings.
func (q *DailyQuota) UnmarshalJSON(b []byte) error {
	var wire struct {
		Limit  wireInt `json:"daily_limit"`
		Used   wireInt `json:"used"`
		Remain wireInt `json:"remain"`
	}
	if err := json.Unmarshal(b, &wire); err != nil {
		return err
	}
	*q = DailyQuota{int64(wire.Limit), int64(wire.Used), int64(wire.Remain)}
	return nil
}

// RateLimit allows CallCount calls in each RefreshSecond seconds.
type RateLimit struct {
	CallCount, RefreshSecond int64
}

// UnmarshalJSON reads numbers that may be written as strings.
func (l *RateLimit) UnmarshalJSON(b []byte) error {
	var wire struct {
		CallCount     wireInt `json:"call_count"`
		RefreshSecond wireInt `json:"refresh_second"`
	}
	if err := json.Unmarshal(b, &wire); err != nil {
		return err
	}
	*l = RateLimit{int64(wire.CallCount), int64(wire.RefreshSecond)}
	return nil
}

// Quota asks how often the account may still call an interface today, such as
// EndpointTemplateSend. A path the account's type does not have is refused with
// 76022, one that does not exist with 76021 (spec §3.5).
func (c *Client) Quota(ctx context.Context, path Endpoint) (Quota, error) {
	var result struct {
		Quota         *DailyQuota `json:"quota"`
		Rate          *RateLimit  `json:"rate_limit"`
		ComponentRate *RateLimit  `json:"component_rate_limit"`
	}
	err := c.postFor(ctx, EndpointQuotaGet, pathRequest{path}, &result, func() bool { return result.Quota != nil })
	if err != nil {
		return Quota{}, err
	}
	return Quota{*result.Quota, result.Rate, result.ComponentRate}, nil
}

// pathRequest names one interface of the platform.
type pathRequest struct {
	Path Endpoint `json:"cgi_path"`
}

// Check wants a path alone. A copied URL may hold an access token, which the
// problem must not repeat.
func (r pathRequest) Check() []FieldProblem {
	var c checks
	if path := string(r.Path); !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?#") {
		c.add("cgi_path", hideParams(path), "path",
			"a path that begins with a slash, without host or query", "须为以斜杠开头的路径，不带域名和参数")
	}
	return c
}

// ClearQuota sets all counters of the account's calls to zero. appID is the one
// the token belongs to. The platform allows ten a month, shared with ClearQuotaV2
// and the console's button (48006): a scarce thing that a person should decide on.
func (c *Client) ClearQuota(ctx context.Context, appID string) error {
	_, err := c.post(ctx, EndpointClearQuota, struct {
		AppID string `json:"appid"`
	}{appID})
	return err
}

// ClearQuotaV2 does what ClearQuota does and needs no access token: the way out
// when the token endpoint's own limit is used up. The client's Tokens are not asked.
func (c *Client) ClearQuotaV2(ctx context.Context, appID, secret string) error {
	body, err := MarshalBody(struct {
		AppID     string `json:"appid"`
		AppSecret string `json:"appsecret"`
	}{appID, secret})
	if err != nil {
		return &TransportError{Op: EndpointClearQuotaV2, Err: redact(err, []string{secret})}
	}
	_, err = c.do(ctx, attempt{op: EndpointClearQuotaV2, body: body, secrets: []string{secret}})
	return err
}

// ClearAPIQuota sets the counter of one interface to zero. Only some families of
// paths can be cleared alone; the platform has not published which.
func (c *Client) ClearAPIQuota(ctx context.Context, path Endpoint) error {
	_, err := c.post(ctx, EndpointQuotaClear, pathRequest{path})
	return err
}
