package dispatch

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hongyan"
)

// newStream returns a stream of an account with that many calls at once (0 = the default).
func newStream(maxInFlight int, holds ...hongyan.Hold) *stream {
	a := &account{AppID: "wx1", holds: holds, meter: newMeter(nil, nil), rate: newRate(0, at)}
	a.stored.Store(&settings{Account: hongyan.Account{AppID: "wx1", MaxInFlight: maxInFlight}})
	s := &stream{key: streamKey{"wx1", hongyan.KindTemplate}, account: a, limit: float64(a.ceiling()), healthy: true}
	a.streams = []*stream{s}
	return s
}

func TestTheGateClosesAfterThreeUnansweredCallsAndLonger(t *testing.T) {
	s := newStream(0)
	now := at
	for range gateAfter - 1 {
		if s.unanswered(now) || !s.open(now) {
			t.Fatal("closed before the third")
		}
	}
	var got []time.Duration
	for range 8 {
		if !s.unanswered(now) {
			t.Fatalf("failure %d did not close the gate", s.failures)
		}
		if s.open(s.gateUntil) {
			t.Error("open without a probe")
		}
		if s.limit != 1 || s.gateReason != hongyan.HoldUnreachable {
			t.Errorf("limit %v, reason %s", s.limit, s.gateReason)
		}
		got = append(got, s.gateUntil.Sub(now))
		if s.unanswered(now) { // a call of before, ending now
			t.Error("closed a closed gate again")
		}
		s.failures--
		now = s.gateUntil
	}
	sec := time.Second
	want := []time.Duration{sec, 2 * sec, 5 * sec, 10 * sec, 20 * sec, 30 * sec, 30 * sec, 30 * sec}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the gate stayed closed for (-want +got):\n%s", diff)
	}
	s.needProbe = false // a probe was answered
	if s.open(now.Add(-time.Millisecond)) || !s.open(now) {
		t.Error("want it open at the gate's time, and not before")
	}
}

// TestAGateWaitHasNoBadIndex: an answer of an earlier call, or a resume, sets
// the count of failures back while a probe is under way.
func TestAGateWaitHasNoBadIndex(t *testing.T) {
	for failures, want := range map[int]time.Duration{0: time.Second, 1: time.Second, 3: time.Second, 4: 2 * time.Second, 1000: 30 * time.Second} {
		if got := gateWait(failures); got != want {
			t.Errorf("after %d failures: got %v, want %v", failures, got, want)
		}
	}
}

func TestTheLimitIsHalvedAtMostOnceASecond(t *testing.T) {
	s := newStream(40)
	for range 30 {
		s.troubled(at)
	}
	if s.limit != 20 {
		t.Errorf("after a burst of trouble: limit %v, want 20", s.limit)
	}
	now := at
	for range 10 {
		now = now.Add(halveEvery)
		s.troubled(now)
	}
	if s.limit != 1 {
		t.Errorf("after lasting trouble: limit %v, want 1", s.limit)
	}
}

func TestTheLimitGrowsByARoundAtATimeUpToTheCeiling(t *testing.T) {
	s := newStream(20)
	s.limit = 1
	for s.limit < 20 {
		before := s.limit
		for range int(before) { // one round of calls
			s.succeeded()
		}
		if grown := s.limit - before; grown <= 0 || grown > 1+0.1*math.Ceil(before)+1e-9 {
			t.Fatalf("a round at %v grew it by %v", before, grown)
		}
	}
	s.succeeded()
	if s.limit != 20 {
		t.Errorf("limit %v, want the ceiling of 20", s.limit)
	}
}

func TestNothingIsLeasedAheadUnlessWeChatAnswers(t *testing.T) {
	s := newStream(30)
	if got := s.ahead(); got != 120 {
		t.Errorf("healthy: %d ahead, want 120", got)
	}
	s.unanswered(at)
	if got := s.ahead(); got != 0 {
		t.Errorf("after an unanswered call: %d ahead, want 0", got)
	}
	if got := s.room(); got != 15 {
		t.Errorf("room: got %d, want the halved limit of 15", got)
	}
	s.succeeded()
	if s.ahead() == 0 {
		t.Error("after an answer: none ahead")
	}
	s = newStream(30)
	s.account.stored.Store(&settings{Account: hongyan.Account{RatePerSecond: 1000}})
	if got := s.ahead(); got != 0 {
		t.Errorf("with a rate: %d ahead, want 0", got)
	}
	s = newStream(10_000)
	if got := s.ahead(); got != aheadMax {
		t.Errorf("with a very high ceiling: %d ahead, want %d", got, aheadMax)
	}
}

