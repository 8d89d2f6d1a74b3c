package storetest

import (
	"context"
	"time"

	"hongyan"
	"hongyan/store"
)

var finishCases = []testCase{
	{name: "writes everything a result says", bubble: true, run: finishEverything},
	{name: "writes the usual acceptance", bubble: true, run: finishAccepted},
	{name: "keeps every attempt", bubble: true, run: finishAttempts},
	{name: "of several calls in one lease keeps them all", bubble: true, run: finishSeveral},
	{name: "without a call leaves no trace of the claim", bubble: true, run: finishUntried},
	{name: "applies once; usage is counted once", run: finishOnce},
	{name: "with a stale fence changes nothing", run: finishStale},
	{name: "holds until released when no due time is given", bubble: true, run: finishHeld},
	{name: "queues at once when no due time is given", run: finishQueued},
	{name: "answers each result in a mixed batch", run: finishMixed},
	{name: "of many results at once applies them all", run: finishMany},
	{name: "counts usage by scope and period", bubble: true, run: finishUsage},
	{name: "of a message of another account is not applied", run: finishWrongAccount},
}

func finishEverything(f *fixture) {
	m := f.lease()
	now := f.s.Now()
	time.Sleep(time.Second)
	doubt := now.Add(100 * time.Millisecond)
	f.finish(store.Settled{Applied: true, State: hongyan.Held}, store.Result{
		Fence: fenceOf(m), AppID: m.AppID, State: hongyan.Held, Reason: hongyan.HoldOpenIDPacing, DueAt: now.Add(time.Hour),
		Hold:  &hongyan.Hold{AppID: appA, Reason: hongyan.HoldOpenIDPacing, Since: now, Until: now.Add(time.Hour), Errcode: 43117},
		MsgID: 11, AcceptedAt: now, Tries: 3, DoubtSince: doubt, InReview: true, MayDuplicate: true,
		Attempts: []hongyan.Attempt{{N: 1, StartedAt: now, EndedAt: now.Add(time.Second), Outcome: hongyan.Answered, Errcode: 43117, Errmsg: "太多", RID: "rid-1", MsgID: 11}},
	})
	want := m
	want.State, want.Reason, want.DueAt, want.UpdatedAt = hongyan.Held, hongyan.HoldOpenIDPacing, now.Add(time.Hour), f.s.Now()
	want.Hold = &hongyan.Hold{AppID: appA, Reason: hongyan.HoldOpenIDPacing, Since: now, Until: now.Add(time.Hour), Errcode: 43117}
	want.MsgID, want.AcceptedAt, want.Tries, want.DoubtSince, want.InReview, want.MayDuplicate = 11, now, 3, doubt, true, true
	want.Epoch = 0
	want.Last = hongyan.Attempt{N: 1, StartedAt: now, EndedAt: now.Add(time.Second), Outcome: hongyan.Answered, Errcode: 43117, Errmsg: "太多", RID: "rid-1", MsgID: 11}
	got := f.get(m.ID)
	want.UpdatedAt = got.UpdatedAt // a result may linger a few milliseconds
	same(f, "message", got, want)
}

func finishAccepted(f *fixture) {
	m := f.lease()
	r := f.accepted(m, 99)
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, r)
	want := m
	want.State, want.Epoch, want.MsgID, want.AcceptedAt, want.Last = hongyan.Accepted, 0, 99, r.AcceptedAt, r.Attempts[0]
	got := f.get(m.ID)
	want.UpdatedAt = got.UpdatedAt
	same(f, "message", got, want)
}

