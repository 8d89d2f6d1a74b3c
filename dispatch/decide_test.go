package dispatch

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/wechat"
)

// at is when the attempts of these tests end: a Friday noon in Beijing, ten
// seconds past the minute.
var at = time.Date(2026, 11, 20, 4, 0, 10, 0, time.UTC)

// ruling is a verdict as the table below writes it. Due is from the end of the
// attempt for waits, and exact: the jitter is taken out.
type ruling struct {
	State        hongyan.State
	Reason       string
	Due          time.Duration
	Hold         string // the row's own: reason and how long
	Tries        int
	MsgID        int64
	Doubt        bool
	InReview     bool
	MayDuplicate bool
	Effect       string
}

const (
	calm        = ""
	unhealthy   = "unhealthy"
	userPause   = "pause the user 1h0m0s"
	tokenHold   = "hold token account 1m0s " // and the errcode
	minuteHold  = "hold quota kind 50s 45011"
	quotaHold   = "hold quota kind 11h59m50s 45009"
	accountHold = "hold account_stopped account for ever 50001"
)

func errcode(code int) hongyan.Attempt {
	return hongyan.Attempt{Outcome: hongyan.Answered, Errcode: code}
}

// doubtFor returns a change of a message: an attempt so long ago had no answer.
func doubtFor(d time.Duration) func(*hongyan.Message) {
	return func(m *hongyan.Message) { m.DoubtSince = at.Add(-d) }
}

func tries(n int) func(*hongyan.Message) { return func(m *hongyan.Message) { m.Tries = n } }

// miniForm makes m a mini program's, first tried so long ago.
func miniForm(formID string, first time.Duration) func(*hongyan.Message) {
	return func(m *hongyan.Message) {
		m.Kind, m.FirstAt = hongyan.KindMiniTemplate, at.Add(-first)
		m.Payload = []byte(`{"touser":"o","form_id":"` + formID + `"}`)
	}
}

func both(changes ...func(*hongyan.Message)) func(*hongyan.Message) {
	return func(m *hongyan.Message) {
		for _, c := range changes {
			c(m)
		}
	}
}

const prepay = "wx20120315500abcdef0123456789abcdef0"

