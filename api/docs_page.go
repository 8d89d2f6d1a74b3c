package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// docsPage is what docs.html shows: the OpenAPI document, ordered for reading.
type docsPage struct {
	Title, Version string
	Intro          []string // paragraphs
	Groups         []docsGroup
	Schemas        []docsSchema
	Problems       []docsProblem
}

type docsGroup struct {
	ID, Heading string
	Operations  []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary string
	Text                      []string
	Parameters                []docsField
	Request                   string // a schema's name, or ""
	Examples                  []docsExample
	Answers                   []docsAnswer
}

type docsExample struct{ Text, Body string }

type docsAnswer struct{ Status, Text, Schema string }

type docsField struct {
	Name, Type, Text string
	Required         bool
	Link             string // the schema the type names, or ""
}

type docsSchema struct {
	Name   string
	Fields []docsField
}

type docsProblem struct {
	Code, Title, TitleZH string
	Status               int
}

func newDocsPage(spec *huma.OpenAPI) docsPage {
	page := docsPage{Title: spec.Info.Title, Version: spec.Info.Version, Intro: paragraphs(spec.Info.Description)}
	for _, tag := range spec.Tags {
		page.Groups = append(page.Groups, docsGroup{ID: tag.Name, Heading: tag.Description, Operations: docsOperations(spec, tag.Name)})
	}
	for name, schema := range spec.Components.Schemas.Map() {
		page.Schemas = append(page.Schemas, docsSchema{Name: name, Fields: docsFields(schema)})
	}
	slices.SortFunc(page.Schemas, func(a, b docsSchema) int { return cmp.Compare(a.Name, b.Name) })
	for code, info := range problemCodes {
		page.Problems = append(page.Problems, docsProblem{Code: code, Title: info.title, TitleZH: info.titleZH, Status: info.status})
	}
	slices.SortFunc(page.Problems, func(a, b docsProblem) int {
		return cmp.Or(cmp.Compare(a.Status, b.Status), cmp.Compare(a.Code, b.Code))
	})
	return page
}

func paragraphs(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n\n"), func(p string) bool { return p == "" })
}

func docsOperations(spec *huma.OpenAPI, tag string) []docsOperation {
	var all []docsOperation
	for path, item := range spec.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil && slices.Contains(op.Tags, tag) {
				all = append(all, docsOperationOf(spec, path, op))
			}
		}
	}
	slices.SortFunc(all, func(a, b docsOperation) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	return all
}

func docsOperationOf(spec *huma.OpenAPI, path string, op *huma.Operation) docsOperation {
	d := docsOperation{ID: op.OperationID, Method: op.Method, Path: path, Summary: op.Summary, Text: paragraphs(op.Description)}
	for _, p := range op.Parameters {
		kind, _ := docsType(p.Schema)
		d.Parameters = append(d.Parameters, docsField{Name: p.Name, Type: p.In + ", " + kind, Text: p.Description, Required: p.Required})
	}
	if op.RequestBody != nil {
		d.Request = contentSchema(op.RequestBody.Content)
		d.Examples = docsExamples(op.OperationID)
	}
	for status, answer := range op.Responses {
		if shared := spec.Components.Responses[lastElement(answer.Ref)]; shared != nil {
			answer = shared
		}
		d.Answers = append(d.Answers, docsAnswer{Status: status, Text: answer.Description, Schema: contentSchema(answer.Content)})
	}
	slices.SortFunc(d.Answers, func(a, b docsAnswer) int { return cmp.Compare(a.Status, b.Status) })
	return d
}

// docsExamples are the bodies of an operation's examples, laid out for reading.
func docsExamples(id string) (shown []docsExample) {
	for _, e := range exampleBodies[id] {
		if e.media != "" {
			shown = append(shown, docsExample{e.text + " (" + e.media + ")", e.body})
			continue
		}
		var body bytes.Buffer
		if err := json.Indent(&body, []byte(e.body), "", "  "); err != nil {
			panic("api: example " + id + " " + e.name + ": " + err.Error())
		}
		shown = append(shown, docsExample{e.text, body.String()})
	}
	return shown
}

func contentSchema(content map[string]*huma.MediaType) string {
	for _, media := range content {
		if media.Schema != nil {
			return refName(media.Schema)
		}
	}
	return ""
}

func refName(s *huma.Schema) string { return lastElement(s.Ref) }

func lastElement(ref string) string { return ref[strings.LastIndex(ref, "/")+1:] }

func docsFields(s *huma.Schema) []docsField {
	var fields []docsField
	for _, form := range s.OneOf { // a schema that has several forms has no fields
		kind, link := docsType(form)
		fields = append(fields, docsField{Type: kind, Link: link})
	}
	for name, property := range s.Properties {
		kind, link := docsType(property)
		fields = append(fields, docsField{Name: name, Type: kind, Text: property.Description, Required: slices.Contains(s.Required, name), Link: link})
	}
	slices.SortFunc(fields, func(a, b docsField) int { return cmp.Compare(a.Name, b.Name) })
	return fields
}

// docsType describes a schema in a few words, and names the schema it leads to.
func docsType(s *huma.Schema) (words, link string) {
	switch {
	case s == nil:
		return "any", ""
	case s.Ref != "":
		return refName(s), refName(s)
	case len(s.AnyOf) > 0:
		words, link = docsType(s.AnyOf[0])
		return words + " or null", link
	case s.Type == huma.TypeArray:
		words, link = docsType(s.Items)
		return "array of " + words, link
	case s.Type == "" && s.AdditionalProperties == true:
		return "object or null", ""
	case s.Type == "":
		return "any JSON", ""
	}
	words = s.Type
	if s.Format == "date-time" {
		words = "time"
	}
	if len(s.Enum) > 0 {
		words = docsEnum(s.Enum)
	}
	if values, ok := s.AdditionalProperties.(*huma.Schema); ok {
		words, link = docsType(values)
		return "object of " + words, link
	}
	if s.Nullable {
		words += " or null"
	}
	return words, ""
}

func docsEnum(values []any) string {
	var words []string
	for _, v := range values {
		if v == nil { // said by Nullable
			continue
		}
		raw, err := json.Marshal(v)
		if err != nil {
			raw = []byte(fmt.Sprint(v))
		}
		words = append(words, string(raw))
	}
	return strings.Join(words, " | ")
}