func finishAttempts(f *fixture) {
	m := f.insert()
	var want []hongyan.Attempt
	for i := range 3 {
		leased := f.claim(1)[0]
		r := f.retry(leased, 0)
		if i == 2 {
			r = f.accepted(leased, 5)
		}
		want = append(want, r.Attempts[0])
		f.finish(store.Settled{Applied: true, State: r.State}, r)
		time.Sleep(time.Second)
	}
	got, err := f.s.Attempts(f.ctx, m.ID)
	f.must(err)
	same(f, "attempts", got, want)
	same(f, "numbers", []int{got[0].N, got[1].N, got[2].N}, []int{1, 2, 3})
	same(f, "last", f.get(m.ID).Last, want[2])
	_, err = f.s.Attempts(f.ctx, "msg_nope")
	f.wantKind(err, hongyan.NotFound)
}

func finishSeveral(f *fixture) {
	m := f.lease()
	r := f.retry(m, 0)
	first, second := r.Attempts[0], r.Attempts[0]
	first.Errcode, second.N = 40001, 2
	r.Attempts = []hongyan.Attempt{first, second}
	f.finish(store.Settled{Applied: true, State: hongyan.Queued}, r)
	got, err := f.s.Attempts(f.ctx, m.ID)
	f.must(err)
	same(f, "attempts", got, r.Attempts)
	time.Sleep(time.Second)
	third := f.claim(1)[0]
	same(f, "attempts begun", third.Attempts, 3)
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(third, 5))
	got, err = f.s.Attempts(f.ctx, m.ID)
	f.must(err)
	same(f, "all attempts", len(got), 3)
}

func finishUntried(f *fixture) {
	m := f.insert()
	hold := &hongyan.Hold{AppID: appA, Reason: hongyan.HoldQuota}
	for range 2 {
		leased := f.claim(1)[0]
		f.finish(store.Settled{Applied: true, State: hongyan.Held}, store.Result{
			Fence: fenceOf(leased), AppID: appA, State: hongyan.Held, Reason: hongyan.HoldQuota, Hold: hold, DueAt: f.s.Now(),
		})
		want := m
		got := f.get(m.ID)
		want.State, want.Reason, want.Hold, want.DueAt, want.UpdatedAt = hongyan.Held, hongyan.HoldQuota, hold, got.DueAt, got.UpdatedAt
		same(f, "message", got, want)
	}
	f.finish(store.Settled{Applied: true, State: hongyan.Queued}, f.retry(f.claim(1)[0], 0))
	before := f.get(m.ID)
	time.Sleep(time.Second)
	leased := f.claim(1)[0]
	same(f, "attempts begun", leased.Attempts, 2)
	f.finish(store.Settled{Applied: true, State: hongyan.Queued}, store.Result{Fence: fenceOf(leased), AppID: appA, State: hongyan.Queued, DueAt: before.DueAt, Reason: before.Reason, Tries: before.Tries})
	before.UpdatedAt = f.get(m.ID).UpdatedAt
	same(f, "after the second", f.get(m.ID), before)
}

func finishOnce(f *fixture) {
	m := f.lease()
	r := f.accepted(m, 1)
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, r)
	f.finish(store.Settled{State: hongyan.Accepted}, r)
	got, err := f.s.FinishAttempts(f.ctx, []store.Result{r, r})
	f.must(err)
	same(f, "twice in one call", got, []store.Settled{{State: hongyan.Accepted}, {State: hongyan.Accepted}})
	same(f, "usage", f.usedToday(appA), 1)
}

func finishStale(f *fixture) {
	m := f.lease()
	for name, fence := range map[string]store.Fence{
		"attempts": {Seq: m.Seq, Epoch: m.Epoch, Attempts: m.Attempts + 1},
		"epoch":    {Seq: m.Seq, Epoch: m.Epoch + 1, Attempts: m.Attempts},
		"none":     {Seq: m.Seq},
	} {
		r := f.accepted(m, 1)
		r.Fence = fence
		f.Log(name)
		f.finish(store.Settled{State: hongyan.Sending}, r)
	}
	same(f, "message", f.get(m.ID), m)
	same(f, "usage", f.usedToday(appA), 0)
}

