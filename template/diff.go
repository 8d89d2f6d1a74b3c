package template

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"hongyan"
	"hongyan/wechat"
)

// Changes is what a sync found, as template_ids, and one by one.
type Changes struct {
	Added, Updated, Missing []string
	Unchanged               int
	Differences             []Difference // of all but the unchanged
	DryRun                  bool         // nothing was stored
	// Unread says why a list could not be had that the account may not have at all, e.g. that
	// of subscription notices; "" = every list was read.
	Unread string
}

// What happened to a template.
const (
	ChangeAdded   = "added"
	ChangeUpdated = "updated"
	ChangeMissing = "missing"
)

// Difference is how one template differs from what was known.
type Difference struct {
	TemplateID string
	Title      string // as it is now
	Kind       hongyan.MessageKind
	Change     string // ChangeAdded, ChangeUpdated or ChangeMissing
	Fields     []FieldChange
	// LinesAdded and LinesRemoved are of the content.
	LinesAdded, LinesRemoved []string
	// Keys that messages must have now and had not, must not have any more, or must
	// call by another name: their lines have kept their label.
	KeysAdded, KeysRemoved []string
	KeysRenamed            []Renamed
	Aliases                []string // that stand for it
}

// FieldChange is a field of a template with what it was and is.
type FieldChange struct{ Field, Old, New string }

// Renamed is a key whose line is still there under another one.
type Renamed struct{ Old, New string }

func added(t *hongyan.Template) Difference {
	content := wechat.ParseContent(t.Content)
	return Difference{
		TemplateID: t.TemplateID, Title: t.Title, Kind: t.Kind, Change: ChangeAdded,
		LinesAdded: textLines(t.Content), KeysAdded: content.Params(),
	}
}

// differ compares what was known of a template with what WeChat says now.
func differ(old, now *hongyan.Template) (d Difference, same bool) {
	d = Difference{TemplateID: now.TemplateID, Title: now.Title, Kind: now.Kind, Change: ChangeUpdated}
	for _, f := range []FieldChange{
		{"title", old.Title, now.Title}, {"primary_industry", old.PrimaryIndustry, now.PrimaryIndustry},
		{"deputy_industry", old.DeputyIndustry, now.DeputyIndustry}, {"content", old.Content, now.Content}, {"example", old.Example, now.Example},
		{"kind", string(old.Kind), string(now.Kind)}, {"status", old.Status, now.Status}, {"status_reason", old.StatusReason, now.StatusReason},
		{"subscribe_type", subscribeWord(old.SubscribeType), subscribeWord(now.SubscribeType)},
	} {
		if f.Old != f.New {
			d.Fields = append(d.Fields, f)
		}
	}
	if len(old.Enums)+len(now.Enums) > 0 && !reflect.DeepEqual(old.Enums, now.Enums) {
		d.Fields = append(d.Fields, FieldChange{"enums", enumWords(old.Enums), enumWords(now.Enums)})
	}
	if old.Content != now.Content {
		d.contents(old.Content, now.Content)
	}
	return d, len(d.Fields) == 0
}

func subscribeWord(t int) string {
	switch wechat.SubscribeTemplateType(t) {
	case wechat.SubscribeOneTime:
		return "one_time"
	case wechat.SubscribeLongTerm:
		return "long_term"
	}
	return ""
}

func enumWords(enums map[string][]string) string {
	var words []string
	for _, key := range slices.Sorted(maps.Keys(enums)) {
		words = append(words, fmt.Sprintf("%s: %s", key, strings.Join(enums[key], "/")))
	}
	return strings.Join(words, "; ")
}

// contents compares two contents line by line, and their keys.
func (d *Difference) contents(old, now string) {
	before, after := textLines(old), textLines(now)
	d.LinesRemoved, d.LinesAdded = without(before, after), without(after, before)
	was, is := wechat.ParseContent(old), wechat.ParseContent(now)
	removed, added := without(was.Params(), is.Params()), without(is.Params(), was.Params())
	labels := labelledKeys(after)
	for _, line := range labelledKeys(before) {
		if new, ok := renamed(line, labels, removed, added); ok {
			d.KeysRenamed = append(d.KeysRenamed, new)
			removed, added = without(removed, []string{new.Old}), without(added, []string{new.New})
		}
	}
	d.KeysRemoved, d.KeysAdded = removed, added
}

// labelledKey is a line with one key: what stands before and after it, and the key.
type labelledKey struct{ label, key string }

// labelledKeys finds the lines that have one key each, and a text beside it.
func labelledKeys(lines []string) []labelledKey {
	var found []labelledKey
	for _, line := range lines {
		content := wechat.ParseContent(line)
		if keys := content.Params(); len(keys) == 1 {
			label := ""
			for _, seg := range content.Segments() {
				if seg.Kind != wechat.SegmentParam {
					label += strings.TrimSpace(seg.Text)
				}
			}
			if label != "" {
				found = append(found, labelledKey{strings.ReplaceAll(label, ":", "："), keys[0]})
			}
		}
	}
	return found
}

// renamed finds the line that was labelled like old, under a key that is new.
func renamed(old labelledKey, lines []labelledKey, removed, added []string) (Renamed, bool) {
	for _, line := range lines {
		if line.label == old.label && slices.Contains(removed, old.key) && slices.Contains(added, line.key) {
			return Renamed{old.key, line.key}, true
		}
	}
	return Renamed{}, false
}

// textLines splits a content at its line breaks; blank lines are layout.
func textLines(content string) []string {
	var lines []string
	for line := range strings.SplitSeq(content, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// without returns what of list is not in other.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}
