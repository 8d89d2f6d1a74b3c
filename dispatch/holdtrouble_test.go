package dispatch

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hongyan"
	"hongyan/store"
)

// outage leaves four messages unanswered and lets some probes fail.
func (d *desk) outage() {
	d.wechat.say(sendPath, "", 0)
	d.wechat.say(probePath, "", 0)
	for range 4 {
		d.submit(order())
	}
	d.sleep(3 * time.Minute)
}

func (d *desk) outageOver() {
	d.wechat.say(sendPath, taken, 0)
	d.wechat.say(probePath, `{"ip_list":[]}`, 0)
}

// wantSoon wants a new message accepted within seconds.
func (d *desk) wantSoon() {
	d.Helper()
	m := d.submit(order())
	d.sleep(5 * time.Second)
	d.want(m.ID, hongyan.Accepted, "")
}

// TestARestartAfterAnOutageAsksAtOnce: the hold in the store is of the process
// before, and nobody else would end it.
func TestARestartAfterAnOutageAsksAtOnce(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.outage()
		d.stop()
		d.outageOver()
		d.start()
		d.wantSoon()
	})
}

func TestAResumeDuringAProbeThatFailsIsFollowedByAnother(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.outage()
		d.wechat.say(probePath, "", 10*time.Second)
		for n := d.wechat.count(probePath); d.wechat.count(probePath) == n; {
			d.sleep(time.Second)
		}
		d.must(d.Resume(d.Context(), serviceID))
		d.sleep(11 * time.Second)
		d.outageOver()
		d.sleep(10 * time.Second) // a probe that began before answers late
		d.wantSoon()
	})
}

// stuckHolds is a store that cannot clear holds for a while.
type stuckHolds struct {
	store.Store
	stuck bool
}

func (s *stuckHolds) ClearHold(ctx context.Context, appID string, k hongyan.MessageKind, reason string) (int, error) {
	if s.stuck {
		return 0, errLost
	}
	return s.Store.ClearHold(ctx, appID, k, reason)
}

func TestAnOutageThatCannotBeClearedIsLookedAtAgain(t *testing.T) {
	holds := &stuckHolds{}
	atDesk(t, func(s store.Store) store.Store { holds.Store = s; return holds }, func(d *desk) {
		d.outage()
		holds.stuck = true
		n := d.wechat.count(probePath)
		d.outageOver()
		for d.wechat.count(probePath) == n {
			d.sleep(time.Second)
		}
		holds.stuck = false
		d.wantSoon()
	})
}

func TestAPausedAccountIsNotProbed(t *testing.T) {
	w := &watched{}
	atDesk(t, w.over, func(d *desk) {
		d.outage()
		d.must(d.Pause(d.Context(), serviceID))
		n := d.wechat.count(probePath)
		w.looks.Store(0)
		d.sleep(time.Hour)
		if got := w.looks.Load(); got > 3*3600 { // every five seconds, a few times each
			d.Errorf("the clock was looked at %d times in an hour in which nothing may leave: something spins", got)
		}
		if got := d.wechat.count(probePath); got != n {
			d.Errorf("%d probes of a paused account in an hour, want none", got-n)
		}
	})
}

// watched counts how often the engine looks at the clock.
type watched struct {
	store.Store
	looks atomic.Int64
}

func (w *watched) over(s store.Store) store.Store {
	w.Store = s
	return w
}

func (w *watched) Now() time.Time {
	w.looks.Add(1)
	return w.Store.Now()
}

// TestAHoldClearedWhileItIsWrittenStaysCleared: it holds before the store has it,
// so a person may end it before, too.
func TestAHoldClearedWhileItIsWrittenStaysCleared(t *testing.T) {
	w := &tampered{}
	atDesk(t, w.over, func(d *desk) {
		w.set(func(w *tampered) { w.putHold = func() error { time.Sleep(2 * time.Second); return nil } })
		d.wechat.say(sendPath, `{"errcode":45009,"errmsg":"reach max api daily quota limit"}`, 0)
		d.submit(order())
		d.sleep(time.Second)
		d.wechat.say(sendPath, taken, 0)
		d.must(d.Resume(d.Context(), serviceID))
		d.sleep(5 * time.Second)
		d.wantSoon()
	})
}

// TestEveryHoldIsSaidOnce: an operator's alarm is the line in the log.
func TestEveryHoldIsSaidOnce(t *testing.T) {
	for name, answer := range map[string]string{
		"an API withdrawn": `{"errcode":48001,"errmsg":"api unauthorized"}`,
		"WeChat's quota":   `{"errcode":45009,"errmsg":"reach max api daily quota limit"}`,
		"an own limit":     taken,
		"an outage":        "",
	} {
		atDesk(t, nil, func(d *desk) {
			var log bytes.Buffer
			d.log = slog.New(slog.NewTextHandler(&log, nil)) // info and above, as in production
			d.wechat.say(sendPath, answer, 0)
			switch answer {
			case taken:
				d.change(func(a *hongyan.Account) { a.Quotas = []hongyan.QuotaRule{{Scope: "account", Period: "day", Limit: 1}} })
			case "":
				d.wechat.say(probePath, "", 0)
			}
			for range 4 {
				d.submit(order())
			}
			d.sleep(3 * time.Minute)
			if got := strings.Count(log.String(), "account held"); got != 1 {
				d.Errorf("%s: said %d times, want once; log:\n%s", name, got, log.String())
			}
		})
	}
}
