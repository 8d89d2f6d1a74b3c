// Package library holds the platform's fixed lists as the sandbox plays them: the industries,
// the categories, and the template libraries that accounts add from. Start with Historical and
// Typed; docs/library.md prints everything. Ids and wording of categories and templates are
// ours: the same number may mean something else at WeChat. The data lies in the .txt files of
// this folder, whose first lines say how to add to them. What accounts do with it is the
// sandbox's.
//
// Every function returns copies and may be called from any goroutine.
package library

import (
	"slices"
	"strconv"
)

// Industry is one of the platform's industries (行业), known to callers by its code.
type Industry struct {
	Code          int
	First, Second string // as on the wire, 互联网|电子商务 with its bar (spec §4.2.2)
}

// Category is a category (类目) that an account of today files under, in place of an industry.
type Category struct {
	ID   int
	Name string
}

// Keyword is one keyword that may be chosen for a template.
type Keyword struct {
	ID      int    // its place, from 1
	Name    string // 订单编号
	Type    string // thing, time …; empty in templates of mini programs
	Example string // valid for the type
	// Values are all that an enum or a const may be, the example first; nil for other types.
	Values []string
}

// Template is one template of a library.
type Template struct {
	ID       string // TM… and OPENTM… historical, digits typed, AT… for mini programs, or the tid
	Title    string
	Industry int       // of a historical template, else 0
	Category int       // of a typed or a subscribe template, else 0
	Content  string    // of a historical template: with its {{first.DATA}}; else empty
	Example  string    // of a historical template: the content filled in; else empty
	Keywords []Keyword // what may be chosen; nil for a historical template
	LongTerm bool      // of a subscribe template: type 3, many messages; else type 2, one each time
}

// Industries returns the industries by code, 1 to 41.
func Industries() []Industry { return slices.Clone(data().industries) }

// LookupIndustry returns the industry of a code; false when there is none.
func LookupIndustry(code int) (Industry, bool) {
	industries := data().industries
	if code < 1 || code > len(industries) {
		return Industry{}, false
	}
	return industries[code-1], true
}

// Categories returns the categories by id.
func Categories() []Category { return slices.Clone(data().categories) }

// LookupCategory returns the category of an id; false when there is none.
func LookupCategory(id int) (Category, bool) {
	name, ok := data().categoryNames[id]
	if !ok {
		return Category{}, false
	}
	return Category{ID: id, Name: name}, true
}

// Historical returns the old library of official accounts, whose templates belong to industries.
// The nth template and the nth of Typed are about the same subject.
func Historical() []Template { return cloneAll(data().historical) }

// Typed returns today's library of official accounts, whose templates belong to categories.
func Typed() []Template { return cloneAll(data().typed) }

// Mini returns the library of mini programs, retired with form ids.
func Mini() []Template { return cloneAll(data().mini) }

// Subscribe returns the library of subscribe messages.
func Subscribe() []Template { return cloneAll(data().subscribe) }

// LookupTemplate returns the historical or typed template of a short id; false when there is none.
func LookupTemplate(id string) (Template, bool) { return find(data().official, id) }

// LookupMini returns the mini program template of an id; false when there is none.
func LookupMini(id string) (Template, bool) { return find(data().minis, id) }

// LookupSubscribe returns the subscribe template of a tid; false when there is none.
func LookupSubscribe(tid int) (Template, bool) {
	return find(data().subscribes, strconv.Itoa(tid))
}

func find(index map[string]Template, id string) (Template, bool) {
	t, ok := index[id]
	return clone(t), ok
}

func cloneAll(list []Template) []Template {
	all := make([]Template, len(list))
	for i, t := range list {
		all[i] = clone(t)
	}
	return all
}

func clone(t Template) Template {
	t.Keywords = slices.Clone(t.Keywords)
	for i := range t.Keywords {
		t.Keywords[i].Values = slices.Clone(t.Keywords[i].Values)
	}
	return t
}
