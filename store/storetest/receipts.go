package storetest

import (
	"fmt"
	"time"

	"hongyan"
	"hongyan/store"
)

var receiptCases = []testCase{
	{name: "that are awaited are counted, whatever the account's kind", run: receiptsAwaited},
	{name: "deliver the message that owns the msgid", bubble: true, run: receiptsAfter},
	{name: "name why a message was not delivered", run: receiptsUndelivered},
	{name: "that come before the answer are joined with it", run: receiptsBefore},
	{name: "that come before many answers are all joined", run: receiptsBeforeMany},
	{name: "change nothing the second time, even when they contradict", run: receiptsDoubled},
	{name: "belong to a msgid of their own account", run: receiptsOtherAccount},
	{name: "belong to the first of two messages with one msgid", run: receiptsOfTwo},
	{name: "raise a failed message but never lower one", run: receiptsRank},
	{name: "without an owner are listed by age", bubble: true, run: receiptsOrphans},
	{name: "without an owner may be a message's in doubt, or have no msgid", bubble: true, run: receiptsJoinable},
	{name: "given to a message in doubt end it, though it was queued for a retry", bubble: true, run: receiptsJoin},
	{name: "given to a message end it while a call is under way; the call is still recorded", bubble: true, run: receiptsJoinSending},
	{name: "are given once, to messages without a receipt, of the same account", run: receiptsJoinRefused},
	{name: "have candidates near their time", bubble: true, run: receiptsCandidates},
	{name: "have no candidates among those that cannot own one", run: receiptsNoCandidates},
}

// event stores an event and returns its id.
func (f *fixture) event(key string) int64 {
	f.Helper()
	_, isNew, err := f.s.InsertEvent(f.ctx, hongyan.Event{AppID: appA, DedupeKey: key, Type: "templatesendjobfinish", Body: []byte("<xml/>")})
	f.must(err)
	same(f, "new event", isNew, true)
	all, err := f.s.PendingEvents(f.ctx, 1000)
	f.must(err)
	return all[len(all)-1].ID
}

// receive takes in a receipt by way of an event.
func (f *fixture) receive(r hongyan.Receipt) {
	f.Helper()
	f.n++
	id := f.event(fmt.Sprint("event-", f.n))
	f.must(f.s.FinishEvents(f.ctx, []store.EventDone{{EventID: id, Receipts: []hongyan.Receipt{r}}}))
}

func (f *fixture) receipt(msgID int64, status string) hongyan.Receipt {
	return hongyan.Receipt{AppID: appA, MsgID: msgID, ToUser: userA, Status: status, Raw: status, At: f.s.Now()}
}

// sent inserts a message that WeChat has accepted.
func (f *fixture) sent(msgID int64) hongyan.Message {
	f.Helper()
	m := f.lease()
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(m, msgID))
	return f.get(m.ID)
}

func (f *fixture) orphans() []store.Orphan {
	f.Helper()
	all, err := f.s.Orphans(f.ctx, 0, 100)
	f.must(err)
	return all
}

func receiptsAfter(f *fixture) {
	m := f.sent(7)
	time.Sleep(time.Second)
	r := f.receipt(7, "success")
	f.receive(r)
	want := m
	r.JoinedBy = "msgid"
	want.State, want.Receipt, want.UpdatedAt = hongyan.Delivered, &r, f.s.Now()
	same(f, "message", f.get(m.ID), want)
	same(f, "orphans", len(f.orphans()), 0)
}

func receiptsUndelivered(f *fixture) {
	for i, status := range []string{"user_block", "system_failed", "freq_limit", "other"} {
		m := f.sent(int64(10 + i))
		f.receive(f.receipt(int64(10+i), status))
		f.wantState(m.ID, hongyan.Undelivered, status)
	}
}

