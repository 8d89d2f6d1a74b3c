package sandbox

import (
	"slices"
	"strconv"
	"time"

	"hongyan/wechat"
)

// chat is what one account wrote to one user, as a row of the phone's list.
type chat struct {
	account *account
	last    *shown
	unread  int
	held    int // messages of it in the inbox
}

// chat returns the user's chat with the account, made when it is missing.
func (in *inbox) chat(openid string, a *account) *chat {
	for _, c := range in.chats[openid] {
		if c.account == a {
			return c
		}
	}
	c := &chat{account: a}
	in.chats[openid] = append(in.chats[openid], c)
	return c
}

func (c *chat) note(s *shown) {
	c.last = s
	c.held++
	if !s.read {
		c.unread++
	}
}

// forget takes the user's oldest message out of its chat.
func (in *inbox) forget(openid string, s *shown) {
	c := in.chat(openid, s.message.account)
	c.held--
	if !s.read {
		c.unread--
	}
	if c.held > 0 {
		return
	}
	rest := slices.DeleteFunc(in.chats[openid], func(other *chat) bool { return other == c })
	if in.chats[openid] = rest; len(rest) == 0 {
		delete(in.chats, openid)
	}
}

// markRead marks what the account wrote as read; nil means every account.
func (in *inbox) markRead(openid string, a *account) {
	for _, c := range in.chats[openid] {
		if a != nil && c.account != a || c.unread == 0 {
			continue
		}
		c.unread = 0
		for _, s := range in.byUser[openid] {
			if s.message.account == c.account {
				s.read = true
			}
		}
	}
}

// find returns the user's message with that msgid, nil when there is none.
func (in *inbox) find(openid string, msgID int64) *shown {
	for _, s := range slices.Backward(in.byUser[openid]) {
		if s.message.msgID == msgID {
			return s
		}
	}
	return nil
}

// Read marks the user's messages from account appid ("" = every account) as read.
// An error is a [*ControlError].
func (s *Sandbox) Read(openid, appid string) error {
	if err := checkOpenID(openid); err != nil {
		return err
	}
	defer s.unlock()
	p := s.lock()
	var a *account
	if appid != "" {
		if a = p.accounts[appid]; a == nil {
			return unknownAccount(appid)
		}
	}
	p.inbox.markRead(openid, a)
	p.feed.markInbox(openid)
	return nil
}

// jumpNotClickable is the jump of a message that does not react to a finger at
// all, as on Android in era A (S29); everywhere else a message without a target
// opens nothing.
const jumpNotClickable = "not_clickable"

// Tap is the user tapping the message: it answers what opens on this user's phone,
// and marks what its account wrote as read. The platform pushes no event for it. An
// error is a [*ControlError]: the openid is none, or the message is not in the inbox.
func (s *Sandbox) Tap(openid, msgid string) (InboxJump, error) {
	if err := checkOpenID(openid); err != nil {
		return InboxJump{}, err
	}
	id, err := strconv.ParseInt(msgid, 10, 64)
	if err != nil {
		return InboxJump{}, &ControlError{Field: "msgid", Rule: "must be a msgid in digits, as a string", Value: msgid}
	}
	defer s.unlock()
	p := s.lock()
	found := p.inbox.find(openid, id)
	if found == nil {
		return InboxJump{}, &ControlError{Status: 404, Field: "msgid", Rule: "must be a message in the user's inbox", Value: msgid}
	}
	p.inbox.markRead(openid, found.message.account)
	p.feed.markInbox(openid)
	return p.tapped(p.look(openid), found.message), nil
}

func (p *platform) tapped(u user, m *message) InboxJump {
	jump := shownJump(m.jump(u))
	if jump.Kind == wechat.JumpNone.String() && !m.mini && m.account.era == wechat.EraA && u.phone() == wechat.PlatformAndroid {
		jump.Kind = jumpNotClickable
	}
	return jump
}

// LastMessage is the newest message of a chat.
type LastMessage struct {
	MsgID string `json:"msgid"`
	AppID string `json:"appid"`
	Title string `json:"title"`
	At    Time   `json:"at"`
}

func (s *shown) last() *LastMessage {
	m := s.message
	return &LastMessage{
		MsgID: strconv.FormatInt(m.msgID, 10), AppID: m.account.appID, Title: m.tmpl.title, At: stamp(time.UnixMilli(s.at)),
	}
}
