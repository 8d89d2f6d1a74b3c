package sandboxtest

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// streamBuffer is how much one direction holds before writers wait, as a socket's
// buffer does.
const streamBuffer = 256 << 10

// stream is one direction of a connection. Its readers and writers wait on a
// sync.Cond, which a synctest bubble recognises as waiting.
type stream struct {
	mu     sync.Mutex
	change sync.Cond
	buf    []byte
	ended  bool  // the writer has closed: EOF after buf
	gone   bool  // the reader has closed: writes fail
	reset  error // set by a reset, for both sides at once

	read, write deadline
}

func newStream() *stream {
	s := &stream{}
	s.change.L = &s.mu
	return s
}

// deadline is a time after which waiting ends with os.ErrDeadlineExceeded.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

// set replaces the deadline; the caller holds s.mu.
func (s *stream) set(d *deadline, at time.Time) {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.at = at
	if wait := time.Until(at); !at.IsZero() && wait > 0 {
		d.timer = time.AfterFunc(wait, s.wakeAll)
	}
	s.change.Broadcast()
}

func (s *stream) wakeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.change.Broadcast()
}

// take reads what is there, waiting for something to be.
func (s *stream) take(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.gone:
			return 0, net.ErrClosed
		case s.read.passed():
			return 0, os.ErrDeadlineExceeded
		case s.reset != nil:
			return 0, s.reset
		case len(s.buf) > 0:
			n := copy(b, s.buf)
			s.buf = s.buf[n:]
			s.change.Broadcast()
			return n, nil
		case s.ended:
			return 0, io.EOF
		case len(b) == 0:
			return 0, nil
		}
		s.change.Wait()
	}
}

// put writes all of b, waiting for room.
func (s *stream) put(b []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.ended:
			return n, net.ErrClosed
		case s.write.passed():
			return n, os.ErrDeadlineExceeded
		case s.reset != nil:
			return n, s.reset
		case s.gone:
			return n, syscall.EPIPE
		case len(b) == 0:
			return n, nil
		}
		if room := streamBuffer - len(s.buf); room > 0 {
			part := b[:min(room, len(b))]
			s.buf = append(s.buf, part...)
			b, n = b[len(part):], n+len(part)
			s.change.Broadcast()
			continue
		}
		s.change.Wait()
	}
}

// end changes the stream under its lock and wakes everybody; deadlines end with it.
func (s *stream) end(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	for _, d := range []*deadline{&s.read, &s.write} {
		if d.timer != nil {
			d.timer.Stop()
		}
	}
	s.change.Broadcast()
}

// conn is one end of a connection.
type conn struct {
	in, out       *stream
	local, remote net.Addr

	mu     sync.Mutex
	abrupt bool // Close resets
}

// pipe returns the two ends of a new connection, with these addresses.
func pipe(near, far net.Addr) (*conn, *conn) {
	there, back := newStream(), newStream()
	return &conn{in: back, out: there, local: near, remote: far},
		&conn{in: there, out: back, local: far, remote: near}
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.in.take(b)
	return n, c.wrap("read", err)
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.out.put(b)
	return n, c.wrap("write", err)
}

// wrap makes errors look like TCP's; io.EOF stays bare, as callers compare it.
func (c *conn) wrap(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "memory", Source: c.local, Addr: c.remote, Err: err}
}

// SetLinger with 0 makes Close reset the connection, as (*net.TCPConn).SetLinger does.
func (c *conn) SetLinger(sec int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.abrupt = sec == 0
	return nil
}

// Close ends both directions: the other side reads what is there and then EOF,
// or ECONNRESET at once.
func (c *conn) Close() error {
	c.mu.Lock()
	abrupt := c.abrupt
	c.mu.Unlock()
	c.in.end(func() { c.in.gone, c.in.buf = true, nil })
	c.out.end(func() {
		c.out.ended = true
		if abrupt {
			c.out.buf, c.out.reset = nil, syscall.ECONNRESET
		}
	})
	if abrupt {
		c.in.end(func() { c.in.reset = syscall.ECONNRESET })
	}
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.set(&c.in.read, t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.set(&c.out.write, t)
	return nil
}
