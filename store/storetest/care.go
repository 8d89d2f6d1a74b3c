package storetest

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hongyan"
	"hongyan/store"
)

var careCases = []testCase{
	{name: "settings of an account and of a key are kept", run: careSettings},
	{name: "a user is on a list until it is over or lifted", bubble: true, run: suppressionsLife},
	{name: "what ended is forgotten behind all that stands for ever", bubble: true, run: suppressionsForgotten},
	{name: "what is told late, or about somebody a person put there, changes nothing", bubble: true, run: suppressionsRenewed},
	{name: "entries are listed by account, user and reason, and followed by number", bubble: true, run: suppressionsListed},
	{name: "what was said of a user before they followed is no news", bubble: true, run: followsRemembered},
	{name: "a follow and a refusal that are written at once leave nobody on the list", run: followsRace},
	{name: "a cap that is raised lets go what it held, in order", bubble: true, run: cappedReleased},
	{name: "that a cap held keep quiet hours when they are let go", bubble: true, run: cappedKeepsQuiet},
	{name: "that a cap held are let go only as far as there is room beside what is queued", bubble: true, run: cappedReleasedOnce},
	{name: "a user's held messages go when they are released, each at its time", bubble: true, run: userReleased},
	{name: "a user gets no more than the day's messages, whoever counts at once", run: userCounted},
	{name: "the days of users are forgotten", bubble: true, run: userDaysForgotten},
	{name: "an erasure leaves nothing of a person, and everybody else's", bubble: true, run: erased},
	{name: "an erasure leaves what is under way for its next pass", bubble: true, run: erasedLater},
	{name: "erasures are gone on with until they are done", bubble: true, run: erasures},
}

func careSettings(f *fixture) {
	a, err := f.s.Account(f.ctx, appA)
	f.must(err)
	a.Care = hongyan.Care{Suppression: hongyan.SuppressionOff, SuppressCompat: true, UserCap: 3}
	f.must(f.s.UpdateAccount(f.ctx, a))
	got, err := f.s.Account(f.ctx, appA)
	f.must(err)
	same(f, "of the account", got.Care, a.Care)
	f.must(f.s.CreateKey(f.ctx, hongyan.Key{ID: "key_1", Hash: []byte("a"), Role: "reader", Personal: true}))
	f.must(f.s.CreateKey(f.ctx, hongyan.Key{ID: "key_2", Hash: []byte("b"), Role: "reader"}))
	keys, err := f.s.Keys(f.ctx)
	f.must(err)
	same(f, "of keys", map[string]bool{keys[0].ID: keys[0].Personal, keys[1].ID: keys[1].Personal}, map[string]bool{"key_1": true, "key_2": false})
}

// suppress puts user A of account A on the list.
func (f *fixture) suppress(change ...func(*hongyan.Suppression)) int {
	f.Helper()
	s := hongyan.Suppression{AppID: appA, OpenID: userA, Reason: hongyan.SuppressNotFollowing, Errcode: 43004, Since: f.s.Now(), Until: f.s.Now().Add(time.Hour)}
	for _, c := range change {
		c(&s)
	}
	n, err := f.s.PutSuppressions(f.ctx, []hongyan.Suppression{s})
	f.must(err)
	return n
}

// listed reads account A's entries; ended ones too when ended.
func (f *fixture) listed(ended bool) []hongyan.Suppression {
	f.Helper()
	all, err := f.s.Suppressions(f.ctx, store.SuppressionFilter{AppID: appA, Ended: ended, Limit: 100})
	f.must(err)
	return all
}

func (f *fixture) lift(reasons ...string) int {
	f.Helper()
	n, err := f.s.LiftSuppressions(f.ctx, store.Lift{AppID: appA, OpenIDs: []string{userA, userB}, Reasons: reasons, By: "subscribe"})
	f.must(err)
	return n
}

