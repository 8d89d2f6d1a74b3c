package access

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// guess gives n wrong secrets from an address.
func (d *testDesk) guess(remote string, n int) {
	for range n {
		d.Refuse(d.t.Context(), Refusal{Remote: remote, Action: LoginRefused, Detail: "wrong"})
	}
}

func TestBlocksDoubleUpTo15Minutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDesk(t)
		const who = "127.0.0.1" // this machine is no exception
		d.guess(who, guessLimit-1)
		if wait := d.Blocked(who); wait != 0 {
			t.Fatalf("blocked for %v before the limit", wait)
		}
		for _, minutes := range []int{1, 2, 4, 8, 15, 15} {
			d.guess(who, guessLimit)
			want := time.Duration(minutes) * time.Minute
			if wait := d.Blocked(who); wait != want {
				t.Fatalf("blocked for %v, want %v", wait, want)
			}
			time.Sleep(want - time.Second)
			d.guess(who, 3*guessLimit) // during a block: nothing more comes of it
			if wait := d.Blocked(who); wait != time.Second {
				t.Fatalf("%v left, want a second", wait)
			}
			time.Sleep(time.Second)
			if wait := d.Blocked(who); wait != 0 {
				t.Fatalf("%v left, want none", wait)
			}
		}
		time.Sleep(calmAfter)
		d.guess(who, guessLimit)
		if wait := d.Blocked(who); wait != firstBlock {
			t.Errorf("after a quiet hour blocked for %v, want %v", wait, firstBlock)
		}
	})
}

func TestSlowGuessesAreNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDesk(t)
		for range 5 {
			d.guess("203.0.113.9", guessLimit-1)
			time.Sleep(guessWindow)
		}
		if wait := d.Blocked("203.0.113.9"); wait != 0 {
			t.Errorf("blocked for %v", wait)
		}
	})
}

func TestWhatCountsAsOneAddress(t *testing.T) {
	for name, tt := range map[string]struct {
		guesser, other string
		same           bool
	}{
		"neighbours in IPv4":             {"203.0.113.9", "203.0.113.10", false},
		"one IPv6 network":               {"2001:db8:0:1::1", "2001:db8:0:1:ffff::9", true},
		"the next IPv6 network":          {"2001:db8:0:1::1", "2001:db8:0:2::1", false},
		"IPv4 inside IPv6":               {"203.0.113.9", "::ffff:203.0.113.9", true},
		"two IPv4 addresses inside IPv6": {"::ffff:203.0.113.9", "::ffff:203.0.113.10", false},
		"a link's zone":                  {"fe80::1%eth0", "fe80::1%eth1", true},
		"no addresses":                   {"pipe", "tube", false},
	} {
		d := newTestDesk(t)
		d.guess(tt.guesser, guessLimit)
		if d.Blocked(tt.guesser) == 0 {
			t.Errorf("%s: the guesser is not blocked", name)
		}
		if got := d.Blocked(tt.other) > 0; got != tt.same {
			t.Errorf("%s: blocked %v, want %v", name, got, tt.same)
		}
	}
}

func TestMemoryIsBoundedHoweverManyGuess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDesk(t)
		const who = "203.0.113.9"
		d.guess(who, guessLimit)
		for i := range 3 * maxGuessers {
			d.guess(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), 1)
		}
		if n := len(d.guesses.by); n > maxGuessers {
			t.Errorf("%d addresses remembered, want at most %d", n, maxGuessers)
		}
		if d.Blocked(who) == 0 {
			t.Error("the many made the desk forget the one that is blocked")
		}
		if n := len(d.gathered.same); n > maxGathered+1 {
			t.Errorf("%d entries gathered, want at most %d", n, maxGathered+1)
		}
		entries := d.auditLog()
		count := 0
		for _, e := range entries {
			count += e.Count
		}
		if want := guessLimit + 3*maxGuessers; count != want || entries[0].Detail != beyond && entries[len(entries)-1].Detail != beyond {
			t.Errorf("the log counts %d refusals, want %d, and one entry for those beyond", count, want)
		}
		time.Sleep(calmAfter + firstBlock)
		d.guesses.forgetOld(time.Now())
		if n := len(d.guesses.by); n != 0 {
			t.Errorf("%d addresses remembered after an hour, want none", n)
		}
	})
}
