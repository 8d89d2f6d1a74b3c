package compat

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// timed serves the gate with limits like those of the gateway's own server, which
// are made for messages.
func (r *rig) timed() string {
	r.t.Helper()
	l, err := r.box.Network().Listen("timed.test")
	r.must(err)
	var conns sync.WaitGroup
	srv := &http.Server{
		Handler: r.gate, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute,
		ConnState: func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				conns.Add(1)
			case http.StateClosed, http.StateHijacked:
				conns.Done()
			}
		},
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	r.t.Cleanup(func() {
		_ = srv.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			r.t.Error(err)
		}
		conns.Wait()
	})
	return "http://timed.test"
}

// slowly gives a part of what it has every 20 seconds.
type slowly struct{ parts [][]byte }

func (s *slowly) Read(p []byte) (int, error) {
	if len(s.parts) == 0 {
		return 0, io.EOF
	}
	time.Sleep(20 * time.Second)
	n := copy(p, s.parts[0])
	if s.parts[0] = s.parts[0][n:]; len(s.parts[0]) == 0 {
		s.parts = s.parts[1:]
	}
	return n, nil
}

// TestMediaTakeLongerThanMessages: neither a long upload, nor a long wait, nor a long
// download is cut off by limits of the server around the gate; and the connection
// serves on.
func TestMediaTakeLongerThanMessages(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		base := r.timed()
		tok := r.serviceToken()
		var got []byte
		r.put(func(w http.ResponseWriter, req *http.Request) {
			if !strings.HasPrefix(req.URL.Path, "/cgi-bin/media/") {
				r.box.Sandbox.Handler().ServeHTTP(w, req)
				return
			}
			got, _ = io.ReadAll(req.Body)
			time.Sleep(55 * time.Second)
			for range 4 {
				_, _ = w.Write(randomBytes(1000))
				_ = http.NewResponseController(w).Flush()
				time.Sleep(55 * time.Second)
			}
		})
		want := randomBytes(6 << 10)
		parts := &slowly{[][]byte{want[:1<<10], want[1<<10 : 2<<10], want[2<<10 : 4<<10], want[4<<10:]}}
		req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, base+"/cgi-bin/media/upload?access_token="+tok, parts)
		r.must(err)
		req.ContentLength = int64(len(want))
		resp, err := r.client.Do(req)
		r.must(err)
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || len(body) != 4000 || !bytes.Equal(got, want) {
			t.Errorf("%d bytes came (%v) and %d arrived, want 4000 and %d", len(body), err, len(got), len(want))
		}
		time.Sleep(time.Minute)
		again, err := r.client.Post(base+sendPathOf+tok, "application/json", strings.NewReader(order(ordinary, "")))
		r.must(err)
		text, _ := io.ReadAll(again.Body)
		_ = again.Body.Close()
		if !strings.HasPrefix(string(text), `{"errcode":0`) {
			t.Errorf("the next call: %s", text)
		}
	})
}
