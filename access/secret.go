package access

import (
	"crypto/rand"
	"encoding/base64"
	"strings"

	"hongyan"
)

// prefixes start every secret of a kind, so that a leaked one is recognised,
// and one in the wrong place too.
var prefixes = map[hongyan.KeyKind]string{hongyan.KeyAPI: "hyk_", hongyan.KeyGateway: "hys_"}

const (
	// secretBytes is the entropy of a secret: 256 bits, 43 characters of base64url.
	secretBytes = 32
	// hintLen is how much of a secret is kept to recognise it by: four characters
	// of 43 help nobody to guess the rest.
	hintLen = len("hyk_") + 4
)

// NewSecret returns a new random API key ("hyk_…") or gateway secret ("hys_…"),
// 47 characters.
func NewSecret(kind hongyan.KeyKind) string {
	var b [secretBytes]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return prefixes[kind] + base64.RawURLEncoding.EncodeToString(b[:])
}

// HintOf returns what may be shown of a secret of NewSecret's, e.g. "hys_ab12".
func HintOf(secret string) string { return secret[:min(hintLen, len(secret))] }

// misplaced says that a secret is of the kind other than wanted.
func misplaced(wanted hongyan.KeyKind) error {
	e := &hongyan.Error{Kind: hongyan.NotFound, Code: CodeOtherKind, Message: "this is a gateway secret; the API takes hyk_ keys"}
	if wanted == hongyan.KeyGateway {
		e.Message = "this is an API key; in place of an AppSecret goes a hys_ gateway secret"
	}
	return e
}

// CodeOtherKind is the code of Desk.Caller's error for a secret of the other
// kind, as far as its first characters or the store tell.
const CodeOtherKind = "other_kind_of_key"

// startsAs reports whether secret begins like one of a kind other than wanted.
func startsAs(secret string, wanted hongyan.KeyKind) bool {
	for kind, prefix := range prefixes {
		if kind != wanted && strings.HasPrefix(secret, prefix) {
			return true
		}
	}
	return false
}
