package care_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hongyan"
	"hongyan/care"
	"hongyan/store"
	"hongyan/store/sqlite"
	"hongyan/store/sqlite/sqlitetest"
)

const (
	appID = "wx0f1e2d3c4b5a6978"
	userA = "oUserAAAAAAAAAAAAAAAAAAAAAAA"
	userB = "oUserBBBBBBBBBBBBBBBBBBBBBBB"
)

// world is a store with an account, in a bubble.
type world struct {
	t        *testing.T
	store    *sqlite.Store
	n        int
	released []string // users whose messages were let go
	stop     func()   // ends the desk started last: before a long time, in which it would look every few seconds

	mu sync.Mutex
}

func newWorld(t *testing.T) *world {
	t.Helper()
	keys, err := store.NewKeyring(make([]byte, store.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "hongyan-care-") // outlives the bubble, unlike t.TempDir's clean-up
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &world{t: t}
	if w.store, err = sqlite.Open(t.Context(), sqlite.Options{Path: sqlitetest.File(t, dir, sqlite.Migrate), Keyring: keys}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	w.must(w.store.CreateAccount(t.Context(), hongyan.Account{AppID: appID, Kind: hongyan.ServiceAccount, Secret: "s"}))
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// start runs a desk, as one process has it, until the test ends.
func (w *world) start() *care.Desk {
	d := care.New(care.Config{Store: w.store, ReleaseCapped: w.store.ReleaseCapped, Released: func(ctx context.Context, appID, openID, reason string) (int, error) {
		w.mu.Lock()
		w.released = append(w.released, openID)
		w.mu.Unlock()
		return w.store.ReleaseUser(ctx, appID, openID, reason)
	}})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(w.stop)
	synctest.Wait()
	return d
}

// push stores an event of a user and tells the desk of it.
func (w *world) push(d *care.Desk, openID, event string, receipts ...hongyan.Receipt) {
	w.t.Helper()
	w.n++
	now := w.store.Now()
	e := hongyan.Event{AppID: appID, DedupeKey: fmt.Sprint(w.n), Type: event, OpenID: openID, CreateTime: now.Truncate(time.Second), ReceivedAt: now,
		Body: fmt.Appendf(nil, "<xml><FromUserName>%s</FromUserName><Event>%s</Event><List><SubscribeStatusString>accept</SubscribeStatusString></List></xml>", openID, event)}
	var err error
	e.ID, _, err = w.store.InsertEvent(w.t.Context(), e)
	w.must(err)
	for i := range receipts {
		receipts[i].AppID, receipts[i].ToUser, receipts[i].At = appID, openID, e.CreateTime
	}
	w.must(d.Seen(w.t.Context(), []hongyan.Event{e}, [][]hongyan.Receipt{receipts}))
}

func (w *world) receipt(d *care.Desk, openID, status string) {
	w.t.Helper()
	w.push(d, openID, "templatesendjobfinish", hongyan.Receipt{MsgID: 1, Status: status})
}

// account reads the account; change, if given, alters it first.
func (w *world) account(change ...func(*hongyan.Account)) *hongyan.Account {
	w.t.Helper()
	a, err := w.store.Account(w.t.Context(), appID)
	w.must(err)
	for _, c := range change {
		c(&a)
		w.must(w.store.UpdateAccount(w.t.Context(), a))
	}
	return &a
}

// kept reports whether a message would be held, and why.
func (w *world) kept(d *care.Desk, change ...func(*hongyan.Message)) string {
	w.t.Helper()
	m := hongyan.Message{AppID: appID, ToUser: userA, Kind: hongyan.KindTemplate, Priority: hongyan.Normal}
	for _, c := range change {
		c(&m)
	}
	h, err := d.Suppressed(w.t.Context(), w.account(), &m)
	w.must(err)
	if h == nil {
		return ""
	}
	return h.Reason
}

func answered(d *care.Desk, kind hongyan.MessageKind, errcode int) {
	d.Answered(&hongyan.Message{AppID: appID, ToUser: userA, Kind: kind}, errcode, time.Now())
	synctest.Wait()
}

// TestWhatPutsAUserOnTheList, for which kinds of message, and what takes them off.
func TestWhatPutsAUserOnTheList(t *testing.T) {
	tests := []struct {
		name  string
		put   func(*world, *care.Desk)
		keeps []hongyan.MessageKind
		until time.Duration
		lift  func(*world, *care.Desk)
	}{
		{"a refusal told by the event", func(w *world, d *care.Desk) { w.receipt(d, userA, "user_block") }, templates, day, func(w *world, d *care.Desk) { w.push(d, userA, "subscribe") }},
		{"a refusal, then an acceptance", func(w *world, d *care.Desk) { w.receipt(d, userA, "user_block") }, templates, day, func(w *world, d *care.Desk) { w.push(d, userA, "subscribe_msg_popup_event") }},
		{"a refusal, then a success", func(w *world, d *care.Desk) { w.receipt(d, userA, "user_block") }, templates, day, func(w *world, d *care.Desk) { w.receipt(d, userA, "success") }},
		{"who left", func(w *world, d *care.Desk) { w.push(d, userA, "unsubscribe") }, templates, 30 * day, func(w *world, d *care.Desk) { w.push(d, userA, "scan") }},
		{"43004", func(w *world, d *care.Desk) { answered(d, hongyan.KindTemplate, 43004) }, templates, 30 * day, func(w *world, d *care.Desk) { answered(d, hongyan.KindTemplate, 0) }},
		{"43019", func(w *world, d *care.Desk) { answered(d, hongyan.KindTemplate, 43019) }, templates, 7 * day, func(w *world, d *care.Desk) { w.push(d, userA, "text") }},
		{"50002", func(w *world, d *care.Desk) { answered(d, hongyan.KindTemplate, 50002) }, hongyan.MessageKinds(), 7 * day, func(w *world, d *care.Desk) { answered(d, hongyan.KindNotice, 0) }},
		{"40003", func(w *world, d *care.Desk) { answered(d, hongyan.KindSubscribe, 40003) }, hongyan.MessageKinds(), 90 * day, func(w *world, d *care.Desk) { answered(d, hongyan.KindTemplate, 0) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				d := w.start()
				w.push(d, userB, "text") // callbacks arrive
				began := w.store.Now()
				tt.put(w, d)
				for _, kind := range hongyan.MessageKinds() {
					want := ""
					for _, k := range tt.keeps {
						if k == kind {
							want = hongyan.HoldSuppressed
						}
					}
					if got := w.kept(d, func(m *hongyan.Message) { m.Kind = kind }); got != want {
						t.Errorf("kind %s: held for %q, want %q", kind, got, want)
					}
				}
				all, err := w.store.Suppressions(t.Context(), store.SuppressionFilter{AppID: appID, Limit: 10})
				w.must(err)
				if len(all) != 1 || all[0].Until.Sub(began.Truncate(time.Second)) != tt.until {
					t.Errorf("%+v, want one entry for %s", all, tt.until)
				}
				time.Sleep(time.Second)
				tt.lift(w, d)
				if got := w.kept(d); got != "" || len(w.released) != 1 {
					t.Errorf("after it was lifted: held for %q, %d releases", got, len(w.released))
				}
			})
		})
	}
}

const day = 24 * time.Hour

var templates = []hongyan.MessageKind{hongyan.KindTemplate}

// TestWhatChangesNothing for a user who refuses the account's messages.
func TestWhatChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := w.start()
		w.receipt(d, userA, "user_block")
		time.Sleep(time.Minute)
		w.push(d, userA, "text")                  // it proves that they follow, not that they take messages
		answered(d, hongyan.KindTemplate, 0)      // WeChat says so to everybody who follows
		w.receipt(d, userA, "system_failed")      // it says nothing of the user
		answered(d, hongyan.KindSubscribe, 43101) // one template's consent
		w.push(d, userB, "subscribe")             // another user
		answered(d, hongyan.KindOneTime, 43004)   // is not about templates
		if got := w.kept(d); got != hongyan.HoldSuppressed {
			t.Errorf("held for %q, want %q", got, hongyan.HoldSuppressed)
		}
		other := func(m *hongyan.Message) { m.ToUser = userB }
		if got := w.kept(d, other); got != "" {
			t.Errorf("the other user: held for %q", got)
		}
		w.stop()
		time.Sleep(day)
		if got := w.kept(d); got != "" {
			t.Errorf("after a day: held for %q, want one to be tried", got)
		}
	})
}

