package dispatch

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/store"
)

func TestCancelWithdrawsOnlyWhatCannotHaveBeenShown(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		waiting := d.later()
		got, err := d.Cancel(d.Context(), waiting.ID)
		d.must(err)
		if got.State != hongyan.Cancelled {
			d.Errorf("cancelled: got %s", got.State)
		}
		_, err = d.Cancel(d.Context(), waiting.ID)
		d.wantError(err, hongyan.Conflict, "")
		_, err = d.Cancel(d.Context(), "msg_00000000000000000000000000000000")
		d.wantError(err, hongyan.NotFound, "")

		sent := d.submit(order())
		d.sleep(time.Second)
		d.want(sent.ID, hongyan.Accepted, "")
		_, err = d.Cancel(d.Context(), sent.ID)
		d.wantError(err, hongyan.Conflict, "")

		d.wechat.say(sendPath, "", 0)
		doubtful := d.submit(order())
		d.sleep(time.Second)
		d.want(doubtful.ID, hongyan.Queued, "no_answer")
		_, err = d.Cancel(d.Context(), doubtful.ID)
		d.wantError(err, hongyan.Conflict, "in_doubt")

		d.sleep(3 * time.Hour)
		if got := d.want(waiting.ID, hongyan.Cancelled, ""); got.Attempts != 0 {
			d.Errorf("the cancelled message was tried %d times", got.Attempts)
		}
	})
}

func TestReleaseSendsAtOnceWhateverTheHold(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		scheduled := d.later()
		_, err := d.Release(d.Context(), scheduled.ID)
		d.must(err)
		d.sleep(time.Second)
		d.want(scheduled.ID, hongyan.Accepted, "")
		_, err = d.Release(d.Context(), scheduled.ID)
		d.wantError(err, hongyan.Conflict, "wrong_state")

		d.wechat.say(sendPath, `{"errcode":43117,"errmsg":"too frequently"}`, 0)
		paced := d.submit(order())
		d.sleep(time.Second)
		d.want(paced.ID, hongyan.Held, hongyan.HoldOpenIDPacing)
		d.wechat.say(sendPath, `{"errcode":45009,"errmsg":"reach max api daily quota limit"}`, 0)
		another := order()
		another.ToUser = "oOther0000000000000000000001"
		limited := d.submit(another)
		d.sleep(time.Second)
		d.want(limited.ID, hongyan.Held, hongyan.HoldQuota)
		d.wechat.say(sendPath, taken, 0)
		for _, m := range []hongyan.Message{paced, limited} {
			_, err := d.Release(d.Context(), m.ID)
			d.must(err)
			d.sleep(time.Second)
			d.want(m.ID, hongyan.Accepted, "")
		}

		d.wechat.say(sendPath, `{"errcode":40252,"errmsg":"审核中"}`, 0)
		d.must(d.Resume(d.Context(), serviceID))
		reviewed := d.submit(another)
		d.sleep(time.Second)
		if m := d.want(reviewed.ID, hongyan.Accepted, "in_review"); !m.InReview {
			d.Error("not marked as in review")
		}
		_, err = d.Release(d.Context(), reviewed.ID)
		d.wantError(err, hongyan.Conflict, "wrong_state")
	})
}

func TestReleaseDoesNotGetPastAPersonsPauseOrAStoppedAccount(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		m := d.later()
		d.must(d.Pause(d.Context(), "shop"))
		_, err := d.Release(d.Context(), m.ID)
		d.wantError(err, hongyan.Conflict, "account_held")
		d.must(d.Resume(d.Context(), "shop"))
		d.wechat.say(sendPath, `{"errcode":48001,"errmsg":"api unauthorized"}`, 0)
		stopped := d.submit(order())
		d.sleep(time.Second)
		d.want(stopped.ID, hongyan.Held, hongyan.HoldAccount)
		_, err = d.Release(d.Context(), stopped.ID)
		d.wantError(err, hongyan.Conflict, "account_held")
		if got := d.wechat.count(sendPath); got != 1 {
			d.Errorf("sends: got %d, want the 1 that was refused", got)
		}
	})
}

