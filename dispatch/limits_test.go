package dispatch

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"hongyan"
	"hongyan/store"
)

// TestAMinutesLimitDoesNotEndTheDays: a call under way is told of the minute's
// limit after another was told of the day's.
func TestAMinutesLimitDoesNotEndTheDays(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.wechat.say(sendPath, `{"errcode":45011,"errmsg":"minute"}`, 5*time.Second)
		d.submit(order())
		d.sleep(time.Second)
		d.wechat.say(sendPath, `{"errcode":45009,"errmsg":"day"}`, 0)
		m := d.submit(order())
		d.sleep(10 * time.Second)
		got := d.want(m.ID, hongyan.Held, hongyan.HoldQuota)
		if got.Hold.Errcode != 45009 || !got.Hold.Until.Equal(hongyan.NextBeijingMidnight(time.Now())) {
			d.Errorf("held by %d until %v, want by 45009 until midnight", got.Hold.Errcode, got.Hold.Until)
		}
		d.sleep(5 * time.Minute)
		if n := d.wechat.count(sendPath); n != 2 {
			d.Errorf("sends: got %d, want the 2 that were refused", n)
		}
	})
}

// TestAHoldRenewedAsItLapsesStands: another node's, or another message's.
func TestAHoldRenewedAsItLapsesStands(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		a, err := d.loadAccount(d.Context(), serviceID)
		d.must(err)
		now := d.store.Now()
		h := hongyan.Hold{Reason: hongyan.HoldToken, Until: now.Add(time.Minute)}
		d.must(d.addHold(d.Context(), a, h))
		renewed := h
		renewed.AppID, renewed.Until = serviceID, now.Add(time.Hour)
		d.must(d.store.PutHold(d.Context(), renewed))
		d.must(d.lapseHold(d.Context(), a, h))
		holds, err := d.store.Holds(d.Context())
		d.must(err)
		if len(holds) != 1 || !holds[0].Until.Equal(renewed.Until) {
			d.Errorf("holds: got %+v, want the renewed one", holds)
		}
	})
}

func TestALimitThatIsRaisedLetsGoWhatItHeld(t *testing.T) {
	for name, c := range map[string]struct{ before, after []hongyan.QuotaRule }{
		"the account's": {
			[]hongyan.QuotaRule{{Scope: "account", Period: "day", Limit: 2}},
			[]hongyan.QuotaRule{{Scope: "account", Period: "day", Limit: 4}}},
		"the template's": {
			[]hongyan.QuotaRule{{Scope: "template", Period: "month", Limit: 2}},
			[]hongyan.QuotaRule{{Scope: "template", Period: "month", Limit: 4}}},
		"no rule any more": {[]hongyan.QuotaRule{{Scope: "account", Period: "month", Limit: 2}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			atDesk(t, nil, func(d *desk) {
				d.change(func(a *hongyan.Account) { a.Quotas = c.before })
				for range 2 {
					d.submit(order())
					d.sleep(time.Second)
				}
				last := d.submit(order())
				d.sleep(time.Minute)
				d.want(last.ID, hongyan.Held, hongyan.HoldQuota)
				d.change(func(a *hongyan.Account) { a.Name = "another" }) // no more room than before
				d.sleep(time.Minute)
				d.want(last.ID, hongyan.Held, hongyan.HoldQuota)
				d.change(func(a *hongyan.Account) { a.Quotas = c.after })
				d.sleep(time.Minute)
				d.want(last.ID, hongyan.Accepted, "")
			})
		})
	}
}

// TestALimitOfWeChatsIsNotLiftedByRaisingOurs.
func TestALimitOfWeChatsIsNotLiftedByRaisingOurs(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.wechat.say(sendPath, `{"errcode":45009,"errmsg":"day"}`, 0)
		m := d.submit(order())
		d.sleep(time.Second)
		d.change(func(a *hongyan.Account) {
			a.Quotas = []hongyan.QuotaRule{{Scope: "account", Period: "day", Limit: 1e6}}
		})
		d.sleep(time.Minute)
		d.want(m.ID, hongyan.Held, hongyan.HoldQuota)
	})
}

func TestOnlyWhatIsNotUrgentKeepsTheQuietHoursOfItsTemplatesLimit(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.change(func(a *hongyan.Account) { a.Quotas = []hongyan.QuotaRule{{Scope: "template", Period: "day", Limit: 1}} })
		d.submit(order())
		d.sleep(time.Second)
		midnight := hongyan.NextBeijingMidnight(time.Now())
		for p, until := range map[hongyan.Priority]time.Time{
			hongyan.Urgent: midnight, hongyan.Normal: midnight.Add(8 * time.Hour), hongyan.Bulk: midnight.Add(8 * time.Hour),
		} {
			r := order()
			r.Priority = p
			m := d.submit(r)
			d.sleep(time.Second)
			if got := d.want(m.ID, hongyan.Held, hongyan.HoldQuota); !got.Hold.Until.Equal(until) {
				d.Errorf("%v: held until %v, want %v", p, got.Hold.Until, until)
			}
		}
	})
}

// TestTheRateIsThatOfTheCalls: WeChat was slow, and is quick again. What waited
// leaves no faster than before.
func TestTheRateIsThatOfTheCalls(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.change(func(a *hongyan.Account) { a.RatePerSecond, a.MaxInFlight = 2, 2 })
		d.wechat.say(sendPath, taken, 10*time.Second)
		for range 40 {
			d.submit(order())
		}
		d.sleep(9 * time.Second)
		before := d.wechat.count(sendPath)
		d.wechat.say(sendPath, taken, time.Millisecond)
		d.sleep(time.Second) // the slow ones end now
		for second := 1; second < 15; second++ {
			d.sleep(time.Second)
			if n, most := d.wechat.count(sendPath)-before, 2*second+2; n > most {
				d.Fatalf("%d calls in %d s at 2 a second, want at most %d", n, second, most)
			}
		}
		if n := d.wechat.count(sendPath) - before; n < 2*13 {
			d.Errorf("%d calls in 14 s at 2 a second", n)
		}
	})
}