// TestWhoIsNotKept: urgent messages, those of WeChat's own paths, accounts without a
// list, and anybody while callbacks do not arrive.
func TestWhoIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := w.start()
		answered(d, hongyan.KindTemplate, 43004)
		if all, err := w.store.Suppressions(t.Context(), store.SuppressionFilter{AppID: appID, Limit: 10}); err != nil || len(all) != 0 {
			t.Errorf("put before any callback arrived: %+v, %v", all, err)
		}
		w.push(d, userB, "text")
		answered(d, hongyan.KindTemplate, 43004)
		urgent := func(m *hongyan.Message) { m.Priority = hongyan.Urgent }
		compat := func(m *hongyan.Message) { m.CallerID = hongyan.CallerCompat }
		if a, u, c := w.kept(d), w.kept(d, urgent), w.kept(d, compat); a == "" || u != "" || c != "" {
			t.Errorf("held for %q, urgent %q, compat %q; want the first alone", a, u, c)
		}
		w.account(func(a *hongyan.Account) { a.Care.SuppressCompat = true })
		if c := w.kept(d, compat); c == "" {
			t.Error("compat is not held though the account says so")
		}
		w.account(func(a *hongyan.Account) { a.Care.Suppression = hongyan.SuppressionOff })
		d.AccountChanged(appID)
		if got := w.kept(d); got != "" {
			t.Errorf("an account without a list: held for %q", got)
		}
		w.account(func(a *hongyan.Account) { a.Care = hongyan.Care{} })
		d.AccountChanged(appID)
		w.stop()
		time.Sleep(7*day + time.Minute) // callbacks have ceased: nobody would hear of a follow
		if got := w.kept(d); got != "" {
			t.Errorf("without callbacks: held for %q", got)
		}
		w.push(d, userB, "text")
		if got := w.kept(d); got == "" {
			t.Error("callbacks are back, and the user is not held")
		}
	})
}

