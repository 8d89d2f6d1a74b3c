package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"hongyan"
	"hongyan/dispatch"
	"hongyan/sandbox"
	"hongyan/store"
	"hongyan/wechat"
)

const miniPath = "/cgi-bin/message/wxopen/template/send"

// appointment asks for the seed mini program's message without a form_id.
func appointment(openID string) dispatch.Request {
	return dispatch.Request{AppID: sandbox.SeedMiniAppID, ToUser: openID, TemplateID: sandbox.SeedTemplateMini, Priority: hongyan.Normal,
		Data: wechat.Data{"keyword1": {Value: "理发"}}}
}

// stored puts a form_id into the store as the API does, and tells the engine.
func (w *world) stored(openID, formID string, change ...func(*hongyan.FormID)) {
	w.t.Helper()
	now := w.store.Now()
	f := hongyan.FormID{AppID: sandbox.SeedMiniAppID, OpenID: openID, FormID: formID, Source: hongyan.FormSubmitted, Sends: 1, ObtainedAt: now}
	if formID[:2] == "wx" {
		f.Source = hongyan.FormPaid
	}
	for _, c := range change {
		c(&f)
	}
	f.ExpiresAt = f.ObtainedAt.Add(hongyan.FormLife)
	if _, _, err := w.store.PutForms(w.t.Context(), []hongyan.FormID{f}); err != nil {
		w.t.Fatal(err)
	}
	w.engine().Noticed(store.Notice{Kind: store.NoticeMessages, AppID: f.AppID})
}

// forms are a user's form_ids by state.
func (w *world) forms(openID string) map[string]int {
	w.t.Helper()
	all, err := w.store.Forms(w.t.Context(), sandbox.SeedMiniAppID, openID, 0, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	n := map[string]int{}
	for i := range all {
		n[all[i].State(w.store.Now())]++
	}
	return n
}

// calls are the errcodes of the sends to a user, in order.
func (w *world) calls(openID string) (codes []int) {
	for _, c := range w.box.Sandbox.Ledger(sandbox.LedgerFilter{ToUser: openID}) {
		if c.Path == miniPath {
			codes = append(codes, c.ErrCode)
		}
	}
	return codes
}

func TestAMessageWithoutFormIDTakesTheOneThatExpiresFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		user := sandbox.OpenID("", 1)
		older := w.box.Sandbox.GiveForm("", user)
		w.sleep(time.Minute)
		newer := w.box.Sandbox.GiveForm("", user)
		w.stored(user, newer)
		w.stored(user, older, func(f *hongyan.FormID) { f.ObtainedAt = f.ObtainedAt.Add(-time.Hour) })
		m := w.submit(appointment(user))
		w.sleep(time.Second)
		w.want(m, hongyan.Accepted, "")
		held, ok, err := w.store.FormOf(t.Context(), m.ID)
		if err != nil || !ok || held.FormID != older {
			t.Errorf("took %q, want %q (%v)", held.FormID, older, err)
		}
		w.want(w.submit(func() dispatch.Request {
			r := appointment(user)
			r.FormID = w.box.Sandbox.GiveForm("", user)
			return r
		}()), hongyan.Sending, "")
		w.sleep(time.Second)
		if got := w.forms(user); got["usable"] != 1 || got["used"] != 1 {
			t.Errorf("forms %v: a message's own form_id must not touch the stored ones", got)
		}
		if shown := len(w.box.Sandbox.Inbox(user)); shown != 2 {
			t.Errorf("shown %d, want 2", shown)
		}
	})
}

