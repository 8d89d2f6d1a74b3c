package storetest

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"hongyan"
	"hongyan/store"
)

var ruleCases = []testCase{
	{name: "come back as they were given, by account and name", bubble: true, run: rulesKept},
	{name: "change, all but what they are called and did", bubble: true, run: rulesChange},
	{name: "forget why they were refused when they say something else", bubble: true, run: rulesMended},
	{name: "go with their firings, and with their account", run: rulesGo},
	{name: "fire once for an event, in the transaction that finishes it", bubble: true, run: firingsBegin},
	{name: "fire once for a user and period", bubble: true, run: firingsOnce},
	{name: "fire once for a user though many events are finished at once", run: firingsRace},
	{name: "fire again for a user who got nothing", bubble: true, run: firingsRefused},
	{name: "that are paused or gone do not fire", run: firingsPaused},
	{name: "have firings that are claimed one by one and again after their lease", bubble: true, run: firingsClaimed},
	{name: "forget firings after a month", bubble: true, run: firingsForgotten},
}

// rule makes a rule of account A.
func (f *fixture) rule(name string, change ...func(*hongyan.Rule)) hongyan.Rule {
	f.Helper()
	r := hongyan.Rule{
		ID: hongyan.NewRuleID(), AppID: appA, Name: name, On: "follow", CreatedAt: f.s.Now(), UpdatedAt: f.s.Now(),
	}
	f.must(json.Unmarshal([]byte(`{"template_id":"tmpl-1","data":{"thing1":"{{openid}}"},
		"miniprogram":{"appid":"`+appB+`","pagepath":"pages/a?b={{openid}}"}}`), &r.Message))
	for _, c := range change {
		c(&r)
	}
	f.must(f.s.CreateRule(f.ctx, r))
	return r
}

func (f *fixture) ruleNow(name string) hongyan.Rule {
	f.Helper()
	r, err := f.s.Rule(f.ctx, appA, name)
	f.must(err)
	return r
}

func rulesKept(f *fixture) {
	r := f.rule("welcome", func(r *hongyan.Rule) {
		r.Filters = []hongyan.RuleFilter{{Field: "Scene", Op: "prefix", Value: "shop-"}}
		r.Delay, r.Once, r.Paused = time.Minute, hongyan.OnceEver, true
		r.Message.Metadata = []byte(`{"a":1}`)
	})
	b := f.rule("a-second", func(r *hongyan.Rule) { r.Once = 24 * time.Hour })
	same(f, "by name", f.ruleNow("welcome"), r)
	all, err := f.s.Rules(f.ctx, appA)
	f.must(err)
	same(f, "in the order of names", all, []hongyan.Rule{b, r})
	none, err := f.s.Rules(f.ctx, appB)
	f.must(err)
	same(f, "of another account", len(none), 0)
	_, err = f.s.Rule(f.ctx, appB, "welcome")
	f.wantKind(err, hongyan.NotFound)
	again := r
	again.ID = hongyan.NewRuleID()
	f.wantKind(f.s.CreateRule(f.ctx, again), hongyan.Conflict)
	again.AppID = "wxcccccccccccccccc"
	f.wantKind(f.s.CreateRule(f.ctx, again), hongyan.NotFound)
}

func rulesChange(f *fixture) {
	r := f.rule("welcome")
	time.Sleep(time.Minute)
	r.On, r.Filters, r.Paused, r.Once = "scan", []hongyan.RuleFilter{{Field: "Scene", Op: "equal", Value: "a"}}, true, time.Hour
	f.must(f.s.UpdateRule(f.ctx, r))
	r.UpdatedAt = f.s.Now()
	same(f, "changed", f.ruleNow("welcome"), r)
	r.ID = hongyan.NewRuleID()
	f.wantKind(f.s.UpdateRule(f.ctx, r), hongyan.NotFound)
}

// rulesMended: why a rule was refused is told as long as it says what was refused.
func rulesMended(f *fixture) {
	r := f.rule("welcome")
	refuse := func() hongyan.Rule {
		f.Helper()
		f.fire(f.ruleNow("welcome"), f.pushes(appA, 1, userA)...)
		for _, one := range f.takeFirings() {
			f.must(f.s.FinishFirings(f.ctx, []store.FiringResult{{ID: one.ID, Attempts: 1, State: hongyan.FiringRefused, Code: "invalid_data", Refusal: "/data/thing1"}}))
		}
		time.Sleep(time.Minute)
		return f.ruleNow("welcome")
	}
	for what, change := range map[string]func(*hongyan.Rule){
		"trigger": func(r *hongyan.Rule) { r.On = "scan" },
		"filters": func(r *hongyan.Rule) { r.Filters = []hongyan.RuleFilter{{Field: "Scene", Op: "equal", Value: "a"}} },
		"delay":   func(r *hongyan.Rule) { r.Delay += time.Second },
		"period":  func(r *hongyan.Rule) { r.Once = time.Millisecond },
		"message": func(r *hongyan.Rule) { r.Message.URL = "https://shop.example.com/" },
	} {
		r = refuse()
		same(f, "refused before its "+what+" is changed", []any{r.LastRefusal, r.LastRefusedAt}, []any{"/data/thing1", f.s.Now().Add(-time.Minute)})
		r.Paused = true
		f.must(f.s.UpdateRule(f.ctx, r))
		same(f, "paused", f.ruleNow("welcome").LastRefusal, "/data/thing1")
		change(&r)
		r.Paused = false
		f.must(f.s.UpdateRule(f.ctx, r))
		got := f.ruleNow("welcome")
		same(f, "after its "+what+" was changed", []any{got.LastRefusal, got.LastRefusedAt.IsZero(), got.Refused}, []any{"", true, r.Refused})
	}
}

