package wechat

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// RuleSet chooses which value rules apply.
type RuleSet uint8

// The rule sets.
const (
	RulesTemplate   RuleSet = iota // category templates of official accounts, spec §4.3
	RulesSubscribe                 // subscribe messages, spec §8
	RulesHistorical                // free keys, first, keyword1 …: any value is accepted
)

var ruleSetWords = [...]string{"template", "subscribe", "historical"}

// String returns "template", "subscribe" or "historical".
func (r RuleSet) String() string {
	if int(r) < len(ruleSetWords) {
		return ruleSetWords[r]
	}
	return fmt.Sprintf("RuleSet(%d)", uint8(r))
}

// ProblemKind is what is wrong with a value.
type ProblemKind uint8

// The kinds of problem.
const (
	ProblemMissing    ProblemKind = iota // the template names a key that data lacks
	ProblemEmpty                         // the value is empty or white space
	ProblemRule                          // the value breaks the rule of its type
	ProblemUnknownKey                    // data has a key that the template does not name
	ProblemDotData                       // a key was written with its ".DATA"
)

var problemWords = [...]string{"missing", "empty", "rule", "unknown_key", "dot_data"}

// String returns "missing", "empty", "rule", "unknown_key" or "dot_data".
func (k ProblemKind) String() string {
	if int(k) < len(problemWords) {
		return problemWords[k]
	}
	return fmt.Sprintf("ProblemKind(%d)", uint8(k))
}

// ValueProblem is one thing wrong with a message's data.
type ValueProblem struct {
	Key      string // as it stands in data, or in the template when it is missing
	Kind     ProblemKind
	Rule     string // short id such as "thing:max20"; the kind's word when no type rule is involved
	Detail   string // key, rule and value in one English sentence
	DetailZH string // the same in Chinese
	Value    string // the offending value, whole; the texts quote it shortened
	Fatal    bool   // the platform would answer 47003 and send nothing
}

// Error returns Detail, so that a problem can be returned as an error.
func (p *ValueProblem) Error() string { return p.Detail }

// PlatformText is how the platform words a problem in the errmsg of 47003, such as
// "argument invalid! data.thing1.value invalid"; "" for what it does not complain about, an
// unknown key.
func PlatformText(p ValueProblem) string {
	switch p.Kind {
	case ProblemRule:
		return "argument invalid! data." + p.Key + ".value invalid"
	case ProblemMissing, ProblemEmpty, ProblemDotData:
		return "argument invalid! data." + strings.TrimSuffix(p.Key, dataSuffix) + ".value is empty"
	}
	return ""
}

// FirstFatal returns the problem the platform would answer with, or nil when it would send.
func FirstFatal(problems []ValueProblem) *ValueProblem {
	for i := range problems {
		if problems[i].Fatal {
			return &problems[i]
		}
	}
	return nil
}

// RulesOf guesses the rule set from the keys: RulesTemplate when every key has the form
// "type" + number and at least one type is known, else RulesHistorical. A content without
// parameters is historical.
func RulesOf(content Content) RuleSet {
	known := false
	for _, key := range content.params {
		if typedName(key) == "" {
			return RulesHistorical
		}
		known = known || ValueType(key) != ""
	}
	if known {
		return RulesTemplate
	}
	return RulesHistorical
}

// RulesFor is RulesOf for one era: typed keywords and their 47003 came with the category
// templates of era E (spec §0.4, §4.3); before, any value was accepted whatever its key.
func RulesFor(era Era, content Content) RuleSet {
	if era.Before(EraE) {
		return RulesHistorical
	}
	return RulesOf(content)
}

// typedKey matches the keys of category templates, and those of historical ones that look alike.
var typedKey = regexp.MustCompile(`^([a-z]+(?:_[a-z]+)*)[0-9]+$`)

// typedName is the part of a typed key before its number, known or not; "" for historical keys.
func typedName(key string) string {
	m := typedKey.FindStringSubmatch(key)
	if m == nil || m[1] == "keyword" || m[1] == "keynote" {
		return ""
	}
	return m[1]
}

// ValueType returns the type that a key names: "thing" for "thing1" or "thing01". Keys of
// historical templates (first, keyword1, keynote1, remark, free ones) and types nobody has
// described give "".
func ValueType(key string) string {
	name := typedName(key)
	if _, known := valueRules[name]; known {
		return name
	}
	return ""
}

