package sandbox

import (
	"fmt"
	"slices"
	"strings"

	"hongyan/sandbox/library"
)

// isHistoricalID tells the short ids of the old library, which answers 40247 today
// (spec §4.2.3); those of category templates are digits.
func isHistoricalID(short string) bool {
	return strings.HasPrefix(short, "TM") || strings.HasPrefix(short, "OPENTM")
}

// historicalTemplate is a template of the old library: its industry's two names
// and its content come with it.
func historicalTemplate(lib library.Template, id string) *template {
	industry, _ := library.LookupIndustry(lib.Industry)
	return newTemplate(template{
		id: id, family: familyTemplate, title: lib.Title, content: lib.Content, example: lib.Example,
		primaryIndustry: industry.First, deputyIndustry: industry.Second, industry: lib.Industry,
	})
}

// chooseKeywords returns the keywords named, in the order named; ok is false when a
// name is not among them, or none or one twice was given.
func chooseKeywords(all []library.Keyword, names []wireText) (chosen []library.Keyword, ok bool) {
	for i, name := range names {
		at := slices.IndexFunc(all, func(k library.Keyword) bool { return k.Name == name.string() })
		if at < 0 || slices.Contains(names[:i], name) {
			return nil, false
		}
		chosen = append(chosen, all[at])
	}
	return chosen, len(chosen) > 0
}

// typedTemplate is a category template of the keywords chosen: each parameter is
// its type and its place, thing1, amount2 (spec §4.2.6).
func typedTemplate(lib library.Template, chosen []library.Keyword, id string) *template {
	t := template{id: id, family: familyTemplate, title: lib.Title, category: lib.Category}
	t.content, t.example = composeLines("：", chosen, func(place int, k library.Keyword) string {
		return fmt.Sprintf("%s%d", k.Type, place)
	})
	return newTemplate(t)
}

// composeLines writes one line for each keyword, "name：{{key.DATA}}", and the same
// filled in. Places count from 1.
func composeLines(colon string, chosen []library.Keyword, key func(place int, k library.Keyword) string) (content, example string) {
	lines, filled := make([]string, len(chosen)), make([]string, len(chosen))
	for i, k := range chosen {
		lines[i] = k.Name + colon + "{{" + key(i+1, k) + ".DATA}}"
		filled[i] = k.Name + colon + k.Example
	}
	return strings.Join(lines, "\n"), strings.Join(filled, "\n")
}
