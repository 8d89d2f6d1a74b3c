package phone

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strings"
	"sync"

	"hongyan/card"
	"hongyan/sandbox"
)

//go:embed templates static
var files embed.FS

// Handler serves the phone at / and under /phone/, and hands every other path to
// box.Handler. It starts nothing; each open page holds one request, the stream of
// events, which ends when the page or the server does.
func Handler(box *sandbox.Sandbox) http.Handler {
	s := &site{box: box, origin: http.NewCrossOriginProtection(), stopping: make(chan struct{})}
	for _, l := range languages {
		s.templates = append(s.templates, parseTemplates(l))
	}
	pages, rest := s.guard(s.routes()), box.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" || strings.HasPrefix(r.URL.Path, "/phone/") {
			pages.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

// site is the pages of one sandbox.
type site struct {
	box       *sandbox.Sandbox
	templates []*template.Template // by language
	origin    *http.CrossOriginProtection
	once      sync.Once     // registers stop with the server
	stopping  chan struct{} // closed when the server stops: streams end
}

// routes is every path of the phone; docs/sandbox.md explains what one sees there.
func (s *site) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range map[string]handler{
		// Whole, and the parts that the page fetches again when something changed.
		"GET /{$}":           s.page,
		"GET /phone/screen":  s.screen,
		"GET /phone/people":  s.people,
		"GET /phone/actions": s.actions,
		"GET /phone/panel":   s.panel,
		"GET /phone/traffic": s.traffic,
		"GET /phone/clock":   s.clock,
		"GET /phone/faults":  s.faults,
		// What the user does with the phone.
		"POST /phone/taps":            s.tap,
		"POST /phone/user":            s.setUser,
		"POST /phone/forms":           s.submitForm,
		"POST /phone/payments":        s.pay,
		"POST /phone/consents":        s.answerPrompt,
		"POST /phone/consents/revoke": s.revokeConsent,
		"POST /phone/notices":         s.refuseNotices,
		"POST /phone/one_time":        s.confirmOneTime,
		// What the developer does beside it.
		"POST /phone/clock":         s.advance,
		"POST /phone/faults":        s.addFault,
		"POST /phone/faults/remove": s.removeFault,
		"POST /phone/presets":       s.setPreset,
		"POST /phone/accounts":      s.setAccount,
		"POST /phone/preferences":   s.setPreferences,
	} {
		mux.Handle(pattern, s.handle(h))
	}
	mux.HandleFunc("GET /phone/events", s.events)
	mux.HandleFunc("GET /phone/static/card.css", serveCardCSS)
	mux.Handle("GET /phone/static/", http.StripPrefix("/phone/", http.HandlerFunc(serveStatic)))
	return mux
}

// handler answers a request, or returns an error that handle writes.
type handler func(w http.ResponseWriter, r *http.Request, v view) error

func (s *site) handle(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			http.Error(w, "phone: the form cannot be read: "+err.Error(), http.StatusBadRequest)
			return
		}
		v := readView(r)
		if err := h(w, r, v); err != nil {
			s.fail(w, r, v, err)
		}
	})
}

// maxForm bounds what a form may hold.
const maxForm = 64 << 10

// render writes the named templates one after the other; several are the parts of
// the page that one answer changes.
func (s *site) render(w http.ResponseWriter, v view, parts ...part) error {
	var b bytes.Buffer
	for _, p := range parts {
		if err := s.templates[v.lang].ExecuteTemplate(&b, p.name, p.data); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // a reader who left needs no page
	return nil
}

// part is a template and what it shows.
type part struct {
	name string
	data any
}

func parseTemplates(l language) *template.Template {
	t := template.New("").Funcs(template.FuncMap{
		"t":     l.say,
		"icon":  icon,
		"short": shortID,
	})
	return template.Must(card.Parse(t).ParseFS(files, "templates/*.html"))
}

// shortID is the two ends of a long id.
func shortID(id string) string {
	const ends, tail = 7, 4
	if len(id) <= ends+tail+1 {
		return id
	}
	return id[:ends] + "…" + id[len(id)-tail:]
}

func icon(name string) (template.HTML, error) {
	if svg, ok := icons[name]; ok {
		return svg, nil
	}
	return "", fmt.Errorf("phone: no icon %q", name)
}

// serveStatic lets browsers keep the files but ask each time: they change with
// the binary, and the sandbox is next door.
func serveStatic(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeFileFS(w, r, files, r.URL.Path)
}

// serveCardCSS serves the part of the style sheet that is package card's.
func serveCardCSS(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = io.WriteString(w, card.CSS())
}
