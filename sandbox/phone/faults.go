package phone

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"hongyan/sandbox"
)

// faultsPage is the panel's page about mischief.
type faultsPage struct {
	View    view
	Rules   []faultRow
	Presets []presetRow
	Paths   []string
	Effects []string
}

type faultRow struct {
	ID, Path, Effect, Limits string
	Hits, Matched            int
}

type presetRow struct{ Name, What string }

// effects are what a rule can do, as the form offers them; each has a text.
var effects = []string{"errcode", "http_status", "drop_answer", "reset_before", "reset_after", "hang_ms", "delay_ms"}

// faultPaths are what one most often wants to spoil; any other path can be typed.
var faultPaths = []string{
	"/cgi-bin/message/template/send", "/cgi-bin/message/wxopen/template/send", "/cgi-bin/message/subscribe/send",
	"/cgi-bin/token", "/cgi-bin/stable_token", "*",
}

func (s *site) faultsPage(v view) *faultsPage {
	p := &faultsPage{View: v, Paths: faultPaths, Effects: effects}
	for _, f := range s.box.Faults() {
		p.Rules = append(p.Rules, faultRow{f.ID, f.Path, effectText(f), limitsText(f), f.Hits, f.Matched})
	}
	return p
}

func (s *site) faults(w http.ResponseWriter, _ *http.Request, v view) error {
	return s.render(w, v, part{"fault-list", s.faultsPage(v)})
}

// effectText names what a rule does in the words of the control API.
func effectText(f sandbox.Fault) string {
	var words []string
	for _, e := range []struct {
		on   bool
		text string
	}{
		{f.DelayMS != 0, fmt.Sprintf("delay_ms %d", f.DelayMS)},
		{f.ErrCode != 0, fmt.Sprintf("errcode %d", f.ErrCode)},
		{f.HTTPStatus != 0, fmt.Sprintf("HTTP %d", f.HTTPStatus)},
		{f.DropAnswer, "drop_answer"},
		{f.Reset != "", "reset " + f.Reset},
		{f.HangMS != 0, fmt.Sprintf("hang_ms %d", f.HangMS)},
	} {
		if e.on {
			words = append(words, e.text)
		}
	}
	return strings.Join(words, ", ")
}

// limitsText names when a rule strikes.
func limitsText(f sandbox.Fault) string {
	var words []string
	if f.AppID != "" {
		words = append(words, "appid "+f.AppID)
	}
	if f.OpenID != "" {
		words = append(words, "openid "+shortID(f.OpenID))
	}
	if f.Nth > 0 {
		words = append(words, fmt.Sprintf("nth %d", f.Nth))
	}
	if f.Times > 0 {
		words = append(words, fmt.Sprintf("× %d", f.Times))
	}
	if f.Rate != nil {
		words = append(words, fmt.Sprintf("rate %g", *f.Rate))
	}
	return strings.Join(words, " · ")
}

func (s *site) addFault(w http.ResponseWriter, r *http.Request, v view) error {
	f, err := readFault(r)
	if err != nil {
		return err
	}
	id, err := s.box.TryFault(f)
	if err != nil {
		return err
	}
	v.Panel = panelFaults
	return s.done(w, r, v, v.lang.text("said.fault", id), part{"panel-oob", s.panelOf(v)})
}

// readFault reads the form: one effect with one value.
func readFault(r *http.Request) (sandbox.Fault, error) {
	form := r.PostForm
	f := sandbox.Fault{Path: form.Get("path"), OpenID: form.Get("openid")}
	var err error
	if f.Times, err = number(r, "times"); err != nil {
		return f, err
	}
	if text := form.Get("rate"); text != "" {
		rate, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return f, &sandbox.ControlError{Field: "rate", Rule: "must be a number from 0 to 1", Value: text}
		}
		f.Rate = &rate
	}
	return f, setEffect(&f, r)
}

func setEffect(f *sandbox.Fault, r *http.Request) (err error) {
	switch effect := r.PostForm.Get("effect"); effect {
	case "errcode":
		f.ErrCode, err = number(r, "value")
	case "http_status":
		f.HTTPStatus, err = number(r, "value")
	case "hang_ms":
		f.HangMS, err = number(r, "value")
	case "delay_ms":
		f.DelayMS, err = number(r, "value")
	case "drop_answer":
		f.DropAnswer = true
	case "reset_before", "reset_after":
		f.Reset = strings.TrimPrefix(effect, "reset_")
	default:
		err = &sandbox.ControlError{Field: "effect", Rule: "must be one of " + strings.Join(effects, ", "), Value: effect}
	}
	return err
}

func (s *site) removeFault(w http.ResponseWriter, r *http.Request, v view) error {
	id := r.PostForm.Get("id")
	if !s.box.RemoveFault(id) {
		return &sandbox.ControlError{Status: http.StatusNotFound, Field: "id", Rule: "must be a rule in force", Value: id}
	}
	v.Panel = panelFaults
	return s.done(w, r, v, v.lang.text("said.fault-removed", id), part{"panel-oob", s.panelOf(v)})
}
