package compat

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// transit is the time a call takes. It ends when nothing moves for idleTime, or
// after wholeTime.
type transit struct {
	x      *exchange
	ctx    context.Context
	cancel context.CancelCauseFunc
	whole  *time.Timer
	idle   *time.Timer
	sent   atomic.Bool // a connection was there to send on
	timed  atomic.Int64

	reading atomic.Bool // of the caller's body
	reads   bool        // the caller's connection has limits that must be put off
	writes  bool
}

const (
	// idleTime is how long neither side may be silent. WeChat takes seconds for
	// large media.
	idleTime = 60 * time.Second
	// wholeTime is how long a call may take in all; MaxBody at 200 KB/s is nine minutes.
	wholeTime = 15 * time.Minute
)

var errSilent = errors.New("nothing moved for too long")

func newTransit(x *exchange) *transit {
	t := &transit{x: x}
	t.ctx, t.cancel = context.WithCancelCause(x.ctx())
	giveUp := func() {
		t.cancel(errSilent)
		if t.reading.Load() { // whoever waits for the caller's next bytes waits no longer
			_ = http.NewResponseController(x.w).SetReadDeadline(time.Unix(1, 0))
		}
	}
	t.whole, t.idle = time.AfterFunc(wholeTime, giveUp), time.AfterFunc(idleTime, giveUp)
	if srv, ok := x.ctx().Value(http.ServerContextKey).(*http.Server); ok {
		t.reads, t.writes = srv.ReadTimeout > 0, srv.WriteTimeout > 0
	}
	t.putOff(time.Now())
	return t
}

// touch says that something moved.
func (t *transit) touch() {
	now := time.Now()
	if last := t.timed.Load(); now.Unix() != last && t.timed.CompareAndSwap(last, now.Unix()) {
		t.idle.Reset(idleTime)
		t.putOff(now)
	}
}

// putOff moves the server's own limits of the caller's connection, which are made
// for messages: an upload may take longer than they allow, and while the answer is
// waited for, a limit of reading would look as if the caller had left.
func (t *transit) putOff(now time.Time) {
	c := http.NewResponseController(t.x.w)
	if t.reads {
		_ = c.SetReadDeadline(now.Add(wholeTime)) // a silent caller is idleTime's affair
	}
	if t.writes {
		_ = c.SetWriteDeadline(now.Add(2 * idleTime))
	}
}

// callersBody reads the caller's body for as long as the call goes on.
type callersBody struct {
	io.Reader
	t *transit
}

func (b *callersBody) Read(p []byte) (int, error) {
	b.t.reading.Store(true)
	defer b.t.reading.Store(false)
	if err := b.t.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.Reader.Read(p)
	b.t.touch()
	return n, err
}

// end frees the timers. A timeout that strikes now strikes nobody.
func (t *transit) end() {
	t.whole.Stop()
	t.idle.Stop()
	t.cancel(nil)
}
