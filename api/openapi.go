package api

import (
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"hongyan/client"
)

// fieldSchema documents client.Field, which has two forms on the wire.
type fieldSchema struct{}

// Schema is a bare string, or an object with a colour.
func (fieldSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{
		{Type: huma.TypeString},
		{Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{
			"value": {Type: huma.TypeString},
			"color": {Type: huma.TypeString, Examples: []any{"#173177"}},
		}},
	}}
}

// describeSend adds POST /v1/messages to the documents; its handler is not huma's.
func (a *API) describeSend(h huma.API) {
	registry := h.OpenAPI().Components.Schemas
	of := func(t reflect.Type) map[string]*huma.MediaType {
		return map[string]*huma.MediaType{"application/json": {Schema: registry.Schema(t, true, "")}}
	}
	answer := func(text string) *huma.Response {
		return &huma.Response{Description: text, Content: of(reflect.TypeFor[client.Message]()), Headers: map[string]*huma.Param{
			"Location":             {Schema: &huma.Schema{Type: huma.TypeString}},
			"Idempotency-Replayed": {Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"true"}}},
		}}
	}
	longest := maxIdempotencyKey
	h.OpenAPI().AddOperation(&huma.Operation{
		Method: http.MethodPost, Path: "/v1/messages", OperationID: "post-messages", Tags: []string{"messages"},
		Summary: aboutSend.summary, Description: sentenceRole(aboutSend.description, sender),
		Parameters: []*huma.Param{{Name: "Idempotency-Key", In: "header", Description: "Makes repeating the request safe for 24 hours.",
			Schema: &huma.Schema{Type: huma.TypeString, MaxLength: &longest, Examples: []any{"order-1001-paid"}}}},
		RequestBody: &huma.RequestBody{Required: true, Content: of(reflect.TypeFor[client.MessageRequest]())},
		Responses: map[string]*huma.Response{
			"202": answer("Stored; it will be sent."),
			"200": answer("An earlier message, answered again."),
			"default": {Description: "Error", Content: map[string]*huma.MediaType{
				problemType: {Schema: registry.Schema(reflect.TypeFor[problem](), true, "")}}},
		},
	})
}

// markNullable says in the schemas what Go says with a pointer that is always
// written: the value or null. huma cannot say so of objects and aliased types.
func markNullable(r huma.Registry) {
	for name, schema := range r.Map() {
		t := r.TypeFromRef("#/components/schemas/" + name)
		if t == nil || t.Kind() != reflect.Struct {
			continue
		}
		for i := range t.NumField() {
			f := t.Field(i)
			field, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			property := schema.Properties[field]
			if f.Type.Kind() != reflect.Pointer || options != "" || property == nil {
				continue
			}
			if property.Ref == "" {
				property.Nullable = true
				continue
			}
			schema.Properties[field] = &huma.Schema{Description: property.Description,
				AnyOf: []*huma.Schema{{Ref: property.Ref}, {Type: "null"}}}
		}
	}
}

// openAnswers lets answers grow: schemas that no request leads to allow fields
// that are not listed, so that strict readers of today take answers of tomorrow.
func openAnswers(spec *huma.OpenAPI) {
	registry := spec.Components.Schemas
	asked := map[string]bool{}
	var follow func(s *huma.Schema)
	follow = func(s *huma.Schema) {
		if s == nil {
			return
		}
		if name := refName(s); name != "" && !asked[name] {
			asked[name] = true
			follow(registry.Map()[name])
		}
		follow(s.Items)
		for _, one := range s.OneOf {
			follow(one)
		}
		for _, property := range s.Properties {
			follow(property)
		}
	}
	for _, item := range spec.Paths {
		for _, op := range []*huma.Operation{item.Post, item.Put, item.Patch} {
			if op != nil && op.RequestBody != nil {
				if asked := op.RequestBody.Content["application/json"]; asked != nil {
					follow(asked.Schema)
				}
			}
		}
	}
	for name, schema := range registry.Map() {
		if !asked[name] {
			schema.AdditionalProperties = nil
		}
	}
}

// documents are the OpenAPI document and the page made from it.
type documents struct {
	openAPI []byte
	page    []byte
}

//go:embed docs.html
var docsSource string

var docsTemplate = template.Must(template.New("docs").Parse(docsSource))

// newDocuments prints both once. It panics when they cannot be printed: then
// the program itself is wrong.
func newDocuments(spec *huma.OpenAPI) documents {
	markNullable(spec.Components.Schemas)
	openAnswers(spec)
	raw, err := json.MarshalIndent(spec, "", "  ")
	if err != nil {
		panic("api: print OpenAPI: " + err.Error())
	}
	var page strings.Builder
	if err := docsTemplate.Execute(&page, newDocsPage(spec)); err != nil {
		panic("api: print docs: " + err.Error())
	}
	return documents{openAPI: append(raw, '\n'), page: []byte(page.String())}
}

func (d *documents) serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header()["Content-Type"] = jsonContent
	_, _ = w.Write(d.openAPI)
}

// pagePolicy lets a page use its own style sheet and nothing else.
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func servePage(w http.ResponseWriter, status int, page []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(page)
}

func (d *documents) servePage(w http.ResponseWriter, _ *http.Request) {
	servePage(w, http.StatusOK, d.page)
}
