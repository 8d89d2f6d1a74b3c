package wechat

import "fmt"

// Warning says what of a message was given and is not shown as given. The platform
// answers such a call with errcode 0: only the phone tells.
type Warning struct {
	Key      string // of data that it is about; "" = none of it
	Field    string // of the request that it is about, "topcolor" or "emphasis_keyword"; "" = none of them
	Rule     string // one of the Warn words, or "unknown_key"
	Detail   string // one English sentence
	DetailZH string // the same in Chinese
}

// The rules that a Warning names.
const (
	WarnHidden       = "card:hidden"          // first or remark, not drawn since era E
	WarnColorIgnored = "card:color_ignored"   // a value's colour, since era E
	WarnBadColor     = "card:bad_color"       // not #RRGGBB
	WarnEmoji        = "card:emoji_dropped"   // since era E
	WarnLineBreaks   = "card:line_breaks_cut" // since era E
	WarnCut          = "card:max20"           // a line of a historical template, since era E
	WarnEmptyLine    = "card:empty_line"      // of a test account: hidden
	WarnTopColor     = "card:topcolor"        // drawn in era A only
	WarnEmphasis     = "card:emphasis"        // of nobody, or of no line
)

// String returns Detail.
func (w Warning) String() string { return w.Detail }

// aboutKey makes a Warning about a key of data; both formats hold one %s for it.
func aboutKey(key, rule, format, formatZH string) Warning {
	return Warning{Key: key, Rule: rule, Detail: fmt.Sprintf(format, key), DetailZH: fmt.Sprintf(formatZH, key)}
}