func rulesGo(f *fixture) {
	r := f.rule("welcome", func(r *hongyan.Rule) { r.Once = hongyan.OnceEver })
	f.fire(r, f.pushes(appA, 1, userA)...)
	f.must(f.s.DeleteRule(f.ctx, appA, "welcome"))
	f.wantKind(f.s.DeleteRule(f.ctx, appA, "welcome"), hongyan.NotFound)
	same(f, "firings of a deleted rule", len(f.firings(r)), 0)
	again := f.rule("welcome", func(n *hongyan.Rule) { n.ID, n.Once = r.ID, hongyan.OnceEver })
	f.fire(again, f.pushes(appA, 1, userA)...)
	same(f, "whom it fired for is forgotten", len(f.firings(again)), 1)
	f.must(f.s.DeleteAccount(f.ctx, appA))
	_, err := f.s.Rule(f.ctx, appA, "welcome")
	f.wantKind(err, hongyan.NotFound)
	claimed, err := f.s.ClaimFirings(f.ctx, 10, time.Minute)
	f.must(err)
	same(f, "claimed of a deleted account", len(claimed), 0)
}

// fire finishes events that set a rule off.
func (f *fixture) fire(r hongyan.Rule, events ...hongyan.Event) {
	f.Helper()
	f.must(f.s.FinishEvents(f.ctx, setOff(r, f.s.Now(), events...)))
}

func setOff(r hongyan.Rule, now time.Time, events ...hongyan.Event) (done []store.EventDone) {
	for _, e := range events {
		done = append(done, store.EventDone{EventID: e.ID, Firings: []store.NewFiring{{
			RuleID: r.ID, OpenID: e.OpenID, Once: r.Once, Message: []byte(`{"template_id":"tmpl-1"}`),
			At: now, SendAt: now.Add(r.Delay), ExpiresAt: now.Add(time.Hour),
		}}})
	}
	return done
}

// firings lists a rule's, oldest first.
func (f *fixture) firings(r hongyan.Rule) []hongyan.Firing {
	f.Helper()
	all, err := f.s.Firings(f.ctx, r.ID, 0, 1000)
	f.must(err)
	slices.Reverse(all)
	return all
}

func firingsBegin(f *fixture) {
	r := f.rule("welcome", func(r *hongyan.Rule) { r.Delay = time.Minute })
	e := f.pushes(appA, 1, userA)[0]
	f.fire(r, e)
	now := f.s.Now()
	got := f.firings(r)
	want := []hongyan.Firing{{RuleID: r.ID, AppID: appA, EventID: e.ID, OpenID: userA, Message: []byte(`{"template_id":"tmpl-1"}`),
		At: now, SendAt: now.Add(time.Minute), ExpiresAt: now.Add(time.Hour), DueAt: now, CreatedAt: now}}
	want[0].ID = got[0].ID
	same(f, "begun", got, want)
	f.fire(r, e) // another node did the same
	same(f, "finished twice", len(f.firings(r)), 1)
	other := f.rule("other", func(r *hongyan.Rule) { r.AppID = appB })
	f.fire(other, f.pushes(appA, 1, userA)...)
	same(f, "of another account's rule", len(f.firings(other)), 0)
}

func firingsOnce(f *fixture) {
	day := f.rule("day", func(r *hongyan.Rule) { r.Once = 24 * time.Hour })
	ever := f.rule("ever", func(r *hongyan.Rule) { r.Once = hongyan.OnceEver })
	count := func(what string, wantDay, wantEver int) {
		f.Helper()
		events := f.pushes(appA, 1, userA)
		done := setOff(day, f.s.Now(), events...)
		done[0].Firings = append(done[0].Firings, setOff(ever, f.s.Now(), events...)[0].Firings...)
		f.must(f.s.FinishEvents(f.ctx, done))
		same(f, what, []int{len(f.firings(day)), len(f.firings(ever))}, []int{wantDay, wantEver})
	}
	count("the first", 1, 1)
	until, fired, err := f.s.RuleUser(f.ctx, day.ID, userA)
	f.must(err)
	same(f, "fired for the user", fired && until.Equal(f.s.Now().Add(24*time.Hour)), true)
	until, fired, err = f.s.RuleUser(f.ctx, ever.ID, userA)
	f.must(err)
	same(f, "fired for ever", fired && until.IsZero(), true)
	time.Sleep(24*time.Hour - time.Second)
	count("within the day", 1, 1)
	time.Sleep(time.Second)
	_, err = f.s.Sweep(f.ctx)
	f.must(err)
	count("after the day", 2, 1)
	f.fire(day, f.pushes(appA, 1, "oUserBBBBBBBBBBBBBBBBBBBBBBB")...)
	same(f, "of another user", len(f.firings(day)), 3)
}

