package storetest

import (
	"time"

	"hongyan"
	"hongyan/store"
)

var retentionCases = []testCase{
	{name: "takes payload and metadata first and leaves the timeline", bubble: true, run: retentionPayload},
	{name: "then takes the message, its attempts and its place in the counts", bubble: true, run: retentionMessage},
	{name: "of nothing keeps everything", bubble: true, run: retentionForever},
	{name: "spares what waits or is under way, however old", bubble: true, run: retentionSpares},
	{name: "counts from the last change", bubble: true, run: retentionLastChange},
	{name: "never takes what an idempotency key answers with", bubble: true, run: retentionIdempotency},
	{name: "takes processed events without deliveries", bubble: true, run: retentionEvents},
	{name: "leaves no number to be used again", bubble: true, run: retentionNumbers},
	{name: "leaves receipts without an owner, and a late one becomes such", bubble: true, run: retentionReceipts},
	{name: "works through many", bubble: true, run: retentionMany},
}

const day = 24 * time.Hour

// week is the policy of these stories.
var week = store.Retention{Payload: 7 * day, Messages: 30 * day, Events: 10 * day}

// retain removes what is due and checks how much that was.
func (f *fixture) retain(r store.Retention, want store.Retained) {
	f.Helper()
	got, err := f.s.Retain(f.ctx, r)
	f.must(err)
	same(f, "retained", got, want)
}

// recount fails unless the counters equal a recount of all messages.
func (f *fixture) recount() {
	f.Helper()
	want := map[string]map[hongyan.State]int64{}
	for before := int64(0); ; {
		page, err := f.s.Messages(f.ctx, store.Filter{Limit: 1000, Before: before})
		f.must(err)
		for _, m := range page.Items {
			if want[m.AppID] == nil {
				want[m.AppID] = map[hongyan.State]int64{}
			}
			want[m.AppID][m.State]++
		}
		if before = page.Next; before == 0 {
			break
		}
	}
	same(f, "counts", f.counts(), want)
}

// counts are the counters that are not zero.
func (f *fixture) counts() map[string]map[hongyan.State]int64 {
	f.Helper()
	all, err := f.s.Counts(f.ctx)
	f.must(err)
	for appID, states := range all {
		for state, n := range states {
			if n == 0 {
				delete(states, state)
			}
		}
		if len(states) == 0 {
			delete(all, appID)
		}
	}
	return all
}

func retentionPayload(f *fixture) {
	m := f.lease(func(m *hongyan.Message) { m.Metadata = []byte(`{"order":1}`) })
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(m, 2101))
	f.receive(f.receipt(2101, "success"))
	want := f.get(m.ID)
	time.Sleep(7*day - time.Second)
	f.retain(week, store.Retained{})
	same(f, "before its time", f.get(m.ID), want)
	time.Sleep(time.Second)
	f.retain(week, store.Retained{Payloads: 1})
	want.Payload, want.Metadata = nil, nil
	same(f, "after it", f.get(m.ID), want)
	attempts, err := f.s.Attempts(f.ctx, m.ID)
	f.must(err)
	same(f, "attempts", len(attempts), 1)
	f.retain(week, store.Retained{})
	f.recount()
}

func retentionMessage(f *fixture) {
	m := f.lease()
	f.finish(store.Settled{Applied: true, State: hongyan.Queued}, f.retry(m, time.Second))
	time.Sleep(time.Second)
	again := f.claim(1)[0]
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(again, 2102))
	time.Sleep(30 * day)
	f.retain(week, store.Retained{Messages: 1, Payloads: 0})
	_, err := f.s.Message(f.ctx, m.ID)
	f.wantKind(err, hongyan.NotFound)
	_, err = f.s.Attempts(f.ctx, m.ID)
	f.wantKind(err, hongyan.NotFound)
	same(f, "counts", f.counts(), map[string]map[hongyan.State]int64{})
	same(f, "calls counted", f.usedToday(appA), 0) // of another day
	f.must(f.s.DeleteAccount(f.ctx, appA))
}

func retentionForever(f *fixture) {
	m := f.sent(2103)
	f.event("kept")
	time.Sleep(365 * day)
	f.retain(store.Retention{}, store.Retained{})
	same(f, "payload", len(f.get(m.ID).Payload) > 0, true)
}