func receiptsBefore(f *fixture) {
	m := f.lease()
	r := f.receipt(7, "user_block")
	f.receive(r)
	same(f, "orphans", len(f.orphans()), 1)
	f.wantState(m.ID, hongyan.Sending, "")
	f.finish(store.Settled{Applied: true, State: hongyan.Undelivered}, f.accepted(m, 7))
	r.JoinedBy = "msgid"
	got := f.get(m.ID)
	same(f, "state", got.State, hongyan.Undelivered)
	same(f, "reason", got.Reason, "user_block")
	same(f, "receipt", got.Receipt, &r)
	same(f, "accepted", got.AcceptedAt.IsZero(), false)
	same(f, "orphans", len(f.orphans()), 0)
}

func receiptsBeforeMany(f *fixture) {
	const n = 75
	var rs []store.Result
	for i := range int64(n) {
		m := f.lease()
		rs = append(rs, f.accepted(m, 1000+i))
		if i%5 != 0 {
			f.receive(f.receipt(1000+i, "success"))
		}
	}
	f.receive(f.receipt(5000, "success"))
	got, err := f.s.FinishAttempts(f.ctx, rs)
	f.must(err)
	for i := range got {
		want := store.Settled{Applied: true, State: hongyan.Delivered}
		if i%5 == 0 {
			want.State = hongyan.Accepted
		}
		same(f, fmt.Sprint("result ", i), got[i], want)
	}
	counts, err := f.s.Counts(f.ctx)
	f.must(err)
	same(f, "counts", nonZero(counts), map[string]map[hongyan.State]int64{appA: {hongyan.Accepted: n / 5, hongyan.Delivered: n - n/5}})
	same(f, "orphans left", len(f.orphans()), 1)
}

func receiptsDoubled(f *fixture) {
	m := f.sent(7)
	f.receive(f.receipt(7, "success"))
	want := f.get(m.ID)
	for range 3 {
		f.receive(f.receipt(7, "success"))
		f.receive(f.receipt(7, "user_block"))
	}
	same(f, "message", f.get(m.ID), want)
	same(f, "orphans", len(f.orphans()), 0)

	early := f.lease()
	f.receive(f.receipt(8, "success"))
	f.receive(f.receipt(8, "user_block"))
	same(f, "the first of two orphans wins", len(f.orphans()), 1)
	f.finish(store.Settled{Applied: true, State: hongyan.Delivered}, f.accepted(early, 8))
}

func receiptsOtherAccount(f *fixture) {
	m := f.sent(7)
	r := f.receipt(7, "success")
	r.AppID = appB
	f.receive(r)
	f.wantState(m.ID, hongyan.Accepted, "")
	f.receive(f.receipt(7, "success"))
	f.wantState(m.ID, hongyan.Delivered, "")
	same(f, "orphans", len(f.orphans()), 1)
}

func receiptsOfTwo(f *fixture) {
	first, second := f.sent(7), f.sent(7)
	f.receive(f.receipt(7, "success"))
	f.wantState(first.ID, hongyan.Delivered, "")
	f.wantState(second.ID, hongyan.Accepted, "")
	same(f, "orphans", len(f.orphans()), 0)
}

func receiptsRank(f *fixture) {
	m := f.lease()
	r := f.accepted(m, 7)
	r.State, r.Reason = hongyan.Failed, "errcode"
	f.finish(store.Settled{Applied: true, State: hongyan.Failed}, r)
	f.receive(f.receipt(7, "success"))
	f.wantState(m.ID, hongyan.Delivered, "")
}

func receiptsOrphans(f *fixture) {
	for i := range int64(3) {
		r := f.receipt(100+i, "success")
		r.At = f.s.Now()
		f.receive(r)
		time.Sleep(time.Hour)
	}
	f.receive(f.receipt(0, "success"))
	f.receive(f.receipt(0, "success"))
	all := f.orphans()
	same(f, "orphans; without msgid each counts", len(all), 5)
	same(f, "oldest first", all[0].Receipt, hongyan.Receipt{AppID: appA, MsgID: 100, ToUser: userA, Status: "success", Raw: "success", At: all[0].StoredAt})
	old, err := f.s.Orphans(f.ctx, 2*time.Hour, 100)
	f.must(err)
	same(f, "at least two hours old", len(old), 2)
	few, err := f.s.Orphans(f.ctx, 0, 1)
	f.must(err)
	same(f, "limited", len(few), 1)
	time.Sleep(22 * time.Hour)
	same(f, "not older than a day", len(f.orphans()), 4)
}

