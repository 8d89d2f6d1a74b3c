package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hongyan"
	"hongyan/client"
	"hongyan/internal/near"
)

// maxBody bounds a request's body, in bytes: a message of WeChat's stays below
// a few kilobytes.
const maxBody = 1 << 20

// maxDrain is how much of a body that nobody wants is still read, in bytes: a
// caller that is cut off in the middle of writing never sees our answer.
const maxDrain = 32 << 20

// DrainBody reads what is left of a refused request's body, within bounds, so
// that the caller gets to read the refusal. Call it before the answer's header
// is written: net/http closes the connection otherwise. A caller that asked
// whether to send its body (Expect) has not begun and need not. What has not
// come by then is not waited for, and the connection is closed after the answer.
func DrainBody(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody || r.Header.Get("Expect") != "" {
		return
	}
	hasDeadline := huma.SetReadDeadline(w, time.Now().Add(drainTimeout)) == nil
	_, err := io.CopyN(io.Discard, r.Body, maxDrain)
	switch {
	case !hasDeadline:
	case errors.Is(err, io.EOF):
		_ = huma.SetReadDeadline(w, time.Time{})
	default: // net/http would go on reading, and without a deadline for ever
		w.Header().Set("Connection", "close")
		_ = huma.SetReadDeadline(w, time.Now())
	}
}

// drainTimeout is how long a refused caller may take to send the rest of its body.
const drainTimeout = 5 * time.Second

// bodyTimeout is how long a caller may take to send its body.
const bodyTimeout = 30 * time.Second

// buffers are reused for bodies in and out.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxPooled keeps one large body from staying in memory for good, in bytes.
const maxPooled = 64 << 10

func getBuffer() *bytes.Buffer { return buffers.Get().(*bytes.Buffer) }

func putBuffer(b *bytes.Buffer) {
	if b.Cap() <= maxPooled {
		b.Reset()
		buffers.Put(b)
	}
}

// readBody reads r's body into buf. It sets no deadline on writers that know none.
func readBody(w http.ResponseWriter, r *http.Request, buf *bytes.Buffer) error {
	hasDeadline := huma.SetReadDeadline(w, time.Now().Add(bodyTimeout)) == nil
	n, err := buf.ReadFrom(io.LimitReader(r.Body, maxBody+1))
	if err == nil && n > maxBody {
		err = &hongyan.Error{Kind: hongyan.Invalid, Code: "body_too_large", Message: fmt.Sprintf("the body is longer than %d bytes", maxBody)}
	} else if err != nil {
		err = &hongyan.Error{Kind: hongyan.Invalid, Code: "body_not_read", Message: "the body did not arrive completely", Err: err}
	}
	if hasDeadline {
		// A deadline that stays would end the request's context later on.
		_ = huma.SetReadDeadline(w, time.Time{})
	}
	return err
}

// strictOptions refuse what a lenient reader would guess at. Repeated names and
// invalid UTF-8 are refused by default.
var strictOptions = json.JoinOptions(json.RejectUnknownMembers(true))

// decodeStrict reads one JSON value into v. Its errors are *hongyan.Error with
// a pointer. They repeat numbers and times, but no other text: a secret may have
// been put into the wrong field.
func decodeStrict(data []byte, v any) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return badField("bad_json", "", "the body is empty; it must be a JSON object").InChinese("内容为空；应为一个 JSON 对象")
	}
	if err := json.Unmarshal(data, v, strictOptions); err != nil {
		return explainJSON(data, err)
	}
	return nil
}

// encodeOptions let text through that came from WeChat with broken characters;
// refusing to answer would help nobody.
var encodeOptions = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

// encode writes v as one line of JSON.
func encode(w io.Writer, v any) error {
	if err := json.MarshalWrite(w, v, encodeOptions); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// badField is an error about one field of the body.
func badField(code, pointer, format string, args ...any) *hongyan.Error {
	return hongyan.InvalidField(code, pointer, format, args...)
}

// explainJSON says in our words what is wrong with a JSON text.
func explainJSON(data []byte, err error) *hongyan.Error {
	if own, ok := errors.AsType[*hongyan.Error](err); ok {
		return own
	}
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return explainSyntax(data, s)
	}
	if s, ok := errors.AsType[*json.SemanticError](err); ok {
		return explainType(data, s)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return badField("bad_json", "", "the JSON ends too early").InChinese("JSON 不完整，提前结束")
	}
	e := badField("bad_json", "", "the body is not JSON").InChinese("内容不是 JSON")
	e.Err = err
	return e
}

