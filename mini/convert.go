package mini

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"hongyan"
	"hongyan/wechat"
)

// Old is a mini program template whose successor is looked for.
type Old struct {
	Title, Content, Example string
}

// Conversion is what may take an old template's place.
type Conversion struct {
	Lines []Line
	// Held are subscribe templates that the account holds, Library those of WeChat's
	// public library in the account's categories, each the best first, at most three.
	Held, Library []Successor
	Notes         []string // what could not be looked up, and what to know
}

// Successor is a subscribe template and how an old template's data goes into it.
type Successor struct {
	TemplateID string // "" = it is in the library
	TID        int    // its number in the library; 0 = the account holds it
	KIDs       []int  // of a library template: the keywords to add it with, in this order
	Title      string
	Type       wechat.SubscribeTemplateType
	Fits       float64           // 0 to 1: how much of the old template has a place, and how well
	Mapping    map[string]string // from old keyword to key: keyword1 → thing2
	Sample     map[string]string // the old example under the new keys
	Unmapped   []string          // old keywords without a place
	Missing    []string          // keys that would have no value, which WeChat refuses
}

const (
	// successors are how many are proposed of each sort.
	successors = 3
	// titlePages bounds how much of the library is read, at 30 titles each.
	titlePages = 10
	titlesPage = 30
	// leastFit is below what a keyword is no place for a value, a tenth of it for the type.
	leastFit = 0.35
	// mostKIDs is how many keywords a subscribe template may have (spec §7.2).
	mostKIDs, leastKIDs = 5, 2
)

// Convert proposes subscribe templates for an old one. What WeChat does not tell is
// left out, and said in Notes; an error means that the old template is none.
func (k *Keeper) Convert(ctx context.Context, a *hongyan.Account, old Old) (Conversion, error) {
	c := Conversion{Lines: linesOf(old.Content, old.Example)}
	if a.Kind != hongyan.MiniProgram {
		return c, hongyan.InvalidField("wrong_kind", "/path/appid", "templates of form_ids belong to mini programs; %s is a %s account", a.AppID, a.Kind)
	}
	if len(c.Lines) == 0 {
		return c, hongyan.InvalidField("invalid_template", "/content", "the content has no key such as {{keyword1.DATA}}")
	}
	if len(c.Lines) > mostKIDs {
		c.note("the old template has %d lines; a subscribe template shows at most %d", len(c.Lines), mostKIDs)
	}
	if held, err := k.templates(ctx, a); err != nil {
		c.note("the templates that the account holds could not be listed: %s", plainCause(err))
	} else {
		for i := range held {
			c.Held = append(c.Held, heldSuccessor(&held[i], &old, c.Lines))
		}
	}
	if err := k.library(ctx, a, &old, &c); err != nil {
		c.note("the public library could not be read: %s", plainCause(err))
	}
	c.Held, c.Library = best(c.Held), best(c.Library)
	return c, nil
}

func (c *Conversion) note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

// plainCause is an error of a call in words that may be shown.
func plainCause(err error) string {
	if e, ok := errors.AsType[*wechat.Error](err); ok {
		return fmt.Sprintf("errcode %d, %s", e.Code, e.Msg)
	}
	if e, ok := errors.AsType[*hongyan.TokenError](err); ok {
		return e.Error()
	}
	return "WeChat did not answer"
}

// place is a keyword of a subscribe template.
type place struct {
	key, name, typ string
	kid            int
}

// heldSuccessor is a template that the account holds, as a successor.
func heldSuccessor(t *wechat.SubscribeTemplate, old *Old, lines []Line) Successor {
	s := Successor{TemplateID: t.PriTmplID, Title: t.Title, Type: t.Type}
	var places []place
	for _, l := range linesOf(t.Content, t.Example) {
		places = append(places, place{key: l.Keyword, name: l.Name, typ: wechat.ValueType(l.Keyword)})
	}
	for _, p := range s.fill(places, lines) {
		s.Missing = append(s.Missing, p.key)
	}
	s.judge(old, lines)
	return s
}

