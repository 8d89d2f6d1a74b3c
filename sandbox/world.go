package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"hongyan/sandbox/library"
)

// World is what a sandbox begins with, and goes back to on a reset, instead of the
// built-in seed. Read one with [ReadWorld], which checks it; docs/sandbox.seed.example.yaml
// shows every part.
type World struct {
	// Builtin keeps the built-in accounts and their templates, too. Default: only
	// where Accounts is empty.
	Builtin  *bool          `json:"builtin,omitzero"`
	Clock    string         `json:"clock,omitzero"` // RFC 3339: the sandbox's time at the start; default the real one
	Settings Settings       `json:"settings,omitzero"`
	Accounts []WorldAccount `json:"accounts,omitzero"`
	Users    []WorldUser    `json:"users,omitzero"`
	Faults   []Fault        `json:"faults,omitzero"`
	Presets  []Preset       `json:"presets,omitzero"`
}

// WorldAccount is an account with its templates. The secret is required: one that
// was made up would be another after a reset.
type WorldAccount struct {
	AccountSpec
	Templates []WorldTemplate `json:"templates,omitzero"`
}

// WorldTemplate is a private template: of the library, or one's own.
type WorldTemplate struct {
	ID     string `json:"id,omitzero"`     // 43 characters; made of appid and place when empty
	Family string `json:"family,omitzero"` // template (default), mini, subscribe (default of mini programs, save for AT… ids)

	Library  string   `json:"library,omitzero"`  // id of the library; docs/library.md
	Keywords []string `json:"keywords,omitzero"` // of the library, in order; historical templates have none

	Title    string `json:"title,omitzero"`
	Content  string `json:"content,omitzero"` // with {{key.DATA}}
	Example  string `json:"example,omitzero"`
	LongTerm bool   `json:"long_term,omitzero"` // of a subscribe template
}

// WorldUser is a user's state; no event is pushed for it.
type WorldUser struct {
	OpenID string `json:"openid"`
	UserState
	Accounts map[string]WorldTie `json:"accounts,omitzero"` // by appid, where something else holds
}

// WorldTie is how a user stands with one account; nil is as with the others.
type WorldTie struct {
	Follows     *bool `json:"follows,omitzero"`
	Blocked     *bool `json:"blocked,omitzero"`
	Blacklisted *bool `json:"blacklisted,omitzero"`
}

// WorldError is the first mistake in a seed file.
type WorldError struct {
	Line  int    // 1, 2 … ; 0 = of the whole file
	Field string // such as accounts[0].era; "" = none
	Rule  string
	Value any // never a secret; nil when there is none
}

// Error says all of it in one line.
func (e *WorldError) Error() string {
	b := strings.Builder{}
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	b.WriteString(e.Rule)
	if e.Value != nil {
		fmt.Fprintf(&b, ", got %v", e.Value)
	}
	return b.String()
}

// plant fills an empty platform. A *ControlError names the field from the top,
// accounts.0.era; there is none for a world that ReadWorld returned.
func (w *World) plant(p *platform) error {
	if err := w.setClock(p); err != nil {
		return err
	}
	if w.Builtin == nil && len(w.Accounts) == 0 || w.Builtin != nil && *w.Builtin {
		p.plantSeed()
	}
	if err := w.Settings.check(); err != nil {
		return within("settings", err)
	}
	p.configure(w.Settings)
	return firstFailing(
		func() error { return plantEach("accounts", w.Accounts, p.plantAccount) },
		func() error { return plantEach("users", w.Users, p.plantUser) },
		func() error { return plantEach("faults", w.Faults, p.plantFault) },
		func() error { return plantEach("presets", w.Presets, p.plantPreset) },
	)
}

