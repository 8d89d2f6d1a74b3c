package wechat

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// short bounds the calls that are meant to time out. Nothing depends on how long
// it really is.
const short = 50 * time.Millisecond

// newPeer listens on loopback, hands every connection to serve and returns the
// base URL. When the test ends, done is closed and the connections with it.
func newPeer(t *testing.T, serve func(conn *net.TCPConn, done <-chan struct{})) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				serve(conn.(*net.TCPConn), done)
			})
		}
	})
	t.Cleanup(func() {
		close(done)
		listener.Close()
		wg.Wait()
	})
	return "http://" + listener.Addr().String()
}

// readRequest reads one whole request.
func readRequest(r *bufio.Reader) error {
	req, err := http.ReadRequest(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, req.Body)
	return err
}

// awaitUnread waits until bytes have arrived and leaves them unread.
func awaitUnread(conn *net.TCPConn) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	raw.Read(func(fd uintptr) bool {
		n, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK)
		return n > 0 || err != syscall.EAGAIN
	})
}

// reply makes a peer that reads the request, writes text as it is and closes.
func reply(text string) func(*testing.T) *Client {
	return peer(func(conn *net.TCPConn, _ <-chan struct{}) {
		readRequest(bufio.NewReader(conn))
		io.WriteString(conn, text)
	})
}

// status makes a server that answers with status and body over real net/http.
func status(status int, contentType, body string) func(*testing.T) *Client {
	return func(t *testing.T) *Client {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			io.WriteString(w, body)
		}))
		t.Cleanup(server.Close)
		return &Client{BaseURL: server.URL}
	}
}

func peer(serve func(*net.TCPConn, <-chan struct{})) func(*testing.T) *Client {
	return func(t *testing.T) *Client {
		transport := NewTransport()
		t.Cleanup(transport.CloseIdleConnections)
		return &Client{BaseURL: newPeer(t, serve), HTTPClient: &http.Client{Transport: transport, Timeout: 10 * time.Second}}
	}
}

// impatient shortens a client's whole time.
func impatient(newClient func(*testing.T) *Client) func(*testing.T) *Client {
	return func(t *testing.T) *Client {
		c := newClient(t)
		c.HTTPClient.Timeout = short
		return c
	}
}

// fault is one way for a call to go wrong and what must be said about it.
type fault struct {
	name       string
	client     func(*testing.T) *Client
	outcome    Outcome
	class      Class
	httpStatus int
	is         error // found by errors.Is
}

const html = "<html><body>502 Bad Gateway</body></html>"

