package apidoc

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"time"
)

// Judge says where a value differs from a schema, each line with a JSON pointer
// below at. A field of an object that the schema does not list is one, even where
// others would be allowed.
func (d Document) Judge(at string, schema any, v any) []string {
	s := d.Follow(schema)
	if s == nil {
		return []string{at + ": no schema"}
	}
	for _, word := range []string{"oneOf", "anyOf"} {
		if parts := List(s[word]); parts != nil {
			return d.judgeEither(at, word, parts, v)
		}
	}
	if word := typeOf(v); s["type"] != nil && !Allows(s["type"], word) && (word != "integer" || !Allows(s["type"], "number")) {
		return []string{fmt.Sprintf("%s: %s, want %v", at, word, s["type"])}
	}
	if enum := List(s["enum"]); enum != nil && !slices.Contains(enum, v) {
		return []string{fmt.Sprintf("%s: %v is not one of %v", at, v, enum)}
	}
	switch v := v.(type) {
	case map[string]any:
		return d.judgeObject(at, s, v)
	case []any:
		var wrong []string
		for i, item := range v {
			wrong = append(wrong, d.Judge(fmt.Sprint(at, "/", i), s["items"], item)...)
		}
		return wrong
	case string:
		return judgeText(at, s, v)
	}
	return nil
}

func (d Document) judgeEither(at, word string, parts []any, v any) []string {
	fits := 0
	for _, part := range parts {
		if len(d.Judge(at, part, v)) == 0 {
			fits++
		}
	}
	if fits == 0 || word == "oneOf" && fits > 1 {
		return []string{fmt.Sprintf("%s: %v fits %d of %s", at, v, fits, word)}
	}
	return nil
}

func (d Document) judgeObject(at string, s, v map[string]any) (wrong []string) {
	for _, name := range List(s["required"]) {
		if _, has := v[name.(string)]; !has {
			wrong = append(wrong, fmt.Sprintf("%s: no %s", at, name))
		}
	}
	properties := Object(s["properties"])
	for name, value := range v {
		property, known := properties[name]
		if !known {
			property = s["additionalProperties"]
		}
		switch {
		case property == false:
			wrong = append(wrong, fmt.Sprintf("%s: %s is not expected", at, name))
		case Object(property) != nil:
			wrong = append(wrong, d.Judge(at+"/"+name, property, value)...)
		case !known && property == nil && properties != nil:
			wrong = append(wrong, fmt.Sprintf("%s: %s is not documented", at, name)) // allowed, but ours to document
		}
	}
	return wrong
}

func judgeText(at string, s map[string]any, v string) []string {
	if pattern, is := s["pattern"].(string); is && !regexp.MustCompile(pattern).MatchString(v) {
		return []string{fmt.Sprintf("%s: %q does not match %s", at, v, pattern)}
	}
	if _, err := time.Parse(time.RFC3339, v); s["format"] == "date-time" && err != nil {
		return []string{fmt.Sprintf("%s: %q is not a time", at, v)}
	}
	return nil
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case float64:
		if v == math.Trunc(v) {
			return "integer"
		}
		return "number"
	default:
		return "object"
	}
}

// Allows reports whether a schema's type, a word or a list of words, names the word.
func Allows(of any, word string) bool { return of == word || slices.Contains(List(of), any(word)) }