// TestAPersonsEntry holds whatever WeChat says, until a person removes it.
func TestAPersonsEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := w.start()
		_, err := d.Put(t.Context(), []hongyan.Suppression{{AppID: appID, OpenID: userA, Reason: hongyan.SuppressManual, By: "key_1"}})
		w.must(err)
		w.push(d, userA, "subscribe")
		w.receipt(d, userA, "success")
		w.stop()
		time.Sleep(400 * day)
		notice := func(m *hongyan.Message) { m.Kind = hongyan.KindNotice }
		if a, b := w.kept(d), w.kept(d, notice); a == "" || b == "" {
			t.Errorf("held for %q and %q, want both", a, b)
		}
		n, err := d.Lift(t.Context(), store.Lift{AppID: appID, OpenIDs: []string{userA}, By: "key_1"})
		if err != nil || n != 1 || w.kept(d) != "" {
			t.Errorf("lifted %d, %v, still held for %q", n, err, w.kept(d))
		}
	})
}

// TestEventsCountInTheirOrder, in one batch too, and told again change nothing.
func TestEventsCountInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := w.start()
		now := w.store.Now()
		event := func(after time.Duration, name string) hongyan.Event {
			return hongyan.Event{AppID: appID, OpenID: userA, Type: name, CreateTime: now.Add(after), ReceivedAt: now.Add(after)}
		}
		batch := []hongyan.Event{event(0, "unsubscribe"), event(time.Second, "subscribe")}
		time.Sleep(time.Minute)
		for range 2 {
			w.must(d.Seen(t.Context(), batch, make([][]hongyan.Receipt, 2)))
			if got := w.kept(d); got != "" {
				t.Fatalf("left and came back: held for %q", got)
			}
		}
		w.must(d.Seen(t.Context(), []hongyan.Event{event(2*time.Second, "unsubscribe")}, make([][]hongyan.Receipt, 1)))
		if got := w.kept(d); got == "" {
			t.Error("left again, and not held")
		}
	})
}

