package compat

import (
	"crypto/subtle"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"hongyan"
	"hongyan/access"
	"hongyan/token"
	"hongyan/wechat"
)

// maxLogin bounds the body of a request for a token, in bytes.
const maxLogin = 64 << 10

// login is what both token endpoints are asked.
type login struct {
	GrantType wireText `json:"grant_type"`
	AppID     wireText `json:"appid"`
	Secret    wireText `json:"secret"`
	Force     wireBool `json:"force_refresh"`
}

// serveToken is /cgi-bin/token. Its parameters are in the query, whatever the method.
func (g *Gate) serveToken(x *exchange) error {
	x.label = pathToken
	q := x.r.URL.Query()
	return g.grant(x, "token", login{
		GrantType: wireText(q.Get("grant_type")), AppID: wireText(q.Get("appid")), Secret: wireText(q.Get("secret")),
	})
}

// serveStableToken is /cgi-bin/stable_token, with JSON in the body.
func (g *Gate) serveStableToken(x *exchange) error {
	x.label = pathStable
	if x.r.Method != http.MethodPost {
		return refuse(wechat.CodeRequirePOST)
	}
	body, err := x.readAll(maxLogin)
	if err != nil {
		return err
	}
	var l login
	if err := decode(body, &l); err != nil {
		return err
	}
	return g.grant(x, "stable_token", l)
}

// grant answers a token. The order of the checks is WeChat's (spec §2.9).
func (g *Gate) grant(x *exchange, endpoint string, l login) error {
	a, err := g.account(x, string(l.AppID))
	if err != nil {
		return err
	}
	if l.GrantType != "client_credential" {
		return refuse(wechat.CodeInvalidGrantType)
	}
	callerID, err := g.whose(x, a, string(l.Secret))
	if err != nil {
		return err
	}
	granted, err := g.cfg.Tokens.Grant(x.ctx(), token.Ask{
		AppID: a.AppID, CallerID: callerID, Endpoint: endpoint, Remote: access.RemoteOf(x.r), Force: bool(l.Force),
	})
	if err != nil {
		return err
	}
	body := appendText([]byte(`{"access_token":`), granted.AccessToken.Reveal())
	body = strconv.AppendInt(append(body, `,"expires_in":`...), int64(granted.ExpiresIn/time.Second), 10)
	x.write(append(body, '}'))
	return nil
}

// gatewaySecret begins every secret that we gave out.
const gatewaySecret = "hys_"

// whose returns the id of the caller who has this secret for an account: a key's,
// or hongyan.CallerAppSecret. A wrong one is noted and answered 40125; a right one
// is welcome from any address, however many wrong ones came from there.
func (g *Gate) whose(x *exchange, a *hongyan.Account, secret string) (callerID string, err error) {
	if secret == "" {
		return "", refuse(wechat.CodeSecretMissing)
	}
	own := a.Secret.Reveal()
	isOwn := own != "" && subtle.ConstantTimeCompare([]byte(secret), []byte(own)) == 1
	if isOwn && !g.cfg.RefuseAppSecret {
		return hongyan.CallerAppSecret, nil
	}
	caller, err := g.cfg.Access.Caller(x.ctx(), secret, hongyan.KeyGateway)
	switch {
	case hongyan.IsKind(err, hongyan.NotFound):
		return "", g.wrongSecret(x, a, secret)
	case err != nil:
		return "", err
	case !caller.Covers(a.AppID):
		return "", g.notCovered(x, a, caller)
	}
	return caller.ID, nil
}

// wrongSecret counts a wrong secret against its address, unless that is known to
// guess and told how long to wait.
func (g *Gate) wrongSecret(x *exchange, a *hongyan.Account, secret string) error {
	remote := access.RemoteOf(x.r)
	if wait := g.cfg.Access.Blocked(remote); wait > 0 {
		return refuseWith(wechat.CodeMinuteQuota, "%s: too many wrong secrets came from this address, wait %d s",
			textOf(wechat.CodeMinuteQuota), int(math.Ceil(wait.Seconds())))
	}
	kind := "neither a gateway secret nor the AppSecret"
	if strings.HasPrefix(secret, gatewaySecret) {
		kind = "a gateway secret that is not known, or was revoked"
	}
	g.cfg.Access.Refuse(x.ctx(), access.Refusal{Remote: remote, Action: "login.refused", Target: a.AppID, Detail: x.route + ": " + kind})
	if g.cfg.RefuseAppSecret {
		return refuseWith(wechat.CodeInvalidAppSecret, "%s: this gateway takes secrets of its own only, which begin with %s",
			textOf(wechat.CodeInvalidAppSecret), gatewaySecret)
	}
	return refuse(wechat.CodeInvalidAppSecret)
}

// notCovered refuses a right secret that is for other accounts. It names the key,
// so that whoever reads the answer knows which one to widen or to exchange.
func (g *Gate) notCovered(x *exchange, a *hongyan.Account, c *access.Caller) error {
	g.cfg.Access.Record(x.ctx(), hongyan.AuditEntry{
		Actor: c.ID, Remote: access.RemoteOf(x.r), Action: "login.refused", Target: a.AppID, Outcome: "refused",
		Detail: x.route + ": the gateway secret is for other accounts",
	})
	return refuseWith(wechat.CodeAPIUnauthorized, "%s: the gateway secret %s (%s) does not cover %s",
		textOf(wechat.CodeAPIUnauthorized), c.ID, c.Name, a.AppID)
}

// owner finds the account of the caller's access_token. The current one and one
// replaced a moment ago do; others are refused in a way that makes SDKs fetch
// another, which 40014 would not (design §3.3).
func (g *Gate) owner(x *exchange, accessToken string) (string, error) {
	if accessToken == "" {
		return "", refuse(wechat.CodeAccessTokenMissing)
	}
	appID, standing, err := g.cfg.Tokens.Owner(x.ctx(), accessToken)
	if err != nil {
		return "", err
	}
	switch standing {
	case token.Live:
		x.appID = appID
		return appID, nil
	case token.Stale:
		x.appID = appID
		return "", refuse(wechat.CodeAccessTokenExpired)
	}
	return "", errUnknownToken
}

// errUnknownToken is 40001, told apart because it may be a user's token (see pass.go).
var errUnknownToken = refuse(wechat.CodeInvalidCredential)
