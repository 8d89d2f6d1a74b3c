package storetest

import (
	"fmt"
	"time"

	"hongyan"
	"hongyan/store"
)

const userB = "oUserBBBBBBBBBBBBBBBBBBBBBBB"

var formCases = []testCase{
	{name: "the one that expires first goes first, and each as often as it serves", bubble: true, run: formsInOrder},
	{name: "a message keeps its form until its result", run: formKept},
	{name: "a form is stored once, and for one user", run: formOnce},
	{name: "what a result means for the form", run: formResults},
	{name: "who waits for a form goes when one comes", run: formAwaited},
	{name: "a form that comes while its message is being held", run: formMeanwhile},
	{name: "a message given back gives its form back, unless it is in doubt", run: formGivenBack},
	{name: "a node that lost the message takes nothing", run: formFenced},
	{name: "lists and counts", bubble: true, run: formLists},
	{name: "expired forms go, and those of a deleted account", bubble: true, run: formsGo},
}

// form makes a form of account A and user A that was obtained so long ago.
func (f *fixture) form(id string, ago time.Duration, change ...func(*hongyan.FormID)) hongyan.FormID {
	at := hongyan.Millis(f.s.Now().Add(-ago))
	form := hongyan.FormID{AppID: appA, OpenID: userA, FormID: id, Source: hongyan.FormSubmitted, Sends: 1, ObtainedAt: at, ExpiresAt: at.Add(hongyan.FormLife)}
	for _, c := range change {
		c(&form)
	}
	return form
}

func (f *fixture) putForms(forms ...hongyan.FormID) (done []store.FormStored, released int) {
	f.Helper()
	done, released, err := f.s.PutForms(f.ctx, forms)
	f.must(err)
	return done, released
}

func mini(m *hongyan.Message) { m.Kind = hongyan.KindMiniTemplate }

// takeForm takes a form for a leased message; "" = there was none.
func (f *fixture) takeForm(m hongyan.Message) string {
	f.Helper()
	form, ok, err := f.s.TakeForm(f.ctx, fenceOf(m), m.AppID)
	f.must(err)
	if !ok {
		return ""
	}
	return form.FormID
}

// end is the result of a message that took a form.
func (f *fixture) end(m hongyan.Message, state hongyan.State, outcome store.FormOutcome) store.Result {
	r := store.Result{Fence: fenceOf(m), AppID: m.AppID, State: state, Form: &store.FormResult{ToUser: m.ToUser, Outcome: outcome, Errcode: 41029}}
	if state == hongyan.Held {
		r.Reason, r.Hold = hongyan.HoldNoFormID, &hongyan.Hold{Reason: hongyan.HoldNoFormID}
	}
	return r
}

func formsInOrder(f *fixture) {
	f.putForms(f.form("young", time.Hour), f.form("old", 6*24*time.Hour), f.form("expired", hongyan.FormLife),
		f.form("paid", 2*time.Hour, func(p *hongyan.FormID) { p.Source, p.Sends = hongyan.FormPaid, 3 }),
		f.form("another's", 3*time.Hour, func(p *hongyan.FormID) { p.OpenID = userB }))
	var got []string
	for range 6 {
		got = append(got, f.takeForm(f.lease(mini)))
	}
	same(f, "forms in the order they are taken", got, []string{"old", "paid", "paid", "paid", "young", ""})
	time.Sleep(hongyan.FormLife)
	f.putForms(f.form("new", 0))
	same(f, "the one that has not expired", f.takeForm(f.lease(mini)), "new")
}

func formKept(f *fixture) {
	f.putForms(f.form("one", 2*time.Hour), f.form("two", time.Hour))
	m := f.lease(mini)
	same(f, "first", f.takeForm(m), "one")
	same(f, "asked again", f.takeForm(m), "one")
	r := f.end(m, hongyan.Queued, store.FormKept)
	r.DoubtSince = f.s.Now()
	f.finish(store.Settled{Applied: true, State: hongyan.Queued}, r)
	again, err := f.s.ClaimOne(f.ctx, f.epoch, m.ID)
	f.must(err)
	same(f, "in the next attempt", f.takeForm(again), "one")
	form, ok, err := f.s.FormOf(f.ctx, m.ID)
	f.must(err)
	if !ok || form.FormID != "one" || form.Left != 0 {
		f.Errorf("held: %+v, %v", form, ok)
	}
	same(f, "another message", f.takeForm(f.lease(mini)), "two")
}

