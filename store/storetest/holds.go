package storetest

import (
	"time"

	"hongyan"
	"hongyan/store"
)

var holdCases = []testCase{
	{name: "are kept once per account, kind and reason, with the earlier since", bubble: true, run: holdsKept},
	{name: "of one key: the one that lasts longer stays", bubble: true, run: holdsRenewed},
	{name: "whose time has come are removed, unless they were renewed", bubble: true, run: holdsLapse},
	{name: "are cleared by kind and reason, or by any", run: holdsCleared},
	{name: "show queued messages as held, and only those they cover", bubble: true, run: holdsView},
	{name: "count in lists and counters", run: holdsFilters},
	{name: "show the longest of several", bubble: true, run: holdsLongest},
	{name: "whose time has passed hold nothing", bubble: true, run: holdsLapsed},
	{name: "of what was due before a time leave the urgent and the later alone", bubble: true, run: holdsBefore},
	{name: "of an account do not stop a claim", run: holdsClaim},
	{name: "of a template hold queued messages until released", bubble: true, run: holdsTemplate},
	{name: "of a template leave what is in doubt alone", bubble: true, run: holdsTemplateDoubt},
	{name: "of a template with an end let go by themselves", bubble: true, run: holdsTemplateUntil},
	{name: "of a template leave what was scheduled its time", bubble: true, run: holdsTemplateKeepsSchedule},
	{name: "of a template work in portions", run: holdsTemplatePortions},
	{name: "show in a replay", run: holdsReplay},
}

func (f *fixture) hold(h hongyan.Hold) hongyan.Hold {
	f.Helper()
	f.must(f.s.PutHold(f.ctx, h))
	return h
}

func holdsKept(f *fixture) {
	now := f.s.Now()
	h := hongyan.Hold{AppID: appA, Kind: hongyan.KindTemplate, Reason: hongyan.HoldQuota, Since: now, Until: now.Add(time.Hour),
		Release: "midnight", Errcode: 45009, Detail: "daily limit"}
	f.hold(h)
	later := h
	later.Since, later.Until, later.Detail = now.Add(time.Minute), time.Time{}, "again"
	f.hold(later)
	f.hold(hongyan.Hold{AppID: appA, Reason: hongyan.HoldQuota, Since: now})
	later.Since = now
	got, err := f.s.Holds(f.ctx)
	f.must(err)
	same(f, "holds", got, []hongyan.Hold{{AppID: appA, Reason: hongyan.HoldQuota, Since: now}, later})
}

func holdsRenewed(f *fixture) {
	now := f.s.Now()
	day := f.hold(hongyan.Hold{AppID: appA, Kind: hongyan.KindTemplate, Reason: hongyan.HoldQuota, Since: now, Until: now.Add(10 * time.Hour),
		Release: "midnight", Errcode: 45009})
	minute := day
	minute.Until, minute.Release, minute.Errcode = now.Add(time.Minute), "the next minute", 45011
	f.hold(minute)
	got, err := f.s.Holds(f.ctx)
	f.must(err)
	same(f, "after a shorter one", got, []hongyan.Hold{day})
	again := day
	again.Since, again.Detail = now.Add(time.Second), "again"
	f.hold(again)
	again.Since = now
	got, err = f.s.Holds(f.ctx)
	f.must(err)
	same(f, "after one as long", got, []hongyan.Hold{again})
	forever := again
	forever.Until, forever.Detail = time.Time{}, "for ever"
	f.hold(forever)
	f.hold(day)
	got, err = f.s.Holds(f.ctx)
	f.must(err)
	same(f, "nothing outlasts one that waits for a person", got, []hongyan.Hold{forever})
}

func holdsLapse(f *fixture) {
	now := f.s.Now()
	first := f.hold(hongyan.Hold{AppID: appA, Reason: hongyan.HoldToken, Since: now, Until: now.Add(time.Minute)})
	other := f.hold(hongyan.Hold{AppID: appA, Kind: hongyan.KindTemplate, Reason: hongyan.HoldToken, Since: now, Until: now.Add(time.Minute)})
	paused := f.hold(hongyan.Hold{AppID: appA, Reason: hongyan.HoldPaused, Since: now})
	time.Sleep(time.Minute)
	renewed := f.hold(hongyan.Hold{AppID: appA, Reason: hongyan.HoldToken, Since: now, Until: now.Add(2 * time.Minute)})
	for _, c := range []struct {
		hold hongyan.Hold
		want bool
	}{{first, false}, {other, true}, {other, false}, {hongyan.Hold{AppID: appA, Reason: hongyan.HoldPaused, Until: now}, false}} {
		gone, err := f.s.LapseHold(f.ctx, c.hold)
		f.must(err)
		same(f, "removed", gone, c.want)
	}
	got, err := f.s.Holds(f.ctx)
	f.must(err)
	same(f, "holds", got, []hongyan.Hold{paused, renewed})
	gone, err := f.s.LapseHold(f.ctx, renewed)
	f.must(err)
	same(f, "the renewed one removed", gone, true)
}

