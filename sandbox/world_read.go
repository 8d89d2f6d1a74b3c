package sandbox

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	yamltoken "github.com/goccy/go-yaml/token"

	strict "github.com/go-json-experiment/json"
)

// ReadWorld reads a seed file in YAML and tries it out. Unknown and repeated keys are
// refused. The error is a [*WorldError] that names the line.
func ReadWorld(content []byte) (*World, error) {
	file := &yamlFile{lines: map[string]int{}, anchors: map[string]ast.Node{}}
	text, err := file.toJSON(content)
	if err != nil {
		return nil, err
	}
	w := new(World)
	if err := file.decode(text, w); err != nil {
		return nil, file.explain(err)
	}
	trial := emptyPlatform(Options{}.withDefaults(), newDice(1), &feed{})
	if err := w.plant(trial); err != nil {
		return nil, file.explain(err)
	}
	return w, nil
}

// yamlFile turns YAML into JSON, which the control API's own rules can then be
// applied to, and remembers on which line each value was.
type yamlFile struct {
	lines   map[string]int // by the path of a value, such as accounts.0.era
	anchors map[string]ast.Node
}

func (f *yamlFile) toJSON(content []byte) ([]byte, error) {
	parsed, err := parser.ParseBytes(content, 0)
	if err != nil {
		return nil, syntaxError(err)
	}
	switch {
	case len(parsed.Docs) == 0 || len(parsed.Docs) == 1 && parsed.Docs[0].Body == nil:
		return []byte("{}"), nil
	case len(parsed.Docs) > 1:
		return nil, &WorldError{Line: parsed.Docs[1].GetToken().Position.Line, Rule: "there must be one document"}
	}
	v, err := f.value("", parsed.Docs[0].Body)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, &WorldError{Rule: "numbers must be finite"}
	}
	return text, nil
}

// syntaxError keeps the parser's message and line, without its excerpt of the
// file: the lines around a mistake may hold secrets.
func syntaxError(err error) error {
	placed, ok := errors.AsType[interface {
		error
		GetMessage() string
		GetToken() *yamltoken.Token
	}](err)
	if !ok {
		return &WorldError{Rule: "must be YAML"}
	}
	e := &WorldError{Rule: placed.GetMessage()}
	if t := placed.GetToken(); t != nil && t.Position != nil {
		e.Line = t.Position.Line
	}
	return e
}

// value is the node as encoding/json writes it.
func (f *yamlFile) value(path string, node ast.Node) (any, error) {
	if t := node.GetToken(); t != nil && t.Position != nil && f.lines[path] == 0 {
		f.lines[path] = t.Position.Line
	}
	switch n := node.(type) {
	case *ast.MappingNode:
		return f.mapping(path, n.Values)
	case *ast.MappingValueNode:
		return f.mapping(path, []*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		list := make([]any, len(n.Values))
		for i, item := range n.Values {
			var err error
			if list[i], err = f.value(join(path, strconv.Itoa(i)), item); err != nil {
				return nil, err
			}
		}
		return list, nil
	case *ast.AnchorNode:
		v, err := f.value(path, n.Value)
		f.anchors[n.Name.GetToken().Value] = n.Value // not before: an anchor cannot hold itself
		return v, err
	case *ast.AliasNode:
		if target := f.anchors[n.Value.GetToken().Value]; target != nil {
			return f.value(path, target)
		}
		return nil, f.explain(&ControlError{Field: path, Rule: "names an anchor that is not there"})
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case ast.ScalarNode:
		return n.GetValue(), nil
	}
	return nil, f.explain(&ControlError{Field: path, Rule: "is of a kind that seed files do not have"})
}

func (f *yamlFile) mapping(path string, values []*ast.MappingValueNode) (any, error) {
	members := make(map[string]any, len(values))
	for _, member := range values {
		name := member.Key.GetToken().Value
		at := join(path, name)
		f.lines[at] = member.Key.GetToken().Position.Line
		if member.Key.IsMergeKey() {
			return nil, f.explain(&ControlError{Field: at, Rule: "merge keys are not supported"})
		}
		v, err := f.value(at, member.Value)
		if err != nil {
			return nil, err
		}
		members[name] = v
	}
	return members, nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// decode reads the JSON as strictly as the control API does.
func (f *yamlFile) decode(text []byte, w *World) error {
	if err := strict.Unmarshal(text, w, strict.RejectUnknownMembers(true)); err != nil {
		err = decodeError(nil, err)
		if e, ok := err.(*ControlError); ok {
			e.Value = nil // it might be the whole list, secrets included
			if e.Rule == "must be a string" {
				e.Rule = "must be text: put it in quotes"
			}
		}
		return err
	}
	var raw struct {
		Faults []jsontext.Value `json:"faults"`
	}
	if err := strict.Unmarshal(text, &raw); err != nil {
		return err // cannot happen: it was decoded above
	}
	for i, fault := range raw.Faults {
		if err := refuseZeros(fault); err != nil {
			return within("faults."+strconv.Itoa(i), err)
		}
	}
	return nil
}

// explain finds the line of a refusal: that of the field, or of what the field is
// missing from.
func (f *yamlFile) explain(err error) error {
	e, ok := err.(*ControlError)
	if !ok {
		return &WorldError{Rule: err.Error()}
	}
	path := strings.TrimPrefix(e.Field, "body")
	out := &WorldError{Field: brackets(path), Rule: e.Rule, Value: e.Value}
	for {
		if out.Line = f.lines[path]; out.Line > 0 || path == "" {
			return out
		}
		path = path[:max(0, strings.LastIndexByte(path, '.'))]
	}
}

// brackets writes accounts.0.era as accounts[0].era.
func brackets(path string) string {
	b := strings.Builder{}
	for i, part := range strings.Split(path, ".") {
		if _, err := strconv.Atoi(part); err == nil {
			b.WriteString("[" + part + "]")
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(part)
	}
	return b.String()
}