// TestNothingIsTriedAfterItsTime: not even to learn what became of it.
func TestNothingIsTriedAfterItsTime(t *testing.T) {
	for policy, want := range map[hongyan.UncertainPolicy]hongyan.State{
		hongyan.UncertainHold: hongyan.Uncertain, hongyan.UncertainResend: hongyan.Uncertain, hongyan.UncertainGiveUp: hongyan.Failed,
	} {
		t.Run(string(policy), func(t *testing.T) {
			atDesk(t, nil, func(d *desk) {
				d.change(func(a *hongyan.Account) { a.UncertainPolicy = policy })
				d.wechat.say(sendPath, "", 0)
				r := order()
				r.ExpiresAt = time.Now().Add(10 * time.Second)
				m := d.submit(r)
				d.sleep(20 * time.Second)
				d.wechat.say(sendPath, taken, 0)
				d.sleep(30 * time.Minute)
				if got := d.want(m.ID, want, reasonNoAnswer); got.Last.StartedAt.After(r.ExpiresAt) {
					d.Errorf("tried %v after its time", got.Last.StartedAt.Sub(r.ExpiresAt))
				}
			})
		})
	}
}

// TestReleaseKeepsTheAccountsOwnLimits: a quota rule is a promise that a release
// does not break. It says so at once instead of beginning and coming back.
func TestReleaseKeepsTheAccountsOwnLimits(t *testing.T) {
	for scope, reason := range map[string]string{"account": hongyan.HoldQuota, "template": hongyan.HoldQuota} {
		atDesk(t, nil, func(d *desk) {
			d.change(func(a *hongyan.Account) { a.Quotas = []hongyan.QuotaRule{{Scope: scope, Period: "day", Limit: 1}} })
			d.submit(order())
			d.sleep(time.Second)
			second := d.submit(order())
			d.sleep(time.Second)
			d.want(second.ID, hongyan.Held, reason)
			_, err := d.Release(d.Context(), second.ID)
			d.wantError(err, hongyan.Conflict, "limit_used_up")
			if n := d.wechat.count(sendPath); n != 1 {
				d.Errorf("%s: %d calls, want 1", scope, n)
			}
			d.change(func(a *hongyan.Account) { a.Quotas = []hongyan.QuotaRule{{Scope: scope, Period: "day", Limit: 2}} })
			d.sleep(time.Second)
			d.want(second.ID, hongyan.Accepted, "")
		})
	}
}

// TestReleasedMeansDueNow: the time a message was scheduled for is gone with it,
// and a cancelled one waits for nothing.
func TestReleasedMeansDueNow(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		scheduled, held := d.later(), d.later()
		if _, err := d.Release(d.Context(), scheduled.ID); err != nil {
			d.Fatal(err)
		}
		d.sleep(time.Second)
		if m := d.want(scheduled.ID, hongyan.Accepted, ""); m.DueAt.After(time.Now()) {
			d.Errorf("due_at %v of a message that has left", m.DueAt)
		}
		d.wechat.say(sendPath, `{"errcode":40037,"errmsg":"invalid template_id"}`, 0)
		d.submit(order())
		d.sleep(time.Second)
		d.want(held.ID, hongyan.Held, hongyan.HoldTemplate)
		if _, err := d.Cancel(d.Context(), held.ID); err != nil {
			d.Fatal(err)
		}
		d.want(held.ID, hongyan.Cancelled, "")
	})
}

// muteStore records outcomes and does not say so the first time.
type muteStore struct {
	store.Store
	mute atomic.Bool
}

func (m *muteStore) FinishAttempts(ctx context.Context, rs []store.Result) ([]store.Settled, error) {
	done, err := m.Store.FinishAttempts(ctx, rs)
	if err == nil && m.mute.Swap(false) {
		return nil, hongyan.Errorf(hongyan.Unavailable, "", "the connection broke after the commit")
	}
	return done, err
}

// TestOutcomesRecordedWithoutAnAnswerUseUpTheLimit: written a second time they find
// nothing to change, but their calls are counted and must not be made again.
func TestOutcomesRecordedWithoutAnAnswerUseUpTheLimit(t *testing.T) {
	const limit = 20
	m := &muteStore{}
	atDesk(t, func(s store.Store) store.Store { m.Store = s; return m }, func(d *desk) {
		a, err := d.store.Account(d.Context(), serviceID)
		d.must(err)
		a.Quotas = []hongyan.QuotaRule{{Scope: "account", Period: "day", Limit: limit}}
		d.must(d.store.UpdateAccount(d.Context(), a))
		d.AccountChanged(serviceID)
		m.mute.Store(true)
		rs := make([]Request, limit)
		for i := range rs {
			rs[i] = order()
		}
		_, err = d.Submit(d.Context(), rs)
		d.must(err)
		d.sleep(time.Minute)
		for range 5 {
			d.submit(order())
		}
		d.sleep(time.Minute)
		if got := d.wechat.count(sendPath); got != limit || m.mute.Load() {
			d.Errorf("%d calls, want the limit of %d; an answer was lost: %v", got, limit, !m.mute.Load())
		}
	})
}
