package api

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"hongyan"
	"hongyan/access"
)

// The roles, under the names that routes.go shows.
const (
	reader = access.Reader
	sender = access.Sender
	admin  = access.Admin
)

// authenticate finds who sent r and checks that they have at least the role. A
// caller whose role is too low is returned beside the error.
func (a *API) authenticate(r *http.Request, need access.Role) (*access.Caller, error) {
	key, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	key = strings.TrimSpace(key)
	if !found || key == "" {
		return nil, &hongyan.Error{Kind: hongyan.Unauthorized, Code: "missing_key", Message: "no API key was given",
			Hint: "Send it as \"Authorization: Bearer hyk_…\"."}
	}
	c, err := a.cfg.Access.Caller(r.Context(), key, hongyan.KeyAPI)
	if hongyan.IsKind(err, hongyan.NotFound) {
		return nil, a.wrongKey(r, err)
	}
	if err != nil {
		return nil, fmt.Errorf("look up key: %w", err)
	}
	if c.Role < need {
		return c, &hongyan.Error{Kind: hongyan.Forbidden, Code: "role_too_low", Message: "the role of this API key does not cover this act",
			Hint: "It takes the role " + need.String() + "."}
	}
	return c, nil
}

// wrongKey refuses a key that is not valid here, notes it, and makes an address
// that gave too many of them wait.
func (a *API) wrongKey(r *http.Request, err error) error {
	told := &hongyan.Error{Kind: hongyan.Unauthorized, Code: "invalid_key", Message: "this API key is not known here, or was revoked", Err: err}
	if asShown(err).Code == access.CodeOtherKind {
		told.Code, told.Message = access.CodeOtherKind, asShown(err).Message
	}
	remote := access.RemoteOf(r)
	wait := a.cfg.Access.Blocked(remote)
	a.cfg.Access.Refuse(r.Context(), access.Refusal{Remote: remote, Action: access.LoginRefused, Detail: told.Message})
	if wait > 0 {
		return &hongyan.Error{Kind: hongyan.Unauthorized, Code: "too_many_wrong_keys", Message: "too many keys from this address were not valid, and this one is not either",
			Hint: "Valid keys still work.", Err: retryAfter(wait)}
	}
	return told
}

// retryAfter is the cause of a refusal that is not to be provoked again before its time.
type retryAfter time.Duration

func (d retryAfter) Error() string { return "retry after " + time.Duration(d).String() }