// TestRoomNeverPassesWhatMayBeLeased draws outcomes and leases.
func TestRoomNeverPassesWhatMayBeLeased(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, now := newStream(rapid.IntRange(1, 60).Draw(t, "ceiling")), at
		for range 50 {
			now = now.Add(time.Duration(rapid.IntRange(0, 1500).Draw(t, "ms")) * time.Millisecond)
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				s.succeeded()
			case 1:
				s.unanswered(now)
			case 2:
				s.reserved += s.room()
				if most := int(s.limit) + s.ahead(); s.leased() > most && s.room() != 0 {
					t.Fatalf("%d leased, limit %v", s.leased(), s.limit)
				}
			case 3:
				s.reserved = 0
			}
			if s.limit < 1 || s.limit > float64(s.account.ceiling()) || s.room() < 0 || !s.healthy && s.ahead() != 0 {
				t.Fatalf("limit %v, room %d, ahead %d", s.limit, s.room(), s.ahead())
			}
		}
	})
}

func TestHoldsCloseTheStreamsTheyCover(t *testing.T) {
	for _, c := range []struct {
		name  string
		hold  hongyan.Hold
		open  bool
		until time.Time
	}{
		{"a paused account", hongyan.Hold{Reason: hongyan.HoldPaused}, false, at.Add(farAway)},
		{"this kind, for a while", hongyan.Hold{Kind: hongyan.KindTemplate, Until: at.Add(time.Hour)}, false, at.Add(time.Hour)},
		{"another kind", hongyan.Hold{Kind: hongyan.KindMiniTemplate}, true, time.Time{}},
		{"a hold that is over", hongyan.Hold{Until: at}, true, time.Time{}},
		{"quiet hours, which hold single messages", hongyan.Hold{Before: at, Until: at.Add(time.Hour)}, true, time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStream(0, c.hold)
			s.backlog = true
			if got := s.open(at); got != c.open {
				t.Errorf("open: got %v, want %v", got, c.open)
			}
			if got := s.account.heldUntil(s.key.kind, at); !got.Equal(c.until) {
				t.Errorf("held until %v, want %v", got, c.until)
			}
			if !c.open && !s.wakeAt(at).Equal(c.until) {
				t.Errorf("wakes at %v, want the hold's end %v", s.wakeAt(at), c.until)
			}
		})
	}
}

func TestTheLongestOfSeveralHoldsCounts(t *testing.T) {
	s := newStream(0, hongyan.Hold{Until: at.Add(time.Hour)}, hongyan.Hold{Until: at.Add(2 * time.Hour)}, hongyan.Hold{Until: at.Add(time.Minute)})
	if got := s.account.heldUntil(hongyan.KindTemplate, at); !got.Equal(at.Add(2 * time.Hour)) {
		t.Errorf("held until %v, want two hours from now", got)
	}
}

// TestAStreamWithNothingToDoSleeps: what wakeAt names must be in the future, or
// something must be doable then; otherwise the claimer would spin.
func TestAStreamWithNothingToDoSleeps(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*stream)
		want   time.Time
	}{
		{"idle", func(*stream) {}, time.Time{}},
		{"something due later", func(s *stream) { s.scheduled(at.Add(time.Hour), at); s.scheduled(at.Add(time.Minute), at) }, at.Add(time.Minute)},
		{"something due", func(s *stream) { s.scheduled(at, at) }, at},
		{"its gate closed", func(s *stream) { s.backlog = true; s.closeGate(at.Add(time.Second), "token") }, at.Add(time.Second)},
		{"a shorter closing of a closed gate", func(s *stream) {
			s.backlog = true
			s.closeGate(at.Add(time.Minute), "token")
			s.closeGate(at.Add(time.Second), "quota")
		}, at.Add(time.Minute)},
		{"a probe due", func(s *stream) { s.backlog, s.needProbe = true, true }, at},
		{"a probe due, and nothing to send", func(s *stream) { s.needProbe = true }, time.Time{}},
		{"a probe under way", func(s *stream) { s.backlog, s.needProbe, s.probing = true, true, true }, time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStream(0)
			c.change(s)
			if got := s.wakeAt(at); !got.Equal(c.want) {
				t.Errorf("wakes at %v, want %v", got, c.want)
			}
		})
	}
}

// TestTheClaimerSleepsWhileAStreamHasItsShare: a backlog that may not be claimed
// for want of slots waits for a recorded result, not for the clock.
func TestTheClaimerSleepsWhileAStreamHasItsShare(t *testing.T) {
	s := newStream(0)
	s.backlog, s.inflight = true, 12
	e := New(Config{Store: &clocked{now: at}, Slots: 16})
	e.order, e.slots = []*stream{s}, 12
	if got := e.share(s); got != 0 {
		t.Fatalf("share: got %d, want none of the 4 free slots", got)
	}
	if got := e.nextWake(at); got != pollEvery {
		t.Errorf("sleeps %v, want %v", got, pollEvery)
	}
	s.inflight, e.slots = 2, 2
	if got := e.nextWake(at); got != time.Millisecond {
		t.Errorf("with a share of %d: sleeps %v, want to claim at once", e.share(s), got)
	}
}