func formOnce(f *fixture) {
	done, _ := f.putForms(f.form("one", time.Hour), f.form("one", 2*time.Hour),
		f.form("one", 0, func(p *hongyan.FormID) { p.OpenID = userB }),
		f.form("one", 0, func(p *hongyan.FormID) { p.AppID = appB }),
		f.form("one", 0, func(p *hongyan.FormID) { p.AppID = "wx0000000000000000" }))
	same(f, "outcomes", done, []store.FormStored{store.FormNew, store.FormKnown, store.FormOfAnother, store.FormNew, store.FormNoAccount})
	same(f, "first", f.takeForm(f.lease(mini)), "one")
	f.putForms(f.form("one", 0))
	same(f, "a used one does not come back", f.takeForm(f.lease(mini)), "")
}

func formResults(f *fixture) {
	f.putForms(f.form("one", time.Hour))
	returned := f.lease(mini)
	f.takeForm(returned)
	f.finish(store.Settled{Applied: true, State: hongyan.Failed}, f.end(returned, hongyan.Failed, store.FormReturned))
	refused := f.lease(mini)
	same(f, "given back", f.takeForm(refused), "one")
	f.finish(store.Settled{Applied: true, State: hongyan.Queued}, f.end(refused, hongyan.Queued, store.FormRefused))
	same(f, "refused by WeChat", f.takeForm(f.lease(mini)), "")
	forms, err := f.s.Forms(f.ctx, appA, userA, 0, 10)
	f.must(err)
	if len(forms) != 1 || forms[0].Refused != 41029 || forms[0].State(f.s.Now()) != "refused" {
		f.Errorf("forms %+v", forms)
	}
	// Refused while another message held one of its sends.
	f.putForms(f.form("paid", 0, func(p *hongyan.FormID) { p.Source, p.Sends = hongyan.FormPaid, 3 }))
	first, second := f.lease(mini), f.lease(mini)
	f.takeForm(first)
	f.takeForm(second)
	f.finish(store.Settled{Applied: true, State: hongyan.Queued}, f.end(first, hongyan.Queued, store.FormRefused))
	f.finish(store.Settled{Applied: true, State: hongyan.Failed}, f.end(second, hongyan.Failed, store.FormReturned))
	same(f, "refused stays refused", f.takeForm(f.lease(mini)), "")
}

func formAwaited(f *fixture) {
	waiting, other := f.lease(mini), f.lease(mini, func(m *hongyan.Message) { m.ToUser = userB })
	for _, m := range []hongyan.Message{waiting, other} {
		f.finish(store.Settled{Applied: true, State: hongyan.Held}, f.end(m, hongyan.Held, store.FormMissing))
		f.wantState(m.ID, hongyan.Held, hongyan.HoldNoFormID)
	}
	if _, released := f.putForms(f.form("one", 0)); released != 1 {
		f.Errorf("released %d, want 1", released)
	}
	f.wantState(waiting.ID, hongyan.Queued, "")
	f.wantState(other.ID, hongyan.Held, hongyan.HoldNoFormID)
	got, err := f.s.Claim(f.ctx, f.epoch, []store.Want{{AppID: appA, Kind: hongyan.KindMiniTemplate, Max: 5}})
	f.must(err)
	same(f, "claimed", ids(got), []string{waiting.ID})
	same(f, "its form", f.takeForm(got[0]), "one")
	// A form that comes back lets go who waits.
	late := f.lease(mini)
	f.finish(store.Settled{Applied: true, State: hongyan.Held}, f.end(late, hongyan.Held, store.FormMissing))
	f.finish(store.Settled{Applied: true, State: hongyan.Failed}, f.end(got[0], hongyan.Failed, store.FormReturned))
	f.wantState(late.ID, hongyan.Queued, "")
	counts, err := f.s.Counts(f.ctx)
	f.must(err)
	same(f, "counts", counts[appA], map[hongyan.State]int64{hongyan.Queued: 1, hongyan.Held: 1, hongyan.Failed: 1})
}

func formMeanwhile(f *fixture) {
	m := f.lease(mini)
	same(f, "none", f.takeForm(m), "")
	f.putForms(f.form("one", 0))
	f.finish(store.Settled{Applied: true, State: hongyan.Queued}, f.end(m, hongyan.Held, store.FormMissing))
	f.wantState(m.ID, hongyan.Queued, "")
	got, err := f.s.Claim(f.ctx, f.epoch, []store.Want{{AppID: appA, Kind: hongyan.KindMiniTemplate, Max: 5}})
	f.must(err)
	same(f, "claimed", ids(got), []string{m.ID})
}

