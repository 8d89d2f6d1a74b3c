package phone

import (
	"html/template"
	"net/http"
	"slices"

	"hongyan/sandbox"
)

// person is a row of the people column.
type person struct {
	OpenID  string
	Name    string
	Avatar  template.HTML
	Badges  []badge
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

func (s *site) people(w http.ResponseWriter, _ *http.Request, v view) error {
	return s.render(w, v, part{"people", s.peopleOf(v)})
}

func (s *site) peopleOf(v view) peopleColumn {
	openids := slices.Clone(startingPeople)
	if !slices.Contains(openids, v.User) {
		openids = append([]string{v.User}, openids...)
	}
	var column peopleColumn
	for _, openid := range openids {
		column.People = append(column.People, person{
			OpenID: openid, Name: inventedName(openid), Avatar: personAvatar(openid),
			Badges: badges(s.box.User(openid)), Current: openid == v.User, View: v.WithUser(openid),
		})
	}
	return column
}

func badges(u sandbox.UserState) []badge {
	list := []badge{{"badge.not-following", "quiet"}}
	if *u.Follows {
		list[0] = badge{"badge.following", "good"}
	}
	for _, b := range []struct {
		on    bool
		badge badge
	}{
		{*u.Blocked, badge{"badge.refusing", "warn"}},
		{*u.Blacklisted, badge{"badge.blacklisted", "bad"}},
		{*u.Frozen, badge{"badge.frozen", "bad"}},
	} {
		if b.on {
			list = append(list, b.badge)
		}
	}
	return list
}