// firstFailing takes the steps up to the first one that fails.
func firstFailing(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func plantEach[T any](name string, items []T, plant func(T) error) error {
	for i, item := range items {
		if err := plant(item); err != nil {
			return within(name+"."+strconv.Itoa(i), err)
		}
	}
	return nil
}

// within puts the path of the whole before the field of an error.
func within(path string, err error) error {
	if e, ok := err.(*ControlError); ok {
		e.Field = strings.TrimSuffix(path+"."+e.Field, ".")
	}
	return err
}

// firstClock: nothing of what is simulated here is older.
var firstClock = time.Date(2014, 1, 1, 0, 0, 0, 0, beijing)

func (w *World) setClock(p *platform) error {
	if w.Clock == "" {
		return nil
	}
	at, err := time.Parse(time.RFC3339, w.Clock)
	now := time.Now()
	if err != nil || at.Before(firstClock) || at.Sub(now) > maxOffset {
		return &ControlError{Field: "clock", Rule: "must be a time such as 2026-11-20T10:15:00+08:00, from 2014 to a century ahead", Value: w.Clock}
	}
	p.clock.offset = at.Sub(now)
	return nil
}

func (p *platform) plantAccount(w WorldAccount) error {
	spec := w.AccountSpec
	if spec.AppID != "" && spec.Secret == "" {
		return &ControlError{Field: "secret", Rule: "is required in a seed file"}
	}
	if spec.OriginalID == "" && appIDPattern.MatchString(spec.AppID) {
		spec.OriginalID = "gh_" + spec.AppID[2:14]
	}
	a, err := p.createAccount(spec)
	if err != nil {
		return err
	}
	for i, t := range w.Templates {
		made, err := t.make(a, i)
		if err == nil && a.byID[made.id] != nil {
			err = &ControlError{Field: "id", Rule: "must not be given twice", Value: made.id}
		}
		if err != nil {
			return within("templates."+strconv.Itoa(i), err)
		}
		a.addTemplate(made)
	}
	return nil
}

// make builds the nth template of the account.
func (w WorldTemplate) make(a *account, n int) (*template, error) {
	if w.ID != "" && (len(w.ID) != templateIDLength || !looksLikeToken(w.ID)) {
		return nil, &ControlError{Field: "id", Rule: "must be 43 letters, digits, - and _", Value: w.ID}
	}
	if w.ID == "" {
		sum := sha256.Sum256(fmt.Appendf(nil, "template %d of %s", n, a.appID))
		w.ID = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if err := oneOf("family", w.Family, familyTemplate, familyMini, familySubscribe); err != nil {
		return nil, err
	}
	if w.Family == "" {
		w.Family = w.defaultFamily(a)
	}
	if (w.Family == familyMini) && !a.isMini() || w.Family == familyTemplate && a.isMini() {
		return nil, &ControlError{Field: "family", Rule: "must fit the kind of the account", Value: w.Family}
	}
	if w.Library != "" {
		return w.fromLibrary()
	}
	return w.own()
}

func (w *WorldTemplate) defaultFamily(a *account) string {
	switch {
	case !a.isMini():
		return familyTemplate
	case strings.HasPrefix(w.Library, "AT"):
		return familyMini
	}
	return familySubscribe
}

func (w *WorldTemplate) own() (*template, error) {
	t := newTemplate(template{id: w.ID, family: w.Family, title: w.Title, content: w.Content, example: w.Example, longTerm: w.LongTerm})
	switch {
	case w.Title == "":
		return nil, &ControlError{Field: "title", Rule: "is required without library"}
	case len(w.Keywords) > 0:
		return nil, &ControlError{Field: "keywords", Rule: "need library"}
	case len(t.parsed.Params()) == 0:
		return nil, &ControlError{Field: "content", Rule: "must have a parameter such as {{thing1.DATA}}", Value: w.Content}
	case w.LongTerm && w.Family != familySubscribe:
		return nil, &ControlError{Field: "long_term", Rule: "is for subscribe templates"}
	}
	return t, nil
}

func (w *WorldTemplate) fromLibrary() (*template, error) {
	if w.Title != "" || w.Content != "" || w.Example != "" || w.LongTerm {
		return nil, &ControlError{Field: "library", Rule: "cannot go with title, content, example or long_term", Value: w.Library}
	}
	lib, known := w.lookUp()
	if !known {
		return nil, &ControlError{Field: "library", Rule: "must be an id of the library for this family; docs/library.md lists them", Value: w.Library}
	}
	if lib.Keywords == nil {
		if len(w.Keywords) > 0 {
			return nil, &ControlError{Field: "keywords", Rule: "must not be given: a historical template has all of its own"}
		}
		return historicalTemplate(lib, w.ID), nil
	}
	names := make([]wireText, len(w.Keywords))
	for i, name := range w.Keywords {
		names[i] = wireText(name)
	}
	chosen, ok := chooseKeywords(lib.Keywords, names)
	if !ok {
		return nil, &ControlError{Field: "keywords", Rule: "must be one or more of " + keywordNames(lib) + ", none twice", Value: strings.Join(w.Keywords, ", ")}
	}
	switch w.Family {
	case familyMini:
		return miniTemplate(lib, chosen, w.ID), nil
	case familySubscribe:
		return subscribeTemplate(lib, chosen, w.ID), nil
	}
	return typedTemplate(lib, chosen, w.ID), nil
}

func (w *WorldTemplate) lookUp() (library.Template, bool) {
	switch w.Family {
	case familyMini:
		return library.LookupMini(w.Library)
	case familySubscribe:
		tid, err := strconv.Atoi(w.Library)
		if err != nil {
			return library.Template{}, false
		}
		return library.LookupSubscribe(tid)
	}
	return library.LookupTemplate(w.Library)
}

func keywordNames(lib library.Template) string {
	names := make([]string, len(lib.Keywords))
	for i, k := range lib.Keywords {
		names[i] = k.Name
	}
	return strings.Join(names, ", ")
}

func (p *platform) plantUser(w WorldUser) error {
	change := UserChange{UserState: w.UserState}
	if err := firstError(checkOpenID(w.OpenID), change.check()); err != nil {
		return err
	}
	if p.users[w.OpenID] != nil {
		return &ControlError{Field: "openid", Rule: "must not be given twice", Value: w.OpenID}
	}
	u := p.touch(w.OpenID)
	u.set(change)
	for _, appid := range slices.Sorted(maps.Keys(w.Accounts)) {
		if p.accounts[appid] == nil {
			return within("accounts."+appid, &ControlError{Rule: "must be an account of this seed", Value: appid})
		}
		t := w.Accounts[appid]
		u.set(UserChange{AppID: appid, UserState: UserState{Follows: t.Follows, Blocked: t.Blocked, Blacklisted: t.Blacklisted}})
	}
	p.known.see(w.OpenID)
	return nil
}

func (p *platform) plantFault(f Fault) error {
	if err := firstError(f.notGiven(), f.check()); err != nil {
		return err
	}
	if f.AppID != "" && p.accounts[f.AppID] == nil {
		return &ControlError{Field: "appid", Rule: "must be an account of this seed", Value: f.AppID}
	}
	p.addFault(f)
	return nil
}

func (p *platform) plantPreset(ps Preset) error {
	if err := ps.check(); err != nil {
		return err
	}
	if slices.ContainsFunc(p.presets, func(pr *preset) bool { return pr.Name == ps.Name }) {
		return &ControlError{Field: "name", Rule: "must not be given twice", Value: ps.Name}
	}
	_, err := p.startPreset(ps)
	return err
}
