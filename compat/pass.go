package compat

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"hongyan"
	"hongyan/wechat"
)

// passage is a call on its way through.
type passage struct {
	account *hongyan.Account // nil = nobody's: WeChat's ordinary host
	query   query
	swap    bool   // access_token in the query is ours to exchange
	body    []byte // in the place of the caller's; nil = the caller's
	guarded *guarded
}

// pass hands a call on to WeChat.
func (g *Gate) pass(x *exchange) error {
	p, err := g.admit(x)
	if err != nil {
		return err
	}
	if p.account != nil {
		if err := allowed(p.account, x.path); err != nil {
			return err
		}
	}
	if p.guarded != nil {
		return g.passGuarded(x, p)
	}
	return g.forward(x, p)
}

// admit finds out whose call it is, and what of it is to be exchanged.
func (g *Gate) admit(x *exchange) (*passage, error) {
	q := readQuery(x.r.URL.RawQuery)
	if v := guards[x.route]; v != nil {
		return g.admitGuarded(x, q, v)
	}
	if accessToken := q.get("access_token"); accessToken != "" {
		return g.admitToken(x, q, accessToken)
	}
	if appID := q.get("appid"); appID != "" && (q.get("secret") != "" || strings.HasPrefix(x.route, "/sns/")) {
		return g.admitSecret(x, q, appID)
	}
	return nil, refuse(wechat.CodeAccessTokenMissing)
}

// admitToken is for nearly all calls: they carry the account's token.
func (g *Gate) admitToken(x *exchange, q query, accessToken string) (*passage, error) {
	appID, err := g.owner(x, accessToken)
	if errors.Is(err, errUnknownToken) && usersTokens[x.route] {
		a, err := g.accounts.common(x.ctx())
		return &passage{account: a, query: q}, err
	}
	if err != nil {
		return nil, err
	}
	a, err := g.account(x, appID)
	if no, ok := errors.AsType[*refusal](err); ok && no.code == wechat.CodeInvalidAppID {
		return nil, errUnknownToken // it was deleted, and its token with it
	}
	return &passage{account: a, query: q, swap: true}, err
}

// usersTokens are the paths that take an access_token a user gave by logging in. Of
// those we know none, and none is ours to exchange.
var usersTokens = map[string]bool{"/sns/userinfo": true, "/sns/auth": true}

// admitSecret is for logins of users, which name the account and show its secret
// instead of a token.
func (g *Gate) admitSecret(x *exchange, q query, appID string) (*passage, error) {
	a, err := g.account(x, appID)
	if err != nil {
		return nil, err
	}
	if secret := q.get("secret"); secret != "" {
		if _, err := g.whose(x, a, secret); err != nil {
			return nil, err
		}
		q = q.set("secret", a.Secret.Reveal())
	}
	return &passage{account: a, query: q}, nil
}

// allowed applies the account's rules about paths. They are compared without regard
// to case or a slash at the end, since WeChat may not care for either.
func allowed(a *hongyan.Account, path string) error {
	path = plainPath(path)
	matches := func(pattern string) bool { return matchesPath(pattern, path) }
	if i := slices.IndexFunc(a.Paths.Deny, matches); i >= 0 {
		return refuseWith(wechat.CodeAPIUnauthorized, "%s: this gateway refuses %s for %s (deny %q)",
			textOf(wechat.CodeAPIUnauthorized), path, a.AppID, a.Paths.Deny[i])
	}
	if len(a.Paths.Allow) > 0 && !slices.ContainsFunc(a.Paths.Allow, matches) {
		return refuseWith(wechat.CodeAPIUnauthorized, "%s: this gateway refuses %s for %s (not among the paths of allow)",
			textOf(wechat.CodeAPIUnauthorized), path, a.AppID)
	}
	return nil
}

func plainPath(path string) string { return strings.ToLower(strings.TrimSuffix(path, "/")) }

// matchesPath compares a path, or a prefix followed by "*".
func matchesPath(pattern, path string) bool {
	if prefix, any := strings.CutSuffix(pattern, "*"); any {
		prefix = strings.ToLower(prefix)
		return strings.HasPrefix(path, prefix) || path+"/" == prefix
	}
	return plainPath(pattern) == path
}

// source is what is sent on: the caller's body, or what stands in its place.
func (p *passage) source(x *exchange) (io.Reader, int64) {
	if p.body != nil {
		return bytes.NewReader(p.body), int64(len(p.body))
	}
	return x.r.Body, x.r.ContentLength
}
