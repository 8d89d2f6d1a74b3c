package wechat

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// valueRule is the rule of one type and the rule sets in which the platform has published it (or
// was seen to apply it). Elsewhere breaking it is advice.
type valueRule struct {
	check     func(value string, rules RuleSet) *brokenRule
	published []RuleSet
}

// brokenRule says which rule a value breaks.
type brokenRule struct {
	id           string
	text, textZH string
	advice       bool
}

var (
	inBoth      = []RuleSet{RulesTemplate, RulesSubscribe}
	inTemplate  = []RuleSet{RulesTemplate}
	inSubscribe = []RuleSet{RulesSubscribe}
)

// valueRules holds the types of spec §4.3 and §8. phrase is missing from the page of category
// templates, but refusals were observed from 2022 to 2025. short_thing and enum_string exist
// without a description; the members of an enum are known to the platform only.
var valueRules = map[string]valueRule{
	"thing":            {maxRunes("thing", 20), inBoth},
	"const":            {maxRunes("const", 20), inTemplate},
	"character_string": {checkCharacterString, inBoth},
	"time":             {checkTime("time", timeSide), inBoth},
	"date":             {checkTime("date", dateSide), inSubscribe},
	"amount":           {checkAmount, inBoth},
	"phone_number":     {checkPhoneNumber, inBoth},
	"car_number":       {checkCarNumber, inBoth},
	"phrase":           {checkPhrase, inBoth},
	"number":           {checkNumber, inSubscribe},
	"letter":           {checkLetter, inSubscribe},
	"symbol":           {checkSymbol, inSubscribe},
	"name":             {checkName, inSubscribe},
	"short_thing":      {checkUndescribed, nil},
	"enum":             {checkUndescribed, nil},
	"enum_string":      {checkUndescribed, nil},
}

// checkType applies the rule of key's type to a trimmed, non-empty value.
func checkType(key, value string, rules RuleSet) *brokenRule {
	name := typedName(key)
	if name == "" {
		return nil
	}
	rule, known := valueRules[name]
	if !known {
		return checkUndescribed(value, rules)
	}
	broken := rule.check(value, rules)
	if broken != nil && !publishedIn(rule, rules) {
		broken.advice = true
	}
	return broken
}

func publishedIn(rule valueRule, rules RuleSet) bool {
	for _, r := range rule.published {
		if r == rules {
			return true
		}
	}
	return false
}

// tooLong reports more than limit characters.
func tooLong(name string, limit int, value string) *brokenRule {
	n := utf8.RuneCountInString(value)
	if n <= limit {
		return nil
	}
	return &brokenRule{
		id:     fmt.Sprintf("%s:max%d", name, limit),
		text:   fmt.Sprintf("at most %d characters, has %d", limit, n),
		textZH: fmt.Sprintf("最多 %d 个字符，现有 %d 个", limit, n),
	}
}

func maxRunes(name string, limit int) func(string, RuleSet) *brokenRule {
	return func(value string, _ RuleSet) *brokenRule { return tooLong(name, limit, value) }
}

// checkUndescribed warns about long values of types whose rule nobody has published. 20 is the
// limit of the described text types.
func checkUndescribed(value string, _ RuleSet) *brokenRule {
	broken := tooLong("undescribed", 20, value)
	if broken != nil {
		broken.advice = true
		broken.text += " (the platform has not published this type's rule)"
		broken.textZH += "（平台未公布该类型的规则）"
	}
	return broken
}

func checkCharacterString(value string, _ RuleSet) *brokenRule {
	for _, r := range value {
		if unicode.Is(unicode.Han, r) {
			return &brokenRule{
				id:     "character_string:no_chinese",
				text:   "only digits, letters and symbols, no Chinese characters",
				textZH: "只能是数字、字母或符号，不能有汉字",
			}
		}
	}
	if broken := tooLong("character_string", 32, value); broken != nil {
		return broken
	}
	for _, r := range value {
		if r < ' ' || r > '~' {
			return &brokenRule{
				id:     "character_string:ascii",
				text:   "other than half-width digits, letters and symbols may be refused",
				textZH: "半角数字、字母、符号以外的字符可能被拒绝",
				advice: true,
			}
		}
	}
	return nil
}

const (
	datePattern  = `\d{4}(?:年\d{1,2}月\d{1,2}日|[-/.]\d{1,2}[-/.]\d{1,2})`
	clockPattern = `\d{1,2}:\d{2}(?::\d{2})?`
)

// One side of a range each.
var (
	timeSide = regexp.MustCompile(`^(?:` + datePattern + ` ?)?` + clockPattern + `$`)
	dateSide = regexp.MustCompile(`^` + datePattern + `(?: ` + clockPattern + `)?$`)
)

// checkTime accepts one point in time, or two with a half-width "~" between them.
func checkTime(name string, side *regexp.Regexp) func(string, RuleSet) *brokenRule {
	return func(value string, _ RuleSet) *brokenRule {
		if strings.ContainsAny(value, "～〜") {
			return &brokenRule{
				id:     name + ":half_width_tilde",
				text:   `a range is written with the half-width "~", the full-width "～" is refused`,
				textZH: "时间段须用半角“~”连接，全角“～”会被拒绝",
			}
		}
		sides := strings.Split(value, "~")
		for _, s := range sides {
			if len(sides) > 2 || !side.MatchString(strings.TrimSpace(s)) {
				return timeFormat(name)
			}
		}
		for _, s := range sides {
			if impossibleTime(strings.TrimSpace(s)) {
				return &brokenRule{
					id:     name + ":impossible",
					text:   "there is no such date or 24-hour time",
					textZH: "不存在这样的日期或 24 小时制时间",
					advice: true, // not known to be checked
				}
			}
		}
		return nil
	}
}

