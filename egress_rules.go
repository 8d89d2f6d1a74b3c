package hongyan

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Limits of what an account says about the way to WeChat.
const (
	maxURLLen      = 2048 // bytes; longer ones break servers and logs
	maxPaths       = 100  // patterns in each of the two lists
	maxPathPattern = 256  // bytes; WeChat's longest path has about 60
)

// pathPattern is a path of WeChat's, or a prefix of one and "*". WeChat's paths
// have no other characters, so that a pattern with one would never match.
var pathPattern = regexp.MustCompile(`^/[A-Za-z0-9_./-]*\*?$`)

// tokenSource checks where the access_token comes from.
func (c *accountCheck) tokenSource(a *Account) {
	oneOf(c, "/token_source", a.TokenSource, "", TokenStable, TokenPlain, TokenExternal)
	switch rule := tokenURLFault(a.TokenURL.Reveal()); {
	case a.TokenURL == "":
	case a.TokenSource != TokenExternal:
		c.add("/token_url", "only an account with token_source external has one; clear it, or set token_source")
	case rule != "":
		c.add("/token_url", "%s", rule)
	}
}

// tokenURLFault returns the rule a token_url breaks, "" for none. The URL may
// hold a secret anywhere but in its host, and what is no URL anywhere at all.
func tokenURLFault(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case len(raw) > maxURLLen:
		return "is longer than " + strconv.Itoa(maxURLLen) + " bytes"
	case err != nil || u.Opaque != "" || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return "not an absolute URL such as https://token.example.com/cgi-bin/token"
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return "must have no fragment: what follows # is never sent"
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return "must be https, because its host is not loopback and the answer is a token"
	}
	return ""
}

// egressSchemes are the ways a proxy may be spoken to. With socks5h the proxy
// looks up names; Go leaves that to the proxy for socks5 too.
var egressSchemes = []string{"http", "https", "socks5", "socks5h"}

// egressProxy checks a proxy's URL, which is not repeated: its user info may
// hold a password, and a mistyped one may hold it anywhere.
func (c *accountCheck) egressProxy(raw string) {
	const like = "write http://HOST:PORT, https://, socks5:// or socks5h://, with USER:PASSWORD@ before the host where the proxy asks for it"
	if raw == "" {
		return
	}
	u, err := url.Parse(raw)
	switch {
	case len(raw) > maxURLLen:
		c.add("/egress_proxy", "is longer than %d bytes", maxURLLen)
	case err != nil || u.Opaque != "" || !slices.Contains(egressSchemes, u.Scheme):
		c.add("/egress_proxy", "is not the URL of a proxy; %s", like)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#"):
		c.add("/egress_proxy", "must have nothing behind its port; %s", like)
	case u.Hostname() == "" || !goodPort(u.Port()):
		c.add("/egress_proxy", "needs a host and a port from 1 to 65535; %s", like)
	}
}

func goodPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// EgressProxyShown is the proxy without what may be secret in it, as
// "socks5://proxy.internal:1080"; "" when there is none.
func (a *Account) EgressProxyShown() string {
	u, err := url.Parse(a.EgressProxy.Reveal())
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// paths checks one list of PathRules.
func (c *accountCheck) paths(at string, patterns []string) {
	if len(patterns) > maxPaths {
		c.add(at, "has %d patterns; at most %d", len(patterns), maxPaths)
		return
	}
	for i, p := range patterns {
		here := at + "/" + strconv.Itoa(i)
		switch {
		case !strings.HasPrefix(p, "/"):
			c.add(here, "%q does not begin with /", clip(p))
		case strings.Contains(strings.TrimSuffix(p, "*"), "*"):
			c.add(here, "%q has a * that is not at its end", clip(p))
		case strings.Contains(p, "..") || strings.Contains(p, "//"):
			c.add(here, "%q has .. or // in it, which no path of WeChat's has", clip(p))
		case len(p) > maxPathPattern || !pathPattern.MatchString(p):
			c.add(here, "%q is not a path such as /cgi-bin/menu/create or /cgi-bin/menu/*: letters, digits, _ - . and /, at most %d", clip(p), maxPathPattern)
		}
	}
}
