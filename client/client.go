package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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

var defaultHTTPClient = &http.Client{Timeout: defaultTimeout, CheckRedirect: stay}

// stay follows no redirect: the answer that redirects is the answer.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (c *Client) httpClient() *http.Client {
	switch {
	case c.HTTPClient == nil:
		return defaultHTTPClient
	case c.HTTPClient.CheckRedirect == nil:
		staying := *c.HTTPClient
		staying.CheckRedirect = stay
		return &staying
	default:
		return c.HTTPClient
	}
}

// checkBaseURL refuses what is no base of URLs. The text is not repeated: a
// password may stand anywhere in one that cannot be parsed.
func (c *Client) checkBaseURL() error {
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("BaseURL must be an http or https URL such as " + DefaultBaseURL)
	}
	return nil
}

// A Client calls one gateway. It is safe for concurrent use by multiple
// goroutines as long as its fields are not changed. Printing one does not show
// its key.
type Client struct {
	// BaseURL is where the gateway is: scheme, host, and the path that something in
	// front of it may have added, e.g. "https://hongyan.internal:7800".
	BaseURL string

	// Key is an API key, hyk_…. It is sent as a bearer token and nowhere else.
	Key string `json:"-"`

	// HTTPClient makes the calls. Its Timeout is of one try. Redirects are not
	// followed unless its CheckRedirect says so: no gateway redirects, and a
	// message or a secret is not for whoever does. If nil, a shared client with a
	// timeout of 60 s is used.
	HTTPClient *http.Client

	// Retries says how often and how patiently calls are repeated. The zero value
	// does so a few times; RetryPolicy{Tries: 1} never does.
	Retries RetryPolicy
}

// New returns a Client of the gateway at baseURL, with every option at its
// default. An empty baseURL is DefaultBaseURL.
func New(baseURL, key string) *Client {
	if baseURL == "" {
		baseURL = DefaultBaseURL
	}
	return &Client{BaseURL: strings.TrimRight(baseURL, "/"), Key: key}
}

// String names the gateway, without the key or a password.
func (c Client) String() string {
	if c.checkBaseURL() != nil {
		return "client of no gateway"
	}
	u, _ := url.Parse(c.BaseURL)
	return "client of " + u.Redacted()
}

// GoString is String: the key is not for %#v either.
func (c Client) GoString() string { return c.String() }

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

// once performs what a single time and decodes the answer. It returns the answer's
// header, and a *Problem when the gateway refused or the answer is not a gateway's.
func (c *Client) once(ctx context.Context, what call) (http.Header, error) {
	req, err := c.request(ctx, what)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", what.method, what.path, err)
	}
	res, err := c.httpClient().Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", what.method, what.path, unanswered{err})
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s %s: read answer: %w", what.method, what.path, unanswered{err})
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
	if err := c.checkBaseURL(); err != nil {
		return nil, err
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
