package phone

import "net/http"

// policy lets the page load what is embedded here and nothing else. Values in
// colour therefore use the attributes of font and svg: a style attribute would
// need 'unsafe-inline'.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard lets in whom the control API lets in, and refuses what a page of another origin
// sends also where others are allowed.
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
		if err := s.origin.Check(r); err != nil || r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.URL.Path != "/" {
			http.Error(w, "phone: refused, the request comes from a page of another origin", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
