package wechat

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// LengthPolicy says what becomes of values that are too long for their line.
type LengthPolicy string

// The policies. A number that is too long is refused whatever the policy: half an
// amount is another amount.
const (
	LengthRefuse LengthPolicy = "refuse" // nothing is changed; the platform would answer 47003
	LengthCut    LengthPolicy = "cut"    // the end is cut off and replaced by "…"
	LengthSplit  LengthPolicy = "split"  // the rest goes into further lines that are empty; what then is left over is cut
)

// LengthPolicies lists them.
func LengthPolicies() []LengthPolicy { return []LengthPolicy{LengthRefuse, LengthCut, LengthSplit} }

// What Fit does to a value.
const (
	FittedCut    = "cut"
	FittedSplit  = "split"
	FittedFilled = "filled" // a line that was left for the rest of a text, and no text needed it
)

// Fitted is one value that Fit changed.
type Fitted struct {
	Key      string
	Rule     string   // what the value broke, such as "thing:max20"; "" for a filled line
	Action   string   // FittedCut, FittedSplit or FittedFilled
	Into     []string // keys that took the rest of a split value
	Value    string   // as it was given
	Detail   string   // one English sentence
	DetailZH string   // the same in Chinese
}

// emptyLine is what a line shows that stays empty: category templates refuse an empty value.
const emptyLine = "-"

// cuttable are the types whose values are texts that may lose their end. Numbers, dates and
// what has to be one of the approved words are not among them.
var cuttable = map[string]bool{
	"thing": true, "name": true, "phrase": true, "letter": true, "character_string": true,
}

// splittable are the types whose lines may go on in another one of the same type.
var splittable = map[string]bool{"thing": true}

// FitInput is what Fit works on.
type FitInput struct {
	Keys   []string // of the template, in its order
	Data   Data     // not changed
	Rules  RuleSet
	Policy LengthPolicy // "" = LengthRefuse
}

// Fit makes values that are too long fit their lines and says which. Under LengthSplit the
// rest of a text goes into the later lines of its type whose values data leaves empty or
// out, at a space or a punctuation mark where one is near, never inside a number, a word or an
// emoji. A line so left that no text needs shows "-"; but a key is only taken for left
// out on purpose while data has no key that the template does not know, since that may be
// the same one misspelt.
//
// In historical templates nothing is refused: there LengthSplit keeps the 20 characters
// that the phone shows of a line (spec §0.4, era E), and the two others change nothing.
// remark is never used: the phone that cuts lines does not show it.
func Fit(in FitInput) (Data, []Fitted) {
	if in.Policy != LengthCut && in.Policy != LengthSplit {
		return in.Data, nil
	}
	f := fitter{FitInput: in}
	for i, key := range in.Keys {
		f.fit(i, key)
	}
	if in.Policy == LengthSplit {
		f.fillRest()
	}
	return f.Data, f.done
}

// fitter is one Fit at work.
type fitter struct {
	FitInput
	own   bool // Data is a copy
	taken map[string]bool
	done  []Fitted
}

func (f *fitter) set(key, value string) {
	if !f.own {
		f.Data, f.own = maps.Clone(f.Data), true
	}
	if f.Data == nil {
		f.Data = Data{}
	}
	field := f.Data[key]
	field.Value = value
	f.Data[key] = field
}

// fit looks at the ith key.
func (f *fitter) fit(i int, key string) {
	value := f.Data[key].Value
	if f.taken[key] {
		return
	}
	rule, limit := f.limitOf(key, value)
	if rule == "" {
		return
	}
	if f.Policy == LengthSplit && f.splits(key) {
		f.split(i, key, rule, limit)
		return
	}
	if f.Rules == RulesHistorical {
		return
	}
	if short, ok := cutTo(key, value, limit, f.Rules); ok {
		f.set(key, short)
		f.note(Fitted{Key: key, Rule: rule, Action: FittedCut, Value: value},
			fmt.Sprintf("cut to %d characters", limit), fmt.Sprintf("截断为 %d 个字符", limit))
	}
}

func (f *fitter) note(done Fitted, what, whatZH string) {
	done.Detail = fmt.Sprintf("%s: %s (value %s)", done.Key, what, quoted(done.Value))
	done.DetailZH = fmt.Sprintf("%s：%s（值 %s）", done.Key, whatZH, quoted(done.Value))
	f.done = append(f.done, done)
}

// limitOf returns the rule of length that a value breaks and that a shorter text would
// keep, "" for none.
func (f *fitter) limitOf(key, value string) (rule string, limit int) {
	if f.Rules == RulesHistorical {
		if !isFrame(key) && cutLine(value) != value {
			return WarnCut, lineLimit
		}
		return "", 0
	}
	p := ValidateValue(key, value, f.Rules)
	if p == nil || p.Kind != ProblemRule || !p.Fatal || !cuttable[typedName(key)] {
		return "", 0
	}
	_, digits, _ := strings.Cut(p.Rule, ":max")
	limit, err := strconv.Atoi(digits)
	if err != nil || limit < 1 {
		return "", 0
	}
	return p.Rule, limit
}

// splits reports whether a key's text may go on in another line.
func (f *fitter) splits(key string) bool {
	return f.Rules == RulesHistorical && !isFrame(key) || splittable[typedName(key)]
}

// goesOn reports whether line may hold the rest of key's text.
func (f *fitter) goesOn(key, line string) bool {
	sameType := f.Rules == RulesHistorical && !isFrame(line) || f.Rules != RulesHistorical && typedName(line) == typedName(key)
	return sameType && !f.taken[line] && f.leftEmpty(line)
}

// leftEmpty reports whether data leaves a line to others.
func (f *fitter) leftEmpty(line string) bool {
	field, given := f.Data[line]
	if !given && f.strangers() {
		return false
	}
	return strings.TrimSpace(field.Value) == ""
}

