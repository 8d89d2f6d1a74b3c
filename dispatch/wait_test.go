package dispatch

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hongyan"
	"hongyan/store"
)

// waited is what SubmitAndWait answered, and after how long.
type waited struct {
	Submitted
	took time.Duration
}

// wait is SubmitAndWait for one request.
func (d *desk) wait(r Request, wait time.Duration) waited {
	d.Helper()
	began := time.Now()
	s, err := d.SubmitAndWait(d.Context(), r, wait)
	d.must(err)
	if s.Err != nil {
		d.Errorf("submit and wait: %v", s.Err)
	}
	return waited{s, time.Since(began)}
}

// want checks an answer: when it came, and what it says. Recording takes a few
// milliseconds, since results linger for company.
func (w waited) want(d *desk, state hongyan.State, how store.InsertOutcome, after time.Duration) {
	d.Helper()
	if w.Message.State != state || w.Outcome != how {
		d.Errorf("got %s (%s), outcome %d; want %s, outcome %d", w.Message.State, w.Message.Reason, w.Outcome, state, how)
	}
	if late := w.took - after; late < 0 || late > 10*time.Millisecond {
		d.Errorf("answered after %v, want %v", w.took, after)
	}
}

const patience = 3 * time.Second

func TestSubmitAndWaitGivesWeChatsOwnAnswer(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.wechat.say(sendPath, taken, time.Second)
		got := d.wait(order(), patience)
		got.want(d, hongyan.Accepted, store.InsertedNew, time.Second)
		if got.Message.MsgID != 4123456789012345678 {
			d.Errorf("msgid %d", got.Message.MsgID)
		}
		d.want(got.Message.ID, hongyan.Accepted, "") // it was in the store by then

		d.wechat.say(sendPath, `{"errcode":43004,"errmsg":"require subscribe"}`, time.Second)
		got = d.wait(order(), patience)
		got.want(d, hongyan.Failed, store.InsertedNew, time.Second)
		if got.Message.Last.Errcode != 43004 {
			d.Errorf("last attempt %+v, want 43004", got.Message.Last)
		}

		d.wechat.say("/cgi-bin/message/subscribe/send", "", time.Second)
		d.wait(subscribeOrder(), patience).want(d, hongyan.Uncertain, store.InsertedNew, time.Second)
		d.nobodyWaits()
	})
}

// nobodyWaits checks that every waiter was forgotten.
func (d *desk) nobodyWaits() {
	d.Helper()
	d.Engine.mu.Lock()
	defer d.Engine.mu.Unlock()
	if len(d.waiters) != 0 {
		d.Errorf("still waited for: %v", d.waiters)
	}
}

func TestSubmitAndWaitGoesWithoutAnAnswerThatIsSlow(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.wechat.say(sendPath, taken, 10*time.Second)
		got := d.wait(order(), patience)
		got.want(d, hongyan.Sending, store.InsertedNew, patience)
		d.sleep(10 * time.Second)
		d.want(got.Message.ID, hongyan.Accepted, "")

		d.wait(order(), 0).want(d, hongyan.Sending, store.InsertedNew, 0)
		ctx, cancel := context.WithTimeout(d.Context(), time.Second)
		defer cancel()
		began := time.Now()
		s, err := d.SubmitAndWait(ctx, order(), patience)
		d.must(err)
		waited{s, time.Since(began)}.want(d, hongyan.Sending, store.InsertedNew, time.Second)
		d.nobodyWaits()
	})
}

// TestSubmitAndWaitDoesNotWaitForWhatCannotEndInTime: a hold, a later time, the
// next attempt after -1.
func TestSubmitAndWaitDoesNotWaitForWhatCannotEndInTime(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		later := order()
		later.SendAt = time.Now().Add(time.Hour)
		d.wait(later, patience).want(d, hongyan.Queued, store.InsertedNew, 0)

		d.wechat.say(sendPath, `{"errcode":-1,"errmsg":"system error"}`, 0)
		d.wait(order(), patience).want(d, hongyan.Queued, store.InsertedNew, 0)
		d.wechat.say(sendPath, `{"errcode":45009,"errmsg":"reach max api daily quota limit"}`, 0)
		got := d.wait(order(), patience)
		got.want(d, hongyan.Held, store.InsertedNew, 0)
		if got.Message.Reason != hongyan.HoldQuota {
			d.Errorf("held for %s, want the quota", got.Message.Reason)
		}
		d.must(d.Pause(d.Context(), serviceID))
		d.wait(order(), patience).want(d, hongyan.Held, store.InsertedNew, 0)
	})
}

