package storetest

import (
	"time"

	"hongyan"
	"hongyan/store"
)

var endCases = []testCase{
	{name: "cancel ends what waits", bubble: true, run: endsCancel},
	{name: "cancel is refused in every other state", run: endsCancelRefused},
	{name: "cancel is refused in doubt", run: endsCancelDoubt},
	{name: "expire ends what waited too long", bubble: true, run: endsExpire},
	{name: "expire leaves doubt alone and works in portions", bubble: true, run: endsExpireDoubt},
}

func endsCancel(f *fixture) {
	queued := f.insert()
	held := f.insert(func(m *hongyan.Message) {
		m.State, m.Reason, m.Hold, m.DueAt = hongyan.Held, hongyan.HoldTemplate, &hongyan.Hold{Reason: hongyan.HoldTemplate}, time.Time{}
	})
	paused := f.insert()
	f.hold(hongyan.Hold{AppID: appA, Reason: hongyan.HoldPaused})
	for _, id := range []string{queued.ID, held.ID, paused.ID} {
		got, err := f.s.Cancel(f.ctx, id)
		f.must(err)
		same(f, "state", got.State, hongyan.Cancelled)
		same(f, "as read", f.get(id), got)
	}
	same(f, "claimable", len(f.claim(10)), 0)
	streams, err := f.s.Streams(f.ctx)
	f.must(err)
	same(f, "streams", len(streams), 0)
}

func endsCancelRefused(f *fixture) {
	_, err := f.s.Cancel(f.ctx, "msg_nope")
	f.wantKind(err, hongyan.NotFound)
	for _, state := range hongyan.States() {
		if state.Waiting() || state == hongyan.Sending {
			continue
		}
		m := f.insert(func(m *hongyan.Message) { m.State = state })
		_, err := f.s.Cancel(f.ctx, m.ID)
		f.wantKind(err, hongyan.Conflict)
		f.wantState(m.ID, state, "")
	}
	_, err = f.s.Cancel(f.ctx, f.lease().ID)
	f.wantKind(err, hongyan.Conflict)
}

// doubtful leaves a message queued after a call without an answer.
func (f *fixture) doubtful(change ...func(*hongyan.Message)) hongyan.Message {
	f.Helper()
	m := f.lease(change...)
	r := f.retry(m, time.Minute)
	r.DoubtSince, r.Attempts[0].Outcome, r.Attempts[0].Errcode = m.FirstAt, hongyan.NoAnswer, 0
	f.finish(store.Settled{Applied: true, State: hongyan.Queued}, r)
	return f.get(m.ID)
}

func endsCancelDoubt(f *fixture) {
	m := f.doubtful()
	_, err := f.s.Cancel(f.ctx, m.ID)
	f.wantKind(err, hongyan.Conflict)
	same(f, "message", f.get(m.ID), m)
}

func endsExpire(f *fixture) {
	now := f.s.Now()
	until := func(d time.Duration) func(*hongyan.Message) {
		return func(m *hongyan.Message) { m.ExpiresAt = now.Add(d) }
	}
	queued := f.insert(until(time.Minute))
	held := f.insert(until(time.Minute), func(m *hongyan.Message) {
		m.State, m.Reason, m.DueAt = hongyan.Held, hongyan.HoldTemplate, time.Time{}
	})
	leased := f.lease(until(time.Minute))
	later := f.insert(until(time.Minute + time.Millisecond))
	never := f.insert(func(m *hongyan.Message) { m.ExpiresAt = time.Time{} })
	for _, step := range []struct {
		sleep time.Duration
		want  int
	}{{time.Minute - time.Millisecond, 0}, {time.Millisecond, 2}, {0, 0}, {time.Millisecond, 1}} {
		time.Sleep(step.sleep)
		n, err := f.s.Expire(f.ctx, 10)
		f.must(err)
		same(f, "expired", n, step.want)
	}
	f.wantState(queued.ID, hongyan.Expired, "")
	f.wantState(held.ID, hongyan.Expired, hongyan.HoldTemplate)
	f.wantState(later.ID, hongyan.Expired, "")
	f.wantState(leased.ID, hongyan.Sending, "")
	f.wantState(never.ID, hongyan.Queued, "")
}

func endsExpireDoubt(f *fixture) {
	soon := func(m *hongyan.Message) { m.ExpiresAt = f.s.Now().Add(time.Second) }
	doubt := f.doubtful(soon)
	for range 70 {
		f.insert(soon)
	}
	time.Sleep(time.Second)
	for _, want := range []int{40, 30, 0} {
		n, err := f.s.Expire(f.ctx, 40)
		f.must(err)
		same(f, "expired", n, want)
	}
	f.wantState(doubt.ID, hongyan.Queued, "errcode")
}