func firingsRace(f *fixture) {
	r := f.rule("welcome", func(r *hongyan.Rule) { r.Once = hongyan.OnceEver })
	events := f.pushes(appA, 20, userA)
	var under sync.WaitGroup
	for _, e := range events {
		under.Go(func() { f.must(f.s.FinishEvents(f.ctx, setOff(r, f.s.Now(), e))) })
	}
	under.Wait()
	same(f, "fired", len(f.firings(r)), 1)
}

// takeFirings claims what is due.
func (f *fixture) takeFirings() []hongyan.Firing {
	f.Helper()
	all, err := f.s.ClaimFirings(f.ctx, 10, time.Minute)
	f.must(err)
	return all
}

func firingsRefused(f *fixture) {
	r := f.rule("welcome", func(r *hongyan.Rule) { r.Once = hongyan.OnceEver })
	f.fire(r, f.pushes(appA, 1, userA)...)
	claimed := f.takeFirings()
	f.must(f.s.FinishFirings(f.ctx, []store.FiringResult{{ID: claimed[0].ID, Attempts: 1, State: hongyan.FiringRefused, Code: "unknown_template", Refusal: "no such template"}}))
	now := f.ruleNow("welcome")
	same(f, "told with the rule", []any{now.Refused, now.LastRefusal, now.LastRefusedAt}, []any{int64(1), "no such template", f.s.Now()})
	f.fire(r, f.pushes(appA, 1, userA)...)
	claimed = f.takeFirings()
	same(f, "claimed anew", len(claimed), 1)
	f.must(f.s.FinishFirings(f.ctx, []store.FiringResult{{ID: claimed[0].ID, Attempts: 1, State: hongyan.FiringSent, MessageID: "msg_1"}}))
	now = f.ruleNow("welcome")
	same(f, "sent", []any{now.Fired, now.LastMessageID, now.LastFiredAt}, []any{int64(1), "msg_1", f.s.Now()})
	f.fire(r, f.pushes(appA, 1, userA)...)
	got := f.firings(r)
	same(f, "no third", len(got), 2)
	same(f, "ended without its message", []any{got[1].State, got[1].MessageID, got[1].Message == nil, got[1].EndedAt}, []any{hongyan.FiringSent, "msg_1", true, f.s.Now()})
}

func firingsPaused(f *fixture) {
	r := f.rule("welcome", func(r *hongyan.Rule) { r.Paused = true })
	f.fire(r, f.pushes(appA, 1, userA)...)
	r.ID = hongyan.NewRuleID()
	f.fire(r, f.pushes(appA, 1, userA)...)
	same(f, "claimed", len(f.takeFirings()), 0)
}

func firingsClaimed(f *fixture) {
	r := f.rule("welcome")
	f.fire(r, f.pushes(appA, 2, userA)...)
	one, err := f.s.ClaimFirings(f.ctx, 1, time.Minute)
	f.must(err)
	same(f, "one at a time", []int{len(one), one[0].Attempts}, []int{1, 1})
	same(f, "then the other", len(f.takeFirings()), 1)
	same(f, "then none", len(f.takeFirings()), 0)
	time.Sleep(time.Minute)
	again := f.takeFirings()
	same(f, "after the lease", len(again), 2)
	// Who was first is late, and finishes nothing.
	f.must(f.s.FinishFirings(f.ctx, []store.FiringResult{{ID: one[0].ID, Attempts: 1, State: hongyan.FiringSent, MessageID: "late"}}))
	same(f, "fired", f.ruleNow("welcome").Fired, int64(0))
	f.must(f.s.FinishFirings(f.ctx, []store.FiringResult{
		{ID: again[0].ID, Attempts: 2, State: hongyan.FiringPending, DueAt: f.s.Now().Add(time.Hour), Code: "closed", Refusal: "busy"},
		{ID: again[1].ID, Attempts: 2, State: hongyan.FiringSent, MessageID: "msg_1"},
	}))
	time.Sleep(time.Hour - time.Second)
	same(f, "before its time", len(f.takeFirings()), 0)
	time.Sleep(time.Second)
	same(f, "in its time, with its message", len(f.takeFirings()[0].Message) > 0, true)
}

func firingsForgotten(f *fixture) {
	r := f.rule("welcome")
	f.fire(r, f.pushes(appA, 2, userA)...)
	claimed := f.takeFirings()
	f.must(f.s.FinishFirings(f.ctx, []store.FiringResult{{ID: claimed[0].ID, Attempts: 1, State: hongyan.FiringSent, MessageID: "msg_1"}}))
	time.Sleep(store.FiringKeep)
	_, err := f.s.Sweep(f.ctx)
	f.must(err)
	same(f, "left: the pending one", len(f.firings(r)), 1)
}