// faults are all the ways we know; the secrets test goes through them too.
var faults = []fault{
	{name: "connection refused", client: refused, outcome: OutcomeNotSent, class: ClassNotSent, is: syscall.ECONNREFUSED},
	{name: "name not found", client: unknownName, outcome: OutcomeNotSent, class: ClassNotSent},
	{name: "connect timeout", client: slowConnect, outcome: OutcomeNotSent, class: ClassNotSent},
	{name: "handshake timeout", client: silentTLS, outcome: OutcomeNotSent, class: ClassNotSent},
	{name: "unknown certificate", client: unknownCertificate, outcome: OutcomeNotSent, class: ClassNotSent},
	{name: "base URL is nonsense", client: baseURL("http://[::1"), outcome: OutcomeNotSent, class: ClassNotSent},
	{name: "base URL without scheme", client: baseURL("api.weixin.qq.com"), outcome: OutcomeNotSent, class: ClassNotSent},
	{name: "base URL of another kind", client: baseURL("ftp://127.0.0.1"), outcome: OutcomeNotSent, class: ClassNotSent},

	{name: "reset before reading", outcome: OutcomeNoAnswer, class: ClassNoAnswer, is: syscall.ECONNRESET,
		client: peer(func(conn *net.TCPConn, _ <-chan struct{}) {
			awaitUnread(conn)
			conn.SetLinger(0)
		})},
	{name: "reset after reading", outcome: OutcomeNoAnswer, class: ClassNoAnswer, is: syscall.ECONNRESET,
		client: peer(func(conn *net.TCPConn, _ <-chan struct{}) {
			readRequest(bufio.NewReader(conn))
			conn.SetLinger(0)
		})},
	{name: "closed without answer", client: reply(""), outcome: OutcomeNoAnswer, class: ClassNoAnswer, is: io.EOF},
	{name: "hangs", outcome: OutcomeNoAnswer, class: ClassNoAnswer, is: context.DeadlineExceeded,
		client: impatient(peer(func(conn *net.TCPConn, done <-chan struct{}) {
			readRequest(bufio.NewReader(conn))
			<-done
		}))},
	{name: "drips past the time", outcome: OutcomeNoAnswer, class: ClassNoAnswer, httpStatus: 200, is: context.DeadlineExceeded,
		client: impatient(peer(func(conn *net.TCPConn, done <-chan struct{}) {
			readRequest(bufio.NewReader(conn))
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{\"errcode\":0,")
			<-done
		}))},
	{name: "grows past the limit", outcome: OutcomeNoAnswer, class: ClassNoAnswer, httpStatus: 200, is: errTooLong,
		client: peer(func(conn *net.TCPConn, _ <-chan struct{}) {
			readRequest(bufio.NewReader(conn))
			io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n{\"errcode\":0,\"errmsg\":\"")
			for _, err := conn.Write(make([]byte, 4096)); err == nil; {
				_, err = conn.Write(make([]byte, 4096))
			}
		})},
	{name: "announces more than the limit", outcome: OutcomeNoAnswer, class: ClassNoAnswer, httpStatus: 200,
		client: reply("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{\"errcode\":0}")},
	{name: "cut before its length", outcome: OutcomeNoAnswer, class: ClassNoAnswer, httpStatus: 200, is: io.ErrUnexpectedEOF,
		client: reply("HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n{\"errcode\":0,\"errm")},
	{name: "truncated JSON", client: status(200, "application/json", `{"errcode":0,"errm`),
		outcome: OutcomeNoAnswer, class: ClassNoAnswer, httpStatus: 200, is: errNotAnswer},
	{name: "broken chunks", outcome: OutcomeNoAnswer, class: ClassNoAnswer, httpStatus: 200,
		client: reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{\"errcode\":0}")},
	{name: "empty body", client: status(200, "application/json", ""), outcome: OutcomeNoAnswer, class: ClassNoAnswer, httpStatus: 200},
	{name: "HTML with 200", client: status(200, "application/json", html), outcome: OutcomeNoAnswer, class: ClassNoAnswer, httpStatus: 200},
	{name: "HTML with 502", client: status(502, "text/html", html), outcome: OutcomeNoAnswer, class: ClassNoAnswer, httpStatus: 502},
	{name: "good JSON with 500", client: status(500, "application/json", `{"errcode":0,"errmsg":"ok"}`),
		outcome: OutcomeNoAnswer, class: ClassNoAnswer, httpStatus: 500},
	{name: "no content", client: status(204, "", ""), outcome: OutcomeNoAnswer, class: ClassNoAnswer, httpStatus: 204},
	{name: "not HTTP", client: reply("220 mail.example ready\r\n"), outcome: OutcomeNoAnswer, class: ClassNoAnswer},
	{name: "broken header", client: reply("HTTP/1.1 200 OK\r\nno colon here\r\n\r\n{}"), outcome: OutcomeNoAnswer, class: ClassNoAnswer},

	{name: "412 for a missing length", client: status(412, "text/html", html), outcome: OutcomeAnswered, class: ClassRequest, httpStatus: 412},
	{name: "413 for a long body", client: status(413, "text/html", html), outcome: OutcomeAnswered, class: ClassRequest, httpStatus: 413},
	{name: "415 for the wrong type", client: status(415, "text/html", html), outcome: OutcomeAnswered, class: ClassRequest, httpStatus: 415},
	{name: "403 of a firewall", client: status(403, "text/html", html), outcome: OutcomeNotSent, class: ClassNotSent, httpStatus: 403},
	{name: "404 for a wrong base URL", client: status(404, "text/html", html), outcome: OutcomeNotSent, class: ClassNotSent, httpStatus: 404},
	{name: "407 of a proxy", client: status(407, "text/html", html), outcome: OutcomeNotSent, class: ClassNotSent, httpStatus: 407},
	{name: "429 of a front end", client: status(429, "text/html", html), outcome: OutcomeNotSent, class: ClassNotSent, httpStatus: 429},

	{name: "business error", client: status(200, "text/plain", `{"errcode":45009,"errmsg":"reach max api daily quota limit"}`),
		outcome: OutcomeAnswered, class: ClassQuota},
}