// TestSubmitAndWaitWaitsForWhatIsDueInTime: within the wait, -1 or not.
func TestSubmitAndWaitWaitsForWhatIsDueInTime(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		soon := order()
		soon.SendAt = time.Now().Add(time.Second)
		d.wait(soon, patience).want(d, hongyan.Accepted, store.InsertedNew, time.Second)
		d.wechat.say(sendPath, `{"errcode":-1,"errmsg":"system error"}`, 0)
		time.AfterFunc(time.Second, func() { d.wechat.say(sendPath, taken, 0) })
		if got := d.wait(order(), 10*time.Second); got.Message.State != hongyan.Accepted || got.took < 5*time.Second || got.took > 6*time.Second {
			d.Errorf("%s after %v, want accepted after the pause of 5 s and its jitter", got.Message.State, got.took)
		}
	})
}

// TestSubmitAndWaitOfADuplicateWaitsForTheFirst: while it is under way, by either
// of the two ways to repeat a request, and after it.
func TestSubmitAndWaitOfADuplicateWaitsForTheFirst(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.wechat.say(sendPath, taken, 2*time.Second)
		byID, byKey := order(), order()
		byID.ClientMsgID, byKey.ToUser, byKey.IdempotencyKey = "order-1001", user[:27]+"2", "k"
		var all sync.WaitGroup
		for _, c := range []struct {
			r   Request
			how store.InsertOutcome
		}{{byID, store.InsertedDuplicate}, {byKey, store.InsertedReplay}} {
			all.Go(func() { d.wait(c.r, patience).want(d, hongyan.Accepted, store.InsertedNew, 2*time.Second) })
			all.Go(func() {
				time.Sleep(time.Second)
				d.wait(c.r, patience).want(d, hongyan.Accepted, c.how, time.Second)
			})
		}
		all.Wait()
		d.wait(byID, patience).want(d, hongyan.Accepted, store.InsertedDuplicate, 0)
		d.wait(byKey, patience).want(d, hongyan.Accepted, store.InsertedReplay, 0)
		if n := d.wechat.count(sendPath); n != 2 {
			d.Errorf("%d calls, want two", n)
		}
		d.nobodyWaits()
	})
}

func TestSubmitAndWaitOfARequestThatIsRefused(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		bad := order()
		bad.ToUser = ""
		s, err := d.SubmitAndWait(d.Context(), bad, patience)
		d.must(err)
		d.wantError(s.Err, hongyan.Invalid, "missing_field")
		d.nobodyWaits()
	})
}

// TestNobodyWaitsForAnEngineThatStops: what is under way is awaited, what will not
// leave here is not.
func TestNobodyWaitsForAnEngineThatStops(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.wechat.say(sendPath, taken, 2*time.Second)
		var all sync.WaitGroup
		all.Go(func() { d.wait(order(), time.Minute).want(d, hongyan.Accepted, store.InsertedNew, 2*time.Second) })
		all.Go(func() {
			r := order()
			r.SendAt = time.Now().Add(30 * time.Second)
			d.wait(r, time.Minute).want(d, hongyan.Queued, store.InsertedNew, 2*time.Second) // the stop has ended
		})
		synctest.Wait()
		d.halt()
		all.Wait()
		d.ended.Wait()
		d.wait(order(), patience).want(d, hongyan.Queued, store.InsertedNew, 0)
		d.nobodyWaits()
	})
}

func TestWhoWaitsLearnsOfACancelAndOfALeaseGivenBack(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		var all sync.WaitGroup
		r := order()
		r.SendAt, r.ClientMsgID = time.Now().Add(2*time.Second), "order-1001"
		all.Go(func() { d.wait(r, patience).want(d, hongyan.Cancelled, store.InsertedNew, time.Second) })
		d.sleep(time.Second)
		page, err := d.store.Messages(d.Context(), store.Filter{Limit: 1})
		d.must(err)
		_, err = d.Cancel(d.Context(), page.Items[0].ID)
		d.must(err)
		all.Wait()

		d.tokens.wait(time.Second)
		all.Go(func() { d.wait(order(), patience).want(d, hongyan.Held, store.InsertedNew, time.Second) })
		synctest.Wait()
		d.must(d.Pause(d.Context(), serviceID))
		all.Wait()
	})
}
