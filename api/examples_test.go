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
		for _, call := range exampleCalls(op) {
			t.Run(strings.TrimSuffix(op.id()+" "+call.name, " "), func(t *testing.T) {
				path := g.arrange(t, op)
				got := g.do(op.method, path, call.body, "Content-Type", call.media)
				for _, wrong := range d.judgeAnswer(op, got) {
					t.Errorf("%s %s: %s", op.method, path, wrong)
				}
				if must := op.method == "GET" || call.name != ""; must && got.status >= 300 && mayFail[op.id()] == "" {
					t.Errorf("%s %s: status %d, %s", op.method, path, got.status, got.body)
				}
			})
		}
	}
}

// mayFail are operations that read or have an example, and cannot succeed here.
var mayFail = map[string]string{
	"getReadiness": "the engine does not run",
	"retryBatch":   "the engine does not run, so no message of the batch has failed",
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

// exampleCall is a body to call an operation with; without a name for one that has no example.
type exampleCall struct{ name, media, body string }

func exampleCalls(op documentedOperation) (calls []exampleCall) {
	content := object(object(op.spec["requestBody"])["content"])
	for _, media := range slices.Sorted(maps.Keys(content)) {
		examples := object(object(content[media])["examples"])
		for _, name := range slices.Sorted(maps.Keys(examples)) {
			value := object(examples[name])["value"]
			body, text := value.(string)
			if !text {
				raw, _ := json.Marshal(value)
				body = string(raw)
			}
			calls = append(calls, exampleCall{name, media, body})
		}
	}
	if len(calls) == 0 {
		calls = []exampleCall{{}}
	}
	return calls
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
	"/v1/accounts/{appid}/templates/aliases/{alias}": func(*testing.T, *gateway) string { return "order_paid" },
	"/v1/accounts/{appid}/templates/library/{tid}":   func(*testing.T, *gateway) string { return "401" },
	"/v1/batches/{id}": func(t *testing.T, g *gateway) string { return g.exampleBatch(t) },
	"/v1/keys/{id}":    func(t *testing.T, g *gateway) string { return g.key("reader").ID },
}

// exampleBatch makes the batch of the example and, but for an upload, gives it the example's rows.
func (g *gateway) exampleBatch(t *testing.T) string {
	t.Helper()
	var b client.Batch
	made := g.do("POST", "/v1/batches", exampleBodies["createBatch"][0].body)
	if err := json.Unmarshal([]byte(made.body), &b); err != nil || made.status != 201 {
		t.Fatalf("status %d, %s", made.status, made.body)
	}
	if strings.Contains(t.Name(), "uploadRecipients") {
		return b.ID
	}
	rows := exampleBodies["uploadRecipients"][0]
	if got := g.do("POST", "/v1/batches/"+b.ID+"/recipients", rows.body, "Content-Type", rows.media); got.status != 200 {
		t.Fatalf("status %d, %s", got.status, got.body)
	}
	if strings.Contains(t.Name(), "retryBatch") {
		g.do("POST", "/v1/batches/"+b.ID+"/cancel", "")
	}
	return b.ID
}