func finishHeld(f *fixture) {
	m := f.lease()
	f.finish(store.Settled{Applied: true, State: hongyan.Held}, store.Result{
		Fence: fenceOf(m), AppID: appA, State: hongyan.Held, Reason: hongyan.HoldTemplate, Hold: &hongyan.Hold{Reason: hongyan.HoldTemplate},
	})
	time.Sleep(1000 * time.Hour)
	same(f, "claimable", len(f.claim(1)), 0)
	same(f, "due", f.get(m.ID).DueAt.IsZero(), true)
}

func finishQueued(f *fixture) {
	m := f.lease()
	f.finish(store.Settled{Applied: true, State: hongyan.Queued}, store.Result{Fence: fenceOf(m), AppID: appA, State: hongyan.Queued})
	same(f, "claimable", ids(f.claim(1)), []string{m.ID})
}

func finishMixed(f *fixture) {
	good, stale := f.lease(), f.lease()
	bad := f.accepted(stale, 2)
	bad.Fence.Attempts = 9
	got, err := f.s.FinishAttempts(f.ctx, []store.Result{bad, f.accepted(good, 1)})
	f.must(err)
	same(f, "answers", got, []store.Settled{{State: hongyan.Sending}, {Applied: true, State: hongyan.Accepted}})
}

func finishMany(f *fixture) {
	var rs []store.Result
	for i := range 300 {
		r := f.accepted(f.insert(func(m *hongyan.Message) { m.Epoch = f.epoch }), int64(1000+i))
		rs = append(rs, r)
	}
	applied := countTrue(f, len(rs)/3, func(ctx context.Context, i int) (bool, error) {
		got, err := f.s.FinishAttempts(ctx, rs[3*i:3*i+3])
		if err != nil {
			return false, err
		}
		return got[0].Applied && got[1].Applied && got[2].Applied, nil
	})
	same(f, "applied", applied, 100)
	same(f, "usage", f.usedToday(appA), 300)
	counts, err := f.s.Counts(f.ctx)
	f.must(err)
	same(f, "counts", nonZero(counts), map[string]map[hongyan.State]int64{appA: {hongyan.Accepted: 300}})
}

func finishUsage(f *fixture) {
	now := f.s.Now()
	m := f.lease()
	r := f.accepted(m, 1)
	r.Usage = []store.UsageDelta{
		{AppID: appA, Scope: "account", Period: "day", PeriodFrom: hongyan.PeriodStart("day", now), N: 1},
		{AppID: appA, Scope: "template:tmpl-1", Period: "month", PeriodFrom: hongyan.PeriodStart("month", now), N: 2},
		{AppID: appB, Scope: "account", Period: "day", PeriodFrom: hongyan.PeriodStart("day", now), N: 5},
	}
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, r)
	got, err := f.s.Usage(f.ctx, appA)
	f.must(err)
	same(f, "usage", got, []hongyan.QuotaUsage{
		{AppID: appA, Scope: "account", Period: "day", PeriodFrom: hongyan.PeriodStart("day", now), Used: 1},
		{AppID: appA, Scope: "template:tmpl-1", Period: "month", PeriodFrom: hongyan.PeriodStart("month", now), Used: 2},
	})
	time.Sleep(hongyan.NextBeijingMidnight(now).Sub(now))
	same(f, "after midnight in Beijing", f.usedToday(appA), 0)
}

func finishWrongAccount(f *fixture) {
	m := f.lease()
	r := f.accepted(m, 1)
	r.AppID = appB
	got, err := f.s.FinishAttempts(f.ctx, []store.Result{r})
	f.must(err)
	same(f, "applied", got[0].Applied, false)
	same(f, "message", f.get(m.ID), m)
}

// nonZero drops counters that stand at zero.
func nonZero(counts map[string]map[hongyan.State]int64) map[string]map[hongyan.State]int64 {
	for appID, states := range counts {
		for s, n := range states {
			if n == 0 {
				delete(states, s)
			}
		}
		if len(states) == 0 {
			delete(counts, appID)
		}
	}
	return counts
}
