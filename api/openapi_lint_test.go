package api

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hongyan/internal/apidoc"
)

// TestTheDocumentIsGoodEnoughToMakeClientsOf holds the rules that every operation and
// schema keeps, whoever adds it.
func TestTheDocumentIsGoodEnoughToMakeClientsOf(t *testing.T) {
	d, err := apidoc.Read([]byte(newGateway(t).do("GET", "/openapi.json", "").body))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Operations()) < 30 {
		t.Fatalf("%d operations found", len(d.Operations()))
	}
	for _, problem := range lint(d) {
		t.Error(problem)
	}
}

// lint returns one line for each rule that the document breaks.
func lint(d apidoc.Document) []string {
	l := &linter{d: d, ids: map[string]string{}, used: map[string]bool{}}
	for _, op := range d.Operations() {
		l.at = op.Method + " " + op.Path
		l.operation(op)
	}
	schemas := apidoc.Object(apidoc.Object(d["components"])["schemas"])
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		l.at = "schema " + name
		l.schema(name, apidoc.Object(schemas[name]), true)
	}
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		l.at = "schema " + name
		l.check(l.used[name], "is used by nothing")
	}
	return l.problems
}

type linter struct {
	d        apidoc.Document
	at       string
	ids      map[string]string // operationId to where it is
	used     map[string]bool   // names of schemas that something refers to
	problems []string
}

func (l *linter) check(ok bool, format string, args ...any) {
	if !ok {
		l.problems = append(l.problems, l.at+": "+fmt.Sprintf(format, args...))
	}
}

var (
	idForm      = regexp.MustCompile(`^[a-z][a-zA-Z]{3,}$`)
	summaryForm = regexp.MustCompile(`^[^/]*[A-Za-z][^/]* / .*\p{Han}`)
	pathParams  = regexp.MustCompile(`\{([^}]+)\}`)
	streamTypes = []string{"application/x-ndjson", "text/csv", "text/event-stream"}
)

func (l *linter) operation(op apidoc.Operation) {
	id := op.ID()
	l.check(idForm.MatchString(id) && !strings.HasPrefix(id, "func"), "operationId %q is no name of a function", id)
	l.check(l.ids[id] == "", "operationId %q is that of %s too", id, l.ids[id])
	l.ids[id] = l.at
	l.check(summaryForm.MatchString(fmt.Sprint(op.Spec["summary"])), "summary %q is not \"English / 中文\"", op.Spec["summary"])
	l.tags(apidoc.List(op.Spec["tags"]))
	l.parameters(op)
	if body := apidoc.Object(op.Spec["requestBody"]); body != nil {
		l.content("the request", apidoc.Object(body["content"]), fmt.Sprint(body["description"]))
		media := apidoc.Object(apidoc.Object(body["content"])["application/json"])
		l.check(media == nil || apidoc.Object(media["examples"]) != nil || noExample[id] != "", "its body has no example; see examples.go")
	}
	l.answers(op)
}

// noExample says why an operation's body has none.
var noExample = map[string]string{
	"replayDownstream": "a time of the last 30 days is needed, and an example is older one day",
}

func (l *linter) tags(tags []any) {
	l.check(len(tags) == 1, "%d tags, want 1", len(tags))
	for _, tag := range tags {
		described := slices.ContainsFunc(apidoc.List(l.d["tags"]), func(known any) bool {
			return apidoc.Object(known)["name"] == tag && regexp.MustCompile(`[A-Za-z].*\p{Han}`).MatchString(fmt.Sprint(apidoc.Object(known)["description"]))
		})
		l.check(described, "tag %v is not described in English and Chinese; see apiTags", tag)
	}
}

func (l *linter) parameters(op apidoc.Operation) {
	inPath := map[string]bool{}
	for _, p := range apidoc.List(op.Spec["parameters"]) {
		p := l.d.Follow(p)
		text, _ := p["description"].(string)
		l.check(text != "", "parameter %v has no description", p["name"])
		l.check(p["in"] != "path" || p["required"] == true, "parameter %v is in the path and not required", p["name"])
		l.schema(fmt.Sprint("parameter ", p["name"]), apidoc.Object(p["schema"]), false)
		if p["in"] == "path" {
			inPath[p["name"].(string)] = true
		}
	}
	for _, name := range pathParams.FindAllStringSubmatch(op.Path, -1) {
		l.check(inPath[name[1]], "parameter %s of the path is not described", name[1])
	}
}

