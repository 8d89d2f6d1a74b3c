package apidoc

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	d := Document{"components": map[string]any{"schemas": map[string]any{"Thing": map[string]any{
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
		if got := strings.Join(d.Judge("/", map[string]any{"$ref": "#/components/schemas/Thing"}, v), "; "); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