func baseURL(u string) func(*testing.T) *Client {
	return func(*testing.T) *Client { return &Client{BaseURL: u} }
}

func refused(t *testing.T) *Client {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	return &Client{BaseURL: "http://" + listener.Addr().String()}
}

// unknownName resolves through a DNS server of the test's own, which denies
// every name.
func unknownName(t *testing.T) *Client {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			binary.BigEndian.PutUint16(buf[2:], 0x8183) // answer, no such name
			server.WriteTo(buf[:n], from)
		}
	}()
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
	transport := &http.Transport{DialContext: (&net.Dialer{Resolver: resolver}).DialContext}
	return &Client{BaseURL: "http://weixin.invalid.", HTTPClient: &http.Client{Transport: transport}}
}

// slowConnect has no time to connect at all.
func slowConnect(t *testing.T) *Client {
	c := peer(func(*net.TCPConn, <-chan struct{}) {})(t)
	c.HTTPClient.Transport = &http.Transport{DialContext: (&net.Dialer{Timeout: 1}).DialContext}
	return c
}

func silentTLS(t *testing.T) *Client {
	c := peer(func(_ *net.TCPConn, done <-chan struct{}) { <-done })(t)
	c.BaseURL = strings.Replace(c.BaseURL, "http:", "https:", 1)
	c.HTTPClient.Transport.(*http.Transport).TLSHandshakeTimeout = short
	return c
}

func unknownCertificate(t *testing.T) *Client {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return &Client{BaseURL: server.URL, HTTPClient: &http.Client{Transport: NewTransport()}}
}

// TestFaults checks over real sockets that what cannot have arrived, what may
// have arrived and what was refused are told apart.
func TestFaults(t *testing.T) {
	for _, tt := range faults {
		t.Run(tt.name, func(t *testing.T) {
			ans, err := tt.client(t).Do(t.Context(), Call{Endpoint: EndpointTemplateSend, AccessToken: "t", Body: []byte("{}")})
			if err == nil {
				t.Fatalf("no error; answer %+v", ans)
			}
			if OutcomeOf(err) != tt.outcome || ClassOfError(err) != tt.class {
				t.Errorf("got outcome %v, class %v of %v; want %v, %v", OutcomeOf(err), ClassOfError(err), err, tt.outcome, tt.class)
			}
			if got := httpStatusOf(err); got != tt.httpStatus {
				t.Errorf("got HTTP status %d of %v, want %d", got, err, tt.httpStatus)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", err, tt.is)
			}
		})
	}
}

func httpStatusOf(err error) int {
	if e, ok := errors.AsType[*TransportError](err); ok {
		return e.HTTPStatus
	}
	if e, ok := errors.AsType[*StatusError](err); ok {
		return e.HTTPStatus
	}
	return 0
}

func TestEndpointCannotRedirectTheToken(t *testing.T) {
	for _, op := range []Endpoint{"", ".evil.example/cgi-bin/token", "@evil.example/", "cgi-bin/token"} {
		_, err := new(Client).Do(t.Context(), Call{Endpoint: op, AccessToken: "t"})
		if !errors.Is(err, errEndpoint) || OutcomeOf(err) != OutcomeNotSent {
			t.Errorf("endpoint %q gives %v, want %v", op, err, errEndpoint)
		}
	}
}