// decisions are the rules of design §5.4, spec §9 and S88, S89.
var decisions = []struct {
	name    string
	attempt hongyan.Attempt
	http    int
	message func(*hongyan.Message)
	policy  hongyan.UncertainPolicy
	want    ruling
}{
	{name: "errcode 0 is accepted with its msgid",
		attempt: hongyan.Attempt{Outcome: hongyan.Answered, MsgID: 42},
		want:    ruling{State: hongyan.Accepted, MsgID: 42}},
	{name: "errcode 0 to a doubtful message is accepted, whichever attempt it was",
		attempt: hongyan.Attempt{Outcome: hongyan.Answered, MsgID: 42}, message: doubtFor(time.Minute),
		want: ruling{State: hongyan.Accepted, MsgID: 42, Doubt: true}},

	{name: "a busy system the first time waits 5 s", attempt: errcode(-1),
		want: ruling{State: hongyan.Queued, Reason: "retrying", Due: 5 * time.Second, Tries: 1, Effect: unhealthy}},
	{name: "the second time 30 s", attempt: errcode(-1), message: tries(1),
		want: ruling{State: hongyan.Queued, Reason: "retrying", Due: 30 * time.Second, Tries: 2, Effect: unhealthy}},
	{name: "the third time 2 min", attempt: errcode(-1), message: tries(2),
		want: ruling{State: hongyan.Queued, Reason: "retrying", Due: 2 * time.Minute, Tries: 3, Effect: unhealthy}},
	{name: "the fourth time 10 min", attempt: errcode(-1), message: tries(3),
		want: ruling{State: hongyan.Queued, Reason: "retrying", Due: 10 * time.Minute, Tries: 4, Effect: unhealthy}},
	{name: "the fifth time it fails", attempt: errcode(-1), message: tries(4),
		want: ruling{State: hongyan.Failed, Reason: "errcode", Tries: 4, Effect: unhealthy}},
	{name: "too many concurrent sends are transient too", attempt: errcode(43108),
		want: ruling{State: hongyan.Queued, Reason: "retrying", Due: 5 * time.Second, Tries: 1, Effect: unhealthy}},
	{name: "a blocked interface is transient too", attempt: errcode(45102),
		want: ruling{State: hongyan.Queued, Reason: "retrying", Due: 5 * time.Second, Tries: 1, Effect: unhealthy}},
	{name: "a busy system answering a doubtful message: its wait ends at the window",
		attempt: errcode(-1), message: both(tries(3), doubtFor(5*time.Minute)),
		want: ruling{State: hongyan.Queued, Reason: "retrying", Due: 4*time.Minute + 40*time.Second, Tries: 4, Doubt: true, Effect: unhealthy}},
	{name: "a doubtful message out of transient tries is uncertain, not failed",
		attempt: errcode(-1), message: both(tries(4), doubtFor(5*time.Minute)),
		want: ruling{State: hongyan.Uncertain, Reason: "no_answer", Tries: 4, Doubt: true, Effect: unhealthy}},

	{name: "a token refused again after its refresh holds the account for a minute", attempt: errcode(40001),
		want: ruling{State: hongyan.Queued, Reason: "token", Due: time.Minute, Effect: tokenHold + "40001"}},
	{name: "an expired token after its refresh does the same", attempt: errcode(42001),
		want: ruling{State: hongyan.Queued, Reason: "token", Due: time.Minute, Effect: tokenHold + "42001"}},
	{name: "a refused token to a doubtful message at its window's end: uncertain",
		attempt: errcode(40014), message: doubtFor(9*time.Minute + 50*time.Second),
		want: ruling{State: hongyan.Uncertain, Reason: "no_answer", Doubt: true, Effect: tokenHold + "40014"}},

	{name: "the day's quota holds the account's kind to Beijing midnight", attempt: errcode(45009),
		want: ruling{State: hongyan.Queued, Reason: "quota", Effect: quotaHold}},
	{name: "the day's quota to a doubtful message: midnight is past its window",
		attempt: errcode(45009), message: doubtFor(time.Minute),
		want: ruling{State: hongyan.Uncertain, Reason: "no_answer", Doubt: true, Effect: quotaHold}},
	{name: "the month's quota holds it to the next month", attempt: errcode(45040),
		want: ruling{State: hongyan.Queued, Reason: "quota", Effect: "hold quota kind 251h59m50s 45040"}},
	{name: "the minute's quota waits for the next minute", attempt: errcode(45011),
		want: ruling{State: hongyan.Queued, Reason: "quota", Due: 50 * time.Second, Effect: minuteHold}},
	{name: "a user who gets too much is left alone for an hour, others are not", attempt: errcode(43117),
		want: ruling{State: hongyan.Held, Reason: "openid_pacing", Due: time.Hour, Hold: "openid_pacing 1h0m0s", Effect: userPause}},
	{name: "a user who gets too much, and doubt: an hour is past the window",
		attempt: errcode(43117), message: doubtFor(time.Minute),
		want: ruling{State: hongyan.Uncertain, Reason: "no_answer", Doubt: true, Effect: userPause}},

	{name: "a duplicate within 60 seconds on a first attempt is somebody else's: failed", attempt: errcode(40241),
		want: ruling{State: hongyan.Failed, Reason: "errcode"}},
	{name: "a duplicate within 60 seconds after doubt proves the first arrived",
		attempt: errcode(40241), message: doubtFor(time.Minute),
		want: ruling{State: hongyan.Accepted, Reason: "duplicate", Doubt: true}},
	{name: "under review is accepted and never sent again", attempt: errcode(40252),
		want: ruling{State: hongyan.Accepted, Reason: "in_review", InReview: true, Doubt: true}},
	{name: "a known clientmsgid is sent already, under a msgid we do not know", attempt: errcode(45065),
		want: ruling{State: hongyan.Accepted, Reason: "duplicate", Doubt: true}},
	{name: "a repeated msg id is sent already", attempt: errcode(44007),
		want: ruling{State: hongyan.Accepted, Reason: "duplicate", Doubt: true}},
	{name: "a known clientmsgid proves nothing for a kind that sends none",
		attempt: errcode(45065), message: miniForm("f1", time.Second),
		want: ruling{State: hongyan.Failed, Reason: "errcode"}},

	{name: "a prepay_id just paid is not known yet: 5 s (S88, S89)",
		attempt: errcode(41028), message: miniForm(prepay, time.Second),
		want: ruling{State: hongyan.Queued, Reason: "prepay_not_ready", Due: 5 * time.Second}},
	{name: "still so after 1 min 55 s", attempt: errcode(41028), message: miniForm(prepay, 115*time.Second),
		want: ruling{State: hongyan.Queued, Reason: "prepay_not_ready", Due: 5 * time.Second}},
	{name: "a prepay_id unknown after 2 min is wrong", attempt: errcode(41028), message: miniForm(prepay, 2*time.Minute),
		want: ruling{State: hongyan.Failed, Reason: "errcode"}},
	{name: "a formId that is wrong stays wrong",
		attempt: errcode(41028), message: miniForm("4f1e2d3c4b5a69788796a5b4c3d2e1f0", time.Second),
		want: ruling{State: hongyan.Failed, Reason: "errcode"}},
	{name: "a wrong formId after doubt may be one the first attempt used up",
		attempt: errcode(41028), message: both(miniForm("4f1e", time.Second), doubtFor(time.Minute)),
		want: ruling{State: hongyan.Uncertain, Reason: "no_answer", Doubt: true}},
	{name: "a used form_id on a first attempt is final", attempt: errcode(41029), message: miniForm("4f1e", time.Second),
		want: ruling{State: hongyan.Failed, Reason: "errcode"}},
	{name: "a used form_id after doubt: the first attempt used it",
		attempt: errcode(41029), message: both(miniForm("4f1e", time.Second), doubtFor(time.Minute)),
		want: ruling{State: hongyan.Accepted, Reason: "duplicate", Doubt: true}},

	{name: "a bad value fails", attempt: errcode(47003), want: ruling{State: hongyan.Failed, Reason: "errcode"}},
	{name: "a bad value fails in doubt too: the same body was refused before",
		attempt: errcode(47003), message: doubtFor(time.Minute),
		want: ruling{State: hongyan.Failed, Reason: "errcode", Doubt: true}},
	{name: "not a follower fails", attempt: errcode(43004), want: ruling{State: hongyan.Failed, Reason: "errcode"}},
	{name: "not a follower by now, and in doubt: the first attempt may have been shown",
		attempt: errcode(43004), message: doubtFor(time.Minute),
		want: ruling{State: hongyan.Uncertain, Reason: "no_answer", Doubt: true}},
	{name: "the same with the policy give_up",
		attempt: errcode(43004), message: doubtFor(time.Minute), policy: hongyan.UncertainGiveUp,
		want: ruling{State: hongyan.Failed, Reason: "no_answer", Doubt: true}},
	{name: "a wrong openid fails", attempt: errcode(40003), want: ruling{State: hongyan.Failed, Reason: "errcode"}},
	{name: "a frozen user fails", attempt: errcode(50002), want: ruling{State: hongyan.Failed, Reason: "errcode"}},
	{name: "illegal content fails", attempt: errcode(40249), want: ruling{State: hongyan.Failed, Reason: "errcode"}},
	{name: "a mini program not linked is the request's fault: the account goes on", attempt: errcode(40013),
		want: ruling{State: hongyan.Failed, Reason: "errcode"}},
	{name: "a banned template fails, and is banned for all", attempt: errcode(43116),
		want: ruling{State: hongyan.Failed, Reason: "errcode", Effect: "template banned"}},
	{name: "a template banned since the doubtful attempt says nothing of it",
		attempt: errcode(43116), message: doubtFor(time.Minute),
		want: ruling{State: hongyan.Uncertain, Reason: "no_answer", Doubt: true, Effect: "template banned"}},
	{name: "an unknown template fails, and is gone for all", attempt: errcode(40037),
		want: ruling{State: hongyan.Failed, Reason: "errcode", Effect: "template removed"}},

	{name: "no permission for the interface holds that kind alone", attempt: errcode(48001),
		want: ruling{State: hongyan.Queued, Reason: "account_stopped", Effect: "hold account_stopped kind for ever 48001"}},
	{name: "a banned interface holds the account", attempt: errcode(48004),
		want: ruling{State: hongyan.Queued, Reason: "account_stopped", Effect: "hold account_stopped account for ever 48004"}},
	{name: "an unauthorised user holds the account", attempt: errcode(50001),
		want: ruling{State: hongyan.Queued, Reason: "account_stopped", Effect: accountHold}},
	{name: "a stopped account and doubt: nobody knows for how long",
		attempt: errcode(50001), message: doubtFor(time.Minute),
		want: ruling{State: hongyan.Uncertain, Reason: "no_answer", Doubt: true, Effect: accountHold}},

	{name: "a code nobody has heard of fails", attempt: errcode(77777), want: ruling{State: hongyan.Failed, Reason: "errcode"}},
	{name: "nor does it settle a doubt", attempt: errcode(77777), message: doubtFor(time.Minute),
		want: ruling{State: hongyan.Uncertain, Reason: "no_answer", Doubt: true}},
	{name: "an HTTP status of the front end settles no doubt either", attempt: errcode(0), http: 503, message: doubtFor(time.Minute),
		want: ruling{State: hongyan.Uncertain, Reason: "no_answer", Doubt: true}},
	{name: "HTTP 412 is a fault of ours: no retry", attempt: errcode(0), http: 412,
		want: ruling{State: hongyan.Failed, Reason: "http_status"}},

	{name: "what was not sent goes again in a second", attempt: hongyan.Attempt{Outcome: hongyan.NotSent},
		want: ruling{State: hongyan.Queued, Reason: "unreachable", Due: time.Second, Effect: unhealthy}},
	{name: "what was not sent keeps the doubt of before",
		attempt: hongyan.Attempt{Outcome: hongyan.NotSent}, message: doubtFor(time.Minute),
		want: ruling{State: hongyan.Queued, Reason: "unreachable", Due: time.Second, Doubt: true, Effect: unhealthy}},
	{name: "what was not sent after the window is given up",
		attempt: hongyan.Attempt{Outcome: hongyan.NotSent}, message: doubtFor(9*time.Minute + 45*time.Second),
		want: ruling{State: hongyan.Uncertain, Reason: "no_answer", Doubt: true, Effect: unhealthy}},

	{name: "no answer after 15 s: again 35 s after its start",
		attempt: hongyan.Attempt{Outcome: hongyan.NoAnswer, StartedAt: at.Add(-15 * time.Second)},
		want:    ruling{State: hongyan.Queued, Reason: "no_answer", Due: 20 * time.Second, Doubt: true, Effect: unhealthy}},
	{name: "the policy give_up ends it as failed",
		attempt: hongyan.Attempt{Outcome: hongyan.NoAnswer}, message: doubtFor(456 * time.Second), policy: hongyan.UncertainGiveUp,
		want: ruling{State: hongyan.Failed, Reason: "no_answer", Doubt: true, Effect: unhealthy}},
	{name: "the policy hold ends it as uncertain",
		attempt: hongyan.Attempt{Outcome: hongyan.NoAnswer}, message: doubtFor(456 * time.Second), policy: hongyan.UncertainHold,
		want: ruling{State: hongyan.Uncertain, Reason: "no_answer", Doubt: true, Effect: unhealthy}},
	{name: "the policy resend sends it once more, marked, and still in doubt",
		attempt: hongyan.Attempt{Outcome: hongyan.NoAnswer}, message: doubtFor(456 * time.Second), policy: hongyan.UncertainResend,
		want: ruling{State: hongyan.Queued, Reason: "no_answer", Doubt: true, MayDuplicate: true, Effect: unhealthy}},
	{name: "the policy resend sends once only",
		attempt: hongyan.Attempt{Outcome: hongyan.NoAnswer}, policy: hongyan.UncertainResend,
		message: both(doubtFor(456*time.Second), func(m *hongyan.Message) { m.MayDuplicate = true }),
		want:    ruling{State: hongyan.Uncertain, Reason: "no_answer", Doubt: true, MayDuplicate: true, Effect: unhealthy}},
}

