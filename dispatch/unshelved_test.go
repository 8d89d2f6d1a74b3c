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