// TestAFollowDuringACallCounts: WeChat answered for the time before it.
func TestAFollowDuringACallCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := w.start()
		began := w.store.Now()
		time.Sleep(3 * time.Second)
		w.push(d, userA, "subscribe")
		time.Sleep(3 * time.Second)
		d.Answered(&hongyan.Message{AppID: appID, ToUser: userA, Kind: hongyan.KindTemplate}, 43004, began)
		synctest.Wait()
		if got := w.kept(d); got != "" {
			t.Errorf("held for %q by a call that began before the follow", got)
		}
	})
}

// TestAFollowIsNoLaterThanItCame though WeChat's clock is ahead: a call that was begun
// after it is answered for the time after it.
func TestAFollowIsNoLaterThanItCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := w.start()
		now := w.store.Now()
		e := hongyan.Event{AppID: appID, OpenID: userA, Type: "subscribe", CreateTime: now.Add(time.Minute), ReceivedAt: now}
		w.must(d.Seen(t.Context(), []hongyan.Event{e}, make([][]hongyan.Receipt, 1)))
		time.Sleep(5 * time.Second)
		answered(d, hongyan.KindTemplate, 43004)
		if got := w.kept(d); got != hongyan.HoldSuppressed {
			t.Errorf("held for %q, want %q: they left after the follow", got, hongyan.HoldSuppressed)
		}
	})
}

// TestWhoLeftAndCameBackInOneSecondFollows though the pushes overtook one another.
func TestWhoLeftAndCameBackInOneSecondFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := w.start()
		now := w.store.Now()
		for _, name := range []string{"subscribe", "unsubscribe"} {
			e := hongyan.Event{AppID: appID, OpenID: userA, Type: name, CreateTime: now, ReceivedAt: now}
			w.must(d.Seen(t.Context(), []hongyan.Event{e}, make([][]hongyan.Receipt, 1)))
		}
		if got := w.kept(d); got != "" {
			t.Errorf("held for %q", got)
		}
	})
}

// TestARefusalThatIsLateKeepsNobody: WeChat gave it before the user followed, and it is
// written down after that; by this process, by another that did not see the follow, or
// by one that was started since.
func TestARefusalThatIsLateKeepsNobody(t *testing.T) {
	for name, who := range map[string]func(w *world, saw *care.Desk) *care.Desk{
		"by the same process":       func(_ *world, saw *care.Desk) *care.Desk { return saw },
		"by another":                func(w *world, _ *care.Desk) *care.Desk { return w.start() },
		"by one that was restarted": func(w *world, _ *care.Desk) *care.Desk { w.stop(); return w.start() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				saw := w.start()
				w.push(saw, userB, "text") // callbacks arrive
				w.push(saw, userA, "subscribe")
				late := who(w, saw)
				answered(late, hongyan.KindTemplate, 43004) // in the second of the follow: nobody can tell
				if got := w.kept(late); got != "" {
					t.Errorf("held for %q", got)
				}
				left := hongyan.Event{AppID: appID, OpenID: userA, Type: "unsubscribe", CreateTime: w.store.Now().Add(-time.Minute), ReceivedAt: w.store.Now()}
				w.must(late.Seen(t.Context(), []hongyan.Event{left}, make([][]hongyan.Receipt, 1)))
				if got := w.kept(late); got != "" {
					t.Errorf("for having left a minute before: held for %q", got)
				}
				time.Sleep(2 * time.Second)
				answered(late, hongyan.KindTemplate, 43004)
				if got := w.kept(late); got != hongyan.HoldSuppressed {
					t.Errorf("answered after the follow: held for %q, want %q", got, hongyan.HoldSuppressed)
				}
			})
		})
	}
}

