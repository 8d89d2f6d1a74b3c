package mini

import (
	"slices"
	"strings"

	"hongyan/wechat"
)

// Line is a keyword of an old template with what its content and example say of it.
type Line struct {
	Keyword string // keyword1
	Name    string // 预约时间
	Example string // "" = the template has none
	Type    string // the type of subscribe keyword that fits best: thing, time …
	Note    string // what may not fit; "" = nothing
}

// linesOf reads the keywords of an old template in order. Its example is a filled-in
// content, a line each.
func linesOf(content, example string) (all []Line) {
	examples := strings.Split(example, "\n")
	for _, text := range strings.Split(content, "\n") {
		for _, key := range wechat.ParseContent(text).Params() {
			name := nameBefore(text, key)
			l := Line{Keyword: key, Name: name, Example: exampleOf(examples, name)}
			l.Type, l.Note = guess(l.Name, l.Example)
			all = append(all, l)
		}
	}
	return all
}

// nameBefore is the text in front of a parameter in its line, without the colon.
func nameBefore(text, key string) string {
	name := ""
	for _, s := range wechat.ParseContent(text).Segments() {
		if s.Kind == wechat.SegmentParam && s.Key == key {
			break
		}
		name = s.Text
	}
	return trimName(name)
}

func trimName(s string) string { return strings.Trim(s, " \t　：:（）()【】") }

// exampleOf finds the value beside a name in the lines of an example.
func exampleOf(lines []string, name string) string {
	if name == "" {
		return ""
	}
	for _, l := range lines {
		if before, value, ok := cutColon(l); ok && trimName(before) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func cutColon(s string) (before, after string, ok bool) {
	at := strings.IndexAny(s, ":：")
	if at < 0 {
		return s, "", false
	}
	before = s[:at]
	after = strings.TrimPrefix(strings.TrimPrefix(s[at:], ":"), "：")
	return before, after, true
}

// hint says which type a name that holds a word is likely to have.
type hint struct {
	word  string
	types []string // the likeliest first
}

// hints are tried in order. A longer word goes before one that it holds.
var hints = []hint{
	{"车牌", []string{"car_number"}},
	{"电话", []string{"phone_number"}}, {"手机", []string{"phone_number"}}, {"热线", []string{"phone_number"}},
	{"日期", []string{"date", "time"}}, {"时间", []string{"time", "date"}}, {"时段", []string{"time", "date"}}, {"有效期", []string{"date", "time"}},
	{"截止", []string{"time", "date"}}, {"生日", []string{"date"}},
	{"金额", []string{"amount"}}, {"价格", []string{"amount"}}, {"总价", []string{"amount"}}, {"单价", []string{"amount"}}, {"费用", []string{"amount"}},
	{"余额", []string{"amount"}}, {"实付", []string{"amount"}}, {"付款", []string{"amount"}}, {"退款", []string{"amount", "phrase"}}, {"运费", []string{"amount"}},
	{"状态", []string{"phrase"}}, {"结果", []string{"phrase"}}, {"进度", []string{"phrase"}},
	{"数量", []string{"number"}}, {"人数", []string{"number"}}, {"次数", []string{"number"}}, {"积分", []string{"number"}}, {"份数", []string{"number"}},
	{"单号", []string{"character_string"}}, {"编号", []string{"character_string"}}, {"订单号", []string{"character_string"}}, {"号码", []string{"character_string"}},
	{"取餐号", []string{"character_string"}}, {"排号", []string{"character_string"}}, {"券码", []string{"character_string"}}, {"验证码", []string{"character_string"}},
	{"密码", []string{"character_string"}}, {"桌号", []string{"character_string"}}, {"房号", []string{"character_string"}},
	{"姓名", []string{"name"}}, {"联系人", []string{"name"}}, {"收货人", []string{"name"}}, {"预约人", []string{"name"}}, {"客户", []string{"name"}},
}

// tellTale are the types whose values look like nothing else, tried where the name
// says nothing.
var tellTale = []string{"amount", "time", "date"}

// guess chooses a type for a keyword by its name, as far as the example fits it. What
// nothing else fits is a thing, which takes any 20 characters.
func guess(name, example string) (typ, note string) {
	var likely []string
	for _, h := range hints {
		if strings.Contains(name, h.word) {
			likely = append(likely, h.types...)
			break
		}
	}
	for _, t := range likely {
		if fits(t, example) {
			return t, ""
		}
	}
	if len(likely) > 0 {
		note = "the name asks for " + likely[0] + ", whose rule the example breaks; write the value otherwise, or use thing"
	} else if example != "" && !isDigits(example) {
		for _, t := range tellTale {
			if fits(t, example) {
				return t, ""
			}
		}
	}
	if !fits("thing", example) {
		note = "a thing shows 20 characters; the example has more"
	}
	return "thing", note
}

func isDigits(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c < '0' || c > '9' })
}

// fits reports whether an example keeps the rule of a type; one that is not there does.
func fits(typ, example string) bool {
	return example == "" || wechat.ValidateValue(typ+"1", example, wechat.RulesSubscribe) == nil
}

// alike says from 0 to 1 how far two names mean the same: the share of their
// characters and pairs of characters that they have in common.
func alike(a, b string) float64 {
	if a == b {
		return 1
	}
	x, y := grams(a), grams(b)
	if len(x) == 0 || len(y) == 0 {
		return 0
	}
	common := 0
	rest := slices.Clone(y)
	for _, g := range x {
		if at := slices.Index(rest, g); at >= 0 {
			common++
			rest = slices.Delete(rest, at, at+1)
		}
	}
	return 2 * float64(common) / float64(len(x)+len(y))
}

// grams are the characters of s and its pairs of them.
func grams(s string) (all []string) {
	r := []rune(s)
	for i := range r {
		all = append(all, string(r[i]))
		if i > 0 {
			all = append(all, string(r[i-1:i+1]))
		}
	}
	return all
}

// bareTitle is a title without the word that all of them end in.
func bareTitle(s string) string {
	for _, end := range []string{"通知", "提醒"} {
		s = strings.TrimSuffix(s, end)
	}
	return s
}
