package dispatch

import (
	"maps"
	"strconv"
	"strings"

	"hongyan/wechat"
)

// cutOwn is cutValue on data of the request's own: the caller's map may belong
// to other requests too.
func cutOwn(r *Request, v wechat.ValueProblem, rules wechat.RuleSet) bool {
	data := maps.Clone(r.Data)
	cut := cutValue(data, v, rules)
	if cut {
		r.Data = data
	}
	return cut
}

// cutValue shortens a value that only breaks a rule of length, for accounts
// that prefer a cut line to a refusal, and reports whether it did.
func cutValue(d Data, v wechat.ValueProblem, rules wechat.RuleSet) bool {
	_, limit, found := strings.Cut(v.Rule, ":max")
	if !found {
		return false
	}
	n, err := strconv.Atoi(limit)
	if err != nil {
		return false
	}
	f := d[v.Key]
	runes := []rune(f.Value)
	if n < 1 || len(runes) <= n {
		return false
	}
	f.Value = string(runes[:n-1]) + "…"
	if wechat.ValidateValue(v.Key, f.Value, rules) != nil {
		f.Value = string(runes[:n])
		if wechat.ValidateValue(v.Key, f.Value, rules) != nil {
			return false
		}
	}
	d[v.Key] = f
	return true
}

// escapePointer escapes a JSON pointer token (RFC 6901).
func escapePointer(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(s)
}
