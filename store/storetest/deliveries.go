package storetest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"hongyan"
	"hongyan/store"
)

var deliveryCases = []testCase{
	{name: "begin with their event, once, and come back as they were given", bubble: true, run: deliveriesBegin},
	{name: "are claimed with their event when they are due, those due longest first", bubble: true, run: deliveriesClaim},
	{name: "go each to one of many who claim at once", run: deliveriesRace},
	{name: "go in order each to one of many who claim at once", run: deliveriesOrderedRace},
	{name: "end, or are tried again later", bubble: true, run: deliveriesFinish},
	{name: "never sent leave no trace of the attempt", bubble: true, run: deliveriesUntried},
	{name: "are claimed again after their lease; who held it is late", bubble: true, run: deliveriesLease},
	{name: "about one user are claimed one at a time, in order of their events", bubble: true, run: deliveriesOrder},
	{name: "about one user wait while the first of them waits for another try", bubble: true, run: deliveriesOrderBackoff},
	{name: "about one user stay in order when events are finished out of order", run: deliveriesOrderLate},
	{name: "need not be in order", run: deliveriesUnordered},
	{name: "are due by target; when in order, by what can be taken", bubble: true, run: deliveriesDue},
	{name: "taken at once are recorded, begun or not", bubble: true, run: deliveriesAnswer},
	{name: "taken at once let the next of their user go", run: deliveriesAnswerUnblocks},
	{name: "are replayed by time and type, batch by batch", bubble: true, run: deliveriesReplay},
	{name: "replayed go before later ones of their user", run: deliveriesReplayOrder},
	{name: "a replay hurries those that wait, and none under way", bubble: true, run: deliveriesReplayWaiting},
	{name: "replayed are not finished by who is late with those before", bubble: true, run: deliveriesReplayLate},
	{name: "are dropped with their target, batch by batch", run: deliveriesDrop},
	{name: "are listed newest first by account, target, event and state", run: deliveriesList},
	{name: "are counted by target", bubble: true, run: deliveriesCount},
	{name: "that ended are forgotten after a week, pending ones never", bubble: true, run: deliveriesForgotten},
	{name: "of a target nobody serves are in nobody's way", run: deliveriesPaused},
	{name: "random days never break the order of a user", bubble: true, run: deliveriesRandom},
}

const targetA, targetB, targetC = appA + "/shop", appA + "/log", appB + "/shop"

// pushes stores n events of the account about a user and returns them.
func (f *fixture) pushes(appID string, n int, user string) []hongyan.Event {
	f.Helper()
	all := make([]hongyan.Event, n)
	for i := range all {
		f.n++
		e := hongyan.Event{AppID: appID, DedupeKey: fmt.Sprint("push-", f.n), Type: "text", OpenID: user, CreateTime: f.s.Now(),
			ReceivedAt: f.s.Now(), Body: fmt.Appendf(nil, "<xml>%d</xml>", f.n)}
		var err error
		e.ID, _, err = f.s.InsertEvent(f.ctx, e)
		f.must(err)
		all[i] = e
	}
	return all
}

// finishFor finishes events, to be handed on to targets with a key.
func (f *fixture) finishFor(events []hongyan.Event, key string, targets ...string) {
	f.Helper()
	var done []store.EventDone
	for _, e := range events {
		d := store.EventDone{EventID: e.ID}
		for _, target := range targets {
			d.Deliveries = append(d.Deliveries, store.NewDelivery{Target: target, Key: key})
		}
		done = append(done, d)
	}
	f.must(f.s.FinishEvents(f.ctx, done))
}

// handOn begins n deliveries to a target, due now, and returns their events.
func (f *fixture) handOn(target string, n int, key string) []int64 {
	f.Helper()
	appID := appA
	if target == targetC {
		appID = appB
	}
	events := f.pushes(appID, n, key)
	f.finishFor(events, key, target)
	return eventIDs(events)
}

func eventIDs(events []hongyan.Event) (all []int64) {
	for _, e := range events {
		all = append(all, e.ID)
	}
	return all
}

func (f *fixture) deliveries(filter store.DeliveryFilter) []hongyan.Delivery {
	f.Helper()
	if filter.Limit == 0 {
		filter.Limit = 1000
	}
	all, err := f.s.ListDeliveries(f.ctx, filter)
	f.must(err)
	return all
}