// TestReleaseOfAMessageWithAHoldOfItsOwn: that hold hides the account's.
func TestReleaseOfAMessageWithAHoldOfItsOwn(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.wechat.say(sendPath, `{"errcode":43117,"errmsg":"too frequently"}`, 0)
		paced := d.submit(order())
		d.sleep(time.Second)
		d.want(paced.ID, hongyan.Held, hongyan.HoldOpenIDPacing)
		d.wechat.say(sendPath, taken, 0)
		d.must(d.Pause(d.Context(), "shop"))
		_, err := d.Release(d.Context(), paced.ID)
		d.wantError(err, hongyan.Conflict, "account_held")
		d.sleep(time.Minute)
		d.want(paced.ID, hongyan.Held, hongyan.HoldOpenIDPacing)
		d.must(d.Resume(d.Context(), "shop"))
		_, err = d.Release(d.Context(), paced.ID)
		d.must(err)
		d.sleep(time.Second)
		d.want(paced.ID, hongyan.Accepted, "")
	})
}

// TestAPauseDuringARelease: what it has leased goes back.
func TestAPauseDuringARelease(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		m := d.later()
		d.tokens.wait(time.Minute)
		_, err := d.Release(d.Context(), m.ID)
		d.must(err)
		d.sleep(time.Second)
		d.must(d.Pause(d.Context(), "shop"))
		d.sleep(2 * time.Minute)
		if got := d.want(m.ID, hongyan.Held, hongyan.HoldPaused); got.Attempts != 0 {
			d.Errorf("attempts: got %d, want none", got.Attempts)
		}
	})
}

func TestReleaseNeedsASlot(t *testing.T) {
	s := openStore(t, t.TempDir())
	e := New(Config{Store: s}) // not running
	r := order()
	r.SendAt = time.Now().Add(time.Hour)
	m := submitOne(t, e, r).Message
	if _, err := e.Release(t.Context(), m.ID); !hongyan.IsKind(err, hongyan.Unavailable) {
		t.Errorf("error: got %v, want unavailable", err)
	}
	if e.slots != 0 {
		t.Errorf("slots taken: %d", e.slots)
	}
}

func TestRetryMakesANewMessageOfAnEndedOne(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.wechat.say(sendPath, `{"errcode":43004,"errmsg":"require subscribe"}`, 0)
		r := order()
		r.ClientMsgID, r.URL, r.Metadata, r.Priority = "order-1001", "https://x.test/?a=1&b=2", []byte(`{"n":1}`), hongyan.Bulk
		failed := d.submit(r)
		d.sleep(time.Second)
		failed = d.want(failed.ID, hongyan.Failed, "errcode")
		d.wechat.say(sendPath, taken, 0)
		made, err := d.Retry(d.Context(), failed.ID, "key_1")
		d.must(err)
		d.sleep(time.Second)
		got := d.want(made.ID, hongyan.Accepted, "")
		if got.ID == failed.ID || got.RetryOf != failed.ID || got.CallerID != "key_1" || got.Priority != hongyan.Bulk || string(got.Metadata) != `{"n":1}` {
			d.Errorf("made: %+v", got)
		}
		want := strings.Replace(string(failed.Payload), "order-1001", got.ID, 1)
		if diff := cmp.Diff(want, string(got.Payload)); diff != "" {
			d.Errorf("body, but for client_msg_id (-want +got):\n%s", diff)
		}
		d.want(failed.ID, hongyan.Failed, "errcode")
		_, err = d.Retry(d.Context(), got.ID, "key_1")
		d.wantError(err, hongyan.Conflict, "wrong_state")
		waiting := d.later()
		_, err = d.Retry(d.Context(), waiting.ID, "key_1")
		d.wantError(err, hongyan.Conflict, "wrong_state")
	})
}

func TestRetryOfAMiniProgramsUncertainMessage(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		r := miniOrder()
		r.Page, r.EmphasisKeyword = "index?a=1", "keyword1.DATA"
		m := d.submit(r) // its path answers nothing: lost
		d.sleep(15 * time.Minute)
		m = d.want(m.ID, hongyan.Uncertain, "no_answer")
		d.wechat.say(miniPath, `{"errcode":0,"errmsg":"ok"}`, 0)
		made, err := d.Retry(d.Context(), m.ID, "")
		d.must(err)
		d.sleep(time.Minute)
		got := d.want(made.ID, hongyan.Accepted, "")
		if diff := cmp.Diff(string(m.Payload), string(got.Payload)); diff != "" {
			d.Errorf("body (-want +got):\n%s", diff)
		}
	})
}

