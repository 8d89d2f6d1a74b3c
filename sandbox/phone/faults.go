package phone

import (
	"fmt"
	"net/http"
	"slices"
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
	Preset                   string // the preset it belongs to; "" = none
	Hits, Matched            int
}

type presetRow struct {
	Name string
	On   bool
}

// presets are the bad days there are.
var presets = []string{"busy-afternoon", "token-war", "quota-day", "flaky-network"}

// effects are what a rule can do, as the form offers them; each has a text.
var effects = []string{
	"errcode", "http_status", "html", "drop_answer", "reset_before", "reset_after", "truncate", "drip_ms", "hang_ms", "delay_ms",
	"no_event", "double_event", "early_event", "late_event_ms", "contradict_event",
}

// faultPaths are what one most often wants to spoil; any other path can be typed.
var faultPaths = []string{
	"/cgi-bin/message/template/send", "/cgi-bin/message/wxopen/template/send", "/cgi-bin/message/subscribe/send",
	"/cgi-bin/token", "/cgi-bin/stable_token", "*",
}

func (s *site) faultsPage(v view) *faultsPage {
	p := &faultsPage{View: v, Paths: faultPaths, Effects: effects}
	for _, f := range s.box.Faults() {
		p.Rules = append(p.Rules, faultRow{f.ID, f.Path, effectText(f), limitsText(f), f.Preset, f.Hits, f.Matched})
	}
	on := s.box.Presets()
	for _, name := range presets {
		p.Presets = append(p.Presets, presetRow{name, slices.ContainsFunc(on, func(p sandbox.Preset) bool { return p.Name == name })})
	}
	return p
}

func (s *site) faults(w http.ResponseWriter, _ *http.Request, v view) error {
	return s.render(w, v, part{"fault-state", s.faultsPage(v)})
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
		{f.HTML != "", "html"},
		{f.DropAnswer, "drop_answer"},
		{f.Reset != "", "reset " + f.Reset},
		{f.HangMS != 0, fmt.Sprintf("hang_ms %d", f.HangMS)},
		{f.Truncate != 0, "truncate"},
		{f.DripMS != 0, fmt.Sprintf("drip_ms %d", f.DripMS)},
		{f.NoEvent, "no_event"},
		{f.DoubleEvent, "double_event"},
		{f.EarlyEvent, "early_event"},
		{f.LateEventMS != 0, fmt.Sprintf("late_event_ms %d", f.LateEventMS)},
		{f.ContradictEvent, "contradict_event"},
		{f.EventStatus != "", "event_status " + f.EventStatus},
		{f.EventMsgIDZero, "event_msgid_zero"},
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
		words = append(words, fmt.Sprintf("times %d", f.Times))
	}
	if f.Rate != nil {
		words = append(words, fmt.Sprintf("rate %.3g", *f.Rate))
	}
	if f.EveryMS > 0 {
		words = append(words, fmt.Sprintf("for_ms %d / every_ms %d", f.ForMS, f.EveryMS))
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
	return s.faultsDone(w, r, v, v.lang.text("said.fault", id))
}

// faultsDone answers a change of the rules with the panel as it is now.
func (s *site) faultsDone(w http.ResponseWriter, r *http.Request, v view, said string) error {
	v.Panel = panelFaults
	return s.done(w, r, v, said, part{"panel-oob", s.panelOf(v)})
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

func setEffect(f *sandbox.Fault, r *http.Request) error {
	switch effect := r.PostForm.Get("effect"); effect {
	case "html":
		return f.HTML.UnmarshalJSON([]byte("true"))
	case "drop_answer":
		f.DropAnswer = true
	case "reset_before", "reset_after":
		f.Reset = strings.TrimPrefix(effect, "reset_")
	case "truncate":
		return f.Truncate.UnmarshalJSON([]byte("true"))
	case "no_event":
		f.NoEvent = true
	case "double_event":
		f.DoubleEvent = true
	case "early_event":
		f.EarlyEvent = true
	case "contradict_event":
		f.ContradictEvent = true
	default:
		return setNumber(f, effect, r)
	}
	return nil
}

// setNumber sets an effect that has a value.
func setNumber(f *sandbox.Fault, effect string, r *http.Request) (err error) {
	fields := map[string]*int{
		"errcode": &f.ErrCode, "http_status": &f.HTTPStatus, "hang_ms": &f.HangMS, "delay_ms": &f.DelayMS,
		"drip_ms": &f.DripMS, "late_event_ms": &f.LateEventMS,
	}
	field := fields[effect]
	if field == nil {
		return &sandbox.ControlError{Field: "effect", Rule: "must be one of " + strings.Join(effects, ", "), Value: effect}
	}
	*field, err = number(r, "value")
	return err
}

func (s *site) removeFault(w http.ResponseWriter, r *http.Request, v view) error {
	id := r.PostForm.Get("id")
	if !s.box.RemoveFault(id) {
		return &sandbox.ControlError{Status: http.StatusNotFound, Field: "id", Rule: "must be a rule in force", Value: id}
	}
	return s.faultsDone(w, r, v, v.lang.text("said.fault-removed", id))
}

// setPreset starts or ends a bad day.
func (s *site) setPreset(w http.ResponseWriter, r *http.Request, v view) error {
	name := r.PostForm.Get("preset")
	if r.PostForm.Get("on") == "false" {
		if !s.box.EndPreset(name) {
			return &sandbox.ControlError{Status: http.StatusNotFound, Field: "preset", Rule: "must be one in force", Value: name}
		}
		return s.faultsDone(w, r, v, v.lang.text("said.preset-ended", name))
	}
	if _, err := s.box.StartPreset(sandbox.Preset{Name: name}); err != nil {
		return err
	}
	return s.faultsDone(w, r, v, v.lang.text("said.preset", name))
}