// delivery reads the one delivery of an event to a target.
func (f *fixture) delivery(event int64, target string) hongyan.Delivery {
	f.Helper()
	all := f.deliveries(store.DeliveryFilter{EventID: event, Target: target})
	same(f, "deliveries of the event", len(all), 1)
	return all[0]
}

func (f *fixture) take(target string, ordered bool, maximum int) []store.ClaimedDelivery {
	f.Helper()
	all, err := f.s.ClaimDeliveries(f.ctx, store.DeliveryClaim{Target: target, Ordered: ordered, Max: maximum, Lease: time.Minute})
	f.must(err)
	return all
}

// taken are the events of claimed deliveries.
func taken(all []store.ClaimedDelivery) []int64 {
	events := []int64{}
	for _, c := range all {
		events = append(events, c.EventID)
	}
	return events
}

func (f *fixture) settle(c store.ClaimedDelivery, state hongyan.DeliveryState, due time.Time) {
	f.Helper()
	f.must(f.s.FinishDeliveries(f.ctx, []store.DeliveryResult{{ID: c.ID, Attempts: c.Attempts, State: state, DueAt: due, Status: 200}}))
}

func deliveriesBegin(f *fixture) {
	events := f.pushes(appA, 2, userA)
	later := f.s.Now().Add(time.Hour)
	done := store.EventDone{EventID: events[0].ID, Deliveries: []store.NewDelivery{{Target: targetA, Key: userA}, {Target: targetB, DueAt: later}}}
	f.must(f.s.FinishEvents(f.ctx, []store.EventDone{done, {EventID: events[1].ID}}))
	want := hongyan.Delivery{AppID: appA, Target: targetA, EventID: events[0].ID, EventType: "text", Key: userA, DueAt: f.s.Now(), CreatedAt: f.s.Now()}
	got := f.delivery(events[0].ID, targetA)
	want.ID = got.ID
	same(f, "due now", got, want)
	got = f.delivery(events[0].ID, targetB)
	want.ID, want.Target, want.Key, want.DueAt = got.ID, targetB, "", later
	same(f, "due later", got, want)
	time.Sleep(time.Minute)
	f.must(f.s.FinishEvents(f.ctx, []store.EventDone{done})) // another node did the same
	same(f, "stays as it is", f.delivery(events[0].ID, targetB), want)
	same(f, "deliveries", len(f.deliveries(store.DeliveryFilter{})), 2)
}

func deliveriesClaim(f *fixture) {
	events := f.pushes(appA, 4, "")
	now := f.s.Now()
	var done []store.EventDone
	for i, after := range []time.Duration{time.Minute, 0, 2 * time.Hour, time.Second} {
		done = append(done, store.EventDone{EventID: events[i].ID, Deliveries: []store.NewDelivery{{Target: targetA, DueAt: now.Add(after)}}})
	}
	f.must(f.s.FinishEvents(f.ctx, done))
	same(f, "at first", taken(f.take(targetA, false, 10)), []int64{events[1].ID})
	same(f, "none is left", taken(f.take(targetA, false, 10)), []int64{})
	time.Sleep(59 * time.Second)
	one := f.take(targetA, true, 1)
	same(f, "limited", taken(one), []int64{events[3].ID})
	want := f.delivery(events[3].ID, targetA)
	same(f, "claimed", one[0].Delivery, want)
	same(f, "attempts", want.Attempts, 1)
	same(f, "last", want.LastAt, f.s.Now())
	same(f, "due again", want.DueAt, f.s.Now().Add(time.Minute))
	e := events[3]
	e.ProcessedAt = now
	same(f, "event", one[0].Event, e)
	time.Sleep(time.Second)
	same(f, "due at one time", taken(f.take(targetA, false, 10)), []int64{events[0].ID, events[1].ID})
	same(f, "of a target without any", len(f.take(targetB, false, 10)), 0)
	same(f, "none", len(f.take(targetA, false, 0)), 0)
}