func formGivenBack(f *fixture) {
	f.putForms(f.form("one", 0))
	m, waiting := f.lease(mini), f.lease(mini)
	f.takeForm(m)
	f.finish(store.Settled{Applied: true, State: hongyan.Held}, f.end(waiting, hongyan.Held, store.FormMissing))
	f.must(f.s.Return(f.ctx, []store.Fence{fenceOf(m)}))
	f.wantState(waiting.ID, hongyan.Queued, "")
	again, err := f.s.ClaimOne(f.ctx, f.epoch, waiting.ID)
	f.must(err)
	same(f, "given back", f.takeForm(again), "one")
	r := f.end(again, hongyan.Queued, store.FormKept)
	r.DoubtSince = f.s.Now()
	f.finish(store.Settled{Applied: true, State: hongyan.Queued}, r)
	doubtful, err := f.s.ClaimOne(f.ctx, f.epoch, again.ID)
	f.must(err)
	f.must(f.s.Return(f.ctx, []store.Fence{fenceOf(doubtful)}))
	same(f, "in doubt it keeps its form", f.takeForm(f.lease(mini)), "")
}

func formFenced(f *fixture) {
	f.putForms(f.form("one", 0))
	m := f.lease(mini)
	wrong := fenceOf(m)
	wrong.Attempts++
	for _, fence := range []store.Fence{wrong, {Seq: m.Seq, Attempts: m.Attempts}, {Seq: m.Seq + 1000, Epoch: m.Epoch, Attempts: 1}} {
		_, _, err := f.s.TakeForm(f.ctx, fence, appA)
		f.wantKind(err, hongyan.Conflict)
	}
	_, _, err := f.s.TakeForm(f.ctx, fenceOf(m), appB)
	f.wantKind(err, hongyan.Conflict)
	same(f, "nothing was taken", f.takeForm(m), "one")
}

func formLists(f *fixture) {
	for i := range 5 {
		f.putForms(f.form(fmt.Sprint("form-", i), time.Duration(i)*36*time.Hour))
	}
	f.putForms(f.form("b", 0, func(p *hongyan.FormID) { p.OpenID, p.Sends = userB, 3 }))
	m := f.lease(mini)
	same(f, "taken", f.takeForm(m), "form-4")
	page, err := f.s.Forms(f.ctx, appA, userA, 0, 2)
	f.must(err)
	if len(page) != 2 || page[0].FormID != "form-4" || page[1].FormID != "form-3" {
		f.Fatalf("first page %+v", page)
	}
	same(f, "who took it", page[0].Messages, []string{m.ID})
	page, err = f.s.Forms(f.ctx, appA, userA, page[1].ID, 10)
	f.must(err)
	if len(page) != 3 || page[2].FormID != "form-0" {
		f.Fatalf("second page %+v", page)
	}
	now := f.s.Now()
	for openID, want := range map[string]hongyan.FormCounts{
		userA:     {Users: 1, Forms: 4, Sends: 4, Next: hongyan.Millis(now.Add(hongyan.FormLife - 3*36*time.Hour))},
		"":        {Users: 2, Forms: 5, Sends: 7, Next: hongyan.Millis(now.Add(hongyan.FormLife - 3*36*time.Hour))},
		"oNobody": {},
	} {
		got, err := f.s.CountForms(f.ctx, appA, openID)
		f.must(err)
		same(f, "counts of "+openID, got, want)
	}
	time.Sleep(hongyan.FormLife - 3*36*time.Hour - time.Hour)
	got, err := f.s.CountForms(f.ctx, appA, userA)
	f.must(err)
	same(f, "expiring within a day", got.Within, int64(1))
}

func formsGo(f *fixture) {
	f.putForms(f.form("one", 0), f.form("other", 0, func(p *hongyan.FormID) { p.AppID = appB }))
	m := f.lease(mini)
	f.takeForm(m)
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.end(m, hongyan.Accepted, store.FormKept))
	time.Sleep(hongyan.FormLife + store.FormKeep - time.Minute)
	_, err := f.s.Sweep(f.ctx)
	f.must(err)
	if _, ok, err := f.s.FormOf(f.ctx, m.ID); err != nil || !ok {
		f.Fatalf("swept too early: %v, %v", ok, err)
	}
	f.must(f.s.DeleteAccount(f.ctx, appB))
	left, err := f.s.Forms(f.ctx, appB, "", 0, 10)
	f.must(err)
	same(f, "of a deleted account", len(left), 0)
	time.Sleep(2 * time.Minute)
	_, err = f.s.Sweep(f.ctx)
	f.must(err)
	if _, ok, err := f.s.FormOf(f.ctx, m.ID); err != nil || ok {
		f.Errorf("still there: %v, %v", ok, err)
	}
	left, err = f.s.Forms(f.ctx, appA, "", 0, 10)
	f.must(err)
	same(f, "after the sweep", len(left), 0)
}
