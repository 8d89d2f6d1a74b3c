package dispatch

import (
	"testing"
	"time"

	"hongyan"
	"hongyan/store"
)

// TestOnlyCallsUnderWayAreLostToABan: what waits, and what was leased ahead of those
// calls, is held; and a template that is said to be back is tried by one message.
func TestOnlyCallsUnderWayAreLostToABan(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		banned := `{"errcode":43116,"errmsg":"This template_id is banned"}`
		const messages, underWay = 1000, 64 // calls at once, at most
		states := func() map[hongyan.State]int {
			n := map[hongyan.State]int{}
			page, err := d.store.Messages(d.Context(), store.Filter{Limit: 1000})
			d.must(err)
			for _, m := range page.Items {
				n[m.State]++
			}
			return n
		}
		back := func() {
			d.must(d.store.SetTemplateStatus(d.Context(), serviceID, typed, "active", ""))
			_, err := d.ReleaseTemplate(d.Context(), serviceID, typed)
			d.must(err)
			d.sleep(10 * time.Second)
		}
		d.stop()
		d.room = 512 // many are leased ahead
		d.start()
		d.must(d.Pause(d.Context(), serviceID))
		for range messages {
			d.submit(order())
		}
		d.wechat.say(sendPath, taken, 50*time.Millisecond)
		d.must(d.Resume(d.Context(), serviceID))
		d.sleep(120 * time.Millisecond) // it sends, and leases ahead
		d.wechat.say(sendPath, banned, 50*time.Millisecond)
		d.sleep(10 * time.Second)
		got := states()
		lost := got[hongyan.Failed]
		if sent := got[hongyan.Accepted]; sent == 0 || lost == 0 || lost > underWay || got[hongyan.Held] != messages-sent-lost {
			d.Errorf("after the ban: %v, want at most %d failed, some accepted and the others held", got, underWay)
		}
		for range 3 {
			back()
		}
		if got = states(); got[hongyan.Failed] > lost+3*2 {
			d.Errorf("after three times that it was said to be back: %d more failed, want one or two each time", got[hongyan.Failed]-lost)
		}
		lost = got[hongyan.Failed]
		d.wechat.say(sendPath, taken, 0)
		back()
		if got = states(); got[hongyan.Accepted] != messages-lost {
			d.Errorf("once it is back: %v, want all but %d accepted", got, lost)
		}
	})
}

// TestAHoldThatComesAfterTheReleaseEnds: a message that was looked at while its template
// was banned is held after everything else was let go.
func TestAHoldThatComesAfterTheReleaseEnds(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		m := d.later()
		d.must(d.store.SetTemplateStatus(d.Context(), serviceID, typed, "active", ""))
		_, err := d.ReleaseTemplate(d.Context(), serviceID, typed)
		d.must(err)
		_, err = d.store.HoldTemplate(d.Context(), typed, templateHold(serviceID, hongyan.KindTemplate, "banned", 43116, "late"), 100)
		d.must(err)
		d.want(m.ID, hongyan.Held, hongyan.HoldTemplate)
		d.sleep(2 * pollEvery)
		if got, err := d.store.Message(d.Context(), m.ID); err != nil || got.State == hongyan.Held {
			d.Errorf("after %v: %v %v, want it let go", 2*pollEvery, got.State, err)
		}
	})
}

// TestANodeThatDoesNotKnowThatATemplateIsBack asks the store before it holds a message.
func TestANodeThatDoesNotKnowThatATemplateIsBack(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.must(d.store.SetTemplateStatus(d.Context(), serviceID, typed, "banned", "by another node"))
		d.AccountChanged(serviceID)
		d.wantError(submitOne(d.T, d.Engine, order()).Err, hongyan.Invalid, "template_banned") // which it remembers
		d.must(d.store.SetTemplateStatus(d.Context(), serviceID, typed, "active", ""))
		m := hongyan.Message{ID: hongyan.NewMessageID(), AppID: serviceID, Kind: hongyan.KindTemplate, TemplateID: typed, ToUser: user}
		a, err := d.loadAccount(d.Context(), serviceID)
		d.must(err)
		if v, kept := d.unshelved(d.Context(), &job{s: &stream{account: a}, m: m}); kept {
			d.Errorf("got %+v, want it to leave", v)
		}
	})
}

// TestWhatANodeHoldsForATemplateIsLookedAfter: the release that another node made may
// have been before the hold.
func TestWhatANodeHoldsForATemplateIsLookedAfter(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		m := d.later()
		d.must(d.store.SetTemplateStatus(d.Context(), serviceID, typed, "banned", "by another node"))
		d.AccountChanged(serviceID)
		d.sleep(time.Until(m.DueAt) + time.Second)
		d.want(m.ID, hongyan.Held, hongyan.HoldTemplate)
		d.must(d.store.SetTemplateStatus(d.Context(), serviceID, typed, "active", ""))
		d.sleep(2 * pollEvery)
		d.want(m.ID, hongyan.Accepted, "")
	})
}
