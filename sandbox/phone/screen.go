package phone

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"hongyan/card"
	"hongyan/sandbox"
	"hongyan/wechat"
)

// Kinds of screens.
const (
	screenChats   = "chats"
	screenChat    = "chat"
	screenBrowser = "browser" // a url was opened
	screenMini    = "mini"    // a mini program was opened
	screenBlank   = "blank"   // era A on an iPhone: an empty page
	screenPrompt  = "prompt"  // a mini program asks for subscriptions
)

// maxCards bounds how many messages of a user are drawn.
const maxCards = 300

// screen is what the template screen shows.
type screen struct {
	view
	Kind     string
	Title    string
	Unread   int // of all chats
	Chats    []chatRow
	Cards    []message
	Target   target
	Asking   sender                   // of a prompt
	Asked    []sandbox.PromptTemplate // of a prompt
	Caption  string                   // the platform's rule at work, under the phone
	Time     string                   // of the status bar
	Platform string
	HasChats bool
}

// chatRow is a row of the chat list.
type chatRow struct {
	ID     string // appid, or noticesChat
	Name   string
	Avatar template.HTML
	Last   string
	Time   string
	Unread int
	View   view
	at     int64
}

// target is what a tap opened.
type target struct {
	URL    string
	Host   string // shown in the address bar before the rest
	Rest   string
	Secure bool
	Web    bool   // http or https: the reader may open it himself
	Mini   sender // of a mini program
	Path   string
	Query  []parameter
	Back   string // why a mini program did not open, as a key of words; "" = nothing to explain
}

type parameter struct{ Name, Value string }

func (s *site) screen(w http.ResponseWriter, r *http.Request, v view) error {
	sc := s.readScreen(v)
	if r.Header.Get("HX-Target") == "screen" && r.Header.Get("HX-Trigger") != "screen" {
		w.Header().Set("HX-Push-Url", v.Page())
	}
	return s.render(w, v, part{"screen", sc})
}

// readScreen draws the screen after its user has looked at it: what the open chat
// holds is read.
func (s *site) readScreen(v view) screen {
	sc := s.screenOf(v)
	read := map[string]bool{}
	for _, c := range sc.Cards {
		if id := c.Sender.AppID; c.Unread && !read[id] {
			read[id] = true
			_ = s.box.Read(v.User, id) // the openid and the account are known to be good
		}
	}
	if len(read) == 0 {
		return sc
	}
	return s.screenOf(v)
}

// screenOf draws what the view asks for, or the nearest there is.
func (s *site) screenOf(v view) screen {
	accounts := s.box.Accounts()
	who := directoryOf(accounts)
	state, now := s.box.User(v.User), s.box.Now()
	sc := screen{view: v, Time: now.In(beijing).Format("15:04"), Platform: state.Platform}
	var cards []message
	for _, c := range s.box.Cards(v.User, maxCards) {
		drawn := newMessage(c, who)
		drawn.Stamp = chatTime(c.At, now, v.lang, true)
		drawn.Refused = drawn.Style == card.Mini && *s.box.User(v.User, c.AppID).Blocked
		cards = append(cards, drawn)
	}
	sc.Chats = s.chats(v, cards, accounts)
	sc.HasChats = len(sc.Chats) > 0
	for _, row := range sc.Chats {
		sc.Unread += row.Unread
	}
	if opened, ok := findCard(cards, v.Open); ok && opened.Taps() {
		sc.open(opened, who, *state.SupportsMiniprogram)
		return sc
	}
	sc.view.Open = ""
	if asked := s.box.Prompt(v.Prompt); len(asked) > 0 {
		sc.Kind, sc.Asking, sc.Asked = screenPrompt, who.sender(v.Prompt), asked
		sc.Caption = v.lang.text("caption.prompt")
		return sc
	}
	sc.view.Prompt = ""
	i := slices.IndexFunc(sc.Chats, func(row chatRow) bool { return row.ID == v.Chat })
	if i < 0 {
		sc.view.Chat, sc.Kind = "", screenChats
		sc.Caption = v.lang.text("caption.chats")
		return sc
	}
	sc.Kind, sc.Title = screenChat, sc.Chats[i].Name
	for _, c := range cards {
		if s.chatOf(v.User, c) == v.Chat {
			sc.Cards = append(sc.Cards, c)
		}
	}
	sc.Caption = chatCaption(v, who)
	return sc
}

