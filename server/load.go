package server

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// Load returns the configuration of file ("" = none), the environment and set,
// which changes what flags say; set may be nil. It reports every problem it
// finds as one *ConfigError. The result is valid.
func Load(file string, getenv func(string) string, set func(*Config)) (Config, error) {
	c := Default()
	found := &ConfigError{File: file}
	var where positions
	if file != "" {
		where = c.readFile(file, found)
	}
	c.readEnvironment(getenv, found)
	if set != nil {
		set(&c)
	}
	for _, p := range c.Validate() {
		at := where.of(p.Key)
		p.Line, p.Column = at.line, at.column
		found.Problems = append(found.Problems, p)
	}
	if len(found.Problems) > 0 {
		slices.SortStableFunc(found.Problems, byPlace)
		return Config{}, found
	}
	return c, nil
}

// byPlace orders problems as the file has them; what is not in the file comes last.
func byPlace(a, b Problem) int {
	if (a.Line == 0) != (b.Line == 0) {
		return cmp.Compare(b.Line, a.Line)
	}
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

// Located gives the problems of a *ConfigError that came up after Load their
// places in file ("" = none). Any other error is returned as it is.
func Located(file string, err error) error {
	found, ok := errors.AsType[*ConfigError](err)
	if !ok || file == "" || found.File != "" {
		return err
	}
	content, readErr := os.ReadFile(file)
	if readErr != nil {
		return err
	}
	where, _, keysErr := checkKeys(content)
	if keysErr != nil {
		return err
	}
	located := &ConfigError{File: file, Problems: slices.Clone(found.Problems)}
	for i := range located.Problems {
		p := &located.Problems[i]
		at := where.of(p.Key)
		p.Line, p.Column = at.line, at.column
	}
	return located
}

// readFile lays the file over c, adds its problems to found and returns where its keys are.
func (c *Config) readFile(file string, found *ConfigError) positions {
	content, err := os.ReadFile(file)
	if err != nil {
		found.Problems = append(found.Problems, Problem{Text: "cannot be read: " + plainPathError(err)})
		return nil
	}
	where, wrong, err := checkKeys(content)
	found.Problems = append(found.Problems, wrong...)
	if err == nil && len(bytes.TrimSpace(content)) > 0 {
		err = yaml.NewDecoder(bytes.NewReader(content)).Decode(c)
	}
	if err != nil {
		found.addDecoding(err)
	}
	return where
}

// addDecoding adds what the decoder says, unless that place was found wrong already.
func (e *ConfigError) addDecoding(err error) {
	p, located := yamlProblem(err)
	known := slices.ContainsFunc(e.Problems, func(o Problem) bool { return o.Line == p.Line && o.Column == p.Column })
	if known || !located && len(e.Problems) > 0 {
		return
	}
	e.Problems = append(e.Problems, p)
}

// plainPathError returns the reason without the path, which is shown already.
func plainPathError(err error) string {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}

// yamlProblem keeps the parser's message and place, and leaves out its excerpt
// of the file: the lines around a mistake may hold secrets. located is false
// when the parser did not say where.
func yamlProblem(err error) (p Problem, located bool) {
	placed, ok := errors.AsType[interface {
		error
		GetMessage() string
		GetToken() *token.Token
	}](err)
	if !ok {
		return Problem{Text: "is not a configuration"}, false
	}
	p.Text = placed.GetMessage()
	t := placed.GetToken()
	if wrong, ok := errors.AsType[*yaml.TypeError](err); ok {
		p.Key, p.Text = keyBefore(t), wrongTypeText(wrong.DstType, t)
	}
	if wrong, ok := errors.AsType[*yaml.UnexpectedNodeTypeError](err); ok && wrong.Expected == ast.SequenceType {
		p.Key, p.Text = keyBefore(t), "wrong type: this takes a list"
	}
	if t != nil && t.Position != nil {
		p.Line, p.Column = t.Position.Line, t.Position.Column
	}
	return p, p.Line > 0
}

// wrongTypeText names the value where a number or true or false belongs. Where
// text belongs it does not: the value may be a secret.
func wrongTypeText(want reflect.Type, t *token.Token) string {
	switch want.Kind() {
	case reflect.String, reflect.Slice, reflect.Struct, reflect.Map, reflect.Pointer:
	default:
		if t != nil && slices.Contains(scalars, t.Type) {
			return fmt.Sprintf("%q is not %s", t.Value, typeWords(want))
		}
	}
	return "wrong type: this takes " + typeWords(want)
}

// scalars are the tokens that are a whole value.
var scalars = []token.Type{token.StringType, token.SingleQuoteType, token.DoubleQuoteType, token.IntegerType, token.FloatType, token.BoolType}

// keyBefore returns the key whose value starts at t, "" when t starts no value.
func keyBefore(t *token.Token) string {
	if t == nil || t.Prev == nil || t.Prev.Type != token.MappingValueType || t.Prev.Prev == nil {
		return ""
	}
	return t.Prev.Prev.Value
}

// typeWords says what a Go type looks like in YAML.
func typeWords(t reflect.Type) string {
	switch {
	case t.Kind() == reflect.Pointer:
		return typeWords(t.Elem())
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 10s"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.String:
		return "text"
	case t.Kind() == reflect.Slice:
		return "a list"
	case t.Kind() == reflect.Struct:
		return "further keys"
	default:
		return "a number"
	}
}

// readEnvironment lays HONGYAN_* variables over the settings that fit into one.
func (c *Config) readEnvironment(getenv func(string) string, found *ConfigError) {
	eachSetting(reflect.ValueOf(c).Elem(), "", func(key string, v reflect.Value) {
		name := EnvName(key)
		text := getenv(name)
		if text == "" {
			return
		}
		if err := setFromText(v, text); err != nil {
			found.Problems = append(found.Problems, Problem{Key: name, Text: fmt.Sprintf("%q is not %s", text, typeWords(v.Type()))})
		}
	})
}

// EnvName returns the environment variable of a setting: "log.level" is HONGYAN_LOG_LEVEL.
func EnvName(key string) string {
	return "HONGYAN_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// eachSetting visits every field that a variable can hold, with its dotted key:
// single values and lists of words.
func eachSetting(v reflect.Value, prefix string, visit func(key string, v reflect.Value)) {
	for i := range v.NumField() {
		key := prefix + yamlName(v.Type().Field(i))
		switch field := v.Field(i); {
		case field.Kind() == reflect.Struct:
			eachSetting(field, key+".", visit)
		case field.Kind() == reflect.Slice && field.Type() != wordsType:
		default:
			visit(key, field)
		}
	}
}

var wordsType = reflect.TypeFor[[]string]()

// setFromText sets v to what text says. On an error v may be anything.
func setFromText(v reflect.Value, text string) error {
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		d, err := time.ParseDuration(text)
		v.SetInt(int64(d))
		return err
	case v.Kind() == reflect.Int || v.Kind() == reflect.Int64:
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		v.SetInt(n)
		return err
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		v.SetBool(b)
		return err
	case v.Type() == wordsType:
		v.Set(reflect.ValueOf(strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })))
		return nil
	default:
		v.SetString(text)
		return nil
	}
}
