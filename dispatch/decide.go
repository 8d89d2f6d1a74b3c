package dispatch

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"hongyan"
	"hongyan/wechat"
)

// Waits between attempts (design §5.4, spec §9). They are durations from the
// end of the attempt that failed.
var transientWaits = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute}

// unansweredAt are the moments after the first unanswered attempt at which the
// message is tried again: waits of 5 s, 30 s, 2 min and 5 min one after the
// other. All lie inside WeChat's ten minutes.
var unansweredAt = []time.Duration{5 * time.Second, 35 * time.Second, 155 * time.Second, 455 * time.Second}

const (
	// doubtWindow is how long WeChat drops a second message with the same
	// client_msg_id (spec §4.2.6). windowMargin keeps the last attempt clear of
	// its edge: clocks differ and requests take time.
	doubtWindow  = 10 * time.Minute
	windowMargin = 20 * time.Second

	// A fresh prepay_id is not known to the message service at once (S88):
	// every 5 s, for at most 2 minutes (S89, spec §6.3).
	prepayWait  = 5 * time.Second
	prepayLimit = 2 * time.Minute

	// openIDPause is how long a user is left alone after 43117 (spec §9).
	openIDPause = time.Hour
	// notSentWait is the first pause of a message whose request never left. The
	// account's gate, not the message, counts how often that happened.
	notSentWait = time.Second
	// tokenWait is the pause after WeChat refused a token that was just fetched.
	// At one refresh a minute a war over the token stays below the 2,000 fetches a day.
	tokenWait = time.Minute
)

// Reasons of ended messages.
const (
	reasonErrcode    = "errcode"     // WeChat's errcode says why
	reasonHTTPStatus = "http_status" // WeChat's front end refused the request itself
	reasonNoAnswer   = "no_answer"
	reasonInReview   = "in_review"
	reasonDuplicate  = "duplicate" // an earlier attempt had arrived
	reasonRetrying   = "retrying"
	reasonPrepay     = "prepay_not_ready" // 41028 on a fresh prepay_id
)

// effectKind is what an answer means beyond its own message.
type effectKind uint8

const (
	effectNone      effectKind = iota
	effectHold                 // hold the stream, perhaps for seconds (hold says why and until when)
	effectTemplate             // the template is banned or gone
	effectUnhealthy            // fewer calls at once
	effectPacing               // leave the user alone for a while (hold says until when)
)

// effect is that meaning.
type effect struct {
	kind   effectKind
	hold   hongyan.Hold
	status string // of the template
}

// verdict is what becomes of a message after an attempt, or instead of one.
type verdict struct {
	state        hongyan.State
	reason       string
	due          time.Time
	hold         *hongyan.Hold
	msgID        int64
	tries        int
	doubtSince   time.Time
	inReview     bool
	mayDuplicate bool
	formRefused  int // the errcode with which WeChat refused the form_id that was taken; 0 = it did not
	effect       effect
}

// call is one attempt with what classifying it needs.
type call struct {
	attempt hongyan.Attempt
	class   wechat.Class
	http    int        // the HTTP status of a refusal without an errcode; 0 otherwise
	form    *takenForm // the store's; nil = the message has its own, or needs none
}

// decide says what becomes of m after c. It is a pure function of its
// arguments, apart from jitter.
func decide(a *hongyan.Account, m *hongyan.Message, c call, now time.Time) verdict {
	v := verdictFor(m)
	switch c.attempt.Outcome {
	case hongyan.NoAnswer:
		if v.doubtSince.IsZero() {
			v.doubtSince = c.attempt.StartedAt
		}
		v.effect = effect{kind: effectUnhealthy}
		if !families[m.Kind].repeats || c.form.several() { // asking again could show it twice: never by itself, whatever the policy
			return lost(a, v)
		}
		return retryUnanswered(a, m, v, now)
	case hongyan.NotSent:
		v.effect = effect{kind: effectUnhealthy}
		return later(a, v, now, now.Add(notSentWait), hongyan.HoldUnreachable)
	}
	return decideAnswered(a, m, c, v, now)
}

