package sandbox_test

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

// startRun runs the sandbox until the function it returns is called.
func startRun(t *testing.T, box *sandbox.Sandbox) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- box.Run(ctx) }()
	return func() { t.Helper(); cancel(); mustNil(t, <-ended) }
}

// Twice as many events as are pushed at a time: when Run ends, half are under way and
// half wait. The next Run delivers all of them.
func TestASecondRunDeliversWhatTheFirstLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := sandboxtest.NewInMemory(t) // for its network: it runs its own sandbox once
		g := newGateway(host)
		transport := host.Network().Transport()
		defer transport.CloseIdleConnections()
		box := sandbox.New(sandbox.Options{HTTPClient: &http.Client{Transport: transport}})
		g.answer = func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		mustNil(t, box.SetServerURL(sandbox.SeedServiceAppID, callbackURL, "", ""))

		stop := startRun(t, box)
		const events = 128
		for i := range events {
			mustNil(t, box.Follow(sandbox.OpenID("", i)))
		}
		synctest.Wait()
		stop()
		underWay := len(g.got())
		g.answer = func(int, http.ResponseWriter, *http.Request) {}
		stop = startRun(t, box)
		synctest.Wait()
		stop()
		heard := map[string]bool{}
		for _, p := range g.got()[underWay:] {
			heard[p.query["openid"][0]] = true
		}
		if underWay != events/2 || len(heard) != events {
			t.Errorf("%d under way when the first Run ended, %d users heard of in the second, want %d and %d", underWay, len(heard), events/2, events)
		}
		if st := box.Stats(); st.EventsLost != 0 || st.PushesFailed != 0 || st.Pushes != events {
			t.Errorf("stats %+v, want %d pushes, none failed, none lost", st, events)
		}
	})
}

func TestAnAccountWithoutAServerLosesItsRetries(t *testing.T) {
	bubble(t, "", "", func(t *testing.T, s *sandboxtest.Server, g *gateway) {
		g.answer = func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
		for i := range 4 {
			sendTo(t, s, sandbox.OpenID("", i), "")
		}
		mustNil(t, s.Sandbox.SetServerURL(sandbox.SeedServiceAppID, "", "", ""))
		time.Sleep(time.Minute - time.Second)
		if st := s.Sandbox.Stats(); st.Pushes != 4 || st.PushesFailed != 4 || st.EventsLost != 4 {
			t.Errorf("stats = %+v, want four pushes and four events lost", st)
		}
		mustNil(t, s.Sandbox.SetServerURL(sandbox.SeedServiceAppID, callbackURL, "", ""))
		sendTo(t, s, user, "")
		if got := len(g.got()); got != 5 {
			t.Errorf("%d pushes with a server again, want the fifth at once: MarkFail has nothing against it", got)
		}
	})
}

// The clock is moved while the first delivery hangs, between two, or before the
// delivery of the message: what falls into the time skipped fires without a pause.
func TestAMovedClockFiresEveryRetryThatIsDue(t *testing.T) {
	for _, tt := range []struct {
		name         string
		answer       time.Duration // after which the server says 502
		before, move time.Duration
		want         []time.Duration // since the send, by the real clock
	}{
		{"not at all", 0, time.Second, 0, []time.Duration{0, 5 * time.Second, 10 * time.Second}},
		{"beyond both retries", 0, time.Second, 2 * time.Hour, []time.Duration{0, time.Second, time.Second}},
		{"between the two", 0, time.Second, 7 * time.Second, []time.Duration{0, time.Second, 3 * time.Second}},
		{"not as far as the first", 0, time.Second, 2 * time.Second, []time.Duration{0, 3 * time.Second, 8 * time.Second}},
		{"while a delivery hangs", 4 * time.Second, time.Second, 2 * time.Hour, []time.Duration{0, 4 * time.Second, 8 * time.Second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, "", "", func(t *testing.T, s *sandboxtest.Server, g *gateway) {
				g.answer = func(_ int, w http.ResponseWriter, _ *http.Request) {
					time.Sleep(tt.answer)
					w.WriteHeader(http.StatusBadGateway)
				}
				sendTo(t, s, user, "")
				time.Sleep(tt.before)
				advance(t, s, tt.move)
				time.Sleep(time.Minute)
				var got []time.Duration
				for _, p := range g.got() {
					got = append(got, p.at)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("deliveries (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestAMovedClockFiresTheRetriesOfWhatItDelivers(t *testing.T) {
	bubble(t, "", "", func(t *testing.T, s *sandboxtest.Server, g *gateway) {
		setService(t, s, sandbox.AccountSpec{Switches: sandbox.Switches{DeliveryDelayMS: new(1000), PushDeliveries: new(4)}})
		g.answer = func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
		sendTo(t, s, user, "")
		advance(t, s, 8*time.Second) // the deliveries are due at 1, 6, 11 and 16 s
		time.Sleep(time.Minute)
		var got []time.Duration
		for _, p := range g.got() {
			got = append(got, p.at)
		}
		if diff := cmp.Diff([]time.Duration{0, 0, 3 * time.Second, 8 * time.Second}, got); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
	})
}

func TestASuccessClearsTheCountOfMarkFail(t *testing.T) {
	bubble(t, "", "", func(t *testing.T, s *sandboxtest.Server, g *gateway) {
		setService(t, s, sandbox.AccountSpec{Switches: sandbox.Switches{PushDeliveries: new(1), MarkFailAfter: new(2)}})
		up := false
		g.answer = func(_ int, w http.ResponseWriter, _ *http.Request) {
			if !up {
				w.WriteHeader(http.StatusBadGateway)
			}
		}
		statuses := ""
		for _, works := range []bool{false, true, false, true, false, false, true} {
			up = works
			row := sendTo(t, s, user, "")
			for _, p := range row.Pushes {
				statuses += strconv.Itoa(p.HTTPStatus) + " "
			}
		}
		// One failure at a time is forgiven; two in a row block the seventh.
		if want := "502 200 502 200 502 502 "; statuses != want {
			t.Errorf("statuses = %s, want %s", statuses, want)
		}
	})
}
