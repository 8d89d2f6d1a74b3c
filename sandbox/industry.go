package sandbox

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"hongyan/sandbox/library"
	"hongyan/wechat"
)

// maxCategories and categoryChanges bound what an account of today files under:
// so many at once, so many changes in a Beijing month (spec §4.1).
const maxCategories, categoryChanges = 5, 5

// Subjects are what an account says it is about; the library gives it templates
// of that and no others. nil leaves what is there.
type Subjects struct {
	// Industries are none or two industry codes, 1 to 41 (spec §4.2.2); default none,
	// which allows historical templates of all.
	Industries *[]int `json:"industries,omitzero"`
	// Categories are at most five category ids of the library, docs/library.md has
	// them; default none, which allows typed templates of all. Each change deletes the
	// templates of categories that are gone, and a Beijing month has five.
	Categories *[]int `json:"categories,omitzero"`
}

// subjects is the account's state of it.
type subjects struct {
	industries, categories []int
	industryChanges        monthCount // by api_set_industry
	categoryChanges        monthCount // by the control API, which stands for the console
}

func (spec *Subjects) check() error {
	if spec.Industries != nil {
		if n := len(*spec.Industries); n != 0 && n != 2 {
			return &ControlError{Field: "industries", Rule: "must be none or two", Value: n}
		}
		for _, code := range *spec.Industries {
			if _, ok := library.LookupIndustry(code); !ok {
				return &ControlError{Field: "industries", Rule: "must hold industry codes, 1 to 41", Value: code}
			}
		}
	}
	if spec.Categories == nil {
		return nil
	}
	if n := len(*spec.Categories); n > maxCategories {
		return &ControlError{Field: "categories", Rule: fmt.Sprintf("must be at most %d", maxCategories), Value: n}
	}
	for i, id := range *spec.Categories {
		if _, ok := library.LookupCategory(id); !ok {
			return &ControlError{Field: "categories", Rule: "must hold ids of the library's categories", Value: id}
		}
		if slices.Contains((*spec.Categories)[:i], id) {
			return &ControlError{Field: "categories", Rule: "must not hold one twice", Value: id}
		}
	}
	return nil
}

// mayChange refuses the sixth change of categories in a month. The first choice of a
// new account is no change.
func (s *subjects) mayChange(spec Subjects, now time.Time) error {
	if spec.Categories == nil || s.sameCategories(*spec.Categories) || len(s.categories) == 0 {
		return nil
	}
	if s.categoryChanges.used(now) >= categoryChanges {
		return &ControlError{Field: "categories", Rule: fmt.Sprintf("must not be changed more than %d times a month", categoryChanges), Value: *spec.Categories}
	}
	return nil
}

func (s *subjects) sameCategories(ids []int) bool {
	return len(ids) == len(s.categories) && !slices.ContainsFunc(ids, func(id int) bool { return !slices.Contains(s.categories, id) })
}

func (a *account) applySubjects(spec Subjects, now time.Time) {
	if spec.Industries != nil {
		a.setIndustries(*spec.Industries)
	}
	if spec.Categories == nil || a.sameCategories(*spec.Categories) {
		return
	}
	if len(a.categories) > 0 {
		a.categoryChanges.add(now)
	}
	a.categories = slices.Clone(*spec.Categories)
	a.dropTemplates(func(t *template) bool { return t.category != 0 && !a.hasCategory(t.category) })
}

func (a *account) setIndustries(codes []int) {
	a.industries = slices.Clone(codes)
	a.dropTemplates(func(t *template) bool { return t.industry != 0 && !a.hasIndustry(t.industry) })
}

// hasIndustry and hasCategory: an account that has chosen none has all.
func (s *subjects) hasIndustry(code int) bool {
	return len(s.industries) == 0 || slices.Contains(s.industries, code)
}

func (s *subjects) hasCategory(id int) bool {
	return len(s.categories) == 0 || slices.Contains(s.categories, id)
}

// mayHold reports whether the library gives the account this template; else 45027.
func (s *subjects) mayHold(lib library.Template) bool {
	return (lib.Industry == 0 || s.hasIndustry(lib.Industry)) && (lib.Category == 0 || s.hasCategory(lib.Category))
}

type setIndustryRequest struct {
	First  wireScalar `json:"industry_id1"`
	Second wireScalar `json:"industry_id2"`
}

// serveSetIndustry is api_set_industry (spec §4.2.1): both codes, once a Beijing
// month. Unverified: a form body, which has no codes for the platform, gets 40103
// rather than 47001, as was observed.
func (p *platform) serveSetIndustry(c *call) answer {
	var req setIndustryRequest
	if code := c.unmarshal(&req); code == wechat.CodeInvalidCharset || code == wechat.CodeEmptyBody {
		return p.fail(c, code)
	}
	codes, code := req.codes()
	if code == wechat.CodeOK && c.account.industryChanges.used(c.now) > 0 {
		code = wechat.CodeTemplateChangeTooOften
	}
	if code != wechat.CodeOK {
		return p.fail(c, code)
	}
	c.account.industryChanges.add(c.now)
	c.account.setIndustries(codes)
	return ok()
}

func (req setIndustryRequest) codes() ([]int, wechat.Code) {
	var codes []int
	for _, id := range []wireScalar{req.First, req.Second} {
		if id == "" {
			return nil, wechat.CodeInvalidIndustryIndex
		}
		code, err := strconv.Atoi(string(id))
		if _, known := library.LookupIndustry(code); err != nil || !known {
			return nil, wechat.CodeInvalidIndustryID
		}
		codes = append(codes, code)
	}
	return codes, wechat.CodeOK
}

type wireIndustry struct {
	First  string `json:"first_class"`
	Second string `json:"second_class"`
}

type industriesAnswer struct {
	Primary   wireIndustry `json:"primary_industry"`
	Secondary wireIndustry `json:"secondary_industry"`
}

// serveGetIndustry is get_industry, without an errcode (spec §4.2.2). Unverified: an
// account that has chosen none gets empty names.
func (p *platform) serveGetIndustry(c *call) answer {
	var names [2]wireIndustry
	for i, code := range c.account.industries {
		industry, _ := library.LookupIndustry(code) // checked when it was chosen
		names[i] = wireIndustry{industry.First, industry.Second}
	}
	return reply(industriesAnswer{names[0], names[1]})
}

func (s *subjects) subjectsView() Subjects {
	return Subjects{Industries: listOf(s.industries), Categories: listOf(s.categories)}
}

// listOf copies a list for showing: empty is [], not null.
func listOf[T any](list []T) *[]T { return new(append([]T{}, list...)) }