func TestDecisions(t *testing.T) {
	for _, c := range decisions {
		t.Run(c.name, func(t *testing.T) {
			m := hongyan.Message{Kind: hongyan.KindTemplate, State: hongyan.Sending, FirstAt: at.Add(-time.Second)}
			if c.message != nil {
				c.message(&m)
			}
			v := decide(&hongyan.Account{UncertainPolicy: c.policy}, &m, callOf(m.Kind, c.attempt, c.http), at)
			if diff := cmp.Diff(c.want, rulingOf(v, m.Kind)); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

// callOf classifies an attempt as Engine.call does.
func callOf(kind hongyan.MessageKind, a hongyan.Attempt, http int) call {
	c := call{attempt: a, http: http}
	if c.attempt.StartedAt.IsZero() {
		c.attempt.StartedAt = at
	}
	switch a.Outcome {
	case hongyan.NoAnswer:
		c.class = wechat.ClassNoAnswer
	case hongyan.NotSent:
		c.class = wechat.ClassNotSent
	default:
		c.class = wechat.ClassOf(families[kind].endpoint, wechat.Code(a.Errcode))
	}
	return c
}

// rulingOf writes a verdict as the table does.
func rulingOf(v verdict, kind hongyan.MessageKind) ruling {
	r := ruling{State: v.state, Reason: v.reason, Tries: v.tries, MsgID: v.msgID, Doubt: !v.doubtSince.IsZero(),
		InReview: v.inReview, MayDuplicate: v.mayDuplicate, Effect: effectWords(v.effect, kind)}
	if !v.due.IsZero() {
		r.Due = withoutJitter(v.due.Sub(at))
	}
	if v.hold != nil {
		r.Hold = v.hold.Reason + " " + v.hold.Until.Sub(at).String()
	}
	return r
}

// withoutJitter returns the one of the transient waits that d is, if it is one
// with its jitter of up to a tenth; else d.
func withoutJitter(d time.Duration) time.Duration {
	for _, w := range transientWaits {
		if d >= w && d <= w+w/10 {
			return w
		}
	}
	return d
}

func effectWords(ef effect, kind hongyan.MessageKind) string {
	switch ef.kind {
	case effectUnhealthy:
		return unhealthy
	case effectTemplate:
		return "template " + ef.status
	case effectPacing:
		return "pause the user " + ef.hold.Until.Sub(at).String()
	case effectHold:
		return holdWords(ef.hold, kind)
	}
	return calm
}

func holdWords(h hongyan.Hold, kind hongyan.MessageKind) string {
	whom, until := "account", "for ever"
	if h.Kind == kind {
		whom = "kind"
	}
	if !h.Until.IsZero() {
		until = h.Until.Sub(at).String()
	}
	return "hold " + h.Reason + " " + whom + " " + until + " " + strconv.Itoa(h.Errcode)
}

// TestUnansweredAttemptsFollowTheScheduleOfTheFirst: the moments are counted
// from the first unanswered attempt, however long each call hangs.
func TestUnansweredAttemptsFollowTheScheduleOfTheFirst(t *testing.T) {
	for _, c := range []struct {
		name string
		hang time.Duration
		want []time.Duration // starts of the attempts
		ends time.Duration
	}{
		{"reset at once", 0, []time.Duration{0, 5 * time.Second, 35 * time.Second, 155 * time.Second, 455 * time.Second}, 455 * time.Second},
		{"hanging for 15 s", 15 * time.Second, []time.Duration{0, 35 * time.Second, 155 * time.Second, 455 * time.Second}, 470 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := hongyan.Message{Kind: hongyan.KindTemplate, FirstAt: at}
			var got []time.Duration
			for now := at; ; now = m.DueAt {
				got = append(got, now.Sub(at))
				a := hongyan.Attempt{Outcome: hongyan.NoAnswer, StartedAt: now}
				v := decide(&hongyan.Account{}, &m, callOf(m.Kind, a, 0), now.Add(c.hang))
				if v.state == hongyan.Uncertain {
					if ends := now.Add(c.hang).Sub(at); ends != c.ends {
						t.Errorf("became uncertain after %v, want %v", ends, c.ends)
					}
					break
				}
				m.DoubtSince, m.DueAt = v.doubtSince, v.due
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("attempts started at (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBeforeSending(t *testing.T) {
	resend := func(m *hongyan.Message) { m.MayDuplicate, m.Last.StartedAt = true, at.Add(-time.Hour) }
	expired := func(m *hongyan.Message) { m.ExpiresAt = at }
	for _, c := range []struct {
		name    string
		message func(*hongyan.Message)
		policy  hongyan.UncertainPolicy
		over    bool
		state   hongyan.State
	}{
		{name: "a fresh message goes", message: func(*hongyan.Message) {}},
		{name: "a message whose time is over expires", message: expired, over: true, state: hongyan.Expired},
		{name: "a doubtful message inside its window goes", message: doubtFor(9*time.Minute + 50*time.Second)},
		{name: "a doubtful message past its window does not", message: doubtFor(9*time.Minute + 51*time.Second), over: true, state: hongyan.Uncertain},
		{name: "nor with the policy give_up", message: doubtFor(time.Hour), policy: hongyan.UncertainGiveUp, over: true, state: hongyan.Failed},
		{name: "with the policy resend it is queued once more", message: doubtFor(time.Hour), policy: hongyan.UncertainResend, over: true, state: hongyan.Queued},
		{name: "the resend goes, however late its turn", message: both(doubtFor(time.Minute*50), resend), policy: hongyan.UncertainResend},
		{name: "a resend tried once is not resent", policy: hongyan.UncertainResend, over: true, state: hongyan.Uncertain,
			message: both(resend, doubtFor(50*time.Minute), func(m *hongyan.Message) { m.Last.StartedAt = at.Add(-49 * time.Minute) })},
		{name: "a doubtful message whose time is over does not go, inside its window or not",
			message: both(doubtFor(time.Minute), expired), over: true, state: hongyan.Uncertain},
		{name: "nor is it resent", policy: hongyan.UncertainResend,
			message: both(doubtFor(time.Hour), expired), over: true, state: hongyan.Uncertain},
		{name: "the policy give_up fails it then", policy: hongyan.UncertainGiveUp,
			message: both(doubtFor(time.Minute), expired), over: true, state: hongyan.Failed},
		{name: "a resend whose time is over does not go, and may have arrived",
			message: both(doubtFor(time.Minute), resend, expired), policy: hongyan.UncertainResend, over: true, state: hongyan.Uncertain},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := hongyan.Message{Kind: hongyan.KindTemplate, State: hongyan.Sending, ExpiresAt: at.Add(time.Hour)}
			c.message(&m)
			v, over := beforeSending(&hongyan.Account{UncertainPolicy: c.policy}, &m, at)
			if over != c.over || over && v.state != c.state {
				t.Errorf("over %v in state %v; want %v in %v", over, v.state, c.over, c.state)
			}
		})
	}
}
