package wechat

import (
	"context"
	"errors"
	"io"
	"net/url"
	"strconv"
	"strings"
	"syscall"
)

const hidden = "[redacted]"

// redact makes an error of net/http safe to show. It drops the *url.Error around
// it, which prints the URL with the token in the query. A cause that quotes text
// (net/http quotes malformed answers, and a peer may echo the request line) or
// that contains a secret is replaced by its harmless part.
func redact(err error, secrets []string) error {
	for {
		outer, ok := errors.AsType[*url.Error](err)
		if !ok {
			break
		}
		err = outer.Err
	}
	if isClean(err, secrets) {
		return err
	}
	head, _, _ := strings.Cut(err.Error(), `"`)
	return &cause{text: hide(strings.TrimSpace(head), secrets), kind: kindOf(err)}
}

// isClean reports whether err and all it wraps print nothing foreign.
func isClean(err error, secrets []string) bool {
	if err == nil {
		return true
	}
	if s := err.Error(); strings.Contains(s, `"`) || hide(s, secrets) != s {
		return false
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return isClean(e.Unwrap(), secrets)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if !isClean(inner, secrets) {
				return false
			}
		}
	}
	return true
}

// minSecret is the length below which a value is not taken for a secret: an
// AppSecret has 32 characters, a token over 100, and replacing short placeholders
// would only garble texts.
const minSecret = 8

// hide replaces the secrets in s, in each form they can take in an error text.
func hide(s string, secrets []string) string {
	var pairs []string
	for _, secret := range secrets {
		if len(secret) < minSecret {
			continue
		}
		quoted := strconv.Quote(secret)
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), quoted[1 : len(quoted)-1]} {
			pairs = append(pairs, form, hidden)
		}
	}
	return strings.NewReplacer(pairs...).Replace(s)
}

// cause stands for an error whose text could not be kept. It still matches, with
// errors.Is, the well-known error that it was.
type cause struct {
	text string
	kind error
}

func (c *cause) Error() string { return c.text }

func (c *cause) Unwrap() error { return c.kind }

// kindOf finds the well-known error in err's chain, nil if there is none.
func kindOf(err error) error {
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(err, known) {
			return known
		}
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return nil
}
