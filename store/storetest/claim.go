package storetest

import (
	"context"
	"slices"
	"time"

	"hongyan"
	"hongyan/store"
)

var claimCases = []testCase{
	{name: "takes urgent before normal before bulk, then the earlier due", bubble: true, run: claimOrder},
	{name: "takes what is due, and what is held with a due time in the past", bubble: true, run: claimDue},
	{name: "leases: sending, one attempt more, the first attempt's time", bubble: true, run: claimLease},
	{name: "takes no more than wanted, of wanted streams only", run: claimWants},
	{name: "leaves what was due before a time, unless it is urgent", bubble: true, run: claimNotBefore},
	{name: "gives a message to one of many nodes' workers", run: claimRace},
	{name: "of one message does not wait for its due time", run: claimOne},
	{name: "of one message is refused when it is not waiting", run: claimOneRefused},
	{name: "is undone by a return", bubble: true, run: claimReturn},
	{name: "is not undone by a return with a stale fence", run: claimReturnStale},
	{name: "streams are listed with their earliest due time", bubble: true, run: claimStreams},
}

func claimOrder(f *fixture) {
	at := func(p hongyan.Priority, due time.Duration) func(*hongyan.Message) {
		return func(m *hongyan.Message) { m.Priority, m.DueAt = p, f.s.Now().Add(due) }
	}
	var want []string
	for _, change := range []func(*hongyan.Message){
		at(hongyan.Bulk, 0), at(hongyan.Normal, 2*time.Second), at(hongyan.Normal, time.Second), at(hongyan.Normal, time.Second), at(hongyan.Urgent, 3*time.Second),
	} {
		want = append(want, f.insert(change).ID)
	}
	time.Sleep(5 * time.Second)
	got := ids(f.claim(4))
	same(f, "order", got, []string{want[4], want[2], want[3], want[1]})
	same(f, "rest", ids(f.claim(4)), want[:1])
}

func claimDue(f *fixture) {
	now := f.s.Now()
	later := func(d time.Duration) func(*hongyan.Message) {
		return func(m *hongyan.Message) { m.DueAt = now.Add(d) }
	}
	held := func(due time.Time) func(*hongyan.Message) {
		return func(m *hongyan.Message) {
			m.State, m.Reason, m.DueAt = hongyan.Held, hongyan.HoldOpenIDPacing, due
			m.Hold = &hongyan.Hold{Reason: hongyan.HoldOpenIDPacing}
		}
	}
	due := f.insert()
	minute := f.insert(later(time.Minute))
	paced := f.insert(held(now.Add(time.Minute)))
	f.insert(held(time.Time{}))
	same(f, "at once", ids(f.claim(10)), []string{due.ID})
	time.Sleep(time.Minute - time.Millisecond)
	same(f, "a moment early", ids(f.claim(10)), []string{})
	time.Sleep(time.Millisecond)
	claimed := f.claim(10)
	same(f, "a minute later", ids(claimed), []string{minute.ID, paced.ID})
	same(f, "hold of a claimed message", claimed[1].Hold == nil && claimed[1].Reason == "", true)
	same(f, "as read", f.get(paced.ID), claimed[1])
}

func claimLease(f *fixture) {
	m := f.insert()
	time.Sleep(time.Second)
	first := f.s.Now()
	got := f.claim(1)[0]
	same(f, "as claimed and as read", got, f.get(m.ID))
	same(f, "state", got.State, hongyan.Sending)
	same(f, "fence", fenceOf(got), store.Fence{Seq: m.Seq, Epoch: f.epoch, Attempts: 1})
	same(f, "first attempt", got.FirstAt, first)
	f.finish(store.Settled{Applied: true, State: hongyan.Queued}, f.retry(got, time.Second))
	time.Sleep(time.Second)
	again := f.claim(1)[0]
	same(f, "attempts", again.Attempts, 2)
	same(f, "first attempt stays", again.FirstAt, first)
}

func claimWants(f *fixture) {
	for range 3 {
		f.insert()
		f.insert(func(m *hongyan.Message) { m.AppID = appB })
		f.insert(func(m *hongyan.Message) { m.Kind = hongyan.KindMiniTemplate })
	}
	ms, err := f.s.Claim(f.ctx, f.epoch, []store.Want{
		{AppID: appA, Kind: hongyan.KindTemplate, Max: 2},
		{AppID: appA, Kind: hongyan.KindMiniTemplate, Max: 0},
		{AppID: appB, Kind: hongyan.KindTemplate, Max: 9},
		{AppID: appA, Kind: hongyan.KindTemplate, Max: 2},
	})
	f.must(err)
	perApp := map[string]int{}
	for _, m := range ms {
		same(f, "kind", m.Kind, hongyan.KindTemplate)
		perApp[m.AppID]++
	}
	same(f, "claimed", perApp, map[string]int{appA: 3, appB: 3})
}

