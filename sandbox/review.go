package sandbox

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"hongyan/wechat"
)

// Values of review.
const (
	reviewNone    = "none"
	reviewApprove = "approve"
	reviewRefuse  = "refuse"
	reviewWait    = "wait"
)

// Fates in the ledger of messages under review.
const (
	heldFate    = "held"
	refusedFate = "refused" // by the review; never delivered, no event
)

// review is one message that the platform looks at before it delivers.
type review struct {
	message *message
	at      time.Time // held since
	due     time.Time // of the decision; zero = nobody knows
	approve bool      // what it will be
	decided bool
}

// reviewed reports whether the account's messages with this data are held.
func (c *call) reviewed() bool {
	a := c.account
	return a.review != reviewNone && (len(a.reviewWords) == 0 || c.send.mentions(a.reviewWords))
}

// holdForReview answers 40252: the message is accepted all the same, and must never be
// sent again (spec §4.2.6). Unverified: the answer has no msgid.
func (p *platform) holdForReview(c *call, m *message) answer {
	m.review = &review{message: m, at: c.now, approve: c.account.review == reviewApprove}
	if c.account.review != reviewWait {
		m.review.due = c.now.Add(c.account.reviewTime)
	}
	a := p.fail(c, wechat.CodeInReview)
	a.accepted, a.msgID = m, m.msgID // for the ledger
	return a
}

// hold is schedule for a message under review.
func (p *platform) hold(m *message, row *LedgerEntry) {
	row.Fate = heldFate
	m.account.reviews = append(m.account.reviews, m.review)
	if !m.review.due.IsZero() {
		p.timers.add(m.review.due, m.review)
	}
}

// fire decides a review at its time, unless somebody has done so before.
func (r *review) fire(p *platform, at time.Time) {
	if !r.decided {
		p.decide(r, r.approve, at)
	}
}

func (p *platform) decide(r *review, approve bool, at time.Time) {
	m, a := r.message, r.message.account
	r.decided = true
	a.reviews = slices.DeleteFunc(a.reviews, func(other *review) bool { return other == r })
	if approve {
		m.fire(p, at)
		return
	}
	m.row.Fate = refusedFate
	a.block(blockedMessage{message: m, sent: r.at})
}

// maxBlocked bounds the refused messages that are remembered; the oldest go first.
const maxBlocked = 10_000

func (r *sendRules) block(b blockedMessage) {
	b.id = 1
	if n := len(r.blocked); n > 0 {
		b.id = r.blocked[n-1].id + 1
	}
	if r.blocked = append(r.blocked, b); len(r.blocked) > maxBlocked {
		r.blocked = r.blocked[1:]
	}
}

// Review is a message under review.
type Review struct {
	MsgID      string `json:"msgid"`
	OpenID     string `json:"openid"`
	TemplateID string `json:"template_id"`
	HeldAt     Time   `json:"held_at"`
	DueAt      *Time  `json:"due_at,omitzero"` // nil: until DecideReview
}

// Reviews returns the account's messages under review, oldest first.
func (s *Sandbox) Reviews(appid string) ([]Review, error) {
	defer s.unlock()
	a := s.lock().accounts[appid]
	if a == nil {
		return nil, unknownAccount(appid)
	}
	out := []Review{}
	for _, r := range a.reviews {
		v := Review{MsgID: idText(r.message.msgID), OpenID: r.message.openid, TemplateID: r.message.tmpl.id, HeldAt: stamp(r.at)}
		if !r.due.IsZero() {
			v.DueAt = new(stamp(r.due))
		}
		out = append(out, v)
	}
	return out, nil
}

// DecideReview ends the review of message msgid, "" = of all that account appid has:
// approved ones are delivered at once, refused ones never. An error is a [*ControlError].
func (s *Sandbox) DecideReview(appid, msgid string, approve bool) error {
	defer s.unlock()
	p := s.lock()
	a := p.accounts[appid]
	if a == nil {
		return unknownAccount(appid)
	}
	decided := false
	for _, r := range slices.Clone(a.reviews) {
		if msgid == "" || idText(r.message.msgID) == msgid {
			p.decide(r, approve, p.clock.now())
			decided = true
		}
	}
	if msgid != "" && !decided {
		return &ControlError{Status: 404, Field: "msgid", Rule: "must be of a message under review", Value: msgid}
	}
	return nil
}

// blockedMessage is one that a review refused. Ids count from 1.
type blockedMessage struct {
	id      int64
	message *message
	sent    time.Time
}

const maxBlockedPage = 100 // spec §4.2.7

type blockedRequest struct {
	TemplateID wireText   `json:"tmpl_msg_id"`
	LargestID  wireScalar `json:"largest_id"`
	Limit      wireScalar `json:"limit"`
}

type blockedAnswer struct {
	Messages []wireBlocked `json:"msginfo"` // before errcode, as seen on the wire
	errOK
}

type wireBlocked struct {
	ID         int64  `json:"id"`
	TemplateID string `json:"tmpl_msg_id"`
	Title      string `json:"title"`
	Content    string `json:"content"`
	SentAt     int64  `json:"send_timestamp"`
	OpenID     string `json:"openid"`
}

// serveBlocked is queryblocktmplmsg (spec §4.2.7): what reviews have refused, the page
// after largest_id. Unverified: the code of a limit out of range.
func (p *platform) serveBlocked(c *call) answer {
	var req blockedRequest
	if code := c.unmarshal(&req); code != wechat.CodeOK {
		return p.fail(c, code)
	}
	largest, largestErr := strconv.ParseInt(cmp.Or(string(req.LargestID), "0"), 10, 64)
	limit, limitErr := strconv.Atoi(cmp.Or(string(req.Limit), "100"))
	switch {
	case c.account.find(req.TemplateID.string(), familyTemplate) == nil:
		return p.fail(c, wechat.CodeInvalidTemplateID)
	case largestErr != nil, limitErr != nil, limit < 1, limit > maxBlockedPage:
		return p.fail(c, wechat.CodeInvalidLimit)
	}
	out := blockedAnswer{Messages: []wireBlocked{}, errOK: wireOK}
	for _, b := range c.account.blocked {
		if b.id > largest && b.message.tmpl.id == req.TemplateID.string() && len(out.Messages) < limit {
			out.Messages = append(out.Messages, b.wire())
		}
	}
	return reply(out)
}

func (b *blockedMessage) wire() wireBlocked {
	var text []string
	for _, line := range lines(b.message.card(b.message.account.era)) {
		if line.Label != "" {
			line.Value = line.Label + "：" + line.Value
		}
		text = append(text, line.Value)
	}
	return wireBlocked{
		ID: b.id, TemplateID: b.message.tmpl.id, Title: b.message.tmpl.title,
		Content: strings.Join(text, "\n"), SentAt: b.sent.Unix(), OpenID: b.message.openid,
	}
}
