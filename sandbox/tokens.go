package sandbox

import (
	"strings"
	"time"

	"hongyan/wechat"
)

const (
	// tokenGrace is how long a replaced token stays usable unless token_grace says
	// otherwise (spec §3.1).
	tokenGrace = 5 * time.Minute
	// forceRefreshGap is the least time between two forced refreshes (spec §3.2).
	forceRefreshGap = 30 * time.Second
	// forceRefreshDaily is how many forced refreshes a day has (spec §3.2).
	forceRefreshDaily = 20
	// stableDaily and stablePerMinute limit calls of stable_token (spec §3.2).
	stableDaily     = 500_000
	stablePerMinute = 10_000
)

// token is one access_token ever handed out. Old ones stay known so that the
// ledger can say whose dead token a call carried.
type token struct {
	text    string
	account *account
	expires time.Time
	until   time.Time // once replaced: usable before this time; zero = not replaced
	dead    bool      // killed: by a forced refresh, by a second replacement, by RevokeToken
}

// verdict is 0 for a usable token, else the errcode it gets (spec §3.4, the
// simulator rule).
func (t *token) verdict(now time.Time) wechat.Code {
	switch {
	case t.dead, !t.until.IsZero() && !now.Before(t.until):
		return wechat.CodeInvalidCredential
	case !now.Before(t.expires):
		return wechat.CodeAccessTokenExpired
	}
	return wechat.CodeOK
}

// tokenSpace is one of an account's two token endpoints: their tokens do not
// disturb each other (spec §3.2).
type tokenSpace struct {
	current, previous *token
	fetches           int64
	lastForced        time.Time
	keepDead          bool // normal mode goes on returning current although it was revoked
}

// mint makes a new current token. The replaced one lives on for grace, at most
// until its own end; the one before it dies at once.
func (p *platform) mint(a *account, sp *tokenSpace, now time.Time, grace time.Duration) *token {
	if sp.previous != nil {
		sp.previous.dead = true
	}
	if old := sp.current; old != nil {
		if old.until = now.Add(grace); old.expires.Before(old.until) {
			old.until = old.expires
		}
	}
	sp.previous = sp.current
	sp.current = &token{text: p.dice.accessToken(a.tokenLength), account: a, expires: now.Add(a.tokenTTL)}
	sp.keepDead = false
	p.tokens[sp.current.text] = sp.current
	p.tokensMade.push(sp.current)
	p.forgetTokens()
	return sp.current
}

// maxTokens bounds the tokens that are remembered. Forgotten ones are unknown, which
// is 40001 as for those that were replaced.
const maxTokens = 100_000

func (p *platform) forgetTokens() {
	if p.tokensMade.len() <= maxTokens {
		return
	}
	t, _ := p.tokensMade.pop()
	for _, sp := range []*tokenSpace{&t.account.plain, &t.account.stable} {
		if t == sp.current || t == sp.previous {
			p.tokensMade.push(t) // in use, however old
			return
		}
	}
	delete(p.tokens, t.text)
}

// plainToken is /cgi-bin/token: always a new one.
func (p *platform) plainToken(a *account, now time.Time) *token {
	return p.mint(a, &a.plain, now, a.tokenGrace)
}

// stableToken is /cgi-bin/stable_token in normal mode: the same token while it is
// good, a new one in its last five minutes. Accounts with a shorter life renew in
// the same share of it, or every call would make a token.
func (p *platform) stableToken(a *account, now time.Time) *token {
	sp := &a.stable
	if sp.current != nil {
		renewal := min(5*time.Minute, a.tokenTTL/24)
		alive := sp.keepDead || !sp.current.dead
		if alive && now.Add(renewal).Before(sp.current.expires) {
			return sp.current
		}
	}
	return p.mint(a, sp, now, a.tokenGrace)
}

// forcedToken is stable_token with force_refresh: the old one dies at once, but
// two calls within 30 s refresh only once, unless the token is past its end by then.
// nil means that the day's 20 are used up.
func (p *platform) forcedToken(a *account, now time.Time) *token {
	sp := &a.stable
	tooSoon := !sp.lastForced.IsZero() && now.Sub(sp.lastForced) < forceRefreshGap
	if sp.current != nil && tooSoon && now.Before(sp.current.expires) {
		return sp.current
	}
	if !a.use("force_refresh", now, forceRefreshDaily) {
		return nil
	}
	sp.lastForced = now
	if sp.current != nil {
		sp.current.dead = true
	}
	return p.mint(a, sp, now, 0)
}

// looksLikeToken reports whether s has only characters that tokens have.
func looksLikeToken(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || r == '-')
	}) < 0
}

// checkToken is step 3 and 4 of the order of checks (spec §2.9).
func (p *platform) checkToken(c *call) wechat.Code {
	switch {
	case c.tokenText == "":
		return wechat.CodeAccessTokenMissing
	case c.token != nil:
		return c.token.verdict(c.now)
	case *p.rules.MalformedToken40014 && !looksLikeToken(c.tokenText):
		return wechat.CodeInvalidAccessToken
	}
	return wechat.CodeInvalidCredential
}

// RevokeToken kills every token of account appid, current and previous, plain and
// stable: calls with them answer 40001. With keep, stable_token in normal mode
// goes on returning the dead token, so that only a forced refresh helps.
func (s *Sandbox) RevokeToken(appid string, keep ...bool) error {
	defer s.unlock()
	p := s.lock()
	a := p.accounts[appid]
	if a == nil {
		return unknownAccount(appid)
	}
	for _, sp := range []*tokenSpace{&a.plain, &a.stable} {
		for _, t := range []*token{sp.current, sp.previous} {
			if t != nil {
				t.dead = true
			}
		}
	}
	a.stable.keepDead = len(keep) > 0 && keep[0] && a.stable.current != nil
	return nil
}