func deliveriesRace(f *fixture) {
	want := f.handOn(targetA, 60, userA)
	got := make([][]int64, 8)
	countTrue(f, len(got), func(ctx context.Context, i int) (bool, error) {
		for {
			all, err := f.s.ClaimDeliveries(ctx, store.DeliveryClaim{Target: targetA, Max: 7, Lease: time.Hour})
			if err != nil || len(all) == 0 {
				return false, err
			}
			got[i] = append(got[i], taken(all)...)
		}
	})
	all := slices.Concat(got...)
	slices.Sort(all)
	same(f, "claimed once", all, want)
}

func deliveriesOrderedRace(f *fixture) {
	users := []string{"oOne", "oTwo", "oThree"}
	want := map[string][]int64{}
	for range 10 {
		for _, user := range users {
			want[user] = append(want[user], f.handOn(targetA, 1, user)...)
		}
	}
	type begun struct {
		user  string
		event int64
	}
	order := make(chan begun, 100)
	countTrue(f, 6, func(ctx context.Context, _ int) (bool, error) {
		for {
			all, err := f.s.ClaimDeliveries(ctx, store.DeliveryClaim{Target: targetA, Ordered: true, Max: 2, Lease: time.Hour})
			if err != nil || len(all) == 0 && len(f.deliveries(store.DeliveryFilter{States: []hongyan.DeliveryState{hongyan.DeliveryPending}})) == 0 {
				return false, err
			}
			for _, c := range all {
				order <- begun{c.Key, c.EventID}
				if err := f.s.FinishDeliveries(ctx, []store.DeliveryResult{{ID: c.ID, Attempts: c.Attempts, State: hongyan.DeliveryDone}}); err != nil {
					return false, err
				}
			}
		}
	})
	close(order)
	got := map[string][]int64{}
	for b := range order {
		got[b.user] = append(got[b.user], b.event)
	}
	same(f, "begun, by user", got, want)
}

func deliveriesFinish(f *fixture) {
	events := f.handOn(targetA, 3, "")
	all := f.take(targetA, false, 10)
	start := f.s.Now()
	time.Sleep(2 * time.Second)
	f.must(f.s.FinishDeliveries(f.ctx, nil))
	f.must(f.s.FinishDeliveries(f.ctx, []store.DeliveryResult{
		{ID: all[0].ID, Attempts: 1, State: hongyan.DeliveryDone, Status: 200, Took: 2 * time.Second},
		{ID: all[1].ID, Attempts: 1, State: hongyan.DeliveryGaveUp, Status: 410, Error: "gone", Took: time.Millisecond},
		{ID: all[2].ID, Attempts: 1, State: hongyan.DeliveryPending, DueAt: f.s.Now().Add(time.Minute), Error: "no answer"},
		{ID: 9999, Attempts: 1, State: hongyan.DeliveryDone},
	}))
	want := all[0].Delivery
	want.State, want.DueAt, want.LastAt, want.LastStatus, want.LastTook, want.EndedAt = hongyan.DeliveryDone, time.Time{}, start, 200, 2*time.Second, f.s.Now()
	same(f, "done", f.delivery(events[0], targetA), want)
	want = all[1].Delivery
	want.State, want.DueAt, want.LastStatus, want.LastError, want.LastTook, want.EndedAt = hongyan.DeliveryGaveUp, time.Time{}, 410, "gone", time.Millisecond, f.s.Now()
	same(f, "gave up", f.delivery(events[1], targetA), want)
	want = all[2].Delivery
	want.DueAt, want.LastError = f.s.Now().Add(time.Minute), "no answer"
	same(f, "to be tried again", f.delivery(events[2], targetA), want)
	same(f, "due", len(f.take(targetA, false, 10)), 0)
	time.Sleep(time.Minute)
	again := f.take(targetA, false, 10)
	same(f, "due again", taken(again), events[2:])
	same(f, "attempts", again[0].Attempts, 2)
	same(f, "what the one before said stays", again[0].LastError, "no answer")
	f.settle(again[0], hongyan.DeliveryPending, time.Time{})
	same(f, "due at once", taken(f.take(targetA, false, 10)), events[2:])
}

