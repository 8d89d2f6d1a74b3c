package storetest

import (
	"time"

	"hongyan"
	"hongyan/store"
)

var consentCases = []testCase{
	{name: "changes add up in their order", run: consentsAddUp},
	{name: "an event's changes are applied once, with it", run: consentsOfEvents},
	{name: "lists, and who was told", run: consentLists},
	{name: "of no account, and of a deleted one", run: consentsGo},
}

// consent makes a change of account A, user A and template t.
func (f *fixture) consent(act hongyan.ConsentAct, ago time.Duration, change ...func(*hongyan.ConsentChange)) hongyan.ConsentChange {
	ch := hongyan.ConsentChange{AppID: appA, OpenID: userA, TemplateID: "t", Act: act, At: hongyan.Millis(f.s.Now().Add(-ago))}
	for _, c := range change {
		c(&ch)
	}
	return ch
}

func (f *fixture) known(templateID string) (hongyan.Consent, bool) {
	f.Helper()
	c, ok, err := f.s.Consent(f.ctx, appA, userA, templateID)
	f.must(err)
	return c, ok
}

func consentsAddUp(f *fixture) {
	reported := func(c *hongyan.ConsentChange) { c.Reported, c.Times = true, 5 }
	changes := []hongyan.ConsentChange{
		f.consent(hongyan.ConsentSent, time.Hour), // of nothing known: nothing
		f.consent(hongyan.ConsentAccepted, 50*time.Minute),
		f.consent(hongyan.ConsentRefused, 40*time.Minute),
		f.consent(hongyan.ConsentAccepted, 30*time.Minute),
		f.consent(hongyan.ConsentAccepted, 29*time.Minute),
		f.consent(hongyan.ConsentAccepted, 28*time.Minute, reported),
		f.consent(hongyan.ConsentSent, 27*time.Minute),
		f.consent(hongyan.ConsentDeclined, 26*time.Minute),
		f.consent(hongyan.ConsentChoice, 25*time.Minute, func(c *hongyan.ConsentChange) { c.Always = "accept" }),
	}
	f.must(f.s.ApplyConsents(f.ctx, changes))
	var want hongyan.Consent
	for i := range changes[1:] {
		want = want.Apply(&changes[i+1])
	}
	got, ok := f.known("t")
	if !ok || got.Left() != 4 || got.ByEvents != 2 || got.ByReports != 5 || got.Sent != 1 || !got.Exact || got.Always != "accept" {
		f.Errorf("known: %v %+v", ok, got)
	}
	want.ID, want.UpdatedAt = got.ID, got.UpdatedAt
	same(f, "as the noun says", got, want)
	if _, ok := f.known("other"); ok {
		f.Error("a pair nothing was said of is known")
	}
}

func consentsOfEvents(f *fixture) {
	id, _, err := f.s.InsertEvent(f.ctx, hongyan.Event{AppID: appA, DedupeKey: "e1", Type: "subscribe_msg_popup_event", OpenID: userA, Body: []byte("x")})
	f.must(err)
	done := []store.EventDone{{EventID: id, Consents: []hongyan.ConsentChange{f.consent(hongyan.ConsentAccepted, 0)}}}
	for range 3 {
		f.must(f.s.FinishEvents(f.ctx, done))
	}
	if c, ok := f.known("t"); !ok || c.ByEvents != 1 {
		f.Errorf("known: %v %+v, want one acceptance", ok, c)
	}
}

func consentLists(f *fixture) {
	of := func(openID, templateID string) func(*hongyan.ConsentChange) {
		return func(c *hongyan.ConsentChange) { c.OpenID, c.TemplateID = openID, templateID }
	}
	for _, pair := range [][2]string{{userA, "t"}, {userA, "u"}, {userB, "t"}} {
		f.must(f.s.ApplyConsents(f.ctx, []hongyan.ConsentChange{f.consent(hongyan.ConsentAccepted, 0, of(pair[0], pair[1]))}))
	}
	list := func(filter store.ConsentFilter) (got []string) {
		f.Helper()
		filter.AppID = appA
		all, err := f.s.Consents(f.ctx, filter)
		f.must(err)
		for _, c := range all {
			got = append(got, c.OpenID[:6]+c.TemplateID)
		}
		return got
	}
	same(f, "all", list(store.ConsentFilter{Limit: 10}), []string{"oUserBt", "oUserAu", "oUserAt"})
	same(f, "of a user", list(store.ConsentFilter{OpenID: userA, Limit: 10}), []string{"oUserAu", "oUserAt"})
	same(f, "of a template", list(store.ConsentFilter{TemplateID: "t", Limit: 10}), []string{"oUserBt", "oUserAt"})
	same(f, "of a pair", list(store.ConsentFilter{OpenID: userB, TemplateID: "t", Limit: 10}), []string{"oUserBt"})
	first, err := f.s.Consents(f.ctx, store.ConsentFilter{AppID: appA, Limit: 2})
	f.must(err)
	same(f, "next page", list(store.ConsentFilter{Before: first[1].ID, Limit: 10}), []string{"oUserAt"})
	for i, want := range []bool{true, false} {
		marked, err := f.s.MarkConsentLow(f.ctx, first[0].ID)
		f.must(err)
		if marked != want {
			f.Errorf("told the %d. time: %v", i+1, marked)
		}
	}
	f.must(f.s.ApplyConsents(f.ctx, []hongyan.ConsentChange{f.consent(hongyan.ConsentAccepted, 0, of(userB, "t"))}))
	if marked, err := f.s.MarkConsentLow(f.ctx, first[0].ID); err != nil || !marked {
		f.Errorf("after another acceptance: %v, %v", marked, err)
	}
}

func consentsGo(f *fixture) {
	other := func(c *hongyan.ConsentChange) { c.AppID = appB }
	f.must(f.s.ApplyConsents(f.ctx, []hongyan.ConsentChange{
		f.consent(hongyan.ConsentAccepted, 0, func(c *hongyan.ConsentChange) { c.AppID = "wx0000000000000000" }),
		f.consent(hongyan.ConsentAccepted, 0, other),
	}))
	f.must(f.s.DeleteAccount(f.ctx, appB))
	for _, appID := range []string{"wx0000000000000000", appB} {
		all, err := f.s.Consents(f.ctx, store.ConsentFilter{AppID: appID, Limit: 10})
		f.must(err)
		same(f, "of "+appID, len(all), 0)
	}
}
