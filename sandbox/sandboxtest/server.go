package sandboxtest

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"

	"hongyan/sandbox"
)

// InMemoryHost is the host of the sandbox on an in-memory network.
const InMemoryHost = "sandbox.test"

// Server is a running sandbox.
type Server struct {
	Sandbox *sandbox.Sandbox
	URL     string       // such as http://127.0.0.1:41234 or http://sandbox.test, no slash at the end
	Client  *http.Client // reaches URL, and on an in-memory network every host of it

	network *Network // nil on a real port
	t       testing.TB
}

// New starts a sandbox on a free loopback port. At most one Options is used.
func New(t testing.TB, opts ...sandbox.Options) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("sandboxtest: listen: %v", err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	s := &Server{
		Sandbox: sandbox.New(first(opts)), URL: "http://" + l.Addr().String(),
		Client: &http.Client{Transport: transport}, t: t,
	}
	t.Cleanup(transport.CloseIdleConnections)
	s.serve(l, s.Sandbox.Handler())
	s.run()
	return s
}

// NewInMemory starts a sandbox on an in-memory network at http://sandbox.test. In
// a synctest bubble it must be called inside the bubble. Unless the options say
// otherwise the sandbox pushes over the same network, see [Server.RegisterHost].
func NewInMemory(t testing.TB, opts ...sandbox.Options) *Server {
	t.Helper()
	network := NewNetwork()
	o := first(opts)
	pushes := network.Transport()
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{Transport: pushes}
	}
	calls := network.Transport()
	s := &Server{
		Sandbox: sandbox.New(o), URL: "http://" + InMemoryHost,
		Client: &http.Client{Transport: calls}, network: network, t: t,
	}
	t.Cleanup(calls.CloseIdleConnections)
	t.Cleanup(pushes.CloseIdleConnections)
	s.RegisterHost(InMemoryHost, s.Sandbox.Handler())
	s.run()
	return s
}

func first(opts []sandbox.Options) sandbox.Options {
	if len(opts) == 0 {
		return sandbox.Options{}
	}
	return opts[0]
}

// RegisterHost serves handler as host (such as "gateway.test") on the in-memory
// network until the test ends; the sandbox pushes to it at http://gateway.test/….
func (s *Server) RegisterHost(host string, handler http.Handler) {
	s.t.Helper()
	if s.network == nil {
		s.t.Fatalf("sandboxtest: RegisterHost(%q): this server is on a real port, use NewInMemory", host)
	}
	l, err := s.network.Listen(host)
	if err != nil {
		s.t.Fatalf("sandboxtest: %v", err)
	}
	s.serve(l, handler)
}

// Network is the in-memory network, or nil on a real port.
func (s *Server) Network() *Network { return s.network }

// Dialer returns the network's DialContext, for an http.Transport of the test's
// own. It fails the test on a real port, where the ordinary one will do.
func (s *Server) Dialer() func(ctx context.Context, network, addr string) (net.Conn, error) {
	s.t.Helper()
	if s.network == nil {
		s.t.Fatal("sandboxtest: Dialer: this server is on a real port, use NewInMemory")
	}
	return s.network.DialContext
}

// serve serves handler on l until the test's cleanup, which closes every
// connection and waits until nothing of it runs any more: a goroutine of net/http
// that is still in its closing pause would be a deadlock at the end of a bubble.
func (s *Server) serve(l net.Listener, handler http.Handler) {
	var conns sync.WaitGroup
	srv := &http.Server{Handler: handler, ConnState: func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			conns.Add(1)
		case http.StateClosed, http.StateHijacked:
			conns.Done()
		}
	}}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = srv.Serve(l) // always http.ErrServerClosed, after the cleanup below
	}()
	s.t.Cleanup(func() {
		_ = srv.Close()
		<-ended
		conns.Wait()
	})
}

// run runs the sandbox until the test's cleanup.
func (s *Server) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Sandbox.Run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("sandboxtest: Run: %v", err)
		}
	})
}