func deliveriesUntried(f *fixture) {
	event := f.handOn(targetA, 1, "")[0]
	fresh := f.delivery(event, targetA)
	untried := func(c store.ClaimedDelivery, due time.Time) {
		f.must(f.s.FinishDeliveries(f.ctx, []store.DeliveryResult{{ID: c.ID, Attempts: c.Attempts, DueAt: due, Untried: true, Status: 500, Error: "x", Took: 5}}))
	}
	untried(f.take(targetA, false, 1)[0], fresh.DueAt)
	same(f, "never tried", f.delivery(event, targetA), fresh)
	c := f.take(targetA, false, 1)[0]
	f.settle(c, hongyan.DeliveryPending, f.s.Now())
	tried := f.delivery(event, targetA)
	time.Sleep(time.Hour)
	c = f.take(targetA, false, 1)[0]
	same(f, "under way", f.delivery(event, targetA).LastAt, f.s.Now())
	untried(c, tried.DueAt)
	same(f, "as after the attempt before", f.delivery(event, targetA), tried)
	f.settle(c, hongyan.DeliveryDone, time.Time{})
	same(f, "finished twice", f.delivery(event, targetA), tried)
}

func deliveriesLease(f *fixture) {
	event := f.handOn(targetA, 1, userA)[0]
	slow := f.take(targetA, true, 1)[0]
	time.Sleep(time.Minute - time.Millisecond)
	same(f, "before its end", len(f.take(targetA, true, 1)), 0)
	time.Sleep(time.Millisecond)
	second := f.take(targetA, true, 1)[0]
	same(f, "attempts", second.Attempts, 2)
	want := f.delivery(event, targetA)
	f.settle(slow, hongyan.DeliveryDone, time.Time{})
	same(f, "late", f.delivery(event, targetA), want)
	f.settle(second, hongyan.DeliveryGaveUp, time.Time{})
	f.settle(slow, hongyan.DeliveryDone, time.Time{})
	f.settle(second, hongyan.DeliveryDone, time.Time{})
	same(f, "ended once", f.delivery(event, targetA).State, hongyan.DeliveryGaveUp)
	// Late, but nobody has taken it since: the result counts.
	f.handOn(targetA, 1, "")
	slow = f.take(targetA, true, 1)[0]
	time.Sleep(time.Hour)
	f.settle(slow, hongyan.DeliveryDone, time.Time{})
	same(f, "after the lease", f.delivery(slow.EventID, targetA).State, hongyan.DeliveryDone)
}

func deliveriesOrder(f *fixture) {
	ann := f.handOn(targetA, 3, "oAnn")
	bob := f.handOn(targetA, 2, "oBob")
	free := f.handOn(targetA, 2, "")
	first := f.take(targetA, true, 10)
	same(f, "one of each user, and those of nobody", taken(first), []int64{ann[0], bob[0], free[0], free[1]})
	same(f, "while they are tried", taken(f.take(targetA, true, 10)), []int64{})
	f.settle(first[1], hongyan.DeliveryGaveUp, time.Time{})
	next := f.take(targetA, true, 10)
	same(f, "after one was given up", taken(next), []int64{bob[1]})
	f.settle(first[0], hongyan.DeliveryDone, time.Time{})
	next = f.take(targetA, true, 10)
	same(f, "after one was done", taken(next), []int64{ann[1]})
	more := f.handOn(targetA, 1, "oAnn")
	same(f, "a new one waits its turn", taken(f.take(targetA, true, 10)), []int64{})
	f.settle(next[0], hongyan.DeliveryDone, time.Time{})
	next = f.take(targetA, true, 10)
	same(f, "the third", taken(next), []int64{ann[2]})
	time.Sleep(time.Minute)
	same(f, "leases are over", taken(f.take(targetA, true, 10)), []int64{ann[2], bob[1], free[0], free[1]})
	f.settle(f.mustTake(targetA, ann[2]), hongyan.DeliveryDone, time.Time{})
	same(f, "the last", taken(f.take(targetA, true, 10)), more)
	same(f, "another target has its own order", taken(f.take(targetB, true, 10)), []int64{})
}

// mustTake reads the delivery of an event as its holder has it.
func (f *fixture) mustTake(target string, event int64) store.ClaimedDelivery {
	f.Helper()
	return store.ClaimedDelivery{Delivery: f.delivery(event, target)}
}

