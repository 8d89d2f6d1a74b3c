package sandbox

import (
	"strings"

	"hongyan/wechat"
)

// profile is what an era (spec §0.4) sets together. How the phone draws a message and
// what a tap opens follow from the era itself.
type profile struct {
	templateLimit int // official accounts; test accounts have ten in all eras
	dailyQuota    int // sends of an official account; mini programs have a million
	monthlyQuota  int // sends of one template; 0 = no limit

	suffix       string // of errmsg
	long40001    bool
	smallMsgID   bool
	knowsJump    bool   // the member miniprogram exists
	dedupe       bool   // client_msg_id exists
	library      string // which short ids api_add_template knows
	valueRules   string // whether values are held to their types
	argumentText string // how 47003 is worded

	subscribeLimit              int
	miniRetired, uniformRetired bool
	texts                       map[wechat.Code]string // where they differ from today's
}

// Values of library.
const (
	libraryHistorical = "historical"
	libraryTyped      = "typed"
	libraryBoth       = "both"
)

// Values of value_rules.
const (
	valuesFree  = "free"
	valuesTyped = "typed"
)

// Values of argument_text.
const (
	argumentToday = "today"
	argument2020  = "2020" // hint before the detail, "is emtpy", cut after 30 bytes on template/send
)

// oldQuotaText is what 45009 said before it named the day (errcodes.tsv).
var oldQuotaText = map[wechat.Code]string{wechat.CodeDailyQuota: "api freq out of limit"}

// profiles are the six eras. Unverified: where in time the suffixes and texts change.
var profiles = map[wechat.Era]*profile{
	wechat.EraA: {
		templateLimit: 10, dailyQuota: 10_000, monthlyQuota: 10_000, // S9, S10; D1 for the day
		suffix: suffixNone, smallMsgID: true, library: libraryHistorical, valueRules: valuesFree,
		argumentText: argument2020, subscribeLimit: 25, texts: oldQuotaText,
	},
	wechat.EraB: {
		templateLimit: 25, dailyQuota: 100_000, // S39, S40
		suffix: suffixHint, smallMsgID: true, library: libraryHistorical, valueRules: valuesFree,
		argumentText: argument2020, subscribeLimit: 25, texts: oldQuotaText,
	},
	wechat.EraC: {
		templateLimit: 25, dailyQuota: 100_000,
		suffix: suffixHint, smallMsgID: true, knowsJump: true, library: libraryHistorical, valueRules: valuesFree,
		argumentText: argument2020, subscribeLimit: 25, texts: oldQuotaText,
	},
	wechat.EraD: {
		templateLimit: 25, dailyQuota: 100_000,
		suffix: suffixHint, knowsJump: true, dedupe: true, library: libraryHistorical, valueRules: valuesFree,
		argumentText: argument2020, subscribeLimit: 25,
	},
	wechat.EraE: {
		templateLimit: 25, dailyQuota: 100_000,
		suffix: suffixRID, long40001: true, knowsJump: true, dedupe: true, library: libraryTyped, valueRules: valuesTyped,
		argumentText: argumentToday, subscribeLimit: 50, miniRetired: true,
	},
	wechat.EraF: {
		templateLimit: 25, dailyQuota: 100_000,
		suffix: suffixRID, long40001: true, knowsJump: true, dedupe: true, library: libraryTyped, valueRules: valuesTyped,
		argumentText: argumentToday, subscribeLimit: 50, miniRetired: true, uniformRetired: true,
	},
}

// EraRules are what an era sets and no older switch does; nil leaves what is there. The
// defaults are the era's, docs/sandbox.md has the table.
type EraRules struct {
	DedupeClientMsgID *bool  `json:"dedupe_client_msg_id,omitzero"` // client_msg_id is known; false: ignored
	Library           string `json:"library,omitzero"`              // historical, typed, both: the short ids api_add_template knows
	ValueRules        string `json:"value_rules,omitzero"`          // typed, free: whether template/send answers 47003 to values that break their type
	ArgumentText      string `json:"argument_text,omitzero"`        // today, 2020: how 47003 is worded
}

type eraRules struct {
	dedupe                            bool
	library, valueRules, argumentText string
}

func (spec *EraRules) check() error {
	return firstError(
		oneOf("library", spec.Library, libraryHistorical, libraryTyped, libraryBoth),
		oneOf("value_rules", spec.ValueRules, valuesTyped, valuesFree),
		oneOf("argument_text", spec.ArgumentText, argumentToday, argument2020),
	)
}

func (r *eraRules) apply(spec EraRules) {
	set(&r.dedupe, spec.DedupeClientMsgID)
	setText(&r.library, spec.Library)
	setText(&r.valueRules, spec.ValueRules)
	setText(&r.argumentText, spec.ArgumentText)
}

func (r *eraRules) view() EraRules {
	return EraRules{
		DedupeClientMsgID: new(r.dedupe), Library: r.library, ValueRules: r.valueRules, ArgumentText: r.argumentText,
	}
}

// enter sets everything that the era sets.
func (a *account) enter(era wechat.Era) {
	pr := profiles[era]
	a.era = era
	a.templateLimit, a.dailyQuota, a.monthlyQuota = pr.templateLimit, pr.dailyQuota, pr.monthlyQuota
	if a.kind == kindTest {
		a.templateLimit = 10 // spec §4.6
	}
	if a.isMini() {
		a.dailyQuota, a.monthlyQuota = 1_000_000, 0 // spec §6.2
	}
	a.suffix, a.long40001, a.smallMsgID = pr.suffix, pr.long40001, pr.smallMsgID
	a.eraRules = eraRules{pr.dedupe, pr.library, pr.valueRules, pr.argumentText}
	a.subscribeLimit = pr.subscribeLimit
	a.miniRetired, a.uniformRetired = pr.miniRetired, pr.uniformRetired
}

// knows reports whether the account's library has this kind of short id, and what to
// answer when it has not.
func (r *eraRules) knows(historical bool) wechat.Code {
	switch {
	case historical && r.library == libraryTyped:
		return wechat.CodeHistoricalTemplate
	case !historical && r.library == libraryHistorical:
		return wechat.CodeInvalidTemplateID // observed when the typed library was new (spec §4.2.3)
	}
	return wechat.CodeOK
}

const argumentPrefix = "argument invalid! "

// maxOldDetail is after how many bytes template/send cut the detail of 47003 until 2023
// (spec §4.3).
const maxOldDetail = 30

// failArgument answers 47003 in the wording of the account.
func (p *platform) failArgument(c *call, text string) answer {
	if c.account.argumentText == argumentToday {
		return p.failText(c, wechat.CodeArgumentInvalid, text)
	}
	detail := strings.Replace(strings.TrimPrefix(text, argumentPrefix), "is empty", "is emtpy", 1)
	if c.path == pathSend && len(detail) > maxOldDetail {
		detail = detail[:maxOldDetail] // keys of templates are ASCII
	}
	if c.account.suffix != suffixHint {
		return p.failText(c, wechat.CodeArgumentInvalid, argumentPrefix+detail)
	}
	msg := argumentPrefix + "hint: [" + p.dice.hint() + "] " + detail
	return p.failWhole(c, wechat.CodeArgumentInvalid, msg)
}