// ValidateData compares data with what the template names. Problems come in the template's
// order first, then the keys it does not name, sorted. The first fatal one is what the platform
// would name in its 47003 (see FirstFatal). Keys written as "thing1.DATA" are fatal where the
// right key is then missing; a const may be missing or empty; a key missing from historical
// templates is reported but not fatal, because it is shown as nothing.
func ValidateData(content Content, data Data, rules RuleSet) []ValueProblem {
	var problems []ValueProblem
	for _, key := range content.params {
		field, given := data[key]
		switch {
		case given:
			if p := ValidateValue(key, field.Value, rules); p != nil {
				problems = append(problems, *p)
			}
		case !mayBeEmpty(key, rules):
			problems = append(problems, missingKey(key, rules))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if !content.Has(key) {
			problems = append(problems, extraKey(content, data, key, rules))
		}
	}
	return problems
}

// ValidateValue checks one value; nil means nothing is wrong with it. Length is counted in
// characters, not bytes, after white space around the value is cut. A problem that is not Fatal
// is advice: the platform has not published the rule, or the sources disagree.
func ValidateValue(key, value string, rules RuleSet) *ValueProblem {
	if strings.HasSuffix(key, dataSuffix) {
		p := dotDataKey(key, value)
		p.Fatal = rules != RulesHistorical
		return &p
	}
	if rules == RulesHistorical {
		return nil
	}
	trimmed := strings.TrimSpace(value)
	if trimmed == "" {
		return emptyValue(key, value, rules)
	}
	broken := checkType(key, trimmed, rules)
	if broken == nil {
		return nil
	}
	return &ValueProblem{
		Key: key, Kind: ProblemRule, Rule: broken.id, Value: value, Fatal: !broken.advice,
		Detail:   fmt.Sprintf("%s: %s, got %s (rule %s)", key, broken.text, quoted(value), broken.id),
		DetailZH: fmt.Sprintf("%s：%s，当前值为 %s（规则 %s）", key, broken.textZH, quoted(value), broken.id),
	}
}

// mayBeEmpty: const… is accepted without a value (spec §4.3, observed).
func mayBeEmpty(key string, rules RuleSet) bool {
	return rules == RulesTemplate && ValueType(key) == "const"
}

func emptyValue(key, value string, rules RuleSet) *ValueProblem {
	if mayBeEmpty(key, rules) {
		return nil
	}
	return &ValueProblem{
		Key: key, Kind: ProblemEmpty, Rule: ProblemEmpty.String(), Value: value, Fatal: true,
		Detail:   fmt.Sprintf("%s: the value %s is empty, and typed templates need one (rule %v)", key, quoted(value), ProblemEmpty),
		DetailZH: fmt.Sprintf("%s：值 %s 为空，类目模板要求填写（规则 %v）", key, quoted(value), ProblemEmpty),
	}
}

func missingKey(key string, rules RuleSet) ValueProblem {
	p := ValueProblem{
		Key: key, Kind: ProblemMissing, Rule: ProblemMissing.String(), Fatal: true,
		Detail:   fmt.Sprintf("%s: the template needs this key, data has no such key (rule %v)", key, ProblemMissing),
		DetailZH: fmt.Sprintf("%s：模板需要该参数，data 中没有（规则 %v）", key, ProblemMissing),
	}
	if rules == RulesHistorical {
		p.Fatal = false
		p.Detail = fmt.Sprintf("%s: data has no such key; the template shows nothing in its place", key)
		p.DetailZH = fmt.Sprintf("%s：data 中没有该参数，模板对应位置将显示为空", key)
	}
	return p
}

func extraKey(content Content, data Data, key string, rules RuleSet) ValueProblem {
	if right, dotted := strings.CutSuffix(key, dataSuffix); dotted {
		p := dotDataKey(key, data[key].Value)
		_, alsoRight := data[right]
		p.Fatal = rules != RulesHistorical && content.Has(right) && !alsoRight && !mayBeEmpty(right, rules)
		return p
	}
	return ValueProblem{
		Key: key, Kind: ProblemUnknownKey, Rule: ProblemUnknownKey.String(), Value: data[key].Value,
		Detail:   fmt.Sprintf("%s: the template has no such key; its value %s is ignored", key, quoted(data[key].Value)),
		DetailZH: fmt.Sprintf("%s：模板中没有该参数，值 %s 将被忽略", key, quoted(data[key].Value)),
	}
}

func dotDataKey(key, value string) ValueProblem {
	right := strings.TrimSuffix(key, dataSuffix)
	return ValueProblem{
		Key: key, Kind: ProblemDotData, Rule: ProblemDotData.String(), Value: value,
		Detail:   fmt.Sprintf("%s: data keys carry no %s; write %q instead (value %s)", key, dataSuffix, right, quoted(value)),
		DetailZH: fmt.Sprintf("%s：data 的键不带 %s，请改为 %q（值 %s）", key, dataSuffix, right, quoted(value)),
	}
}

// quotedRunes bounds how much of a value goes into a sentence.
const quotedRunes = 60

func quoted(value string) string {
	if runes := []rune(value); len(runes) > quotedRunes {
		value = string(runes[:quotedRunes]) + "…"
	}
	return fmt.Sprintf("%q", value)
}