func retentionSpares(f *fixture) {
	queued := f.insert(func(m *hongyan.Message) { m.DueAt = f.s.Now().Add(60 * day); m.ExpiresAt = m.DueAt.Add(day) })
	held := f.insert(func(m *hongyan.Message) { m.State, m.Reason = hongyan.Held, hongyan.HoldTemplate })
	sending := f.lease()
	ended := f.insert(func(m *hongyan.Message) { m.State = hongyan.Failed })
	time.Sleep(31 * day)
	f.retain(week, store.Retained{Messages: 1})
	for _, m := range []hongyan.Message{queued, held, sending} {
		same(f, "payload", f.get(m.ID).Payload, m.Payload)
	}
	_, err := f.s.Message(f.ctx, ended.ID)
	f.wantKind(err, hongyan.NotFound)
	f.recount()
	// The walk has passed it; it is found all the same.
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(sending, 2104))
	time.Sleep(7 * day)
	f.retain(week, store.Retained{Payloads: 1})
	time.Sleep(23 * day)
	f.retain(week, store.Retained{Messages: 1})
	f.recount()
}

func retentionLastChange(f *fixture) {
	m := f.sent(2105)
	time.Sleep(6 * day)
	f.receive(f.receipt(2105, "user_block"))
	time.Sleep(6 * day)
	f.retain(week, store.Retained{})
	time.Sleep(day)
	f.retain(week, store.Retained{Payloads: 1})
	f.wantState(m.ID, hongyan.Undelivered, "user_block")
}

func retentionIdempotency(f *fixture) {
	n := f.message(func(m *hongyan.Message) { m.State = hongyan.Failed })
	n.IdempotencyKey = "order-1"
	first := f.insertNew(n, store.InsertedNew)
	short := store.Retention{Payload: time.Second, Messages: time.Second, Events: time.Second}
	time.Sleep(day - time.Second)
	f.retain(short, store.Retained{Payloads: 1})
	repeat := f.message()
	repeat.IdempotencyKey = n.IdempotencyKey
	same(f, "answered with", f.insertNew(repeat, store.InsertedReplay).ID, first.ID)
	time.Sleep(store.MinRetention)
	f.retain(short, store.Retained{Messages: 1})
	f.insertNew(repeat, store.InsertedNew)
}

func retentionEvents(f *fixture) {
	f.must(f.s.FinishEvents(f.ctx, []store.EventDone{{EventID: f.event("old")}}))
	waits := f.event("with a delivery")
	f.must(f.s.FinishEvents(f.ctx, []store.EventDone{{EventID: waits, Deliveries: []store.NewDelivery{{Target: appA + "/shop"}}}}))
	f.event("not processed")
	time.Sleep(10*day - time.Second)
	f.retain(week, store.Retained{})
	time.Sleep(time.Second)
	f.event("newest")
	f.retain(week, store.Retained{Events: 1})
	left, err := f.s.Events(f.ctx, appA, 0, 10)
	f.must(err)
	keys := []string{}
	for _, e := range left {
		keys = append(keys, e.DedupeKey)
	}
	same(f, "left", keys, []string{"newest", "not processed", "with a delivery"})
	_, err = f.s.DropDeliveries(f.ctx, appA+"/shop", 10)
	f.must(err)
	f.retain(week, store.Retained{Events: 1})
}

func retentionNumbers(f *fixture) {
	m := f.sent(2106)
	event := f.event("e1")
	f.must(f.s.FinishEvents(f.ctx, []store.EventDone{{EventID: event}}))
	time.Sleep(40 * day)
	_, err := f.s.Retain(f.ctx, week)
	f.must(err)
	if next := f.insert(); next.Seq <= m.Seq {
		f.Fatalf("number %d is used again after %d", next.Seq, m.Seq)
	}
	if next := f.event("e2"); next <= event {
		f.Fatalf("event number %d is used again after %d", next, event)
	}
}

func retentionReceipts(f *fixture) {
	f.sent(2107)
	time.Sleep(30*day - time.Hour)
	f.receive(f.receipt(9999, "success"))
	time.Sleep(time.Hour)
	f.retain(week, store.Retained{Messages: 1})
	f.receive(f.receipt(2107, "success"))
	same(f, "receipts without an owner", len(f.orphans()), 2)
}

func retentionMany(f *fixture) {
	const n = 1050 // some batches, and not a whole number of them
	var ms []store.NewMessage
	for i := range n {
		ms = append(ms, f.message(func(m *hongyan.Message) {
			m.AppID = []string{appA, appB}[i%2]
			m.State = []hongyan.State{hongyan.Delivered, hongyan.Queued, hongyan.Uncertain}[i%3]
		}))
	}
	_, err := f.s.InsertMessages(f.ctx, ms)
	f.must(err)
	time.Sleep(8 * day)
	f.retain(week, store.Retained{Payloads: 700})
	f.recount()
	time.Sleep(23 * day)
	f.retain(week, store.Retained{Messages: 700})
	f.recount()
	same(f, "left", f.counts(), map[string]map[hongyan.State]int64{appA: {hongyan.Queued: 175}, appB: {hongyan.Queued: 175}})
}