func holdsCleared(f *fixture) {
	put := func() {
		for _, kind := range []hongyan.MessageKind{"", hongyan.KindTemplate} {
			for _, reason := range []string{hongyan.HoldPaused, hongyan.HoldQuota} {
				f.hold(hongyan.Hold{AppID: appA, Kind: kind, Reason: reason})
				f.hold(hongyan.Hold{AppID: appB, Kind: kind, Reason: reason})
			}
		}
	}
	for _, c := range []struct {
		kind   hongyan.MessageKind
		reason string
		want   int
	}{
		{"", hongyan.HoldPaused, 1},
		{hongyan.KindTemplate, hongyan.HoldQuota, 1},
		{"*", hongyan.HoldQuota, 2},
		{"", "*", 2},
		{"*", "*", 4},
		{hongyan.KindMiniTemplate, "*", 0},
		{"", hongyan.HoldToken, 0},
	} {
		put()
		n, err := f.s.ClearHold(f.ctx, appA, c.kind, c.reason)
		f.must(err)
		same(f, "cleared "+string(c.kind)+" "+c.reason, n, c.want)
	}
	n, err := f.s.ClearHold(f.ctx, appB, "*", "*")
	f.must(err)
	same(f, "the other account's", n, 4)
}

func holdsView(f *fixture) {
	queued := f.insert()
	mini := f.insert(func(m *hongyan.Message) { m.Kind = hongyan.KindMiniTemplate })
	other := f.insert(func(m *hongyan.Message) { m.AppID = appB })
	leased := f.lease()
	own := f.insert(func(m *hongyan.Message) {
		m.State, m.Reason, m.Hold = hongyan.Held, hongyan.HoldTemplate, &hongyan.Hold{Reason: hongyan.HoldTemplate}
	})
	h := f.hold(hongyan.Hold{AppID: appA, Kind: hongyan.KindTemplate, Reason: hongyan.HoldPaused, Since: f.s.Now(), Release: "resume"})
	want := queued
	want.State, want.Reason, want.Hold = hongyan.Held, hongyan.HoldPaused, &h
	same(f, "held by view", f.get(queued.ID), want)
	same(f, "of another kind", f.get(mini.ID), mini)
	same(f, "of another account", f.get(other.ID), other)
	same(f, "under way", f.get(leased.ID), leased)
	same(f, "held for its own reason", f.get(own.ID), own)
	_, err := f.s.ClearHold(f.ctx, appA, "*", "*")
	f.must(err)
	same(f, "released", f.get(queued.ID), queued)
}

func holdsFilters(f *fixture) {
	a := f.insert()
	b := f.insert(func(m *hongyan.Message) { m.AppID = appB })
	mini := f.insert(func(m *hongyan.Message) { m.AppID, m.Kind = appB, hongyan.KindMiniTemplate })
	f.hold(hongyan.Hold{AppID: appB, Kind: hongyan.KindTemplate, Reason: hongyan.HoldPaused})
	for name, filter := range map[string]store.Filter{
		"all":        {},
		"by account": {AppIDs: []string{appA, appB}},
		"by user":    {ToUser: userA},
		"by word":    {Query: userA},
	} {
		filter.Limit = 10
		filter.States = []hongyan.State{hongyan.Held}
		same(f, name+", held", ids(f.list(filter).Items), []string{b.ID})
		filter.States = []hongyan.State{hongyan.Queued}
		same(f, name+", queued", ids(f.list(filter).Items), []string{mini.ID, a.ID})
		filter.States = []hongyan.State{hongyan.Queued, hongyan.Held}
		same(f, name+", both", ids(f.list(filter).Items), []string{mini.ID, b.ID, a.ID})
	}
	shown := f.list(store.Filter{AppIDs: []string{appB}, States: []hongyan.State{hongyan.Held}, Limit: 1}).Items[0]
	same(f, "shown state", shown.State, hongyan.Held)
	same(f, "shown reason", shown.Reason, hongyan.HoldPaused)
	counts, err := f.s.Counts(f.ctx)
	f.must(err)
	same(f, "counts", nonZero(counts), map[string]map[hongyan.State]int64{
		appA: {hongyan.Queued: 1}, appB: {hongyan.Queued: 1, hongyan.Held: 1},
	})
}