func suppressionsLife(f *fixture) {
	same(f, "put", f.suppress(), 1)
	first := f.listed(false)
	want := []hongyan.Suppression{{ID: first[0].ID, AppID: appA, OpenID: userA, Reason: hongyan.SuppressNotFollowing, Errcode: 43004, Since: f.s.Now(), Until: f.s.Now().Add(time.Hour)}}
	same(f, "listed", first, want)
	time.Sleep(time.Hour)
	same(f, "over", []int{len(f.listed(false)), len(f.listed(true))}, []int{0, 1})
	same(f, "nothing to lift", f.lift(), 0)
	f.suppress()
	same(f, "anew", f.listed(false)[0].ID > first[0].ID, true)
	same(f, "for another reason", f.lift(hongyan.SuppressUserBlock), 0)
	same(f, "for that reason", f.lift(hongyan.SuppressUserBlock, hongyan.SuppressNotFollowing), 1)
	lifted := f.listed(true)
	same(f, "lifted", []any{len(f.listed(false)), lifted[0].LiftedBy, lifted[0].LiftedAt}, []any{0, "subscribe", f.s.Now()})
	n, err := f.s.PutSuppressions(f.ctx, []hongyan.Suppression{{AppID: "wxcccccccccccccccc", OpenID: userA, Reason: "manual"}})
	f.must(err)
	same(f, "of no account", n, 0)
	time.Sleep(store.SuppressionKeep)
	_, err = f.s.Sweep(f.ctx)
	f.must(err)
	same(f, "forgotten", len(f.listed(true)), 0)
}

// suppressionsForgotten: an entry that ended goes however many stand for ever before it.
func suppressionsForgotten(f *fixture) {
	var all []hongyan.Suppression
	for i := range 1200 {
		all = append(all, hongyan.Suppression{AppID: appA, OpenID: fmt.Sprintf("oUser%023d", i), Reason: hongyan.SuppressManual, By: "key_1", Since: f.s.Now()})
	}
	_, err := f.s.PutSuppressions(f.ctx, all)
	f.must(err)
	f.suppress() // ends in an hour
	time.Sleep(time.Hour + store.SuppressionKeep)
	_, err = f.s.Sweep(f.ctx)
	f.must(err)
	ended, err := f.s.Suppressions(f.ctx, store.SuppressionFilter{AppID: appA, Reason: hongyan.SuppressNotFollowing, Ended: true, Limit: 1})
	f.must(err)
	same(f, "ended entries", len(ended), 0)
	standing, err := f.s.Suppressions(f.ctx, store.SuppressionFilter{AppID: appA, Reason: hongyan.SuppressManual, Limit: 1000})
	f.must(err)
	same(f, "entries that stand", len(standing), 1000)
}

func suppressionsRenewed(f *fixture) {
	f.suppress()
	id := f.listed(false)[0].ID
	time.Sleep(time.Minute)
	f.suppress(func(s *hongyan.Suppression) {
		s.Reason, s.Errcode, s.Until = hongyan.SuppressUserBlock, 0, f.s.Now().Add(time.Minute)
	})
	got := f.listed(false)[0]
	same(f, "the longer end, the earlier beginning", []any{got.ID, got.Reason, got.Since, got.Until},
		[]any{id, hongyan.SuppressUserBlock, f.s.Now().Add(-time.Minute), f.s.Now().Add(59 * time.Minute)})
	same(f, "the same again", f.suppress(func(s *hongyan.Suppression) { *s = got }), 0)

	f.lift()
	same(f, "from before it was lifted", f.suppress(func(s *hongyan.Suppression) { s.Since = f.s.Now().Add(-time.Second) }), 0)
	same(f, "from when it was lifted", f.suppress(), 1)

	f.suppress(func(s *hongyan.Suppression) {
		s.Reason, s.By, s.Until = hongyan.SuppressManual, "key_1", f.s.Now().Add(time.Second)
	})
	same(f, "a person's end stands", f.listed(false)[0].Until, f.s.Now().Add(time.Second))
	same(f, "and WeChat's word changes nothing", f.suppress(), 0)
	f.suppress(func(s *hongyan.Suppression) { s.Reason, s.By, s.Until = hongyan.SuppressManual, "key_1", time.Time{} })
	time.Sleep(400 * 24 * time.Hour)
	same(f, "for ever", len(f.listed(false)), 1)
}

