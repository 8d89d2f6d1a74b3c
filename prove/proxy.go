package prove

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"time"
)

// proxy stands on loopback between a gateway and a server, so that the network
// between them can be cut or stand still.
type proxy struct {
	l      net.Listener
	target string

	mu    sync.Mutex
	conns map[net.Conn]bool
	cut   bool          // connections are refused: closed as soon as they come
	still chan struct{} // while not nil nothing is passed on; closed when it may be again
	wg    sync.WaitGroup
}

// newProxy passes connections on to target, HOST:PORT.
func newProxy(ctx context.Context, target string) (*proxy, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{l: l, target: target, conns: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	return p, nil
}

// through is a URL with the proxy in the place of its host; without a proxy it is
// the URL itself.
func (p *proxy) through(raw string) (string, error) {
	if p == nil {
		return raw, nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", err
	}
	u.Host = p.l.Addr().String()
	return u.String(), nil
}

func (p *proxy) accept() {
	for {
		c, err := p.l.Accept()
		if err != nil {
			return // closed
		}
		p.wg.Go(func() { p.pass(c) })
	}
}

// pass joins a connection with one to the target until either ends.
func (p *proxy) pass(near net.Conn) {
	defer near.Close()
	far, err := net.DialTimeout("tcp", p.target, 5*time.Second)
	if err != nil || !p.enter(near, far) {
		if far != nil {
			far.Close()
		}
		return
	}
	defer p.leave(near, far)
	var both sync.WaitGroup
	both.Go(func() { p.copy(far, near) })
	both.Go(func() { p.copy(near, far) })
	both.Wait()
}

// enter counts a pair in, unless the network is cut.
func (p *proxy) enter(pair ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range pair {
		p.conns[c] = !p.cut
	}
	return !p.cut
}

func (p *proxy) leave(pair ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range pair {
		delete(p.conns, c)
		c.Close()
	}
}

// copy passes bytes on, waiting while the network stands still, and ends both
// sides when one ends.
func (p *proxy) copy(to, from net.Conn) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		still := p.still
		p.mu.Unlock()
		if still != nil {
			<-still
		}
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// sever cuts every connection and refuses new ones until mend.
func (p *proxy) sever() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for c := range p.conns {
		c.Close()
	}
}

// freeze lets nothing through and cuts nothing.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.still == nil {
		p.still = make(chan struct{})
	}
}

// mend ends sever and freeze.
func (p *proxy) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
	if p.still != nil {
		close(p.still)
		p.still = nil
	}
}

func (p *proxy) close() error {
	p.mend()
	err := p.l.Close()
	p.sever()
	p.wg.Wait()
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
