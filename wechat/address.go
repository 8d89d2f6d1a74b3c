package wechat

import "context"

// APIDomainIP returns the addresses of the platform's API hosts. It changes
// nothing and needs no permission, which makes it a good trial of a token.
func (c *Client) APIDomainIP(ctx context.Context) ([]string, error) {
	return c.addresses(ctx, EndpointAPIDomainIP)
}

// CallbackIP returns the addresses from which the platform pushes events; an
// entry may be a range, such as 203.0.113.0/24. They change: read them daily, and
// never let them be the only check of a push.
func (c *Client) CallbackIP(ctx context.Context) ([]string, error) {
	return c.addresses(ctx, EndpointCallbackIP)
}

func (c *Client) addresses(ctx context.Context, op Endpoint) ([]string, error) {
	var result struct {
		IPList []string `json:"ip_list"`
	}
	err := c.get(ctx, op, "", &result, func() bool { return result.IPList != nil })
	return result.IPList, err
}
