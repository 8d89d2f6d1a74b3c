package storetest

import (
	"time"

	"hongyan"
	"hongyan/store"
)

var nodeCases = []testCase{
	{name: "get larger epochs each time", bubble: true, run: nodesEpochs},
	{name: "that died are taken over, and their late words do not count", bubble: true, run: nodesTakeOver},
	{name: "are taken over in portions", bubble: true, run: nodesTakeOverPortions},
	{name: "that left can be taken over at once", bubble: true, run: nodesLeave},
	{name: "that are not alive cannot claim, renew or take over", bubble: true, run: nodesFenced},
	{name: "that live keep what they hold", bubble: true, run: nodesAlive},
}

// die lets the fixture's node die and another join; it returns the epoch of the dead one.
func (f *fixture) die() int64 {
	f.Helper()
	dead := f.epoch
	time.Sleep(2 * time.Minute)
	f.epoch = f.join("node-2")
	return dead
}

func nodesEpochs(f *fixture) {
	first := f.epoch
	f.must(f.s.Leave(f.ctx, first))
	second := f.join("node-1")
	third := f.join("node-1")
	if first <= 0 || second <= first || third <= second {
		f.Fatalf("epochs %d, %d, %d do not grow", first, second, third)
	}
}

func nodesTakeOver(f *fixture) {
	tried := f.lease()
	again := f.lease()
	f.finish(store.Settled{Applied: true, State: hongyan.Queued}, f.retry(again, 0))
	time.Sleep(time.Second)
	again = f.claim(1)[0]
	dead := f.die()
	taken, err := f.s.TakeOver(f.ctx, f.epoch, 10)
	f.must(err)
	same(f, "taken over", ids(taken), []string{tried.ID, again.ID})
	for i, before := range []hongyan.Message{tried, again} {
		want := before
		want.Epoch = f.epoch
		same(f, "message", taken[i], want)
		same(f, "as read", f.get(before.ID), want)
	}
	// The dead node was only slow: its result, return and renewal come late.
	f.finish(store.Settled{State: hongyan.Sending}, f.accepted(tried, 1))
	f.must(f.s.Return(f.ctx, []store.Fence{fenceOf(again)}))
	f.wantState(again.ID, hongyan.Sending, "errcode")
	f.wantKind(f.s.Renew(f.ctx, dead, time.Minute), hongyan.Conflict)
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(taken[0], 2))
	same(f, "msgid", f.get(tried.ID).MsgID, int64(2))
}

func nodesTakeOverPortions(f *fixture) {
	for range 5 {
		f.lease()
		f.lease(func(m *hongyan.Message) { m.AppID = appB })
	}
	f.die()
	sizes := []int{}
	for {
		ms, err := f.s.TakeOver(f.ctx, f.epoch, 4)
		f.must(err)
		if len(ms) == 0 {
			break
		}
		sizes = append(sizes, len(ms))
	}
	same(f, "portions", sizes, []int{4, 4, 2})
}

func nodesLeave(f *fixture) {
	m := f.lease()
	f.must(f.s.Leave(f.ctx, f.epoch))
	f.finish(store.Settled{State: hongyan.Sending}, f.accepted(m, 1))
	f.epoch = f.join("node-2")
	taken, err := f.s.TakeOver(f.ctx, f.epoch, 10)
	f.must(err)
	same(f, "taken over", ids(taken), []string{m.ID})
}

func nodesFenced(f *fixture) {
	m := f.insert()
	never := f.epoch + 1000
	_, err := f.s.Claim(f.ctx, never, []store.Want{{AppID: appA, Kind: hongyan.KindTemplate, Max: 1}})
	f.wantKind(err, hongyan.Conflict)
	_, err = f.s.ClaimOne(f.ctx, never, m.ID)
	f.wantKind(err, hongyan.Conflict)
	_, err = f.s.TakeOver(f.ctx, never, 1)
	f.wantKind(err, hongyan.Conflict)
	f.wantKind(f.s.Renew(f.ctx, never, time.Minute), hongyan.Conflict)
	f.wantState(m.ID, hongyan.Queued, "")
}

func nodesAlive(f *fixture) {
	m := f.lease()
	for range 10 {
		time.Sleep(30 * time.Second)
		f.must(f.s.Renew(f.ctx, f.epoch, time.Minute))
	}
	taken, err := f.s.TakeOver(f.ctx, f.epoch, 10)
	f.must(err)
	same(f, "taken over", len(taken), 0)
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(m, 1))
}