func deliveriesOrderBackoff(f *fixture) {
	ann := f.handOn(targetA, 2, "oAnn")
	first := f.take(targetA, true, 10)[0]
	f.settle(first, hongyan.DeliveryPending, f.s.Now().Add(time.Hour))
	time.Sleep(59 * time.Minute)
	same(f, "before the first is due again", taken(f.take(targetA, true, 10)), []int64{})
	time.Sleep(time.Minute)
	same(f, "due again", taken(f.take(targetA, true, 10)), ann[:1])
}

func deliveriesOrderLate(f *fixture) {
	events := f.pushes(appA, 4, "oAnn")
	f.finishFor(events[2:3], "oAnn", targetA)
	f.finishFor(events[3:], "oAnn", targetA)
	f.finishFor(events[1:2], "oAnn", targetA) // another node was slower
	f.finishFor(events[:1], "oAnn", targetA)
	for _, e := range events {
		got := f.take(targetA, true, 10)
		same(f, "next", taken(got), []int64{e.ID})
		f.settle(got[0], hongyan.DeliveryDone, time.Time{})
	}
}

func deliveriesUnordered(f *fixture) {
	want := f.handOn(targetA, 5, "oAnn")
	same(f, "all at once", taken(f.take(targetA, false, 3)), want[:3])
	same(f, "the rest", taken(f.take(targetA, false, 3)), want[3:])
}

func deliveriesDue(f *fixture) {
	due := func() []store.TargetDue {
		all, err := f.s.DueTargets(f.ctx)
		f.must(err)
		return all
	}
	same(f, "at first", len(due()), 0)
	f.handOn(targetC, 2, "oBob")
	start := f.s.Now()
	time.Sleep(time.Second)
	f.handOn(targetA, 2, "oAnn")
	second := f.s.Now()
	time.Sleep(time.Second)
	same(f, "targets", due(), []store.TargetDue{{Target: targetA, DueAt: second, OrderedDueAt: second}, {Target: targetC, DueAt: start, OrderedDueAt: start}})
	claimed := f.take(targetA, true, 1)[0]
	leased := f.s.Now().Add(time.Minute)
	same(f, "the next of the user cannot be taken in order", due()[0], store.TargetDue{Target: targetA, DueAt: second, OrderedDueAt: leased})
	f.settle(claimed, hongyan.DeliveryDone, time.Time{})
	same(f, "now it can", due()[0], store.TargetDue{Target: targetA, DueAt: second, OrderedDueAt: second})
	f.settle(f.take(targetA, true, 1)[0], hongyan.DeliveryGaveUp, time.Time{})
	same(f, "none pending", due(), []store.TargetDue{{Target: targetC, DueAt: start, OrderedDueAt: start}})
}

func deliveriesAnswer(f *fixture) {
	events := f.pushes(appA, 3, userA)
	answered := hongyan.Delivery{AppID: appA, Target: targetA, EventID: events[0].ID, EventType: "text", Key: userA,
		LastAt: f.s.Now(), LastStatus: 200, LastTook: 30 * time.Millisecond}
	time.Sleep(time.Second)
	f.must(f.s.AnswerDelivery(f.ctx, answered))
	want := answered
	want.ID = f.delivery(events[0].ID, targetA).ID
	want.State, want.Attempts, want.CreatedAt, want.EndedAt = hongyan.DeliveryDone, 1, f.s.Now(), f.s.Now()
	same(f, "before its event was finished", f.delivery(events[0].ID, targetA), want)
	f.finishFor(events, userA, targetA)
	same(f, "after", f.delivery(events[0].ID, targetA), want)

	claimed := f.take(targetA, true, 1)[0]
	same(f, "claimed", claimed.EventID, events[1].ID)
	time.Sleep(time.Second)
	answered.EventID, answered.LastAt = events[1].ID, f.s.Now()
	f.must(f.s.AnswerDelivery(f.ctx, answered))
	want = claimed.Delivery
	want.State, want.DueAt, want.Attempts, want.LastAt, want.LastStatus, want.LastTook, want.EndedAt =
		hongyan.DeliveryDone, time.Time{}, 2, f.s.Now(), 200, 30*time.Millisecond, f.s.Now()
	same(f, "while it was tried", f.delivery(events[1].ID, targetA), want)
	f.settle(claimed, hongyan.DeliveryPending, time.Time{})
	same(f, "the other is late", f.delivery(events[1].ID, targetA), want)

	f.settle(f.take(targetA, true, 1)[0], hongyan.DeliveryGaveUp, time.Time{})
	ended := f.delivery(events[2].ID, targetA)
	answered.EventID = events[2].ID
	f.must(f.s.AnswerDelivery(f.ctx, answered))
	same(f, "ended before", f.delivery(events[2].ID, targetA), ended)
}

