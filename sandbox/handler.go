package sandbox

import (
	_ "embed"
	"net/http"
	"strings"
)

// bannerHeader is on every answer, so that nobody takes the sandbox for WeChat.
const (
	bannerHeader = "X-Hongyan-Sandbox"
	bannerText   = "not WeChat"
)

//go:embed page.html
var page []byte

// Handler serves everything: the control API under /sandbox/, a page for people
// at /, and WeChat's API on every other path. It may be called more than once.
func (s *Sandbox) Handler() http.Handler {
	control := s.controlRoutes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()[bannerHeader] = []string{bannerText}
		switch path := r.URL.Path; {
		case path == "/":
			servePage(w, r)
		case path == "/favicon.ico":
			http.NotFound(w, r)
		case strings.HasPrefix(path, "/sandbox/"), path == "/sandbox":
			control.ServeHTTP(w, r)
		default:
			s.serveWeChat(w, r)
		}
	})
}

func servePage(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "the page is read with GET; WeChat's API begins at /cgi-bin/", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_, _ = w.Write(page) // a reader who left needs no page
}