func holdsLongest(f *fixture) {
	m := f.insert()
	now := f.s.Now()
	for _, step := range []struct {
		reason string
		until  time.Time
		want   string
	}{
		{hongyan.HoldQuota, now.Add(time.Hour), hongyan.HoldQuota},
		{hongyan.HoldToken, now.Add(time.Minute), hongyan.HoldQuota},
		{hongyan.HoldUnreachable, now.Add(2 * time.Hour), hongyan.HoldUnreachable},
		{hongyan.HoldPaused, time.Time{}, hongyan.HoldPaused},
	} {
		f.hold(hongyan.Hold{AppID: appA, Reason: step.reason, Since: now, Until: step.until})
		f.wantState(m.ID, hongyan.Held, step.want)
	}
}

func holdsLapsed(f *fixture) {
	m := f.insert()
	f.hold(hongyan.Hold{AppID: appA, Reason: hongyan.HoldQuota, Until: f.s.Now().Add(time.Hour)})
	time.Sleep(time.Hour - time.Millisecond)
	f.wantState(m.ID, hongyan.Held, hongyan.HoldQuota)
	time.Sleep(time.Millisecond)
	f.wantState(m.ID, hongyan.Queued, "")
	for _, filter := range []store.Filter{{AppIDs: []string{appA}}, {ToUser: userA}, {}} {
		filter.Limit, filter.States = 5, []hongyan.State{hongyan.Queued}
		same(f, "queued again", ids(f.list(filter).Items), []string{m.ID})
	}
	counts, err := f.s.Counts(f.ctx)
	f.must(err)
	same(f, "counts", nonZero(counts), map[string]map[hongyan.State]int64{appA: {hongyan.Queued: 1}})
}

func holdsBefore(f *fixture) {
	old := f.insert()
	urgent := f.insert(func(m *hongyan.Message) { m.Priority = hongyan.Urgent })
	f.insert(func(m *hongyan.Message) { m.State = hongyan.Failed })
	time.Sleep(time.Hour)
	h := f.hold(hongyan.Hold{AppID: appA, Reason: hongyan.HoldQuietHours, Since: f.s.Now(), Until: f.s.Now().Add(time.Hour), Before: f.s.Now()})
	young := f.insert()
	want := old
	want.State, want.Reason, want.Hold = hongyan.Held, hongyan.HoldQuietHours, &h
	same(f, "held by view", f.get(old.ID), want)
	same(f, "urgent", f.get(urgent.ID), urgent)
	same(f, "due later", f.get(young.ID), young)
	for name, filter := range map[string]store.Filter{
		"all": {}, "by account": {AppIDs: []string{appA}}, "by user": {ToUser: userA}, "by word": {Query: userA},
	} {
		filter.Limit = 5
		filter.States = []hongyan.State{hongyan.Held}
		same(f, name+", held", ids(f.list(filter).Items), []string{old.ID})
		filter.States = []hongyan.State{hongyan.Queued}
		same(f, name+", queued", ids(f.list(filter).Items), []string{young.ID, urgent.ID})
	}
	counts, err := f.s.Counts(f.ctx)
	f.must(err)
	same(f, "counts", nonZero(counts), map[string]map[hongyan.State]int64{appA: {hongyan.Queued: 2, hongyan.Held: 1, hongyan.Failed: 1}})
}

func holdsClaim(f *fixture) {
	m := f.insert()
	f.hold(hongyan.Hold{AppID: appA, Reason: hongyan.HoldPaused})
	got := f.claim(1)
	same(f, "claimed", ids(got), []string{m.ID})
	same(f, "state", got[0].State, hongyan.Sending)
}

// bannedHold is a hold for a banned template of account A, complete.
func bannedHold(since time.Time) hongyan.Hold {
	return hongyan.Hold{AppID: appA, Kind: hongyan.KindTemplate, Reason: hongyan.HoldTemplate, Since: since,
		Release: "sync the templates", Errcode: 43116, Detail: "This template_id is banned"}
}

