// Package client is the Go client of Hongyan's HTTP API (/v1) and the JSON
// types of that API. It needs the standard library alone, so it can be used by
// any program; the gateway itself answers with the same types.
//
// Start with New and Client.Send; a refusal is a *Problem. What the fields of a
// message mean is told beside Message and MessageRequest. The client never
// tries a call twice by itself: give an idempotency key and repeat the call.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// DefaultBaseURL is where a gateway listens that was not told otherwise.
const DefaultBaseURL = "http://127.0.0.1:7800"

// defaultTimeout covers calls that wait for WeChat (template sync, token refresh).
const defaultTimeout = 60 * time.Second

// maxAnswer bounds what is read of an answer, in bytes: 1,000 messages with
// their payloads stay far below it.
const maxAnswer = 64 << 20

var defaultHTTPClient = &http.Client{Timeout: defaultTimeout}

// Client calls one gateway. It is safe for concurrent use as long as its
// fields are not changed.
type Client struct {
	BaseURL string // scheme and host, e.g. "http://127.0.0.1:7800"
	Key     string // API key, hyk_…; sent as a bearer token and nowhere else
	// HTTPClient makes the calls; nil is a shared client with a timeout of 60 s.
	HTTPClient *http.Client
}

// New returns a Client of the gateway at baseURL; "" is DefaultBaseURL.
func New(baseURL, key string) *Client {
	if baseURL == "" {
		baseURL = DefaultBaseURL
	}
	return &Client{BaseURL: strings.TrimRight(baseURL, "/"), Key: key}
}

// List is one page of a list. NextCursor continues it; nil at the end.
type List[T any] struct {
	Items      []T     `json:"items" nullable:"false"`
	NextCursor *string `json:"next_cursor" doc:"Give it as cursor to get the next page. null at the end."`
}

// call is one request: body nil sends none, []byte is sent as it is, anything
// else as JSON; result nil expects none.
type call struct {
	method, path string
	query        url.Values
	header       http.Header
	body, result any
	// want are the statuses whose body is a result and no refusal; nil = 200
	// alone, or 204 where no result is expected.
	want []int
}

// expects reports whether status is a success of the call.
func (what *call) expects(status int) bool {
	switch {
	case what.want != nil:
		return slices.Contains(what.want, status)
	case what.result == nil:
		return status == http.StatusNoContent
	default:
		return status == http.StatusOK
	}
}

// do performs c and decodes the answer. It returns the answer's header, and a
// *Problem when the gateway refused or the answer is not a gateway's.
func (c *Client) do(ctx context.Context, what call) (http.Header, error) {
	req, err := c.request(ctx, what)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", what.method, what.path, err)
	}
	hc := c.HTTPClient
	if hc == nil {
		hc = defaultHTTPClient
	}
	res, err := hc.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", what.method, what.path, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s %s: read answer: %w", what.method, what.path, err)
	}
	if res.StatusCode >= http.StatusMultipleChoices && !what.expects(res.StatusCode) {
		return res.Header, newProblem(res, body)
	}
	if !what.expects(res.StatusCode) || foreign(res, body) {
		return res.Header, notAGateway(res)
	}
	if what.result == nil {
		return res.Header, nil
	}
	if err := json.Unmarshal(body, what.result); err != nil {
		return nil, fmt.Errorf("%s %s: decode answer: %w", what.method, what.path, err)
	}
	return res.Header, nil
}

func (c *Client) request(ctx context.Context, what call) (*http.Request, error) {
	var body io.Reader
	if what.body != nil {
		switch b := what.body.(type) {
		case io.Reader:
			body = b
		case []byte:
			body = bytes.NewReader(b)
		default:
			raw, err := encode(what.body)
			if err != nil {
				return nil, err
			}
			body = bytes.NewReader(raw)
		}
	}
	target := strings.TrimRight(c.BaseURL, "/") + what.path
	if len(what.query) > 0 {
		target += "?" + what.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, what.method, target, body)
	if err != nil {
		return nil, err
	}
	for name, values := range what.header {
		req.Header[name] = values
	}
	if what.body != nil && what.header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.Key != "" {
		req.Header.Set("Authorization", "Bearer "+c.Key)
	}
	return req, nil
}

// encode writes v as JSON without HTML escaping, so that text stays readable in logs.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return buf.Bytes(), nil
}

// created is the status of calls that make something.
var created = []int{http.StatusCreated}

// one calls and decodes a single T.
func one[T any](ctx context.Context, c *Client, what call) (T, error) {
	var result T
	what.result = &result
	_, err := c.do(ctx, what)
	return result, err
}

// segment escapes one element of a path.
func segment(s string) string { return url.PathEscape(s) }
