package wechat

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// EnumsByKey gives the values that keywords of the type enum may have, by the key that
// data uses; nil when there are none.
func (t *SubscribeTemplate) EnumsByKey() map[string][]string {
	var byKey map[string][]string
	for _, e := range t.Enums {
		if byKey == nil {
			byKey = map[string][]string{}
		}
		byKey[strings.TrimSuffix(e.KeywordCode, dataSuffix)] = slices.Clone(e.Values)
	}
	return byKey
}

// ValidateEnums compares the values of data with those that the platform allows the
// keywords of the type enum, by key. What is empty is ValidateData's to complain of.
func ValidateEnums(enums map[string][]string, data Data) []ValueProblem {
	var problems []ValueProblem
	for _, key := range slices.Sorted(maps.Keys(enums)) {
		value := strings.TrimSpace(data[key].Value)
		if value == "" || slices.Contains(enums[key], value) {
			continue
		}
		const rule = "enum:allowed"
		allowed := strings.Join(enums[key], "/")
		problems = append(problems, ValueProblem{
			Key: key, Kind: ProblemRule, Rule: rule, Value: data[key].Value, Fatal: true,
			Detail:   fmt.Sprintf("%s: one of %s, got %s (rule %s)", key, allowed, quoted(value), rule),
			DetailZH: fmt.Sprintf("%s：只能是 %s 之一，当前值为 %s（规则 %s）", key, allowed, quoted(value), rule),
		})
	}
	return problems
}
