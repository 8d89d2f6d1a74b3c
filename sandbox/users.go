package sandbox

import (
	"net/http"
	"strings"
)

// UserView is a user with everything that a list of people shows. Follows, Blocked
// and Blacklisted are those with every account that is not in Accounts.
type UserView struct {
	OpenID string `json:"openid"`
	UserState
	Fate     string        `json:"fate,omitzero"` // chosen by the openid: BLOCK, SYSFL … ("" = ordinary)
	Unread   int           `json:"unread"`
	Last     *LastMessage  `json:"last"`     // nil = none
	Accounts []UserAccount `json:"accounts"` // where something else was set, or a message was shown
}

// UserAccount is how a user stands with one account.
type UserAccount struct {
	AppID       string       `json:"appid"`
	Follows     bool         `json:"follows"`
	Blocked     bool         `json:"blocked"`
	Blacklisted bool         `json:"blacklisted"`
	Unread      int          `json:"unread"`
	Last        *LastMessage `json:"last"`
}

// view gathers a user; accounts come in the order they were created.
func (p *platform) view(openid string) UserView {
	u := p.look(openid)
	v := UserView{OpenID: openid, UserState: u.state(u.tie), Fate: u.fate, Accounts: []UserAccount{}}
	chats := map[*account]*chat{}
	for _, c := range p.inbox.chats[openid] {
		chats[c.account] = c
		v.Unread += c.unread
		if last := c.last.last(); v.Last == nil || !last.At.Before(v.Last.At.Time) {
			v.Last = last
		}
	}
	for _, a := range p.order {
		if c := chats[a]; c != nil || u.ties[a.appID] != nil {
			v.Accounts = append(v.Accounts, standing(a, u.with(a), c))
		}
	}
	return v
}

func standing(a *account, t tie, c *chat) UserAccount {
	out := UserAccount{AppID: a.appID, Follows: t.follows, Blocked: t.blocked, Blacklisted: t.blacklisted}
	if c != nil {
		out.Unread, out.Last = c.unread, c.last.last()
	}
	return out
}

// UserFilter chooses users; zero fields choose all.
type UserFilter struct {
	Q     string // part of the openid or the name
	Limit int    // 0 = no limit
}

func (f *UserFilter) matches(v *UserView) bool {
	return f.Q == "" || strings.Contains(v.OpenID, f.Q) || strings.Contains(v.Name, f.Q)
}

// Users returns the users somebody has dealt with, the last one first, and how
// many those are in all: those a message was sent to, whatever became of it, and
// those whose state was set or who submitted a form or paid. The last 10,000 are
// known.
func (s *Sandbox) Users(f UserFilter) (items []UserView, total int) {
	defer s.unlock()
	p := s.lock()
	items = []UserView{}
	for openid := range p.known.all() {
		if f.Limit > 0 && len(items) == f.Limit {
			break
		}
		if v := p.view(openid); f.matches(&v) {
			items = append(items, v)
		}
	}
	return items, p.known.order.Len()
}

// UserView returns one user, known or not.
func (s *Sandbox) UserView(openid string) UserView {
	defer s.unlock()
	return s.lock().view(openid)
}

// userPage is some of the known users.
type userPage struct {
	Items []UserView `json:"items"`
	Total int        `json:"total"`
}

const defaultUserPage, maxUserPage = 100, 1000

func (s *Sandbox) controlUsers(r *http.Request) (any, error) {
	f := UserFilter{Limit: defaultUserPage}
	err := eachParameter(r.URL.Query(), func(name, value string) (err error) {
		switch name {
		case "q":
			f.Q = value
		case "limit":
			err = parseLimit(&f.Limit, name, value, maxUserPage)
		default:
			err = &ControlError{Field: name, Rule: "is unknown here"}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	items, total := s.Users(f)
	return userPage{items, total}, nil
}

func (s *Sandbox) controlUser(r *http.Request) (any, error) {
	openid := r.PathValue("openid")
	return s.UserView(openid), checkOpenID(openid)
}

func (s *Sandbox) controlSetUser(r *http.Request) (any, error) {
	var change UserChange
	if err := readControl(r, &change); err != nil {
		return nil, err
	}
	openid := r.PathValue("openid")
	if err := s.SetUser(openid, change); err != nil {
		return nil, err
	}
	return s.UserView(openid), nil
}

func (s *Sandbox) controlRead(r *http.Request) (any, error) {
	var req struct {
		AppID string `json:"appid"`
	}
	if err := readControl(r, &req); err != nil {
		return nil, err
	}
	openid := r.PathValue("openid")
	if err := s.Read(openid, req.AppID); err != nil {
		return nil, err
	}
	return s.UserView(openid), nil
}

func (s *Sandbox) controlTap(r *http.Request) (any, error) {
	var req struct {
		MsgID string `json:"msgid"`
	}
	if err := readControl(r, &req); err != nil {
		return nil, err
	}
	return s.Tap(r.PathValue("openid"), req.MsgID)
}