func TestPauseStopsAtOnceAndResumeGoesOn(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		a, err := d.store.Account(d.Context(), serviceID)
		d.must(err)
		a.MaxInFlight = 2
		d.must(d.store.UpdateAccount(d.Context(), a))
		d.AccountChanged("shop") // by its alias
		d.wechat.say(sendPath, taken, time.Second)
		var all []hongyan.Message
		for range 12 {
			all = append(all, d.submit(order()))
		}
		d.sleep(500 * time.Millisecond)
		d.must(d.Pause(d.Context(), serviceID))
		d.AccountChanged("shop")
		under := d.wechat.count(sendPath)
		d.sleep(time.Hour)
		if got := d.wechat.count(sendPath); got != under || under != 2 {
			d.Errorf("sends: got %d after the pause, %d when it began; want the 2 under way", got, under)
		}
		held := 0
		for _, m := range all {
			if got, err := d.store.Message(d.Context(), m.ID); err == nil && got.State == hongyan.Held && got.Reason == hongyan.HoldPaused && got.Attempts == 0 {
				held++
			}
		}
		if held != 10 {
			d.Errorf("shown as paused and untried: got %d, want 10", held)
		}
		d.must(d.Resume(d.Context(), serviceID))
		d.sleep(time.Minute)
		for _, m := range all {
			d.want(m.ID, hongyan.Accepted, "")
		}
	})
}

// TestNothingLeavesAfterAPauseThatWaitedForItsToken: a token may be long in
// coming; the account is looked at again when it is there.
func TestNothingLeavesAfterAPauseThatWaitedForItsToken(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.tokens.wait(20 * time.Second)
		var all []hongyan.Message
		for range 5 {
			all = append(all, d.submit(order()))
		}
		d.sleep(time.Second)
		d.must(d.Pause(d.Context(), "shop"))
		d.sleep(time.Minute)
		if n := d.wechat.count(sendPath); n != 0 {
			d.Errorf("sends: got %d after the pause, want none", n)
		}
		for _, m := range all {
			if got := d.want(m.ID, hongyan.Held, hongyan.HoldPaused); got.Attempts != 0 {
				d.Errorf("attempts: got %d, want none", got.Attempts)
			}
		}
		d.must(d.Resume(d.Context(), "shop"))
		d.sleep(time.Minute)
		for _, m := range all {
			d.want(m.ID, hongyan.Accepted, "")
		}
	})
}

// TestAHoldSomebodyElseWroteTakesBackWhatIsLeasedAhead: as soon as it is known.
func TestAHoldSomebodyElseWroteTakesBackWhatIsLeasedAhead(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.change(func(a *hongyan.Account) { a.MaxInFlight = 2 })
		d.wechat.say(sendPath, taken, time.Second)
		var all []hongyan.Message
		for range 8 {
			all = append(all, d.submit(order()))
		}
		d.sleep(100 * time.Millisecond)
		d.must(d.store.PutHold(d.Context(), hongyan.Hold{AppID: serviceID, Reason: hongyan.HoldPaused}))
		d.AccountChanged(serviceID)
		for _, m := range all[2:] {
			if got := d.want(m.ID, hongyan.Held, hongyan.HoldPaused); got.Attempts != 0 {
				d.Errorf("attempts: got %d, want none", got.Attempts)
			}
		}
	})
}