// answers: a success with a meaning; refusals that are problems; and, for whoever takes a
// key, at least one of 4xx.
func (l *linter) answers(op apidoc.Operation) {
	succeeds, refuses := false, false
	responses := apidoc.Object(op.Spec["responses"])
	for _, status := range slices.Sorted(maps.Keys(responses)) {
		answer := l.d.Follow(responses[status])
		text, _ := answer["description"].(string)
		l.check(text != "", "answer %s has no description", status)
		content := apidoc.Object(answer["content"])
		l.content("answer "+status, content, text)
		succeeds = succeeds || strings.HasPrefix(status, "2")
		refuses = refuses || strings.HasPrefix(status, "4")
		if strings.HasPrefix(status, "4") || status == "default" {
			l.check(apidoc.Object(content["application/problem+json"]) != nil, "answer %s is no problem", status)
		}
	}
	l.check(succeeds, "no answer is a success")
	l.check(op.Open() || refuses && responses["default"] != nil, "it does not say how it refuses: 4xx and default")
	l.check(op.Open() || l.d["security"] != nil || op.Spec["security"] != nil, "it does not say that it takes a key")
}

// content: every media type has a schema with a name, a plain one, or, for a stream, text that
// says what a line or an event is.
func (l *linter) content(of string, content map[string]any, text string) {
	for _, media := range slices.Sorted(maps.Keys(content)) {
		schema := apidoc.Object(apidoc.Object(content[media])["schema"])
		l.check(schema != nil, "%s: %s has no schema", of, media)
		l.schema(of, schema, false)
		if slices.Contains(streamTypes, media) {
			described := text + fmt.Sprint(schema["description"])
			l.check(len(described) > 40, "%s: nothing says what %s holds, line by line", of, media)
		}
	}
}

// schema checks one and all it is made of. Only the top of a named schema may be an
// object with properties.
func (l *linter) schema(name string, s map[string]any, top bool) {
	if s == nil {
		return
	}
	if ref, is := s["$ref"].(string); is {
		l.used[strings.TrimPrefix(ref, schemaPrefix)] = true
		l.check(l.d.Follow(s) != nil, "%s refers to %s, which is not there", name, ref)
		return
	}
	l.check(top || apidoc.Object(s["properties"]) == nil, "%s is an object without a name", name)
	l.check(s["nullable"] == nil, "%s has nullable, which is not of OpenAPI 3.1", name)
	if enum := apidoc.List(s["enum"]); enum != nil {
		l.check(apidoc.Allows(s["type"], "null") == slices.Contains(enum, any(nil)), "%s: type and enum do not agree about null", name)
	}
	l.check(s["type"] != nil || s["oneOf"] != nil || s["anyOf"] != nil || s["allOf"] != nil, "%s has no type", name)
	l.check(!apidoc.Allows(s["type"], "array") || s["items"] != nil, "%s is an array of nobody knows what", name)
	for _, property := range slices.Sorted(maps.Keys(apidoc.Object(s["properties"]))) {
		l.property(name+"."+property, property, apidoc.Object(apidoc.Object(s["properties"])[property]))
	}
	l.schema(name+"[]", apidoc.Object(s["items"]), false)
	l.schema(name+"{}", apidoc.Object(s["additionalProperties"]), false)
	for _, word := range []string{"oneOf", "anyOf", "allOf"} {
		for _, part := range apidoc.List(s[word]) {
			l.schema(name+"|", apidoc.Object(part), false)
		}
	}
}

// wordFields are fields whose values are a closed list of words, wherever they are text.
var wordFields = []string{"state", "kind", "reason", "role", "priority", "mode", "outcome", "period", "policy", "uncertain_policy", "token_source", "source", "endpoint"}