// chatOf is the chat a message stands in. A mini program's is in 服务通知, and so is
// what a service account sends to somebody who asked for it without following
// (spec §4.5; for subscribe messages of service accounts unverified).
func (s *site) chatOf(openid string, c message) string {
	asked := c.Family == sandbox.CardOneTime || c.Family == sandbox.CardSubscribe
	if c.Sender.Mini || asked && !*s.box.User(openid, c.Sender.AppID).Follows {
		return noticesChat
	}
	return c.Sender.AppID
}

// chats lists the accounts the user follows, those with the newest message first,
// and 服务通知 once something is in it.
func (s *site) chats(v view, cards []message, accounts []sandbox.AccountView) []chatRow {
	rows := map[string]*chatRow{}
	var order []*chatRow
	add := func(id, name string, avatar template.HTML) *chatRow {
		row := &chatRow{ID: id, Name: name, Avatar: avatar, View: v.WithChat(id)}
		rows[id] = row
		order = append(order, row)
		return row
	}
	for _, a := range accounts {
		if who := (directory{a.AppID: a}).sender(a.AppID); !who.Mini && *s.box.User(v.User, a.AppID).Follows {
			add(a.AppID, who.Name, who.Avatar())
		}
	}
	now := s.box.Now()
	for _, c := range cards {
		id := s.chatOf(v.User, c)
		row := rows[id]
		switch {
		case row == nil && id != noticesChat:
			continue // unfollowing took the chat along
		case row == nil:
			row = add(id, v.lang.text("chat.notices"), noticesAvatar)
		}
		row.Last, row.at = c.Summary(), c.at
		row.Time = chatTime(time.UnixMilli(c.at), now, v.lang, false)
		if c.Unread {
			row.Unread++
		}
	}
	slices.SortStableFunc(order, func(a, b *chatRow) int { return int(max(-1, min(1, b.at-a.at))) })
	out := make([]chatRow, len(order))
	for i, row := range order {
		out[i] = *row
	}
	return out
}

func chatCaption(v view, who directory) string {
	if v.Chat == noticesChat {
		return v.lang.text("caption.notices")
	}
	era, _ := wechat.ParseEra(who[v.Chat].Era)
	return v.lang.text("caption.era-"+era.String(), era.String())
}

// open fills in what the tapped card leads to.
func (sc *screen) open(c message, who directory, knowsMini bool) {
	switch c.jump.Kind {
	case wechat.JumpURL:
		sc.Kind, sc.Target = screenBrowser, urlTarget(c.jump.URL)
		sc.Caption = sc.lang.text("caption.url")
		if !knowsMini {
			sc.Caption = sc.lang.text("caption.old-client")
		}
	case wechat.JumpMiniProgram:
		sc.Kind, sc.Target = screenMini, miniTarget(c.jump, who)
		sc.Caption = sc.lang.text("caption.mini")
		if c.Sender.Mini {
			sc.Caption = sc.lang.text("caption.mini-own")
		}
	default:
		sc.Kind = screenBlank
		sc.Caption = sc.lang.text("caption.blank")
	}
	sc.Title = c.Title
}

func urlTarget(raw string) target {
	t := target{URL: raw, Rest: raw}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return t
	}
	t.Web, t.Secure, t.Host = true, u.Scheme == "https", u.Host
	_, after, _ := strings.Cut(raw, "//")
	if _, rest, found := strings.Cut(after, u.Host); found {
		t.Rest = rest
	}
	return t
}

func miniTarget(jump wechat.Jump, who directory) target {
	t := target{Mini: who.sender(jump.AppID)}
	path, query, _ := strings.Cut(jump.PagePath, "?")
	t.Path = path
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		t.Query = append(t.Query, parameter{unescape(name), unescape(value)})
	}
	return t
}

// unescape shows a query as the mini program gets it; what cannot be read stays.
func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// beijing is the phone's time zone, as everywhere in China.
var beijing = time.FixedZone("CST", 8*60*60)

// chatTime is a time as WeChat writes it: today by the clock, yesterday by name,
// older ones by date; the chat adds the clock to all of them, the list does not.
func chatTime(at, now time.Time, l language, withClock bool) string {
	at, now = at.In(beijing), now.In(beijing)
	clock := at.Format("15:04")
	day := func(t time.Time) int64 { return (t.Unix() + 8*60*60) / (24 * 60 * 60) }
	date := ""
	switch {
	case day(at) == day(now):
		return clock
	case day(at) == day(now)-1:
		date = l.text("time.yesterday")
	case at.Year() == now.Year():
		date = at.Format(l.text("time.date"))
	default:
		date = at.Format(l.text("time.date-year"))
	}
	if withClock {
		return date + " " + clock
	}
	return date
}