// TestAFollowLiftsWhatAnotherProcessPut a moment ago, and lets go what that kept.
func TestAFollowLiftsWhatAnotherProcessPut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first, second := w.start(), w.start()
		w.push(first, userB, "text")
		w.push(second, userB, "text")
		time.Sleep(6 * time.Second)
		answered(first, hongyan.KindTemplate, 43004)
		time.Sleep(time.Second) // the second has not heard of it
		w.push(second, userA, "subscribe")
		if got := w.kept(first); got != "" || len(w.released) != 1 {
			t.Errorf("held for %q, %d releases, want the user to be free", got, len(w.released))
		}
	})
}

// TestAnotherProcessHears of entries within seconds, also of those that were there before it.
func TestAnotherProcessHears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first := w.start()
		w.receipt(first, userA, "user_block")
		second := w.start()
		if got := w.kept(second); got == "" {
			t.Error("a process that starts later does not know the entry")
		}
		w.receipt(first, userB, "user_block")
		time.Sleep(6 * time.Second)
		if got := w.kept(second, func(m *hongyan.Message) { m.ToUser = userB }); got == "" {
			t.Error("a process beside it does not hear of the entry")
		}
	})
}

// TestTheDaysMessagesOfAUser begin anew at Beijing's midnight, and leave the quiet hours alone.
func TestTheDaysMessagesOfAUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := w.start()
		room := func(seq int64, change ...func(*hongyan.Message)) *hongyan.Hold {
			t.Helper()
			m := hongyan.Message{Seq: seq, AppID: appID, ToUser: userA, Kind: hongyan.KindTemplate, Priority: hongyan.Normal}
			for _, c := range change {
				c(&m)
			}
			h, err := d.Room(t.Context(), w.account(), &m)
			w.must(err)
			return h
		}
		for seq := range int64(5) {
			if h := room(seq); h != nil {
				t.Fatalf("without a cap: %+v", h)
			}
		}
		w.account(func(a *hongyan.Account) { a.Care.UserCap = 2 })
		for seq := range int64(2) {
			if h := room(seq); h != nil {
				t.Fatalf("message %d: %+v", seq, h)
			}
		}
		h := room(3)
		midnight := hongyan.NextBeijingMidnight(w.store.Now())
		if h == nil || h.Reason != hongyan.HoldUserCap || !h.Until.Equal(midnight.Add(8*time.Hour)) {
			t.Fatalf("the third: %+v, want it held until eight in the morning", h)
		}
		if room(1) != nil || room(4, func(m *hongyan.Message) { m.Priority = hongyan.Urgent }) != nil || room(5, func(m *hongyan.Message) { m.ToUser = userB }) != nil {
			t.Error("one that counts already, an urgent one or another user's is held")
		}
		w.stop()
		time.Sleep(time.Until(midnight))
		if h := room(3); h != nil {
			t.Errorf("the next day: %+v", h)
		}
	})
}

