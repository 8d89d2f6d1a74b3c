package sandbox

import (
	"time"

	"hongyan/wechat"
)

// message is one accepted template message on its way to its user.
type message struct {
	account *account
	tmpl    *template
	openid  string
	msgID   int64
	body    *sendBody
	mini    bool
	row     *LedgerEntry
	review  *review       // nil: none
	bent    EventFault    // by the rule that struck its call
	told    chan struct{} // closed when the early event was delivered, or is not coming; nil = not early
}

// Fates in the ledger (design §3.5).
const (
	shownFate   = "shown"
	pendingFate = "pending"
	noFate      = "none"
)

// newMessage allots a msgid.
func (p *platform) newMessage(c *call, t *template) *message {
	m := &message{account: c.account, tmpl: t, openid: c.touser, body: c.send, mini: c.account.isMini()}
	if m.msgID = p.dice.nextMsgID(); c.account.smallMsgID {
		m.msgID = p.dice.nextSmallMsgID()
	}
	return m
}

// schedule sets the delivery of a message whose call is in the ledger. Without a
// delay it happens here and now, so that a caller who has the answer finds the
// message in the inbox.
func (p *platform) schedule(m *message, row *LedgerEntry, now time.Time) {
	m.row = row
	if m.review != nil {
		p.hold(m, row)
		return
	}
	row.Fate = pendingFate
	delay := p.delayOf(m.account)
	if delay == 0 || m.bent.EarlyEvent {
		m.fire(p, now)
		return
	}
	p.timers.add(now.Add(delay), m)
}

// fire delivers the message at its time. What the user is now decides, not what
// he was when the call was accepted.
func (m *message) fire(p *platform, at time.Time) {
	status := m.status(p.look(m.openid))
	m.row.Fate = status.fate
	if status.fate == shownFate {
		p.stats.delivered++
		p.inbox.add(m.openid, &shown{at: at.UnixMilli(), message: m})
		p.feed.markInbox(m.openid)
	} else {
		p.stats.undelivered++
		p.feed.mark(changedTraffic)
	}
	if m.account.serverURL == "" || m.silent() || fateOf(m.openid) == fateNoEvent {
		return
	}
	if m.bent != (EventFault{}) {
		p.reportBent(m, status, at)
		return
	}
	p.emit(m.account, m.row, m.finished(status, at))
}

// delivery is one way a job can finish: our word for it and the platform's.
type delivery struct{ fate, text string }

// The spellings are those of the old wiki (spec §5.1, K13), each with its own spacing.
var (
	deliveredOK    = delivery{shownFate, "success"}
	userBlocked    = delivery{"user_block", "failed:user block"}
	systemFailed   = delivery{"system_failed", "failed: system failed"}
	frequencyLimit = delivery{"freq_limit", "failed:freq limit"}
)

// status is how the delivery ends. A user who left between the call and the
// delivery counts as a system failure: refusing is the only other word there is.
func (m *message) status(u user) delivery {
	switch tie := u.with(m.account); {
	case tie.blocked:
		return userBlocked
	case u.fate == fateSysFail, u.frozen, m.toFollowers() && !tie.follows:
		return systemFailed
	case u.fate == fateFreqLimit:
		return frequencyLimit
	}
	return deliveredOK
}

// jump is what the shown message opens when tapped.
func (m *message) jump(u user) wechat.Jump {
	in := wechat.JumpInput{
		Era: m.account.era, URL: m.body.URL.string(),
		Platform: u.phone(), OldClient: !u.miniProgram,
	}
	switch {
	case m.mini && m.body.Page != "":
		in.MiniProgram = &wechat.MiniProgram{AppID: m.account.appID, PagePath: m.body.Page.string()}
	case m.mini:
		return wechat.Jump{}
	case m.body.MiniProgram.AppID != "":
		in.MiniProgram = &wechat.MiniProgram{AppID: m.body.MiniProgram.AppID, PagePath: m.body.MiniProgram.PagePath}
	}
	return wechat.ResolveJump(in)
}