// TestAPauseDuringAClaimIsKept: what a claim under way brings is given back.
func TestAPauseDuringAClaimIsKept(t *testing.T) {
	s := openStore(t, t.TempDir())
	e := New(Config{Store: s})
	epoch, err := s.Join(t.Context(), "local", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	m := submitOne(t, e, order()).Message // not joined yet: queued
	e.epoch.Store(epoch)
	e.leased.Store(int64(time.Hour))
	a, err := e.loadAccount(t.Context(), serviceID)
	if err != nil {
		t.Fatal(err)
	}
	e.stockUp(t.Context(), a, 1, "")
	wants, asked := e.planClaims(s.Now())
	claimed, err := s.Claim(t.Context(), epoch, wants)
	if err != nil || len(claimed) != 1 {
		t.Fatalf("claimed %d, error %v", len(claimed), err)
	}
	if err := e.Pause(t.Context(), serviceID); err != nil {
		t.Fatal(err)
	}
	e.handOut(claimed, asked, nil)
	e.workers.Wait()
	got, err := s.Message(t.Context(), m.ID)
	if err != nil || got.State != hongyan.Held || got.Attempts != 0 {
		t.Errorf("got %s after %d attempts, error %v; want held and untried", got.State, got.Attempts, err)
	}
	if e.slots != 0 {
		t.Errorf("slots: %d still taken", e.slots)
	}
}

func TestResumeDuringAProbeThatFails(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.wechat.say(sendPath, "", 0)
		d.wechat.say(probePath, "", 10*time.Second)
		for range 3 {
			d.submit(order())
		}
		d.sleep(45 * time.Second) // three lost each time, the gate closes, the probe hangs
		if d.wechat.count(probePath) == 0 {
			d.Fatal("no probe was made")
		}
		for range 20 { // whenever a probe is under way
			d.must(d.Resume(d.Context(), serviceID))
			d.sleep(7 * time.Second)
		}
		d.wechat.say(sendPath, taken, 0)
		d.wechat.say(probePath, `{"ip_list":[]}`, 0)
		last := d.submit(order())
		d.sleep(5 * time.Minute)
		d.want(last.ID, hongyan.Accepted, "")
	})
}

func TestABannedTemplateHoldsItsMessagesUntilItIsReleased(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		waiting := d.later()
		d.wechat.say(sendPath, `{"errcode":43116,"errmsg":"This template_id is banned"}`, 0)
		first := d.submit(order())
		d.sleep(time.Second)
		d.want(first.ID, hongyan.Failed, "errcode")
		got := d.want(waiting.ID, hongyan.Held, hongyan.HoldTemplate)
		if h := got.Hold; h == nil || h.Release == "" || h.Errcode != 43116 || !strings.Contains(h.Detail, "This template_id is banned") || h.Since.IsZero() {
			d.Errorf("hold: got %+v, want one that says why and what releases it", got.Hold)
		}
		refused := submitOne(d.T, d.Engine, order())
		d.wantError(refused.Err, hongyan.Invalid, "template_banned")
		d.sleep(2 * time.Hour)
		d.want(waiting.ID, hongyan.Held, hongyan.HoldTemplate)

		d.wechat.say(sendPath, taken, 0)
		d.must(d.store.SetTemplateStatus(d.Context(), serviceID, typed, "active", ""))
		n, err := d.ReleaseTemplate(d.Context(), serviceID, typed)
		d.must(err)
		if n != 1 {
			d.Errorf("released: got %d, want 1", n)
		}
		d.submit(order())
		d.sleep(time.Minute)
		d.want(waiting.ID, hongyan.Accepted, "")
	})
}

// TestATokenThatCannotBeHadLeaksNothing: messages given back untried give back
// their template's quota too.
func TestATokenThatCannotBeHadLeaksNothing(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		a, err := d.store.Account(d.Context(), serviceID)
		d.must(err)
		a.Quotas = []hongyan.QuotaRule{{Scope: "template", Period: "day", Limit: 3}, {Scope: "account", Period: "day", Limit: 5}}
		d.must(d.store.UpdateAccount(d.Context(), a))
		d.AccountChanged(serviceID)
		d.tokens.fail(&hongyan.TokenError{AppID: serviceID, RetryAt: time.Now().Add(20 * time.Minute), Errcode: -1, Reason: "busy"})
		m := d.submit(order())
		d.sleep(10 * time.Minute)
		d.want(m.ID, hongyan.Held, hongyan.HoldToken)
		d.tokens.fail(nil)
		d.sleep(11 * time.Minute)
		if got := d.want(m.ID, hongyan.Accepted, ""); got.Attempts != 1 {
			d.Errorf("attempts: got %d, want 1", got.Attempts)
		}
		status, err := d.Quota(d.Context(), serviceID)
		d.must(err)
		for _, q := range status {
			if q.Used != 1 {
				d.Errorf("%s: %d used, want 1", q.Scope, q.Used)
			}
		}
	})
}

// brokenStore refuses to record outcomes while broken.
type brokenStore struct {
	store.Store
	mu     sync.Mutex
	broken bool
}

func (b *brokenStore) FinishAttempts(ctx context.Context, rs []store.Result) ([]store.Settled, error) {
	b.mu.Lock()
	broken := b.broken
	b.mu.Unlock()
	if broken {
		return nil, hongyan.Errorf(hongyan.Full, "", "disk full")
	}
	return b.Store.FinishAttempts(ctx, rs)
}