func decideAnswered(a *hongyan.Account, m *hongyan.Message, c call, v verdict, now time.Time) verdict {
	code := wechat.Code(c.attempt.Errcode)
	if c.http != 0 {
		return refused(a, v, reasonHTTPStatus, now)
	}
	if code == wechat.CodeOK {
		return accepted(m, v, c)
	}
	if proof, ok := arrivedEarlier(m, v, c); ok {
		return proof
	}
	switch c.class {
	case wechat.ClassToken:
		v.effect = effect{kind: effectHold, hold: hongyan.Hold{Reason: hongyan.HoldToken, Until: now.Add(tokenWait), Errcode: int(code),
			Release: "a token that WeChat takes; tried again every minute", Detail: "WeChat refused a token that was just fetched: somebody else may be refreshing it"}}
		return later(a, v, now, now.Add(tokenWait), hongyan.HoldToken)
	case wechat.ClassTransient:
		return retryTransient(a, v, now)
	case wechat.ClassQuota:
		return holdQuota(a, m, v, code, now)
	case wechat.ClassForm:
		return retryForm(a, m, v, c, now)
	case wechat.ClassAccount:
		if !aboutOtherCalls[code] {
			return stopAccount(a, m, v, c, now)
		}
	case wechat.ClassTemplate:
		if families[m.Kind].shelved { // else nothing here could ever let the others go again
			v.effect = effect{kind: effectTemplate, status: templateStatus(code)}
		}
	case wechat.ClassRequest:
		return ended(v, hongyan.Failed, reasonErrcode) // in doubt too: the same body was refused before
	}
	return refused(a, v, reasonErrcode, now)
}

// accepted ends a message that WeChat took. Where it gives no msgid though it will push
// an event (bizsend; spec §7.3), the receipt is found as that of a message in doubt.
func accepted(m *hongyan.Message, v verdict, c call) verdict {
	v.msgID = c.attempt.MsgID
	if v.msgID == 0 && m.Kind.HasReceipt() && v.doubtSince.IsZero() {
		v.doubtSince = c.attempt.StartedAt
	}
	return ended(v, hongyan.Accepted, "")
}

// refused ends a message that WeChat will not take now. After an attempt
// without an answer that proves nothing about the first: between the two the
// user may have unfollowed, or the template been banned.
func refused(a *hongyan.Account, v verdict, reason string, now time.Time) verdict {
	if !v.doubtSince.IsZero() {
		return giveUp(a, v, now)
	}
	return ended(v, hongyan.Failed, reason)
}

// arrivedEarlier recognises the answers that prove an earlier attempt reached
// WeChat: nothing is sent again and no msgid is known, so that the receipt is
// found as that of a message in doubt.
func arrivedEarlier(m *hongyan.Message, v verdict, c call) (verdict, bool) {
	doubt := !v.doubtSince.IsZero()
	if !doubt {
		v.doubtSince = c.attempt.StartedAt
	}
	switch wechat.Code(c.attempt.Errcode) {
	case wechat.CodeInReview: // delivered by WeChat itself if it passes (spec §4.2.6)
		v.inReview = true
		return ended(v, hongyan.Accepted, reasonInReview), true
	case wechat.CodeClientMsgIDExists, wechat.CodeRepeatedMsgID:
		return ended(v, hongyan.Accepted, reasonDuplicate), m.Kind.HasClientMsgID()
	case wechat.CodeDuplicate60s:
		return ended(v, hongyan.Accepted, reasonDuplicate), doubt
	case wechat.CodeFormIDUsed:
		return ended(v, hongyan.Accepted, reasonDuplicate), doubt
	}
	return v, false
}

func ended(v verdict, s hongyan.State, reason string) verdict {
	v.state, v.reason = s, reason
	return v
}

// later queues m again for due, unless a doubtful attempt forbids it.
func later(a *hongyan.Account, v verdict, now, due time.Time, reason string) verdict {
	if last := windowEnd(v.doubtSince); !v.doubtSince.IsZero() && due.After(last) {
		if !now.Before(last) {
			return giveUp(a, v, now)
		}
		due = last
	}
	v.state, v.reason, v.due = hongyan.Queued, reason, due
	return v
}

