// Package card lays a message out as the phone shows it, and draws it as HTML and as
// text. What stands on a card is package wechat's to say (wechat.Render); here is in
// which of WeChat's drawings, and how each looks. The sandbox's phone and the gateway's
// preview both draw with it. Start with New, then HTML and Text.
package card

import "hongyan/wechat"

// Style is one of WeChat's drawings of a message (spec §4.3, §6.2).
type Style string

// The styles.
const (
	Classic Style = "classic" // service account, eras A to D, and one-time messages: first, remark, colours
	Trimmed Style = "trimmed" // service account, eras E and F: two columns, black and grey
	Mini    Style = "mini"    // mini program, or subscribe message: a head, two columns, perhaps an enlarged keyword
)

// Form is what decides a card's style beside its era.
type Form uint8

// The forms.
const (
	FormTemplate  Form = iota // a template message of an official account
	FormMini                  // a mini program's message with a form_id
	FormSubscribe             // a subscribe message or a subscription notice
	FormOneTime               // a one-time message
)

// StyleOf returns the style of a message. Template messages follow their era; what mini
// programs send, and what one subscribes to, has a card of its own in every era; a one-time
// message is its text in its colour.
func StyleOf(form Form, era wechat.Era) Style {
	switch {
	case form == FormMini || form == FormSubscribe:
		return Mini
	case form == FormOneTime || era.Before(wechat.EraE):
		return Classic
	}
	return Trimmed
}

// Face is a card laid out.
type Face struct {
	Style    Style
	Title    string
	Date     string // "9月14日", or ""
	TopColor string // "#RRGGBB", or "": the strip of era A
	First    Ink
	Lines    []Line
	Emphasis *Line // of a mini program: drawn large, above the others
	Remark   Ink
}

// Ink is text in one colour; Color is "#RRGGBB" or "" for the default.
type Ink struct{ Text, Color string }

// Line is "label: value"; a value of several colours comes in several pieces.
type Line struct {
	Label string
	Value []Ink
}

// Text is the value in one piece.
func (l Line) Text() string {
	text := ""
	for _, ink := range l.Value {
		text += ink.Text
	}
	return text
}

// New lays out what wechat.Render says.
func New(c wechat.Card, style Style) Face {
	f := Face{
		Style: style, Title: c.Title, Date: c.Date, TopColor: c.TopColor,
		First: Ink{c.First, c.FirstColor}, Remark: Ink{c.Remark, c.RemarkColor},
	}
	for _, l := range c.Lines {
		if l.Emphasis && f.Emphasis == nil {
			f.Emphasis = new(newLine(l))
			continue
		}
		f.Lines = append(f.Lines, newLine(l))
	}
	return f
}

func newLine(l wechat.CardLine) Line {
	if len(l.Spans) == 0 {
		return Line{l.Label, []Ink{{l.Value, l.Color}}}
	}
	out := Line{Label: l.Label}
	for _, s := range l.Spans {
		out.Value = append(out.Value, Ink(s))
	}
	return out
}

// Foot is the text of a card's last row.
type Foot uint8

// The feet.
const (
	FootNone        Foot = iota // a tap does nothing: there is no row
	FootDetails                 // 详情, before the trimming
	FootViewDetails             // 查看详情
	FootMiniProgram             // the name of the mini program that opens
	FootOpenMini                // 进入小程序查看, on a mini program's own card
)

// FootOf returns the foot of a card whose tap opens jump; mini says that a mini program sent it.
func FootOf(style Style, mini bool, jump wechat.JumpKind) Foot {
	switch {
	case jump == wechat.JumpNone:
		return FootNone
	case mini:
		return FootOpenMini
	case style == Classic:
		return FootDetails
	case jump == wechat.JumpMiniProgram:
		return FootMiniProgram
	}
	return FootViewDetails
}

// footWords are WeChat's own, Chinese then English.
var footWords = map[Foot][2]string{
	FootDetails:     {"详情", "Details"},
	FootViewDetails: {"查看详情", "View details"},
	FootOpenMini:    {"进入小程序查看", "View in mini program"},
}

// Words returns the foot's text in Chinese and English, "" for none and for a name.
func (f Foot) Words() [2]string { return footWords[f] }
