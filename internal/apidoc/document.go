// Package apidoc reads an OpenAPI document as any program would, for tests: what its
// operations are, and whether a value is as a schema says. Start with Read. It
// knows JSON Schema as far as our documents use it, and shares no code with the
// library that makes them.
package apidoc

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Document is an OpenAPI document, decoded.
type Document map[string]any

// Read decodes one.
func Read(text []byte) (Document, error) {
	var d Document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("read OpenAPI document: %w", err)
	}
	return d, nil
}

// Object is v as an object, nil when it is none.
func Object(v any) map[string]any { o, _ := v.(map[string]any); return o }

// List is v as a list, nil when it is none.
func List(v any) []any { l, _ := v.([]any); return l }

// Follow resolves what may be a reference; nil when it leads nowhere.
func (d Document) Follow(v any) map[string]any {
	o := Object(v)
	ref, is := o["$ref"].(string)
	if !is {
		return o
	}
	at := any(map[string]any(d))
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		at = Object(at)[name]
	}
	return Object(at)
}

// Operation is one of a document's, with where it is.
type Operation struct {
	Method, Path string
	Spec         map[string]any
}

// ID is its operationId, "" when it has none.
func (o Operation) ID() string { id, _ := o.Spec["operationId"].(string); return id }

// Open reports whether it says that it takes no key.
func (o Operation) Open() bool {
	return o.Spec["security"] != nil && len(List(o.Spec["security"])) == 0
}

// Operations are all of them, by path and method.
func (d Document) Operations() (all []Operation) {
	paths := Object(d["paths"])
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item := Object(paths[path])
		for _, method := range slices.Sorted(maps.Keys(item)) {
			all = append(all, Operation{strings.ToUpper(method), path, Object(item[method])})
		}
	}
	return all
}
