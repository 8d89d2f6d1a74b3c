package storetest

import (
	"strconv"
	"time"

	"hongyan"
	"hongyan/store"
)

var ownCases = []testCase{
	{name: "are given once, and stay with the message to its end", bubble: true, run: ownLife},
	{name: "are not given where WeChat's number is known, or after the end", run: ownRefused},
	{name: "leave a leased message's fence and times alone", bubble: true, run: ownLeased},
	{name: "show the hold of an account", run: ownHeld},
	{name: "are found by what a person pastes", run: ownQuery},
	{name: "go with the receipt of WeChat's number", run: ownHandedOn},
	{name: "go with a receipt joined by user and time", bubble: true, run: ownJoined},
	{name: "go with a receipt whose number is not the message's", bubble: true, run: ownOtherNumber},
	{name: "go with a receipt without number, if it is clear whose it is", bubble: true, run: ownNameless},
	{name: "leave it open whose a receipt is, for a day", bubble: true, run: ownOpen},
}

// answer asks for a message's own number.
func (f *fixture) answer(id string) hongyan.Message {
	f.Helper()
	m, err := f.s.AnswerMsgID(f.ctx, id)
	f.must(err)
	return m
}

// handedOn checks what number a receipt of account A is handed on with.
func (f *fixture) handedOn(what string, msgID int64, toUser string, wantOwn int64, wantOpen bool) {
	f.Helper()
	own, open, err := f.s.HandedOnMsgID(f.ctx, appA, msgID, toUser)
	f.must(err)
	same(f, what+": own number", own, wantOwn)
	same(f, what+": open", open, wantOpen)
}

func ownLife(f *fixture) {
	want := f.insert()
	want.OwnMsgID = hongyan.OwnMsgID(want.Seq)
	for range 3 {
		same(f, "answered", f.answer(want.ID), want)
	}
	same(f, "as read", f.get(want.ID), want)
	leased := f.claim(1)[0]
	same(f, "claimed", leased.OwnMsgID, want.OwnMsgID)
	f.finish(store.Settled{Applied: true, State: hongyan.Queued}, f.retry(leased, time.Minute))
	time.Sleep(time.Minute)
	leased = f.claim(1)[0]
	same(f, "claimed again", leased.OwnMsgID, want.OwnMsgID)
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(leased, 7))
	same(f, "once WeChat's is known", f.answer(want.ID), f.get(want.ID))
	same(f, "kept", f.get(want.ID).OwnMsgID, want.OwnMsgID)
	same(f, "listed", f.list(store.Filter{Limit: 1}).Items[0].OwnMsgID, want.OwnMsgID)
	f.receive(f.receipt(7, "success"))
	same(f, "kept to the end", f.get(want.ID).OwnMsgID, want.OwnMsgID)
	_, err := f.s.AnswerMsgID(f.ctx, "msg_nope")
	f.wantKind(err, hongyan.NotFound)
}

func ownRefused(f *fixture) {
	accepted := f.sent(5)
	failed := f.insert(func(m *hongyan.Message) { m.State = hongyan.Failed })
	cancelled := f.insert()
	_, err := f.s.Cancel(f.ctx, cancelled.ID)
	f.must(err)
	joined := f.lease()
	f.receive(f.receipt(6, "success"))
	_, err = f.s.JoinOrphan(f.ctx, f.orphans()[0].ID, joined.ID)
	f.must(err)
	for _, m := range []hongyan.Message{accepted, failed, cancelled, joined} {
		got := f.answer(m.ID)
		same(f, "own number of "+got.State.String(), got.OwnMsgID, int64(0))
		same(f, "as read", got, f.get(m.ID))
	}
}

func ownLeased(f *fixture) {
	m := f.lease()
	time.Sleep(3 * time.Second)
	want := m
	want.OwnMsgID = hongyan.OwnMsgID(m.Seq)
	same(f, "answered", f.answer(m.ID), want)
	same(f, "as read", f.get(m.ID), want)
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(m, 7))
}

func ownHeld(f *fixture) {
	m := f.insert()
	f.must(f.s.PutHold(f.ctx, hongyan.Hold{AppID: appA, Reason: hongyan.HoldPaused}))
	got := f.answer(m.ID)
	same(f, "state", got.State, hongyan.Held)
	same(f, "as read", got, f.get(m.ID))
}

func ownQuery(f *fixture) {
	m := f.insert()
	word := strconv.FormatInt(hongyan.OwnMsgID(m.Seq), 10)
	same(f, "not answered yet", f.walk(store.Filter{Query: word, Limit: 5}), []string{})
	f.answer(m.ID)
	f.answer(f.insert().ID)
	same(f, "answered", f.walk(store.Filter{Query: word, Limit: 5}), []string{m.ID})
	for _, word := range []string{"9000000000000000000", "-9223372036854775808", "9223372036854775807"} {
		same(f, word, f.walk(store.Filter{Query: word, Limit: 5}), []string{})
	}
}

