package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
)

// TestEveryOperationAnswersAsDocumented makes every call of the document, with each of its
// examples, to a gateway in front of a sandbox. The answers must be of a documented
// status and fit its schema; whatever reads, or has an example, must succeed.
func TestEveryOperationAnswersAsDocumented(t *testing.T) {
	g := newGateway(t)
	g.seed()
	d := newDocument(t, g)
	for _, op := range inOrder(d.operations()) {
		examples := exampleCalls(op)
		for _, name := range slices.Sorted(maps.Keys(examples)) {
			t.Run(strings.TrimSuffix(op.id()+" "+name, " "), func(t *testing.T) {
				path := g.arrange(t, op)
				got := g.do(op.method, path, examples[name])
				for _, wrong := range d.judgeAnswer(op, got) {
					t.Errorf("%s %s: %s", op.method, path, wrong)
				}
				if must := op.method == "GET" || name != ""; must && got.status >= 300 && mayFail[op.id()] == "" {
					t.Errorf("%s %s: status %d, %s", op.method, path, got.status, got.body)
				}
			})
		}
	}
}

// mayFail are operations that read or have an example, and cannot succeed here.
var mayFail = map[string]string{
	"getReadiness": "the engine does not run",
}

// inOrder puts what makes and changes things before what removes them, and what hangs
// below a thing before the thing.
func inOrder(all []documentedOperation) []documentedOperation {
	rank := []string{"GET", "PUT", "PATCH", "POST", "DELETE"}
	slices.SortStableFunc(all, func(a, b documentedOperation) int {
		return cmp.Or(cmp.Compare(slices.Index(rank, a.method), slices.Index(rank, b.method)), cmp.Compare(len(b.path), len(a.path)))
	})
	return all
}

// exampleCalls are the bodies to call an operation with, by name; one without a name
// for an operation that takes none.
func exampleCalls(op documentedOperation) map[string]string {
	bodies := map[string]string{}
	content := object(object(op.spec["requestBody"])["content"])
	for name, example := range object(object(content["application/json"])["examples"]) {
		raw, _ := json.Marshal(object(example)["value"])
		bodies[name] = string(raw)
	}
	if len(bodies) == 0 {
		bodies[""] = ""
	}
	return bodies
}

// judgeAnswer says what of an answer is not as the document says.
func (d document) judgeAnswer(op documentedOperation, got answer) []string {
	responses := object(op.spec["responses"])
	said, known := responses[fmt.Sprint(got.status)]
	if !known {
		return []string{fmt.Sprintf("status %d is not documented: %s", got.status, got.body)}
	}
	content := object(d.follow(said)["content"])
	media, _, _ := strings.Cut(got.header.Get("Content-Type"), ";")
	if len(content) == 0 && got.body == "" {
		return nil
	}
	schema := object(content[media])["schema"]
	if schema == nil {
		return []string{fmt.Sprintf("status %d has the type %q, which is not documented", got.status, media)}
	}
	if !strings.HasSuffix(media, "json") {
		return nil // text
	}
	var v any
	if err := json.Unmarshal([]byte(got.body), &v); err != nil {
		return []string{err.Error()}
	}
	return d.judge("", schema, v)
}

// arrange makes what an operation is about, and returns its path with the names of it.
func (g *gateway) arrange(t *testing.T, op documentedOperation) string {
	t.Helper()
	if op.id() == "pushToken" {
		g.tokenSource(t, "external")
		t.Cleanup(func() { g.tokenSource(t, "stable") })
	}
	return pathParams.ReplaceAllStringFunc(op.path, func(name string) string {
		make, known := things[op.path[:strings.Index(op.path, name)]+name]
		if !known {
			t.Fatalf("%s: nothing here makes a %s; see things", op.path, name)
		}
		return make(t, g)
	})
}

func (g *gateway) tokenSource(t *testing.T, source string) {
	t.Helper()
	if _, err := g.admin.UpdateAccount(context.WithoutCancel(t.Context()), "shop", client.AccountPatch{TokenSource: &source}); err != nil {
		t.Fatal(err)
	}
}

// things make what a path's parameter names, and return its name.
var things = map[string]func(*testing.T, *gateway) string{
	"/v1/accounts/{appid}":                         func(*testing.T, *gateway) string { return sandbox.SeedServiceAppID },
	"/v1/accounts/{appid}/templates/{template_id}": func(*testing.T, *gateway) string { return sandbox.SeedTemplateHistorical },
	"/v1/accounts/{appid}/downstreams/{name}":      func(*testing.T, *gateway) string { return "crm" },
	"/v1/messages/{id}": func(t *testing.T, g *gateway) string {
		later := order(sandbox.OpenID("", 7))
		later.SendAt = time.Now().Add(time.Hour)
		sent, err := g.admin.Send(t.Context(), later)
		if err != nil {
			t.Fatal(err)
		}
		return sent.ID
	},
	"/v1/keys/{id}": func(t *testing.T, g *gateway) string { return g.key("reader").ID },
}
