package phone

import (
	"html/template"
	"net/http"
	"slices"
	"strings"

	"hongyan/sandbox"
)

// person is a row of the people column.
type person struct {
	OpenID  string
	Name    string
	Avatar  template.HTML
	Badges  []badge
	Fate    string // chosen by the openid and not seen in the badges; "" = none
	Unread  int
	Current bool
	View    view
}

// badge is one word about a person's state; Tone colours it: good, quiet, warn or bad.
type badge struct{ Key, Tone string }

// peopleColumn is what the template people shows.
type peopleColumn struct {
	People []person
}

// startingPeople are there before the sandbox has met anybody: ordinary followers
// and one of each fate whose effect is seen at once.
var startingPeople = []string{
	sandbox.OpenID("", 1), sandbox.OpenID("", 2), sandbox.OpenID("", 3),
	sandbox.OpenID("BLOCK", 1), sandbox.OpenID("NOFOL", 1), sandbox.OpenID("FROZE", 1),
}

// shownPeople bounds the list: a load test meets thousands.
const shownPeople = 60

func (s *site) people(w http.ResponseWriter, _ *http.Request, v view) error {
	return s.render(w, v, part{"people", s.peopleOf(v)})
}

// peopleOf lists the starting people, then those met lately, by openid: an order
// that stays under the pointer while messages come in.
func (s *site) peopleOf(v view) peopleColumn {
	met, _ := s.box.Users(sandbox.UserFilter{Limit: shownPeople})
	var others []string
	for _, u := range met {
		others = append(others, u.OpenID)
	}
	others = append(others, v.User)
	slices.Sort(others)
	openids := slices.Clone(startingPeople)
	for _, openid := range others {
		if !slices.Contains(openids, openid) {
			openids = append(openids, openid)
		}
	}
	accounts := s.box.Accounts()
	var column peopleColumn
	for _, openid := range openids {
		u := s.box.UserView(openid)
		column.People = append(column.People, person{
			OpenID: openid, Name: nameOf(u.UserState, openid), Avatar: personAvatar(openid),
			Badges: badges(u, accounts), Fate: hiddenFate(u.Fate), Unread: u.Unread, Current: openid == v.User, View: v.WithUser(openid),
		})
	}
	return column
}

// nameOf is the name somebody gave, or one made from the openid.
func nameOf(u sandbox.UserState, openid string) string {
	if u.Name != "" {
		return u.Name
	}
	return inventedName(openid)
}

// hiddenFate leaves out the fates that a badge tells.
func hiddenFate(fate string) string {
	switch fate {
	case "BLOCK", "NOFOL", "FROZE":
		return ""
	}
	return fate
}

// badges says how a person stands with the accounts: following one is following,
// refusing one is refusing.
func badges(u sandbox.UserView, accounts []sandbox.AccountView) []badge {
	var follows, refuses, blacklisted bool
	for _, a := range accounts {
		tie := sandbox.UserAccount{Follows: *u.Follows, Blocked: *u.Blocked, Blacklisted: *u.Blacklisted}
		if i := slices.IndexFunc(u.Accounts, func(t sandbox.UserAccount) bool { return t.AppID == a.AppID }); i >= 0 {
			tie = u.Accounts[i]
		}
		follows = follows || tie.Follows && !isMini(a)
		refuses = refuses || tie.Blocked
		blacklisted = blacklisted || tie.Blacklisted
	}
	list := []badge{{"badge.not-following", "quiet"}}
	if follows {
		list[0] = badge{"badge.following", "good"}
	}
	for _, b := range []struct {
		on    bool
		badge badge
	}{
		{refuses, badge{"badge.refusing", "warn"}},
		{blacklisted, badge{"badge.blacklisted", "bad"}},
		{*u.Frozen, badge{"badge.frozen", "bad"}},
	} {
		if b.on {
			list = append(list, b.badge)
		}
	}
	return list
}

// fateKey is the text that says what a fate does.
func (p person) FateKey() string { return "fate." + strings.ToLower(p.Fate) }
