package wechat

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
)

// TestStaleConnectionTakenBack: the peer answers once and closes on the next
// request of the same connection. That request was written, so it may have been
// acted on and must not be repeated behind the caller's back.
func TestStaleConnectionTakenBack(t *testing.T) {
	var requests atomic.Int32
	c := peer(func(conn *net.TCPConn, _ <-chan struct{}) {
		r := bufio.NewReader(conn)
		for readRequest(r) == nil {
			if requests.Add(1) == 2 {
				return
			}
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"errcode\":0}")
		}
	})(t)
	call := Call{Endpoint: EndpointTemplateSend, AccessToken: "t", Body: []byte("{}")}
	if _, err := c.Do(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	_, err := c.Do(t.Context(), call)
	if OutcomeOf(err) != OutcomeNoAnswer || err == nil || requests.Load() != 2 {
		t.Errorf("got %v, outcome %v after %d requests; want no answer after 2", err, OutcomeOf(err), requests.Load())
	}
}

// twice sends each request a second time when the first gets no answer, as some
// wrappers around net/http's transport do.
type twice struct{ bare *http.Transport }

func (t twice) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.bare.RoundTrip(r)
	if err == nil {
		return resp, nil
	}
	again := r.Clone(r.Context())
	again.Body, _ = r.GetBody()
	t.bare.CloseIdleConnections()
	return t.bare.RoundTrip(again)
}

// TestATransportThatRepeatsIsNotTrusted: the peer reads a request on a reused
// connection and goes away for good. The wrapper looks for a connection once more;
// that must not make the request unsent, for it was read.
func TestATransportThatRepeatsIsNotTrusted(t *testing.T) {
	var requests atomic.Int32
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		r := bufio.NewReader(conn)
		for readRequest(r) == nil {
			if requests.Add(1) == 2 {
				listener.Close()
				return
			}
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"errcode\":0}")
		}
	}()
	c := &Client{BaseURL: "http://" + listener.Addr().String(), HTTPClient: &http.Client{Transport: twice{NewTransport()}}}
	call := Call{Endpoint: EndpointTemplateSend, AccessToken: "t", Body: []byte("{}")}
	if _, err := c.Do(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	_, err = c.Do(t.Context(), call)
	if OutcomeOf(err) != OutcomeNoAnswer || requests.Load() != 2 {
		t.Errorf("got %v, outcome %v after %d requests; want no answer after 2", err, OutcomeOf(err), requests.Load())
	}
}

// TestStaleConnectionClosedWhileIdle: the peer closes after each answer without
// saying so. Once the client has noticed, calls simply use a new connection, and
// when that is refused nothing was sent.
func TestStaleConnectionClosedWhileIdle(t *testing.T) {
	closed := make(chan struct{}, 10)
	transport := NewTransport()
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &noticedConn{conn, closed}, nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			readRequest(bufio.NewReader(conn))
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"errcode\":0}")
			conn.Close()
		}
	}()
	c := &Client{BaseURL: "http://" + listener.Addr().String(), HTTPClient: &http.Client{Transport: transport}}
	call := Call{Endpoint: EndpointTemplateSend, AccessToken: "t", Body: []byte("{}")}
	for i := range 3 {
		if _, err := c.Do(t.Context(), call); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		<-closed
	}
	listener.Close()
	if _, err := c.Do(t.Context(), call); OutcomeOf(err) != OutcomeNotSent {
		t.Errorf("got %v, outcome %v; want not sent", err, OutcomeOf(err))
	}
}

// noticedConn tells when the transport has given the connection up.
type noticedConn struct {
	net.Conn
	closed chan<- struct{}
}

func (c *noticedConn) Close() error {
	defer func() { c.closed <- struct{}{} }()
	return c.Conn.Close()
}

// TestUnwrittenRequestIsUnsentAgain: the first write on a reused connection
// fails with nothing written, so the transport dials anew; that is refused.
func TestUnwrittenRequestIsUnsentAgain(t *testing.T) {
	var broken atomic.Bool
	transport := NewTransport()
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if broken.Load() {
			return nil, syscall.ECONNREFUSED
		}
		conn, err := dial(ctx, network, addr)
		return &breakableConn{conn, &broken}, err
	}
	server := newRecorder(t, `{"errcode":0,"errmsg":"ok"}`)
	defer transport.CloseIdleConnections()
	c := &Client{BaseURL: server.URL, HTTPClient: &http.Client{Transport: transport}}
	call := Call{Endpoint: EndpointTemplateSend, AccessToken: "t", Body: []byte("{}")}
	if _, err := c.Do(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	_, err := c.Do(t.Context(), call)
	if OutcomeOf(err) != OutcomeNotSent || len(server.seen) != 1 {
		t.Errorf("got %v, outcome %v after %d requests; want not sent after 1", err, OutcomeOf(err), len(server.seen))
	}
}

type breakableConn struct {
	net.Conn
	broken *atomic.Bool
}

func (c *breakableConn) Write(b []byte) (int, error) {
	if c.broken.Load() {
		return 0, syscall.EPIPE
	}
	return c.Conn.Write(b)
}