// TestARaisedCapHoldsNobody who has room by it, though the process does not know it yet,
// and though a message was judged by the old one a moment before.
func TestARaisedCapHoldsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := w.start()
		room := func(a *hongyan.Account, seq int64) *hongyan.Hold {
			t.Helper()
			h, err := d.Room(t.Context(), a, &hongyan.Message{Seq: seq, AppID: appID, ToUser: userA, Kind: hongyan.KindTemplate, Priority: hongyan.Normal})
			w.must(err)
			return h
		}
		capped := func(most int) *hongyan.Account {
			return w.account(func(a *hongyan.Account) { a.Care.UserCap = most })
		}
		before := capped(1)
		if room(before, 1) != nil || room(before, 2) == nil {
			t.Fatal("a cap of one does not hold the second alone")
		}
		capped(2)
		if room(before, 2) != nil || room(before, 3) == nil {
			t.Error("by the settings of before, the cap that was raised is not looked for, or holds nobody")
		}
		after := capped(0)
		if room(before, 3) != nil {
			t.Error("by the settings of before, the cap that was removed holds the third")
		}
		w.must(d.CapRaised(t.Context(), after))
		until := hongyan.PeriodEnd("day", w.store.Now())
		ins, err := w.store.InsertMessages(t.Context(), []store.NewMessage{{Message: hongyan.Message{ID: hongyan.NewMessageID(), AppID: appID, Kind: hongyan.KindTemplate,
			ToUser: userA, TemplateID: "t", ClientMsgID: "x", Payload: []byte("{}"), CreatedAt: w.store.Now(), State: hongyan.Held, Reason: hongyan.HoldUserCap,
			Hold: &hongyan.Hold{Reason: hongyan.HoldUserCap, Until: until}, DueAt: until}}})
		w.must(err)
		time.Sleep(6 * time.Second)
		if m, err := w.store.Message(t.Context(), ins[0].Message.ID); err != nil || m.State != hongyan.Queued {
			t.Errorf("one that was held a moment later is %s, %v, want it queued", m.State, err)
		}
	})
}

// TestAnErasureLooksAgain when pushes about messages that had left can have come, and
// is done then.
func TestAnErasureLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := w.start()
		epoch, err := w.store.Join(t.Context(), "a", time.Minute)
		w.must(err)
		ins, err := w.store.InsertMessages(t.Context(), []store.NewMessage{{Message: hongyan.Message{ID: hongyan.NewMessageID(), AppID: appID, Kind: hongyan.KindTemplate,
			ToUser: userA, TemplateID: "t", ClientMsgID: "x", Payload: []byte("{}"), CreatedAt: w.store.Now(), Epoch: epoch}}})
		w.must(err)
		m := ins[0].Message
		begun, err := d.Erase(t.Context(), appID, userA, "key_1")
		w.must(err)
		look := func() hongyan.Erasure {
			t.Helper()
			synctest.Wait()
			e, err := w.store.Erasure(t.Context(), appID, begun.ID)
			w.must(err)
			return e
		}
		if e := look(); e.State != hongyan.ErasureRunning || e.Left != 1 {
			t.Fatalf("while one is being sent: %+v", e)
		}
		now := w.store.Now()
		_, err = w.store.FinishAttempts(t.Context(), []store.Result{{Fence: store.Fence{Seq: m.Seq, Epoch: epoch, Attempts: 1}, AppID: appID, State: hongyan.Accepted, MsgID: 7, AcceptedAt: now,
			Attempts: []hongyan.Attempt{{N: 1, StartedAt: now, EndedAt: now, Outcome: hongyan.Answered, Errmsg: "ok", MsgID: 7}}}})
		w.must(err)
		time.Sleep(2 * time.Minute)
		if e := look(); e.State != hongyan.ErasureWaiting || e.Messages != 1 || e.OpenID == "" {
			t.Fatalf("while its event may come: %+v", e)
		}
		w.push(d, userA, "templatesendjobfinish")
		time.Sleep(26 * time.Hour)
		e := look()
		if e.State != hongyan.ErasureDone || e.Events != 1 || e.OpenID != "" || e.FinishedAt.IsZero() {
			t.Errorf("in the end: %+v", e)
		}
		events, err := w.store.Events(t.Context(), appID, 0, 10)
		w.must(err)
		for _, e := range events {
			if e.OpenID == userA {
				t.Errorf("a push still names the person: %+v", e)
			}
		}
	})
}
