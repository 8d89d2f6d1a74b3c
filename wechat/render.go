package wechat

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Card is a message as the phone shows it. An empty colour is the default, black; others are
// "#RRGGBB" and nothing else, safe to put into a style sheet. Texts are not escaped for HTML.
type Card struct {
	Title       string
	Date        string // "9月14日" in Beijing time; "" without RenderInput.At
	First       string // opening line; always "" in eras E and F
	FirstColor  string
	Lines       []CardLine
	Remark      string // closing text, may hold line breaks; always "" in eras E and F
	RemarkColor string
	TopColor    string    // bar above the card, era A only
	Warnings    []Warning // what was given but is not shown as given, in the order of the card
}

// CardLine is one line of a card.
type CardLine struct {
	Label    string // text before the colon, without it; "" for a line that has none
	Value    string // text after the colon, parameters filled in; may hold line breaks before era E
	Color    string // of the first parameter in the line
	Spans    []Span // the Value in pieces, only where Color does not say it all
	Emphasis bool   // drawn large: a mini program's emphasis_keyword
}

// Span is a piece of a line's value in one colour.
type Span struct{ Text, Color string }

// RenderInput is what a card depends on.
type RenderInput struct {
	Title   string
	Content Content
	Data    Data
	Era     Era
	At      time.Time // when the message arrived; zero leaves Card.Date empty
	// TopColor is the request's topcolor, drawn in era A and ignored later (K11).
	TopColor string
	// Emphasis is the request's emphasis_keyword, with or without ".DATA"; mini programs only.
	Emphasis string
	// MiniProgram marks a mini program's message. Those were withdrawn before the phone began to
	// trim, so they are shown whole in every era.
	MiniProgram bool
	// Subscribe marks a subscribe message or subscription notice, whose values have no
	// colours (spec §7.1).
	Subscribe bool
	// HideEmptyLines hides lines none of whose parameters has a value, as test accounts do
	// (spec §4.6).
	HideEmptyLines bool
}

// beijing is the phone's clock; China has one zone and no daylight saving time.
var beijing = time.FixedZone("CST", 8*60*60)

// Render shows a message the way the phone does in the given era (spec §4.3, §4.4, §4.6).
// Missing keys become nothing, unknown ones are ignored, reserved words stay as written. Up to
// era D values keep their colours and line breaks. From era E on first and remark, colours,
// emoji and line breaks are dropped, and in historical templates a line's value is cut after 20
// characters.
//
// Blank lines of the content are layout and not returned; how a card is spaced is the drawer's.
func Render(in RenderInput) Card {
	r := renderer{in: in, trim: in.Era.trims() && !in.MiniProgram}
	r.historical = RulesOf(in.Content) == RulesHistorical
	r.card.Title = in.Title
	if !in.At.IsZero() {
		r.card.Date = in.At.In(beijing).Format("1月2日")
	}
	r.topColor()
	for _, line := range contentLines(in.Content) {
		r.line(line)
	}
	r.emphasize()
	r.unknownKeys()
	return r.card
}

// renderer is one Render at work.
type renderer struct {
	in         RenderInput
	trim       bool // the phone of eras E and F
	historical bool // lines are cut: values of category templates obey their types' limits, up to 32
	card       Card
	keys       [][]string // parameters of each card line, for the emphasis
}

// warn notes w once.
func (r *renderer) warn(w Warning) {
	if !slices.Contains(r.card.Warnings, w) {
		r.card.Warnings = append(r.card.Warnings, w)
	}
}

func (r *renderer) topColor() {
	switch {
	case r.in.TopColor == "":
	case r.in.Era == EraA && !r.in.MiniProgram:
		r.card.TopColor = r.color("topcolor", r.in.TopColor)
	default:
		r.warn(Warning{Field: "topcolor", Rule: WarnTopColor,
			Detail: "topcolor is ignored: only era A drew it", DetailZH: "topcolor 不起作用：只有最早的微信（时代 A）会画出来"})
	}
}

// contentLines splits the content at its line breaks; blank lines are left out.
func contentLines(c Content) [][]Segment {
	var lines [][]Segment
	var line []Segment
	end := func() {
		if !isBlank(line) {
			lines = append(lines, line)
		}
		line = nil
	}
	for _, seg := range c.segments {
		if seg.Kind != SegmentText {
			line = append(line, seg)
			continue
		}
		for i, text := range strings.Split(seg.Text, "\n") {
			if i > 0 {
				end()
			}
			if text = strings.TrimSuffix(text, "\r"); text != "" {
				line = append(line, Segment{Kind: SegmentText, Text: text})
			}
		}
	}
	end()
	return lines
}