func TestCancelledCallIsNotSent(t *testing.T) {
	server := newRecorder(t, `{"errcode":0}`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := (&Client{BaseURL: server.URL}).Do(ctx, Call{Endpoint: EndpointTemplateSend, AccessToken: "t", Body: []byte("{}")})
	if OutcomeOf(err) != OutcomeNotSent || !errors.Is(err, context.Canceled) || len(server.seen) != 0 {
		t.Errorf("got %v, outcome %v, %d requests; want cancelled, not sent, none", err, OutcomeOf(err), len(server.seen))
	}
}

// TestCancelWhileWaitingIsNoAnswer cancels once the peer has the request.
func TestCancelWhileWaitingIsNoAnswer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := peer(func(conn *net.TCPConn, done <-chan struct{}) {
		readRequest(bufio.NewReader(conn))
		cancel()
		<-done
	})(t)
	_, err := c.Do(ctx, Call{Endpoint: EndpointTemplateSend, AccessToken: "t", Body: []byte("{}")})
	if OutcomeOf(err) != OutcomeNoAnswer || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, outcome %v; want cancelled, no answer", err, OutcomeOf(err))
	}
}

// TestRedirectIsNotFollowed: a redirect would carry the token elsewhere, even
// with a client that follows them.
func TestRedirectIsNotFollowed(t *testing.T) {
	elsewhere := newRecorder(t, `{"errcode":0,"errmsg":"ok"}`)
	for _, code := range []int{301, 302, 307, 308} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.String(), code)
		}))
		defer server.Close()
		for _, client := range []*http.Client{nil, {}} {
			c := &Client{BaseURL: server.URL, HTTPClient: client}
			_, err := c.Do(t.Context(), Call{Endpoint: EndpointTemplateSend, AccessToken: "t", Body: []byte("{}")})
			if ClassOfError(err) != ClassNoAnswer || httpStatusOf(err) != code {
				t.Errorf("HTTP %d gives %v, want no answer", code, err)
			}
		}
	}
	if len(elsewhere.seen) != 0 {
		t.Errorf("%d requests were redirected", len(elsewhere.seen))
	}
}

// TestForeignTransportMayHaveSent: a RoundTripper that calls no trace hooks says
// nothing about what it wrote.
func TestForeignTransportMayHaveSent(t *testing.T) {
	c := &Client{HTTPClient: &http.Client{Transport: failing{}}}
	_, err := c.Do(t.Context(), Call{Endpoint: EndpointTemplateSend, AccessToken: "t", Body: []byte("{}")})
	if OutcomeOf(err) != OutcomeNoAnswer {
		t.Errorf("got %v, outcome %v; want no answer", err, OutcomeOf(err))
	}
}

type failing struct{}

func (failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("broken") }

func TestOutcomeOfForeignErrors(t *testing.T) {
	tests := []struct {
		name    string
		err     error
		outcome Outcome
		class   Class
	}{
		{"none", nil, OutcomeAnswered, ClassSuccess},
		{"from elsewhere", errors.New("x"), OutcomeNoAnswer, ClassUnknown},
		{"wrapped answer", fmt.Errorf("send: %w", &Error{Op: EndpointTemplateSend, Code: -1}), OutcomeAnswered, ClassTransient},
		{"wrapped refusal", fmt.Errorf("send: %w", &StatusError{EndpointTemplateSend, 412}), OutcomeAnswered, ClassRequest},
		{"wrapped loss", fmt.Errorf("send: %w", &TransportError{Sent: true}), OutcomeNoAnswer, ClassNoAnswer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if OutcomeOf(tt.err) != tt.outcome || ClassOfError(tt.err) != tt.class {
				t.Errorf("got %v, %v; want %v, %v", OutcomeOf(tt.err), ClassOfError(tt.err), tt.outcome, tt.class)
			}
		})
	}
}