func suppressionsListed(f *fixture) {
	for i := range 3 {
		f.suppress(func(s *hongyan.Suppression) {
			s.OpenID = fmt.Sprintf("oUser%023d", i)
			if i == 1 {
				s.Reason = hongyan.SuppressUserBlock
			}
		})
	}
	f.suppress(func(s *hongyan.Suppression) { s.AppID = appB })
	list := func(fl store.SuppressionFilter) (users []string) {
		f.Helper()
		if fl.Limit == 0 {
			fl.Limit = 10
		}
		all, err := f.s.Suppressions(f.ctx, fl)
		f.must(err)
		for _, s := range all {
			users = append(users, s.AppID[2:3]+s.OpenID[27:])
		}
		return users
	}
	same(f, "newest first", list(store.SuppressionFilter{AppID: appA}), []string{"a2", "a1", "a0"})
	same(f, "by reason", list(store.SuppressionFilter{AppID: appA, Reason: hongyan.SuppressUserBlock}), []string{"a1"})
	same(f, "by user", list(store.SuppressionFilter{AppID: appA, OpenIDs: []string{fmt.Sprintf("oUser%023d", 2), userA}}), []string{"a2"})
	all := f.listed(false)
	same(f, "page by page", list(store.SuppressionFilter{AppID: appA, Before: all[0].ID, Limit: 1}), []string{"a1"})
	f.lift() // nobody of account A's three
	after, err := f.s.SuppressedAfter(f.ctx, all[1].ID, 10)
	f.must(err)
	same(f, "of every account, by number", []any{len(after), after[0].OpenID, after[1].AppID}, []any{2, all[0].OpenID, appB})
}

// follow takes note that user A followed account A, in the second at, and reports
// whether that ended an entry.
func (f *fixture) follow(at time.Time) bool {
	f.Helper()
	lifted, err := f.s.Followed(f.ctx, []store.Follow{{AppID: appA, OpenID: userA, At: at.Truncate(time.Second), By: "subscribe"}})
	f.must(err)
	return len(lifted) > 0
}

func followsRemembered(f *fixture) {
	second := f.s.Now().Truncate(time.Second).Add(time.Minute)
	time.Sleep(time.Until(second.Add(300 * time.Millisecond)))
	at := func(d time.Duration, change ...func(*hongyan.Suppression)) int {
		f.Helper()
		return f.suppress(func(s *hongyan.Suppression) {
			s.Since = second.Add(d)
			for _, c := range change {
				c(s)
			}
		})
	}
	blocks := func(s *hongyan.Suppression) { s.Reason, s.Errcode = hongyan.SuppressUserBlock, 0 }
	same(f, "who was not on the list", f.follow(second), false)
	same(f, "shows in no list", len(f.listed(true)), 0)
	after, err := f.s.SuppressedAfter(f.ctx, 0, 10)
	f.must(err)
	same(f, "nor keeps anybody", len(after), 0)
	same(f, "answered before the follow", at(-time.Second), 0)
	same(f, "answered in its second", at(500*time.Millisecond), 0)
	same(f, "a block told before it", at(-time.Second, blocks), 0)
	same(f, "a block in its second", at(0, blocks), 1)
	same(f, "a follow of before tells nothing of it", f.follow(second.Add(-time.Second)), false)
	same(f, "a later one does", f.follow(second.Add(time.Second)), true)
	lifted := f.listed(true)
	same(f, "lifted", []any{len(lifted), lifted[0].LiftedBy, lifted[0].LiftedAt, lifted[0].FollowedAt}, []any{1, "subscribe", second.Add(time.Second), second.Add(time.Second)})
	same(f, "answered after it", at(2*time.Second), 1)
	same(f, "answered before it, once more", at(time.Second), 0)

	byPerson := func(s *hongyan.Suppression) { s.Reason, s.By, s.Until = hongyan.SuppressManual, "key_1", time.Time{} }
	same(f, "what a person says holds", []any{at(-time.Hour, byPerson), f.follow(second.Add(time.Hour)), len(f.listed(false))}, []any{1, false, 1})
	f.lift()
	other, err := f.s.Followed(f.ctx, []store.Follow{
		{AppID: appA, OpenID: userB, At: second, By: "subscribe"}, {AppID: appA, OpenID: userB, At: second.Add(time.Hour), By: "subscribe"},
		{AppID: "wxcccccccccccccccc", OpenID: userB, At: second, By: "subscribe"}})
	f.must(err)
	same(f, "twice in one call, and of no account", len(other), 0)
	ofB := func(s *hongyan.Suppression) { s.OpenID = userB }
	same(f, "the later counts", at(time.Minute, ofB), 0)
	time.Sleep(store.FollowKeep + time.Hour)
	_, err = f.s.Sweep(f.ctx)
	f.must(err)
	same(f, "forgotten after a day", at(time.Minute, ofB, func(s *hongyan.Suppression) { s.Until = time.Time{} }), 1)
}

