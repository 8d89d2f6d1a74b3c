package sandbox

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestQueueKeepsOrderAndPointers(t *testing.T) {
	var q queue[int]
	r := rand.New(rand.NewPCG(1, 2))
	pushed, popped := 0, 0
	held := map[int]*int{}
	for range 20_000 {
		if r.IntN(3) > 0 {
			held[pushed] = q.push(pushed)
			pushed++
			continue
		}
		v, ok := q.pop()
		if ok != (popped < pushed) || ok && v != popped {
			t.Fatalf("pop = %d, %t, want %d, %t", v, ok, popped, popped < pushed)
		}
		if ok {
			popped++
		}
	}
	if got, want := q.len(), pushed-popped; got != want {
		t.Fatalf("len = %d, want %d", got, want)
	}
	for i := range q.len() {
		if got, want := *q.at(i), popped+i; got != want {
			t.Fatalf("at(%d) = %d, want %d", i, got, want)
		}
	}
	for v, at := range held {
		if *at != v {
			t.Fatalf("the pointer to %d shows %d", v, *at)
		}
	}
	for q.len() > 0 {
		q.pop()
	}
	if _, ok := q.pop(); ok {
		t.Error("an empty queue gave something")
	}
}

// firing notes the order timers fire in.
type firing struct {
	n    int
	list *[]int
}

func (f firing) fire(*platform, time.Time) { *f.list = append(*f.list, f.n) }

func TestTimersFireInOrderAndTiesAsSet(t *testing.T) {
	p := newPlatform(Options{}.withDefaults(), newDice(1), &feed{})
	var got []int
	begin := time.Unix(1000, 0)
	for n, second := range []int{3, 1, 2, 1, 9, 1, 1, 2, 1, 3, 1} {
		p.timers.add(begin.Add(time.Duration(second)*time.Second), firing{n, &got})
	}
	if p.fireDue(begin.Add(3*time.Second), 2) {
		t.Error("fireDue says that nothing is left after a batch of two")
	}
	if !p.fireDue(begin.Add(3*time.Second), 100) {
		t.Error("fireDue says that something due is left")
	}
	if want := []int{1, 3, 5, 6, 8, 10, 2, 7, 0, 9}; !slices.Equal(got, want) {
		t.Errorf("fired %v, want %v", got, want)
	}
	if at, ok := p.timers.next(); !ok || !at.Equal(begin.Add(9*time.Second)) {
		t.Errorf("next = %v, %t, want the one in nine seconds", at, ok)
	}
}

func TestDaysBeginAtMidnightInBeijing(t *testing.T) {
	before := time.Date(2026, 11, 20, 15, 59, 59, 0, time.UTC)
	if got, want := day(before.Add(time.Second)), day(before)+1; got != want {
		t.Errorf("day after 16:00 UTC = %d, want %d", got, want)
	}
	if got, want := day(before.Add(-15*time.Hour)), day(before); got != want {
		t.Errorf("day of the same date = %d, want %d", got, want)
	}
}
