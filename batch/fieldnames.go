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
		f.add("unknown_field", pointer, "a key of data has no name")
	case jump:
		f.add("unknown_field", pointer, "miniprogram has appid and pagepath, not %q%s", clip(part), meant(key, []string{jumpPrefix + "appid", jumpPrefix + "pagepath"}))
	case len(keys) > 0 && !slices.Contains(keys, key):
		candidates := keys
		if bare {
			candidates = append(slices.Sorted(maps.Keys(textFields)), keys...)
		}
		f.add("unknown_field", pointer, "there is no field %q, and the template's keys are %s%s", clip(key), clip(strings.Join(keys, ", ")), meant(key, candidates))
	}
}

// meant asks whether the nearest of some names was meant, "" when none is near.
func meant(name string, all []string) string {
	best, distance := "", len(name)/3+2
	for _, a := range all {
		if d := near.Distance(strings.ToLower(name), strings.ToLower(a)); d < distance {
			best, distance = a, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// checkHeader refuses a table in which nothing says who gets the message, and columns
// that name a key of data which the template does not have.
func checkHeader(header, keys []string, texts map[string]string) error {
	if texts["touser"] == "" {
		return hongyan.InvalidField("unknown_column", "/touser", "no column gives touser: name one openid, or say which it is; the columns are %s%s",
			clip(strings.Join(header, ", ")), meantColumn(header))
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
func meantColumn(header []string) string {
	for _, name := range slices.Backward(recipientColumns) { // openid is what people call it
		if m := meant(name, header); m != "" {
			return m
		}
	}
	return ""
}
