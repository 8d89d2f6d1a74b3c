package dispatch

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"hongyan"
	"hongyan/wechat"
)

// life is a message lived through by the property test below.
type life struct {
	account hongyan.Account
	m       hongyan.Message
	now     time.Time
	resent  bool
}

// TestWhateverHappensAMessageKeepsItsPromises draws outcomes, hang times and
// late turns, then lets a lasting outage follow. The promises:
//
//   - no attempt starts after expires_at;
//   - every attempt of a message in doubt starts inside WeChat's ten minutes,
//     the one resend of the policy apart, and no due time lies beyond them;
//   - of a kind that cannot ask again, the first attempt in doubt is the last;
//   - doubt, once there, never goes away: only an end resolves it. So nothing
//     in doubt is ever expired, and it fails only by the policy give_up or by
//     an answer about its own content. Such an answer is definitive: the earlier
//     attempt carried the same bytes, so WeChat refused those too. An answer about
//     the recipient or the template is not, for either may have changed since
//     (the user saw the message and unfollowed); nor is running out of patience
//     (-1, quotas, tokens, a stopped account, a form_id);
//   - every verdict is a row of the table of states;
//   - it ends, or waits for a time it names.
func TestWhateverHappensAMessageKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLife(t)
		for range rapid.IntRange(0, 25).Draw(t, "turns") {
			l.wait(time.Duration(rapid.SampledFrom([]int{0, 0, 0, 1, 60, 900}).Draw(t, "late, s")) * time.Second)
			if l.turn(t, drawAttempt(t), drawDuration(t)) {
				return
			}
		}
		for range 30 { // of an hour each, and it lives 24
			l.wait(time.Hour)
			if l.turn(t, hongyan.Attempt{Outcome: hongyan.NotSent}, 0) {
				return
			}
		}
		t.Fatalf("still %v after the lasting outage: %+v", l.m.State, l.m)
	})
}

func newLife(t *rapid.T) *life {
	l := &life{now: at, m: hongyan.Message{Kind: hongyan.KindTemplate, State: hongyan.Queued, DueAt: at, ExpiresAt: at.Add(24 * time.Hour)}}
	if rapid.Bool().Draw(t, "short-lived") {
		l.m.ExpiresAt = at.Add(time.Minute)
	}
	l.account.UncertainPolicy = rapid.SampledFrom([]hongyan.UncertainPolicy{
		"", hongyan.UncertainHold, hongyan.UncertainResend, hongyan.UncertainGiveUp}).Draw(t, "policy")
	l.m.Kind = rapid.SampledFrom(hongyan.MessageKinds()).Draw(t, "kind")
	if l.m.Kind == hongyan.KindMiniTemplate {
		miniForm(rapid.SampledFrom([]string{prepay, "4f1e"}).Draw(t, "form"), 0)(&l.m)
		l.m.FirstAt = time.Time{}
	}
	return l
}

func drawAttempt(t *rapid.T) hongyan.Attempt {
	a := hongyan.Attempt{Outcome: rapid.SampledFrom([]hongyan.AttemptOutcome{
		hongyan.Answered, hongyan.Answered, hongyan.NoAnswer, hongyan.NotSent}).Draw(t, "outcome")}
	if a.Outcome == hongyan.Answered {
		a.Errcode = rapid.SampledFrom([]int{-1, -1, -1, 40001, 45009, 45011, 43117, 41028, 41029, 48001, 50001,
			40241, 40252, 45065, 44007, 47003, 43004, 43101, 43107, 43108, 43116, 76022, 77777, 0}).Draw(t, "errcode")
	}
	return a
}

func drawDuration(t *rapid.T) time.Duration {
	return time.Duration(rapid.SampledFrom([]int{0, 120, 15_000}).Draw(t, "call, ms")) * time.Millisecond
}

// wait goes on to the message's turn, and a little more.
func (l *life) wait(late time.Duration) {
	if l.m.DueAt.After(l.now) {
		l.now = l.m.DueAt
	}
	l.now = l.now.Add(late)
}

// turn leases the message, makes the attempt and reports whether it has ended.
func (l *life) turn(t *rapid.T, a hongyan.Attempt, took time.Duration) bool {
	l.m.State, l.m.Attempts = hongyan.Sending, l.m.Attempts+1
	if l.m.FirstAt.IsZero() {
		l.m.FirstAt = l.now
	}
	v, over := beforeSending(&l.account, &l.m, l.now)
	var c call
	if !over {
		if !l.now.Before(l.m.ExpiresAt) {
			t.Fatalf("an attempt at %v, after expires_at %v", l.now, l.m.ExpiresAt)
		}
		if d := l.m.DoubtSince; !d.IsZero() && !resendDue(&l.m) && l.now.Sub(d) >= doubtWindow {
			t.Fatalf("an attempt %v after the doubt began", l.now.Sub(d))
		}
		a.StartedAt = l.now
		c = callOf(l.m.Kind, a, 0)
		l.now = l.now.Add(took)
		v = decide(&l.account, &l.m, c, l.now)
	}
	l.check(t, v, c, over)
	if !over {
		l.m.Last = c.attempt
		l.m.Last.N = l.m.Attempts
	}
	l.m.State, l.m.DueAt, l.m.Tries = v.state, v.due, v.tries
	l.m.DoubtSince, l.m.MayDuplicate = v.doubtSince, v.mayDuplicate
	return v.state.Rank() > 0
}

func (l *life) check(t *rapid.T, v verdict, c call, over bool) {
	resending := v.mayDuplicate && !l.m.MayDuplicate
	doubt := !v.doubtSince.IsZero()
	switch {
	case !inTable(hongyan.Sending, v.state):
		t.Fatalf("no row leads from sending to %v", v.state)
	case v.state.Rank() == 0 && doubt && !families[l.m.Kind].repeats:
		t.Fatalf("%s in doubt of a kind that cannot ask again", v.state)
	case doubt == false && !l.m.DoubtSince.IsZero():
		t.Fatal("the doubt went away")
	case resending && (l.resent || l.account.UncertainPolicy != hongyan.UncertainResend):
		t.Fatal("resent twice, or without the policy")
	case v.state == hongyan.Queued && v.due.IsZero(), v.state == hongyan.Held && (v.hold == nil || v.due.IsZero()):
		t.Fatalf("%v without a time", v.state)
	case v.state.Waiting() && doubt && v.due.After(v.doubtSince.Add(doubtWindow)):
		t.Fatalf("due %v after the doubt began", v.due.Sub(v.doubtSince))
	case v.state == hongyan.Expired && doubt:
		t.Fatal("expired in doubt")
	case v.state == hongyan.Uncertain && !doubt:
		t.Fatal("uncertain without doubt")
	case v.state == hongyan.Failed && doubt && !l.mayFail(v, c, over):
		t.Fatalf("failed in doubt (%s) by errcode %d", v.reason, c.attempt.Errcode)
	}
	l.resent = l.resent || resending
}

// mayFail reports whether a message in doubt may become failed so.
func (l *life) mayFail(v verdict, c call, over bool) bool {
	if v.reason == reasonNoAnswer {
		return l.account.UncertainPolicy == hongyan.UncertainGiveUp
	}
	return !over && c.class == wechat.ClassRequest
}

// inTable reports whether any act leads from one state to another.
func inTable(from, to hongyan.State) bool {
	for _, row := range transitions {
		if allowed(row.Act, from, to) {
			return true
		}
	}
	return false
}