func receiptsJoinable(f *fixture) {
	joinable := func(age time.Duration, after int64, limit int) (msgIDs []int64, last int64) {
		all, err := f.s.Joinable(f.ctx, age, after, limit)
		f.must(err)
		for _, o := range all {
			msgIDs, last = append(msgIDs, o.Receipt.MsgID), o.ID
		}
		return msgIDs, last
	}
	doubtful := f.doubtful()
	f.doubtful() // two to one user: each orphan once
	f.sent(900)
	for i, user := range []string{"oStranger", userA, "oStranger", userA} {
		r := f.receipt(int64(10+i), "success")
		r.ToUser = user
		f.receive(r)
	}
	other := f.receipt(50, "success")
	other.AppID = appB
	f.receive(other)
	nameless := f.receipt(0, "success")
	nameless.ToUser = "oStranger"
	f.receive(nameless)
	got, _ := joinable(0, 0, 10)
	same(f, "joinable", got, []int64{11, 13, 0})
	got, last := joinable(0, 0, 2)
	same(f, "the first two", got, []int64{11, 13})
	got, _ = joinable(0, last, 2)
	same(f, "the rest", got, []int64{0})
	got, _ = joinable(time.Second, 0, 10)
	same(f, "a second old", got, nil)
	time.Sleep(time.Second)
	got, _ = joinable(time.Second, 0, 10)
	same(f, "a second later", got, []int64{11, 13, 0})
	all, err := f.s.Joinable(f.ctx, 0, 0, 1)
	f.must(err)
	joined, err := f.s.JoinOrphan(f.ctx, all[0].ID, doubtful.ID)
	f.must(err)
	same(f, "joined", joined, true)
	got, _ = joinable(0, 0, 10)
	same(f, "while the other is in doubt", got, []int64{13, 0})
	time.Sleep(24 * time.Hour)
	got, _ = joinable(0, 0, 10)
	same(f, "after a day", got, nil)
}

func receiptsJoin(f *fixture) {
	m := f.doubtful()
	r := f.receipt(55, "success")
	f.receive(r)
	joined, err := f.s.JoinOrphan(f.ctx, f.orphans()[0].ID, m.ID)
	f.must(err)
	same(f, "joined", joined, true)
	r.JoinedBy = "user_and_time"
	got := f.get(m.ID)
	same(f, "state", got.State, hongyan.Delivered)
	same(f, "receipt", got.Receipt, &r)
	same(f, "orphans", len(f.orphans()), 0)
	time.Sleep(time.Hour)
	same(f, "claimable", len(f.claim(10)), 0)
	f.receive(f.receipt(55, "success"))
	same(f, "the same push again finds its owner", len(f.orphans()), 0)
}

func receiptsJoinSending(f *fixture) {
	f.doubtful()
	time.Sleep(time.Minute)
	leased := f.claim(1)[0]
	f.receive(f.receipt(55, "success"))
	joined, err := f.s.JoinOrphan(f.ctx, f.orphans()[0].ID, leased.ID)
	f.must(err)
	same(f, "joined", joined, true)
	before := f.usedToday(appA)
	r := f.accepted(leased, 55)
	f.finish(store.Settled{Applied: true, State: hongyan.Delivered}, r)
	f.finish(store.Settled{State: hongyan.Delivered}, r)
	same(f, "usage counted once", f.usedToday(appA), before+1)
	attempts, err := f.s.Attempts(f.ctx, leased.ID)
	f.must(err)
	same(f, "attempts", len(attempts), 2)
	f.wantState(leased.ID, hongyan.Delivered, "")
	f.die()
	taken, err := f.s.TakeOver(f.ctx, f.epoch, 10)
	f.must(err)
	same(f, "taken over", len(taken), 0)
}

