package phone

import (
	"html/template"
	"slices"

	"hongyan/card"
	"hongyan/sandbox"
	"hongyan/wechat"
)

// message is a card on the phone.
type message struct {
	card.Face
	MsgID    string
	Era      string
	Sender   sender // named in the head of a mini program's card
	Foot     foot
	Unread   bool
	Stamp    string // above the card
	Template string // template_id
	Family   string // of sandbox.Card
	Refused  bool   // the user refuses the sender's notices
	jump     wechat.Jump
	at       int64
}

// foot is the last row of a card; it is there only when a tap opens something.
type foot struct {
	Jump string // none, url, miniprogram, blank_page
	Key  string // text of the row; "" = the name of Mini
	Mini *sender
}

// sender is an account as people see it.
type sender struct {
	AppID, Name string
	Mini        bool
}

// Avatar draws the sender.
func (s sender) Avatar() template.HTML { return accountAvatar(s.AppID, s.Name, s.Mini) }

// forms are the families of the sandbox as package card knows them.
var forms = map[string]card.Form{
	sandbox.CardTemplate: card.FormTemplate, sandbox.CardMini: card.FormMini,
	sandbox.CardSubscribe: card.FormSubscribe, sandbox.CardOneTime: card.FormOneTime,
}

// newMessage lays a message out.
func newMessage(c sandbox.Card, who directory) message {
	out := message{
		Face:  card.New(c.Drawn, card.StyleOf(forms[c.Family], c.Era)),
		MsgID: c.MsgID, Era: c.Era.String(),
		Sender: who.sender(c.AppID), Template: c.TemplateID, Family: c.Family, Unread: !c.Read,
		jump: c.Jump, at: c.At.UnixMilli(),
	}
	out.Foot = newFoot(&out, who)
	return out
}

// footKeys are the words of the feet in the page's languages.
var footKeys = map[card.Foot]string{
	card.FootDetails: "card.details", card.FootViewDetails: "card.view-details", card.FootOpenMini: "card.open-mini",
}

func newFoot(c *message, who directory) foot {
	f := foot{Jump: c.jump.Kind.String()}
	which := card.FootOf(c.Style, c.Sender.Mini, c.jump.Kind)
	if f.Key = footKeys[which]; which == card.FootMiniProgram {
		f.Mini = new(who.sender(c.jump.AppID))
	}
	return f
}

// Taps reports whether the card reacts to a finger.
func (c message) Taps() bool { return c.jump.Kind != wechat.JumpNone }

// Summary is the chat list's last line.
func (c message) Summary() string { return c.Title }

// directory is the accounts of the sandbox by appid.
type directory map[string]sandbox.AccountView

func directoryOf(list []sandbox.AccountView) directory {
	d := directory{}
	for _, a := range list {
		d[a.AppID] = a
	}
	return d
}

// sender names an account; one that the sandbox does not know goes by its appid.
func (d directory) sender(appid string) sender {
	a, known := d[appid]
	if !known || a.Name == "" {
		return sender{appid, appid, !known || isMini(a)}
	}
	return sender{appid, a.Name, isMini(a)}
}

func isMini(a sandbox.AccountView) bool { return a.Kind == "mini_program" }

func findCard(cards []message, msgid string) (message, bool) {
	i := slices.IndexFunc(cards, func(c message) bool { return c.MsgID == msgid })
	if i < 0 {
		return message{}, false
	}
	return cards[i], true
}

// placed is a card with the screen it stands on.
type placed struct {
	message
	View view
}

// In places the card.
func (c message) In(sc screen) placed { return placed{c, sc.view} }