// library looks through the public library for titles like the old one's, and through
// the keywords of those that come nearest.
func (k *Keeper) library(ctx context.Context, a *hongyan.Account, old *Old, c *Conversion) error {
	client := k.client(a)
	categories, err := client.SubscribeCategories(ctx)
	if err != nil {
		return err
	}
	if len(categories) == 0 {
		c.note("the account has no category (类目): choose one in WeChat's console, then the library can be searched")
		return nil
	}
	ids := make([]int, len(categories))
	for i := range categories {
		ids[i] = categories[i].ID
	}
	var titles []wechat.SubscribeTitle
	for page := range titlePages {
		more, err := client.SubscribeTitles(ctx, wechat.SubscribeTitlesRequest{CategoryIDs: ids, Start: page * titlesPage, Limit: titlesPage})
		if err != nil {
			return err
		}
		if titles = append(titles, more.Titles...); len(more.Titles) < titlesPage || len(titles) >= more.Count {
			break
		}
	}
	slices.SortStableFunc(titles, func(x, y wechat.SubscribeTitle) int {
		return cmp.Compare(alike(bareTitle(y.Title), bareTitle(old.Title)), alike(bareTitle(x.Title), bareTitle(old.Title)))
	})
	for i := range titles[:min(successors, len(titles))] {
		keywords, err := client.SubscribeKeywords(ctx, titles[i].TID)
		if err != nil {
			return err
		}
		c.Library = append(c.Library, librarySuccessor(&titles[i], keywords, old, c.Lines))
	}
	return nil
}

// librarySuccessor is a template of the library with the keywords that the old lines
// need. A key is the keyword's type and number (spec §7.2).
func librarySuccessor(t *wechat.SubscribeTitle, keywords []wechat.SubscribeKeyword, old *Old, lines []Line) Successor {
	s := Successor{TID: t.TID, Title: t.Title, Type: t.Type}
	places := make([]place, len(keywords))
	for i, kw := range keywords {
		places[i] = place{key: kw.Rule + strconv.Itoa(kw.KID), name: kw.Name, typ: kw.Rule, kid: kw.KID}
	}
	s.fill(places, lines[:min(len(lines), mostKIDs)])
	for i := mostKIDs; i < len(lines); i++ {
		s.Unmapped = append(s.Unmapped, lines[i].Keyword)
	}
	for _, l := range lines { // in the old order
		for _, p := range places {
			if s.Mapping[l.Keyword] == p.key {
				s.KIDs = append(s.KIDs, p.kid)
			}
		}
	}
	s.judge(old, lines)
	if len(s.KIDs) < leastKIDs { // WeChat wants two at least
		s.Fits = 0
	}
	return s
}

// fit says how well a line's value goes into a place: by their names, and whether the
// example keeps the place's rule.
func fit(l *Line, p *place) float64 {
	if p.typ == "" || !fits(p.typ, l.Example) {
		return 0
	}
	f := 0.8 * alike(l.Name, p.name)
	if p.typ == l.Type {
		f += 0.2
	}
	return f
}

// fill gives each line the place that it fits best, the best fit first, and returns
// the places that are left.
func (s *Successor) fill(places []place, lines []Line) (left []place) {
	s.Mapping, s.Sample = map[string]string{}, map[string]string{}
	left = slices.Clone(places)
	open := slices.Clone(lines)
	for len(left) > 0 && len(open) > 0 {
		bestLine, bestPlace, bestFit := 0, 0, 0.0
		for i := range open {
			for j := range left {
				if f := fit(&open[i], &left[j]); f > bestFit {
					bestLine, bestPlace, bestFit = i, j, f
				}
			}
		}
		if bestFit < leastFit {
			break
		}
		l, p := open[bestLine], left[bestPlace]
		s.Fits += bestFit
		s.Mapping[l.Keyword] = p.key
		if l.Example != "" {
			s.Sample[p.key] = l.Example
		}
		open, left = slices.Delete(open, bestLine, bestLine+1), slices.Delete(left, bestPlace, bestPlace+1)
	}
	for _, l := range open {
		s.Unmapped = append(s.Unmapped, l.Keyword)
	}
	return left
}

// judge makes a share of the sum of fits: of the old lines, and of what must be given
// besides; a title alike counts for a fifth.
func (s *Successor) judge(old *Old, lines []Line) {
	of := float64(len(lines) + len(s.Missing))
	s.Fits = 0.8*s.Fits/of + 0.2*alike(bareTitle(s.Title), bareTitle(old.Title))
}

// best sorts by fit and keeps the first few of those that take at least one line.
func best(all []Successor) []Successor {
	all = slices.DeleteFunc(all, func(s Successor) bool { return len(s.Mapping) == 0 || s.Fits == 0 })
	slices.SortStableFunc(all, func(x, y Successor) int { return cmp.Compare(y.Fits, x.Fits) })
	return all[:min(successors, len(all))]
}