// followsRace: one node hears of the follow, another of the refusal.
func followsRace(f *fixture) {
	var users []string
	for i := range 40 {
		users = append(users, fmt.Sprintf("oUser%023d", i))
	}
	since := f.s.Now().Add(-10 * time.Second)
	var under sync.WaitGroup
	for _, user := range users {
		under.Go(func() {
			_, err := f.s.Followed(f.ctx, []store.Follow{{AppID: appA, OpenID: user, At: since.Add(5 * time.Second).Truncate(time.Second), By: "subscribe"}})
			f.must(err)
		})
		under.Go(func() {
			_, err := f.s.PutSuppressions(f.ctx, []hongyan.Suppression{{AppID: appA, OpenID: user, Reason: hongyan.SuppressNotFollowing, Errcode: 43004, Since: since, Until: since.Add(time.Hour)}})
			f.must(err)
		})
	}
	under.Wait()
	same(f, "kept", len(f.listed(false)), 0)
}

func cappedReleased(f *fixture) {
	midnight := hongyan.PeriodEnd("day", f.s.Now())
	day := hongyan.PeriodStart("day", f.s.Now())
	hold := func(user string, change ...func(*hongyan.Message)) string {
		return f.insert(append([]func(*hongyan.Message){func(m *hongyan.Message) {
			m.State, m.Reason, m.ToUser, m.ExpiresAt = hongyan.Held, hongyan.HoldUserCap, user, midnight.Add(48*time.Hour)
			m.Hold, m.DueAt = &hongyan.Hold{Reason: hongyan.HoldUserCap, Until: midnight, Since: f.s.Now()}, midnight
		}}, change...)...).ID
	}
	bulk := func(m *hongyan.Message) { m.Priority = hongyan.Bulk }
	a := []string{hold(userA, bulk), hold(userA), hold(userA), hold(userA)}
	b := []string{hold(userB), hold(userB)}
	other := hold(userA, func(m *hongyan.Message) { m.Reason = hongyan.HoldSuppressed })
	for seq := range int64(2) {
		_, err := f.s.CountUser(f.ctx, store.UserDay{AppID: appA, OpenID: userA, Day: day}, 1000+seq, 2)
		f.must(err)
	}
	release := func(most int) int {
		f.Helper()
		n, err := f.s.ReleaseCapped(f.ctx, store.CapRelease{AppID: appA, Most: most})
		f.must(err)
		return n
	}
	same(f, "by a cap that leaves nothing", release(1), 1) // of user B, who had none
	f.wantState(b[0], hongyan.Queued, "")
	f.wantState(b[1], hongyan.Held, hongyan.HoldUserCap)
	same(f, "by one more for user A", release(3), 2)
	f.wantState(a[1], hongyan.Queued, "") // the bulk one would have gone last
	for _, id := range []string{a[0], a[2], a[3]} {
		f.wantState(id, hongyan.Held, hongyan.HoldUserCap)
	}
	f.wantState(other, hongyan.Held, hongyan.HoldSuppressed)
	same(f, "by none at all", release(0), 3)
	var order []string
	for _, m := range f.claim(10) {
		order = append(order, m.ID)
	}
	same(f, "claimed", order, []string{a[1], a[2], a[3], b[0], b[1], a[0]})
	counts, err := f.s.Counts(f.ctx)
	f.must(err)
	same(f, "counted", counts[appA], map[hongyan.State]int64{hongyan.Held: 1, hongyan.Sending: 6})
}