// windowEnd is the last moment a doubtful message may be tried again.
func windowEnd(doubtSince time.Time) time.Time {
	return doubtSince.Add(doubtWindow - windowMargin)
}

// giveUp ends a message whose outcome cannot be learnt, by the account's policy.
func giveUp(a *hongyan.Account, v verdict, now time.Time) verdict {
	if a.UncertainPolicy != hongyan.UncertainResend || v.mayDuplicate {
		return lost(a, v)
	}
	// The doubt goes on, from now: the message must not be cancelled, expire or
	// fail as if no attempt of it could have arrived.
	v.mayDuplicate, v.doubtSince = true, now
	v.state, v.reason, v.due = hongyan.Queued, reasonNoAnswer, now
	return v
}

// lost is giveUp for a message that may not be sent again whatever the policy.
func lost(a *hongyan.Account, v verdict) verdict {
	if a.UncertainPolicy == hongyan.UncertainGiveUp {
		return ended(v, hongyan.Failed, reasonNoAnswer)
	}
	return ended(v, hongyan.Uncertain, reasonNoAnswer)
}

func retryUnanswered(a *hongyan.Account, m *hongyan.Message, v verdict, now time.Time) verdict {
	for _, at := range unansweredAt {
		if due := v.doubtSince.Add(at); due.After(now) {
			return later(a, v, now, due, reasonNoAnswer)
		}
	}
	return giveUp(a, v, now)
}

func retryTransient(a *hongyan.Account, v verdict, now time.Time) verdict {
	v.effect = effect{kind: effectUnhealthy}
	if v.tries >= len(transientWaits) {
		return refused(a, v, reasonErrcode, now)
	}
	wait := jitter(transientWaits[v.tries])
	v.tries++
	return later(a, v, now, now.Add(wait), reasonRetrying)
}

// jitter spreads d over the tenth after it, so that a burst that failed
// together does not come back together.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration(rand.Int64N(int64(d)/10+1))
}

// endWords say when a limit begins anew.
var endWords = map[string]string{"daily": "Beijing midnight", "monthly": "the first of the month in Beijing"}

// holdQuota treats the codes that name a period: the scope waits for its end.
func holdQuota(a *hongyan.Account, m *hongyan.Message, v verdict, code wechat.Code, now time.Time) verdict {
	switch code {
	case wechat.CodeRecipientTooFrequent:
		h := pacingHold(now.Add(openIDPause))
		v.effect = effect{kind: effectPacing, hold: h}
		return holdRow(a, v, now, h)
	case wechat.CodeMinuteQuota:
		until := now.Truncate(time.Minute).Add(time.Minute)
		v.effect = effect{kind: effectHold, hold: hongyan.Hold{Kind: m.Kind, Reason: hongyan.HoldQuota, Until: until, Errcode: int(code),
			Release: "the next minute", Detail: "WeChat's limit a minute for this API is used up"}}
		return later(a, v, now, until, hongyan.HoldQuota)
	}
	period, until := "daily", hongyan.NextBeijingMidnight(now)
	if code == wechat.CodeMonthlyQuota {
		period, until = "monthly", hongyan.PeriodEnd("month", now)
	}
	v.effect = effect{kind: effectHold, hold: hongyan.Hold{Kind: m.Kind, Reason: hongyan.HoldQuota, Until: until, Errcode: int(code),
		Release: endWords[period] + ", or resume the account after clear_quota", Detail: "WeChat's " + period + " limit for this API is used up"}}
	if !v.doubtSince.IsZero() && until.After(windowEnd(v.doubtSince)) {
		return giveUp(a, v, now)
	}
	return later(a, v, now, now, hongyan.HoldQuota)
}

// pacingHold is the hold of a message to a user who is left alone until then.
func pacingHold(until time.Time) hongyan.Hold {
	return hongyan.Hold{Reason: hongyan.HoldOpenIDPacing, Until: until, Errcode: int(wechat.CodeRecipientTooFrequent),
		Release: "waits an hour for this user; release sends it now", Detail: "WeChat finds that this user gets messages too often"}
}

