package sandbox

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Admits returns nil for a request that the control API lets in, else a
// [*ControlError] with status 403. Pages that do what the control API does ask it.
func (s *Sandbox) Admits(r *http.Request) error {
	if s.opts.AllowRemote {
		return nil
	}
	return foreign(r)
}

// foreign refuses callers elsewhere, and requests that a page of another site made: it
// can send them here without reading the answers, and read those, too, once its own
// name leads to loopback.
func foreign(r *http.Request) error {
	refused := ControlError{Status: http.StatusForbidden}
	switch {
	case !fromLoopback(r):
		refused.Field, refused.Rule = "remote address", "must be loopback"
	case !localHost(r.Host):
		refused.Field, refused.Rule, refused.Value = "host", "must be localhost, a name under it or under .test, or a loopback address", valid(r.Host)
	case http.NewCrossOriginProtection().Check(r) != nil:
		refused.Field, refused.Rule, refused.Value = "origin", "must be the sandbox's own", valid(r.Header.Get("Origin"))
	default:
		return nil
	}
	refused.Rule += ": the control API has no login (--allow-remote lifts this)"
	return &refused
}

// localHost reports whether nobody elsewhere can own the name in a Host header:
// localhost and test are reserved (RFC 6761).
func localHost(hostport string) bool {
	u := url.URL{Host: hostport}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".test")
}

func fromLoopback(r *http.Request) bool {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && addr.Addr().Unmap().IsLoopback()
}