func TestWithoutAFormIDAMessageWaitsUntilOneComesOrItExpires(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		user := sandbox.OpenID("", 1)
		r := appointment(user)
		r.ExpiresAt = time.Now().Add(20 * time.Minute)
		first, second := w.submit(r), w.submit(r)
		w.sleep(time.Second)
		got := w.want(first, hongyan.Held, hongyan.HoldNoFormID)
		if got.Hold == nil || got.Hold.Release == "" || got.Attempts != 0 || len(w.calls(user)) != 0 {
			t.Errorf("hold %+v, %d attempts, calls %v", got.Hold, got.Attempts, w.calls(user))
		}
		w.want(second, hongyan.Held, hongyan.HoldNoFormID)
		w.sleep(10 * time.Minute)
		w.stored(user, w.box.Sandbox.GiveForm("", user))
		w.sleep(time.Second)
		if states := fmt.Sprint(w.message(first.ID).State, w.message(second.ID).State); states != "accepted held" && states != "held accepted" {
			t.Errorf("states %s, want one sent and one held", states)
		}
		w.sleep(11 * time.Minute)
		expired := 0
		for _, m := range []hongyan.Message{first, second} {
			if w.message(m.ID).State == hongyan.Expired {
				expired++
			}
		}
		if expired != 1 || len(w.box.Sandbox.Inbox(user)) != 1 {
			t.Errorf("%d expired, %d shown, want one each", expired, len(w.box.Sandbox.Inbox(user)))
		}
	})
}

func TestAFormIDThatWeChatRefusesMakesRoomForTheNext(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		user := sandbox.OpenID("", 1)
		used := w.box.Sandbox.GiveForm("", user)
		own := appointment(user)
		own.FormID = used
		w.submit(own) // somebody else uses it up
		w.sleep(time.Second)
		w.stored(user, "ffffffffffffffffffffffffffffffff", func(f *hongyan.FormID) { f.ObtainedAt = f.ObtainedAt.Add(-2 * time.Hour) }) // 41028
		w.stored(user, used, func(f *hongyan.FormID) { f.ObtainedAt = f.ObtainedAt.Add(-time.Hour) })                                   // 41029
		w.stored(user, w.box.Sandbox.GiveForm("", user))
		m := w.submit(appointment(user))
		w.sleep(5 * time.Second)
		got := w.want(m, hongyan.Accepted, "")
		if codes := fmt.Sprint(w.calls(user)); codes != "[0 41028 41029 0]" || got.Attempts != 3 {
			t.Errorf("calls %s, %d attempts", codes, got.Attempts)
		}
		if got := w.forms(user); got["refused"] != 2 || got["used"] != 1 {
			t.Errorf("forms %v", got)
		}
		again := w.submit(appointment(user))
		w.sleep(time.Second)
		w.want(again, hongyan.Held, hongyan.HoldNoFormID)
	})
}

func TestAStoredPrepayIDIsWaitedFor(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		user := sandbox.OpenID("", 1)
		w.stored(user, w.box.Sandbox.GivePayment(user, 12*time.Second))
		m := w.submit(appointment(user))
		w.sleep(time.Second)
		w.want(m, hongyan.Queued, "prepay_not_ready")
		w.sleep(20 * time.Second)
		if got := w.want(m, hongyan.Accepted, ""); got.Attempts != 4 {
			t.Errorf("%d attempts, want 4 (at 0, 5, 10 and 15 s)", got.Attempts)
		}
		// One obtained long ago is no fresh one: the next takes its place at once.
		other := sandbox.OpenID("", 2)
		w.stored(other, "wx20261120101500abcdef0123456789abcd", func(f *hongyan.FormID) { f.ObtainedAt = f.ObtainedAt.Add(-time.Hour) })
		w.stored(other, w.box.Sandbox.GiveForm("", other))
		n := w.submit(appointment(other))
		w.sleep(2 * time.Second)
		w.want(n, hongyan.Accepted, "")
	})
}

func TestWhatDidNotUseAFormIDGivesItBack(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		user := sandbox.OpenID("", 1)
		form := w.box.Sandbox.GiveForm("", user)
		w.stored(user, form)
		w.box.Sandbox.AddFault(sandbox.Fault{Path: miniPath, ErrCode: 41030, Times: 1}) // a page of the request: final
		bad := w.submit(appointment(user))
		w.sleep(time.Second)
		w.want(bad, hongyan.Failed, "errcode")
		if got := w.forms(user); got["usable"] != 1 {
			t.Fatalf("forms %v", got)
		}
		w.box.Sandbox.AddFault(sandbox.Fault{Path: miniPath, ErrCode: -1, Times: 1})
		busy := w.submit(appointment(user))
		w.sleep(time.Second)
		w.want(busy, hongyan.Queued, "retrying")
		if got := w.forms(user); got["usable"] != 1 {
			t.Errorf("forms %v: a message that waits must not keep a form_id from others", got)
		}
		if _, err := w.engine().Cancel(t.Context(), busy.ID); err != nil {
			t.Fatal(err)
		}
		// A retry takes a form_id of its own.
		again, err := w.engine().Retry(t.Context(), bad.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		w.sleep(time.Second)
		w.want(again, hongyan.Accepted, "")
	})
}

func TestAnUnansweredFormIDIsAskedWithAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		user := sandbox.OpenID("", 1)
		w.stored(user, w.box.Sandbox.GiveForm("", user))
		w.stored(user, w.box.Sandbox.GiveForm("", user))
		w.box.Sandbox.AddFault(sandbox.Fault{Path: miniPath, DropAnswer: true, Times: 1})
		m := w.submit(appointment(user))
		w.sleep(10 * time.Second)
		w.want(m, hongyan.Accepted, "duplicate") // 41029 means sent
		if got := w.forms(user); got["usable"] != 1 || len(w.box.Sandbox.Inbox(user)) != 1 {
			t.Errorf("forms %v, shown %d times", got, len(w.box.Sandbox.Inbox(user)))
		}
	})
}

// TestAPaymentForThreeMessagesIsNotAskedWithAgain: WeChat would take a repetition
// for the second of the three.
func TestAPaymentForThreeMessagesIsNotAskedWithAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		user := sandbox.OpenID("", 1)
		three := 3
		if err := w.box.Sandbox.UpdateAccount(sandbox.SeedMiniAppID, sandbox.AccountSpec{Switches: sandbox.Switches{PrepayMessages: &three}}); err != nil {
			t.Fatal(err)
		}
		w.stored(user, w.box.Sandbox.GivePayment(user, 0), func(f *hongyan.FormID) { f.Sends = 3 })
		w.box.Sandbox.AddFault(sandbox.Fault{Path: miniPath, DropAnswer: true, Times: 1})
		lost := w.submit(appointment(user))
		w.sleep(10 * time.Minute)
		w.want(lost, hongyan.Uncertain, "no_answer")
		for range 2 {
			m := w.submit(appointment(user))
			w.sleep(time.Second)
			w.want(m, hongyan.Accepted, "")
		}
		last := w.submit(appointment(user))
		w.sleep(time.Second)
		w.want(last, hongyan.Held, hongyan.HoldNoFormID)
		if shown := len(w.box.Sandbox.Inbox(user)); shown != 3 {
			t.Errorf("shown %d times, want 3", shown)
		}
	})
}

// TestAKillNeverUsesAFormIDTwiceNorLosesTheMessage: the process dies before its form_id
// is taken, after that, during the call, and after the answer.
func TestAKillNeverUsesAFormIDTwiceNorLosesTheMessage(t *testing.T) {
	for _, when := range []string{"before the form_id is taken", "after it is taken", "during the call", "after the answer"} {
		t.Run(when, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				user := sandbox.OpenID("", 1)
				w.stored(user, w.box.Sandbox.GiveForm("", user))
				w.stored(user, w.box.Sandbox.GiveForm("", user))
				dying := &dyingForms{Store: w.store, when: when}
				w.restartOn(dying)
				if when == "during the call" {
					w.box.Sandbox.AddFault(sandbox.Fault{Path: miniPath, HangMS: 60_000, Times: 1})
				}
				m := w.submit(appointment(user))
				w.sleep(time.Second)
				w.kill()
				if got := w.message(m.ID); got.State != hongyan.Sending {
					t.Fatalf("after the kill it is %s", got.State)
				}
				w.start()
				w.sleep(5 * time.Minute)
				if got := w.message(m.ID); got.State != hongyan.Accepted {
					t.Errorf("%s (%s), want accepted; calls %v", got.State, got.Reason, w.calls(user))
				}
				if got := w.forms(user); got["usable"] != 1 || got["used"] != 1 || len(w.box.Sandbox.Inbox(user)) != 1 {
					t.Errorf("forms %v, shown %d times; want one used and one shown", got, len(w.box.Sandbox.Inbox(user)))
				}
			})
		})
	}
}

// dyingForms is a store whose process dies at a moment of taking a form_id.
type dyingForms struct {
	store.Store
	when string
}

