package dispatch

import (
	"fmt"
	"testing"
	"time"

	"hongyan"
)

func TestAUserWhoGetsTooMuchIsLeftAloneByEveryMessage(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.wechat.say(sendPath, `{"errcode":43117,"errmsg":"too frequently"}`, 0)
		first := d.submit(order())
		d.sleep(time.Second)
		end := d.want(first.ID, hongyan.Held, hongyan.HoldOpenIDPacing).Hold.Until
		d.wechat.say(sendPath, taken, 0)
		second := d.submit(order())
		other := order()
		other.ToUser = "oOther0000000000000000000001"
		third := d.submit(other)
		d.sleep(time.Second)
		got := d.want(second.ID, hongyan.Held, hongyan.HoldOpenIDPacing)
		if got.Hold.Errcode != 43117 || !got.Hold.Until.Equal(end) || got.Attempts != 0 {
			d.Errorf("hold %+v after %d attempts, want the first's hold and none", got.Hold, got.Attempts)
		}
		d.want(third.ID, hongyan.Accepted, "")
		if n := d.wechat.count(sendPath); n != 2 {
			d.Errorf("calls: got %d, want the one refused and the other user's", n)
		}
		_, err := d.Release(d.Context(), second.ID)
		d.must(err)
		d.sleep(time.Second)
		d.want(second.ID, hongyan.Accepted, "")
		d.sleep(time.Hour)
		d.want(first.ID, hongyan.Accepted, "")
	})
}

// TestADoubtfulMessageOfAPausedUserIsGivenUp: an hour is past its window.
func TestADoubtfulMessageOfAPausedUserIsGivenUp(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.wechat.say(sendPath, "", 0)
		doubtful := d.submit(order())
		d.sleep(time.Second)
		d.wechat.say(sendPath, `{"errcode":43117,"errmsg":"too frequently"}`, 0)
		d.submit(order())
		d.sleep(time.Second)
		d.wechat.say(sendPath, taken, 0)
		d.sleep(time.Minute)
		d.want(doubtful.ID, hongyan.Uncertain, reasonNoAnswer)
	})
}

func TestPausesAreBounded(t *testing.T) {
	var p pacing
	for i := range 3 * pacedMost {
		p.pause(fmt.Sprint("o", i), at.Add(time.Hour), at)
	}
	if len(p) > pacedMost {
		t.Errorf("%d users remembered, want at most %d", len(p), pacedMost)
	}
	last := fmt.Sprint("o", 3*pacedMost-1)
	if p.until(last, at).IsZero() || !p.until(last, at.Add(time.Hour)).IsZero() {
		t.Error("the latest pause: want it to be there, for its hour")
	}
	later := at.Add(2 * time.Hour)
	for i := range pacedMost {
		p.pause(fmt.Sprint("x", i), later.Add(time.Hour), later)
	}
	if _, there := p[last]; there || len(p) > pacedMost {
		t.Errorf("%d users remembered, one whose pause is over (%v) among them", len(p), there)
	}
}