func (b *brokenStore) set(broken bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = broken
}

func TestNothingIsSentWhileOutcomesCannotBeRecorded(t *testing.T) {
	b := &brokenStore{}
	atDesk(t, func(s store.Store) store.Store { b.Store = s; return b }, func(d *desk) {
		a, err := d.store.Account(d.Context(), serviceID)
		d.must(err)
		a.MaxInFlight = 2
		d.must(d.store.UpdateAccount(d.Context(), a))
		d.AccountChanged(serviceID)
		d.wechat.say(sendPath, taken, time.Second)
		b.set(true)
		var all []hongyan.Message
		for range 12 {
			all = append(all, d.submit(order()))
		}
		d.sleep(time.Hour)
		if got := d.wechat.count(sendPath); got > 4 {
			d.Errorf("sends while broken: got %d, want only those begun before it was known", got)
		}
		b.set(false)
		d.sleep(time.Minute)
		for _, m := range all {
			if got := d.want(m.ID, hongyan.Accepted, ""); got.Attempts != 1 {
				d.Errorf("attempts: got %d, want 1", got.Attempts)
			}
		}
	})
}

// TestWhatCannotBeGivenBackAtOnceIsLater: a message leased and not tried, while
// the disk is full, is sent when it is not, by a process that lives on.
func TestWhatCannotBeGivenBackAtOnceIsLater(t *testing.T) {
	w := &tampered{}
	atDesk(t, w.over, func(d *desk) {
		w.set(func(w *tampered) { w.giveBack = func() error { return hongyan.Errorf(hongyan.Full, "", "disk full") } })
		d.tokens.fail(&hongyan.TokenError{AppID: serviceID, RetryAt: time.Now().Add(time.Second), Reason: "busy"})
		m := d.submit(order())
		d.sleep(time.Second)
		d.want(m.ID, hongyan.Sending, "")
		d.tokens.fail(nil)
		second := d.submit(order())
		d.sleep(time.Minute)
		d.want(second.ID, hongyan.Queued, "")
		if n := d.wechat.count(sendPath); n != 0 {
			d.Errorf("sends: got %d while nothing can be recorded, want none", n)
		}
		w.set(func(w *tampered) { w.giveBack = nil })
		d.sleep(time.Minute)
		for _, id := range []string{m.ID, second.ID} {
			if got := d.want(id, hongyan.Accepted, ""); got.Attempts != 1 {
				d.Errorf("attempts: got %d, want 1", got.Attempts)
			}
		}
	})
}

func TestAnAccountAddedAgainStartsAfresh(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.want(d.submit(miniOrder()).ID, hongyan.Sending, "")
		d.wechat.say(miniPath, `{"errcode":0,"errmsg":"ok"}`, 0)
		d.sleep(15 * time.Minute)
		d.must(d.Pause(d.Context(), miniID))
		d.must(d.store.DeleteAccount(d.Context(), miniID))
		d.AccountChanged(miniID)
		d.must(d.store.CreateAccount(d.Context(), hongyan.Account{AppID: miniID, Kind: hongyan.MiniProgram, Secret: "s", MaxInFlight: 1}))
		d.AccountChanged(miniID)
		m := d.submit(miniOrder())
		d.sleep(time.Minute)
		d.want(m.ID, hongyan.Accepted, "")
		d.Engine.mu.Lock()
		defer d.Engine.mu.Unlock()
		s := d.streams[streamKey{miniID, hongyan.KindMiniTemplate}]
		if s.account != d.accounts[miniID] || s.account.ceiling() != 1 {
			d.Error("the stream belongs to the account that was deleted")
		}
	})
}

// TestSettingsMayChangeWhileMessagesLeave is for the race detector.
func TestSettingsMayChangeWhileMessagesLeave(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		a, err := d.store.Account(d.Context(), serviceID)
		d.must(err)
		var changes sync.WaitGroup
		changes.Go(func() {
			for i := range 20 {
				a.MaxInFlight, a.RatePerSecond, a.CutValues = i+1, float64(100+i), i%2 == 0
				d.must(d.store.UpdateAccount(d.Context(), a))
				d.AccountChanged(serviceID)
			}
		})
		var all []hongyan.Message
		for range 100 {
			all = append(all, d.submit(order()))
		}
		changes.Wait()
		d.sleep(time.Minute)
		for _, m := range all {
			d.want(m.ID, hongyan.Accepted, "")
		}
	})
}

