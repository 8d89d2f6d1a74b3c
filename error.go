package hongyan

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind says what an Error means to whoever asked. Each edge has one table
// from Kind to its own words (HTTP status, exit code, errcode).
type Kind uint8

// The eight kinds.
const (
	// Internal is a fault of ours; only a request id is shown.
	Internal Kind = iota
	// Invalid breaks a rule about a value: the request can never succeed as it is.
	Invalid
	// NotFound names something that does not exist.
	NotFound
	// Conflict asks for something the present state does not allow.
	Conflict
	// Unauthorized carries no valid credential.
	Unauthorized
	// Forbidden carries a credential that does not cover the act.
	Forbidden
	// Unavailable is a condition that passes: try again later.
	Unavailable
	// Full means the disk cannot take another record.
	Full
)

var kindNames = [...]string{"internal", "invalid", "not_found", "conflict", "unauthorized", "forbidden", "unavailable", "full"}

// String returns the kind's stable lower-case name.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", k)
}

// Error is what Hongyan says when something cannot be done. Message, Hint and
// Fields are safe to show to the caller; Err is for the log alone.
type Error struct {
	Kind    Kind
	Code    string // stable lower-case word for programs, e.g. "unknown_template"; "" = the kind's name
	Message string // what is wrong
	Hint    string // what to do about it; may be empty
	Fields  []FieldError
	Err     error
}

// FieldError is one broken rule of one field.
type FieldError struct {
	Pointer  string // RFC 6901 JSON pointer, e.g. "/data/thing1"
	Detail   string // the rule and the offending value (never a secret's)
	Rule     string // short id of the rule, e.g. "thing:max20"; "" where rules have none
	DetailZH string // Detail in Chinese; "" = there is none
}

// Error returns kind, message and cause. It is meant for logs.
func (e *Error) Error() string {
	s := e.Message
	for _, f := range e.Fields {
		s += "; " + f.Pointer + ": " + f.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an Error of kind k with a formatted message. A %w verb sets Err; a
// format that ends in ": %w" leaves the cause out of the message, which may be
// shown where the cause may not.
func Errorf(k Kind, code, format string, args ...any) *Error {
	wrapped := fmt.Errorf(format, args...)
	e := &Error{Kind: k, Code: code, Message: wrapped.Error(), Err: errors.Unwrap(wrapped)}
	if e.Err != nil {
		e.Message = strings.TrimSuffix(e.Message, ": "+e.Err.Error())
	}
	return e
}

// InvalidField returns an Invalid error about one field.
func InvalidField(code, pointer, format string, args ...any) *Error {
	detail := fmt.Sprintf(format, args...)
	return &Error{Kind: Invalid, Code: code, Message: detail, Fields: []FieldError{{Pointer: pointer, Detail: detail}}}
}

// InChinese says the one field of e in Chinese, too, and returns e.
func (e *Error) InChinese(format string, args ...any) *Error {
	e.Fields[0].DetailZH = fmt.Sprintf(format, args...)
	return e
}

// KindOf returns the kind of the first Error in err's chain, Internal when there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// IsKind reports whether err carries kind k.
func IsKind(err error, k Kind) bool { return err != nil && KindOf(err) == k }

// TokenError says why no access_token can be had for an account now.
type TokenError struct {
	AppID   string
	Stopped bool      // needs a person (wrong secret, IP not in the whitelist …): do not ask again by yourself
	RetryAt time.Time // when asking again can help; zero when Stopped
	Errcode int       // WeChat's code; 0 when there was no answer
	Reason  string    // safe to show
	Err     error
}

// Error returns account, reason and cause; never a secret.
func (e *TokenError) Error() string {
	return fmt.Sprintf("no access_token for %s: %s", e.AppID, e.Reason)
}

// Unwrap returns the cause.
func (e *TokenError) Unwrap() error { return e.Err }
