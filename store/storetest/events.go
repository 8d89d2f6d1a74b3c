package storetest

import (
	"context"
	"fmt"

	"hongyan"
	"hongyan/store"
)

var eventCases = []testCase{
	{name: "are pending until finished, oldest first", bubble: true, run: eventsLife},
	{name: "are one event however often they are pushed", run: eventsDuplicates},
	{name: "apply their receipt once", run: eventsOnce},
	{name: "are listed newest first, by account, page by page", run: eventsList},
}

func eventsLife(f *fixture) {
	now := f.s.Now()
	e := hongyan.Event{AppID: appA, DedupeKey: "k1", Type: "templatesendjobfinish", OpenID: userA, CreateTime: now, MsgID: 5, Body: []byte("<xml>你好</xml>"), ReceivedAt: now}
	_, isNew, err := f.s.InsertEvent(f.ctx, e)
	f.must(err)
	same(f, "new", isNew, true)
	f.event("k2")
	pending, err := f.s.PendingEvents(f.ctx, 10)
	f.must(err)
	same(f, "pending", len(pending), 2)
	e.ID = pending[0].ID
	same(f, "event", pending[0], e)
	one, err := f.s.PendingEvents(f.ctx, 1)
	f.must(err)
	same(f, "limited, oldest first", one, pending[:1])
	f.must(f.s.FinishEvents(f.ctx, []store.EventDone{{EventID: e.ID}}))
	pending, err = f.s.PendingEvents(f.ctx, 10)
	f.must(err)
	same(f, "still pending", len(pending), 1)
	all, err := f.s.Events(f.ctx, appA, 0, 10)
	f.must(err)
	e.ProcessedAt = f.s.Now()
	same(f, "finished", all[1], e)
}

func eventsDuplicates(f *fixture) {
	inserted := countTrue(f, 20, func(ctx context.Context, _ int) (bool, error) {
		_, isNew, err := f.s.InsertEvent(ctx, hongyan.Event{AppID: appA, DedupeKey: "same"})
		return isNew, err
	})
	same(f, "new", inserted, 1)
	f.event("other key")
	_, isNew, err := f.s.InsertEvent(f.ctx, hongyan.Event{AppID: appB, DedupeKey: "same"})
	f.must(err)
	same(f, "new for another account", isNew, true)
	all, err := f.s.Events(f.ctx, "", 0, 10)
	f.must(err)
	same(f, "events", len(all), 3)
	same(f, "duplicates", all[2].Duplicates, 19)
}

func eventsOnce(f *fixture) {
	id := f.event("k")
	r := f.receipt(0, "success")
	for range 3 {
		f.must(f.s.FinishEvents(f.ctx, []store.EventDone{{EventID: id, Receipts: []hongyan.Receipt{r}}}))
	}
	same(f, "orphans", len(f.orphans()), 1)
}

func eventsList(f *fixture) {
	for i := range 5 {
		_, _, err := f.s.InsertEvent(f.ctx, hongyan.Event{AppID: []string{appA, appB}[i%2], DedupeKey: fmt.Sprint(i)})
		f.must(err)
	}
	keys := func(appID string, limit int) []string {
		got := []string{}
		var before int64
		for {
			page, err := f.s.Events(f.ctx, appID, before, limit)
			f.must(err)
			for _, e := range page {
				got = append(got, e.DedupeKey)
				before = e.ID
			}
			if len(page) < limit {
				return got
			}
		}
	}
	for _, limit := range []int{1, 2, 10} {
		same(f, "all", keys("", limit), []string{"4", "3", "2", "1", "0"})
		same(f, "account A", keys(appA, limit), []string{"4", "2", "0"})
		same(f, "account B", keys(appB, limit), []string{"3", "1"})
	}
}