// TestRulesMayChangeWhileCallsAreUnderWay: what is under way counts under a rule
// that came after it began, and so does what was called before.
func TestRulesMayChangeWhileCallsAreUnderWay(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		for range 2 {
			d.submit(order())
		}
		d.sleep(time.Second)
		d.wechat.say(sendPath, taken, 3*time.Second)
		for range 6 {
			d.submit(order())
		}
		d.sleep(time.Second)
		d.change(func(a *hongyan.Account) {
			a.Quotas = []hongyan.QuotaRule{{Scope: "account", Period: "day", Limit: 1000}, {Scope: "account", Period: "month", Limit: 10}}
		})
		d.sleep(5 * time.Second)
		d.wechat.say(sendPath, taken, 0)
		for range 30 {
			d.submit(order())
			d.sleep(50 * time.Millisecond)
		}
		d.sleep(10 * time.Second)
		if n := d.wechat.count(sendPath); n != 10 {
			d.Errorf("calls in the month: got %d, want the limit of 10", n)
		}
	})
}

// TestALostLeaseIsJoinedAnew: what was under way then is fenced off and in doubt,
// and sending goes on as another node.
func TestALostLeaseIsJoinedAnew(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.wechat.say(sendPath, taken, 12*time.Second)
		before := d.epoch.Load()
		first := d.submit(order())
		_, err := d.store.Join(d.Context(), "another", time.Minute)
		d.must(err)
		d.sleep(9 * time.Second)
		queued := d.submit(order()) // fenced: stored, and not leased
		d.want(queued.ID, hongyan.Queued, "")
		d.sleep(time.Second) // the next renewal is refused
		d.wechat.say(sendPath, taken, 0)
		d.sleep(time.Second)
		if now := d.epoch.Load(); now <= before+1 {
			d.Errorf("epoch %d after %d was lost to another", now, before)
		}
		d.want(queued.ID, hongyan.Accepted, "")
		d.sleep(time.Minute)
		if m := d.want(first.ID, hongyan.Accepted, ""); m.DoubtSince.IsZero() || m.Attempts != 2 {
			d.Errorf("the message under way then: doubt since %v, %d attempts; want a second attempt in doubt", m.DoubtSince, m.Attempts)
		}
	})
}

// TestANodeWhoseLeaseIsOverBeginsNothing, though nobody has taken over yet: the
// database is away, or the process was stopped for a while.
func TestANodeWhoseLeaseIsOverBeginsNothing(t *testing.T) {
	away := &tampered{}
	atDesk(t, away.over, func(d *desk) {
		d.submit(order())
		d.sleep(time.Second)
		away.set(func(w *tampered) { w.renew = func() error { return errors.New("away") } })
		d.sleep(2 * time.Minute)
		m := d.submit(order())
		d.sleep(time.Minute)
		d.want(m.ID, hongyan.Queued, "")
		if n := d.wechat.count(sendPath); n != 1 {
			d.Errorf("%d calls, want the one before the lease was over", n)
		}
		away.set(func(w *tampered) { w.renew = nil })
		d.sleep(11 * time.Second)
		d.want(m.ID, hongyan.Accepted, "")
	})
}

// TestATokenThatCameLiftsTheHoldOnIt, whenever it was to be asked for again. One
// that WeChat refuses as soon as it comes keeps its pause.
func TestATokenThatCameLiftsTheHoldOnIt(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.tokens.fail(&hongyan.TokenError{AppID: serviceID, RetryAt: time.Now().Add(time.Hour), Errcode: 45009, Reason: "day"})
		m := d.submit(order())
		d.sleep(time.Minute)
		d.want(m.ID, hongyan.Held, hongyan.HoldToken)
		d.tokens.fail(nil)
		d.TokenFetched(serviceID)
		d.sleep(time.Second)
		d.want(m.ID, hongyan.Accepted, "")

		d.wechat.say(sendPath, `{"errcode":40001,"errmsg":"invalid credential"}`, 0)
		m = d.submit(order())
		d.sleep(time.Second)
		d.want(m.ID, hongyan.Held, hongyan.HoldToken)
		d.TokenFetched(serviceID)
		d.sleep(time.Second)
		d.want(m.ID, hongyan.Held, hongyan.HoldToken)
	})
}