// cappedKeepsQuiet: what is let go at night waits for the morning, that of a batch for the
// end of its own quiet hours too.
func cappedKeepsQuiet(f *fixture) {
	time.Sleep(hongyan.PeriodEnd("day", f.s.Now()).Add(-time.Hour).Sub(f.s.Now())) // 23:00
	morning := hongyan.PeriodEnd("day", f.s.Now()).Add(8 * time.Hour)
	hold := func(user string, batch int64) string {
		return f.insert(func(m *hongyan.Message) {
			m.State, m.Reason, m.ToUser, m.ExpiresAt, m.Batch, m.Priority = hongyan.Held, hongyan.HoldUserCap, user, morning.Add(48*time.Hour), batch, hongyan.Bulk
			m.Hold, m.DueAt = &hongyan.Hold{Reason: hongyan.HoldUserCap, Until: morning, Since: f.s.Now()}, morning
		}).ID
	}
	batch := func(quiet string) int64 { return f.batch(func(b *hongyan.Batch) { b.QuietHours = quiet }).Seq }
	plain, late, own := hold(userA, 0), hold(userB, batch("07:00-10:30")), hold(userA, batch("23:00-23:30"))
	release := func(most int, quiet hongyan.QuietHours) int {
		f.Helper()
		n, err := f.s.ReleaseCapped(f.ctx, store.CapRelease{AppID: appA, Most: most, Quiet: quiet})
		f.must(err)
		return n
	}
	_, err := f.s.CountUser(f.ctx, store.UserDay{AppID: appA, OpenID: userA, Day: hongyan.PeriodStart("day", f.s.Now())}, 1000, 1)
	f.must(err)
	same(f, "with room in the next day, in which they are due", release(1, hongyan.QuietHours{}), 2)
	same(f, "again", release(1, hongyan.QuietHours{}), 0)
	for id, due := range map[string]time.Time{plain: morning, late: morning.Add(150 * time.Minute)} {
		m, err := f.s.Message(f.ctx, id)
		f.must(err)
		same(f, "queued and due", []any{m.State, m.DueAt}, []any{hongyan.Queued, due})
	}
	same(f, "the cap removed, the account without quiet hours", release(0, hongyan.QuietHours{Off: true}), 1)
	m, err := f.s.Message(f.ctx, own)
	f.must(err)
	same(f, "due by its batch", m.DueAt, morning.Add(-8*time.Hour-30*time.Minute))
}

