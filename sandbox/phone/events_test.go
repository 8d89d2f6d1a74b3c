package phone_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
	"hongyan/sandbox/phone"
)

// stream reads the names of the events until the stream ends.
type stream struct{ names chan string }

func (d *desk) listen(ctx context.Context) stream {
	d.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, pageHost+"/phone/events?user="+user, nil)
	d.must(err)
	resp, err := d.Client.Do(req)
	d.must(err)
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream; charset=utf-8" {
		d.t.Fatalf("Content-Type = %q", got)
	}
	s := stream{make(chan string, 1000)}
	go func() {
		defer close(s.names)
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() {
			if name, is := strings.CutPrefix(lines.Text(), "event: "); is {
				s.names <- name
			}
		}
	}()
	return s
}

// heard is what came since the last call, each once, in order of the alphabet.
func (s stream) heard() []string {
	synctest.Wait()
	out := []string{}
	for {
		select {
		case name, open := <-s.names:
			if open {
				out = append(out, name)
				continue
			}
		default:
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
}

func TestTheStreamSaysWhatToLookAtAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		ctx, leave := context.WithCancel(t.Context())
		s := d.listen(ctx)
		want := func(when string, names ...string) {
			t.Helper()
			time.Sleep(time.Second) // longer than the gap between two events
			if diff := cmp.Diff(append([]string{}, names...), s.heard()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
		}
		everything := []string{"actions", "clock", "faults", "people", "screen", "traffic"}
		want("at first", everything...)
		d.send(historical(nil))
		want("a message to this user", "actions", "people", "screen", "traffic")
		d.send(historical(fields{"touser": sandbox.OpenID("", 2)}))
		want("a message to another user", "people", "traffic")
		d.must(d.Sandbox.Freeze(user))
		want("a user frozen", "actions", "people", "screen")
		d.must(d.Sandbox.Advance(time.Hour))
		want("the clock moved", "actions", "clock", "screen")
		d.era("A")
		want("another era", "actions", "screen")
		id := d.Sandbox.AddFault(sandbox.Fault{Path: "*", ErrCode: -1})
		d.Sandbox.RemoveFault(id)
		want("a fault", "faults")
		want("nothing")
		leave()
	})
}

func TestAStreamStaysAliveInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		ctx, leave := context.WithCancel(t.Context())
		s := d.listen(ctx)
		time.Sleep(24 * time.Hour)
		s.heard()
		d.send(historical(nil))
		time.Sleep(time.Second)
		if got := s.heard(); !slices.Contains(got, "screen") {
			t.Errorf("after a silent day: %q", got)
		}
		leave()
	})
}

// TestAStoppingServerDoesNotWaitForStreams: a page that is open must not hold up
// the end of the sandbox.
func TestAStoppingServerDoesNotWaitForStreams(t *testing.T) {
	box := sandbox.New(sandbox.Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: phone.Handler(box)}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	resp, err := http.Get("http://" + l.Addr().String() + "/phone/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	<-served
}