// strangers reports whether data has a key that is not the template's.
func (f *fitter) strangers() bool {
	for key := range f.Data {
		if !slices.Contains(f.Keys, key) {
			return true
		}
	}
	return false
}

// split spreads a text over its line and later ones.
func (f *fitter) split(i int, key, rule string, limit int) {
	value := f.Data[key].Value
	lines := []string{key}
	for _, line := range f.Keys[i+1:] {
		if f.goesOn(key, line) {
			lines = append(lines, line)
		}
	}
	pieces, whole := f.pieces(value, limit, len(lines))
	done := Fitted{Key: key, Rule: rule, Action: FittedSplit, Value: value}
	for n, piece := range pieces {
		f.set(lines[n], piece)
		if n > 0 {
			f.take(lines[n])
			done.Into = append(done.Into, lines[n])
		}
	}
	into := strings.Join(done.Into, ", ")
	switch {
	case len(pieces) == 1:
		done.Action = FittedCut
		f.note(done, fmt.Sprintf("cut to %d characters: no further line is empty", limit), fmt.Sprintf("截断为 %d 个字符：后面没有空行可用", limit))
	case !whole:
		f.note(done, "goes on in "+into+", and what does not fit there is cut", "接续到 "+into+"，仍放不下的部分被截断")
	default:
		f.note(done, "goes on in "+into, "接续到 "+into)
	}
}

func (f *fitter) take(key string) {
	if f.taken == nil {
		f.taken = map[string]bool{}
	}
	f.taken[key] = true
}

// pieces cuts value into at most n lines and reports whether that is all of it.
func (f *fitter) pieces(value string, limit, n int) (pieces []string, whole bool) {
	rest := strings.TrimSpace(value)
	for len(pieces) < n-1 {
		head, tail := f.breakLine(rest, limit)
		pieces = append(pieces, head)
		if rest = tail; rest == "" {
			return pieces, true
		}
	}
	if f.short(rest, limit) == rest {
		return append(pieces, rest), true
	}
	return append(pieces, f.short(rest, limit)), false
}

// short is a last line, its end cut off if need be.
func (f *fitter) short(line string, limit int) string {
	if f.Rules == RulesHistorical {
		return cutLine(line)
	}
	return withEllipsis(line, limit)
}

// breakLine takes a first line off a text.
func (f *fitter) breakLine(text string, limit int) (head, tail string) {
	if f.short(text, limit) == text {
		return text, ""
	}
	runes, room := []rune(text), limit
	if f.Rules == RulesHistorical {
		room = len([]rune(strings.TrimSuffix(cutLine(text), "…")))
	}
	at := breakAt(runes, room)
	return strings.TrimSpace(string(runes[:at])), strings.TrimSpace(string(runes[at:]))
}

// breakAt returns where a line of at most room characters ends best: behind a space or
// punctuation mark in its last third, else before a word or number that would be torn, else full.
func breakAt(runes []rune, room int) int {
	earliest := max(1, room-room/3)
	for at := room; at >= earliest; at-- {
		if last := runes[at-1]; unicode.IsSpace(last) || unicode.IsPunct(last) && !inWord(runes, at-1) || unicode.IsSpace(runes[at]) {
			return at
		}
	}
	for at := room; at >= max(1, room/2); at-- {
		if !torn(runes, at) {
			return at
		}
	}
	return room
}

// inWord reports whether a mark stands inside a number or word: "39.80", "A-1".
func inWord(runes []rune, i int) bool {
	return i > 0 && i+1 < len(runes) && runOf(runes[i-1]) != runNone && runOf(runes[i+1]) != runNone
}

// torn reports whether a break before runes[at] goes through a word, a number or an emoji.
func torn(runes []rune, at int) bool {
	before, after := runes[at-1], runes[at]
	if runOf(before) != runNone && runOf(after) != runNone || inWord(runes, at) || inWord(runes, at-1) {
		return true
	}
	return isEmojiPart(after) || before == emojiJoiner || unicode.Is(unicode.M, after)
}

// fillRest puts something into the lines left for the rest of a text that was short.
func (f *fitter) fillRest() {
	for i, key := range f.Keys {
		if f.taken[key] || !f.splits(key) || !f.leftEmpty(key) || !f.follows(i) {
			continue
		}
		value := f.Data[key].Value
		if f.Rules == RulesHistorical {
			f.set(key, "")
			continue
		}
		f.set(key, emptyLine)
		f.note(Fitted{Key: key, Action: FittedFilled, Value: value}, `left for the rest of a long text, and shows "-"`, "留作长文本的接续行，本次显示“-”")
	}
}

// follows reports whether a line with a text that might have gone on stands before the ith.
func (f *fitter) follows(i int) bool {
	return slices.ContainsFunc(f.Keys[:i], func(key string) bool {
		return f.splits(key) && (f.Rules == RulesHistorical || typedName(key) == typedName(f.Keys[i])) && strings.TrimSpace(f.Data[key].Value) != ""
	})
}

// cutTo shortens a value of a typed key; false when no shorter one keeps the rule.
func cutTo(key, value string, limit int, rules RuleSet) (string, bool) {
	value = strings.TrimSpace(value)
	for _, short := range []string{withEllipsis(value, limit), string([]rune(value)[:limit])} {
		if ValidateValue(key, short, rules) == nil {
			return short, true
		}
	}
	return value, false
}

// withEllipsis cuts text to limit characters, the last of them "…".
func withEllipsis(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	at := limit - 1
	for at > 1 && (isEmojiPart(runes[at]) || runes[at-1] == emojiJoiner || unicode.Is(unicode.M, runes[at])) {
		at--
	}
	return string(runes[:at]) + "…"
}
