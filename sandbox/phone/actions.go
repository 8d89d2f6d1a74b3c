package phone

import (
	"net/http"
	"strconv"
	"time"

	"hongyan/sandbox"
)

// actionsColumn is what the template actions shows: all that a person, the account
// or the platform can do to this person's side of things.
type actionsColumn struct {
	view
	Name                                    string
	Officials                               []accountRow
	Minis                                   []accountRow
	Consents                                []consentRow
	Grants                                  []grant
	Platform                                string
	Refuses, OldClient, Blacklists, Freezes toggle
}

// accountRow is an account with what can be done about it.
type accountRow struct {
	sender
	Follows bool
	Asks    bool // it has subscribe templates to ask for
	Prompt  view // its prompt
}

// consentRow is what is left of an acceptance.
type consentRow struct {
	sandbox.ConsentState
	From sender
}

// toggle is a switch that sets one field of the user.
type toggle struct {
	Name        string // of the element: switch-NAME
	Field       string
	Value       string // what a press sets
	On          bool
	Label, Hint string // keys of words
}

func newToggle(name, field string, on bool) toggle {
	return toggle{name, field, strconv.FormatBool(!on), on, "switch." + name, "switch." + name + "-hint"}
}

// grant is a form_id or prepay_id in the list under the buttons.
type grant struct {
	ID       string
	Key      string // of words: which of the two it is
	State    string // waiting, ready, used or expired
	Left     int
	ActiveAt int64 // Unix milliseconds, sandbox time
	Total    int64 // milliseconds from payment to activation
	Seconds  int64 // until it is active, rounded up
}

// shownGrants bounds the list.
const shownGrants = 4

func (s *site) actions(w http.ResponseWriter, _ *http.Request, v view) error {
	return s.render(w, v, part{"actions", s.actionsOf(v)})
}

func (s *site) actionsOf(v view) actionsColumn {
	u := s.box.User(v.User)
	old := newToggle("old-client", "supports_miniprogram", !*u.SupportsMiniprogram)
	old.Value = strconv.FormatBool(old.On) // the field says the opposite of the switch
	a := actionsColumn{
		view: v, Name: nameOf(u, v.User), Platform: u.Platform,
		Refuses: newToggle("refuse", "blocked", *u.Blocked), OldClient: old,
		Blacklists: newToggle("blacklist", "blacklisted", *u.Blacklisted), Freezes: newToggle("freeze", "frozen", *u.Frozen),
	}
	list := s.box.Accounts()
	who := directoryOf(list)
	for _, account := range list {
		row := accountRow{
			sender: who.sender(account.AppID), Follows: *s.box.User(v.User, account.AppID).Follows,
			Asks: len(s.box.Prompt(account.AppID)) > 0, Prompt: v.WithPrompt(account.AppID),
		}
		if row.Mini {
			a.Minis = append(a.Minis, row)
		} else {
			a.Officials = append(a.Officials, row)
		}
	}
	consents, _ := s.box.Consents("", v.User) // the openid is well formed
	for _, c := range consents {
		if c.Left != 0 {
			a.Consents = append(a.Consents, consentRow{c, who.sender(c.AppID)})
		}
	}
	now := s.box.Now()
	for _, g := range s.box.Grants(v.User, shownGrants) {
		a.Grants = append(a.Grants, newGrant(g, now))
	}
	return a
}

func newGrant(g sandbox.Grant, now time.Time) grant {
	out := grant{ID: g.FormID, Key: "grant.form", State: "ready", Left: g.Left}
	if g.PrepayID != "" {
		out.ID, out.Key = g.PrepayID, "grant.payment"
	}
	switch wait := g.ActiveAt.Sub(now); {
	case g.Left == 0:
		out.State = "used"
	case !now.Before(g.ExpiresAt.Time):
		out.State = "expired"
	case wait > 0:
		out.State = "waiting"
		out.ActiveAt, out.Total = g.ActiveAt.UnixMilli(), g.ActiveAt.Sub(g.GivenAt()).Milliseconds()
		out.Seconds = int64((wait + time.Second - 1) / time.Second)
	}
	return out
}

// setUser is a switch or a button that changes the user.
func (s *site) setUser(w http.ResponseWriter, r *http.Request, v view) error {
	change := sandbox.UserChange{AppID: r.PostForm.Get("appid")}
	change.Platform = r.PostForm.Get("platform")
	for name, field := range map[string]**bool{
		"follows": &change.Follows, "blocked": &change.Blocked, "blacklisted": &change.Blacklisted,
		"frozen": &change.Frozen, "supports_miniprogram": &change.SupportsMiniprogram,
	} {
		if !r.PostForm.Has(name) {
			continue
		}
		on, err := strconv.ParseBool(r.PostForm.Get(name))
		if err != nil {
			return &sandbox.ControlError{Field: name, Rule: "must be true or false", Value: r.PostForm.Get(name)}
		}
		*field = &on
	}
	if err := s.box.SetUser(v.User, change); err != nil {
		return err
	}
	return s.done(w, r, v, s.saidOf(v, change))
}

// saidOf is the sentence about a change, nothing where the switch itself says it.
func (s *site) saidOf(v view, change sandbox.UserChange) string {
	name := nameOf(s.box.User(v.User), v.User)
	switch {
	case change.Follows != nil && *change.Follows:
		return v.lang.text("said.followed", name)
	case change.Follows != nil:
		return v.lang.text("said.unfollowed", name)
	}
	return ""
}

func (s *site) submitForm(w http.ResponseWriter, r *http.Request, v view) error {
	id := s.box.GiveForm(r.PostForm.Get("appid"), v.User)
	if id == "" {
		return unknownMini(r)
	}
	return s.done(w, r, v, v.lang.text("said.form", nameOf(s.box.User(v.User), v.User), id))
}

func (s *site) pay(w http.ResponseWriter, r *http.Request, v view) error {
	const asTheAccountSays = -1
	id := s.box.GivePaymentTo(r.PostForm.Get("appid"), v.User, asTheAccountSays)
	if id == "" {
		return unknownMini(r)
	}
	return s.done(w, r, v, v.lang.text("said.payment", nameOf(s.box.User(v.User), v.User), id))
}

func unknownMini(r *http.Request) error {
	return &sandbox.ControlError{Status: http.StatusNotFound, Field: "appid", Rule: "must be a mini program of this sandbox", Value: r.PostForm.Get("appid")}
}

// tap opens what a message leads to.
func (s *site) tap(w http.ResponseWriter, r *http.Request, v view) error {
	if _, err := s.box.Tap(v.User, v.Open); err != nil {
		return err
	}
	if !fromHTMX(r) {
		http.Redirect(w, r, v.Page(), http.StatusSeeOther)
		return nil
	}
	w.Header().Set("HX-Push-Url", v.Page())
	return s.render(w, v, part{"screen", s.screenOf(v)})
}