func explainSyntax(data []byte, s *jsontext.SyntacticError) *hongyan.Error {
	pointer := string(s.JSONPointer)
	switch {
	case errors.Is(s, jsontext.ErrDuplicateName):
		return badField("duplicate_field", pointer, "the field %q is given twice", s.JSONPointer.LastToken()).InChinese("字段 %q 出现了两次", s.JSONPointer.LastToken())
	case errors.Is(s, io.ErrUnexpectedEOF):
		return badField("bad_json", pointer, "the JSON ends too early, at byte %d", s.ByteOffset).InChinese("JSON 不完整，在第 %d 字节处结束", s.ByteOffset)
	case strings.Contains(s.Err.Error(), "UTF-8"):
		return badField("bad_json", pointer, "the text is not UTF-8, at byte %d", s.ByteOffset).InChinese("文本不是 UTF-8，位于第 %d 字节", s.ByteOffset)
	case followsValue(data, s.ByteOffset):
		return badField("bad_json", pointer, "the JSON value is complete and more text follows it, at byte %d; send one value", s.ByteOffset).
			InChinese("JSON 值已完整，其后还有内容，位于第 %d 字节；请只发送一个值", s.ByteOffset)
	default:
		return badField("bad_json", pointer, "not JSON, at byte %d", s.ByteOffset).InChinese("不是 JSON，位于第 %d 字节", s.ByteOffset)
	}
}

// followsValue reports whether a whole JSON value stands before offset.
func followsValue(data []byte, offset int64) bool {
	return offset > 0 && offset <= int64(len(data)) && jsontext.Value(data[:offset]).IsValid()
}

var timeTypes = []reflect.Type{reflect.TypeFor[time.Time](), reflect.TypeFor[client.Time]()}

func explainType(data []byte, s *json.SemanticError) *hongyan.Error {
	pointer := string(s.JSONPointer)
	switch {
	case errors.Is(s, json.ErrUnknownName):
		return unknownField(s)
	case slices.Contains(timeTypes, s.GoType) && s.JSONKind == jsontext.KindString:
		return badTime(pointer, plainText(memberAt(data, s.JSONPointer)))
	case slices.Contains(timeTypes, s.GoType):
		return mistyped(pointer, said{"a time in a string", "字符串形式的时间"}, gotWords(pointer, s.JSONKind, memberAt(data, s.JSONPointer)))
	case s.GoType == nil:
		return badField("wrong_type", pointer, "the value does not fit this field").InChinese("该值不适用于此字段")
	default:
		return mistyped(pointer, typeWord(s.GoType), gotWords(pointer, s.JSONKind, memberAt(data, s.JSONPointer)))
	}
}

// mistyped is an error about a value of the wrong JSON type.
func mistyped(pointer string, want, got said) *hongyan.Error {
	e := badField("wrong_type", pointer, "expected %s, got %s", want.en, got.en).InChinese("应为%s，实际为%s", want.zh, got.zh)
	if pointer != "" {
		e.Message = pointer + ": " + e.Message
	}
	return e
}

// badTime is an error about text that is no time.
func badTime(pointer, text string) *hongyan.Error {
	return badField("bad_time", pointer, "%q is not a time of RFC 3339 with an offset, such as 2026-11-20T09:30:00+08:00", clip(text)).
		InChinese("%q 不是带时区的 RFC 3339 时间，例如 2026-11-20T09:30:00+08:00", clip(text))
}

// memberAt returns the value of the member of an object that pointer names; nil
// when it names an element of an array or nothing.
func memberAt(data []byte, pointer jsontext.Pointer) jsontext.Value {
	dec := jsontext.NewDecoder(bytes.NewReader(data), encodeOptions)
	for {
		if _, err := dec.ReadToken(); err != nil {
			return nil
		}
		kind, n := dec.StackIndex(dec.StackDepth())
		if afterName := kind == jsontext.KindBeginObject && n%2 == 1; afterName && dec.StackPointer() == pointer {
			value, _ := dec.ReadValue()
			return value
		}
	}
}