func deliveriesAnswerUnblocks(f *fixture) {
	ann := f.handOn(targetA, 2, "oAnn")
	f.must(f.s.AnswerDelivery(f.ctx, hongyan.Delivery{AppID: appA, Target: targetA, EventID: ann[0], Key: "oAnn"}))
	same(f, "next", taken(f.take(targetA, true, 10)), ann[1:])
}

// replay delivers once more, in batches, and returns how many.
func (f *fixture) replay(r store.Replay) int {
	f.Helper()
	total := 0
	for {
		n, last, err := f.s.ReplayDeliveries(f.ctx, r)
		f.must(err)
		total += n
		if n > r.Limit {
			f.Fatalf("%d of a batch of %d", n, r.Limit)
		}
		if r.After = last; last == 0 {
			return total
		}
	}
}

func deliveriesReplay(f *fixture) {
	var events []hongyan.Event
	start := f.s.Now()
	for i := range 10 {
		events = append(events, f.pushes(appA, 2, "oAnn")...) // two at one time
		if i < 5 {
			f.finishFor(events[2*i:], "oAnn", targetA)
		}
		f.pushes(appB, 1, "oBob")
		time.Sleep(time.Minute)
	}
	for len(f.deliveries(store.DeliveryFilter{States: []hongyan.DeliveryState{hongyan.DeliveryPending}})) > 2 {
		f.settle(f.take(targetA, true, 1)[0], hongyan.DeliveryDone, time.Time{})
	}
	claimed := f.take(targetA, true, 1)[0] // events[8]; it and events[9] are pending
	before := f.delivery(events[9].ID, targetA)
	time.Sleep(time.Second)
	r := store.Replay{AppID: appA, Target: targetA, From: start.Add(3 * time.Minute), Until: start.Add(8 * time.Minute), Limit: 3}
	same(f, "ended ones again and new ones", f.replay(r), 8)
	same(f, "pending stays", f.delivery(events[9].ID, targetA), before)
	same(f, "under way stays", f.delivery(events[8].ID, targetA), claimed.Delivery)
	same(f, "before From", f.delivery(events[5].ID, targetA).State, hongyan.DeliveryDone)
	same(f, "from Until", len(f.deliveries(store.DeliveryFilter{EventID: events[16].ID})), 0)
	again := f.delivery(events[6].ID, targetA)
	same(f, "anew", again, hongyan.Delivery{ID: again.ID, AppID: appA, Target: targetA, EventID: events[6].ID, EventType: "text", Key: "oAnn", DueAt: f.s.Now(), CreatedAt: f.s.Now()})
	same(f, "twice", f.replay(r), 0)
	for _, types := range [][]string{{"event"}, {"event", "text"}} {
		n := f.replay(store.Replay{AppID: appA, Target: targetB, Types: types, From: start, Limit: 7})
		same(f, fmt.Sprint("types ", types), n, 20*(len(types)-1))
	}
	same(f, "not since then", f.replay(store.Replay{AppID: appA, Target: targetB, From: f.s.Now(), Limit: 7}), 0)
	_, _, err := f.s.ReplayDeliveries(f.ctx, store.Replay{AppID: "wxgone", Target: "wxgone/a", Limit: 1})
	f.wantKind(err, hongyan.NotFound)
}

func deliveriesReplayOrder(f *fixture) {
	ann := f.handOn(targetA, 2, "oAnn")
	for range 2 {
		f.settle(f.take(targetA, true, 10)[0], hongyan.DeliveryDone, time.Time{})
	}
	missed := f.pushes(appA, 1, "oAnn")[0].ID // before the target was there
	last := f.handOn(targetA, 1, "oAnn")[0]
	same(f, "replayed", f.replay(store.Replay{AppID: appA, Target: targetA, Limit: 2}), 3)
	for _, want := range []int64{ann[0], ann[1], missed, last} {
		got := f.take(targetA, true, 10)
		same(f, "next", taken(got), []int64{want})
		f.settle(got[0], hongyan.DeliveryDone, time.Time{})
	}
}

