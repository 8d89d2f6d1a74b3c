package sandboxtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// dialed returns both ends of a new connection.
func dialed(t *testing.T) (client, server net.Conn) {
	t.Helper()
	n := NewNetwork()
	l, err := n.Listen("a.test")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	client, err = n.DialContext(t.Context(), "tcp", "a.test:80")
	if err != nil {
		t.Fatal(err)
	}
	return client, <-accepted
}

func TestReadsAndWritesEndAtTheirDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := dialed(t)
		begin := time.Now()
		_ = client.SetReadDeadline(begin.Add(3 * time.Second))
		_, err := client.Read(make([]byte, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) != 3*time.Second {
			t.Errorf("read: %v after %v, want a deadline after 3s", err, time.Since(begin))
		}
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("read: %v is no net.Error with Timeout", err)
		}
		_ = client.SetReadDeadline(time.Time{})
		go func() { _, _ = server.Write([]byte("x")) }()
		if n, err := client.Read(make([]byte, 8)); n != 1 || err != nil {
			t.Errorf("read after the deadline was lifted: %d, %v, want 1, nil", n, err)
		}
		_ = client.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := client.Write(make([]byte, 2*streamBuffer)); n != streamBuffer || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("write to a full buffer: %d, %v, want %d and a deadline", n, err, streamBuffer)
		}
	})
}

func TestADeadlineWakesAReaderAlreadyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := dialed(t)
		done := make(chan error)
		go func() {
			_, err := client.Read(make([]byte, 1))
			done <- err
		}()
		synctest.Wait()
		_ = client.SetDeadline(time.Unix(1, 0)) // long ago, as net/http does
		if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v, want a deadline", err)
		}
	})
}

func TestClosingAndResetting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := dialed(t)
		_, _ = server.Write([]byte("last words"))
		_ = server.Close()
		got, err := io.ReadAll(client)
		if string(got) != "last words" || err != nil {
			t.Errorf("after a close: %q, %v, want what was written and the end", got, err)
		}
		if _, err := client.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write after a close: %v, want EPIPE", err)
		}
		if _, err := server.Read(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read of a closed end: %v, want net.ErrClosed", err)
		}

		client, server = dialed(t)
		_, _ = server.Write([]byte("lost"))
		_ = server.(interface{ SetLinger(int) error }).SetLinger(0)
		_ = server.Close()
		if _, err := client.Read(make([]byte, 8)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read after a reset: %v, want ECONNRESET", err)
		}
	})
}

func TestDialingNobody(t *testing.T) {
	n := NewNetwork()
	if _, err := n.DialContext(t.Context(), "tcp", "a.test:80"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial: %v, want ECONNREFUSED", err)
	}
	l, err := n.Listen("a.test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Listen("a.test"); err == nil {
		t.Error("a host was given twice")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.DialContext(ctx, "tcp", "a.test:80"); !errors.Is(err, context.Canceled) {
		t.Errorf("dial nobody accepts: %v, want context.Canceled", err)
	}
	_ = l.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v, want net.ErrClosed", err)
	}
	if _, err := n.Listen("a.test"); err != nil {
		t.Errorf("listen after close: %v", err)
	}
}

func TestLargeBodiesPassBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewInMemory(t)
		s.RegisterHost("echo.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
		want := bytes.Repeat([]byte("鸿雁"), streamBuffer)
		resp, err := s.Client.Post("http://echo.test/", "text/plain", bytes.NewReader(want))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if !bytes.Equal(want, got) || err != nil {
			t.Errorf("%d bytes came back (%v), want %d", len(got), err, len(want))
		}
	})
}

func TestBothKindsOfServerAnswer(t *testing.T) {
	for name, start := range map[string]func() *Server{
		"real port": func() *Server { return New(t) },
		"in memory": func() *Server { return NewInMemory(t) },
	} {
		s := start()
		resp, err := s.Client.Get(s.URL + "/sandbox/v1/clock")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if !strings.Contains(string(body), `"offset_ms":0`) {
			t.Errorf("%s: clock = %s", name, body)
		}
	}
}
