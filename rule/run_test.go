package rule_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hongyan"
)

// TestAPushBringsOneMessage, with its values filled in and at its time.
func TestAPushBringsOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := w.rule("welcome", func(r *hongyan.Rule) {
			r.Delay = 10 * time.Minute
			r.Message.URL = "https://shop.example.com/?u={{openid}}&from={{event.Scene}}"
			r.Message.Data["thing1"] = field("来自{{event.Scene}}")
		})
		l := w.start()
		pushed := w.store.Now()
		w.push(userA, "subscribe", "<EventKey>qrscene_a&amp;b</EventKey>")
		time.Sleep(10 * time.Second)
		all := w.sent(userA)
		if len(all) != 1 {
			t.Fatalf("%d messages, want one", len(all))
		}
		m := all[0]
		for _, part := range []string{`来自a&b`, `https://shop.example.com/?u=` + userA + `&from=a%26b`, `"time2":{"value":"2000-01-01 08:00"}`} {
			if !strings.Contains(string(m.Payload), part) {
				t.Errorf("the body lacks %s: %s", part, m.Payload)
			}
		}
		if !m.DueAt.Equal(pushed.Add(r.Delay)) || !m.ExpiresAt.Equal(m.DueAt.Add(hongyan.DefaultExpireAfter)) {
			t.Errorf("due %s, expires %s; want ten minutes after the push, and a day", m.DueAt, m.ExpiresAt)
		}
		now := w.ruleNow("welcome")
		if now.Fired != 1 || now.LastMessageID != m.ID || l.told.Load() != 1 {
			t.Errorf("the rule says %+v, told %d times", now, l.told.Load())
		}
	})
}

// TestAKillBringsNoSecondMessage: the process dies after the message is stored and
// before it knows; another, after the lease, finds the message. Even a week later.
func TestAKillBringsNoSecondMessage(t *testing.T) {
	for _, later := range []time.Duration{0, 7 * 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.rule("welcome", func(r *hongyan.Rule) { r.Once = hongyan.OnceEver })
			first := w.start()
			first.cut.finish.Store(true)
			w.push(userA, "subscribe", "")
			time.Sleep(10 * time.Second)
			if len(w.sent(userA)) != 1 || w.ruleNow("welcome").Fired != 0 {
				t.Fatalf("%d messages, fired %d; want the message stored and nobody knowing", len(w.sent(userA)), w.ruleNow("welcome").Fired)
			}
			first.stop()
			time.Sleep(later)
			w.start()
			time.Sleep(2 * time.Minute)
			if n, fired := len(w.sent(userA)), w.ruleNow("welcome").Fired; n != 1 || fired != 1 {
				t.Errorf("%d messages, fired %d; want one of each", n, fired)
			}
		})
	}
}

// TestAKillBeforeTheEventIsFinished leaves nothing behind: the next process begins anew.
func TestAKillBeforeTheEventIsFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.rule("welcome")
		first := w.start()
		first.cut.events.Store(true)
		w.push(userA, "subscribe", "")
		time.Sleep(10 * time.Second)
		first.stop()
		if n := len(w.sent(userA)); n != 0 {
			t.Fatalf("%d messages before the event was finished", n)
		}
		w.start()
		time.Sleep(10 * time.Second)
		if n := len(w.sent(userA)); n != 1 {
			t.Errorf("%d messages, want one", n)
		}
	})
}

// TestTwoProcessesSendOne: both process the same pushes and carry out the same firings.
func TestTwoProcessesSendOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.rule("welcome", func(r *hongyan.Rule) { r.Once = 24 * time.Hour })
		w.start()
		w.start()
		for range 5 {
			w.push(userA, "subscribe", "")
		}
		time.Sleep(time.Minute)
		if n := len(w.sent(userA)); n != 1 {
			t.Errorf("%d messages within the day, want one", n)
		}
		time.Sleep(24 * time.Hour)
		w.push(userA, "subscribe", "")
		time.Sleep(time.Minute)
		if n := len(w.sent(userA)); n != 2 {
			t.Errorf("%d messages after a day, want two", n)
		}
	})
}

// TestARefusalShowsAndCostsNothing: the template is unknown at first; once it is there
// the user is greeted at the next push.
func TestARefusalShowsAndCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.rule("welcome", func(r *hongyan.Rule) { r.Once, r.Message.TemplateID = hongyan.OnceEver, "later" })
		l := w.start()
		w.push(userA, "subscribe", "")
		time.Sleep(10 * time.Second)
		now := w.ruleNow("welcome")
		if now.Refused != 1 || !strings.Contains(now.LastRefusal, `"later"`) {
			t.Fatalf("the rule says %+v, want the template named", now)
		}
		now.Message.TemplateID = tmplID
		w.must(w.store.UpdateRule(t.Context(), now))
		l.desk.AccountChanged(appID)
		w.push(userA, "subscribe", "")
		time.Sleep(10 * time.Second)
		if n := len(w.sent(userA)); n != 1 {
			t.Errorf("%d messages, want one", n)
		}
	})
}

// TestARefusalQuotesNoValue: an erasure of the person does not look where refusals are kept.
func TestARefusalQuotesNoValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := w.rule("welcome", func(r *hongyan.Rule) {
			r.On, r.Message.Data["thing1"], r.Message.Data["time2"] = "click", field("{{openid}}"), field("{{event.EventKey}}")
		})
		l := w.start()
		w.push(userA, "click", "<EventKey>secret-of-the-user</EventKey>")
		time.Sleep(10 * time.Second)
		fired, err := w.store.Firings(t.Context(), r.ID, 0, 10)
		if err != nil || len(fired) != 1 || fired[0].State != hongyan.FiringRefused {
			t.Fatalf("firings %+v, %v, want one refused", fired, err)
		}
		for _, said := range []string{w.ruleNow("welcome").LastRefusal, fired[0].Refusal, l.log.String(), l.said()} {
			if !strings.Contains(said, "/data/thing1") || !strings.Contains(said, "/data/time2") {
				t.Errorf("%q does not name the fields", said)
			}
			if strings.Contains(said, "secret-of") || strings.Contains(said, userA) {
				t.Errorf("%q quotes a value", said)
			}
		}
	})
}

// TestAnOldPushIsTooLate: a gateway that was down for days greets nobody who followed then.
func TestAnOldPushIsTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.rule("welcome")
		w.push(userA, "subscribe", "")
		time.Sleep(25 * time.Hour)
		w.start()
		time.Sleep(10 * time.Second)
		now := w.ruleNow("welcome")
		if len(w.sent(userA)) != 0 || now.Refused != 1 || !strings.Contains(now.LastRefusal, "too late") {
			t.Errorf("%d messages; the rule says %+v", len(w.sent(userA)), now)
		}
	})
}

// TestAStoreThatFailsIsAskedAgain until the message has expired.
func TestAStoreThatFailsIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.rule("welcome")
		l := w.start()
		l.cut.finish.Store(true)
		w.push(userA, "subscribe", "")
		time.Sleep(30 * time.Minute)
		l.cut.finish.Store(false)
		time.Sleep(2 * time.Minute)
		if n, now := len(w.sent(userA)), w.ruleNow("welcome"); n != 1 || now.Fired != 1 {
			t.Errorf("%d messages, fired %d; want one of each", n, now.Fired)
		}
	})
}
