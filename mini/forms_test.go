package mini_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/dispatch"
	"hongyan/mini"
	"hongyan/sandbox"
	"hongyan/wechat"
)

func TestEveryBadEntryNamesItsFaultAndTheOthersAreStored(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		user, other := sandbox.OpenID("", 1), sandbox.OpenID("", 2)
		now := time.Now()
		good := mini.Entry{OpenID: user, FormID: "4f1e2d3c4b5a69788796a5b4c3d2e1f0"}
		var entries []mini.Entry
		var want []string
		for _, c := range []struct {
			pointer string
			change  func(*mini.Entry)
		}{
			{"/openid", func(e *mini.Entry) { e.OpenID = "me" }},
			{"/form_id", func(e *mini.Entry) { e.FormID = "" }},
			{"/form_id", func(e *mini.Entry) { e.FormID = "the formId is a mock one" }},
			{"/form_id", func(e *mini.Entry) { e.FormID = "two words" }},
			{"/prepay_id", func(e *mini.Entry) { e.PrepayID = "wx1" }},
			{"/sends", func(e *mini.Entry) { e.Sends = 3 }},
			{"/sends", func(e *mini.Entry) { e.FormID, e.PrepayID, e.Sends = "", "wx1", 2 }},
			{"/obtained_at", func(e *mini.Entry) { e.ObtainedAt = now.Add(time.Hour) }},
			{"/obtained_at", func(e *mini.Entry) { e.ObtainedAt = now.Add(-7 * 24 * time.Hour) }},
			{"/form_id", func(e *mini.Entry) { e.OpenID = other }}, // of the good one's id
		} {
			e := good
			c.change(&e)
			entries, want = append(entries, e), append(want, c.pointer)
		}
		entries = append([]mini.Entry{good}, entries...)
		added, err := w.keeper.AddForms(t.Context(), w.account(), append(entries, good))
		w.must(err)
		var got []string
		for i, p := range added.Problems {
			got = append(got, p.Fields[0].Pointer)
			if p.Place != i+1 {
				t.Errorf("problem %d is at place %d", i, p.Place)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || added.Stored != 1 || added.Known != 1 {
			t.Errorf("%d stored, %d known; problems (-want +got):\n%s", added.Stored, added.Known, diff)
		}
		service := w.account()
		service.Kind = hongyan.ServiceAccount
		if _, err := w.keeper.AddForms(t.Context(), service, []mini.Entry{good}); !hongyan.IsKind(err, hongyan.Invalid) {
			t.Errorf("a service account's: %v", err)
		}
	})
}

func TestHowOftenAPaymentServes(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		user := sandbox.OpenID("", 1)
		add := func(e mini.Entry) {
			t.Helper()
			e.OpenID = user
			added, err := w.keeper.AddForms(t.Context(), w.account(), []mini.Entry{e})
			w.must(err)
			if added.Stored != 1 {
				t.Fatalf("added %+v", added)
			}
		}
		add(mini.Entry{PrepayID: "wx1"})
		w.set(hongyan.MiniRules{PrepaySends: 3})
		add(mini.Entry{FormID: "wx2"}) // by its form a prepay_id
		add(mini.Entry{PrepayID: "wx3", Sends: 1})
		add(mini.Entry{FormID: "f4"})
		left, err := w.keeper.Forms(t.Context(), w.account(), user, 0, 10)
		w.must(err)
		var got []int
		for _, f := range left.Items {
			got = append(got, f.Sends)
		}
		if diff := cmp.Diff([]int{1, 1, 3, 1}, got); diff != "" || left.Sends != 6 || left.Waiting != 0 {
			t.Errorf("%d left, %d wait; sends, newest first (-want +got):\n%s", left.Sends, left.Waiting, diff)
		}
	})
}

func TestAFormThatComesLetsItsMessagesGoAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		user := sandbox.OpenID("", 1)
		done := w.submit(dispatch.Request{AppID: miniID, ToUser: user, TemplateID: sandbox.SeedTemplateMini, Priority: hongyan.Normal,
			Data: wechat.Data{"keyword1": {Value: "理发"}}})
		w.must(done.Err)
		w.sleep(time.Second)
		left, err := w.keeper.Forms(t.Context(), w.account(), user, 0, 10)
		w.must(err)
		if left.Waiting != 1 || left.Sends != 0 {
			t.Errorf("%d wait, %d left", left.Waiting, left.Sends)
		}
		added, err := w.keeper.AddForms(t.Context(), w.account(), []mini.Entry{{OpenID: user, FormID: w.box.Sandbox.GiveForm(miniID, user)}})
		w.must(err)
		if added.Released != 1 {
			t.Errorf("added %+v", added)
		}
		w.sleep(100 * time.Millisecond) // no poll in between
		m, err := w.store.Message(t.Context(), done.Message.ID)
		w.must(err)
		if m.State != hongyan.Accepted {
			t.Errorf("%s (%s)", m.State, m.Reason)
		}
	})
}