func ownHandedOn(f *fixture) {
	plain := f.sent(5)
	f.handedOn("a message without one", 5, plain.ToUser, 0, false)
	m := f.lease()
	own := f.answer(m.ID).OwnMsgID
	f.handedOn("while the call is under way", 7, m.ToUser, 0, true)
	f.handedOn("another's", 5, m.ToUser, 0, false)
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(m, 7))
	f.handedOn("before the receipt", 7, m.ToUser, own, false)
	f.receive(f.receipt(7, "success"))
	f.handedOn("after the receipt", 7, m.ToUser, own, false)
	f.handedOn("whoever it is said to be to", 7, "oOther", own, false)
	f.handedOn("a receipt of nobody", 8, m.ToUser, 0, false)
	_, open, err := f.s.HandedOnMsgID(f.ctx, appB, 7, m.ToUser)
	f.must(err)
	same(f, "open for another account", open, false)
}

// joinNewest gives the newest orphan to a message.
func (f *fixture) joinNewest(id string) {
	f.Helper()
	all := f.orphans()
	joined, err := f.s.JoinOrphan(f.ctx, all[len(all)-1].ID, id)
	f.must(err)
	same(f, "joined", joined, true)
}

func ownJoined(f *fixture) {
	m := f.doubtful()
	own := f.answer(m.ID).OwnMsgID
	f.receive(f.receipt(55, "success"))
	f.handedOn("before it is joined", 55, m.ToUser, 0, true)
	f.joinNewest(m.ID)
	f.handedOn("joined", 55, m.ToUser, own, false)
	f.handedOn("another receipt", 56, m.ToUser, 0, false)
}

// ownOtherNumber: the event named another msgid than the answer did.
func ownOtherNumber(f *fixture) {
	m := f.lease()
	own := f.answer(m.ID).OwnMsgID
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(m, 7))
	f.receive(f.receipt(55, "success"))
	f.handedOn("before it is joined", 55, m.ToUser, 0, false)
	f.joinNewest(m.ID)
	f.handedOn("the event's", 55, m.ToUser, own, false)
	f.handedOn("the answer's", 7, m.ToUser, own, false)
}

// ownNameless: an old platform's events have no msgid.
func ownNameless(f *fixture) {
	first := f.doubtful()
	own := f.answer(first.ID).OwnMsgID
	f.receive(f.receipt(0, "success"))
	f.handedOn("before it is joined", 0, userA, 0, true)
	f.joinNewest(first.ID)
	f.handedOn("the only one", 0, userA, own, false)
	second := f.doubtful()
	f.answer(second.ID)
	f.receive(f.receipt(0, "success"))
	f.handedOn("this one or that which waits", 0, userA, 0, true)
	f.joinNewest(second.ID)
	f.handedOn("one of two", 0, userA, 0, false)
	f.handedOn("another user's", 0, "oOther", 0, false)
}

func ownOpen(f *fixture) {
	unanswered := f.lease(func(m *hongyan.Message) { m.ToUser = "oUnanswered" })
	f.handedOn("without own number", 99, unanswered.ToUser, 0, false)
	never := f.insert(func(m *hongyan.Message) { m.ToUser = "oNever" })
	f.answer(never.ID)
	f.handedOn("never tried", 99, never.ToUser, 0, false)
	for _, c := range []struct {
		name  string
		state hongyan.State
		doubt bool
		want  bool
	}{
		{"under way", hongyan.Sending, false, true},
		{"to be tried again", hongyan.Queued, false, true},
		{"uncertain", hongyan.Uncertain, true, true},
		{"given up in doubt", hongyan.Failed, true, true},
		{"refused", hongyan.Failed, false, false},
	} {
		f.epoch = f.join("node-1")
		m := f.lease(func(m *hongyan.Message) { m.ToUser = "oUser-" + c.name })
		f.answer(m.ID)
		if c.state != hongyan.Sending {
			r := f.retry(m, time.Hour)
			r.State = c.state
			if c.doubt {
				r.DoubtSince = m.FirstAt
			}
			f.finish(store.Settled{Applied: true, State: c.state}, r)
		}
		f.handedOn(c.name, 99, m.ToUser, 0, c.want)
		time.Sleep(24*time.Hour - time.Second)
		f.handedOn(c.name+", nearly a day later", 99, m.ToUser, 0, c.want)
		time.Sleep(time.Second)
		f.handedOn(c.name+", a day later", 99, m.ToUser, 0, false)
	}
}