// holdRow holds one message, unless it is in doubt and would outlive its window.
func holdRow(a *hongyan.Account, v verdict, now time.Time, h hongyan.Hold) verdict {
	h.Since = now
	if !v.doubtSince.IsZero() && (h.Until.IsZero() || h.Until.After(windowEnd(v.doubtSince))) {
		return giveUp(a, v, now)
	}
	v.state, v.reason, v.due, v.hold = hongyan.Held, h.Reason, h.Until, &h
	return v
}

// retryForm treats the form_id codes: 41028 on a fresh prepay_id is a delay of
// the platform (S88), everything else about a message's own form_id is final.
func retryForm(a *hongyan.Account, m *hongyan.Message, v verdict, c call, now time.Time) verdict {
	if c.form != nil {
		return retryTaken(a, v, c, now)
	}
	code := wechat.Code(c.attempt.Errcode)
	fresh := code == wechat.CodeInvalidFormID && strings.HasPrefix(payloadFormID(m.Payload), "wx") && now.Sub(m.FirstAt) < prepayLimit
	if fresh {
		return later(a, v, now, now.Add(prepayWait), reasonPrepay)
	}
	return refused(a, v, reasonErrcode, now)
}

// aboutOtherCalls are codes of class account that say nothing of sending: of quota
// and rid look-ups, the callback check, and adding templates. WeChat has no reason
// to answer a send with one; should it, no account must stop for that.
var aboutOtherCalls = map[wechat.Code]bool{
	wechat.CodeCGIPathNoPermission: true, wechat.CodeRIDNoPermission: true, wechat.CodeNoCallbackURL: true,
	wechat.CodeAddTemplatePunished: true, wechat.CodeNewTmplAccountBanned: true,
}

// aboutOneKind are those that forbid one way of sending (design §5.4): no
// permission for the interface, and the penalties on subscribe messages, on
// form_ids and on prepay_ids.
var aboutOneKind = map[wechat.Code]bool{
	wechat.CodeAPIUnauthorized: true, wechat.CodeSubscribeBanned: true,
	wechat.CodeFormSendPunished: true, wechat.CodeFormSendPunished2: true, wechat.CodePrepaySendPunished: true,
}

// stopAccount holds everything the code speaks of until a person acts.
func stopAccount(a *hongyan.Account, m *hongyan.Message, v verdict, c call, now time.Time) verdict {
	code := wechat.Code(c.attempt.Errcode)
	h := hongyan.Hold{Reason: hongyan.HoldAccount, Errcode: int(code), Detail: c.attempt.Errmsg,
		Release: fmt.Sprintf("cure errcode %d, then resume the account", code)}
	if aboutOneKind[code] {
		h.Kind = m.Kind
	}
	v.effect = effect{kind: effectHold, hold: h}
	if !v.doubtSince.IsZero() {
		return giveUp(a, v, now)
	}
	return later(a, v, now, now, hongyan.HoldAccount)
}

func templateStatus(code wechat.Code) string {
	if code == wechat.CodeTemplateBanned {
		return "banned"
	}
	return "removed"
}

// beforeSending says whether a leased message must not be sent after all.
func beforeSending(a *hongyan.Account, m *hongyan.Message, now time.Time) (verdict, bool) {
	v := verdictFor(m)
	doubt := !m.DoubtSince.IsZero()
	switch expired := !m.ExpiresAt.IsZero() && !now.Before(m.ExpiresAt); {
	case expired && doubt: // no attempt begins after expires_at: not the resend of the policy either
		return lost(a, v), true
	case expired:
		return ended(v, hongyan.Expired, ""), true
	case doubt && !resendDue(m) && now.After(windowEnd(m.DoubtSince).Add(windowMargin/2)):
		return giveUp(a, v, now), true
	}
	return v, false
}

// resendDue reports whether m waits for the one resend of its policy. That may
// be late, after a hold or an outage: no window protects it anyway.
func resendDue(m *hongyan.Message) bool {
	return m.MayDuplicate && m.Last.StartedAt.Before(m.DoubtSince)
}
