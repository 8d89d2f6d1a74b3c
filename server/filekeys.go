package server

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"hongyan/internal/near"
)

// position is a place in the configuration file, 1-based.
type position struct{ line, column int }

// positions tells where each key of the file is, by its path such as
// "accounts[0].base_url".
type positions map[string]position

// of returns where key is, or the nearest key above it that the file has.
func (p positions) of(key string) position {
	for key != "" {
		if at, ok := p[key]; ok {
			return at
		}
		cut := strings.LastIndexAny(key, ".[")
		key = key[:max(cut, 0)]
	}
	return position{}
}

// checkKeys compares every key of the file with the fields of Config and
// returns where the keys are and a problem for each that is unknown, or that is
// a duration without a unit. Decoding strictly would stop at the first.
func checkKeys(content []byte) (positions, []Problem, error) {
	file, err := parser.ParseBytes(content, 0)
	if err != nil {
		return nil, nil, err
	}
	w := keyWalk{where: positions{}}
	for i, doc := range file.Docs {
		if i > 0 && doc.Body != nil {
			at := placeOf(doc.Body)
			w.problems = append(w.problems, Problem{Line: at.line, Column: at.column, Text: "a second YAML document; only one is read"})
			break
		}
		w.node(doc.Body, reflect.TypeFor[Config](), "")
	}
	return w.where, w.problems, nil
}

type keyWalk struct {
	where    positions
	problems []Problem
}

func (w *keyWalk) node(n ast.Node, t reflect.Type, path string) {
	switch n := n.(type) {
	case *ast.AnchorNode:
		w.node(n.Value, t, path)
	case *ast.MappingNode:
		for _, pair := range n.Values {
			w.pair(pair, t, path)
		}
	case *ast.MappingValueNode:
		w.pair(n, t, path)
	case *ast.SequenceNode:
		for i, item := range n.Values {
			itemPath := fmt.Sprintf("%s[%d]", path, i)
			w.where[itemPath] = placeOf(item)
			if t.Kind() == reflect.Slice {
				w.node(item, t.Elem(), itemPath)
			}
		}
	}
}

// pair checks one "key: value" of a mapping that fills t.
func (w *keyWalk) pair(pair *ast.MappingValueNode, t reflect.Type, path string) {
	if t.Kind() != reflect.Struct || pair.Key.IsMergeKey() {
		return
	}
	name := pair.Key.GetToken().Value
	at := placeOf(pair.Key)
	field, ok := fieldByYAMLName(t, name)
	if !ok {
		w.problems = append(w.problems, unknownKey(name, t, path, at))
		return
	}
	full := strings.TrimPrefix(path+"."+name, ".")
	w.where[full] = at
	if field.Type == reflect.TypeFor[time.Duration]() {
		w.duration(pair.Value, full)
		return
	}
	w.node(pair.Value, field.Type, full)
}

// duration insists on a unit: a bare number would be read as nanoseconds.
func (w *keyWalk) duration(value ast.Node, path string) {
	text := value.GetToken().Value
	if _, err := time.ParseDuration(text); err != nil {
		at := placeOf(value)
		w.problems = append(w.problems, Problem{Line: at.line, Column: at.column, Key: path,
			Text: fmt.Sprintf("%q is not a duration", text), Cure: "write something like 10s or 2m"})
	}
}

func unknownKey(name string, t reflect.Type, path string, at position) Problem {
	p := Problem{Line: at.line, Column: at.column, Text: fmt.Sprintf("unknown key %q", name)}
	if path != "" {
		p.Text += " in " + path
	}
	known := yamlNames(t)
	if meant := near.Word(name, known); meant != "" {
		p.Cure = fmt.Sprintf("did you mean %q?", meant)
	} else {
		p.Cure = "keys here are " + strings.Join(known, ", ")
	}
	return p
}

func placeOf(n ast.Node) position {
	switch m := n.(type) {
	case *ast.MappingNode: // its own token is the first colon
		if len(m.Values) > 0 {
			return placeOf(m.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return placeOf(m.Key)
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return position{t.Position.Line, t.Position.Column}
	}
	return position{}
}

// yamlName returns the key a field has in the file.
func yamlName(f reflect.StructField) string { return f.Tag.Get("yaml") }

func yamlNames(t reflect.Type) []string {
	names := make([]string, t.NumField())
	for i := range names {
		names[i] = yamlName(t.Field(i))
	}
	return names
}

func fieldByYAMLName(t reflect.Type, name string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		if f := t.Field(i); yamlName(f) == name {
			return f, true
		}
	}
	return reflect.StructField{}, false
}