// cappedReleasedOnce: what is queued has its room, so that a second look finds none for more.
func cappedReleasedOnce(f *fixture) {
	until := hongyan.PeriodEnd("day", f.s.Now())
	for range 4 {
		f.insert(func(m *hongyan.Message) {
			m.State, m.Reason, m.ExpiresAt = hongyan.Held, hongyan.HoldUserCap, until.Add(48*time.Hour)
			m.Hold, m.DueAt = &hongyan.Hold{Reason: hongyan.HoldUserCap, Until: until, Since: f.s.Now()}, until
		})
	}
	f.insert(func(m *hongyan.Message) { m.DueAt = until.Add(time.Hour) }) // takes of another day
	f.insert(func(m *hongyan.Message) { m.Priority = hongyan.Urgent })    // of none
	release := func(most int) int {
		f.Helper()
		n, err := f.s.ReleaseCapped(f.ctx, store.CapRelease{AppID: appA, Most: most})
		f.must(err)
		return n
	}
	same(f, "at first", release(2), 2)
	same(f, "again while they are queued", release(2), 0)
	for _, m := range f.claim(10) {
		if m.Priority != hongyan.Urgent {
			same(f, "again while one is claimed", release(2), 0)
			_, err := f.s.CountUser(f.ctx, store.UserDay{AppID: appA, OpenID: m.ToUser, Day: hongyan.PeriodStart("day", f.s.Now())}, m.Seq, 2)
			f.must(err)
		}
	}
	same(f, "again when they have their places", release(2), 0)
	same(f, "by one more", release(3), 1)
}

func userReleased(f *fixture) {
	hold := func(reason, user string, until time.Time) string {
		return f.insert(func(m *hongyan.Message) {
			m.State, m.Reason, m.ToUser = hongyan.Held, reason, user
			m.Hold, m.DueAt = &hongyan.Hold{Reason: reason, Until: until, Since: f.s.Now()}, until
		}).ID
	}
	a, b := hold(hongyan.HoldSuppressed, userA, time.Time{}), hold(hongyan.HoldSuppressed, userA, f.s.Now().Add(time.Hour))
	other, capped := hold(hongyan.HoldSuppressed, userB, time.Time{}), hold(hongyan.HoldUserCap, userA, f.s.Now().Add(time.Hour))
	same(f, "nothing is claimed", len(f.claim(10)), 0)
	n, err := f.s.ReleaseUser(f.ctx, appA, userA, hongyan.HoldSuppressed)
	f.must(err)
	same(f, "released", n, 2)
	f.wantState(a, hongyan.Queued, "")
	f.wantState(b, hongyan.Queued, "")
	f.wantState(other, hongyan.Held, hongyan.HoldSuppressed)
	f.wantState(capped, hongyan.Held, hongyan.HoldUserCap)
	same(f, "claimed", len(f.claim(10)), 2)
	counts, err := f.s.Counts(f.ctx)
	f.must(err)
	same(f, "counted", counts[appA], map[hongyan.State]int64{hongyan.Held: 2, hongyan.Sending: 2})
}

func userCounted(f *fixture) {
	day := store.UserDay{AppID: appA, OpenID: userA, Day: hongyan.PeriodStart("day", f.s.Now())}
	var under sync.WaitGroup
	var got atomic.Int64
	for seq := range int64(20) {
		under.Go(func() {
			ok, err := f.s.CountUser(f.ctx, day, seq+1, 3)
			f.must(err)
			if ok {
				got.Add(1)
				if again, err := f.s.CountUser(f.ctx, day, seq+1, 3); err != nil || !again {
					f.Errorf("the same message again: %v, %v, want true", again, err)
				}
			}
		})
	}
	under.Wait()
	same(f, "of 20 at once", got.Load(), int64(3))
	n, err := f.s.UserCount(f.ctx, day)
	f.must(err)
	same(f, "counted", n, 3)
	day.OpenID = userB
	ok, err := f.s.CountUser(f.ctx, day, 1, 3)
	f.must(err)
	same(f, "another user", ok, true)
}

func userDaysForgotten(f *fixture) {
	day := store.UserDay{AppID: appA, OpenID: userA, Day: hongyan.PeriodStart("day", f.s.Now())}
	_, err := f.s.CountUser(f.ctx, day, 1, 1)
	f.must(err)
	for _, want := range []int{1, 1, 0} {
		_, err := f.s.Sweep(f.ctx)
		f.must(err)
		n, err := f.s.UserCount(f.ctx, day)
		f.must(err)
		same(f, "counted", n, want)
		time.Sleep(24 * time.Hour)
	}
}