// deliveriesReplayWaiting: a server that was mended need not wait for what failed before.
func deliveriesReplayWaiting(f *fixture) {
	f.handOn(targetA, 2, "")
	claimed := f.take(targetA, false, 2)
	f.settle(claimed[0], hongyan.DeliveryPending, f.s.Now().Add(2*time.Hour))
	time.Sleep(30 * time.Second)
	same(f, "one waits, one is under way", f.replay(store.Replay{AppID: appA, Target: targetA, Limit: 5}), 1)
	same(f, "due now", taken(f.take(targetA, false, 10)), []int64{claimed[0].EventID})
	f.settle(claimed[1], hongyan.DeliveryDone, time.Time{})
	same(f, "was left under way", f.delivery(claimed[1].EventID, targetA).State, hongyan.DeliveryDone)
}

func deliveriesReplayLate(f *fixture) {
	event := f.handOn(targetA, 1, "oAnn")[0]
	slow := f.take(targetA, true, 1)[0]
	time.Sleep(time.Minute)
	f.settle(f.take(targetA, true, 1)[0], hongyan.DeliveryGaveUp, time.Time{})
	same(f, "replayed", f.replay(store.Replay{AppID: appA, Target: targetA, Limit: 5}), 1)
	again := f.take(targetA, true, 1)[0]
	f.settle(slow, hongyan.DeliveryDone, time.Time{})
	same(f, "state", f.delivery(event, targetA), again.Delivery)
}

func deliveriesDrop(f *fixture) {
	f.handOn(targetA, 6, "oAnn")
	f.settle(f.take(targetA, true, 1)[0], hongyan.DeliveryDone, time.Time{})
	f.settle(f.take(targetA, true, 1)[0], hongyan.DeliveryGaveUp, time.Time{})
	f.handOn(targetB, 1, "oAnn")
	n, err := f.s.DropDeliveries(f.ctx, targetA, 3)
	f.must(err)
	same(f, "dropped", n, 3)
	left := f.deliveries(store.DeliveryFilter{Target: targetA})
	same(f, "left", len(left), 3)
	for _, d := range left {
		if d.State == hongyan.DeliveryPending {
			same(f, "what is left can be taken", taken(f.take(targetA, true, 10)), []int64{d.EventID})
		}
	}
	for _, want := range []int{3, 0} {
		n, err = f.s.DropDeliveries(f.ctx, targetA, 10)
		f.must(err)
		same(f, "dropped", n, want)
	}
	same(f, "the other target's", len(f.deliveries(store.DeliveryFilter{})), 1)
	f.handOn(targetA, 1, "oAnn")
	same(f, "a new one is another", f.take(targetA, true, 1)[0].ID > left[0].ID, true)
}