func claimNotBefore(f *fixture) {
	old := f.insert()
	urgent := f.insert(func(m *hongyan.Message) { m.Priority = hongyan.Urgent })
	time.Sleep(time.Hour)
	young := f.insert()
	ms, err := f.s.Claim(f.ctx, f.epoch, []store.Want{{AppID: appA, Kind: hongyan.KindTemplate, Max: 9, NotBefore: f.s.Now()}})
	f.must(err)
	same(f, "claimed", ids(ms), []string{urgent.ID, young.ID})
	same(f, "the rest", ids(f.claim(9)), []string{old.ID})
}

func claimRace(f *fixture) {
	const n = 200
	for range n {
		f.insert()
	}
	claimed := make([][]string, 16)
	countTrue(f, len(claimed), func(ctx context.Context, i int) (bool, error) {
		for {
			ms, err := f.s.Claim(ctx, f.epoch, []store.Want{{AppID: appA, Kind: hongyan.KindTemplate, Max: 7}})
			if err != nil || len(ms) == 0 {
				return false, err
			}
			claimed[i] = append(claimed[i], ids(ms)...)
		}
	})
	all := slices.Concat(claimed...)
	slices.Sort(all)
	same(f, "claimed", len(all), n)
	same(f, "claimed once", len(slices.Compact(all)), n)
}

func claimOne(f *fixture) {
	later := f.insert(func(m *hongyan.Message) { m.DueAt = f.s.Now().Add(time.Hour) })
	held := f.insert(func(m *hongyan.Message) { m.State, m.DueAt = hongyan.Held, time.Time{} })
	for _, id := range []string{later.ID, held.ID} {
		got, err := f.s.ClaimOne(f.ctx, f.epoch, id)
		f.must(err)
		same(f, "state", got.State, hongyan.Sending)
		same(f, "as read", f.get(id), got)
	}
	f.must(f.s.Return(f.ctx, []store.Fence{fenceOf(f.get(held.ID))}))
	same(f, "returned and due", ids(f.claim(10)), []string{held.ID})
}

func claimOneRefused(f *fixture) {
	m := f.lease()
	_, err := f.s.ClaimOne(f.ctx, f.epoch, m.ID)
	f.wantKind(err, hongyan.Conflict)
	_, err = f.s.ClaimOne(f.ctx, f.epoch, "msg_nope")
	f.wantKind(err, hongyan.NotFound)
}

func claimReturn(f *fixture) {
	m := f.insert()
	leased := f.claim(1)[0]
	f.must(f.s.Return(f.ctx, []store.Fence{fenceOf(leased)}))
	got := f.get(m.ID)
	same(f, "after return", got, m)
	f.finish(store.Settled{State: hongyan.Queued}, f.accepted(leased, 1))

	leased = f.claim(1)[0]
	first := leased.FirstAt
	f.finish(store.Settled{Applied: true, State: hongyan.Queued}, f.retry(leased, 0))
	time.Sleep(time.Second)
	f.must(f.s.Return(f.ctx, []store.Fence{fenceOf(f.claim(1)[0])}))
	got = f.get(m.ID)
	same(f, "attempts after the second return", got.Attempts, 1)
	same(f, "first attempt stays", got.FirstAt, first)
}

func claimReturnStale(f *fixture) {
	m := f.lease()
	stale := fenceOf(m)
	stale.Attempts++
	wrong := fenceOf(m)
	wrong.Epoch++
	f.must(f.s.Return(f.ctx, []store.Fence{stale, wrong, {}}))
	same(f, "still leased", f.get(m.ID), m)
}

func claimStreams(f *fixture) {
	none, err := f.s.Streams(f.ctx)
	f.must(err)
	same(f, "no streams", len(none), 0)
	now := f.s.Now()
	add := func(appID string, kind hongyan.MessageKind, p hongyan.Priority, due time.Duration) {
		f.insert(func(m *hongyan.Message) { m.AppID, m.Kind, m.Priority, m.DueAt = appID, kind, p, now.Add(due) })
	}
	for _, appID := range []string{"wxheld", "wxleased"} {
		f.must(f.s.CreateAccount(f.ctx, hongyan.Account{AppID: appID}))
	}
	add(appB, hongyan.KindTemplate, hongyan.Bulk, time.Second)
	add(appB, hongyan.KindTemplate, hongyan.Urgent, time.Hour)
	add(appA, hongyan.KindTemplate, hongyan.Normal, time.Minute)
	add(appA, hongyan.KindMiniTemplate, hongyan.Normal, 2*time.Minute)
	f.insert(func(m *hongyan.Message) { m.AppID, m.State, m.DueAt = "wxheld", hongyan.Held, time.Time{} })
	f.lease(func(m *hongyan.Message) { m.AppID = "wxleased" })
	got, err := f.s.Streams(f.ctx)
	f.must(err)
	slices.SortFunc(got, func(a, b store.Stream) int { return a.DueAt.Compare(b.DueAt) })
	same(f, "streams", got, []store.Stream{
		{AppID: appB, Kind: hongyan.KindTemplate, DueAt: now.Add(time.Second)},
		{AppID: appA, Kind: hongyan.KindTemplate, DueAt: now.Add(time.Minute)},
		{AppID: appA, Kind: hongyan.KindMiniTemplate, DueAt: now.Add(2 * time.Minute)},
	})
}