// erase makes one pass over user A of account A.
func (f *fixture) erase(e hongyan.Erasure) hongyan.Erased {
	f.Helper()
	n, err := f.s.EraseUser(f.ctx, e)
	f.must(err)
	return n
}

func erased(f *fixture) {
	e := hongyan.NewErasure(appA, userA, "key_1")
	personal := func(m *hongyan.Message) {
		m.Metadata, m.CallerMsgID, m.ClientMsgID = []byte(`{"name":"王"}`), true, "order-"+m.ID[len(m.ID)-6:]
	}
	waiting := f.insert(personal)
	done := f.lease(personal)
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(done, 77))
	unknown := f.lease(personal)
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(unknown, 78))
	others := f.insert(func(m *hongyan.Message) { m.ToUser = userB; personal(m) })
	events := f.pushes(appA, 3, userA)
	f.must(f.s.FinishEvents(f.ctx, []store.EventDone{{EventID: events[0].ID,
		Receipts:   []hongyan.Receipt{{AppID: appA, MsgID: 77, ToUser: userA, Status: "success", Raw: "success", At: f.s.Now()}, {AppID: appA, MsgID: 99, ToUser: userA, Status: "success", At: f.s.Now()}},
		Deliveries: []store.NewDelivery{{Target: targetA, Key: userA}}}}))
	kept := f.pushes(appA, 2, userB)
	f.finishFor(kept, userB, targetA)
	r := f.rule("welcome", func(r *hongyan.Rule) { r.Once = hongyan.OnceEver })
	f.fire(r, events[1])
	refused := f.rule("broken")
	f.fire(refused, events[2])
	for _, one := range f.takeFirings() {
		if one.RuleID == refused.ID {
			f.must(f.s.FinishFirings(f.ctx, []store.FiringResult{{ID: one.ID, Attempts: 1, State: hongyan.FiringRefused, Code: "invalid_data", Refusal: "it says " + userA}}))
		}
	}
	f.suppress()
	_, err := f.s.CountUser(f.ctx, store.UserDay{AppID: appA, OpenID: userA, Day: hongyan.PeriodStart("day", f.s.Now())}, 1, 1)
	f.must(err)

	got := f.erase(e)
	same(f, "counted", got, hongyan.Erased{Messages: 3, Events: 3, Others: 6, Awaiting: 1})
	same(f, "a second pass finds nothing", f.erase(e), hongyan.Erased{})
	for id, state := range map[string]hongyan.State{waiting.ID: hongyan.Cancelled, done.ID: hongyan.Delivered, unknown.ID: hongyan.Accepted} {
		m := f.get(id)
		same(f, "taken out", []any{m.State, m.ToUser, len(m.Payload), m.Metadata == nil, m.ClientMsgID}, []any{state, e.Pseudonym, 0, true, m.ID})
		if m.Receipt != nil {
			same(f, "its receipt", m.Receipt.ToUser, e.Pseudonym)
		}
	}
	m := f.get(others.ID)
	same(f, "another's", []any{m.State, m.ToUser, m.Metadata != nil, m.ClientMsgID}, []any{hongyan.Queued, userB, true, others.ClientMsgID})
	f.nothingOf(userA, 5, len(kept))
	for _, one := range f.firings(refused) {
		same(f, "a refused firing", []any{one.OpenID, one.Code, one.Refusal}, []any{e.Pseudonym, "invalid_data", ""})
	}

	// What comes late about a message finds it, and does not bring the person back.
	late := f.pushes(appA, 1, userB)
	f.must(f.s.FinishEvents(f.ctx, []store.EventDone{{EventID: late[0].ID, Receipts: []hongyan.Receipt{{AppID: appA, MsgID: 78, ToUser: userA, Status: "success", At: f.s.Now()}}}}))
	m = f.get(unknown.ID)
	same(f, "late", []any{m.State, m.Receipt.ToUser}, []any{hongyan.Delivered, e.Pseudonym})
	counts, err := f.s.Counts(f.ctx)
	f.must(err)
	same(f, "counts", counts[appA], map[hongyan.State]int64{hongyan.Queued: 1, hongyan.Cancelled: 1, hongyan.Delivered: 2})
}

