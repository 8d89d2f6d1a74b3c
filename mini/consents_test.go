package mini_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/dispatch"
	"hongyan/mini"
	"hongyan/sandbox"
	"hongyan/store"
	"hongyan/wechat"
)

// TestTheLedgerFollowsTheUser: prompts, messages, a refusal, and the settings.
func TestTheLedgerFollowsTheUser(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		user := sandbox.OpenID("", 1)
		if s := w.standing(user); s != nil {
			t.Errorf("of nothing: %+v", s)
		}
		w.answers(user, true)
		s := w.want(user, 1, hongyan.ConsentAtLeast) // he may have accepted before we listened
		if s.Type != wechat.SubscribeOneTime || s.UsedUp() {
			t.Errorf("type %d, used up %v", s.Type, s.UsedUp())
		}
		w.answers(user, true)
		w.answers(user, false)
		w.want(user, 2, hongyan.ConsentAtLeast)
		for range 2 {
			if m := w.send(user); m.State != hongyan.Delivered {
				t.Fatalf("%s (%s)", m.State, m.Reason)
			}
		}
		w.want(user, 0, hongyan.ConsentUnknown)
		if m := w.send(user); m.Last.Errcode != 43101 {
			t.Fatalf("errcode %d, want 43101", m.Last.Errcode)
		}
		if s := w.want(user, 0, hongyan.ConsentExact); !s.UsedUp() {
			t.Error("WeChat said that nothing is left")
		}
		w.answers(user, true)
		w.answers(user, true)
		w.want(user, 2, hongyan.ConsentExact)
		w.send(user)
		w.want(user, 1, hongyan.ConsentExact)
		w.must(w.box.Sandbox.RevokeConsent(miniID, user))
		w.sleep(2 * time.Second)
		w.want(user, 0, hongyan.ConsentExact)
	})
}

// TestThePlatformAgrees compares the ledger with the sandbox's own after many acts.
func TestThePlatformAgrees(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for n := range 5 {
			user := sandbox.OpenID("", n)
			w.send(user) // 43101: from here on it is exact
			for i := range 12 {
				switch (i*7 + n*3) % 5 {
				case 0, 1, 3:
					w.answers(user, true)
				case 2:
					w.send(user)
				case 4:
					w.answers(user, false)
				}
			}
			theirs, err := w.box.Sandbox.Consents(miniID, user)
			w.must(err)
			w.want(user, int64(theirs[0].Left), hongyan.ConsentExact)
		}
	})
}

func TestALongTermTemplateIsNotCounted(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		user := sandbox.OpenID("", 1)
		long := w.longTerm()
		w.must(w.box.Sandbox.Consent(miniID, user, []sandbox.ConsentAnswer{{TemplateID: long, Accept: true}}, 0))
		w.sleep(2 * time.Second)
		all, err := w.keeper.Consents(t.Context(), w.account(), store.ConsentFilter{OpenID: user, Limit: 10})
		w.must(err)
		if len(all) != 1 || !all[0].Unlimited() || all[0].UsedUp() {
			t.Errorf("standing %+v, want unlimited", all)
		}
		w.must(w.box.Sandbox.RevokeConsent(miniID, user, long))
		w.sleep(2 * time.Second)
		all, err = w.keeper.Consents(t.Context(), w.account(), store.ConsentFilter{OpenID: user, Limit: 10})
		w.must(err)
		if len(all) != 1 || all[0].Unlimited() || !all[0].UsedUp() {
			t.Errorf("standing %+v, want used up", all)
		}
	})
}

func TestReportsAndEventsTellOfTheSameAcceptances(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		user, silent := sandbox.OpenID("", 1), sandbox.OpenID("", 2)
		report := func(openID string, times int) {
			t.Helper()
			n, problems, err := w.keeper.AddReports(t.Context(), w.account(), []mini.Report{{OpenID: openID, TemplateID: pickup, Answer: "accept", Times: times}})
			w.must(err)
			if n != 1 || len(problems) != 0 {
				t.Fatalf("%d stored, problems %+v", n, problems)
			}
		}
		w.answers(user, true)
		report(user, 1)
		w.want(user, 1, hongyan.ConsentAtLeast)
		w.answers(user, true)
		w.want(user, 2, hongyan.ConsentAtLeast)
		report(silent, 3) // of which no event came
		w.want(silent, 3, hongyan.ConsentAtLeast)
		_, _, err := w.keeper.AddReports(t.Context(), w.account(), []mini.Report{{OpenID: silent, TemplateID: pickup, Always: "accept"}})
		w.must(err)
		if s := w.want(silent, 3, hongyan.ConsentAtLeast); s.Always != "accept" {
			t.Errorf("standing choice %q", s.Always)
		}
		_, _, err = w.keeper.AddReports(t.Context(), w.account(), []mini.Report{{OpenID: silent, TemplateID: pickup, Answer: "reject", Always: "none"}})
		w.must(err)
		if s := w.want(silent, 3, hongyan.ConsentAtLeast); s.Always != "" || s.DeclinedAt.IsZero() {
			t.Errorf("standing %+v", s)
		}
	})
}