// plainText is the text of a JSON string, "" when v is none.
func plainText(v jsontext.Value) (text string) {
	_ = json.Unmarshal(v, &text)
	return text
}

// secretFields are the names whose values are never repeated, not even as numbers.
var secretFields = []string{"secret", "token", "aes_key", "failed_token", "access_token", "token_url", "egress_proxy"}

// gotWords says what stood at pointer: a number in full, of anything else the type.
func gotWords(pointer string, kind jsontext.Kind, value jsontext.Value) said {
	if kind != jsontext.KindNumber || len(value) == 0 || slices.Contains(secretFields, jsontext.Pointer(pointer).LastToken()) {
		return kindWord(kind)
	}
	return said{"the number " + clip(string(value)), "数字 " + clip(string(value))}
}

// maxName bounds a field name that is repeated in an answer, in bytes.
const maxName = 64

func unknownField(s *json.SemanticError) *hongyan.Error {
	name := s.JSONPointer.LastToken()
	if len(name) > maxName {
		return badField("unknown_field", string(s.JSONPointer.Parent()), "there is a field here whose name is %d bytes long", len(name)).
			InChinese("此处有一个名称长达 %d 字节的字段", len(name))
	}
	detail := said{fmt.Sprintf("there is no field %q here", name), fmt.Sprintf("此处没有字段 %q", name)}
	if meant := nearestField(s.GoType, name); meant != "" {
		detail.en += fmt.Sprintf("; did you mean %q?", meant)
		detail.zh += fmt.Sprintf("；是否应为 %q？", meant)
	}
	return badField("unknown_field", string(s.JSONPointer), "%s", detail.en).InChinese("%s", detail.zh)
}

// said is one thing in English and in Chinese.
type said struct{ en, zh string }

// The types of JSON as people call them.
var (
	aString    = said{"a string", "字符串"}
	aNumber    = said{"a number", "数字"}
	aWhole     = said{"a whole number", "整数"}
	trueFalse  = said{"true or false", "true 或 false"}
	anObject   = said{"an object", "对象"}
	anArray    = said{"an array", "数组"}
	dataString = said{"a string or {\"value\":…}", "字符串或 {\"value\":…}"}
)

func kindWord(k jsontext.Kind) said {
	switch k {
	case jsontext.KindString:
		return aString
	case jsontext.KindNumber:
		return aNumber
	case jsontext.KindTrue, jsontext.KindFalse:
		return trueFalse
	case jsontext.KindNull:
		return said{"null", " null"}
	case jsontext.KindBeginObject:
		return anObject
	case jsontext.KindBeginArray:
		return anArray
	default:
		return said{"something else", "其他内容"}
	}
}

func typeWord(t reflect.Type) said {
	switch t.Kind() {
	case reflect.Pointer:
		return typeWord(t.Elem())
	case reflect.String:
		return aString
	case reflect.Bool:
		return trueFalse
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return aWhole
	case reflect.Float32, reflect.Float64:
		return aNumber
	case reflect.Slice, reflect.Array:
		return anArray
	default:
		return anObject
	}
}

// minPart is how long a name must be to be taken for a part of a longer one.
const minPart = 4

// nearestField returns the JSON name of t closest to name, "" when none is
// close enough to be what was meant.
func nearestField(t reflect.Type, name string) string {
	if t == nil || t.Kind() != reflect.Struct {
		return ""
	}
	best, bestDistance := "", len(name)/3+2
	for _, field := range reflect.VisibleFields(t) {
		known, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if known == "" || known == "-" {
			continue
		}
		d := near.Distance(strings.ToLower(name), known)
		if len(name) >= minPart && strings.Contains(known, strings.ToLower(name)) {
			d = min(d, 1) // "path" for "pagepath"
		}
		if d < bestDistance {
			best, bestDistance = known, d
		}
	}
	return best
}