// nothingOf fails if a user is found in pushes, deliveries or lists.
func (f *fixture) nothingOf(user string, events, deliveries int) {
	f.Helper()
	all, err := f.s.Events(f.ctx, appA, 0, 100)
	f.must(err)
	same(f, "pushes", len(all), events)
	for _, e := range all {
		if e.OpenID == user || strings.Contains(e.DedupeKey, user) || e.ProcessedAt.IsZero() {
			f.Errorf("a push still names the person, or waits: %+v", e)
		}
		if e.OpenID != userB {
			same(f, "the body of a push", len(e.Body), 0)
		}
	}
	same(f, "deliveries", len(f.deliveries(store.DeliveryFilter{AppID: appA})), deliveries)
	same(f, "entries", len(f.listed(true)), 0)
	orphans, err := f.s.Orphans(f.ctx, 0, 10)
	f.must(err)
	same(f, "receipts nobody owns", len(orphans), 0)
	same(f, "firings to carry out", len(f.takeFirings()), 0)
	page, err := f.s.Messages(f.ctx, store.Filter{ToUser: user, Limit: 10})
	f.must(err)
	same(f, "messages", len(page.Items), 0)
}

func erasedLater(f *fixture) {
	e := hongyan.NewErasure(appA, userA, "key_1")
	m := f.lease()
	same(f, "being sent", f.erase(e), hongyan.Erased{Left: 1})
	f.finish(store.Settled{Applied: true, State: hongyan.Failed}, store.Result{Fence: fenceOf(m), AppID: appA, State: hongyan.Failed, Reason: "errcode",
		Attempts: []hongyan.Attempt{{N: 1, StartedAt: f.s.Now(), EndedAt: f.s.Now(), Outcome: hongyan.Answered, Errcode: 43004}}})
	same(f, "ended", f.erase(e), hongyan.Erased{Messages: 1})
	f.wantState(m.ID, hongyan.Failed, "errcode")
}

func erasures(f *fixture) {
	e, err := f.s.BeginErasure(f.ctx, hongyan.NewErasure(appA, userA, "key_1"))
	f.must(err)
	again, err := f.s.BeginErasure(f.ctx, hongyan.NewErasure(appA, userA, "key_2"))
	f.must(err)
	same(f, "one for a person", again, e)
	_, err = f.s.BeginErasure(f.ctx, hongyan.NewErasure("wxcccccccccccccccc", userA, ""))
	f.wantKind(err, hongyan.NotFound)
	due := func() int {
		f.Helper()
		all, err := f.s.DueErasures(f.ctx, 10)
		f.must(err)
		return len(all)
	}
	same(f, "due", due(), 1)
	e.State, e.DueAt, e.LookAgain, e.Messages = hongyan.ErasureWaiting, f.s.Now().Add(time.Hour), true, 7
	f.must(f.s.SaveErasure(f.ctx, e))
	same(f, "due later", due(), 0)
	time.Sleep(time.Hour)
	same(f, "due then", due(), 1)
	got, err := f.s.Erasure(f.ctx, appA, e.ID)
	f.must(err)
	same(f, "kept", got, e)
	e.State, e.DueAt, e.FinishedAt = hongyan.ErasureDone, time.Time{}, f.s.Now()
	f.must(f.s.SaveErasure(f.ctx, e))
	got, err = f.s.Erasure(f.ctx, appA, e.ID)
	f.must(err)
	e.OpenID = ""
	same(f, "done, and nobody knows whose", got, e)
	same(f, "due no more", due(), 0)
	next, err := f.s.BeginErasure(f.ctx, hongyan.NewErasure(appA, userA, "key_1"))
	f.must(err)
	same(f, "another one", next.ID != e.ID, true)
	_, err = f.s.Erasure(f.ctx, appB, e.ID)
	f.wantKind(err, hongyan.NotFound)
}
