package storetest

import (
	"context"
	"time"

	"hongyan"
	"hongyan/store"
)

var clusterCases = []testCase{
	{name: "a bucket begins empty and holds a burst at most", bubble: true, run: clusterBucket},
	{name: "no span of time gives more than rate and burst", bubble: true, run: clusterRate},
	{name: "a bucket says when the next send can be had", bubble: true, run: clusterNext},
	{name: "reserved and used calls stay within the limit", bubble: true, run: clusterReserve},
	{name: "a counter of a new period is free again", bubble: true, run: clusterNewPeriod},
	{name: "two nodes share a limit", bubble: true, run: clusterTwoNodes},
	{name: "what a dead node held comes back with its messages", bubble: true, run: clusterDeadNode},
	{name: "one node leads a role", bubble: true, run: clusterLead},
	{name: "watching ends with its context", run: clusterWatch},
}

// takeRate takes from account A's bucket, of 10 a second and a burst of 5.
func (f *fixture) takeRate(want int) int {
	f.Helper()
	got, _, err := f.s.TakeRate(f.ctx, appA, 10, 5, want)
	f.must(err)
	return got
}

func clusterBucket(f *fixture) {
	same(f, "at first", f.takeRate(5), 0)
	time.Sleep(300 * time.Millisecond)
	same(f, "after 300 ms", f.takeRate(5), 3)
	time.Sleep(time.Hour)
	same(f, "after an hour", f.takeRate(100), 5)
	same(f, "at once again", f.takeRate(1), 0)
	got, _, err := f.s.TakeRate(f.ctx, appB, 10, 5, 1)
	f.must(err)
	same(f, "of another account, at first", got, 0)
	got, _, err = f.s.TakeRate(f.ctx, appB, 0, 0, 7)
	f.must(err)
	same(f, "without a rate", got, 7)
}

func clusterRate(f *fixture) {
	const rate, burst = 7.5, 4
	begun, total := time.Now(), 0
	for i := range 400 {
		time.Sleep(time.Duration(i*37%211) * time.Millisecond)
		got, _, err := f.s.TakeRate(f.ctx, appA, rate, burst, 1+i%3)
		f.must(err)
		if total += got; float64(total) > rate*time.Since(begun).Seconds()+burst {
			f.Fatalf("%d sends in %v at %v a second", total, time.Since(begun), rate)
		}
	}
	time.Sleep(time.Second)
	drained := total
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		got, _, err := f.s.TakeRate(f.ctx, appA, rate, burst, burst)
		f.must(err)
		drained += got
	}
	if got := drained - total; got < 20*7.5-1 {
		f.Fatalf("%d sends in 20 s at %v a second: some are lost", got, rate)
	}
}

func clusterNext(f *fixture) {
	for range 20 {
		_, next, err := f.s.TakeRate(f.ctx, appA, 3, 5, 100)
		f.must(err)
		wait := next.Sub(f.s.Now())
		if wait <= 0 || wait > 400*time.Millisecond {
			f.Fatalf("come back in %v, want within the third of a second that one takes", wait)
		}
		time.Sleep(wait)
		got, _, err := f.s.TakeRate(f.ctx, appA, 3, 5, 1)
		f.must(err)
		same(f, "at the time named", got, 1)
	}
}

// reserve is ReserveUsage of account A's day for a node.
func (f *fixture) reserve(epoch, n, limit int64) int64 {
	f.Helper()
	held, err := f.s.ReserveUsage(f.ctx, epoch, f.today(n), limit)
	f.must(err)
	return held
}

func (f *fixture) today(n int64) store.UsageDelta {
	return store.UsageDelta{AppID: appA, Scope: "account", Period: "day", PeriodFrom: hongyan.PeriodStart("day", f.s.Now()), N: n}
}