func TestEveryBadReportNamesItsFault(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		good := mini.Report{OpenID: sandbox.OpenID("", 1), TemplateID: pickup, Answer: "accept"}
		var reports []mini.Report
		var want []string
		for _, c := range []struct {
			pointer string
			change  func(*mini.Report)
		}{
			{"/openid", func(r *mini.Report) { r.OpenID = "wx" }},
			{"/template_id", func(r *mini.Report) { r.TemplateID = "" }},
			{"/template_id", func(r *mini.Report) { r.TemplateID = "取餐" }},
			{"/answer", func(r *mini.Report) { r.Answer = "" }},
			{"/answer", func(r *mini.Report) { r.Answer = "acept" }},
			{"/answer", func(r *mini.Report) { r.Answer = "ban" }},
			{"/always", func(r *mini.Report) { r.Always = "yes" }},
			{"/times", func(r *mini.Report) { r.Times = 101 }},
			{"/times", func(r *mini.Report) { r.Answer, r.Times = "reject", 1 }},
			{"/at", func(r *mini.Report) { r.At = time.Now().Add(time.Hour) }},
		} {
			r := good
			c.change(&r)
			reports, want = append(reports, r), append(want, c.pointer)
		}
		stored, problems, err := w.keeper.AddReports(t.Context(), w.account(), append(reports, good))
		w.must(err)
		var got []string
		for _, p := range problems {
			got = append(got, p.Fields[0].Pointer)
		}
		if diff := cmp.Diff(want, got); diff != "" || stored != 1 {
			t.Errorf("%d stored; problems (-want +got):\n%s", stored, diff)
		}
	})
}

func TestTheCheckBeforeSending(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		user := sandbox.OpenID("", 1)
		w.set(hongyan.MiniRules{ConsentCheck: hongyan.ConsentCheckRefuse})
		if m := w.send(user); m.Last.Errcode != 43101 { // nothing is known: WeChat judges
			t.Fatalf("errcode %d", m.Last.Errcode)
		}
		refused := func() {
			t.Helper()
			no, ok := errors.AsType[*hongyan.Error](w.submit(order(user)).Err)
			if !ok || no.Code != "no_consent" || no.Kind != hongyan.Invalid || no.Fields[0].Pointer != "/touser" {
				t.Errorf("got %+v, want no_consent", no)
			}
		}
		refused()
		w.answers(user, true)
		later := order(user)
		later.SendAt = time.Now().Add(time.Hour)
		w.must(w.submit(later).Err)
		refused() // the one that is left is promised already
		w.sleep(2 * time.Hour)
		refused()
		w.answers(user, true)
		w.must(w.submit(order(user)).Err)
		w.sleep(5 * time.Second)
		w.set(hongyan.MiniRules{ConsentCheck: hongyan.ConsentCheckWarn})
		done := w.submit(order(user))
		if done.Err != nil || done.Warning == "" {
			t.Errorf("warn: %+v", done)
		}
		w.set(hongyan.MiniRules{})
		if done := w.submit(order(user)); done.Err != nil || done.Warning != "" {
			t.Errorf("off: %+v", done)
		}
		w.sleep(5 * time.Second)
		// Another template of the user, and one of form_ids, are none of its business.
		w.set(hongyan.MiniRules{ConsentCheck: hongyan.ConsentCheckRefuse})
		w.must(w.submit(dispatch.Request{AppID: miniID, ToUser: user, TemplateID: sandbox.SeedTemplateMini, Priority: hongyan.Normal,
			Data: wechat.Data{"keyword1": {Value: "理发"}}}).Err)
	})
}

// TestWhatCannotBeListedIsNotRefused: of a template whose type WeChat does not tell,
// an acceptance may be for good; that WeChat refused is beyond doubt.
func TestWhatCannotBeListedIsNotRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.box.Sandbox.AddFault(sandbox.Fault{Path: "/wxaapi/newtmpl/gettemplate", ErrCode: 45009})
		w.set(hongyan.MiniRules{ConsentCheck: hongyan.ConsentCheckRefuse})
		user := sandbox.OpenID("", 1)
		w.send(user)
		if done := w.submit(order(user)); done.Err == nil {
			t.Error("refused by WeChat, and taken again")
		}
		w.answers(user, true)
		w.send(user)
		if s := w.want(user, 0, hongyan.ConsentExact); s.UsedUp() || s.Type != 0 {
			t.Errorf("standing %+v", s)
		}
		w.must(w.submit(order(user)).Err)
	})
}

func TestFewSendsLeftAreTold(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		user := sandbox.OpenID("", 1)
		w.answers(user, true)
		w.send(user)
		w.send(user) // 43101
		if len(w.told) != 0 {
			t.Errorf("told %+v, though nobody wanted it", w.told)
		}
		w.set(hongyan.MiniRules{ConsentLow: 2})
		for range 3 {
			w.answers(user, true)
		}
		for range 4 {
			w.send(user)
		}
		want := []mini.Low{{OpenID: user, TemplateID: pickup, Left: 1, Certainty: hongyan.ConsentExact}}
		if diff := cmp.Diff(want, w.told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		w.answers(user, true)
		w.must(w.box.Sandbox.RevokeConsent(miniID, user))
		w.sleep(2 * time.Second)
		want = append(want, mini.Low{OpenID: user, TemplateID: pickup, Left: 0, Certainty: hongyan.ConsentExact})
		if diff := cmp.Diff(want, w.told); diff != "" {
			t.Errorf("told after another acceptance (-want +got):\n%s", diff)
		}
	})
}
