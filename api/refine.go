package api

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// This file completes the OpenAPI document by rules, so that a new route is as
// well described as the others without a word about it.

// refine is called once all routes are registered.
func refine(spec *huma.OpenAPI) {
	markNullable(spec.Components.Schemas)
	freeObjects(spec.Components.Schemas)
	openAnswers(spec)
	spec.Components.Responses = refusals(spec.Components.Schemas)
	for _, item := range spec.Paths {
		for _, op := range operationsOf(item) {
			describeRefusals(op)
			describeParameters(op)
			describeExamples(op)
		}
	}
}

// operationsOf returns what a path does.
func operationsOf(item *huma.PathItem) []*huma.Operation {
	return slices.DeleteFunc([]*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete}, func(op *huma.Operation) bool { return op == nil })
}

const schemaPrefix = "#/components/schemas/"

// schemaOf is a reference to the schema of T, which it registers.
func schemaOf[T any](r huma.Registry) *huma.Schema { return r.Schema(reflect.TypeFor[T](), true, "") }

// The JSON types of OpenAPI that huma has no field for: a free object or null.
var objectOrNull = map[string]any{"type": []string{huma.TypeObject, "null"}}

// freeObjects says of the fields that hold JSON of the caller's or of WeChat's
// that they are objects. huma calls them anything.
func freeObjects(r huma.Registry) {
	for _, schema := range r.Map() {
		for name, property := range schema.Properties {
			switch {
			case property.Type != "" || property.Ref != "" || property.AnyOf != nil || property.OneOf != nil:
			case slices.Contains(schema.Required, name):
				property.AdditionalProperties = true
				property.Extensions = objectOrNull
			default:
				property.Type, property.AdditionalProperties = huma.TypeObject, true
			}
		}
	}
}

// refusal is a status that refuses, with the name it has in the document.
type refusal struct {
	status     int
	name, text string
	retryAfter bool
}

var documentedRefusals = []refusal{
	{http.StatusBadRequest, "BadRequest", "The body is not JSON, or has a field that is unknown, repeated or of another type. 请求体不是合法的 JSON，或含有未知、重复、类型错误的字段。", false},
	{http.StatusUnauthorized, "Unauthorized", "No API key, or one that is not valid here. 没有密钥或密钥无效。", false},
	{http.StatusForbidden, "Forbidden", "The key's role or accounts do not reach so far. 密钥的角色或账号范围不足。", false},
	{http.StatusNotFound, "NotFound", "There is no such thing, or not for this key. 对象不存在，或当前密钥无权查看。", false},
	{http.StatusConflict, "Conflict", "Not possible in the present state. 当前状态不允许该操作。", false},
	{http.StatusRequestEntityTooLarge, "TooLarge", "The body is too long. 请求体过大。", false},
	{http.StatusUnprocessableEntity, "Invalid", "A value breaks a rule; errors says which. 某个值不符合规则，见 errors。", false},
	{http.StatusServiceUnavailable, "Unavailable", "Not possible at the moment; try again after Retry-After seconds. 暂时不可用，请按 Retry-After 等待后重试。", true},
	{http.StatusInsufficientStorage, "Full", "The disk is full; nothing more is accepted. 磁盘已满，不再受理。", true},
	{0, "Problem", "Any other refusal. 其他错误。", false},
}

// refusals are the answers that operations share.
func refusals(r huma.Registry) map[string]*huma.Response {
	all := map[string]*huma.Response{}
	for _, known := range documentedRefusals {
		answer := &huma.Response{Description: known.text, Content: map[string]*huma.MediaType{problemType: {Schema: schemaOf[problem](r)}}}
		if known.retryAfter {
			answer.Headers = map[string]*huma.Param{"Retry-After": {Description: "Seconds to wait. 应等待的秒数。", Schema: &huma.Schema{Type: huma.TypeInteger}}}
		}
		all[known.name] = answer
	}
	return all
}

// describeRefusals adds to an operation the ways in which it can refuse. What it
// says itself stays.
func describeRefusals(op *huma.Operation) {
	for _, known := range documentedRefusals {
		status := "default"
		if known.status != 0 {
			status = strconv.Itoa(known.status)
		}
		if (op.Responses[status] == nil || known.status == 0) && refuses(op, known.status) {
			op.Responses[status] = &huma.Response{Ref: "#/components/responses/" + known.name}
		}
	}
}

// refuses reports whether an operation can answer with the status; 0 is any other.
func refuses(op *huma.Operation, status int) bool {
	open := op.Security != nil && len(op.Security) == 0
	changes := op.Method != http.MethodGet
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return !open
	case http.StatusNotFound:
		return strings.Contains(op.Path, "{")
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		return op.RequestBody != nil
	case http.StatusConflict, http.StatusInsufficientStorage:
		return changes
	case http.StatusUnprocessableEntity:
		return op.RequestBody != nil || len(op.Parameters) > 0
	default:
		return !open
	}
}

// sharedParameters are described here once, wherever they are not.
var sharedParameters = map[string]string{
	"limit":  "How many items a page has at most.",
	"cursor": "next_cursor of the page before.",
	"id":     "Its id.",

	"template_id": "The template's id.",
}

// describeParameters fills in what a parameter does not say of itself.
func describeParameters(op *huma.Operation) {
	for _, p := range op.Parameters {
		if p.Description == "" {
			p.Description = sharedParameters[p.Name]
		}
		if p.Schema != nil && p.Schema.Description == p.Description {
			p.Schema.Description = "" // said beside it
		}
	}
}
