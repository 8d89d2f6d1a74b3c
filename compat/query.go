package compat

import (
	"net/url"
	"strings"
)

// query is a query string whose parameters can be read and exchanged one by one,
// while all others stay byte for byte as the caller wrote them.
type query []string // name=value, escaped

func readQuery(raw string) query {
	if raw == "" {
		return nil
	}
	return strings.Split(raw, "&")
}

// get returns the first value of a parameter; "" when it is absent.
func (q query) get(name string) string {
	for _, pair := range q {
		if key, value := halves(pair); key == name {
			return value
		}
	}
	return ""
}

// set puts value in the place of the first of a parameter's values and drops the
// others. A parameter that is absent stays absent.
func (q query) set(name, value string) query {
	out, done := make(query, 0, len(q)), false
	for _, pair := range q {
		key, _ := halves(pair)
		switch {
		case key != name:
			out = append(out, pair)
		case !done:
			out, done = append(out, name+"="+url.QueryEscape(value)), true
		}
	}
	return out
}

// without drops a parameter.
func (q query) without(name string) query {
	out := make(query, 0, len(q))
	for _, pair := range q {
		if key, _ := halves(pair); key != name {
			out = append(out, pair)
		}
	}
	return out
}

func (q query) String() string { return strings.Join(q, "&") }

// halves unescapes a pair. What cannot be unescaped has no name that is looked for.
func halves(pair string) (key, value string) {
	rawKey, rawValue, _ := strings.Cut(pair, "=")
	key, err := url.QueryUnescape(rawKey)
	if err != nil {
		return "", ""
	}
	value, err = url.QueryUnescape(rawValue)
	if err != nil {
		return key, rawValue
	}
	return key, value
}
