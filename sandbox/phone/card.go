package phone

import (
	"html/template"
	"slices"

	"hongyan/sandbox"
	"hongyan/wechat"
)

// Styles of a card: which of WeChat's drawings it follows (spec §4.3, §6.2).
const (
	styleClassic = "classic" // service account, eras A to D: first, remark, colours
	styleTrimmed = "trimmed" // service account, eras E and F: two columns, black and grey
	styleMini    = "mini"    // mini program, or subscribe message: a head, two columns, perhaps an enlarged keyword
)

// card is a message as the template draws it.
type card struct {
	MsgID    string
	Style    string
	Era      string
	Title    string
	Date     string // "9月14日"
	TopColor string // "#RRGGBB" or "": the strip of era A
	First    ink
	Lines    []line
	Emphasis *line // of a mini program: drawn large, above the others
	Remark   ink
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

// ink is text in one colour; Color is "#RRGGBB" or "" for the default.
type ink struct{ Text, Color string }

// line is "label: value"; a value of several colours comes in several pieces.
type line struct {
	Label string
	Value []ink
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

// newCard lays a message out. Template messages follow their era: A to D the
// classic card, E and F the trimmed one. What mini programs send, and what one
// subscribes to, has a card of its own in every era; a one-time message is its
// text in its colour.
func newCard(c sandbox.Card, who directory) card {
	d := c.Drawn
	out := card{
		MsgID: c.MsgID, Era: c.Era.String(), Title: d.Title, Date: d.Date, TopColor: d.TopColor,
		First: ink{d.First, d.FirstColor}, Remark: ink{d.Remark, d.RemarkColor},
		Sender: who.sender(c.AppID), Template: c.TemplateID, Family: c.Family, Unread: !c.Read,
		jump: c.Jump, at: c.At.UnixMilli(),
	}
	switch {
	case c.Family == sandbox.CardMini, c.Family == sandbox.CardSubscribe:
		out.Style = styleMini
	case c.Family == sandbox.CardOneTime, c.Era.Before(wechat.EraE):
		out.Style = styleClassic
	default:
		out.Style = styleTrimmed
	}
	for _, l := range d.Lines {
		if l.Emphasis && out.Emphasis == nil {
			out.Emphasis = new(newLine(l))
			continue
		}
		out.Lines = append(out.Lines, newLine(l))
	}
	out.Foot = newFoot(out, who)
	return out
}

func newLine(l wechat.CardLine) line {
	if len(l.Spans) == 0 {
		return line{l.Label, []ink{{l.Value, l.Color}}}
	}
	out := line{Label: l.Label}
	for _, s := range l.Spans {
		out.Value = append(out.Value, ink(s))
	}
	return out
}

// newFoot: 详情 before the trimming, 查看详情 or the mini program's name after it,
// 进入小程序查看 in a mini program's own card; nothing where a tap does nothing.
func newFoot(c card, who directory) foot {
	f := foot{Jump: c.jump.Kind.String()}
	switch {
	case c.jump.Kind == wechat.JumpNone:
	case c.Sender.Mini:
		f.Key = "card.open-mini"
	case c.Style == styleClassic:
		f.Key = "card.details"
	case c.jump.Kind == wechat.JumpMiniProgram:
		f.Mini = new(who.sender(c.jump.AppID))
	default:
		f.Key = "card.view-details"
	}
	return f
}

// Taps reports whether the card reacts to a finger.
func (c card) Taps() bool { return c.jump.Kind != wechat.JumpNone }

// Summary is the chat list's last line.
func (c card) Summary() string { return c.Title }

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

func findCard(cards []card, msgid string) (card, bool) {
	i := slices.IndexFunc(cards, func(c card) bool { return c.MsgID == msgid })
	if i < 0 {
		return card{}, false
	}
	return cards[i], true
}

// placed is a card with the screen it stands on.
type placed struct {
	card
	View view
}

// In places the card.
func (c card) In(sc screen) placed { return placed{c, sc.view} }
