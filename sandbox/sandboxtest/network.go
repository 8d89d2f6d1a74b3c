package sandboxtest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"syscall"
)

// Network is an in-memory network with hosts instead of addresses. Its
// connections have deadlines, buffers and resets as TCP's do, so that net/http
// and httptrace work over it, but no real socket is involved. All methods may be
// called from several goroutines at once.
type Network struct {
	mu    sync.Mutex
	hosts map[string]*listener
	ports int // of dialing sides, so that connections can be told apart
}

// NewNetwork returns a network without hosts.
func NewNetwork() *Network { return &Network{hosts: map[string]*listener{}, ports: 40_000} }

// Listen makes host reachable, on every port. The host must be free.
func (n *Network) Listen(host string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hosts[host] != nil {
		return nil, fmt.Errorf("in-memory network: host %q is taken", host)
	}
	l := &listener{network: n, host: host, arriving: make(chan net.Conn), closed: make(chan struct{})}
	n.hosts[host] = l
	return l, nil
}

// DialContext connects to the host of addr, whatever its port. Nobody there is
// ECONNREFUSED. The network's name is ignored.
func (n *Network) DialContext(ctx context.Context, _, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "memory", Err: err}
	}
	n.mu.Lock()
	l := n.hosts[host]
	n.ports++
	port := n.ports
	n.mu.Unlock()
	if l == nil {
		return nil, refused()
	}
	near, far := pipe(loopback(port), loopback(80))
	select {
	case l.arriving <- far:
		return near, nil
	case <-l.closed:
		return nil, refused()
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Net: "memory", Err: ctx.Err()}
	}
}

// Transport returns a new http.Transport over the network. Close its idle
// connections before a synctest bubble ends.
func (n *Network) Transport() *http.Transport {
	return &http.Transport{DialContext: n.DialContext, MaxIdleConnsPerHost: 64}
}

func refused() error {
	return &net.OpError{Op: "dial", Net: "memory", Err: syscall.ECONNREFUSED}
}

// loopback: both ends have loopback addresses, so that what is only open to
// loopback is open here.
func loopback(port int) net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port} }

type listener struct {
	network  *Network
	host     string
	arriving chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.arriving:
		return c, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "accept", Net: "memory", Err: net.ErrClosed}
	}
}

// Close implements net.Listener; the host is free again.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.network.mu.Lock()
		defer l.network.mu.Unlock()
		delete(l.network.hosts, l.host)
		close(l.closed)
	})
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return loopback(80) }