func holdsTemplate(f *fixture) {
	m := f.insert()
	other := f.insert(func(m *hongyan.Message) { m.TemplateID = "tmpl-2" })
	leased := f.lease()
	held, err := f.s.HoldTemplate(f.ctx, "tmpl-1", bannedHold(f.s.Now()), 10)
	f.must(err)
	same(f, "held", held, 1)
	got := f.get(m.ID)
	same(f, "state", got.State, hongyan.Held)
	same(f, "reason", got.Reason, hongyan.HoldTemplate)
	want := bannedHold(f.s.Now())
	same(f, "hold", got.Hold, &want)
	f.wantState(leased.ID, hongyan.Sending, "")
	time.Sleep(48 * time.Hour)
	same(f, "claimable", ids(f.claim(10)), []string{other.ID})
	released, err := f.s.ReleaseTemplate(f.ctx, appA, "tmpl-1", "another reason", f.s.Now(), 10)
	f.must(err)
	same(f, "released for another reason", released, 0)
	due := f.s.Now().Add(time.Hour)
	released, err = f.s.ReleaseTemplate(f.ctx, appA, "tmpl-1", hongyan.HoldTemplate, due, 10)
	f.must(err)
	same(f, "released", released, 1)
	m.DueAt, m.UpdatedAt = due, f.s.Now()
	same(f, "message", f.get(m.ID), m)

	held, err = f.s.HoldTemplate(f.ctx, "tmpl-1", bannedHold(f.s.Now()), 10)
	f.must(err)
	same(f, "held again", held, 1)
	released, err = f.s.ReleaseTemplate(f.ctx, appA, "", hongyan.HoldTemplate, due, 10)
	f.must(err)
	same(f, "released of any template", released, 1)
}

// A message in doubt must settle inside its window, banned template or not.
func holdsTemplateDoubt(f *fixture) {
	m := f.doubtful()
	n, err := f.s.HoldTemplate(f.ctx, "tmpl-1", bannedHold(f.s.Now()), 10)
	f.must(err)
	same(f, "held", n, 0)
	same(f, "message", f.get(m.ID), m)
}

func holdsTemplateUntil(f *fixture) {
	now := f.s.Now()
	soon := f.insert()
	late := f.insert(func(m *hongyan.Message) { m.DueAt = now.Add(2 * time.Hour) })
	n, err := f.s.HoldTemplate(f.ctx, "tmpl-1", hongyan.Hold{AppID: appA, Reason: hongyan.HoldTemplate, Until: now.Add(time.Hour)}, 10)
	f.must(err)
	same(f, "held", n, 2)
	same(f, "at once", len(f.claim(10)), 0)
	time.Sleep(time.Hour)
	same(f, "after the end", ids(f.claim(10)), []string{soon.ID})
	time.Sleep(time.Hour)
	same(f, "scheduled later", ids(f.claim(10)), []string{late.ID})
}

// What was scheduled before its template was banned is not sent early after it.
func holdsTemplateKeepsSchedule(f *fixture) {
	now := f.s.Now()
	later := f.insert(func(m *hongyan.Message) { m.DueAt = now.Add(48 * time.Hour) })
	n, err := f.s.HoldTemplate(f.ctx, "tmpl-1", bannedHold(now), 10)
	f.must(err)
	same(f, "held", n, 1)
	same(f, "due while held", f.get(later.ID).DueAt, later.DueAt)
	time.Sleep(24 * time.Hour)
	n, err = f.s.ReleaseTemplate(f.ctx, appA, "tmpl-1", hongyan.HoldTemplate, time.Time{}, 10)
	f.must(err)
	same(f, "released", n, 1)
	same(f, "due when released", f.get(later.ID).DueAt, later.DueAt)
	same(f, "a day early", len(f.claim(10)), 0)
	time.Sleep(24 * time.Hour)
	same(f, "at its time", ids(f.claim(10)), []string{later.ID})
}

func holdsTemplatePortions(f *fixture) {
	for range 70 {
		f.insert()
	}
	for _, want := range []int{40, 30, 0} {
		n, err := f.s.HoldTemplate(f.ctx, "tmpl-1", bannedHold(f.s.Now()), 40)
		f.must(err)
		same(f, "held", n, want)
	}
	for _, want := range []int{40, 30, 0} {
		n, err := f.s.ReleaseTemplate(f.ctx, appA, "tmpl-1", hongyan.HoldTemplate, time.Time{}, 40)
		f.must(err)
		same(f, "released", n, want)
	}
	same(f, "claimable", len(f.claim(100)), 70)
}

func holdsReplay(f *fixture) {
	f.insertNew(f.keyed("k", 1), store.InsertedNew)
	f.hold(hongyan.Hold{AppID: appA, Reason: hongyan.HoldPaused})
	again := f.insertNew(f.keyed("k", 1), store.InsertedReplay)
	same(f, "state", again.State, hongyan.Held)
	same(f, "as read", f.get(again.ID), again)
}
