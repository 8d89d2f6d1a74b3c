package servertest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"hongyan/client"
	"hongyan/internal/apidoc"
)

// TestEveryOperationAnswersAsDocumented makes every call of the OpenAPI document, with each
// of its examples as it is, to a gateway in front of a sandbox. The answers must be of a
// documented status and fit its schema; whatever reads, or has an example, must succeed.
func TestEveryOperationAnswersAsDocumented(t *testing.T) {
	k := newCaller(t)
	for _, op := range inOrder(k.doc.Operations()) {
		for _, call := range exampleCalls(op) {
			t.Run(strings.TrimSuffix(op.ID()+" "+call.name, " "), func(t *testing.T) {
				path := k.arrange(t, op)
				got := k.do(t, op.Method, path, call)
				for _, wrong := range k.judge(op, got) {
					t.Errorf("%s %s: %s", op.Method, path, wrong)
				}
				if must := op.Method == http.MethodGet || call.name != ""; must && got.status >= 300 && mayFail[op.ID()] == "" {
					t.Errorf("%s %s: status %d, %s", op.Method, path, got.status, got.body)
				}
			})
		}
	}
}

// caller makes the calls of a document.
type caller struct {
	*World
	doc      apidoc.Document
	admin    *client.Client
	endpoint *httptest.Server // of webhooks; nil = not needed yet
	webhook  string           // the last one made
}

func newCaller(t *testing.T) *caller {
	t.Helper()
	w := New(t)
	k := &caller{World: w, admin: client.New(w.URL, w.Key)}
	t.Cleanup(func() {
		if k.endpoint != nil {
			k.endpoint.Close()
		}
	})
	text := k.do(t, http.MethodGet, "/openapi.json", exampleCall{})
	doc, err := apidoc.Read([]byte(text.body))
	if err != nil {
		t.Fatal(err)
	}
	k.doc = doc
	return k
}

// answer is a response, read.
type answer struct {
	status int
	media  string // Content-Type without parameters
	body   string
}

func (k *caller) do(t *testing.T, method, path string, call exampleCall) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, k.URL+path, strings.NewReader(call.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+k.Key)
	if call.media != "" {
		req.Header.Set("Content-Type", call.media)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	media, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	return answer{res.StatusCode, media, string(body)}
}

// inOrder puts what makes and changes things before what removes them, and what hangs
// below a thing before the thing.
func inOrder(all []apidoc.Operation) []apidoc.Operation {
	rank := []string{"GET", "PUT", "PATCH", "POST", "DELETE"}
	slices.SortStableFunc(all, func(a, b apidoc.Operation) int {
		return cmp.Or(cmp.Compare(slices.Index(rank, a.Method), slices.Index(rank, b.Method)), cmp.Compare(len(b.Path), len(a.Path)))
	})
	return all
}

// exampleCall is a body to call an operation with; without a name for one that has no example.
type exampleCall struct{ name, media, body string }

func exampleCalls(op apidoc.Operation) (calls []exampleCall) {
	content := apidoc.Object(apidoc.Object(op.Spec["requestBody"])["content"])
	for _, media := range slices.Sorted(maps.Keys(content)) {
		examples := apidoc.Object(apidoc.Object(content[media])["examples"])
		for _, name := range slices.Sorted(maps.Keys(examples)) {
			value := apidoc.Object(examples[name])["value"]
			body, text := value.(string)
			if !text {
				raw, _ := json.Marshal(value) // it was decoded from JSON
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

// judge says what of an answer is not as the document says.
func (k *caller) judge(op apidoc.Operation, got answer) []string {
	said, known := apidoc.Object(op.Spec["responses"])[fmt.Sprint(got.status)]
	if !known {
		return []string{fmt.Sprintf("status %d is not documented: %s", got.status, got.body)}
	}
	content := apidoc.Object(k.doc.Follow(said)["content"])
	if len(content) == 0 && got.body == "" {
		return nil
	}
	schema := apidoc.Object(content[got.media])["schema"]
	if schema == nil {
		return []string{fmt.Sprintf("status %d has the type %q, which is not documented", got.status, got.media)}
	}
	if !strings.HasSuffix(got.media, "json") {
		return nil // text, or a file
	}
	var v any
	if err := json.Unmarshal([]byte(got.body), &v); err != nil {
		return []string{err.Error()}
	}
	return k.doc.Judge("", schema, v)
}
