package dispatch

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hongyan"
)

// TestAnAccountDeletedUnderAPostTakesNoMessage: the post was checked before the
// account went, and is stored after.
func TestAnAccountDeletedUnderAPostTakesNoMessage(t *testing.T) {
	w := &tampered{}
	atDesk(t, w.over, func(d *desk) {
		gate, answer := make(chan struct{}), make(chan Submitted)
		w.set(func(w *tampered) { w.insert = func() error { <-gate; return nil } })
		go func() { answer <- submitOne(d.T, d.Engine, order()) }()
		synctest.Wait()
		d.must(d.store.DeleteAccount(d.Context(), serviceID))
		d.AccountChanged(serviceID)
		close(gate)
		d.wantError((<-answer).Err, hongyan.Invalid, "unknown_account")
		counts, err := d.store.Counts(d.Context())
		d.must(err)
		if n := len(counts[serviceID]); n != 0 {
			d.Errorf("messages of the deleted account: in %d states, want none", n)
		}
		// Added again, it has a stream of its own.
		d.must(d.store.CreateAccount(d.Context(), hongyan.Account{AppID: serviceID, Kind: hongyan.ServiceAccount, Secret: "s"}))
		d.must(d.store.PutTemplates(d.Context(), templatesOf(serviceID)))
		d.AccountChanged(serviceID)
		m := d.submit(order())
		d.sleep(time.Minute)
		d.want(m.ID, hongyan.Accepted, "")
	})
}

// TestAnAccountThatCannotBeReadKeepsNobodyElseWaiting: neither at a start, which
// finds its messages in doubt and waiting, nor later.
func TestAnAccountThatCannotBeReadKeepsNobodyElseWaiting(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want hongyan.State // of its message that was under way
	}{
		"its secrets do not open": {errors.New("sealed with another key"), hongyan.Queued},
		"it is gone":              {hongyan.Errorf(hongyan.NotFound, "unknown_account", "there is no account"), hongyan.Uncertain},
	} {
		t.Run(name, func(t *testing.T) {
			w := &tampered{}
			atDesk(t, w.over, func(d *desk) {
				waiting, tried, other := d.later(), d.later(), miniOrder()
				d.stop()
				epoch, err := d.store.Join(d.Context(), "dead", time.Minute)
				d.must(err)
				_, err = d.store.ClaimOne(d.Context(), epoch, tried.ID)
				d.must(err)
				d.wechat.say(miniPath, `{"errcode":0,"errmsg":"ok"}`, 0)
				queued := submitOne(d.T, New(Config{Store: d.store}), other).Message
				w.set(func(w *tampered) {
					w.account = func(appID string) error {
						if appID == serviceID {
							return c.err
						}
						return nil
					}
				})
				d.start()
				d.sleep(time.Minute)
				if !d.Joined() {
					d.Fatal("the engine has not joined")
				}
				d.want(queued.ID, hongyan.Accepted, "")
				d.want(waiting.ID, hongyan.Queued, "")
				if got := d.want(tried.ID, c.want, reasonNoAnswer); got.DoubtSince.IsZero() {
					d.Error("what was under way is not in doubt")
				}
				w.set(func(w *tampered) { w.account = nil })
				d.sleep(2 * time.Hour)
				d.want(waiting.ID, hongyan.Accepted, "")
			})
		})
	}
}

// TestWhatChangedWhileItWasReadIsReadAgain: an account and a template that are
// read for the first time, and changed before they are remembered.
func TestWhatChangedWhileItWasReadIsReadAgain(t *testing.T) {
	w := &tampered{}
	atDesk(t, w.over, func(d *desk) {
		w.set(func(w *tampered) {
			w.usage = func() { d.change(func(a *hongyan.Account) { a.MaxInFlight = 7 }) }
		})
		a, err := d.loadAccount(d.Context(), serviceID)
		d.must(err)
		if got := a.ceiling(); got != 7 {
			d.Errorf("calls at once: got %d, want the new setting of 7", got)
		}
		w.set(func(w *tampered) {
			w.template = func() {
				d.must(d.store.SetTemplateStatus(d.Context(), serviceID, typed, "banned", ""))
				d.AccountChanged(serviceID)
			}
		})
		d.submit(order())
		d.wantError(submitOne(d.T, d.Engine, order()).Err, hongyan.Invalid, "template_banned")
	})
}

// TestAPauseDuringAPollIsKept: the poll read the holds before there was one.
func TestAPauseDuringAPollIsKept(t *testing.T) {
	w := &tampered{}
	atDesk(t, w.over, func(d *desk) {
		d.submit(order())
		d.sleep(time.Second)
		var paused atomic.Bool
		w.set(func(w *tampered) {
			w.holds = func() { d.must(d.Pause(d.Context(), serviceID)); paused.Store(true) }
		})
		for i := 0; i < 10 && !paused.Load(); i++ {
			d.sleep(time.Second)
		}
		m := d.submit(order())
		d.sleep(time.Second)
		d.want(m.ID, hongyan.Held, hongyan.HoldPaused)
	})
}

// TestAHoldTheStoreDidNotTakeHolds, and is stored when it can be.
func TestAHoldTheStoreDidNotTakeHolds(t *testing.T) {
	w := &tampered{}
	atDesk(t, w.over, func(d *desk) {
		w.set(func(w *tampered) { w.putHold = func() error { return hongyan.Errorf(hongyan.Full, "", "disk full") } })
		d.wechat.say(sendPath, `{"errcode":50001,"errmsg":"user unauthorized"}`, 0)
		m := d.submit(order())
		d.sleep(time.Hour)
		if n := d.wechat.count(sendPath); n != 1 {
			d.Errorf("sends of a stopped account: got %d, want 1", n)
		}
		w.set(func(w *tampered) { w.putHold = nil })
		d.sleep(time.Minute)
		d.want(m.ID, hongyan.Held, hongyan.HoldAccount)
		d.wechat.say(sendPath, taken, 0)
		d.must(d.Resume(d.Context(), serviceID))
		d.sleep(time.Minute)
		d.want(m.ID, hongyan.Accepted, "")
	})
}