func isBlank(line []Segment) bool {
	for _, seg := range line {
		if seg.Kind != SegmentText || strings.TrimSpace(seg.Text) != "" {
			return false
		}
	}
	return true
}

// line puts one line of the content where it belongs on the card.
func (r *renderer) line(line []Segment) {
	keys := lineKeys(line)
	if len(keys) == 1 && isFrame(keys[0]) && !r.in.MiniProgram {
		r.frame(keys[0], line)
		return
	}
	if r.in.HideEmptyLines && len(keys) > 0 && !r.anyValue(keys) {
		r.warn(aboutKey(keys[0], WarnEmptyLine, "%s: the line is not shown, since it has no value", "%s：该行没有值，不显示"))
		return
	}
	label, rest := cutLabel(line)
	spans := r.fill(rest)
	out := CardLine{Label: label, Value: joined(spans), Color: firstColor(spans)}
	if r.trim {
		out.Value = r.cut(keys, out.Value)
	} else if !oneColor(spans) {
		out.Spans = plainSpans(spans)
	}
	r.card.Lines = append(r.card.Lines, out)
	r.keys = append(r.keys, keys)
}

// isFrame tells the keys of the two lines around the keywords. Old templates spell them
// with a capital, too: TM00015 has Remark.
func isFrame(key string) bool { return isFirst(key) || strings.EqualFold(key, "remark") }

func isFirst(key string) bool { return strings.EqualFold(key, "first") }

// frame fills First or Remark, the two lines around the keywords.
func (r *renderer) frame(key string, line []Segment) {
	spans := r.fill(line)
	switch {
	case r.trim: // filled for its warnings only
	case isFirst(key):
		r.card.First, r.card.FirstColor = joined(spans), firstColor(spans)
	default:
		r.card.Remark, r.card.RemarkColor = joined(spans), firstColor(spans)
	}
}

// lineKeys returns the parameters of a line, each once.
func lineKeys(line []Segment) []string {
	var keys []string
	for _, seg := range line {
		if seg.Kind == SegmentParam {
			keys = appendNew(keys, seg.Key)
		}
	}
	return keys
}

func (r *renderer) anyValue(keys []string) bool {
	return slices.ContainsFunc(keys, func(key string) bool { return r.in.Data[key].Value != "" })
}

// cutLabel splits "label：rest" at the first colon of the text a line begins with.
func cutLabel(line []Segment) (label string, rest []Segment) {
	if len(line) == 0 || line[0].Kind != SegmentText {
		return "", line
	}
	m := labelColon.FindStringSubmatch(line[0].Text)
	if m == nil {
		return "", line
	}
	if after := strings.TrimLeft(m[2], " "); after != "" {
		rest = append(rest, Segment{Kind: SegmentText, Text: after})
	}
	return strings.TrimSpace(m[1]), append(rest, line[1:]...)
}

// labelColon finds a full-width colon, or a half-width one that stands before a parameter or a
// space and so is no part of a time ("12:30") or a link.
var labelColon = regexp.MustCompile(`^([^：:]+)(?:：|:$|: )(.*)$`)

// piece is a span that remembers whether a parameter made it.
type piece struct {
	Span
	param bool
}

// fill substitutes the parameters of a line.
func (r *renderer) fill(line []Segment) []piece {
	pieces := make([]piece, 0, len(line))
	for _, seg := range line {
		if seg.Kind != SegmentParam {
			pieces = append(pieces, piece{Span: Span{Text: seg.Text}})
			continue
		}
		field := r.in.Data[seg.Key]
		if r.in.Subscribe && field.Color != "" {
			field.Color = ""
			r.warn(aboutKey(seg.Key, WarnColorIgnored, "%s: its colour is ignored: subscribe messages have none", "%s：颜色不起作用：订阅消息没有颜色"))
		}
		if r.trim {
			field = r.plain(seg.Key, field)
		} else {
			field.Color = r.color(seg.Key, field.Color)
		}
		pieces = append(pieces, piece{Span{field.Value, field.Color}, true})
	}
	return pieces
}

