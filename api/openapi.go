package api

import (
	_ "embed"
	"encoding/json"
	"html/template"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"hongyan/access"
	"hongyan/client"
)

// fieldSchema documents client.Field, which has two forms on the wire.
type fieldSchema struct{}

// Schema is a bare string, or an object with a colour. Both have names, for
// programs that make code of the document.
func (fieldSchema) Schema(r huma.Registry) *huma.Schema {
	if r.Map()["Field"] == nil {
		r.Map()["Field"] = &huma.Schema{Description: "The value of one key of the template: a bare string, or an object with a colour.",
			OneOf: []*huma.Schema{{Type: huma.TypeString}, {Ref: schemaPrefix + "FieldObject"}}}
		r.Map()["FieldObject"] = &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Required: []string{"value"},
			Properties: map[string]*huma.Schema{
				"value": {Type: huma.TypeString},
				"color": {Type: huma.TypeString, Description: "WeChat ignores it today.", Examples: []any{"#173177"}},
			}}
	}
	return &huma.Schema{Ref: schemaPrefix + "Field"}
}

// plainly documents an operation whose handler is not huma's: one that is built for
// speed, or whose body is a stream. The operation has Method, Path and OperationID;
// what can be derived from them, from the role and from the words is filled in.
func plainly(h huma.API, need access.Role, words about, op huma.Operation) {
	op.Tags, op.Summary, op.Description = []string{tagOf(op.Path)}, words.summary, sentenceRole(words.description, need)
	if op.RequestBody != nil {
		op.RequestBody.Required = !words.optionalBody
	}
	h.OpenAPI().AddOperation(&op)
}

// streamOf documents a body that is read or written as it comes: text, or bytes where it is
// not text.
func streamOf(contentType string) *huma.MediaType {
	schema := &huma.Schema{Type: huma.TypeString}
	if !strings.HasPrefix(contentType, "text/") && contentType != client.NDJSON {
		schema.Format = "binary"
	}
	return &huma.MediaType{Schema: schema}
}

// camel makes ResultsCsv of results-csv.
func camel(words string) (name string) {
	for word := range strings.SplitSeq(words, "-") {
		name += strings.ToUpper(word[:1]) + word[1:]
	}
	return name
}

// describeSend adds POST /v1/messages to the documents.
func (a *API) describeSend(h huma.API) {
	registry := h.OpenAPI().Components.Schemas
	answer := func(text string) *huma.Response {
		return &huma.Response{Description: text, Headers: map[string]*huma.Param{
			"Location":             {Description: "The message's path.", Schema: &huma.Schema{Type: huma.TypeString}},
			"Idempotency-Replayed": {Description: "true when the key's first message was answered.", Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"true"}}},
		}, Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[client.Message](registry)}}}
	}
	longest := maxIdempotencyKey
	plainly(h, sender, aboutSend, huma.Operation{
		Method: http.MethodPost, Path: "/v1/messages", OperationID: "sendMessage",
		Parameters: []*huma.Param{{Name: "Idempotency-Key", In: "header", Description: "Makes repeating the request safe for 24 hours.",
			Schema: &huma.Schema{Type: huma.TypeString, MaxLength: &longest, Pattern: "^[!-~]+$", Examples: []any{"order-1001-paid"}}}},
		RequestBody: &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[client.MessageRequest](registry)}}},
		Responses: map[string]*huma.Response{
			"202": answer("Stored; it will be sent."),
			"200": answer("An earlier message, answered again."),
		},
	})
}

// describeHealth adds the two paths that monitoring asks, open to everybody.
func (a *API) describeHealth(h huma.API) {
	registry := h.OpenAPI().Components.Schemas
	of := func(s *huma.Schema) map[string]*huma.MediaType {
		return map[string]*huma.MediaType{"application/json": {Schema: s}}
	}
	h.OpenAPI().AddOperation(&huma.Operation{
		Method: http.MethodGet, Path: "/healthz", OperationID: "getHealth", Tags: []string{"health"}, Security: []map[string][]string{},
		Summary: aboutHealth.summary, Description: aboutHealth.description,
		Responses: map[string]*huma.Response{"200": {Description: "It answers.", Content: of(schemaOf[client.Health](registry))}},
	})
	h.OpenAPI().AddOperation(&huma.Operation{
		Method: http.MethodGet, Path: "/readyz", OperationID: "getReadiness", Tags: []string{"health"}, Security: []map[string][]string{},
		Summary: aboutReady.summary, Description: aboutReady.description,
		Responses: map[string]*huma.Response{
			"200": {Description: "Messages can be taken and sent.", Content: of(schemaOf[client.Readiness](registry))},
			"503": {Description: "Not now; reason says why.", Content: of(schemaOf[client.Readiness](registry))},
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
				if property.Enum != nil {
					property.Enum = append(property.Enum, nil) // enum is a list of all values, and null is one
				}
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
		values, _ := s.AdditionalProperties.(*huma.Schema)
		follow(values)
		for _, part := range slices.Concat(slices.Collect(maps.Values(s.Properties)), s.OneOf, s.AnyOf, s.AllOf) {
			follow(part)
		}
	}
	for _, item := range spec.Paths {
		for _, op := range operationsOf(item) {
			if op.RequestBody == nil {
				continue
			}
			for _, media := range op.RequestBody.Content {
				follow(media.Schema)
			}
		}
	}
	for name, schema := range registry.Map() {
		if closed, is := schema.AdditionalProperties.(bool); is && !closed && !asked[name] {
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
	refine(spec)
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