func timeFormat(name string) *brokenRule {
	if name == "date" {
		return &brokenRule{
			id:     "date:format",
			text:   `a date such as "2026-11-20" or "2026年11月20日", a 24-hour time may follow after one space`,
			textZH: "日期如“2026-11-20”或“2026年11月20日”，其后可隔一个空格加 24 小时制时间",
		}
	}
	return &brokenRule{
		id:     "time:format",
		text:   `a 24-hour time such as "15:01" or "15:01:02", a date may precede it`,
		textZH: "24 小时制时间如“15:01”或“15:01:02”，前面可加日期",
	}
}

var (
	clockParts = regexp.MustCompile(`(\d{1,2}):(\d{2})(?::(\d{2}))?$`)
	dateParts  = regexp.MustCompile(`^\d{4}\D(\d{1,2})\D(\d{1,2})`)
)

// impossibleTime reports a 13th month, a 32nd day, a 25th hour and the like.
func impossibleTime(side string) bool {
	clock, date := clockParts.FindStringSubmatch(side), dateParts.FindStringSubmatch(side)
	if clock != nil && !(within(clock[1], 0, 24) && within(clock[2], 0, 59) && within(clock[3], 0, 59)) {
		return true
	}
	return date != nil && !(within(date[1], 1, 12) && within(date[2], 1, 31))
}

// within reports whether digits is between low and high; an absent part is.
func within(digits string, low, high int) bool {
	if digits == "" {
		return true
	}
	n, err := strconv.Atoi(digits)
	return err == nil && low <= n && n <= high
}

var amountParts = regexp.MustCompile(`^\p{Sc}?(\d+)(?:\.\d+)?元?$`)

// checkAmount allows 12 digits before the point in category templates and 10 in subscribe
// messages.
func checkAmount(value string, rules RuleSet) *brokenRule {
	m := amountParts.FindStringSubmatch(value)
	if m == nil {
		return &brokenRule{
			id:     "amount:format",
			text:   `a number with at most one currency sign before it and 元 after it, such as "￥39.80" or "39.8元"`,
			textZH: "金额：可带一个币种符号和小数，结尾可为“元”，如“￥39.80”或“39.8元”",
		}
	}
	limit := 12
	if rules == RulesSubscribe {
		limit = 10
	}
	if len(m[1]) > limit {
		return &brokenRule{
			id:     fmt.Sprintf("amount:max%d", limit),
			text:   fmt.Sprintf("at most %d digits, has %d", limit, len(m[1])),
			textZH: fmt.Sprintf("最多 %d 位数字，现有 %d 位", limit, len(m[1])),
		}
	}
	return nil
}

func checkPhoneNumber(value string, _ RuleSet) *brokenRule {
	for _, r := range value {
		if !unicode.IsDigit(r) && !isSymbol(r) && r != ' ' {
			return &brokenRule{
				id:     "phone_number:chars",
				text:   "only digits and symbols",
				textZH: "只能是数字和符号",
			}
		}
	}
	return tooLong("phone_number", 17, value)
}

var carNumber = regexp.MustCompile(`^[\p{Han}A-Za-z0-9][A-Za-z0-9]*[\p{Han}A-Za-z0-9]?$`)

func checkCarNumber(value string, _ RuleSet) *brokenRule {
	if !carNumber.MatchString(value) {
		return &brokenRule{
			id:     "car_number:chars",
			text:   "letters and digits, Chinese only as the first or last character",
			textZH: "只能是字母和数字，首尾可为汉字",
		}
	}
	return tooLong("car_number", 8, value)
}

var allHan = regexp.MustCompile(`^\p{Han}+$`)

func checkPhrase(value string, _ RuleSet) *brokenRule {
	if !allHan.MatchString(value) {
		return &brokenRule{
			id:     "phrase:chinese_only",
			text:   "only Chinese characters",
			textZH: "只能是纯汉字",
		}
	}
	return tooLong("phrase", 5, value)
}

var plainNumber = regexp.MustCompile(`^-?\d+(?:\.\d+)?$`)

func checkNumber(value string, _ RuleSet) *brokenRule {
	if !plainNumber.MatchString(value) {
		return &brokenRule{
			id:     "number:format",
			text:   "only a number, decimals allowed",
			textZH: "只能是数字，可带小数",
		}
	}
	return tooLong("number", 32, strings.NewReplacer("-", "", ".", "").Replace(value))
}

func checkLetter(value string, _ RuleSet) *brokenRule {
	for _, r := range value {
		if !isASCIILetter(r) {
			return &brokenRule{id: "letter:chars", text: "only letters", textZH: "只能是字母"}
		}
	}
	return tooLong("letter", 32, value)
}

func checkSymbol(value string, _ RuleSet) *brokenRule {
	for _, r := range value {
		if !isSymbol(r) {
			return &brokenRule{id: "symbol:chars", text: "only symbols", textZH: "只能是符号"}
		}
	}
	return tooLong("symbol", 5, value)
}

// checkName counts a mixed name as a Chinese one: 10 characters instead of 20.
func checkName(value string, _ RuleSet) *brokenRule {
	limit := 20
	for _, r := range value {
		switch {
		case unicode.Is(unicode.Han, r):
			limit = 10
		case !unicode.IsLetter(r) && !unicode.IsMark(r) && !isSymbol(r) && r != ' ':
			return &brokenRule{
				id:     "name:chars",
				text:   "only Chinese characters, letters and symbols",
				textZH: "只能是汉字、字母或符号",
			}
		}
	}
	return tooLong("name", limit, value)
}

func isSymbol(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) }