func receiptsJoinRefused(f *fixture) {
	f.receive(f.receipt(1, "success"))
	f.receive(f.receipt(2, "success"))
	all := f.orphans()
	_, err := f.s.JoinOrphan(f.ctx, all[0].ID, "msg_nope")
	f.wantKind(err, hongyan.NotFound)
	m := f.doubtful()
	stranger := f.insert(func(m *hongyan.Message) { m.AppID = appB })
	for _, c := range []struct {
		orphan int64
		id     string
		want   bool
	}{{all[0].ID, stranger.ID, false}, {all[0].ID, m.ID, true}, {all[0].ID, m.ID, false}, {all[1].ID, m.ID, false}, {9999, m.ID, false}} {
		joined, err := f.s.JoinOrphan(f.ctx, c.orphan, c.id)
		f.must(err)
		same(f, "joined", joined, c.want)
	}
	same(f, "orphans", len(f.orphans()), 1)
}

func receiptsCandidates(f *fixture) {
	candidates := func(from, to time.Duration) []string {
		ms, err := f.s.Candidates(f.ctx, appA, userA, f.s.Now().Add(from), f.s.Now().Add(to))
		f.must(err)
		return ids(ms)
	}
	accepted := f.sent(1)
	doubt := f.doubtful()
	sending := f.lease()
	uncertain := f.lease()
	f.finish(store.Settled{Applied: true, State: hongyan.Uncertain}, store.Result{Fence: fenceOf(uncertain), AppID: appA, State: hongyan.Uncertain})
	givenUp := f.lease()
	f.finish(store.Settled{Applied: true, State: hongyan.Failed}, store.Result{
		Fence: fenceOf(givenUp), AppID: appA, State: hongyan.Failed, Reason: "no_answer", DoubtSince: givenUp.FirstAt})
	all := []string{accepted.ID, doubt.ID, sending.ID, uncertain.ID, givenUp.ID}
	same(f, "now", candidates(-time.Minute, time.Minute), all)
	time.Sleep(time.Hour)
	same(f, "too late", candidates(-time.Minute, time.Minute), []string{})
	same(f, "an hour back", candidates(-2*time.Hour, 0), all)
	again := f.claim(1)[0]
	same(f, "claimed again", again.ID, doubt.ID)
	same(f, "attempted now", candidates(-time.Minute, time.Minute), []string{doubt.ID})
	f.finish(store.Settled{Applied: true, State: hongyan.Queued}, func() store.Result {
		r := f.retry(again, time.Hour)
		r.DoubtSince = again.DoubtSince
		return r
	}())
	time.Sleep(time.Hour)
	third := f.claim(1)[0]
	r := f.retry(third, time.Hour)
	r.DoubtSince = again.DoubtSince
	f.finish(store.Settled{Applied: true, State: hongyan.Queued}, r)
	same(f, "the middle attempt", candidates(-time.Hour-time.Minute, -time.Hour+time.Minute), []string{doubt.ID})
	for range 12 {
		f.sent(int64(1000 + f.n))
	}
	same(f, "at most ten", len(candidates(-time.Minute, time.Minute)), 10)
}

func receiptsNoCandidates(f *fixture) {
	f.insert()
	f.sent(1)
	f.receive(f.receipt(1, "success"))
	f.insert(func(m *hongyan.Message) { m.State = hongyan.Failed })
	mini := f.lease(func(m *hongyan.Message) { m.Kind = hongyan.KindMiniTemplate })
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(mini, 3))
	f.lease(func(m *hongyan.Message) { m.ToUser = "oOther" })
	f.lease(func(m *hongyan.Message) { m.AppID = appB })
	now := f.s.Now()
	ms, err := f.s.Candidates(f.ctx, appA, userA, now.Add(-time.Hour), now.Add(time.Hour))
	f.must(err)
	same(f, "candidates", ids(ms), []string{})
}

func receiptsAwaited(f *fixture) {
	for i, kind := range []hongyan.MessageKind{hongyan.KindTemplate, hongyan.KindSubscribe, hongyan.KindMiniTemplate} {
		m := f.lease(func(m *hongyan.Message) { m.Kind = kind })
		f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(m, int64(i+1)))
	}
	f.lease(func(m *hongyan.Message) { m.Kind = hongyan.KindSubscribe })
	got, err := f.s.Awaited(f.ctx)
	f.must(err)
	same(f, "awaited", got, map[string]int64{appA: 2})
}
