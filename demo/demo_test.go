package demo

import (
	"context"
	"net"
	"slices"
	"testing"

	"hongyan/client"
)

// TestTakenPortsGiveWayToTheNext starts a world on a port that is taken.
func TestTakenPortsGiveWayToTheNext(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	first := taken.Addr().(*net.TCPAddr).Port
	l, err := listenFrom(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := l.Addr().(*net.TCPAddr).Port; got <= first || got >= first+portsToTry {
		t.Errorf("got port %d, want one after %d", got, first)
	}
}

func TestEvidence(t *testing.T) {
	busy := -1
	tests := []struct {
		name     string
		attempt  client.Attempt
		evidence string
		want     bool
	}{
		{"the errcode asked for", client.Attempt{Outcome: "answered", Errcode: &busy}, "-1", true},
		{"another errcode", client.Attempt{Outcome: "answered", Errcode: &busy}, "40001", false},
		{"a lost answer", client.Attempt{Outcome: "no_answer"}, "no_answer", true},
		{"no errcode at all", client.Attempt{Outcome: "no_answer"}, "0", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := shows(tt.attempt, tt.evidence); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func newTestWorld(t *testing.T) *World {
	t.Helper()
	w, err := Start(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// TestAPlayThatGoesWrongIsSeen changes what one scene expects, and what the
// user of another must have seen: both must come out as wrong.
func TestAPlayThatGoesWrongIsSeen(t *testing.T) {
	w := newTestWorld(t)
	p := &play{world: w}
	scenes := []scene{
		{name: "sent twice to one user", want: delivered(), seen: 2, message: always(order(follower(1)))},
		{name: "not as wanted", want: undelivered("user_block"), seen: anySeen, message: always(order(follower(2)))},
		{name: "without its evidence", want: delivered(), evidence: "-1", seen: anySeen, message: always(order(follower(3)))},
		{name: "right", want: delivered(), evidence: "0", seen: 1, message: always(order(follower(4)))},
	}
	for i := range scenes {
		if err := p.send(t.Context(), &scenes[i]); err != nil {
			t.Fatal(err)
		}
	}
	for slices.ContainsFunc(p.messages, func(m Message) bool { return m.Got.State != "delivered" }) {
		if err := p.lookAgain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.examine(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{false, false, false, true} {
		if got := p.messages[i].OK; got != want {
			t.Errorf("%s: got ok %v, want %v (%s)", p.messages[i].Name, got, want, p.messages[i].Note)
		}
	}
}

// TestAMessageWithoutAnEventIsSeenAMomentLater examines a mini program's
// message the moment WeChat takes it: what the user sees must be waited for.
func TestAMessageWithoutAnEventIsSeenAMomentLater(t *testing.T) {
	w := newTestWorld(t)
	p := &play{world: w}
	user := follower(1)
	err := p.send(t.Context(), &scene{
		name: "accepted, then shown", want: Fate{State: "accepted"}, seen: 1, settle: true,
		message: func(ctx context.Context) (client.MessageRequest, error) {
			form, err := w.submitForm(ctx, user)
			return appointment(user, form), err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if waiting, err := w.box.underWay(t.Context(), user); err != nil || !waiting {
		t.Fatalf("under way: got %v, %v, want true: the platform delivers after %v", waiting, err, deliveryDelay)
	}
	if err := p.examine(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := p.messages[0]; !got.OK {
		t.Errorf("got %s (%s), want it right", got.Got, got.Note)
	}
}

// TestAFollowOnThePhoneBringsACard: the demo's rule greets who follows (S57), each time.
func TestAFollowOnThePhoneBringsACard(t *testing.T) {
	w := newTestWorld(t)
	ctx, user := t.Context(), Follower()
	for n := 1; n <= 2; n++ {
		for _, follows := range []bool{false, true} {
			if err := w.box.post(ctx, "/users/"+user, map[string]any{"appid": shop, "follows": follows}, nil); err != nil {
				t.Fatal(err)
			}
		}
		for ctx, cancel := context.WithTimeout(ctx, settleWithin); ; {
			seen, err := w.box.seen(ctx, user)
			if err == nil && seen == n {
				cancel()
				break
			}
			if err == nil {
				err = pause(ctx)
			}
			if err != nil {
				t.Fatalf("the user saw %d cards, not %d: %v", seen, n, err)
			}
		}
		// The platform tells two follows of a user apart by their second (spec §5.1).
		if err := w.box.post(ctx, "/clock", map[string]string{"advance": "2s"}, nil); err != nil {
			t.Fatal(err)
		}
	}
}
