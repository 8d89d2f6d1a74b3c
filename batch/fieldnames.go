package batch

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"hongyan"
	"hongyan/internal/near"
)

// checkNames refuses what names no field: an empty key of data, a part that
// miniprogram does not have and, where the template's keys are known, a key that is
// none of them. No keys = they are not known.
func (s *spec) checkNames(keys []string) error {
	var f faults
	for _, name := range slices.Sorted(maps.Keys(s.Columns)) {
		full := fieldName(name)
		f.fieldName("/columns/"+escaped(name), full, full != name, keys)
	}
	for _, key := range slices.Sorted(maps.Keys(s.Fields.Data)) {
		f.fieldName("/data/"+escaped(key), dataPrefix+key, true, keys)
	}
	return f.err()
}

// fieldName notes what is wrong with the full name of a field. bare: it was written
// without "data.", and may have been meant for another field.
func (f *faults) fieldName(pointer, full string, bare bool, keys []string) {
	key, isData := strings.CutPrefix(full, dataPrefix)
	switch part, jump := strings.CutPrefix(key, jumpPrefix); {
	case !isData:
	case key == "":
		f.add("unknown_field", pointer, "a key of data has no name", "data 中有一个参数没有名字")
	case jump:
		asked := meant(key, []string{jumpPrefix + "appid", jumpPrefix + "pagepath"})
		f.add("unknown_field", pointer, "miniprogram has appid and pagepath, not %[1]q%[2]s", "miniprogram 有 appid 和 pagepath，没有 %[1]q%[3]s", clip(part), asked.en, asked.zh)
	case len(keys) > 0 && !slices.Contains(keys, key):
		candidates := keys
		if bare {
			candidates = append(slices.Sorted(maps.Keys(textFields)), keys...)
		}
		asked := meant(key, candidates)
		f.add("unknown_field", pointer, "there is no field %[1]q, and the template's keys are %[2]s%[3]s", "没有字段 %[1]q，模板的参数是 %[2]s%[4]s",
			clip(key), clip(strings.Join(keys, ", ")), asked.en, asked.zh)
	}
}

// question is the end of a refusal, in English and in Chinese; the zero value asks nothing.
type question struct{ en, zh string }

// meant asks whether the nearest of some names was meant, and nothing when none is near.
func meant(name string, all []string) question {
	best, distance := "", len(name)/3+2
	for _, a := range all {
		if d := near.Distance(strings.ToLower(name), strings.ToLower(a)); d < distance {
			best, distance = a, d
		}
	}
	if best == "" {
		return question{}
	}
	return question{fmt.Sprintf("; did you mean %q?", best), fmt.Sprintf("；是否应为 %q？", best)}
}

// checkHeader refuses a table in which nothing says who gets the message, and columns
// that name a key of data which the template does not have.
func checkHeader(header, keys []string, texts map[string]string) error {
	if texts["touser"] == "" {
		columns, asked := clip(strings.Join(header, ", ")), meantColumn(header)
		return hongyan.InvalidField("unknown_column", "/touser", "no column gives touser: name one openid, or say which it is; the columns are %s%s", columns, asked.en).
			InChinese("没有一列给出 touser：请把某列命名为 openid，或指明是哪一列；表中有 %s%s", columns, asked.zh)
	}
	var f faults
	for _, column := range header {
		if strings.HasPrefix(column, dataPrefix) {
			f.fieldName(pointerOf(column), column, false, keys)
		}
	}
	return f.err()
}

// meantColumn asks about a column that is nearly one of recipients.
func meantColumn(header []string) question {
	for _, name := range slices.Backward(recipientColumns) { // openid is what people call it
		if asked := meant(name, header); asked != (question{}) {
			return asked
		}
	}
	return question{}
}