// plain drops what the phone of eras E and F drops from one value.
func (r *renderer) plain(key string, field Field) Field {
	if isFrame(key) {
		if strings.TrimSpace(field.Value) != "" {
			r.warn(aboutKey(key, WarnHidden, "%s is not shown: dropped at delivery since 2023-05-04", "%s 不显示：2023-05-04 起下发时被去掉"))
		}
		return Field{}
	}
	if field.Color != "" {
		r.warn(aboutKey(key, WarnColorIgnored, "%s: its colour is ignored since 2023-05-04", "%s：颜色自 2023-05-04 起不再生效"))
	}
	value := dropEmoji(field.Value)
	if value != field.Value {
		r.warn(aboutKey(key, WarnEmoji, "%s: emoji are removed", "%s：表情符号会被去掉"))
	}
	oneLine := dropLineBreaks(value)
	if oneLine != value {
		r.warn(aboutKey(key, WarnLineBreaks, "%s: line breaks are removed", "%s：换行会被去掉"))
	}
	return Field{Value: oneLine}
}

func (r *renderer) cut(keys []string, value string) string {
	if !r.historical {
		return value
	}
	short := cutLine(value)
	if short == value {
		return value
	}
	w := Warning{Rule: WarnCut, Detail: "text of the template", DetailZH: "模板自带的文字"}
	if len(keys) > 0 {
		w.Key, w.Detail = keys[0], strings.Join(keys, ", ")
		w.DetailZH = w.Detail
	}
	w.Detail += fmt.Sprintf(": cut after %d characters", lineLimit)
	w.DetailZH += fmt.Sprintf("：超过 %d 个字符的部分显示为省略号", lineLimit)
	r.warn(w)
	return short
}

var hexColor = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)

// color lets only "#RRGGBB" through: the text goes into style sheets of whoever draws.
func (r *renderer) color(key, color string) string {
	if color == "" || hexColor.MatchString(color) {
		return color
	}
	w := Warning{Key: key, Rule: WarnBadColor,
		Detail:   fmt.Sprintf("%s: colour %s is not #RRGGBB and shown as black", key, quoted(color)),
		DetailZH: fmt.Sprintf("%s：颜色 %s 不是 #RRGGBB，按黑色显示", key, quoted(color)),
	}
	if key == "topcolor" && !r.in.Content.Has(key) {
		w.Key, w.Field = "", key
	}
	r.warn(w)
	return ""
}

// emphasize marks the line of the emphasis keyword.
func (r *renderer) emphasize() {
	key := strings.TrimSuffix(strings.TrimSpace(r.in.Emphasis), dataSuffix)
	switch {
	case key == "":
		return
	case !r.in.MiniProgram:
		r.warn(Warning{Field: "emphasis_keyword", Rule: WarnEmphasis,
			Detail: "emphasis_keyword is ignored: only mini programs have it", DetailZH: "emphasis_keyword 不起作用：只有小程序消息才有"})
		return
	}
	for i := range r.card.Lines {
		if slices.Contains(r.keys[i], key) {
			r.card.Lines[i].Emphasis = true
			return
		}
	}
	r.warn(Warning{Field: "emphasis_keyword", Rule: WarnEmphasis,
		Detail:   fmt.Sprintf("emphasis_keyword %s: no line shows it", quoted(r.in.Emphasis)),
		DetailZH: fmt.Sprintf("emphasis_keyword %s：没有这一行", quoted(r.in.Emphasis))})
}

func (r *renderer) unknownKeys() {
	for _, key := range slices.Sorted(maps.Keys(r.in.Data)) {
		if !r.in.Content.Has(key) {
			r.warn(Warning{Key: key, Rule: ProblemUnknownKey.String(),
				Detail: quoted(key) + ": the template has no such key", DetailZH: quoted(key) + "：模板中没有该参数"})
		}
	}
}

func joined(pieces []piece) string {
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.Text)
	}
	return b.String()
}

// firstColor is the colour of the first parameter.
func firstColor(pieces []piece) string {
	for _, p := range pieces {
		if p.param {
			return p.Color
		}
	}
	return ""
}

// oneColor reports whether a line's Color is true of its whole value.
func oneColor(pieces []piece) bool {
	for _, p := range pieces {
		if p.Text != "" && p.Color != firstColor(pieces) {
			return false
		}
	}
	return true
}

func plainSpans(pieces []piece) []Span {
	var spans []Span
	for _, p := range pieces {
		if p.Text != "" {
			spans = append(spans, p.Span)
		}
	}
	return spans
}
