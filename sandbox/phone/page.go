package phone

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"hongyan/sandbox"
)

// page is the whole page.
type page struct {
	view
	Events    string // address of the stream
	OtherLang string
	NextTheme string
	Clock     clockFace
	People    peopleColumn
	Actions   actionsColumn
	Screen    screen
	PanelPage panelPage
}

func (s *site) page(w http.ResponseWriter, _ *http.Request, v view) error {
	sc := s.readScreen(v)
	v = sc.view // what the address asked for and is not there is gone
	return s.render(w, v, part{"page", page{
		view: v, Events: "/phone/events?" + url.Values{"user": {v.User}}.Encode(),
		OtherLang: languages[1-v.lang].tag(), NextTheme: nextTheme(v.theme),
		Clock: s.clockFace(), People: s.peopleOf(v), Actions: s.actionsOf(v), Screen: sc, PanelPage: s.panelOf(v),
	}})
}

func nextTheme(theme string) string {
	for i, t := range themes {
		if t == theme {
			return themes[(i+1)%len(themes)]
		}
	}
	return themes[0]
}

// keepFor is how long a browser remembers language and theme.
const keepFor = 365 * 24 * time.Hour

func (s *site) setPreferences(w http.ResponseWriter, r *http.Request, _ view) error {
	keep := func(name, value string) {
		http.SetCookie(w, &http.Cookie{
			Name: name, Value: value, Path: "/", MaxAge: int(keepFor / time.Second), HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
	}
	if tag := r.PostForm.Get("lang"); tag != "" {
		l, ok := parseLanguage(tag)
		if !ok {
			return &sandbox.ControlError{Field: "lang", Rule: "must be zh-CN or en", Value: tag}
		}
		keep(languageCookie, l.tag())
	}
	if theme := r.PostForm.Get("theme"); theme != "" {
		keep(themeCookie, oneOf(theme, themes...))
	}
	// Only the query comes from the form: this redirects nowhere else.
	back := url.URL{Path: "/"}
	if u, err := url.Parse(r.PostForm.Get("back")); err == nil {
		back.RawQuery = u.RawQuery
	}
	http.Redirect(w, r, back.String(), http.StatusSeeOther)
	return nil
}

func fromHTMX(r *http.Request) bool { return r.Header.Get("HX-Request") == "true" }

// toast is a sentence that goes by itself.
type toast struct{ Tone, Text string }

// done answers a change: the parts of the page that may look different now, or
// for a browser without scripts the page again.
func (s *site) done(w http.ResponseWriter, r *http.Request, v view, said string, more ...part) error {
	if !fromHTMX(r) {
		http.Redirect(w, r, v.Page(), http.StatusSeeOther)
		return nil
	}
	parts := []part{
		{"people-oob", s.peopleOf(v)}, {"actions-oob", s.actionsOf(v)}, {"screen-oob", s.readScreen(v)},
	}
	if said != "" {
		parts = append(parts, part{"toast", toast{"good", said}})
	}
	return s.render(w, v, append(parts, more...)...)
}

// fail writes an error: as a toast where a script asked, which shows 200 answers
// only, as plain text otherwise.
func (s *site) fail(w http.ResponseWriter, r *http.Request, v view, err error) {
	status, text := http.StatusInternalServerError, "phone: "+err.Error()
	if e, ok := errors.AsType[*sandbox.ControlError](err); ok {
		status, text = http.StatusBadRequest, v.lang.refusal(e)
		if e.Status != 0 {
			status = e.Status
		}
	}
	if fromHTMX(r) && r.Method == http.MethodPost {
		w.Header().Set("HX-Retarget", "#toasts")
		w.Header().Set("HX-Reswap", "beforeend")
		if s.render(w, v, part{"toast", toast{"bad", text}}) == nil {
			return
		}
	}
	http.Error(w, text, status)
}

// refusal names the field, the rule and the value; the rule is the sandbox's own
// sentence.
func (l language) refusal(e *sandbox.ControlError) string {
	if e.Value == nil {
		return l.text("refused", e.Field, e.Rule)
	}
	return l.text("refused-value", e.Field, e.Rule, e.Value)
}

// number reads a whole number of a form; "" is 0.
func number(r *http.Request, name string) (int, error) {
	text := r.PostForm.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, &sandbox.ControlError{Field: name, Rule: "must be a whole number", Value: text}
	}
	return n, nil
}
