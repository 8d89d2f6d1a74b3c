package sandbox

import (
	"slices"
	"strconv"
	"time"

	"hongyan/wechat"
)

// shown is one message a user saw.
type shown struct {
	at      int64 // Unix milliseconds
	message *message
	read    bool
}

// inbox keeps what was shown, by user, up to a limit in all; the oldest go first.
type inbox struct {
	byUser map[string][]*shown
	chats  map[string][]*chat // by user; one for each account that wrote
	order  queue[string]      // openids, oldest message first
	limit  int
}

func newInbox(limit int) inbox {
	return inbox{byUser: map[string][]*shown{}, chats: map[string][]*chat{}, limit: limit}
}

func (in *inbox) add(openid string, s *shown) {
	in.byUser[openid] = append(in.byUser[openid], s)
	in.chat(openid, s.message.account).note(s)
	in.order.push(openid)
	if in.order.len() <= in.limit {
		return
	}
	oldest, _ := in.order.pop()
	in.forget(oldest, in.byUser[oldest][0])
	if rest := in.byUser[oldest][1:]; len(rest) > 0 {
		in.byUser[oldest] = rest
	} else {
		delete(in.byUser, oldest)
	}
}

// InboxEntry is one message as the user saw it.
type InboxEntry struct {
	MsgID      string      `json:"msgid"`
	AppID      string      `json:"appid"`
	TemplateID string      `json:"template_id"`
	Title      string      `json:"title"`
	Lines      []InboxLine `json:"lines"` // from top to bottom, first and remark included where the era shows them
	Jump       InboxJump   `json:"jump"`
	At         Time        `json:"at"`
	Read       bool        `json:"read"`
}

// InboxLine is one line; Label is empty for first, remark and lines without one.
type InboxLine struct {
	Label    string `json:"label,omitzero"`
	Value    string `json:"value"`
	Color    string `json:"color,omitzero"`
	Emphasis bool   `json:"emphasis,omitzero"`
}

// InboxJump is what a tap opens: kind none, url, miniprogram or blank_page.
type InboxJump struct {
	Kind     string `json:"kind"`
	URL      string `json:"url,omitzero"`
	AppID    string `json:"appid,omitzero"`
	PagePath string `json:"pagepath,omitzero"`
}

// Inbox returns what the user saw, oldest first.
func (s *Sandbox) Inbox(openid string) []InboxEntry {
	p := s.lock()
	u := p.look(openid)
	list := slices.Clone(p.inbox.byUser[openid])
	eras := make([]wechat.Era, len(list))
	for i, sh := range list {
		eras[i] = sh.message.account.era
	}
	jumps, read := make([]wechat.Jump, len(list)), make([]bool, len(list))
	for i, sh := range list {
		jumps[i], read[i] = sh.message.jump(u), sh.read
	}
	s.unlock()
	// Messages and templates do not change any more: drawing needs no mutex.
	out := make([]InboxEntry, len(list))
	for i, sh := range list {
		out[i] = sh.entry(eras[i], jumps[i])
		out[i].Read = read[i]
	}
	return out
}

func (s *shown) entry(era wechat.Era, jump wechat.Jump) InboxEntry {
	m := s.message
	return InboxEntry{
		MsgID: strconv.FormatInt(m.msgID, 10), AppID: m.account.appID, TemplateID: m.tmpl.id,
		Title: m.tmpl.title, Lines: lines(m.card(era)), At: stamp(time.UnixMilli(s.at)),
		Jump: shownJump(jump),
	}
}

func shownJump(jump wechat.Jump) InboxJump {
	return InboxJump{Kind: jump.Kind.String(), URL: jump.URL, AppID: jump.AppID, PagePath: jump.PagePath}
}

// card draws the message as the phone would.
func (m *message) card(era wechat.Era) wechat.Card {
	data, _ := parseData(m.body.Data)
	return wechat.Render(wechat.RenderInput{
		Title: m.tmpl.title, Content: m.tmpl.parsed, Data: data, Era: era,
		TopColor: m.body.TopColor.string(), Emphasis: m.body.EmphasisKeyword.string(), MiniProgram: m.shownWhole(),
		Subscribe: m.tmpl.family == familySubscribe, HideEmptyLines: m.account.kind == kindTest,
	})
}

func lines(card wechat.Card) []InboxLine {
	out := []InboxLine{}
	if card.First != "" {
		out = append(out, InboxLine{Value: card.First, Color: card.FirstColor})
	}
	for _, l := range card.Lines {
		out = append(out, InboxLine{Label: l.Label, Value: l.Value, Color: l.Color, Emphasis: l.Emphasis})
	}
	if card.Remark != "" {
		out = append(out, InboxLine{Value: card.Remark, Color: card.RemarkColor})
	}
	return out
}
