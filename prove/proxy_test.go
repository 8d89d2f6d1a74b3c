package prove

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// echo answers every byte with itself.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
		}
	}()
	return l.Addr().String()
}

func TestANetworkIsCutStandsStillAndIsMended(t *testing.T) {
	p, err := newProxy(t.Context(), echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	}()
	say := func(c net.Conn) error {
		if err := c.SetDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
			return err
		}
		if _, err := c.Write([]byte("x")); err != nil {
			return err
		}
		_, err := io.ReadFull(c, make([]byte, 1))
		return err
	}
	dial := func() net.Conn {
		c, err := net.Dial("tcp", p.l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	c := dial()
	if err := say(c); err != nil {
		t.Fatalf("whole: %v", err)
	}
	p.freeze()
	if err := say(c); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("standing still: got %v, want no answer", err)
	}
	p.mend()
	if _, err := io.ReadFull(c, make([]byte, 0)); err != nil {
		t.Errorf("mended: %v", err)
	}
	p.sever()
	if err := say(c); err == nil {
		t.Error("cut: an answer came")
	}
	if err := say(dial()); err == nil {
		t.Error("cut: a new connection was answered")
	}
	p.mend()
	if err := say(dial()); err != nil {
		t.Errorf("mended: %v", err)
	}
}
