package sandbox

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ControlError is a refusal of the control API: which field, which rule it
// breaks, and the value it had.
type ControlError struct {
	Status int    // HTTP; 0 = 400
	Field  string // as in JSON, or the path or query parameter
	Rule   string
	Value  any // never a secret; nil when there is none
}

// Error says all of it in one line.
func (e *ControlError) Error() string {
	if e.Value == nil {
		return fmt.Sprintf("sandbox: %s: %s", e.Field, e.Rule)
	}
	return fmt.Sprintf("sandbox: %s: %s, got %v", e.Field, e.Rule, e.Value)
}

func (e *ControlError) status() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

// controlFailure is the body of a refusal.
type controlFailure struct {
	Error string `json:"error"`
	Field string `json:"field,omitzero"`
	Rule  string `json:"rule,omitzero"`
	Value any    `json:"value,omitzero"`
}

// list is the shape of every list.
type list[T any] struct {
	Items []T `json:"items"`
}

// controlHandler answers with a value to be written as JSON, or an error.
type controlHandler func(r *http.Request) (any, error)

// controlRoutes is the whole control API: docs/sandbox.md explains each.
func (s *Sandbox) controlRoutes() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range s.platformRoutes() {
		mux.Handle(pattern, s.guard(answering(h)))
	}
	for pattern, h := range map[string]controlHandler{
		"GET /sandbox/v1/accounts":                       s.controlAccounts,
		"POST /sandbox/v1/accounts":                      s.controlAddAccount,
		"GET /sandbox/v1/accounts/{appid}":               s.controlAccount,
		"POST /sandbox/v1/accounts/{appid}":              s.controlSetAccount,
		"POST /sandbox/v1/accounts/{appid}/revoke_token": s.controlRevoke,
		"GET /sandbox/v1/users":                          s.controlUsers,
		"GET /sandbox/v1/users/{openid}":                 s.controlUser,
		"POST /sandbox/v1/users/{openid}":                s.controlSetUser,
		"POST /sandbox/v1/users/{openid}/read":           s.controlRead,
		"POST /sandbox/v1/users/{openid}/tap":            s.controlTap,
		"POST /sandbox/v1/users/{openid}/forms":          s.controlForm,
		"POST /sandbox/v1/users/{openid}/payments":       s.controlPayment,
		"GET /sandbox/v1/ledger":                         s.controlLedger,
		"GET /sandbox/v1/inbox/{openid}":                 s.controlInbox,
		"GET /sandbox/v1/stats":                          s.controlStats,
		"GET /sandbox/v1/traffic":                        s.controlTraffic,
		"GET /sandbox/v1/faults":                         s.controlFaults,
		"POST /sandbox/v1/faults":                        s.controlAddFault,
		"DELETE /sandbox/v1/faults":                      s.controlClearFaults,
		"DELETE /sandbox/v1/faults/{id}":                 s.controlRemoveFault,
		"GET /sandbox/v1/presets":                        s.controlPresets,
		"POST /sandbox/v1/presets":                       s.controlStartPreset,
		"DELETE /sandbox/v1/presets":                     s.controlEndPresets,
		"DELETE /sandbox/v1/presets/{name}":              s.controlEndPreset,
		"GET /sandbox/v1/clock":                          s.controlClock,
		"POST /sandbox/v1/clock":                         s.controlAdvance,
		"GET /sandbox/v1/settings":                       s.controlSettings,
		"POST /sandbox/v1/settings":                      s.controlConfigure,
		"POST /sandbox/v1/reset":                         s.controlReset,
		"/":                                              controlNotFound,
	} {
		mux.Handle(pattern, s.guard(answering(h)))
	}
	mux.Handle("GET /sandbox/v1/events", s.guard(s.serveEvents))
	return mux
}

func controlNotFound(r *http.Request) (any, error) {
	return nil, &ControlError{Status: http.StatusNotFound, Field: "path", Rule: "must be one of the control API", Value: r.Method + " " + r.URL.Path}
}

// answering writes what the handler answers.
func answering(h controlHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := h(r)
		writeControl(w, v, err)
	}
}