func (d *dyingForms) TakeForm(ctx context.Context, f store.Fence, appID string) (hongyan.FormID, bool, error) {
	if d.when == "before the form_id is taken" {
		<-ctx.Done()
		return hongyan.FormID{}, false, errKilled
	}
	form, ok, err := d.Store.TakeForm(ctx, f, appID)
	if d.when == "after it is taken" {
		<-ctx.Done()
		return hongyan.FormID{}, false, errKilled
	}
	return form, ok, err
}

func (d *dyingForms) FinishAttempts(ctx context.Context, rs []store.Result) ([]store.Settled, error) {
	return nil, errKilled
}

// restartOn begins another life of the gateway, on a store that fails it.
func (w *world) restartOn(s store.Store) {
	w.t.Helper()
	w.stop()
	w.nextStore = s
	w.start()
	w.nextStore = nil
}

func TestManyMessagesAndFewFormIDs(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		user := sandbox.OpenID("", 1)
		const messages, forms = 40, 25
		for range messages {
			w.submit(appointment(user))
		}
		synctest.Wait()
		for range forms {
			w.stored(user, w.box.Sandbox.GiveForm("", user))
		}
		w.sleep(time.Minute)
		counts, err := w.store.Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := counts[sandbox.SeedMiniAppID]
		if got[hongyan.Accepted] != forms || got[hongyan.Held] != messages-forms {
			t.Errorf("counts %v, want %d accepted and %d held", got, forms, messages-forms)
		}
		if left := w.forms(user); left["used"] != forms || len(w.box.Sandbox.Inbox(user)) != forms {
			t.Errorf("forms %v, shown %d", left, len(w.box.Sandbox.Inbox(user)))
		}
	})
}

// ledgerOf is a dispatch.Consents that notes what it is told.
type ledgerOf struct {
	refuse  error
	warn    string
	refused []string
}

func (l *ledgerOf) May(_ context.Context, _ *hongyan.Account, m *hongyan.Message) (string, error) {
	return l.warn, l.refuse
}

func (l *ledgerOf) Refused(_ context.Context, m *hongyan.Message, _ time.Time) error {
	l.refused = append(l.refused, m.ID)
	return nil
}

var errNoConsent = errors.New("no consent")

func TestTheLedgerIsAskedWhereTheAccountWantsIt(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		l := &ledgerOf{refuse: errNoConsent}
		w.consents = l
		w.stop()
		w.start()
		pickup := w.kindOrders()[2]
		r := pickup.ask(sandbox.OpenID("", 1))
		w.submit(r) // off
		w.setMini(hongyan.MiniRules{ConsentCheck: hongyan.ConsentCheckRefuse})
		done, err := w.engine().Submit(t.Context(), []dispatch.Request{r, appointment(sandbox.OpenID("", 1))})
		if err != nil || !errors.Is(done[0].Err, errNoConsent) || done[1].Err != nil {
			t.Errorf("%v: %+v", err, done)
		}
		l.refuse, l.warn = nil, "none left"
		done, err = w.engine().Submit(t.Context(), []dispatch.Request{r})
		if err != nil || done[0].Err != nil || done[0].Warning != "none left" {
			t.Errorf("%v: %+v", err, done)
		}
		w.sleep(time.Second)
		w.box.Sandbox.AddFault(sandbox.Fault{Path: pickup.path, ErrCode: 43101, Times: 1})
		m := w.submit(r)
		w.sleep(time.Second)
		w.want(m, hongyan.Failed, "errcode")
		if len(l.refused) != 1 || l.refused[0] != m.ID {
			t.Errorf("told of %v, want %s", l.refused, m.ID)
		}
	})
}

// setMini changes the mini program's settings.
func (w *world) setMini(rules hongyan.MiniRules) {
	w.t.Helper()
	a, err := w.store.Account(w.t.Context(), sandbox.SeedMiniAppID)
	if err != nil {
		w.t.Fatal(err)
	}
	a.Mini = rules
	if err := w.store.UpdateAccount(w.t.Context(), a); err != nil {
		w.t.Fatal(err)
	}
	w.engine().AccountChanged(a.AppID)
}
