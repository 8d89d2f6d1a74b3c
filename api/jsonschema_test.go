package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// document is the OpenAPI document as any program reads it.
type document map[string]any

func newDocument(t *testing.T, g *gateway) document {
	t.Helper()
	var d document
	if err := json.Unmarshal([]byte(g.do("GET", "/openapi.json", "", "Authorization", "").body), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// object is v as an object, nil when it is none.
func object(v any) map[string]any { o, _ := v.(map[string]any); return o }

func list(v any) []any { l, _ := v.([]any); return l }

// follow resolves what may be a reference.
func (d document) follow(v any) map[string]any {
	o := object(v)
	ref, is := o["$ref"].(string)
	if !is {
		return o
	}
	at := any(map[string]any(d))
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		at = object(at)[name]
	}
	return object(at)
}

// operation is one of the document's, with where it is.
type documentedOperation struct {
	method, path string
	spec         map[string]any
}

func (o documentedOperation) id() string { id, _ := o.spec["operationId"].(string); return id }

// operations are all of them, by path and method.
func (d document) operations() (all []documentedOperation) {
	paths := object(d["paths"])
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item := object(paths[path])
		for _, method := range slices.Sorted(maps.Keys(item)) {
			all = append(all, documentedOperation{strings.ToUpper(method), path, object(item[method])})
		}
	}
	return all
}

// judge says where a value differs from a schema, each line with a JSON pointer. It is
// JSON Schema as far as the document uses it, written apart from the library
// that makes the document.
func (d document) judge(at string, schema any, v any) []string {
	s := d.follow(schema)
	if s == nil {
		return []string{at + ": no schema"}
	}
	for _, word := range []string{"oneOf", "anyOf"} {
		if parts := list(s[word]); parts != nil {
			return d.judgeEither(at, word, parts, v)
		}
	}
	if word := typeOf(v); s["type"] != nil && !allows(s["type"], word) && (word != "integer" || !allows(s["type"], "number")) {
		return []string{fmt.Sprintf("%s: %s, want %v", at, word, s["type"])}
	}
	if enum := list(s["enum"]); enum != nil && !slices.Contains(enum, v) {
		return []string{fmt.Sprintf("%s: %v is not one of %v", at, v, enum)}
	}
	switch v := v.(type) {
	case map[string]any:
		return d.judgeObject(at, s, v)
	case []any:
		var wrong []string
		for i, item := range v {
			wrong = append(wrong, d.judge(fmt.Sprint(at, "/", i), s["items"], item)...)
		}
		return wrong
	case string:
		return judgeText(at, s, v)
	}
	return nil
}

func (d document) judgeEither(at, word string, parts []any, v any) []string {
	fits := 0
	for _, part := range parts {
		if len(d.judge(at, part, v)) == 0 {
			fits++
		}
	}
	if fits == 0 || word == "oneOf" && fits > 1 {
		return []string{fmt.Sprintf("%s: %v fits %d of %s", at, v, fits, word)}
	}
	return nil
}

func (d document) judgeObject(at string, s, v map[string]any) (wrong []string) {
	for _, name := range list(s["required"]) {
		if _, has := v[name.(string)]; !has {
			wrong = append(wrong, fmt.Sprintf("%s: no %s", at, name))
		}
	}
	properties := object(s["properties"])
	for name, value := range v {
		property, known := properties[name]
		if !known {
			property = s["additionalProperties"]
		}
		switch {
		case property == false:
			wrong = append(wrong, fmt.Sprintf("%s: %s is not expected", at, name))
		case object(property) != nil:
			wrong = append(wrong, d.judge(at+"/"+name, property, value)...)
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

// allows reports whether a schema's type, a word or a list of words, names the word.
func allows(of any, word string) bool { return of == word || slices.Contains(list(of), any(word)) }

func TestJudge(t *testing.T) {
	d := document{"components": map[string]any{"schemas": map[string]any{"Thing": map[string]any{
		"type": "object", "required": []any{"id"}, "additionalProperties": false,
		"properties": map[string]any{"id": map[string]any{"type": "string", "pattern": "^a"}, "n": map[string]any{"type": []any{"integer", "null"}},
			"at": map[string]any{"type": "string", "format": "date-time"}, "state": map[string]any{"type": "string", "enum": []any{"on", "off"}},
			"either": map[string]any{"anyOf": []any{map[string]any{"$ref": "#/components/schemas/Thing"}, map[string]any{"type": "null"}}},
			"items":  map[string]any{"type": "array", "items": map[string]any{"type": "number"}}},
	}}}}
	for text, want := range map[string]string{
		`{"id":"a","n":null,"at":"2026-11-20T01:30:00.000Z","state":"on","either":{"id":"ab"},"items":[1,2.5]}`: "",
		`{}`:                          "/: no id",
		`{"id":1}`:                    "//id: integer, want string",
		`{"id":"b"}`:                  `//id: "b" does not match ^a`,
		`{"id":"a","n":1.5}`:          "//n: number, want [integer null]",
		`{"id":"a","at":"now"}`:       `//at: "now" is not a time`,
		`{"id":"a","state":"up"}`:     "//state: up is not one of [on off]",
		`{"id":"a","either":{"x":1}}`: "//either: map[x:1] fits 0 of anyOf",
		`{"id":"a","items":[1,"2"]}`:  "//items/1: string, want number",
		`{"id":"a","more":1}`:         "/: more is not expected",
		`[]`:                          "/: array, want object",
	} {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(d.judge("/", map[string]any{"$ref": "#/components/schemas/Thing"}, v), "; "); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