// guard lets in whom Admits does.
func (s *Sandbox) guard(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.Admits(r); err != nil {
			writeControl(w, nil, err)
			return
		}
		h(w, r)
	})
}

func writeControl(w http.ResponseWriter, v any, err error) {
	status := http.StatusOK
	if err != nil {
		status, v = failureOf(err)
	}
	body, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true)) // callers invent paths and openids
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"the answer could not be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a caller who left needs no answer
}

func failureOf(err error) (int, controlFailure) {
	var e *ControlError
	if !errors.As(err, &e) {
		return http.StatusInternalServerError, controlFailure{Error: err.Error()}
	}
	return e.status(), controlFailure{Error: e.Error(), Field: e.Field, Rule: e.Rule, Value: e.Value}
}

// maxControlBody bounds what the control API reads.
const maxControlBody = 1 << 20

// readControl decodes the body strictly into v: unknown and repeated fields are
// refused. An empty body is {}.
func readControl(r *http.Request, v any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxControlBody+1))
	if err != nil {
		return &ControlError{Field: "body", Rule: "must arrive whole"}
	}
	if len(body) > maxControlBody {
		return &ControlError{Status: http.StatusRequestEntityTooLarge, Field: "body", Rule: "must be at most 1 MiB"}
	}
	if len(strings.TrimSpace(string(body))) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, v, json.RejectUnknownMembers(true)); err != nil {
		return decodeError(body, err)
	}
	return refuseZeros(body)
}

// decodeError names the field that JSON could not be read at.
func decodeError(body []byte, err error) error {
	var syntax *jsontext.SyntacticError
	var semantic *json.SemanticError
	switch {
	case errors.Is(err, json.ErrUnknownName) && errors.As(err, &semantic):
		return &ControlError{Field: fieldName(semantic.JSONPointer), Rule: "is unknown here"}
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax):
		return &ControlError{Field: fieldName(syntax.JSONPointer), Rule: "must not be given twice"}
	case errors.As(err, &semantic):
		return wrongType(body, semantic)
	case errors.As(err, &syntax):
		return &ControlError{Field: "body", Rule: fmt.Sprintf("must be one JSON object (byte %d)", syntax.ByteOffset)}
	}
	return &ControlError{Field: "body", Rule: "must be one JSON object"}
}

// kindWords says what a field of a Go kind is in JSON.
var kindWords = map[reflect.Kind]string{
	reflect.String: "a string", reflect.Bool: "true or false", reflect.Slice: "an array",
	reflect.Struct: "an object", reflect.Float64: "a number", reflect.Int: "a whole number in range",
}

// secretFields must not be repeated in an error, whatever they hold.
var secretFields = []string{"secret", "callback_token", "aes_key"}

func wrongType(body []byte, err *json.SemanticError) error {
	e := &ControlError{Field: fieldName(err.JSONPointer), Rule: "must be of another type"}
	if err.GoType != nil && kindWords[err.GoType.Kind()] != "" {
		e.Rule = "must be " + kindWords[err.GoType.Kind()]
	}
	name, _, _ := strings.Cut(e.Field, ".")
	var members map[string]jsontext.Value
	if json.Unmarshal(body, &members) == nil && members[name] != nil && !slices.Contains(secretFields, name) {
		e.Value = members[name].String()
	}
	return e
}

func fieldName(p jsontext.Pointer) string {
	if p == "" {
		return "body"
	}
	return strings.ReplaceAll(strings.TrimPrefix(string(p), "/"), "/", ".")
}

// refuseZeros refuses a written zero where zero is how Go says "not given":
// {"times":0} would otherwise mean "without limit".
func refuseZeros(body []byte) error {
	var members map[string]jsontext.Value
	if json.Unmarshal(body, &members) != nil {
		return nil // already decoded once: not an object of ours
	}
	for _, name := range []string{"errcode", "http_status", "hang_ms", "drip_ms", "late_event_ms", "truncate", "nth", "times", "every_ms", "for_ms"} {
		if v, given := members[name]; given && string(v) == "0" {
			return &ControlError{Field: name, Rule: "must not be 0", Value: 0}
		}
	}
	return nil
}
