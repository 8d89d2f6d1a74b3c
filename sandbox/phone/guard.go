package phone

import (
	"net"
	"net/http"
	"net/netip"
)

// policy lets the page load what is embedded here and nothing else. Values in
// colour therefore use the attributes of font and svg: a style attribute would
// need 'unsafe-inline'.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard lets in whom the control API lets in, under a name of this machine, and
// refuses what a page of another origin sends. A browser on this machine is on
// loopback whatever page it shows, so the address alone proves nothing.
func (s *site) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Hongyan-Sandbox", "not WeChat")
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if err := s.box.Admits(r); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		if !s.box.AllowsRemote() && !localName(r.Host) {
			http.Error(w, "phone: the page is served as localhost or a loopback address only (--allow-remote lifts this)", http.StatusForbidden)
			return
		}
		if err := s.origin.Check(r); err != nil || r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.URL.Path != "/" {
			http.Error(w, "phone: refused, the request comes from a page of another origin", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// localName reports whether a Host header names this machine. A name that
// somebody points at 127.0.0.1 for the occasion does not.
func localName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "localhost" {
		return true
	}
	if n := len(host); n > 2 && host[0] == '[' && host[n-1] == ']' {
		host = host[1 : n-1]
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
