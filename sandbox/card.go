package sandbox

import (
	"slices"
	"strconv"
	"time"

	"hongyan/wechat"
)

// Card is one message as the user's phone draws it: by the rules of the era its
// account is in now, and with the jump of the phone the user has now.
type Card struct {
	MsgID, AppID, TemplateID string
	Family                   string // CardTemplate, CardMini, CardSubscribe or CardOneTime
	Era                      wechat.Era
	Drawn                    wechat.Card
	Jump                     wechat.Jump
	At                       time.Time
	Read                     bool
}

// Families of templates, as [Card] names them.
const (
	CardTemplate  = familyTemplate  // of an official account
	CardMini      = familyMini      // of a mini program, with a form_id
	CardSubscribe = familySubscribe // with a consent; of a mini program or a service account
	CardOneTime   = familyOneTime   // of a service account, to one confirmation
)

// Cards returns the newest limit messages the user saw, oldest first; limit 0
// means all of them.
func (s *Sandbox) Cards(openid string, limit int) []Card {
	p := s.lock()
	u := p.look(openid)
	list := p.inbox.byUser[openid]
	if limit > 0 && len(list) > limit {
		list = list[len(list)-limit:]
	}
	list = slices.Clone(list)
	cards := make([]Card, len(list))
	for i, sh := range list {
		m := sh.message
		cards[i] = Card{
			MsgID: strconv.FormatInt(m.msgID, 10), AppID: m.account.appID, TemplateID: m.tmpl.id, Family: m.tmpl.family,
			Era: m.account.era, Jump: m.jump(u), At: time.UnixMilli(sh.at).UTC(), Read: sh.read,
		}
	}
	s.unlock()
	for i, sh := range list { // messages and templates do not change any more: this needs no mutex
		cards[i].Drawn = sh.message.card(cards[i].Era)
		cards[i].Drawn.Date = cards[i].At.In(beijing).Format("1月2日")
	}
	return cards
}