func deliveriesList(f *fixture) {
	states := []hongyan.DeliveryState{hongyan.DeliveryDone, hongyan.DeliveryGaveUp}
	var all []hongyan.Delivery
	for i := range 12 {
		events := f.pushes(appA, 1, "")
		f.finishFor(events, "", targetA, targetB)
		f.handOn(targetC, 1, "")
		if i%3 < 2 {
			f.settle(f.take(targetA, false, 1)[0], states[i%3], time.Time{})
		}
		if i%2 == 0 {
			f.settle(f.take(targetC, false, 1)[0], hongyan.DeliveryDone, time.Time{})
		}
		for _, e := range events {
			all = append(all, f.delivery(e.ID, targetA), f.delivery(e.ID, targetB))
		}
		all = append(all, f.deliveries(store.DeliveryFilter{AppID: appB})[0])
	}
	slices.Reverse(all)
	event := all[10].EventID
	for name, filter := range map[string]store.DeliveryFilter{
		"all": {}, "account": {AppID: appA}, "target": {Target: targetB}, "both": {AppID: appA, Target: targetA},
		"another's target": {AppID: appB, Target: targetA}, "no account": {AppID: appA[:5]}, "event": {EventID: event}, "event and target": {EventID: event, Target: targetA},
		"event of another account": {EventID: event, AppID: appB}, "pending": {States: []hongyan.DeliveryState{hongyan.DeliveryPending}},
		"ended": {States: states}, "ended of a target": {Target: targetA, States: states}, "ended of an account": {AppID: appA, States: states[1:]},
		"event and state": {EventID: event, States: states},
	} {
		want := []hongyan.Delivery{}
		for _, d := range all {
			d = f.delivery(d.EventID, d.Target)
			if (filter.AppID == "" || d.AppID == filter.AppID) && (filter.Target == "" || d.Target == filter.Target) &&
				(filter.EventID == 0 || d.EventID == filter.EventID) && (len(filter.States) == 0 || slices.Contains(filter.States, d.State)) {
				want = append(want, d)
			}
		}
		for _, limit := range []int{1, 5, 1000} {
			got, page := []hongyan.Delivery{}, filter
			page.Limit = limit
			for {
				next := f.deliveries(page)
				got = append(got, next...)
				if len(next) < limit {
					break
				}
				page.Before = next[limit-1].ID
			}
			same(f, fmt.Sprint(name, ", pages of ", limit), got, want)
		}
	}
}

func deliveriesCount(f *fixture) {
	counts := func(appID string) map[string]store.DeliveryCount {
		got, err := f.s.DeliveryCounts(f.ctx, appID)
		f.must(err)
		return got
	}
	same(f, "at first", counts(appA), map[string]store.DeliveryCount{})
	f.handOn(targetA, 4, "")
	f.settle(f.take(targetA, false, 1)[0], hongyan.DeliveryGaveUp, time.Time{})
	time.Sleep(time.Minute)
	f.handOn(targetA, 2, "")
	f.handOn(targetB, 1, "")
	f.handOn(targetC, 1, "")
	start := f.s.Now()
	f.settle(f.take(targetA, false, 1)[0], hongyan.DeliveryDone, time.Time{})
	f.settle(f.take(targetB, false, 1)[0], hongyan.DeliveryDone, time.Time{})
	same(f, "account A", counts(appA), map[string]store.DeliveryCount{
		targetA: {Pending: 4, Done: 1, GaveUp: 1, Oldest: start.Add(-time.Minute)}, targetB: {Done: 1}})
	same(f, "account B", counts(appB), map[string]store.DeliveryCount{targetC: {Pending: 1, Oldest: start}})

	failed := f.take(targetC, false, 1)[0]
	f.must(f.s.FinishDeliveries(f.ctx, []store.DeliveryResult{{ID: failed.ID, Attempts: failed.Attempts, Status: 503, Error: "answered 503"}}))
	f.handOn(targetC, 1, "")
	same(f, "after a failure", counts(appB), map[string]store.DeliveryCount{targetC: {Pending: 2, Oldest: start, Error: "answered 503"}})
}

func deliveriesForgotten(f *fixture) {
	f.handOn(targetA, 3, "oAnn")
	f.settle(f.take(targetA, true, 1)[0], hongyan.DeliveryDone, time.Time{})
	time.Sleep(24 * time.Hour)
	f.settle(f.take(targetA, true, 1)[0], hongyan.DeliveryGaveUp, time.Time{})
	time.Sleep(6*24*time.Hour - time.Second)
	f.sweep(0)
	time.Sleep(time.Second)
	f.sweep(1)
	time.Sleep(24 * time.Hour)
	f.sweep(1)
	time.Sleep(365 * 24 * time.Hour)
	f.sweep(0)
	same(f, "left", len(f.deliveries(store.DeliveryFilter{})), 1)
	same(f, "and taken", len(f.take(targetA, true, 10)), 1)
}

func deliveriesPaused(f *fixture) {
	f.handOn(targetA, 300, "oAnn") // nobody serves it
	want := f.handOn(targetB, 3, "oAnn")
	same(f, "the other's", taken(f.take(targetB, false, 10)), want)
	due, err := f.s.DueTargets(f.ctx)
	f.must(err)
	same(f, "targets", len(due), 2)
	same(f, "kept", len(f.deliveries(store.DeliveryFilter{Target: targetA})), 300)
}
