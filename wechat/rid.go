package wechat

import (
	"context"
	"encoding/json"
	"regexp"
)

// RequestRecord is what the platform kept of one call. It is made to be shown:
// access tokens and AppSecrets in its texts are replaced by "[redacted]".
type RequestRecord struct {
	InvokeTime   int64  // Unix seconds
	CostMS       int64  // how long the platform took, in milliseconds
	RequestURL   string // the query string alone, without host and path
	RequestBody  string
	ResponseBody string
	ClientIP     string
}

// UnmarshalJSON reads the platform's form and hides the secrets.
func (r *RequestRecord) UnmarshalJSON(b []byte) error {
	var wire struct {
		InvokeTime   wireInt `json:"invoke_time"`
		CostMS       wireInt `json:"cost_in_ms"`
		RequestURL   string  `json:"request_url"`
		RequestBody  string  `json:"request_body"`
		ResponseBody string  `json:"response_body"`
		ClientIP     string  `json:"client_ip"`
	}
	if err := json.Unmarshal(b, &wire); err != nil {
		return err
	}
	*r = RequestRecord{
		InvokeTime:   int64(wire.InvokeTime),
		CostMS:       int64(wire.CostMS),
		RequestURL:   hideParams(wire.RequestURL),
		RequestBody:  hideParams(wire.RequestBody),
		ResponseBody: hideParams(wire.ResponseBody),
		ClientIP:     wire.ClientIP,
	}
	return nil
}

// LookupRID asks what a call was that the platform answered with this rid (see
// Error.RID). It knows the account's own calls of the last seven days; others are
// refused with 76001 to 76004.
func (c *Client) LookupRID(ctx context.Context, rid string) (RequestRecord, error) {
	var result struct {
		Request *RequestRecord `json:"request"`
	}
	err := c.postFor(ctx, EndpointRIDGet, struct {
		RID string `json:"rid"`
	}{rid}, &result, func() bool { return result.Request != nil })
	if err != nil {
		return RequestRecord{}, err
	}
	return *result.Request, nil
}

// Secrets by the name they carry: access_token, secret, appsecret and the like.
var (
	secretParam  = regexp.MustCompile(`(?i)([a-z_]*(?:token|secret)=)[^&\s"\\]+`)
	secretMember = regexp.MustCompile(`(?i)([a-z_]*(?:token|secret)\\*"\s*:\s*\\*")(?:[^"\\]|\\[^"\\])+`)
)

// hideParams hides secrets in a query string, a form or JSON, also in JSON inside
// a JSON string, where quotes have backslashes. It reads no grammar, since bodies
// may be cut or malformed.
func hideParams(s string) string {
	s = secretParam.ReplaceAllString(s, "${1}"+hidden)
	return secretMember.ReplaceAllString(s, "${1}"+hidden)
}
