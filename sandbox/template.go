package sandbox

import (
	"slices"

	"hongyan/wechat"
)

// Families of templates; an id of one family is unknown to the senders of another.
const (
	familyTemplate  = "template"  // official accounts, message/template/send
	familyMini      = "mini"      // mini programs, message/wxopen/template/send
	familySubscribe = "subscribe" // subscribe messages, message/subscribe/send and bizsend
	familyOneTime   = "one_time"  // one-time messages, message/template/subscribe
)

// template is one private template of an account. It never changes once made, so
// messages may keep it after it was deleted.
type template struct {
	id, family, title               string
	primaryIndustry, deputyIndustry string // empty for category templates
	industry, category              int    // what the library files it under; 0 = neither
	content, example                string
	longTerm                        bool       // of a subscribe template: type 3
	enums                           []enumKeys // of a subscribe template

	parsed wechat.Content
	rules  wechat.RuleSet
}

func newTemplate(t template) *template {
	t.parsed = wechat.ParseContent(t.content)
	t.rules = wechat.RulesOf(t.parsed)
	if t.family == familySubscribe {
		t.rules = wechat.RulesSubscribe
	}
	return &t
}

func (a *account) addTemplate(t *template) {
	a.templates = append(a.templates, t)
	a.byID[t.id] = t
}

func (a *account) removeTemplate(id string) {
	delete(a.byID, id)
	a.templates = slices.DeleteFunc(a.templates, func(t *template) bool { return t.id == id })
}

// dropTemplates removes the templates that gone names.
func (a *account) dropTemplates(gone func(*template) bool) {
	a.templates = slices.DeleteFunc(a.templates, func(t *template) bool {
		if !gone(t) {
			return false
		}
		delete(a.byID, t.id)
		return true
	})
}

// find returns the template with that id if it is of the family, else nil.
func (a *account) find(id, family string) *template {
	if t := a.byID[id]; t != nil && t.family == family {
		return t
	}
	return nil
}

func (a *account) count(family string) int {
	n := 0
	for _, t := range a.templates {
		if t.family == family {
			n++
		}
	}
	return n
}