// openWords are fields of those names that are not, and why.
var openWords = map[string]string{
	"TokenStatus.reason": "a sentence for people",
	"Readiness.reason":   "a sentence for people",
	"Batch.reason":       "batch_paused, restored, or any code that a message is refused with",
}

func (l *linter) property(full, name string, s map[string]any) {
	text := s["type"] == "string" || apidoc.Allows(s["type"], "string")
	if slices.Contains(wordFields, name) && text && openWords[full] == "" {
		l.check(s["enum"] != nil, "%s has no enum of its words; give it one, or a reason in openWords", full)
	}
	l.schema(full, s, false)
}

// TestLint shows that the rules see what they are there to see.
func TestLint(t *testing.T) {
	operation := func(more map[string]any) map[string]any {
		op := map[string]any{"operationId": "getThing", "summary": "Read / 查看", "tags": []any{"things"}, "security": []any{map[string]any{"key": []any{}}},
			"responses": map[string]any{"200": map[string]any{"description": "OK"}, "default": refusing, "404": refusing}}
		maps.Copy(op, more)
		return op
	}
	tests := map[string]struct {
		op   map[string]any
		want string
	}{
		"nothing":           {operation(nil), ""},
		"an odd id":         {operation(map[string]any{"operationId": "func1"}), `operationId "func1" is no name of a function`},
		"one language":      {operation(map[string]any{"summary": "Read"}), `summary "Read" is not "English / 中文"`},
		"an unknown tag":    {operation(map[string]any{"tags": []any{"others"}}), "tag others is not described in English and Chinese; see apiTags"},
		"no refusal":        {operation(map[string]any{"responses": map[string]any{"200": map[string]any{"description": "OK"}}}), "it does not say how it refuses: 4xx and default"},
		"a bare parameter":  {operation(map[string]any{"parameters": []any{map[string]any{"name": "q", "in": "query", "schema": map[string]any{"type": "string"}}}}), "parameter q has no description"},
		"a nameless object": {operation(bodyOf("application/json", map[string]any{"type": "object", "properties": map[string]any{}})), "the request is an object without a name\nits body has no example; see examples.go"},
		"a silent stream":   {operation(bodyOf("text/csv", map[string]any{"type": "string"})), "the request: nothing says what text/csv holds, line by line"},
		"no state words":    {operation(bodyOf("text/plain", map[string]any{"type": "array", "items": map[string]any{"$ref": "#/components/schemas/Gone"}})), "the request[] refers to #/components/schemas/Gone, which is not there"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := apidoc.Document{"tags": []any{map[string]any{"name": "things", "description": "Things 东西"}}, "paths": map[string]any{"/v1/things": map[string]any{"get": tt.op}}}
			var got []string
			for _, problem := range lint(d) {
				got = append(got, strings.TrimPrefix(problem, "GET /v1/things: "))
			}
			if strings.Join(got, "\n") != tt.want {
				t.Errorf("problems %q, want %q", got, tt.want)
			}
		})
	}
	d := apidoc.Document{"components": map[string]any{"schemas": map[string]any{"Thing": map[string]any{"type": "object", "properties": map[string]any{
		"state": map[string]any{"type": "string"}, "mode": map[string]any{"type": []any{"string", "null"}, "enum": []any{"a"}},
		"inside": map[string]any{"type": "object", "properties": map[string]any{}},
	}}}}}
	want := []string{"schema Thing: Thing.inside is an object without a name", "schema Thing: Thing.mode: type and enum do not agree about null",
		"schema Thing: Thing.state has no enum of its words; give it one, or a reason in openWords", "schema Thing: is used by nothing"}
	if got := lint(d); !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
}

var refusing = map[string]any{"description": "No.", "content": map[string]any{"application/problem+json": map[string]any{"schema": map[string]any{"type": "string"}}}}

func bodyOf(media string, schema map[string]any) map[string]any {
	return map[string]any{"requestBody": map[string]any{"content": map[string]any{media: map[string]any{"schema": schema}}}}
}