func clusterReserve(f *fixture) {
	same(f, "as many as wanted", f.reserve(f.epoch, 6, 10), 6)
	same(f, "as many as there are", f.reserve(f.epoch, 20, 10), 10)
	for range 4 {
		f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(f.lease(), 0))
	}
	same(f, "what four calls left", f.reserve(f.epoch, 10, 10), 6)
	same(f, "given back", f.reserve(f.epoch, 2, 10), 2)
	same(f, "and taken again", f.reserve(f.epoch, 10, 10), 6)
	same(f, "under a higher limit", f.reserve(f.epoch, 50, 30), 26)
	same(f, "all given back", f.reserve(f.epoch, 0, 30), 0)
	same(f, "under a limit below what is used", f.reserve(f.epoch, 5, 3), 0)
	f.must(f.s.AddUsage(f.ctx, []store.UsageDelta{f.today(3)}))
	same(f, "beside calls that were nobody's messages", f.reserve(f.epoch, 10, 10), 3)
	same(f, "used", f.usedToday(appA), 7)
	_, err := f.s.ReserveUsage(f.ctx, f.epoch+1000, f.today(1), 10)
	f.wantKind(err, hongyan.Conflict)
}

func clusterNewPeriod(f *fixture) {
	same(f, "today", f.reserve(f.epoch, 10, 10), 10)
	for range 3 {
		f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(f.lease(), 0))
	}
	f.mustRenewFor(24 * time.Hour)
	same(f, "tomorrow", f.reserve(f.epoch, 10, 10), 10)
}

// mustRenewFor lets time pass with the node alive.
func (f *fixture) mustRenewFor(d time.Duration) {
	f.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(30 * time.Second) {
		f.must(f.s.Renew(f.ctx, f.epoch, time.Minute))
	}
	f.must(f.s.Renew(f.ctx, f.epoch, time.Minute))
}

func clusterTwoNodes(f *fixture) {
	same(f, "the first", f.reserve(f.epoch, 6, 10), 6)
	second := f.join("node-2")
	if _, err := f.s.ReserveUsage(f.ctx, f.epoch, f.today(6), 10); hongyan.IsKind(err, hongyan.Conflict) {
		same(f, "the only one of a store for one process", f.reserve(second, 20, 10), 10)
		return
	}
	same(f, "the second", f.reserve(second, 6, 10), 4)
	same(f, "the first for more", f.reserve(f.epoch, 20, 10), 6)
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(f.lease(), 0))
	same(f, "the second after a call of the first", f.reserve(second, 20, 10), 4)
	same(f, "the first gives back", f.reserve(f.epoch, 0, 10), 0)
	same(f, "the second", f.reserve(second, 20, 10), 9)
	same(f, "under a lower limit", f.reserve(second, 20, 5), 9)
}

func clusterDeadNode(f *fixture) {
	same(f, "held", f.reserve(f.epoch, 8, 10), 8)
	m := f.lease()
	f.die()
	taken, err := f.s.TakeOver(f.ctx, f.epoch, 10)
	f.must(err)
	same(f, "taken over", ids(taken), []string{m.ID})
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(taken[0], 0))
	_, err = f.s.TakeOver(f.ctx, f.epoch, 10)
	f.must(err)
	same(f, "what is left for a living node", f.reserve(f.epoch, 20, 10), 9)
	same(f, "and back", f.reserve(f.epoch, 0, 10), 0)
	// One that dies without messages leaves nothing behind either.
	same(f, "held", f.reserve(f.epoch, 8, 10), 8)
	f.die()
	_, err = f.s.TakeOver(f.ctx, f.epoch, 10)
	f.must(err)
	same(f, "what is left", f.reserve(f.epoch, 20, 10), 9)
}

func clusterLead(f *fixture) {
	lead := func(role string, epoch int64) bool {
		ok, err := f.s.Lead(f.ctx, role, epoch, time.Minute)
		f.must(err)
		return ok
	}
	same(f, "the first who asks", lead("sweep", f.epoch), true)
	second := f.join("node-2")
	if lead("sweep", second) { // a store for one process: the first is fenced
		same(f, "again", lead("sweep", second), true)
		return
	}
	same(f, "another role", lead("retention", second), true)
	time.Sleep(50 * time.Second)
	same(f, "prolonged", lead("sweep", f.epoch), true)
	time.Sleep(50 * time.Second)
	same(f, "the other before its end", lead("sweep", second), false)
	time.Sleep(11 * time.Second)
	same(f, "the other after its end", lead("sweep", second), true)
	same(f, "the first then", lead("sweep", f.epoch), false)
}

func clusterWatch(f *fixture) {
	ctx, cancel := context.WithCancel(f.ctx)
	ended := make(chan error, 1)
	go func() { ended <- f.s.Watch(ctx, func(store.Notice) {}) }()
	cancel()
	f.must(<-ended)
}
