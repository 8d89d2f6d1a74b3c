package api

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"hongyan/access"
	"hongyan/client"
)

// about documents an operation, and says what differs from the ordinary.
type about struct {
	summary      string // English / 中文
	description  string
	status       int    // of success; 0 = 200, or 204 without a body
	optionalBody bool   // the body may be left out
	again        string // what 200 answers, beside status; "" = nothing
}

// out is an answer with a body.
type out[T any] struct{ Body T }

// created is an answer about something new.
type created[T any] struct {
	Location string `header:"Location"`
	Body     T
}

// none is the input or output of an operation that has none.
type none struct{}

// body reads a request's JSON strictly. huma hands over the bytes and later
// asks Resolve; an error of decoding keeps its code and pointer this way.
type body[T any] struct {
	Value T
	err   error
}

func (b *body[T]) decode(data []byte) { b.err = decodeStrict(data, &b.Value) }

// Schema documents T itself.
func (*body[T]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

// Resolve reports what was wrong with the body.
func (b *body[T]) Resolve(huma.Context) []error {
	if b.err == nil {
		return nil
	}
	return []error{b.err}
}

// strictFormat is how huma reads and writes JSON here.
var strictFormat = huma.Format{
	Marshal: encode,
	Unmarshal: func(data []byte, v any) error {
		if b, ok := v.(interface{ decode([]byte) }); ok {
			b.decode(data)
			return nil
		}
		return decodeStrict(data, v)
	},
}

// useOurErrors replaces huma's error model. It is a variable of huma's package,
// so it is set once for the process.
var useOurErrors = sync.OnceFunc(func() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return frameworkProblem(nil, status, msg, errs...)
	}
	huma.NewErrorWithContext = frameworkProblem
})

// newHuma prepares the framework: our JSON, our errors, our documents.
func (a *API) newHuma(mux *http.ServeMux) huma.API {
	useOurErrors()
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	registry.RegisterTypeAlias(reflect.TypeFor[client.Time](), reflect.TypeFor[time.Time]())
	registry.RegisterTypeAlias(reflect.TypeFor[client.Field](), reflect.TypeFor[fieldSchema]())
	return humago.New(mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI:    "3.1.0",
			Info:       &huma.Info{Title: "Hongyan 鸿雁", Version: a.cfg.Version, Description: apiDescription},
			Components: &huma.Components{Schemas: registry, SecuritySchemes: map[string]*huma.SecurityScheme{"key": {Type: "http", Scheme: "bearer", Description: "An API key, hyk_…"}}},
			Security:   []map[string][]string{{"key": {}}},
			Tags:       apiTags,
		},
		Formats:                      map[string]huma.Format{"application/json": strictFormat, "json": strictFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	})
}

// handle registers one operation. Pattern is "METHOD /path"; the tag in the
// documents is the path's noun.
func handle[I, O any](a *API, h huma.API, pattern string, need access.Role, handler func(context.Context, *I) (*O, error), doc about) {
	method, path, _ := strings.Cut(pattern, " ")
	op := huma.Operation{
		Method: method, Path: path, OperationID: nameOf(handler), Tags: []string{tagOf(path)},
		Summary: doc.summary, Description: sentenceRole(doc.description, need), DefaultStatus: doc.status,
		SkipValidateBody: true, MaxBodyBytes: maxBody + 1,
		BodyReadTimeout: -1, // the guard has read the body, under its own deadline
	}
	_, hasBody := reflect.TypeFor[I]().FieldByName("Body")
	op.Middlewares = huma.Middlewares{a.guard(need, hasBody, actionOf(method, path), path)}
	huma.Register(h, op, func(ctx context.Context, in *I) (*O, error) {
		answer, err := handler(ctx, in)
		info := infoOf(ctx)
		a.note(ctx, info, err) // before the answer: who sees a change answered finds it in the log
		if err != nil {
			p := newProblem(info.id, err)
			a.logProblem(ctx, p, err)
			return nil, p
		}
		return answer, nil
	})
	for _, op := range operationsOf(h.OpenAPI().Paths[path]) {
		if op.Method == method && op.RequestBody != nil {
			op.RequestBody.Required = !doc.optionalBody
		}
		if op.Method == method && doc.again != "" {
			earlier := *op.Responses[strconv.Itoa(doc.status)]
			earlier.Description = doc.again
			op.Responses["200"] = &earlier
		}
	}
}

// guard lets a request in if its caller may, and reads its body. A change that
// does not get as far as its handler, or not out of it, is noted here.
func (a *API) guard(need access.Role, hasBody bool, action, path string) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		c, err := a.authenticate(r, need)
		if c == nil {
			a.writeError(w, r, err)
			return
		}
		info := &requestInfo{id: w.Header().Get(requestIDHeader), caller: c, remote: access.RemoteOf(r), change: newChange(action, path, r)}
		info.change.failed = err
		defer func() { a.note(r.Context(), info, cmp.Or(info.change.failed, errNoAnswer)) }()
		if err != nil {
			a.writeError(w, r, err)
			return
		}
		if hasBody {
			buf := getBuffer()
			defer putBuffer(buf)
			if err := readBody(w, r, buf); err != nil {
				info.change.failed = err
				a.writeError(w, r, err)
				return
			}
			info.change.body = buf.Bytes()
			r.Body = io.NopCloser(bytes.NewReader(buf.Bytes()))
			// Whatever the caller calls it, the body is read as JSON or refused.
			r.Header["Content-Type"] = []string{"application/json"}
		}
		next(huma.WithValue(ctx, infoKey{}, info))
	}
}

// errNoAnswer stands for what a handler that panicked would have said.
var errNoAnswer = errors.New("no answer")

// nameOf is the name of the method that handles an operation, "pauseAccount". It is the
// operation's id in the document, and so the name of a function in clients that
// are made from it: unique, because methods are.
func nameOf(handler any) string {
	full := runtime.FuncForPC(reflect.ValueOf(handler).Pointer()).Name() // hongyan/api.(*API).pauseAccount-fm
	return strings.TrimSuffix(full[strings.LastIndexByte(full, '.')+1:], "-fm")
}

// tagOf groups operations by noun: what hangs below an account is a noun of its own.
func tagOf(path string) string {
	parts := strings.Split(strings.TrimPrefix(path, "/v1/"), "/")
	if len(parts) > 2 && parts[0] == "accounts" && !slices.Contains([]string{"pause", "resume", "release"}, parts[2]) {
		return strings.TrimSuffix(parts[2], "s") + "s"
	}
	return parts[0]
}

// sentenceRole adds to a description who may call.
func sentenceRole(description string, need access.Role) string {
	return strings.TrimSpace(description + "\n\nRole: " + need.String() + ".")
}
