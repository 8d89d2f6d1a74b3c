package compat

import (
	"errors"
	"io"
	"os"
	"sync"
)

// maxHeld is how much of a body is kept in memory, in bytes; what is beyond goes to
// a file.
const maxHeld = 1 << 20

// body is a request's body that can be sent twice: it is kept while it is sent for
// the first time. One reader is in use at a time; opening the next ends the one
// before, which a transport may still hold. It is safe for concurrent use.
type body struct {
	limit int64    // bytes
	t     *transit // told of every step

	mu    sync.Mutex
	size  int64     // bytes in all; -1 = not known yet
	head  []byte    // its beginning
	src   io.Reader // the rest, as far as it was not read; nil = there is none
	read  int64     // bytes read of src
	spool *os.File  // those bytes
	lost  bool      // they are not all kept: it cannot be sent again
	turn  int       // which reader is in use
	err   error     // why src ended early
}

// newBody reads the beginning of a caller's body, and all of one that does not say
// how long it is: the platform refuses bodies without a length (HTTP 412, spec
// §2.4). The caller closes the body.
func newBody(src io.Reader, size, limit int64, t *transit) (*body, error) {
	b := &body{limit: limit, t: t, size: size}
	if size > limit {
		return nil, tooLong(limit)
	}
	if src == nil || size == 0 {
		b.size = 0
		return b, nil
	}
	src = &callersBody{src, t}
	held := int64(maxHeld)
	if size > 0 {
		held = min(held, size)
	}
	b.head = make([]byte, held)
	n, err := io.ReadFull(src, b.head)
	b.head = b.head[:n]
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) && size < 0, errors.Is(err, io.EOF) && size < 0, err == nil && int64(n) == size:
		b.size = int64(n)
		return b, nil
	case err != nil:
		return nil, errGone
	}
	b.src = src
	if size < 0 {
		if err := b.spoolAll(); err != nil {
			b.close()
			return nil, err
		}
	}
	return b, nil
}

// spoolAll reads src to its end.
func (b *body) spoolAll() error {
	r := b.open()
	n, err := io.Copy(io.Discard, r)
	switch {
	case b.err != nil:
		return b.err
	case err != nil:
		return errGone
	case b.lost:
		return systemError("the gateway cannot keep the body, nothing was sent", errSpool)
	}
	b.size = n
	return nil
}

var errSpool = errors.New("a temporary file could not be written")

// open returns the body from its beginning.
func (b *body) open() io.ReadCloser {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn++
	return &bodyReader{b: b, turn: b.turn}
}

// stop ends the reader in use and returns once it has: the caller's connection is
// free to be read by somebody else.
func (b *body) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn++
}

// repeatable reports whether the body can be sent again.
func (b *body) repeatable() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.lost && b.err == nil
}

// trouble returns why the caller's body did not come to its end; nil = it may have.
func (b *body) trouble() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// close removes the file. Nobody may use the body afterwards.
func (b *body) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn++
	if b.spool != nil {
		_ = b.spool.Close()
		_ = os.Remove(b.spool.Name()) // where it could not be removed while open
		b.spool = nil
	}
}

// keep adds bytes read of src to the file. Should that fail, the body goes on its
// way all the same, once.
func (b *body) keep(p []byte) {
	if b.lost {
		return
	}
	var err error
	if b.spool == nil {
		if b.spool, err = os.CreateTemp("", "hongyan-body-*"); err == nil {
			_ = os.Remove(b.spool.Name()) // gone with the process, whatever happens to it
		}
	}
	if err == nil {
		_, err = b.spool.WriteAt(p, b.read)
	}
	b.lost = err != nil
}

// bodyReader reads a body once.
type bodyReader struct {
	b    *body
	turn int
	off  int64
}

// Read implements io.Reader.
func (r *bodyReader) Read(p []byte) (n int, err error) {
	b := r.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.turn != b.turn {
		return 0, io.ErrClosedPipe
	}
	b.t.touch()
	if held := int64(len(b.head)); r.off < held {
		n = copy(p, b.head[r.off:])
		r.off += int64(n)
		return n, nil
	} else if again := r.off - held; again < b.read {
		n, err = b.spool.ReadAt(p[:min(int64(len(p)), b.read-again)], again)
		r.off += int64(n)
		return n, err
	}
	n, err = b.next(p)
	r.off += int64(n)
	return n, err
}

// next reads what nobody has read before.
func (b *body) next(p []byte) (int, error) {
	switch {
	case b.err != nil:
		return 0, b.err
	case b.src == nil:
		return 0, io.EOF
	}
	n, err := b.src.Read(p)
	b.keep(p[:n])
	b.read += int64(n)
	switch total := int64(len(b.head)) + b.read; {
	case total > b.limit:
		b.err = tooLong(b.limit)
		return n, b.err
	case err == io.EOF:
		b.src = nil
	case err != nil:
		b.err = errGone
		return n, b.err
	}
	return n, err
}

// Close implements io.Closer. The body stays, for it may be sent again.
func (r *bodyReader) Close() error { return nil }
