package wechat

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// marker has characters that URLs and Go's quoting write differently.
const marker = `mark"er+secret=/ü\`

// leaks returns each text of err, and of all it wraps, that shows the marker.
func leaks(err error) []string {
	if err == nil {
		return nil
	}
	var found []string
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q"} {
		text := fmt.Sprintf(verb, err)
		quoted := strconv.Quote(marker)
		for _, form := range []string{marker, url.QueryEscape(marker), url.PathEscape(marker), quoted[1 : len(quoted)-1], "er+secret", "er%2Bsecret"} {
			if strings.Contains(text, form) {
				found = append(found, verb+": "+text)
				break
			}
		}
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		found = append(found, leaks(e.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			found = append(found, leaks(inner)...)
		}
	}
	return found
}

// echo answers with what the peer was sent, in front of it prefix.
func echo(prefix string) func(*testing.T) *Client {
	return peer(func(conn *net.TCPConn, _ <-chan struct{}) {
		line, _ := bufio.NewReader(conn).ReadString('\n')
		fmt.Fprintf(conn, "%s%s\r\n\r\n", prefix, strings.TrimSpace(line))
	})
}

// TestPrintingShowsNoToken prints everything that carries a token with every verb.
func TestPrintingShowsNoToken(t *testing.T) {
	const token = "92_marked-token"
	for _, v := range []any{
		Token{AccessToken: token, ExpiresIn: 7200}, &Token{AccessToken: token}, StaticToken(token),
		Call{Endpoint: EndpointTemplateSend, AccessToken: token}, struct{ T Token }{Token{AccessToken: token}},
	} {
		for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%d", "%x"} {
			text := fmt.Sprintf(verb, v)
			if strings.Contains(text, token) || strings.Contains(text, fmt.Sprintf("%x", token)) {
				t.Errorf("%s of %T shows the token: %s", verb, v, text)
			}
		}
	}
}

// TestErrMsgIsBounded: a peer's megabyte must not go into rows and logs.
func TestErrMsgIsBounded(t *testing.T) {
	c := status(200, "", `{"errcode":-1,"errmsg":"`+strings.Repeat("忙", 100_000)+`"}`)(t)
	_, err := c.Do(t.Context(), Call{Endpoint: EndpointTemplateSend, AccessToken: "t", Body: []byte("{}")})
	refused, ok := errors.AsType[*Error](err)
	if !ok || len([]rune(refused.Msg)) != maxErrMsgRunes+1 {
		t.Errorf("got %d characters in a %T, want %d", len([]rune(refused.Msg)), err, maxErrMsgRunes+1)
	}
}

// TestNoErrorShowsASecret forces every kind of error with a marked secret, for
// every call: with a token, or with an AppSecret.
func TestNoErrorShowsASecret(t *testing.T) {
	quoted, _ := MarshalBody("invalid " + marker + " and " + url.QueryEscape(marker))
	kinds := append([]fault{
		{name: "echo as status line", client: echo("")},
		{name: "echo as status", client: echo("HTTP/1.1 ")},
		{name: "echo as header", client: echo("HTTP/1.1 200 OK\r\n")},
		{name: "echo as length", client: echo("HTTP/1.1 200 OK\r\nContent-Length: ")},
		{name: "echo as encoding", client: echo("HTTP/1.1 200 OK\r\nTransfer-Encoding: ")},
		{name: "echo as chunk", client: echo("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")},
		{name: "echo as body", client: echo("HTTP/1.1 200 OK\r\n\r\n")},
		{name: "echo as redirect", client: echo("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: ")},
		{name: "echo in errmsg", client: status(200, "", `{"errcode":40001,"errmsg":`+string(quoted)+`}`)},
		{name: "secret in the base URL's error", client: baseURL("http://h:port")},
		{name: "transport that prints the request", client: printing},
	}, faults...)
	calls := everyCall(marker)
	calls["do"] = func(ctx context.Context, c *Client) error {
		_, err := c.Do(ctx, Call{Endpoint: EndpointTemplateSend, AccessToken: marker, Body: []byte("{}")})
		return err
	}
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			var wg sync.WaitGroup
			for name, call := range calls {
				c := kind.client(t)
				c.Tokens = StaticToken(marker)
				wg.Go(func() {
					err := call(t.Context(), c)
					if err == nil {
						t.Errorf("%s: no error", name)
					}
					for _, leak := range leaks(err) {
						t.Errorf("%s shows the secret in %s", name, leak)
					}
				})
			}
			wg.Wait()
		})
	}
}

// printing fails with errors that show all there is to show.
func printing(*testing.T) *Client {
	return &Client{HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		inner := &url.Error{Op: "dial", URL: r.URL.String(), Err: os.ErrDeadlineExceeded}
		return nil, errors.Join(fmt.Errorf("body %s: %w", body, inner), fmt.Errorf("url %s", r.URL))
	})}}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	return f(r)
}

func TestRedactKeepsTheKindOfError(t *testing.T) {
	secrets := []string{"s3cret-value"}
	tests := []struct {
		name string
		err  error
		text string
		is   error
	}{
		{"URL around a known error", &url.Error{Op: "Get", URL: "http://h/?secret=s3cret-value", Err: io.EOF}, "EOF", io.EOF},
		{"secret in the text", fmt.Errorf("read s3cret-value: %w", context.Canceled), "read [redacted]: context canceled", context.Canceled},
		{"quoted text is dropped", fmt.Errorf("malformed %q: %w", "x", io.ErrUnexpectedEOF), "malformed", io.ErrUnexpectedEOF},
		{"harmless", net.ErrClosed, "use of closed network connection", net.ErrClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := redact(tt.err, secrets)
			if got.Error() != tt.text || !errors.Is(got, tt.is) {
				t.Errorf("redact(%v) = %q, is %v %v; want %q", tt.err, got, tt.is, errors.Is(got, tt.is), tt.text)
			}
		})
	}
}
